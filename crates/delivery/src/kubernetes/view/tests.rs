//! Which workload is of which place, and what of it is told.

use domain::delivery::{EnvironmentName, ServiceName};
use serde_json::{Value, json};

use super::*;
use crate::kubernetes::argo;
use crate::kubernetes::config::Access;
use crate::kubernetes::window;

fn now() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

fn management() -> Cluster {
    Cluster { argocd_namespace: Some("argocd".into()), ..Cluster::new("management", Access::InCluster) }
}

fn placing() -> Placing {
    Placing {
        name_pattern: Some("{service}-{environment}".into()),
        services: ["users", "pay"].map(|name| ServiceName::parse(name).unwrap()).into(),
        environments: ["dev", "prod"].map(|name| EnvironmentName::parse(name).unwrap()).into(),
        ..Placing::default()
    }
}

fn key(name: &str) -> Key {
    ("shop".into(), name.into())
}

fn application(name: &str, destination: Value) -> (Key, Object) {
    let object = serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {"project": "shop", "destination": destination},
        "status": {"reconciledAt": "2026-11-23T11:59:00Z"},
    }));
    let seen = argo::SeenApplication::of(object.unwrap(), &management(), &placing()).unwrap();
    (("argocd".into(), name.into()), Object::Application(Box::new(seen)))
}

fn here() -> Value {
    json!({"server": "https://kubernetes.default.svc", "namespace": "shop"})
}

fn deployment(name: &str, tracking: Option<&str>, labels: Value) -> Object {
    let annotations = match tracking {
        Some(application) => {
            json!({"argocd.argoproj.io/tracking-id": format!("{application}:apps/Deployment:shop/{name}")})
        }
        None => json!({}),
    };
    let object = serde_json::from_value(json!({
        "metadata": {
            "name": name, "namespace": "shop", "uid": name, "generation": 2, "labels": labels, "annotations": annotations,
        },
        "spec": {"selector": {}, "template": {"spec": {"containers": [{"name": "c", "image": "r.io/users:1.3"}]}}},
        "status": {"observedGeneration": 2, "conditions": [{
            "type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable",
            "message": "ReplicaSet \"set-2\" has successfully progressed.", "lastUpdateTime": "2026-11-23T11:00:00Z",
        }]},
    }));
    Object::Workload(Box::new(SeenWorkload::of_deployment(object.unwrap()).unwrap()))
}

fn replica_set(name: &str, owner: &str, revision: u32) -> Object {
    let object = serde_json::from_value(json!({
        "metadata": {
            "name": name, "namespace": "shop", "uid": name, "creationTimestamp": "2026-11-23T10:00:00Z",
            "annotations": {"deployment.kubernetes.io/revision": revision.to_string()},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": owner, "uid": owner, "controller": true}],
        },
        "spec": {"selector": {}, "template": {"spec": {"containers": [{"name": "c", "image": "r.io/users:1.3"}]}}},
    }));
    Object::ReplicaSet(Box::new(SeenReplicaSet::of(object.unwrap()).unwrap()))
}

fn pod(name: &str, owner: &str, digest: char) -> Object {
    let object = serde_json::from_value(json!({
        "metadata": {
            "name": name, "namespace": "shop",
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": owner, "controller": true}],
        },
        "status": {"containerStatuses": [{
            "name": "c", "ready": true, "restartCount": 0, "image": "r.io/users:1.3",
            "imageID": format!("r.io/users@sha256:{}", digest.to_string().repeat(64)), "state": {"running": {}},
        }]},
    }));
    Object::Pod(Box::new(SeenPod::of(object.unwrap()).unwrap()))
}

fn view(applications: Vec<(Key, Object)>, deployments: Vec<Object>) -> View {
    let mut view = View::default();
    for (key, object) in applications {
        view.put(Kind::Application, key, object);
    }
    for (position, object) in deployments.into_iter().enumerate() {
        view.put(Kind::Deployment, key(&position.to_string()), object);
    }
    view
}

fn known(view: &View) -> AllKnown {
    AllKnown::from([("management".to_owned(), Arc::new(view.known(&management())))])
}

