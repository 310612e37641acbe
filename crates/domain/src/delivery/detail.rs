//! What a fact says beside how far its stage has come, by stage.

use serde::{Deserialize, Serialize};

use crate::delivery::Stage;
use crate::time::Timestamp;

/// What a stage carries.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Detail {
    Commit(CommitDetail),
    Ci(CiDetail),
    Image(ImageDetail),
    Assets(AssetsDetail),
    Invalidation(InvalidationDetail),
    Bump(BumpDetail),
    Sync(SyncDetail),
    Rollout(RolloutDetail),
    Live(LiveDetail),
}

/// A commit on the branch that is delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct CommitDetail {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The first line of the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The committer's time, by which the commits of a service are ordered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub committed: Option<Timestamp>,
    /// The pull request that it was merged by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<u32>,
}

/// A job of continuous integration.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct CiDetail {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// The step that runs, or that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Whether somebody has to approve before it goes on (GitHub: a run or job that is `waiting` for a protected environment,
    /// or ended in `action_required`).
    pub needs_approval: bool,
}

/// An image in the registry.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageDetail {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// `sha256:` and 64 digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scan: Option<ScanCounts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<ImageState>,
}

/// Findings of an image scan by severity (ECR `findingSeverityCounts`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct ScanCounts {
    pub critical: u32,
    pub high: u32,
    pub medium: u32,
    pub low: u32,
    /// `INFORMATIONAL`, `UNDEFINED` and whatever else.
    pub other: u32,
}

/// Whether an image can be pulled (ECR `imageStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageState {
    Active,
    /// It has to be restored before it can be pulled.
    Archived,
    /// It is being restored.
    Activating,
}

/// A static bundle in its bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct AssetsDetail {
    /// The release that the commit was built into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
}

/// An invalidation of the CDN.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct InvalidationDetail {
    /// The invalidation's id (CloudFront).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// The environment's desired tag in Git.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct BumpDetail {
    /// The pull request that changes it, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<u32>,
    /// The commit of the GitOps repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag_before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag_after: Option<String>,
}

/// An Argo CD Application with the revision that holds the change.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct SyncDetail {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync_status: Option<SyncStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<OperationPhase>,
    /// The operation's message, or the health's where the operation went well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The hook that runs or failed, such as `Job/migrate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hook: Option<String>,
}

/// Argo CD's `status.sync.status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SyncStatus {
    Synced,
    OutOfSync,
    Unknown,
}

impl SyncStatus {
    /// Reads Argo CD's word; one that is not known is `Unknown`.
    pub fn parse(text: &str) -> SyncStatus {
        match text {
            "Synced" => SyncStatus::Synced,
            "OutOfSync" => SyncStatus::OutOfSync,
            _ => SyncStatus::Unknown,
        }
    }
}

/// Argo CD's `status.health.status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    Healthy,
    Progressing,
    Degraded,
    Suspended,
    Missing,
    Unknown,
}

impl Health {
    /// How bad it is: of several that are seen at once the worst counts.
    pub(super) fn badness(self) -> u8 {
        match self {
            Health::Healthy => 0,
            Health::Suspended => 1,
            Health::Progressing => 2,
            Health::Unknown => 3,
            Health::Missing => 4,
            Health::Degraded => 5,
        }
    }

    /// Argo CD's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Health::Healthy => "Healthy",
            Health::Progressing => "Progressing",
            Health::Degraded => "Degraded",
            Health::Suspended => "Suspended",
            Health::Missing => "Missing",
            Health::Unknown => "Unknown",
        }
    }

    /// Reads Argo CD's word; one that is not known is `Unknown`.
    pub fn parse(text: &str) -> Health {
        match text {
            "Healthy" => Health::Healthy,
            "Progressing" => Health::Progressing,
            "Degraded" => Health::Degraded,
            "Suspended" => Health::Suspended,
            "Missing" => Health::Missing,
            _ => Health::Unknown,
        }
    }
}

/// Argo CD's `status.operationState.phase`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperationPhase {
    Running,
    Terminating,
    Failed,
    Error,
    Succeeded,
}

impl OperationPhase {
    /// Reads Argo CD's word; `None` for one that is not known.
    pub fn parse(text: &str) -> Option<OperationPhase> {
        Some(match text {
            "Running" => OperationPhase::Running,
            "Terminating" => OperationPhase::Terminating,
            "Failed" => OperationPhase::Failed,
            "Error" => OperationPhase::Error,
            "Succeeded" => OperationPhase::Succeeded,
            _ => return None,
        })
    }
}

/// A workload whose pods are replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct RolloutDetail {
    /// `Deployment/users`, after the cluster's name where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// Pods that are wanted (`spec.replicas`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired: Option<u32>,
    /// Pods of the new template (`status.updatedReplicas`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated: Option<u32>,
    /// Pods that are available, of either template (`status.availableReplicas`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available: Option<u32>,
    /// A new pod that does not get to run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<WaitingPod>,
    /// Restarts of the new pods' containers together.
    pub restarts: u32,
    /// The condition `Progressing` has the reason `ProgressDeadlineExceeded`.
    pub deadline_exceeded: bool,
    /// The condition `Available` holds, so that whoever is not replaced yet serves.
    pub old_serves: bool,
}

