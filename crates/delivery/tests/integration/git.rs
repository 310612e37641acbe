//! The reader of GitOps repositories against repositories that the git program made.

mod github;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use delivery::GithubConfig;
use delivery::git::{GitReader, GitopsConfig, RepositoryAt};
use delivery::github::GithubClient;
use delivery::reader::{Checked, Reader};
use domain::delivery::{Branch, DesiredTag, EnvironmentName, Seen, ServiceName, Sighting, TagChange};
use jiff::Timestamp;
use tempfile::TempDir;

/// A repository with a work tree.
pub(super) struct Repository {
    directory: TempDir,
    /// Commits are a minute apart.
    pub(super) clock: i64,
}

/// When the first commit is made.
pub(crate) const BEGINNING: i64 = 1_790_000_000;

impl Repository {
    pub(super) fn new() -> Repository {
        let repository = Repository { directory: TempDir::new().unwrap(), clock: BEGINNING };
        std::fs::create_dir(repository.path()).unwrap();
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository
    }

    pub(super) fn path(&self) -> PathBuf {
        self.directory.path().join("gitops")
    }

    /// Runs git in the repository and answers what it prints.
    fn git(&self, arguments: &[&str]) -> String {
        git(&self.path(), self.clock, arguments)
    }

    /// Merges a branch a minute later, as GitHub merges a pull request.
    fn merge(&mut self, pull_request: u32, branch: &str) {
        self.clock += 60;
        let message = format!("Merge pull request #{pull_request} from acme/{branch}");
        self.git(&["merge", "--quiet", "--no-ff", "--message", &message, branch]);
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Commits everything there is, and answers the revision.
    fn commit(&mut self, message: &str) -> String {
        self.clock += 60;
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.head()
    }

    pub(super) fn put(&mut self, path: &str, text: &str, message: &str) -> String {
        self.write(path, text);
        self.commit(message)
    }

    fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }
}

pub(crate) fn git(directory: &Path, clock: i64, arguments: &[&str]) -> String {
    let date = format!("{clock} +0200");
    let output = Command::new("git")
        .args(arguments)
        .current_dir(directory)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_AUTHOR_NAME", "Ada")
        .env("GIT_AUTHOR_EMAIL", "ada@example.com")
        .env("GIT_AUTHOR_DATE", "2001-02-03T04:05:06Z")
        .env("GIT_COMMITTER_NAME", "A machine")
        .env("GIT_COMMITTER_EMAIL", "machine@example.com")
        .env("GIT_COMMITTER_DATE", date)
        .output()
        .expect("these tests make repositories with git: install it");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

const VALUES: &str = "envs/{environment}/{service}/values.yaml";

fn reader_of(path: PathBuf, files: &[&str], services: &[&str]) -> GitReader {
    let config = GitopsConfig {
        name: "acme/gitops".into(),
        at: RepositoryAt::Local(path),
        branch: "main".into(),
        files: files.iter().map(|file| (*file).to_owned()).collect(),
        applications: Vec::new(),
        labels: Vec::new(),
        reviewers: Vec::new(),
        tag_key: GitopsConfig::TAG_KEY.into(),
        poll: Duration::from_secs(7),
    };
    let services: Vec<_> = services.iter().map(|name| ServiceName::parse(name).unwrap()).collect();
    let environments = ["dev", "prod"].map(|name| EnvironmentName::parse(name).unwrap());
    let github = GithubClient::new(&GithubConfig::default()).unwrap();
    GitReader::new(config, &github, &services, &environments)
}

fn reader(repository: &Repository) -> GitReader {
    reader_of(repository.path(), &[VALUES], &["users"])
}

async fn sightings(reader: &mut GitReader) -> Vec<Sighting> {
    let told = reader.read(Timestamp::from_second(BEGINNING).unwrap()).await.unwrap();
    assert!(told.facts.is_empty() && told.images.is_empty());
    told.sightings.unwrap()
}

async fn failure(reader: &mut GitReader) -> String {
    reader.read(Timestamp::from_second(BEGINNING).unwrap()).await.unwrap_err().message
}

fn branch(sightings: &[Sighting]) -> &Branch {
    match &sightings[0] {
        Sighting { subject, place: None, seen: Seen::Branch(branch) } => {
            assert_eq!(*subject, format!("branch/{}", branch.name));
            branch
        }
        other => panic!("{other:?}"),
    }
}

/// The desired tag of a place.
fn desired<'a>(sightings: &'a [Sighting], service: &str, environment: &str) -> Option<&'a DesiredTag> {
    sightings.iter().find_map(|sighting| {
        let place = sighting.place.as_ref()?;
        let Seen::DesiredTag(desired) = &sighting.seen else { return None };
        assert!(sighting.subject.starts_with(&format!("{}#{}", desired.path, desired.key)));
        ((place.service.as_str(), place.environment.as_str()) == (service, environment)).then_some(desired)
    })
}

