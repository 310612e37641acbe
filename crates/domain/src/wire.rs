//! The slim projections that the server sends to the browser and the command line prints; sized integers only.

pub mod delivery;
pub mod gitops;
mod releases;

use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::access::Permission;
use crate::change::{Change, ChangeStatus, Plan};
use crate::delivery::ServiceName;
use crate::evidence::{DayCount, Evidence};
use crate::gitops::OperationId;
use crate::instance::{HttpTokens, Instance, InstanceKey, InstanceState, Toggle};
use crate::policy::{PolicyOutcome, Severity};
use crate::source::{MetadataDefaults, SourceState, SourceStatus};
use crate::summary::Summary;
use crate::verdict::Verdict;

pub use self::releases::{
    ActivationRow, InvalidationState, ReleaseBoard, ReleaseRow, Releases, RolledBack, UnderWayRow,
};

/// The version of the contract between the browser's bundle and the server; raised when an old page can no longer be served.
pub const API_VERSION: u32 = 1;

/// The most rows a list answers at once.
pub const MAX_LIST_LIMIT: u32 = 1_000;

/// The most instances whose ids are answered at once; a longer list is a file.
pub const MAX_IDS: u32 = 10_000;

/// One row of the fleet list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListRow {
    pub account: String,
    pub alias: String,
    pub region: String,
    pub instance_id: String,
    /// Empty where the instance has no `Name` tag.
    pub name: String,
    pub state: InstanceState,
    pub instance_type: String,
    pub availability_zone: Option<String>,
    pub verdict: Verdict,
    pub http_tokens: Option<HttpTokens>,
    pub http_endpoint: Option<Toggle>,
    pub hop_limit: Option<u8>,
    /// A name from [`PolicyOutcome::KINDS`].
    pub policy: String,
    pub violations: u32,
    pub launch_time: Option<Timestamp>,
    pub auto_scaling_group: Option<String>,
    pub image_id: Option<String>,
    pub vpc_id: Option<String>,
    /// The service that manages the instance.
    pub operator: Option<String>,
}

/// A window of the fleet list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListPage {
    /// All instances known.
    pub total: u32,
    /// Those that match the query.
    pub matched: u32,
    pub offset: u32,
    pub rows: Vec<ListRow>,
    /// Grows whenever the view that lists are answered from is replaced.
    pub revision: i64,
    /// The oldest successful read among the sources; `None` before the first.
    pub as_of: Option<Timestamp>,
}

/// One account-region with its state and counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceRow {
    pub status: SourceStatus,
    pub state: SourceState,
    pub summary: Summary,
}

/// A point of the fleet's trend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrendPoint {
    pub at: Timestamp,
    pub summary: Summary,
}

/// Something that was seen to change about an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryItem {
    pub key: InstanceKey,
    pub at: Timestamp,
    /// `appeared`, `options-changed`, `state-changed`, `vanished`, `returned`.
    pub kind: String,
    /// What changed, in words.
    pub text: String,
}

/// The overview page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    pub summary: Summary,
    pub sources: Vec<SourceRow>,
    /// Oldest first.
    pub trend: Vec<TrendPoint>,
    /// Since the start of the day in UTC, newest first.
    pub changed_today: Vec<HistoryItem>,
    /// Instances per policy outcome, in the order of [`PolicyOutcome::KINDS`].
    pub policy: Vec<(String, u32)>,
    pub revision: i64,
    pub as_of: Option<Timestamp>,
}

/// Where a metadata setting came from, as far as known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// `launch template`, `AMI`, `account default`, `operator`.
    pub from: String,
    pub name: String,
    /// What it says, or why it could not be read.
    pub text: String,
}

/// One instance with all that its page shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceDetail {
    pub instance: Instance,
    pub alias: String,
    pub verdict: Verdict,
    /// The verdict in a sentence with its reason.
    pub sentence: String,
    pub policy: PolicyOutcome,
    pub source: SourceRow,
    pub defaults: Option<MetadataDefaults>,
    /// Newest first.
    pub changes: Vec<Change>,
    /// Newest first.
    pub history: Vec<HistoryItem>,
    /// Set when the instance is no longer listed: when it was last seen.
    pub vanished: Option<Timestamp>,
    /// Why IMDSv2 cannot be enforced now; `None` when it can be planned.
    pub enforce_disabled: Option<String>,
    /// Why what a change replaced cannot be put back now; `None` when it can be planned.
    #[serde(default)]
    pub restore_disabled: Option<String>,
}

