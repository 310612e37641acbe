//! What GitHub is told of where a commit is live.

use std::time::{Duration, Instant};

use delivery::github::{DeploymentReport, DeploymentState, GithubClient, GithubError};
use delivery::reader::Reader;
use delivery::{Delivery, DeliveryConfig, GithubConfig};
use domain::delivery::{CommitSha, EnvironmentName, Fact, ServiceName, Source, Stage, Status};
use jiff::SignedDuration;
use serde_json::{Value, json};
use store::Store;
use tokio_util::sync::CancellationToken;

use super::stand_in::World;
use super::{SHOP, followed, now, one_commit, sha};

fn report(state: DeploymentState) -> DeploymentReport {
    DeploymentReport {
        sha: sha(1),
        environment: "prod".into(),
        key: "users".into(),
        state,
        description: "Tollgate: 2 of 3 pods run it".into(),
        log_url: Some("https://tollgate.example.com/delivery/users".into()),
        environment_url: None,
    }
}

/// Environment, key and states of each deployment.
async fn told(world: &World) -> Vec<(String, String, Vec<String>)> {
    let state = world.control("state", json!({"repository": SHOP})).await;
    let list = |name: &str| state[name].as_array().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let statuses = |id: &Value| {
        let of = list("statuses").into_iter().filter(|status| status["deployment_id"] == *id);
        of.map(|status| text(&status["state"])).collect()
    };
    let told =
        |one: &Value| (text(&one["environment"]), text(&one["payload"]["tollgate"]), statuses(&one["id"]));
    list("deployments").iter().map(told).collect()
}

fn states(environment: &str, key: &str, states: &[&str]) -> (String, String, Vec<String>) {
    (environment.into(), key.into(), states.iter().map(|state| (*state).to_owned()).collect())
}

#[tokio::test]
async fn each_state_is_told_once() {
    let world = World::new("deployments");
    one_commit(&world).await;
    let client = GithubClient::new(&world.config()).unwrap();
    let tell = async |report: DeploymentReport| client.report_deployment(SHOP, &report).await.unwrap();
    tell(report(DeploymentState::Inactive)).await;
    assert_eq!(told(&world).await, []);
    for state in [DeploymentState::InProgress, DeploymentState::Success] {
        tell(report(state)).await;
        tell(report(state)).await;
    }
    let long = "ü".repeat(200);
    tell(DeploymentReport { key: "payments".into(), description: long, ..report(DeploymentState::Failure) })
        .await;
    tell(DeploymentReport { environment: "dev".into(), ..report(DeploymentState::Success) }).await;
    tell(report(DeploymentState::Inactive)).await;
    let expected = [
        states("prod", "users", &["in_progress", "success", "inactive"]),
        states("prod", "payments", &["failure"]),
        states("dev", "users", &["success"]),
    ];
    assert_eq!(told(&world).await, expected);
    let state = world.control("state", json!({"repository": SHOP})).await;
    let description = state["statuses"][2]["description"].as_str().unwrap();
    assert_eq!((description.chars().count(), description.ends_with('…')), (140, true));
    world.asked().await;

    world.control("behave", json!({"denied": ["deployments:write"]})).await;
    let refused = client.report_deployment(SHOP, &report(DeploymentState::Success)).await.unwrap_err();
    assert!(refused.to_string().ends_with("the token needs the permission deployments: write"), "{refused}");
    world.asked().await;
}

#[tokio::test]
async fn what_is_broken_off_anywhere_is_told_once() {
    for when in ["before", "after"] {
        for at in 1..=4 {
            let world = World::new(&format!("deployments-{when}-{at}"));
            one_commit(&world).await;
            let client = GithubClient::new(&world.config()).unwrap();
            world.control("behave", json!({"breaks": {"at": at, "when": when}})).await;
            let report = report(DeploymentState::Success);
            let error = client.report_deployment(SHOP, &report).await.unwrap_err();
            assert!(matches!(error, GithubError::Unreachable { .. }), "{error}");
            client.report_deployment(SHOP, &report).await.unwrap();
            assert_eq!(told(&world).await, [states("prod", "users", &["success"])]);
            world.asked().await;
        }
    }
}

/// Else what is shown here would be told as what GitHub knows by itself.
#[tokio::test]
async fn what_was_told_is_not_read_back() {
    let world = World::new("deployments-back");
    one_commit(&world).await;
    let github = GithubConfig { deployments: true, ..world.config() };
    let client = GithubClient::new(&github).unwrap();
    client.report_deployment(SHOP, &report(DeploymentState::Success)).await.unwrap();
    let config: DeliveryConfig = followed(github);
    let mut reader = delivery::github::GithubReader::new(client, config.into(), SHOP.to_owned());
    let facts = reader.read(now()).await.unwrap().facts;
    assert!(!facts.is_empty() && facts.iter().all(|fact| fact.environment.is_none()), "{facts:?}");
    world.asked().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_live_is_told_and_what_it_replaces() {
    let world = World::new("deployments-told");
    one_commit(&world).await;
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("tollgate.db").display());
    let store = Store::connect(&url).await.unwrap();
    let config = followed(GithubConfig { report_deployments: true, ..world.config() });
    let delivery = Delivery::new(store, config);
    let live = async |number: u32| {
        let at = now();
        let fact = Fact {
            source: Source::CdEvents,
            source_id: format!("live/{number}"),
            service: ServiceName::parse("users").unwrap(),
            environment: Some(EnvironmentName::parse("prod").unwrap()),
            commit: CommitSha::parse(&sha(number)).unwrap(),
            stage: Stage::Live,
            job: None,
            attempt: 1,
            status: Status::Succeeded,
            started: None,
            finished: Some(at - SignedDuration::from_secs(600 - i64::from(number))),
            observed: at,
            link: None,
            detail: None,
        };
        delivery.record(vec![fact], at).await.unwrap();
    };
    live(1).await;
    let shutdown = CancellationToken::new();
    let task = tokio::spawn({
        let (delivery, shutdown) = (delivery.clone(), shutdown.clone());
        async move { delivery.tell_github_until(shutdown).await }
    });
    let begun = Instant::now();
    while told(&world).await != [states("prod", "users", &["success"])] {
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", told(&world).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    shutdown.cancel();
    task.await.unwrap().unwrap();
}
