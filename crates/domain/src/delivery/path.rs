//! The critical path of a change: the stages that each waited for the one before, from the commit to the last that happened.

use serde::{Deserialize, Serialize};

use crate::delivery::timeline::seconds_between;
use crate::delivery::{EnvironmentName, Part, Stage, Status, Step, Timeline};
use crate::time::Timestamp;

/// What a change spent its time on, first stage first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CriticalPath {
    pub hops: Vec<Hop>,
}

/// A stage on the critical path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    pub stage: Stage,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// When it began; when it ended, where only that is known.
    pub started: Timestamp,
    /// `None` while it goes on.
    pub finished: Option<Timestamp>,
    /// How long nothing happened between the end of the hop before and the beginning of this one, in seconds.
    pub waited_seconds: i64,
}

impl Hop {
    /// How long it took, in seconds, or has taken until `now`.
    pub fn seconds(&self, now: Timestamp) -> i64 {
        seconds_between(self.started, self.finished.unwrap_or(now))
    }
}

impl CriticalPath {
    /// From the beginning of the first hop to the end of the last, or to `now` while that goes on, in seconds; `None` where
    /// nothing is known.
    pub fn total_seconds(&self, now: Timestamp) -> Option<i64> {
        let (first, last) = (self.hops.first()?, self.hops.last()?);
        Some(seconds_between(first.started, last.finished.unwrap_or(now)))
    }
}

/// A part of a stage that has a place in time.
#[derive(Clone, Copy)]
struct Node<'a> {
    stage: Stage,
    environment: Option<&'a EnvironmentName>,
    part: &'a Part,
    started: Timestamp,
}

impl Timeline {
    /// The critical path to an environment, or of the whole change where none is named.
    ///
    /// It is walked back from the part that goes on, or that ended last: before each stands, of the stage it waited for (or
    /// the nearest before that with times), the part that ended last among those that began before this one ended. Parts that
    /// were skipped are not on it.
    pub fn critical_path(&self, environment: Option<&EnvironmentName>) -> CriticalPath {
        let nodes = self.nodes(environment);
        let Some(mut node) = nodes.iter().max_by_key(|node| node.place()).copied() else {
            return CriticalPath::default();
        };
        let mut hops = Vec::new();
        loop {
            let before = node.before(&nodes);
            let waited = before.and_then(|before| before.part.finished);
            hops.push(Hop {
                stage: node.stage,
                environment: node.environment.cloned(),
                job: node.part.job.clone(),
                started: node.started,
                finished: node.part.finished,
                waited_seconds: waited.map_or(0, |end| seconds_between(end, node.started)),
            });
            let Some(before) = before else { break };
            node = before;
        }
        hops.reverse();
        CriticalPath { hops }
    }

    fn nodes(&self, environment: Option<&EnvironmentName>) -> Vec<Node<'_>> {
        let wanted =
            self.environments.iter().filter(|one| environment.is_none_or(|name| one.environment == *name));
        let of_environments =
            wanted.flat_map(|one| one.steps.iter().map(|step| (Some(&one.environment), step)));
        let steps = self.steps.iter().map(|step| (None, step)).chain(of_environments);
        steps.flat_map(|(environment, step)| step_nodes(environment, step)).collect()
    }
}

fn step_nodes<'a>(
    environment: Option<&'a EnvironmentName>,
    step: &'a Step,
) -> impl Iterator<Item = Node<'a>> {
    let counts = |part: &&Part| !matches!(part.status, Status::Skipped | Status::Unknown);
    step.own_parts().filter(counts).filter_map(move |part| {
        let started = part.started.or(part.finished)?;
        Some(Node { stage: step.stage, environment, part, started })
    })
}

impl<'a> Node<'a> {
    /// By which the last is found: what goes on is later than all that ended.
    fn place(&self) -> (bool, Option<Timestamp>, Timestamp, Stage) {
        (self.part.finished.is_none(), self.part.finished, self.started, self.stage)
    }

    fn before(&self, nodes: &[Node<'a>]) -> Option<Node<'a>> {
        let mut stage = self.stage.previous();
        while let Some(earlier) = stage {
            let candidates = nodes.iter().filter(|other| {
                let here = other.environment.is_none() || other.environment == self.environment;
                let began = self.part.finished.is_none_or(|end| other.started <= end);
                other.stage == earlier && here && began
            });
            if let Some(last) = candidates.max_by_key(|other| other.place()) {
                return Some(*last);
            }
            stage = earlier.previous();
        }
        None
    }
}
