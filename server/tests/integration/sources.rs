//! The sources that are read, from a GitOps repository and a cluster to the page's answers.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::apiserver::ApiServer;
use crate::common::{Console, Emulator, until};

const ARGO: &str = "argoproj.io/v1alpha1";
const OLD: &str = "a000001";
const NEW: &str = "b000002";

/// A GitOps repository on disk, as others push to it.
struct Gitops(tempfile::TempDir);

impl Gitops {
    fn new() -> Gitops {
        let gitops = Gitops(tempfile::tempdir().expect("a directory"));
        gitops.git(&["init", "--quiet", "--initial-branch=main"]);
        gitops
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"])
            .args(arguments)
            .current_dir(self.path())
            .output()
            .expect("git is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }

    /// Sets the tag that dev is to run, and answers the revision.
    fn set_tag(&self, tag: &str) -> String {
        let file = self.path().join("envs/dev/users/values.yaml");
        std::fs::create_dir_all(file.parent().expect("a directory")).expect("it is made");
        std::fs::write(file, format!("# What dev runs.\nimage:\n  tag: {tag}\n")).expect("it is written");
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", &format!("users: Run {tag} in dev (#7)")]);
        self.git(&["rev-parse", "HEAD"])
    }
}

fn followed(gitops: &Path, kubeconfig: &Path, namespace: &str) -> String {
    format!(
        "delivery = {{ environments = [\"dev\", \"prod\"] }}\n\
         services = [{{ name = \"users\", image = \"registry.example.com/users\" }}]\n\
         gitops = [{{ name = \"gitops\", path = {gitops:?}, files = [\"envs/{{environment}}/{{service}}/values.yaml\"], poll = \"1s\" }}]\n\
         clusters = [{{ name = \"eu\", kubeconfig = {kubeconfig:?}, argocd_namespace = \"{namespace}\", namespaces = [\"{namespace}\"] }}]\n"
    )
}

fn application(namespace: &str, gitops: &Path) -> String {
    json!({
        "apiVersion": ARGO,
        "kind": "Application",
        "metadata": {"name": "users-dev", "namespace": namespace},
        "spec": {
            "project": "default",
            "source": {"repoURL": format!("file://{}", gitops.display()), "path": "envs/dev/users", "targetRevision": "main"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": namespace},
            "syncPolicy": {"automated": {"prune": true}},
        },
    })
    .to_string()
}

fn synced(revision: &str, health: &str, minute: u32) -> Value {
    let at = |second: u32| format!("2026-11-20T10:{minute:02}:{second:02}Z");
    json!({
        "sync": {"status": "Synced", "revision": revision},
        "health": {"status": health},
        "reconciledAt": at(30),
        "operationState": {
            "phase": "Succeeded", "startedAt": at(10), "finishedAt": at(20), "operation": {"sync": {"revision": revision}},
            "syncResult": {"revision": revision, "source": {"repoURL": "x"}},
        },
        "history": [{"id": minute, "revision": revision, "deployStartedAt": at(10), "deployedAt": at(20)}],
    })
}

fn deployment(namespace: &str, tag: &str, revision: u32) -> String {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "users", "namespace": namespace,
            "annotations": {
                "argocd.argoproj.io/tracking-id": format!("users-dev:apps/Deployment:{namespace}/users"),
                "deployment.kubernetes.io/revision": revision.to_string(),
            },
        },
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "users"}},
            "template": {
                "metadata": {"labels": {"app": "users"}},
                "spec": {"containers": [{"name": "users", "image": format!("registry.example.com/users:{tag}")}]},
            },
        },
    })
    .to_string()
}

