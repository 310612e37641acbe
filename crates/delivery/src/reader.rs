//! What every source that is read has in common: it is asked again and again, tells what it sees, and says what keeps it from seeing.

use std::time::Duration;

use async_trait::async_trait;
use domain::delivery::{Fact, ImageDetail, ServiceName, Sighting};
use jiff::Timestamp;

/// What a reader tells at once.
#[derive(Debug, Default)]
pub struct Told {
    /// Of commits that the source knows by itself.
    pub facts: Vec<Fact>,
    /// Of a registry. Which commit each was built from follows from its tags.
    pub images: Vec<RegistryImage>,
    /// Everything that the reader sees now: what it saw before and does not list any more is gone. `None` where it sees no such
    /// things.
    pub sightings: Option<Vec<Sighting>>,
    /// What could not be read while the rest could, one line each: a repository that is missing, a permission.
    pub problems: Vec<String>,
}

/// An image in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryImage {
    pub service: ServiceName,
    pub tags: Vec<String>,
    /// The commit that it says it was built from (`org.opencontainers.image.revision`).
    pub revision: Option<String>,
    pub pushed: Option<Timestamp>,
    /// Without a tag: that is chosen among `tags`.
    pub detail: ImageDetail,
    /// Of an index of several platforms the digests of their manifests: a pod's `imageID` may name either.
    pub platform_digests: Vec<String>,
    /// When it became what it is, where it was something else before. What it was once and is again is told anew by this.
    pub since: Option<Timestamp>,
    pub link: Option<String>,
}

/// Something that is read. One task calls it, and it may keep cursors and validators between calls.
#[async_trait]
pub trait Reader: Send {
    /// Reads once. One that polls reads a round; one that watches answers as soon as it sees something else than what it told last,
    /// and after a minute at the latest.
    ///
    /// # Errors
    /// Why it could not be read; what it told before stays what is known.
    async fn read(&mut self, now: Timestamp) -> Result<Told, ReadError>;

    /// How long to wait before the next read after one that succeeded.
    fn pause(&self) -> Duration;

    /// Tries each thing that reading needs.
    async fn check(&mut self) -> Vec<Checked>;
}

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What was tried, on what.
    pub what: String,
    /// What was found, or else what is missing and what to do.
    pub outcome: Result<String, String>,
}

/// Why a source could not be read: what happened, to what, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ReadError {
    pub message: String,
    /// When the source said to come back: it limits how often it is asked.
    pub retry_after: Option<Duration>,
}

impl RegistryImage {
    /// Every name that it goes by: its tags, its digest, and those of its platforms.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        self.tags.iter().chain(&self.detail.digest).chain(&self.platform_digests).cloned()
    }
}

impl ReadError {
    pub fn new(message: impl Into<String>) -> ReadError {
        ReadError { message: message.into(), retry_after: None }
    }
}
