//! Applications of Argo CD as they are shown, and what of Argo CD's own settings counts for them.

use std::collections::{BTreeMap, BTreeSet};

use domain::delivery::{
    Application, ApplicationState, Condition, Health, ImageRef, Operation, OperationPhase, Place, SyncStatus,
    SyncWindow, Synced,
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::core::DynamicObject;
use serde_json::Value;

use super::config::Cluster;
use super::duration;
use super::json::{Read as _, message};
use super::placing::{Placing, place_of};
use super::window::Target;

/// `timeout.reconciliation` and `timeout.reconciliation.jitter` where argocd-cm says nothing.
const POLL_SECONDS: u32 = 120;
const JITTER_SECONDS: u32 = 60;
/// By which Argo CD marks what it manages, where annotations do not (`application.instanceLabelKey`).
const INSTANCE_LABEL: &str = "app.kubernetes.io/instance";

/// An Application, with what else has to be known of it.
#[derive(Clone, Debug)]
pub(super) struct SeenApplication {
    pub namespace: String,
    pub name: String,
    pub labels: BTreeMap<String, String>,
    /// Those of Image Updater.
    pub annotations: BTreeMap<String, String>,
    pub place: Option<Place>,
    pub project: String,
    pub destination: Destination,
    /// The Deployments and Rollouts of `status.resources`: kind, namespace, name.
    pub workloads: BTreeSet<(String, String, String)>,
    /// Its window, poll and jitter are not of the Application itself: they are put in when it is told.
    pub shown: Application,
}

/// `spec.destination`: a cluster by its server's URL or its name, and a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Destination {
    pub server: Option<String>,
    pub name: Option<String>,
    pub namespace: Option<String>,
}

/// What of argocd-cm counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub poll_seconds: u32,
    pub jitter_seconds: u32,
    pub instance_label: String,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            poll_seconds: POLL_SECONDS,
            jitter_seconds: JITTER_SECONDS,
            instance_label: INSTANCE_LABEL.into(),
        }
    }
}

impl Settings {
    pub(super) fn of(map: &ConfigMap) -> Settings {
        let given = |key: &str| map.data.as_ref()?.get(key).filter(|value| !value.trim().is_empty());
        let seconds =
            |key: &str, default| given(key).and_then(|text| duration::seconds(text)).unwrap_or(default);
        Settings {
            poll_seconds: seconds("timeout.reconciliation", POLL_SECONDS),
            jitter_seconds: seconds("timeout.reconciliation.jitter", JITTER_SECONDS),
            instance_label: given("application.instanceLabelKey")
                .map_or(INSTANCE_LABEL, |key| key.trim())
                .into(),
        }
    }
}

impl SeenApplication {
    pub(super) fn of(object: DynamicObject, cluster: &Cluster, placing: &Placing) -> Option<SeenApplication> {
        let DynamicObject { metadata, data, .. } = object;
        let (namespace, name) = (metadata.namespace?, metadata.name?);
        let labels = metadata.labels.unwrap_or_default();
        let mut annotations = metadata.annotations.unwrap_or_default();
        annotations.retain(|key, _| key.starts_with(super::updater::PREFIX));
        let full = format!("{namespace}/{name}");
        let link = cluster
            .argocd_url
            .as_ref()
            .map(|url| format!("{}/applications/{full}", url.trim_end_matches('/')));
        Some(SeenApplication {
            place: place_of(placing, &name, &labels),
            project: data.owned("/spec/project").unwrap_or_else(|| "default".into()),
            destination: Destination {
                server: data.owned("/spec/destination/server"),
                name: data.owned("/spec/destination/name"),
                namespace: data.owned("/spec/destination/namespace"),
            },
            workloads: workloads(&data),
            shown: application(full, link, &data, &cluster.repositories),
            namespace,
            name,
            labels,
            annotations,
        })
    }

