//! Releases of the page: what a release consists of, which one is live, and which may be deleted.

mod board;
mod rollback;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use self::board::{Standing, Uploaded, rows};
pub use self::rollback::{Refusal, calls, invalidated};
use crate::time::Timestamp;

/// The page that every address of the console starts from: whose release it names, is live.
pub const SHELL: &str = "index.html";
/// Which release is live and was before, and which is about to be.
pub const LIVE: &str = "releases/live.json";

/// How many activations are remembered.
pub const HISTORY: usize = 200;

/// The name of a release: the first 16 hexadecimal digits of the hash of what it consists of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReleaseId(String);

/// A text that names no release.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no release: one is named by 16 hexadecimal digits")]
pub struct NoRelease(String);

impl ReleaseId {
    pub fn parse(text: &str) -> Result<ReleaseId, NoRelease> {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() == 16 && text.bytes().all(digit) {
            Ok(ReleaseId(text.into()))
        } else {
            Err(NoRelease(text.into()))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ReleaseId {
    type Error = NoRelease;

    fn try_from(text: String) -> Result<ReleaseId, NoRelease> {
        ReleaseId::parse(&text)
    }
}

impl From<ReleaseId> for String {
    fn from(id: ReleaseId) -> String {
        id.0
    }
}

impl std::fmt::Display for ReleaseId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a release comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The commit that it was built from, in full.
    pub commit: String,
    pub branch: String,
    pub author: String,
}

/// A file as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseFile {
    /// The path under which a browser asks for it, without a slash before it.
    pub path: String,
    /// SHA-256 of the content, in hexadecimal; before it is compressed.
    pub sha256: String,
    /// Bytes of the content, and of what is stored.
    pub bytes: u64,
    pub stored_bytes: u64,
    pub content_type: String,
    /// How the stored bytes are compressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
}

/// What is known of a release that was uploaded in whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseRecord {
    pub release: ReleaseId,
    #[serde(flatten)]
    pub origin: Origin,
    /// When it was uploaded.
    pub at: Timestamp,
    pub files: Vec<ReleaseFile>,
}

impl ReleaseRecord {
    /// What it takes in the bucket, in bytes.
    pub fn stored_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.stored_bytes).sum()
    }
}

/// How a release became live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    Push,
    Rollback,
}

impl Way {
    pub fn as_str(self) -> &'static str {
        match self {
            Way::Push => "push",
            Way::Rollback => "rollback",
        }
    }
}

/// A release that became live, or is about to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activation {
    pub release: ReleaseId,
    pub way: Way,
    #[serde(flatten)]
    pub origin: Origin,
    /// Who had it done.
    pub by: String,
    /// Why, where that was asked for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    pub at: Timestamp,
    /// Counts the activations of one release of one commit, so that each has an invalidation of its own.
    pub attempt: u32,
    /// The invalidation that CloudFront was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalidation: Option<String>,
}

impl Activation {
    /// What CloudFront tells two invalidations apart by: the same one asked for again is the same one.
    pub fn caller_reference(&self) -> String {
        format!("{}-{}-{}", self.release, self.origin.commit, self.attempt)
    }
}

/// What `release.json` says: the release that is live, as a page that is open asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveRelease {
    pub release: String,
    /// The version of the contract between page and server.
    pub api: u32,
}

/// Why an open page had better be loaded again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outdated {
    /// Another release is live: a newer one, or an older one again after a rollback. The page goes on working.
    Release,
    /// And it speaks to the server in another way: what the page asks for may be refused.
    Api,
}

impl LiveRelease {
    /// Compares a page's own release and contract with what is live. Only whether they are the same counts, not which is newer, so
    /// that a page that was loaded after a rollback is not told to load what was rolled back.
    pub fn outdates(&self, release: &str, api: u32) -> Option<Outdated> {
        if self.release == release {
            None
        } else if self.api == api {
            Some(Outdated::Release)
        } else {
            Some(Outdated::Api)
        }
    }
}

/// Which release is live: what a push reads first and writes last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// The activations that were finished, oldest first.
    pub history: Vec<Activation>,
    /// One that was begun. Until it is finished, the page may be of this release or of the last in `history`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under_way: Option<Activation>,
}

