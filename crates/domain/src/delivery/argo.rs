//! Whether Argo CD has deployed a commit of the GitOps repository.

use serde::{Deserialize, Serialize};

use crate::delivery::{Health, OperationPhase, SyncStatus};

/// What of an Application tells which commit is deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplicationState {
    /// `status.sync.status`
    pub sync_status: SyncStatus,
    /// `status.health.status`
    pub health: Health,
    /// `status.operationState.phase`; `None` before the first operation.
    pub phase: Option<OperationPhase>,
    /// `status.sync.revisions`, aligned with `spec.sources`, or `status.sync.revision` alone.
    pub compared: Vec<String>,
    /// `status.operationState.syncResult.revisions`, or `revision` alone; empty where there is none.
    pub applied: Vec<String>,
    /// Which of `spec.sources` is the GitOps repository's; 0 for a single `spec.source`.
    pub source: u32,
}

/// Whether the image that was wanted runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageCheck {
    Runs,
    Missing,
    /// Nothing runs that could have it: scaled to zero, or cron jobs alone.
    NothingRuns,
    Unknown,
}

/// Whether a commit is deployed, or the first thing that it lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArgoDeployed {
    Deployed,
    /// The revision that Argo CD knows does not contain the commit yet.
    NotSeen,
    /// The revision contains it and is not applied.
    OutOfSync,
    /// The operation that applies it has not succeeded, or there was none.
    Operation(Option<OperationPhase>),
    /// It is applied, and the application is not healthy.
    NotHealthy(Health),
    /// The application is healthy without the wanted image.
    ImageMissing,
    /// It cannot be told: the revision is not known, its history cannot be read, or Argo CD does not know itself.
    Unknown,
}

impl ApplicationState {
    /// The revision of the GitOps repository that counts: the one that was applied, as every commit to a shared repository moves
    /// the one that is compared (Argo CD, "Notification triggers"); in the first sync only that is there.
    pub fn revision(&self) -> Option<&str> {
        let at = self.source as usize;
        let given = |revisions: &'_ Vec<String>| revisions.get(at).filter(|one| !one.is_empty()).is_some();
        let revisions = if given(&self.applied) { &self.applied } else { &self.compared };
        revisions.get(at).map(String::as_str).filter(|one| !one.is_empty())
    }

    /// The revision of the GitOps repository that Argo CD last compared with the cluster.
    pub fn compared_revision(&self) -> Option<&str> {
        self.compared.get(self.source as usize).map(String::as_str).filter(|one| !one.is_empty())
    }
}

