//! The kinds that are read, and what of the API has to be allowed for it.

use kube::core::{ApiResource, GroupVersionKind};

use super::argo::{SeenApplication, Settings};
use super::updater::SeenUpdater;
use super::window::Window;
use super::workload::{SeenPod, SeenReplicaSet, SeenWorkload};

const ARGO: &str = "argoproj.io";
const UPDATER: &str = "argocd-image-updater.argoproj.io";
const READ: &[&str] = &["list", "watch"];

/// Everything that the reader of a cluster does with the API, beside asking what it may do and what is served. Roles are to allow
/// this, and no more.
pub const NEEDED: [Need; 8] = [
    Kind::Application.need(),
    Kind::Project.need(),
    Kind::Updater.need(),
    Kind::Settings.need(),
    Kind::Deployment.need(),
    Kind::Rollout.need(),
    Kind::ReplicaSet.need(),
    Kind::Pod.need(),
];

/// What reading one kind needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// Empty for the core.
    pub group: &'static str,
    pub resource: &'static str,
    pub verbs: &'static [&'static str],
    /// The one object that is read, where it is one.
    pub name: Option<&'static str>,
    pub found: Found,
}

/// Where objects of a kind are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// In the namespace of Argo CD alone.
    WithArgoCd,
    /// In each namespace that has Applications.
    WithApplications,
    /// Where Applications deploy to.
    WithWorkloads,
}

/// A kind that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Application,
    Project,
    Updater,
    /// argocd-cm
    Settings,
    Deployment,
    Rollout,
    ReplicaSet,
    Pod,
}

impl Kind {
    pub(super) const ALL: [Kind; 8] = [
        Kind::Application,
        Kind::Project,
        Kind::Updater,
        Kind::Settings,
        Kind::Deployment,
        Kind::Rollout,
        Kind::ReplicaSet,
        Kind::Pod,
    ];

    pub(super) const fn need(self) -> Need {
        let (group, resource, found) = match self {
            Kind::Application => (ARGO, "applications", Found::WithApplications),
            Kind::Project => (ARGO, "appprojects", Found::WithArgoCd),
            Kind::Updater => (UPDATER, "imageupdaters", Found::WithApplications),
            Kind::Settings => ("", "configmaps", Found::WithArgoCd),
            Kind::Deployment => ("apps", "deployments", Found::WithWorkloads),
            Kind::Rollout => (ARGO, "rollouts", Found::WithWorkloads),
            Kind::ReplicaSet => ("apps", "replicasets", Found::WithWorkloads),
            Kind::Pod => ("", "pods", Found::WithWorkloads),
        };
        let name = match self {
            Kind::Settings => Some("argocd-cm"),
            Kind::Application
            | Kind::Project
            | Kind::Updater
            | Kind::Deployment
            | Kind::Rollout
            | Kind::ReplicaSet
            | Kind::Pod => None,
        };
        Need { group, resource, verbs: READ, name, found }
    }

    /// Of a kind that a cluster need not have, how the API names it.
    pub(super) fn custom(self) -> Option<ApiResource> {
        let kind = match self {
            Kind::Application => "Application",
            Kind::Project => "AppProject",
            Kind::Updater => "ImageUpdater",
            Kind::Rollout => "Rollout",
            Kind::Settings | Kind::Deployment | Kind::ReplicaSet | Kind::Pod => return None,
        };
        let need = self.need();
        let kind = GroupVersionKind::gvk(need.group, "v1alpha1", kind);
        Some(ApiResource::from_gvk_with_plural(&kind, need.resource))
    }
}

impl Need {
    /// As RBAC names it: `deployments.apps`.
    pub fn full_resource(&self) -> String {
        if self.group.is_empty() {
            self.resource.to_owned()
        } else {
            format!("{}.{}", self.resource, self.group)
        }
    }
}

/// An object as far as it counts.
#[derive(Clone, Debug)]
pub(super) enum Object {
    Application(Box<SeenApplication>),
    Project(Vec<Window>),
    Updater(Box<SeenUpdater>),
    Settings(Settings),
    Workload(Box<SeenWorkload>),
    ReplicaSet(Box<SeenReplicaSet>),
    Pod(Box<SeenPod>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_read_is_needed() {
        assert_eq!(NEEDED, Kind::ALL.map(Kind::need));
        assert_eq!(Kind::Pod.need().full_resource(), "pods");
        assert_eq!(Kind::Rollout.need().full_resource(), "rollouts.argoproj.io");
        assert_eq!(Kind::Updater.custom().unwrap().api_version, "argocd-image-updater.argoproj.io/v1alpha1");
    }
}
