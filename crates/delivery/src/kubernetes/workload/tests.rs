//! Workloads as Kubernetes 1.33 and Argo Rollouts 1.9 write them.

use serde_json::json;

use super::*;

fn at(text: &str) -> Option<Timestamp> {
    Some(text.parse().unwrap())
}

fn deployment(change: impl FnOnce(&mut Value)) -> SeenWorkload {
    let mut object = json!({
        "metadata": {
            "name": "users", "namespace": "shop", "uid": "d1", "generation": 7,
            "labels": {"app.kubernetes.io/instance": "users-dev"},
            "annotations": {
                "deployment.kubernetes.io/revision": "4",
                "argocd.argoproj.io/tracking-id": "users-dev:apps/Deployment:shop/users",
            },
        },
        "spec": {
            "replicas": 5,
            "selector": {"matchLabels": {"app": "users"}},
            "template": {"spec": {"containers": [
                {"name": "users", "image": "r.io/users:1.3"}, {"name": "proxy", "image": "r.io/proxy:2"},
            ]}},
        },
        "status": {
            "observedGeneration": 7, "replicas": 6, "updatedReplicas": 2, "availableReplicas": 4,
            "conditions": [
                {"type": "Available", "status": "True", "lastTransitionTime": "2026-11-20T10:00:00Z"},
                {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated",
                 "lastUpdateTime": "2026-11-21T10:00:00Z"},
            ],
        },
    });
    change(&mut object);
    SeenWorkload::of_deployment(serde_json::from_value(object).unwrap()).unwrap()
}

#[test]
fn a_deployment_that_is_rolled_out_is_read() {
    let users = deployment(|_| {});
    assert_eq!(users.tracked_by.as_deref(), Some("users-dev"));
    assert_eq!(users.images, ["r.io/users:1.3", "r.io/proxy:2"]);
    assert_eq!((users.revision, users.complete_since), (4, None));
    assert_eq!(users.available_since, at("2026-11-20T10:00:00Z"));
    assert_eq!(
        users.state,
        DeploymentState {
            generation: 7,
            observed_generation: 7,
            desired: 5,
            replicas: 6,
            updated: 2,
            available: 4,
            deadline_exceeded: false,
            minimum_available: true,
            replica_failure: None,
            paused: false,
        }
    );
}

#[test]
fn conditions_tell_how_it_ends() {
    let with = |conditions: Value| deployment(|object| object["status"]["conditions"] = conditions);
    let done = with(json!([{
        "type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable",
        "message": "ReplicaSet \"users-7c9\" has successfully progressed.", "lastUpdateTime": "2026-11-21T10:02:00Z",
    }]));
    assert_eq!(
        (done.complete_since, done.completed.as_deref()),
        (at("2026-11-21T10:02:00Z"), Some("users-7c9"))
    );
    assert!(!done.state.minimum_available);
    let stalled = with(json!([
        {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"},
        {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"},
    ]));
    assert!(stalled.state.deadline_exceeded);
    assert_eq!(stalled.state.replica_failure.as_deref(), Some("exceeded quota"));
    let over = with(json!([{"type": "ReplicaFailure", "status": "False", "message": "exceeded quota"}]));
    assert_eq!(over.state.replica_failure, None);
}

#[test]
fn a_deployment_that_no_controller_has_seen_is_pending() {
    let new = deployment(|object| {
        let object = object.as_object_mut().unwrap();
        object.remove("status");
        object["metadata"]["annotations"] = json!({});
        object["spec"].as_object_mut().unwrap().remove("replicas");
    });
    assert_eq!((new.revision, new.state.observed_generation, new.state.desired), (1, 0, 1));
    assert_eq!(new.tracked_by, None);
}

#[test]
fn a_tracking_id_is_of_its_own_object() {
    let tracked = |id: &str| tracked_by(id, WorkloadKind::Deployment, "shop", "users");
    assert_eq!(tracked("users-dev:apps/Deployment:shop/users").as_deref(), Some("users-dev"));
    assert_eq!(tracked("team_users-dev:apps/Deployment:shop/users").as_deref(), Some("team_users-dev"));
    for other in [
        "users-dev:apps/Deployment:shop/other",
        "users-dev:apps/ReplicaSet:shop/users",
        ":apps/Deployment:shop/users",
        "",
    ] {
        assert_eq!(tracked(other), None, "{other}");
    }
}

fn replica_set(name: &str, revision: u32, image: &str, annotations: Value) -> SeenReplicaSet {
    let mut marks = json!({"deployment.kubernetes.io/revision": revision.to_string()});
    marks.as_object_mut().unwrap().extend(annotations.as_object().unwrap().clone());
    let object = json!({
        "metadata": {
            "name": name, "namespace": "shop", "uid": name, "creationTimestamp": "2026-11-21T09:59:00Z",
            "labels": {"pod-template-hash": "7c9"}, "annotations": marks,
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "Other", "name": "x", "uid": "x"},
                {"apiVersion": "apps/v1", "kind": "Deployment", "name": "users", "uid": "d1", "controller": true},
            ],
        },
        "spec": {"selector": {}, "template": {"spec": {"containers": [{"name": "users", "image": image}]}}},
    });
    SeenReplicaSet::of(serde_json::from_value(object).unwrap()).unwrap()
}

