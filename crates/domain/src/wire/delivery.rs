//! What the delivery pages show: names as text, sentences made by the server, no rule that the browser would have to know.

mod dora;
#[cfg(test)]
mod tests;
mod words;

use serde::{Deserialize, Serialize};

use crate::delivery::{
    Answer, Cell, CellHealth, CommitSha, CriticalPath, DeadlineKind, Detail, EnvironmentName, Health, Hold,
    Mark, NextMove, Part, ServiceName, Stage, Status, Step, StepStatus, Timeline,
};
use crate::time::Timestamp;

pub use dora::{DoraView, DurationsView, EvidenceView};

/// The matrix of services and environments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatrixView {
    /// In their order.
    pub environments: Vec<String>,
    /// By name.
    pub rows: Vec<MatrixRow>,
    pub sources: Vec<SourceView>,
}

/// Who tells of changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceView {
    /// In words.
    pub source: String,
    /// Which of several: `git/acme/gitops`; `None` of one that tells by itself.
    pub reader: Option<String>,
    /// When it last told something; `None` where it has not since the server began.
    pub last_told: Option<Timestamp>,
    /// Why the last that it told could not be taken in, or why it could not be read.
    pub problem: Option<String>,
}

/// One service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatrixRow {
    pub service: String,
    /// Where it is built from, as `owner/name` on GitHub.
    pub repository: Option<String>,
    /// One for each environment; `None` for one that the caller does not see this service in.
    pub cells: Vec<Option<CellView>>,
}

/// One service in one environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellView {
    pub version: Option<String>,
    pub commit: Option<String>,
    /// Since when it runs.
    pub since: Option<Timestamp>,
    pub health: HealthView,
    /// Of unknown health: what it was when it was last known.
    pub last_health: Option<HealthView>,
    /// Of unknown health: when it was last known.
    pub as_of: Option<Timestamp>,
    /// Commits of the service that are newer; `None` where that cannot be told.
    pub behind: Option<u32>,
    /// The environment before, where this one runs something newer.
    pub ahead_of: Option<String>,
    pub in_progress: Option<MarkView>,
    pub failed: Option<MarkView>,
    pub holds: Vec<Hold>,
}

/// How an environment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HealthView {
    Healthy,
    Progressing,
    Degraded,
    Missing,
    Unknown,
}

/// A change at a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkView {
    pub commit: String,
    pub stage: Stage,
    pub status: Status,
}

/// What a pipeline tells of one stage: a fact without what the server adds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    pub service: ServiceName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentName>,
    pub commit: CommitSha,
    pub stage: Stage,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// Counts from 1; the first where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    pub status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Detail>,
}

/// What came of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// How many were not known before: the same report again changes nothing.
    pub new: u32,
}

/// The timeline of one change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineView {
    pub service: String,
    pub commit: String,
    pub title: Option<String>,
    pub author: Option<String>,
    pub branch: Option<String>,
    pub committed: Option<Timestamp>,
    pub pull_request: Option<u32>,
    pub steps: Vec<StepView>,
    pub environments: Vec<EnvironmentView>,
    /// Whether the image and the static bundle of the change are both there.
    pub whole_release: bool,
    /// Of the whole change.
    pub path: Vec<HopView>,
}

/// The stages in one environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentView {
    pub environment: String,
    pub steps: Vec<StepView>,
    /// Why the change is not there yet; `None` where it is not asked.
    pub reason: Option<ReasonView>,
}

/// One stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepView {
    pub stage: Stage,
    pub status: StepStatus,
    pub started: Option<Timestamp>,
    /// `None` while it goes on: it is counted on from `started`.
    pub finished: Option<Timestamp>,
    /// Who tells it, in words.
    pub source: Option<String>,
    /// When something was last told of it.
    pub observed: Option<Timestamp>,
    pub link: Option<String>,
    /// What it carries, in words.
    pub text: Option<String>,
    /// Its parts, where they have names.
    pub parts: Vec<PartView>,
}

/// A job of CI, a Deployment in one of several clusters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartView {
    pub job: String,
    pub status: Status,
    pub attempt: u32,
    pub started: Option<Timestamp>,
    pub finished: Option<Timestamp>,
    pub link: Option<String>,
    pub text: Option<String>,
}

/// A stage on the critical path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HopView {
    pub stage: Stage,
    pub environment: Option<String>,
    pub job: Option<String>,
    pub started: Timestamp,
    pub finished: Option<Timestamp>,
    /// How long nothing happened before it, in seconds.
    pub waited_seconds: i64,
}

/// Why a change is not in an environment yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonView {
    /// The name of the reason, such as `updater-polls`.
    pub kind: String,
    /// With the countdown as it was when the server was asked.
    pub sentence: String,
    /// What it says before and after the countdown, where it has one.
    pub around_countdown: Option<[String; 2]>,
    /// What is counted down to.
    pub deadline: Option<Timestamp>,
    /// Whether something lasts until then, rather than happens then.
    pub lasts: bool,
    pub link: Option<String>,
    pub next_move: NextMove,
}

