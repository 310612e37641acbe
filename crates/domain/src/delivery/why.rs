//! Why a change is not in an environment yet: one reason, with a countdown where one exists.

mod change;
mod environment;
mod facts;
mod reason;
mod sentence;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::delivery::{
    ChangeState, ChangeSummary, Deployment, EnvironmentName, EnvironmentOrder, Source, Stage, Status, Step,
    Timeline,
};
use crate::time::Timestamp;

pub use facts::{
    ArgoFacts, Automation, BumpPullRequest, Checks, Condition, EnvironmentFacts, Keeps, PullRequestState,
    Review, SourceFacts, SyncWindow, UpdaterFacts, UpdaterMode, tag_expression,
};
pub use reason::{NextMove, Reason};

/// What is asked, and what is known.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// `None` where no fact of the commit is known.
    pub state: Option<&'a ChangeState>,
    pub environment: &'a EnvironmentName,
    pub order: &'a EnvironmentOrder,
    /// What went live in the environment, oldest first, as from [`deployments`](crate::delivery::deployments).
    pub history: &'a [Deployment],
    pub facts: &'a EnvironmentFacts,
    pub now: Timestamp,
}

/// Why a change is not there yet. Its `Display` is the sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub reason: Reason,
    /// When it goes on, where that is known and to come.
    pub deadline: Option<Deadline>,
    /// Where somebody can look it up.
    pub link: Option<String>,
    /// When it was asked: the sentence counts from here.
    pub asked: Timestamp,
}

/// A time that something is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadline {
    pub at: Timestamp,
    pub kind: DeadlineKind,
}

/// How a deadline is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeadlineKind {
    /// It happens then: "in 1 m 20 s".
    In,
    /// It lasts until then: "until 18:00 UTC".
    Until,
}

/// A reason on its way to an answer.
pub(super) struct Finding {
    reason: Reason,
    deadline: Option<Deadline>,
    link: Option<String>,
    /// The source whose silence would make the reason a guess; `None` where it holds whatever has happened since.
    rests_on: Option<Source>,
}

impl Finding {
    fn of(reason: Reason) -> Finding {
        Finding { reason, deadline: None, link: None, rests_on: None }
    }

    fn link(self, link: Option<&String>) -> Finding {
        Finding { link: link.cloned(), ..self }
    }

    fn rests_on(self, source: Source) -> Finding {
        Finding { rests_on: Some(source), ..self }
    }

    fn within(self, at: Option<Timestamp>, kind: DeadlineKind) -> Finding {
        Finding { deadline: at.map(|at| Deadline { at, kind }), ..self }
    }
}

/// What the decisions are made from.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    question: &'a Question<'a>,
    state: &'a ChangeState,
    timeline: &'a Timeline,
    /// When it last went live here, if something else took its place: what began before is over.
    since: Option<Timestamp>,
}

/// Why a change is not in an environment yet, or that it is.
///
/// The way is walked back from its end: what is live, the rollout, the sync, the tag in Git, then the image and CI; the first of
/// these that anything is known of decides. A reason that waits for something is only given while the source that would tell
/// of it answers; else what is known is that nothing is.
pub fn why(question: &Question<'_>) -> Answer {
    let finding = match question.state.filter(|state| !state.is_empty()) {
        None => Finding::of(Reason::UnknownCommit),
        Some(state) => {
            let timeline = Timeline::of(state, question.order);
            let since = state.lives(question.environment).map(|(at, _)| at).last();
            let known = Known { question, state, timeline: &timeline, since };
            known.live().unwrap_or_else(|| known.on_its_way())
        }
    };
    let now = question.now;
    let finding = match finding.rests_on.and_then(|source| down(question, source)) {
        Some(down) => Finding::of(down),
        None => finding,
    };
    let deadline = finding.deadline.filter(|deadline| deadline.at > now);
    Answer { reason: finding.reason, deadline, link: finding.link, asked: now }
}

fn down(question: &Question<'_>, source: Source) -> Option<Reason> {
    let facts = question.facts.sources.iter().find(|facts| facts.source == source)?;
    facts.is_down(question.now).then(|| Reason::SourceDown {
        source,
        since: facts.last_success,
        error: facts.error.clone(),
    })
}

impl Known<'_> {
    /// The answer from what is live, if the change is, was, or is contained in what is.
    fn live(&self) -> Option<Finding> {
        let question = self.question;
        let current = question.history.last()?;
        let step = self.timeline.step(Stage::Live, Some(question.environment));
        let link = step.and_then(|step| step.link.as_ref());
        if current.commit == *self.state.commit() {
            return Some(Finding::of(Reason::AlreadyLive { since: current.at }).link(link));
        }
        if self.is_coming_back(current) {
            return None;
        }
        let newer = crate::delivery::is_newer(
            (current.committed, &current.commit),
            (self.timeline.about.committed, self.state.commit()),
        );
        let was_live = question.history.iter().any(|earlier| earlier.commit == *self.state.commit());
        let (version, commit) = (current.version.clone(), current.commit.clone());
        match newer {
            Some(true) => Some(Finding::of(Reason::Superseded { version, commit })),
            // Something older, or of unknown age, took its place.
            Some(false) | None if was_live => {
                let holds = question.facts.holds.iter().filter(|hold| hold.is_active(question.now));
                let held_by = holds.max_by_key(|hold| (hold.since, &hold.by)).map(|hold| hold.by.clone());
                Some(Finding::of(Reason::RolledBack { version, commit, at: current.at, held_by }))
            }
            Some(false) | None => None,
        }
    }

    /// Whether something was told of the change's way here after what is live now went live.
    fn is_coming_back(&self, current: &Deployment) -> bool {
        let reached = ChangeSummary::of(self.state)
            .environment(self.question.environment)
            .and_then(|here| here.reached);
        reached.is_some_and(|reached| {
            let arrived = reached.stage == Stage::Live && reached.status == Status::Succeeded;
            reached.at > current.at && !arrived
        })
    }

    fn on_its_way(&self) -> Finding {
        let here = |stage| self.status(stage, true);
        let merged = self.bump_pull_request().is_some_and(|one| one.state == PullRequestState::Merged);
        if here(Stage::Live).is_some()
            || here(Stage::Rollout).is_some()
            || here(Stage::Sync) == Some(Status::Succeeded)
        {
            self.rollout()
        } else if here(Stage::Sync).is_some() || here(Stage::Bump) == Some(Status::Succeeded) || merged {
            self.sync()
        } else if here(Stage::Bump).is_some() || self.bump_pull_request().is_some() {
            self.bump()
        } else {
            self.built()
        }
    }

    /// How far a stage has come, here or of the change; `None` where nothing is known of it.
    fn status(&self, stage: Stage, here: bool) -> Option<Status> {
        let step = if here { self.here(stage)? } else { self.timeline.step(stage, None)? };
        step.status.known().filter(|status| *status != Status::Unknown)
    }

    /// A stage in the environment, if anything is known of it that is not over.
    fn here(&self, stage: Stage) -> Option<&Step> {
        let step = self.timeline.step(stage, Some(self.question.environment))?;
        (step.begun() > self.since).then_some(step)
    }
}
