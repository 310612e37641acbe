//! A repository on disk, bare or not, without the git program. It is opened anew for each question, so that one that was removed,
//! repacked or cloned again in between is seen as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::delivery::fitting;
use gix::ObjectId;
use gix::object::tree::EntryKind;
use jiff::Timestamp;
use tokio::sync::Mutex;

use super::repository::{CommitInfo, End, Entry, Line, MOST_BYTES, Repository};
use crate::reader::ReadError;

/// A disk that takes longer, such as one over a network that is gone, is given up on.
const TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub(crate) struct Local {
    path: PathBuf,
    /// Held while the disk is read: of a disk that does not answer, no more than one thread waits.
    turn: Arc<Mutex<()>>,
}

impl Local {
    pub(crate) fn new(path: PathBuf) -> Local {
        Local { path, turn: Arc::default() }
    }

    /// Reads the repository where waiting for the disk holds nobody up.
    async fn with<T: Send + 'static>(
        &self,
        read: impl Fn(&Disk) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        // While somebody repacks it, an object may be looked for where it is no more; opened again, it is seen where it is now.
        self.work(move |path| {
            let once = || read(&Disk::open(path)?);
            once().or_else(|_| once())
        })
        .await
    }

    /// Works on the repository where waiting for the disk holds nobody up; of work that does not end, it is not known whether it was
    /// done.
    pub(crate) async fn work<T: Send + 'static, E: From<ReadError> + Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let path = self.path.clone();
        let reading = async {
            let turn = self.turn.clone().lock_owned().await;
            let task = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                work(&path)
            });
            task.await
        };
        match tokio::time::timeout(TIMEOUT, reading).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(panic)) => Err(self.error(&format!("reading it was broken off ({panic})")).into()),
            Err(_) => {
                let seconds = TIMEOUT.as_secs();
                let problem =
                    format!("its disk did not answer within {seconds} seconds: see whether it is mounted");
                Err(self.error(&problem).into())
            }
        }
    }

    fn error(&self, problem: &str) -> ReadError {
        ReadError::new(format!("The Git repository {} cannot be read: {problem}.", self.path.display()))
    }
}

#[async_trait]
impl Repository for Local {
    async fn head(&self, branch: &str) -> Result<String, ReadError> {
        let branch = branch.to_owned();
        self.with(move |disk| disk.head(&branch)).await
    }

    async fn first_parents(&self, head: &str, until: Option<&str>, most: usize) -> Result<Line, ReadError> {
        let (head, until) = (head.to_owned(), until.map(str::to_owned));
        self.with(move |disk| disk.first_parents(&head, until.as_deref(), most)).await
    }

    async fn touched(
        &self,
        line: &Line,
        paths: &BTreeSet<String>,
    ) -> Result<Vec<BTreeSet<String>>, ReadError> {
        let (line, paths) = (line.clone(), paths.clone());
        self.with(move |disk| disk.touched(&line, &paths)).await
    }

    async fn files(
        &self,
        revision: &str,
        paths: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, Entry>, ReadError> {
        let (revision, paths) = (revision.to_owned(), paths.clone());
        self.with(move |disk| disk.files(&revision, &paths)).await
    }

    fn may_lag(&self) -> bool {
        false
    }
}

/// An opened repository, on the thread that it was opened on.
pub(crate) struct Disk {
    path: PathBuf,
    pub(crate) repository: gix::Repository,
}

impl Disk {
    pub(crate) fn open(path: &Path) -> Result<Disk, ReadError> {
        let fail = |problem: &str| {
            ReadError::new(format!("The Git repository {} cannot be opened: {problem}.", path.display()))
        };
        if !path.exists() {
            return Err(fail("there is no such directory, or it may not be looked into"));
        }
        // What the environment and the user's own configuration say is of another program.
        let repository = gix::open_opts(path, gix::open::Options::isolated())
            .map_err(|error| fail(&format!("{}; name a clone or a bare repository", told(&error))))?;
        let format =
            repository.config_snapshot().string("extensions.refStorage").map(|word| word.to_string());
        if format.as_deref() == Some("reftable") {
            return Err(fail(
                "it keeps its branches as a reftable, which is not read: run `git refs migrate --ref-format=files` in it",
            ));
        }
        Ok(Disk { path: path.to_owned(), repository })
    }

