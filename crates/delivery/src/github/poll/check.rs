//! What a repository is polled for, each tried once.

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::GithubReader;
use crate::github::client::with_query;
use crate::github::facts::About;
use crate::reader::Checked;

/// The answer of `GET /repos/{owner}/{repo}`.
#[derive(Deserialize)]
struct Described {
    full_name: String,
}

impl GithubReader {
    pub(super) async fn checks(&mut self) -> Vec<Checked> {
        let mut checks = vec![self.metadata().await];
        // Where nobody is let in, or the repository is not to be seen, all others would say the same.
        if checks[0].outcome.is_err() {
            return checks;
        }
        let config = self.config.clone();
        let about = About { config: &config, now: Timestamp::now() };
        let mut tries = Vec::new();
        for branch in self.branches(&about) {
            let path = with_query("/commits", &[("sha", &branch), ("per_page", "1")]);
            tries.push((format!("Contents: read, branch {branch}"), path));
        }
        tries.push(("Actions: read".to_owned(), "/actions/runs?per_page=1".to_owned()));
        tries.push(("Pull requests: read".to_owned(), "/pulls?per_page=1".to_owned()));
        if config.github.deployments {
            tries.push(("Deployments: read".to_owned(), "/deployments?per_page=1".to_owned()));
        }
        for (what, path) in tries {
            let outcome = match self.client.get_once::<IgnoredAny>(&self.repository, &path).await {
                Ok(_) => Ok("allowed".to_owned()),
                // A repository without a commit.
                Err(error) if error.status() == Some(409) => Ok("allowed; it is empty".to_owned()),
                Err(error) => Err(error.to_string()),
            };
            checks.push(Checked { what: format!("{what} on {}", self.repository), outcome });
        }
        checks
    }

    async fn metadata(&mut self) -> Checked {
        let what = format!("Metadata: read on {}", self.repository);
        let outcome = match self.client.get_once::<Described>(&self.repository, "").await {
            Err(error) => Err(error.to_string()),
            Ok(answer) if !answer.body.full_name.eq_ignore_ascii_case(&self.repository) => Err(format!(
                "it was renamed to {0}: set the services' repository to {0}, by which webhooks name it",
                answer.body.full_name
            )),
            Ok(answer) => Ok(match answer.budget {
                Some(budget) => format!(
                    "allowed; {} of {} requests are left until {}",
                    budget.remaining, budget.limit, budget.reset
                ),
                None => "allowed".to_owned(),
            }),
        };
        Checked { what, outcome }
    }
}