/// The status of a Deployment as its controller writes it: how many of two new pods there are, and whether all serve.
fn rolled(generation: i64, updated: u32, complete: bool, minute: u32) -> Value {
    let reason = if complete { "NewReplicaSetAvailable" } else { "ReplicaSetUpdated" };
    let at = format!("2026-11-20T10:{minute:02}:40Z");
    json!({
        "observedGeneration": generation, "replicas": if complete { 2 } else { 3 }, "updatedReplicas": updated,
        "readyReplicas": 2, "availableReplicas": 2,
        "conditions": [
            {"type": "Available", "status": "True", "lastTransitionTime": "2026-11-20T09:00:00Z"},
            {"type": "Progressing", "status": "True", "reason": reason, "lastUpdateTime": at, "lastTransitionTime": at},
        ],
    })
}

/// A ReplicaSet of the Deployment, or a pod of the ReplicaSet, as their controllers make them.
fn owned(kind: &str, namespace: &str, name: &str, owner: (&str, &str, &str), tag: &str) -> String {
    let containers =
        json!({"containers": [{"name": "users", "image": format!("registry.example.com/users:{tag}")}]});
    let labels = json!({"app": "users", "pod-template-hash": tag});
    let spec = match kind {
        "Pod" => containers,
        _ => {
            json!({"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": containers}})
        }
    };
    let (owner_kind, owner_name, owner_uid) = owner;
    json!({
        "apiVersion": if kind == "Pod" { "v1" } else { "apps/v1" },
        "kind": kind,
        "metadata": {
            "name": name, "namespace": namespace, "labels": labels,
            "annotations": {"deployment.kubernetes.io/revision": if tag == OLD { "1" } else { "2" }},
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": owner_kind, "name": owner_name, "uid": owner_uid, "controller": true,
            }],
        },
        "spec": spec,
    })
    .to_string()
}

async fn cell(console: &Console) -> Value {
    let matrix: Value = console.get("/api/delivery/matrix").await.json().await.expect("JSON");
    matrix["rows"][0]["cells"][0].clone()
}

/// Why a commit is not in dev yet: the kind of the reason, and its sentence.
async fn why(console: &Console, commit: &str) -> (Value, String) {
    let path = format!("/api/delivery/timeline?service=users&commit={commit}");
    let timeline: Value = console.get(&path).await.json().await.expect("JSON");
    let reason = &timeline["environments"][0]["reason"];
    (reason["kind"].clone(), reason["sentence"].as_str().unwrap_or_default().to_owned())
}

struct World {
    server: &'static ApiServer,
    namespace: String,
    gitops: Gitops,
    kubeconfig: PathBuf,
}

impl World {
    /// Dev runs the old tag, as Git says.
    async fn new() -> (World, String) {
        let server = ApiServer::shared().await;
        let namespace = server.namespace("sources").await;
        let gitops = Gitops::new();
        let revision = gitops.set_tag(OLD);
        server.apply(&application(&namespace, gitops.path())).await;
        let world = World { server, namespace, gitops, kubeconfig: server.kubeconfig() };
        world.status(ARGO, "Application", "users-dev", synced(&revision, "Healthy", 1)).await;
        let uid = world.deploy(OLD, 1).await;
        world.replica_set(&uid, OLD).await;
        world.status("apps/v1", "Deployment", "users", rolled(1, 2, true, 1)).await;
        (world, uid)
    }

    async fn status(&self, api_version: &str, kind: &str, name: &str, status: Value) {
        self.server.status(api_version, kind, &self.namespace, name, status).await;
    }

    async fn deploy(&self, tag: &str, revision: u32) -> String {
        let made = self.server.apply(&deployment(&self.namespace, tag, revision)).await;
        made[0].metadata.uid.clone().expect("an id")
    }

