//! GitOps operations: kept once, worked on by one process, decided on meanwhile, never without their trail.

use std::collections::BTreeSet;

use domain::audit::{AuditAction, AuditFilter};
use domain::delivery::{EnvironmentName, Place, ServiceName};
use domain::gitops::{Ask, Merged, Operation, OperationId, OperationStatus, Person, Plan};
use store::{Decision, DecisionKind, GITOPS_EVENT, GitopsEvent, Lease, Store, StoreError};

use crate::database::Database;
use crate::sample::{TTL, at, audit_entry};

crate::on_both_databases!(
    an_operation_is_kept_once_with_its_trail,
    what_is_decided_meanwhile_is_not_lost,
    who_lost_the_branch_writes_nothing,
    what_holds_is_found_among_what_is_merged,
);

fn place() -> Place {
    Place {
        service: ServiceName::parse("users").expect("a name"),
        environment: EnvironmentName::parse("prod").expect("a name"),
    }
}

fn person(name: &str) -> Person {
    Person { id: format!("issuer {name}"), name: name.into() }
}

fn operation(number: u8) -> Operation {
    Operation {
        id: OperationId::of([number; 6]),
        ask: Ask::Freeze { places: BTreeSet::from([place()]), until: None, bypass: None },
        by: person("ada"),
        reason: "the sale".into(),
        at: at(i64::from(number)),
        plan: Plan {
            repository: "acme/gitops".into(),
            branch: "main".into(),
            base: "b0".into(),
            steps: Vec::new(),
            files: Vec::new(),
            brought: Vec::new(),
            checks: Vec::new(),
            fingerprint: "f1".into(),
        },
        needs_approval: true,
        merges_itself: false,
        given: Vec::new(),
        wanted: Vec::new(),
        closing: None,
        pull_request: None,
        merged: None,
        status: OperationStatus::Requested,
        problem: None,
        updated: at(i64::from(number)),
        resumed_by: None,
    }
}

async fn kept(store: &Store, operation: &Operation) -> bool {
    let audit = audit_entry(AuditAction::OperationRequested, "");
    store.request_operation(operation, &audit).await.expect("it is kept")
}

async fn lease(store: &Store, holder: &str, second: i64) -> Option<Lease> {
    store.acquire_lease("gitops/acme/gitops@main", holder, at(second), TTL).await.expect("an answer")
}

/// The actions in the audit log and the states in the events, oldest first.
async fn trail(store: &Store) -> (Vec<AuditAction>, Vec<OperationStatus>) {
    let audit =
        store.audit(&AuditFilter { limit: 1_000, ..AuditFilter::default() }).await.expect("it is read");
    let events = store.events_after(0, 1_000).await.expect("they are read");
    let events = events.into_iter().map(|event| {
        assert_eq!(event.kind, GITOPS_EVENT);
        serde_json::from_str::<GitopsEvent>(&event.payload).expect("an operation's event").status
    });
    (audit.into_iter().rev().map(|entry| entry.entry.action).collect(), events.collect())
}

async fn an_operation_is_kept_once_with_its_trail(database: &Database) {
    let store = database.store().await;
    let (first, second) = (operation(1), operation(2));
    assert!(kept(&store, &first).await);
    assert!(kept(&store, &second).await);
    let other = Operation { reason: "another".into(), ..first.clone() };
    assert!(!kept(&store, &other).await, "it is there");
    assert_eq!(store.operation(&first.id).await.expect("an answer"), Some(first.clone()));
    assert_eq!(store.operations(1).await.expect("an answer"), std::slice::from_ref(&second), "newest first");
    assert_eq!(store.pending_operations().await.expect("an answer"), [first.clone(), second.clone()]);
    assert_eq!(store.operation(&operation(3).id).await.expect("an answer"), None);

    let lease = lease(&store, "a", 0).await.expect("it is free");
    let closed = Operation { status: OperationStatus::Closed, ..first.clone() };
    let audit = audit_entry(AuditAction::OperationClosed, "");
    store.update_operation(&closed, at(3), &lease, Some(&audit)).await.expect("it is written");
    assert_eq!(store.pending_operations().await.expect("an answer"), [second]);
    assert_eq!(
        trail(&store).await,
        (
            vec![
                AuditAction::OperationRequested,
                AuditAction::OperationRequested,
                AuditAction::OperationClosed
            ],
            vec![OperationStatus::Requested, OperationStatus::Requested, OperationStatus::Closed],
        )
    );
    let unknown = store.update_operation(&operation(9), at(3), &lease, None).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { .. })), "{unknown:?}");
}