/// What CloudWatch says of the use of IMDSv1 over the last days.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UseReport {
    /// What the configuration allows, in a sentence.
    pub configuration: String,
    pub evidence: Evidence,
    /// The evidence in a sentence.
    pub sentence: String,
    /// Oldest first.
    pub days: Vec<DayCount>,
}

/// AWS's answer to the same call with `DryRun`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preflight {
    /// `DryRunOperation`: the call would be permitted.
    Permitted,
    /// AWS would refuse, or could not be asked.
    Refused { code: String, message: String, next_step: String },
}

/// A plan together with what AWS said of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanReport {
    pub plan: Plan,
    pub preflight: Preflight,
}

/// What enforcing IMDSv2 would do to a selection, without asking AWS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelectionPreview {
    pub selected: u32,
    pub would_change: u32,
    /// Reasons for no change, each with the number of instances.
    pub refused: Vec<(String, u32)>,
    /// The first instances with what would happen to each.
    pub rows: Vec<SelectionRow>,
}

/// One instance of a selection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelectionRow {
    pub key: InstanceKey,
    pub name: String,
    /// The exact call, or why there is none.
    pub outcome: Result<String, String>,
}

/// One rule of the active policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleRow {
    pub name: String,
    pub title: String,
    pub description: String,
    pub severity: Option<Severity>,
    /// The file the rule is written in, relative to the policy directory.
    pub file: String,
    /// The source text.
    pub text: String,
    pub failing: u32,
}

/// The policy page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyReport {
    /// `regorus (built in)`, `regorus (directory)`, `OPA at …`.
    pub engine: String,
    pub revision: String,
    pub query: String,
    /// What is wrong with the engine; `None` when it answers.
    pub problem: Option<String>,
    pub rules: Vec<RuleRow>,
    /// Instances per policy outcome, in the order of [`PolicyOutcome::KINDS`].
    pub outcomes: Vec<(String, u32)>,
}

/// Who is asking, and what this installation allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionInfo {
    pub actor: String,
    /// Whether the actor has a session, which can be ended.
    pub signed_in: bool,
    /// The actor's roles with their limits, in words.
    pub roles: Vec<String>,
    /// What the actor may do somewhere.
    pub permissions: Vec<Permission>,
    /// Why nothing can be changed; `None` when changes are allowed.
    pub read_only: Option<String>,
    pub server_version: String,
    pub server_commit: String,
    pub api: u32,
}

/// A session of somebody who signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    pub id: String,
    pub name: String,
    pub issuer: String,
    /// Where it was begun, and with which browser, as that says of itself.
    pub address: String,
    pub user_agent: String,
    pub created_at: Timestamp,
    pub last_seen_at: Timestamp,
    pub expires_at: Timestamp,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// The sessions that were asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionList {
    /// Last seen first.
    pub sessions: Vec<SessionRow>,
    /// Whether there are more, which are not told.
    #[serde(default)]
    pub more: bool,
}

/// A personal access token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRow {
    pub id: String,
    pub name: String,
    /// The grants that limit it, in words; none where it may do what its owner may.
    pub limits: Vec<String>,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
    pub expires_at: Timestamp,
}

/// A token that was just made, with what is shown this once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewTokenSecret {
    pub id: String,
    pub secret: String,
    pub expires_at: Timestamp,
}

/// A program that waits for somebody to let it in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRow {
    /// What the program says of itself.
    pub client: String,
    /// Where it asks from.
    pub address: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// What one server-sent event says moved; the browser fetches what it shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moved {
    /// The view that lists are answered from was replaced.
    Fleet { revision: i64 },
    /// Something new was told of changes of these services; of any of them where none is named.
    Delivery { services: Vec<ServiceName> },
    /// A GitOps operation came somewhere; any of them where none is named.
    Gitops { operation: Option<OperationId> },
    /// A change reached another status.
    Change { id: i64, key: InstanceKey, status: ChangeStatus },
}
