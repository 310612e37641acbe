//! The answers as they are shown, for somebody who may see a part of the services and environments.

use std::collections::BTreeSet;

use domain::delivery::{
    Answer, Cell, ChangeSummary, CommitSha, EnvironmentName, Fact, Reason, Search, ServiceName, Timeline,
};
use domain::wire::delivery::{DoraView, MatrixRow, MatrixView, ReasonView, SourceView, TimelineView};
use jiff::Timestamp;

use crate::readers::github_reader;
use crate::{Delivery, DeliveryError, MOST_CHANGES, Service};

/// The windows that metrics are measured over, in days.
const WINDOWS: [u32; 3] = [7, 30, 90];

/// That there is a problem, for those who are not told which.
const PROBLEM: &str = "Not all of it can be read. Whoever sees every environment is told why.";

/// What somebody sees: whether a service in an environment is shown to them. What is not is in no answer.
pub trait Sight {
    fn sees(&self, service: &ServiceName, environment: &EnvironmentName) -> bool;
}

/// Whoever sees everything: the one who runs the command line over the database.
#[derive(Clone, Copy, Debug)]
pub struct Everything;

impl Sight for Everything {
    fn sees(&self, _: &ServiceName, _: &EnvironmentName) -> bool {
        true
    }
}

impl Delivery {
    /// Whether a service is seen in any environment.
    pub fn sees_service(&self, sight: &impl Sight, service: &ServiceName) -> bool {
        self.config.environments.names().iter().any(|environment| sight.sees(service, environment))
    }

    /// Every service in every environment. An environment of which nothing is seen is left out; of one that is seen of other
    /// services, the cell is.
    ///
    /// # Errors
    /// What the store says.
    pub async fn matrix_view(&self, sight: &impl Sight, now: Timestamp) -> Result<MatrixView, DeliveryError> {
        let rows = self.matrix(now).await?;
        let seen = |environment: &&EnvironmentName| {
            rows.iter().any(|(service, _)| sight.sees(&service.name, environment))
        };
        let environments: Vec<&EnvironmentName> =
            self.config.environments.names().iter().filter(seen).collect();
        let shown = rows.iter().filter(|(service, _)| self.sees_service(sight, &service.name));
        let row = |(service, cells): &(Service, Vec<Cell>)| {
            let sees = |environment: &EnvironmentName| sight.sees(&service.name, environment);
            let cells: Vec<Option<Cell>> = cells
                .iter()
                .filter(|cell| environments.contains(&&cell.environment))
                .map(|cell| {
                    // That it runs something newer than another tells of that one.
                    let ahead_of = cell.ahead_of.clone().filter(sees);
                    sees(&cell.environment).then(|| Cell { ahead_of, ..cell.clone() })
                })
                .collect();
            let cells = cells.iter().map(Option::as_ref);
            MatrixRow::of(service.name.as_str(), service.repository.as_deref(), cells)
        };
        Ok(MatrixView {
            rows: shown.map(row).collect(),
            environments: environments.iter().map(ToString::to_string).collect(),
            sources: self.sources_in_sight(sight).await?,
        })
    }

    /// The way of a change, with why it is not in each of the environments yet. The commit may be named by its first digits.
    ///
    /// # Errors
    /// [`DeliveryError::NotFound`] for what is not known, or not seen.
    pub async fn timeline_view(
        &self,
        sight: &impl Sight,
        service: &str,
        commit: &str,
        now: Timestamp,
    ) -> Result<TimelineView, DeliveryError> {
        let service = self.service_in_sight(sight, service).await?;
        let commit = CommitSha::parse(commit)?;
        let state = self.state(&service, &commit).await?;
        let reasons = self.reasons(&state, now).await?;
        let timeline = Timeline::of(&state, &self.config.environments);
        let sees = |name: &str| EnvironmentName::parse(name).is_ok_and(|name| sight.sees(&service, &name));
        let mut view = TimelineView::of(&timeline);
        view.environments.retain(|one| sees(&one.environment));
        view.path.retain(|hop| hop.environment.as_deref().is_none_or(sees));
        let everything = self.sees_everything(sight);
        for one in &mut view.environments {
            let reason = reasons.iter().find(|(name, _)| name.as_str() == one.environment);
            one.reason = reason.map(|(_, answer)| {
                let from_in_sight = |from: &EnvironmentName| sight.sees(&service, from);
                ReasonView::of(&shown(answer, from_in_sight, everything))
            });
        }
        Ok(view)
    }

