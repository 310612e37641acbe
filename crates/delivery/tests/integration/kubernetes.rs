//! The reader of a cluster against a real API server. No controller runs: statuses are what the tests make them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use delivery::kubernetes::{Access, Applications, Cluster, ClusterReader, NEEDED, Pace, Placing};
use delivery::reader::{Checked, ReadError, Reader};
use domain::delivery::{
    Application, Health, RolloutStatus, Seen, Sighting, SyncStatus, SyncWindow, UpdaterMode, Workload,
    rollout_detail, rollout_status,
};
use jiff::Timestamp;
use k8s_openapi::api::rbac::v1::PolicyRule;
use serde_json::{Value, json};

use crate::apiserver::ApiServer;

const ARGO: &str = "argoproj.io/v1alpha1";
const UPDATER: &str = "argocd-image-updater.argoproj.io/v1alpha1";
/// Longer than any machine takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// One cluster whose Argo CD and workloads are in one namespace.
fn cluster(kubeconfig: PathBuf, namespace: &str) -> Cluster {
    Cluster {
        argocd_namespace: Some(namespace.to_owned()),
        namespaces: vec![namespace.to_owned()],
        argocd_url: Some("https://argocd.example.com".into()),
        pace: Pace {
            start: Duration::from_secs(60),
            quiet: Duration::from_secs(2),
            settle: Duration::from_millis(50),
            tolerance: Duration::from_secs(1),
            look_again: Duration::from_millis(300),
        },
        ..Cluster::new("eu", Access::Kubeconfig { path: Some(kubeconfig), context: None })
    }
}

fn placing() -> Placing {
    Placing {
        service_label: Some("acme.io/service".into()),
        environment_label: Some("acme.io/environment".into()),
        ..Placing::default()
    }
}

fn reader(cluster: Cluster) -> ClusterReader {
    ClusterReader::new(cluster, placing(), aws::Settings::default(), Applications::default())
}

async fn read(reader: &mut ClusterReader) -> Result<Vec<Sighting>, ReadError> {
    let told =
        tokio::time::timeout(PATIENCE, reader.read(Timestamp::now())).await.expect("it does not answer")?;
    assert!(told.facts.is_empty() && told.images.is_empty());
    Ok(told.sightings.expect("everything that it sees"))
}

/// Reads until what is seen is as wanted.
async fn read_until(
    reader: &mut ClusterReader,
    what: &str,
    mut wanted: impl FnMut(&[Sighting]) -> bool,
) -> Vec<Sighting> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = read(reader).await;
        if let Ok(seen) = &seen
            && wanted(seen)
        {
            return seen.clone();
        }
        assert!(Instant::now() < deadline, "not seen: {what}, but {seen:#?}");
    }
}

/// Reads until it cannot, and says why.
async fn read_until_refused(reader: &mut ClusterReader) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Err(error) = read(reader).await {
            return error.message;
        }
        assert!(Instant::now() < deadline, "it still reads");
    }
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "not after {} s: {what}", PATIENCE.as_secs());
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

fn applications(seen: &[Sighting]) -> Vec<&Application> {
    seen.iter()
        .filter_map(|sighting| match &sighting.seen {
            Seen::Application(application) => Some(application.as_ref()),
            _ => None,
        })
        .collect()
}

fn workloads(seen: &[Sighting]) -> Vec<&Workload> {
    seen.iter()
        .filter_map(|sighting| match &sighting.seen {
            Seen::Workload(workload) => Some(workload),
            _ => None,
        })
        .collect()
}

fn subjects(seen: &[Sighting]) -> Vec<&str> {
    seen.iter().map(|sighting| sighting.subject.as_str()).collect()
}

fn application(namespace: &str) -> String {
    application_to(namespace, "users-dev", "https://kubernetes.default.svc", namespace)
}

