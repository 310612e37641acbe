//! Tells GitHub where commits are live, as deployments, so that the page of a commit or a pull request shows it.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::delivery::{CommitSha, EnvironmentName, ServiceName};
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::github::{DeploymentReport, DeploymentState, GithubClient, GithubError};
use crate::{Delivery, DeliveryError};

/// For how long a process that is gone keeps this to itself.
const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// How often is looked for what went live.
const PAUSE: Duration = Duration::from_secs(15);
/// How long to wait after GitHub did not take something: it may be its limits.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(300);

/// What GitHub was told of each place.
type Told = BTreeMap<(ServiceName, EnvironmentName), CommitSha>;

impl Delivery {
    /// Tells GitHub of what goes live until `shutdown`, where the configuration wants that. After a start it is told of everything that
    /// runs: what it knows already is not made twice.
    ///
    /// # Errors
    /// GitHub's address, token or key cannot be used.
    pub async fn tell_github_until(&self, shutdown: CancellationToken) -> Result<(), GithubError> {
        if !self.config.github.report_deployments {
            return Ok(());
        }
        let client = GithubClient::new(&self.config.github)?;
        let holder = uuid::Uuid::new_v4().to_string();
        let mut told = Told::new();
        while !shutdown.is_cancelled() {
            let pause = match self.tell_github(&client, &holder, &mut told).await {
                Ok(()) => PAUSE,
                Err(problem) => {
                    tracing::warn!(problem, "GitHub is not told where commits are live; trying again");
                    PAUSE_AFTER_FAILURE
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        Ok(())
    }

    async fn tell_github(&self, client: &GithubClient, holder: &str, told: &mut Told) -> Result<(), String> {
        let said = |error: DeliveryError| error.to_string();
        let now = Timestamp::now();
        let lease = self.store.acquire_lease("github/deployments", holder, now, LEASE).await;
        if lease.map_err(|error| said(error.into()))?.is_none() {
            return Ok(());
        }
        let services = self.services();
        for standing in self.store.standings().await.map_err(|error| said(error.into()))? {
            let service = services.get(&standing.service);
            let Some(repository) = service.and_then(|service| service.repository.as_deref()) else {
                continue;
            };
            for here in &standing.environments {
                let Some(current) = &here.current else { continue };
                let place = (standing.service.clone(), here.environment.clone());
                let before = told.get(&place).cloned();
                if before.as_ref() == Some(&current.commit) {
                    continue;
                }
                let report = |commit: &CommitSha, state, description: String| DeploymentReport {
                    sha: commit.to_string(),
                    environment: here.environment.to_string(),
                    key: standing.service.to_string(),
                    state,
                    description,
                    log_url: None,
                    environment_url: None,
                };
                let runs =
                    current.version.as_ref().map_or_else(String::new, |version| format!(" as {version}"));
                let live = format!("{} runs it{runs} in {}", standing.service, here.environment);
                let told_now = report(&current.commit, DeploymentState::Success, live);
                client.report_deployment(repository, &told_now).await.map_err(|error| error.to_string())?;
                if let Some(before) = before {
                    let gone = format!("{} took its place", current.commit);
                    let told_before = report(&before, DeploymentState::Inactive, gone);
                    client
                        .report_deployment(repository, &told_before)
                        .await
                        .map_err(|error| error.to_string())?;
                }
                told.insert(place, current.commit.clone());
            }
        }
        Ok(())
    }
}
