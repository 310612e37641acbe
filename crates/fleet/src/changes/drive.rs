//! Carries a change on from whatever status it is in, until it is final or somebody else's.

use std::sync::Arc;
use std::time::Duration;

use domain::audit::{AuditAction, NewAuditEntry};
use domain::change::{Change, ChangeError, ChangeStatus, Difference, differences};
use domain::instance::Instance;
use domain::progress::{AfterCall, BeforeCall, after_call, before_call};
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::engine::Fleet;
use crate::error::{AwsError, FleetError};

/// How long a process may be silent about a change before another takes it up.
const LEASE: SignedDuration = SignedDuration::from_secs(30);
/// How often a process tells that it still carries a change, however long a step of it takes.
const RENEWAL: Duration = Duration::from_secs(10);
/// How often changes without a living process are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(10);
/// How often EC2 is asked whether the options are applied: soon at first, then less often.
const POLL_FIRST: Duration = Duration::from_millis(500);
const POLL_LAST: Duration = Duration::from_secs(5);
/// How long one process waits before it leaves the change to the sweep, which goes on more slowly.
const PATIENCE: Duration = Duration::from_secs(180);
/// Attempts at a throttled call before the change fails.
const THROTTLED_ATTEMPTS: u32 = 6;

/// What one step came to.
enum Step {
    /// The change moved; store it and go on.
    Moved(Box<Change>),
    /// Nothing to store yet; look again after a pause.
    Again,
    /// The change is final already.
    Done,
}

impl Fleet {
    /// Takes up changes that no process carries on, until `shutdown`.
    pub(crate) async fn carry_changes_until(self: &Arc<Fleet>, shutdown: CancellationToken) {
        loop {
            match self.store.open_changes().await {
                Ok(changes) => {
                    for change in changes {
                        let fleet = self.clone();
                        tokio::spawn(async move { fleet.drive(change.id).await });
                    }
                }
                Err(error) => tracing::error!(%error, "open changes cannot be listed; trying again"),
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(SWEEP_INTERVAL) => {}
            }
        }
    }

    /// Carries the change on; returns when it is final, somebody else's, or to be waited for longer than one process should.
    pub(crate) async fn drive(self: &Arc<Fleet>, id: i64) {
        // A name of its own for each attempt: two tasks of one process must not both carry a change.
        let holder = format!("{}/{}", self.holder, uuid::Uuid::new_v4());
        if let Err(error) = self.drive_claimed(id, &holder).await {
            tracing::error!(change.id = id, %error, "change {id} could not be carried on; it is taken up again");
        }
    }

