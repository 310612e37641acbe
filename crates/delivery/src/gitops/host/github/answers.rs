//! What GitHub answers of a repository, its commits and its pull requests, as far as a request needs it.

use serde::Deserialize;

use super::{Merged, Opened};
use crate::git::pulls::Pull;

#[derive(Deserialize)]
pub(super) struct Committed {
    pub(super) commit: CommitId,
}

#[derive(Deserialize)]
pub(super) struct CommitId {
    pub(super) oid: String,
}

#[derive(Deserialize)]
pub(super) struct Commit {
    #[serde(default)]
    pub(super) message: String,
    #[serde(default)]
    pub(super) parents: Vec<Parent>,
}

#[derive(Deserialize)]
pub(super) struct Parent {
    pub(super) sha: String,
}

#[derive(Deserialize)]
pub(super) struct Settings {
    pub(super) node_id: String,
    pub(super) full_name: String,
    #[serde(default)]
    allow_merge_commit: Option<bool>,
    #[serde(default)]
    allow_squash_merge: Option<bool>,
}

impl Settings {
    /// One that is allowed; a merge commit is the one that keeps the commit that was reviewed. Who may not push is not told.
    pub(super) fn merge_method(&self) -> &'static str {
        match (self.allow_merge_commit, self.allow_squash_merge) {
            (Some(true) | None, _) => "merge",
            (Some(false), Some(true) | None) => "squash",
            (Some(false), Some(false)) => "rebase",
        }
    }
}

/// A pull request.
#[derive(Deserialize)]
pub(super) struct Found {
    #[serde(flatten)]
    pub(super) pull: Pull,
    #[serde(default)]
    pub(super) title: String,
    #[serde(default)]
    pub(super) body: Option<String>,
    #[serde(default)]
    pub(super) labels: Vec<Label>,
    #[serde(default)]
    pub(super) merge_commit_sha: Option<String>,
    #[serde(default)]
    pub(super) mergeable: Option<bool>,
    #[serde(default)]
    pub(super) mergeable_state: Option<String>,
}

impl Found {
    pub(super) fn opened(&self, branch: &str, base: &str, head: String, warnings: Vec<String>) -> Opened {
        Opened {
            number: Some(self.pull.number),
            branch: branch.to_owned(),
            head,
            base: base.to_owned(),
            link: self.pull.html_url.clone(),
            warnings,
        }
    }

    pub(super) fn merged(&self) -> Option<Merged> {
        // Before it is merged, it names a commit that GitHub tried it with.
        Some(Merged { at: self.pull.merged_at?, commit: self.merge_commit_sha.clone()? })
    }
}

#[derive(Deserialize)]
pub(super) struct Label {
    #[serde(default)]
    pub(super) name: String,
}

#[derive(Deserialize)]
pub(super) struct Comment {
    #[serde(default)]
    pub(super) body: String,
}
