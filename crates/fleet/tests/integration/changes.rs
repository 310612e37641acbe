//! Changing: enforce, restore, and every way in which a change does not happen.

use std::sync::Arc;
use std::time::Duration;

use domain::audit::{AuditAction, AuditFilter, NewAuditEntry};
use domain::change::{Change, ChangeStatus, Purpose, Refusal, TakesEffect, WayBack};
use domain::instance::InstanceKey;
use domain::wire::Preflight;
use fleet::Fleet;
use fleet::config::ChangesAllowed;
use fleet::error::FleetError;
use serde_json::{Value, json};
use store::NewChange;
use tokio_util::sync::CancellationToken;

use crate::emulator::{Emulator, PROD, TESTER, until};
use crate::proxy::{Fault, Hold, Proxy};

fn is(instance: &Value, tokens: &str, state: &str) -> bool {
    instance["account"] == PROD
        && instance["state"] == state
        && instance["metadata_options"]["HttpTokens"] == tokens
        && instance["metadata_options"]["HttpEndpoint"] == "enabled"
}

/// A running instance of the first account that allows IMDSv1.
async fn v1_instance(emulator: &Emulator) -> InstanceKey {
    emulator.any(|instance| is(instance, "optional", "running")).await
}

async fn finished(fleet: &Arc<Fleet>, change: &Change) -> Change {
    until("the change is final", async || {
        fleet.change(change.id).await.expect("the change").status.is_final()
    })
    .await;
    fleet.change(change.id).await.expect("the change")
}

async fn enforced(fleet: &Arc<Fleet>, key: &InstanceKey) -> Change {
    let report = fleet.plan_enforce(key, None).await.expect("a plan");
    assert_eq!(report.preflight, Preflight::Permitted);
    let change = fleet.apply(report.plan, TESTER, "a test", "first").await.expect("a change");
    finished(fleet, &change).await
}

/// What the audit log says of the instance, oldest first.
async fn entries(fleet: &Fleet, key: &InstanceKey) -> Vec<NewAuditEntry> {
    let filter =
        AuditFilter { instance_id: key.instance_id.to_string(), limit: 100, ..AuditFilter::default() };
    let entries = fleet.store().audit(&filter).await.expect("the audit log");
    entries.into_iter().rev().map(|entry| entry.entry).collect()
}

async fn actions(fleet: &Fleet, key: &InstanceKey) -> Vec<AuditAction> {
    entries(fleet, key).await.into_iter().map(|entry| entry.action).collect()
}

#[tokio::test]
async fn enforce_changes_tokens_alone_and_restore_puts_them_back() {
    let emulator = Emulator::seeded("dev").await;
    emulator.control("applied", json!({ "describes": 2 })).await;
    let fleet = emulator.read().await;
    let key = v1_instance(&emulator).await;
    let before = emulator.describe(&key).await["metadata_options"].clone();

    let change = enforced(&fleet, &key).await;
    assert_eq!(change.status, ChangeStatus::Applied);
    assert!(change.aws_request_id.is_some());
    let mut expected = before.clone();
    expected["HttpTokens"] = "required".into();
    assert_eq!(emulator.describe(&key).await["metadata_options"], expected);
    assert_eq!(
        fleet.view().row(&key).expect("the row").verdict.kind(),
        "enforced",
        "the view follows at once"
    );
    assert_eq!(actions(&fleet, &key).await, [AuditAction::EnforceRequested, AuditAction::ChangeApplied]);

    let report = fleet.plan_restore(change.id).await.expect("a plan");
    assert_eq!(report.plan.purpose, Purpose::Restore { change_id: change.id });
    let restored = fleet.apply(report.plan, TESTER, "back", "second").await.expect("a change");
    assert_eq!(finished(&fleet, &restored).await.status, ChangeStatus::Applied);
    assert_eq!(emulator.describe(&key).await["metadata_options"], before);
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let emulator = Emulator::seeded("dev").await;
    let fleet = emulator.read().await;
    let key = v1_instance(&emulator).await;
    let before = emulator.describe(&key).await;
    fleet.plan_enforce(&key, Some(2)).await.expect("a plan");
    assert_eq!(emulator.describe(&key).await, before);
    assert!(actions(&fleet, &key).await.is_empty());
}