    async fn drive_claimed(&self, id: i64, holder: &str) -> Result<(), FleetError> {
        // Whether it was this process that wrote `Calling`: only then is it known that the call was not made yet.
        let mut decided_here = false;
        let started = tokio::time::Instant::now();
        let mut pause = POLL_FIRST;
        loop {
            let Some(change) = self.store.claim_change(id, holder, Timestamp::now(), LEASE).await? else {
                return Ok(());
            };
            let step = self.step(change, decided_here);
            let Some(step) = self.while_claimed(id, holder, step).await? else { return Ok(()) };
            match step {
                Step::Done => return Ok(()),
                Step::Moved(change) => {
                    let audit = change.status.is_final().then(|| final_entry(&change));
                    self.store.update_change(&change, holder, audit.as_ref()).await?;
                    decided_here = change.status == ChangeStatus::Calling;
                    self.events_waiting.notify_one();
                    if change.status.is_final() {
                        return Ok(());
                    }
                }
                Step::Again => {
                    if started.elapsed() > PATIENCE {
                        return Ok(());
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(POLL_LAST);
                }
            }
        }
    }

    async fn step(&self, change: Change, decided_here: bool) -> Result<Step, FleetError> {
        match change.status {
            ChangeStatus::Requested => self.check_before_call(change).await,
            ChangeStatus::Calling if decided_here => self.call(change).await,
            ChangeStatus::Calling => self.look_up(change, None).await,
            ChangeStatus::Waiting => self.look_whether_applied(change).await,
            ChangeStatus::Applied
            | ChangeStatus::AtNextStart
            | ChangeStatus::AppliedDifferently
            | ChangeStatus::PlanOutdated
            | ChangeStatus::Failed => Ok(Step::Done),
        }
    }

    /// Does `work` and keeps the claim meanwhile; `None` when another process has taken the change up, which ends the work.
    async fn while_claimed(
        &self,
        id: i64,
        holder: &str,
        work: impl Future<Output = Result<Step, FleetError>>,
    ) -> Result<Option<Step>, FleetError> {
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done.map(Some),
                () = tokio::time::sleep(RENEWAL) => {}
            }
            match self.store.claim_change(id, holder, Timestamp::now(), LEASE).await {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(None),
                // The claim stands until it lapses; the store may be back by then.
                Err(error) => {
                    tracing::warn!(change.id = id, %error, "the claim on change {id} could not be renewed")
                }
            }
        }
    }

    /// `Requested`: reads the instance once more. What remains is the time between this read and EC2 taking the call, in which
    /// another tool's change would be overwritten in the fields that are sent; EC2 has no conditional form of the call.
    async fn check_before_call(&self, mut change: Change) -> Result<Step, FleetError> {
        let fresh = match self.read_again(&change.key).await {
            Ok(fresh) => fresh,
            Err(FleetError::Aws(error)) => return Ok(Step::Moved(failed(change, &error))),
            Err(error) => return Err(error),
        };
        match before_call(&change.before, fresh.as_deref()) {
            BeforeCall::Send => change.status = ChangeStatus::Calling,
            BeforeCall::Gone => end_gone(&mut change),
            BeforeCall::Outdated(moved) => {
                change.status = ChangeStatus::PlanOutdated;
                change.error = Some(ChangeError {
                    code: "plan-outdated".into(),
                    message: format!(
                        "The instance changed after it was planned: {}. Nothing was sent.",
                        listed(&moved)
                    ),
                    next_step: "Plan the change again and look at the new difference.".into(),
                });
            }
        }
        Ok(Step::Moved(stamped(change)))
    }

    /// `Calling`, decided by this process a moment ago: makes the call.
    async fn call(&self, mut change: Change) -> Result<Step, FleetError> {
        let mut throttled = 0;
        loop {
            match self.modify(&change.key, &change.request, false).await {
                Ok(request_id) => {
                    change.aws_request_id = request_id;
                    change.status = ChangeStatus::Waiting;
                    return Ok(Step::Moved(stamped(change)));
                }
                Err(error) if error.is_throttled() && throttled < THROTTLED_ATTEMPTS => {
                    throttled += 1;
                    tokio::time::sleep(back_off(throttled)).await;
                }
                Err(error) if error.is_outcome_unknown() => {
                    tracing::warn!(change.id, %error, "the outcome of change {} is unknown; looking it up", change.id);
                    change.aws_request_id = error.request_id.clone();
                    return self.look_up(change, Some(&error)).await;
                }
                Err(error) => return Ok(Step::Moved(failed(change, &error))),
            }
        }
    }

    /// `Calling`, with an answer that is not known: the process that decided to call is gone, or the call ended in `error`.
    /// What became of it is read before anything is sent again.
    async fn look_up(&self, mut change: Change, error: Option<&AwsError>) -> Result<Step, FleetError> {
        let fresh = match self.read_again(&change.key).await {
            Ok(fresh) => fresh,
            Err(FleetError::Aws(_)) => return Ok(Step::Again),
            Err(error) => return Err(error),
        };
        match (after_call(&change.before, &change.request, fresh.as_deref()), error) {
            (AfterCall::Unchanged, Some(error)) => {
                let mut change = failed(change, error);
                if let Some(explained) = &mut change.error {
                    explained.next_step =
                        format!("The instance was read again and is unchanged. {}", explained.next_step);
                }
                return Ok(Step::Moved(change));
            }
            // The process that decided to call died before it did, or its call was not carried out: decide again.
            (AfterCall::Unchanged, None) => change.status = ChangeStatus::Requested,
            (AfterCall::NotYet, _) => change.status = ChangeStatus::Waiting,
            (outcome, _) => end(&mut change, outcome, fresh.as_deref()),
        }
        Ok(Step::Moved(stamped(change)))
    }

    /// `Waiting`: reads the instance until the options are applied.
    async fn look_whether_applied(&self, mut change: Change) -> Result<Step, FleetError> {
        let fresh = match self.read_again(&change.key).await {
            Ok(fresh) => fresh,
            Err(FleetError::Aws(error)) => {
                tracing::warn!(change.id, %error, "change {} was accepted and cannot be read back yet", change.id);
                return Ok(Step::Again);
            }
            Err(error) => return Err(error),
        };
        match after_call(&change.before, &change.request, fresh.as_deref()) {
            // EC2 is eventually consistent: an accepted call may not show for a while.
            AfterCall::Unchanged | AfterCall::NotYet => return Ok(Step::Again),
            outcome => end(&mut change, outcome, fresh.as_deref()),
        }
        Ok(Step::Moved(stamped(change)))
    }
}

