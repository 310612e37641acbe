//! The matrix of services and environments: what runs where, how well, and how far behind or ahead.

use serde::{Deserialize, Serialize};

use crate::delivery::summary::worst_of_last;
use crate::delivery::{
    ChangeSummary, CommitSha, Deployment, EnvironmentName, EnvironmentOrder, Health, Hold, Reached,
    SeenHealth, ServiceName, Stage, Status, deployments,
};
use crate::time::Timestamp;

/// What is shown of one service in one environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    pub service: ServiceName,
    pub environment: EnvironmentName,
    /// What runs, and since when; `None` where nothing was ever seen to run.
    pub current: Option<Deployment>,
    pub health: CellHealth,
    /// How many commits of the service are newer than what runs; `None` where that cannot be told.
    pub behind: Option<u32>,
    /// The environment before this one in the order, where that runs something older, or nothing.
    pub ahead_of: Option<EnvironmentName>,
    /// The newest change that is on its way into the environment.
    pub in_progress: Option<Mark>,
    /// The newest change that failed on its way into the environment.
    pub failed: Option<Mark>,
    /// Those in force.
    pub holds: Vec<Hold>,
}

/// How an environment is. Old knowledge is unknown, whatever it said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CellHealth {
    Healthy,
    Progressing,
    Degraded,
    /// The sources were read, and nothing of the service is there.
    Missing,
    /// Nothing is known, or nothing recent: what was, and when that was last confirmed.
    Unknown {
        last: Option<Health>,
        as_of: Option<Timestamp>,
    },
}

/// A change at a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub commit: CommitSha,
    pub stage: Stage,
    pub status: Status,
}

/// What is known of a service in an environment beside its changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentKnowledge {
    pub environment: EnvironmentName,
    /// When the sources that tell of the environment were last read without an error: until then, what they told last held.
    pub known_at: Option<Timestamp>,
    pub holds: Vec<Hold>,
}

/// What cells are made of beside the changes.
#[derive(Clone, Copy, Debug)]
pub struct CellContext<'a> {
    pub order: &'a EnvironmentOrder,
    /// The branch that is delivered: commits that are known to be on another one do not count as newer. `None` counts all.
    pub branch: Option<&'a str>,
    pub knowledge: &'a [EnvironmentKnowledge],
    /// After how long what is known no longer counts, in seconds.
    pub stale_after_seconds: i64,
    pub now: Timestamp,
}

/// One row of the matrix: the cells of a service, in the order of environments.
pub fn cells(service: &ServiceName, changes: &[ChangeSummary], context: &CellContext<'_>) -> Vec<Cell> {
    let current: Vec<Option<Deployment>> =
        context.order.names().iter().map(|name| deployments(changes, name).pop()).collect();
    let pairs = context.order.names().iter().zip(&current).enumerate();
    pairs
        .map(|(position, (name, here))| {
            let before = position
                .checked_sub(1)
                .and_then(|before| Some((context.order.names().get(before)?, current.get(before)?.as_ref())));
            let pending = |wanted: fn(Status) -> bool| newest_pending(changes, name, here.as_ref(), wanted);
            Cell {
                service: service.clone(),
                environment: name.clone(),
                current: here.clone(),
                health: context.health(changes, name, here.as_ref()),
                behind: here.as_ref().and_then(|here| context.behind(changes, here)),
                ahead_of: here.as_ref().zip(before).and_then(|(here, before)| context.ahead_of(here, before)),
                in_progress: pending(|status| {
                    matches!(status, Status::Waiting | Status::Running | Status::Succeeded)
                }),
                failed: pending(|status| status == Status::Failed),
                holds: context.holds(name),
            }
        })
        .collect()
}

impl Cell {
    /// How long what runs has been running, in seconds.
    pub fn age_seconds(&self, now: Timestamp) -> Option<i64> {
        Some(now.as_second().saturating_sub(self.current.as_ref()?.at.as_second()).max(0))
    }
}

impl CellHealth {
    /// The name in exports and in style sheets.
    pub fn as_str(self) -> &'static str {
        match self {
            CellHealth::Healthy => "healthy",
            CellHealth::Progressing => "progressing",
            CellHealth::Degraded => "degraded",
            CellHealth::Missing => "missing",
            CellHealth::Unknown { .. } => "unknown",
        }
    }
}

