//! The same on GitHub, which answers of a repository on disk.

use delivery::git::{GitReader, GitopsConfig, RepositoryAt};
use delivery::github::GithubClient;
use delivery::reader::Reader;
use domain::delivery::{
    BumpPullRequest, Checks, EnvironmentName, PullRequestState, Review, Seen, ServiceName, Sighting,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    BEGINNING, Repository, VALUES, branch, changes, dev, failure, problems, reader_of, sightings, tag,
};
use crate::github::stand_in::World;

/// GitHub with one repository.
struct Github {
    world: World,
}

impl Github {
    /// `name` is the test's, and no other's.
    async fn of(name: &str, repository: &Repository) -> Github {
        let world = World::new(name);
        world.put("acme/gitops", json!({"git": {"path": repository.path()}})).await;
        Github { world }
    }

    fn reader(&self, files: &[&str], services: &[&str]) -> GitReader {
        let config = GitopsConfig {
            name: "acme/gitops".into(),
            at: RepositoryAt::Github("acme/gitops".into()),
            branch: "main".into(),
            files: files.iter().map(|file| (*file).to_owned()).collect(),
            applications: Vec::new(),
            labels: Vec::new(),
            reviewers: Vec::new(),
            tag_key: GitopsConfig::TAG_KEY.into(),
            poll: GitopsConfig::POLL,
        };
        let services: Vec<_> = services.iter().map(|name| ServiceName::parse(name).unwrap()).collect();
        let environments = ["dev", "prod"].map(|name| EnvironmentName::parse(name).unwrap());
        let client = GithubClient::new(&self.world.config()).unwrap();
        GitReader::new(config, &client, &services, &environments)
    }

    async fn put(&self, parts: Value) {
        self.world.put("acme/gitops", parts).await;
    }

    async fn behave(&self, how: Value) {
        self.world.control("behave", how).await;
    }

    /// What was asked since the last time, and what it was answered.
    async fn asked(&self) -> Vec<(String, u16)> {
        self.world.asked().await.into_iter().map(|asked| (asked.path, asked.status)).collect()
    }
}

/// What a clone on disk tells, too: everything but where it can be looked up, and pull requests.
fn without_links(mut sightings: Vec<Sighting>) -> Vec<Sighting> {
    sightings.retain(|sighting| !matches!(sighting.seen, Seen::Bump(_)));
    for sighting in &mut sightings {
        if let Seen::DesiredTag(desired) = &mut sighting.seen {
            for change in &mut desired.changes {
                if let Some(link) = change.link.take() {
                    assert_eq!(link, format!("https://github.com/acme/gitops/commit/{}", change.revision));
                }
            }
        }
    }
    sightings
}

fn bumps<'a>(sightings: &'a [Sighting]) -> Vec<(&'a str, &'a BumpPullRequest)> {
    let bump = |sighting: &'a Sighting| match &sighting.seen {
        Seen::Bump(bump) => Some((sighting.subject.as_str(), bump)),
        _ => None,
    };
    sightings.iter().filter_map(bump).collect()
}

