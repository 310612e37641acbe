//! What an operation comes to in the files of a repository, as they stand at one commit.

use std::collections::{BTreeMap, BTreeSet};

use domain::delivery::{EnvironmentName, Place, ServiceName, UpdaterMode};
use domain::gitops::{Before, FileDiff, Step, StepKind};
use sha2::{Digest, Sha256};
use similar::TextDiff;

use super::edit::{Change, edit_bytes};
use super::hold::{NotHeld, Who, hold, release};
use super::host::{Entry, Host, HostError};
use super::pin::pin;
use crate::git::GitopsConfig;
use crate::git::effective::{Effective, effective};
use crate::git::locate::locate;
use crate::git::places::{Layout, Tracked};
use crate::git::yaml::{Value, Yaml};

/// Lines around a change that are shown with it.
const CONTEXT: usize = 3;

/// What is to become of a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub of: Updated,
    /// The tag that it is to run.
    pub tag: Option<String>,
    pub updater: Option<UpdaterWanted>,
}

/// What is to become of the updater of a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum UpdaterWanted {
    /// It is kept from all tags, or from all but one. `only_if_any`: nothing is wrong where there is none to keep.
    Held { bypass: Option<String>, only_if_any: bool },
    /// What kept it is taken back to what it was before.
    Released { before: Option<Vec<Before>> },
}

/// A plan with the files as they will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Draft {
    pub base: String,
    pub steps: Vec<Step>,
    pub diffs: Vec<FileDiff>,
    pub files: BTreeMap<String, Vec<u8>>,
}

/// Why nothing can be planned: what is in the way, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PlanError {
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Host(#[from] HostError),
}

/// Where the files of places are.
#[derive(Clone, Debug)]
pub(super) struct Layouts {
    /// Those that set tags.
    tags: Layout,
    /// Those that hold Applications and ImageUpdaters.
    applications: Layout,
}

/// The files at one commit.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    pub base: String,
    files: BTreeMap<String, Entry>,
}

impl Layouts {
    pub(super) fn new(
        config: &GitopsConfig,
        services: &[ServiceName],
        environments: &[EnvironmentName],
    ) -> Layouts {
        let layout = |files: &[String]| Layout::new(files, &config.tag_key, services, environments);
        Layouts { tags: layout(&config.files), applications: layout(&config.applications) }
    }

    /// Reads what stands at the newest commit, as far as it concerns the places.
    pub(super) async fn read(
        &self,
        host: &dyn Host,
        places: &BTreeSet<Place>,
    ) -> Result<Snapshot, HostError> {
        let base = host.head().await?;
        let mut paths = BTreeSet::new();
        for layout in [&self.tags, &self.applications] {
            let tracked = layout.tracked.iter().filter(|tracked| places.contains(&tracked.place));
            paths.extend(tracked.flat_map(|tracked| tracked.files.iter().map(|file| file.path.clone())));
        }
        let files = host.files(&base, &paths).await?;
        Ok(Snapshot { base, files })
    }

    /// The tag that a place is to run by the snapshot; `None` where none of its files is there.
    pub(super) fn tag(&self, snapshot: &Snapshot, place: &Place) -> Option<Effective> {
        let tracked = self.tags.tracked.iter().find(|tracked| tracked.place == *place)?;
        match snapshot.effective(tracked) {
            Effective::Missing => None,
            other => Some(other),
        }
    }

    /// The plan of everything that is wanted.
    pub(super) fn draft(&self, snapshot: &Snapshot, wanted: &[Wanted]) -> Result<Draft, PlanError> {
        let mut edits: BTreeMap<String, Vec<Change>> = BTreeMap::new();
        let mut steps = Vec::new();
        for one in wanted {
            if let Some(tag) = &one.tag
                && let Some((step, path, change)) = self.tag_step(snapshot, &one.of.place, tag)?
            {
                steps.push(step);
                edits.entry(path).or_default().push(change);
            }
            if let Some(updater) = &one.updater {
                let (step, path, changes) = match self.updater_step(snapshot, &one.of, updater)? {
                    Some(found) => found,
                    None => continue,
                };
                steps.push(step);
                edits.entry(path).or_default().extend(changes);
            }
        }
        if steps.is_empty() {
            return Err(PlanError::Refused(
                "Nothing would change: the repository says all of it already.".into(),
            ));
        }
        let mut draft =
            Draft { base: snapshot.base.clone(), steps, diffs: Vec::new(), files: BTreeMap::new() };
        for (path, changes) in edits {
            let before = snapshot.contents(&path)?;
            let after = edit_bytes(before, &changes)
                .map_err(|refusal| PlanError::Refused(format!("{}.", refusal.in_file(&path))))?;
            draft.diffs.push(FileDiff { path: path.clone(), diff: unified(before, &after) });
            draft.files.insert(path, after.into_bytes());
        }
        Ok(draft)
    }