fn application_to(namespace: &str, name: &str, server: &str, destination: &str) -> String {
    format!(
        "apiVersion: {ARGO}
kind: Application
metadata:
  name: {name}
  namespace: {namespace}
  labels: {{ acme.io/service: users, acme.io/environment: dev }}
spec:
  project: shop
  source: {{ repoURL: https://git.example.com/gitops.git, path: envs/dev/users, targetRevision: main }}
  destination: {{ server: '{server}', namespace: {destination} }}
  syncPolicy: {{ automated: {{ prune: true }} }}
status:
  sync: {{ status: OutOfSync, revision: c1, comparedTo: {{ source: {{ repoURL: x }}, destination: {{}} }} }}
  health: {{ status: Healthy }}
  reconciledAt: '2026-11-21T10:00:00Z'
---
"
    )
}

fn deployment(namespace: &str, name: &str, application: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  namespace: {namespace}
  annotations:
    argocd.argoproj.io/tracking-id: '{application}:apps/Deployment:{namespace}/{name}'
    deployment.kubernetes.io/revision: '2'
spec:
  replicas: 5
  selector: {{ matchLabels: {{ app: {name} }} }}
  template:
    metadata: {{ labels: {{ app: {name} }} }}
    spec: {{ containers: [{{ name: {name}, image: 'r.io/users:1.3' }}] }}
---
"
    )
}

/// A ReplicaSet of a Deployment, or a pod of a ReplicaSet, as their controllers make them.
fn owned(kind: &str, namespace: &str, name: &str, owner: (&str, &str, &str), spec: Value) -> String {
    let (owner_kind, owner_name, owner_uid) = owner;
    let object = json!({
        "apiVersion": if kind == "Pod" { "v1" } else { "apps/v1" },
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app": "users", "pod-template-hash": "7c9"},
            "annotations": {"deployment.kubernetes.io/revision": "2"},
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": owner_kind, "name": owner_name, "uid": owner_uid, "controller": true,
            }],
        },
        "spec": spec,
    });
    object.to_string()
}

fn rule(group: &str, resource: &str) -> PolicyRule {
    PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(vec![resource.to_owned()]),
        verbs: ["list", "watch"].map(str::to_owned).into(),
        ..PolicyRule::default()
    }
}

/// What is needed, all of it or without a resource.
fn rules(without: Option<&str>) -> Vec<PolicyRule> {
    let needed = NEEDED.iter().filter(|need| Some(need.resource) != without);
    needed
        .map(|need| PolicyRule {
            resource_names: need.name.map(|name| vec![name.to_owned()]),
            verbs: need.verbs.iter().map(|verb| (*verb).to_owned()).collect(),
            ..rule(need.group, need.resource)
        })
        .collect()
}

#[tokio::test]
async fn an_application_is_followed_from_out_of_sync_to_synced() {
    let server = ApiServer::shared().await;
    let namespace = &*server.namespace("kubernetes").await;
    server.apply(&application(namespace)).await;
    let mut reader = reader(cluster(server.kubeconfig(), namespace));

    let seen = read(&mut reader).await.unwrap();
    assert_eq!(subjects(&seen), [format!("{namespace}/users-dev")]);
    let place = seen[0].place.as_ref().unwrap();
    assert_eq!((place.service.as_str(), place.environment.as_str()), ("users", "dev"));
    let first = applications(&seen)[0];
    assert_eq!(
        (first.state.sync_status, first.poll_seconds, first.auto_sync),
        (SyncStatus::OutOfSync, 120, true)
    );
    let link = format!("https://argocd.example.com/applications/{namespace}/users-dev");
    assert_eq!(first.link.as_ref(), Some(&link));

    // A look of the controller is told with what comes next, or after a while, and is no news by itself.
    let looked = json!({"reconciledAt": "2026-11-21T10:02:00Z"});
    server.status(ARGO, "Application", namespace, "users-dev", looked).await;
    let asked = Instant::now();
    let seen = read(&mut reader).await.unwrap();
    assert!(asked.elapsed() >= Duration::from_secs(2), "it was told at once");
    assert_eq!(applications(&seen)[0].last_reconciled, Some("2026-11-21T10:02:00Z".parse().unwrap()));

    let synced = json!({
        "sync": {"status": "Synced", "revision": "c2"},
        "health": {"status": "Progressing"},
        "operationState": {
            "phase": "Succeeded",
            "startedAt": "2026-11-21T10:03:00Z",
            "operation": {"sync": {}},
            "syncResult": {"revision": "c2", "source": {"repoURL": "x"}},
        },
    });
    server.status(ARGO, "Application", namespace, "users-dev", synced).await;
    let seen = read_until(&mut reader, "the sync", |seen| {
        applications(seen).iter().any(|one| one.state.sync_status == SyncStatus::Synced)
    })
    .await;
    let state = &applications(&seen)[0].state;
    assert_eq!((state.revision(), state.health), (Some("c2"), Health::Progressing));

    server.delete(ARGO, "Application", namespace, "users-dev").await;
    read_until(&mut reader, "that it is gone", |seen| seen.is_empty()).await;
}