#[tokio::test]
async fn the_same_key_twice_is_one_change() {
    let emulator = Emulator::seeded("dev").await;
    let fleet = emulator.read().await;
    let key = v1_instance(&emulator).await;
    let plan = fleet.plan_enforce(&key, None).await.expect("a plan").plan;
    let (first, second) = tokio::join!(
        fleet.apply(plan.clone(), TESTER, "a double click", "same"),
        fleet.apply(plan.clone(), TESTER, "a double click", "same"),
    );
    let (first, second) = (first.expect("a change"), second.expect("the same change"));
    assert_eq!(first.id, second.id);
    finished(&fleet, &first).await;
    // Also when the retry comes after the change took effect, and could no longer be planned.
    let third = fleet.apply(plan, TESTER, "a double click", "same").await.expect("the same change");
    assert_eq!(third.id, first.id);
    assert_eq!(actions(&fleet, &key).await.len(), 2);
    let calls = emulator.control("calls", json!({})).await;
    let modify = format!("{} {} ec2 ModifyInstanceMetadataOptions", key.source.account, key.source.region);
    assert_eq!(calls[&modify], 2, "one dry run and one call");
}

#[tokio::test]
async fn a_plan_that_is_no_longer_true_is_refused() {
    let emulator = Emulator::seeded("dev").await;
    let fleet = emulator.read().await;
    let key = v1_instance(&emulator).await;
    let plan = fleet.plan_enforce(&key, None).await.expect("a plan").plan;
    let moved = json!({ "account": &*key.source.account, "region": &*key.source.region, "instance_id": &*key.instance_id,
        "metadata_options": { "HttpPutResponseHopLimit": 7 } });
    emulator.control("instance", moved).await;
    let refused = fleet.apply(plan, TESTER, "too late", "late").await;
    assert!(matches!(refused, Err(FleetError::Conflict(_))), "{refused:?}");
    assert_eq!(emulator.describe(&key).await["metadata_options"]["HttpTokens"], "optional");
}

#[tokio::test]
async fn a_plan_from_a_client_cannot_ask_for_another_call() {
    let emulator = Emulator::seeded("dev").await;
    let fleet = emulator.read().await;
    let key = v1_instance(&emulator).await;
    let mut plan = fleet.plan_enforce(&key, None).await.expect("a plan").plan;
    plan.request.http_put_response_hop_limit = Some(64);
    let refused = fleet.apply(plan, TESTER, "a forged plan", "forged").await;
    assert!(matches!(refused, Err(FleetError::Conflict(_))), "{refused:?}");
}

#[tokio::test]
async fn a_stopped_instance_takes_the_change_at_its_next_start() {
    let emulator = Emulator::seeded("dev").await;
    let fleet = emulator.read().await;
    let key = emulator.any(|instance| is(instance, "optional", "stopped")).await;
    let plan = fleet.plan_enforce(&key, None).await.expect("a plan").plan;
    assert_eq!(plan.takes_effect, TakesEffect::AtNextStart);
    let change = fleet.apply(plan, TESTER, "while it is off", "stopped").await.expect("a change");
    assert_eq!(finished(&fleet, &change).await.status, ChangeStatus::AtNextStart);
    assert_eq!(
        fleet.view().row(&key).expect("the row").verdict.kind(),
        "pending",
        "not safe before it is applied"
    );
}