    pub(crate) fn error(&self, problem: &str) -> ReadError {
        ReadError::new(format!("The Git repository {} cannot be read: {problem}.", self.path.display()))
    }

    /// An object that should be there is not, or is not what it should be.
    pub(crate) fn broken(&self, what: &str, error: &dyn Error) -> ReadError {
        self.error(&format!("{what}: {}; `git fsck` in it tells more", told(error)))
    }

    pub(crate) fn head(&self, branch: &str) -> Result<String, ReadError> {
        self.tip(branch)?.ok_or_else(|| self.error(&format!("it has no branch {branch}{}", self.branches())))
    }

    /// The newest commit of a branch, where there is such a branch.
    pub(crate) fn tip(&self, branch: &str) -> Result<Option<String>, ReadError> {
        let name = format!("refs/heads/{branch}");
        let reference = self
            .repository
            .try_find_reference(name.as_str())
            .map_err(|error| self.broken(&format!("its branch {branch}"), &error))?;
        let Some(mut reference) = reference else { return Ok(None) };
        let commit = reference
            .peel_to_commit()
            .map_err(|error| self.broken(&format!("its branch {branch}"), &error))?;
        Ok(Some(commit.id().to_string()))
    }

    /// The branches that there are instead, to put after a sentence.
    fn branches(&self) -> String {
        let mut names = Vec::new();
        if let Ok(references) = self.repository.references()
            && let Ok(branches) = references.local_branches()
        {
            let shown = branches.filter_map(Result::ok).map(|branch| branch.name().shorten().to_string());
            names = shown.take(10).collect();
        }
        if names.is_empty() { ", nor any other".to_owned() } else { format!(", only {}", names.join(", ")) }
    }

    pub(crate) fn id(&self, revision: &str) -> Result<ObjectId, ReadError> {
        ObjectId::from_hex(revision.as_bytes())
            .map_err(|error| self.error(&format!("{revision} is no revision ({error})")))
    }

    pub(crate) fn commit(&self, revision: &str) -> Result<gix::Commit<'_>, ReadError> {
        self.repository
            .find_commit(self.id(revision)?)
            .map_err(|error| self.broken(&format!("its commit {revision}"), &error))
    }

    pub(crate) fn first_parents(
        &self,
        head: &str,
        until: Option<&str>,
        most: usize,
    ) -> Result<Line, ReadError> {
        let mut commits = Vec::new();
        let mut revision = head.to_owned();
        loop {
            if until == Some(revision.as_str()) {
                return Ok(Line { commits, end: End::Known });
            }
            // A shallow clone ends in commits whose parents it does not have.
            let ends_here = !commits.is_empty()
                && self.repository.is_shallow().unwrap_or(false)
                && !self.repository.has_object(self.id(&revision)?);
            if ends_here || commits.len() == most {
                return Ok(Line { commits, end: End::Cut });
            }
            let info = self.info(&revision)?;
            let parent = info.parent.clone();
            commits.push(info);
            match parent {
                Some(parent) => revision = parent,
                None => return Ok(Line { commits, end: End::Root }),
            }
        }
    }

