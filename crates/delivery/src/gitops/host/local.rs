//! Requests in a repository on disk, bare or not, without the git program. Objects are written before the branch that names them, and
//! a branch is changed only where it still is what it was: whoever is killed in between leaves nothing but unnamed objects.

mod branches;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use async_trait::async_trait;
use domain::delivery::{Checks, Review};
use gix::ObjectId;
use gix::object::tree::EntryKind;
use jiff::Timestamp;

use self::branches::Step;
use super::{Entry, Host, HostError, Merged, Opened, Person, Proposal, RequestSeen};
use crate::git::local::{Disk, Local, told};
use crate::git::repository::Repository;

/// How often what others do at the same moment is looked at anew.
const MOST_ATTEMPTS: usize = 3;
/// How far back it is looked for a request that was merged already.
const MOST_REVISIONS: usize = 500;

/// A repository on disk, whatever is configured of its user. A request is a branch, and merging it moves the base branch on to it.
/// Nothing remembers one that was closed: proposed again, it is made again.
#[derive(Clone, Debug)]
pub struct LocalHost {
    repository: Local,
    /// The base branch.
    branch: String,
}

impl LocalHost {
    pub fn new(path: PathBuf, branch: String) -> LocalHost {
        LocalHost { repository: Local::new(path), branch }
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Requests) -> Result<T, HostError> + Send + 'static,
    ) -> Result<T, HostError> {
        let branch = self.branch.clone();
        self.repository
            .work(move |path| {
                work(&Requests { path: path.to_owned(), disk: Disk::open(path)?, base: branch })
            })
            .await
    }
}

#[async_trait]
impl Host for LocalHost {
    async fn head(&self) -> Result<String, HostError> {
        Ok(self.repository.head(&self.branch).await?)
    }

    async fn files(
        &self,
        revision: &str,
        paths: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, Entry>, HostError> {
        Ok(self.repository.files(revision, paths).await?)
    }

    async fn propose(&self, proposal: &Proposal) -> Result<Opened, HostError> {
        proposal.check()?;
        let proposal = proposal.clone();
        self.work(move |requests| requests.propose(&proposal)).await
    }

    async fn requested(
        &self,
        operation: &str,
        branch: &str,
        base: &str,
    ) -> Result<Option<Opened>, HostError> {
        let [operation, branch, base] = [operation, branch, base].map(str::to_owned);
        self.work(move |requests| requests.requested(&operation, &branch, &base)).await
    }

    async fn replan(&self, opened: &Opened, proposal: &Proposal) -> Result<Opened, HostError> {
        proposal.check()?;
        let (opened, proposal) = (opened.clone(), proposal.clone());
        self.work(move |requests| {
            requests.open_head(&opened)?;
            requests.propose(&proposal)
        })
        .await
    }

    async fn look(&self, opened: &Opened) -> Result<RequestSeen, HostError> {
        let opened = opened.clone();
        self.work(move |requests| requests.look(&opened)).await
    }

    async fn merge(&self, opened: &Opened) -> Result<Merged, HostError> {
        let opened = opened.clone();
        self.work(move |requests| requests.merge(&opened)).await
    }

    async fn close(&self, opened: &Opened, why: &str) -> Result<(), HostError> {
        let (opened, why) = (opened.clone(), why.to_owned());
        self.work(move |requests| requests.close(&opened, &why)).await
    }
}

/// The requests of an opened repository.
struct Requests {
    path: PathBuf,
    disk: Disk,
    base: String,
}

impl Requests {
    fn propose(&self, proposal: &Proposal) -> Result<Opened, HostError> {
        let mut attempt = 1;
        let head = loop {
            match self.hold(proposal) {
                // Somebody else did the same at this moment, perhaps for the same operation.
                Err(HostError::Moved(_)) if attempt < MOST_ATTEMPTS => attempt += 1,
                outcome => break outcome?,
            }
        };
        Ok(on_disk(&proposal.branch, head, &proposal.base))
    }

    fn requested(&self, operation: &str, branch: &str, base: &str) -> Result<Option<Opened>, HostError> {
        let Some(tip) = self.tip(branch)? else {
            let merged = self.merged_as(operation, base)?;
            return Ok(merged.map(|head| on_disk(branch, head, base)));
        };
        let info = self.disk.info(&tip.to_string())?;
        let is_it = super::names(&info.message, operation);
        Ok(is_it.then(|| on_disk(branch, info.revision, info.parent.as_deref().unwrap_or(base))))
    }

