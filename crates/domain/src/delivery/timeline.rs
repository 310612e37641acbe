//! The timeline of one change: every stage in order, with what is known of it and what is not.

use serde::{Deserialize, Serialize};

use crate::delivery::{
    AssetsDetail, ChangeState, CommitDetail, CommitSha, Detail, EnvironmentName, EnvironmentOrder,
    ImageDetail, Observation, ServiceName, Source, Stage, Status,
};
use crate::time::Timestamp;

/// Every stage of one change. It holds no age and no running duration, so that it only differs when a fact says something new;
/// those are asked for with the time: [`Step::seconds`], [`Step::age_seconds`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    pub service: ServiceName,
    pub commit: CommitSha,
    /// Author, title, time, as far as known.
    pub about: CommitDetail,
    /// The stages of the change, as in [`Stage::OF_CHANGE`].
    pub steps: Vec<Step>,
    /// Those that are configured, in their order, then others that there are facts of, by name.
    pub environments: Vec<EnvironmentSteps>,
}

/// The stages in one environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentSteps {
    pub environment: EnvironmentName,
    /// As in [`Stage::OF_ENVIRONMENT`].
    pub steps: Vec<Step>,
}

/// How far a stage has come, or why that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepStatus {
    /// No fact is known, nor any of a stage after it.
    NotReached,
    /// No fact is known although a stage after it has happened: it was passed unseen.
    Unseen,
    Known(Status),
}

/// One stage of a timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub stage: Stage,
    pub status: StepStatus,
    /// When the first of its parts began.
    pub started: Option<Timestamp>,
    /// When the last of its parts ended; `None` while one goes on.
    pub finished: Option<Timestamp>,
    /// Who told what decides the status.
    pub source: Option<Source>,
    /// When something was last told of it.
    pub observed: Option<Timestamp>,
    pub link: Option<String>,
    pub detail: Option<Detail>,
    /// The jobs of CI, the Deployments of several clusters; a stage that has no parts is its own only one.
    pub parts: Vec<Part>,
}

/// A part of a stage, after its last attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// `None` is the stage as a whole.
    pub job: Option<String>,
    pub status: Status,
    pub attempt: u32,
    pub started: Option<Timestamp>,
    /// When it ended; when that was observed, where the source does not say.
    pub finished: Option<Timestamp>,
    pub source: Source,
    pub observed: Timestamp,
    pub link: Option<String>,
    pub detail: Option<Detail>,
}

/// The static bundle and the backend's image of one change, side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release<'a> {
    pub image: &'a Step,
    pub assets: &'a Step,
    pub invalidation: &'a Step,
}

impl Timeline {
    /// The timeline of a change over the environments of an installation.
    pub fn of(state: &ChangeState, order: &EnvironmentOrder) -> Timeline {
        let mut names: Vec<&EnvironmentName> = order.names().iter().collect();
        let others: Vec<&EnvironmentName> =
            state.environments().into_iter().filter(|name| !names.contains(name)).collect();
        names.extend(others);
        let mut steps = steps_of(state, None, &Stage::OF_CHANGE);
        let environments: Vec<EnvironmentSteps> = names
            .into_iter()
            .map(|name| {
                let mut steps = steps_of(state, Some(name), &Stage::OF_ENVIRONMENT);
                mark_unseen(&mut steps, &[]);
                EnvironmentSteps { environment: name.clone(), steps }
            })
            .collect();
        let happened: Vec<Stage> = environments.iter().flat_map(|one| happened(&one.steps)).collect();
        mark_unseen(&mut steps, &happened);
        let about = match steps.first().and_then(|step| step.detail.clone()) {
            Some(Detail::Commit(detail)) => detail,
            _ => CommitDetail::default(),
        };
        Timeline {
            service: state.service().clone(),
            commit: state.commit().clone(),
            about,
            steps,
            environments,
        }
    }

    /// A stage of the change, or of an environment.
    pub fn step(&self, stage: Stage, environment: Option<&EnvironmentName>) -> Option<&Step> {
        let steps = match environment {
            None => &self.steps,
            Some(name) => &self.environments.iter().find(|one| one.environment == *name)?.steps,
        };
        steps.iter().find(|step| step.stage == stage)
    }

    /// The image and the bundle that the change was built into.
    pub fn release(&self) -> Option<Release<'_>> {
        Some(Release {
            image: self.step(Stage::Image, None)?,
            assets: self.step(Stage::Assets, None)?,
            invalidation: self.step(Stage::Invalidation, None)?,
        })
    }
}

impl<'a> Release<'a> {
    /// What is known of the image.
    pub fn image_detail(&self) -> Option<&'a ImageDetail> {
        match &self.image.detail {
            Some(Detail::Image(detail)) => Some(detail),
            _ => None,
        }
    }

    /// What is known of the bundle.
    pub fn assets_detail(&self) -> Option<&'a AssetsDetail> {
        match &self.assets.detail {
            Some(Detail::Assets(detail)) => Some(detail),
            _ => None,
        }
    }

    /// Whether image and bundle are both there, so that neither can be newer than the other.
    pub fn is_whole(&self) -> bool {
        let there = StepStatus::Known(Status::Succeeded);
        self.image.status == there && self.assets.status == there
    }
}

impl StepStatus {
    /// How far the stage has come, where that is known.
    pub fn known(self) -> Option<Status> {
        match self {
            StepStatus::NotReached | StepStatus::Unseen => None,
            StepStatus::Known(status) => Some(status),
        }
    }

    /// The name in exports and in style sheets.
    pub fn as_str(self) -> &'static str {
        match self {
            StepStatus::NotReached => "not-reached",
            StepStatus::Unseen => "unseen",
            StepStatus::Known(status) => status.as_str(),
        }
    }
}

