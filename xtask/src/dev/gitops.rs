//! The GitOps repository of the local console: a bare one on disk, whose branch says what the story of deliveries tells.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use jiff::Timestamp;

use super::deliveries::Desired;
use crate::process;

/// What the configuration of the local console names of it.
pub(super) fn configuration(repository: &Path) -> String {
    format!(
        "\n[[gitops]]\nname = \"acme/gitops\"\npath = {:?}\n\
         files = [\"envs/{{environment}}/{{service}}/application.yaml\"]\n\
         applications = [\"envs/{{environment}}/{{service}}/application.yaml\"]\npoll = \"5s\"\n\n\
         [[environments]]\nname = \"prod\"\neks_cluster_arn = \"arn:aws:eks:eu-west-1:111111111111:cluster/prod-eu-west-1\"\n",
        repository.display().to_string()
    )
}

/// Makes the repository, unless it is there: one commit for each tag, at the time that the story says.
pub(super) fn seed(repository: &Path, mut desired: Vec<Desired>) -> Result<()> {
    if repository.join("HEAD").exists() {
        return Ok(());
    }
    desired.sort_by_key(|one| one.at);
    let work = tempfile::tempdir()?;
    let git = |at: Timestamp, arguments: &[&str]| {
        let mut command = Command::new("git");
        command.current_dir(work.path()).args(arguments);
        for who in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{who}_NAME"), "Release Team")
                .env(format!("GIT_{who}_EMAIL"), "release@example.com")
                .env(format!("GIT_{who}_DATE"), at.to_string());
        }
        process::run(&mut command)
    };
    let now = Timestamp::now();
    git(now, &["init", "--quiet", "--initial-branch=main"])?;
    for Desired { service, environment, tag, at } in &desired {
        let file = work.path().join(format!("envs/{environment}/{service}/application.yaml"));
        fs::create_dir_all(file.parent().unwrap_or(work.path()))?;
        fs::write(&file, application(service, environment, tag))?;
        git(*at, &["add", "--all"])?;
        git(*at, &["commit", "--quiet", "--message", &format!("Run {service} {tag} in {environment}")])?;
    }
    // Half a repository would be taken for a whole one by the next run.
    let unfinished = repository.with_extension("unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    git(now, &["clone", "--quiet", "--bare", ".", &unfinished.display().to_string()])?;
    Ok(fs::rename(unfinished, repository)?)
}

/// An Application of Argo CD; in dev an image updater follows the service's image.
fn application(service: &str, environment: &str, tag: &str) -> String {
    let updater = "argocd-image-updater.argoproj.io";
    let annotations = match environment {
        "dev" => format!(
            "  annotations:\n    {updater}/image-list: {service}=registry.example.com/{service}:1.x\n    {updater}/write-back-method: git\n"
        ),
        _ => String::new(),
    };
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: {service}-{environment}\n  namespace: argocd\n{annotations}\
         spec:\n  project: default\n  destination:\n    server: https://kubernetes.default.svc\n    namespace: {environment}\n  source:\n    \
         repoURL: https://git.example.com/acme/gitops.git\n    path: charts/{service}\n    targetRevision: main\n    helm:\n      parameters:\n        \
         # The tag of the image; everything else is in the chart.\n        - name: image.tag\n          value: \"{tag}\"\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once_with_a_commit_for_each_tag() {
        let directory = tempfile::tempdir().unwrap();
        let repository = directory.path().join("gitops.git");
        let desired = |environment: &'static str, second: i64| Desired {
            service: "users",
            environment,
            tag: "1.4.2".into(),
            at: Timestamp::from_second(1_795_255_200 + second).unwrap(),
        };
        for _ in 0..2 {
            seed(&repository, vec![desired("prod", 60), desired("dev", 0)]).unwrap();
        }
        let mut log = Command::new("git");
        log.arg("-C").arg(&repository).args(["log", "--format=%ct %s", "main"]);
        let log = String::from_utf8(process::output(&mut log).unwrap()).unwrap();
        assert_eq!(log, "1795255260 Run users 1.4.2 in prod\n1795255200 Run users 1.4.2 in dev\n");
        assert!(application("users", "dev", "1").contains("image-list: users="));
        assert!(!application("users", "prod", "1").contains("annotations"));
        assert!(configuration(&repository).contains("[[gitops]]"));
    }
}
