//! Snapshots and statuses: the last one stays, revisions grow over all account-regions.

use domain::instance::{HttpTokens, SourceKey};
use domain::source::{SourceError, SourceStatus};
use store::{Collection, HistoryEntry, HistoryKind, NewSnapshot, ObservedState, VanishedInstance};

use crate::database::Database;
use crate::sample::{TTL, at, instance, key, options, source, start};

crate::on_both_databases!(
    the_last_snapshot_stays,
    statuses_are_read_back_as_written,
    a_collection_is_written_as_a_whole,
    sources_no_longer_configured_are_forgotten,
    a_large_payload_is_kept,
);

fn snapshot(key: SourceKey, payload: &[u8]) -> NewSnapshot {
    NewSnapshot { key, collected_at: start(), instance_count: 7, payload: payload.to_vec() }
}

async fn the_last_snapshot_stays(database: &Database) {
    let store = database.store().await;
    assert_eq!(store.snapshot(&source("eu-west-1")).await.expect("it is read"), None);
    let first = store.put_snapshot(&snapshot(source("us-east-1"), b"a"), None).await.expect("it writes");
    let second = store.put_snapshot(&snapshot(source("eu-west-1"), b"b"), None).await.expect("it writes");
    let third = store.put_snapshot(&snapshot(source("us-east-1"), b""), None).await.expect("it writes");
    assert!(first < second && second < third);
    assert_eq!(
        store.snapshot_revisions().await.expect("they are read"),
        [(source("eu-west-1"), second), (source("us-east-1"), third)]
    );
    let stored = store.snapshot(&source("us-east-1")).await.expect("it is read").expect("it is there");
    assert_eq!((stored.revision, stored.collected_at, stored.instance_count), (third, start(), 7));
    assert_eq!(stored.payload, b"");
}

async fn statuses_are_read_back_as_written(database: &Database) {
    let store = database.store().await;
    let before = store.source_status_revision().await.expect("it is read");
    let mut status = SourceStatus::new(source("us-east-1"), "production".into());
    store.put_source_status(&status, start(), None).await.expect("it writes");
    status.last_attempt = Some(at(1));
    status.error = Some(SourceError {
        code: "UnauthorizedOperation".into(),
        message: "not allowed\0".into(),
        missing_permission: Some("ec2:DescribeInstances".into()),
    });
    store.put_source_status(&status, at(1), None).await.expect("it writes");
    let other = SourceStatus::new(source("eu-west-1"), "production".into());
    store.put_source_status(&other, at(1), None).await.expect("it writes");
    assert_eq!(store.source_statuses().await.expect("they are read"), [other, status]);
    assert_eq!(store.source_status_revision().await.expect("it is read"), before + 3);
}

async fn a_collection_is_written_as_a_whole(database: &Database) {
    let store = database.store().await;
    let vanished = VanishedInstance { last_seen: start(), instance: instance("i-1") };
    let observed = ObservedState::from(&vanished.instance);
    assert_eq!(observed.metadata_options, Some(options(HttpTokens::Optional)));
    let entry = HistoryEntry {
        key: key("i-1"),
        at: start(),
        kind: HistoryKind::Vanished,
        before: Some(observed),
        after: None,
    };
    let collection = Collection {
        snapshot: snapshot(source("eu-west-1"), b"a"),
        status: Some(SourceStatus::new(source("eu-west-1"), "production".into())),
        history: vec![entry.clone()],
        vanished: vec![vanished.clone()],
        returned: vec![],
    };
    let lease = store.acquire_lease("a", "one", start(), TTL).await.expect("it answers").expect("it is free");
    store.put_collection(&collection, Some(&lease)).await.expect("it writes");
    assert_eq!(store.history_of(&key("i-1"), 10).await.expect("it is read"), std::slice::from_ref(&entry));
    assert_eq!(store.vanished(&key("i-1")).await.expect("it is read"), Some(vanished));
    assert_eq!(store.source_statuses().await.expect("they are read").len(), 1);

    // The same by one who has lost the lease leaves no trace.
    store.release_lease(&lease).await.expect("it is given back");
    let late = Collection { returned: vec![key("i-1")], vanished: vec![], ..collection.clone() };
    assert!(store.put_collection(&late, Some(&lease)).await.expect_err("it was lost").is_lease_lost());
    assert_eq!(store.vanished_ids(&source("eu-west-1")).await.expect("they are read"), ["i-1".into()]);
    assert_eq!(store.history_of(&key("i-1"), 10).await.expect("it is read").len(), 1);

    store.put_collection(&late, None).await.expect("it writes");
    assert!(store.vanished_ids(&source("eu-west-1")).await.expect("they are read").is_empty());
}

async fn sources_no_longer_configured_are_forgotten(database: &Database) {
    let store = database.store().await;
    for region in ["eu-west-1", "us-east-1"] {
        store.put_snapshot(&snapshot(source(region), b"a"), None).await.expect("it writes");
    }
    let status = SourceStatus::new(source("ap-south-1"), "production".into());
    store.put_source_status(&status, start(), None).await.expect("it writes");
    let revision = store.source_status_revision().await.expect("it is read");

    let forgotten = store.delete_sources_except(&[source("eu-west-1")]).await.expect("it deletes");
    assert_eq!(forgotten, [source("ap-south-1"), source("us-east-1")]);
    assert_eq!(store.snapshot_revisions().await.expect("they are read").len(), 1);
    assert!(store.source_statuses().await.expect("they are read").is_empty());
    assert!(store.source_status_revision().await.expect("it is read") > revision);
    assert!(store.delete_sources_except(&[source("eu-west-1")]).await.expect("it deletes").is_empty());
}

async fn a_large_payload_is_kept(database: &Database) {
    let store = database.store().await;
    let payload: Vec<u8> = (0..8_000_000_u32).map(|number| (number % 251) as u8).collect();
    store.put_snapshot(&snapshot(source("eu-west-1"), &payload), None).await.expect("it writes");
    let stored = store.snapshot(&source("eu-west-1")).await.expect("it is read").expect("it is there");
    assert!(stored.payload == payload, "the payload differs");
}
