//! What the sources that are read see now: desired tags, Applications, workloads, how the updater is set up. Each sighting replaces
//! the one before of the same subject; facts are what follows from them.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::delivery::{
    ApplicationState, BumpPullRequest, Condition, DeploymentState, EnvironmentName, Health, OperationPhase,
    PodState, RolloutStatus, ServiceName, Source, SyncWindow, UpdaterFacts, rollout_status,
};
use crate::time::Timestamp;

/// One thing as a source saw it last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// Tells it apart from everything else that the same reader sees: `Deployment/shop/users`, `argocd/users-dev`,
    /// `envs/dev/users/values.yaml#image.tag`.
    pub subject: String,
    /// What it is of; `None` for what concerns several, such as a branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    pub seen: Seen,
}

impl Sighting {
    /// Whether it says more than that somebody looked again.
    pub fn is_news_after(&self, before: &Sighting) -> bool {
        self.without_looks() != before.without_looks()
    }

    fn without_looks(&self) -> Sighting {
        let mut same = self.clone();
        match &mut same.seen {
            Seen::Application(application) => application.last_reconciled = None,
            Seen::Updater(updater) => updater.last_checked = None,
            Seen::Branch(_) | Seen::DesiredTag(_) | Seen::Bump(_) | Seen::Workload(_) => {}
        }
        same
    }
}

/// A service in an environment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    pub service: ServiceName,
    pub environment: EnvironmentName,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    Branch(Branch),
    DesiredTag(DesiredTag),
    Bump(BumpPullRequest),
    Updater(UpdaterFacts),
    Application(Box<Application>),
    Workload(Workload),
}

impl Seen {
    /// Who sees such things.
    pub fn source(&self) -> Source {
        match self {
            Seen::Branch(_) | Seen::DesiredTag(_) => Source::Git,
            Seen::Bump(_) => Source::Github,
            Seen::Updater(_) | Seen::Application(_) => Source::ArgoCd,
            Seen::Workload(_) => Source::Kubernetes,
        }
    }

    /// Adds the tags and digests of images that it names.
    pub fn image_names(&self, names: &mut BTreeSet<String>) {
        let mut images: Vec<&ImageRef> = Vec::new();
        match self {
            Seen::DesiredTag(desired) => {
                names.extend(desired.tag.clone());
                names.extend(desired.changes.iter().map(|change| change.tag.clone()));
            }
            Seen::Bump(bump) => names.extend(bump.tag.clone()),
            Seen::Application(application) => images.extend(&application.images),
            Seen::Workload(workload) => images.extend(workload.images.iter().chain(&workload.running)),
            Seen::Branch(_) | Seen::Updater(_) => {}
        }
        names.extend(images.into_iter().flat_map(|image| [&image.tag, &image.digest]).flatten().cloned());
    }

    /// How it is, of what has a health.
    pub fn health(&self) -> Option<Health> {
        match self {
            Seen::Application(application) => Some(application.state.health),
            Seen::Workload(workload) => Some(workload.health()),
            Seen::Branch(_) | Seen::DesiredTag(_) | Seen::Bump(_) | Seen::Updater(_) => None,
        }
    }
}

/// An image as a manifest or a container names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ImageRef {
    /// With the registry's host where one is named.
    pub repository: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// `sha256:` and 64 digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

impl ImageRef {
    /// Reads `repository[:tag][@digest]`, with or without the `docker-pullable://` that container runtimes put before it.
    pub fn parse(text: &str) -> ImageRef {
        let text = text.split_once("://").map_or(text, |(_, rest)| rest);
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.to_owned())),
            None => (text, None),
        };
        // A colon before the last slash is the registry's port.
        let tag_at = name.rfind(':').filter(|at| !name[*at..].contains('/'));
        let (repository, tag) = match tag_at {
            Some(at) => (&name[..at], Some(name[at + 1..].to_owned())),
            None => (name, None),
        };
        ImageRef { repository: repository.to_owned(), tag, digest }
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// The commits that a branch of the GitOps repository has pointed to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branch {
    /// `acme/gitops` on GitHub, or the name that the configuration gives a repository on disk.
    pub repository: String,
    pub name: String,
    /// Newest first, each the first parent of the one before, so that each contains those after it.
    pub revisions: Vec<String>,
}

impl Branch {
    /// Whether `revision` is `commit` or a descendant of it; `None` where either is not among the commits that were read.
    pub fn contains(&self, revision: &str, commit: &str) -> Option<bool> {
        let position = |wanted: &str| self.revisions.iter().position(|one| one == wanted);
        Some(position(revision)? <= position(commit)?)
    }
}

/// Which tag an environment is to run, by the GitOps repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredTag {
    pub repository: String,
    pub branch: String,
    pub path: String,
    /// Where in the file it stands: `image.tag`.
    pub key: String,
    /// `None` where nothing sets one.
    pub tag: Option<String>,
    /// What wrote it, newest first; the oldest that was read is what was there when reading began.
    pub changes: Vec<TagChange>,
}

/// A commit on the branch with which a tag changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagChange {
    pub revision: String,
    pub tag: String,
    /// `None` where it is not known, as of the oldest that was read.
    pub before: Option<String>,
    /// The committer's time.
    pub at: Timestamp,
    pub author: Option<String>,
    pub pull_request: Option<u32>,
    pub link: Option<String>,
}

