//! What each event of GitHub says of the services that are followed.

use domain::delivery::{
    CiDetail, CommitDetail, CommitSha, Detail, EnvironmentName, Fact, Source, Stage, Status, fitting,
};
use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::payload::{
    DeploymentStatusEvent, PullRequestEvent, Push, WorkflowJob, WorkflowJobEvent, WorkflowRun,
    WorkflowRunEvent,
};
use crate::DeliveryError;
use crate::config::{DeliveryConfig, Service};

/// The facts of an event; none for one that concerns nothing that is followed.
///
/// # Errors
/// The body is not what GitHub sends with this event.
pub(super) fn facts(
    config: &DeliveryConfig,
    event: &str,
    body: &[u8],
    now: Timestamp,
) -> Result<Vec<Fact>, DeliveryError> {
    let about = About { config, now };
    let facts = match event {
        "push" => about.push(&read(event, body)?),
        "workflow_run" => about.workflow_run(&read(event, body)?),
        "workflow_job" => about.workflow_job(&read(event, body)?),
        "pull_request" => about.pull_request(&read(event, body)?),
        "deployment_status" => about.deployment_status(&read(event, body)?),
        // `ping`, and whatever else the webhook was set up to send.
        _ => Vec::new(),
    };
    Ok(facts.into_iter().filter(is_sound).collect())
}

fn read<T: DeserializeOwned>(event: &str, body: &[u8]) -> Result<T, DeliveryError> {
    serde_json::from_slice(body).map_err(|error| {
        DeliveryError::Invalid(format!("The body of a {event} event cannot be read: {error}."))
    })
}

/// A fact that contradicts itself says nothing; the others of the same event are taken.
fn is_sound(fact: &Fact) -> bool {
    fact.check()
        .inspect_err(|error| tracing::warn!(%error, fact.source_id, "a fact of GitHub's is left out"))
        .is_ok()
}

/// An event in the light of what is followed.
struct About<'a> {
    config: &'a DeliveryConfig,
    now: Timestamp,
}

