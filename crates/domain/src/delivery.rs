//! Delivery: the way of a change from its commit to running pods and the CDN, as pure folds over facts.
//!
//! Sources tell [`Fact`]s. A [`ChangeState`] absorbs those of one commit of one service, in any order, with duplicates and
//! gaps; everything else here is a function of such states: the [`Timeline`], the cells of the matrix, why a change is not in
//! an environment yet, and the DORA metrics.
//!
//! Whoever tells facts keeps to this, and no order of arrival matters:
//!
//! - Within an attempt what goes on never outweighs what has ended. What begins anew is another attempt, with a higher number: a
//!   job that is run again, the next operation of an Application, the next revision of a Deployment.
//! - What ended well and became bad (an Application that is degraded, pods that crash after the rollout was complete) is told as
//!   failed, by a fact of the rollout or of what is live, and as succeeded once it is well again: each with `finished`, the time
//!   of that turn, so that one that is seen again is the same.
//! - A live fact says that the environment serves the change, and since when; each switch has its own time, and the same switch
//!   seen again has the same.
//! - The times are the source's, and so is the id. The same id is the same fact.

mod argo;
mod detail;
mod dora;
mod fact;
mod hold;
mod matrix;
mod name;
mod path;
mod place;
mod rollout;
mod search;
mod sighting;
mod stage;
mod standing;
mod state;
mod summary;
mod tag;
#[cfg(test)]
pub(crate) mod tests;
mod timeline;
mod why;

pub use argo::{ApplicationState, ArgoDeployed, ImageCheck, argo_deployed};
pub use detail::{
    AssetsDetail, BumpDetail, CiDetail, CommitDetail, Detail, Health, ImageDetail, ImageState,
    InvalidationDetail, LiveDetail, OperationPhase, RolloutDetail, ScanCounts, SyncDetail, SyncStatus,
    WaitingPod,
};
pub use dora::{
    Dora, DoraRules, Durations, Evidence, Failure, FailureKind, FailureRate, Frequency, Sample, dora,
};
pub use fact::{Fact, FactError, MAX_AHEAD_SECONDS, MAX_ID_BYTES, MAX_LINK_BYTES, MAX_TEXT_BYTES, fitting};
pub use hold::{Hold, HoldKind};
pub use matrix::{Cell, CellContext, CellHealth, EnvironmentKnowledge};
pub use name::{CommitSha, EnvironmentName, EnvironmentOrder, InvalidName, RepeatedEnvironment, ServiceName};
pub use path::{CriticalPath, Hop};
pub use place::{About, Images, ReaderState, Scene, Told};
pub use rollout::{DeploymentState, PodState, PodTrouble, RolloutStatus, rollout_detail, rollout_status};
pub use search::Search;
pub use sighting::{
    Application, Branch, DesiredTag, ImageRef, Operation, Place, Seen, Sighting, Synced, TagChange, Workload,
};
pub use stage::{Source, Stage, Status};
pub use standing::{EnvironmentStanding, Mark, Standing};
pub use state::{ChangeState, LiveMark, Observation, Turn};
pub use summary::{
    ChangeSummary, Deployment, EnvironmentSummary, LiveSummary, Reached, SeenHealth, TurnSummary,
    deployments, is_newer,
};
pub use tag::{Constraint, InvalidConstraint, TagVerdict, UpdateStrategy, Version, glob_matches, judge_tag};
pub use timeline::{EnvironmentSteps, Part, Release, Step, StepStatus, Timeline};
pub use why::{
    Answer, ArgoFacts, Automation, BumpPullRequest, Checks, Condition, Deadline, DeadlineKind,
    EnvironmentFacts, Keeps, NextMove, PullRequestState, Question, Reason, Review, SourceFacts, SyncWindow,
    UpdaterFacts, UpdaterMode, tag_expression, why,
};
