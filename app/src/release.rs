//! Which release this page is of, and whether another one is live: a tab may stay open over many of them.

use std::time::Duration;

use domain::release::{LiveRelease, Outdated};
use domain::wire::API_VERSION;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::browser;
use crate::live::{Live, LiveState};
use crate::paths;
use crate::reading::on_change;
use crate::tree_json;

/// How often a tab that is looked at asks which release is live.
const EVERY: Duration = Duration::from_secs(300);

/// Whether this page is still what is live; provided as context.
#[derive(Clone, Copy)]
pub(crate) struct Release {
    pub(crate) outdated: RwSignal<Option<Outdated>>,
    /// Whether an answer is awaited.
    asking: StoredValue<bool>,
}

impl Release {
    /// Asks every few minutes, whenever somebody comes back to the tab, and when the server was away, as it is for a moment when
    /// another version of it is rolled out.
    pub(crate) fn start(live: Live) -> Release {
        let release = Release { outdated: RwSignal::new(None), asking: StoredValue::new(false) };
        set_interval(move || release.ask(), EVERY);
        browser::listen(&window(), "focus", move |_| release.ask());
        browser::listen(&document(), "visibilitychange", move |_| release.ask());
        on_change(
            move || live.state.track(),
            move || {
                if live.state.get_untracked() == LiveState::Live {
                    release.ask();
                }
            },
        );
        release
    }

    /// Asks, unless nobody looks at the tab: it asks when somebody does. One at a time, so that no answer comes after that to a
    /// later question. Where none can be had or read, what was known before stays.
    pub(crate) fn ask(self) {
        if document().hidden() || self.asking.get_value() {
            return;
        }
        self.asking.set_value(true);
        spawn_local(async move {
            let answer = browser::read_text(paths::RELEASE).await;
            self.asking.set_value(false);
            let Some(Ok(live)) = answer.map(|answer| tree_json::read::<LiveRelease>(answer.as_bytes()))
            else {
                return;
            };
            let outdated = own().and_then(|own| live.outdates(&own, API_VERSION));
            if self.outdated.get_untracked() != outdated {
                self.outdated.set(outdated);
            }
        });
    }
}

/// The release that the shell was made for.
pub(crate) fn own() -> Option<String> {
    document().document_element()?.get_attribute("data-release")
}