/// An Application of Argo CD.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// `namespace/name`
    pub name: String,
    pub link: Option<String>,
    /// The source that holds the desired tag: `repoURL`, `targetRevision`, `path`.
    pub repository: Option<String>,
    pub target_revision: Option<String>,
    pub path: Option<String>,
    pub state: ApplicationState,
    /// When the health last changed (`status.health.lastTransitionTime`).
    pub health_since: Option<Timestamp>,
    pub health_message: Option<String>,
    pub auto_sync: bool,
    pub window: SyncWindow,
    pub conditions: Vec<Condition>,
    /// `status.reconciledAt`. It moves with every look of the controller, so that by itself it is no news.
    pub last_reconciled: Option<Timestamp>,
    pub poll_seconds: u32,
    pub jitter_seconds: u32,
    /// `status.summary.images`: of all pods, side-cars and old ones among them.
    pub images: Vec<ImageRef>,
    pub operation: Option<Operation>,
    /// `status.history`, oldest first; Argo CD keeps ten.
    pub history: Vec<Synced>,
}

/// `status.operationState`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    pub phase: Option<OperationPhase>,
    pub started: Option<Timestamp>,
    pub finished: Option<Timestamp>,
    pub message: Option<String>,
    /// Of the source that holds the desired tag.
    pub revision: Option<String>,
    /// The hook that runs or failed, such as `Job/migrate`.
    pub hook: Option<String>,
}

/// An entry of `status.history`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Synced {
    pub id: u32,
    /// Of the source that holds the desired tag.
    pub revision: Option<String>,
    pub started: Option<Timestamp>,
    pub deployed: Timestamp,
}

/// A Deployment, or a Rollout of Argo Rollouts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// `Deployment/users`, after the cluster's name where several are configured.
    pub name: String,
    /// The containers' images in the pod template.
    pub images: Vec<ImageRef>,
    /// The digests of what new pods run (`status.containerStatuses[].imageID`), without repeats.
    pub running: Vec<ImageRef>,
    /// `deployment.kubernetes.io/revision`; of a Rollout `rollout.argoproj.io/revision`.
    pub revision: u32,
    pub state: DeploymentState,
    /// Pods of the new template.
    pub pods: Vec<PodState>,
    /// When the ReplicaSet of the new template was made.
    pub started: Option<Timestamp>,
    /// When the rollout was complete: the condition `Progressing` with `NewReplicaSetAvailable`, `lastUpdateTime`.
    pub finished: Option<Timestamp>,
    /// When `Available` last changed.
    pub available_since: Option<Timestamp>,
}

impl Workload {
    /// Whether the rollout was complete, and enough of it serves.
    pub fn serves(&self) -> bool {
        match rollout_status(&self.state) {
            RolloutStatus::Complete => true,
            RolloutStatus::BecomingAvailable { .. } => {
                self.finished.is_some() && self.state.minimum_available
            }
            RolloutStatus::Pending
            | RolloutStatus::DeadlineExceeded
            | RolloutStatus::Updating { .. }
            | RolloutStatus::Paused { .. }
            | RolloutStatus::Terminating { .. } => false,
        }
    }

    /// How it is, in Argo CD's words.
    pub fn health(&self) -> Health {
        match rollout_status(&self.state) {
            _ if self.serves() => Health::Healthy,
            RolloutStatus::DeadlineExceeded => Health::Degraded,
            // It was complete, and too little of it is left.
            RolloutStatus::BecomingAvailable { .. } if self.finished.is_some() => Health::Degraded,
            RolloutStatus::Paused { .. } => Health::Suspended,
            RolloutStatus::Complete
            | RolloutStatus::Pending
            | RolloutStatus::Updating { .. }
            | RolloutStatus::Terminating { .. }
            | RolloutStatus::BecomingAvailable { .. } => Health::Progressing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_read_as_runtimes_and_manifests_write_them() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let cases = [
            ("users", ("users", None, None)),
            ("users:1.2", ("users", Some("1.2"), None)),
            ("localhost:5000/users", ("localhost:5000/users", None, None)),
            ("localhost:5000/users:1.2", ("localhost:5000/users", Some("1.2"), None)),
            (&format!("r.io/a/users:1@{digest}"), ("r.io/a/users", Some("1"), Some(digest.as_str()))),
            (&format!("docker-pullable://r.io/users@{digest}"), ("r.io/users", None, Some(digest.as_str()))),
        ];
        for (text, (repository, tag, digest)) in cases {
            let image = ImageRef::parse(text);
            let read = (image.repository.as_str(), image.tag.as_deref(), image.digest.as_deref());
            assert_eq!(read, (repository, tag, digest), "{text}");
            assert_eq!(image.to_string(), text.trim_start_matches("docker-pullable://"));
        }
    }

    #[test]
    fn a_branch_contains_what_came_before() {
        let revisions = ["c", "b", "a"].map(str::to_owned).into();
        let branch = Branch { revisions, ..Branch::default() };
        assert_eq!(branch.contains("c", "a"), Some(true));
        assert_eq!(branch.contains("b", "b"), Some(true));
        assert_eq!(branch.contains("a", "b"), Some(false));
        assert_eq!((branch.contains("x", "a"), branch.contains("a", "x")), (None, None));
    }
}
