//! Which instances are selected: some by their keys, or all that match the query.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;

use domain::wire::{ListRow, MAX_IDS};
use leptos::prelude::*;

use super::rows::Rows;
use crate::api;
use crate::browser;
use crate::format::{self, joined};
use crate::reading::Reading;
use crate::ui::{Toasts, copy_text, report_copied};

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

    /// Why the ids of what is selected cannot be copied, when `matched` match.
    pub(crate) fn copy_disabled(self, matched: u32) -> Option<String> {
        match self.count(matched) {
            0 => Some("Nothing is selected.".into()),
            1..=MAX_IDS => None,
            _ => {
                Some(joined(&["More than ", &format::count(MAX_IDS), " are selected: export them instead."]))
            }
        }
    }

    /// Copies the ids of what is selected; those of all that match are read from the server first.
    pub(crate) fn copy_ids(self, rows: Rows, toasts: Toasts) {
        match self.0.get_untracked() {
            Selected::Keys(keys) => {
                let ids: Vec<&str> = keys.iter().filter_map(|key| Some(key.rsplit_once('/')?.1)).collect();
                copy_text(toasts, ids.join("\n"), &instance_ids(ids.len()));
            }
            Selected::AllMatching => {
                let (q, sort) = rows.asked();
                let copied = Rc::new(Cell::new(0));
                let count = copied.clone();
                let text = async move {
                    match api::matching_ids(q, sort).await {
                        Ok(ids) => {
                            count.set(ids.len());
                            Some(ids.join("\n"))
                        }
                        Err(error) => {
                            toasts.say(joined(&["Nothing was copied. ", &error.to_string()]));
                            None
                        }
                    }
                };
                browser::copy_when_known(Box::pin(text), move |done| {
                    report_copied(toasts, &instance_ids(copied.get()), done);
                });
            }
        }
    }

    /// The keys as the server takes them: none means all that match.
    pub(crate) fn keys(self) -> Vec<String> {
        self.0.reading_untracked(|selected| match selected {
            Selected::Keys(keys) => keys.iter().cloned().collect(),
            Selected::AllMatching => Vec::new(),
        })
    }
}

fn instance_ids(count: usize) -> String {
    format::counted(count as u32, "instance id")
}
