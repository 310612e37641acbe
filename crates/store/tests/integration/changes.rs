//! Changes: asked for once, one under way per instance, worked on by one process, never without their trail.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use domain::audit::{AuditAction, AuditFilter};
use domain::change::{Change, ChangeError, ChangeStatus, Purpose};
use domain::instance::HttpTokens;
use jiff::SignedDuration;
use store::{CHANGE_EVENT, ChangeEvent, MAX_IDEMPOTENCY_KEY_BYTES, Store, StoreError};

use crate::database::Database;
use crate::sample::{TTL, at, audit_entry, key, new_change, options, start};

crate::on_both_databases!(
    a_request_is_stored_with_its_trail,
    the_same_key_is_the_same_change,
    the_same_key_at_the_same_time_is_the_same_change,
    one_change_per_instance_is_under_way,
    one_change_per_instance_is_under_way_however_many_ask,
    one_process_works_on_a_change,
    an_update_is_stored_with_its_trail,
    a_process_that_lost_a_change_writes_nothing,
    a_request_dropped_in_the_middle_is_whole_or_never_was,
    a_step_whose_trail_cannot_be_written_never_was,
    unusable_keys_are_refused,
);

async fn request(
    store: &Store,
    idempotency_key: &str,
    instance_id: &str,
) -> Result<(Change, bool), StoreError> {
    let audit = audit_entry(AuditAction::EnforceRequested, instance_id);
    store.request_change(&new_change(idempotency_key, instance_id), &audit).await
}

/// The change ids in the audit log and in the events, oldest first.
async fn trail(store: &Store) -> (Vec<i64>, Vec<(i64, ChangeStatus)>) {
    let mut audit =
        store.audit(&AuditFilter { limit: 1_000, ..AuditFilter::default() }).await.expect("it is read");
    audit.reverse();
    let events = store.events_after(0, 1_000).await.expect("they are read");
    let events = events.into_iter().map(|event| {
        assert_eq!(event.kind, CHANGE_EVENT);
        let event: ChangeEvent = serde_json::from_str(&event.payload).expect("it is a change's event");
        (event.id, event.status)
    });
    (audit.into_iter().filter_map(|entry| entry.entry.change_id).collect(), events.collect())
}

async fn a_request_is_stored_with_its_trail(database: &Database) {
    let store = database.store().await;
    let (change, created) = request(&store, "k", "i-1").await.expect("it is accepted");
    assert!(created);
    let new = new_change("k", "i-1");
    let expected = Change {
        id: change.id,
        idempotency_key: new.idempotency_key,
        key: new.key,
        purpose: new.purpose,
        request: new.request,
        before: new.before,
        after: None,
        status: ChangeStatus::Requested,
        actor: new.actor,
        address: new.address,
        reason: new.reason,
        policy_revision: new.policy_revision,
        aws_request_id: None,
        error: None,
        requested_at: start(),
        updated_at: start(),
    };
    assert_eq!(change, expected);
    assert_eq!(store.change(change.id).await.expect("it is read"), Some(change.clone()));
    assert_eq!(store.change_by_idempotency_key("k").await.expect("it is read"), Some(change.clone()));
    assert_eq!(store.changes_of(&key("i-1"), 9).await.expect("they are read"), std::slice::from_ref(&change));
    assert_eq!(store.open_changes().await.expect("they are read"), std::slice::from_ref(&change));
    assert_eq!(trail(&store).await, (vec![change.id], vec![(change.id, ChangeStatus::Requested)]));
    assert_eq!(store.change(change.id + 1).await.expect("it is read"), None);
}

async fn the_same_key_is_the_same_change(database: &Database) {
    let store = database.store().await;
    let (first, _) = request(&store, "k", "i-1").await.expect("it is accepted");
    let (second, created) = request(&store, "k", "i-1").await.expect("it is known");
    assert_eq!((&second, created), (&first, false));
    assert_eq!(trail(&store).await.0, [first.id]);

    let error = request(&store, "k", "i-2").await.expect_err("it is of another instance");
    assert!(matches!(error, StoreError::IdempotencyKeyReused { id } if id == first.id), "{error}");
    assert!(error.is_conflict());
    let mut restore = new_change("k", "i-1");
    restore.purpose = Purpose::Restore { change_id: first.id };
    let audit = audit_entry(AuditAction::RestoreRequested, "i-1");
    let error = store.request_change(&restore, &audit).await.expect_err("it is of another kind");
    assert!(matches!(error, StoreError::IdempotencyKeyReused { .. }), "{error}");
    assert_eq!(trail(&store).await.0, [first.id]);
}