#[tokio::test]
async fn a_rollout_is_followed_to_its_pods() {
    let server = ApiServer::shared().await;
    let namespace = &*server.namespace("kubernetes").await;
    server.apply(&application(namespace)).await;
    let made = server.apply(&deployment(namespace, "users", "users-dev")).await;
    let deployment = made[0].metadata.uid.clone().unwrap();
    let mut reader = reader(cluster(server.kubeconfig(), namespace));
    let seen = read(&mut reader).await.unwrap();
    assert_eq!(subjects(&seen)[1], format!("Deployment/{namespace}/users"));
    assert_eq!(rollout_status(&workloads(&seen)[0].state), RolloutStatus::Pending);

    let template = json!({
        "metadata": {"labels": {"app": "users", "pod-template-hash": "7c9"}},
        "spec": {"containers": [{"name": "users", "image": "r.io/users:1.3"}]},
    });
    let spec = json!({"selector": {"matchLabels": {"app": "users"}}, "template": template});
    let set = owned("ReplicaSet", namespace, "users-7c9", ("Deployment", "users", &deployment), spec);
    let set = server.apply(&set).await[0].metadata.uid.clone().unwrap();
    let spec = json!({"containers": [{"name": "users", "image": "r.io/users:1.3"}]});
    server.apply(&owned("Pod", namespace, "users-7c9-x", ("ReplicaSet", "users-7c9", &set), spec)).await;
    let waiting = json!({"phase": "Pending", "containerStatuses": [{
        "name": "users", "image": "r.io/users:1.3", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"r.io/users:1.3\""}},
    }]});
    server.status("v1", "Pod", namespace, "users-7c9-x", waiting).await;
    let rolling = json!({
        "observedGeneration": 1, "replicas": 6, "updatedReplicas": 2, "readyReplicas": 4, "availableReplicas": 4,
        "conditions": [{"type": "Available", "status": "True"}, {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated"}],
    });
    server.status("apps/v1", "Deployment", namespace, "users", rolling).await;

    let seen = read_until(&mut reader, "2 of 5 with a pod in trouble", |seen| {
        let workload = workloads(seen)[0];
        rollout_status(&workload.state) == RolloutStatus::Updating { updated: 2, desired: 5 }
            && workload.pods.iter().any(|pod| pod.reason.is_some())
    })
    .await;
    let workload = workloads(&seen)[0];
    assert_eq!((workload.name.as_str(), workload.revision), ("Deployment/users", 2));
    assert_eq!(workload.images[0].tag.as_deref(), Some("1.3"));
    let detail = rollout_detail(&workload.name, &workload.state, &workload.pods);
    assert_eq!(detail.waiting.unwrap().reason, "ImagePullBackOff");
    assert!(detail.old_serves && workload.started.is_some() && workload.finished.is_none());

    let digest = format!("sha256:{}", "a".repeat(64));
    let running = json!({"phase": "Running", "containerStatuses": [{
        "name": "users", "image": "r.io/users:1.3", "imageID": format!("r.io/users@{digest}"), "ready": true,
        "restartCount": 0, "state": {"running": {"startedAt": "2026-11-21T10:01:00Z"}},
    }]});
    server.status("v1", "Pod", namespace, "users-7c9-x", running).await;
    let complete = json!({
        "replicas": 5, "updatedReplicas": 5, "readyReplicas": 5, "availableReplicas": 5,
        "conditions": [{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable",
            "message": "ReplicaSet \"users-7c9\" has successfully progressed.", "lastUpdateTime": "2026-11-21T10:02:00Z"}],
    });
    server.status("apps/v1", "Deployment", namespace, "users", complete).await;
    let seen = read_until(&mut reader, "that it is complete", |seen| {
        let workload = workloads(seen)[0];
        rollout_status(&workload.state) == RolloutStatus::Complete && !workload.running.is_empty()
    })
    .await;
    let workload = workloads(&seen)[0];
    assert_eq!(workload.running[0].digest.as_ref(), Some(&digest));
    assert_eq!(workload.finished, Some("2026-11-21T10:02:00Z".parse().unwrap()));

    server.delete("v1", "Pod", namespace, "users-7c9-x").await;
    read_until(&mut reader, "that the pod is gone", |seen| workloads(seen)[0].pods.is_empty()).await;
}

#[tokio::test]
async fn updater_windows_and_settings_come_with_the_application() {
    let server = ApiServer::shared().await;
    let namespace = &*server.namespace("kubernetes").await;
    server
        .apply(&format!(
            "{}apiVersion: v1
kind: ConfigMap
metadata: {{ name: argocd-cm, namespace: {namespace} }}
data: {{ timeout.reconciliation: 60s }}
---
apiVersion: {ARGO}
kind: AppProject
metadata: {{ name: shop, namespace: {namespace} }}
spec:
  syncWindows: [{{ kind: deny, schedule: '* * * * *', duration: 1h, applications: ['users-*'] }}]
---
apiVersion: {UPDATER}
kind: ImageUpdater
metadata: {{ name: shop, namespace: {namespace} }}
spec:
  namespace: {namespace}
  applicationRefs:
    - namePattern: users-*
      images: [{{ alias: users, imageName: 'r.io/users:1.x', commonUpdateSettings: {{ ignoreTags: ['*'] }} }}]
---
apiVersion: {ARGO}
kind: Rollout
metadata:
  name: worker
  namespace: {namespace}
  annotations: {{ argocd.argoproj.io/tracking-id: 'users-dev:argoproj.io/Rollout:{namespace}/worker' }}
spec:
  replicas: 3
  selector: {{ matchLabels: {{ app: worker }} }}
  template:
    metadata: {{ labels: {{ app: worker }} }}
    spec: {{ containers: [{{ name: worker, image: 'r.io/worker:2' }}] }}
",
            application(namespace)
        ))
        .await;
    let mut reader = reader(cluster(server.kubeconfig(), namespace));
    let seen = read(&mut reader).await.unwrap();
    let expected = [
        format!("updater/{namespace}/users-dev/users"),
        format!("{namespace}/users-dev"),
        format!("Rollout/{namespace}/worker"),
    ];
    assert_eq!(subjects(&seen), expected);
    let application = applications(&seen)[0];
    assert_eq!(application.poll_seconds, 60);
    assert_eq!(application.window, SyncWindow::Closed { until: None });
    let Seen::Updater(updater) = &seen[0].seen else { panic!("{:?}", seen[0]) };
    assert_eq!((updater.mode, updater.constraint.as_deref()), (UpdaterMode::Resource, Some("1.x")));
    assert_eq!(updater.ignore_tags, ["*"]);

    let open = format!(
        "apiVersion: {ARGO}\nkind: AppProject\nmetadata: {{ name: shop, namespace: {namespace} }}\nspec: {{ syncWindows: [] }}"
    );
    server.apply(&open).await;
    read_until(&mut reader, "the open window", |seen| applications(seen)[0].window == SyncWindow::Open).await;
}

#[tokio::test]
async fn a_restart_of_the_api_server_is_survived() {
    let mut server = ApiServer::start().await;
    let namespace = &*server.namespace("kubernetes").await;
    server.apply(&application(namespace)).await;
    let mut reader = reader(cluster(server.kubeconfig(), namespace));
    assert_eq!(read(&mut reader).await.unwrap().len(), 1);

    server.stop();
    let problem = read_until_refused(&mut reader).await;
    assert!(problem.contains("of the cluster eu"), "{problem}");
    server.restart().await;
    let synced = json!({"sync": {"status": "Synced", "revision": "c2"}});
    server.status(ARGO, "Application", namespace, "users-dev", synced).await;
    read_until(&mut reader, "what changed", |seen| {
        applications(seen).iter().any(|one| one.state.sync_status == SyncStatus::Synced)
    })
    .await;

    // A short one is not told at all, and the watches go on from where they were.
    let patient =
        Pace { tolerance: PATIENCE, quiet: PATIENCE, ..cluster(server.kubeconfig(), namespace).pace };
    let mut reader = self::reader(Cluster { pace: patient, ..cluster(server.kubeconfig(), namespace) });
    assert_eq!(read(&mut reader).await.unwrap().len(), 1);
    server.restart().await;
    server.apply(&deployment(namespace, "users", "users-dev")).await;
    assert_eq!(read(&mut reader).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    let server = ApiServer::shared().await;
    let namespace = &*server.namespace("kubernetes").await;
    server.apply(&application(namespace)).await;
    let kubeconfig = server.user("kubernetes-no-pods", &rules(Some("pods"))).await;
    let mut reader = reader(cluster(kubeconfig, namespace));
    let problem = read_until_refused(&mut reader).await;
    let expected = format!("list pods in the namespace {namespace} of the cluster eu: not allowed");
    assert!(problem.starts_with(&expected), "{problem}");

    let checked = reader.check().await;
    let denied: Vec<&Checked> = checked.iter().filter(|one| one.outcome.is_err()).collect();
    let what: Vec<&str> = denied.iter().map(|one| one.what.as_str()).collect();
    let line = |verb: &str| format!("{verb} pods in the namespace {namespace} of the cluster eu");
    assert_eq!(what, [line("list"), line("watch")]);
    assert!(denied[0].outcome.as_ref().unwrap_err().contains("the verb list on pods"), "{denied:?}");
    assert_eq!(checked.len(), 1 + 2 * NEEDED.len(), "{checked:#?}");

    // Once it is given, reading goes on by itself.
    server.user("kubernetes-no-pods", &rules(None)).await;
    read_until(&mut reader, "the application", |seen| seen.len() == 1).await;
    assert!(reader.check().await.iter().all(|one| one.outcome.is_ok()));
}

#[tokio::test]
async fn credentials_that_are_not_known_are_told() {
    let server = ApiServer::shared().await;
    let kubeconfig = server.kubeconfig_with_token("kubernetes-stranger", "made-up-token");
    let mut reader = reader(cluster(kubeconfig, "kubernetes-nowhere"));
    let problem = read_until_refused(&mut reader).await;
    assert!(problem.contains("does not accept the credentials"), "{problem}");
    let checked = reader.check().await;
    assert_eq!(checked.len(), 1);
    let outcome = checked[0].outcome.as_ref().unwrap_err();
    assert!(outcome.contains("credentials") && !outcome.contains("made-up-token"), "{outcome}");

    let missing = Access::Kubeconfig { path: Some("/nowhere/kubeconfig".into()), context: None };
    let mut reader = self::reader(Cluster::new("eu", missing));
    let problem = read(&mut reader).await.unwrap_err().message;
    assert!(
        problem.contains("the kubeconfig of the cluster eu") && problem.contains("/nowhere"),
        "{problem}"
    );
}

#[tokio::test]
async fn workloads_are_read_where_that_is_allowed() {
    let server = ApiServer::shared().await;
    let argocd = &*server.namespace("kubernetes").await;
    let shop = &*server.namespace("kubernetes").await;
    server.apply(&application_to(argocd, "users-dev", "https://kubernetes.default.svc", shop)).await;
    server.apply(&deployment(shop, "users", "users-dev")).await;
    let kubeconfig = server.user("kubernetes-two-namespaces", &[]).await;
    let role = |namespace: &str| {
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": {"name": "tollgate", "namespace": namespace}, "rules": rules(None),
        });
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "tollgate", "namespace": namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "tollgate"},
            "subjects": [{"kind": "ServiceAccount", "name": "kubernetes-two-namespaces", "namespace": "users"}],
        });
        format!("{role}\n---\n{binding}\n")
    };
    server.apply(&role(argocd)).await;
    server.apply(&role(shop)).await;
    let mut reader = reader(Cluster { namespaces: Vec::new(), ..cluster(kubeconfig, argocd) });
    let seen = read_until(&mut reader, "the workload", |seen| seen.len() == 2).await;
    assert_eq!(subjects(&seen)[1], format!("Deployment/{shop}/users"));
    let checked = reader.check().await;
    assert!(checked.iter().all(|one| one.outcome.is_ok()), "{checked:#?}");
    assert!(checked.iter().any(|one| one.what.starts_with(&format!("list pods in the namespace {shop} "))));
}

