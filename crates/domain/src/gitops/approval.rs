//! Who has to agree before something is merged.

use serde::{Deserialize, Serialize};

use super::Operation;
use crate::time::Timestamp;

/// Somebody's agreement with one plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    pub by: String,
    pub at: Timestamp,
    /// The plan that was agreed with.
    pub fingerprint: String,
    /// The policy under which it was looked at.
    pub policy_revision: String,
}

/// Why somebody cannot approve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalRefusal {
    #[error("{by} asked for it: somebody else has to approve it.")]
    Own { by: String },
    #[error("It has changed since it was looked at: look at what it does now, and approve that.")]
    Changed,
    #[error("It is {state} already: there is nothing left to approve.")]
    Over { state: &'static str },
    #[error("{by} has approved it already.")]
    Again { by: String },
    #[error("It cannot be carried out as it is: {problem}")]
    Refused { problem: String },
}

/// Whether `by` may approve the plan that they saw, by its fingerprint; `None` where they may.
pub fn approval_refusal(operation: &Operation, by: &str, seen: &str) -> Option<ApprovalRefusal> {
    let plan = &operation.plan;
    if !operation.status.is_open() {
        return Some(ApprovalRefusal::Over { state: operation.status.as_str() });
    }
    if operation.by == by {
        return Some(ApprovalRefusal::Own { by: by.to_owned() });
    }
    if plan.fingerprint != seen {
        return Some(ApprovalRefusal::Changed);
    }
    if operation.approvals().any(|approval| approval.by == by) {
        return Some(ApprovalRefusal::Again { by: by.to_owned() });
    }
    let problem = plan.refused().next().map(|check| check.message.clone());
    problem.map(|problem| ApprovalRefusal::Refused { problem })
}

impl Operation {
    /// The approvals of the plan as it is now, by others than who asked.
    pub fn approvals(&self) -> impl Iterator<Item = &Approval> {
        self.given
            .iter()
            .filter(|approval| approval.fingerprint == self.plan.fingerprint && approval.by != self.by)
    }

    /// Whether as many agree as have to.
    pub fn is_approved(&self) -> bool {
        !self.needs_approval || self.approvals().next().is_some()
    }
}
