//! The audit log's entries: who did what from where, to which instance, why, under which policy, and what came of it.

use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::change::Difference;

/// The longest reason that is kept, in bytes.
pub const MAX_REASON: usize = 1_000;

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
    /// Somebody signed in.
    SignIn,
    /// Somebody tried to sign in and was not let in.
    SignInFailed,
    /// What somebody's groups give is not what it was when they signed in before.
    RoleChanged,
    /// Somebody ended their own session.
    SignOut,
    /// A session was ended from another one, by its owner or an administrator.
    SessionRevoked,
    /// A personal access token was made.
    TokenMade,
    /// A personal access token was taken back.
    TokenRevoked,
    /// Somebody let a program in to act for them.
    DeviceApproved,
    /// Somebody refused a program that wanted to act for them.
    DeviceRefused,
    /// An earlier release of the page was asked to be live again.
    RollbackRequested,
    /// It is live again.
    RolledBack,
    /// It is not, or not for sure.
    RollbackFailed,
    /// A GitOps operation was asked for.
    OperationRequested,
    /// Somebody agreed with the plan of a GitOps operation.
    OperationApproved,
    /// Somebody had a GitOps operation merged.
    MergeRequested,
    /// It is on the branch.
    OperationMerged,
    /// It was seen to be in effect.
    OperationEffective,
    /// It was closed without being merged.
    OperationClosed,
    /// It was given up.
    OperationFailed,
    /// A request was refused because no grant allows it.
    Denied,
}

impl AuditAction {
    pub const ALL: [AuditAction; 25] = [
        AuditAction::EnforceRequested,
        AuditAction::RestoreRequested,
        AuditAction::ChangeApplied,
        AuditAction::ChangeFailed,
        AuditAction::ChangeRefused,
        AuditAction::SignIn,
        AuditAction::SignInFailed,
        AuditAction::RoleChanged,
        AuditAction::SignOut,
        AuditAction::SessionRevoked,
        AuditAction::TokenMade,
        AuditAction::TokenRevoked,
        AuditAction::DeviceApproved,
        AuditAction::DeviceRefused,
        AuditAction::RollbackRequested,
        AuditAction::RolledBack,
        AuditAction::RollbackFailed,
        AuditAction::OperationRequested,
        AuditAction::OperationApproved,
        AuditAction::MergeRequested,
        AuditAction::OperationMerged,
        AuditAction::OperationEffective,
        AuditAction::OperationClosed,
        AuditAction::OperationFailed,
        AuditAction::Denied,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            AuditAction::EnforceRequested => "enforce-requested",
            AuditAction::RestoreRequested => "restore-requested",
            AuditAction::ChangeApplied => "change-applied",
            AuditAction::ChangeFailed => "change-failed",
            AuditAction::ChangeRefused => "change-refused",
            AuditAction::SignIn => "sign-in",
            AuditAction::SignInFailed => "sign-in-failed",
            AuditAction::RoleChanged => "role-changed",
            AuditAction::SignOut => "sign-out",
            AuditAction::SessionRevoked => "session-revoked",
            AuditAction::TokenMade => "token-made",
            AuditAction::TokenRevoked => "token-revoked",
            AuditAction::DeviceApproved => "device-approved",
            AuditAction::DeviceRefused => "device-refused",
            AuditAction::RollbackRequested => "rollback-requested",
            AuditAction::RolledBack => "rolled-back",
            AuditAction::RollbackFailed => "rollback-failed",
            AuditAction::OperationRequested => "operation-requested",
            AuditAction::OperationApproved => "operation-approved",
            AuditAction::MergeRequested => "merge-requested",
            AuditAction::OperationMerged => "operation-merged",
            AuditAction::OperationEffective => "operation-effective",
            AuditAction::OperationClosed => "operation-closed",
            AuditAction::OperationFailed => "operation-failed",
            AuditAction::Denied => "denied",
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
            AuditAction::SignIn => "Sign-in",
            AuditAction::SignInFailed => "Sign-in failed",
            AuditAction::RoleChanged => "Role changed",
            AuditAction::SignOut => "Sign-out",
            AuditAction::SessionRevoked => "Session revoked",
            AuditAction::TokenMade => "Token made",
            AuditAction::TokenRevoked => "Token revoked",
            AuditAction::DeviceApproved => "Program let in",
            AuditAction::DeviceRefused => "Program refused",
            AuditAction::RollbackRequested => "Rollback requested",
            AuditAction::RolledBack => "Rolled back",
            AuditAction::RollbackFailed => "Rollback failed",
            AuditAction::OperationRequested => "Operation requested",
            AuditAction::OperationApproved => "Operation approved",
            AuditAction::MergeRequested => "Merge requested",
            AuditAction::OperationMerged => "Operation merged",
            AuditAction::OperationEffective => "Operation effective",
            AuditAction::OperationClosed => "Operation closed",
            AuditAction::OperationFailed => "Operation failed",
            AuditAction::Denied => "Denied",
        }
    }
}

/// What is written for one entry; the store adds the sequence number. What concerns no instance leaves `account`, `region`
/// and `instance_id` empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewAuditEntry {
    pub at: Timestamp,
    pub actor: String,
    /// Where the actor called from; empty where nobody called.
    pub address: String,
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

impl NewAuditEntry {
    /// An entry of `action` at `at` that says nothing else yet.
    pub fn of(action: AuditAction, at: Timestamp) -> NewAuditEntry {
        NewAuditEntry {
            at,
            actor: String::new(),
            address: String::new(),
            action,
            account: String::new(),
            region: String::new(),
            instance_id: String::new(),
            change_id: None,
            reason: String::new(),
            policy_revision: String::new(),
            differences: Vec::new(),
            aws_request_id: None,
            detail: String::new(),
        }
    }
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
    /// A substring of actor, address, reason, instance id, account, request id or detail.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_has_one_name_wherever_it_is_written() {
        for action in AuditAction::ALL {
            assert_eq!(serde_json::to_value(action).unwrap(), action.as_str());
            assert_eq!(AuditAction::parse(action.as_str()), Some(action));
        }
    }
}
