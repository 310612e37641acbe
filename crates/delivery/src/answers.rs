//! What is asked of the facts: the matrix, a change's timeline, the latest changes.

use std::collections::BTreeMap;

use domain::delivery::{
    CellContext, ChangeState, ChangeSummary, CommitSha, ServiceName, Source, Standing, Timeline,
};
use domain::wire::{ChangeTimeline, DeliveryMatrix, FactSource, MatrixRow};
use jiff::Timestamp;

use crate::{Delivery, DeliveryError};

/// How many changes a list answers at most.
const MOST_CHANGES: u32 = 200;

impl Delivery {
    /// Every service in every environment, in the order of the configuration.
    ///
    /// # Errors
    /// What the store says.
    pub async fn matrix(&self, now: Timestamp) -> Result<DeliveryMatrix, DeliveryError> {
        let standings: BTreeMap<ServiceName, Standing> = self
            .store
            .standings()
            .await?
            .into_iter()
            .map(|standing| (standing.service.clone(), standing))
            .collect();
        let context = CellContext {
            order: &self.config.environments,
            knowledge: &[],
            stale_after_seconds: self.config.stale_after.as_secs(),
            now,
        };
        let rows = self.config.services.iter().map(|service| {
            let none = Standing { service: service.name.clone(), environments: Vec::new() };
            let standing = standings.get(&service.name).unwrap_or(&none);
            MatrixRow {
                service: service.name.clone(),
                repository: service.repository.clone(),
                cells: standing.cells(&context),
            }
        });
        Ok(DeliveryMatrix {
            environments: self.config.environments.names().to_vec(),
            rows: rows.collect(),
            sources: self.sources(),
        })
    }

    /// The way of a change; its commit may be named by its first digits.
    ///
    /// # Errors
    /// [`DeliveryError::NotFound`] where nothing is known of it, or where several begin like that.
    pub async fn timeline(
        &self,
        service: &ServiceName,
        commit: &CommitSha,
    ) -> Result<ChangeTimeline, DeliveryError> {
        let state = self.state(service, commit).await?;
        let timeline = Timeline::of(&state, &self.config.environments);
        let path = timeline.critical_path(None);
        Ok(ChangeTimeline { timeline, path })
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

    /// Who tells of changes, and when each was last heard of.
    pub fn sources(&self) -> Vec<FactSource> {
        let known = self.sources.known();
        Source::ALL
            .into_iter()
            .map(|source| {
                let known = known.get(&source).cloned().unwrap_or_default();
                FactSource {
                    source,
                    last_told: known.last_told,
                    problem: known.problem.map(|(_, problem)| problem),
                }
            })
            .collect()
    }

    pub(crate) async fn state(
        &self,
        service: &ServiceName,
        commit: &CommitSha,
    ) -> Result<ChangeState, DeliveryError> {
        if let Some(state) = self.store.change_state(service, commit).await? {
            return Ok(state);
        }
        let unknown =
            || DeliveryError::NotFound(format!("Nothing is known of commit {commit} of {service}."));
        let known: Vec<CommitSha> =
            self.store.commits_that_begin(service, commit).await?.into_iter().collect();
        let full = commit.resolve(&known).ok_or_else(unknown)?;
        self.store.change_state(service, full).await?.ok_or_else(unknown)
    }
}