    /// Has the proposal's branch hold it, and answers the commit.
    fn hold(&self, proposal: &Proposal) -> Result<String, HostError> {
        let branch = proposal.branch.as_str();
        let Some(tip) = self.tip(branch)? else {
            if let Some(merged) = self.merged_as(&proposal.operation, &proposal.base)? {
                return Ok(merged);
            }
            let commit = self.write(proposal)?;
            self.change(&[Step { branch, from: None, to: Some(commit) }], "request")?;
            return Ok(commit.to_string());
        };
        let info = self.disk.info(&tip.to_string())?;
        if !proposal.is_named_by(&info.message) {
            return Err(HostError::Refused(format!(
                "Branch {branch} of {} is at {tip}, which is not of this operation: take that commit away from it, or close the request.",
                self.path.display()
            )));
        }
        let files = self.disk.files(&info.revision, &proposal.paths())?;
        if info.parent.as_deref() == Some(proposal.base.as_str()) && proposal.has_files(&files) {
            return Ok(info.revision);
        }
        let commit = self.write(proposal)?;
        self.change(&[Step { branch, from: Some(tip), to: Some(commit) }], "planned anew")?;
        Ok(commit.to_string())
    }

    /// The commit of the base branch that the operation was merged with, since it was planned.
    fn merged_as(&self, operation: &str, base: &str) -> Result<Option<String>, HostError> {
        let line = self.disk.first_parents(&self.disk.head(&self.base)?, Some(base), MOST_REVISIONS)?;
        let merged = line.commits.into_iter().find(|commit| super::names(&commit.message, operation));
        Ok(merged.map(|commit| commit.revision))
    }

    /// Writes the commit, which nothing names yet. Of the trees, those along the changed paths are new.
    fn write(&self, proposal: &Proposal) -> Result<ObjectId, HostError> {
        let repository = &self.disk.repository;
        let base = self.disk.commit(&proposal.base)?;
        let broken = |error: gix::Error| {
            HostError::unreachable(format!(
                "Nothing can be written into the Git repository {}: {}.",
                self.path.display(),
                told(&error)
            ))
        };
        let tree = base.tree().map_err(broken)?;
        let mut editor = tree.edit().map_err(broken)?;
        for (path, content) in &proposal.files {
            let mut kind = EntryKind::Blob;
            for (end, _) in path.match_indices('/').chain([(path.len(), "")]) {
                let entry = tree.lookup_entry(path[..end].split('/')).map_err(broken)?;
                let Some(mode) = entry.map(|entry| entry.mode()) else { break };
                let fits = if end < path.len() { mode.is_tree() } else { mode.is_blob() };
                if !fits {
                    return Err(HostError::Refused(format!(
                        "{path} cannot be written: {} is no {} in {}.",
                        &path[..end],
                        if end < path.len() { "directory" } else { "file" },
                        proposal.base
                    )));
                }
                kind = if mode.is_blob() { mode.kind() } else { kind };
            }
            let blob = repository.write_blob(content).map_err(broken)?;
            editor.upsert(path.as_str(), kind, blob).map_err(broken)?;
        }
        let written = editor.write().map_err(broken)?.detach();
        if written == tree.id {
            return Err(HostError::Refused(format!(
                "“{}” changes nothing: everything is so already in {}.",
                proposal.headline(),
                proposal.base
            )));
        }
        let commit = gix::objs::Commit {
            tree: written,
            parents: [base.id].into_iter().collect(),
            author: signature(&proposal.author),
            committer: committer(),
            encoding: None,
            message: format!("{}\n\n{}", proposal.headline(), proposal.message_body(false)).into(),
            extra_headers: Vec::new(),
        };
        Ok(repository.write_object(commit).map_err(broken)?.detach())
    }

    fn look(&self, opened: &Opened) -> Result<RequestSeen, HostError> {
        if let Some(merged) = self.merged(opened)? {
            return Ok(RequestSeen::Merged(merged));
        }
        let Some(head) = self.tip(&opened.branch)? else { return Ok(RequestSeen::Closed) };
        let mergeable = self.disk.head(&self.base)? == opened.base;
        Ok(RequestSeen::Open {
            head: head.to_string(),
            mergeable: Some(mergeable),
            review: Review::Unknown,
            checks: Checks::Unknown,
        })
    }