#[tokio::test]
async fn a_cluster_without_argo_cd_knows_the_applications_of_another() {
    let server = ApiServer::shared().await;
    let argocd = &*server.namespace("kubernetes").await;
    let shop = &*server.namespace("kubernetes").await;
    server.apply(&application_to(argocd, "users-dev", "https://eu.example.com", shop)).await;
    server.apply(&deployment(shop, "users", "users-dev")).await;
    let applications = Applications::default();
    let with =
        |cluster| ClusterReader::new(cluster, placing(), aws::Settings::default(), applications.clone());
    let management = cluster(server.kubeconfig(), argocd);
    let eu = cluster(server.kubeconfig(), argocd);
    let mut management = with(Cluster { name: "management".into(), ..management });
    let mut eu = with(Cluster {
        argocd_namespace: None,
        namespaces: Vec::new(),
        destinations: vec!["https://eu.example.com".into()],
        one_of_several: true,
        ..eu
    });
    // Nothing is known of the workload until the other cluster was read, and then it is told.
    assert!(read(&mut eu).await.unwrap().is_empty());
    let (told, seen) =
        tokio::join!(read(&mut management), read_until(&mut eu, "the workload", |seen| !seen.is_empty()));
    assert_eq!(subjects(&told.unwrap()), [format!("{argocd}/users-dev")]);
    assert_eq!(subjects(&seen), [format!("Deployment/{shop}/users")]);
    assert_eq!(workloads(&seen)[0].name, "eu/Deployment/users");
}