fn told(view: &View, cluster: &Cluster, known: &AllKnown) -> Vec<String> {
    let sightings = view.sightings(cluster, &placing(), known, now());
    let line = |sighting: &Sighting| {
        let place = sighting.place.as_ref().unwrap();
        let name = match &sighting.seen {
            Seen::Workload(workload) => format!(" ({})", workload.name),
            _ => String::new(),
        };
        format!("{}{name}: {} in {}", sighting.subject, place.service, place.environment)
    };
    sightings.iter().map(line).collect()
}

#[test]
fn workloads_are_of_the_application_that_manages_them() {
    let label = |name: &str| json!({"app.kubernetes.io/instance": name});
    let view = view(
        vec![application("users-dev", here()), application("monitoring", here())],
        vec![
            deployment("users", Some("users-dev"), json!({})),
            deployment("by-label", None, label("users-dev")),
            deployment("another", Some("pay-dev"), label("users-dev")),
            deployment("grafana", Some("monitoring"), json!({})),
            deployment("pay-dev", None, json!({})),
        ],
    );
    assert_eq!(
        told(&view, &management(), &known(&view)),
        [
            "argocd/users-dev: users in dev",
            "Deployment/shop/users (Deployment/users): users in dev",
            "Deployment/shop/by-label (Deployment/by-label): users in dev",
        ]
    );
}

#[test]
fn a_label_counts_for_what_the_application_lists() {
    let (at, object) = application("users-dev", here());
    let Object::Application(mut seen) = object else { panic!() };
    seen.workloads.insert(("Deployment".into(), "shop".into(), "users".into()));
    let label = json!({"app.kubernetes.io/instance": "users-dev"});
    let view = view(
        vec![(at, Object::Application(seen))],
        vec![deployment("users", None, label.clone()), deployment("of-a-chart", None, label)],
    );
    assert_eq!(told(&view, &management(), &known(&view)).len(), 2);
    assert_eq!(namespaces(&management(), &known(&view)), BTreeSet::from(["shop".to_owned()]));
}

#[test]
fn a_cluster_knows_the_applications_that_deploy_to_it_from_elsewhere() {
    let there = json!({"server": "https://EU.example.com/", "namespace": "shop"});
    let argo = view(vec![application("users-prod", there), application("pay-dev", here())], vec![]);
    let known = known(&argo);
    assert_eq!(
        told(&argo, &management(), &known),
        ["argocd/pay-dev: pay in dev", "argocd/users-prod: users in prod"]
    );
    let eu = Cluster {
        destinations: vec!["https://eu.example.com".into()],
        one_of_several: true,
        ..Cluster::new("eu", Access::InCluster)
    };
    assert_eq!(namespaces(&eu, &known), BTreeSet::from(["shop".to_owned()]));
    let workloads = view(
        vec![],
        vec![
            deployment("users", Some("users-prod"), json!({})),
            deployment("pay", Some("pay-dev"), json!({})),
        ],
    );
    assert_eq!(told(&workloads, &eu, &known), ["Deployment/shop/users (eu/Deployment/users): users in prod"]);
    // One that nothing is known of goes by the names.
    let other = Cluster::new("us", Access::InCluster);
    assert_eq!(
        told(&workloads, &other, &known),
        [
            "Deployment/shop/users (Deployment/users): users in prod",
            "Deployment/shop/pay (Deployment/pay): pay in dev",
        ]
    );
}

#[test]
fn workloads_of_one_name_are_told_apart() {
    let mut view = view(vec![], vec![deployment("users-dev", None, json!({}))]);
    let Object::Workload(mut twin) = deployment("users-dev", None, json!({})) else { panic!() };
    twin.namespace = "shop-2".into();
    view.put(Kind::Deployment, ("shop-2".into(), "users-dev".into()), Object::Workload(twin));
    assert_eq!(
        told(&view, &management(), &AllKnown::default()),
        [
            "Deployment/shop/users-dev (Deployment/shop/users-dev): users in dev",
            "Deployment/shop-2/users-dev (Deployment/shop-2/users-dev): users in dev",
        ]
    );
}

