//! Carries operations on: opens their requests, merges them, looks whether they are in effect. Of each branch one process does so at a
//! time, one operation after another, so that no two are planned on the same commit.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use domain::audit::{AuditAction, NewAuditEntry};
use domain::delivery::{Cell, Place, Scene};
use domain::gitops::{
    Ask, Effect, Merged, Move, Operation, OperationId, OperationStatus, Person as Asker, PlaceSeen,
    PullRequest, body, branch, effect, next_move, title,
};
use jiff::{SignedDuration, Timestamp};
use store::{Lease, StoreError};
use tokio_util::sync::CancellationToken;

use super::host::{HostError, Opened, Person, Proposal, RequestSeen};
use super::operations::{Actor, Gitops, GitopsError, Planned, Repository};
use crate::DeliveryError;
use crate::git::RepositoryAt;

/// For how long a process that is gone keeps a branch to itself.
const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// How long to wait for something to do; whoever asks in this process is heard at once.
const PAUSE: Duration = Duration::from_secs(2);
/// The longest one step of an operation may take, which the lease has to outlast.
const LONGEST_STEP: Duration = Duration::from_secs(45);
/// How long to wait after a step that failed, or that found nothing new: twice as long each time, between these.
const SHORTEST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How long to wait at most for what was merged long ago.
const LONGEST_LOOK: Duration = Duration::from_secs(600);
/// Who does what nobody asked for at the moment.
const SELF: &str = "tollgate";

/// This program, where it acts by itself.
fn itself() -> Actor {
    Actor { person: Asker { id: String::new(), name: SELF.into() }, address: String::new() }
}

/// When an operation is looked at again.
#[derive(Clone, Copy, Debug)]
struct Wait {
    until: Instant,
    times: u32,
    /// What was to be done then: with anything else nothing is waited for, such as what somebody decided through another process.
    next: Move,
}

/// How soon there is something to do again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// At once: its status changed.
    CameOn,
    WaitsAtMost(Duration),
}

