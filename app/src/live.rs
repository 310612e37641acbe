//! The event stream as signals: what moved, whether the stream is open, and the clock that relative times are read from.

use std::time::Duration;

use domain::time::Timestamp;
use domain::wire::Moved;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use crate::api::ApiError;
use crate::browser;
use crate::paths;
use crate::reading::on_change;
use crate::tree_json;

/// Moves of the fleet that come faster than this are shown as one.
const CALM: Duration = Duration::from_secs(1);
/// What is shown beside every page (sources, counts) follows more slowly.
const SLOW: Duration = Duration::from_secs(5);
/// How often relative times are read again.
const TICK: Duration = Duration::from_secs(5);
/// The event stream is opened again after this, doubled with each failure.
const REOPEN: Duration = Duration::from_secs(1);
const REOPEN_MOST: Duration = Duration::from_secs(30);

/// Whether the page hears of changes as they happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LiveState {
    Connecting,
    Live,
    Reconnecting,
}

/// What the server says moves, shared by all pages.
#[derive(Clone, Copy)]
pub(crate) struct Live {
    pub(crate) state: RwSignal<LiveState>,
    /// Counts the moves of the fleet: a page that reads it fetches again.
    pub(crate) fleet: RwSignal<u32>,
    /// As `fleet`, at a slower pace.
    pub(crate) fleet_slow: RwSignal<u32>,
    /// Counts the moves of changes of metadata options.
    pub(crate) changes: RwSignal<u32>,
    /// Counts what is told of changes on their way.
    pub(crate) delivery: RwSignal<u32>,
    /// Counts the moves of GitOps operations.
    pub(crate) gitops: RwSignal<u32>,
    pub(crate) now: RwSignal<Timestamp>,
    /// The last request found no server.
    pub(crate) offline: RwSignal<bool>,
    /// The server no longer understands this page.
    pub(crate) incompatible: RwSignal<bool>,
    /// Counts the answers that nobody is signed in, and the refusals of the stream, which give no reason: the session is
    /// asked for again.
    pub(crate) refused: RwSignal<u32>,
    /// Nobody is signed in, as the session's own answer says. Once somebody is, what was refused meanwhile is asked again.
    pub(crate) nobody: RwSignal<bool>,
}

impl Live {
    /// Opens the stream; the answer is meant to be provided as context.
    pub(crate) fn start() -> Live {
        let live = Live {
            state: RwSignal::new(LiveState::Connecting),
            fleet: RwSignal::new(0),
            fleet_slow: RwSignal::new(0),
            changes: RwSignal::new(0),
            delivery: RwSignal::new(0),
            gitops: RwSignal::new(0),
            now: RwSignal::new(browser::now()),
            offline: RwSignal::new(false),
            incompatible: RwSignal::new(false),
            refused: RwSignal::new(0),
            nobody: RwSignal::new(false),
        };
        set_interval(move || live.now.set(browser::now()), TICK);
        open(live, REOPEN);
        live
    }

    /// Takes note of how a request ended, for what concerns every page.
    pub(crate) fn note(self, error: Option<&ApiError>) {
        let offline = matches!(error, Some(ApiError::Offline));
        if self.offline.get_untracked() != offline {
            self.offline.set(offline);
        }
        if matches!(error, Some(ApiError::Incompatible)) {
            self.incompatible.set(true);
        }
        if matches!(error, Some(ApiError::Unauthenticated)) {
            self.refused.update(|count| *count += 1);
        }
    }

    /// Runs `react` each time that somebody is signed in again.
    pub(crate) fn on_return(self, react: impl Fn() + 'static) {
        on_change(
            move || self.nobody.track(),
            move || {
                if !self.nobody.get_untracked() {
                    react();
                }
            },
        );
    }

    /// Has every page fetch again, because events may have been missed.
    fn all_moved(self) {
        for signal in [self.fleet, self.fleet_slow, self.changes, self.delivery, self.gitops] {
            signal.update(|count| *count += 1);
        }
    }
}

/// The event stream lives as long as the page does, so its handlers are never taken down.
fn open(live: Live, reopen: Duration) {
    let Ok(source) = web_sys::EventSource::new(paths::EVENTS) else { return };
    let fleet = Throttle::new(live.fleet, CALM);
    let fleet_slow = Throttle::new(live.fleet_slow, SLOW);
    let delivery = Throttle::new(live.delivery, CALM);
    let gitops = Throttle::new(live.gitops, CALM);

    browser::listen(&source, "open", move |_| {
        let missed = live.state.get_untracked() == LiveState::Reconnecting;
        live.state.set(LiveState::Live);
        if missed {
            live.all_moved();
        }
    });
    browser::listen(&source, "moved", move |event| {
        let Ok(event) = event.dyn_into::<web_sys::MessageEvent>() else { return };
        let Some(moved) = event.data().as_string().and_then(|text| tree_json::read(text.as_bytes()).ok())
        else {
            return;
        };
        match moved {
            Moved::Fleet { .. } => {
                fleet.bump();
                fleet_slow.bump();
            }
            Moved::Delivery { .. } => delivery.bump(),
            Moved::Gitops { .. } => gitops.bump(),
            Moved::Change { .. } => {
                live.changes.update(|count| *count += 1);
                fleet.bump();
            }
        }
    });
    let failed = source.clone();
    // A timer runs outside the owner that the handlers live under.
    let owner = Owner::current();
    browser::listen(&source, "error", move |_| {
        live.state.set(LiveState::Reconnecting);
        // The browser opens it again by itself unless the server answered with an error status.
        if failed.ready_state() == web_sys::EventSource::CLOSED
            && let Some(owner) = owner.clone()
        {
            live.refused.update(|count| *count += 1);
            open_later(live, owner, reopen);
        }
    });
}

/// Opens the stream after `reopen`, or soon after somebody is signed in: nobody would be refused again.
fn open_later(live: Live, owner: Owner, reopen: Duration) {
    let open = move || {
        if live.nobody.get_untracked() {
            open_later(live, owner.clone(), REOPEN);
        } else {
            owner.with(|| open(live, (reopen * 2).min(REOPEN_MOST)));
        }
    };
    set_timeout(open, reopen);
}

/// Bumps a counter at once, then at most once per interval; the last bump is never lost.
#[derive(Clone, Copy)]
struct Throttle {
    signal: RwSignal<u32>,
    interval: Duration,
    waiting: StoredValue<Waiting>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Waiting {
    No,
    Calm,
    ToBump,
}

impl Throttle {
    fn new(signal: RwSignal<u32>, interval: Duration) -> Throttle {
        Throttle { signal, interval, waiting: StoredValue::new(Waiting::No) }
    }

    fn bump(self) {
        if self.waiting.get_value() != Waiting::No {
            self.waiting.set_value(Waiting::ToBump);
            return;
        }
        self.signal.update(|count| *count += 1);
        self.waiting.set_value(Waiting::Calm);
        set_timeout(
            move || {
                let pending = self.waiting.get_value() == Waiting::ToBump;
                self.waiting.set_value(Waiting::No);
                if pending {
                    self.bump();
                }
            },
            self.interval,
        );
    }
}
