//! The matrix of services and environments: what runs where, how well, and how far behind or ahead.

use serde::{Deserialize, Serialize};

use crate::delivery::{
    Deployment, EnvironmentName, EnvironmentOrder, Health, Hold, Mark, SeenHealth, ServiceName, Standing,
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

/// What is known of a service in an environment beside its changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentKnowledge {
    pub environment: EnvironmentName,
    /// When the sources that tell of the environment were last read without an error: until then, what they told last held.
    pub known_at: Option<Timestamp>,
    /// How it is now, where a source sees that; else it is as it was when its changes were last told of.
    pub health: Option<Health>,
    pub holds: Vec<Hold>,
}

/// What cells are made of beside the changes.
#[derive(Clone, Copy, Debug)]
pub struct CellContext<'a> {
    pub order: &'a EnvironmentOrder,
    pub knowledge: &'a [EnvironmentKnowledge],
    /// After how long what is known no longer counts, in seconds.
    pub stale_after_seconds: i64,
    pub now: Timestamp,
}

impl Standing {
    /// One row of the matrix: the cells of the service, in the order of environments.
    pub fn cells(&self, context: &CellContext<'_>) -> Vec<Cell> {
        let names = context.order.names();
        let before = |position: usize| names.get(position.checked_sub(1)?);
        names
            .iter()
            .enumerate()
            .map(|(position, name)| {
                let here = self.environment(name);
                let current = here.and_then(|here| here.current.as_ref());
                let seen = here.and_then(|here| here.seen);
                let ahead_of = current.zip(before(position)).and_then(|(current, before)| {
                    let runs = self.environment(before).and_then(|before| before.current.as_ref());
                    context.ahead_of(current, before, runs)
                });
                Cell {
                    service: self.service.clone(),
                    environment: name.clone(),
                    current: current.cloned(),
                    health: context.health(name, seen, current.is_some()),
                    behind: here.and_then(|here| here.behind),
                    ahead_of,
                    in_progress: here.and_then(|here| here.in_progress.clone()),
                    failed: here.and_then(|here| here.failed.clone()),
                    holds: context.holds(name),
                }
            })
            .collect()
    }
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

    fn health(&self, name: &EnvironmentName, seen: Option<SeenHealth>, runs: bool) -> CellHealth {
        let known_at = self.known_at(name);
        let health_now = self.knowledge(name).and_then(|known| known.health).zip(known_at);
        let (health, as_of) = match health_now {
            Some((health, at)) => (Some(health), Some(at)),
            None => (seen.map(|seen| seen.health), seen.map(|seen| seen.observed).max(known_at)),
        };
        if !self.is_fresh(as_of) {
            return CellHealth::Unknown { last: health, as_of };
        }
        match health {
            Some(Health::Healthy) => CellHealth::Healthy,
            Some(Health::Progressing | Health::Suspended) => CellHealth::Progressing,
            Some(Health::Degraded) => CellHealth::Degraded,
            Some(Health::Missing) => CellHealth::Missing,
            None if !runs => CellHealth::Missing,
            last @ (Some(Health::Unknown) | None) => CellHealth::Unknown { last, as_of },
        }
    }

    fn ahead_of(
        &self,
        here: &Deployment,
        before: &EnvironmentName,
        runs: Option<&Deployment>,
    ) -> Option<EnvironmentName> {
        let ahead = match runs {
            Some(runs) => here.is_newer_than(runs)?,
            // Nothing runs there, if that is known at all.
            None => self.is_fresh(self.known_at(before)),
        };
        ahead.then(|| before.clone())
    }
}
