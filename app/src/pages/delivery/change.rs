//! One change: where it is, why it is not further, every stage of its way, and what it spent its time on.

use domain::time::Timestamp;
use domain::wire::delivery::TimelineView;
use leptos::prelude::*;

use super::words::short;
use super::{evidence, path, steps, why};
use crate::api;
use crate::browser;
use crate::fetched::{Fetched, fetched};
use crate::format::joined;
use crate::live::Live;
use crate::paths;
use crate::problem::{part, show};
use crate::reading::on_change;
use crate::ui::{CopyButton, Time, every_second};

/// How long after a deadline has passed the server is asked again what comes next, in seconds.
const SETTLES: i64 = 3;

pub(super) fn page(service: String, commit: String) -> AnyView {
    browser::set_title(&joined(&[&service, " ", short(&commit)]));
    let live: Live = expect_context();
    let (service, commit) = (StoredValue::new(service), StoredValue::new(commit));
    let timeline = fetched(move || {
        live.delivery.track();
        Box::pin(api::delivery_timeline(service.get_value(), commit.get_value()))
    });
    let again = move || {
        if !timeline.loading.get_untracked() {
            timeline.retry();
        }
    };
    super::look_again(live, again);
    let now = every_second();
    on_change(
        move || now.track(),
        move || {
            if timeline.value.reading_untracked(|timeline| timeline.is_some_and(|known| is_due(known, now))) {
                again();
            }
        },
    );
    let title = move || {
        let title = timeline.value.reading(|timeline| timeline.and_then(|timeline| timeline.title.clone()));
        title.unwrap_or_else(|| commit.with_value(|commit| joined(&["Change ", short(commit)])))
    };
    view! {
        <div class="head">
            <div class="head-text">
                <p>
                    <a class="link" href=paths::DELIVERY>"Delivery"</a>
                    " / "
                    <a class="link" href=service.with_value(|service| paths::service(service, ""))>{service.get_value()}</a>
                </p>
                <h1 tabindex="-1">{title}</h1>
                <div class="sub">{about(timeline, commit)}</div>
            </div>
        </div>
        {show(timeline, 4, move |timeline| why::panel(&timeline.environments, now))}
        {part(timeline, 8, move |timeline| way(timeline, now))}
        {evidence::panel(service, commit)}
    }
    .into_any()
}

/// Whether something was due a moment ago, so that the server knows more than the page by now.
fn is_due(timeline: &TimelineView, now: RwSignal<Timestamp>) -> bool {
    let now = now.get_untracked().as_second();
    let reasons = timeline.environments.iter().filter_map(|one| one.reason.as_ref());
    reasons.filter_map(|reason| reason.deadline).any(|deadline| deadline.as_second() + SETTLES == now)
}

/// The commit, who wrote it, and what it came by.
fn about(timeline: Fetched<TimelineView>, commit: StoredValue<String>) -> AnyView {
    let full = Signal::derive(move || {
        let full = timeline.value.reading(|timeline| timeline.map(|timeline| timeline.commit.clone()));
        full.unwrap_or_else(|| commit.get_value())
    });
    let more = move || {
        timeline.value.reading(|timeline| {
            let timeline = (*timeline)?;
            let number = timeline.pull_request.map(|number| joined(&[" · #", &number.to_string()]));
            let branch = timeline.branch.as_ref().map(|branch| joined(&[" · ", branch]));
            let author = timeline.author.as_ref().map(|author| joined(&[" · ", author]));
            let committed = timeline.committed.map(|at| view! { " · " <Time at /> });
            Some(view! { {author} {number} {branch} {committed} })
        })
    };
    view! {
        <code class="break">{move || full.get()}</code> " " <CopyButton text=full what="commit" />
        {move || more().into_any()}
    }
    .into_any()
}

fn way(timeline: &TimelineView, now: RwSignal<Timestamp>) -> AnyView {
    view! {
        <div class="halves">
            {steps::of_change(timeline, now)}
        </div>
        {steps::of_environments(timeline, now)}
        {path::panel(&timeline.path, now)}
    }
    .into_any()
}
