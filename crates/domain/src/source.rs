//! How well an account-region is known: when it was last read, what went wrong since, and whether its copy may still be judged.

use crate::time::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::instance::SourceKey;
use crate::verdict::Freshness;

/// What is known of one account-region as a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceStatus {
    pub key: SourceKey,
    /// The account's alias, or its id where it has none.
    pub alias: String,
    /// When the copy that is shown was read; `None` before the first success.
    pub last_success: Option<Timestamp>,
    pub last_attempt: Option<Timestamp>,
    /// What the last attempt ended in, when it failed.
    pub error: Option<SourceError>,
    pub instance_count: u32,
    /// How long the last complete read took, in milliseconds.
    pub duration_ms: Option<u32>,
    /// The account's metadata defaults in the region; `None` when they could not be read.
    pub defaults: Option<MetadataDefaults>,
    /// Why the metadata defaults could not be read.
    pub defaults_error: Option<SourceError>,
    /// Why metadata options cannot be changed here (no writer role, read-only mode); `None` when they can.
    pub changes_disabled: Option<String>,
}

/// Why a source could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceError {
    /// The AWS error code (`UnauthorizedOperation`), or our own word for a transport failure (`timeout`, `connection`).
    pub code: String,
    pub message: String,
    /// The IAM action that is missing, when the error says or implies one.
    pub missing_permission: Option<String>,
}

/// The account's metadata defaults in one region (`GetInstanceMetadataDefaults`); a field that was never set is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataDefaults {
    pub http_tokens: Option<String>,
    pub http_put_response_hop_limit: Option<i32>,
    pub http_endpoint: Option<String>,
    pub instance_metadata_tags: Option<String>,
    /// `account` or `declarative-policy`.
    pub managed_by: Option<String>,
    /// `enabled` forbids `http_tokens = optional` on any instance, which also blocks the way back.
    pub http_tokens_enforced: Option<String>,
}

impl MetadataDefaults {
    /// Whether setting `http_tokens = optional` is refused in this account and region (`HttpTokensEnforced`, EC2 user guide).
    pub fn tokens_enforced(&self) -> bool {
        self.http_tokens_enforced.as_deref() == Some("enabled")
    }
}

/// What a source's status amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceState {
    /// Never read successfully, and the last attempt failed.
    Failed,
    /// The last good copy is too old to be judged by.
    Stale,
    /// The last attempt failed; the copy before it is recent enough to be judged by, and shown with its age.
    Failing,
    /// Not read yet.
    Starting,
    /// Read recently.
    Live,
}

impl SourceState {
    pub fn label(self) -> &'static str {
        match self {
            SourceState::Failed => "Unreachable",
            SourceState::Stale => "Stale",
            SourceState::Failing => "Failing",
            SourceState::Starting => "Starting",
            SourceState::Live => "Live",
        }
    }
}

impl SourceStatus {
    pub fn new(key: SourceKey, alias: String) -> SourceStatus {
        SourceStatus {
            key,
            alias,
            last_success: None,
            last_attempt: None,
            error: None,
            instance_count: 0,
            duration_ms: None,
            defaults: None,
            defaults_error: None,
            changes_disabled: None,
        }
    }

    /// The state at `now`, when a copy may be judged for `stale_after`.
    pub fn state(&self, now: Timestamp, stale_after: SignedDuration) -> SourceState {
        match (self.last_success, &self.error) {
            (None, None) => SourceState::Starting,
            (None, Some(_)) => SourceState::Failed,
            (Some(read), _) if now.duration_since(read) > stale_after => SourceState::Stale,
            (Some(_), Some(_)) => SourceState::Failing,
            (Some(_), None) => SourceState::Live,
        }
    }

    /// Whether the instances of this source may be judged at `now`.
    pub fn freshness(&self, now: Timestamp, stale_after: SignedDuration) -> Freshness {
        match self.state(now, stale_after) {
            SourceState::Live | SourceState::Failing => Freshness::Fresh,
            SourceState::Failed | SourceState::Stale | SourceState::Starting => Freshness::Stale,
        }
    }
}
