//! Where change requests are made: what is asked of a host of Git repositories, and of what a request is made.

mod github;
mod local;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use domain::delivery::{Checks, Review};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use crate::git::Entry;
use crate::github::shortened;
use crate::reader::ReadError;
pub use github::GithubHost;
pub use local::LocalHost;

/// By what a commit says which operation it is of.
pub const OPERATION: &str = "Tollgate-Operation";
/// What GitHub takes as a title.
const LONGEST_TITLE: usize = 250;

/// One branch of one repository, against which requests are made.
#[async_trait]
pub trait Host: Send + Sync {
    /// The newest commit of the base branch.
    async fn head(&self) -> Result<String, HostError>;

    /// What stands at each path of a revision; paths where nothing stands are left out.
    async fn files(
        &self,
        revision: &str,
        paths: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, Entry>, HostError>;

    /// Puts one commit with all files on a branch of its own, and opens a request for it. Called again after it ended anywhere, with
    /// the same proposal or the same operation planned anew, it goes on where it stopped and answers the same request, be it one that has
    /// ended.
    async fn propose(&self, proposal: &Proposal) -> Result<Opened, HostError>;

    /// The request that was made of an operation on `branch` since `base`, where whoever made it ended before it was written down; be it
    /// one that has ended.
    async fn requested(&self, operation: &str, branch: &str, base: &str)
    -> Result<Option<Opened>, HostError>;

    /// Has an open request hold the proposal as it was planned anew. What was put on its branch by others stays there, and is an error.
    async fn replan(&self, opened: &Opened, proposal: &Proposal) -> Result<Opened, HostError>;

    async fn look(&self, opened: &Opened) -> Result<RequestSeen, HostError>;

    /// Merges the request while it is as it was opened. Of one that is merged already, it answers by what.
    async fn merge(&self, opened: &Opened) -> Result<Merged, HostError>;

    /// Closes the request and takes its branch away. Of one that is closed already, nothing is changed.
    async fn close(&self, opened: &Opened, why: &str) -> Result<(), HostError>;
}

/// What is to be requested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Of no other operation ever.
    pub operation: String,
    /// The commit of the base branch that it was planned on.
    pub base: String,
    /// Of no other operation ever, such as `tollgate/freeze-01jd…`.
    pub branch: String,
    pub title: String,
    /// In Markdown.
    pub body: String,
    /// The whole content of each file that changes, by its path from the root of the repository.
    pub files: BTreeMap<String, Vec<u8>>,
    pub labels: Vec<String>,
    /// Who is asked to review it: a login, or `organization/team`.
    pub reviewers: Vec<String>,
    /// Who asked for the operation.
    pub author: Person,
    /// More lines at the end of the commit's message, each with its key.
    pub trailers: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub name: String,
    /// Empty where none is known.
    pub email: String,
}

/// A request that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// Where the host numbers its requests.
    pub number: Option<u32>,
    pub branch: String,
    /// Its commit.
    pub head: String,
    /// What it was planned on.
    pub base: String,
    /// Where somebody can look it up.
    pub link: Option<String>,
    /// What could not be done beside it, one sentence each: a reviewer that cannot be asked.
    pub warnings: Vec<String>,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestSeen {
    Open {
        head: String,
        /// Whether it could be merged as it is; `None` while the host does not know.
        mergeable: Option<bool>,
        review: Review,
        checks: Checks,
    },
    Merged(Merged),
    Closed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// On the base branch.
    pub commit: String,
    pub at: Timestamp,
}

/// Why a host did not do what it was asked: what happened, to what, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// The base branch or the request is not any more what the plan was made on: plan anew.
    #[error("{0}")]
    Moved(String),
    /// Whether it was done is not known, and asking again is safe.
    #[error("{message}")]
    Unreachable { message: String, retry_after: Option<Duration> },
    /// It would be refused again: a permission, a protected branch, something that a person did.
    #[error("{0}")]
    Refused(String),
}

impl HostError {
    fn unreachable(message: impl Into<String>) -> HostError {
        HostError::Unreachable { message: message.into(), retry_after: None }
    }
}

impl From<ReadError> for HostError {
    fn from(error: ReadError) -> HostError {
        HostError::Unreachable { message: error.message, retry_after: error.retry_after }
    }
}

impl Proposal {
    /// The title in one line, which is the first line of the commit's message too.
    fn headline(&self) -> String {
        shortened(&self.title.split_whitespace().collect::<Vec<_>>().join(" "), LONGEST_TITLE)
    }