fn dev(sightings: &[Sighting]) -> &DesiredTag {
    desired(sightings, "users", "dev").unwrap()
}

/// Revision, tag and tag before of each change.
fn changes(desired: &DesiredTag) -> Vec<(&str, &str, Option<&str>)> {
    desired
        .changes
        .iter()
        .map(|change| (change.revision.as_str(), change.tag.as_str(), change.before.as_deref()))
        .collect()
}

fn tag(tag: &str) -> String {
    format!("# of users\nreplicas: 2\nimage:\n  repository: r.io/users\n  tag: {tag} # bumped\n")
}

#[tokio::test]
async fn bumps_are_told_with_what_they_changed() {
    let mut repository = Repository::new();
    let first = repository.put("envs/dev/users/values.yaml", &tag("1.9"), "Begin");
    repository.put("README.md", "Read me", "Say what it is");
    repository.put("envs/dev/users/values.yaml", &format!("{}more: 1\n", tag("1.9")), "Add a value");
    let second =
        repository.put("envs/dev/users/values.yaml", &tag("1.10"), "Bump users to 1.10 (#12)\n\nText");
    let clock = repository.clock;
    let mut reader = reader(&repository);
    assert_eq!(reader.pause(), Duration::from_secs(7));

    let seen = sightings(&mut reader).await;
    assert_eq!(seen.len(), 2, "there is nothing of prod");
    let tagged = dev(&seen);
    assert_eq!((tagged.repository.as_str(), tagged.branch.as_str()), ("acme/gitops", "main"));
    assert_eq!((tagged.path.as_str(), tagged.key.as_str()), ("envs/dev/users/values.yaml", "image.tag"));
    assert_eq!(tagged.tag.as_deref(), Some("1.10"));
    assert_eq!(changes(tagged), [(&*second, "1.10", Some("1.9")), (&*first, "1.9", None)]);
    let bump = &tagged.changes[0];
    let expected = TagChange {
        revision: second.clone(),
        tag: "1.10".into(),
        before: Some("1.9".into()),
        at: Timestamp::from_second(clock).unwrap(),
        author: Some("Ada".into()),
        pull_request: Some(12),
        link: None,
    };
    assert_eq!(*bump, expected);
    assert_eq!(branch(&seen).revisions.len(), 4);
    assert_eq!(branch(&seen).contains(&second, &first), Some(true));

    // Nothing new, nothing else.
    assert_eq!(sightings(&mut reader).await, seen);

    let third = repository.put("envs/dev/users/values.yaml", &tag("1.11"), "Bump users");
    repository.put("envs/prod/users/values.yaml", &tag("1.9"), "Bring users to prod");
    let seen = sightings(&mut reader).await;
    assert_eq!(changes(dev(&seen))[..2], [(&*third, "1.11", Some("1.10")), (&*second, "1.10", Some("1.9"))]);
    assert_eq!(desired(&seen, "users", "prod").unwrap().tag.as_deref(), Some("1.9"));
    assert_eq!(branch(&seen).revisions.len(), 6);

    // One that begins now sees the same as one that followed.
    assert_eq!(sightings(&mut self::reader(&repository)).await, seen);
}

