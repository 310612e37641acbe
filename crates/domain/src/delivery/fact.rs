//! Facts: what a source says of one stage of one commit, and which facts contradict themselves.

use serde::{Deserialize, Serialize};

use crate::delivery::{CommitSha, Detail, EnvironmentName, ServiceName, Source, Stage, Status};
use crate::time::Timestamp;

/// The longest id of a fact within its source, and the longest name of a job, in bytes.
pub const MAX_ID_BYTES: u32 = 250;
/// The longest link, in bytes.
pub const MAX_LINK_BYTES: u32 = 2_000;
/// The longest text of a detail, in bytes. A source's longer message is cut by whoever reads the source.
pub const MAX_TEXT_BYTES: u32 = 1_000;
/// How far a source's clock may be ahead of the one that facts are observed by, in seconds. A later time would outlive all
/// that is told after it.
pub const MAX_AHEAD_SECONDS: i64 = 3_600;

/// What a source says of one stage of one commit. Facts are only ever added; a later one of the same stage says more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    pub source: Source,
    /// Tells the source's facts apart: the same id is the same fact, however often it is delivered. A job that runs and then
    /// ends is two facts with two ids.
    pub source_id: String,
    pub service: ServiceName,
    /// Where it happened, for the stages of an environment, and only for those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentName>,
    /// The commit of the service, not the one of the GitOps repository.
    pub commit: CommitSha,
    pub stage: Stage,
    /// A part of the stage that goes its own way: a job of CI, a Deployment in one of several clusters. `None` is the stage as a
    /// whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// Grows from 1 with each time that the source begins the same thing: GitHub's `run_attempt`, a Deployment's
    /// `deployment.kubernetes.io/revision`, for an Application, which does not count its operations, the second that one began.
    #[serde(default = "first_attempt")]
    pub attempt: u32,
    pub status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// When it ended, by the source's clock; of a live fact, when the environment began to serve the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
    /// When Tollgate was told.
    pub observed: Timestamp,
    /// Where somebody can look it up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Detail>,
}

fn first_attempt() -> u32 {
    1
}

