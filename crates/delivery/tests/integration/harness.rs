//! The Kubernetes API server that the other tests use does what they rely on.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;

use futures::StreamExt;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::rbac::v1::PolicyRule;
use kube::api::{Api, DynamicObject, ListParams, WatchEvent, WatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, Config};
use serde_json::{Value, json};

use crate::apiserver::ApiServer;

const ARGO: &str = "argoproj.io/v1alpha1";
const UPDATER: &str = "argocd-image-updater.argoproj.io/v1alpha1";

async fn client(kubeconfig: &Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    assert_eq!(kubeconfig.contexts.len(), 1);
    let options = KubeConfigOptions::default();
    Client::try_from(Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap()).unwrap()
}

fn applications(client: Client, namespace: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Application");
    Api::namespaced_with(client, namespace, &ApiResource::from_gvk(&kind))
}

fn application(namespace: &str, name: &str) -> String {
    format!(
        "apiVersion: {ARGO}
kind: Application
metadata: {{ name: {name}, namespace: {namespace} }}
spec:
  project: default
  source: {{ repoURL: https://git.example.com/deploy.git, path: envs/dev, targetRevision: main }}
  destination: {{ server: https://kubernetes.default.svc, namespace: shop }}
status:
  sync: {{ status: Synced, revision: 0123456789abcdef0123456789abcdef01234567 }}
"
    )
}

fn may_read_applications() -> PolicyRule {
    PolicyRule {
        api_groups: Some(vec!["argoproj.io".to_owned()]),
        resources: Some(vec!["applications".to_owned()]),
        verbs: ["get", "list", "watch"].map(str::to_owned).into(),
        ..PolicyRule::default()
    }
}

/// The HTTP status of the refusal.
fn refused<T: std::fmt::Debug>(answer: kube::Result<T>) -> u16 {
    match answer.unwrap_err() {
        kube::Error::Api(status) => status.code,
        other => panic!("not refused: {other}"),
    }
}

#[tokio::test]
async fn what_is_applied_is_read_back() {
    let server = ApiServer::shared().await;
    let namespace = &*server.namespace("harness").await;
    let applied = server
        .apply(&format!(
            "{}---
apiVersion: {UPDATER}
kind: ImageUpdater
metadata: {{ name: users, namespace: {namespace} }}
spec:
  namespace: {namespace}
  applicationRefs:
    - namePattern: users
      images: [{{ alias: users, imageName: registry.example.com/users }}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: users, namespace: {namespace} }}
spec:
  replicas: 2
  selector: {{ matchLabels: {{ app: users }} }}
  template:
    metadata: {{ labels: {{ app: users }} }}
    spec: {{ containers: [{{ name: users, image: registry.example.com/users:1 }}] }}
status: {{ observedGeneration: 1, replicas: 2 }}
---
apiVersion: v1
kind: Pod
metadata: {{ name: users-1, namespace: {namespace} }}
spec:
  nodeName: node-1
  containers: [{{ name: users, image: registry.example.com/users:1 }}]
",
            application(namespace, "users")
        ))
        .await;
    assert_eq!(applied.len(), 4);

    // An Application's status is an ordinary field, the others' is a subresource; both were in the documents or come later.
    let application = server.get(ARGO, "Application", namespace, "users").await.unwrap();
    assert_eq!(application.data["status"]["sync"]["status"], "Synced");
    server
        .status(ARGO, "Application", namespace, "users", json!({ "sync": { "status": "OutOfSync" } }))
        .await;
    let application = server.get(ARGO, "Application", namespace, "users").await.unwrap();
    assert_eq!(application.data["status"]["sync"]["status"], "OutOfSync");
    let revision = application.data["status"]["sync"]["revision"].as_str().unwrap();
    assert!(revision.starts_with("0123"), "a merge keeps the rest");

    let at = "2026-11-21T10:00:00Z";
    let status: Value = json!({ "lastCheckedAt": at });
    server.status(UPDATER, "ImageUpdater", namespace, "users", status).await;
    let updater = server.get(UPDATER, "ImageUpdater", namespace, "users").await.unwrap();
    assert_eq!(updater.data["spec"]["applicationRefs"][0]["namePattern"], "users");

    let deployments: Api<Deployment> = Api::namespaced(server.client().await, namespace);
    let deployment = deployments.get("users").await.unwrap();
    assert_eq!(deployment.spec.unwrap().replicas, Some(2));
    assert_eq!(deployment.status.unwrap().replicas, Some(2));

    for (api_version, kind, name) in [("apps/v1", "Deployment", "users"), ("v1", "Pod", "users-1")] {
        assert_ne!(server.get(api_version, kind, namespace, name).await, None);
        server.delete(api_version, kind, namespace, name).await;
        assert_eq!(server.get(api_version, kind, namespace, name).await, None);
    }
}

#[tokio::test]
async fn a_user_may_do_what_the_rules_say_and_no_more() {
    let server = ApiServer::shared().await;
    let namespace = &*server.namespace("harness").await;
    server.apply(&application(namespace, "users")).await;
    let everything = ListParams::default();

    let reader = client(&server.user("harness-reader", &[may_read_applications()]).await).await;
    let seen = applications(reader.clone(), namespace).list(&everything).await.unwrap();
    assert_eq!(seen.items.len(), 1);
    let deployments: Api<Deployment> = Api::namespaced(reader.clone(), namespace);
    assert_eq!(refused(deployments.list(&everything).await), 403);

    let nobody = client(&server.user("harness-nobody", &[]).await).await;
    assert_eq!(refused(applications(nobody, namespace).list(&everything).await), 403);

    let stranger = client(&server.kubeconfig_with_token("harness-stranger", "made up")).await;
    assert_eq!(refused(applications(stranger, namespace).list(&everything).await), 401);
}

#[tokio::test]
async fn a_restart_keeps_address_objects_and_users() {
    let mut server = ApiServer::start().await;
    let url = server.url();
    let namespace = server.namespace("harness").await;
    server.apply(&application(&namespace, "users")).await;
    let reader = client(&server.user("harness-reader", &[may_read_applications()]).await).await;
    let seen = applications(reader.clone(), &namespace).list(&ListParams::default()).await.unwrap();
    server.apply(&application(&namespace, "orders")).await;

    server.stop();
    let answer = applications(reader.clone(), &namespace).get("users").await;
    assert!(!matches!(answer, Ok(_) | Err(kube::Error::Api(_))), "{answer:?}");

    server.restart().await;
    assert_eq!(server.url(), url);
    let applications = applications(reader, &namespace);
    applications.get("users").await.unwrap();

    let before = seen.metadata.resource_version.unwrap();
    let events = applications.watch(&WatchParams::default(), &before).await.unwrap();
    let first = Box::pin(events).next().await.unwrap().unwrap();
    assert!(matches!(&first, WatchEvent::Error(status) if status.code == 410), "{first:?}");
}