impl About<'_> {
    fn push(&self, push: &Push) -> Vec<Fact> {
        let Some(branch) = push.reference.strip_prefix("refs/heads/") else { return Vec::new() };
        let mut facts = Vec::new();
        for service in self.services(&push.repository.full_name, branch) {
            for pushed in &push.commits {
                let Ok(commit) = CommitSha::parse(&pushed.id) else { continue };
                let author = pushed
                    .author
                    .as_ref()
                    .and_then(|author| author.name.as_ref().or(author.username.as_ref()));
                let detail = CommitDetail {
                    author: author.and_then(|author| fitting(author)),
                    title: fitting(&pushed.message),
                    branch: fitting(branch),
                    committed: pushed.timestamp,
                    pull_request: pull_request_of(&pushed.message),
                };
                facts.push(Fact {
                    status: Status::Succeeded,
                    finished: pushed.timestamp,
                    link: pushed.url.clone(),
                    detail: Some(Detail::Commit(detail)),
                    ..self.fact(service, commit, Stage::Commit, "push", &pushed.id)
                });
            }
        }
        facts
    }

    fn workflow_run(&self, event: &WorkflowRunEvent) -> Vec<Fact> {
        let run = &event.workflow_run;
        // A fork may have a branch of the same name.
        let own =
            run.head_repository.as_ref().is_some_and(|head| head.full_name == event.repository.full_name);
        let (Some(branch), true, Ok(commit)) = (&run.head_branch, own, CommitSha::parse(&run.head_sha))
        else {
            return Vec::new();
        };
        let (status, needs_approval) = status(&run.status, run.conclusion.as_deref());
        let started = run.run_started_at;
        let finished = run.updated_at.filter(|_| status.is_final());
        let detail = CiDetail { workflow: run.name.as_deref().and_then(fitting), step: None, needs_approval };
        self.services(&event.repository.full_name, branch)
            .filter(|service| is_own(service, run.name.as_deref()))
            .map(|service| Fact {
                // The jobs tell it better, and are shown in its place; a run that cannot start has none.
                job: (run.conclusion.as_deref() == Some("startup_failure"))
                    .then(|| run.name.as_deref().and_then(fitting))
                    .flatten(),
                attempt: run.run_attempt.unwrap_or(1).max(1),
                status,
                started: started.filter(|started| finished.is_none_or(|finished| *started <= finished)),
                finished,
                link: run.html_url.clone(),
                detail: Some(Detail::Ci(detail.clone())),
                ..self.fact(service, commit.clone(), Stage::Ci, "run", &run_id(run))
            })
            .collect()
    }

    fn workflow_job(&self, event: &WorkflowJobEvent) -> Vec<Fact> {
        let job = &event.workflow_job;
        let (Some(branch), Ok(commit)) = (&job.head_branch, CommitSha::parse(&job.head_sha)) else {
            return Vec::new();
        };
        let (status, needs_approval) = status(&job.status, job.conclusion.as_deref());
        let finished = job.completed_at.filter(|_| status.is_final());
        let name = match &job.workflow_name {
            Some(workflow) => format!("{workflow} / {}", job.name),
            None => job.name.clone(),
        };
        let detail = CiDetail {
            workflow: job.workflow_name.as_deref().and_then(fitting),
            step: step(job).and_then(fitting),
            needs_approval,
        };
        self.services(&event.repository.full_name, branch)
            .filter(|service| is_own(service, job.workflow_name.as_deref()))
            .map(|service| Fact {
                job: fitting(&name),
                attempt: job.run_attempt.unwrap_or(1).max(1),
                status,
                // GitHub gives a job that is left out a beginning after its end, and one that waits a beginning too.
                started: job.started_at.filter(|started| {
                    status != Status::Waiting && finished.is_none_or(|finished| *started <= finished)
                }),
                finished,
                link: job.html_url.clone(),
                detail: Some(Detail::Ci(detail.clone())),
                ..self.fact(service, commit.clone(), Stage::Ci, "job", &job_id(job))
            })
            .collect()
    }

    fn pull_request(&self, event: &PullRequestEvent) -> Vec<Fact> {
        let pull_request = &event.pull_request;
        let merged = event.action == "closed" && pull_request.merged == Some(true);
        let commit = pull_request.merge_commit_sha.as_deref().and_then(|sha| CommitSha::parse(sha).ok());
        let (Some(commit), true) = (commit, merged) else { return Vec::new() };
        let detail = CommitDetail {
            author: pull_request.user.as_ref().and_then(|user| fitting(&user.login)),
            title: fitting(&pull_request.title),
            branch: fitting(&pull_request.base.reference),
            committed: None,
            pull_request: Some(pull_request.number),
        };
        self.services(&event.repository.full_name, &pull_request.base.reference)
            .map(|service| Fact {
                status: Status::Succeeded,
                link: pull_request.html_url.clone(),
                detail: Some(Detail::Commit(detail.clone())),
                ..self.fact(service, commit.clone(), Stage::Commit, "pull", &pull_request.number.to_string())
            })
            .collect()
    }

    fn deployment_status(&self, event: &DeploymentStatusEvent) -> Vec<Fact> {
        let (deployment, state) = (&event.deployment, &event.deployment_status);
        let environment = EnvironmentName::parse(&deployment.environment.to_ascii_lowercase());
        let (Ok(environment), Ok(commit)) = (environment, CommitSha::parse(&deployment.sha)) else {
            return Vec::new();
        };
        if !self.config.environments.names().contains(&environment) {
            return Vec::new();
        }
        let status = match state.state.as_str() {
            "success" => Status::Succeeded,
            "failure" | "error" => Status::Failed,
            "in_progress" => Status::Running,
            "queued" | "pending" => Status::Waiting,
            // `inactive`: another deployment has taken its place, of which GitHub tells by itself.
            _ => return Vec::new(),
        };
        let link = [&state.log_url, &state.target_url].into_iter().flatten().find(|link| !link.is_empty());
        self.of_repository(&event.repository.full_name)
            .map(|service| Fact {
                environment: Some(environment.clone()),
                status,
                finished: status.is_final().then(|| state.created_at.unwrap_or(self.now)),
                link: link.cloned(),
                ..self.fact(service, commit.clone(), Stage::Live, "deployment", &state.id.to_string())
            })
            .collect()
    }

    fn of_repository<'a>(&'a self, repository: &'a str) -> impl Iterator<Item = &'a Service> {
        let is_it = move |own: &String| own.eq_ignore_ascii_case(repository);
        self.config.services.iter().filter(move |service| service.repository.as_ref().is_some_and(is_it))
    }

    fn services<'a>(&'a self, repository: &'a str, branch: &'a str) -> impl Iterator<Item = &'a Service> {
        self.of_repository(repository).filter(move |service| service.branch == branch)
    }

    fn fact(&self, service: &Service, commit: CommitSha, stage: Stage, kind: &str, id: &str) -> Fact {
        Fact {
            source: Source::Github,
            // Of a repository with several services, each gets its own.
            source_id: format!("{kind}/{id}/{}", service.name),
            service: service.name.clone(),
            environment: None,
            commit,
            stage,
            job: None,
            attempt: 1,
            status: Status::Unknown,
            started: None,
            finished: None,
            observed: self.now,
            link: None,
            detail: None,
        }
    }
}