    pub(super) fn target(&self) -> Target<'_> {
        Target {
            name: &self.name,
            server: self.destination.server.as_deref(),
            cluster: self.destination.name.as_deref(),
            namespace: self.destination.namespace.as_deref(),
        }
    }

    /// As Argo CD writes it on what it manages: with its namespace where that is not Argo CD's own.
    pub(super) fn tracking_name(&self, argocd_namespace: &str) -> String {
        if self.namespace == argocd_namespace {
            self.name.clone()
        } else {
            format!("{}_{}", self.namespace, self.name)
        }
    }
}

/// The projection of an Application.
fn application(name: String, link: Option<String>, data: &Value, repositories: &[String]) -> Application {
    let sources = Sources::of(data, repositories);
    let operation = data
        .pointer("/status/operationState")
        .filter(|state| state.is_object())
        .map(|state| operation(state, &sources));
    let state = ApplicationState {
        sync_status: SyncStatus::parse(data.text("/status/sync/status").unwrap_or_default()),
        health: Health::parse(data.text("/status/health/status").unwrap_or_default()),
        phase: operation.as_ref().and_then(|operation| operation.phase),
        compared: data.pointer("/status/sync").map(|sync| sources.revisions(sync)).unwrap_or_default(),
        applied: data
            .pointer("/status/operationState/syncResult")
            .map(|result| sources.revisions(result))
            .unwrap_or_default(),
        source: u32::try_from(sources.position).unwrap_or(0),
    };
    let chosen = sources.chosen();
    Application {
        name,
        link,
        repository: chosen.owned("/repoURL"),
        target_revision: chosen.owned("/targetRevision"),
        path: chosen.owned("/path"),
        state,
        health_since: data.time("/status/health/lastTransitionTime"),
        health_message: data.text("/status/health/message").and_then(message),
        auto_sync: data
            .pointer("/spec/syncPolicy/automated")
            .is_some_and(|automated| !automated.is_null() && automated.flag("/enabled").unwrap_or(true)),
        window: SyncWindow::Open,
        conditions: data.items("/status/conditions").iter().filter_map(condition).collect(),
        last_reconciled: data.time("/status/reconciledAt"),
        poll_seconds: POLL_SECONDS,
        jitter_seconds: JITTER_SECONDS,
        images: data.texts("/status/summary/images").iter().map(|image| ImageRef::parse(image)).collect(),
        operation,
        history: history(data, &sources),
    }
}

fn condition(value: &Value) -> Option<Condition> {
    let kind = value.owned("/type")?;
    Some(Condition { kind, message: value.text("/message").and_then(message).unwrap_or_default() })
}

fn operation(state: &Value, sources: &Sources<'_>) -> Operation {
    let of = |pointer: &str| {
        state.pointer(pointer).and_then(|at| sources.revisions(at).into_iter().nth(sources.position))
    };
    let revision = of("/syncResult").filter(|one| !one.is_empty()).or_else(|| of("/operation/sync"));
    Operation {
        phase: state.text("/phase").and_then(OperationPhase::parse),
        started: state.time("/startedAt"),
        finished: state.time("/finishedAt"),
        message: state.text("/message").and_then(message),
        revision: revision.filter(|one| !one.is_empty()),
        hook: hook(state.items("/syncResult/resources")),
    }
}

/// The hook that failed, or else the one that runs.
fn hook(resources: &[Value]) -> Option<String> {
    let with = |phases: &[&str]| {
        let found = resources.iter().find(|resource| {
            let phase = resource.text("/hookPhase").unwrap_or_default();
            resource.text("/hookType").is_some() && phases.contains(&phase)
        })?;
        Some(format!("{}/{}", found.text("/kind")?, found.text("/name")?))
    };
    with(&["Failed", "Error"]).or_else(|| with(&["Running", "Terminating"]))
}

fn history(data: &Value, sources: &Sources<'_>) -> Vec<Synced> {
    let entry = |entry: &Value| {
        let revision = sources.revisions(entry).into_iter().nth(sources.position);
        Some(Synced {
            id: entry.count("/id")?,
            revision: revision.filter(|one| !one.is_empty()),
            started: entry.time("/deployStartedAt"),
            deployed: entry.time("/deployedAt")?,
        })
    };
    let mut history: Vec<Synced> = data.items("/status/history").iter().filter_map(entry).collect();
    history.sort_by_key(|entry| (entry.deployed, entry.id));
    history
}

