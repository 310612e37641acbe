//! Events: numbered without gaps, and never seen out of order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::audit::AuditAction;
use store::StoredEvent;

use crate::database::Database;
use crate::sample::{audit_entry, new_change, start};

crate::on_both_databases!(events_are_read_in_order, a_reader_among_writers_misses_nothing);

async fn events_are_read_in_order(database: &Database) {
    let store = database.store().await;
    assert_eq!(store.last_event_seq().await.expect("it is read"), 0);
    for number in 1..=3 {
        let seq =
            store.append_event(start(), "kind", &format!("{{\"n\":{number}}}")).await.expect("it writes");
        assert_eq!(seq, number);
    }
    let event =
        |seq: i64| StoredEvent { seq, at: start(), kind: "kind".into(), payload: format!("{{\"n\":{seq}}}") };
    assert_eq!(store.events_after(0, 2).await.expect("they are read"), [event(1), event(2)]);
    assert_eq!(store.events_after(2, 2).await.expect("they are read"), [event(3)]);
    assert!(store.events_after(3, 2).await.expect("they are read").is_empty());
    assert_eq!(store.last_event_seq().await.expect("it is read"), 3);
}

/// A number that became visible after a larger one would be skipped by a reader who continues from the largest seen.
async fn a_reader_among_writers_misses_nothing(database: &Database) {
    const WRITERS: u32 = 6;
    const EACH: u32 = 25;
    let stores = [database.store().await, database.store().await];
    let writing = Arc::new(AtomicBool::new(true));

    let reader = {
        let store = database.store().await;
        let writing = writing.clone();
        tokio::spawn(async move {
            let mut seen = Vec::new();
            loop {
                // Asked before the read, so that what was written last is still read.
                let more_to_come = writing.load(Ordering::SeqCst);
                let last = seen.last().copied().unwrap_or(0);
                let events = store.events_after(last, 7).await.expect("they are read");
                if events.is_empty() && !more_to_come {
                    return seen;
                }
                seen.extend(events.into_iter().map(|event| event.seq));
            }
        })
    };
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = stores[writer as usize % stores.len()].clone();
            tokio::spawn(async move {
                for number in 0..EACH {
                    // Long transactions between short ones, and some that come to nothing.
                    let id = format!("i-{writer}-{number}");
                    if number % 3 == 0 {
                        let audit = audit_entry(AuditAction::EnforceRequested, &id);
                        store.request_change(&new_change(&id, &id), &audit).await.expect("it is accepted");
                    } else if number % 7 == 0 {
                        let append = store.append_event(start(), "kind", "{}");
                        // Dropped wherever it happens to be.
                        let _ = tokio::time::timeout(std::time::Duration::from_micros(300), append).await;
                    } else {
                        store.append_event(start(), "kind", "{}").await.expect("it writes");
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("it does not panic");
    }
    writing.store(false, Ordering::SeqCst);

    let seen = reader.await.expect("it does not panic");
    let last = stores[0].last_event_seq().await.expect("it is read");
    assert!(last >= i64::from(WRITERS * EACH / 2));
    assert_eq!(seen, (1..=last).collect::<Vec<_>>());
}
