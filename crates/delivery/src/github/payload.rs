//! What is read of GitHub's payloads, of its webhooks and of its API alike: slim and tolerant, since GitHub adds words and leaves
//! fields out.

use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// One of a list, which may be odd without the others being lost.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Listed<T> {
    Read(T),
    Odd(IgnoredAny),
}

/// Those of a list that can be read.
pub(super) fn readable<T>(list: Vec<Listed<T>>, what: &str) -> Vec<T> {
    let all = list.len();
    let readable: Vec<T> = list
        .into_iter()
        .filter_map(|one| match one {
            Listed::Read(one) => Some(one),
            Listed::Odd(_) => None,
        })
        .collect();
    if readable.len() < all {
        tracing::warn!(what, left_out = all - readable.len(), "some of what GitHub lists cannot be read");
    }
    readable
}

/// `null` as what an absent field is.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[derive(Deserialize)]
pub(super) struct Repository {
    pub(super) full_name: String,
}

/// A commit as the API lists it.
#[derive(Deserialize)]
pub(super) struct ListedCommit {
    sha: String,
    html_url: Option<String>,
    commit: GitCommit,
    author: Option<User>,
}

#[derive(Deserialize)]
struct GitCommit {
    #[serde(default, deserialize_with = "or_default")]
    message: String,
    author: Option<GitUser>,
    committer: Option<GitUser>,
}

#[derive(Deserialize)]
struct GitUser {
    name: Option<String>,
    date: Option<Timestamp>,
}

impl From<ListedCommit> for PushedCommit {
    fn from(listed: ListedCommit) -> PushedCommit {
        let author = Author {
            name: listed.commit.author.and_then(|author| author.name),
            username: listed.author.map(|author| author.login),
        };
        PushedCommit {
            id: listed.sha,
            message: listed.commit.message,
            timestamp: listed.commit.committer.and_then(|committer| committer.date),
            url: listed.html_url,
            author: Some(author),
        }
    }
}

/// A page of `GET /repos/{owner}/{repo}/actions/runs`.
#[derive(Deserialize)]
pub(super) struct Runs {
    pub(super) workflow_runs: Vec<Listed<WorkflowRun>>,
}

/// A page of `GET /repos/{owner}/{repo}/actions/runs/{run_id}/jobs`.
#[derive(Deserialize)]
pub(super) struct Jobs {
    pub(super) jobs: Vec<Listed<WorkflowJob>>,
}

/// What a run waits for (`GET /repos/{owner}/{repo}/actions/runs/{run_id}/pending_deployments`).
#[derive(Deserialize)]
pub(super) struct PendingDeployment {
    pub(super) environment: PendingEnvironment,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) wait_timer: u32,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) reviewers: Vec<Reviewer>,
}

#[derive(Deserialize)]
pub(super) struct PendingEnvironment {
    pub(super) name: Option<String>,
}

/// A user or a team that may approve.
#[derive(Deserialize)]
pub(super) struct Reviewer {
    pub(super) reviewer: Option<ReviewerName>,
}

#[derive(Deserialize)]
pub(super) struct ReviewerName {
    pub(super) login: Option<String>,
    pub(super) slug: Option<String>,
}

/// A tag as the API lists it.
#[derive(Deserialize)]
pub(super) struct Tag {
    pub(super) name: String,
    pub(super) commit: TaggedCommit,
}

#[derive(Deserialize)]
pub(super) struct TaggedCommit {
    pub(super) sha: String,
}

/// `push`.
#[derive(Deserialize)]
pub(super) struct Push {
    #[serde(rename = "ref")]
    pub(super) reference: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) commits: Vec<PushedCommit>,
    /// The commit that the branch or tag points to now; none where it was deleted.
    pub(super) head_commit: Option<HeadCommit>,
    pub(super) repository: Repository,
}

#[derive(Deserialize)]
pub(super) struct HeadCommit {
    pub(super) id: String,
}

#[derive(Deserialize)]
pub(super) struct PushedCommit {
    pub(super) id: String,
    #[serde(default, deserialize_with = "or_default")]
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
    /// That of the workflow, as the API tells it.
    pub(super) repository: Option<Repository>,
    /// Absent where the fork that a run is of was deleted.
    pub(super) head_repository: Option<Repository>,
    #[serde(default, deserialize_with = "or_default")]
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
    pub(super) run_id: Option<u64>,
    pub(super) name: String,
    pub(super) workflow_name: Option<String>,
    pub(super) head_sha: String,
    pub(super) head_branch: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) status: String,
    pub(super) conclusion: Option<String>,
    pub(super) run_attempt: Option<u32>,
    pub(super) started_at: Option<Timestamp>,
    pub(super) completed_at: Option<Timestamp>,
    pub(super) html_url: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) steps: Vec<JobStep>,
}

#[derive(Deserialize)]
pub(super) struct JobStep {
    pub(super) name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) status: String,
    pub(super) conclusion: Option<String>,
}

/// `pull_request`.
#[derive(Deserialize)]
pub(super) struct PullRequestEvent {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) action: String,
    pub(super) pull_request: PullRequest,
    pub(super) repository: Repository,
}

#[derive(Deserialize)]
pub(super) struct PullRequest {
    pub(super) number: u32,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) title: String,
    pub(super) html_url: Option<String>,
    /// Absent where pull requests are listed.
    pub(super) merged: Option<bool>,
    pub(super) merged_at: Option<Timestamp>,
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
    pub(super) id: Option<u64>,
    pub(super) sha: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) environment: String,
    #[serde(default)]
    pub(super) payload: Value,
}

#[derive(Deserialize)]
pub(super) struct DeploymentStatus {
    pub(super) id: u64,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) state: String,
    pub(super) created_at: Option<Timestamp>,
    pub(super) log_url: Option<String>,
    pub(super) target_url: Option<String>,
}

/// `release`.
#[derive(Deserialize)]
pub(super) struct ReleaseEvent {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) action: String,
    pub(super) release: Release,
    pub(super) repository: Repository,
}

#[derive(Deserialize)]
pub(super) struct Release {
    pub(super) tag_name: String,
    /// A branch, or a commit.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) target_commitish: String,
    pub(super) html_url: Option<String>,
}
