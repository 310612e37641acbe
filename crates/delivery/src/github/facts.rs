//! What GitHub tells of the services that are followed, as facts: the same from a webhook and from the API, under the same ids.

use domain::delivery::{
    CiDetail, CommitDetail, CommitSha, Detail, EnvironmentName, Fact, ImageDetail, Source, Stage, Status,
    Version, fitting,
};
use jiff::Timestamp;

use super::deployment;
use super::payload::{
    Deployment, DeploymentStatus, PendingDeployment, PullRequest, PushedCommit, WorkflowJob, WorkflowRun,
};
use crate::config::{DeliveryConfig, Service};
use crate::reader::RegistryImage;

/// What is told in the light of what is followed.
pub(super) struct About<'a> {
    pub(super) config: &'a DeliveryConfig,
    pub(super) now: Timestamp,
}

/// A fact that contradicts itself says nothing; the others that are told with it are taken.
pub(super) fn is_sound(fact: &Fact) -> bool {
    fact.check()
        .inspect_err(|error| tracing::warn!(%error, fact.source_id, "a fact of GitHub's is left out"))
        .is_ok()
}

impl About<'_> {
    /// A commit on a branch.
    pub(super) fn commit(&self, repository: &str, branch: &str, pushed: &PushedCommit) -> Vec<Fact> {
        let Ok(commit) = CommitSha::parse(&pushed.id) else { return Vec::new() };
        let author =
            pushed.author.as_ref().and_then(|author| author.name.as_ref().or(author.username.as_ref()));
        let detail = CommitDetail {
            author: author.and_then(|author| fitting(author)),
            title: fitting(&pushed.message),
            branch: fitting(branch),
            committed: pushed.timestamp,
            pull_request: pull_request_of(&pushed.message),
        };
        self.services(repository, branch)
            .map(|service| Fact {
                status: Status::Succeeded,
                finished: pushed.timestamp,
                link: pushed.url.clone(),
                detail: Some(Detail::Commit(detail.clone())),
                ..self.fact(service, commit.clone(), Stage::Commit, "push", &pushed.id)
            })
            .collect()
    }

    /// A run of a workflow, unless it is a fork's ([`is_of_fork`]).
    pub(super) fn run(&self, repository: &str, run: &WorkflowRun) -> Vec<Fact> {
        let (Some(branch), Ok(commit)) = (&run.head_branch, CommitSha::parse(&run.head_sha)) else {
            return Vec::new();
        };
        let (status, needs_approval) = status(&run.status, run.conclusion.as_deref());
        let started = run.run_started_at;
        let finished = run.updated_at.filter(|_| status.is_final());
        let detail = CiDetail { workflow: run.name.as_deref().and_then(fitting), step: None, needs_approval };
        self.services(repository, branch)
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

    /// What a run waits for, which it does not say itself: who has to approve it, or how long it waits.
    pub(super) fn pending(
        &self,
        repository: &str,
        run: &WorkflowRun,
        pending: &[PendingDeployment],
    ) -> Vec<Fact> {
        let names: Vec<&str> = pending.iter().filter_map(|one| one.environment.name.as_deref()).collect();
        if names.is_empty() {
            return Vec::new();
        }
        let step = pending.iter().filter_map(waits_for).collect::<Vec<_>>().join("; ");
        let needs_approval = pending.iter().any(|one| !one.reviewers.is_empty());
        let mut facts = self.run(repository, run);
        for fact in &mut facts {
            // After that of the run in every order of ids, so that it outweighs the run, which says less.
            let names: String = names.join(",").chars().take(80).collect();
            fact.source_id = format!("run/{}:{names}/{}", run_id(run), fact.service);
            if let Some(Detail::Ci(detail)) = &mut fact.detail {
                detail.needs_approval = needs_approval;
                detail.step = fitting(&step);
            }
        }
        facts
    }

    /// A job of a run that is not a fork's.
    pub(super) fn job(&self, repository: &str, job: &WorkflowJob) -> Vec<Fact> {
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
        self.services(repository, branch)
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

    /// A pull request that was merged.
    pub(super) fn pull_request(&self, repository: &str, pull_request: &PullRequest) -> Vec<Fact> {
        let merged = pull_request.merged.unwrap_or(pull_request.merged_at.is_some());
        let commit = pull_request.merge_commit_sha.as_deref().and_then(|sha| CommitSha::parse(sha).ok());
        let (Some(commit), true) = (commit, merged) else { return Vec::new() };
        let detail = CommitDetail {
            author: pull_request.user.as_ref().and_then(|user| fitting(&user.login)),
            title: fitting(&pull_request.title),
            branch: fitting(&pull_request.base.reference),
            committed: None,
            pull_request: Some(pull_request.number),
        };
        self.services(repository, &pull_request.base.reference)
            .map(|service| Fact {
                status: Status::Succeeded,
                link: pull_request.html_url.clone(),
                detail: Some(Detail::Commit(detail.clone())),
                ..self.fact(service, commit.clone(), Stage::Commit, "pull", &pull_request.number.to_string())
            })
            .collect()
    }

    /// The environment of a deployment, if it is one that is followed, and not one that GitHub was told of from here.
    pub(super) fn environment(&self, deployment: &Deployment) -> Option<EnvironmentName> {
        if deployment::key(&deployment.payload).is_some() {
            return None;
        }
        let environment = EnvironmentName::parse(&deployment.environment.to_ascii_lowercase()).ok()?;
        self.config.environments.names().contains(&environment).then_some(environment)
    }

    /// How a deployment stands.
    pub(super) fn deployment_status(
        &self,
        repository: &str,
        deployment: &Deployment,
        state: &DeploymentStatus,
    ) -> Vec<Fact> {
        let (Some(environment), Ok(commit)) =
            (self.environment(deployment), CommitSha::parse(&deployment.sha))
        else {
            return Vec::new();
        };
        let status = match state.state.as_str() {
            "success" => Status::Succeeded,
            "failure" | "error" => Status::Failed,
            "in_progress" => Status::Running,
            "queued" | "pending" => Status::Waiting,
            // `inactive`: another deployment has taken its place, of which GitHub tells by itself.
            _ => return Vec::new(),
        };
        let link = [&state.log_url, &state.target_url].into_iter().flatten().find(|link| !link.is_empty());
        self.of_repository(repository)
            .map(|service| Fact {
                environment: Some(environment.clone()),
                status,
                started: state.created_at.filter(|_| !status.is_final()),
                finished: status.is_final().then(|| state.created_at.unwrap_or(self.now)),
                link: link.cloned(),
                ..self.fact(service, commit.clone(), Stage::Live, "deployment", &state.id.to_string())
            })
            .collect()
    }

    /// A tag that is a version tells which commit that version was built from.
    pub(super) fn tag(
        &self,
        repository: &str,
        tag: &str,
        commit: &str,
        link: Option<&str>,
    ) -> Vec<RegistryImage> {
        if CommitSha::parse(commit).is_err() {
            return Vec::new();
        }
        self.of_repository(repository)
            .filter_map(|service| {
                Some(RegistryImage {
                    service: service.name.clone(),
                    tags: version_tags(service.name.as_str(), tag)?,
                    revision: Some(commit.to_owned()),
                    pushed: None,
                    detail: ImageDetail::default(),
                    link: link.map(str::to_owned),
                    platform_digests: Vec::new(),
                    since: None,
                })
            })
            .collect()
    }

    pub(super) fn of_repository<'a>(&'a self, repository: &'a str) -> impl Iterator<Item = &'a Service> {
        let is_it = move |own: &String| own.eq_ignore_ascii_case(repository);
        self.config.services.iter().filter(move |service| service.repository.as_ref().is_some_and(is_it))
    }

    fn services<'a>(&'a self, repository: &'a str, branch: &'a str) -> impl Iterator<Item = &'a Service> {
        self.of_repository(repository).filter(move |service| service.branch == branch)
    }

    fn fact(&self, service: &Service, commit: CommitSha, stage: Stage, kind: &str, id: &str) -> Fact {
        // Of a repository with several services, each gets its own.
        let source_id = format!("{kind}/{id}/{}", service.name);
        Fact::about((Source::Github, source_id), &service.name, commit, stage, self.now)
    }
}

