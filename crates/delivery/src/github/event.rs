//! What each event of GitHub's webhooks says.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use domain::delivery::Fact;
use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::facts::{About, is_of_fork, is_sound};
use super::payload::{
    DeploymentStatusEvent, PullRequestEvent, Push, ReleaseEvent, WorkflowJobEvent, WorkflowRunEvent,
};
use crate::DeliveryError;
use crate::config::DeliveryConfig;
use crate::reader::RegistryImage;

/// How many runs of forks are remembered: their jobs follow within hours.
const MOST_FORK_RUNS: usize = 10_000;

/// What an event says; nothing where it concerns nothing that is followed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) facts: Vec<Fact>,
    /// Versions, and the commits that they were built from.
    pub(super) images: Vec<RegistryImage>,
}

/// The runs that are known to be of a fork. A job does not say so itself, but its run is told of before it.
#[derive(Debug, Default)]
pub(crate) struct ForkRuns(Mutex<VecDeque<u64>>);

impl ForkRuns {
    fn add(&self, run: u64) {
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !runs.contains(&run) {
            runs.push_back(run);
        }
        if runs.len() > MOST_FORK_RUNS {
            runs.pop_front();
        }
    }

    fn contain(&self, run: u64) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&run)
    }
}

/// Reads an event.
///
/// # Errors
/// The body is not what GitHub sends with this event.
pub(super) fn heard(
    config: &DeliveryConfig,
    forks: &ForkRuns,
    event: &str,
    body: &[u8],
    now: Timestamp,
) -> Result<Heard, DeliveryError> {
    let about = About { config, now };
    let mut heard = match event {
        "push" => push(&about, &read(event, body)?),
        "workflow_run" => Heard::facts(workflow_run(&about, forks, &read(event, body)?)),
        "workflow_job" => Heard::facts(workflow_job(&about, forks, &read(event, body)?)),
        "pull_request" => Heard::facts(pull_request(&about, &read(event, body)?)),
        "deployment_status" => Heard::facts(deployment_status(&about, &read(event, body)?)),
        "release" => release(&about, &read(event, body)?),
        // `ping`, and whatever else the webhook was set up to send.
        _ => Heard::default(),
    };
    heard.facts.retain(is_sound);
    Ok(heard)
}

impl Heard {
    fn facts(facts: Vec<Fact>) -> Heard {
        Heard { facts, images: Vec::new() }
    }
}

fn read<T: DeserializeOwned>(event: &str, body: &[u8]) -> Result<T, DeliveryError> {
    serde_json::from_slice(body).map_err(|error| {
        DeliveryError::Invalid(format!("The body of a {event} event cannot be read: {error}."))
    })
}

fn push(about: &About<'_>, push: &Push) -> Heard {
    let repository = &push.repository.full_name;
    if let Some(branch) = push.reference.strip_prefix("refs/heads/") {
        let commits = push.commits.iter();
        return Heard::facts(commits.flat_map(|commit| about.commit(repository, branch, commit)).collect());
    }
    let (Some(tag), Some(head)) = (push.reference.strip_prefix("refs/tags/"), &push.head_commit) else {
        return Heard::default();
    };
    Heard { facts: Vec::new(), images: about.tag(repository, tag, &head.id, None) }
}

fn workflow_run(about: &About<'_>, forks: &ForkRuns, event: &WorkflowRunEvent) -> Vec<Fact> {
    if is_of_fork(&event.workflow_run, &event.repository.full_name) {
        forks.add(event.workflow_run.id);
        return Vec::new();
    }
    about.run(&event.repository.full_name, &event.workflow_run)
}

fn workflow_job(about: &About<'_>, forks: &ForkRuns, event: &WorkflowJobEvent) -> Vec<Fact> {
    if event.workflow_job.run_id.is_some_and(|run| forks.contain(run)) {
        return Vec::new();
    }
    about.job(&event.repository.full_name, &event.workflow_job)
}

fn pull_request(about: &About<'_>, event: &PullRequestEvent) -> Vec<Fact> {
    if event.action != "closed" {
        return Vec::new();
    }
    about.pull_request(&event.repository.full_name, &event.pull_request)
}

fn deployment_status(about: &About<'_>, event: &DeploymentStatusEvent) -> Vec<Fact> {
    about.deployment_status(&event.repository.full_name, &event.deployment, &event.deployment_status)
}

/// A release names a branch or a commit; where it names a branch, the push of its tag tells the commit.
fn release(about: &About<'_>, event: &ReleaseEvent) -> Heard {
    let release = &event.release;
    if event.action != "published" || release.target_commitish.len() != 40 {
        return Heard::default();
    }
    let link = release.html_url.as_deref();
    let images = about.tag(&event.repository.full_name, &release.tag_name, &release.target_commitish, link);
    Heard { facts: Vec::new(), images }
}
