//! The facts that follow from what is seen: tags in Git, syncs, rollouts, what is live.

use super::{Images, Scene};
use crate::delivery::{
    Application, ApplicationState, ArgoDeployed, BumpDetail, CommitSha, DesiredTag, Detail, Fact, Health,
    ImageCheck, ImageRef, LiveDetail, MAX_ID_BYTES, MAX_TEXT_BYTES, Operation, OperationPhase, Place,
    RolloutDetail, RolloutStatus, Source, Stage, Status, SyncDetail, SyncStatus, TagChange, Workload,
    argo_deployed, rollout_detail, rollout_status,
};
use crate::time::Timestamp;

/// What facts are told with.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    pub place: &'a Place,
    /// What runs here by what was told before, and since when.
    pub current: Option<(&'a CommitSha, Timestamp)>,
    pub now: Timestamp,
}

impl Scene<'_> {
    /// The facts that follow, of the changes that are known by their images. The same sightings give the same facts, with the same
    /// ids, so that they may be told again.
    pub fn facts(&self, images: &impl Images, told: &Told<'_>) -> Vec<Fact> {
        let mut facts = self.bumps(images, told);
        for (reader, application) in &self.applications {
            facts.extend(self.syncs(reader, application, images, told));
        }
        for (reader, workload) in &self.workloads {
            facts.extend(rollout(reader, workload, images, told));
        }
        facts.extend(self.live(images, told));
        facts.retain(|fact| fact.check().is_ok());
        facts
    }

    fn bumps(&self, images: &impl Images, told: &Told<'_>) -> Vec<Fact> {
        let changes = self.desired.iter().flat_map(|(reader, desired)| {
            desired.changes.iter().map(move |change| (*reader, *desired, change))
        });
        let fact = |(reader, desired, change): (&str, &DesiredTag, &TagChange)| {
            let commit = images.commit_of_tag(&change.tag)?;
            let id = format!("{reader}/{}/{}#{}", change.revision, desired.path, desired.key);
            Some(Fact {
                status: Status::Succeeded,
                finished: Some(change.at),
                link: change.link.clone(),
                detail: Some(Detail::Bump(BumpDetail {
                    pull_request: change.pull_request,
                    revision: Some(change.revision.clone()),
                    tag_before: change.before.clone(),
                    tag_after: Some(change.tag.clone()),
                })),
                ..told.fact(Source::Git, commit, Stage::Bump, id)
            })
        };
        changes.filter_map(fact).collect()
    }

    /// The operation under way or last, and each sync in the Application's history that first held a change of the tag.
    fn syncs(
        &self,
        reader: &str,
        application: &Application,
        images: &impl Images,
        told: &Told<'_>,
    ) -> Vec<Fact> {
        let mut facts = Vec::new();
        let mut before = None;
        for synced in &application.history {
            let Some(change) = synced.revision.as_deref().and_then(|revision| self.change_at(revision))
            else {
                continue;
            };
            // Every commit to a shared repository is synced: the first one that holds the tag is the one that brought it.
            if before.replace(&change.revision) == Some(&change.revision) {
                continue;
            }
            let Some(commit) = images.commit_of_tag(&change.tag) else { continue };
            let started = synced.started.unwrap_or(synced.deployed).min(synced.deployed);
            facts.push(Fact {
                attempt: attempt(started),
                status: Status::Succeeded,
                started: Some(started),
                finished: Some(synced.deployed),
                link: application.link.clone(),
                detail: Some(Detail::Sync(SyncDetail {
                    application: Some(application.name.clone()),
                    revision: synced.revision.clone(),
                    phase: Some(OperationPhase::Succeeded),
                    ..SyncDetail::default()
                })),
                ..told.fact(
                    Source::ArgoCd,
                    commit,
                    Stage::Sync,
                    format!("{reader}/{}/{}/synced", application.name, change.revision),
                )
            });
        }
        facts.extend(self.operation(reader, application, images, told));
        facts
    }

    fn operation(
        &self,
        reader: &str,
        application: &Application,
        images: &impl Images,
        told: &Told<'_>,
    ) -> Option<Fact> {
        let operation = application.operation.as_ref()?;
        let phase = operation.phase?;
        let started = operation.started?;
        let commit = match operation.revision.as_deref().and_then(|revision| self.change_at(revision)) {
            // One that succeeded is in the history; later ones of the same tag bring nothing of it.
            Some(_) if phase == OperationPhase::Succeeded && !application.history.is_empty() => return None,
            Some(change) => images.commit_of_tag(&change.tag)?,
            // Without the repository it is known by what runs, once that is applied.
            None if self.desired.is_empty() && phase == OperationPhase::Succeeded => {
                only_commit(&application.images, images)?
            }
            None => return None,
        };
        let status = match phase {
            OperationPhase::Running | OperationPhase::Terminating => Status::Running,
            OperationPhase::Failed | OperationPhase::Error => Status::Failed,
            OperationPhase::Succeeded => Status::Succeeded,
        };
        Some(Fact {
            attempt: attempt(started),
            status,
            started: Some(started),
            finished: operation.finished.filter(|_| status.is_final()),
            link: application.link.clone(),
            detail: Some(Detail::Sync(sync_detail(application, operation))),
            ..told.fact(
                Source::ArgoCd,
                commit,
                Stage::Sync,
                format!(
                    "{reader}/{}/{started}/{}/{}",
                    application.name,
                    status.as_str(),
                    operation.hook.as_deref().unwrap_or_default()
                ),
            )
        })
    }

    /// What the environment serves, if all that is seen of it agrees.
    fn live(&self, images: &impl Images, told: &Told<'_>) -> Option<Fact> {
        let (commit, tag) = self.running(images)?;
        let mut since: Option<Timestamp> = None;
        let mut id = String::new();
        let desired = self.change_of(&commit, images);
        for (reader, workload) in &self.workloads {
            if !workload.serves() {
                return None;
            }
            since = since.max(workload.finished);
            id.push_str(&format!("{reader}/{} ", made(workload)));
        }
        for (reader, application) in &self.applications {
            let contains = |revision: &str| match (desired, self.desired.is_empty()) {
                (Some(change), _) => self.contains(revision, change),
                // Without a repository what runs is what was wanted: nothing else is known.
                (None, true) => Some(true),
                (None, false) => None,
            };
            if argo_deployed(&application.state, contains, ImageCheck::Runs) != ArgoDeployed::Deployed {
                return None;
            }
            let synced = desired.and_then(|change| self.first_sync(application, change));
            since = since.max(synced).max(desired.map(|change| change.at));
            if self.workloads.is_empty() {
                since = since.max(application.health_since);
                let revision = desired.map_or("", |change| change.revision.as_str());
                id.push_str(&format!("{reader}/{}:{revision}:{tag} ", application.name));
            }
        }
        // A Deployment that goes back to a template it had may keep the times that it had then.
        let since = match (since, told.current) {
            (Some(since), Some((current, at))) if *current != commit && since <= at => told.now,
            (Some(since), _) => since,
            (None, _) => told.now,
        };
        let source = if self.workloads.is_empty() { Source::ArgoCd } else { Source::Kubernetes };
        Some(Fact {
            status: Status::Succeeded,
            finished: Some(since),
            link: self.applications.first().and_then(|(_, application)| application.link.clone()),
            detail: Some(Detail::Live(LiveDetail { version: Some(tag).filter(|tag| !tag.is_empty()) })),
            ..told.fact(source, commit, Stage::Live, id.trim_end().to_owned())
        })
    }

    /// The one commit that everything runs, with its tag; `None` where nothing does, or not all the same.
    fn running(&self, images: &impl Images) -> Option<(CommitSha, String)> {
        let of_templates = self.workloads.iter().flat_map(|(_, workload)| &workload.images);
        let of_pods = self.applications.iter().flat_map(|(_, application)| &application.images);
        let mut found: Option<(CommitSha, String)> = None;
        let seen: Vec<_> = if self.workloads.is_empty() { of_pods.collect() } else { of_templates.collect() };
        for image in seen {
            let Some(commit) = images.commit_of(image) else { continue };
            match &found {
                Some((known, _)) if !known.matches(&commit) => return None,
                Some(_) => {}
                None => found = Some((commit, image.tag.clone().unwrap_or_default())),
            }
        }
        found
    }

    /// The newest change of the desired tag to one of the commit.
    pub(super) fn change_of(&self, commit: &CommitSha, images: &impl Images) -> Option<&TagChange> {
        let changes = self.desired.iter().flat_map(|(_, desired)| &desired.changes);
        let of_commit = |change: &&TagChange| {
            images.commit_of_tag(&change.tag).is_some_and(|built| built.matches(commit))
        };
        changes.filter(of_commit).max_by_key(|change| change.at)
    }

    fn first_sync(&self, application: &Application, change: &TagChange) -> Option<Timestamp> {
        let holds = |revision: &String| self.contains(revision, change) == Some(true);
        let first = application.history.iter().find(|one| one.revision.as_ref().is_some_and(holds))?;
        Some(first.deployed)
    }
}

