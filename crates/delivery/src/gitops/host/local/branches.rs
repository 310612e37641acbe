//! Changing branches on disk: each only where it still is what it was, whoever else changes it, with this program or with git.

use std::path::Path;
use std::time::Duration;

use gix::ObjectId;
use gix::refs::transaction::{Change, LogChange, PreviousValue, RefEdit, RefLog};
use gix::refs::{FullName, Target};

use super::{HostError, Requests, committer};
use crate::git::local::{Disk, told};

/// How long a lock of somebody else is waited for; git holds one for milliseconds.
const LOCKED_FOR: Duration = Duration::from_secs(5);

/// What a branch is to become of what it is; `None` is no such branch.
pub(super) struct Step<'a> {
    pub(super) branch: &'a str,
    pub(super) from: Option<ObjectId>,
    pub(super) to: Option<ObjectId>,
}

impl Requests {
    pub(super) fn tip(&self, branch: &str) -> Result<Option<ObjectId>, HostError> {
        self.disk.tip(branch)?.map(|tip| Ok(self.disk.id(&tip)?)).transpose()
    }

    /// Changes branches, if all of them are what they are to be changed from.
    pub(super) fn change(&self, steps: &[Step<'_>], log: &str) -> Result<(), HostError> {
        let mut edits = Vec::new();
        for step in steps {
            if step.from.is_some() {
                self.refuse_checked_out(step.branch)?;
            }
            edits.push(self.edit(step, log)?);
        }
        let wait = gix::lock::acquire::Fail::AfterDurationWithBackoff(LOCKED_FOR);
        let prepared = self.disk.repository.refs.transaction().prepare(edits, wait, wait);
        let prepared = prepared.map_err(|error| self.unchanged(steps, &error))?;
        // Read anew with the locks held: packed branches that were read before may have been packed again since.
        let now =
            Requests { path: self.path.clone(), disk: Disk::open(&self.path)?, base: self.base.clone() };
        now.require(steps)?;
        let committer = committer();
        let mut time = gix::date::parse::TimeBuf::default();
        prepared.commit(committer.to_ref(&mut time)).map_err(|error| self.unchanged(steps, &error))?;
        Ok(())
    }

    fn edit(&self, step: &Step<'_>, log: &str) -> Result<RefEdit, HostError> {
        let name = FullName::try_from(format!("refs/heads/{}", step.branch)).map_err(|error| {
            HostError::Refused(format!("{:?} is no name of a branch: {error}.", step.branch))
        })?;
        let from = |id| PreviousValue::MustExistAndMatch(Target::Object(id));
        let change = match step.to {
            Some(to) => Change::Update {
                log: LogChange { message: format!("tollgate: {log}").into(), ..LogChange::default() },
                expected: step.from.map_or(PreviousValue::MustNotExist, from),
                new: Target::Object(to),
            },
            None => Change::Delete {
                expected: step.from.map_or(PreviousValue::MustExist, from),
                log: RefLog::AndReference,
            },
        };
        Ok(RefEdit { change, name, deref: false })
    }

    /// Whether the branches are what they are to be changed from.
    fn require(&self, steps: &[Step<'_>]) -> Result<(), HostError> {
        for step in steps {
            let is = self.tip(step.branch)?;
            if is != step.from {
                let told = |tip: Option<ObjectId>| tip.map_or("absent".to_owned(), |tip| format!("at {tip}"));
                return Err(HostError::Moved(format!(
                    "Branch {} of {} is {}, and not {} any more: plan anew.",
                    step.branch,
                    self.path.display(),
                    told(is),
                    told(step.from)
                )));
            }
        }
        Ok(())
    }

    /// Why branches could not be changed.
    fn unchanged(&self, steps: &[Step<'_>], error: &gix::Error) -> HostError {
        let repository = &self.disk.repository;
        let locks = steps.iter().map(|step| format!("refs/heads/{}.lock", step.branch));
        let locks = locks.chain(["packed-refs.lock".to_owned()]);
        let mut locks = locks.map(|lock| repository.common_dir().join(lock));
        if let Some(lock) = locks.find(|lock| lock.exists()) {
            let seconds = LOCKED_FOR.as_secs();
            return HostError::unreachable(format!(
                "{} was there for {seconds} seconds: another program changes the branch, or was killed while it did. If there is none, delete that file.",
                lock.display()
            ));
        }
        let moved = Disk::open(&self.path).map_err(HostError::from).and_then(|disk| {
            Requests { path: self.path.clone(), disk, base: self.base.clone() }.require(steps)
        });
        if let Err(moved @ HostError::Moved(_)) = moved {
            return moved;
        }
        let names: Vec<&str> = steps.iter().map(|step| step.branch).collect();
        HostError::unreachable(format!(
            "Branch {} of {} cannot be changed: {}.",
            names.join(" and "),
            self.path.display(),
            told(error)
        ))
    }

    /// What is checked out stays as it is: otherwise the next commit from there would undo what was merged.
    fn refuse_checked_out(&self, branch: &str) -> Result<(), HostError> {
        let name = format!("refs/heads/{branch}");
        let unread = |error: gix::Error| {
            self.disk.error(&format!("its work trees: {}; `git worktree prune` in it may help", told(&error)))
        };
        for tree in self.disk.repository.worktrees_including_main().map_err(unread)? {
            let tree = tree.map_err(unread)?;
            let is_at = tree.head_name().map_err(unread)?.is_some_and(|head| head.as_bstr() == name.as_str());
            if !tree.is_bare() && is_at {
                return Err(HostError::Refused(format!(
                    "Branch {branch} is checked out in {}, whose files would stay as they are: use a bare repository (`git clone --bare`), or check out another branch there.",
                    tree.workdir().unwrap_or(Path::new(&self.path)).display()
                )));
            }
        }
        Ok(())
    }
}