#[test]
fn the_newest_replica_set_is_of_the_template_once_that_was_seen() {
    let old = replica_set("users-old", 3, "r.io/users:1.2", json!({}));
    let new = replica_set(
        "users-new",
        4,
        "r.io/users:1.3",
        json!({"deployment.kubernetes.io/revision-history": "2"}),
    );
    assert_eq!((old.owner.as_str(), old.made, old.reused), ("d1", at("2026-11-21T09:59:00Z"), false));
    assert!(new.reused, "put back");
    let users = deployment(|_| {});
    let newest =
        |users: &SeenWorkload, own: &[&SeenReplicaSet]| users.newest(own).map(|set| set.name.clone());
    assert_eq!(newest(&users, &[&new, &old]).as_deref(), Some("users-new"));
    assert_eq!(newest(&users, &[]), None);
    let ahead = |image: &str| {
        deployment(|object| {
            object["metadata"]["generation"] = 8.into();
            object["spec"]["template"]["spec"]["containers"] = json!([{"name": "users", "image": image}]);
        })
    };
    assert_eq!(newest(&ahead("r.io/users:1.4"), &[&new, &old]), None, "its ReplicaSet is not made yet");
    assert_eq!(newest(&ahead("r.io/users:1.3"), &[&new, &old]).as_deref(), Some("users-new"), "scaled");
}

#[test]
fn what_nothing_controls_is_left_out() {
    let object =
        json!({"metadata": {"name": "a", "namespace": "shop", "uid": "a"}, "spec": {"selector": {}}});
    assert!(SeenReplicaSet::of(serde_json::from_value(object).unwrap()).is_none());
    let job = json!({"metadata": {"name": "a", "namespace": "shop", "ownerReferences": [
        {"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "j", "controller": true}]}});
    assert!(SeenPod::of(serde_json::from_value(job).unwrap()).is_none());
}

fn pod(status: Value) -> Option<SeenPod> {
    let object = json!({
        "metadata": {
            "name": "users-7c9-x", "namespace": "shop",
            "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "users-7c9", "uid": "r1", "controller": true},
            ],
        },
        "status": status,
    });
    SeenPod::of(serde_json::from_value(object).unwrap())
}

fn container(name: &str, ready: bool, state: Value, last: Value) -> Value {
    json!({
        "name": name, "ready": ready, "restartCount": 2, "image": "r.io/users:1.3",
        "imageID": format!("r.io/{name}@sha256:{}", "a".repeat(64)), "state": state, "lastState": last,
    })
}

fn trouble(status: Value) -> (Option<String>, Option<String>) {
    let state = pod(status).unwrap().state;
    (state.reason, state.message)
}

fn containers(containers: &[Value]) -> Value {
    json!({"phase": "Running", "containerStatuses": containers})
}

#[test]
fn a_pod_that_runs_tells_what_it_runs() {
    let running = json!({"running": {"startedAt": "2026-11-21T10:00:00Z"}});
    let by_id = json!({"name": "c", "ready": true, "restartCount": 0, "image": "c", "imageID": "sha256:abc", "state": running});
    let pod = pod(containers(&[
        container(
            "users",
            true,
            running.clone(),
            json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}),
        ),
        container("proxy", true, running, json!({})),
        by_id,
    ]));
    let pod = pod.unwrap();
    assert_eq!((pod.owner.as_str(), pod.state.name.as_str()), ("r1", "users-7c9-x"));
    assert_eq!((pod.state.reason, pod.state.restarts), (None, 4), "it is over what it had");
    let running: Vec<&str> = pod.running.iter().map(|image| image.repository.as_str()).collect();
    assert_eq!(running, ["r.io/users", "r.io/proxy"], "an id of the runtime's own is no digest");
}

#[test]
fn a_pod_that_does_not_run_tells_why() {
    let waiting = |reason: &str, message: &str| json!({"waiting": {"reason": reason, "message": message}});
    let pull = container("users", false, waiting("ImagePullBackOff", "Back-off pulling image"), json!({}));
    let creating = container("proxy", false, waiting("ContainerCreating", ""), json!({}));
    let told = trouble(containers(&[creating.clone(), pull.clone()]));
    assert_eq!(told, (Some("ImagePullBackOff".into()), Some("Back-off pulling image".into())));
    assert_eq!(trouble(containers(&[creating])).0.as_deref(), Some("ContainerCreating"));
    assert_eq!(pod(containers(&[pull])).unwrap().running, []);

    let ended = |reason: &str, code: i32| json!({"terminated": {"reason": reason, "exitCode": code, "message": "a secret"}});
    let crash = container("users", false, waiting("CrashLoopBackOff", "back-off 5m0s"), ended("Error", 3));
    let told = trouble(containers(&[crash]));
    assert_eq!(told, (Some("CrashLoopBackOff".into()), Some("users ended with exit code 3 (Error)".into())));
    for state in [waiting("CrashLoopBackOff", "back-off"), json!({"running": {}})] {
        let memory = container("users", false, state, ended("OOMKilled", 137));
        assert_eq!(trouble(containers(&[memory])).0.as_deref(), Some("OOMKilled"));
    }
    let first = json!({"phase": "Pending", "initContainerStatuses": [
        container("migrate", false, waiting("CreateContainerConfigError", "secret \"db\" not found"), json!({})),
    ], "containerStatuses": [container("users", false, waiting("PodInitializing", ""), json!({}))]});
    assert_eq!(trouble(first).0.as_deref(), Some("CreateContainerConfigError"));
    let done = json!({"phase": "Running", "initContainerStatuses": [container("migrate", false, ended("Completed", 0), json!({}))]});
    assert_eq!(trouble(done).0, None);
}

#[test]
fn a_pod_without_a_node_tells_it() {
    let status = json!({"phase": "Pending", "conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available"},
    ]});
    assert_eq!(trouble(status), (Some("Unschedulable".into()), Some("0/3 nodes are available".into())));
    assert_eq!(trouble(json!({})), (None, None));
}

