//! What changed each place's tag and when: the line of first parents is gone back along, and only where a file of a place changed
//! is it looked at.

use std::collections::{BTreeMap, BTreeSet};

use domain::delivery::TagChange;

use super::effective::{Effective, FileReading, effective};
use super::locate::locate;
use super::places::Layout;
use super::repository::{CommitInfo, End, Entry, Line, Repository};
use crate::github::pull_request_of;
use crate::reader::ReadError;

/// How many changes of a place are kept.
pub(super) const MOST_CHANGES: usize = 10;
/// How many files are held at once.
const FILES_AT_ONCE: usize = 64;

/// What is known of one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlaceHistory {
    pub effective: Effective,
    /// The tag when it could last be told: `Some(None)` where nothing set one.
    pub last: Option<Option<String>>,
    /// Newest first.
    pub changes: Vec<TagChange>,
}

/// Reads what the line says of all places, on top of what was known where the line reaches that.
pub(super) async fn read(
    repository: &dyn Repository,
    layout: &Layout,
    head: &str,
    line: &Line,
    known: Option<&[PlaceHistory]>,
) -> Result<Vec<PlaceHistory>, ReadError> {
    let known = known.filter(|_| line.end == End::Known);
    let touched = repository.touched(line, &layout.paths()).await?;
    let concerned: BTreeSet<usize> = match known {
        None => (0..layout.tracked.len()).collect(),
        Some(_) => touched.iter().flat_map(|paths| places(layout, paths)).collect(),
    };
    let paths = concerned.iter().flat_map(|place| &layout.tracked[*place].files);
    let paths = paths.map(|file| file.path.clone()).collect();
    let mut readings = nothing(layout);
    update(repository, layout, head, &paths, &mut readings).await?;

    let now: Vec<Effective> =
        (0..layout.tracked.len()).map(|place| of_place(layout, &readings, place)).collect();
    let mut walks: BTreeMap<usize, Walk> =
        concerned.iter().map(|place| (*place, Walk::new(&now[*place]))).collect();
    for (commit, paths) in line.commits.iter().zip(&touched) {
        let open: BTreeSet<usize> =
            places(layout, paths).filter(|place| walks.get(place).is_some_and(Walk::goes_on)).collect();
        let paths: BTreeSet<String> = paths
            .iter()
            .filter(|path| {
                layout.by_path.get(*path).is_some_and(|of| of.iter().any(|one| open.contains(one)))
            })
            .cloned()
            .collect();
        match &commit.parent {
            Some(parent) => update(repository, layout, parent, &paths, &mut readings).await?,
            None => take(layout, &paths, &mut BTreeMap::new(), &mut readings),
        }
        for place in open {
            if let Some(walk) = walks.get_mut(&place) {
                walk.step(commit, &of_place(layout, &readings, place));
            }
        }
    }

    let oldest = line.commits.last();
    let mut histories = Vec::with_capacity(layout.tracked.len());
    for (place, effective) in now.into_iter().enumerate() {
        let before = known.and_then(|known| known.get(place));
        histories.push(match (walks.remove(&place), before) {
            (Some(walk), before) => walk.finish(effective, before, line.end, oldest),
            (None, Some(before)) => before.clone(),
            // Without anything known before all places are concerned.
            (None, None) => PlaceHistory { effective, last: None, changes: Vec::new() },
        });
    }
    Ok(histories)
}

/// What all files of all places say as of a revision.
pub(super) async fn readings(
    repository: &dyn Repository,
    layout: &Layout,
    revision: &str,
) -> Result<Vec<Vec<FileReading>>, ReadError> {
    let mut readings = nothing(layout);
    update(repository, layout, revision, &layout.paths(), &mut readings).await?;
    Ok(readings)
}

/// What files say before any was read.
pub(super) fn nothing(layout: &Layout) -> Vec<Vec<FileReading>> {
    layout.tracked.iter().map(|tracked| vec![None; tracked.files.len()]).collect()
}

fn places<'a>(layout: &'a Layout, paths: &'a BTreeSet<String>) -> impl Iterator<Item = usize> + 'a {
    paths.iter().filter_map(|path| layout.by_path.get(path)).flatten().copied()
}

/// The tag that a place gets from all of its files.
pub(super) fn of_place(layout: &Layout, readings: &[Vec<FileReading>], place: usize) -> Effective {
    let tracked = &layout.tracked[place];
    effective(&tracked.key, tracked.files.iter().map(|file| file.path.as_str()).zip(&readings[place]))
}