    /// The rest of the commit's message. `with_author` names the author in it, for hosts where the commit is another's.
    fn message_body(&self, with_author: bool) -> String {
        let author = format!("{} <{}>", self.author.name, self.author.email);
        let author = (with_author && !self.author.email.is_empty()).then_some(("Co-authored-by", author));
        let more = self.trailers.iter().map(|(key, value)| (key.as_str(), value.clone()));
        let operation = (OPERATION, self.operation.clone());
        let trailers: Vec<String> =
            author.into_iter().chain(more).chain([operation]).map(|pair| trailer(pair.0, &pair.1)).collect();
        let body = self.body.trim();
        let between = if body.is_empty() { "" } else { "\n\n" };
        format!("{body}{between}{}\n", trailers.join("\n"))
    }

    /// Whether a commit says that it is of this operation.
    fn is_named_by(&self, message: &str) -> bool {
        names(message, &self.operation)
    }

    /// Refuses what could not be written as it is meant.
    fn check(&self) -> Result<(), HostError> {
        if self.files.is_empty() {
            return Err(HostError::Refused(format!(
                "“{}” changes no file: there is nothing to ask for.",
                self.title
            )));
        }
        gix::refs::FullName::try_from(format!("refs/heads/{}", self.branch)).map_err(|_| {
            HostError::Refused(format!("{:?} is no name of a branch: choose another.", self.branch))
        })?;
        for path in self.files.keys() {
            let is_odd = |part: &str| {
                part.is_empty() || part == "." || part == ".." || part.eq_ignore_ascii_case(".git")
            };
            if path.split('/').any(is_odd) || path.contains(['\0', '\n', '\\']) {
                return Err(HostError::Refused(format!(
                    "{path:?} is no path of a file in a repository: name it from the root of the repository."
                )));
            }
        }
        Ok(())
    }

    /// Whether these are the files of the proposal.
    fn has_files(&self, files: &BTreeMap<String, Entry>) -> bool {
        self.files
            .iter()
            .all(|(path, content)| matches!(files.get(path), Some(Entry::File(there)) if there == content))
    }

    fn paths(&self) -> BTreeSet<String> {
        self.files.keys().cloned().collect()
    }
}

/// Whether a commit's message says that it is of the operation.
fn names(message: &str, operation: &str) -> bool {
    let last = message.trim_end().rsplit("\n\n").next().unwrap_or_default();
    last.lines().any(|line| line.trim_end() == trailer(OPERATION, operation))
}

/// One line, whatever the value is.
fn trailer(key: &str, value: &str) -> String {
    format!("{key}: {}", value.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proposal() -> Proposal {
        Proposal {
            operation: "01JD".into(),
            base: "0".repeat(40),
            branch: "tollgate/freeze-01jd".into(),
            title: "Freeze users\nin dev".into(),
            body: "Because.\n\nTollgate-Operation: 02\n".into(),
            files: [("a/b.yaml".to_owned(), b"x".to_vec())].into(),
            labels: vec![],
            reviewers: vec![],
            author: Person { name: "Ada".into(), email: "ada@example.com".into() },
            trailers: vec![("Reason".into(), "x\nTollgate-Operation: 03".into())],
        }
    }

    #[test]
    fn a_message_names_its_operation_and_no_other() {
        let proposal = proposal();
        assert_eq!(proposal.headline(), "Freeze users in dev");
        let message = format!("{}\n\n{}", proposal.headline(), proposal.message_body(true));
        let expected = "Freeze users in dev\n\nBecause.\n\nTollgate-Operation: 02\n\nCo-authored-by: Ada <ada@example.com>\n\
                        Reason: x Tollgate-Operation: 03\nTollgate-Operation: 01JD\n";
        assert_eq!(message, expected);
        let named = |operation: &str| {
            Proposal { operation: operation.into(), ..proposal.clone() }.is_named_by(&message)
        };
        assert_eq!((named("01JD"), named("02"), named("03"), named("01J")), (true, false, false, false));
        assert!(!proposal.message_body(false).contains("Co-authored-by"));
    }

    #[test]
    fn a_title_is_cut_where_the_host_takes_no_more() {
        let long = Proposal { title: "ü".repeat(300), ..proposal() }.headline();
        assert_eq!((long.chars().count(), long.ends_with('…')), (250, true));
        let whole = "ü".repeat(250);
        assert_eq!(Proposal { title: whole.clone(), ..proposal() }.headline(), whole);
    }

    #[test]
    fn odd_paths_are_refused() {
        let with = |path: &str| {
            let files = BTreeMap::from([(path.to_owned(), vec![])]);
            Proposal { files, ..proposal() }.check()
        };
        assert_eq!(with("envs/dev/.argocd-source-users.yaml"), Ok(()));
        for path in ["", "/a", "a/", "a//b", "../a", "a/./b", ".git/config", "a/.GIT/x", "a\\b", "a\nb"] {
            assert!(matches!(with(path), Err(HostError::Refused(_))), "{path:?}");
        }
        assert!(Proposal { files: BTreeMap::new(), ..proposal() }.check().is_err());
    }
}
