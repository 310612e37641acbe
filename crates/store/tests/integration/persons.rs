//! People: what their groups gave them is compared with the last time, and each difference is written once.

use domain::audit::{AuditAction, AuditFilter, NewAuditEntry};
use store::{SeenPerson, Store};

use crate::database::Database;
use crate::sample::{at, start};

crate::on_both_databases!(
    a_difference_to_the_last_time_is_told_once,
    of_many_sign_ins_at_a_time_one_tells_the_difference,
);

fn person(subject: &str, access: &str, seconds: i64) -> SeenPerson {
    SeenPerson {
        issuer: "https://id.example".into(),
        subject: subject.into(),
        access: access.into(),
        seen_at: at(seconds),
    }
}

async fn record(store: &Store, person: &SeenPerson) -> Option<String> {
    let entry = |before: &str| NewAuditEntry {
        detail: format!("{before} → {}", person.access),
        ..NewAuditEntry::of(AuditAction::RoleChanged, start())
    };
    store.record_access(person, entry).await.expect("it is recorded")
}

async fn told(store: &Store) -> Vec<String> {
    let filter = AuditFilter { limit: 100, ..AuditFilter::default() };
    let entries = store.audit(&filter).await.expect("the log is read");
    entries.into_iter().rev().map(|entry| entry.entry.detail).collect()
}

async fn a_difference_to_the_last_time_is_told_once(database: &Database) {
    let (store, replica) = (database.store().await, database.store().await);
    assert_eq!(record(&store, &person("ada", "viewer for everything", 0)).await, None, "the first time");
    assert_eq!(record(&store, &person("ada", "viewer for everything", 1)).await, None);
    let other = SeenPerson { issuer: "https://other.example".into(), ..person("ada", "nothing", 1) };
    assert_eq!(record(&store, &other).await, None, "somebody else, at another issuer");
    assert_eq!(
        record(&replica, &person("ada", "nothing\0", 2)).await.as_deref(),
        Some("viewer for everything")
    );
    assert_eq!(record(&store, &person("ada", "nothing\0", 3)).await, None);
    assert_eq!(told(&store).await, ["viewer for everything → nothing\u{fffd}"]);
    assert_eq!(database.number("SELECT COUNT(*) FROM persons").await, 2);
}

async fn of_many_sign_ins_at_a_time_one_tells_the_difference(database: &Database) {
    let store = database.store().await;
    record(&store, &person("ada", "viewer for everything", 0)).await;
    let at_once = (0..8).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { record(&store, &person("ada", "nothing", 1)).await })
    });
    let mut answers = Vec::new();
    for answer in at_once.collect::<Vec<_>>() {
        answers.push(answer.await.expect("it ends"));
    }
    assert_eq!(answers.iter().flatten().count(), 1, "{answers:?}");
    assert_eq!(told(&store).await.len(), 1);
}