impl CellContext<'_> {
    fn knowledge(&self, name: &EnvironmentName) -> Option<&EnvironmentKnowledge> {
        self.knowledge.iter().find(|one| one.environment == *name)
    }

    fn is_fresh(&self, as_of: Option<Timestamp>) -> bool {
        as_of
            .is_some_and(|at| self.now.as_second().saturating_sub(at.as_second()) <= self.stale_after_seconds)
    }

    fn known_at(&self, name: &EnvironmentName) -> Option<Timestamp> {
        self.knowledge(name).and_then(|known| known.known_at)
    }

    fn holds(&self, name: &EnvironmentName) -> Vec<Hold> {
        let known = self.knowledge(name).map(|known| known.holds.as_slice()).unwrap_or_default();
        known.iter().filter(|hold| hold.is_active(self.now)).cloned().collect()
    }

    fn health(
        &self,
        changes: &[ChangeSummary],
        name: &EnvironmentName,
        current: Option<&Deployment>,
    ) -> CellHealth {
        let seen: Option<SeenHealth> =
            changes.iter().filter_map(|change| change.environment(name)?.health).max_by_key(worst_of_last);
        let known_at = self.known_at(name);
        let as_of = seen.map(|seen| seen.observed).max(known_at);
        if !self.is_fresh(as_of) {
            return CellHealth::Unknown { last: seen.map(|seen| seen.health), as_of };
        }
        match seen.map(|seen| seen.health) {
            Some(Health::Healthy) => CellHealth::Healthy,
            Some(Health::Progressing | Health::Suspended) => CellHealth::Progressing,
            Some(Health::Degraded) => CellHealth::Degraded,
            Some(Health::Missing) => CellHealth::Missing,
            None if current.is_none() => CellHealth::Missing,
            last @ (Some(Health::Unknown) | None) => CellHealth::Unknown { last, as_of },
        }
    }

    fn behind(&self, changes: &[ChangeSummary], here: &Deployment) -> Option<u32> {
        here.committed?;
        let elsewhere = |change: &&ChangeSummary| match (self.branch, change.branch.as_deref()) {
            (Some(delivered), Some(branch)) => delivered != branch,
            (None, _) | (_, None) => false,
        };
        let newer = changes.iter().filter(|change| change.is_newer_than(here) == Some(true));
        Some(newer.filter(|change| !elsewhere(change)).count() as u32)
    }

    fn ahead_of(
        &self,
        here: &Deployment,
        (before, runs): (&EnvironmentName, Option<&Deployment>),
    ) -> Option<EnvironmentName> {
        let ahead = match runs {
            Some(runs) => here.is_newer_than(runs)?,
            // Nothing runs there, if that is known at all.
            None => self.is_fresh(self.known_at(before)),
        };
        ahead.then(|| before.clone())
    }
}

/// The newest change other than the current one whose last stage here has a wanted status, and which is not done with: it is
/// newer than what runs, or was last told of after that went live. A change that has been live is only on its way again when
/// an earlier stage says so.
fn newest_pending(
    changes: &[ChangeSummary],
    name: &EnvironmentName,
    current: Option<&Deployment>,
    wanted: fn(Status) -> bool,
) -> Option<Mark> {
    let pending = |change: &ChangeSummary, reached: &Reached| {
        let arrived = reached.stage == Stage::Live && reached.status == Status::Succeeded;
        let done_with = current.is_some_and(|current| {
            change.commit == current.commit
                || (change.is_newer_than(current) != Some(true) && reached.observed <= current.at)
        });
        wanted(reached.status) && !arrived && !done_with
    };
    let reached = changes.iter().filter_map(|change| Some((change, change.environment(name)?.reached?)));
    let newest = reached
        .filter(|(change, reached)| pending(change, reached))
        .max_by_key(|(change, _)| (change.committed, &change.commit));
    newest.map(|(change, reached)| Mark {
        commit: change.commit.clone(),
        stage: reached.stage,
        status: reached.status,
    })
}
