//! The same on GitHub: a stand-in answers as its REST API does, with what the git program says of a repository on disk.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use delivery::GithubConfig;
use delivery::git::{GitReader, GitopsConfig, RepositoryAt};
use delivery::github::GithubClient;
use delivery::reader::Reader;
use domain::delivery::{
    BumpPullRequest, Checks, EnvironmentName, PullRequestState, Review, Seen, ServiceName, Sighting,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use super::{BEGINNING, Repository, VALUES, branch, changes, dev, problems, reader_of, sightings, tag};

/// GitHub with one repository.
struct Github {
    server: MockServer,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// As `/pulls` lists them.
    pulls: Vec<Value>,
    /// What the paths answer that are not of Git: reviews and checks.
    answers: HashMap<String, Value>,
    /// The paths of which the token must not know.
    refused: Vec<String>,
    /// What was asked, as path and query.
    asked: Vec<String>,
}

impl Github {
    async fn of(repository: &Repository) -> Github {
        let server = MockServer::start().await;
        let state = Arc::new(Mutex::new(State::default()));
        let stand_in = StandIn { git: repository.path(), server: server.uri(), state: state.clone() };
        Mock::given(any()).respond_with(stand_in).mount(&server).await;
        Github { server, state }
    }

    fn reader(&self, files: &[&str], services: &[&str]) -> GitReader {
        let config = GitopsConfig {
            name: "acme/gitops".into(),
            at: RepositoryAt::Github("acme/gitops".into()),
            branch: "main".into(),
            files: files.iter().map(|file| (*file).to_owned()).collect(),
            tag_key: GitopsConfig::TAG_KEY.into(),
            poll: GitopsConfig::POLL,
        };
        let github = GithubConfig { api_url: self.server.uri(), ..GithubConfig::default() };
        let services: Vec<_> = services.iter().map(|name| ServiceName::parse(name).unwrap()).collect();
        let environments = ["dev", "prod"].map(|name| EnvironmentName::parse(name).unwrap());
        GitReader::new(config, &GithubClient::new(&github).unwrap(), &services, &environments)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// What was asked since the last time.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state().asked)
    }
}

struct StandIn {
    git: std::path::PathBuf,
    server: String,
    state: Arc<Mutex<State>>,
}

fn not_found() -> ResponseTemplate {
    ResponseTemplate::new(404).set_body_json(json!({"message": "Not Found", "status": "404"}))
}

impl StandIn {
    fn git(&self, arguments: &[&str]) -> Option<Vec<u8>> {
        let output =
            std::process::Command::new("git").args(arguments).current_dir(&self.git).output().unwrap();
        output.status.success().then_some(output.stdout)
    }

    fn text(&self, arguments: &[&str]) -> Option<String> {
        self.git(arguments).map(|output| String::from_utf8(output).unwrap().trim().to_owned())
    }

    /// What Git knows by a path of the API, and the number of pages.
    fn answer(&self, path: &str, query: &HashMap<String, String>) -> Option<(Value, usize)> {
        if let Some(name) = path.strip_prefix("/git/ref/heads/") {
            let sha = self.text(&["rev-parse", "--verify", &format!("refs/heads/{name}")])?;
            return Some((
                json!({"ref": format!("refs/heads/{name}"), "object": {"sha": sha, "type": "commit"}}),
                1,
            ));
        }
        if path == "/commits" {
            return self.commits(query);
        }
        if let Some(ends) = path.strip_prefix("/compare/") {
            let (base, head) = ends.split_once("...").unwrap();
            let merge_base = self.text(&["merge-base", base, head])?;
            let names = self.text(&["diff", "--name-status", "--find-renames", &merge_base, head])?;
            let files: Vec<Value> = names
                .lines()
                .map(|line| match line.split('\t').collect::<Vec<_>>()[..] {
                    [_, name] => json!({"filename": name}),
                    [_, before, name] => json!({"filename": name, "previous_filename": before}),
                    _ => panic!("{line}"),
                })
                .take(300)
                .collect();
            return Some((json!({"merge_base_commit": {"sha": merge_base}, "files": files}), 1));
        }
        if let Some(sha) = path.strip_prefix("/git/trees/") {
            assert_eq!(query["recursive"], "1");
            let names = self.text(&["ls-tree", "-r", "-t", "--name-only", sha])?;
            let tree: Vec<Value> = names.lines().map(|name| json!({"path": name})).collect();
            return Some((json!({"sha": sha, "tree": tree, "truncated": false}), 1));
        }
        self.contents(path.strip_prefix("/contents/")?, &query["ref"]).map(|contents| (contents, 1))
    }

    fn commits(&self, query: &HashMap<String, String>) -> Option<(Value, usize)> {
        let mut arguments = vec!["log", "-z", "--format=%H%n%P%n%an%n%aI%n%cI%n%B", &query["sha"]];
        if let Some(path) = query.get("path") {
            arguments.extend(["--", path]);
        }
        let log = self.text(&arguments)?;
        let all: Vec<&str> = log.split('\0').filter(|commit| !commit.is_empty()).collect();
        let size: usize = query["per_page"].parse().unwrap();
        let page = query.get("page").map_or(1, |page| page.parse::<usize>().unwrap());
        let one = |text: &&str| {
            let [sha, parents, author, authored, committed, message] =
                text.splitn(6, '\n').collect::<Vec<_>>()[..]
            else {
                panic!("{text}")
            };
            let parents: Vec<Value> = parents.split_whitespace().map(|sha| json!({"sha": sha})).collect();
            json!({
                "sha": sha,
                "html_url": format!("https://github.example.com/acme/gitops/commit/{sha}"),
                "parents": parents,
                "author": null,
                "commit": {
                    "message": message.trim_end(),
                    "author": {"name": author, "email": "x@example.com", "date": authored},
                    "committer": {"name": "GitHub", "email": "noreply@github.com", "date": committed},
                },
            })
        };
        let commits: Vec<Value> = all.iter().skip((page - 1) * size).take(size).map(one).collect();
        Some((json!(commits), all.len().div_ceil(size)))
    }

    fn contents(&self, path: &str, revision: &str) -> Option<Value> {
        let entry = self.text(&["ls-tree", "--long", revision, "--", path])?;
        let [mode, kind, sha, size] = entry.split_whitespace().take(4).collect::<Vec<_>>()[..] else {
            return None;
        };
        if kind == "tree" {
            return Some(json!([{"type": "file", "name": "inner", "path": format!("{path}/inner")}]));
        }
        let size: usize = size.parse().unwrap();
        let contents = self.git(&["cat-file", "blob", sha])?;
        let wrapped: String = STANDARD
            .encode(contents)
            .as_bytes()
            .chunks(60)
            .fold(String::new(), |text, line| text + std::str::from_utf8(line).unwrap() + "\n");
        Some(match (mode, size > 1024 * 1024) {
            ("120000", _) => json!({"type": "symlink", "size": size, "target": "elsewhere"}),
            (_, true) => json!({"type": "file", "size": size, "encoding": "none", "content": ""}),
            (_, false) => json!({"type": "file", "size": size, "encoding": "base64", "content": wrapped}),
        })
    }
}

impl Respond for StandIn {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut state = self.state.lock().unwrap();
        let url = &request.url;
        let path = percent_decoded(url.path());
        state.asked.push(format!("{path}?{}", url.query().unwrap_or_default()));
        let Some(path) = path.strip_prefix("/repos/acme/gitops") else { return not_found() };
        if state.refused.iter().any(|refused| path.starts_with(refused.as_str())) {
            return ResponseTemplate::new(403)
                .append_header("x-accepted-github-permissions", "pull_requests=read")
                .set_body_json(json!({"message": "Resource not accessible by personal access token"}));
        }
        let query: HashMap<String, String> = url.query_pairs().into_owned().collect();
        if path == "/pulls" {
            let fits =
                |pull: &&Value| pull["state"] == *query["state"] && pull["base"]["ref"] == *query["base"];
            return ResponseTemplate::new(200)
                .set_body_json(state.pulls.iter().filter(fits).collect::<Vec<_>>());
        }
        if let Some(answer) = state.answers.get(path) {
            return ResponseTemplate::new(200).set_body_json(answer);
        }
        drop(state);
        let Some((body, pages)) = self.answer(path, &query) else { return not_found() };
        let page = query.get("page").map_or(1, |page| page.parse::<usize>().unwrap());
        let response = ResponseTemplate::new(200).set_body_json(body);
        if page >= pages {
            return response;
        }
        let mut next = url.clone();
        next.query_pairs_mut().clear().extend_pairs(query.iter().filter(|(name, _)| *name != "page"));
        next.query_pairs_mut().append_pair("page", &(page + 1).to_string());
        let next = format!("{}{}?{}", self.server, next.path(), next.query().unwrap());
        response.append_header("link", format!("<{next}>; rel=\"next\""))
    }
}

