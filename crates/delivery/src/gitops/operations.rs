//! What people ask for and decide: plans before anything is asked for, requests, approvals.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::audit::{AuditAction, NewAuditEntry};
use domain::delivery::{EnvironmentName, Place, Scene, Seen, ServiceName};
use domain::gitops::{
    Ask, Before, Check, Operation, OperationId, OperationStatus, Person, Plan, Return, StepKind,
    approval_refusal, preflight,
};
use jiff::Timestamp;
use store::{Decision, DecisionKind};
use tokio::sync::Notify;

use super::host::{GithubHost, Host, HostError, LocalHost};
use super::looking::Surroundings;
use super::planning::{Draft, Layouts, PlanError, Snapshot, Updated, UpdaterWanted, Wanted, fingerprint};
use crate::git::effective::Effective;
use crate::git::{GitopsConfig, RepositoryAt};
use crate::github::{GithubClient, GithubError};
use crate::{Delivery, DeliveryError, EnvironmentRules};

/// How many operations a list answers at most.
pub const MOST_OPERATIONS: u32 = 200;

/// Operations on the GitOps repositories of one installation. Clones share everything.
#[derive(Clone)]
pub struct Gitops {
    pub(super) delivery: Delivery,
    pub(super) repositories: Arc<Vec<Repository>>,
    pub(super) around: Arc<dyn Surroundings>,
    /// That there is something to do, for who works in this process.
    pub(super) wake: Arc<Notify>,
}

/// A repository that is operated on.
pub(super) struct Repository {
    pub config: GitopsConfig,
    pub host: Box<dyn Host>,
    layouts: Layouts,
}

/// Who asks for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    pub person: Person,
    /// Where they called from; empty where nobody called.
    pub address: String,
}

/// Why an operation is not done.
#[derive(Debug, thiserror::Error)]
pub enum GitopsError {
    /// It cannot be done as it was asked for.
    #[error("{0}")]
    Invalid(String),
    /// It could be, and is not done as things are.
    #[error("{0}")]
    Refused(String),
    #[error("There is no operation {0} here: see `tollgate gitops status`.")]
    NotFound(OperationId),
    /// The repository's host did not answer, or not as it should.
    #[error("{0}")]
    Host(String),
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
}

impl From<store::StoreError> for GitopsError {
    fn from(error: store::StoreError) -> GitopsError {
        GitopsError::Delivery(error.into())
    }
}

impl From<PlanError> for GitopsError {
    fn from(error: PlanError) -> GitopsError {
        match error {
            PlanError::Refused(why) => GitopsError::Refused(why),
            PlanError::Host(HostError::Refused(why)) => GitopsError::Refused(why),
            PlanError::Host(error) => GitopsError::Host(error.to_string()),
        }
    }
}

impl From<HostError> for GitopsError {
    fn from(error: HostError) -> GitopsError {
        PlanError::Host(error).into()
    }
}

