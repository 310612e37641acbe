//! Holds: why an environment is kept from changing, by whom, and until when.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// What kind of hold it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HoldKind {
    /// Nothing new may come, for a time.
    Frozen,
    /// An earlier version was put back and is kept until somebody resumes.
    Held,
}

/// A mark that keeps a service in an environment as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub kind: HoldKind,
    pub by: String,
    pub reason: String,
    pub since: Timestamp,
    /// `None` is until somebody resumes.
    pub until: Option<Timestamp>,
    /// The pull request that set it.
    pub pull_request: Option<u32>,
}

impl Hold {
    /// Whether it is in force at `now`.
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.since <= now && self.until.is_none_or(|until| now < until)
    }
}
