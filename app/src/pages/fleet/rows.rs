//! The rows of the fleet list as they arrive in windows: what is shown stays until what replaces it is here.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::list::Sort;
use domain::time::Timestamp;
use domain::wire::{ListPage, ListRow};
use futures::future::AbortHandle;
use leptos::prelude::*;

use crate::api::{self, ApiError};
use crate::fetched::spawn;
use crate::live::Live;
use crate::reading::{Reading, effect, on_change};
use crate::ui::window::{WINDOW, windows};

/// Windows that are kept; those farthest from what is in sight go first.
const KEPT: usize = 12;

/// What is known of the whole list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListState {
    pub(crate) total: u32,
    pub(crate) matched: u32,
    pub(crate) as_of: Option<Timestamp>,
}

type Window = Arc<Vec<Arc<ListRow>>>;

#[derive(Clone, Copy)]
pub(crate) struct Rows {
    /// `None` until the first answer.
    pub(crate) state: RwSignal<Option<ListState>>,
    pub(crate) error: RwSignal<Option<ApiError>>,
    /// Why what is shown is not the answer to the query; `None` while it is, or is about to be.
    pub(crate) doubt: Signal<Option<String>>,
    /// Counts the answers to new questions, after which the list starts at its top again.
    pub(crate) restarted: RwSignal<u32>,
    /// The rows in sight; the table sets it.
    pub(crate) in_sight: RwSignal<(u32, u32)>,
    windows: RwSignal<BTreeMap<u32, Window>>,
    running: StoredValue<BTreeMap<u32, AbortHandle>>,
    question: StoredValue<Question>,
    live: Live,
}

#[derive(Clone, Default)]
struct Question {
    q: String,
    sort: String,
    /// Grows with each question and each refresh; an answer to another number is dropped. 0 before the first question.
    number: u32,
    /// The rows shown answer it, and not an earlier one.
    answered: bool,
    /// The view that the windows shown were answered from.
    revision: i64,
}

impl Rows {
    /// Follows `q` and `sort`; asks nothing while `q` is `None` (it cannot be parsed).
    pub(crate) fn new(q: Memo<Option<String>>, sort: RwSignal<Sort>) -> Rows {
        let live = expect_context::<Live>();
        let error = RwSignal::new(None::<ApiError>);
        let doubt = move || {
            if q.reading(Option::is_none) {
                Some("The query has a mistake.".to_owned())
            } else {
                error.reading(Option::is_some).then(|| "The list cannot be read.".to_owned())
            }
        };
        let rows = Rows {
            state: RwSignal::new(None),
            error,
            doubt: Signal::derive(doubt),
            restarted: RwSignal::new(0),
            in_sight: RwSignal::new((0, 0)),
            windows: RwSignal::new(BTreeMap::new()),
            running: StoredValue::new(BTreeMap::new()),
            question: StoredValue::new(Question::default()),
            live,
        };
        effect(move || {
            let sort = sort.get().to_string();
            if let Some(q) = q.get() {
                rows.ask(q, sort);
            }
        });
        effect(move || {
            rows.in_sight.track();
            if rows.question.with_value(|question| question.answered) {
                rows.fetch_missing();
            }
        });
        on_change(move || live.fleet.track(), move || rows.refresh());
        live.on_return(move || rows.refresh());
        on_cleanup(move || rows.stop());
        rows
    }

    pub(crate) fn row(self, index: u32) -> Option<Arc<ListRow>> {
        self.windows
            .reading(|windows| windows.get(&(index / WINDOW))?.get((index % WINDOW) as usize).cloned())
    }

    /// As [`Rows::row`], outside reactive code.
    pub(crate) fn row_untracked(self, index: u32) -> Option<Arc<ListRow>> {
        untrack(|| self.row(index))
    }

    /// The query and the order that were asked for last; never a query with a mistake.
    pub(crate) fn asked(self) -> (String, String) {
        let Question { q, sort, .. } = self.question.get_value();
        (q, sort)
    }

    /// Asks for what is in sight again, and shows what was there until the answer is.
    pub(crate) fn refresh(self) {
        let Question { number, answered, .. } = self.question.get_value();
        if number == 0 {
            return;
        }
        self.stop();
        self.question.update_value(|question| question.number += 1);
        for window in if answered { self.needed() } else { 0..1 } {
            self.fetch(window);
        }
    }

    fn ask(self, q: String, sort: String) {
        self.stop();
        self.question.update_value(|question| {
            question.q = q;
            question.sort = sort;
            question.number += 1;
            question.answered = false;
        });
        self.fetch(0);
    }

    fn stop(self) {
        self.running.update_value(|running| {
            for handle in std::mem::take(running).into_values() {
                handle.abort();
            }
        });
    }

    fn needed(self) -> std::ops::Range<u32> {
        let (first, end) = self.in_sight.get_untracked();
        let count = self.state.get_untracked().map_or(0, |state| state.matched);
        windows(&(first..end), count)
    }

    fn fetch_missing(self) {
        for window in self.needed() {
            let known = self.windows.reading_untracked(|windows| windows.contains_key(&window));
            let running = self.running.with_value(|running| running.contains_key(&window));
            if !known && !running {
                self.fetch(window);
            }
        }
    }

    fn fetch(self, window: u32) {
        let Question { q, sort, number, .. } = self.question.get_value();
        let handle = spawn(Box::pin(async move {
            let answer = api::list_instances(q, sort, window * WINDOW, WINDOW).await;
            // The page may be gone by now.
            if self.question.try_with_value(|question| question.number == number) != Some(true) {
                return;
            }
            self.running.update_value(|running| {
                running.remove(&window);
            });
            self.live.note(answer.as_ref().err());
            match answer {
                Ok(page) => self.take(window, page),
                Err(error) => self.error.set(Some(error)),
            }
        }));
        self.running.update_value(|running| {
            running.insert(window, handle);
        });
    }

    fn take(self, window: u32, page: ListPage) {
        let Question { answered, revision, .. } = self.question.get_value();
        self.question.update_value(|question| {
            question.answered = true;
            question.revision = page.revision;
        });
        let state = ListState { total: page.total, matched: page.matched, as_of: page.as_of };
        if self.state.get_untracked() != Some(state) {
            self.state.set(Some(state));
        }
        if self.error.reading_untracked(Option::is_some) {
            self.error.set(None);
        }
        let needed = self.needed();
        self.windows.update(|windows| {
            if !answered {
                windows.clear();
            } else if page.revision != revision {
                // Rows may have moved between windows: those out of sight are fetched again when they are scrolled to.
                windows.retain(|known, _| needed.contains(known));
            }
            windows.insert(window, Arc::new(page.rows.into_iter().map(Arc::new).collect()));
            while windows.len() > KEPT
                && let Some(farthest) = windows.keys().copied().max_by_key(|known| known.abs_diff(window))
            {
                windows.remove(&farthest);
            }
        });
        if !answered {
            self.restarted.update(|count| *count += 1);
        }
        self.fetch_missing();
    }
}
