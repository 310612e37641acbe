//! What a change waits for in an environment: its tag in Git, the sync, the rollout.

use super::change::tag_of;
use super::{
    ArgoFacts, Automation, BumpPullRequest, Checks, DeadlineKind, Finding, Known, PullRequestState, Reason,
    Review, SyncWindow, UpdaterFacts,
};
use crate::delivery::{
    BumpDetail, Detail, Health, HoldKind, ImageDetail, PodTrouble, RolloutDetail, Source, Stage, Status,
    SyncDetail, SyncStatus, TagVerdict, judge_tag,
};
use crate::time::Timestamp;

/// After how many intervals without a look the updater counts as stuck.
const MISSED_POLLS: i64 = 3;

impl Known<'_> {
    /// The image is there, and nothing is known of its tag in Git.
    pub(super) fn tag(&self, image: Option<&ImageDetail>) -> Finding {
        let tag = tag_of(image);
        if let Some(finding) = self.hold() {
            return finding;
        }
        match &self.question.facts.automation {
            Automation::Updater(updater) => self.updater(updater, tag),
            Automation::Promotion => match self.question.order.before(self.question.environment) {
                Some(from) if self.state.lives(from).next().is_some() => {
                    Finding::of(Reason::PromotionNeeded { from: from.clone() })
                }
                Some(from) => Finding::of(Reason::NotInSourceEnvironment { from: from.clone() })
                    .rests_on(Source::Kubernetes),
                None => Finding::of(Reason::NoAutomation),
            },
            Automation::Pipeline => Finding::of(Reason::PipelineWrites).rests_on(Source::Git),
            Automation::Unknown => Finding::of(Reason::NoAutomation).rests_on(Source::Git),
        }
    }

    /// The hold in force that lasts longest: when it ends, none is left.
    fn hold(&self) -> Option<Finding> {
        let active = self.question.facts.holds.iter().filter(|hold| hold.is_active(self.question.now));
        let hold = active.max_by_key(|hold| (hold.until.is_none(), hold.until, hold.since))?;
        let (by, reason, pull_request) = (hold.by.clone(), hold.reason.clone(), hold.pull_request);
        let reason = match hold.kind {
            HoldKind::Frozen => Reason::Frozen { by, reason, pull_request },
            HoldKind::Held => Reason::Held { by, reason, pull_request },
        };
        Some(Finding::of(reason).within(hold.until, DeadlineKind::Until))
    }

    fn updater(&self, updater: &UpdaterFacts, tag: Option<String>) -> Finding {
        let refused = tag.clone().and_then(|tag| refusal(updater, tag));
        if let Some(reason) = refused {
            return Finding::of(reason);
        }
        let Some(checked) = updater.last_checked else {
            return Finding::of(Reason::UpdaterUnknown).rests_on(Source::ArgoCd);
        };
        let interval = i64::from(updater.interval_seconds);
        let silent = self.question.now.as_second() - checked.as_second();
        let pushed = self.change_step(Stage::Image).and_then(|step| step.finished);
        // One look may have begun before the push, and takes its time to write.
        let passed_over = pushed.is_some_and(|pushed| checked.as_second() >= pushed.as_second() + interval);
        let finding = if silent > MISSED_POLLS * interval {
            Finding::of(Reason::UpdaterStale { last_checked: checked })
        } else if passed_over {
            Finding::of(Reason::UpdaterPassedOver { tag, checked })
        } else {
            Finding::of(Reason::UpdaterPolls).within(after(checked, interval), DeadlineKind::In)
        };
        finding.rests_on(Source::ArgoCd)
    }

    /// The pull request that sets the change's tag, as far as is known.
    pub(super) fn bump_pull_request(&self) -> Option<&BumpPullRequest> {
        let bump = self.question.facts.bump.as_ref()?;
        let detail = self.bump_detail();
        let tag = self.timeline.release().and_then(|release| tag_of(release.image_detail()));
        let named = detail.and_then(|detail| detail.pull_request) == Some(bump.number);
        let same_tag = bump.tag.is_some() && bump.tag == tag;
        (named || same_tag).then_some(bump)
    }

    fn bump_detail(&self) -> Option<&BumpDetail> {
        match self.here(Stage::Bump)?.detail.as_ref()? {
            Detail::Bump(detail) => Some(detail),
            _ => None,
        }
    }

    /// The tag is on its way into Git.
    pub(super) fn bump(&self) -> Finding {
        let reopens = matches!(self.question.facts.automation, Automation::Updater(_));
        let known = self.bump_detail().and_then(|detail| detail.pull_request);
        let link = self.here(Stage::Bump).and_then(|step| step.link.as_ref());
        if let Some(bump) = self.bump_pull_request() {
            let pull_request = bump.number;
            let reason = match (bump.state, &bump.checks, bump.review) {
                (PullRequestState::Closed, _, _) => {
                    Reason::BumpClosed { pull_request: Some(pull_request), reopens }
                }
                // Merged is seen to before, as the tag is in Git then.
                (PullRequestState::Merged, _, _) => Reason::ArgoUnknown,
                (PullRequestState::Open, Checks::Failing(check), _) => {
                    Reason::BumpChecksFailing { pull_request, check: check.clone() }
                }
                (PullRequestState::Open, _, Review::ChangesRequested) => {
                    Reason::BumpChangesRequested { pull_request }
                }
                (PullRequestState::Open, _, Review::Required) => Reason::BumpNeedsReview { pull_request },
                (PullRequestState::Open, Checks::Running, _) => Reason::BumpChecksRunning { pull_request },
                (PullRequestState::Open, Checks::Passing, _)
                | (PullRequestState::Open, Checks::Unknown, Review::Approved) => {
                    Reason::BumpReady { pull_request }
                }
                (PullRequestState::Open, Checks::Unknown, Review::Unknown | Review::NotRequired) => {
                    Reason::BumpWaiting { pull_request: Some(pull_request) }
                }
            };
            return Finding::of(reason).link(bump.link.as_ref().or(link)).rests_on(Source::Github);
        }
        let reason = match self.status(Stage::Bump, true) {
            Some(Status::Running) => Reason::BumpRunning,
            Some(Status::Failed) => return Finding::of(Reason::BumpFailed).link(link),
            Some(Status::Cancelled | Status::Skipped) => Reason::BumpClosed { pull_request: known, reopens },
            Some(Status::Waiting | Status::Succeeded | Status::Unknown) | None => {
                Reason::BumpWaiting { pull_request: known }
            }
        };
        Finding::of(reason).link(link).rests_on(Source::Git)
    }

    /// The tag is in Git, and Argo CD has not applied it.
    pub(super) fn sync(&self) -> Finding {
        let argo = self.question.facts.argo.as_ref();
        let step = self.here(Stage::Sync);
        let link = step.and_then(|step| step.link.as_ref()).or(argo.and_then(|argo| argo.link.as_ref()));
        let detail = match step.and_then(|step| step.detail.as_ref()) {
            Some(Detail::Sync(detail)) => detail.clone(),
            _ => SyncDetail::default(),
        };
        let status = self.status(Stage::Sync, true);
        let finding = match (status, argo) {
            (Some(Status::Failed | Status::Cancelled), _) => {
                return Finding::of(match detail.hook {
                    Some(hook) => Reason::HookFailed { hook, message: detail.message },
                    None => Reason::SyncFailed { message: detail.message },
                })
                .link(link);
            }
            (Some(Status::Running), _) => Finding::of(Reason::SyncRunning { hook: detail.hook }),
            (_, Some(argo)) => self.waiting_for_sync(argo, status.is_some()),
            (Some(_), None) => Finding::of(Reason::SyncPending),
            (None, None) => Finding::of(Reason::ArgoUnknown),
        };
        finding.link(link).rests_on(Source::ArgoCd)
    }

    fn waiting_for_sync(&self, argo: &ArgoFacts, seen: bool) -> Finding {
        let condition = |kinds: &[&str]| {
            argo.conditions.iter().find(|condition| kinds.contains(&condition.kind.as_str()))
        };
        if let Some(condition) = condition(&["ComparisonError", "InvalidSpecError"]) {
            return Finding::of(Reason::ComparisonError {
                condition: condition.kind.clone(),
                message: condition.message.clone(),
            });
        }
        if !seen && argo.sees_commit != Some(true) {
            return self.waiting_for_poll(argo);
        }
        if let SyncWindow::Closed { until } = argo.window {
            return Finding::of(Reason::SyncWindowClosed).within(until, DeadlineKind::Until);
        }
        if let Some(condition) = condition(&["SyncError"]) {
            return Finding::of(Reason::SyncFailed { message: Some(condition.message.clone()) });
        }
        let applied = argo.sync_status == Some(SyncStatus::Synced);
        Finding::of(if argo.auto_sync || applied { Reason::SyncPending } else { Reason::ManualSync })
    }

    fn waiting_for_poll(&self, argo: &ArgoFacts) -> Finding {
        let Some(last) = argo.last_reconciled else {
            return Finding::of(Reason::ArgoUnknown);
        };
        let latest = i64::from(argo.poll_seconds) + i64::from(argo.jitter_seconds);
        if self.question.now.as_second() - last.as_second() > latest {
            return Finding::of(Reason::ArgoOverdue { last_reconciled: last });
        }
        Finding::of(Reason::ArgoPolls).within(after(last, i64::from(argo.poll_seconds)), DeadlineKind::In)
    }

    /// Argo CD has applied it, or Kubernetes has told of its pods.
    pub(super) fn rollout(&self) -> Finding {
        let step = self.here(Stage::Rollout);
        let told = match step.and_then(|step| step.detail.as_ref()) {
            Some(Detail::Rollout(detail)) => Some(detail),
            _ => None,
        };
        let link = step.and_then(|step| step.link.as_ref());
        let status = self.status(Stage::Rollout, true);
        // What is seen now is newer than what was told: each count is told once.
        let detail = self.question.facts.rollout.as_ref().or(told);
        let finding = match (status, detail) {
            (Some(Status::Succeeded), _) => return self.rolled_out(),
            (Some(Status::Failed | Status::Cancelled), None) => {
                let (ready, desired, old_serves) = (None, None, false);
                Finding::of(Reason::DeadlineExceeded { ready, desired, old_serves })
            }
            (Some(status), Some(detail)) => {
                let failed = matches!(status, Status::Failed | Status::Cancelled);
                Finding::of(rolling_out(detail, failed))
            }
            (None, Some(detail)) => Finding::of(rolling_out(detail, detail.deadline_exceeded)),
            (Some(_), None) => Finding::of(Reason::RollingOut { ready: None, desired: None }),
            // The rollout was passed unseen.
            (None, None) if self.status(Stage::Live, true).is_some() => return self.rolled_out(),
            (None, None) => return self.unseen_rollout(),
        };
        finding.link(link).rests_on(Source::Kubernetes)
    }

    fn unseen_rollout(&self) -> Finding {
        match self.health() {
            (Some(Health::Degraded | Health::Suspended | Health::Missing), _) => self.rolled_out(),
            _ => Finding::of(Reason::RolloutNotSeen).rests_on(Source::Kubernetes),
        }
    }

    /// The pods are replaced, and nothing says that it is live.
    fn rolled_out(&self) -> Finding {
        let (health, message) = self.health();
        let link = self.here(Stage::Sync).and_then(|step| step.link.as_ref());
        let link = link.or(self.question.facts.argo.as_ref().and_then(|argo| argo.link.as_ref()));
        let reason = match health {
            Some(Health::Degraded | Health::Missing) => Reason::HealthDegraded { message },
            None if self.status(Stage::Live, true) == Some(Status::Failed) => {
                Reason::HealthDegraded { message }
            }
            Some(Health::Suspended) => Reason::Suspended,
            Some(Health::Progressing) => Reason::HealthProgressing { message },
            Some(Health::Healthy | Health::Unknown) | None => {
                return self
                    .assets()
                    .unwrap_or_else(|| Finding::of(Reason::AwaitingLive).rests_on(Source::Kubernetes));
            }
        };
        Finding::of(reason).link(link).rests_on(Source::ArgoCd)
    }

    /// The application's health as Argo CD says, with its message: as it is now, or when the change was synced.
    fn health(&self) -> (Option<Health>, Option<String>) {
        if let Some(argo) = &self.question.facts.argo
            && argo.health.is_some()
        {
            return (argo.health, argo.health_message.clone());
        }
        match self.here(Stage::Sync).and_then(|step| step.detail.as_ref()) {
            Some(Detail::Sync(detail)) => (detail.health, detail.message.clone()),
            _ => (None, None),
        }
    }
}