    fn merge(&self, opened: &Opened) -> Result<Merged, HostError> {
        let merged = match self.merged(opened)? {
            Some(merged) => merged,
            None => {
                let head = self.open_head(opened)?;
                let base = self.disk.id(&opened.base)?;
                if head != self.disk.id(&opened.head)? {
                    return Err(HostError::Moved(format!(
                        "Branch {} of {} is at {head}, and not at {} any more: look at it, and plan anew.",
                        opened.branch,
                        self.path.display(),
                        opened.head
                    )));
                }
                if !self.is_ancestor(base, head)? {
                    return Err(HostError::Refused(format!(
                        "{} is not made on {}, which it was planned on: close the request, and make another.",
                        opened.head, opened.base
                    )));
                }
                self.change(&[Step { branch: &self.base, from: Some(base), to: Some(head) }], "merge")?;
                Merged { commit: opened.head.clone(), at: Timestamp::now() }
            }
        };
        // The request is merged, whatever becomes of its branch.
        if let Err(error) = self.delete(&opened.branch, &opened.head) {
            tracing::warn!(%error, branch = opened.branch, "the branch of a merged request stays");
        }
        Ok(merged)
    }

    fn close(&self, opened: &Opened, why: &str) -> Result<(), HostError> {
        if self.merged(opened)?.is_some() {
            return Err(HostError::Refused(format!(
                "{} cannot be closed: it is merged into {} already. Revert it instead.",
                opened.branch, self.base
            )));
        }
        tracing::info!(branch = opened.branch, why, "a request is closed");
        self.delete(&opened.branch, &opened.head)
    }

    /// Takes the request's branch away, if nobody put anything on it.
    fn delete(&self, branch: &str, head: &str) -> Result<(), HostError> {
        let opened = self.disk.id(head)?;
        match self.tip(branch)? {
            None => Ok(()),
            Some(tip) if tip == opened => {
                self.change(&[Step { branch, from: Some(tip), to: None }], "closed")
            }
            Some(tip) => Err(HostError::Moved(format!(
                "Branch {branch} of {} is at {tip}, and not at {head} any more: see what was put on it, and delete it there.",
                self.path.display()
            ))),
        }
    }

    /// The commit of a request's branch, which is there as long as it is open.
    fn open_head(&self, opened: &Opened) -> Result<ObjectId, HostError> {
        if self.merged(opened)?.is_some() {
            return Err(HostError::Refused(format!(
                "{} is merged into {} already.",
                opened.branch, self.base
            )));
        }
        self.tip(&opened.branch)?.ok_or_else(|| {
            HostError::Refused(format!(
                "The request is closed: {} has no branch {} any more. Make another.",
                self.path.display(),
                opened.branch
            ))
        })
    }

    /// By which commit of the base branch a request came onto it. Who merged it may have done so by hand.
    fn merged(&self, opened: &Opened) -> Result<Option<Merged>, HostError> {
        let head = self.disk.id(&opened.head)?;
        let mut at = self.disk.id(&self.disk.head(&self.base)?)?;
        // What was closed may have been cleaned away since.
        if !self.disk.repository.has_object(head) || !self.is_ancestor(head, at)? {
            return Ok(None);
        }
        // The oldest on the line of first parents that has it.
        while at != head {
            let commit = self.disk.commit(&at.to_string())?;
            let Some(parent) = commit.parent_ids().next().map(gix::Id::detach) else { break };
            if !self.is_ancestor(head, parent)? {
                break;
            }
            at = parent;
        }
        let info = self.disk.info(&at.to_string())?;
        Ok(Some(Merged { commit: info.revision, at: info.at }))
    }

    fn is_ancestor(&self, old: ObjectId, new: ObjectId) -> Result<bool, HostError> {
        if old == new {
            return Ok(true);
        }
        let base = self.disk.repository.merge_base(old, new);
        let base =
            base.map_err(|error| self.disk.broken(&format!("the history of its commit {new}"), &error))?;
        Ok(base.is_some_and(|base| base == old))
    }
}

/// A request in a repository on disk.
fn on_disk(branch: &str, head: String, base: &str) -> Opened {
    Opened {
        number: None,
        branch: branch.to_owned(),
        head,
        base: base.to_owned(),
        link: None,
        warnings: Vec::new(),
    }
}

fn signature(person: &Person) -> gix::actor::Signature {
    // What ends a name or an address in a commit.
    let clean = |text: &str| {
        let text = text.replace(['<', '>', '\0'], " ");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let name = clean(&person.name);
    gix::actor::Signature {
        name: if name.is_empty() { "unknown".into() } else { name.into() },
        email: clean(&person.email).into(),
        time: gix::date::Time::new(Timestamp::now().as_second(), 0),
    }
}

fn committer() -> gix::actor::Signature {
    signature(&Person { name: "Tollgate".to_owned(), email: "tollgate@localhost".to_owned() })
}
