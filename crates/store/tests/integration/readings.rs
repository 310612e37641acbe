//! What readers see: the latest of each, news told once, and nothing from a reader that was replaced.

use std::collections::BTreeSet;

use domain::delivery::{
    CommitSha, DeploymentState, Detail, EnvironmentName, Fact, Health, ImageDetail, ImageRef, Place, Seen,
    ServiceName, Sighting, Source, Stage, Status, Workload,
};
use jiff::{SignedDuration, Timestamp};
use store::{DELIVERY_EVENT, ImageName, Lease, Retention, Store, StoreError};

use crate::database::Database;
use crate::facts::FOREVER;
use crate::on_both_databases;

on_both_databases!(
    what_is_seen_now_replaces_what_was_seen,
    what_another_version_kept_is_replaced,
    a_problem_is_told_once_and_ends,
    a_reader_that_was_replaced_writes_nothing,
    images_are_known_by_their_names,
);

const READER: &str = "kubernetes/dev";
const TTL: SignedDuration = SignedDuration::from_secs(60);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).expect("a time")
}

fn place(service: &str) -> Place {
    Place {
        service: ServiceName::parse(service).expect("a name"),
        environment: EnvironmentName::parse("dev").expect("a name"),
    }
}

fn workload(service: &str, updated: u32) -> Sighting {
    let state =
        DeploymentState { desired: 2, replicas: 2, updated, available: updated, ..Default::default() };
    let seen = Seen::Workload(Workload {
        name: format!("Deployment/{service}"),
        images: vec![ImageRef::parse("users:1")],
        running: Vec::new(),
        revision: 1,
        state,
        pods: Vec::new(),
        started: None,
        finished: None,
        available_since: None,
    });
    Sighting { subject: format!("Deployment/{service}"), place: Some(place(service)), seen }
}

async fn lease(store: &Store, holder: &str, second: i64) -> Lease {
    store.acquire_lease(READER, holder, at(second), TTL).await.expect("it answers").expect("it is free")
}

async fn news(store: &Store) -> usize {
    let events = store.events_after(0, 100).await.expect("they are read");
    events.iter().filter(|event| event.kind == DELIVERY_EVENT).count()
}

async fn what_is_seen_now_replaces_what_was_seen(database: &Database) {
    let store = database.store().await;
    let lease = lease(&store, "one", 0).await;
    let keep = async |seen: &[Sighting], second| {
        store
            .keep_reading(READER, Source::Kubernetes, Some(seen), None, at(second), &lease)
            .await
            .expect("it is kept")
    };
    let both = [workload("users", 1), workload("orders", 2)];
    assert_eq!(keep(&both, 1).await, [place("orders"), place("users")].into());
    let told = news(&store).await;
    assert_eq!(keep(&both, 2).await, BTreeSet::new());
    assert_eq!(news(&store).await, told, "nothing new is no news");
    assert_eq!(
        keep(&[workload("users", 2)], 3).await,
        [place("orders"), place("users")].into(),
        "one is gone"
    );
    let users = store.sightings(&place("users").service).await.expect("they are read");
    assert_eq!(users, [(READER.to_owned(), workload("users", 2))]);
    assert_eq!(store.sightings(&place("orders").service).await.expect("they are read"), []);
    let here = store.seen_here().await.expect("they are read");
    assert_eq!(here.len(), 1);
    assert_eq!((&here[0].place, here[0].health), (&place("users"), Some(Health::Healthy)));
    assert_eq!(store.readers().await.expect("they are read")[0].last_success, Some(at(3)));
    let gone = store.forget_reader(READER, at(9), &lease).await.expect("it is forgotten");
    assert_eq!(gone, [place("users")].into());
    assert_eq!(store.readers().await.expect("they are read"), []);
    assert_eq!(store.seen_here().await.expect("they are read"), []);
}

/// A reader goes on after a version that kept what it saw in other words.
async fn what_another_version_kept_is_replaced(database: &Database) {
    let store = database.store().await;
    let lease = lease(&store, "a", 0).await;
    let see = async |sightings: &[Sighting]| {
        let kept = store.keep_reading(READER, Source::Kubernetes, Some(sightings), None, at(0), &lease);
        kept.await.expect("it is kept")
    };
    let seen = [workload("users", 1), workload("orders", 1)];
    see(&seen).await;
    database.execute("UPDATE delivery_sightings SET body = '{}' WHERE service = 'users'").await;
    store.sightings(&place("users").service).await.expect_err("it cannot be read");
    assert_eq!(see(&seen).await, [place("users")].into());
    assert_eq!(store.sightings(&place("users").service).await.expect("it is read").len(), 1);
    database.execute("UPDATE delivery_sightings SET body = '{}' WHERE service = 'users'").await;
    assert_eq!(see(&seen[1..]).await, [place("users")].into(), "it is gone");
}