/// A plan with the files as they will be.
pub(super) struct Planned {
    pub plan: Plan,
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Gitops {
    /// Operations on the repositories that the configuration names.
    ///
    /// # Errors
    /// GitHub's address, token or key cannot be used.
    pub fn new(delivery: Delivery, around: Arc<dyn Surroundings>) -> Result<Gitops, GithubError> {
        let config = delivery.config();
        let github = GithubClient::new(&config.github)?;
        let services: Vec<ServiceName> = config.services.iter().map(|service| service.name.clone()).collect();
        let repository = |gitops: &GitopsConfig| {
            let branch = gitops.branch.clone();
            let host: Box<dyn Host> = match &gitops.at {
                RepositoryAt::Local(path) => Box::new(LocalHost::new(path.clone(), branch)),
                RepositoryAt::Github(name) => Box::new(GithubHost::new(github.clone(), name.clone(), branch)),
            };
            let layouts = Layouts::new(gitops, &services, config.environments.names());
            Repository { config: gitops.clone(), host, layouts }
        };
        let repositories = Arc::new(config.gitops.iter().map(repository).collect());
        Ok(Gitops { delivery, repositories, around, wake: Arc::default() })
    }

    pub fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    /// Whether there is any repository to operate on.
    pub fn is_empty(&self) -> bool {
        self.repositories.is_empty()
    }

    /// What an operation would do now. Nothing is written.
    ///
    /// # Errors
    /// [`GitopsError::Invalid`] for what cannot be asked for, [`GitopsError::Refused`] for what cannot be planned.
    pub async fn plan(&self, ask: &Ask, reason: &str, now: Timestamp) -> Result<Plan, GitopsError> {
        self.check(ask, reason, now)?;
        let repository = self.repository_of(ask).await?;
        Ok(self.planned(repository, ask, now).await?.plan)
    }

    /// Asks for an operation. `seen` is the fingerprint of the plan that was looked at; another plan by now is refused.
    ///
    /// # Errors
    /// As of [`Gitops::plan`], and [`GitopsError::Refused`] where a check found something.
    pub async fn request(
        &self,
        ask: Ask,
        actor: &Actor,
        reason: &str,
        seen: Option<&str>,
        now: Timestamp,
    ) -> Result<Operation, GitopsError> {
        let plan = self.plan(&ask, reason, now).await?;
        if let Some(check) = plan.refused().next() {
            let Place { service, environment } = &check.place;
            return Err(GitopsError::Refused(format!("{service} in {environment}: {}", check.message)));
        }
        if seen.is_some_and(|seen| seen != plan.fingerprint) {
            return Err(GitopsError::Refused(
                "What it would do has changed since it was looked at: look at it again.".into(),
            ));
        }
        let operation = self.operation_of(ask, &actor.person, reason, plan, now);
        let entry = NewAuditEntry {
            reason: operation.reason.clone(),
            ..self.entry(AuditAction::OperationRequested, &operation, actor, now)
        };
        self.delivery.store.request_operation(&operation, &entry).await?;
        self.wake.notify_one();
        Ok(operation)
    }

    pub(super) fn operation_of(
        &self,
        ask: Ask,
        by: &Person,
        reason: &str,
        plan: Plan,
        now: Timestamp,
    ) -> Operation {
        let rules: Vec<EnvironmentRules> =
            ask.places().iter().map(|place| self.delivery.config.rules(&place.environment)).collect();
        let [a, b, c, d, e, f, ..] = uuid::Uuid::new_v4().into_bytes();
        Operation {
            id: OperationId::of([a, b, c, d, e, f]),
            ask,
            by: by.clone(),
            reason: reason.trim().to_owned(),
            at: now,
            plan,
            // Of several environments the strictest counts.
            needs_approval: rules.iter().any(|rules| rules.approval),
            merges_itself: rules.iter().all(|rules| rules.auto_merge),
            given: Vec::new(),
            wanted: Vec::new(),
            closing: None,
            pull_request: None,
            merged: None,
            status: OperationStatus::Requested,
            problem: None,
            updated: now,
            resumed_by: None,
        }
    }

    /// Keeps what somebody decided about an operation whose plan they have seen, by its fingerprint.
    ///
    /// # Errors
    /// [`GitopsError::Refused`] where they may not, or it is too late.
    pub async fn decide(
        &self,
        id: &OperationId,
        kind: DecisionKind,
        actor: &Actor,
        fingerprint: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<Operation, GitopsError> {
        let operation = self.operation(id).await?;
        let refusal = match kind {
            DecisionKind::Approve => {
                approval_refusal(&operation, &actor.person, fingerprint).map(|refusal| refusal.to_string())
            }
            DecisionKind::Merge | DecisionKind::Close if !operation.status.is_open() => {
                Some(format!("It is {} already.", operation.status.as_str()))
            }
            DecisionKind::Merge if operation.plan.fingerprint != fingerprint => {
                Some("It has changed since it was looked at: look at what it does now.".into())
            }
            DecisionKind::Merge if !operation.is_approved() => {
                Some("Somebody else has to approve it before it is merged.".into())
            }
            DecisionKind::Merge | DecisionKind::Close => None,
        };
        if let Some(refusal) = refusal {
            return Err(GitopsError::Refused(refusal));
        }
        let decision = Decision {
            operation: id.clone(),
            kind,
            by: actor.person.clone(),
            at: now,
            fingerprint: operation.plan.fingerprint.clone(),
            policy_revision: self.around.policy_revision(),
            reason: reason.trim().to_owned(),
        };
        let action = match kind {
            DecisionKind::Approve => AuditAction::OperationApproved,
            DecisionKind::Merge => AuditAction::MergeRequested,
            DecisionKind::Close => AuditAction::OperationClosed,
        };
        let entry = NewAuditEntry {
            reason: decision.reason.clone(),
            policy_revision: decision.policy_revision.clone(),
            ..self.entry(action, &operation, actor, now)
        };
        self.delivery.store.decide_operation(&decision, &entry).await?;
        self.wake.notify_one();
        self.operation(id).await
    }

    /// # Errors
    /// [`GitopsError::NotFound`]
    pub async fn operation(&self, id: &OperationId) -> Result<Operation, GitopsError> {
        self.delivery.store.operation(id).await?.ok_or_else(|| GitopsError::NotFound(id.clone()))
    }

    /// The latest operations, newest first.
    ///
    /// # Errors
    /// What the store says.
    pub async fn operations(&self, limit: u32) -> Result<Vec<Operation>, GitopsError> {
        Ok(self.delivery.store.operations(limit.clamp(1, MOST_OPERATIONS)).await?)
    }

    pub(super) fn entry(
        &self,
        action: AuditAction,
        operation: &Operation,
        actor: &Actor,
        now: Timestamp,
    ) -> NewAuditEntry {
        NewAuditEntry {
            actor: actor.person.name.clone(),
            address: actor.address.clone(),
            policy_revision: self.around.policy_revision(),
            detail: format!(
                "{} {} in {}, plan {}",
                operation.ask.kind().label(),
                operation.id,
                operation.plan.repository,
                operation.plan.fingerprint
            ),
            ..NewAuditEntry::of(action, now)
        }
    }

    fn check(&self, ask: &Ask, reason: &str, now: Timestamp) -> Result<(), GitopsError> {
        let config = self.delivery.config();
        let services = self.delivery.services();
        let is_service = |name: &ServiceName| services.get(name).is_some();
        ask.check(&config.environments, is_service, reason, now)
            .map_err(|error| GitopsError::Invalid(error.to_string()))
    }

    /// The repository that all places of an operation are in: one commit is made in one repository.
    async fn repository_of(&self, ask: &Ask) -> Result<&Repository, GitopsError> {
        let places = ask.places();
        match self.repositories.as_slice() {
            [] => Err(GitopsError::Invalid(
                "No GitOps repository is configured: name it by [[gitops]] in the configuration.".into(),
            )),
            [only] => Ok(only),
            several => {
                let mut having = Vec::new();
                for repository in several {
                    let snapshot = repository.layouts.read(repository.host.as_ref(), &places).await?;
                    let has = |place: &&Place| repository.layouts.tag(&snapshot, place).is_some();
                    match places.iter().filter(has).count() {
                        0 => {}
                        all if all == places.len() => return Ok(repository),
                        _ => having.push(repository.config.name.as_str()),
                    }
                }
                Err(GitopsError::Refused(if having.is_empty() {
                    "No repository has files of these services there: see `files` of [[gitops]] in the configuration.".into()
                } else {
                    format!(
                        "They are in several repositories ({}), and one commit is made in one: ask for each by itself.",
                        having.join(", ")
                    )
                }))
            }
        }
    }

    pub(super) fn repository(&self, operation: &Operation) -> Option<&Repository> {
        let plan = &operation.plan;
        self.repositories
            .iter()
            .find(|one| one.config.name == plan.repository && one.config.branch == plan.branch)
    }

    /// Plans an operation on the newest commit of its repository, and looks at all that could keep it from being done.
    pub(super) async fn planned(
        &self,
        repository: &Repository,
        ask: &Ask,
        now: Timestamp,
    ) -> Result<Planned, GitopsError> {
        let mut places = ask.places();
        if let Ask::Promote { services, from, .. } = ask {
            let source =
                |service: &ServiceName| Place { service: service.clone(), environment: from.clone() };
            places.extend(services.iter().map(source));
        }
        let snapshot = repository.layouts.read(repository.host.as_ref(), &places).await?;
        let wanted = self.wanted(repository, &snapshot, ask).await?;
        let Draft { base, mut steps, diffs, files } = repository.layouts.draft(&snapshot, &wanted)?;
        let (mut checks, mut moved) = (Vec::new(), Vec::new());
        if matches!(ask, Ask::Promote { .. } | Ask::Revert { .. }) {
            let cells = self.cells(now).await?;
            for one in &wanted {
                let Some(tag) = &one.tag else { continue };
                let (found, digest) = self.found(ask, &one.of.place, tag, &cells, now).await?;
                checks.extend::<Vec<Check>>(preflight(&found));
                let step = steps
                    .iter_mut()
                    .find(|step| step.place == one.of.place && step.after.as_ref() == Some(tag));
                if let Some(step) = step {
                    step.digest = digest;
                    if let Some(before) = &step.before {
                        let now_there = self.around.image(&one.of.place.service, before).await;
                        step.digest_before = now_there.ok().flatten().map(|(_, digest)| digest);
                        moved.extend(self.brought(&one.of.place, before, tag).await?);
                    }
                }
            }
        }
        let plan = Plan {
            repository: repository.config.name.clone(),
            branch: repository.config.branch.clone(),
            base,
            fingerprint: fingerprint(&steps, &diffs),
            steps,
            files: diffs,
            brought: moved,
            checks,
        };
        Ok(Planned { plan, files })
    }

    async fn wanted(
        &self,
        repository: &Repository,
        snapshot: &Snapshot,
        ask: &Ask,
    ) -> Result<Vec<Wanted>, GitopsError> {
        let mut wanted = Vec::new();
        match ask {
            Ask::Freeze { places, bypass, .. } => {
                for place in places {
                    let updater = UpdaterWanted::Held { bypass: bypass.clone(), only_if_any: false };
                    wanted.push(Wanted { of: self.updated(place).await?, tag: None, updater: Some(updater) });
                }
            }
            Ask::Resume { places } => {
                let before = self.before(places).await?;
                for place in places {
                    let updater = UpdaterWanted::Released { before: before.get(place).cloned() };
                    wanted.push(Wanted { of: self.updated(place).await?, tag: None, updater: Some(updater) });
                }
            }
            Ask::Promote { services, from, to } => {
                for service in services {
                    let place = |environment: &EnvironmentName| Place {
                        service: service.clone(),
                        environment: environment.clone(),
                    };
                    let tag = match repository.layouts.tag(snapshot, &place(from)) {
                        Some(Effective::Set(found)) => found.tag,
                        Some(Effective::Unset { .. } | Effective::Unreadable { .. } | Effective::Missing)
                        | None => {
                            return Err(GitopsError::Refused(format!(
                                "The repository does not say which tag of {service} runs in {from}: there is nothing to promote."
                            )));
                        }
                    };
                    wanted.push(Wanted {
                        of: self.updated(&place(to)).await?,
                        tag: Some(tag),
                        updater: None,
                    });
                }
            }
            Ask::Revert { environment, returns } => {
                for Return { service, tag } in returns {
                    let place = Place { service: service.clone(), environment: environment.clone() };
                    let tag = match tag {
                        Some(tag) => tag.clone(),
                        None => self.tag_before(&place).await?,
                    };
                    // Without the hold the updater would bring the newer tag again at its next look.
                    let updater = Some(UpdaterWanted::Held { bypass: None, only_if_any: true });
                    wanted.push(Wanted { of: self.updated(&place).await?, tag: Some(tag), updater });
                }
            }
        }
        Ok(wanted)
    }

    /// A place with what the cluster tells of its Application and its updater.
    async fn updated(&self, place: &Place) -> Result<Updated, GitopsError> {
        let sightings = self.delivery.store.sightings(&place.service).await?;
        let scene = Scene::of(place, sightings.iter().map(|(reader, sighting)| (reader.as_str(), sighting)));
        let name = scene.applications.first().map(|(_, application)| application.name.as_str());
        // Of several clusters it names its own before.
        let mut parts = name.into_iter().flat_map(|name| name.rsplit('/'));
        Ok(Updated {
            place: place.clone(),
            application: parts.next().map(str::to_owned),
            namespace: parts.next().map(str::to_owned),
            seen: scene.updaters.first().map(|updater| updater.mode),
            unseen: !scene.applications.is_empty() && scene.updaters.is_empty(),
        })
    }

    /// What was set before the holds that are in force now.
    async fn before(&self, places: &BTreeSet<Place>) -> Result<BTreeMap<Place, Vec<Before>>, GitopsError> {
        let mut operations = self.delivery.store.holding_operations().await?;
        // As they came onto the branch.
        operations.sort_by_key(|operation| operation.merged.as_ref().map(|merged| merged.at));
        let mut found: BTreeMap<Place, Vec<Before>> = BTreeMap::new();
        for operation in &operations {
            for step in &operation.plan.steps {
                match step.kind {
                    StepKind::Hold(_) if places.contains(&step.place) => {
                        let known = found.entry(step.place.clone()).or_default();
                        for before in &step.restores {
                            let is_it = |other: &Before| {
                                other.form == before.form
                                    && other.alias == before.alias
                                    && other.setting == before.setting
                            };
                            // Of two holds one after another, the first knows what was there.
                            if !known.iter().any(is_it) {
                                known.push(before.clone());
                            }
                        }
                    }
                    StepKind::Release(_) => drop(found.remove(&step.place)),
                    StepKind::Hold(_) | StepKind::Tag => {}
                }
            }
        }
        Ok(found)
    }

    /// The tag that was there before the present one, by the repository's history.
    async fn tag_before(&self, place: &Place) -> Result<String, GitopsError> {
        let sightings = self.delivery.store.sightings(&place.service).await?;
        let before = sightings.iter().find_map(|(_, sighting)| match &sighting.seen {
            Seen::DesiredTag(desired) if sighting.place.as_ref() == Some(place) => {
                let present = desired.tag.as_ref()?;
                let earlier = desired
                    .changes
                    .iter()
                    .flat_map(|change| [Some(&change.tag), change.before.as_ref()].into_iter().flatten());
                earlier.into_iter().find(|tag| *tag != present).cloned()
            }
            _ => None,
        });
        before.ok_or_else(|| {
            GitopsError::Refused(format!(
                "No earlier tag of {} in {} is known: name the one to go back to.",
                place.service, place.environment
            ))
        })
    }
}