/// A pod that does not get to run, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct WaitingPod {
    pub pod: String,
    /// Kubernetes' own word: `ImagePullBackOff`, `CrashLoopBackOff`, `Unschedulable`.
    pub reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What an environment serves.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct LiveDetail {
    /// The tag that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// The other's value where there is none.
fn fill<T: Clone>(mine: &mut Option<T>, other: &Option<T>) {
    if mine.is_none() {
        mine.clone_from(other);
    }
}

impl Detail {
    /// The stage that carries it.
    pub fn stage(&self) -> Stage {
        match self {
            Detail::Commit(_) => Stage::Commit,
            Detail::Ci(_) => Stage::Ci,
            Detail::Image(_) => Stage::Image,
            Detail::Assets(_) => Stage::Assets,
            Detail::Invalidation(_) => Stage::Invalidation,
            Detail::Bump(_) => Stage::Bump,
            Detail::Sync(_) => Stage::Sync,
            Detail::Rollout(_) => Stage::Rollout,
            Detail::Live(_) => Stage::Live,
        }
    }

    /// Takes over from an older or weaker detail of the same stage what this one does not say and what does not pass: names
    /// and numbers, never a message, a health or a count of replicas.
    pub(super) fn complete_from(&mut self, other: &Detail) {
        match (self, other) {
            (Detail::Commit(mine), Detail::Commit(other)) => {
                fill(&mut mine.author, &other.author);
                fill(&mut mine.title, &other.title);
                fill(&mut mine.branch, &other.branch);
                fill(&mut mine.committed, &other.committed);
                fill(&mut mine.pull_request, &other.pull_request);
            }
            (Detail::Ci(mine), Detail::Ci(other)) => fill(&mut mine.workflow, &other.workflow),
            (Detail::Image(mine), Detail::Image(other)) => {
                fill(&mut mine.repository, &other.repository);
                fill(&mut mine.tag, &other.tag);
                fill(&mut mine.digest, &other.digest);
                fill(&mut mine.scan, &other.scan);
                fill(&mut mine.state, &other.state);
            }
            (Detail::Assets(mine), Detail::Assets(other)) => fill(&mut mine.release, &other.release),
            (Detail::Invalidation(mine), Detail::Invalidation(other)) => fill(&mut mine.id, &other.id),
            (Detail::Bump(mine), Detail::Bump(other)) => {
                fill(&mut mine.pull_request, &other.pull_request);
                fill(&mut mine.revision, &other.revision);
                fill(&mut mine.tag_before, &other.tag_before);
                fill(&mut mine.tag_after, &other.tag_after);
            }
            (Detail::Sync(mine), Detail::Sync(other)) => {
                fill(&mut mine.application, &other.application);
                fill(&mut mine.revision, &other.revision);
            }
            (Detail::Rollout(mine), Detail::Rollout(other)) => {
                fill(&mut mine.workload, &other.workload);
                fill(&mut mine.desired, &other.desired);
            }
            (Detail::Live(mine), Detail::Live(other)) => fill(&mut mine.version, &other.version),
            (
                Detail::Commit(_)
                | Detail::Ci(_)
                | Detail::Image(_)
                | Detail::Assets(_)
                | Detail::Invalidation(_)
                | Detail::Bump(_)
                | Detail::Sync(_)
                | Detail::Rollout(_)
                | Detail::Live(_),
                _,
            ) => {}
        }
    }

    /// Every text in it by the name of its field.
    pub(super) fn texts(&self) -> Vec<(&'static str, &str)> {
        fn given<'a, const N: usize>(
            fields: [(&'static str, &'a Option<String>); N],
        ) -> Vec<(&'static str, &'a str)> {
            fields.into_iter().filter_map(|(name, text)| Some((name, text.as_deref()?))).collect()
        }
        match self {
            Detail::Commit(detail) => {
                given([("author", &detail.author), ("title", &detail.title), ("branch", &detail.branch)])
            }
            Detail::Ci(detail) => given([("workflow", &detail.workflow), ("step", &detail.step)]),
            Detail::Image(detail) => {
                given([("repository", &detail.repository), ("tag", &detail.tag), ("digest", &detail.digest)])
            }
            Detail::Assets(detail) => given([("release", &detail.release)]),
            Detail::Invalidation(detail) => given([("id", &detail.id)]),
            Detail::Bump(detail) => given([
                ("revision", &detail.revision),
                ("tag_before", &detail.tag_before),
                ("tag_after", &detail.tag_after),
            ]),
            Detail::Sync(detail) => given([
                ("application", &detail.application),
                ("revision", &detail.revision),
                ("message", &detail.message),
                ("hook", &detail.hook),
            ]),
            Detail::Rollout(detail) => {
                let mut texts = given([("workload", &detail.workload)]);
                if let Some(waiting) = &detail.waiting {
                    texts.extend([("pod", waiting.pod.as_str()), ("reason", waiting.reason.as_str())]);
                    texts.extend(given([("message", &waiting.message)]));
                }
                texts
            }
            Detail::Live(detail) => given([("version", &detail.version)]),
        }
    }
}
