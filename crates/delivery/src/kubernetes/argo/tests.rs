//! Applications as Argo CD 3.5 writes them, and as it should not.

use serde_json::json;

use super::*;
use crate::kubernetes::config::Access;

fn cluster() -> Cluster {
    let access = Access::Kubeconfig { path: None, context: None };
    Cluster { argocd_url: Some("https://argocd.example.com/".into()), ..Cluster::new("eu", access) }
}

fn placing() -> Placing {
    Placing {
        service_label: Some("service".into()),
        environment_label: Some("env".into()),
        ..Placing::default()
    }
}

fn seen_by(cluster: &Cluster, object: Value) -> SeenApplication {
    let object: DynamicObject = serde_json::from_value(object).unwrap();
    SeenApplication::of(object, cluster, &placing()).unwrap()
}

fn seen(object: Value) -> SeenApplication {
    seen_by(&cluster(), object)
}

/// One as it is after a sync.
fn users_dev() -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": "users-dev",
            "namespace": "argocd",
            "labels": {"service": "users", "env": "dev"},
            "annotations": {"argocd-image-updater.argoproj.io/image-list": "users=r.io/users:0.x", "note": "long"},
        },
        "spec": {
            "project": "shop",
            "source": {"repoURL": "https://git.example.com/gitops.git", "path": "envs/dev/users", "targetRevision": "main"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"},
            "syncPolicy": {"automated": {"prune": true}},
        },
        "status": {
            "sync": {"status": "Synced", "revision": "c3"},
            "health": {"status": "Degraded", "message": "not ready\nat all", "lastTransitionTime": "2026-11-21T10:00:00Z"},
            "reconciledAt": "2026-11-21T10:05:00Z",
            "conditions": [
                {"type": "SyncError", "message": "failed", "lastTransitionTime": "2026-11-21T10:00:00Z"},
                {"message": "of no type"},
            ],
            "summary": {"images": ["r.io/users:1.2", "r.io/proxy@sha256:ab"]},
            "operationState": {
                "phase": "Succeeded",
                "message": "successfully synced",
                "startedAt": "2026-11-21T09:58:00Z",
                "finishedAt": "2026-11-21T09:59:00Z",
                "operation": {"sync": {"revision": "c2"}},
                "syncResult": {"revision": "c2", "resources": [
                    {"kind": "Job", "name": "migrate", "hookType": "PreSync", "hookPhase": "Succeeded"},
                    {"kind": "Deployment", "name": "users", "status": "Synced"},
                ]},
            },
            "history": [
                {"id": 4, "revision": "c1", "deployedAt": "2026-11-20T10:00:00Z"},
                {"id": 5, "revision": "c2", "deployStartedAt": "2026-11-21T09:58:00Z", "deployedAt": "2026-11-21T09:59:00Z"},
                {"id": 6, "revision": "c9"},
            ],
            "resources": [
                {"group": "apps", "kind": "Deployment", "namespace": "shop", "name": "users", "status": "Synced"},
                {"kind": "Service", "namespace": "shop", "name": "users"},
                {"group": "argoproj.io", "kind": "Rollout", "namespace": "shop", "name": "worker"},
            ],
        },
    })
}

