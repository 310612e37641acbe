//! What is asked of a Git repository, wherever it is.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::Timestamp;

use crate::reader::ReadError;

/// A file that is larger sets no tag that anybody looks after.
pub(crate) const MOST_BYTES: u64 = 1024 * 1024;

/// A commit of the branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommitInfo {
    pub revision: String,
    /// The first one: what the branch pointed to before.
    pub parent: Option<String>,
    /// The committer's time.
    pub at: Timestamp,
    pub author: Option<String>,
    pub message: String,
    /// Where somebody can look it up.
    pub link: Option<String>,
}

/// A part of the line of first parents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Newest first.
    pub commits: Vec<CommitInfo>,
    pub end: End,
}

/// Why a line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The revision is reached that was to be reached; it is not in the line.
    Known,
    /// The last one has no parent.
    Root,
    /// There is more that is not read.
    Cut,
}

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    File(Vec<u8>),
    /// Why it is not read; it goes on from "… cannot be read: ".
    Unreadable(String),
}

impl Entry {
    pub(crate) fn too_large(bytes: u64) -> Entry {
        Entry::Unreadable(format!("it has {bytes} bytes, and at most {MOST_BYTES} are read"))
    }

    pub(crate) fn link() -> Entry {
        Entry::Unreadable(
            "it is a symbolic link, and those are not followed: name the file itself".to_owned(),
        )
    }
}

/// A Git repository.
#[async_trait]
pub(crate) trait Repository: Send + Sync {
    /// The newest commit of a branch.
    async fn head(&self, branch: &str) -> Result<String, ReadError>;

    /// The commits from `head` back along first parents, until `until`, which is left out, or as many as `most`.
    async fn first_parents(&self, head: &str, until: Option<&str>, most: usize) -> Result<Line, ReadError>;

    /// Which of the paths each commit of the line changed against its first parent.
    async fn touched(
        &self,
        line: &Line,
        paths: &BTreeSet<String>,
    ) -> Result<Vec<BTreeSet<String>>, ReadError>;

    /// What stands at each path; paths where nothing stands are left out.
    async fn files(
        &self,
        revision: &str,
        paths: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, Entry>, ReadError>;

    /// Whether an answer may be older than one before, so that a branch that seems to have gone back has to be seen twice.
    fn may_lag(&self) -> bool;
}