    fn tag_step(
        &self,
        snapshot: &Snapshot,
        place: &Place,
        tag: &str,
    ) -> Result<Option<(Step, String, Change)>, PlanError> {
        let Place { service, environment } = place;
        let found = match self.tag(snapshot, place) {
            Some(Effective::Set(found)) => found,
            Some(Effective::Unset { path, key }) => {
                return Err(PlanError::Refused(format!(
                    "{path} sets no {key}, the tag of {service} in {environment}: write it there once by hand."
                )));
            }
            Some(Effective::Unreadable { path, problem, .. }) => {
                return Err(PlanError::Refused(format!("{path} cannot be read: {problem}.")));
            }
            Some(Effective::Missing) | None => {
                return Err(PlanError::Refused(format!(
                    "No file of the repository sets the tag of {service} in {environment}: see `files` of [[gitops]] in the \
                     configuration."
                )));
            }
        };
        if found.tag == tag {
            return Ok(None);
        }
        let change = pin(&found.at, &found.within, &found.key, tag)
            .map_err(|refusal| PlanError::Refused(format!("{}.", refusal.in_file(&found.path))))?;
        let step = Step {
            place: place.clone(),
            kind: StepKind::Tag,
            path: found.path.clone(),
            key: found.key.clone(),
            before: Some(found.tag.clone()),
            after: Some(tag.to_owned()),
            restores: Vec::new(),
            digest_before: None,
            digest: None,
        };
        Ok(Some((step, found.path, change)))
    }

    /// `None` where nothing is to be changed.
    fn updater_step(
        &self,
        snapshot: &Snapshot,
        of: &Updated,
        wanted: &UpdaterWanted,
    ) -> Result<Option<(Step, String, Vec<Change>)>, PlanError> {
        let place = &of.place;
        let files = self.application_files(snapshot, place)?;
        let name = match &of.application {
            Some(name) => name.clone(),
            None => application_name(&files, place)
                .unwrap_or_else(|| format!("{}-{}", place.service, place.environment)),
        };
        let who = Who {
            service: &place.service,
            application: &name,
            namespace: of.namespace.as_deref(),
            labels: None,
            seen: of.seen,
            // Whoever goes back to an earlier tag does so whether or not there is somebody to keep from the next.
            unseen: of.unseen && matches!(wanted, UpdaterWanted::Held { only_if_any: false, .. }),
        };
        let refused = |problem: &dyn std::fmt::Display| {
            PlanError::Refused(format!("{} in {}: {problem}.", place.service, place.environment))
        };
        let step =
            |kind, path: &str, key: String, before: Option<String>, after: Option<String>, restores| Step {
                place: place.clone(),
                kind,
                path: path.to_owned(),
                key,
                before,
                after,
                restores,
                digest_before: None,
                digest: None,
            };
        match wanted {
            UpdaterWanted::Held { bypass, only_if_any } => {
                let held = match hold(&files, who, bypass.as_deref()) {
                    Ok(held) => held,
                    Err(NotHeld::NotUpdated(_)) if *only_if_any => return Ok(None),
                    Err(NotHeld::NotUpdated(why)) => return Err(refused(&why)),
                    Err(NotHeld::Refused(refusal)) => return Err(refused(&refusal)),
                };
                let Some(first) = held.changes.first() else { return Ok(None) };
                let key = first.at.to_string();
                let before =
                    held.before.first().and_then(|before| before.was.as_ref()).map(ToString::to_string);
                let after = first.to.as_ref().map(ToString::to_string);
                let step = step(StepKind::Hold(held.form), &held.path, key, before, after, held.before);
                Ok(Some((step, held.path, held.changes)))
            }
            UpdaterWanted::Released { before } => {
                let before = match before {
                    Some(before) => before.clone(),
                    // It was frozen by hand: what is written for that is known all the same.
                    None => match hold(&files, who, None) {
                        Ok(held) if held.changes.is_empty() => {
                            held.before.into_iter().map(|before| Before { was: None, ..before }).collect()
                        }
                        Ok(_) => return Ok(None),
                        Err(NotHeld::NotUpdated(why)) => return Err(refused(&why)),
                        Err(NotHeld::Refused(refusal)) => return Err(refused(&refusal)),
                    },
                };
                let Some(form) = before.first().map(|before| before.form) else { return Ok(None) };
                let released = release(&files, who, &before).map_err(|refusal| refused(&refusal))?;
                let Some(first) = released.changes.first() else { return Ok(None) };
                let key = first.at.to_string();
                let after = first.to.as_ref().map(ToString::to_string);
                let step = step(StepKind::Release(form), &released.path, key, None, after, Vec::new());
                Ok(Some((step, released.path, released.changes)))
            }
        }
    }

    /// The files of a place that hold Applications and ImageUpdaters, as texts.
    fn application_files(
        &self,
        snapshot: &Snapshot,
        place: &Place,
    ) -> Result<BTreeMap<String, String>, PlanError> {
        let tracked = [&self.tags, &self.applications].into_iter().flat_map(|layout| {
            layout.tracked.iter().filter(|tracked| tracked.place == *place).flat_map(|tracked| &tracked.files)
        });
        let mut files = BTreeMap::new();
        for file in tracked {
            if let Some(Entry::File(contents)) = snapshot.files.get(&file.path) {
                let text = std::str::from_utf8(contents).map_err(|_| {
                    PlanError::Refused(format!("{} cannot be read: it is not UTF-8.", file.path))
                })?;
                files.insert(file.path.clone(), text.to_owned());
            }
        }
        Ok(files)
    }
}