    pub(crate) fn info(&self, revision: &str) -> Result<CommitInfo, ReadError> {
        let commit = self.commit(revision)?;
        let broken = |error: &dyn Error| self.broken(&format!("its commit {revision}"), error);
        let seconds = commit.time().map_err(|error| broken(&error))?.seconds;
        let author = commit.author().map_err(|error| broken(&error))?.name.to_string();
        Ok(CommitInfo {
            revision: revision.to_owned(),
            parent: commit.parent_ids().next().map(|id| id.to_string()),
            at: Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH),
            author: fitting(&author),
            message: commit.message_raw_sloppy().to_string(),
            link: None,
        })
    }

    fn touched(&self, line: &Line, paths: &BTreeSet<String>) -> Result<Vec<BTreeSet<String>>, ReadError> {
        let mut wanted = Wanted::default();
        for path in paths {
            wanted.add(path);
        }
        let mut touched = Vec::with_capacity(line.commits.len());
        for (at, commit) in line.commits.iter().enumerate() {
            let mut changed = BTreeSet::new();
            let is_last = at + 1 == line.commits.len();
            // Of the last commit of a line that was cut, what came before may not be there at all.
            if !(is_last && line.end == End::Cut) {
                let after = self.tree(&commit.revision)?;
                let before = commit.parent.as_deref().map(|parent| self.tree(parent)).transpose()?;
                self.compare(before, Some(after), &wanted, &mut String::new(), &mut changed)?;
            }
            touched.push(changed);
        }
        Ok(touched)
    }

    fn tree(&self, revision: &str) -> Result<ObjectId, ReadError> {
        let tree = self.commit(revision)?;
        let id = tree.tree_id().map_err(|error| self.broken(&format!("its commit {revision}"), &error))?;
        Ok(id.detach())
    }

    /// Collects the wanted paths that differ between two trees. Only what differs is looked into, which is little: of a tree that is
    /// the same on both sides, everything below is.
    fn compare(
        &self,
        before: Option<ObjectId>,
        after: Option<ObjectId>,
        wanted: &Wanted,
        path: &mut String,
        changed: &mut BTreeSet<String>,
    ) -> Result<(), ReadError> {
        let (old, new) = (self.entries(before, wanted)?, self.entries(after, wanted)?);
        for (name, below) in &wanted.below {
            let (old, new) = (old.get(name.as_str()), new.get(name.as_str()));
            if old == new {
                continue;
            }
            let length = path.len();
            if length > 0 {
                path.push('/');
            }
            path.push_str(name);
            if below.is_file {
                changed.insert(path.clone());
            }
            if !below.below.is_empty() {
                let tree = |entry: Option<&(EntryKind, ObjectId)>| {
                    entry.filter(|(kind, _)| *kind == EntryKind::Tree).map(|(_, id)| *id)
                };
                self.compare(tree(old), tree(new), below, path, changed)?;
            }
            path.truncate(length);
        }
        Ok(())
    }

    /// What a tree holds under the wanted names.
    fn entries(
        &self,
        tree: Option<ObjectId>,
        wanted: &Wanted,
    ) -> Result<BTreeMap<String, (EntryKind, ObjectId)>, ReadError> {
        let mut entries = BTreeMap::new();
        let Some(id) = tree else { return Ok(entries) };
        let broken = |error: &dyn Error| self.broken(&format!("its tree {id}"), error);
        let tree = self.repository.find_tree(id).map_err(|error| broken(&error))?;
        for entry in tree.iter() {
            let entry = entry.map_err(|error| broken(&error))?;
            let Ok(name) = std::str::from_utf8(entry.filename()) else { continue };
            if wanted.below.contains_key(name) {
                entries.insert(name.to_owned(), (entry.kind(), entry.object_id()));
            }
        }
        Ok(entries)
    }

    pub(crate) fn files(
        &self,
        revision: &str,
        paths: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, Entry>, ReadError> {
        let tree = self.repository.find_tree(self.tree(revision)?);
        let tree =
            tree.map_err(|error| self.broken(&format!("the tree of its commit {revision}"), &error))?;
        let mut files = BTreeMap::new();
        for path in paths {
            let broken = |error: &dyn Error| self.broken(&format!("its file {path} in {revision}"), error);
            let entry = tree.lookup_entry(path.split('/')).map_err(|error| broken(&error))?;
            let Some(entry) = entry else { continue };
            let mode = entry.mode();
            if mode.is_link() {
                files.insert(path.clone(), Entry::link());
            } else if mode.is_blob() {
                let header =
                    self.repository.find_header(entry.object_id()).map_err(|error| broken(&error))?;
                let file = if header.size() > MOST_BYTES {
                    Entry::too_large(header.size())
                } else {
                    Entry::File(entry.object().map_err(|error| broken(&error))?.detach().data)
                };
                files.insert(path.clone(), file);
            }
        }
        Ok(files)
    }
}

/// Paths by their components.
#[derive(Debug, Default)]
struct Wanted {
    is_file: bool,
    below: BTreeMap<String, Wanted>,
}

impl Wanted {
    fn add(&mut self, path: &str) {
        let end = path.split('/').fold(self, |wanted, part| wanted.below.entry(part.to_owned()).or_default());
        end.is_file = true;
    }
}

/// An error with what caused it, in one line.
pub(crate) fn told(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ").trim_end_matches('.').to_owned()
}
