//! What lists, the matrix and the metrics need of a change: a projection of its state, small enough to keep of every change.

use serde::{Deserialize, Serialize};

use crate::delivery::{
    ChangeState, CommitSha, Detail, EnvironmentName, Health, Part, ServiceName, Source, Stage, Status, Step,
    Timeline,
};
use crate::time::Timestamp;

/// A change in short. Recomputed whenever its state changes; everything over many changes is a function of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeSummary {
    pub service: ServiceName,
    pub commit: CommitSha,
    /// By which the commits of a service are ordered; see [`ChangeSummary::is_newer_than`].
    pub committed: Option<Timestamp>,
    pub author: Option<String>,
    pub title: Option<String>,
    pub branch: Option<String>,
    pub pull_request: Option<u32>,
    /// The image's tag.
    pub tag: Option<String>,
    /// The image's digest.
    pub digest: Option<String>,
    /// The environments that anything is known of, by name.
    pub environments: Vec<EnvironmentSummary>,
}

/// A change in one environment, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentSummary {
    pub environment: EnvironmentName,
    /// Each time it went live, oldest first.
    pub lives: Vec<LiveSummary>,
    /// Each time its rollout, or what is live, failed, oldest first.
    pub failures: Vec<TurnSummary>,
    /// Each time its rollout succeeded, oldest first.
    pub recoveries: Vec<TurnSummary>,
    /// The last stage that anything is known of; of a change that was live, of what began after it last went live, if anything
    /// did.
    pub reached: Option<Reached>,
    /// How the environment was when the change was last looked at in it.
    pub health: Option<SeenHealth>,
}

/// A time that a change went live.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LiveSummary {
    pub at: Timestamp,
    pub version: Option<String>,
    pub source: Source,
    pub source_id: String,
}

/// A time that a rollout, or what is live, failed or succeeded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TurnSummary {
    pub at: Timestamp,
    pub stage: Stage,
    pub source: Source,
    pub source_id: String,
}

/// How far a change has come in an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    pub stage: Stage,
    pub status: Status,
    /// When something last began or ended of the stages that count; when it was told, where the source has no time of it.
    // Summaries are stored, and were with the time of telling.
    #[serde(alias = "observed")]
    pub at: Timestamp,
}

/// How an environment was, and when that was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SeenHealth {
    pub observed: Timestamp,
    pub health: Health,
}

/// A change that went live in an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    pub service: ServiceName,
    pub environment: EnvironmentName,
    pub commit: CommitSha,
    pub committed: Option<Timestamp>,
    /// The tag that runs, or the one that the change was built as.
    pub version: Option<String>,
    /// When the environment began to serve it.
    pub at: Timestamp,
    /// The fact that says so.
    pub source: Source,
    pub source_id: String,
}

impl ChangeSummary {
    /// The projection of a state.
    pub fn of(state: &ChangeState) -> ChangeSummary {
        let timeline = Timeline::of(state, &crate::delivery::EnvironmentOrder::default());
        let image =
            timeline.release().and_then(|release| release.image_detail().cloned()).unwrap_or_default();
        let environments = timeline
            .environments
            .iter()
            .map(|one| environment_summary(state, &one.environment, &one.steps, image.tag.as_deref()))
            .collect();
        let about = timeline.about;
        ChangeSummary {
            service: timeline.service,
            commit: timeline.commit,
            committed: about.committed,
            author: about.author,
            title: about.title,
            branch: about.branch,
            pull_request: about.pull_request,
            tag: image.tag,
            digest: image.digest,
            environments,
        }
    }

    /// What is known of it in an environment.
    pub fn environment(&self, name: &EnvironmentName) -> Option<&EnvironmentSummary> {
        self.environments.iter().find(|one| one.environment == *name)
    }

    /// Whether it comes after another commit of the same service: committed later or, in the same second, of the greater SHA.
    /// `None` where the time of either is unknown.
    pub fn is_newer_than(&self, other: &Deployment) -> Option<bool> {
        is_newer((self.committed, &self.commit), (other.committed, &other.commit))
    }
}

impl Deployment {
    /// As [`ChangeSummary::is_newer_than`].
    pub fn is_newer_than(&self, other: &Deployment) -> Option<bool> {
        is_newer((self.committed, &self.commit), (other.committed, &other.commit))
    }
}

