//! A relative time that stays current, with the absolute one in its title.

use std::time::Duration;

use domain::time::Timestamp;
use leptos::prelude::*;

use crate::browser;
use crate::format;

/// The time that relative times are read from; provided as context.
#[derive(Clone, Copy)]
pub(crate) struct Clock(pub(crate) RwSignal<Timestamp>);

#[component]
pub(crate) fn Time(at: Timestamp) -> AnyView {
    let Clock(now) = expect_context::<Clock>();
    view! {
        <time datetime=at.to_string() title=format::absolute(at)>
            {move || format::relative(at, now.get())}
        </time>
    }
    .into_any()
}

/// The time, moved on each second for as long as the current owner lives: for what is counted while somebody looks on.
pub(crate) fn every_second() -> RwSignal<Timestamp> {
    let now = RwSignal::new(browser::now());
    let tick = set_interval_with_handle(
        move || {
            now.try_set(browser::now());
        },
        Duration::from_secs(1),
    );
    // Refused only outside of a browser.
    if let Ok(tick) = tick {
        on_cleanup(move || tick.clear());
    }
    now
}