fn percent_decoded(path: &str) -> String {
    let pair = format!("x={}", path.replace('+', "%2B"));
    url::form_urlencoded::parse(pair.as_bytes()).next().unwrap().1.into_owned()
}

/// What a clone on disk tells, too: everything but where it can be looked up, and pull requests.
fn without_links(mut sightings: Vec<Sighting>) -> Vec<Sighting> {
    sightings.retain(|sighting| !matches!(sighting.seen, Seen::Bump(_)));
    for sighting in &mut sightings {
        if let Seen::DesiredTag(desired) = &mut sighting.seen {
            for change in &mut desired.changes {
                if let Some(link) = change.link.take() {
                    assert_eq!(
                        link,
                        format!("https://github.example.com/acme/gitops/commit/{}", change.revision)
                    );
                }
            }
        }
    }
    sightings
}

fn bumps(sightings: &[Sighting]) -> Vec<(&str, &BumpPullRequest)> {
    let bump = |sighting: &'_ Sighting| matches!(sighting.seen, Seen::Bump(_));
    sightings
        .iter()
        .filter(|sighting| bump(sighting))
        .map(|sighting| match &sighting.seen {
            Seen::Bump(bump) => (sighting.subject.as_str(), bump),
            _ => unreachable!(),
        })
        .collect()
}

