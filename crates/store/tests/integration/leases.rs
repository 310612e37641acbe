//! Leases: one holder at a time, takeover after the end, and numbers that expose the holder before.

use jiff::SignedDuration;
use store::NewSnapshot;

use crate::database::Database;
use crate::sample::{TTL, at, source, start};

crate::on_both_databases!(
    held_by_one,
    renewed_by_its_holder,
    taken_over_after_its_end,
    given_back,
    won_by_one_of_many,
    a_lost_lease_writes_nothing,
);

async fn held_by_one(database: &Database) {
    let store = database.store().await;
    let lease = store.acquire_lease("a", "one", start(), TTL).await.expect("it answers").expect("it is free");
    assert_eq!((lease.fence, lease.expires_at), (1, at(60)));
    assert_eq!(store.acquire_lease("a", "two", at(59), TTL).await.expect("it answers"), None);
    assert!(store.acquire_lease("b", "two", start(), TTL).await.expect("it answers").is_some());
}

async fn renewed_by_its_holder(database: &Database) {
    let store = database.store().await;
    let first = store.acquire_lease("a", "one", start(), TTL).await.expect("it answers").expect("it is free");
    let second =
        store.acquire_lease("a", "one", at(30), TTL).await.expect("it answers").expect("it is theirs");
    assert_eq!((second.fence, second.expires_at), (first.fence, at(90)));
    assert_eq!(store.acquire_lease("a", "two", at(89), TTL).await.expect("it answers"), None);
}

async fn taken_over_after_its_end(database: &Database) {
    let store = database.store().await;
    let first = store.acquire_lease("a", "one", start(), TTL).await.expect("it answers").expect("it is free");
    let second = store.acquire_lease("a", "two", at(60), TTL).await.expect("it answers").expect("it ran out");
    assert!(second.fence > first.fence);
    assert_eq!(store.acquire_lease("a", "one", at(61), TTL).await.expect("it answers"), None);
}

async fn given_back(database: &Database) {
    let store = database.store().await;
    let first = store.acquire_lease("a", "one", start(), TTL).await.expect("it answers").expect("it is free");
    store.release_lease(&first).await.expect("it is given back");
    let second = store.acquire_lease("a", "two", at(1), TTL).await.expect("it answers").expect("it is free");
    assert!(second.fence > first.fence);
    // What was lost cannot be given back.
    store.release_lease(&first).await.expect("it answers");
    assert_eq!(store.acquire_lease("a", "three", at(2), TTL).await.expect("it answers"), None);
}

async fn won_by_one_of_many(database: &Database) {
    let stores = [database.store().await, database.store().await];
    for round in 0..5 {
        let contenders: Vec<_> = (0..8)
            .map(|number| {
                let store = stores[number % stores.len()].clone();
                let name = format!("lease {round}");
                tokio::spawn(
                    async move { store.acquire_lease(&name, &format!("{number}"), start(), TTL).await },
                )
            })
            .collect();
        let mut winners = 0;
        for contender in contenders {
            winners += u32::from(contender.await.expect("it does not panic").expect("it answers").is_some());
        }
        assert_eq!(winners, 1, "in round {round}");
    }
}

async fn a_lost_lease_writes_nothing(database: &Database) {
    let store = database.store().await;
    let snapshot = |count: u32| NewSnapshot {
        key: source("eu-west-1"),
        collected_at: start(),
        instance_count: count,
        payload: vec![0, 1, 255],
    };
    let first = store.acquire_lease("a", "one", start(), TTL).await.expect("it answers").expect("it is free");
    store.put_snapshot(&snapshot(1), Some(&first)).await.expect("it is held");

    let late = start() + TTL + SignedDuration::from_secs(1);
    let second = store.acquire_lease("a", "two", late, TTL).await.expect("it answers").expect("it ran out");
    let error = store.put_snapshot(&snapshot(2), Some(&first)).await.expect_err("it was lost");
    assert!(error.is_lease_lost() && !error.is_busy(), "{error}");
    assert!(error.to_string().contains("no longer held by one"), "{error}");
    let stored = store.snapshot(&source("eu-west-1")).await.expect("it is read").expect("it is there");
    assert_eq!(stored.instance_count, 1);

    // A refused write takes no revision either.
    let revision = store.put_snapshot(&snapshot(3), Some(&second)).await.expect("it is held");
    assert_eq!(revision, stored.revision + 1);
    // Nor does a holder of the same name pass who has lost it in between.
    store.release_lease(&second).await.expect("it is given back");
    let third = store.acquire_lease("a", "two", late, TTL).await.expect("it answers").expect("it is free");
    assert!(store.put_snapshot(&snapshot(4), Some(&second)).await.expect_err("it was lost").is_lease_lost());
    store.put_snapshot(&snapshot(5), Some(&third)).await.expect("it is held");
}