/// Whether a workflow is one of the service's, in a repository that has several.
fn is_own(service: &Service, workflow: Option<&str>) -> bool {
    service.workflows.is_empty()
        || workflow.is_some_and(|workflow| service.workflows.iter().any(|own| own == workflow))
}

fn run_id(run: &WorkflowRun) -> String {
    let word = run.conclusion.as_deref().unwrap_or(&run.status);
    format!("{}/{}/{word}", run.id, run.run_attempt.unwrap_or(1))
}

fn job_id(job: &WorkflowJob) -> String {
    let word = job.conclusion.as_deref().unwrap_or(&job.status);
    format!("{}/{word}", job.id)
}

/// How far a run or job has come, and whether somebody has to approve it first.
fn status(status: &str, conclusion: Option<&str>) -> (Status, bool) {
    match (status, conclusion) {
        ("completed", Some("success")) => (Status::Succeeded, false),
        ("completed", Some("failure" | "timed_out" | "startup_failure")) => (Status::Failed, false),
        ("completed", Some("cancelled" | "stale")) => (Status::Cancelled, false),
        ("completed", Some("skipped" | "neutral")) => (Status::Skipped, false),
        ("completed", Some("action_required")) | ("waiting", _) => (Status::Waiting, true),
        ("queued" | "requested" | "pending", _) => (Status::Waiting, false),
        ("in_progress", _) => (Status::Running, false),
        _ => (Status::Unknown, false),
    }
}

/// The step that failed, else the one that runs.
fn step(job: &WorkflowJob) -> Option<&str> {
    let failed = job.steps.iter().find(|step| step.conclusion.as_deref() == Some("failure"));
    let running = || job.steps.iter().find(|step| step.status == "in_progress");
    Some(failed.or_else(running)?.name.as_str())
}

/// The number that GitHub writes into the message of a commit that merges a pull request: at the end of the first line where it was
/// squashed, at its beginning otherwise.
fn pull_request_of(message: &str) -> Option<u32> {
    let title = message.lines().next()?.trim();
    if let Some(rest) = title.strip_prefix("Merge pull request #") {
        return rest.split(' ').next()?.parse().ok();
    }
    title.strip_suffix(')')?.rsplit_once("(#")?.1.parse().ok()
}
