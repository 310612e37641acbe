//! The closed set of reasons why a change is not in an environment yet.

use serde::{Deserialize, Serialize};

use crate::delivery::{CommitSha, EnvironmentName, PodTrouble, Source, UpdaterMode};
use crate::time::Timestamp;

/// Why a change is not in an environment yet, or that it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    AlreadyLive {
        since: Timestamp,
    },
    /// The environment runs a newer commit, which contains this one.
    Superseded {
        version: Option<String>,
        commit: CommitSha,
    },
    /// It was live, and an older commit was put back, which a hold may keep there.
    RolledBack {
        version: Option<String>,
        commit: CommitSha,
        at: Timestamp,
        held_by: Option<String>,
    },
    UnknownCommit,
    NotOnBranch {
        branch: String,
        delivered: String,
        pull_request: Option<u32>,
    },

    CiUnknown,
    CiRunning {
        job: Option<String>,
        others: u32,
    },
    CiWaiting {
        job: Option<String>,
        others: u32,
    },
    CiNeedsApproval {
        job: Option<String>,
    },
    CiFailed {
        job: Option<String>,
        step: Option<String>,
    },
    CiCancelled {
        job: Option<String>,
    },

    ImageBuilding,
    ImageUnknown,
    /// CI succeeded, and the registry was asked.
    NotInRegistry {
        ended: Option<Timestamp>,
    },
    ImageFailed,
    ImageSkipped,
    ScanBlocked {
        critical: u32,
        high: u32,
    },
    ImageArchived {
        tag: Option<String>,
    },
    ImageRestoring {
        tag: Option<String>,
    },

    AssetsUploading,
    AssetsFailed,
    InvalidationRunning {
        id: Option<String>,
    },
    InvalidationFailed,

    TagNotAVersion {
        tag: String,
    },
    /// No constraint is one that allows every release.
    TagOutsideConstraint {
        tag: String,
        constraint: Option<String>,
    },
    InvalidConstraint {
        constraint: String,
    },
    TagIgnored {
        tag: String,
        pattern: String,
        mode: UpdaterMode,
    },
    TagNotAllowed {
        tag: String,
        pattern: Option<String>,
    },
    TagNotFollowed {
        tag: String,
        followed: Option<String>,
    },
    Frozen {
        by: String,
        reason: String,
        pull_request: Option<u32>,
    },
    Held {
        by: String,
        reason: String,
        pull_request: Option<u32>,
    },
    UpdaterPolls,
    UpdaterUnknown,
    UpdaterStale {
        last_checked: Timestamp,
    },
    UpdaterPassedOver {
        tag: Option<String>,
        checked: Timestamp,
    },
    PromotionNeeded {
        from: EnvironmentName,
    },
    NotInSourceEnvironment {
        from: EnvironmentName,
    },
    /// Either of these, for somebody who does not see that environment.
    Promoted,
    PipelineWrites,
    NoAutomation,

    BumpNeedsReview {
        pull_request: u32,
    },
    BumpChangesRequested {
        pull_request: u32,
    },
    BumpChecksFailing {
        pull_request: u32,
        check: String,
    },
    BumpChecksRunning {
        pull_request: u32,
    },
    BumpReady {
        pull_request: u32,
    },
    /// `reopens`: the updater asks for open pull requests only, and so makes another at its next poll.
    BumpClosed {
        pull_request: Option<u32>,
        reopens: bool,
    },
    BumpWaiting {
        pull_request: Option<u32>,
    },
    BumpRunning,
    BumpFailed,

    ArgoPolls,
    ArgoOverdue {
        last_reconciled: Timestamp,
    },
    ArgoUnknown,
    ComparisonError {
        condition: String,
        message: String,
    },
    SyncWindowClosed,
    ManualSync,
    SyncPending,
    SyncRunning {
        hook: Option<String>,
    },
    SyncFailed {
        message: Option<String>,
    },
    HookFailed {
        hook: String,
        message: Option<String>,
    },

    RolloutNotSeen,
    RollingOut {
        ready: Option<u32>,
        desired: Option<u32>,
    },
    PodStuck {
        trouble: PodTrouble,
        pod: String,
        /// Kubernetes' own word.
        reason: String,
        ready: Option<u32>,
        desired: Option<u32>,
        old_serves: bool,
    },
    DeadlineExceeded {
        ready: Option<u32>,
        desired: Option<u32>,
        old_serves: bool,
    },
    HealthDegraded {
        message: Option<String>,
    },
    HealthProgressing {
        message: Option<String>,
    },
    Suspended,
    AwaitingLive,

    /// What it waits for cannot be told: the source that would has not answered since.
    SourceDown {
        source: Source,
        since: Option<Timestamp>,
        error: Option<String>,
    },
}