/// Step by step both readers tell the same, those that follow and those that begin.
#[tokio::test]
async fn github_is_read_as_a_clone_is() {
    const FILES: [&str; 2] = [VALUES, "charts/{service}/.argocd-source-{service}-{environment}.yaml"];
    const SERVICES: [&str; 2] = ["users", "payments"];
    let mut repository = Repository::new();
    repository.put("envs/dev/users/values.yaml", &tag("1"), "Begin");
    let github = Github::of("git-clone", &repository).await;
    let mut followed = github.reader(&FILES, &SERVICES);
    let mut on_disk = reader_of(repository.path(), &FILES, &SERVICES);
    macro_rules! same {
        () => {
            let expected = sightings(&mut on_disk).await;
            assert_eq!(without_links(sightings(&mut followed).await), expected);
            assert_eq!(without_links(sightings(&mut github.reader(&FILES, &SERVICES)).await), expected);
        };
    }
    same!();
    assert!(dev(&sightings(&mut followed).await).changes[0].link.is_some());

    repository.write("envs/prod/payments/values.yaml", &tag("1"));
    repository.put("envs/dev/users/values.yaml", &tag("2"), "Bump (#4)");
    repository.put("envs/dev/users/values.yaml", &tag("3"), "Bump");
    same!();
    repository.git(&["switch", "--quiet", "--create", "bump"]);
    repository.put("envs/dev/users/values.yaml", &tag("4"), "Bump to 4");
    repository.put("envs/dev/payments/values.yaml", &tag("4"), "Bump the other");
    repository.git(&["switch", "--quiet", "main"]);
    repository.put("envs/prod/payments/values.yaml", &tag("2"), "Meanwhile");
    same!();
    repository.merge(5, "bump");
    repository.put("other.txt", "x", "Go on");
    same!();
    let source = "charts/users/.argocd-source-users-dev.yaml";
    repository.put(source, "helm: {parameters: [{name: image.tag, value: '5'}]}", "Update");
    same!();
    std::fs::rename(repository.path().join(source), repository.path().join("envs/prod/users.yaml")).unwrap();
    repository.commit("Move it away");
    repository.put("a b/%41+ü.txt", "x", "Odd names");
    same!();
    repository.put("envs/dev/users/values.yaml", "image: {tag: ", "Break it");
    same!();
    repository.put("envs/dev/users/values.yaml", &tag("6"), "Mend it");
    same!();
    repository.put("envs/dev/users/values.yaml", &"x: 1\n".repeat(300_000), "Too large");
    same!();
    std::fs::remove_file(repository.path().join("envs/dev/users/values.yaml")).unwrap();
    repository.put("envs/dev/users/values.yaml/inner", "x", "A directory");
    same!();

    sightings(&mut followed).await;
    github.asked().await;
    sightings(&mut followed).await;
    let asked = github.asked().await;
    assert!(asked.len() == 3 && asked.iter().all(|(_, status)| *status == 304), "nothing is new: {asked:?}");
}

/// A pull request whose commits are older than all that GitHub lists of the branch at once.
#[tokio::test]
async fn what_a_late_merge_brings_is_seen() {
    let mut repository = Repository::new();
    let first = repository.put("envs/dev/users/values.yaml", &tag("1"), "Begin");
    repository.git(&["switch", "--quiet", "--create", "late"]);
    repository.put("envs/dev/users/values.yaml", &tag("2"), "Bump");
    repository.git(&["switch", "--quiet", "main"]);
    for _ in 0..120 {
        repository.commit("Something else");
    }
    let github = Github::of("git-late", &repository).await;
    let mut reader = github.reader(&[VALUES], &["users"]);
    let seen = sightings(&mut reader).await;
    assert_eq!((changes(dev(&seen)), branch(&seen).revisions.len()), (vec![(&*first, "1", None)], 121));

    repository.merge(9, "late");
    let merge = repository.head();
    repository.commit("Go on");
    let seen = sightings(&mut reader).await;
    assert_eq!(changes(dev(&seen)), [(&*merge, "2", Some("1")), (&*first, "1", None)]);
    assert_eq!(dev(&seen).changes[0].pull_request, Some(9));
    assert_eq!(without_links(seen), sightings(&mut super::reader(&repository)).await);
}

#[tokio::test]
async fn an_older_answer_than_before_is_not_believed_at_once() {
    let mut repository = Repository::new();
    let first = repository.put("envs/dev/users/values.yaml", &tag("1"), "Begin");
    let second = repository.put("envs/dev/users/values.yaml", &tag("2"), "Bump");
    let github = Github::of("git-older", &repository).await;
    let mut reader = github.reader(&[VALUES], &["users"]);
    let seen = sightings(&mut reader).await;

    repository.git(&["reset", "--quiet", "--hard", &first]);
    assert_eq!(sightings(&mut reader).await, seen);
    repository.git(&["reset", "--quiet", "--hard", &second]);
    assert_eq!(sightings(&mut reader).await, seen, "it was only late");
    repository.git(&["reset", "--quiet", "--hard", &first]);
    assert_eq!(sightings(&mut reader).await, seen);
    assert_eq!(dev(&sightings(&mut reader).await).tag.as_deref(), Some("1"), "seen twice");
}

