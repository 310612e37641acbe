//! What is known of a service in an environment beside its changes, from what is seen of it.

use std::collections::BTreeMap;

use super::{Images, Scene};
use crate::delivery::{
    ArgoFacts, Automation, CommitSha, EnvironmentFacts, EnvironmentKnowledge, EnvironmentName,
    EnvironmentOrder, Health, RolloutDetail, RolloutStatus, Source, SourceFacts, TagChange, Workload,
    rollout_detail, rollout_status,
};
use crate::time::Timestamp;

/// How a reader is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReaderState {
    /// `git/acme/gitops`: tells it apart from the others.
    pub name: String,
    pub source: Source,
    /// When it last read without an error.
    pub last_success: Option<Timestamp>,
    /// When and why it failed since.
    pub problem: Option<(Timestamp, String)>,
}

/// What is asked of a scene.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    pub commit: &'a CommitSha,
    /// The tag of the change's image.
    pub tag: Option<&'a str>,
    pub environment: &'a EnvironmentName,
    pub order: &'a EnvironmentOrder,
    /// Those that see something of the place, by what they see of it.
    pub readers: &'a [(Source, &'a ReaderState)],
    /// After how long what they saw no longer counts.
    pub stale_after_seconds: u32,
}

impl Scene<'_> {
    /// What decides what a change waits for here.
    pub fn environment_facts(&self, about: &About<'_>, images: &impl Images) -> EnvironmentFacts {
        let change = self.change_of(about.commit, images);
        let bump = self.bumps.iter().filter(|bump| bump.tag.is_none() || bump.tag.as_deref() == about.tag);
        EnvironmentFacts {
            branch: None,
            automation: self.automation((about.environment, about.order)),
            holds: Vec::new(),
            bump: bump.max_by_key(|bump| bump.number).map(|bump| (*bump).clone()),
            argo: self.argo(change),
            rollout: self.rollout_of(about.commit, images),
            sources: sources(about.readers, about.stale_after_seconds),
        }
    }

    fn automation(&self, (environment, order): (&EnvironmentName, &EnvironmentOrder)) -> Automation {
        match self.updaters.first() {
            Some(updater) => Automation::Updater((*updater).clone()),
            None if self.desired.is_empty() => Automation::Unknown,
            None if order.before(environment).is_some() => Automation::Promotion,
            None => Automation::Pipeline,
        }
    }

    fn argo(&self, change: Option<&TagChange>) -> Option<ArgoFacts> {
        let (_, application) = self.applications.first()?;
        let compared = application.state.compared_revision();
        Some(ArgoFacts {
            link: application.link.clone(),
            poll_seconds: application.poll_seconds,
            jitter_seconds: application.jitter_seconds,
            last_reconciled: application.last_reconciled,
            sees_commit: compared.zip(change).and_then(|(revision, change)| self.contains(revision, change)),
            sync_status: Some(application.state.sync_status),
            auto_sync: application.auto_sync,
            window: application.window,
            conditions: application.conditions.clone(),
            health: Some(application.state.health),
            health_message: application.health_message.clone(),
        })
    }

    /// The rollout of the change that has come least far.
    fn rollout_of(&self, commit: &CommitSha, images: &impl Images) -> Option<RolloutDetail> {
        let of_commit = |workload: &Workload| {
            let mut commits = workload.images.iter().filter_map(|image| images.commit_of(image));
            commits.any(|built| built.matches(commit))
        };
        let worst = self
            .workloads
            .iter()
            .filter(|(_, workload)| of_commit(workload))
            .min_by_key(|(_, workload)| has_come(rollout_status(&workload.state)))?;
        Some(rollout_detail(&worst.1.name, &worst.1.state, &worst.1.pods))
    }
}

impl EnvironmentKnowledge {
    /// How a service is in an environment now, whichever change it runs: by the health of each thing that is seen of it, with its
    /// reader.
    pub fn of(
        environment: &EnvironmentName,
        seen: &[(Option<Health>, &ReaderState)],
    ) -> EnvironmentKnowledge {
        let watched = || seen.iter().filter_map(|(health, reader)| Some(((*health)?, reader)));
        EnvironmentKnowledge {
            environment: environment.clone(),
            // As old as the oldest of them: what one does not see any more may have changed.
            known_at: watched().map(|(_, reader)| reader.last_success).min().flatten(),
            health: watched().map(|(health, _)| health).max_by_key(|health| health.badness()),
            holds: Vec::new(),
        }
    }
}

fn has_come(status: RolloutStatus) -> u8 {
    match status {
        RolloutStatus::DeadlineExceeded => 0,
        RolloutStatus::Pending => 1,
        RolloutStatus::Paused { .. } => 2,
        RolloutStatus::Updating { .. } => 3,
        RolloutStatus::BecomingAvailable { .. } => 4,
        RolloutStatus::Terminating { .. } => 5,
        RolloutStatus::Complete => 6,
    }
}

/// One for each source: the reader that has been silent for longest.
fn sources(readers: &[(Source, &ReaderState)], stale_after_seconds: u32) -> Vec<SourceFacts> {
    let mut silent_longest: BTreeMap<Source, &ReaderState> = BTreeMap::new();
    for (source, reader) in readers {
        let longest = silent_longest.entry(*source).or_insert(reader);
        if reader.last_success < longest.last_success {
            *longest = reader;
        }
    }
    let facts = silent_longest.into_iter().map(|(source, reader)| SourceFacts {
        source,
        last_success: reader.last_success,
        error: reader.problem.as_ref().map(|(_, problem)| problem.clone()),
        stale_after_seconds,
    });
    facts.collect()
}
