//! Deployments, Rollouts of Argo Rollouts, their ReplicaSets and pods, as far as they tell how a rollout goes.

use std::collections::BTreeMap;

use domain::delivery::{DeploymentState, ImageRef, PodState, PodTrouble};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition, ReplicaSet};
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod, PodSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::core::DynamicObject;
use serde_json::Value;

use super::json::{Read as _, message};

const TRACKING: &str = "argocd.argoproj.io/tracking-id";
const REVISION: &str = "deployment.kubernetes.io/revision";
const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
const ROLLOUT_REVISION: &str = "rollout.argoproj.io/revision";
const ROLLOUT_REVISION_HISTORY: &str = "rollout.argoproj.io/revision-history";
const TEMPLATE_HASH: &str = "pod-template-hash";
const ROLLOUT_TEMPLATE_HASH: &str = "rollouts-pod-template-hash";

/// What is rolled out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum WorkloadKind {
    Deployment,
    Rollout,
}

impl WorkloadKind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            WorkloadKind::Deployment => "Deployment",
            WorkloadKind::Rollout => "Rollout",
        }
    }
}

/// A Deployment or a Rollout.
#[derive(Clone, Debug)]
pub(super) struct SeenWorkload {
    pub kind: WorkloadKind,
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub labels: BTreeMap<String, String>,
    /// The Application's name in the tracking annotation, where that is of this very object.
    pub tracked_by: Option<String>,
    /// Of the containers in the pod template; none of a Rollout that takes its template from a Deployment.
    pub images: Vec<String>,
    pub revision: u32,
    pub state: DeploymentState,
    /// The hash of a Rollout's template.
    pub template_hash: Option<String>,
    pub complete_since: Option<Timestamp>,
    /// The ReplicaSet that was complete then, where it is named.
    pub completed: Option<String>,
    pub available_since: Option<Timestamp>,
}

/// A ReplicaSet of a workload.
#[derive(Clone, Debug)]
pub(super) struct SeenReplicaSet {
    pub name: String,
    pub uid: String,
    pub owner: String,
    pub revision: u32,
    pub template_hash: Option<String>,
    pub images: Vec<String>,
    pub made: Option<Timestamp>,
    /// It was made for an earlier revision, which this one goes back to.
    pub reused: bool,
}

/// A pod of a ReplicaSet.
#[derive(Clone, Debug)]
pub(super) struct SeenPod {
    pub owner: String,
    pub state: PodState,
    /// What its running containers run.
    pub running: Vec<ImageRef>,
}

impl SeenWorkload {
    pub(super) fn of_deployment(deployment: Deployment) -> Option<SeenWorkload> {
        let Deployment { metadata, spec, status } = deployment;
        let (spec, status) = (spec.unwrap_or_default(), status.unwrap_or_default());
        let conditions = status.conditions.unwrap_or_default();
        let condition = |kind: &str| conditions.iter().find(|condition| condition.type_ == kind);
        let is_true = |condition: &&DeploymentCondition| condition.status == "True";
        let progressing = condition("Progressing");
        let complete = progressing
            .filter(is_true)
            .filter(|condition| condition.reason.as_deref() == Some("NewReplicaSetAvailable"));
        let available = condition("Available");
        let state = DeploymentState {
            generation: metadata.generation.unwrap_or(0),
            observed_generation: status.observed_generation.unwrap_or(0),
            desired: count(spec.replicas.or(Some(1))),
            replicas: count(status.replicas),
            updated: count(status.updated_replicas),
            available: count(status.available_replicas),
            deadline_exceeded: progressing
                .is_some_and(|condition| condition.reason.as_deref() == Some("ProgressDeadlineExceeded")),
            minimum_available: available.as_ref().is_some_and(is_true),
            replica_failure: condition("ReplicaFailure")
                .filter(is_true)
                .and_then(|condition| message(condition.message.as_deref().unwrap_or("no message"))),
            paused: spec.paused.unwrap_or(false),
        };
        let images = images(spec.template.spec.as_ref());
        let named = |condition: &DeploymentCondition| quoted(condition.message.as_deref()?);
        Some(SeenWorkload {
            revision: revision(&metadata, REVISION),
            images,
            state,
            template_hash: None,
            complete_since: complete.and_then(|condition| Some(condition.last_update_time.as_ref()?.0)),
            completed: complete.and_then(named),
            available_since: available.and_then(|condition| Some(condition.last_transition_time.as_ref()?.0)),
            ..SeenWorkload::named(WorkloadKind::Deployment, metadata)?
        })
    }