    /// The latest changes, of one service or of all where it is empty; those that `q` means, where that is not.
    ///
    /// # Errors
    /// [`DeliveryError::NotFound`] for a service that is not known, or not seen.
    pub async fn changes_view(
        &self,
        sight: &impl Sight,
        service: &str,
        q: &str,
        limit: u32,
    ) -> Result<Vec<ChangeSummary>, DeliveryError> {
        let limit = limit.clamp(1, MOST_CHANGES);
        let all = self.services();
        let services: Vec<ServiceName> = match service {
            "" => {
                let followed = all.iter().map(|service| &service.name);
                followed.filter(|name| self.sees_service(sight, name)).cloned().collect()
            }
            service => vec![self.service_in_sight(sight, service).await?],
        };
        let mut changes = match Search::parse(q) {
            // What others are told of must not leave nothing of what is in sight.
            Some(search) => self.search(&search, MOST_CHANGES).await?,
            None if services.len() == all.iter().len() => self.changes(None, limit).await?,
            None => {
                let mut newest = Vec::new();
                for service in &services {
                    newest.extend(self.changes(Some(service), limit).await?);
                }
                newest.sort_by_key(|change| std::cmp::Reverse(change.committed));
                newest
            }
        };
        changes.retain(|change| services.contains(&change.service));
        changes.truncate(limit as usize);
        for ChangeSummary { service, environments, .. } in &mut changes {
            environments.retain(|one| sight.sees(service, &one.environment));
        }
        Ok(changes)
    }

    /// The facts of a change: what all that is shown of it was made from.
    ///
    /// # Errors
    /// [`DeliveryError::NotFound`] for what is not known, or not seen.
    pub async fn facts_view(
        &self,
        sight: &impl Sight,
        service: &str,
        commit: &str,
    ) -> Result<Vec<Fact>, DeliveryError> {
        let service = self.service_in_sight(sight, service).await?;
        let commit = CommitSha::parse(commit)?;
        let mut facts = self.facts(&service, &commit).await?;
        facts.retain(|fact| fact.environment.as_ref().is_none_or(|name| sight.sees(&service, name)));
        Ok(facts)
    }

    /// The metrics of a service in each environment, over the last 7, 30 or 90 days.
    ///
    /// # Errors
    /// [`DeliveryError::Invalid`] for other windows, [`DeliveryError::NotFound`] for a service that is not known, or not seen.
    pub async fn dora_view(
        &self,
        sight: &impl Sight,
        service: &str,
        days: u32,
        now: Timestamp,
    ) -> Result<Vec<DoraView>, DeliveryError> {
        let service = self.service_in_sight(sight, service).await?;
        if !WINDOWS.contains(&days) {
            return Err(DeliveryError::Invalid("Metrics are measured over 7, 30 or 90 days.".into()));
        }
        let measured = self.dora(&service, days, now).await?;
        let seen = measured.iter().filter(|dora| sight.sees(&service, &dora.environment));
        Ok(seen.map(DoraView::of).collect())
    }

    fn sees_everything(&self, sight: &impl Sight) -> bool {
        self.services().iter().all(|service| {
            self.config.environments.names().iter().all(|environment| sight.sees(&service.name, environment))
        })
    }

    /// Who tells of what somebody sees. What keeps one from telling may name anything that it reads, so that only those who see
    /// everything are told what it is.
    async fn sources_in_sight(&self, sight: &impl Sight) -> Result<Vec<SourceView>, DeliveryError> {
        let sources = self.sources().await?;
        if self.sees_everything(sight) {
            return Ok(sources);
        }
        let here = self.store.seen_here().await?;
        let in_sight = here.iter().filter(|seen| sight.sees(&seen.place.service, &seen.place.environment));
        let mut readers: BTreeSet<String> = in_sight.map(|seen| seen.reader.clone()).collect();
        let services = self.services();
        let seen = services.iter().filter(|service| self.sees_service(sight, &service.name));
        readers.extend(seen.filter_map(|service| Some(github_reader(service.repository.as_ref()?))));
        let shown = |source: &SourceView| source.reader.as_ref().is_none_or(|name| readers.contains(name));
        let sources = sources
            .into_iter()
            .filter(shown)
            .map(|source| SourceView { problem: source.problem.map(|_| PROBLEM.to_owned()), ..source });
        Ok(sources.collect())
    }

    /// A service that is followed and seen; to those who do not see it, it is unknown.
    async fn service_in_sight(&self, sight: &impl Sight, name: &str) -> Result<ServiceName, DeliveryError> {
        let service = ServiceName::parse(name)?;
        let unknown = || DeliveryError::NotFound(format!("There is no service {service} here."));
        // Another process may have found it since.
        if self.services().get(&service).is_none()
            && self.discover(&self.store.seen_here().await?).get(&service).is_none()
        {
            return Err(unknown());
        }
        if self.sees_service(sight, &service) { Ok(service) } else { Err(unknown()) }
    }
}

/// An answer without what it says of environments that are not in sight.
fn shown(answer: &Answer, sees: impl Fn(&EnvironmentName) -> bool, everything: bool) -> Answer {
    let mut shown = answer.clone();
    match &mut shown.reason {
        Reason::PromotionNeeded { from } | Reason::NotInSourceEnvironment { from } if !sees(from) => {
            shown.reason = Reason::Promoted;
        }
        Reason::SourceDown { error, .. } if !everything => *error = None,
        _ => {}
    }
    shown
}