/// Whether a run is a fork's, which may have a branch of the same name. `base` is the repository that the workflow is of.
pub(super) fn is_of_fork(run: &WorkflowRun, base: &str) -> bool {
    // One whose fork was deleted has none.
    run.head_repository.as_ref().is_none_or(|head| !head.full_name.eq_ignore_ascii_case(base))
}

/// A tag of Git as the tags that an image of that version may have: as it is, without the service's name before it, as repositories
/// with several services have it, and without its `v`. `None` for one that is no version of the service.
fn version_tags(service: &str, tag: &str) -> Option<Vec<String>> {
    let after_name = tag.strip_prefix(service).and_then(|rest| rest.strip_prefix(['-', '_', '/', '@']));
    let version = after_name.unwrap_or(tag);
    Version::parse(version)?;
    let mut tags = Vec::new();
    for one in [tag, version, version.strip_prefix('v').unwrap_or(version)] {
        if !tags.iter().any(|known| known == one) {
            tags.push(one.to_owned());
        }
    }
    Some(tags)
}

/// Whom or what a run waits for, of one environment.
fn waits_for(pending: &PendingDeployment) -> Option<String> {
    let environment = pending.environment.name.as_deref()?;
    let reviewers: Vec<&str> = pending
        .reviewers
        .iter()
        .filter_map(|one| one.reviewer.as_ref())
        .filter_map(|one| one.login.as_deref().or(one.slug.as_deref()))
        .collect();
    Some(match (&reviewers[..], pending.wait_timer) {
        ([], 0) => format!("protection of {environment}"),
        ([], minutes) => format!("wait timer of {environment}: {minutes} minutes"),
        (reviewers, _) => format!("{environment} ({})", reviewers.join(", ")),
    })
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
pub(crate) fn pull_request_of(message: &str) -> Option<u32> {
    let title = message.lines().next()?.trim();
    if let Some(rest) = title.strip_prefix("Merge pull request #") {
        return rest.split(' ').next()?.parse().ok();
    }
    title.strip_suffix(')')?.rsplit_once("(#")?.1.parse().ok()
}