async fn what_is_decided_meanwhile_is_not_lost(database: &Database) {
    let store = database.store().await;
    let mut one = operation(1);
    kept(&store, &one).await;
    let lease = lease(&store, "a", 0).await.expect("it is free");
    let decide = async |kind, by: &str, fingerprint: &str| {
        let decision = Decision {
            operation: operation(1).id,
            kind,
            by: person(by),
            at: at(5),
            fingerprint: fingerprint.into(),
            policy_revision: "r1".into(),
            reason: "why not".into(),
        };
        let audit = audit_entry(AuditAction::OperationApproved, "");
        store.decide_operation(&decision, &audit).await
    };
    assert!(decide(DecisionKind::Approve, "ben", "f1").await.expect("it is kept"));
    assert!(!decide(DecisionKind::Approve, "ben", "f1").await.expect("an answer"), "once");
    assert!(decide(DecisionKind::Merge, "ben", "f1").await.expect("it is kept"));
    // Whoever works on it has read it before, and writes what they read.
    one.status = OperationStatus::Open;
    store.update_operation(&one, at(6), &lease, None).await.expect("it is written");
    let read = store.operation(&one.id).await.expect("an answer").expect("it is there");
    assert_eq!(read.given.len(), 1);
    assert_eq!((read.given[0].by.name.as_str(), read.given[0].policy_revision.as_str()), ("ben", "r1"));
    assert!(read.is_wanted() && read.is_approved());

    // Of another plan nothing was decided.
    one = read;
    one.plan.fingerprint = "f2".into();
    store.update_operation(&one, at(7), &lease, None).await.expect("it is written");
    let read = store.operation(&one.id).await.expect("an answer").expect("it is there");
    assert!(!read.is_wanted() && !read.is_approved());
    assert_eq!(read.closing, None);
    decide(DecisionKind::Close, "ana", "f2").await.expect("it is kept");
    let read = store.pending_operations().await.expect("an answer").remove(0);
    assert_eq!(
        read.closing.map(|closing| (closing.by, closing.reason)),
        Some((person("ana"), "why not".into()))
    );
    let unknown = Decision {
        operation: operation(9).id,
        kind: DecisionKind::Merge,
        by: person("ben"),
        at: at(5),
        fingerprint: "f1".into(),
        policy_revision: String::new(),
        reason: String::new(),
    };
    let audit = audit_entry(AuditAction::MergeRequested, "");
    let refused = store.decide_operation(&unknown, &audit).await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
}

async fn who_lost_the_branch_writes_nothing(database: &Database) {
    let store = database.store().await;
    let one = operation(1);
    kept(&store, &one).await;
    let first = lease(&store, "a", 0).await.expect("it is free");
    assert!(lease(&store, "b", 30).await.is_none());
    lease(&store, "b", 61).await.expect("it ran out");
    let late = Operation { status: OperationStatus::Failed, ..one.clone() };
    let lost = store.update_operation(&late, at(62), &first, None).await;
    assert!(matches!(lost, Err(StoreError::LeaseLost { .. })), "{lost:?}");
    assert_eq!(store.operation(&one.id).await.expect("an answer"), Some(one));
}

async fn what_holds_is_found_among_what_is_merged(database: &Database) {
    let store = database.store().await;
    let lease = lease(&store, "a", 0).await.expect("it is free");
    for number in 1..=3 {
        kept(&store, &operation(number)).await;
    }
    let mut promotion = operation(4);
    promotion.ask = Ask::Promote {
        services: BTreeSet::from([place().service]),
        from: EnvironmentName::parse("staging").expect("a name"),
        to: place().environment,
    };
    kept(&store, &promotion).await;
    for (number, status) in
        [(1, OperationStatus::Merged), (2, OperationStatus::Effective), (3, OperationStatus::Closed)]
    {
        let merged = Some(Merged { commit: "c1".into(), at: at(10) });
        let one = Operation { status, merged, ..operation(number) };
        store.update_operation(&one, at(10), &lease, None).await.expect("it is written");
    }
    promotion.status = OperationStatus::Effective;
    store.update_operation(&promotion, at(10), &lease, None).await.expect("it is written");
    let holding = store.holding_operations().await.expect("an answer");
    let ids: Vec<&OperationId> = holding.iter().map(|operation| &operation.id).collect();
    assert_eq!(ids, [&operation(1).id, &operation(2).id]);
    assert_eq!(domain::gitops::holds(&holding).len(), 1);
}
