//! The state of one change: the join of its facts, whatever their order, however often they come.

mod entries;
mod observation;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::delivery::{CommitSha, EnvironmentName, Fact, ServiceName, Source, Stage, Status};
use crate::time::Timestamp;

pub use observation::Observation;

/// What is known of one commit of one service.
///
/// A join: [`absorb`](ChangeState::absorb) and [`merge`](ChangeState::merge) are commutative, associative and idempotent, so
/// that any order of the same facts, with duplicates, gives an equal state. What it holds is bounded: of each part of a stage
/// and each source the facts of the last attempt that nothing outweighs, each time the change went live, and each time that
/// its rollout or what is live failed or was well again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeState {
    service: ServiceName,
    commit: CommitSha,
    #[serde(with = "entries")]
    parts: BTreeMap<PartKey, Vec<Observation>>,
    #[serde(with = "entries")]
    lives: BTreeMap<LiveKey, LiveMark>,
    #[serde(with = "entries")]
    turns: BTreeMap<TurnKey, Turn>,
}

/// A part of a stage, or the stage as a whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct PartKey {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) environment: Option<EnvironmentName>,
    pub(super) stage: Stage,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) job: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct LiveKey {
    environment: EnvironmentName,
    at: Timestamp,
}

/// One time that a change went live in an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveMark {
    /// The tag that the source saw running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    pub source: Source,
    /// The fact that says so, for drill-down.
    pub source_id: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct TurnKey {
    environment: EnvironmentName,
    stage: Stage,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    job: Option<String>,
    failed: bool,
    occasion: Occasion,
}

/// What tells one turn from another: its time, or where the source does not say that, the attempt, of which the first counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Occasion {
    At(Timestamp),
    Attempt(u32),
}

/// A time that a rollout, or what is live, failed or succeeded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Turn {
    /// By the source's clock where it says when, else when it was observed.
    pub at: Timestamp,
    pub source: Source,
    /// The fact that says so, for drill-down.
    pub source_id: String,
}

impl ChangeState {
    /// The state before any fact.
    pub fn new(service: ServiceName, commit: CommitSha) -> ChangeState {
        ChangeState {
            service,
            commit,
            parts: BTreeMap::new(),
            lives: BTreeMap::new(),
            turns: BTreeMap::new(),
        }
    }

