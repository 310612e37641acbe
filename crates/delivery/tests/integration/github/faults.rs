//! A GitHub that is down, slow, elsewhere, closed, or not GitHub at all.

use std::time::Duration;

use delivery::reader::Reader;
use delivery::{GithubAuth, GithubConfig, Secret};
use serde_json::json;

use super::stand_in::World;
use super::{ONE_COMMIT, SHOP, one_commit, partly_told, reader, refused, sha, short, told};

async fn with_fault(world: &World, fault: &str) -> String {
    one_commit(world).await;
    let mut reader = reader(world.config());
    world.control("behave", json!({ "fault": fault })).await;
    let error = refused(&mut reader).await;
    assert!(!error.message.contains("good-token"), "{error}");
    // Nothing of it is remembered, and nothing is lost.
    world.control("behave", json!({ "fault": null })).await;
    world.control("log", json!({})).await;
    assert_eq!(short(&told(&mut reader).await.facts), ONE_COMMIT);
    assert!(world.asked().await.iter().all(|asked| !asked.conditional));
    error.message
}

const RUNS: &str = "/api/v3/repos/acme/shop/actions/runs?branch=main&exclude_pull_requests=true&per_page=30";

#[tokio::test]
async fn one_that_is_down_says_so() {
    let message = with_fault(&World::new("down"), "down").await;
    assert!(message.starts_with(&format!("GET /down{RUNS} was not answered: ")), "{message}");
}

#[tokio::test]
async fn one_that_is_slow_is_not_waited_for() {
    let message = with_fault(&World::new("slow"), "slow").await;
    assert_eq!(message, format!("GET /slow{RUNS} was not answered: not within 10 seconds"));
}

#[tokio::test]
async fn what_is_not_githubs_is_not_kept() {
    let message = with_fault(&World::new("garbage"), "garbage").await;
    assert!(
        message.starts_with(&format!("GET /garbage{RUNS} was answered with what cannot be read: ")),
        "{message}"
    );
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let message = with_fault(&World::new("huge"), "huge").await;
    assert!(message.ends_with("it is longer than 20 MB"), "{message}");
}

#[tokio::test]
async fn a_token_is_shown_to_nobody_else() {
    let message = with_fault(&World::new("elsewhere"), "elsewhere").await;
    assert!(message.contains("sending us on to http://localhost:1/"), "{message}");
}

#[tokio::test]
async fn a_wrong_token_is_refused_and_none_is_read_as_nobody() {
    let world = World::new("wrong-token");
    one_commit(&world).await;
    let auth = GithubAuth::Token(Secret::new("stolen".into()));
    let mut stranger = reader(GithubConfig { auth, ..world.config() });
    let error = refused(&mut stranger).await;
    assert!(
        error.message.ends_with(
            "was answered 401: Bad credentials; the token or key is not accepted: set a valid one"
        ),
        "{error}"
    );
    assert!(!error.message.contains("stolen") && !format!("{error:?}").contains("stolen"));
    let checked = stranger.check().await;
    assert_eq!(checked.len(), 1);
    assert!(checked[0].outcome.is_err());
    let mut nobody = reader(GithubConfig { auth: GithubAuth::None, ..world.config() });
    assert_eq!(short(&told(&mut nobody).await.facts), ONE_COMMIT);
    world.asked().await;
}

#[tokio::test]
async fn a_missing_permission_hides_nothing_else() {
    let world = World::new("denied");
    one_commit(&world).await;
    world.control("behave", json!({ "denied": ["actions"] })).await;
    let mut reader = reader(world.config());
    assert_eq!(short(&partly_told(&mut reader).await.facts), ["push/payments", "push/users"]);
    // What kept the rest from being read is told at once after it, and at each round that tells nothing.
    assert_eq!(reader.pause(), Duration::ZERO);
    for _ in 0..2 {
        let error = refused(&mut reader).await;
        assert!(
            error.message.ends_with(
                "was answered 403: Resource not accessible by integration; the token needs the permission actions: read"
            ),
            "{error}"
        );
        assert_eq!(reader.pause(), Duration::from_secs(300));
    }
    let checked = reader.check().await;
    let outcomes: Vec<_> =
        checked.iter().map(|checked| (checked.what.as_str(), checked.outcome.is_ok())).collect();
    let expected = [
        ("Metadata: read on acme/shop", true),
        ("Contents: read, branch main on acme/shop", true),
        ("Actions: read on acme/shop", false),
        ("Pull requests: read on acme/shop", true),
    ];
    assert_eq!(outcomes, expected);
    world.control("behave", json!({ "denied": [] })).await;
    assert_eq!(short(&told(&mut reader).await.facts), ["job/70/success/users", "run/7/1/success/users"]);
    world.asked().await;
}

#[tokio::test]
async fn a_repository_that_is_not_there_is_named() {
    let world = World::new("missing");
    let error = refused(&mut reader(world.config())).await;
    assert!(
        error.message.contains("/repos/acme/shop/actions/runs") && error.message.contains("404"),
        "{error}"
    );
    world.asked().await;
}

/// What the tests rest on: a request or an answer that is not GitHub's is noticed.
#[tokio::test]
async fn the_stand_in_notices_what_is_not_githubs() {
    let world = World::new("description");
    one_commit(&world).await;
    let client = reqwest::Client::new();
    let ask = async |path: &str, accept: &str| {
        let url = format!("{}/repos/acme/shop{path}", world.api_url());
        let request = client.get(url).header("accept", accept).header("x-github-api-version", "2022-11-28");
        request.header("user-agent", "test").send().await.expect("an answer").status().as_u16()
    };
    let json = "application/vnd.github+json";
    assert_eq!(ask("/tags?per_page=100", json).await, 200);
    assert_eq!(ask("/tags?per_page=many", json).await, 500);
    assert_eq!(ask("/tags?pages=1", json).await, 500);
    assert_eq!(ask("/tags", "text/html").await, 500);
    assert_eq!(ask("/actions/runs/seven", json).await, 500);
    assert_eq!(ask("/no/such/thing", json).await, 500);
    // A job with a status that GitHub does not have.
    let odd = json!({ "id": 71, "run_id": 7, "status": "dreaming", "head_sha": sha(1), "name": "x", "workflow_name": "users",
        "head_branch": "main", "started_at": "2026-11-21T10:30:05Z" });
    world.put(SHOP, json!({ "jobs": [odd] })).await;
    assert_eq!(ask("/actions/runs/7/jobs", json).await, 500);
    let (_, invalid) = world.asked_and_invalid().await;
    assert_eq!(invalid.len(), 6, "{invalid:#?}");
}
