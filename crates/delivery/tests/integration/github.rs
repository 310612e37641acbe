//! A repository on GitHub that is polled: the same as its webhooks tell, at no more than it may cost.

mod answers;
mod deployments;
mod examples;
mod faults;
pub(crate) mod stand_in;
mod told;

use std::sync::Arc;

use delivery::github::{GithubClient, GithubReader};
use delivery::reader::{ReadError, Reader, Told};
use delivery::{DeliveryConfig, GithubConfig, Service};
use domain::delivery::{CommitSha, EnvironmentName, EnvironmentOrder, Fact, ServiceName};
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;
use stand_in::World;

const SHOP: &str = "acme/shop";
const WEBHOOK_SECRET: &str = "0123456789abcdef";

fn sha(number: u32) -> String {
    format!("{number:07x}{}", "0".repeat(33))
}

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().expect("a time")
}

fn service(name: &str, repository: &str, branch: &str, workflows: &[&str]) -> Service {
    Service {
        repository: Some(repository.to_owned()),
        branch: branch.to_owned(),
        workflows: workflows.iter().map(|name| (*name).to_owned()).collect(),
        ..Service::new(ServiceName::parse(name).expect("a name"))
    }
}

/// Two services that are built from one repository.
fn followed(mut github: GithubConfig) -> DeliveryConfig {
    github.webhook_secret = Some(delivery::Secret::new(WEBHOOK_SECRET.into()));
    let environments = ["dev", "prod"].map(|name| EnvironmentName::parse(name).expect("a name")).to_vec();
    DeliveryConfig {
        environments: EnvironmentOrder::new(environments).expect("an order"),
        services: vec![
            service("users", SHOP, "main", &["users"]),
            service("payments", SHOP, "main", &["payments", "shared"]),
        ],
        github,
        ..DeliveryConfig::default()
    }
}

fn reader(github: GithubConfig) -> GithubReader {
    let client = GithubClient::new(&github).expect("a client");
    reader_through(client, github)
}

fn reader_through(client: GithubClient, github: GithubConfig) -> GithubReader {
    GithubReader::new(client, Arc::new(followed(github)), SHOP.to_owned())
}

async fn told(reader: &mut GithubReader) -> Told {
    let told = partly_told(reader).await;
    // What went wrong beside it would be told at once.
    assert!(!reader.pause().is_zero(), "{}", refused(reader).await);
    told
}

async fn partly_told(reader: &mut GithubReader) -> Told {
    reader.read(now()).await.expect("it is read")
}

async fn refused(reader: &mut GithubReader) -> ReadError {
    reader.read(now()).await.expect_err("it cannot be read")
}

fn ids(facts: &[Fact]) -> Vec<&str> {
    let mut ids: Vec<&str> = facts.iter().map(|fact| fact.source_id.as_str()).collect();
    ids.sort_unstable();
    ids
}

fn commit(number: u32, message: &str) -> Value {
    json!({
        "sha": sha(number), "message": message, "author": "Ada Lovelace", "login": "ada",
        "date": format!("2026-11-21T10:{:02}:00Z", number % 60),
    })
}

fn run(id: u64, number: u32, workflow: &str, status: &str, conclusion: Option<&str>) -> Value {
    json!({
        "id": id, "name": workflow, "head_sha": sha(number), "head_branch": "main", "status": status, "conclusion": conclusion,
        "run_started_at": "2026-11-21T10:30:00Z", "updated_at": "2026-11-21T10:40:00Z",
    })
}

fn job(id: u64, run: &Value, name: &str, status: &str, conclusion: Option<&str>) -> Value {
    json!({
        "id": id, "run_id": run["id"], "run_attempt": run.get("run_attempt").unwrap_or(&json!(1)), "workflow_name": run["name"],
        "name": name, "head_sha": run["head_sha"], "head_branch": run["head_branch"], "status": status, "conclusion": conclusion,
        "started_at": "2026-11-21T10:30:05Z",
        "completed_at": conclusion.map(|_| "2026-11-21T10:39:00Z"),
        "steps": [
            { "name": "Set up job", "status": "completed", "conclusion": "success" },
            { "name": "cargo test", "status": if status == "waiting" { "queued" } else { status }, "conclusion": conclusion },
        ],
    })
}

/// One commit that CI has built.
async fn one_commit(world: &World) {
    let build = run(7, 1, "users", "completed", Some("success"));
    let jobs = [job(70, &build, "test", "completed", Some("success"))];
    let parts = json!({
        "branches": { "main": sha(1) }, "commits": [commit(1, "Pay in instalments (#42)")],
        "runs": [build], "jobs": jobs, "tags": [{ "name": "v1.0.0", "sha": sha(1) }],
    });
    world.put(SHOP, parts).await;
}

/// What there is to tell of [`one_commit`].
const ONE_COMMIT: [&str; 4] =
    ["job/70/success/users", "push/payments", "push/users", "run/7/1/success/users"];

/// Ids without the commit in them, which is long.
fn short(facts: &[Fact]) -> Vec<String> {
    let mut ids: Vec<String> = ids(facts)
        .iter()
        .map(|id| id.split('/').filter(|part| part.len() < 40).collect::<Vec<_>>().join("/"))
        .collect();
    ids.sort_unstable();
    ids
}

fn signature(body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(WEBHOOK_SECRET.as_bytes()).expect("a key");
    mac.update(body.as_bytes());
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

async fn console(config: DeliveryConfig) -> delivery::Delivery {
    let store = store::Store::connect("sqlite::memory:").await.expect("a store");
    delivery::Delivery::new(store, config)
}

fn commit_sha(number: u32) -> CommitSha {
    CommitSha::parse(&sha(number)).expect("a commit")
}
