//! Who has to agree before something is merged.

use serde::{Deserialize, Serialize};

use super::Operation;
use crate::time::Timestamp;

/// Somebody who asks or decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The same whether they sign in or send a token, and nobody else's: names are neither.
    pub id: String,
    /// As people read it.
    pub name: String,
}

/// Somebody's agreement with one plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    pub by: Person,
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
pub fn approval_refusal(operation: &Operation, by: &Person, seen: &str) -> Option<ApprovalRefusal> {
    let plan = &operation.plan;
    if !operation.status.is_open() {
        return Some(ApprovalRefusal::Over { state: operation.status.as_str() });
    }
    if operation.by.id == by.id {
        return Some(ApprovalRefusal::Own { by: by.name.clone() });
    }
    if plan.fingerprint != seen {
        return Some(ApprovalRefusal::Changed);
    }
    if operation.approvals().any(|approval| approval.by.id == by.id) {
        return Some(ApprovalRefusal::Again { by: by.name.clone() });
    }
    let problem = plan.refused().next().map(|check| check.message.clone());
    problem.map(|problem| ApprovalRefusal::Refused { problem })
}

impl Operation {
    /// The approvals of the plan as it is now, by others than who asked.
    pub fn approvals(&self) -> impl Iterator<Item = &Approval> {
        self.given
            .iter()
            .filter(|approval| approval.fingerprint == self.plan.fingerprint && approval.by.id != self.by.id)
    }

    /// Whether as many agree as have to.
    pub fn is_approved(&self) -> bool {
        !self.needs_approval || self.approvals().next().is_some()
    }
}
