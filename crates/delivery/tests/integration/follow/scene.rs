//! What sources see: a GitOps repository, Applications and Deployments.

use domain::delivery::{
    Application, ApplicationState, Branch, DeploymentState, DesiredTag, Health, ImageRef, OperationPhase,
    Seen, Sighting, SyncStatus, SyncWindow, Synced, TagChange, UpdateStrategy, UpdaterFacts, UpdaterMode,
    Workload,
};

use super::world::{at, place};

pub(super) fn branch(revisions: &[&str]) -> Sighting {
    let revisions = revisions.iter().map(|one| (*one).to_owned()).collect();
    let branch = Branch { repository: "acme/gitops".into(), name: "main".into(), revisions };
    Sighting { subject: "main".into(), place: None, seen: Seen::Branch(branch) }
}

/// The tag by its changes, newest first: the revision, the tag, and when.
pub(super) fn desired(service: &str, environment: &str, changes: &[(&str, &str, i64)]) -> Sighting {
    let change = |(revision, tag, second): &(&str, &str, i64)| TagChange {
        revision: (*revision).into(),
        tag: (*tag).into(),
        before: None,
        at: at(*second),
        author: None,
        pull_request: None,
        link: None,
    };
    let path = format!("envs/{environment}/{service}/values.yaml");
    let desired = DesiredTag {
        repository: "acme/gitops".into(),
        branch: "main".into(),
        path: path.clone(),
        key: "image.tag".into(),
        tag: changes.first().map(|(_, tag, _)| (*tag).into()),
        changes: changes.iter().map(change).collect(),
    };
    of(service, environment, &format!("{path}#image.tag"), Seen::DesiredTag(desired))
}

/// An Application in sync with what it synced last: the revisions, oldest first, and when.
pub(super) fn application(service: &str, environment: &str, synced: &[(&str, i64)]) -> Application {
    let last: Vec<String> = synced.last().iter().map(|(revision, _)| (*revision).to_owned()).collect();
    let history = synced.iter().zip(0..).map(|((revision, second), id)| Synced {
        id,
        revision: Some((*revision).into()),
        started: Some(at(second - 5)),
        deployed: at(*second),
    });
    Application {
        name: format!("argocd/{service}-{environment}"),
        link: None,
        repository: Some("https://github.com/acme/gitops".into()),
        target_revision: Some("main".into()),
        path: Some(format!("envs/{environment}/{service}")),
        state: ApplicationState {
            sync_status: SyncStatus::Synced,
            health: Health::Healthy,
            phase: Some(OperationPhase::Succeeded),
            compared: last.clone(),
            applied: last,
            source: 0,
        },
        health_since: None,
        health_message: None,
        auto_sync: true,
        window: SyncWindow::Open,
        conditions: Vec::new(),
        last_reconciled: Some(at(500)),
        poll_seconds: 120,
        jitter_seconds: 60,
        images: Vec::new(),
        operation: None,
        history: history.collect(),
    }
}

pub(super) fn argo(service: &str, environment: &str, application: Application) -> Sighting {
    let subject = application.name.clone();
    of(service, environment, &subject, Seen::Application(application.into()))
}

/// A Deployment of three pods whose rollout was complete at a time.
pub(super) fn deployment(service: &str, tag: &str, revision: u32, second: i64) -> Workload {
    Workload {
        name: format!("Deployment/{service}"),
        images: vec![ImageRef::parse(&format!("r.io/{service}:{tag}")), ImageRef::parse("r.io/proxy:9")],
        running: Vec::new(),
        revision,
        state: DeploymentState {
            generation: 3,
            observed_generation: 3,
            desired: 3,
            replicas: 3,
            updated: 3,
            available: 3,
            minimum_available: true,
            ..DeploymentState::default()
        },
        pods: Vec::new(),
        started: Some(at(second - 25)),
        finished: Some(at(second)),
        available_since: Some(at(100)),
    }
}

pub(super) fn pods(service: &str, environment: &str, workload: Workload) -> Sighting {
    let subject = format!("{environment}/{}", workload.name);
    of(service, environment, &subject, Seen::Workload(workload))
}

pub(super) fn updater(environment: &str, constraint: Option<&str>, checked: i64) -> Sighting {
    let updater = UpdaterFacts {
        mode: UpdaterMode::Resource,
        strategy: UpdateStrategy::Semver,
        constraint: constraint.map(str::to_owned),
        ignore_tags: Vec::new(),
        allow_tags: None,
        tag_allowed: None,
        interval_seconds: 120,
        last_checked: Some(at(checked)),
    };
    of("users", environment, &format!("updater/{environment}"), Seen::Updater(updater))
}

pub(super) fn of(service: &str, environment: &str, subject: &str, seen: Seen) -> Sighting {
    Sighting { subject: subject.into(), place: Some(place(service, environment)), seen }
}