    async fn replica_set(&self, deployment: &str, tag: &str) -> String {
        let name = format!("users-{tag}");
        let set = owned("ReplicaSet", &self.namespace, &name, ("Deployment", "users", deployment), tag);
        self.server.apply(&set).await[0].metadata.uid.clone().expect("an id")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_followed_from_its_tag_in_git_to_its_pods() {
    let (world, deployment) = World::new().await;
    let emulator = Emulator::start("none");
    let config = followed(world.gitops.path(), &world.kubeconfig, &world.namespace);
    let console = Console::start(&emulator, &config).await;
    until("dev is seen to run the old tag", async || {
        let cell = cell(&console).await;
        cell["version"] == OLD && cell["health"] == "healthy"
    })
    .await;

    let revision = world.gitops.set_tag(NEW);
    until("the tag is seen in Git", async || why(&console, NEW).await.0 == "argo-overdue").await;
    // With something else that is news: that Argo CD looked again is told a minute later.
    let looking = json!({
        "reconciledAt": jiff::Timestamp::now().to_string(),
        "health": {"status": "Healthy", "message": "all pods are ready"},
    });
    world.status(ARGO, "Application", "users-dev", looking).await;
    until("Argo CD is waited for", async || why(&console, NEW).await.0 == "argo-polls").await;

    world.status(ARGO, "Application", "users-dev", synced(&revision, "Progressing", 5)).await;
    world.deploy(NEW, 2).await;
    let set = world.replica_set(&deployment, NEW).await;
    let pod = owned("Pod", &world.namespace, "users-x", ("ReplicaSet", &format!("users-{NEW}"), &set), NEW);
    world.server.apply(&pod).await;
    let waiting = json!({"phase": "Pending", "containerStatuses": [{
        "name": "users", "image": "x", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}},
    }]});
    world.status("v1", "Pod", "users-x", waiting).await;
    world.status("apps/v1", "Deployment", "users", rolled(2, 1, false, 5)).await;
    let expected = "The rollout is at 1 of 2: pod users-x cannot pull its image (ImagePullBackOff). The old version still serves.";
    until("the pod in trouble is named", async || {
        let (kind, sentence) = why(&console, NEW).await;
        kind == "pod-stuck" && sentence == expected
    })
    .await;
    assert_eq!(cell(&console).await["version"], OLD, "what serves is what runs");

    world.status("apps/v1", "Deployment", "users", rolled(2, 2, true, 6)).await;
    world.status(ARGO, "Application", "users-dev", synced(&revision, "Healthy", 6)).await;
    until("the change is live", async || {
        let cell = cell(&console).await;
        cell["version"] == NEW && cell["health"] == "healthy"
    })
    .await;
    let path = format!("/api/delivery/timeline?service=users&commit={NEW}");
    let timeline: Value = console.get(&path).await.json().await.expect("JSON");
    let steps = timeline["environments"][0]["steps"].as_array().expect("steps");
    for (step, stage) in steps.iter().zip(["bump", "sync", "rollout", "live"]) {
        let status = json!({ "known": "succeeded" });
        assert_eq!((&step["stage"], &step["status"]), (&json!(stage), &status), "{timeline}");
    }
    assert_eq!(steps.len(), 4);

    let checked = console.command().args(["delivery", "check", "--local", "--output", "json"]).output();
    let checked = checked.expect("it runs");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_cannot_be_read_is_named_and_the_rest_goes_on() {
    let (world, _) = World::new().await;
    let emulator = Emulator::start("none");
    let nowhere = world.gitops.path().join("nowhere.git");
    let console = Console::start(&emulator, &followed(&nowhere, &world.kubeconfig, &world.namespace)).await;
    until("the cluster is read", async || cell(&console).await["health"] == "healthy").await;
    let matrix: Value = console.get("/api/delivery/matrix").await.json().await.expect("JSON");
    let sources = matrix["sources"].as_array().expect("sources");
    let of = |reader: &str| {
        let found = sources.iter().find(|source| source["reader"] == reader);
        found.unwrap_or_else(|| panic!("{reader} in {matrix}"))["problem"].clone()
    };
    assert_eq!(of("cluster/eu"), Value::Null);
    let problem = of("git/gitops");
    assert!(problem.as_str().is_some_and(|problem| problem.contains("nowhere.git")), "{problem}");

    let checked = console.command().args(["delivery", "check", "--local"]).output().expect("it runs");
    let said = String::from_utf8_lossy(&checked.stdout);
    assert_eq!(checked.status.code(), Some(1), "{said}");
    assert!(said.contains("git/gitops") && said.contains("missing"), "{said}");
}