    pub(super) fn of_rollout(rollout: DynamicObject) -> Option<SeenWorkload> {
        let DynamicObject { metadata, data, .. } = rollout;
        let condition = |kind: &str| {
            let conditions = data.items("/status/conditions").iter();
            conditions.into_iter().find(|condition| condition.text("/type") == Some(kind))
        };
        let is_true = |condition: &&Value| condition.text("/status") == Some("True");
        let aborted = data.flag("/status/abort").unwrap_or(false);
        let stalled = condition("Progressing")
            .is_some_and(|condition| condition.text("/reason") == Some("ProgressDeadlineExceeded"));
        let paused = data.flag("/spec/paused").unwrap_or(false)
            || data.flag("/status/controllerPause").unwrap_or(false)
            || !data.items("/status/pauseConditions").is_empty();
        let generation = metadata.generation.unwrap_or(0);
        let available = condition("Available");
        let failure = condition("ReplicaFailure").filter(is_true).and_then(|one| one.text("/message"));
        let state = DeploymentState {
            generation,
            // Before 1.0 it was a hash, which says nothing of an order.
            observed_generation: match data.pointer("/status/observedGeneration") {
                None => 0,
                Some(_) => data.number("/status/observedGeneration").unwrap_or(generation),
            },
            desired: data.count("/spec/replicas").unwrap_or(1),
            replicas: data.count("/status/replicas").unwrap_or(0),
            updated: data.count("/status/updatedReplicas").unwrap_or(0),
            available: data.count("/status/availableReplicas").unwrap_or(0),
            // An aborted rollout goes no further either.
            deadline_exceeded: stalled || aborted,
            minimum_available: available.as_ref().is_some_and(is_true),
            replica_failure: failure
                .or_else(|| data.text("/status/message").filter(|_| aborted))
                .and_then(message),
            paused,
        };
        let containers = data.items("/spec/template/spec/containers").iter();
        let images = containers.filter_map(|container| container.owned("/image")).collect();
        // Newer versions say when the rollout was complete by a condition of its own.
        let complete = condition("Completed").or_else(|| condition("Healthy")).filter(is_true);
        Some(SeenWorkload {
            revision: revision(&metadata, ROLLOUT_REVISION),
            images,
            state,
            template_hash: data.owned("/status/currentPodHash"),
            complete_since: complete.and_then(|condition| condition.time("/lastTransitionTime")),
            completed: None,
            available_since: available.and_then(|condition| condition.time("/lastTransitionTime")),
            ..SeenWorkload::named(WorkloadKind::Rollout, metadata)?
        })
    }

    fn named(kind: WorkloadKind, metadata: ObjectMeta) -> Option<SeenWorkload> {
        let (namespace, name) = (metadata.namespace?, metadata.name?);
        let tracking = metadata.annotations.as_ref().and_then(|all| all.get(TRACKING));
        let tracked_by = tracking.and_then(|id| tracked_by(id, kind, &namespace, &name));
        Some(SeenWorkload {
            kind,
            namespace,
            name,
            uid: metadata.uid?,
            labels: metadata.labels.unwrap_or_default(),
            tracked_by,
            images: Vec::new(),
            revision: 1,
            state: DeploymentState::default(),
            template_hash: None,
            complete_since: None,
            completed: None,
            available_since: None,
        })
    }

    /// The ReplicaSet of its template among its own; `None` before there is one.
    pub(super) fn newest<'a>(&self, own: &[&'a SeenReplicaSet]) -> Option<&'a SeenReplicaSet> {
        if let Some(hash) = &self.template_hash {
            return own.iter().find(|one| one.template_hash.as_ref() == Some(hash)).copied();
        }
        let newest = own.iter().max_by_key(|one| (one.revision, one.made)).copied()?;
        // Before the controller has seen the new template, the newest is still of the one before.
        let observed = self.state.observed_generation >= self.state.generation;
        (observed || newest.images == self.images).then_some(newest)
    }
}

impl SeenReplicaSet {
    pub(super) fn of(replica_set: ReplicaSet) -> Option<SeenReplicaSet> {
        let ReplicaSet { metadata, spec, .. } = replica_set;
        let owner = controller(&metadata, &["Deployment", "Rollout"])?;
        let (mark, history, hash) = match owner.kind.as_str() {
            "Rollout" => (ROLLOUT_REVISION, ROLLOUT_REVISION_HISTORY, ROLLOUT_TEMPLATE_HASH),
            _ => (REVISION, REVISION_HISTORY, TEMPLATE_HASH),
        };
        let annotations = metadata.annotations.as_ref();
        Some(SeenReplicaSet {
            owner: owner.uid.clone(),
            revision: revision(&metadata, mark),
            template_hash: metadata.labels.as_ref().and_then(|labels| labels.get(hash)).cloned(),
            images: images(spec.unwrap_or_default().template.unwrap_or_default().spec.as_ref()),
            made: metadata.creation_timestamp.as_ref().map(|at| at.0),
            reused: annotations.and_then(|all| all.get(history)).is_some_and(|text| !text.is_empty()),
            name: metadata.name?,
            uid: metadata.uid?,
        })
    }
}