impl Gitops {
    /// Works until `shutdown`.
    pub async fn work_until(self, shutdown: CancellationToken) {
        if self.is_empty() {
            return;
        }
        let holder = uuid::Uuid::new_v4().to_string();
        let mut waits: BTreeMap<OperationId, Wait> = BTreeMap::new();
        while !shutdown.is_cancelled() {
            // A step that has begun is ended: what it asked of a host may have been done.
            if let Err(error) = self.round(&holder, &mut waits).await {
                tracing::warn!(%error, "GitOps operations cannot be carried on; trying again");
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = self.wake.notified() => waits.clear(),
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    /// One step of each operation that something is to be done about.
    async fn round(
        &self,
        holder: &str,
        waits: &mut BTreeMap<OperationId, Wait>,
    ) -> Result<(), DeliveryError> {
        let pending = self.delivery.store.pending_operations().await?;
        waits.retain(|id, _| pending.iter().any(|operation| operation.id == *id));
        let mut by_branch: BTreeMap<(String, String), Vec<Operation>> = BTreeMap::new();
        for operation in pending {
            let next = next_move(&operation, Timestamp::now());
            if waits.get(&operation.id).is_some_and(|wait| wait.next == next && Instant::now() < wait.until) {
                continue;
            }
            let branch = (operation.plan.repository.clone(), operation.plan.branch.clone());
            by_branch.entry(branch).or_default().push(operation);
        }
        for ((repository, branch), operations) in by_branch {
            let name = format!("gitops/{repository}@{branch}");
            let mut held = None;
            for operation in operations {
                // Renewed before each step.
                let lease = self.delivery.store.acquire_lease(&name, holder, Timestamp::now(), LEASE).await?;
                let Some(lease) = held.insert(lease) else { break };
                let id = operation.id.clone();
                let next = next_move(&operation, Timestamp::now());
                let came_on = match tokio::time::timeout(LONGEST_STEP, self.step(operation, lease)).await {
                    Ok(Ok(came_on)) => came_on,
                    Ok(Err(GitopsError::Delivery(DeliveryError::Store(StoreError::LeaseLost {
                        ..
                    })))) => break,
                    Ok(Err(error)) => {
                        tracing::warn!(%error, operation = %id, "a GitOps operation cannot be carried on; trying again");
                        Pace::WaitsAtMost(LONGEST_WAIT)
                    }
                    Err(_) => {
                        tracing::warn!(operation = %id, "a step of a GitOps operation took too long; trying again");
                        Pace::WaitsAtMost(LONGEST_WAIT)
                    }
                };
                match came_on {
                    Pace::CameOn => {
                        waits.remove(&id);
                        // There is more to do at once.
                        self.wake.notify_one();
                    }
                    Pace::WaitsAtMost(most) => {
                        let times = waits.get(&id).map_or(0, |wait| wait.times.saturating_add(1));
                        let doubled = SHORTEST_WAIT.saturating_mul(2_u32.saturating_pow(times.min(8)));
                        waits.insert(id, Wait { until: Instant::now() + doubled.min(most), times, next });
                    }
                }
            }
            // Another process may have been asked for something since.
            if let Some(lease) = held.flatten() {
                self.delivery.store.release_lease(&lease).await?;
            }
        }
        Ok(())
    }

    /// Does what is next about an operation.
    async fn step(&self, before: Operation, lease: &Lease) -> Result<Pace, GitopsError> {
        let now = Timestamp::now();
        // What was decided meanwhile counts.
        let mut operation = self.operation(&before.id).await?;
        let before = operation.clone();
        let Some(repository) = self.repository(&operation) else {
            let problem = format!(
                "{} is not configured any more: name it by [[gitops]] again, or close this operation.",
                operation.plan.repository
            );
            operation.turn(operation.status, Some(problem), now);
            return self.keep(&before, &operation, lease, now).await;
        };
        let next = next_move(&operation, now);
        let done = match next {
            Move::Open => self.open(repository, &mut operation, now).await,
            Move::Watch => self.watch(repository, &mut operation, now).await,
            Move::Merge => self.merge(repository, &mut operation, now).await,
            Move::Close => self.close(repository, &mut operation, now).await,
            Move::Prove => self.prove(&mut operation, now).await,
            Move::Resume => return self.resume(repository, operation, lease, now).await,
            Move::Nothing => Ok(()),
        };
        match done {
            Ok(()) => {}
            // It is asked again, and says what is in the way until then.
            Err(
                GitopsError::Host(problem) | GitopsError::Refused(problem) | GitopsError::Invalid(problem),
            ) => {
                operation.turn(operation.status, Some(problem), now);
            }
            Err(error) => return Err(error),
        }
        self.keep(&before, &operation, lease, now).await.map(|pace| {
            match (pace, next, &repository.config.at) {
                // GitHub counts how often it is asked.
                (Pace::WaitsAtMost(_), Move::Watch, RepositoryAt::Github(_)) => {
                    Pace::WaitsAtMost(repository.config.poll)
                }
                (Pace::WaitsAtMost(_), Move::Prove, _) => Pace::WaitsAtMost(look_after(
                    operation.merged.as_ref().map_or(now, |merged| merged.at),
                    now,
                )),
                (pace, ..) => pace,
            }
        })
    }

    async fn open(
        &self,
        repository: &Repository,
        operation: &mut Operation,
        now: Timestamp,
    ) -> Result<(), GitopsError> {
        let opened = match self.planned_anew(repository, operation, now).await {
            Ok(planned) => repository.host.propose(&proposal(repository, operation, &planned)).await?,
            // What cannot be planned any more may be what was requested already, by a process that ended before it wrote that down.
            Err(GitopsError::Refused(why)) => match requested(repository, operation).await? {
                Some(opened) => opened,
                None => return Err(GitopsError::Refused(why)),
            },
            Err(error) => return Err(error),
        };
        let problem = opened.warnings.first().cloned();
        operation.pull_request = Some(request(opened));
        operation.turn(OperationStatus::Open, problem, now);
        Ok(())
    }

    async fn watch(
        &self,
        repository: &Repository,
        operation: &mut Operation,
        now: Timestamp,
    ) -> Result<(), GitopsError> {
        let Some(opened) = operation.pull_request.as_ref().map(opened) else {
            operation.turn(OperationStatus::Requested, None, now);
            return Ok(());
        };
        match repository.host.look(&opened).await? {
            RequestSeen::Merged(merged) => {
                operation.merged = Some(Merged { commit: merged.commit, at: merged.at });
                operation.turn(OperationStatus::Merged, None, now);
            }
            RequestSeen::Closed => {
                // It may have been planned anew and merged from there, by a process that ended before it wrote that down.
                let other = requested(repository, operation).await?.filter(|other| other.head != opened.head);
                if let Some(other) = other {
                    operation.pull_request = Some(request(other));
                    return Ok(());
                }
                let problem = "Its request was closed without being merged.".to_owned();
                operation.turn(OperationStatus::Closed, Some(problem), now);
            }
            RequestSeen::Open { mergeable: Some(false), .. } => {
                self.replan(repository, operation, &opened, now).await?;
            }
            RequestSeen::Open { .. } => {
                let problem = operation.problem.take();
                operation.turn(OperationStatus::Open, problem, now);
            }
        }
        Ok(())
    }

    /// Merges it on the newest commit of the branch: what others changed since is planned over, and where that makes it another
    /// change, it has to be looked at again.
    async fn merge(
        &self,
        repository: &Repository,
        operation: &mut Operation,
        now: Timestamp,
    ) -> Result<(), GitopsError> {
        let Some(opened) = operation.pull_request.as_ref().map(opened) else {
            operation.turn(OperationStatus::Requested, None, now);
            return Ok(());
        };
        if let RequestSeen::Merged(_) | RequestSeen::Closed = repository.host.look(&opened).await? {
            return self.watch(repository, operation, now).await;
        }
        let has_moved = repository.host.head().await? != opened.base;
        if has_moved {
            self.replan(repository, operation, &opened, now).await?;
        } else {
            // The files are as they were; how the environments are may not be.
            self.planned_anew(repository, operation, now).await?;
        }
        if let Some(check) = operation.plan.refused().next() {
            let Place { service, environment } = &check.place;
            return Err(GitopsError::Refused(format!("{service} in {environment}: {}", check.message)));
        }
        if !operation.is_approved() || !operation.is_wanted() {
            return Err(GitopsError::Refused(
                "What it does has changed since it was looked at: somebody has to look at it and agree anew."
                    .into(),
            ));
        }
        if has_moved {
            // Written down before it is merged: whoever goes on after this process looks for the commit that is requested now.
            return Ok(());
        }
        match repository.host.merge(&opened).await {
            Ok(merged) => {
                operation.merged = Some(Merged { commit: merged.commit, at: merged.at });
                operation.turn(OperationStatus::Merged, None, now);
                Ok(())
            }
            // Somebody was quicker, and the next step plans it anew; or somebody put something on its branch, which they have to see.
            Err(HostError::Moved(why)) => {
                operation.turn(operation.status, Some(why), now);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn close(
        &self,
        repository: &Repository,
        operation: &mut Operation,
        now: Timestamp,
    ) -> Result<(), GitopsError> {
        let closing = operation.closing.clone();
        let why =
            closing.map_or_else(String::new, |closing| format!("{}: {}", closing.by.name, closing.reason));
        if operation.pull_request.is_none() {
            operation.pull_request = requested(repository, operation).await?.map(request);
        }
        if let Some(opened) = operation.pull_request.as_ref().map(opened) {
            // One that was merged a moment ago is not taken back by this.
            if let RequestSeen::Merged(_) = repository.host.look(&opened).await? {
                return self.watch(repository, operation, now).await;
            }
            repository.host.close(&opened, &why).await?;
        }
        operation.turn(OperationStatus::Closed, Some(why), now);
        Ok(())
    }

    /// Whether it is in effect, by what the sources see.
    async fn prove(&self, operation: &mut Operation, now: Timestamp) -> Result<(), GitopsError> {
        let Some(merged) = operation.merged.clone() else { return Ok(()) };
        let cells = self.cells(now).await?;
        let mut seen: BTreeMap<Place, PlaceSeen> = BTreeMap::new();
        for place in operation.ask.places() {
            let one = self.place_seen(operation, &place, &merged.commit, cells.get(&place)).await?;
            seen.insert(place, one);
        }
        let effect: Effect = effect(operation, |place| seen.get(place));
        operation.proved(&effect, now);
        Ok(())
    }

    async fn place_seen(
        &self,
        operation: &Operation,
        place: &Place,
        commit: &str,
        cell: Option<&Cell>,
    ) -> Result<PlaceSeen, GitopsError> {
        let sightings = self.delivery.store.sightings(&place.service).await?;
        let images = self.delivery.known_images(&place.service, &sightings).await?;
        let scene = Scene::of(place, sightings.iter().map(|(reader, sighting)| (reader.as_str(), sighting)));
        let seen = PlaceSeen::of(&scene, &images, commit, operation.plan.tag(place));
        let current = cell.and_then(|cell| cell.current.as_ref());
        Ok(PlaceSeen {
            runs: current.and_then(|current| current.version.clone()),
            health: cell.map(|cell| cell.health),
            ..seen
        })
    }

    /// Asks for the resume of a freeze whose time has come.
    async fn resume(
        &self,
        repository: &Repository,
        mut operation: Operation,
        lease: &Lease,
        now: Timestamp,
    ) -> Result<Pace, GitopsError> {
        let before = operation.clone();
        let still: BTreeSet<Place> = {
            let operations = self.delivery.store.holding_operations().await?;
            let in_force = domain::gitops::holds(&operations);
            let began = operation.merged.as_ref().map(|merged| merged.at);
            let places = operation.ask.places().into_iter();
            places.filter(|place| in_force.get(place).map(|hold| hold.since) == began).collect()
        };
        let ask = Ask::Resume { places: still.clone() };
        let reason = format!("The time of freeze {} is over.", operation.id);
        let planned = if still.is_empty() { None } else { Some(self.planned(repository, &ask, now).await) };
        match planned {
            Some(Ok(planned)) => {
                let resume = self.operation_of(ask, &operation.by, &reason, planned.plan, now);
                let actor = itself();
                let entry = NewAuditEntry {
                    reason,
                    ..self.entry(AuditAction::OperationRequested, &resume, &actor, now)
                };
                self.delivery.store.request_operation(&resume, &entry).await?;
                operation.resumed_by = Some(resume.id);
            }
            // Somebody has resumed it already, here or by hand.
            None | Some(Err(GitopsError::Refused(_))) => operation.resumed_by = Some(operation.id.clone()),
            Some(Err(error)) => return Err(error),
        }
        self.keep(&before, &operation, lease, now).await
    }

    /// Plans it on the newest commit. Another plan than before has the approvals of that one no more.
    async fn planned_anew(
        &self,
        repository: &Repository,
        operation: &mut Operation,
        now: Timestamp,
    ) -> Result<Planned, GitopsError> {
        let planned = self.planned(repository, &operation.ask, now).await?;
        operation.plan = planned.plan.clone();
        Ok(planned)
    }

    async fn replan(
        &self,
        repository: &Repository,
        operation: &mut Operation,
        opened_before: &Opened,
        now: Timestamp,
    ) -> Result<Opened, GitopsError> {
        let planned = self.planned_anew(repository, operation, now).await?;
        let proposal = proposal(repository, operation, &planned);
        let opened = repository.host.replan(opened_before, &proposal).await?;
        operation.pull_request = Some(request(opened.clone()));
        operation.turn(OperationStatus::Open, opened.warnings.first().cloned(), now);
        Ok(opened)
    }

    /// Writes what became of a step.
    async fn keep(
        &self,
        before: &Operation,
        after: &Operation,
        lease: &Lease,
        now: Timestamp,
    ) -> Result<Pace, GitopsError> {
        if before == after {
            return Ok(Pace::WaitsAtMost(LONGEST_WAIT));
        }
        let action = match after.status {
            _ if before.status == after.status => None,
            OperationStatus::Merged => Some(AuditAction::OperationMerged),
            OperationStatus::Effective => Some(AuditAction::OperationEffective),
            OperationStatus::Failed => Some(AuditAction::OperationFailed),
            // Who closes one here has an entry of their own.
            OperationStatus::Closed if before.closing.is_none() => Some(AuditAction::OperationClosed),
            OperationStatus::Closed
            | OperationStatus::Requested
            | OperationStatus::Open
            | OperationStatus::NotEffective => None,
        };
        let actor = itself();
        let entry = action.map(|action| {
            let approvals: Vec<&str> = after.approvals().map(|approval| approval.by.name.as_str()).collect();
            let approved = if approvals.is_empty() {
                String::new()
            } else {
                format!(", approved by {}", approvals.join(", "))
            };
            let entry = self.entry(action, after, &actor, now);
            NewAuditEntry {
                detail: format!("{}{approved}", entry.detail),
                reason: after.problem.clone().unwrap_or_default(),
                ..entry
            }
        });
        self.delivery.store.update_operation(after, now, lease, entry.as_ref()).await?;
        let is_same = before.status == after.status && before.pull_request == after.pull_request;
        Ok(if is_same { Pace::WaitsAtMost(LONGEST_WAIT) } else { Pace::CameOn })
    }
}

/// How long to wait at most until it is looked again whether something that was merged is in effect: the longer the longer ago that is.
/// What has not come into effect in a day will not within seconds, and what nobody can see never does.
fn look_after(merged: Timestamp, now: Timestamp) -> Duration {
    let ago = now.duration_since(merged).unsigned_abs();
    (ago / 100).clamp(LONGEST_WAIT, LONGEST_LOOK)
}

fn proposal(repository: &Repository, operation: &Operation, planned: &Planned) -> Proposal {
    let config = &repository.config;
    Proposal {
        operation: operation.id.to_string(),
        base: planned.plan.base.clone(),
        branch: branch(operation.ask.kind(), &operation.id),
        title: title(&operation.ask, &planned.plan),
        body: body(operation),
        files: planned.files.clone(),
        labels: config.labels.clone(),
        reviewers: config.reviewers.clone(),
        author: Person {
            name: operation.by.name.clone(),
            // Whoever is known by an address is named by it.
            email: Some(&operation.by.name).filter(|by| by.contains('@')).cloned().unwrap_or_default(),
        },
        trailers: vec![("Requested-by".into(), operation.by.name.clone())],
    }
}

/// The request that was made of an operation, be it written down or not.
async fn requested(repository: &Repository, operation: &Operation) -> Result<Option<Opened>, HostError> {
    let branch = branch(operation.ask.kind(), &operation.id);
    repository.host.requested(operation.id.as_str(), &branch, &operation.plan.base).await
}

fn request(opened: Opened) -> PullRequest {
    let Opened { number, branch, head, base, link, warnings: _ } = opened;
    PullRequest { number, branch, head, base, link }
}

fn opened(request: &PullRequest) -> Opened {
    let PullRequest { number, branch, head, base, link } = request.clone();
    Opened { number, branch, head, base, link, warnings: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_merged_long_ago_is_looked_at_seldom() {
        let now = Timestamp::from_second(1_795_255_200).unwrap();
        let ago = |seconds: i64| look_after(now - SignedDuration::from_secs(seconds), now).as_secs();
        assert_eq!([0, 400, 3_600, 86_400, 30 * 86_400].map(ago), [5, 5, 36, 600, 600]);
        assert_eq!(ago(-10), 5, "by another clock");
    }
}