#[test]
fn pods_that_are_over_or_going_are_left_out() {
    assert!(pod(json!({"phase": "Failed", "reason": "Evicted"})).is_none());
    assert!(pod(json!({"phase": "Succeeded"})).is_none());
    let going = json!({"metadata": {
        "name": "a", "namespace": "shop", "deletionTimestamp": "2026-11-21T10:00:00Z",
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "r", "controller": true}],
    }});
    assert!(SeenPod::of(serde_json::from_value(going).unwrap()).is_none());
}

fn rollout(change: impl FnOnce(&mut Value)) -> SeenWorkload {
    let mut object = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
        "metadata": {
            "name": "users", "namespace": "shop", "uid": "o1", "generation": 3,
            "annotations": {
                "rollout.argoproj.io/revision": "9",
                "argocd.argoproj.io/tracking-id": "users-dev:argoproj.io/Rollout:shop/users",
            },
        },
        "spec": {"replicas": 4, "template": {"spec": {"containers": [{"name": "users", "image": "r.io/users:2"}]}}},
        "status": {
            "observedGeneration": "3", "replicas": 5, "updatedReplicas": 1, "availableReplicas": 4, "currentPodHash": "6f",
            "conditions": [
                {"type": "Available", "status": "True", "lastTransitionTime": "2026-11-20T10:00:00Z"},
                {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated"},
            ],
        },
    });
    change(&mut object);
    SeenWorkload::of_rollout(serde_json::from_value(object).unwrap()).unwrap()
}

#[test]
fn a_rollout_of_argo_rollouts_is_read() {
    let users = rollout(|_| {});
    assert_eq!((users.tracked_by.as_deref(), users.revision), (Some("users-dev"), 9));
    let state = &users.state;
    assert_eq!((state.observed_generation, state.desired, state.updated, state.available), (3, 4, 1, 4));
    assert!(state.minimum_available && !state.paused && !state.deadline_exceeded);
    let paused =
        rollout(|object| object["status"]["pauseConditions"] = json!([{"reason": "CanaryPauseStep"}]));
    assert!(paused.state.paused);
    let aborted = rollout(|object| {
        object["status"]["abort"] = true.into();
        object["status"]["message"] = "RolloutAborted: metric \"errors\" failed".into();
    });
    assert!(aborted.state.deadline_exceeded);
    assert!(aborted.state.replica_failure.unwrap().starts_with("RolloutAborted"));
    let done = rollout(|object| {
        object["status"]["conditions"] =
            json!([{"type": "Completed", "status": "True", "lastTransitionTime": "2026-11-21T11:00:00Z"}]);
    });
    assert_eq!(done.complete_since, at("2026-11-21T11:00:00Z"));
    let hashed = rollout(|object| object["status"]["observedGeneration"] = "5d8f".into());
    assert_eq!(hashed.state.observed_generation, 3);
    let new = rollout(|object| drop(object.as_object_mut().unwrap().remove("status")));
    assert_eq!((new.state.observed_generation, new.template_hash), (0, None));
}

#[test]
fn a_rollouts_replica_set_is_known_by_its_hash() {
    let set = |name: &str, hash: &str| {
        let object = json!({
            "metadata": {
                "name": name, "namespace": "shop", "uid": name, "labels": {"rollouts-pod-template-hash": hash},
                "annotations": {"rollout.argoproj.io/revision": "9"},
                "ownerReferences": [
                    {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "users", "uid": "o1", "controller": true},
                ],
            },
            "spec": {"selector": {}},
        });
        SeenReplicaSet::of(serde_json::from_value(object).unwrap()).unwrap()
    };
    let (stable, canary) = (set("users-5b", "5b"), set("users-6f", "6f"));
    assert_eq!(canary.revision, 9);
    assert_eq!(rollout(|_| {}).newest(&[&stable, &canary]).unwrap().name, "users-6f");
    assert!(rollout(|_| {}).newest(&[&stable]).is_none());
}