fn workloads(data: &Value) -> BTreeSet<(String, String, String)> {
    let resources = data.items("/status/resources").iter();
    let workload = |resource: &Value| {
        let kind = resource.text("/kind")?;
        matches!((resource.text("/group")?, kind), ("apps", "Deployment") | ("argoproj.io", "Rollout"))
            .then_some(())?;
        Some((kind.to_owned(), resource.owned("/namespace")?, resource.owned("/name")?))
    };
    resources.filter_map(workload).collect()
}

/// Where an Application's manifests come from, and which of these holds the desired tag.
struct Sources<'a> {
    all: Vec<&'a Value>,
    position: usize,
    /// With the source hydrator, what is applied is a commit that was made from the one that is looked for: both, of what was
    /// hydrated last.
    hydrated: Vec<(&'a str, &'a str)>,
}

impl<'a> Sources<'a> {
    fn of(data: &'a Value, repositories: &[String]) -> Sources<'a> {
        if let Some(dry) = data.pointer("/spec/sourceHydrator/drySource").filter(|dry| dry.is_object()) {
            let operations =
                ["/status/sourceHydrator/currentOperation", "/status/sourceHydrator/lastSuccessfulOperation"];
            let pair = |at: &&str| {
                let operation = data.pointer(at)?;
                Some((operation.text("/hydratedSHA")?, operation.text("/drySHA")?))
            };
            return Sources {
                all: vec![dry],
                position: 0,
                hydrated: operations.iter().filter_map(pair).collect(),
            };
        }
        let several = data.items("/spec/sources");
        let all: Vec<&Value> = if several.is_empty() {
            data.pointer("/spec/source").into_iter().collect()
        } else {
            several.iter().collect()
        };
        let position = position(&all, repositories);
        Sources { all, position, hydrated: Vec::new() }
    }

    fn chosen(&self) -> &'a Value {
        self.all.get(self.position).copied().unwrap_or(&Value::Null)
    }

    /// `revisions` or else `revision`, as commits of the source where that is known.
    fn revisions(&self, at: &Value) -> Vec<String> {
        let several = at.texts("/revisions");
        let revisions =
            if several.is_empty() { at.owned("/revision").into_iter().collect() } else { several };
        let dry = |revision: String| {
            let pair = self.hydrated.iter().find(|(hydrated, _)| *hydrated == revision);
            pair.map_or(revision, |(_, dry)| (*dry).to_owned())
        };
        revisions.into_iter().map(dry).collect()
    }
}

/// Which of several sources holds the desired tag: one of a GitOps repository that is configured, or else one that others take
/// their values from, or else the first that is no Helm chart of a registry.
fn position(sources: &[&Value], repositories: &[String]) -> usize {
    let configured = |source: &&Value| {
        let url = source.text("/repoURL").map(same_repository);
        url.is_some_and(|url| repositories.iter().any(|one| same_repository(one) == url))
    };
    let values = |source: &&Value| {
        let Some(name) = source.text("/ref") else { return false };
        let from = format!("${name}/");
        sources.iter().any(|other| other.texts("/helm/valueFiles").iter().any(|file| file.starts_with(&from)))
    };
    let git = |source: &&Value| source.text("/chart").is_none();
    let first = |wanted: &dyn Fn(&&Value) -> bool| sources.iter().position(wanted);
    first(&configured).or_else(|| first(&values)).or_else(|| first(&git)).unwrap_or(0)
}

/// A repository's URL without what does not tell it apart: scheme, user, `.git`, upper case.
fn same_repository(url: &str) -> String {
    let url = url.trim().to_lowercase();
    let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
    let rest = rest.split_once('@').map_or(rest, |(_, rest)| rest);
    let rest = rest.trim_end_matches('/');
    rest.strip_suffix(".git").unwrap_or(rest).replacen(':', "/", 1)
}

#[cfg(test)]
mod tests;