/// Whether one commit comes after another, by the time it was committed and then by SHA; `None` where a time is unknown.
pub fn is_newer(
    one: (Option<Timestamp>, &CommitSha),
    other: (Option<Timestamp>, &CommitSha),
) -> Option<bool> {
    if one.1 == other.1 {
        return Some(false);
    }
    Some((one.0?, one.1) > (other.0?, other.1))
}

/// What went live in an environment, oldest first: each commit once for each time that another was live in between. Several
/// sources that see the same switch, or one that sees it again, are one deployment, at the earliest of their times.
pub fn deployments<'a>(
    changes: impl IntoIterator<Item = &'a ChangeSummary>,
    environment: &EnvironmentName,
) -> Vec<Deployment> {
    let mut all: Vec<(&ChangeSummary, &LiveSummary)> = changes
        .into_iter()
        .filter_map(|change| Some((change, change.environment(environment)?)))
        .flat_map(|(change, here)| here.lives.iter().map(move |live| (change, live)))
        .collect();
    all.sort_by_key(|(change, live)| (live.at, change.committed, &change.commit, *live));
    all.dedup_by(|later, earlier| later.0.commit == earlier.0.commit);
    all.into_iter()
        .map(|(change, live)| Deployment {
            service: change.service.clone(),
            environment: environment.clone(),
            commit: change.commit.clone(),
            committed: change.committed,
            version: live.version.clone(),
            at: live.at,
            source: live.source,
            source_id: live.source_id.clone(),
        })
        .collect()
}

fn environment_summary(
    state: &ChangeState,
    name: &EnvironmentName,
    steps: &[Step],
    tag: Option<&str>,
) -> EnvironmentSummary {
    let lives = state.lives(name).map(|(at, mark)| LiveSummary {
        at,
        version: mark.version.clone().or_else(|| tag.map(Into::into)),
        source: mark.source,
        source_id: mark.source_id.clone(),
    });
    let summary = |(stage, turn): (Stage, &crate::delivery::Turn)| TurnSummary {
        at: turn.at,
        stage,
        source: turn.source,
        source_id: turn.source_id.clone(),
    };
    let mut failures: Vec<TurnSummary> = state.failures(name).map(summary).collect();
    failures.sort();
    let mut recoveries: Vec<TurnSummary> = state.successes(name).map(summary).collect();
    recoveries.sort();
    let last_live = state.lives(name).map(|(at, _)| at).last();
    let parts = steps.iter().flat_map(|step| step.own_parts().map(|part| (step.stage, part)));
    EnvironmentSummary {
        environment: name.clone(),
        lives: lives.collect(),
        failures,
        recoveries,
        reached: reached(steps, last_live),
        health: parts.filter_map(|(stage, part)| seen_health(stage, part)).max_by_key(worst_of_last),
    }
}

/// The stages here that count: all of a change that was not live yet, else those that began after it last went live.
fn reached(steps: &[Step], last_live: Option<Timestamp>) -> Option<Reached> {
    let of = |steps: &[&Step]| {
        // What is told late happened when it happened.
        let at = steps.iter().filter_map(|step| step.finished.or(step.started).or(step.observed)).max()?;
        let last = steps.last()?;
        Some(Reached { stage: last.stage, status: last.status.known()?, at })
    };
    let known = |step: &&Step| step.status.known().is_some_and(|status| status != Status::Unknown);
    let all: Vec<&Step> = steps.iter().filter(known).collect();
    let anew: Vec<&Step> = all.iter().copied().filter(|step| step.begun() > last_live).collect();
    of(&anew).or_else(|| {
        let live = all.iter().copied().filter(|step| step.stage == Stage::Live).collect::<Vec<_>>();
        of(&live)
    })
}

/// What a part of an environment's stage says of how the environment is.
fn seen_health(stage: Stage, part: &Part) -> Option<SeenHealth> {
    let by_status = || match part.status {
        Status::Succeeded => Some(Health::Healthy),
        Status::Failed => Some(Health::Degraded),
        Status::Running | Status::Waiting => Some(Health::Progressing),
        Status::Unknown | Status::Skipped | Status::Cancelled => None,
    };
    let health = match (stage, &part.detail) {
        (Stage::Sync, Some(Detail::Sync(detail))) => detail.health?,
        (Stage::Rollout | Stage::Live, _) => by_status()?,
        _ => return None,
    };
    Some(SeenHealth { observed: part.observed, health })
}

/// By which the health that counts is found: the last that was seen, and of several that were seen at once the worst.
pub(super) fn worst_of_last(seen: &SeenHealth) -> (Timestamp, u8) {
    (seen.observed, seen.health.badness())
}
