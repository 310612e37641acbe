//! What is read of GitHub's payloads: slim and tolerant, since GitHub adds words and leaves fields out.

use jiff::Timestamp;
use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct Repository {
    pub(super) full_name: String,
}

/// `push`.
#[derive(Deserialize)]
pub(super) struct Push {
    #[serde(rename = "ref")]
    pub(super) reference: String,
    #[serde(default)]
    pub(super) commits: Vec<PushedCommit>,
    pub(super) repository: Repository,
}

#[derive(Deserialize)]
pub(super) struct PushedCommit {
    pub(super) id: String,
    #[serde(default)]
    pub(super) message: String,
    pub(super) timestamp: Option<Timestamp>,
    pub(super) url: Option<String>,
    pub(super) author: Option<Author>,
}

#[derive(Deserialize)]
pub(super) struct Author {
    pub(super) name: Option<String>,
    pub(super) username: Option<String>,
}

/// `workflow_run`.
#[derive(Deserialize)]
pub(super) struct WorkflowRunEvent {
    pub(super) workflow_run: WorkflowRun,
    pub(super) repository: Repository,
}

#[derive(Deserialize)]
pub(super) struct WorkflowRun {
    pub(super) id: u64,
    pub(super) name: Option<String>,
    pub(super) head_sha: String,
    pub(super) head_branch: Option<String>,
    /// Absent where the fork that a run is of was deleted.
    pub(super) head_repository: Option<Repository>,
    #[serde(default)]
    pub(super) status: String,
    pub(super) conclusion: Option<String>,
    pub(super) run_attempt: Option<u32>,
    pub(super) run_started_at: Option<Timestamp>,
    pub(super) updated_at: Option<Timestamp>,
    pub(super) html_url: Option<String>,
}

/// `workflow_job`.
#[derive(Deserialize)]
pub(super) struct WorkflowJobEvent {
    pub(super) workflow_job: WorkflowJob,
    pub(super) repository: Repository,
}

#[derive(Deserialize)]
pub(super) struct WorkflowJob {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) workflow_name: Option<String>,
    pub(super) head_sha: String,
    pub(super) head_branch: Option<String>,
    #[serde(default)]
    pub(super) status: String,
    pub(super) conclusion: Option<String>,
    pub(super) run_attempt: Option<u32>,
    pub(super) started_at: Option<Timestamp>,
    pub(super) completed_at: Option<Timestamp>,
    pub(super) html_url: Option<String>,
    #[serde(default)]
    pub(super) steps: Vec<JobStep>,
}

#[derive(Deserialize)]
pub(super) struct JobStep {
    pub(super) name: String,
    #[serde(default)]
    pub(super) status: String,
    pub(super) conclusion: Option<String>,
}

/// `pull_request`.
#[derive(Deserialize)]
pub(super) struct PullRequestEvent {
    #[serde(default)]
    pub(super) action: String,
    pub(super) pull_request: PullRequest,
    pub(super) repository: Repository,
}

#[derive(Deserialize)]
pub(super) struct PullRequest {
    pub(super) number: u32,
    #[serde(default)]
    pub(super) title: String,
    pub(super) html_url: Option<String>,
    pub(super) merged: Option<bool>,
    pub(super) merge_commit_sha: Option<String>,
    pub(super) user: Option<User>,
    pub(super) base: Base,
}

#[derive(Deserialize)]
pub(super) struct User {
    pub(super) login: String,
}

#[derive(Deserialize)]
pub(super) struct Base {
    #[serde(rename = "ref")]
    pub(super) reference: String,
}

/// `deployment_status`.
#[derive(Deserialize)]
pub(super) struct DeploymentStatusEvent {
    pub(super) deployment: Deployment,
    pub(super) deployment_status: DeploymentStatus,
    pub(super) repository: Repository,
}

#[derive(Deserialize)]
pub(super) struct Deployment {
    pub(super) sha: String,
    #[serde(default)]
    pub(super) environment: String,
}

#[derive(Deserialize)]
pub(super) struct DeploymentStatus {
    pub(super) id: u64,
    #[serde(default)]
    pub(super) state: String,
    pub(super) created_at: Option<Timestamp>,
    pub(super) log_url: Option<String>,
    pub(super) target_url: Option<String>,
}