/// Why the updater does not take a tag, if it does not.
fn refusal(updater: &UpdaterFacts, tag: String) -> Option<Reason> {
    let verdict = judge_tag(&tag, updater.strategy, updater.constraint.as_deref(), &updater.ignore_tags);
    match verdict {
        TagVerdict::Eligible if updater.tag_allowed == Some(false) => {
            Some(Reason::TagNotAllowed { tag, pattern: updater.allow_tags.clone() })
        }
        TagVerdict::Eligible => None,
        TagVerdict::Ignored { pattern } => Some(Reason::TagIgnored { tag, pattern, mode: updater.mode }),
        TagVerdict::NotAVersion => Some(Reason::TagNotAVersion { tag }),
        TagVerdict::OutsideConstraint { constraint } => Some(Reason::TagOutsideConstraint {
            tag,
            constraint: Some(constraint).filter(|text| !text.is_empty()),
        }),
        TagVerdict::InvalidConstraint { constraint } => Some(Reason::InvalidConstraint { constraint }),
        TagVerdict::NotTheFollowedTag { followed } => Some(Reason::TagNotFollowed { tag, followed }),
    }
}

fn rolling_out(detail: &RolloutDetail, failed: bool) -> Reason {
    let (desired, old_serves) = (detail.desired, detail.old_serves);
    // Pods of the new template that are available, at most: all that are not may be new ones.
    let ready = match (detail.updated, detail.available) {
        (Some(updated), Some(available)) => Some(updated.min(available)),
        (updated, available) => updated.or(available),
    };
    let stuck = detail.waiting.as_ref().and_then(|pod| Some((PodTrouble::of(&pod.reason)?, pod)));
    match stuck {
        Some((trouble, pod)) => {
            let (pod, reason) = (pod.pod.clone(), pod.reason.clone());
            Reason::PodStuck { trouble, pod, reason, ready, desired, old_serves }
        }
        None if failed || detail.deadline_exceeded => Reason::DeadlineExceeded { ready, desired, old_serves },
        None => Reason::RollingOut { ready, desired },
    }
}

fn after(at: Timestamp, seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(at.as_second().saturating_add(seconds)).ok()
}
