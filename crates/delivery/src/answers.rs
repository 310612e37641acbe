//! What is asked of the facts: the matrix, a change's timeline, why it is not somewhere yet, the latest changes, the metrics.

use std::collections::BTreeMap;

use domain::delivery::{
    Answer, Cell, CellContext, ChangeState, ChangeSummary, CommitSha, Dora, DoraRules, EnvironmentFacts,
    EnvironmentName, Fact, Question, Search, ServiceName, Source, Standing, deployments, dora, why,
};
use domain::wire::delivery::SourceView;
use jiff::Timestamp;

use crate::{Delivery, DeliveryError, Service};

/// How many changes a list answers at most.
pub const MOST_CHANGES: u32 = 200;
/// For how long after a deployment a failure is that deployment's.
const FAILURE_WINDOW_SECONDS: i64 = 24 * 3_600;

impl Delivery {
    /// Every service with its cells, in the order of the configuration.
    ///
    /// # Errors
    /// What the store says.
    pub async fn matrix(&self, now: Timestamp) -> Result<Vec<(&Service, Vec<Cell>)>, DeliveryError> {
        let standings = self.store.standings().await?;
        let mut standings: BTreeMap<ServiceName, Standing> =
            standings.into_iter().map(|standing| (standing.service.clone(), standing)).collect();
        let context = CellContext {
            order: &self.config.environments,
            knowledge: &[],
            stale_after_seconds: self.config.stale_after.as_secs(),
            now,
        };
        let rows = self.config.services.iter().map(|service| {
            let none = || Standing { service: service.name.clone(), environments: Vec::new() };
            let standing = standings.remove(&service.name).unwrap_or_else(none);
            (service, standing.cells(&context))
        });
        Ok(rows.collect())
    }

    /// Why a change is not in each of the environments yet, in their order.
    ///
    /// # Errors
    /// What the store says.
    pub async fn reasons(
        &self,
        state: &ChangeState,
        now: Timestamp,
    ) -> Result<Vec<(EnvironmentName, Answer)>, DeliveryError> {
        let changes = self.store.change_summaries(state.service()).await?;
        let facts = EnvironmentFacts {
            branch: self.config.service(state.service()).map(|service| service.branch.clone()),
            ..EnvironmentFacts::default()
        };
        let reason = |environment: &EnvironmentName| {
            let question = Question {
                state: Some(state),
                environment,
                order: &self.config.environments,
                history: &deployments(&changes, environment),
                facts: &facts,
                now,
            };
            (environment.clone(), why(&question))
        };
        Ok(self.config.environments.names().iter().map(reason).collect())
    }

    /// The changes of which something was told last; of one service, its newest commits.
    ///
    /// # Errors
    /// What the store says.
    pub async fn changes(
        &self,
        service: Option<&ServiceName>,
        limit: u32,
    ) -> Result<Vec<ChangeSummary>, DeliveryError> {
        Ok(self.store.recent_changes(service, limit.min(MOST_CHANGES)).await?)
    }

    /// The changes that a search means, newest first.
    ///
    /// # Errors
    /// What the store says.
    pub async fn search(&self, search: &Search, limit: u32) -> Result<Vec<ChangeSummary>, DeliveryError> {
        Ok(self.store.search_changes(search, limit.min(MOST_CHANGES)).await?)
    }

    /// The facts of a change, in the order in which they were told.
    ///
    /// # Errors
    /// [`DeliveryError::NotFound`] where nothing is known of the change.
    pub async fn facts(&self, service: &ServiceName, commit: &CommitSha) -> Result<Vec<Fact>, DeliveryError> {
        let state = self.state(service, commit).await?;
        Ok(self.store.facts_of(service, state.commit()).await?)
    }

    /// The metrics of a service in each of the environments, over the last `days` days.
    ///
    /// # Errors
    /// What the store says.
    pub async fn dora(
        &self,
        service: &ServiceName,
        days: u32,
        now: Timestamp,
    ) -> Result<Vec<Dora>, DeliveryError> {
        let changes = self.store.change_summaries(service).await?;
        let rules = DoraRules {
            days,
            branch: self.config.service(service).map(|service| service.branch.clone()),
            failure_window_seconds: FAILURE_WINDOW_SECONDS,
        };
        let names = self.config.environments.names().iter();
        Ok(names.map(|environment| dora(&changes, environment, &rules, now)).collect())
    }

    /// Who tells of changes, and when each was last heard of.
    pub fn sources(&self) -> Vec<SourceView> {
        let known = self.sources.known();
        let view = |source: Source| {
            let known = known.get(&source).cloned().unwrap_or_default();
            SourceView {
                source: source.label().into(),
                last_told: known.last_told,
                problem: known.problem.map(|(_, problem)| problem),
            }
        };
        Source::ALL.into_iter().map(view).collect()
    }

    /// What is known of a change; its commit may be named by its first digits.
    ///
    /// # Errors
    /// [`DeliveryError::NotFound`] where nothing is known of it, or where several begin like that.
    pub async fn state(
        &self,
        service: &ServiceName,
        commit: &CommitSha,
    ) -> Result<ChangeState, DeliveryError> {
        let unknown =
            || DeliveryError::NotFound(format!("Nothing is known of commit {commit} of {service}."));
        if let Some(state) = self.store.change_state(service, commit).await? {
            return Ok(state);
        }
        let known = self.store.commits_that_begin(service, commit).await?;
        let full = commit.resolve(&known).ok_or_else(unknown)?;
        self.store.change_state(service, full).await?.ok_or_else(unknown)
    }
}