#[tokio::test]
async fn pull_requests_that_change_a_tag_are_told() {
    let mut repository = Repository::new();
    repository.write("envs/prod/users/values.yaml", &tag("1"));
    let first = repository.put("envs/dev/users/values.yaml", &tag("1"), "Begin");
    let on_branch = |repository: &mut Repository, name: &str, path: &str, text: &str| {
        repository.git(&["switch", "--quiet", "--create", name, &first]);
        let head = repository.put(path, text, "On a branch");
        repository.git(&["switch", "--quiet", "main"]);
        head
    };
    let (dev_file, prod_file) = ("envs/dev/users/values.yaml", "envs/prod/users/values.yaml");
    let bump = on_branch(&mut repository, "bump", prod_file, &tag("2"));
    let scaled = tag("1").replace("replicas: 2", "replicas: 3");
    let scaled = on_branch(&mut repository, "scaled", dev_file, &scaled);
    let readme = on_branch(&mut repository, "readme", "README.md", "Read me");
    let given_up = on_branch(&mut repository, "given-up", dev_file, &tag("0"));
    let merged = on_branch(&mut repository, "merged", dev_file, &tag("2"));
    repository.git(&["merge", "--quiet", "--no-ff", "--message", "Merge pull request #6", "merged"]);

    let gone = "f".repeat(40);
    let at = |hours: i64| Timestamp::from_second(BEGINNING - hours * 3_600).unwrap().to_string();
    let open = |number: u32, head: &str| json!({"number": number, "title": "x", "base_sha": first, "head_sha": head, "requested_reviewers": []});
    let closed = |number: u32, head: &str, hours: i64, merged: bool| {
        let mut pull = open(number, head);
        pull["state"] = json!("closed");
        pull["closed_at"] = json!(at(hours));
        pull["merged_at"] = if merged { json!(at(hours)) } else { Value::Null };
        pull
    };
    let mut asked_for_review = open(1, &bump);
    asked_for_review["requested_reviewers"] = json!([{"login": "grace"}]);
    let check = |status: &str, conclusion: Value| json!([{"id": 1, "head_sha": bump, "name": "lint", "status": status, "conclusion": conclusion}]);
    let github = Github::of("git-pulls", &repository).await;
    github
        .put(json!({
            "pulls": [
                asked_for_review,
                open(2, &scaled),
                open(3, &readme),
                closed(4, &given_up, 3, false),
                closed(5, &given_up, 30, false),
                closed(6, &merged, 1, true),
                open(7, &gone),
            ],
            "check_runs": check("in_progress", Value::Null),
        }))
        .await;
    let mut reader = github.reader(&[VALUES], &["users"]);
    let seen = sightings(&mut reader).await;
    let told = |number: u32, tag: &str, state, review, checks| BumpPullRequest {
        number,
        link: Some(format!("https://github.com/acme/gitops/pull/{number}")),
        tag: Some(tag.into()),
        state,
        review,
        checks,
    };
    let expected = [
        ("pull/6#users/dev", &told(6, "2", PullRequestState::Merged, Review::Unknown, Checks::Unknown)),
        ("pull/4#users/dev", &told(4, "0", PullRequestState::Closed, Review::Unknown, Checks::Unknown)),
        ("pull/1#users/prod", &told(1, "2", PullRequestState::Open, Review::Required, Checks::Running)),
    ];
    assert_eq!(bumps(&seen), expected);
    let place = seen.iter().find(|one| one.subject == "pull/1#users/prod").unwrap().place.clone().unwrap();
    assert_eq!((place.service.as_str(), place.environment.as_str()), ("users", "prod"));

    // What the commits say is known by now; reviews and checks are asked for again.
    github
        .put(json!({
            "pulls": [open(1, &bump)],
            "reviews": [{"id": 1, "number": 1, "user": {"login": "grace"}, "state": "APPROVED"}],
            "check_runs": check("completed", json!("success")),
        }))
        .await;
    github.asked().await;
    let seen = sightings(&mut reader).await;
    let now = told(1, "2", PullRequestState::Open, Review::Approved, Checks::Passing);
    assert_eq!(bumps(&seen)[2], ("pull/1#users/prod", &now));
    let asked = github.asked().await;
    assert!(
        asked.iter().all(|(path, _)| !path.contains("/compare/") && !path.contains("/contents/")),
        "{asked:?}"
    );

    // Without the permissions less is known, and the rest all the same.
    github.behave(json!({"denied": ["checks"]})).await;
    let seen = sightings(&mut reader).await;
    let now = told(1, "2", PullRequestState::Open, Review::Approved, Checks::Unknown);
    assert_eq!(bumps(&seen)[2], ("pull/1#users/prod", &now));
    github.behave(json!({"denied": ["pull_requests"]})).await;
    let seen = sightings(&mut reader).await;
    assert_eq!((bumps(&seen).len(), dev(&seen).tag.as_deref()), (0, Some("2")));
    let problems = problems(reader.check().await);
    assert!(matches!(&problems[..], [problem] if problem.contains("pull_requests: read")), "{problems:?}");
    github.behave(json!({"denied": []})).await;
    assert_eq!(bumps(&sightings(&mut reader).await).len(), 3);
    assert_eq!(reader.check().await.last().unwrap().outcome, Ok("4 open against main".into()));
    github.asked().await;
}

