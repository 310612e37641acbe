//! The audit log's entries: who did what to which instance, why, under which policy, and what came of it.

use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::change::Difference;

/// What an audit entry records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditAction {
    /// Tokens were asked to be required on an instance.
    EnforceRequested,
    /// Stored options were asked to be put back.
    RestoreRequested,
    /// The change took effect, or will at the next start.
    ChangeApplied,
    /// The change did not happen.
    ChangeFailed,
    /// The change was refused before anything was sent.
    ChangeRefused,
}

impl AuditAction {
    pub const ALL: [AuditAction; 5] = [
        AuditAction::EnforceRequested,
        AuditAction::RestoreRequested,
        AuditAction::ChangeApplied,
        AuditAction::ChangeFailed,
        AuditAction::ChangeRefused,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            AuditAction::EnforceRequested => "enforce-requested",
            AuditAction::RestoreRequested => "restore-requested",
            AuditAction::ChangeApplied => "change-applied",
            AuditAction::ChangeFailed => "change-failed",
            AuditAction::ChangeRefused => "change-refused",
        }
    }

    pub fn parse(text: &str) -> Option<AuditAction> {
        AuditAction::ALL.into_iter().find(|action| action.as_str() == text)
    }

    pub fn label(self) -> &'static str {
        match self {
            AuditAction::EnforceRequested => "Enforce requested",
            AuditAction::RestoreRequested => "Restore requested",
            AuditAction::ChangeApplied => "Change applied",
            AuditAction::ChangeFailed => "Change failed",
            AuditAction::ChangeRefused => "Change refused",
        }
    }
}

/// What is written for one entry; the store adds the sequence number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewAuditEntry {
    pub at: Timestamp,
    pub actor: String,
    pub action: AuditAction,
    pub account: String,
    pub region: String,
    pub instance_id: String,
    pub change_id: Option<i64>,
    pub reason: String,
    pub policy_revision: String,
    /// The fields before and after: asked for, or read back.
    pub differences: Vec<Difference>,
    pub aws_request_id: Option<String>,
    /// The outcome in words: the status, or the error and the next step.
    pub detail: String,
}

/// One entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Ascending, without order among processes other than that of the commit.
    pub seq: i64,
    pub entry: NewAuditEntry,
}

/// Which entries are asked for; empty text means any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditFilter {
    /// A substring of actor, reason, instance id, account, request id or detail.
    pub text: String,
    pub action: Option<AuditAction>,
    pub account: String,
    pub instance_id: String,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// Entries with a smaller sequence number only: the next page.
    pub before_seq: Option<i64>,
    /// At most this many entries, 1 to 1,000.
    pub limit: u32,
}
