//! All releases side by side: how each stands, and whether it can be live again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Activation, Live, Origin, ReleaseId, ReleaseRecord, SHELL};
use crate::time::Timestamp;
use crate::wire::{ActivationRow, ReleaseRow};

/// What is kept of a release's record, of which most says which files it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uploaded {
    pub origin: Origin,
    pub at: Timestamp,
    pub files: u32,
    /// In bytes.
    pub stored: u64,
    /// The files at the root of the site, the one that makes a release live first.
    pub root: Vec<String>,
}

impl From<&ReleaseRecord> for Uploaded {
    fn from(record: &ReleaseRecord) -> Uploaded {
        let paths = record.files.iter().map(|file| &file.path);
        let mut root: Vec<String> = paths.filter(|path| !path.starts_with("pkg/")).cloned().collect();
        root.sort_by_key(|path| path != SHELL);
        Uploaded {
            origin: record.origin.clone(),
            at: record.at,
            files: u32::try_from(record.files.len()).unwrap_or(u32::MAX),
            stored: record.stored_bytes(),
            root,
        }
    }
}

/// How a release stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    Live,
    /// It was live when something else was begun: nobody knows whether it still is.
    Doubtful,
    UnderWay,
    /// It was being made live, and nobody carries that on any more.
    Interrupted,
    Earlier,
    /// It was uploaded, and not live as far as the history goes back.
    NeverLive,
    /// Its files were deleted.
    Gone,
}

impl Standing {
    pub fn label(self) -> &'static str {
        match self {
            Standing::Live => "live",
            Standing::Doubtful => "maybe live",
            Standing::UnderWay => "being made live",
            Standing::Interrupted => "interrupted",
            Standing::Earlier => "earlier",
            Standing::NeverLive => "never live",
            Standing::Gone => "deleted",
        }
    }
}

/// Every release that is there or was live, the one that was made live last first.
pub fn rows(live: &Live, uploaded: &BTreeMap<ReleaseId, Uploaded>, now: Timestamp) -> Vec<ReleaseRow> {
    let mut activations: BTreeMap<&ReleaseId, &Activation> = BTreeMap::new();
    // The last one of each stays.
    for activation in live.history.iter().chain(&live.under_way) {
        activations.insert(&activation.release, activation);
    }
    let mut releases: Vec<&ReleaseId> = uploaded.keys().chain(activations.keys().copied()).collect();
    releases.sort_unstable();
    releases.dedup();
    let mut rows: Vec<ReleaseRow> = releases
        .into_iter()
        .map(|release| row(live, release, activations.get(release).copied(), uploaded.get(release), now))
        .collect();
    rows.sort_by(|left, right| {
        let since = |row: &ReleaseRow| {
            let activated = row.activated.as_ref().map(|activated| activated.at);
            activated.or(row.uploaded_at)
        };
        since(right).cmp(&since(left)).then_with(|| left.release.cmp(&right.release))
    });
    rows
}

fn row(
    live: &Live,
    release: &ReleaseId,
    activation: Option<&Activation>,
    uploaded: Option<&Uploaded>,
    now: Timestamp,
) -> ReleaseRow {
    let refusal = live.rollback_refusal(release, uploaded.is_some(), now);
    let origin =
        activation.map(|activation| &activation.origin).or(uploaded.map(|uploaded| &uploaded.origin));
    let Origin { commit, branch, author } = origin.cloned().unwrap_or_default();
    ReleaseRow {
        standing: standing(live, release, activation.is_some(), uploaded.is_some(), now),
        release: release.clone(),
        commit,
        branch,
        author,
        uploaded_at: uploaded.map(|uploaded| uploaded.at),
        activated: activation.map(ActivationRow::from),
        files: uploaded.map_or(0, |uploaded| uploaded.files),
        stored: uploaded.map_or(0, |uploaded| uploaded.stored),
        root: uploaded.map(|uploaded| uploaded.root.clone()).unwrap_or_default(),
        refusal: refusal.map(|refusal| refusal.to_string()),
    }
}

fn standing(live: &Live, release: &ReleaseId, was_live: bool, is_there: bool, now: Timestamp) -> Standing {
    let begun = live.under_way.as_ref();
    if begun.is_some_and(|begun| begun.release == *release) {
        return if live.is_interrupted(now) { Standing::Interrupted } else { Standing::UnderWay };
    }
    if live.last() == Some(release) {
        return if begun.is_some() { Standing::Doubtful } else { Standing::Live };
    }
    match (is_there, was_live) {
        (false, _) => Standing::Gone,
        (true, true) => Standing::Earlier,
        (true, false) => Standing::NeverLive,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{activation, day, id, live, record};
    use super::*;

    fn there(releases: &[(u8, i64)]) -> BTreeMap<ReleaseId, Uploaded> {
        releases.iter().map(|(number, at)| (id(*number), Uploaded::from(&record(*number, *at)))).collect()
    }

    fn standings(live: &Live, there: &BTreeMap<ReleaseId, Uploaded>, now: i64) -> Vec<(ReleaseId, Standing)> {
        rows(live, there, day(now)).into_iter().map(|row| (row.release, row.standing)).collect()
    }

    #[test]
    fn what_was_made_live_last_comes_first() {
        // 1 was rolled back to, 2 was pruned, 4 was uploaded and lost.
        let live = live(&[(1, 0), (2, 1), (3, 2), (1, 3)]);
        let there = there(&[(1, 0), (3, 2), (4, 2)]);
        assert_eq!(
            standings(&live, &there, 4),
            [
                (id(1), Standing::Live),
                (id(3), Standing::Earlier),
                (id(4), Standing::NeverLive),
                (id(2), Standing::Gone),
            ]
        );
        let rows = rows(&live, &there, day(4));
        let refused: Vec<bool> = rows.iter().map(|row| row.refusal.is_some()).collect();
        assert_eq!(refused, [true, false, true, true]);
        assert_eq!(rows[3].commit, "c0ffee", "known from when it was live");
        assert_eq!(rows[0].activated.as_ref().map(|activated| activated.at), Some(day(3)));
    }

    #[test]
    fn what_is_under_way_leaves_open_what_is_live() {
        let mut live = live(&[(1, 0), (2, 1)]);
        live.begin(activation(1, 2));
        let there = there(&[(1, 0), (2, 1)]);
        let known = |first| [(id(1), first), (id(2), Standing::Doubtful)];
        assert_eq!(standings(&live, &there, 2), known(Standing::UnderWay));
        assert_eq!(standings(&live, &there, 3), known(Standing::Interrupted));
        assert_eq!(standings(&Live::default(), &BTreeMap::new(), 3), []);
    }
}