/// Reads files as of a revision, for all places that they are of.
pub(super) async fn update(
    repository: &dyn Repository,
    layout: &Layout,
    revision: &str,
    paths: &BTreeSet<String>,
    readings: &mut [Vec<FileReading>],
) -> Result<(), ReadError> {
    let all: Vec<&String> = paths.iter().collect();
    for some in all.chunks(FILES_AT_ONCE) {
        let some: BTreeSet<String> = some.iter().map(|path| (*path).clone()).collect();
        let mut files = repository.files(revision, &some).await?;
        take(layout, &some, &mut files, readings);
    }
    Ok(())
}

fn take(
    layout: &Layout,
    paths: &BTreeSet<String>,
    files: &mut BTreeMap<String, Entry>,
    readings: &mut [Vec<FileReading>],
) {
    for path in paths {
        let entry = files.remove(path);
        for place in layout.by_path.get(path).into_iter().flatten() {
            let tracked = &layout.tracked[*place];
            for (number, file) in tracked.files.iter().enumerate().filter(|(_, file)| file.path == *path) {
                readings[*place][number] = entry.as_ref().map(|entry| match entry {
                    Entry::File(contents) => locate(path, contents, tracked.wanted(file)),
                    Entry::Unreadable(problem) => Err(problem.clone()),
                });
            }
        }
    }
}

/// The way back through one place's tags.
struct Walk {
    /// The tag after the commits that are still to come; `None` before there was one that could be told.
    later: Option<Option<String>>,
    /// The commit with which it could be told again, where it could not be before that.
    told_since: Option<CommitInfo>,
    /// The commit that was looked at last.
    looked_at: Option<CommitInfo>,
    changes: Vec<TagChange>,
}

/// The tag, where it can be told.
fn tag_of(effective: &Effective) -> Option<Option<String>> {
    match effective {
        Effective::Set(found) => Some(Some(found.tag.clone())),
        Effective::Missing | Effective::Unset { .. } => Some(None),
        Effective::Unreadable { .. } => None,
    }
}

impl Walk {
    fn new(now: &Effective) -> Walk {
        Walk { later: tag_of(now), told_since: None, looked_at: None, changes: Vec::new() }
    }

    fn goes_on(&self) -> bool {
        self.changes.len() < MOST_CHANGES
    }

    /// Takes in how it was before a commit.
    fn step(&mut self, commit: &CommitInfo, before: &Effective) {
        self.looked_at = Some(commit.clone());
        let Some(before) = tag_of(before) else {
            if self.later.is_some() && self.told_since.is_none() {
                self.told_since = Some(commit.clone());
            }
            return;
        };
        let told_since = self.told_since.take();
        self.turn(told_since.as_ref().unwrap_or(commit), before);
    }

    /// What was before a commit, and could be told.
    fn turn(&mut self, commit: &CommitInfo, before: Option<String>) {
        match &self.later {
            Some(later) if *later == before => return,
            Some(Some(tag)) => {
                let tag = tag.clone();
                self.changes.push(change(commit, tag, before.clone()));
            }
            Some(None) | None => {}
        }
        self.later = Some(before);
    }

    fn finish(
        mut self,
        effective: Effective,
        before: Option<&PlaceHistory>,
        end: End,
        oldest: Option<&CommitInfo>,
    ) -> PlaceHistory {
        let last = tag_of(&effective);
        if let Some(before) = before {
            match (self.told_since.take(), &before.last, &self.later) {
                (Some(commit), Some(tag), _) => self.turn(&commit, tag.clone()),
                (Some(commit), None, Some(Some(tag))) => {
                    self.changes.push(change(&commit, tag.clone(), None));
                }
                (Some(_), None, Some(None) | None) | (None, _, _) => {}
            }
            self.changes.extend(before.changes.iter().cloned());
            self.changes.truncate(MOST_CHANGES);
            let last = last.or_else(|| before.last.clone());
            return PlaceHistory { effective, last, changes: self.changes };
        }
        if let (true, Some(Some(tag))) = (self.goes_on(), &self.later) {
            let tag = tag.clone();
            if let Some(commit) = &self.told_since {
                self.changes.push(change(commit, tag, None));
            } else if let Some(there) = oldest.filter(|_| end == End::Cut).or(self.looked_at.as_ref()) {
                // It was there already when what is read begins: who put it there is not known.
                let there = change(there, tag, None);
                self.changes.push(TagChange { author: None, pull_request: None, link: None, ..there });
            }
        }
        let last = last.or_else(|| self.changes.first().map(|change| Some(change.tag.clone())));
        PlaceHistory { effective, last, changes: self.changes }
    }
}

fn change(commit: &CommitInfo, tag: String, before: Option<String>) -> TagChange {
    TagChange {
        revision: commit.revision.clone(),
        tag,
        before,
        at: commit.at,
        author: commit.author.clone(),
        pull_request: pull_request_of(&commit.message),
        link: commit.link.clone(),
    }
}