#[test]
fn an_application_is_read() {
    let application = seen(users_dev());
    let place = application.place.unwrap();
    assert_eq!((place.service.as_str(), place.environment.as_str()), ("users", "dev"));
    assert_eq!(application.project, "shop");
    assert_eq!(application.annotations.len(), 1, "only those that count");
    assert_eq!(application.workloads.len(), 2);
    let shown = application.shown;
    assert_eq!(shown.name, "argocd/users-dev");
    assert_eq!(shown.link.as_deref(), Some("https://argocd.example.com/applications/argocd/users-dev"));
    assert_eq!(shown.repository.as_deref(), Some("https://git.example.com/gitops.git"));
    assert_eq!(
        (shown.target_revision.as_deref(), shown.path.as_deref()),
        (Some("main"), Some("envs/dev/users"))
    );
    assert_eq!(
        shown.state,
        ApplicationState {
            sync_status: SyncStatus::Synced,
            health: Health::Degraded,
            phase: Some(OperationPhase::Succeeded),
            compared: vec!["c3".into()],
            applied: vec!["c2".into()],
            source: 0,
        }
    );
    assert_eq!(shown.health_since, Some("2026-11-21T10:00:00Z".parse().unwrap()));
    assert_eq!(shown.health_message.as_deref(), Some("not ready\nat all"));
    assert!(shown.auto_sync);
    assert_eq!(shown.conditions, [Condition { kind: "SyncError".into(), message: "failed".into() }]);
    assert_eq!(shown.last_reconciled, Some("2026-11-21T10:05:00Z".parse().unwrap()));
    assert_eq!(shown.images[1].digest.as_deref(), Some("sha256:ab"));
    let operation = shown.operation.unwrap();
    assert_eq!((operation.revision.as_deref(), operation.hook), (Some("c2"), None));
    let history: Vec<(u32, Option<&str>)> =
        shown.history.iter().map(|entry| (entry.id, entry.revision.as_deref())).collect();
    assert_eq!(history, [(4, Some("c1")), (5, Some("c2"))], "what was never deployed is none");
}

#[test]
fn an_application_that_no_controller_has_seen_is_unknown() {
    let shown = seen(json!({"metadata": {"name": "new", "namespace": "argocd"}})).shown;
    assert_eq!((shown.state.sync_status, shown.state.health), (SyncStatus::Unknown, Health::Unknown));
    assert_eq!((shown.operation, shown.repository, shown.last_reconciled), (None, None, None));
    assert!(!shown.auto_sync && shown.state.compared.is_empty() && shown.history.is_empty());
}

#[test]
fn odd_fields_are_left_out() {
    let shown = seen(json!({
        "metadata": {"name": "odd", "namespace": "argocd"},
        "spec": {"source": null, "sources": "none", "syncPolicy": {"automated": {"enabled": false}}},
        "status": {
            "sync": {"status": "Dreaming", "revision": "", "revisions": null},
            "health": {"status": 7, "lastTransitionTime": "soon"},
            "operationState": {"phase": "Pondering", "syncResult": null},
            "summary": {"images": ["r.io/a:1", 3]},
            "history": {"id": 1},
        },
    }))
    .shown;
    assert_eq!((shown.state.sync_status, shown.state.health), (SyncStatus::Unknown, Health::Unknown));
    assert_eq!((shown.state.phase, shown.health_since, shown.auto_sync), (None, None, false));
    assert_eq!(shown.images.len(), 1);
    assert!(shown.operation.is_some_and(|operation| operation.phase.is_none()));
}

#[test]
fn of_several_sources_the_one_with_the_tag_counts() {
    let several = |sources: Value, revisions: Value| {
        json!({
            "metadata": {"name": "a", "namespace": "argocd"},
            "spec": {"sources": sources},
            "status": {
                "sync": {"revisions": revisions},
                "operationState": {"syncResult": {"revisions": revisions}},
                "history": [{"id": 1, "revisions": revisions, "deployedAt": "2026-11-20T10:00:00Z"}],
            },
        })
    };
    let chart = json!({"repoURL": "https://charts.example.com", "chart": "web", "targetRevision": "1.2.0",
        "helm": {"valueFiles": ["$values/envs/dev/users.yaml"]}});
    let other =
        json!({"repoURL": "https://git.example.com/other", "path": "extra", "targetRevision": "main"});
    let values =
        json!({"repoURL": "git@git.example.com:acme/GitOps.git", "ref": "values", "targetRevision": "main"});

    let of_values = seen(several(json!([chart, other, values]), json!(["1.2.0", "o1", "c7"]))).shown;
    assert_eq!(of_values.state.source, 2, "where the values come from");
    assert_eq!(of_values.state.revision(), Some("c7"));
    assert_eq!(of_values.history[0].revision.as_deref(), Some("c7"));
    assert_eq!(of_values.operation.unwrap().revision.as_deref(), Some("c7"));

    let no_chart = seen(several(json!([chart, other]), json!(["1.2.0", "o1"]))).shown;
    assert_eq!((no_chart.state.source, no_chart.path.as_deref()), (1, Some("extra")));

    let configured = Cluster { repositories: vec!["https://git.example.com/other.git/".into()], ..cluster() };
    let of_configured =
        seen_by(&configured, several(json!([chart, values, other]), json!(["1.2.0", "c7", "o1"])));
    assert_eq!(of_configured.shown.state.revision(), Some("o1"));
    assert_eq!(
        same_repository("git@git.example.com:acme/GitOps.git"),
        same_repository("https://git.example.com/acme/gitops/")
    );

    // In the middle of the first sync only what is compared is known.
    let missing = seen(several(json!([chart, values]), json!(["1.2.0"]))).shown;
    assert_eq!((missing.state.revision(), missing.history[0].revision.as_deref()), (None, None));
}