impl Step {
    /// How long it took, in seconds; of one that goes on, how long until `now`. `None` where no beginning is known.
    pub fn seconds(&self, now: Timestamp) -> Option<i64> {
        let end = match self.status.known()? {
            Status::Unknown => self.finished?,
            _ => self.finished.unwrap_or(now),
        };
        Some(seconds_between(self.started?, end))
    }

    /// How long ago something was last told of it, in seconds.
    pub fn age_seconds(&self, now: Timestamp) -> Option<i64> {
        Some(seconds_between(self.observed?, now))
    }

    /// When it began, as far as that is known: when it ended, or was observed, at the latest.
    pub(super) fn begun(&self) -> Option<Timestamp> {
        self.started.or(self.finished).or(self.observed)
    }

    /// The parts that have names; the whole stage where none has.
    pub(super) fn own_parts(&self) -> impl Iterator<Item = &Part> {
        let named = self.parts.iter().any(|part| part.job.is_some());
        self.parts.iter().filter(move |part| part.job.is_some() == named)
    }

    fn without_facts(stage: Stage) -> Step {
        Step {
            stage,
            status: StepStatus::NotReached,
            started: None,
            finished: None,
            source: None,
            observed: None,
            link: None,
            detail: None,
            parts: Vec::new(),
        }
    }

    fn of(stage: Stage, parts: Vec<Part>) -> Step {
        let Some(deciding) = deciding(&parts) else { return Step::without_facts(stage) };
        let open = parts.iter().any(|part| !part.status.is_final());
        let settled = deciding.job.is_none() && deciding.status.is_final();
        let last = parts.iter().filter_map(|part| part.finished).max();
        Step {
            stage,
            status: StepStatus::Known(deciding.status),
            started: parts.iter().filter_map(|part| part.started).min(),
            finished: last.filter(|_| settled || !open),
            source: Some(deciding.source),
            observed: parts.iter().map(|part| part.observed).max(),
            link: deciding.link.clone(),
            detail: deciding.detail.clone(),
            parts,
        }
    }
}

impl Part {
    /// How long it took, in seconds; of one that goes on, how long until `now`. `None` where no beginning is known.
    pub fn seconds(&self, now: Timestamp) -> Option<i64> {
        Some(seconds_between(self.started?, self.finished.unwrap_or(now)))
    }

    /// What the kept observations of one part amount to; they are sorted by weight.
    pub(super) fn of(job: Option<String>, observations: &[Observation]) -> Option<Part> {
        let (weightiest, others) = observations.split_last()?;
        let attempt = observations.iter().filter(|other| other.attempt == weightiest.attempt);
        let mut detail = weightiest.detail.clone();
        for other in others.iter().rev().filter_map(|other| other.detail.as_ref()) {
            match &mut detail {
                Some(detail) => detail.complete_from(other),
                None => detail = Some(other.clone()),
            }
        }
        let link = observations.iter().rev().find_map(|other| other.link.clone());
        Some(Part {
            job,
            status: weightiest.status,
            attempt: weightiest.attempt,
            started: attempt.filter_map(|other| other.started).min(),
            finished: weightiest.ended(),
            source: weightiest.source,
            observed: weightiest.observed,
            link,
            detail,
        })
    }
}

/// Seconds from one time to another; none where clocks disagree about their order.
pub(super) fn seconds_between(start: Timestamp, end: Timestamp) -> i64 {
    end.as_second().saturating_sub(start.as_second()).max(0)
}

fn steps_of(state: &ChangeState, environment: Option<&EnvironmentName>, stages: &[Stage]) -> Vec<Step> {
    let parts = |stage: Stage| -> Vec<Part> {
        let of_stage =
            state.parts().filter(|(key, _)| key.stage == stage && key.environment.as_ref() == environment);
        of_stage.filter_map(|(key, observations)| Part::of(key.job.clone(), observations)).collect()
    };
    stages.iter().map(|stage| Step::of(*stage, parts(*stage))).collect()
}

/// The part that the stage as a whole is told by. What is told of the whole decides once it has ended: a workflow may succeed
/// with a job that was allowed to fail. Before that, and after another attempt at a part began, the worst part decides.
fn deciding(parts: &[Part]) -> Option<&Part> {
    let newest = parts.iter().map(|part| part.attempt).max()?;
    let whole = parts.iter().find(|part| part.job.is_none());
    let settled = whole.filter(|whole| whole.status.is_final() && whole.attempt == newest);
    settled.or_else(|| {
        parts.iter().max_by(|left, right| {
            urgency(left.status)
                .cmp(&urgency(right.status))
                .then_with(|| left.finished.cmp(&right.finished))
                .then_with(|| right.job.cmp(&left.job))
        })
    })
}

/// How much one part of this status decides about its stage.
fn urgency(status: Status) -> u8 {
    match status {
        Status::Skipped => 0,
        Status::Succeeded => 1,
        Status::Unknown => 2,
        Status::Cancelled => 3,
        Status::Waiting => 4,
        Status::Running => 5,
        Status::Failed => 6,
    }
}

/// The stages that something is known to have happened in.
fn happened(steps: &[Step]) -> Vec<Stage> {
    let known = |step: &&Step| step.status.known().is_some_and(|status| status != Status::Unknown);
    steps.iter().filter(known).map(|step| step.stage).collect()
}

/// Tells the stages that were passed unseen from those that are not reached, by what happened here and `elsewhere`.
fn mark_unseen(steps: &mut [Step], elsewhere: &[Stage]) {
    let mut later = happened(steps);
    later.extend(elsewhere);
    for step in steps.iter_mut().filter(|step| step.status == StepStatus::NotReached) {
        if later.iter().any(|stage| stage.comes_after(step.stage)) {
            step.status = StepStatus::Unseen;
        }
    }
}