/// A place whose updater is steered, with what the cluster tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Updated {
    pub place: Place,
    /// The Application's name and namespace, where one is seen.
    pub application: Option<String>,
    pub namespace: Option<String>,
    /// What the updater was seen to read.
    pub seen: Option<UpdaterMode>,
    /// Whether an Application is seen, and nothing that updates it.
    pub unseen: bool,
}

/// The name of the place's Application, by the files of the place: one that is named after it, else the only one there is.
fn application_name(files: &BTreeMap<String, String>, place: &Place) -> Option<String> {
    let Place { service, environment } = place;
    let mut names: Vec<String> = Vec::new();
    for text in files.values() {
        let Ok(yaml) = Yaml::parse(text) else { continue };
        let applications = yaml
            .documents()
            .filter(|document| document.get("kind").and_then(Value::text) == Some("Application"));
        names.extend(applications.filter_map(|one| Some(one.at(["metadata", "name"])?.text()?.to_owned())));
    }
    let wanted =
        [format!("{service}-{environment}"), format!("{environment}-{service}"), service.to_string()];
    if let Some(name) = wanted.iter().find(|name| names.contains(name)) {
        return Some(name.clone());
    }
    match names.as_slice() {
        [only] => Some(only.clone()),
        _ => None,
    }
}

impl Snapshot {
    fn effective(&self, tracked: &Tracked) -> Effective {
        let readings: Vec<_> = tracked
            .files
            .iter()
            .map(|file| {
                let reading = self.files.get(&file.path).map(|entry| match entry {
                    Entry::File(contents) => locate(&file.path, contents, tracked.wanted(file)),
                    Entry::Unreadable(problem) => Err(problem.clone()),
                });
                (file.path.as_str(), reading)
            })
            .collect();
        effective(&tracked.key, readings.iter().map(|(path, reading)| (*path, reading)))
    }

    fn contents(&self, path: &str) -> Result<&[u8], PlanError> {
        match self.files.get(path) {
            Some(Entry::File(contents)) => Ok(contents),
            Some(Entry::Unreadable(problem)) => {
                Err(PlanError::Refused(format!("{path} cannot be read: {problem}.")))
            }
            None => Err(PlanError::Refused(format!("{path} is not there any more: plan it anew."))),
        }
    }
}

/// SHA-256 of what is written where: of the steps, and of every line that changes. Lines around them are others'.
pub(super) fn fingerprint(steps: &[Step], files: &[FileDiff]) -> String {
    let mut hash = Sha256::new();
    for Step { place, kind, path, key, before, after, restores: _, digest_before: _, digest: _ } in steps {
        let kind = match kind {
            StepKind::Tag => "tag",
            StepKind::Hold(_) => "hold",
            StepKind::Release(_) => "release",
        };
        let texts = [
            Some(place.service.as_str()),
            Some(place.environment.as_str()),
            Some(kind),
            Some(path.as_str()),
            Some(key.as_str()),
            before.as_deref(),
            after.as_deref(),
        ];
        texts.into_iter().for_each(|text| add(&mut hash, text));
    }
    for FileDiff { path, diff } in files {
        add(&mut hash, Some(path));
        let changed = diff.lines().filter(|line| line.starts_with(['+', '-']));
        changed.for_each(|line| add(&mut hash, Some(line)));
    }
    hex::encode(hash.finalize())
}

/// Adds a text with its length before it, so that no two lists of texts read the same.
fn add(hash: &mut Sha256, text: Option<&str>) {
    hash.update(text.map_or(u64::MAX, |text| text.len() as u64).to_be_bytes());
    hash.update(text.unwrap_or_default());
}

/// What a change looks like, in the unified format without the names of the file.
fn unified(before: &[u8], after: &str) -> String {
    let before = String::from_utf8_lossy(before);
    TextDiff::from_lines(before.as_ref(), after).unified_diff().context_radius(CONTEXT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diff(text: &str) -> FileDiff {
        FileDiff { path: "values.yaml".into(), diff: text.into() }
    }

    #[test]
    fn a_fingerprint_is_of_what_changes_and_of_nothing_around_it() {
        let of = |text: &str| fingerprint(&[], &[diff(text)]);
        let one = of("@@ -1,3 +1,3 @@\n a: 1\n-tag: x\n+tag: y\n");
        assert_eq!(one, of("@@ -9,3 +9,3 @@\n b: 2\n-tag: x\n+tag: y\n"), "others' lines moved it");
        assert_ne!(one, of("@@ -1,3 +1,3 @@\n a: 1\n-tag: x\n+tag: z\n"));
        assert_ne!(one, of("@@ -1,3 +1,3 @@\n a: 1\n-tag: w\n+tag: y\n"));
        assert_ne!(one, of("@@ -1,3 +1,4 @@\n a: 1\n-tag: x\n+tag: y\n+more: 1\n"));
        assert_eq!(one.len(), 64);
    }
}