#[test]
fn a_hydrated_revision_is_told_as_the_one_it_was_made_from() {
    let application = |compared: &str| {
        let mut object = json!({
            "metadata": {"name": "a", "namespace": "argocd"},
            "spec": {"sourceHydrator": {
                "drySource": {"repoURL": "https://git.example.com/gitops", "path": "users", "targetRevision": "main"},
                "syncSource": {"targetBranch": "env/dev", "path": "users"},
            }},
            "status": {"sourceHydrator": {
                "currentOperation": {"phase": "Hydrating", "drySHA": "d3"},
                "lastSuccessfulOperation": {"drySHA": "d2", "hydratedSHA": "h2"},
            }},
        });
        object["status"]["sync"] = json!({"status": "Synced", "revision": compared});
        seen(object).shown
    };
    assert_eq!(application("h2").state.compared, ["d2"]);
    assert_eq!(application("h2").repository.as_deref(), Some("https://git.example.com/gitops"));
    assert_eq!(application("h1").state.compared, ["h1"], "of which nothing is known any more");
}

#[test]
fn the_hook_that_failed_is_told_before_one_that_runs() {
    let hooks = |phases: [&str; 2]| {
        let mut object = users_dev();
        object["status"]["operationState"]["syncResult"]["resources"] = json!([
            {"kind": "Job", "name": "warm", "hookType": "PreSync", "hookPhase": phases[0]},
            {"kind": "Job", "name": "migrate", "hookType": "PreSync", "hookPhase": phases[1]},
            {"kind": "Deployment", "name": "users", "hookPhase": "Failed"},
        ]);
        seen(object).shown.operation.unwrap().hook
    };
    assert_eq!(hooks(["Running", "Failed"]).as_deref(), Some("Job/migrate"));
    assert_eq!(hooks(["Running", "Succeeded"]).as_deref(), Some("Job/warm"));
    assert_eq!(hooks(["Succeeded", "Succeeded"]), None);
}

#[test]
fn argo_cds_settings_have_defaults() {
    let map = |data: Value| Settings::of(&serde_json::from_value(json!({"data": data})).unwrap());
    assert_eq!(map(json!({})), Settings::default());
    assert_eq!(Settings::of(&ConfigMap::default()), Settings::default());
    let set = map(json!({
        "timeout.reconciliation": "5m", "timeout.reconciliation.jitter": "0", "application.instanceLabelKey": "argo/app",
    }));
    assert_eq!((set.poll_seconds, set.jitter_seconds, set.instance_label.as_str()), (300, 0, "argo/app"));
    assert_eq!(map(json!({"timeout.reconciliation": "often"})).poll_seconds, 120);
}

#[test]
fn applications_elsewhere_are_tracked_with_their_namespace() {
    let application = seen(users_dev());
    assert_eq!(application.tracking_name("argocd"), "users-dev");
    assert_eq!(application.tracking_name("argo"), "argocd_users-dev");
}