    /// The state that facts of one change give; those of another service or commit than the first are left out. `None`
    /// without facts.
    pub fn of<'a>(facts: impl IntoIterator<Item = &'a Fact>) -> Option<ChangeState> {
        let mut facts = facts.into_iter();
        let first = facts.next()?;
        let mut state = ChangeState::new(first.service.clone(), first.commit.clone());
        state.absorb(first);
        for fact in facts {
            state.absorb(fact);
        }
        Some(state)
    }

    /// The service that it is a change of.
    pub fn service(&self) -> &ServiceName {
        &self.service
    }

    /// The commit that it is.
    pub fn commit(&self) -> &CommitSha {
        &self.commit
    }

    /// Whether no fact was absorbed.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Takes a fact in, and tells whether it said anything new. One of another service or commit says nothing of this change;
    /// commits are compared in full, so that whoever stores facts completes short ones first ([`CommitSha::resolve`]).
    pub fn absorb(&mut self, fact: &Fact) -> bool {
        if fact.service != self.service || fact.commit != self.commit {
            return false;
        }
        let mut changed = self.absorb_turn(fact);
        let key = PartKey { environment: fact.environment.clone(), stage: fact.stage, job: fact.job.clone() };
        changed |= observation::join(self.parts.entry(key).or_default(), [Observation::of(fact)]);
        changed
    }

    /// Takes in all that another state of the same change knows, and tells whether any of it was new.
    pub fn merge(&mut self, other: &ChangeState) -> bool {
        if other.service != self.service || other.commit != self.commit {
            return false;
        }
        let mut changed = false;
        for (key, observations) in &other.parts {
            let mine = self.parts.entry(key.clone()).or_default();
            changed |= observation::join(mine, observations.iter().cloned());
        }
        for (key, mark) in &other.lives {
            changed |= keep_least(&mut self.lives, key.clone(), mark.clone(), LiveMark::order);
        }
        for (key, turn) in &other.turns {
            changed |= keep_least(&mut self.turns, key.clone(), turn.clone(), Turn::clone);
        }
        changed
    }

    fn absorb_turn(&mut self, fact: &Fact) -> bool {
        let Some(environment) = fact.environment.clone() else { return false };
        let at = fact.finished.unwrap_or(fact.observed);
        let failed = match fact.status {
            Status::Failed => true,
            Status::Succeeded => false,
            Status::Unknown | Status::Waiting | Status::Running | Status::Skipped | Status::Cancelled => {
                return false;
            }
        };
        let (source, source_id) = (fact.source, fact.source_id.clone());
        if fact.stage == Stage::Live && !failed {
            let version = match &fact.detail {
                Some(crate::delivery::Detail::Live(detail)) => detail.version.clone(),
                _ => None,
            };
            let mark = LiveMark { version, source, source_id };
            return keep_least(&mut self.lives, LiveKey { environment, at }, mark, LiveMark::order);
        }
        match fact.stage {
            Stage::Rollout | Stage::Live => {}
            // These do not touch what runs.
            Stage::Commit
            | Stage::Ci
            | Stage::Image
            | Stage::Assets
            | Stage::Invalidation
            | Stage::Bump
            | Stage::Sync => return false,
        }
        let occasion = fact.finished.map_or(Occasion::Attempt(fact.attempt), Occasion::At);
        let key = TurnKey { environment, stage: fact.stage, job: fact.job.clone(), failed, occasion };
        keep_least(&mut self.turns, key, Turn { at, source, source_id }, Turn::clone)
    }

    /// The parts that there are facts of, those of the change first, each with what counts, weightiest last.
    pub(super) fn parts(&self) -> impl Iterator<Item = (&PartKey, &[Observation])> {
        self.parts.iter().map(|(key, observations)| (key, observations.as_slice()))
    }

    /// The environments that there are facts of, by name.
    pub fn environments(&self) -> Vec<&EnvironmentName> {
        let mut names: Vec<&EnvironmentName> =
            self.parts.keys().filter_map(|key| key.environment.as_ref()).collect();
        names.dedup();
        names
    }

    /// Each time it went live in an environment, oldest first.
    pub fn lives(&self, environment: &EnvironmentName) -> impl Iterator<Item = (Timestamp, &LiveMark)> {
        let marks = self.lives.iter().filter(move |(key, _)| key.environment == *environment);
        marks.map(|(key, mark)| (key.at, mark))
    }

    /// Each time the rollout in an environment, or what is live there, failed.
    pub fn failures(&self, environment: &EnvironmentName) -> impl Iterator<Item = (Stage, &Turn)> {
        self.turns_that(environment, true)
    }

    /// Each time the rollout in an environment succeeded; what went live are [`lives`](ChangeState::lives).
    pub fn successes(&self, environment: &EnvironmentName) -> impl Iterator<Item = (Stage, &Turn)> {
        self.turns_that(environment, false)
    }

    fn turns_that(
        &self,
        environment: &EnvironmentName,
        failed: bool,
    ) -> impl Iterator<Item = (Stage, &Turn)> {
        let turns =
            self.turns.iter().filter(move |(key, _)| key.environment == *environment && key.failed == failed);
        turns.map(|(key, turn)| (key.stage, turn))
    }
}

impl LiveMark {
    /// Of two that say the same time, the one that knows the version counts.
    fn order(&self) -> (bool, Option<String>, Source, String) {
        (self.version.is_none(), self.version.clone(), self.source, self.source_id.clone())
    }
}

/// Keeps the lesser of two values under a key, and tells whether that is the new one.
fn keep_least<K: Ord, V, O: Ord>(
    map: &mut BTreeMap<K, V>,
    key: K,
    value: V,
    order: impl Fn(&V) -> O,
) -> bool {
    match map.entry(key) {
        std::collections::btree_map::Entry::Vacant(vacant) => {
            vacant.insert(value);
            true
        }
        std::collections::btree_map::Entry::Occupied(mut occupied) => {
            let less = order(&value) < order(occupied.get());
            if less {
                occupied.insert(value);
            }
            less
        }
    }
}
