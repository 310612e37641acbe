//! Stages in their order: how far each has come, since when, how long it took or takes, and who says so.

use domain::delivery::{Stage, Status, StepStatus};
use domain::time::Timestamp;
use domain::wire::delivery::{PartView, StepView, TimelineView};
use leptos::prelude::*;

use super::words::{status_pill, step_pill};
use crate::format::{self, joined};
use crate::ui::{Panel, Pill, Time, Tone};

/// What became of the commit before any environment: the way to the image beside the one to the static bundle.
pub(super) fn of_change(timeline: &TimelineView, now: RwSignal<Timestamp>) -> AnyView {
    let of = |stages: &[Stage]| {
        let steps = timeline.steps.iter().filter(|step| stages.contains(&step.stage));
        list(steps.map(|step| row(step, now)).collect())
    };
    let begun = of(&[Stage::Commit, Stage::Ci]);
    let (image, bundle) = (of(&[Stage::Image]), of(&[Stage::Assets, Stage::Invalidation]));
    let whole = if timeline.whole_release {
        view! { <Pill tone=Tone::Ok label="image and bundle are there" /> }.into_any()
    } else {
        ().into_any()
    };
    view! {
        <Panel title="Commit and CI">{begun}</Panel>
        <Panel title="Release" actions=whole>
            <div class="beside">{image} {bundle}</div>
        </Panel>
    }
    .into_any()
}

/// The stages in each environment.
pub(super) fn of_environments(timeline: &TimelineView, now: RwSignal<Timestamp>) -> AnyView {
    let panels = timeline
        .environments
        .iter()
        .map(|one| {
            let steps = list(one.steps.iter().map(|step| row(step, now)).collect());
            view! { <Panel title=one.environment.clone()>{steps}</Panel> }.into_any()
        })
        .collect_view();
    view! { <div class="environments">{panels}</div> }.into_any()
}

/// How long something took, or takes so far.
pub(super) fn took(
    started: Option<Timestamp>,
    finished: Option<Timestamp>,
    goes_on: bool,
    now: RwSignal<Timestamp>,
) -> Option<AnyView> {
    let started = started?.as_second();
    match finished {
        Some(finished) => Some(format::duration(finished.as_second() - started).into_any()),
        None if goes_on => {
            let so_far = move || joined(&[&format::duration(now.get().as_second() - started), " so far"]);
            Some(view! { <span class="counting">{so_far}</span> }.into_any())
        }
        None => None,
    }
}

fn list(rows: Vec<AnyView>) -> AnyView {
    view! { <ol class="steps">{rows}</ol> }.into_any()
}

fn row(step: &StepView, now: RwSignal<Timestamp>) -> AnyView {
    let goes_on = matches!(step.status, StepStatus::Known(status) if goes_on(status));
    let parts: Vec<AnyView> = step.parts.iter().map(|one| part(one, now)).collect();
    let parts = (!parts.is_empty()).then(|| view! { <ul class="parts">{parts}</ul> });
    // What is live took no time: it began to be.
    let took = if step.stage == Stage::Live { None } else { took(step.started, step.finished, goes_on, now) };
    let label = step.stage.label();
    view! {
        <li class="step">
            <div class="step-head">{step_pill(step.status)} <b>{label}</b> <span class="step-took">{took}</span></div>
            {step.text.clone().map(|text| view! { <p class="break">{text}</p> })}
            {parts}
            {source(step, label)}
        </li>
    }
    .into_any()
}

/// Who tells it and when it was, with the way to look it up.
fn source(step: &StepView, label: &str) -> AnyView {
    let when = step.started.or(step.finished).or(step.observed).map(|at| view! { <Time at /> });
    let Some(source) = &step.source else { return ().into_any() };
    let name = match &step.link {
        Some(href) => look_up(href, source, label),
        None => source.clone().into_any(),
    };
    view! { <p class="mut">{when} ", says " {name}</p> }.into_any()
}

fn part(part: &PartView, now: RwSignal<Timestamp>) -> AnyView {
    let again = (part.attempt > 1).then(|| joined(&[", attempt ", &part.attempt.to_string()]));
    let name = match &part.link {
        Some(href) => look_up(href, &part.job, ""),
        None => part.job.clone().into_any(),
    };
    let text = part.text.clone().map(|text| joined(&[": ", &text]));
    view! {
        <li>
            {status_pill(part.status)}
            <span class="break">{name} {again} {text}</span>
            <span class="step-took">{took(part.started, part.finished, goes_on(part.status), now)}</span>
        </li>
    }
    .into_any()
}

fn look_up(href: &str, text: &str, of: &str) -> AnyView {
    let of = (!of.is_empty()).then(|| view! { <span class="sr">{joined(&[" on ", of])}</span> });
    view! { <a class="link" href=href.to_owned() target="_blank" rel="noreferrer">{text.to_owned()}{of}</a> }
        .into_any()
}

fn goes_on(status: Status) -> bool {
    matches!(status, Status::Running | Status::Waiting)
}
