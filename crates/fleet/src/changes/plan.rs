//! Plans a change from a fresh read, asks AWS with `DryRun`, and takes up what was confirmed.

use std::sync::Arc;

use domain::audit::{AuditAction, MAX_REASON, NewAuditEntry};
use domain::change::{
    Change, Plan, Purpose, Refusal, Request, changeable, differences, plan_enforce, plan_restore,
};
use domain::evidence::Evidence;
use domain::instance::{Instance, InstanceKey};
use domain::wire::{PlanReport, Preflight, SelectionPreview, SelectionRow, UseReport};
use jiff::Timestamp;
use store::NewChange;

use crate::config::Account;
use crate::convert;
use crate::engine::Fleet;
use crate::error::{AwsError, FleetError};

/// The operation that changes options, as IAM names it.
pub(super) const MODIFY: &str = "ec2:ModifyInstanceMetadataOptions";

/// How far back a plan looks for use of IMDSv1: weekly jobs show twice.
const EVIDENCE_DAYS: u32 = 14;
/// How many instances a preview shows one by one.
const PREVIEW_ROWS: usize = 200;

/// Who asks for a change, as the audit log names them.
#[derive(Clone, Copy, Debug)]
pub struct Requester<'a> {
    pub actor: &'a str,
    /// Where the call came from; empty where nobody called.
    pub address: &'a str,
}

impl<'a> Requester<'a> {
    /// Somebody on the machine itself.
    pub fn local(actor: &'a str) -> Requester<'a> {
        Requester { actor, address: "" }
    }
}

impl Fleet {
    /// Reads the instance again, plans requiring tokens on it, and asks AWS. Changes nothing.
    pub async fn plan_enforce(
        &self,
        key: &InstanceKey,
        hop_limit: Option<u8>,
    ) -> Result<PlanReport, FleetError> {
        let plan = self.planned(key, Purpose::Enforce { hop_limit }).await?;
        let (report, usage) = tokio::join!(self.report(plan), self.verify(key, EVIDENCE_DAYS));
        let mut report = report?;
        // What breaks is what still uses IMDSv1: it is the first thing to know before tokens are required.
        if let Ok(usage) = usage {
            report.plan.notes.insert(0, usage_note(&usage));
        }
        Ok(report)
    }

    /// Reads the instance again, plans putting back what change `change_id` sent, and asks AWS. Changes nothing.
    pub async fn plan_restore(&self, change_id: i64) -> Result<PlanReport, FleetError> {
        let change = self.change(change_id).await?;
        let plan = self.planned(&change.key, Purpose::Restore { change_id }).await?;
        self.report(plan).await
    }

    /// Takes up a confirmed plan and starts it. The same `idempotency_key` twice is the same change.
    pub async fn apply(
        self: &Arc<Fleet>,
        confirmed: Plan,
        requester: Requester<'_>,
        reason: &str,
        idempotency_key: &str,
    ) -> Result<Change, FleetError> {
        let reason = reason.trim();
        if reason.is_empty() || reason.len() > MAX_REASON {
            return Err(FleetError::Invalid(format!(
                "A change needs a reason of 1 to {MAX_REASON} characters."
            )));
        }
        if idempotency_key.is_empty() || idempotency_key.len() > 100 {
            return Err(FleetError::Invalid("An idempotency key has 1 to 100 characters.".into()));
        }
        if let Some(change) = self.store.change_by_idempotency_key(idempotency_key).await? {
            return Ok(change);
        }
        // Nothing of the confirmed plan is trusted but what it is for: the call is planned again from a fresh read.
        let plan = self.planned(&confirmed.key, confirmed.purpose).await?;
        if plan.before != confirmed.before || plan.request != confirmed.request {
            return Err(FleetError::Conflict(format!(
                "{} changed since the plan was shown. Look at the new plan.",
                plan.key.instance_id
            )));
        }
        let new = NewChange {
            idempotency_key: idempotency_key.to_owned(),
            key: plan.key.clone(),
            purpose: plan.purpose,
            request: plan.request,
            before: plan.before,
            actor: requester.actor.to_owned(),
            address: requester.address.to_owned(),
            reason: reason.to_owned(),
            policy_revision: self.policy.revision(),
            requested_at: Timestamp::now(),
        };
        let action = match plan.purpose {
            Purpose::Enforce { .. } => AuditAction::EnforceRequested,
            Purpose::Restore { .. } => AuditAction::RestoreRequested,
        };
        let audit = NewAuditEntry {
            at: new.requested_at,
            actor: new.actor.clone(),
            address: new.address.clone(),
            action,
            account: plan.key.source.account.to_string(),
            region: plan.key.source.region.to_string(),
            instance_id: plan.key.instance_id.to_string(),
            change_id: None,
            reason: new.reason.clone(),
            policy_revision: new.policy_revision.clone(),
            differences: differences(&plan.before, &plan.after),
            aws_request_id: None,
            detail: plan.call.clone(),
        };
        let (change, created) = self.store.request_change(&new, &audit).await?;
        self.events_waiting.notify_one();
        if created {
            let fleet = self.clone();
            let id = change.id;
            tokio::spawn(async move { fleet.drive(id).await });
        }
        Ok(change)
    }

    pub async fn change(&self, id: i64) -> Result<Change, FleetError> {
        self.store.change(id).await?.ok_or_else(|| {
            FleetError::NotFound(format!("There is no change {id}. The audit log lists those there are."))
        })
    }

