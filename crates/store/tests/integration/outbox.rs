//! The outbox: queued once, taken by one at a time, tried again until delivered or given up.

use std::collections::HashSet;

use jiff::Timestamp;
use store::{NewDelivery, Store};

use crate::database::Database;
use crate::sample::{TTL, at, start};

crate::on_both_databases!(
    a_message_is_queued_once,
    a_message_is_tried_until_it_is_delivered,
    a_message_can_be_given_up,
    each_message_is_taken_by_one_of_many,
);

async fn enqueue(store: &Store, dedup_key: &str) -> bool {
    let new = NewDelivery {
        dedup_key: dedup_key.into(),
        target: "chat".into(),
        kind: "source-stale".into(),
        body: "{\"a\":1}".into(),
        created_at: start(),
    };
    store.enqueue_delivery(&new).await.expect("it answers")
}

async fn due(store: &Store, now: Timestamp) -> Vec<(i64, u32)> {
    let due = store.due_deliveries(now, TTL, 10).await.expect("they are taken");
    due.into_iter().map(|delivery| (delivery.id, delivery.attempts)).collect()
}

async fn a_message_is_queued_once(database: &Database) {
    let store = database.store().await;
    assert!(enqueue(&store, "a").await);
    assert!(!enqueue(&store, "a").await);
    assert!(enqueue(&store, "b").await);
    let due = store.due_deliveries(start(), TTL, 1).await.expect("they are taken");
    assert_eq!(due.len(), 1);
    let first = &due[0];
    assert_eq!((&*first.dedup_key, &*first.target, &*first.kind), ("a", "chat", "source-stale"));
    assert_eq!((&*first.body, first.created_at, &first.last_error), ("{\"a\":1}", start(), &None));
}

async fn a_message_is_tried_until_it_is_delivered(database: &Database) {
    let store = database.store().await;
    enqueue(&store, "a").await;
    let id = due(&store, start()).await[0].0;
    assert!(due(&store, at(59)).await.is_empty());
    // Whoever took it has died: it is due again.
    assert_eq!(due(&store, at(60)).await, [(id, 2)]);
    store.mark_failed(id, "503", Some(at(500))).await.expect("it is marked");
    assert!(due(&store, at(499)).await.is_empty());
    let again = store.due_deliveries(at(500), TTL, 10).await.expect("they are taken");
    assert_eq!((again[0].attempts, again[0].last_error.as_deref()), (3, Some("503")));
    store.mark_delivered(id, at(501)).await.expect("it is marked");
    // One who comes late changes nothing.
    store.mark_failed(id, "timeout", Some(at(502))).await.expect("it is marked");
    assert!(due(&store, at(10_000)).await.is_empty());
}

async fn a_message_can_be_given_up(database: &Database) {
    let store = database.store().await;
    enqueue(&store, "a").await;
    let id = due(&store, start()).await[0].0;
    store.mark_failed(id, "410", None).await.expect("it is marked");
    assert!(due(&store, at(10_000)).await.is_empty());
}

async fn each_message_is_taken_by_one_of_many(database: &Database) {
    let stores = [database.store().await, database.store().await];
    for number in 0..40 {
        enqueue(&stores[0], &number.to_string()).await;
    }
    let takers: Vec<_> = (0..8)
        .map(|number| {
            let store = stores[number % stores.len()].clone();
            tokio::spawn(async move {
                let mut taken = Vec::new();
                loop {
                    let some = store.due_deliveries(start(), TTL, 3).await.expect("they are taken");
                    if some.is_empty() {
                        return taken;
                    }
                    taken.extend(some.into_iter().map(|delivery| delivery.id));
                }
            })
        })
        .collect();
    let mut taken = Vec::new();
    for taker in takers {
        taken.extend(taker.await.expect("it does not panic"));
    }
    let distinct: HashSet<_> = taken.iter().collect();
    assert_eq!(distinct.len(), taken.len(), "a message was taken twice");
    // Postgres may answer a taker with nothing while another holds what it had chosen; nothing is lost by that.
    let left = stores[0].due_deliveries(start(), TTL, 100).await.expect("they are taken").len();
    assert_eq!(taken.len() + left, 40);
}