/// Makes the change final as `outcome` says.
fn end(change: &mut Change, outcome: AfterCall, fresh: Option<&Instance>) {
    change.after = fresh.and_then(|instance| instance.metadata_options);
    match outcome {
        AfterCall::Done(status) => change.status = status,
        AfterCall::Different(moved) => {
            change.status = ChangeStatus::AppliedDifferently;
            change.error = Some(ChangeError {
                code: "applied-differently".into(),
                message: format!("The change is in effect, and other fields moved as well: {}.", listed(&moved)),
                next_step: "Compare with what other tools do to this instance; restore the previous options if they are wrong.".into(),
            });
        }
        AfterCall::Gone => end_gone(change),
        AfterCall::Unchanged | AfterCall::NotYet => {}
    }
}

fn end_gone(change: &mut Change) {
    change.status = ChangeStatus::Failed;
    change.error = Some(ChangeError {
        code: "InvalidInstanceID.NotFound".into(),
        message: format!("{} was terminated before the change took effect.", change.key.instance_id),
        next_step: "Nothing is left to change. Look at its replacement, if it has one.".into(),
    });
}

fn failed(mut change: Change, error: &AwsError) -> Box<Change> {
    change.status = ChangeStatus::Failed;
    change.aws_request_id = error.request_id.clone().or(change.aws_request_id);
    change.error = Some(error.to_change_error(&change.key.instance_id));
    stamped(change)
}

fn stamped(mut change: Change) -> Box<Change> {
    change.updated_at = Timestamp::now();
    Box::new(change)
}

/// The audit entry that ends a change.
fn final_entry(change: &Change) -> NewAuditEntry {
    let action = if change.status.changed_something() {
        AuditAction::ChangeApplied
    } else {
        AuditAction::ChangeFailed
    };
    let detail = match &change.error {
        Some(error) => format!("{}: {} {}", change.status.label(), error.message, error.next_step),
        None => change.status.label().to_owned(),
    };
    NewAuditEntry {
        at: change.updated_at,
        actor: change.actor.clone(),
        address: change.address.clone(),
        action,
        account: change.key.source.account.to_string(),
        region: change.key.source.region.to_string(),
        instance_id: change.key.instance_id.to_string(),
        change_id: Some(change.id),
        reason: change.reason.clone(),
        policy_revision: change.policy_revision.clone(),
        differences: change.after.map(|after| differences(&change.before, &after)).unwrap_or_default(),
        aws_request_id: change.aws_request_id.clone(),
        detail,
    }
}

fn listed(moved: &[Difference]) -> String {
    let parts: Vec<String> = moved
        .iter()
        .map(|difference| format!("{} {} → {}", difference.field, difference.before, difference.after))
        .collect();
    parts.join(", ")
}

/// 1, 2, 4 … seconds, and up to a quarter more, so that several processes do not call in step.
fn back_off(attempt: u32) -> Duration {
    let seconds = 2_u64.saturating_pow(attempt.saturating_sub(1)).min(30);
    let spread = u64::from(uuid::Uuid::new_v4().as_bytes()[0]) * seconds;
    Duration::from_secs(seconds) + Duration::from_millis(spread)
}
