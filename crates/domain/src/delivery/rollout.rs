//! How far a Deployment's rollout has come, by kubectl's algorithm, and which of its pods is in trouble.

use serde::{Deserialize, Serialize};

use crate::delivery::{RolloutDetail, Status, WaitingPod};

/// What of a Deployment tells how far its rollout has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentState {
    /// `metadata.generation`
    pub generation: i64,
    /// `status.observedGeneration`; 0 before the controller has seen it.
    pub observed_generation: i64,
    /// `spec.replicas`, which is 1 where it is left out.
    pub desired: u32,
    /// `status.replicas`: pods of either template.
    pub replicas: u32,
    /// `status.updatedReplicas`
    pub updated: u32,
    /// `status.availableReplicas`
    pub available: u32,
    /// The condition `Progressing` has the reason `ProgressDeadlineExceeded`.
    pub deadline_exceeded: bool,
    /// The condition `Available` is true.
    pub minimum_available: bool,
    /// The message of the condition `ReplicaFailure` where that is true: a quota, an admission webhook.
    pub replica_failure: Option<String>,
    /// `spec.paused`
    pub paused: bool,
}

/// How far a rollout has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RolloutStatus {
    /// The controller has not seen the new template.
    Pending,
    /// It made no progress for `spec.progressDeadlineSeconds`. Kubernetes leaves it at that.
    DeadlineExceeded,
    /// Pods of the new template are being made.
    Updating {
        updated: u32,
        desired: u32,
    },
    /// Pods of the new template are not being made until somebody resumes.
    Paused {
        updated: u32,
        desired: u32,
    },
    /// All pods of the new template were made; those of the old one are going.
    Terminating {
        old: u32,
    },
    /// Not all pods of the new template are available yet.
    BecomingAvailable {
        available: u32,
        updated: u32,
    },
    Complete,
}

impl RolloutStatus {
    /// As the status of a fact. After the rollout was complete once, whoever sees pods become unavailable tells a failure, as
    /// nothing that goes on outweighs the end of the same attempt.
    pub fn status(self) -> Status {
        match self {
            RolloutStatus::Pending => Status::Waiting,
            RolloutStatus::DeadlineExceeded => Status::Failed,
            RolloutStatus::Updating { .. }
            | RolloutStatus::Paused { .. }
            | RolloutStatus::Terminating { .. }
            | RolloutStatus::BecomingAvailable { .. } => Status::Running,
            RolloutStatus::Complete => Status::Succeeded,
        }
    }
}

/// How far a rollout has come: the algorithm of `kubectl rollout status`. Conditions alone are not enough: right after an update
/// they still speak of the rollout before (kubernetes#124264).
pub fn rollout_status(deployment: &DeploymentState) -> RolloutStatus {
    let DeploymentState { desired, replicas, updated, available, .. } = *deployment;
    if deployment.observed_generation < deployment.generation {
        RolloutStatus::Pending
    } else if deployment.deadline_exceeded {
        RolloutStatus::DeadlineExceeded
    } else if updated < desired && deployment.paused {
        RolloutStatus::Paused { updated, desired }
    } else if updated < desired {
        RolloutStatus::Updating { updated, desired }
    } else if replicas > updated {
        RolloutStatus::Terminating { old: replicas - updated }
    } else if available < updated {
        RolloutStatus::BecomingAvailable { available, updated }
    } else {
        RolloutStatus::Complete
    }
}

/// What of a pod tells why it does not run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodState {
    pub name: String,
    /// `state.waiting.reason` of a container, `lastState.terminated.reason` where that is `OOMKilled`, or the reason of the
    /// condition `PodScheduled` where that is false.
    pub reason: Option<String>,
    pub message: Option<String>,
    /// `restartCount` of its containers together.
    pub restarts: u32,
}

/// What a fact of a rollout carries: counts, and the worst of the pods of the new template.
pub fn rollout_detail(workload: &str, deployment: &DeploymentState, new_pods: &[PodState]) -> RolloutDetail {
    let in_trouble = new_pods.iter().filter_map(|pod| {
        let reason = pod.reason.as_deref()?;
        Some((PodTrouble::of(reason)?, pod, reason))
    });
    // The gravest, and of several the first by name, so that the same pods are always told alike.
    let worst = in_trouble.min_by(|left, right| (left.0, &left.1.name).cmp(&(right.0, &right.1.name)));
    let of_pod = worst.map(|(_, pod, reason)| WaitingPod {
        pod: pod.name.clone(),
        reason: reason.into(),
        message: pod.message.clone(),
    });
    let not_made = deployment.replica_failure.as_ref().map(|message| WaitingPod {
        pod: workload.into(),
        reason: "ReplicaFailure".into(),
        message: Some(message.clone()),
    });
    // Until the controller has seen the new template, the status counts pods of the one before.
    let is_counted = deployment.observed_generation >= deployment.generation;
    RolloutDetail {
        workload: Some(workload.into()),
        desired: Some(deployment.desired),
        updated: is_counted.then_some(deployment.updated),
        available: is_counted.then_some(deployment.available),
        waiting: of_pod.or(not_made),
        restarts: new_pods.iter().map(|pod| pod.restarts).sum(),
        deadline_exceeded: deployment.deadline_exceeded,
        old_serves: deployment.minimum_available,
    }
}

