//! The page of releases, and the answer to a rollback.

use serde::{Deserialize, Serialize};

use crate::release::{Activation, ReleaseId, Standing, Way};
use crate::time::Timestamp;

/// What is known of the releases of the page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Releases {
    /// No bucket is configured.
    NotConfigured,
    Known(Box<ReleaseBoard>),
}

/// The releases of the page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseBoard {
    pub bucket: String,
    pub distribution: Option<String>,
    /// What is live, or was before what is under way: what a rollback is decided on.
    pub live: Option<ReleaseId>,
    /// What is being made live.
    pub under_way: Option<UnderWayRow>,
    /// That of the live release.
    pub invalidation: InvalidationState,
    /// The one that was made live last first.
    pub rows: Vec<ReleaseRow>,
    /// How many more there are.
    pub left_off: u32,
    /// Why whoever asks may not make any of them live; `None` where it depends on the release.
    pub denied: Option<String>,
}

/// A release that is being made live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnderWayRow {
    pub release: ReleaseId,
    pub activated: ActivationRow,
    /// Nobody carries it on any more.
    pub interrupted: bool,
}

/// How a release became live, or is about to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivationRow {
    pub way: Way,
    pub by: String,
    /// Empty where none was given.
    pub reason: String,
    pub at: Timestamp,
}

impl From<&Activation> for ActivationRow {
    fn from(activation: &Activation) -> ActivationRow {
        ActivationRow {
            way: activation.way,
            by: activation.by.clone(),
            reason: activation.reason.clone(),
            at: activation.at,
        }
    }
}

/// Whether the edges of the CDN show what is live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InvalidationState {
    /// None was asked for.
    None,
    InProgress {
        id: String,
    },
    Completed {
        id: String,
    },
    /// CloudFront did not tell.
    Unknown {
        id: String,
        why: String,
    },
}

/// A release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseRow {
    pub release: ReleaseId,
    pub standing: Standing,
    pub commit: String,
    pub branch: String,
    pub author: String,
    /// `None` where it is no longer there.
    pub uploaded_at: Option<Timestamp>,
    /// The last time that it was made live.
    pub activated: Option<ActivationRow>,
    pub files: u32,
    /// Bytes in the bucket.
    pub stored: u64,
    /// The files at the root of the site, which a rollback writes.
    pub root: Vec<String>,
    /// Why it cannot be made live again by anybody; `None` when it can.
    pub refusal: Option<String>,
}

/// What came of a rollback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolledBack {
    pub release: ReleaseId,
    /// What was live before.
    pub from: ReleaseId,
    /// `None` where it goes on in the background; the list tells when it has ended.
    pub invalidation: Option<InvalidationState>,
}
