//! Why GitHub's API did not answer what was asked.

use std::time::Duration;

use jiff::Timestamp;

use crate::reader::ReadError;

/// What went wrong with a request: `request` is its method and path.
#[derive(Clone, Debug, thiserror::Error)]
pub enum GithubError {
    #[error("{0}")]
    Configuration(String),
    /// Answered for all later requests too, without sending them.
    #[error("GitHub limits how often it is asked: {request} has to wait until {until}")]
    Limited { request: String, until: Timestamp },
    #[error("{request} was answered {status}: {message}{}", .advice.as_deref().map(|advice| format!("; {advice}")).unwrap_or_default())]
    Refused { request: String, status: u16, message: String, advice: Option<String> },
    /// Of a mutation in GraphQL, whose answer has a status that says nothing.
    #[error("{request} failed: {message} ({kind})")]
    Failed { request: String, kind: String, message: String },
    #[error(
        "the GitHub App is not installed on {repository}: install it there, or correct the repository's name"
    )]
    NotInstalled { repository: String },
    #[error("{request} was not answered: {problem}")]
    Unreachable { request: String, problem: String },
    #[error("{request} was answered with what cannot be read: {problem}")]
    Unreadable { request: String, problem: String },
    #[error(
        "{request} was answered by sending us on to {location}, which is another server: the token is for the configured one alone; correct the address of the API"
    )]
    Elsewhere { request: String, location: String },
}

impl GithubError {
    /// The status of a refusal.
    pub fn status(&self) -> Option<u16> {
        match self {
            GithubError::Refused { status, .. } => Some(*status),
            GithubError::Configuration(_)
            | GithubError::Limited { .. }
            | GithubError::Failed { .. }
            | GithubError::NotInstalled { .. }
            | GithubError::Unreachable { .. }
            | GithubError::Unreadable { .. }
            | GithubError::Elsewhere { .. } => None,
        }
    }

    /// How long GitHub said to wait.
    pub fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        match self {
            GithubError::Limited { until, .. } => {
                Some(Duration::try_from(until.duration_since(now)).unwrap_or_default())
            }
            GithubError::Configuration(_)
            | GithubError::Refused { .. }
            | GithubError::Failed { .. }
            | GithubError::NotInstalled { .. }
            | GithubError::Unreachable { .. }
            | GithubError::Unreadable { .. }
            | GithubError::Elsewhere { .. } => None,
        }
    }

    /// Whether other requests would fare the same.
    pub(super) fn is_of_all(&self) -> bool {
        match self {
            GithubError::Configuration(_)
            | GithubError::Limited { .. }
            | GithubError::NotInstalled { .. }
            | GithubError::Unreachable { .. }
            | GithubError::Elsewhere { .. } => true,
            GithubError::Refused { status, .. } => *status == 401,
            GithubError::Failed { .. } | GithubError::Unreadable { .. } => false,
        }
    }
}

impl From<GithubError> for ReadError {
    fn from(error: GithubError) -> ReadError {
        ReadError { message: error.to_string(), retry_after: error.retry_after(Timestamp::now()) }
    }
}