/// Whose move it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NextMove {
    /// Nothing is left to do.
    Done,
    /// It goes on by itself.
    Machine,
    /// Somebody has to do something.
    Person,
    /// It cannot be told.
    Unknown,
}

impl Reason {
    /// The name in exports, URLs and style sheets.
    pub fn kind(&self) -> &'static str {
        match self {
            Reason::AlreadyLive { .. } => "already-live",
            Reason::Superseded { .. } => "superseded",
            Reason::RolledBack { .. } => "rolled-back",
            Reason::UnknownCommit => "unknown-commit",
            Reason::NotOnBranch { .. } => "not-on-branch",
            Reason::CiUnknown => "ci-unknown",
            Reason::CiRunning { .. } => "ci-running",
            Reason::CiWaiting { .. } => "ci-waiting",
            Reason::CiNeedsApproval { .. } => "ci-needs-approval",
            Reason::CiFailed { .. } => "ci-failed",
            Reason::CiCancelled { .. } => "ci-cancelled",
            Reason::ImageBuilding => "image-building",
            Reason::ImageUnknown => "image-unknown",
            Reason::NotInRegistry { .. } => "not-in-registry",
            Reason::ImageFailed => "image-failed",
            Reason::ImageSkipped => "image-skipped",
            Reason::ScanBlocked { .. } => "scan-blocked",
            Reason::ImageArchived { .. } => "image-archived",
            Reason::ImageRestoring { .. } => "image-restoring",
            Reason::AssetsUploading => "assets-uploading",
            Reason::AssetsFailed => "assets-failed",
            Reason::InvalidationRunning { .. } => "invalidation-running",
            Reason::InvalidationFailed => "invalidation-failed",
            Reason::TagNotAVersion { .. } => "tag-not-a-version",
            Reason::TagOutsideConstraint { .. } => "tag-outside-constraint",
            Reason::InvalidConstraint { .. } => "invalid-constraint",
            Reason::TagIgnored { .. } => "tag-ignored",
            Reason::TagNotAllowed { .. } => "tag-not-allowed",
            Reason::TagNotFollowed { .. } => "tag-not-followed",
            Reason::Frozen { .. } => "frozen",
            Reason::Held { .. } => "held",
            Reason::UpdaterPolls => "updater-polls",
            Reason::UpdaterUnknown => "updater-unknown",
            Reason::UpdaterStale { .. } => "updater-stale",
            Reason::UpdaterPassedOver { .. } => "updater-passed-over",
            Reason::PromotionNeeded { .. } => "promotion-needed",
            Reason::NotInSourceEnvironment { .. } => "not-in-source-environment",
            Reason::Promoted => "promoted",
            Reason::PipelineWrites => "pipeline-writes",
            Reason::NoAutomation => "no-automation",
            Reason::BumpNeedsReview { .. } => "bump-needs-review",
            Reason::BumpChangesRequested { .. } => "bump-changes-requested",
            Reason::BumpChecksFailing { .. } => "bump-checks-failing",
            Reason::BumpChecksRunning { .. } => "bump-checks-running",
            Reason::BumpReady { .. } => "bump-ready",
            Reason::BumpClosed { .. } => "bump-closed",
            Reason::BumpWaiting { .. } => "bump-waiting",
            Reason::BumpRunning => "bump-running",
            Reason::BumpFailed => "bump-failed",
            Reason::ArgoPolls => "argo-polls",
            Reason::ArgoOverdue { .. } => "argo-overdue",
            Reason::ArgoUnknown => "argo-unknown",
            Reason::ComparisonError { .. } => "comparison-error",
            Reason::SyncWindowClosed => "sync-window-closed",
            Reason::ManualSync => "manual-sync",
            Reason::SyncPending => "sync-pending",
            Reason::SyncRunning { .. } => "sync-running",
            Reason::SyncFailed { .. } => "sync-failed",
            Reason::HookFailed { .. } => "hook-failed",
            Reason::RolloutNotSeen => "rollout-not-seen",
            Reason::RollingOut { .. } => "rolling-out",
            Reason::PodStuck { .. } => "pod-stuck",
            Reason::DeadlineExceeded { .. } => "deadline-exceeded",
            Reason::HealthDegraded { .. } => "health-degraded",
            Reason::HealthProgressing { .. } => "health-progressing",
            Reason::Suspended => "suspended",
            Reason::AwaitingLive => "awaiting-live",
            Reason::SourceDown { .. } => "source-down",
        }
    }

    /// Whose move it is.
    pub fn next_move(&self) -> NextMove {
        match self {
            Reason::AlreadyLive { .. } | Reason::Superseded { .. } => NextMove::Done,
            Reason::CiRunning { .. }
            | Reason::CiWaiting { .. }
            | Reason::ImageBuilding
            | Reason::ImageRestoring { .. }
            | Reason::AssetsUploading
            | Reason::InvalidationRunning { .. }
            | Reason::UpdaterPolls
            | Reason::NotInSourceEnvironment { .. }
            | Reason::PipelineWrites
            | Reason::BumpChecksRunning { .. }
            | Reason::BumpRunning
            | Reason::ArgoPolls
            | Reason::SyncWindowClosed
            | Reason::SyncPending
            | Reason::SyncRunning { .. }
            | Reason::RolloutNotSeen
            | Reason::RollingOut { .. }
            | Reason::HealthProgressing { .. }
            | Reason::AwaitingLive => NextMove::Machine,
            Reason::UnknownCommit
            | Reason::CiUnknown
            | Reason::ImageUnknown
            | Reason::UpdaterUnknown
            | Reason::Promoted
            | Reason::ArgoUnknown
            | Reason::SourceDown { .. } => NextMove::Unknown,
            Reason::RolledBack { .. }
            | Reason::NotOnBranch { .. }
            | Reason::CiNeedsApproval { .. }
            | Reason::CiFailed { .. }
            | Reason::CiCancelled { .. }
            | Reason::NotInRegistry { .. }
            | Reason::ImageFailed
            | Reason::ImageSkipped
            | Reason::ScanBlocked { .. }
            | Reason::ImageArchived { .. }
            | Reason::AssetsFailed
            | Reason::InvalidationFailed
            | Reason::TagNotAVersion { .. }
            | Reason::TagOutsideConstraint { .. }
            | Reason::InvalidConstraint { .. }
            | Reason::TagIgnored { .. }
            | Reason::TagNotAllowed { .. }
            | Reason::TagNotFollowed { .. }
            | Reason::Frozen { .. }
            | Reason::Held { .. }
            | Reason::UpdaterStale { .. }
            | Reason::UpdaterPassedOver { .. }
            | Reason::PromotionNeeded { .. }
            | Reason::NoAutomation
            | Reason::BumpNeedsReview { .. }
            | Reason::BumpChangesRequested { .. }
            | Reason::BumpChecksFailing { .. }
            | Reason::BumpReady { .. }
            | Reason::BumpClosed { .. }
            | Reason::BumpWaiting { .. }
            | Reason::BumpFailed
            | Reason::ArgoOverdue { .. }
            | Reason::ComparisonError { .. }
            | Reason::ManualSync
            | Reason::SyncFailed { .. }
            | Reason::HookFailed { .. }
            | Reason::PodStuck { .. }
            | Reason::DeadlineExceeded { .. }
            | Reason::HealthDegraded { .. }
            | Reason::Suspended => NextMove::Person,
        }
    }
}