async fn the_same_key_at_the_same_time_is_the_same_change(database: &Database) {
    let stores = [database.store().await, database.store().await];
    let requests: Vec<_> = (0..16)
        .map(|number| {
            let store = stores[number % stores.len()].clone();
            tokio::spawn(async move { request(&store, "k", "i-1").await })
        })
        .collect();
    let mut ids = Vec::new();
    let mut creations = 0;
    for request in requests {
        let (change, created) = request.await.expect("it does not panic").expect("it is accepted or known");
        ids.push(change.id);
        creations += u32::from(created);
    }
    ids.dedup();
    assert_eq!((ids.len(), creations), (1, 1));
    assert_eq!(trail(&stores[0]).await, (ids.clone(), vec![(ids[0], ChangeStatus::Requested)]));
}

async fn one_change_per_instance_is_under_way(database: &Database) {
    let store = database.store().await;
    let (first, _) = request(&store, "k1", "i-1").await.expect("it is accepted");
    let error = request(&store, "k2", "i-1").await.expect_err("one is under way");
    assert!(matches!(error, StoreError::ChangeInProgress { id } if id == first.id), "{error}");
    assert!(error.is_conflict());
    request(&store, "k3", "i-2").await.expect("it is another instance");

    let mut change =
        store.claim_change(first.id, "one", start(), TTL).await.expect("it answers").expect("it is free");
    change.status = ChangeStatus::Failed;
    store.update_change(&change, "one", None).await.expect("it is held");
    let (second, created) = request(&store, "k2", "i-1").await.expect("none is under way");
    assert!(created);
    let changes = store.changes_of(&key("i-1"), 9).await.expect("they are read");
    assert_eq!(changes.iter().map(|change| change.id).collect::<Vec<_>>(), [second.id, first.id]);
}

