//! The critical path: what a change spent its time on, as bars over one span of time, with the numbers beside them.

use domain::time::Timestamp;
use domain::wire::delivery::HopView;
use leptos::prelude::*;

use crate::format::{self, joined};
use crate::ui::Panel;

/// The width of the chart in its own units.
const WIDTH: i64 = 1_000;
/// What lasted less is still seen.
const LEAST: i64 = 4;

pub(super) fn panel(path: &[HopView], now: RwSignal<Timestamp>) -> AnyView {
    let (Some(first), Some(last)) = (path.first(), path.last()) else { return ().into_any() };
    let from = first.started.as_second();
    let end = last.finished.map(Timestamp::as_second);
    let to = Signal::derive(move || end.unwrap_or_else(|| now.get().as_second()).max(from));
    let waited: i64 = path.iter().map(|hop| hop.waited_seconds).sum();
    let words = if end.is_some() { " in all" } else { " so far" };
    let total = move || joined(&[&format::duration(to.get() - from), words]);
    let waiting = joined(&[", ", &format::duration(waited), " of it between stages"]);
    let bars = path.iter().map(|hop| bar(hop, from, to)).collect_view();
    view! {
        <Panel title="Critical path">
            <div class="pad">
                <p>{total} {waiting} "."</p>
                <ol class="path">{bars}</ol>
                <p class="legend mut">
                    <span class="key-run">"at work"</span>
                    <span class="key-wait">"nothing happened"</span>
                </p>
            </div>
        </Panel>
    }
    .into_any()
}

fn bar(hop: &HopView, from: i64, to: Signal<i64>) -> AnyView {
    let mut name = hop.stage.label().to_owned();
    if let Some(environment) = &hop.environment {
        name.push_str(&joined(&[" in ", environment]));
    }
    let job = hop.job.clone().map(|job| view! { <small class="mut break">{job}</small> });
    let started = hop.started.as_second();
    let waited = hop.waited_seconds;
    let finished = hop.finished.map(Timestamp::as_second);
    let end = move || finished.unwrap_or_else(|| to.get());
    // Where a second of the span lies in the chart.
    let place =
        move |second: i64| (second - from).clamp(0, to.get() - from) * WIDTH / (to.get() - from).max(1);
    let width = move |start: i64, end: i64| (place(end) - place(start)).max(LEAST);
    let took = move || {
        let took = format::duration(end() - started);
        if finished.is_some() { took } else { joined(&[&took, " so far"]) }
    };
    let wait = (waited > 0).then(|| {
        let x = move || place(started - waited).to_string();
        let width = move || width(started - waited, started).to_string();
        view! { <rect class="wait" y="5" height="2" x=x width=width /> }
    });
    let after = (waited > 0).then(|| joined(&[", after ", &format::duration(waited)]));
    let x = move || place(started).min(WIDTH - LEAST).to_string();
    view! {
        <li>
            <span>{name} {job}</span>
            <svg viewBox="0 0 1000 12" preserveAspectRatio="none" aria-hidden="true">
                {wait}
                <rect class="run" y="1" height="10" x=x width=move || width(started, end()).to_string() />
            </svg>
            <span>{took}<span class="mut">{after}</span></span>
        </li>
    }
    .into_any()
}