/// A rollout as it is, or what became of it after it was complete.
fn rollout(reader: &str, workload: &Workload, images: &impl Images, told: &Told<'_>) -> Option<Fact> {
    let commit = only_commit(&workload.images, images)?;
    let detail = rollout_detail(&workload.name, &workload.state, &workload.pods);
    let (status, finished) = match rollout_status(&workload.state) {
        RolloutStatus::Complete => {
            // Well again, if pods were lost after it was complete.
            (Status::Succeeded, workload.finished.max(workload.available_since))
        }
        // Pods are replaced one by one, for whatever reason, and enough of them serve.
        RolloutStatus::BecomingAvailable { .. } if workload.serves() => return None,
        RolloutStatus::BecomingAvailable { .. } if workload.finished.is_some() => {
            (Status::Failed, workload.available_since)
        }
        other => (other.status(), None),
    };
    let id = format!("{reader}/{}/{}", made(workload), turn(status, finished, &detail));
    Some(Fact {
        job: Some(workload.name.chars().take(MAX_ID_BYTES as usize).collect()),
        attempt: workload.revision.max(1),
        status,
        started: workload.started.filter(|started| finished.is_none_or(|finished| *started <= finished)),
        finished,
        detail: Some(Detail::Rollout(fitting(detail))),
        ..told.fact(Source::Kubernetes, commit, Stage::Rollout, id)
    })
}