async fn one_change_per_instance_is_under_way_however_many_ask(database: &Database) {
    let stores = [database.store().await, database.store().await];
    let requests: Vec<_> = (0..16)
        .map(|number| {
            let store = stores[number % stores.len()].clone();
            tokio::spawn(async move { request(&store, &format!("k{number}"), "i-1").await })
        })
        .collect();
    let mut created = 0;
    for request in requests {
        match request.await.expect("it does not panic") {
            Ok((_, true)) => created += 1,
            Err(StoreError::ChangeInProgress { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(created, 1);
    assert_eq!(trail(&stores[0]).await.0.len(), 1);
}

async fn one_process_works_on_a_change(database: &Database) {
    let store = database.store().await;
    let (change, _) = request(&store, "k", "i-1").await.expect("it is accepted");
    let claim = async |holder: &str, seconds: i64| {
        store.claim_change(change.id, holder, at(seconds), TTL).await.expect("it answers").is_some()
    };
    assert!(claim("one", 0).await);
    assert!(!claim("two", 59).await);
    assert!(claim("one", 30).await);
    assert!(!claim("two", 89).await);
    assert!(claim("two", 90).await);
    assert!(!claim("one", 91).await);
    assert_eq!(store.claim_change(change.id + 1, "one", start(), TTL).await.expect("it answers"), None);
}

async fn an_update_is_stored_with_its_trail(database: &Database) {
    let store = database.store().await;
    let (change, _) = request(&store, "k", "i-1").await.expect("it is accepted");
    let mut change =
        store.claim_change(change.id, "one", start(), TTL).await.expect("it answers").expect("it is free");
    change.status = ChangeStatus::Waiting;
    change.aws_request_id = Some("request 1".into());
    change.updated_at = at(1);
    store.update_change(&change, "one", None).await.expect("it is held");
    assert_eq!(store.change(change.id).await.expect("it is read"), Some(change.clone()));

    change.status = ChangeStatus::AppliedDifferently;
    change.after = Some(options(HttpTokens::Required));
    change.error = Some(ChangeError { code: "c".into(), message: "m\0".into(), next_step: "n".into() });
    change.updated_at = at(2);
    let audit = audit_entry(AuditAction::ChangeApplied, "i-1");
    store.update_change(&change, "one", Some(&audit)).await.expect("it is held");
    assert_eq!(store.change(change.id).await.expect("it is read"), Some(change.clone()));
    assert!(store.open_changes().await.expect("they are read").is_empty());
    let (audit, events) = trail(&store).await;
    assert_eq!(audit, [change.id, change.id]);
    let statuses: Vec<_> = events.into_iter().map(|(_, status)| status).collect();
    assert_eq!(statuses, [ChangeStatus::Requested, ChangeStatus::Waiting, ChangeStatus::AppliedDifferently]);

    // What has ended is taken up by nobody and stays as it is.
    let late = start() + SignedDuration::from_hours(1);
    assert_eq!(store.claim_change(change.id, "two", late, TTL).await.expect("it answers"), None);
    change.status = ChangeStatus::Failed;
    assert!(store.update_change(&change, "one", None).await.expect_err("it has ended").is_lease_lost());
}

async fn a_process_that_lost_a_change_writes_nothing(database: &Database) {
    let store = database.store().await;
    let (requested, _) = request(&store, "k", "i-1").await.expect("it is accepted");
    let mut change =
        store.claim_change(requested.id, "one", start(), TTL).await.expect("it answers").expect("it is free");
    store.claim_change(requested.id, "two", at(61), TTL).await.expect("it answers").expect("it ran out");
    change.status = ChangeStatus::Failed;
    let audit = audit_entry(AuditAction::ChangeFailed, "i-1");
    let error = store.update_change(&change, "one", Some(&audit)).await.expect_err("it was lost");
    assert!(error.is_lease_lost(), "{error}");
    assert_eq!(store.change(requested.id).await.expect("it is read"), Some(requested.clone()));
    assert_eq!(trail(&store).await.0.len(), 1);

    change.id += 1;
    let error = store.update_change(&change, "one", None).await.expect_err("there is none");
    assert!(matches!(error, StoreError::NotFound { .. }), "{error}");
}

/// Ends a future after it was polled a number of times: a process that dies at some step of its work.
struct Cut<F> {
    future: Pin<Box<F>>,
    polls: u32,
}

impl<F: Future> Future for Cut<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls == 0 {
            return Poll::Ready(None);
        }
        self.polls -= 1;
        self.future.as_mut().poll(context).map(Some)
    }
}

async fn a_request_dropped_in_the_middle_is_whole_or_never_was(database: &Database) {
    // How often a future is polled on its way depends on the machine, so that it takes rounds to meet many steps.
    const CUTS: u32 = 12;
    const ROUNDS: u32 = 5_000;
    let store = database.store().await;
    let (mut cuts, mut rounds) = (0, 0);
    while cuts < CUTS {
        assert!(rounds < ROUNDS, "the request was cut only {cuts} times");
        let instance_id = format!("i-{rounds}");
        let future = Box::pin(request(&store, &instance_id, &instance_id));
        let outcome = Cut { future, polls: 1 + rounds % 8 }.await;
        let finished = outcome.map(|outcome| outcome.expect("it is accepted")).is_some();
        cuts += u32::from(!finished);
        rounds += 1;

        let (change, created) =
            request(&store, &instance_id, &instance_id).await.expect("it is accepted or known");
        assert!(!(finished && created), "a change that was reported is lost");
        // Neither half a trail nor a number that leads to nothing.
        assert_eq!(change.id, i64::from(rounds));
        assert_eq!(store.last_event_seq().await.expect("it is read"), i64::from(rounds));
        let filter = AuditFilter { instance_id, limit: 10, ..AuditFilter::default() };
        assert_eq!(store.audit(&filter).await.expect("it is read").len(), 1);
    }
}

async fn a_step_whose_trail_cannot_be_written_never_was(database: &Database) {
    let store = database.store().await;
    let (before, _) = request(&store, "k1", "i-1").await.expect("it is accepted");
    let mut change =
        store.claim_change(before.id, "one", start(), TTL).await.expect("it answers").expect("it is free");
    change.status = ChangeStatus::Failed;

    for table in ["audit", "events"] {
        database.execute(&format!("ALTER TABLE {table} RENAME TO gone")).await;
        let error = request(&store, "k2", "i-2").await.expect_err("there is no such table");
        assert!(matches!(error, StoreError::Database(_)), "{error}");
        let audit = audit_entry(AuditAction::ChangeFailed, "i-1");
        store.update_change(&change, "one", Some(&audit)).await.expect_err("there is no such table");
        database.execute(&format!("ALTER TABLE gone RENAME TO {table}")).await;

        assert_eq!(store.change_by_idempotency_key("k2").await.expect("it is read"), None);
        assert_eq!(store.open_changes().await.expect("they are read"), std::slice::from_ref(&before));
        assert_eq!(trail(&store).await, (vec![before.id], vec![(before.id, ChangeStatus::Requested)]));
    }
    let (next, created) = request(&store, "k2", "i-2").await.expect("it is accepted");
    assert_eq!((next.id, created), (before.id + 1, true));
}

async fn unusable_keys_are_refused(database: &Database) {
    let store = database.store().await;
    let longest = "k".repeat(MAX_IDEMPOTENCY_KEY_BYTES as usize);
    for unusable in ["", &format!("{longest}k")] {
        let error = request(&store, unusable, "i-1").await.expect_err("it is refused");
        assert!(matches!(error, StoreError::IdempotencyKeyLength { .. }), "{error}");
    }
    request(&store, &longest, "i-1").await.expect("it is accepted");
    let (_, created) = request(&store, "with\0nul", "i-2").await.expect("it is accepted");
    assert!(created);
    let (_, created) = request(&store, "with\0nul", "i-2").await.expect("it is known");
    assert!(!created);
}
