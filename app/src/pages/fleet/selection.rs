//! Which instances are selected: some by their keys, or all that match the query.

use std::collections::BTreeSet;

use crate::format::joined;
use crate::reading::Reading;
use domain::wire::ListRow;
use leptos::prelude::*;

/// The name of a row in a selection: `account/region/id`.
pub(crate) fn key(row: &ListRow) -> String {
    joined(&[&row.account, "/", &row.region, "/", &row.instance_id])
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selected {
    Keys(BTreeSet<String>),
    /// All that match, however many they become.
    AllMatching,
}

#[derive(Clone, Copy)]
pub(crate) struct Selection(pub(crate) RwSignal<Selected>);

impl Selection {
    pub(crate) fn new() -> Selection {
        Selection(RwSignal::new(Selected::Keys(BTreeSet::new())))
    }

    pub(crate) fn contains(self, key: &str) -> bool {
        self.0.reading(|selected| match selected {
            Selected::Keys(keys) => keys.contains(key),
            Selected::AllMatching => true,
        })
    }

    /// Selects or deselects one row. Out of all that match nothing can be taken, so that a click there starts anew with that row.
    pub(crate) fn toggle(self, key: String) {
        self.0.update(|selected| match selected {
            Selected::Keys(keys) => {
                if !keys.remove(&key) {
                    keys.insert(key);
                }
            }
            Selected::AllMatching => *selected = Selected::Keys(BTreeSet::from([key])),
        });
    }

    pub(crate) fn select_all_matching(self) {
        self.0.set(Selected::AllMatching);
    }

    pub(crate) fn clear(self) {
        self.0.set(Selected::Keys(BTreeSet::new()));
    }

    /// How many are selected, when `matched` match.
    pub(crate) fn count(self, matched: u32) -> u32 {
        self.0.reading(|selected| match selected {
            Selected::Keys(keys) => keys.len() as u32,
            Selected::AllMatching => matched,
        })
    }

    /// The keys as the server takes them: none means all that match.
    pub(crate) fn keys(self) -> Vec<String> {
        self.0.reading_untracked(|selected| match selected {
            Selected::Keys(keys) => keys.iter().cloned().collect(),
            Selected::AllMatching => Vec::new(),
        })
    }
}