async fn a_problem_is_told_once_and_ends(database: &Database) {
    let store = database.store().await;
    let lease = lease(&store, "one", 0).await;
    let fail = async |second| {
        store
            .keep_problem(READER, Source::Kubernetes, "it is down", at(second), &lease)
            .await
            .expect("it is kept");
    };
    store
        .keep_reading(READER, Source::Kubernetes, Some(&[workload("users", 1)]), None, at(1), &lease)
        .await
        .expect("it is kept");
    let told = news(&store).await;
    fail(2).await;
    fail(3).await;
    assert_eq!(news(&store).await, told + 1);
    let state = store.readers().await.expect("they are read").remove(0);
    assert_eq!((state.last_success, state.problem), (Some(at(1)), Some((at(2), "it is down".into()))));
    assert_eq!(store.seen_here().await.expect("they are read").len(), 1, "what it saw grows old, and stays");
    store.keep_reading(READER, Source::Kubernetes, None, None, at(4), &lease).await.expect("it is kept");
    assert_eq!(store.readers().await.expect("they are read")[0].problem, None);
    assert_eq!(news(&store).await, told + 2);
    assert_eq!(store.seen_here().await.expect("they are read").len(), 1);
}

async fn a_reader_that_was_replaced_writes_nothing(database: &Database) {
    let store = database.store().await;
    let slept = lease(&store, "one", 0).await;
    lease(&store, "two", 61).await;
    let late = store.keep_reading(READER, Source::Kubernetes, Some(&[]), None, at(62), &slept).await;
    assert!(matches!(late, Err(StoreError::LeaseLost { .. })), "{late:?}");
    let late = store.keep_problem(READER, Source::Kubernetes, "old", at(62), &slept).await;
    assert!(matches!(late, Err(StoreError::LeaseLost { .. })), "{late:?}");
}

async fn images_are_known_by_their_names(database: &Database) {
    let store = database.store().await;
    let service = place("users").service;
    let sha = |digit: &str| CommitSha::parse(&digit.repeat(40)).expect("a commit");
    let digest = format!("sha256:{}", "1".repeat(64));
    let image = Fact {
        source: Source::Ecr,
        source_id: "1".into(),
        service: service.clone(),
        environment: None,
        commit: sha("a"),
        stage: Stage::Image,
        job: None,
        attempt: 1,
        status: Status::Succeeded,
        started: None,
        finished: Some(at(0)),
        observed: at(0),
        link: None,
        detail: Some(Detail::Image(ImageDetail {
            tag: Some("1.0.0".into()),
            digest: Some(digest.clone()),
            ..ImageDetail::default()
        })),
    };
    store.record_facts(&[image], at(0)).await.expect("it is recorded");
    let name = |name: &str, commit| ImageName { service: service.clone(), name: name.into(), commit };
    store
        .name_images(&[name("stable", sha("a")), name("v2", sha("b"))].into())
        .await
        .expect("they are named");
    store.name_images(&[name("stable", sha("b"))].into()).await.expect("it is moved");
    let asked = ["1.0.0", digest.as_str(), "stable", "v2", "v3"].map(str::to_owned).into();
    let found = store.commits_of_images(&service, &asked).await.expect("they are read");
    let found: Vec<(&str, CommitSha)> =
        found.iter().map(|(name, commit)| (name.as_str(), commit.clone())).collect();
    let expected = [("1.0.0", sha("a")), (digest.as_str(), sha("a")), ("stable", sha("b")), ("v2", sha("b"))];
    assert_eq!(found, expected);
    let other = store.commits_of_images(&place("orders").service, &asked).await.expect("they are read");
    assert!(other.is_empty(), "another service's tags are its own");

    // What was called after it goes with the change, also where the name has only its first digits.
    let digits = CommitSha::parse(&"a".repeat(7)).expect("a commit");
    store.name_images(&[name("main-aaaaaaa", digits)].into()).await.expect("it is named");
    let retention = Retention { facts: SignedDuration::from_secs(60), ..FOREVER };
    store.prune(at(1_000), &retention).await.expect("pruned");
    let asked = ["1.0.0", "main-aaaaaaa", "v2"].map(str::to_owned).into();
    let found = store.commits_of_images(&service, &asked).await.expect("they are read");
    assert_eq!(found, [("v2".to_owned(), sha("b"))].into(), "of this commit nothing else was ever told");
}
