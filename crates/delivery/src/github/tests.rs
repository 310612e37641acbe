//! GitHub's events, as its documentation shows them.

use domain::delivery::{
    ChangeState, Detail, EnvironmentName, EnvironmentOrder, Fact, ServiceName, Stage, Status, Timeline,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::event::{ForkRuns, Heard, heard};
use super::facts::About;
use super::is_signed;
use super::payload::{PendingDeployment, Runs, WorkflowRun, readable};
use crate::config::{DeliveryConfig, Secret, Service};

const SHA: &str = "6113728f27ae82c7b1a177c8d03f9e96e0adf246";

fn config() -> DeliveryConfig {
    let service = |name: &str, workflows: &[&str]| Service {
        name: ServiceName::parse(name).unwrap(),
        repository: Some("acme/shop".into()),
        branch: "main".into(),
        image: None,
        workflows: workflows.iter().map(|name| (*name).to_owned()).collect(),
    };
    let environments = ["dev", "prod"].map(|name| EnvironmentName::parse(name).unwrap()).to_vec();
    DeliveryConfig {
        environments: EnvironmentOrder::new(environments).unwrap(),
        services: vec![service("users", &["users"]), service("payments", &["payments", "shared"])],
        ..DeliveryConfig::default()
    }
}

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn heard_of(event: &str, body: &Value) -> Heard {
    heard(&config(), &ForkRuns::default(), event, body.to_string().as_bytes(), now()).unwrap()
}

fn told(event: &str, body: &Value) -> Vec<Fact> {
    heard_of(event, body).facts
}

fn job(status: &str, conclusion: Value) -> Value {
    json!({
        "action": "completed",
        "workflow_job": {
            "id": 29, "run_id": 7, "run_attempt": 2, "workflow_name": "users", "head_branch": "main", "head_sha": SHA,
            "name": "test (linux)", "status": status, "conclusion": conclusion,
            "created_at": "2026-11-21T11:00:00Z", "started_at": "2026-11-21T11:00:05Z",
            "completed_at": if conclusion.is_null() { Value::Null } else { json!("2026-11-21T11:02:05Z") },
            "html_url": "https://github.com/acme/shop/actions/runs/7/job/29",
            "steps": [
                { "name": "Set up job", "status": "completed", "conclusion": "success", "number": 1 },
                { "name": "cargo test", "status": "completed", "conclusion": "failure", "number": 2 },
            ],
            "labels": ["ubuntu-latest"], "runner_id": 1,
        },
        "repository": { "id": 1, "full_name": "Acme/shop" },
        "sender": { "login": "ada" },
    })
}

#[test]
fn a_push_tells_of_each_commit_to_each_service_of_the_repository() {
    let body = json!({
        "ref": "refs/heads/main", "before": "0", "after": SHA, "repository": { "full_name": "acme/shop" },
        "commits": [{
            "id": SHA, "message": "Pay in instalments (#42)\n\nLong.", "timestamp": "2026-11-21T12:30:00+02:00",
            "url": format!("https://github.com/acme/shop/commit/{SHA}"),
            "author": { "name": "Ada Lovelace", "username": "ada" },
        }],
    });
    let facts = told("push", &body);
    assert_eq!(facts.iter().map(|fact| fact.service.as_str()).collect::<Vec<_>>(), ["users", "payments"]);
    let Some(Detail::Commit(detail)) = &facts[0].detail else { panic!("{facts:?}") };
    assert_eq!(
        (detail.author.as_deref(), detail.title.as_deref(), detail.pull_request),
        (Some("Ada Lovelace"), Some("Pay in instalments (#42)"), Some(42))
    );
    assert_eq!(detail.committed, Some("2026-11-21T10:30:00Z".parse().unwrap()));
    assert_eq!(facts[0].source_id, format!("push/{SHA}/users"));
    // Another branch, a tag, another repository.
    for (reference, repository) in [
        ("refs/heads/topic", "acme/shop"),
        ("refs/tags/main", "acme/shop"),
        ("refs/heads/main", "acme/other"),
    ] {
        let mut body = body.clone();
        body["ref"] = json!(reference);
        body["repository"]["full_name"] = json!(repository);
        assert_eq!(told("push", &body), [], "{reference} {repository}");
    }
}

#[test]
fn a_job_is_a_part_of_ci_of_the_services_of_its_workflow() {
    let facts = told("workflow_job", &job("completed", json!("failure")));
    let [fact] = &facts[..] else { panic!("{facts:?}") };
    assert_eq!((fact.service.as_str(), fact.stage, fact.status), ("users", Stage::Ci, Status::Failed));
    assert_eq!((fact.job.as_deref(), fact.attempt), (Some("users / test (linux)"), 2));
    let Some(Detail::Ci(detail)) = &fact.detail else { panic!("{fact:?}") };
    assert_eq!((detail.step.as_deref(), detail.needs_approval), (Some("cargo test"), false));
    assert_eq!(fact.finished, Some("2026-11-21T11:02:05Z".parse().unwrap()));
    // Each state is a fact of its own, and the same state the same fact.
    let running = told("workflow_job", &job("in_progress", Value::Null));
    assert_eq!((running[0].status, running[0].finished), (Status::Running, None));
    assert_ne!(running[0].source_id, fact.source_id);
    assert_eq!(told("workflow_job", &job("completed", json!("failure")))[0].source_id, fact.source_id);
}

#[test]
fn every_word_of_github_is_understood_and_an_unknown_one_is_unknown() {
    for (status, conclusion, expected, needs_approval) in [
        ("completed", json!("success"), Status::Succeeded, false),
        ("completed", json!("timed_out"), Status::Failed, false),
        ("completed", json!("startup_failure"), Status::Failed, false),
        ("completed", json!("cancelled"), Status::Cancelled, false),
        ("completed", json!("stale"), Status::Cancelled, false),
        ("completed", json!("skipped"), Status::Skipped, false),
        ("completed", json!("neutral"), Status::Skipped, false),
        ("completed", json!("action_required"), Status::Waiting, true),
        ("waiting", Value::Null, Status::Waiting, true),
        ("queued", Value::Null, Status::Waiting, false),
        ("in_progress", Value::Null, Status::Running, false),
        ("completed", json!("from the future"), Status::Unknown, false),
    ] {
        let facts = told("workflow_job", &job(status, conclusion.clone()));
        let Some(Detail::Ci(detail)) = &facts[0].detail else { panic!("{facts:?}") };
        assert_eq!(
            (facts[0].status, detail.needs_approval),
            (expected, needs_approval),
            "{status} {conclusion}"
        );
    }
    // A job that is left out begins after it ends.
    let mut skipped = job("completed", json!("skipped"));
    skipped["workflow_job"]["started_at"] = json!("2026-11-21T11:03:00Z");
    assert_eq!(told("workflow_job", &skipped)[0].started, None);
}

#[test]
fn a_run_of_a_fork_says_nothing_of_ours() {
    let run = |head: Value| {
        json!({
            "action": "completed",
            "workflow_run": {
                "id": 7, "name": "users", "head_sha": SHA, "head_branch": "main", "head_repository": head, "event": "push",
                "status": "completed", "conclusion": "success", "run_attempt": 1,
                "run_started_at": "2026-11-21T11:00:00Z", "updated_at": "2026-11-21T11:03:00Z",
                "html_url": "https://github.com/acme/shop/actions/runs/7",
            },
            "repository": { "full_name": "acme/shop" },
        })
    };
    assert_eq!(told("workflow_run", &run(json!({ "full_name": "acme/shop" }))).len(), 1);
    assert_eq!(told("workflow_run", &run(json!({ "full_name": "mallory/shop" }))), []);
    assert_eq!(told("workflow_run", &run(Value::Null)), []);
}

#[test]
fn a_job_of_a_run_that_is_known_to_be_a_forks_says_nothing_of_ours() {
    let forks = ForkRuns::default();
    let take = |event: &str, body: &Value| {
        heard(&config(), &forks, event, body.to_string().as_bytes(), now()).unwrap().facts
    };
    let mut job = job("in_progress", Value::Null);
    job["workflow_job"]["run_id"] = json!(8);
    assert_eq!(take("workflow_job", &job).len(), 1);
    let run = json!({
        "action": "requested",
        "workflow_run": {
            "id": 8, "name": "users", "head_sha": SHA, "head_branch": "main", "status": "queued", "conclusion": null,
            "head_repository": { "full_name": "mallory/shop" },
        },
        "repository": { "full_name": "acme/shop" },
    });
    assert_eq!(take("workflow_run", &run), []);
    assert_eq!(take("workflow_job", &job), []);
    job["workflow_job"]["run_id"] = json!(7);
    assert_eq!(take("workflow_job", &job).len(), 1);
}

#[test]
fn a_tag_that_is_a_version_tells_what_it_was_built_from() {
    let push = |tag: &str| {
        json!({
            "ref": format!("refs/tags/{tag}"), "before": "0", "after": "1", "repository": { "full_name": "acme/shop" },
            "commits": [], "head_commit": { "id": SHA, "message": "Pay" },
        })
    };
    let tags = |tag: &str| {
        let heard = heard_of("push", &push(tag));
        assert_eq!(heard.facts, []);
        assert!(heard.images.iter().all(|image| image.revision.as_deref() == Some(SHA)));
        heard
            .images
            .into_iter()
            .map(|image| (image.service.to_string(), image.tags.join(" ")))
            .collect::<Vec<_>>()
    };
    let both =
        |tags: &str| vec![("users".to_owned(), tags.to_owned()), ("payments".to_owned(), tags.to_owned())];
    assert_eq!(tags("v1.4.2"), both("v1.4.2 1.4.2"));
    assert_eq!(tags("1.4.2"), both("1.4.2"));
    assert_eq!(tags("users-v1.4.2"), [("users".to_owned(), "users-v1.4.2 v1.4.2 1.4.2".to_owned())]);
    assert_eq!(
        tags("payments/1.0.0-rc.1"),
        [("payments".to_owned(), "payments/1.0.0-rc.1 1.0.0-rc.1".to_owned())]
    );
    assert_eq!((tags("nightly"), tags("usersv1")), (vec![], vec![]));
    // One that was deleted points to nothing.
    let mut deleted = push("v1.4.2");
    deleted["head_commit"] = Value::Null;
    assert_eq!(heard_of("push", &deleted), Heard::default());
}

#[test]
fn a_release_tells_its_commit_where_it_names_one() {
    let release = |action: &str, target: &str| {
        json!({
            "action": action,
            "release": {
                "tag_name": "v2.0.0", "target_commitish": target,
                "html_url": "https://github.com/acme/shop/releases/tag/v2.0.0",
            },
            "repository": { "full_name": "acme/shop" },
        })
    };
    let images = heard_of("release", &release("published", SHA)).images;
    assert_eq!(images.len(), 2);
    assert_eq!(images[0].tags, ["v2.0.0", "2.0.0"]);
    assert!(images[0].link.as_deref().unwrap().ends_with("/releases/tag/v2.0.0"));
    assert_eq!(heard_of("release", &release("published", "main")), Heard::default());
    assert_eq!(heard_of("release", &release("deleted", SHA)), Heard::default());
}

#[test]
fn a_run_that_waits_says_for_whom() {
    let run = json!({
        "id": 7, "name": "users", "head_sha": SHA, "head_branch": "main", "status": "waiting", "conclusion": null, "run_attempt": 1,
    });
    let run: WorkflowRun = serde_json::from_value(run).unwrap();
    let config = config();
    let about = About { config: &config, now: now() };
    let pending = |reviewers: Value, minutes: u32| -> Vec<PendingDeployment> {
        let one =
            json!([{ "environment": { "name": "prod" }, "wait_timer": minutes, "reviewers": reviewers }]);
        serde_json::from_value(one).unwrap()
    };
    let step = |pending: &[PendingDeployment]| {
        let facts = about.pending("acme/shop", &run, pending);
        let [fact] = &facts[..] else { panic!("{facts:?}") };
        assert_eq!(fact.check(), Ok(()));
        assert_eq!((fact.source_id.as_str(), fact.status), ("run/7/1/waiting:prod/users", Status::Waiting));
        let Some(Detail::Ci(detail)) = &fact.detail else { panic!("{fact:?}") };
        // Told at the same time as the run itself, it counts.
        let state = ChangeState::of(&[fact.clone(), about.run("acme/shop", &run).remove(0)]).unwrap();
        let timeline = Timeline::of(&state, &EnvironmentOrder::default());
        assert_eq!(timeline.step(Stage::Ci, None).unwrap().detail, fact.detail);
        (detail.step.clone().unwrap(), detail.needs_approval)
    };
    let reviewers = json!([
        { "type": "User", "reviewer": { "login": "ada" } }, { "type": "Team", "reviewer": { "slug": "ops" } },
    ]);
    assert_eq!(step(&pending(reviewers, 0)), ("prod (ada, ops)".into(), true));
    assert_eq!(step(&pending(json!([]), 30)), ("wait timer of prod: 30 minutes".into(), false));
    assert_eq!(about.pending("acme/shop", &run, &[]), []);
}

#[test]
fn one_that_is_odd_does_not_hide_the_others() {
    let runs = json!({
        "total_count": 3, "workflow_runs": [
            { "id": 7, "head_sha": SHA, "status": null, "name": null, "head_branch": null, "conclusion": null },
            { "id": "seven" },
            { "id": 9, "head_sha": SHA, "status": "from the future", "run_started_at": "2026-11-21T11:00:00Z" },
        ],
    });
    let runs: Runs = serde_json::from_value(runs).unwrap();
    let ids: Vec<u64> = readable(runs.workflow_runs, "runs").iter().map(|run| run.id).collect();
    assert_eq!(ids, [7, 9]);
}

#[test]
fn a_merge_names_its_pull_request_and_a_deployment_its_environment() {
    let merged = json!({
        "action": "closed",
        "pull_request": {
            "number": 42, "title": "Pay in instalments", "merged": true, "merge_commit_sha": SHA,
            "html_url": "https://github.com/acme/shop/pull/42", "user": { "login": "ada" }, "base": { "ref": "main" },
        },
        "repository": { "full_name": "acme/shop" },
    });
    let facts = told("pull_request", &merged);
    let Some(Detail::Commit(detail)) = &facts[0].detail else { panic!("{facts:?}") };
    assert_eq!((facts.len(), detail.pull_request), (2, Some(42)));
    let mut closed = merged;
    closed["pull_request"]["merged"] = json!(false);
    assert_eq!(told("pull_request", &closed), []);

    let deployed = |environment: &str, state: &str| {
        json!({
            "deployment": { "sha": SHA, "environment": environment, "ref": "main" },
            "deployment_status": {
                "id": 5, "state": state, "created_at": "2026-11-21T11:30:00Z", "log_url": "", "target_url": "https://shop.example.com",
            },
            "repository": { "full_name": "acme/shop" },
        })
    };
    let facts = told("deployment_status", &deployed("Prod", "success"));
    assert_eq!((facts.len(), facts[0].stage, facts[0].status), (2, Stage::Live, Status::Succeeded));
    assert_eq!(facts[0].link.as_deref(), Some("https://shop.example.com"));
    assert_eq!(told("deployment_status", &deployed("prod", "inactive")), []);
    assert_eq!(told("deployment_status", &deployed("preview-7", "success")), []);
}

#[test]
fn what_is_not_followed_is_left_and_what_is_broken_is_refused() {
    assert_eq!(told("ping", &json!({ "zen": "Keep it logically awesome." })), []);
    assert_eq!(told("star", &json!({})), []);
    for broken in ["", "[]", "{", "{\"workflow_job\": {}}"] {
        let error = heard(&config(), &ForkRuns::default(), "workflow_job", broken.as_bytes(), now())
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("The body of a workflow_job event cannot be read"), "{error}");
    }
}

/// The example of GitHub's own documentation.
#[test]
fn a_signature_is_checked_as_github_makes_it() {
    let secret = Secret::new("It's a Secret to Everybody".into());
    let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    assert!(is_signed(&secret, signature, b"Hello, World!"));
    for (signature, body) in [
        (signature, "Hello, World"),
        ("sha256=", "Hello, World!"),
        ("", "Hello, World!"),
        ("757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17", "Hello, World!"),
        ("sha1=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17", "Hello, World!"),
    ] {
        assert!(!is_signed(&secret, signature, body.as_bytes()), "{signature}");
    }
    assert!(!is_signed(&Secret::new("another".into()), signature, b"Hello, World!"));
}