/// The pod template in force: one that was deleted and made anew counts its revisions from 1 again.
fn made(workload: &Workload) -> String {
    let started = workload.started.map(|started| started.as_second().to_string()).unwrap_or_default();
    format!("{}:{}:{started}", workload.name, workload.revision)
}

/// What tells one state of a rollout from another: its end by when that was, what goes on by how far it is. Names of pods and counts of
/// restarts are no news by themselves.
fn turn(status: Status, finished: Option<Timestamp>, detail: &RolloutDetail) -> String {
    match finished {
        Some(finished) => format!("{}/{finished}", status.as_str()),
        None => {
            let count = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
            format!(
                "{}/{}-{}-{}/{}",
                status.as_str(),
                count(detail.desired),
                count(detail.updated),
                count(detail.available),
                detail.waiting.as_ref().map_or("", |waiting| &waiting.reason)
            )
        }
    }
}

/// The one commit that the images are of, side-cars apart.
fn only_commit(seen: &[ImageRef], images: &impl Images) -> Option<CommitSha> {
    let mut commits = seen.iter().filter_map(|image| images.commit_of(image));
    let first = commits.next()?;
    commits.all(|other| other.matches(&first)).then_some(first)
}

fn sync_detail(application: &Application, operation: &Operation) -> SyncDetail {
    let ApplicationState { sync_status, health, .. } = application.state;
    let settled = operation.phase == Some(OperationPhase::Succeeded);
    let message = operation.message.as_deref().filter(|message| !message.trim().is_empty());
    SyncDetail {
        application: Some(application.name.clone()),
        revision: operation.revision.clone(),
        sync_status: Some(sync_status).filter(|status| *status != SyncStatus::Unknown),
        health: Some(health).filter(|health| settled && *health != Health::Unknown),
        phase: operation.phase,
        message: message.map(cut),
        hook: operation.hook.clone(),
    }
}

fn fitting(mut detail: RolloutDetail) -> RolloutDetail {
    if let Some(waiting) = &mut detail.waiting {
        waiting.message = waiting.message.as_deref().filter(|message| !message.trim().is_empty()).map(cut);
    }
    detail
}

/// A message as a detail takes it: without control characters, cut to the longest that is taken.
fn cut(message: &str) -> String {
    let printed = message.chars().filter(|one| !one.is_control() || matches!(one, '\n' | '\t'));
    let mut text = String::new();
    for character in printed {
        if text.len() + character.len_utf8() > MAX_TEXT_BYTES as usize {
            break;
        }
        text.push(character);
    }
    text
}

/// A number that grows with each operation of an Application: its history counts only those that succeeded, so the time has to serve.
fn attempt(started: Timestamp) -> u32 {
    u32::try_from(started.as_second()).unwrap_or(1).max(1)
}

impl Told<'_> {
    fn fact(&self, source: Source, commit: CommitSha, stage: Stage, id: String) -> Fact {
        let Place { service, environment } = self.place;
        let mut source_id = format!("{id} {}@{service}/{environment}", commit.short());
        // What is most its own stands last.
        let mut from = source_id.len().saturating_sub(MAX_ID_BYTES as usize);
        while !source_id.is_char_boundary(from) {
            from += 1;
        }
        source_id.drain(..from);
        let environment = Some(environment.clone());
        Fact { environment, ..Fact::about((source, source_id), service, commit, stage, self.now) }
    }
}