/// Whether a commit of the GitOps repository is deployed: it is the synced revision or an ancestor of it (Argo CD syncs to the
/// newest commit, so equality would miss most), the application is synced, its operation succeeded, it is healthy, and the
/// wanted image runs. `contains` answers whether a revision is the commit or a descendant of it; `None` where that is unknown.
pub fn argo_deployed(
    application: &ApplicationState,
    contains: impl Fn(&str) -> Option<bool>,
    image: ImageCheck,
) -> ArgoDeployed {
    let applied = application.revision().and_then(&contains);
    match applied {
        None => return ArgoDeployed::Unknown,
        Some(false) if application.compared_revision().and_then(&contains) == Some(true) => {
            return match application.phase {
                Some(phase @ (OperationPhase::Running | OperationPhase::Terminating)) => {
                    ArgoDeployed::Operation(Some(phase))
                }
                Some(OperationPhase::Failed | OperationPhase::Error | OperationPhase::Succeeded) | None => {
                    ArgoDeployed::OutOfSync
                }
            };
        }
        Some(false) => return ArgoDeployed::NotSeen,
        Some(true) => {}
    }
    match application.phase {
        Some(OperationPhase::Succeeded) => {}
        other => return ArgoDeployed::Operation(other),
    }
    match application.sync_status {
        SyncStatus::Synced => {}
        SyncStatus::OutOfSync => return ArgoDeployed::OutOfSync,
        SyncStatus::Unknown => return ArgoDeployed::Unknown,
    }
    match application.health {
        Health::Healthy => {}
        Health::Unknown => return ArgoDeployed::Unknown,
        other @ (Health::Progressing | Health::Degraded | Health::Suspended | Health::Missing) => {
            return ArgoDeployed::NotHealthy(other);
        }
    }
    match image {
        ImageCheck::Runs | ImageCheck::NothingRuns => ArgoDeployed::Deployed,
        ImageCheck::Missing => ArgoDeployed::ImageMissing,
        ImageCheck::Unknown => ArgoDeployed::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployed() -> ApplicationState {
        ApplicationState {
            sync_status: SyncStatus::Synced,
            health: Health::Healthy,
            phase: Some(OperationPhase::Succeeded),
            compared: vec!["c3".into()],
            applied: vec!["c3".into()],
            source: 0,
        }
    }

    /// The history is c1, c2, c3, and c2 is asked about.
    fn contains(revision: &str) -> Option<bool> {
        match revision {
            "c1" => Some(false),
            "c2" | "c3" => Some(true),
            _ => None,
        }
    }

    fn ask(application: &ApplicationState) -> ArgoDeployed {
        argo_deployed(application, contains, ImageCheck::Runs)
    }

    #[test]
    fn a_commit_is_deployed_when_nothing_is_missing() {
        assert_eq!(ask(&deployed()), ArgoDeployed::Deployed, "an ancestor of what is synced");
        let state = |change: fn(&mut ApplicationState)| {
            let mut application = deployed();
            change(&mut application);
            ask(&application)
        };
        let revisions = |application: &mut ApplicationState, compared: &str, applied: &str| {
            application.compared = vec![compared.into()];
            application.applied = vec![applied.into()];
        };
        let mut older = deployed();
        revisions(&mut older, "c1", "c1");
        assert_eq!(ask(&older), ArgoDeployed::NotSeen);
        revisions(&mut older, "c3", "c1");
        assert_eq!(ask(&older), ArgoDeployed::OutOfSync, "seen, and the last operation was before");
        older.phase = Some(OperationPhase::Running);
        assert_eq!(ask(&older), ArgoDeployed::Operation(Some(OperationPhase::Running)));
        revisions(&mut older, "c9", "c9");
        assert_eq!(ask(&older), ArgoDeployed::Unknown, "its history cannot be read");
        assert_eq!(state(|one| one.sync_status = SyncStatus::OutOfSync), ArgoDeployed::OutOfSync);
        assert_eq!(state(|one| one.sync_status = SyncStatus::Unknown), ArgoDeployed::Unknown);
        assert_eq!(
            state(|one| one.phase = Some(OperationPhase::Failed)),
            ArgoDeployed::Operation(Some(OperationPhase::Failed))
        );
        assert_eq!(state(|one| one.phase = None), ArgoDeployed::Operation(None));
        assert_eq!(state(|one| one.health = Health::Degraded), ArgoDeployed::NotHealthy(Health::Degraded));
        assert_eq!(state(|one| one.health = Health::Unknown), ArgoDeployed::Unknown);
        assert_eq!(state(|one| one.compared.clear()), ArgoDeployed::Deployed);
        assert_eq!(state(|one| (one.compared, one.applied) = (vec![], vec![])), ArgoDeployed::Unknown);
    }

    #[test]
    fn the_image_has_to_run_where_anything_does() {
        let with = |image| argo_deployed(&deployed(), contains, image);
        assert_eq!(with(ImageCheck::Missing), ArgoDeployed::ImageMissing);
        assert_eq!(with(ImageCheck::NothingRuns), ArgoDeployed::Deployed);
        assert_eq!(with(ImageCheck::Unknown), ArgoDeployed::Unknown);
    }

    #[test]
    fn of_several_sources_the_one_of_the_repository_counts() {
        let several = ApplicationState {
            compared: vec!["1.4.0".into(), "c3".into()],
            applied: vec![String::new(), String::new()],
            source: 1,
            ..deployed()
        };
        assert_eq!(several.revision(), Some("c3"), "in the first sync only what is compared is known");
        assert_eq!(ask(&several), ArgoDeployed::Deployed);
        assert_eq!(ask(&ApplicationState { source: 0, ..several.clone() }), ArgoDeployed::Unknown);
        assert_eq!(ask(&ApplicationState { source: 2, ..several }), ArgoDeployed::Unknown);
    }
}
