//! GitOps operations: freeze, resume, promote and revert, each one commit and one pull request. What is asked for, what it comes to
//! in the repository, who has to agree, what happens next, and whether it holds in the end; all of it without I/O.

mod approval;
mod ask;
mod brought;
mod effect;
mod operation;
mod plan;
mod preflight;
mod standing;
#[cfg(test)]
mod tests;
mod words;

pub use approval::{Approval, ApprovalRefusal, Person, approval_refusal};
pub use ask::{Ask, AskError, AskKind, Return};
pub use brought::{Brought, BroughtCommit, brought};
pub use effect::{Effect, PlaceSeen, effect};
pub use operation::{
    Closing, InvalidOperationId, Merged, Move, Operation, OperationId, OperationStatus, PullRequest,
    next_move,
};
pub use plan::{Before, Content, FileDiff, Plan, Setting, Step, StepKind};
pub use preflight::{Check, Found, PromotionSource, Verdict, preflight};
pub use standing::holds;
pub use words::{body, branch, title};
