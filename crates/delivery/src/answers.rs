//! What is asked of the facts: the matrix, a change's timeline, why it is not somewhere yet, the latest changes, the metrics.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::delivery::{
    About, Answer, Cell, CellContext, ChangeState, ChangeSummary, CommitSha, Dora, DoraRules,
    EnvironmentFacts, EnvironmentKnowledge, EnvironmentName, Fact, Health, Hold, Place, Question,
    ReaderState, Scene, Search, Seen, ServiceName, Sighting, Source, Standing, deployments, dora, why,
};
use domain::wire::delivery::SourceView;
use jiff::Timestamp;

use crate::services::Services;
use crate::{Delivery, DeliveryError, Service};

type Knowledge = BTreeMap<ServiceName, Vec<EnvironmentKnowledge>>;

/// How many changes a list answers at most.
pub const MOST_CHANGES: u32 = 200;
/// For how long after a deployment a failure is that deployment's.
const FAILURE_WINDOW_SECONDS: i64 = 24 * 3_600;

impl Delivery {
    /// Every service with its cells, in the order of the configuration.
    ///
    /// # Errors
    /// What the store says.
    pub async fn matrix(&self, now: Timestamp) -> Result<Vec<(Service, Vec<Cell>)>, DeliveryError> {
        let standings = self.store.standings().await?;
        let mut standings: BTreeMap<ServiceName, Standing> =
            standings.into_iter().map(|standing| (standing.service.clone(), standing)).collect();
        let (mut knowledge, services) = self.knowledge().await?;
        let rows = services.iter().map(|service| {
            let none = || Standing { service: service.name.clone(), environments: Vec::new() };
            let standing = standings.remove(&service.name).unwrap_or_else(none);
            let context = CellContext {
                order: &self.config.environments,
                knowledge: &knowledge.remove(&service.name).unwrap_or_default(),
                stale_after_seconds: self.config.stale_after.as_secs(),
                now,
            };
            (service.clone(), standing.cells(&context))
        });
        Ok(rows.collect())
    }

    /// How each service is in each environment, where somebody looks, and which services there are.
    async fn knowledge(&self) -> Result<(Knowledge, Arc<Services>), DeliveryError> {
        let readers = self.store.readers().await?;
        let here = self.store.seen_here().await?;
        let mut seen: BTreeMap<&Place, Vec<(Option<Health>, &ReaderState)>> = BTreeMap::new();
        for one in &here {
            let Some(reader) = readers.iter().find(|reader| reader.name == one.reader) else { continue };
            seen.entry(&one.place).or_default().push((one.health, reader));
        }
        let mut knowledge = Knowledge::new();
        let mut holds = self.holds().await?;
        for (place, seen) in seen {
            let of = EnvironmentKnowledge::of(&place.environment, &seen);
            let holds = holds.remove(place).into_iter().collect();
            knowledge.entry(place.service.clone()).or_default().push(EnvironmentKnowledge { holds, ..of });
        }
        // Those of places that nobody looks at.
        for (Place { service, environment }, hold) in holds {
            let of = EnvironmentKnowledge::of(&environment, &[]);
            knowledge.entry(service).or_default().push(EnvironmentKnowledge { holds: vec![hold], ..of });
        }
        Ok((knowledge, self.discover(&here)))
    }

    /// The tag of each place that a GitOps repository says.
    ///
    /// # Errors
    /// What the store says.
    pub async fn desired_tags(&self) -> Result<BTreeMap<Place, String>, DeliveryError> {
        let sightings = self.store.sightings_by("git/").await?;
        let tag = |sighting: Sighting| match sighting.seen {
            Seen::DesiredTag(desired) => Some((sighting.place?, desired.tag?)),
            _ => None,
        };
        Ok(sightings.into_iter().filter_map(tag).collect())
    }

    /// What keeps places as they are, by the operations that are merged.
    ///
    /// # Errors
    /// What the store says.
    pub async fn holds(&self) -> Result<BTreeMap<Place, Hold>, DeliveryError> {
        Ok(domain::gitops::holds(&self.store.holding_operations().await?))
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
        let services = self.services();
        let service = services.get(state.service());
        let sightings = self.store.sightings(state.service()).await?;
        let images = self.known_images(state.service(), &sightings).await?;
        let readers = self.store.readers().await?;
        let holds = self.holds().await?;
        let summary = ChangeSummary::of(state);
        let reason = |environment: &EnvironmentName| {
            let place = Place { service: state.service().clone(), environment: environment.clone() };
            let scene = Scene::of(&place, sightings.iter().map(|(reader, seen)| (reader.as_str(), seen)));
            let reader = |name: &String| readers.iter().find(|reader| reader.name == *name);
            // A branch is of no place: that another repository cannot be read says nothing of what stands in this one.
            let of_place = sightings.iter().filter(|(_, seen)| seen.place.as_ref() == Some(&place));
            let asked: Vec<(Source, &ReaderState)> =
                of_place.filter_map(|(name, seen)| Some((seen.seen.source(), reader(name)?))).collect();
            let facts = EnvironmentFacts {
                branch: service.map(|service| service.branch.clone()),
                holds: holds.get(&place).cloned().into_iter().collect(),
                ..scene.environment_facts(
                    &About {
                        commit: state.commit(),
                        tag: summary.tag.as_deref(),
                        environment,
                        order: &self.config.environments,
                        readers: &asked,
                        stale_after_seconds: u32::try_from(self.config.stale_after.as_secs())
                            .unwrap_or(u32::MAX),
                    },
                    &images,
                )
            };
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
            branch: self.services().get(service).map(|service| service.branch.clone()),
            failure_window_seconds: FAILURE_WINDOW_SECONDS,
        };
        let names = self.config.environments.names().iter();
        Ok(names.map(|environment| dora(&changes, environment, &rules, now)).collect())
    }

    /// Who tells of changes, and when each was last heard of: those that are read one by one, then those that tell by themselves.
    ///
    /// # Errors
    /// What the store says.
    pub async fn sources(&self) -> Result<Vec<SourceView>, DeliveryError> {
        let readers = self.store.readers().await?;
        let told = self.sources.known();
        let read = readers.iter().map(|reader| SourceView {
            source: reader.source.label().into(),
            reader: Some(reader.name.clone()),
            last_told: reader.last_success,
            problem: reader.problem.as_ref().map(|(_, problem)| problem.clone()),
        });
        let by_itself = |source: &Source| {
            let known = told.get(source).cloned().unwrap_or_default();
            SourceView {
                source: source.label().into(),
                reader: None,
                last_told: known.last_told,
                problem: known.problem.map(|(_, problem)| problem),
            }
        };
        let is_read = |source: &Source| {
            // Argo CD is read in its cluster, by the reader of that.
            let by = if *source == Source::ArgoCd { Source::Kubernetes } else { *source };
            readers.iter().any(|reader| reader.source == by)
        };
        // What is read may tell by itself too, and then be refused: a webhook, an event of a registry.
        let is_refused = |source: &Source| told.get(source).is_some_and(|known| known.problem.is_some());
        let others =
            Source::ALL.iter().filter(|source| !is_read(source) || is_refused(source)).map(by_itself);
        Ok(read.chain(others).collect())
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
