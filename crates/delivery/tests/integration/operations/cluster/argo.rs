//! An Argo CD that applies what the repository says when a test lets it, and the controllers of what it applies.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::apiserver::{ApiServer, documents};
use crate::git::{BEGINNING, git};

pub(super) const ARGO: &str = "argoproj.io/v1alpha1";

/// How the pods of an Application come up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Pods {
    #[default]
    Serve,
    /// One of two is new, and the rest is not yet.
    ComeUp,
    /// Neither comes up in time.
    Fail,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Wanted {
    /// The revision at which nothing more is synced.
    stopped_at: Option<String>,
    pods: BTreeMap<String, Pods>,
}

/// Clones share everything.
#[derive(Clone)]
pub(super) struct Argo {
    server: &'static ApiServer,
    namespace: String,
    bare: PathBuf,
    wanted: Arc<Mutex<Wanted>>,
    deployed: Arc<Mutex<BTreeMap<String, Deployed>>>,
}

/// What was made of an Application.
#[derive(Clone, Debug, Default)]
struct Deployed {
    image: String,
    /// How often another image came.
    revision: u32,
    history: Vec<Value>,
}

impl Argo {
    pub(super) fn new(server: &'static ApiServer, namespace: &str, bare: PathBuf) -> Argo {
        Argo {
            server,
            namespace: namespace.to_owned(),
            bare,
            wanted: Arc::default(),
            deployed: Arc::default(),
        }
    }

    /// Syncs nothing from here on.
    pub(super) fn stop(&self) {
        let head = self.git(&["rev-parse", "main"]);
        self.wanted.lock().unwrap().stopped_at = Some(head);
    }

    /// Syncs the newest commit from here on.
    pub(super) fn go_on(&self) {
        self.wanted.lock().unwrap().stopped_at = None;
    }

    pub(super) fn pods(&self, application: &str, pods: Pods) {
        self.wanted.lock().unwrap().pods.insert(application.to_owned(), pods);
    }

    /// Syncs whatever is new, until the task is ended.
    pub(super) async fn run(self) {
        let mut done: Option<(String, Wanted)> = None;
        loop {
            let wanted = self.wanted.lock().unwrap().clone();
            let revision = wanted.stopped_at.clone().unwrap_or_else(|| self.git(&["rev-parse", "main"]));
            let now = (revision, wanted);
            if done.as_ref() != Some(&now) {
                self.sync(&now.0, &now.1).await;
                done = Some(now);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn git(&self, arguments: &[&str]) -> String {
        git(&self.bare, BEGINNING, arguments)
    }

    /// Applies what the repository holds at a revision, and what comes of it.
    async fn sync(&self, revision: &str, wanted: &Wanted) {
        for path in self.git(&["ls-tree", "-r", "--name-only", revision, "envs"]).lines() {
            let text = self.git(&["show", &format!("{revision}:{path}")]);
            for mut object in documents(&text) {
                object["metadata"]["namespace"] = json!(self.namespace);
                let applied = self.server.apply(&object.to_string()).await.remove(0);
                if object["kind"] == "Application" {
                    let name = applied.metadata.name.unwrap();
                    let pods = wanted.pods.get(&name).copied().unwrap_or_default();
                    self.deploy(&name, &object, revision, pods).await;
                }
            }
        }
    }

    async fn deploy(&self, name: &str, application: &Value, revision: &str, pods: Pods) {
        let service = name.split('-').next().unwrap();
        let tag = self.tag(name, application, revision);
        let image = format!("registry.example.com/{service}:{tag}");
        let at = Timestamp::now().to_string();
        let (deployment_revision, history) = {
            let mut deployed = self.deployed.lock().unwrap();
            let deployed = deployed.entry(name.to_owned()).or_default();
            if deployed.image != image {
                deployed.image.clone_from(&image);
                deployed.revision += 1;
            }
            if deployed.history.last().is_none_or(|last| last["revision"] != revision) {
                let id = deployed.history.len();
                deployed.history.push(json!({
                    "id": id, "revision": revision, "deployStartedAt": at, "deployedAt": at,
                }));
            }
            (deployed.revision, deployed.history.clone())
        };
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {
                "name": name, "namespace": self.namespace,
                "annotations": {
                    "argocd.argoproj.io/tracking-id": format!("{name}:apps/Deployment:{}/{name}", self.namespace),
                    "deployment.kubernetes.io/revision": deployment_revision.to_string(),
                },
            },
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": {"app": name}},
                    "spec": {"containers": [{"name": service, "image": image}]},
                },
            },
        });
        let applied = self.server.apply(&deployment.to_string()).await.remove(0);
        let (updated, reason) = match pods {
            Pods::Serve => (2, "NewReplicaSetAvailable"),
            Pods::ComeUp => (1, "ReplicaSetUpdated"),
            Pods::Fail => (1, "ProgressDeadlineExceeded"),
        };
        let progressing = if pods == Pods::Fail { "False" } else { "True" };
        let status = json!({
            "observedGeneration": applied.metadata.generation, "replicas": if updated == 2 { 2 } else { 3 },
            "updatedReplicas": updated, "readyReplicas": 2, "availableReplicas": 2,
            "conditions": [
                {"type": "Available", "status": "True", "lastTransitionTime": "2026-11-20T09:00:00Z"},
                {"type": "Progressing", "status": progressing, "reason": reason, "lastUpdateTime": at, "lastTransitionTime": at},
            ],
        });
        self.server.status("apps/v1", "Deployment", &self.namespace, name, status).await;
        let health = match pods {
            Pods::Serve => "Healthy",
            Pods::ComeUp => "Progressing",
            Pods::Fail => "Degraded",
        };
        let status = json!({
            "sync": {"status": "Synced", "revision": revision},
            "health": {"status": health, "lastTransitionTime": at},
            "reconciledAt": at,
            "operationState": {
                "phase": "Succeeded", "startedAt": at, "finishedAt": at, "operation": {"sync": {"revision": revision}},
                "syncResult": {"revision": revision, "source": {"repoURL": "x"}},
            },
            "history": history,
            "summary": {"images": [image]},
            "resources": [{"group": "apps", "kind": "Deployment", "namespace": self.namespace, "name": name, "version": "v1"}],
        });
        self.server.status(ARGO, "Application", &self.namespace, name, status).await;
    }

    /// The tag that comes of an Application: what `.argocd-source-….yaml` beside the chart sets outweighs the Application's own.
    fn tag(&self, name: &str, application: &Value, revision: &str) -> String {
        let path = application["spec"]["source"]["path"].as_str().unwrap();
        let source = format!("{path}/.argocd-source-{name}.yaml");
        let beside = self.git(&["ls-tree", "--name-only", revision, &source]);
        let beside: Value = match beside.as_str() {
            "" => Value::Null,
            _ => yaml_serde::from_str(&self.git(&["show", &format!("{revision}:{source}")])).unwrap(),
        };
        let set = |helm: &Value| {
            let parameters = helm["parameters"].as_array().cloned().unwrap_or_default();
            let tag = parameters.into_iter().find(|parameter| parameter["name"] == "image.tag")?;
            Some(tag["value"].as_str().unwrap_or_else(|| panic!("{tag} is no text")).to_owned())
        };
        set(&beside["helm"]).or_else(|| set(&application["spec"]["source"]["helm"])).unwrap()
    }
}