impl SeenPod {
    /// `None` for one that is of no ReplicaSet, is going, or is over.
    pub(super) fn of(pod: Pod) -> Option<SeenPod> {
        let Pod { metadata, status, .. } = pod;
        let owner = controller(&metadata, &["ReplicaSet"])?.uid.clone();
        let status = status.unwrap_or_default();
        let over = matches!(status.phase.as_deref(), Some("Failed" | "Succeeded"));
        if metadata.deletion_timestamp.is_some() || over {
            return None;
        }
        let containers = status.container_statuses.unwrap_or_default();
        let first = status.init_container_statuses.unwrap_or_default();
        let all = || first.iter().chain(&containers);
        let unscheduled = status.conditions.iter().flatten().find(|condition| {
            condition.type_ == "PodScheduled" && condition.status == "False" && condition.reason.is_some()
        });
        let scheduling = unscheduled.and_then(|condition| {
            Some((condition.reason.clone()?, condition.message.as_deref().and_then(message)))
        });
        let troubles = all().filter_map(container_trouble).chain(scheduling);
        // The gravest; what is no trouble, such as ContainerCreating, comes last.
        let worst = troubles.min_by_key(|(reason, _)| {
            let trouble = PodTrouble::of(reason);
            (trouble.is_none(), trouble)
        });
        let (reason, message) = worst.unzip();
        Some(SeenPod {
            state: PodState {
                name: metadata.name?,
                reason,
                message: message.flatten(),
                restarts: all().map(|container| count(Some(container.restart_count))).sum(),
            },
            owner,
            running: containers.iter().filter_map(running).collect(),
        })
    }
}

/// Why a container does not run, in Kubernetes' word.
fn container_trouble(container: &ContainerStatus) -> Option<(String, Option<String>)> {
    let state = container.state.as_ref();
    let ended = |state: Option<&ContainerState>| state.and_then(|state| state.terminated.clone());
    // One that runs again and is ready is over what it had.
    if container.ready || ended(state).is_some_and(|end| end.exit_code == 0) {
        return None;
    }
    let last = ended(container.last_state.as_ref()).or_else(|| ended(state));
    if let Some(last) = last.as_ref().filter(|last| last.reason.as_deref() == Some("OOMKilled")) {
        let limit = format!("{} exceeded its memory limit (exit code {})", container.name, last.exit_code);
        return Some(("OOMKilled".into(), Some(limit)));
    }
    let waiting = state.and_then(|state| state.waiting.as_ref())?;
    let reason = waiting.reason.clone()?;
    let text = match (&last, reason.as_str()) {
        // What Kubernetes says of it is how long it waits; why it crashes is in what it ended with.
        (Some(last), "CrashLoopBackOff") => {
            let word = last.reason.as_deref().map(|word| format!(" ({word})")).unwrap_or_default();
            Some(format!("{} ended with exit code {}{word}", container.name, last.exit_code))
        }
        _ => waiting.message.as_deref().and_then(message),
    };
    Some((reason, text))
}

/// What a container runs, by its digest. A runtime that knows the image by its own id alone does not say it.
fn running(container: &ContainerStatus) -> Option<ImageRef> {
    container.state.as_ref()?.running.as_ref()?;
    let image = ImageRef::parse(&container.image_id);
    image.digest.is_some().then_some(image)
}

fn images(pod: Option<&PodSpec>) -> Vec<String> {
    let containers = pod.into_iter().flat_map(|pod| &pod.containers);
    containers.filter_map(|container| container.image.clone()).collect()
}

fn controller<'a>(metadata: &'a ObjectMeta, kinds: &[&str]) -> Option<&'a OwnerReference> {
    let owners = metadata.owner_references.as_ref()?;
    owners.iter().find(|owner| owner.controller == Some(true) && kinds.contains(&owner.kind.as_str()))
}

/// The revision in an annotation, which is absent before the controller has seen the object.
fn revision(metadata: &ObjectMeta, annotation: &str) -> u32 {
    let text = metadata.annotations.as_ref().and_then(|all| all.get(annotation));
    text.and_then(|text| text.parse().ok()).filter(|revision| *revision > 0).unwrap_or(1)
}

/// The Application in a tracking id, `name:group/kind:namespace/name`. An id of another object was copied with its annotations.
fn tracked_by(id: &str, kind: WorkloadKind, namespace: &str, name: &str) -> Option<String> {
    let group = match kind {
        WorkloadKind::Deployment => "apps",
        WorkloadKind::Rollout => "argoproj.io",
    };
    let of_this = format!(":{group}/{}:{namespace}/{name}", kind.as_str());
    let application = id.strip_suffix(&of_this)?;
    (!application.is_empty()).then(|| application.to_owned())
}

/// The first text in quotes.
fn quoted(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('"')?;
    Some(rest.split_once('"')?.0.to_owned())
}

fn count(number: Option<i32>) -> u32 {
    number.and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