/// Why a pod does not run, gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PodTrouble {
    /// `ImagePullBackOff`, `ErrImagePull`, `InvalidImageName` and their like.
    ImagePull,
    /// `CrashLoopBackOff`
    CrashLoop,
    /// `OOMKilled`
    OutOfMemory,
    /// `CreateContainerConfigError`, `CreateContainerError`, `RunContainerError`: a Secret or ConfigMap that is missing, mostly.
    Config,
    /// `Unschedulable`
    Unschedulable,
    /// `ReplicaFailure`: no pod may be made.
    NotMade,
}

impl PodTrouble {
    /// What Kubernetes' word means; `None` for one that is no trouble yet, such as `ContainerCreating`.
    pub fn of(reason: &str) -> Option<PodTrouble> {
        Some(match reason {
            "ImagePullBackOff"
            | "ErrImagePull"
            | "InvalidImageName"
            | "ErrImageNeverPull"
            | "ImageInspectError"
            | "RegistryUnavailable" => PodTrouble::ImagePull,
            "CrashLoopBackOff" => PodTrouble::CrashLoop,
            "OOMKilled" => PodTrouble::OutOfMemory,
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => PodTrouble::Config,
            "Unschedulable" => PodTrouble::Unschedulable,
            "ReplicaFailure" => PodTrouble::NotMade,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: DeploymentState = DeploymentState {
        generation: 4,
        observed_generation: 4,
        desired: 5,
        replicas: 5,
        updated: 5,
        available: 5,
        deadline_exceeded: false,
        minimum_available: true,
        replica_failure: None,
        paused: false,
    };

    #[test]
    fn a_rollout_comes_as_far_as_kubectl_says() {
        let cases = [
            (COMPLETE, RolloutStatus::Complete, Status::Succeeded),
            // All else still speaks of the rollout before.
            (DeploymentState { observed_generation: 3, ..COMPLETE }, RolloutStatus::Pending, Status::Waiting),
            (
                DeploymentState { deadline_exceeded: true, updated: 2, ..COMPLETE },
                RolloutStatus::DeadlineExceeded,
                Status::Failed,
            ),
            (
                DeploymentState { observed_generation: 3, deadline_exceeded: true, ..COMPLETE },
                RolloutStatus::Pending,
                Status::Waiting,
            ),
            (
                DeploymentState { updated: 2, replicas: 6, ..COMPLETE },
                RolloutStatus::Updating { updated: 2, desired: 5 },
                Status::Running,
            ),
            (
                DeploymentState { updated: 2, paused: true, ..COMPLETE },
                RolloutStatus::Paused { updated: 2, desired: 5 },
                Status::Running,
            ),
            (DeploymentState { paused: true, ..COMPLETE }, RolloutStatus::Complete, Status::Succeeded),
            (
                DeploymentState { replicas: 7, ..COMPLETE },
                RolloutStatus::Terminating { old: 2 },
                Status::Running,
            ),
            (
                DeploymentState { available: 3, ..COMPLETE },
                RolloutStatus::BecomingAvailable { available: 3, updated: 5 },
                Status::Running,
            ),
            (
                DeploymentState { desired: 0, replicas: 0, updated: 0, available: 0, ..COMPLETE },
                RolloutStatus::Complete,
                Status::Succeeded,
            ),
        ];
        for (deployment, expected, status) in cases {
            assert_eq!(rollout_status(&deployment), expected, "{deployment:?}");
            assert_eq!(expected.status(), status);
        }
    }

    #[test]
    fn the_gravest_trouble_is_told() {
        let pod = |name: &str, reason: Option<&str>| PodState {
            name: name.into(),
            reason: reason.map(Into::into),
            restarts: 2,
            ..PodState::default()
        };
        let pods = [
            pod("d", Some("Unschedulable")),
            pod("c", Some("ImagePullBackOff")),
            pod("b", Some("ErrImagePull")),
            pod("a", Some("ContainerCreating")),
            pod("e", None),
        ];
        let detail = rollout_detail("Deployment/users", &COMPLETE, &pods);
        let waiting = detail.waiting.unwrap();
        assert_eq!((waiting.pod.as_str(), waiting.reason.as_str()), ("b", "ErrImagePull"));
        assert_eq!((detail.restarts, detail.old_serves), (10, true));
        let refused = DeploymentState { replica_failure: Some("exceeded quota".into()), ..COMPLETE };
        let waiting = rollout_detail("Deployment/users", &refused, &pods[3..]).waiting.unwrap();
        assert_eq!((waiting.pod.as_str(), waiting.reason.as_str()), ("Deployment/users", "ReplicaFailure"));
        assert_eq!(rollout_detail("Deployment/users", &COMPLETE, &pods[3..]).waiting, None);
    }
}