/// Step by step both readers tell the same, those that follow and those that begin.
#[tokio::test]
async fn github_is_read_as_a_clone_is() {
    const FILES: [&str; 2] = [VALUES, "charts/{service}/.argocd-source-{service}-{environment}.yaml"];
    const SERVICES: [&str; 3] = ["users", "payments", "orders"];
    let mut repository = Repository::new();
    repository.put("envs/dev/users/values.yaml", &tag("1"), "Begin");
    let github = Github::of(&repository).await;
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
    repository.put("envs/dev/orders/values.yaml", &tag("4"), "Bump the other");
    repository.git(&["switch", "--quiet", "main"]);
    repository.put("envs/prod/payments/values.yaml", &tag("2"), "Meanwhile");
    same!();
    repository.clock += 60;
    repository.git(&[
        "merge",
        "--quiet",
        "--no-ff",
        "--message",
        "Merge pull request #5 from acme/bump",
        "bump",
    ]);
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

    github.asked();
    sightings(&mut followed).await;
    let asked: Vec<String> = github.asked().into_iter().filter(|asked| !asked.contains("/pulls")).collect();
    assert_eq!(asked.len(), 1, "where nothing is new, only the branch is asked for: {asked:?}");
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
    let github = Github::of(&repository).await;
    let mut reader = github.reader(&[VALUES], &["users"]);
    let seen = sightings(&mut reader).await;
    assert_eq!((changes(dev(&seen)), branch(&seen).revisions.len()), (vec![(&*first, "1", None)], 121));

    repository.clock += 60;
    repository.git(&[
        "merge",
        "--quiet",
        "--no-ff",
        "--message",
        "Merge pull request #9 from acme/late",
        "late",
    ]);
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
    let github = Github::of(&repository).await;
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

/// A pull request as GitHub lists it.
fn pull(number: u32, state: &str, base: &str, head: &str) -> Value {
    json!({
        "number": number,
        "html_url": format!("https://github.example.com/acme/gitops/pull/{number}"),
        "state": state,
        "draft": false,
        "head": {"sha": head, "ref": "some-branch"},
        "base": {"sha": base, "ref": "main"},
        "requested_reviewers": [],
        "requested_teams": [],
        "merged_at": null,
        "closed_at": null,
    })
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
    let bump = on_branch(&mut repository, "bump", "envs/prod/users/values.yaml", &tag("2"));
    let replicas = on_branch(
        &mut repository,
        "replicas",
        "envs/dev/users/values.yaml",
        &tag("1").replace("replicas: 2", "replicas: 3"),
    );
    let readme = on_branch(&mut repository, "readme", "README.md", "Read me");
    let given_up = on_branch(&mut repository, "given-up", "envs/dev/users/values.yaml", &tag("0"));
    let merged = on_branch(&mut repository, "merged", "envs/dev/users/values.yaml", &tag("2"));
    repository.git(&["merge", "--quiet", "--no-ff", "--message", "Merge pull request #6", "merged"]);

    let at = |hours: i64| Timestamp::from_second(BEGINNING - hours * 3_600).unwrap().to_string();
    let closed = |number: u32, head: &str, hours: i64, merged: bool| {
        let mut pull = pull(number, "closed", &first, head);
        pull["closed_at"] = json!(at(hours));
        pull["merged_at"] = if merged { json!(at(hours)) } else { Value::Null };
        pull
    };
    let mut open = pull(1, "open", &first, &bump);
    open["requested_reviewers"] = json!([{"login": "grace"}]);
    let github = Github::of(&repository).await;
    github.state().pulls = vec![
        open.clone(),
        pull(2, "open", &first, &replicas),
        pull(3, "open", &first, &readme),
        closed(4, &given_up, 3, false),
        closed(5, &given_up, 30, false),
        closed(6, &merged, 1, true),
        pull(7, "open", &first, &"f".repeat(40)),
    ];
    {
        let answers = &mut github.state().answers;
        answers.insert("/pulls/1/reviews".into(), json!([]));
        let runs = json!({"total_count": 1, "check_runs": [{"name": "lint", "status": "in_progress", "conclusion": null}]});
        answers.insert(format!("/commits/{bump}/check-runs"), runs);
    }
    let mut reader = github.reader(&[VALUES], &["users"]);
    let seen = sightings(&mut reader).await;
    let told = |number: u32, tag: &str, state, review, checks| BumpPullRequest {
        number,
        link: Some(format!("https://github.example.com/acme/gitops/pull/{number}")),
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
    assert_eq!(
        seen.iter()
            .find(|one| one.subject == "pull/1#users/prod")
            .unwrap()
            .place
            .as_ref()
            .unwrap()
            .environment
            .as_str(),
        "prod"
    );

    // What the commits say is known by now; reviews and checks are asked for again.
    open["requested_reviewers"] = json!([]);
    github.state().pulls[0] = open;
    let approved = json!([{"user": {"login": "grace"}, "state": "APPROVED"}]);
    github.state().answers.insert("/pulls/1/reviews".into(), approved);
    let runs = json!({"check_runs": [{"name": "lint", "status": "completed", "conclusion": "success"}]});
    github.state().answers.insert(format!("/commits/{bump}/check-runs"), runs);
    github.asked();
    let seen = sightings(&mut reader).await;
    let now = told(1, "2", PullRequestState::Open, Review::Approved, Checks::Passing);
    assert_eq!(bumps(&seen)[2], ("pull/1#users/prod", &now));
    let asked = github.asked();
    assert!(
        !asked.iter().any(|asked| asked.contains("/compare/") && !asked.contains(&"f".repeat(40))),
        "{asked:?}"
    );
    assert!(asked.len() <= 6, "{asked:?}");

    // Without the permissions, less is known, and the rest all the same.
    github.state().refused = vec!["/pulls/".into(), format!("/commits/{bump}/check-runs")];
    let seen = sightings(&mut reader).await;
    let now = told(1, "2", PullRequestState::Open, Review::Unknown, Checks::Unknown);
    assert_eq!(bumps(&seen)[2], ("pull/1#users/prod", &now));
    github.state().refused = vec!["/pulls".into()];
    let seen = sightings(&mut reader).await;
    assert_eq!((bumps(&seen).len(), dev(&seen).tag.as_deref()), (0, Some("2")));
    let problems = problems(reader.check().await);
    assert!(matches!(&problems[..], [problem] if problem.contains("pull_requests: read")), "{problems:?}");
    github.state().refused.clear();
    assert_eq!(bumps(&sightings(&mut reader).await).len(), 3);
    let lines = reader.check().await;
    assert_eq!(lines.last().unwrap().outcome, Ok("4 open against main".into()));
}

#[tokio::test]
async fn what_github_refuses_is_said_and_nothing_is_lost() {
    let mut repository = Repository::new();
    repository.put("envs/dev/users/values.yaml", &tag("1"), "Begin");
    let github = Github::of(&repository).await;
    let mut reader = github.reader(&[VALUES], &["users"]);
    let seen = sightings(&mut reader).await;

    repository.git(&["branch", "--quiet", "--move", "main", "trunk"]);
    let message = super::failure(&mut reader).await;
    assert!(
        message.contains("acme/gitops on GitHub has no branch main") && message.contains("404"),
        "{message}"
    );
    repository.git(&["branch", "--quiet", "--move", "trunk", "main"]);

    // A commit comes in, and the answer to what it changed does not.
    let second = repository.put("envs/dev/users/values.yaml", &tag("2"), "Bump");
    github.state().refused = vec!["/compare".into()];
    assert!(super::failure(&mut reader).await.contains("403"));
    github.state().refused = vec!["/contents".into()];
    assert!(super::failure(&mut reader).await.contains("403"));
    github.state().refused.clear();
    let after = sightings(&mut reader).await;
    assert_eq!(changes(dev(&after)), [(&*second, "2", Some("1")), changes(dev(&seen))[0]]);
}