#[tokio::test]
async fn a_merged_pull_request_is_its_merge_commit() {
    let mut repository = Repository::new();
    let first = repository.put("envs/dev/users/values.yaml", &tag("1"), "Begin");
    repository.git(&["switch", "--quiet", "--create", "bump"]);
    repository.put("envs/dev/users/values.yaml", &tag("2"), "Bump users to 2");
    repository.put("envs/dev/users/values.yaml", &tag("3"), "No, to 3");
    repository.git(&["switch", "--quiet", "main"]);
    let aside = repository.put("other.txt", "x", "Go on meanwhile");
    repository.merge(7, "bump");
    let merge = repository.head();

    let mut reader = reader(&repository);
    let seen = sightings(&mut reader).await;
    assert_eq!(changes(dev(&seen)), [(&*merge, "3", Some("1")), (&*first, "1", None)]);
    assert_eq!(dev(&seen).changes[0].pull_request, Some(7));
    assert_eq!(branch(&seen).revisions, [merge, aside, first]);
}

#[tokio::test]
async fn after_a_force_push_history_is_read_anew() {
    let mut repository = Repository::new();
    let first = repository.put("envs/dev/users/values.yaml", &tag("1"), "Begin");
    repository.put("envs/dev/users/values.yaml", &tag("2"), "Bump to 2");
    let mut reader = reader(&repository);
    assert_eq!(changes(dev(&sightings(&mut reader).await)).len(), 2);

    repository.git(&["reset", "--quiet", "--hard", &first]);
    let other = repository.put("envs/dev/users/values.yaml", &tag("2b"), "Bump to 2b");
    let seen = sightings(&mut reader).await;
    assert_eq!(changes(dev(&seen)), [(&*other, "2b", Some("1")), (&*first, "1", None)]);
    assert_eq!(branch(&seen).revisions, [other, first.clone()]);

    // Back to what was there before.
    repository.git(&["reset", "--quiet", "--hard", &first]);
    let seen = sightings(&mut reader).await;
    assert_eq!((dev(&seen).tag.as_deref(), branch(&seen).revisions.len()), (Some("1"), 1));

    // And to a history that has nothing to do with it.
    repository.git(&["checkout", "--quiet", "--orphan", "new"]);
    let new = repository.put("envs/dev/users/values.yaml", &tag("9"), "Begin anew");
    repository.git(&["branch", "--quiet", "--force", "main", "new"]);
    let seen = sightings(&mut reader).await;
    assert_eq!(changes(dev(&seen)), [(&*new, "9", None)]);
}

#[tokio::test]
async fn packed_bare_and_borrowed_repositories_are_read_alike() {
    let mut repository = Repository::new();
    for number in 0..5 {
        repository.put("envs/dev/users/values.yaml", &tag(&number.to_string()), "Bump");
    }
    let loose = sightings(&mut reader(&repository)).await;
    assert_eq!(changes(dev(&loose)).len(), 5);
    let mut following = reader(&repository);
    assert_eq!(sightings(&mut following).await, loose);

    repository.git(&["pack-refs", "--all"]);
    repository.git(&["gc", "--quiet", "--prune=now"]);
    assert_eq!(sightings(&mut reader(&repository)).await, loose);
    repository.put("envs/dev/users/values.yaml", &tag("5"), "Bump");
    assert_eq!(dev(&sightings(&mut following).await).tag.as_deref(), Some("5"));

    let clone = |name: &str, arguments: &[&str]| {
        let source = format!("file://{}", repository.path().display());
        let directory = repository.directory.path();
        git(directory, BEGINNING, &[&["clone", "--quiet"], arguments, &[source.as_str(), name]].concat());
        reader_of(directory.join(name), &[VALUES], &["users"])
    };
    let now = sightings(&mut reader(&repository)).await;
    assert_eq!(sightings(&mut clone("bare.git", &["--bare"])).await, now);
    assert_eq!(sightings(&mut clone("mirror.git", &["--mirror"])).await, now);
    let reference = repository.path().display().to_string();
    assert_eq!(sightings(&mut clone("borrowed", &["--reference", &reference])).await, now);

    // A shallow one knows what is there, and not who put it there before it begins.
    let seen = sightings(&mut clone("shallow", &["--depth", "2"])).await;
    assert_eq!(branch(&seen).revisions, branch(&now).revisions[..2]);
    let [bump, there] = &dev(&seen).changes[..] else { panic!("{seen:?}") };
    assert_eq!(*bump, dev(&now).changes[0]);
    assert_eq!((there.tag.as_str(), &there.revision), ("4", &branch(&now).revisions[1]));
    assert_eq!((&there.before, &there.author, there.pull_request), (&None, &None, None));
}