#[test]
fn pods_are_those_of_the_new_template() {
    let mut view = view(vec![], vec![deployment("users-dev", None, json!({}))]);
    view.put(Kind::ReplicaSet, key("set-1"), replica_set("set-1", "users-dev", 1));
    view.put(Kind::ReplicaSet, key("set-2"), replica_set("set-2", "users-dev", 2));
    view.put(Kind::ReplicaSet, key("set-3"), replica_set("set-3", "another", 3));
    for (name, owner, digest) in
        [("a", "set-1", '1'), ("b", "set-2", '2'), ("c", "set-2", '2'), ("d", "set-3", '3')]
    {
        view.put(Kind::Pod, key(name), pod(name, owner, digest));
    }
    let workload = |view: &View| match view
        .sightings(&management(), &placing(), &AllKnown::default(), now())
        .remove(0)
        .seen
    {
        Seen::Workload(workload) => workload,
        other => panic!("{other:?}"),
    };
    let seen = workload(&view);
    let pods: Vec<&str> = seen.pods.iter().map(|pod| pod.name.as_str()).collect();
    assert_eq!(pods, ["b", "c"]);
    assert_eq!(seen.running.len(), 1, "without repeats");
    assert_eq!(seen.running[0].digest, Some(format!("sha256:{}", "2".repeat(64))));
    assert_eq!(seen.images[0].tag.as_deref(), Some("1.3"));
    assert_eq!(seen.started, Some("2026-11-23T10:00:00Z".parse().unwrap()));
    assert_eq!(seen.finished, Some("2026-11-23T11:00:00Z".parse().unwrap()));
    view.put(Kind::ReplicaSet, key("set-4"), replica_set("set-4", "users-dev", 4));
    let next = workload(&view);
    assert_eq!((next.finished, next.pods.len()), (None, 0), "the condition is of the ReplicaSet before");
}

#[test]
fn windows_and_settings_are_put_in() {
    let mut view = view(vec![application("users-dev", here())], vec![]);
    let project = json!({"spec": {"syncWindows": [
        {"kind": "deny", "schedule": "0 10 * * *", "duration": "4h", "namespaces": ["shop"]},
    ]}});
    view.put(Kind::Project, ("argocd".into(), "shop".into()), Object::Project(window::windows(&project)));
    let settings = Settings { poll_seconds: 300, ..Settings::default() };
    view.put(Kind::Settings, ("argocd".into(), "argocd-cm".into()), Object::Settings(settings));
    let sightings = view.sightings(&management(), &placing(), &known(&view), now());
    let Seen::Application(application) = &sightings[0].seen else { panic!() };
    let until = Some("2026-11-23T14:00:00Z".parse().unwrap());
    assert_eq!((application.window, application.poll_seconds), (SyncWindow::Closed { until }, 300));
    assert_eq!(next_opening(&sightings), until);
}

#[test]
fn the_looks_of_a_controller_are_no_news() {
    let of = |change: fn(&mut Application)| {
        let view = view(vec![application("users-dev", here())], vec![]);
        let mut sightings = view.sightings(&management(), &placing(), &known(&view), now());
        if let Seen::Application(application) = &mut sightings[0].seen {
            change(application);
        }
        sightings
    };
    let before = of(|_| {});
    assert!(same(&before, &of(|application| application.last_reconciled = Some(now()))));
    assert!(!same(&before, &of(|application| application.auto_sync = true)));
    assert!(!same(&before, &[]));
}

#[test]
fn a_new_list_takes_the_place_of_the_old_one_in_its_namespace() {
    let mut view = view(vec![], vec![]);
    let names = |view: &View| view.all(Kind::Deployment).count();
    let id =
        |namespace: Option<&str>| WatchId { kind: Kind::Deployment, namespace: namespace.map(Into::into) };
    let object = || deployment("a", None, json!({}));
    view.list(&id(Some("shop")), vec![(key("a"), object()), (key("b"), object())]);
    view.list(&id(Some("other")), vec![(("other".into(), "c".into()), object())]);
    assert_eq!(names(&view), 3);
    view.list(&id(Some("shop")), vec![(key("b"), object())]);
    assert_eq!(names(&view), 2);
    view.remove(Kind::Deployment, &key("b"));
    view.list(&id(None), vec![]);
    assert_eq!(names(&view), 0);
}
