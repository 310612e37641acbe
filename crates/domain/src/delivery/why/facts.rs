//! What is known of an environment that decides what a change waits for there.

use serde::{Deserialize, Serialize};

use crate::delivery::{Health, Hold, RolloutDetail, Source, SyncStatus, UpdateStrategy};
use crate::time::Timestamp;

/// What is known of one service in one environment. What is absent is not known, and no answer is drawn from it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EnvironmentFacts {
    /// The branch that is delivered.
    pub branch: Option<String>,
    pub automation: Automation,
    pub holds: Vec<Hold>,
    /// The pull request that sets a tag here: the open one, or else the last.
    pub bump: Option<BumpPullRequest>,
    pub argo: Option<ArgoFacts>,
    /// The rollout as last seen, where no fact of the change tells of it.
    pub rollout: Option<RolloutDetail>,
    /// Those that are asked about this environment.
    pub sources: Vec<SourceFacts>,
}

/// What writes the environment's desired tag to Git.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Automation {
    /// Nothing is configured or was found.
    #[default]
    Unknown,
    /// Argo CD Image Updater.
    Updater(UpdaterFacts),
    /// Somebody promotes what runs in the environment before.
    Promotion,
    /// A step of the service's own pipeline.
    Pipeline,
}

/// How Image Updater is configured for an image, and when it last looked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdaterFacts {
    pub mode: UpdaterMode,
    pub strategy: UpdateStrategy,
    /// What follows the image's name: `~1.26`.
    pub constraint: Option<String>,
    pub ignore_tags: Vec<String>,
    /// The regular expression of `allow-tags`.
    pub allow_tags: Option<String>,
    /// Whether that matches the change's tag.
    pub tag_allowed: Option<bool>,
    /// `--interval`, 120 s unless configured.
    pub interval_seconds: u32,
    /// `status.lastCheckedAt` of the ImageUpdater resource; not known in annotation mode.
    pub last_checked: Option<Timestamp>,
}

/// What an updater is kept from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// It may set whatever fits the rest of what it is told.
    Nothing,
    Everything,
    /// From everything but one tag.
    AllBut(String),
}

impl UpdaterFacts {
    /// What the setting keeps the updater from, as a freeze does it.
    pub fn keeps_from(&self) -> Keeps {
        if self.ignore_tags.iter().any(|glob| glob == "*") {
            return Keeps::Everything;
        }
        let only = self.allow_tags.as_deref().and_then(only_tag);
        only.map_or(Keeps::Nothing, Keeps::AllBut)
    }
}

/// The regular expression that matches one tag alone; of the characters of a tag, the dot is the one with a meaning of its own.
pub fn tag_expression(tag: &str) -> String {
    format!("^{}$", tag.replace('.', r"\."))
}

/// The tag that an expression matches, where it is one alone.
fn only_tag(expression: &str) -> Option<String> {
    let literal = expression.strip_prefix('^')?.strip_suffix('$')?;
    let tag = literal.replace(r"\.", ".");
    let is_tag = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (tag.bytes().all(is_tag) && tag_expression(&tag) == expression).then_some(tag)
}

/// Where Image Updater reads its configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpdaterMode {
    /// Annotations of the Application: before 1.0, or where the ImageUpdater resource says `useAnnotations`.
    Annotations,
    /// The ImageUpdater resource. Annotations of the Application are not read then.
    Resource,
}

/// A pull request that sets a tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BumpPullRequest {
    pub number: u32,
    pub link: Option<String>,
    /// The tag that it sets. One that is known to set another than the change's is left out of account.
    pub tag: Option<String>,
    pub state: PullRequestState,
    pub review: Review,
    pub checks: Checks,
}

/// How far a pull request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PullRequestState {
    Open,
    Merged,
    /// Closed without merging.
    Closed,
}

/// What reviewers said of a pull request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Review {
    Unknown,
    NotRequired,
    Required,
    ChangesRequested,
    Approved,
}

/// What the checks of a pull request said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Checks {
    Unknown,
    Running,
    /// The name of one that failed.
    Failing(String),
    Passing,
}

/// What is known of the Application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArgoFacts {
    /// Where somebody can look it up.
    pub link: Option<String>,
    /// `timeout.reconciliation` of argocd-cm, 120 s unless configured.
    pub poll_seconds: u32,
    /// `timeout.reconciliation.jitter`, 60 s unless configured.
    pub jitter_seconds: u32,
    /// `status.reconciledAt`
    pub last_reconciled: Option<Timestamp>,
    /// Whether the revision that Argo CD compares with contains the commit that sets the tag.
    pub sees_commit: Option<bool>,
    pub sync_status: Option<SyncStatus>,
    /// `spec.syncPolicy.automated` is there and not disabled.
    pub auto_sync: bool,
    pub window: SyncWindow,
    /// `status.conditions`
    pub conditions: Vec<Condition>,
    pub health: Option<Health>,
    pub health_message: Option<String>,
}

/// Whether the project's sync windows let the Application be synced now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SyncWindow {
    Open,
    /// Until when, where the windows' schedule says.
    Closed {
        until: Option<Timestamp>,
    },
}

/// A condition of an Application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// `ComparisonError`, `SyncError`, `InvalidSpecError` and others.
    #[serde(rename = "type")]
    pub kind: String,
    pub message: String,
}

/// How a source is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFacts {
    pub source: Source,
    /// When it last answered.
    pub last_success: Option<Timestamp>,
    /// What it said instead the last time, where it did not answer.
    pub error: Option<String>,
    /// After how long what it said no longer counts, in seconds.
    pub stale_after_seconds: u32,
}

impl SourceFacts {
    /// Whether what it last said no longer counts.
    pub fn is_down(&self, now: Timestamp) -> bool {
        self.last_success.is_none_or(|at| {
            now.as_second().saturating_sub(at.as_second()) > i64::from(self.stale_after_seconds)
        })
    }
}
