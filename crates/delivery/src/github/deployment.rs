//! What GitHub is told of where a commit is live: deployments and their statuses, which it shows with the commit.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{GithubClient, GithubError, shortened, with_query};

/// GitHub takes no longer description.
const LONGEST_DESCRIPTION: usize = 140;
/// In a deployment's payload, what it was made for.
const KEY: &str = "tollgate";

/// How a commit stands in an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentReport {
    pub sha: String,
    pub environment: String,
    /// What is deployed, so that it is found again: of one commit, environment and key there is one deployment.
    pub key: String,
    pub state: DeploymentState,
    /// Cut where it is longer than GitHub takes.
    pub description: String,
    /// Where somebody can read how it came to be.
    pub log_url: Option<String>,
    /// Where it is live.
    pub environment_url: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentState {
    InProgress,
    Success,
    Failure,
    /// Another took its place.
    Inactive,
}

impl GithubClient {
    /// Tells GitHub how a commit stands in an environment, if it has not been told so already. It needs the permission deployments:
    /// write.
    ///
    /// # Errors
    /// As of [`GithubClient::post`]; telling it again is safe.
    pub async fn report_deployment(
        &self,
        repository: &str,
        report: &DeploymentReport,
    ) -> Result<(), GithubError> {
        let deployment = match self.deployment(repository, report).await? {
            Some(known) => known,
            // Nothing took the place of what was never told.
            None if report.state == DeploymentState::Inactive => return Ok(()),
            None => {
                let new = json!({
                    "ref": report.sha, "environment": report.environment, "payload": { KEY: report.key },
                    // What was deployed is told, rather than asked for: GitHub has nothing to merge or wait for.
                    "auto_merge": false, "required_contexts": [],
                });
                self.post::<Made>(repository, "/deployments", &new).await?.id
            }
        };
        let path = format!("/deployments/{deployment}/statuses");
        let status = report.status();
        let newest = self.get_once::<Vec<StatusTold>>(repository, &format!("{path}?per_page=1")).await?.body;
        if newest.first().is_some_and(|newest| newest.says(&status)) {
            return Ok(());
        }
        self.post::<IgnoredAny>(repository, &path, &status).await.map(|_| ())
    }

    async fn deployment(
        &self,
        repository: &str,
        report: &DeploymentReport,
    ) -> Result<Option<u64>, GithubError> {
        let pairs = [("sha", report.sha.as_str()), ("environment", &report.environment), ("per_page", "100")];
        let question = with_query("/deployments", &pairs);
        let known: Vec<Made> = self.get_once(repository, &question).await?.body;
        let fits = |known: &&Made| key(&known.payload).is_some_and(|key| key == report.key);
        Ok(known.iter().find(fits).map(|known| known.id))
    }
}

impl DeploymentReport {
    fn status(&self) -> StatusTold {
        StatusTold {
            state: serde_json::to_value(self.state).unwrap_or_default(),
            description: Some(shortened(&self.description, LONGEST_DESCRIPTION)),
            log_url: self.log_url.clone(),
            environment_url: self.environment_url.clone(),
        }
    }
}

/// What a deployment was made for, where it was made by [`GithubClient::report_deployment`].
pub(super) fn key(payload: &Value) -> Option<&str> {
    payload.get(KEY)?.as_str()
}

#[derive(Deserialize)]
struct Made {
    id: u64,
    #[serde(default)]
    payload: Value,
}

/// A status, as it is sent and as it is answered: what is left out of the one may be empty in the other.
#[derive(Serialize, Deserialize)]
struct StatusTold {
    /// GitHub has more of them than are sent.
    state: Value,
    #[serde(default)]
    description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    log_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    environment_url: Option<String>,
}

impl StatusTold {
    fn says(&self, other: &StatusTold) -> bool {
        let texts = |status: &StatusTold| {
            [&status.description, &status.log_url, &status.environment_url]
                .map(|text| text.clone().unwrap_or_default())
        };
        self.state == other.state && texts(self) == texts(other)
    }
}