impl Live {
    /// The release that is live, unless another is about to be.
    pub fn settled(&self) -> Option<&Activation> {
        if self.under_way.is_some() { None } else { self.history.last() }
    }

    /// The release before the live one: where a rollback leads.
    pub fn previous(&self) -> Option<&Activation> {
        let live = self.history.last()?;
        self.history.iter().rev().find(|earlier| earlier.release != live.release)
    }

    /// Begins an activation. One that was begun already, of the same release and commit, goes on as the same.
    pub fn begin(&mut self, mut activation: Activation) {
        let same = |other: &&Activation| {
            other.release == activation.release && other.origin.commit == activation.origin.commit
        };
        activation.attempt = match self.under_way.as_ref().filter(same) {
            Some(interrupted) => interrupted.attempt,
            None => self.history.iter().filter(same).map(|other| other.attempt).max().unwrap_or(0) + 1,
        };
        self.under_way = Some(activation);
    }

    /// Ends the activation that is under way.
    pub fn finish(&mut self, invalidation: Option<String>) {
        if let Some(activation) = self.under_way.take() {
            self.history.push(Activation { invalidation, ..activation });
        }
        let surplus = self.history.len().saturating_sub(HISTORY);
        self.history.drain(..surplus);
    }

    /// The releases that a tab may have been opened with at `since` or later: those that were live then.
    fn live_since(&self, since: Timestamp) -> BTreeSet<&ReleaseId> {
        let ends = self.history.iter().skip(1).map(|next| Some(next.at)).chain([None]);
        let live = self.history.iter().zip(ends).filter(|(_, end)| end.is_none_or(|end| end >= since));
        live.map(|(activation, _)| &activation.release).collect()
    }
}

/// Which releases may be deleted: not the newest `keep`, not the live one or the one before it, not one that is about to be live,
/// and none that was uploaded or live at `since` or later, as a tab may still load parts of it. Oldest first.
pub fn prunable<'a>(
    records: &'a [ReleaseRecord],
    live: &Live,
    keep: usize,
    since: Timestamp,
) -> Vec<&'a ReleaseRecord> {
    let mut newest: Vec<&ReleaseRecord> = records.iter().collect();
    newest.sort_by(|left, right| right.at.cmp(&left.at).then_with(|| left.release.cmp(&right.release)));
    let mut kept: BTreeSet<&ReleaseId> = newest.iter().take(keep).map(|record| &record.release).collect();
    kept.extend(live.live_since(since));
    kept.extend(live.history.last().map(|activation| &activation.release));
    kept.extend(live.previous().map(|activation| &activation.release));
    kept.extend(live.under_way.as_ref().map(|activation| &activation.release));
    newest.retain(|record| record.at < since && !kept.contains(&record.release));
    newest.reverse();
    newest
}

/// What one release has and another has not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileChange {
    Added { bytes: u64 },
    Removed { bytes: u64 },
    Changed { before: u64, after: u64 },
}

/// What changes from one release to the other, by the path below the release.
pub fn diff(before: &ReleaseRecord, after: &ReleaseRecord) -> BTreeMap<String, FileChange> {
    let (old, new) = (by_name(before), by_name(after));
    let mut changes = BTreeMap::new();
    for (name, file) in &old {
        match new.get(name) {
            None => {
                changes.insert((*name).to_owned(), FileChange::Removed { bytes: file.stored_bytes });
            }
            Some(other) if other.sha256 != file.sha256 => {
                let change = FileChange::Changed { before: file.stored_bytes, after: other.stored_bytes };
                changes.insert((*name).to_owned(), change);
            }
            Some(_) => {}
        }
    }
    for (name, file) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
        changes.insert((*name).to_owned(), FileChange::Added { bytes: file.stored_bytes });
    }
    changes
}

/// Files by their path without the release in it, which differs always.
fn by_name(record: &ReleaseRecord) -> BTreeMap<&str, &ReleaseFile> {
    let prefix = format!("pkg/{}/", record.release);
    record.files.iter().map(|file| (file.path.strip_prefix(&prefix).unwrap_or(&file.path), file)).collect()
}

#[cfg(test)]
mod tests;