#[tokio::test]
async fn a_work_tree_of_another_repository_is_read() {
    let mut repository = Repository::new();
    repository.put("envs/dev/users/values.yaml", &tag("1"), "Begin");
    repository.git(&["worktree", "add", "--quiet", "-b", "aside", "../aside"]);
    let mut reader = reader_of(repository.directory.path().join("aside"), &[VALUES], &["users"]);
    assert_eq!(dev(&sightings(&mut reader).await).tag.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_file_that_is_deleted_sets_nothing_any_more() {
    let mut repository = Repository::new();
    let first = repository.put("envs/dev/users/values.yaml", &tag("1"), "Begin");
    let mut reader = reader(&repository);
    sightings(&mut reader).await;
    std::fs::remove_file(repository.path().join("envs/dev/users/values.yaml")).unwrap();
    repository.commit("Take users out of dev");
    assert_eq!(desired(&sightings(&mut reader).await, "users", "dev"), None);

    repository.put("envs/dev/users/values.yaml", "replicas: 1\n", "Prepare users in dev");
    let seen = sightings(&mut reader).await;
    assert_eq!((dev(&seen).tag.as_deref(), dev(&seen).path.as_str()), (None, "envs/dev/users/values.yaml"));

    let back = repository.put("envs/dev/users/values.yaml", &tag("1"), "Bring users back to dev");
    let seen = sightings(&mut reader).await;
    assert_eq!(changes(dev(&seen)), [(&*back, "1", None), (&*first, "1", None)]);
    assert_eq!(sightings(&mut self::reader(&repository)).await, seen);
}

#[tokio::test]
async fn a_tag_that_cannot_be_read_for_a_while_is_no_change() {
    let mut repository = Repository::new();
    let first = repository.put("envs/dev/users/values.yaml", &tag("1"), "Begin");
    let mut following = reader(&repository);
    sightings(&mut following).await;
    repository.put("envs/dev/users/values.yaml", "image: {tag: ", "Break it");
    let seen = sightings(&mut following).await;
    assert_eq!((dev(&seen).tag.as_deref(), changes(dev(&seen))), (None, vec![(&*first, "1", None)]));
    assert_eq!(sightings(&mut reader(&repository)).await, seen);

    repository.put("envs/dev/users/values.yaml", &tag("1"), "Mend it");
    let seen = sightings(&mut following).await;
    assert_eq!((dev(&seen).tag.as_deref(), changes(dev(&seen))), (Some("1"), vec![(&*first, "1", None)]));
    assert_eq!(sightings(&mut reader(&repository)).await, seen);

    repository.put("envs/dev/users/values.yaml", "image: {tag: ", "Break it again");
    sightings(&mut following).await;
    let mended = repository.put("envs/dev/users/values.yaml", &tag("2"), "Mend it with another");
    let seen = sightings(&mut following).await;
    assert_eq!(changes(dev(&seen)), [(&*mended, "2", Some("1")), (&*first, "1", None)]);
    assert_eq!(sightings(&mut reader(&repository)).await, seen);
}

#[tokio::test]
async fn only_so_much_history_is_read() {
    let mut repository = Repository::new();
    for number in 0..14 {
        repository.put("envs/dev/users/values.yaml", &tag(&number.to_string()), "Bump");
    }
    let mut reader = reader(&repository);
    let seen = sightings(&mut reader).await;
    assert_eq!((changes(dev(&seen)).len(), changes(dev(&seen))[9].1), (10, "4"));
    repository.put("envs/dev/users/values.yaml", &tag("14"), "Bump");
    let seen = sightings(&mut reader).await;
    assert_eq!(
        (changes(dev(&seen)).len(), changes(dev(&seen))[9]),
        (10, (&*branch(&seen).revisions[9], "5", Some("4")))
    );

    // 600 commits on top, none of which concerns it.
    let mut stream = String::new();
    for number in 0..600 {
        let from = if number == 0 { "from refs/heads/main^0\n" } else { "" };
        let time = repository.clock + number;
        stream += &format!("commit refs/heads/main\ncommitter A <a@b> {time} +0000\ndata 1\nx\n{from}\n");
    }
    let script = repository.directory.path().join("stream");
    std::fs::write(&script, stream).unwrap();
    let output = Command::new("git")
        .args(["fast-import", "--quiet"])
        .current_dir(repository.path())
        .stdin(std::fs::File::open(script).unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let seen = sightings(&mut self::reader(&repository)).await;
    assert_eq!(branch(&seen).revisions.len(), 500);
    let oldest = branch(&seen).revisions.last().unwrap();
    assert_eq!(changes(dev(&seen)), [(oldest.as_str(), "14", None)]);
    // Too far for one that followed, too.
    assert_eq!(sightings(&mut reader).await, seen);
}

/// As in a repository where the updater writes beside the chart for one environment, and people promote to the other in its
/// Application.
#[tokio::test]
async fn applications_and_the_files_of_the_updater_are_read() {
    let mut repository = Repository::new();
    let files = [
        "envs/{environment}/{service}/application.yaml",
        "helm-charts/{service}/values.yaml",
        "helm-charts/{service}/.argocd-source-{service}-{environment}.yaml",
    ];
    for service in ["users", "payments"] {
        for environment in ["dev", "prod"] {
            let parameters = match environment {
                "prod" => {
                    "\n    helm:\n      parameters:\n        - name: image.tag\n          value: 0.1.0\n"
                }
                _ => "\n",
            };
            repository.write(
                &format!("envs/{environment}/{service}/application.yaml"),
                &format!(
                    "---\napiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: {service}-{environment}\n  \
                     annotations:\n    argocd-image-updater.argoproj.io/image-list: {service}=r.io/{service}:0.x\nspec:\n  \
                     source:\n    path: helm-charts/{service}{parameters}"
                ),
            );
        }
        repository.write(&format!("helm-charts/{service}/values.yaml"), "image:\n  tag: \"\"\n");
    }
    let first = repository.commit("Begin");
    let mut reader = reader_of(repository.path(), &files, &["users", "payments"]);
    let seen = sightings(&mut reader).await;
    let prod = desired(&seen, "users", "prod").unwrap();
    assert_eq!(
        (prod.path.as_str(), prod.tag.as_deref()),
        ("envs/prod/users/application.yaml", Some("0.1.0"))
    );
    assert_eq!(dev(&seen).tag, None);
    let subjects: std::collections::BTreeSet<_> = seen.iter().map(|sighting| &sighting.subject).collect();
    assert_eq!((seen.len(), subjects.len()), (5, 5), "each is told apart");

    let source = "helm-charts/users/.argocd-source-users-dev.yaml";
    let written = |tag: &str| {
        format!("helm:\n  parameters:\n  - name: image.tag\n    value: {tag}\n    forcestring: true\n")
    };
    let update = repository.put(source, &written("0.1.10"), "build: automatic update of users-dev");
    let seen = sightings(&mut reader).await;
    assert_eq!((dev(&seen).path.as_str(), dev(&seen).tag.as_deref()), (source, Some("0.1.10")));
    assert_eq!(changes(dev(&seen)), [(&*update, "0.1.10", None)]);

    let application = "envs/prod/users/application.yaml";
    let text = std::fs::read_to_string(repository.path().join(application)).unwrap();
    let promotion = repository.put(application, &text.replace("0.1.0", "0.1.10"), "Promote users (#3)");
    let seen = sightings(&mut reader).await;
    let prod = desired(&seen, "users", "prod").unwrap();
    assert_eq!(changes(prod), [(&*promotion, "0.1.10", Some("0.1.0")), (&*first, "0.1.0", None)]);
    assert_eq!(desired(&seen, "payments", "prod").unwrap().tag.as_deref(), Some("0.1.0"));
    assert_eq!(sightings(&mut reader_of(repository.path(), &files, &["users", "payments"])).await, seen);
}

#[tokio::test]
async fn a_repository_that_is_gone_is_said_and_comes_back() {
    let mut repository = Repository::new();
    repository.put("envs/dev/users/values.yaml", &tag("1"), "Begin");
    let mut reader = reader(&repository);
    let seen = sightings(&mut reader).await;

    let away = repository.directory.path().join("away");
    std::fs::rename(repository.path(), &away).unwrap();
    let message = failure(&mut reader).await;
    assert!(message.contains("no such directory") && message.contains("gitops"), "{message}");
    std::fs::create_dir(repository.path()).unwrap();
    let message = failure(&mut reader).await;
    assert!(message.contains("name a clone or a bare repository"), "{message}");
    std::fs::remove_dir(repository.path()).unwrap();
    std::fs::rename(&away, repository.path()).unwrap();
    assert_eq!(sightings(&mut reader).await, seen);

    repository.git(&["branch", "--quiet", "--move", "main", "trunk"]);
    let message = failure(&mut reader).await;
    assert!(message.contains("no branch main, only trunk"), "{message}");
    repository.git(&["branch", "--quiet", "--move", "trunk", "main"]);
    assert_eq!(sightings(&mut reader).await, seen);

    // A clone that was made anew in its place.
    std::fs::rename(repository.path(), &away).unwrap();
    git(repository.directory.path(), BEGINNING, &["clone", "--quiet", "--bare", "away", "gitops"]);
    assert_eq!(sightings(&mut reader).await, seen);
}

#[tokio::test]
async fn a_damaged_repository_is_said() {
    let mut repository = Repository::new();
    repository.put("envs/dev/users/values.yaml", &tag("1"), "Begin");
    let blob = repository.git(&["rev-parse", "HEAD:envs/dev/users/values.yaml"]);
    let object = repository.path().join(format!(".git/objects/{}/{}", &blob[..2], &blob[2..]));
    let whole = std::fs::read(&object).unwrap();
    std::fs::remove_file(&object).unwrap();
    let mut reader = reader(&repository);
    let message = failure(&mut reader).await;
    assert!(message.contains("envs/dev/users/values.yaml") && message.contains("git fsck"), "{message}");
    std::fs::write(&object, b"not what git wrote").unwrap();
    assert!(failure(&mut reader).await.contains("git fsck"));
    std::fs::remove_file(&object).unwrap();
    std::fs::write(&object, whole).unwrap();
    assert_eq!(dev(&sightings(&mut reader).await).tag.as_deref(), Some("1"));

    let head = repository.path().join(".git/refs/heads/main");
    std::fs::write(&head, format!("{}\n", "1".repeat(40))).unwrap();
    let message = failure(&mut reader).await;
    assert!(message.contains("branch main") && message.contains("git fsck"), "{message}");
    std::fs::write(&head, "nothing\n").unwrap();
    let message = failure(&mut reader).await;
    assert!(message.contains("branch main"), "{message}");
}

#[tokio::test]
async fn an_empty_repository_has_no_branch() {
    let repository = Repository::new();
    let message = failure(&mut reader(&repository)).await;
    assert!(message.contains("no branch main, nor any other"), "{message}");
}

#[tokio::test]
async fn what_is_no_plain_file_is_not_followed() {
    let mut repository = Repository::new();
    repository.write("elsewhere.yaml", &tag("1"));
    std::fs::create_dir_all(repository.path().join("envs/dev/users")).unwrap();
    std::os::unix::fs::symlink(
        "../../../elsewhere.yaml",
        repository.path().join("envs/dev/users/values.yaml"),
    )
    .unwrap();
    repository.write("envs/prod/users/values.yaml", &"x: 1\n".repeat(300_000));
    repository.write("envs/dev/payments/values.yaml/inner", "a directory of that name");
    repository.commit("Begin");
    let mut reader = reader_of(repository.path(), &[VALUES], &["users", "payments"]);
    let seen = sightings(&mut reader).await;
    assert_eq!(dev(&seen).tag, None);
    assert_eq!(desired(&seen, "payments", "dev"), None);
    let problems = problems(reader.check().await);
    assert!(problems.iter().any(|problem| problem.contains("symbolic link")), "{problems:?}");
    assert!(problems.iter().any(|problem| problem.contains("1500000 bytes")), "{problems:?}");
}

fn problems(checked: Vec<Checked>) -> Vec<String> {
    checked.into_iter().filter_map(|checked| checked.outcome.err()).collect()
}

#[tokio::test]
async fn a_check_says_what_was_found_and_what_is_missing() {
    let mut repository = Repository::new();
    repository.write("base.yaml", &tag("0"));
    repository.write("envs/dev/users/values.yaml", &tag("1"));
    repository.write("envs/prod/users/values.yaml", "image: {tag: ");
    repository.write("envs/dev/payments/values.yaml", "replicas: 1");
    let head = repository.commit("Begin");
    let mut reader = reader_of(repository.path(), &["none/{service}.yaml", VALUES], &["users", "payments"]);
    let lines: Vec<_> =
        reader.check().await.into_iter().map(|checked| (checked.what, checked.outcome)).collect();
    let expected: Vec<(String, Result<String, String>)> = vec![
        ("branch main of acme/gitops".into(), Ok(format!("at {head}"))),
        (
            "none/{service}.yaml".into(),
            Err("there is no such file for any of 4 services and environments: correct it, from the root of the \
                 repository"
                .into()),
        ),
        (VALUES.into(), Ok("3 of 4: users in dev, users in prod, payments in dev".into())),
    ];
    assert_eq!(lines[..3], expected);
    let [users, payments] = &lines[3..] else { panic!("{lines:?}") };
    assert_eq!(users.0, "tag of users in prod");
    assert!(users.1.as_ref().unwrap_err().contains("values.yaml cannot be read: it is no YAML"), "{users:?}");
    assert_eq!(payments.1, Err("envs/dev/payments/values.yaml sets no image.tag".into()));

    let mut reader = reader_of(repository.path(), &["base.yaml", VALUES], &["users"]);
    let shadowed = reader.check().await.pop().map(|checked| (checked.what, checked.outcome));
    assert!(matches!(&shadowed, Some((what, Err(_))) if what == "tag of users in prod"), "{shadowed:?}");
    let dev = reader.check().await.into_iter().find(|checked| checked.what == "tag of users in dev").unwrap();
    assert_eq!(
        dev.outcome,
        Ok("1 from envs/dev/users/values.yaml#image.tag; what base.yaml#image.tag says does not count"
            .into())
    );

    repository.put("envs/prod/users/values.yaml", "image: {tag: 1.10}", "Mend it");
    let problems_now = problems(reader.check().await);
    assert!(
        matches!(&problems_now[..], [problem] if problem.contains("is 1.10 without quotes")),
        "{problems_now:?}"
    );

    let mut gone = reader_of(repository.directory.path().join("nowhere"), &[VALUES], &["users"]);
    assert_eq!(problems(gone.check().await).len(), 1);
}

/// While somebody pushes and packs, every answer is one of the states there were, and the last is the last.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_while_it_is_read_does_no_harm() {
    const PUSHES: usize = 20;
    let mut repository = Repository::new();
    repository.put("envs/dev/users/values.yaml", &tag("0"), "Begin");
    let mut reader = reader(&repository);
    let pushing = tokio::task::spawn_blocking(move || {
        for number in 1..=PUSHES {
            repository.put("envs/dev/users/values.yaml", &tag(&number.to_string()), "Bump");
            if number % 5 == 0 {
                repository.git(&["gc", "--quiet", "--prune=now"]);
            }
        }
        repository
    });
    let mut newest = 0;
    while !pushing.is_finished() {
        let seen = sightings(&mut reader).await;
        let tag: usize = dev(&seen).tag.as_ref().unwrap().parse().unwrap();
        assert!(tag >= newest, "{tag} after {newest}");
        newest = tag;
        assert_eq!(branch(&seen).revisions.len(), tag + 1);
        for change in &dev(&seen).changes {
            assert_eq!(
                change.before.as_ref().map_or(0, |before| before.parse::<usize>().unwrap() + 1),
                change.tag.parse::<usize>().unwrap()
            );
        }
    }
    let repository = pushing.await.unwrap();
    let seen = sightings(&mut reader).await;
    assert_eq!(dev(&seen).tag.as_deref(), Some(PUSHES.to_string().as_str()));
    assert_eq!(sightings(&mut self::reader(&repository)).await, seen);
}