/// Why a fact is refused, and what to send instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FactError {
    #[error("stage {} happens in each environment: name the one it happened in as `environment`", .0.as_str())]
    EnvironmentMissing(Stage),
    #[error("stage {} is of the change, before any environment: leave `environment` out", .0.as_str())]
    EnvironmentOfChange(Stage),
    #[error(
        "`finished` ({finished}) is before `started` ({started}): send the times as the source has them, in UTC"
    )]
    FinishedBeforeStarted { started: Timestamp, finished: Timestamp },
    #[error(
        "status {} has no end: leave `finished` out, or send the status it ended in: succeeded, failed, cancelled or skipped",
        .0.as_str()
    )]
    FinishedTooSoon(Status),
    #[error("a live fact that succeeded needs `finished`: when the environment began to serve the change")]
    LiveWithoutTime,
    #[error(
        "`{field}` ({at}) is more than an hour after the server's time: set the clock of whoever reports"
    )]
    Ahead { field: &'static str, at: Timestamp },
    #[error("`attempt` counts from 1: leave it out for the first")]
    AttemptZero,
    #[error("`{0}` is empty: leave it out, or say what it is")]
    Empty(&'static str),
    #[error("`{field}` has more than {limit} bytes: shorten it")]
    TooLong { field: &'static str, limit: u32 },
    #[error("`{0}` has a control character in it: send one line of text")]
    Control(&'static str),
    #[error(
        "`link` has to begin with https:// or http:// and have neither spaces nor control characters in it"
    )]
    Link,
    #[error("the detail is one of stage {}, but the fact is of stage {}: send the detail of its stage", .detail.as_str(), .stage.as_str())]
    DetailOfAnotherStage { stage: Stage, detail: Stage },
    #[error("`digest` has to be sha256: and 64 hexadecimal digits in lower case")]
    Digest,
}

impl Fact {
    /// A fact of which nothing is said yet but what it is about, for whoever fills in the rest.
    pub fn about(
        (source, source_id): (Source, String),
        service: &ServiceName,
        commit: CommitSha,
        stage: Stage,
        observed: Timestamp,
    ) -> Fact {
        Fact {
            source,
            source_id,
            service: service.clone(),
            environment: None,
            commit,
            stage,
            job: None,
            attempt: first_attempt(),
            status: Status::Unknown,
            started: None,
            finished: None,
            observed,
            link: None,
            detail: None,
        }
    }

    /// The fact, unless it contradicts itself or is out of bounds. All that come from outside pass through here.
    ///
    /// # Errors
    /// What is wrong, and what to send instead.
    pub fn checked(self) -> Result<Fact, FactError> {
        self.check()?;
        Ok(self)
    }

    /// As [`Fact::checked`], without taking the fact.
    ///
    /// # Errors
    /// What is wrong, and what to send instead.
    pub fn check(&self) -> Result<(), FactError> {
        match (self.stage.is_of_environment(), &self.environment) {
            (true, None) => return Err(FactError::EnvironmentMissing(self.stage)),
            (false, Some(_)) => return Err(FactError::EnvironmentOfChange(self.stage)),
            (true, Some(_)) | (false, None) => {}
        }
        if self.attempt == 0 {
            return Err(FactError::AttemptZero);
        }
        self.check_times()?;
        check_text("source_id", &self.source_id, MAX_ID_BYTES)?;
        if let Some(job) = &self.job {
            check_text("job", job, MAX_ID_BYTES)?;
        }
        if let Some(link) = &self.link {
            check_link(link)?;
        }
        match &self.detail {
            Some(detail) => self.check_detail(detail),
            None => Ok(()),
        }
    }

    fn check_times(&self) -> Result<(), FactError> {
        if let (Some(started), Some(finished)) = (self.started, self.finished)
            && finished < started
        {
            return Err(FactError::FinishedBeforeStarted { started, finished });
        }
        if self.finished.is_some() && !self.status.is_final() {
            return Err(FactError::FinishedTooSoon(self.status));
        }
        if self.stage == Stage::Live && self.status == Status::Succeeded && self.finished.is_none() {
            return Err(FactError::LiveWithoutTime);
        }
        let latest = self.observed.as_second().saturating_add(MAX_AHEAD_SECONDS);
        let committed = match &self.detail {
            Some(Detail::Commit(detail)) => detail.committed,
            _ => None,
        };
        for (field, at) in [("started", self.started), ("finished", self.finished), ("committed", committed)]
        {
            if let Some(at) = at.filter(|at| at.as_second() > latest) {
                return Err(FactError::Ahead { field, at });
            }
        }
        Ok(())
    }

    fn check_detail(&self, detail: &Detail) -> Result<(), FactError> {
        if detail.stage() != self.stage {
            return Err(FactError::DetailOfAnotherStage { stage: self.stage, detail: detail.stage() });
        }
        for (field, text) in detail.texts() {
            check_text(field, text, MAX_TEXT_BYTES)?;
        }
        match detail {
            Detail::Image(image) if image.digest.as_deref().is_some_and(|digest| !is_digest(digest)) => {
                Err(FactError::Digest)
            }
            _ => Ok(()),
        }
    }
}

/// A source's text as a detail takes it: its first line, without control characters, cut to the longest that is taken. `None` where
/// nothing is left.
pub fn fitting(text: &str) -> Option<String> {
    let line = text.trim().lines().next()?;
    let mut fit: String = line.chars().filter(|character| !character.is_control()).collect();
    let mut end = (MAX_ID_BYTES as usize).min(fit.len());
    while !fit.is_char_boundary(end) {
        end -= 1;
    }
    fit.truncate(end);
    let fit = fit.trim();
    (!fit.is_empty()).then(|| fit.to_owned())
}

/// Whether a text is `sha256:` and 64 hexadecimal digits in lower case.
pub(super) fn is_digest(text: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.strip_prefix("sha256:").is_some_and(|digits| digits.len() == 64 && digits.bytes().all(digit))
}

fn check_text(field: &'static str, text: &str, limit: u32) -> Result<(), FactError> {
    if text.trim().is_empty() {
        return Err(FactError::Empty(field));
    }
    check_length(field, text, limit)?;
    // Messages of Argo CD and Kubernetes have several lines.
    if text.chars().any(|character| character.is_control() && character != '\n' && character != '\t') {
        return Err(FactError::Control(field));
    }
    Ok(())
}

fn check_length(field: &'static str, text: &str, limit: u32) -> Result<(), FactError> {
    if text.len() > limit as usize {
        return Err(FactError::TooLong { field, limit });
    }
    Ok(())
}

/// Links are shown as such: `javascript:` must not become one.
fn check_link(link: &str) -> Result<(), FactError> {
    check_length("link", link, MAX_LINK_BYTES)?;
    let rest = link.strip_prefix("https://").or_else(|| link.strip_prefix("http://"));
    let host = rest.is_some_and(|rest| rest.chars().next().is_some_and(char::is_alphanumeric));
    if !host || link.chars().any(|character| character.is_control() || character.is_whitespace()) {
        return Err(FactError::Link);
    }
    Ok(())
}
