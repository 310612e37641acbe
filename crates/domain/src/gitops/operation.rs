//! An operation on its way: requested, merged, in effect.

use serde::{Deserialize, Serialize};

use super::{Approval, Ask, Effect, Person, Plan};
use crate::time::Timestamp;

/// An operation with all that is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    pub id: OperationId,
    pub ask: Ask,
    /// Who asked.
    pub by: Person,
    pub reason: String,
    pub at: Timestamp,
    pub plan: Plan,
    /// Whether somebody else has to agree before it is merged.
    pub needs_approval: bool,
    /// Whether it is merged as soon as it may be, rather than when somebody says so.
    pub merges_itself: bool,
    /// Everybody's agreement, with this plan or one before it.
    pub given: Vec<Approval>,
    /// The plans that somebody wanted merged, by their fingerprints.
    #[serde(default)]
    pub wanted: Vec<String>,
    /// Who has it closed, and why.
    #[serde(default)]
    pub closing: Option<Closing>,
    #[serde(default)]
    pub pull_request: Option<PullRequest>,
    #[serde(default)]
    pub merged: Option<Merged>,
    pub status: OperationStatus,
    /// Why it does not go on, or did not come to an end as it should; what to do about it.
    #[serde(default)]
    pub problem: Option<String>,
    /// When its status last changed.
    pub updated: Timestamp,
    /// The operation that takes a freeze back when its time has come.
    #[serde(default)]
    pub resumed_by: Option<OperationId>,
}

/// The name of an operation: 12 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OperationId(String);

/// A text that is no operation's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no operation: 12 hexadecimal digits, as `tollgate gitops status` shows them.")]
pub struct InvalidOperationId(String);

impl OperationId {
    const LENGTH: usize = 12;

    /// # Errors
    /// For anything but 12 hexadecimal digits in lower case.
    pub fn parse(text: &str) -> Result<OperationId, InvalidOperationId> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() == OperationId::LENGTH && text.bytes().all(is_digit) {
            Ok(OperationId(text.to_owned()))
        } else {
            Err(InvalidOperationId(text.chars().take(40).collect()))
        }
    }

    /// The name of an operation that 6 random bytes give.
    pub fn of(random: [u8; 6]) -> OperationId {
        OperationId(random.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for OperationId {
    type Error = InvalidOperationId;

    fn try_from(text: String) -> Result<OperationId, InvalidOperationId> {
        OperationId::parse(&text)
    }
}

impl From<OperationId> for String {
    fn from(id: OperationId) -> String {
        id.0
    }
}

impl std::fmt::Display for OperationId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// That somebody does not want it any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    pub by: Person,
    pub reason: String,
}

/// Where the request is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullRequest {
    /// `None` in a repository on disk, which has none: its branch is the request.
    pub number: Option<u32>,
    pub branch: String,
    /// The commit of the branch.
    pub head: String,
    /// The commit that it was made on.
    pub base: String,
    pub link: Option<String>,
}

/// That it is on the branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merged {
    pub commit: String,
    pub at: Timestamp,
}

/// How far an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperationStatus {
    /// Asked for; there is no pull request yet.
    Requested,
    /// There is a pull request.
    Open,
    /// It is on the branch, and is not seen to be in effect yet.
    Merged,
    /// It was seen to be in effect.
    Effective,
    /// It is on the branch, and something keeps it from having the effect that was asked for.
    NotEffective,
    /// The pull request was closed without being merged.
    Closed,
    /// It was given up.
    Failed,
}

impl OperationStatus {
    pub const ALL: [OperationStatus; 7] = [
        OperationStatus::Requested,
        OperationStatus::Open,
        OperationStatus::Merged,
        OperationStatus::Effective,
        OperationStatus::NotEffective,
        OperationStatus::Closed,
        OperationStatus::Failed,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            OperationStatus::Requested => "requested",
            OperationStatus::Open => "open",
            OperationStatus::Merged => "merged",
            OperationStatus::Effective => "effective",
            OperationStatus::NotEffective => "not-effective",
            OperationStatus::Closed => "closed",
            OperationStatus::Failed => "failed",
        }
    }

    pub fn parse(text: &str) -> Option<OperationStatus> {
        OperationStatus::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether it is not merged yet and may be.
    pub fn is_open(self) -> bool {
        matches!(self, OperationStatus::Requested | OperationStatus::Open)
    }

    /// Whether it is on the branch.
    pub fn is_merged(self) -> bool {
        matches!(self, OperationStatus::Merged | OperationStatus::Effective | OperationStatus::NotEffective)
    }

    /// Whether nothing more comes of it.
    pub fn is_final(self) -> bool {
        match self {
            OperationStatus::Effective | OperationStatus::Closed | OperationStatus::Failed => true,
            OperationStatus::Requested
            | OperationStatus::Open
            | OperationStatus::Merged
            | OperationStatus::NotEffective => false,
        }
    }
}

/// What is to be done next about an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// The pull request is to be opened.
    Open,
    /// It waits: for an approval, or for whoever merges it. Whether it was merged or closed elsewhere is looked at.
    Watch,
    /// It is to be merged.
    Merge,
    /// Its pull request is to be closed.
    Close,
    /// Whether it is in effect is to be looked at.
    Prove,
    /// Its time has come: a resume is to be asked for.
    Resume,
    Nothing,
}

/// What is to be done next.
pub fn next_move(operation: &Operation, now: Timestamp) -> Move {
    match operation.status {
        status if status.is_open() && operation.closing.is_some() => Move::Close,
        OperationStatus::Requested => Move::Open,
        OperationStatus::Open if operation.is_wanted() && operation.is_approved() => Move::Merge,
        OperationStatus::Open => Move::Watch,
        status if status.is_merged() && is_over(operation, now) => Move::Resume,
        OperationStatus::Merged | OperationStatus::NotEffective => Move::Prove,
        OperationStatus::Effective | OperationStatus::Closed | OperationStatus::Failed => Move::Nothing,
    }
}

/// Whether a freeze has reached its end and nobody has asked for a resume.
fn is_over(operation: &Operation, now: Timestamp) -> bool {
    match operation.ask {
        Ask::Freeze { until: Some(until), .. } => until <= now && operation.resumed_by.is_none(),
        Ask::Freeze { until: None, .. } | Ask::Resume { .. } | Ask::Promote { .. } | Ask::Revert { .. } => {
            false
        }
    }
}

impl Operation {
    /// Whether there is anything to be done about it now or later.
    pub fn is_pending(&self) -> bool {
        let ends = matches!(self.ask, Ask::Freeze { until: Some(_), .. }) && self.resumed_by.is_none();
        !self.status.is_final() || (self.status.is_merged() && ends)
    }

    /// Whether the plan as it is now is to be merged.
    pub fn is_wanted(&self) -> bool {
        self.merges_itself || self.wanted.contains(&self.plan.fingerprint)
    }

    /// Takes in whether it is in effect.
    pub fn proved(&mut self, effect: &Effect, now: Timestamp) {
        let (status, problem) = match effect {
            Effect::Yes => (OperationStatus::Effective, None),
            Effect::NotYet(why) => (OperationStatus::Merged, Some(why.clone())),
            Effect::No(why) => (OperationStatus::NotEffective, Some(why.clone())),
        };
        self.turn(status, problem, now);
    }

    /// Takes in that it has come somewhere.
    pub fn turn(&mut self, status: OperationStatus, problem: Option<String>, now: Timestamp) {
        if self.status != status {
            self.updated = now;
        }
        self.status = status;
        self.problem = problem;
    }
}