#[tokio::test]
async fn kinds_that_are_not_served_are_no_problem_and_looked_for_again() {
    let server = ApiServer::start_bare().await;
    let namespace = &*server.namespace("kubernetes").await;
    let client = server.client().await;
    let served = async || match client.list_api_group_resources(ARGO).await {
        Ok(list) => list.resources.into_iter().map(|resource| resource.name).collect(),
        Err(_) => Vec::new(),
    };
    let labelled = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "name": "users", "namespace": namespace,
            "labels": {"acme.io/service": "users", "acme.io/environment": "dev"},
        },
        "spec": {
            "selector": {"matchLabels": {"app": "users"}},
            "template": {
                "metadata": {"labels": {"app": "users"}},
                "spec": {"containers": [{"name": "users", "image": "r.io/users:1.3"}]},
            },
        },
    });
    server.apply(&labelled.to_string()).await;
    // Without the right to read what there is not, the API answers that it is not allowed.
    let core = ["configmaps", "deployments", "replicasets", "pods"];
    let allowed = NEEDED.iter().filter(|need| core.contains(&need.resource));
    let allowed: Vec<PolicyRule> = allowed.map(|need| rule(need.group, need.resource)).collect();
    let kubeconfig = server.user("kubernetes-core", &allowed).await;
    for kubeconfig in [server.kubeconfig(), kubeconfig] {
        let mut reader = reader(cluster(kubeconfig, namespace));
        let seen = read_until(&mut reader, "the workload", |seen| !seen.is_empty()).await;
        assert_eq!(subjects(&seen), [format!("Deployment/{namespace}/users")]);
        let checked = reader.check().await;
        assert!(checked.iter().all(|one| one.outcome.is_ok()), "{checked:#?}");
    }

    let mut reader = reader(cluster(server.kubeconfig(), namespace));
    read_until(&mut reader, "the workload", |seen| seen.len() == 1).await;
    let definitions = PathBuf::from(std::env::var_os("TOLLGATE_TEST_CRDS").unwrap());
    let definition = std::fs::read_to_string(definitions.join("application-crd.yaml")).unwrap();
    server.apply(&definition).await;
    until("Applications are served", async || served().await.iter().any(|one| one == "applications")).await;
    server.apply(&application(namespace)).await;
    read_until(&mut reader, "the application", |seen| applications(seen).len() == 1).await;
}