impl MatrixRow {
    /// The row of the cells of one service.
    pub fn of<'a>(
        service: &str,
        repository: Option<&str>,
        cells: impl IntoIterator<Item = Option<&'a Cell>>,
    ) -> MatrixRow {
        MatrixRow {
            service: service.into(),
            repository: repository.map(Into::into),
            cells: cells.into_iter().map(|cell| cell.map(CellView::of)).collect(),
        }
    }
}

impl CellView {
    fn of(cell: &Cell) -> CellView {
        let current = cell.current.as_ref();
        let (health, last_health, as_of) = match cell.health {
            CellHealth::Healthy => (HealthView::Healthy, None, None),
            CellHealth::Progressing => (HealthView::Progressing, None, None),
            CellHealth::Degraded => (HealthView::Degraded, None, None),
            CellHealth::Missing => (HealthView::Missing, None, None),
            CellHealth::Unknown { last, as_of } => (HealthView::Unknown, last.map(HealthView::of), as_of),
        };
        CellView {
            version: current.and_then(|current| current.version.clone()),
            commit: current.map(|current| current.commit.to_string()),
            since: current.map(|current| current.at),
            health,
            last_health,
            as_of,
            behind: cell.behind,
            ahead_of: cell.ahead_of.as_ref().map(ToString::to_string),
            in_progress: cell.in_progress.as_ref().map(MarkView::of),
            failed: cell.failed.as_ref().map(MarkView::of),
            holds: cell.holds.clone(),
        }
    }
}

impl HealthView {
    fn of(health: Health) -> HealthView {
        match health {
            Health::Healthy => HealthView::Healthy,
            Health::Progressing | Health::Suspended => HealthView::Progressing,
            Health::Degraded => HealthView::Degraded,
            Health::Missing => HealthView::Missing,
            Health::Unknown => HealthView::Unknown,
        }
    }

    /// The word that is shown beside the icon.
    pub fn label(self) -> &'static str {
        match self {
            HealthView::Healthy => "Healthy",
            HealthView::Progressing => "Progressing",
            HealthView::Degraded => "Degraded",
            HealthView::Missing => "Missing",
            HealthView::Unknown => "Unknown",
        }
    }
}

impl MarkView {
    fn of(mark: &Mark) -> MarkView {
        MarkView { commit: mark.commit.to_string(), stage: mark.stage, status: mark.status }
    }
}

impl TimelineView {
    /// A timeline without reasons, which are asked by environment.
    pub fn of(timeline: &Timeline) -> TimelineView {
        let about = &timeline.about;
        let environments = timeline.environments.iter().map(|one| EnvironmentView {
            environment: one.environment.to_string(),
            steps: one.steps.iter().map(StepView::of).collect(),
            reason: None,
        });
        TimelineView {
            service: timeline.service.to_string(),
            commit: timeline.commit.to_string(),
            title: about.title.clone(),
            author: about.author.clone(),
            branch: about.branch.clone(),
            committed: about.committed,
            pull_request: about.pull_request,
            steps: timeline.steps.iter().map(StepView::of).collect(),
            environments: environments.collect(),
            whole_release: timeline.release().is_some_and(|release| release.is_whole()),
            path: path_view(&timeline.critical_path(None)),
        }
    }
}

/// A critical path as it is shown.
pub fn path_view(path: &CriticalPath) -> Vec<HopView> {
    let hops = path.hops.iter().map(|hop| HopView {
        stage: hop.stage,
        environment: hop.environment.as_ref().map(ToString::to_string),
        job: hop.job.clone(),
        started: hop.started,
        finished: hop.finished,
        waited_seconds: hop.waited_seconds,
    });
    hops.collect()
}

impl StepView {
    fn of(step: &Step) -> StepView {
        StepView {
            stage: step.stage,
            status: step.status,
            started: step.started,
            finished: step.finished,
            source: step.source.map(|source| source.label().into()),
            observed: step.observed,
            link: step.link.clone(),
            text: step.detail.as_ref().and_then(words::of),
            parts: step.parts.iter().filter_map(|part| PartView::of(step.stage, part)).collect(),
        }
    }
}

impl PartView {
    fn of(stage: Stage, part: &Part) -> Option<PartView> {
        Some(PartView {
            job: part.job.clone()?,
            status: part.status,
            // In environments a number of the source's own, which says nothing to anybody.
            attempt: if stage.is_of_environment() { 1 } else { part.attempt },
            started: part.started,
            finished: part.finished,
            link: part.link.clone(),
            text: part.detail.as_ref().and_then(words::of),
        })
    }
}

impl ReasonView {
    /// An answer with its sentence.
    pub fn of(answer: &Answer) -> ReasonView {
        ReasonView {
            kind: answer.reason.kind().into(),
            sentence: answer.to_string(),
            around_countdown: answer.around_countdown(),
            deadline: answer.deadline.map(|deadline| deadline.at),
            lasts: answer.deadline.is_some_and(|deadline| deadline.kind == DeadlineKind::Until),
            link: answer.link.clone(),
            next_move: answer.reason.next_move(),
        }
    }
}
