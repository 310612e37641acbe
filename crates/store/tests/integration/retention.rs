//! Retention: what is too old goes, all else stays.

use domain::audit::{AuditAction, AuditFilter};
use jiff::SignedDuration;
use store::{
    HistoryEntry, HistoryKind, NewDelivery, NewDeviceLogin, NewSession, NewToken, Pruned, Retention,
    SeenPerson, VanishedInstance,
};

use crate::database::Database;
use crate::sample::{
    TTL, at, audit_entry, instance, key, new_device_login, new_session, new_token, source, start,
};

crate::on_both_databases!(
    what_is_too_old_is_deleted,
    what_has_expired_is_deleted,
    the_audit_log_may_be_kept_for_good,
    many_rows_are_deleted
);

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

fn retention(audit: Option<SignedDuration>) -> Retention {
    Retention {
        history: MINUTE,
        audit,
        events: MINUTE,
        vanished: MINUTE,
        trend: MINUTE,
        deliveries: MINUTE,
        facts: MINUTE,
    }
}

fn history(seconds: i64) -> HistoryEntry {
    HistoryEntry { key: key("i-1"), at: at(seconds), kind: HistoryKind::Appeared, before: None, after: None }
}

async fn what_is_too_old_is_deleted(database: &Database) {
    let store = database.store().await;
    for (number, seconds) in [0, 59, 60, 61].into_iter().enumerate() {
        store.append_history(&[history(seconds)]).await.expect("it writes");
        let mut audit = audit_entry(AuditAction::ChangeApplied, "i-1");
        audit.at = at(seconds);
        store.append_audit(&audit).await.expect("it writes");
        let person = SeenPerson {
            issuer: "https://id.example".into(),
            subject: number.to_string(),
            access: "nothing".into(),
            seen_at: at(seconds),
        };
        store.record_access(&person, |_| audit.clone()).await.expect("it is recorded");
        store.append_event(at(seconds), "kind", "{}").await.expect("it writes");
        let vanished =
            VanishedInstance { last_seen: at(seconds), instance: instance(&format!("i-{number}")) };
        store.put_vanished(&[vanished]).await.expect("it writes");
        store.put_trend(at(3600 * seconds), &source("eu-west-1"), "{}").await.expect("it writes");
        let delivery = NewDelivery {
            dedup_key: number.to_string(),
            target: "chat".into(),
            kind: "kind".into(),
            body: "{}".into(),
            created_at: at(seconds),
        };
        store.enqueue_delivery(&delivery).await.expect("it is queued");
    }
    // One delivered, one given up, two still to be sent.
    let due = store.due_deliveries(at(61), TTL, 10).await.expect("they are taken");
    store.mark_delivered(due[0].id, at(61)).await.expect("it is marked");
    store.mark_failed(due[1].id, "refused", None).await.expect("it is marked");

    let pruned = store.prune(at(120), &retention(Some(MINUTE))).await.expect("it prunes");
    let expected = Pruned {
        history: 2,
        audit: 2,
        persons: 2,
        events: 2,
        vanished: 2,
        trend: 1,
        deliveries: 2,
        facts: 0,
        ..Pruned::default()
    };
    assert_eq!(pruned, expected);
    assert_eq!(store.history_since(start(), 10).await.expect("it is read").len(), 2);
    let audit = store.audit(&AuditFilter { limit: 10, ..AuditFilter::default() }).await.expect("it is read");
    assert_eq!(audit.len(), 2);
    assert_eq!(store.vanished_ids(&source("eu-west-1")).await.expect("they are read").len(), 2);
    assert_eq!(store.trend_since(start()).await.expect("it is read").len(), 3);
    assert_eq!(database.number("SELECT COUNT(*) FROM deliveries").await, 2);

    // Numbers go on, and a reader can see that some are missing.
    assert_eq!(store.events_after(0, 10).await.expect("they are read")[0].seq, 3);
    let pruned = store.prune(at(100_000_000), &retention(None)).await.expect("it prunes");
    assert_eq!((pruned.events, pruned.audit), (2, 0));
    assert_eq!(store.last_event_seq().await.expect("it is read"), 4);
    assert_eq!(store.append_event(start(), "kind", "{}").await.expect("it writes"), 5);
}

async fn what_has_expired_is_deleted(database: &Database) {
    let store = database.store().await;
    for seconds in [119, 120, 121] {
        let name = seconds.to_string();
        let session = NewSession { expires_at: at(seconds), ..new_session(&name, "ada") };
        store.create_session(&session).await.expect("it begins");
        store.put_login(&name, "{}", at(seconds)).await.expect("it is kept");
        let device = NewDeviceLogin { expires_at: at(seconds), ..new_device_login(&name, &name) };
        assert!(store.put_device_login(&device).await.expect("it waits"));
        let token = NewToken { expires_at: at(seconds), ..new_token(&name, "ada") };
        store.create_token(&token).await.expect("it is made");
    }
    let pruned = store.prune(at(120), &retention(None)).await.expect("it prunes");
    assert_eq!(pruned, Pruned { sessions: 2, logins: 2, device_logins: 2, tokens: 2, ..Pruned::default() });
    // What is left is what is still valid.
    let session = store.session("121", at(120), SignedDuration::MAX).await.expect("it is read");
    assert_eq!(session.expect("it is valid").expires_at, at(121));
    assert_eq!(
        store.token("121", at(120)).await.expect("it is read").expect("it is valid").expires_at,
        at(121)
    );
    assert_eq!(store.take_login("121", at(120)).await.expect("it answers").as_deref(), Some("{}"));
}

async fn the_audit_log_may_be_kept_for_good(database: &Database) {
    let store = database.store().await;
    store.append_audit(&audit_entry(AuditAction::ChangeApplied, "i-1")).await.expect("it writes");
    let far = at(1_000_000_000);
    assert_eq!(store.prune(far, &retention(None)).await.expect("it prunes"), Pruned::default());
    assert_eq!(store.prune(far, &retention(Some(SignedDuration::MAX))).await.expect("it prunes").audit, 0);
    assert_eq!(store.prune(far, &retention(Some(MINUTE))).await.expect("it prunes").audit, 1);
}

async fn many_rows_are_deleted(database: &Database) {
    let store = database.store().await;
    let entries: Vec<_> = (0..5_000).map(|_| history(0)).collect();
    store.append_history(&entries).await.expect("it writes");
    assert_eq!(store.prune(at(61), &retention(None)).await.expect("it prunes").history, 5_000);
}