#[tokio::test]
async fn what_a_service_manages_is_refused() {
    let emulator = Emulator::seeded("dev").await;
    let key = v1_instance(&emulator).await;
    let managed = json!({ "account": &*key.source.account, "region": &*key.source.region, "instance_id": &*key.instance_id,
        "operator": { "Managed": true, "Principal": "eks.amazonaws.com" } });
    emulator.control("instance", managed).await;
    let fleet = emulator.read().await;
    let refused = fleet.plan_enforce(&key, None).await;
    assert!(
        matches!(&refused, Err(FleetError::Refused(Refusal::Managed { operator })) if operator == "eks.amazonaws.com"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn an_instance_that_was_terminated_since_the_list_is_told_as_gone() {
    let emulator = Emulator::seeded("dev").await;
    let fleet = emulator.read().await;
    let key = v1_instance(&emulator).await;
    let plan = fleet.plan_enforce(&key, None).await.expect("a plan").plan;
    let terminated = json!({ "account": &*key.source.account, "region": &*key.source.region,
        "instance_id": &*key.instance_id, "state": "terminated" });
    emulator.control("instance", terminated).await;
    let refused = fleet.apply(plan, TESTER, "too late", "gone").await;
    assert!(
        matches!(refused, Err(FleetError::Refused(Refusal::Terminal { .. }) | FleetError::NotFound(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn each_refusal_of_aws_is_shown_before_anything_is_asked() {
    let emulator = Emulator::seeded("dev").await;
    let fleet = emulator.read().await;
    let key = v1_instance(&emulator).await;
    for code in ["UnauthorizedOperation", "UnsupportedOperation", "IncorrectInstanceState", "ExpiredToken"] {
        emulator.fail(&key.source, "ModifyInstanceMetadataOptions", code, 1).await;
        let report = fleet.plan_enforce(&key, None).await.expect("a plan");
        let Preflight::Refused { code: answered, next_step, .. } = report.preflight else {
            panic!("{code} is a refusal")
        };
        assert_eq!(answered, code);
        assert!(!next_step.is_empty());
    }
}

#[tokio::test]
async fn a_throttled_call_is_repeated_and_a_refused_one_is_not() {
    let emulator = Emulator::seeded("dev").await;
    let fleet = emulator.read().await;
    let key = v1_instance(&emulator).await;
    let plan = fleet.plan_enforce(&key, None).await.expect("a plan").plan;
    emulator.fail(&key.source, "ModifyInstanceMetadataOptions", "RequestLimitExceeded", 2).await;
    let change = fleet.apply(plan, TESTER, "a test", "throttled").await.expect("a change");
    assert_eq!(finished(&fleet, &change).await.status, ChangeStatus::Applied);

    let report = fleet.plan_restore(change.id).await.expect("a plan");
    emulator.fail(&key.source, "ModifyInstanceMetadataOptions", "UnauthorizedOperation", 1).await;
    let change = fleet.apply(report.plan, TESTER, "a test", "refused").await.expect("a change");
    let change = finished(&fleet, &change).await;
    assert_eq!(change.status, ChangeStatus::Failed);
    assert_eq!(change.error.expect("an explanation").code, "UnauthorizedOperation");
    assert_eq!(emulator.describe(&key).await["metadata_options"]["HttpTokens"], "required");
}

#[tokio::test]
async fn a_call_whose_answer_is_lost_is_looked_up_and_not_repeated() {
    let emulator = Emulator::seeded("dev").await;
    let proxy = Proxy::start(&emulator.url).await;
    let mut config = emulator.config();
    config.endpoint_url = Some(proxy.url.clone());
    let fleet = emulator.fleet_with(config).await;
    fleet.refresh(false).await.expect("the fleet is read");
    let key = v1_instance(&emulator).await;
    let plan = fleet.plan_enforce(&key, None).await.expect("a plan").plan;
    proxy.break_next("ModifyInstanceMetadataOptions", "", Fault::Lost, 1);
    let change = fleet.apply(plan, TESTER, "a test", "lost").await.expect("a change");
    assert_eq!(finished(&fleet, &change).await.status, ChangeStatus::Applied);
    let calls = emulator.control("calls", json!({})).await;
    let modify = format!("{} {} ec2 ModifyInstanceMetadataOptions", key.source.account, key.source.region);
    assert_eq!(calls[&modify], 2, "one dry run and one call");
}

#[tokio::test]
async fn a_read_that_began_before_a_change_does_not_undo_it_in_the_view() {
    let emulator = Emulator::seeded("dev").await;
    let proxy = Proxy::start(&emulator.url).await;
    let mut config = emulator.config();
    config.endpoint_url = Some(proxy.url.clone());
    let fleet = emulator.fleet_with(config).await;
    fleet.refresh(false).await.expect("the fleet is read");
    let key = v1_instance(&emulator).await;

    // Both accounts' reads of the region.
    let hold = Hold::new();
    proxy.break_next("DescribeInstances", &key.source.region, Fault::Held(hold.clone()), 2);
    let slow = tokio::spawn({
        let fleet = fleet.clone();
        async move { fleet.refresh(false).await }
    });
    hold.kept(2).await;
    let change = enforced(&fleet, &key).await;
    assert_eq!(change.status, ChangeStatus::Applied);
    hold.release();
    slow.await.expect("the read ends").expect("the fleet is read");
    assert_eq!(fleet.view().row(&key).expect("the row").verdict.kind(), "enforced");
}

#[tokio::test]
async fn enforcement_in_the_account_closes_the_way_back_and_the_plan_says_so() {
    let emulator = Emulator::seeded("dev").await;
    let key = v1_instance(&emulator).await;
    let enforced_there = json!({ "account": &*key.source.account, "region": &*key.source.region, "http_tokens_enforced": "enabled" });
    emulator.control("defaults", enforced_there).await;
    let fleet = emulator.read().await;
    let plan = fleet.plan_enforce(&key, None).await.expect("a plan").plan;
    assert!(matches!(plan.way_back, WayBack::Blocked { .. }), "{:?}", plan.way_back);
    let change = enforced(&fleet, &key).await;
    let refused = fleet.plan_restore(change.id).await;
    assert!(matches!(refused, Err(FleetError::Refused(Refusal::WayBackBlocked))), "{refused:?}");
}

#[tokio::test]
async fn without_a_writer_role_or_in_read_only_mode_nothing_can_be_planned() {
    let emulator = Emulator::seeded("dev").await;
    let key = v1_instance(&emulator).await;
    let mut read_only = emulator.config();
    read_only.changes = ChangesAllowed::Never("read-only".into());
    let mut without_writer = emulator.config();
    if let fleet::config::AccountSelection::Listed(accounts) = &mut without_writer.accounts {
        accounts.iter_mut().for_each(|account| account.writer_role_arn = None);
    }
    for config in [read_only, without_writer] {
        let fleet = emulator.fleet_with(config).await;
        fleet.refresh(false).await.expect("the fleet is read");
        let refused = fleet.plan_enforce(&key, None).await;
        assert!(matches!(refused, Err(FleetError::Refused(Refusal::Disabled { .. }))), "{refused:?}");
        assert!(fleet.view().sources[&key.source].status.changes_disabled.is_some());
    }
}

#[tokio::test]
async fn a_change_that_a_dead_process_was_calling_is_looked_up_and_finished() {
    let emulator = Emulator::seeded("dev").await;
    let fleet = emulator.read().await;
    let key = v1_instance(&emulator).await;
    let plan = fleet.plan_enforce(&key, None).await.expect("a plan").plan;
    // What a process leaves that died between writing `calling` and the call.
    let new = NewChange {
        idempotency_key: "dead".into(),
        key: key.clone(),
        purpose: plan.purpose,
        request: plan.request,
        before: plan.before,
        actor: "tester".into(),
        address: "203.0.113.9".into(),
        reason: "a test".into(),
        policy_revision: "1".into(),
        requested_at: jiff::Timestamp::now(),
    };
    let audit = NewAuditEntry {
        at: new.requested_at,
        actor: new.actor.clone(),
        address: new.address.clone(),
        action: AuditAction::EnforceRequested,
        account: key.source.account.to_string(),
        region: key.source.region.to_string(),
        instance_id: key.instance_id.to_string(),
        change_id: None,
        reason: new.reason.clone(),
        policy_revision: new.policy_revision.clone(),
        differences: Vec::new(),
        aws_request_id: None,
        detail: plan.call,
    };
    let store = fleet.store();
    let (mut change, _) = store.request_change(&new, &audit).await.expect("a change");
    let lease = jiff::SignedDuration::from_millis(1);
    let now = jiff::Timestamp::now();
    store
        .claim_change(change.id, "dead process", now, lease)
        .await
        .expect("a claim")
        .expect("nobody holds it");
    change.status = ChangeStatus::Calling;
    store.update_change(&change, "dead process", None).await.expect("the status is stored");

    let stop = CancellationToken::new();
    let running = tokio::spawn(fleet.clone().run(stop.clone()));
    let change = finished(&fleet, &change).await;
    assert_eq!(change.status, ChangeStatus::Applied);
    assert_eq!(emulator.describe(&key).await["metadata_options"]["HttpTokens"], "required");
    let entries = entries(&fleet, &key).await;
    let told: Vec<_> = entries.iter().map(|entry| (entry.action, entry.address.as_str())).collect();
    // Whoever finishes it, it was asked for from there.
    let from = "203.0.113.9";
    assert_eq!(told, [(AuditAction::EnforceRequested, from), (AuditAction::ChangeApplied, from)]);
    stop.cancel();
    let stopped = tokio::time::timeout(Duration::from_secs(20), running).await;
    assert!(stopped.is_ok(), "the fleet stops when it is told to");
}