#[tokio::test]
async fn what_github_refuses_is_said_and_nothing_is_lost() {
    let mut repository = Repository::new();
    let empty = Github::of("git-refused", &repository).await;
    let mut reader = empty.reader(&[VALUES], &["users"]);
    let message = failure(&mut reader).await;
    assert!(message.contains("no branch main") && message.contains("409"), "{message}");

    let github = empty;
    let first = repository.put("envs/dev/users/values.yaml", &tag("1"), "Begin");
    sightings(&mut reader).await;
    repository.git(&["branch", "--quiet", "--move", "main", "trunk"]);
    let message = failure(&mut reader).await;
    assert!(
        message.contains("acme/gitops on GitHub has no branch main") && message.contains("404"),
        "{message}"
    );
    repository.git(&["branch", "--quiet", "--move", "trunk", "main"]);

    // Commits come in, and of all that is asked of them something is not answered: what follows is as if it had been.
    let mut expected = vec![(first, "1".to_owned(), None)];
    let questions = ["/git/ref/", "/commits", "/compare/", "/contents/", "/pulls"];
    for (number, fault_at) in (2..).zip(questions) {
        let before = expected[0].1.clone();
        let revision = repository.put("envs/dev/users/values.yaml", &tag(&number.to_string()), "Bump");
        repository.commit("Go on");
        expected.insert(0, (revision, number.to_string(), Some(before)));
        for fault in ["down", "garbage"] {
            github.behave(json!({"fault": fault, "fault_at": fault_at})).await;
            let message = failure(&mut reader).await;
            assert!(message.contains(fault_at), "{fault} at {fault_at}: {message}");
        }
        github.behave(json!({"fault": null, "fault_at": null})).await;
        let seen = sightings(&mut reader).await;
        let all = expected.iter().map(|(revision, tag, before)| (&**revision, &**tag, before.as_deref()));
        assert_eq!(changes(dev(&seen)), all.collect::<Vec<_>>(), "after {fault_at}");
    }

    repository.put("envs/dev/users/values.yaml", &tag("9"), "Bump");
    github.behave(json!({"limit": 100, "spent": 100})).await;
    let error = reader.read(Timestamp::now()).await.unwrap_err();
    assert!(error.retry_after.is_some_and(|wait| wait.as_secs() > 60), "{error:?}");
    github.asked().await;
}
