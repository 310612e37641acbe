//! The webhooks that GitHub's users have recorded (`@octokit/webhooks-examples`): each is read, and what it says is sound.

use std::collections::{BTreeMap, BTreeSet};

use delivery::{DeliveryConfig, GithubConfig};
use domain::delivery::CommitSha;
use serde::Deserialize;
use serde_json::Value;

use super::stand_in::setting;
use super::{console, followed, now, service, signature};

#[derive(Deserialize)]
struct Event {
    name: String,
    examples: Vec<Value>,
}

const TAKEN: [&str; 6] =
    ["push", "workflow_run", "workflow_job", "pull_request", "deployment_status", "release"];

/// What a service that an example is of is built from.
fn origin(example: &Value) -> Option<(String, String)> {
    let repository = example.pointer("/repository/full_name")?.as_str()?.to_owned();
    let branch = ["/workflow_run/head_branch", "/workflow_job/head_branch", "/pull_request/base/ref", "/ref"]
        .iter()
        .find_map(|pointer| example.pointer(pointer)?.as_str())
        .unwrap_or("main");
    Some((repository, branch.trim_start_matches("refs/heads/").to_owned()))
}

#[tokio::test]
async fn every_recorded_webhook_is_read() {
    let file = setting("TOLLGATE_TEST_GITHUB_WEBHOOKS");
    let text = std::fs::read_to_string(file).expect("the examples");
    let events: Vec<Event> = serde_json::from_str(&text).expect("a list of events");
    let origins: BTreeSet<(String, String)> =
        events.iter().flat_map(|event| &event.examples).filter_map(origin).collect();
    let services = origins.iter().enumerate();
    let services = services
        .map(|(number, (repository, branch))| service(&format!("s{number}"), repository, branch, &[]));
    let config = DeliveryConfig { services: services.collect(), ..followed(GithubConfig::default()) };
    let console = console(config).await;
    let mut told: BTreeMap<&str, u64> = BTreeMap::new();
    for event in events.iter().filter(|event| TAKEN.contains(&event.name.as_str())) {
        for example in &event.examples {
            let body = example.to_string();
            let recorded = console
                .github_webhook(&event.name, &signature(&body), body.as_bytes(), now())
                .await
                .unwrap_or_else(|error| panic!("{}: {error}: {body}", event.name));
            *told.entry(event.name.as_str()).or_default() += recorded.new;
            for (service, commit) in &recorded.moved {
                assert!(CommitSha::parse(commit.as_str()).is_ok());
                for fact in console.facts(service, commit).await.expect("facts") {
                    assert_eq!(fact.check(), Ok(()), "{fact:?}");
                }
            }
        }
    }
    for event in ["push", "workflow_run", "workflow_job"] {
        assert!(told.get(event).is_some_and(|count| *count > 0), "{event} says nothing: {told:?}");
    }
}