    /// What enforcing IMDSv2 would do to each of `instances`, from what is known, without asking AWS.
    pub fn preview<'a>(&self, instances: impl Iterator<Item = &'a Instance>) -> SelectionPreview {
        let mut preview =
            SelectionPreview { selected: 0, would_change: 0, refused: Vec::new(), rows: Vec::new() };
        for instance in instances {
            let outcome = self
                .allowed(&instance.key)
                .and_then(|_| plan_enforce(instance, self.defaults(&instance.key.source).as_ref(), None));
            preview.selected += 1;
            let outcome = match outcome {
                Ok(plan) => {
                    preview.would_change += 1;
                    Ok(plan.call)
                }
                Err(refusal) => {
                    let why = refusal.to_string();
                    match preview.refused.iter_mut().find(|(known, _)| *known == why) {
                        Some((_, count)) => *count += 1,
                        None => preview.refused.push((why.clone(), 1)),
                    }
                    Err(why)
                }
            };
            if preview.rows.len() < PREVIEW_ROWS {
                let name = instance.name().unwrap_or_default().to_owned();
                preview.rows.push(SelectionRow { key: instance.key.clone(), name, outcome });
            }
        }
        preview.refused.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
        preview
    }

    /// Why IMDSv2 cannot be enforced on the instance as it is known; `None` when it can be planned.
    pub fn enforce_refusal(&self, instance: &Instance) -> Option<Refusal> {
        self.allowed(&instance.key)
            .and_then(|_| plan_enforce(instance, self.defaults(&instance.key.source).as_ref(), None))
            .err()
    }

    /// Why nothing of the instance can be put back, as it is known; `None` when it can be planned.
    pub fn restore_refusal(&self, instance: &Instance) -> Option<Refusal> {
        self.allowed(&instance.key).and_then(|_| changeable(instance)).err()
    }

    /// The account that may be changed, or why not.
    pub(super) fn allowed(&self, key: &InstanceKey) -> Result<Account, Refusal> {
        let account = self.account(&key.source.account).ok_or_else(|| Refusal::Disabled {
            why: format!("account {} is not configured.", key.source.account),
        })?;
        match self.changes_disabled(&account) {
            Some(why) => Err(Refusal::Disabled { why }),
            None => Ok(account),
        }
    }

    async fn planned(&self, key: &InstanceKey, purpose: Purpose) -> Result<Plan, FleetError> {
        self.allowed(key)?;
        let instance = self.read_again(key).await?.ok_or_else(|| crate::engine::gone(key))?;
        let defaults = self.defaults(&key.source);
        let plan = match purpose {
            Purpose::Enforce { hop_limit } => plan_enforce(&instance, defaults.as_ref(), hop_limit)?,
            Purpose::Restore { change_id } => {
                let undone = self.change(change_id).await?;
                if undone.key != *key {
                    return Err(FleetError::Invalid(format!(
                        "Change {change_id} was made to another instance."
                    )));
                }
                if !undone.status.changed_something() {
                    return Err(FleetError::Invalid(format!(
                        "Change {change_id} is {}: there is nothing to restore.",
                        undone.status.label().to_lowercase()
                    )));
                }
                plan_restore(&instance, defaults.as_ref(), change_id, &undone.request, &undone.before)?
            }
        };
        Ok(plan)
    }

    async fn report(&self, plan: Plan) -> Result<PlanReport, FleetError> {
        let answer = self.modify(&plan.key, &plan.request, true).await;
        let preflight = match answer {
            Err(error) if error.is_dry_run_permitted() => Preflight::Permitted,
            Err(error) => {
                Preflight::Refused { next_step: error.next_step(), code: error.code, message: error.message }
            }
            Ok(_) => Preflight::Refused {
                code: "response".into(),
                message: "EC2 did not treat the call as a dry run.".into(),
                next_step:
                    "Read the instance again: it may have been changed. An API in between ignores DryRun."
                        .into(),
            },
        };
        Ok(PlanReport { plan, preflight })
    }

    /// Calls ModifyInstanceMetadataOptions as the writer, within the account-region's rate, and answers AWS's request id. The
    /// options in EC2's answer are not used: they do not tell whether they are applied, so the instance is read again.
    pub(super) async fn modify(
        &self,
        key: &InstanceKey,
        request: &Request,
        dry_run: bool,
    ) -> Result<Option<String>, AwsError> {
        use aws_sdk_ec2::operation::RequestId;
        let not_configured = |why: String| AwsError::not_sent(MODIFY, why);
        let clients = self.clients(&key.source).map_err(|error| not_configured(error.to_string()))?;
        let account = self.allowed(key).map_err(|refusal| not_configured(refusal.to_string()))?;
        clients.modify_rate.take().await;
        let writer = self.aws.writer(&account, &key.source.region).await;
        let answer = writer
            .modify_instance_metadata_options()
            .instance_id(&*key.instance_id)
            .http_tokens(convert::http_tokens(request.http_tokens))
            .set_http_put_response_hop_limit(request.http_put_response_hop_limit.map(i32::from))
            .dry_run(dry_run)
            .send()
            .await
            .map_err(|error| AwsError::from_sdk(MODIFY, error))?;
        Ok(answer.request_id().map(str::to_owned))
    }
}

/// What CloudWatch's evidence means for requiring tokens.
fn usage_note(usage: &UseReport) -> String {
    match usage.evidence {
        Evidence::Used { last_seen, .. } => format!(
            "{} The last was at {last_seen}. Whatever makes them is refused once tokens are required.",
            usage.sentence
        ),
        Evidence::Quiet { .. } | Evidence::NoData { .. } => usage.sentence.clone(),
    }
}
