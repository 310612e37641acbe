//! What a fact says beside whom it is about, which of two says more, and which of many are worth keeping.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::delivery::{Detail, Fact, Source, Status};
use crate::time::Timestamp;

/// A fact without the change, the stage and the part that it is about.
///
/// Ordered by weight, and totally, so that no two differing observations are equal: the later attempt, in it the one that came
/// further, of those the one that ended later (or was observed later, where nothing ended), then the later observed, and at last
/// the source, its id and all else, so that ties are broken alike everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    pub source: Source,
    pub source_id: String,
    pub attempt: u32,
    pub status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
    pub observed: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Detail>,
}

impl Observation {
    pub(super) fn of(fact: &Fact) -> Observation {
        Observation {
            source: fact.source,
            source_id: fact.source_id.clone(),
            attempt: fact.attempt,
            status: fact.status,
            started: fact.started,
            finished: fact.finished,
            observed: fact.observed,
            link: fact.link.clone(),
            detail: fact.detail.clone(),
        }
    }

    /// When it ended, where it did; when it was observed at the latest.
    pub fn ended(&self) -> Option<Timestamp> {
        self.status.is_final().then(|| self.finished.unwrap_or(self.observed))
    }

    fn weight(&self) -> impl Ord {
        (
            self.attempt,
            self.status.progress(),
            self.ended().unwrap_or(self.observed),
            self.observed,
            self.source,
        )
    }
}

impl Ord for Observation {
    fn cmp(&self, other: &Observation) -> Ordering {
        self.weight()
            .cmp(&other.weight())
            .then_with(|| self.source_id.cmp(&other.source_id))
            .then_with(|| self.status.cmp(&other.status))
            .then_with(|| self.started.cmp(&other.started))
            .then_with(|| self.finished.cmp(&other.finished))
            .then_with(|| self.link.cmp(&other.link))
            .then_with(|| self.detail.cmp(&other.detail))
    }
}

impl PartialOrd for Observation {
    fn partial_cmp(&self, other: &Observation) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Adds observations to those that are kept, and tells whether the kept ones changed.
///
/// Kept are, of each source's last attempt: the weightiest, the weightiest with a detail and with a link, and the one that
/// started first. Each is the greatest by a fixed order among those that qualify, so what is kept of a union is what is kept of
/// the kept ones, and the order of arrival leaves no trace.
pub(super) fn join(kept: &mut Vec<Observation>, added: impl IntoIterator<Item = Observation>) -> bool {
    let before = kept.clone();
    kept.extend(added);
    kept.sort();
    kept.dedup();
    let keep: Vec<bool> = kept.iter().map(|one| is_worth_keeping(one, kept)).collect();
    let mut keep = keep.into_iter();
    kept.retain(|_| keep.next().unwrap_or(false));
    *kept != before
}

fn is_worth_keeping(one: &Observation, sorted: &[Observation]) -> bool {
    let peers = || sorted.iter().filter(|other| other.source == one.source);
    if peers().any(|other| other.attempt > one.attempt) {
        return false;
    }
    let attempt = || peers().filter(|other| other.attempt == one.attempt);
    let last = |qualifies: fn(&Observation) -> bool| attempt().rfind(|other| qualifies(other));
    let first_started = attempt()
        .filter(|other| other.started.is_some())
        .min_by(|left, right| left.started.cmp(&right.started).then_with(|| right.cmp(left)));
    [last(|_| true), last(|other| other.detail.is_some()), last(|other| other.link.is_some()), first_started]
        .into_iter()
        .flatten()
        .any(|other| other == one)
}
