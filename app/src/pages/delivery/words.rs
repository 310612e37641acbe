//! How stages, statuses and health are shown: each with its word and what it means for the reader.

use domain::delivery::{Stage, Status, StepStatus};
use domain::wire::delivery::HealthView;
use leptos::prelude::*;

use crate::format::joined;
use crate::ui::{Pill, Tone};

/// As much of a commit's name as people quote.
const SHORT: usize = 7;

pub(in crate::pages) fn short(commit: &str) -> &str {
    commit.get(..SHORT).unwrap_or(commit)
}

pub(super) fn of_status(status: Status) -> (Tone, &'static str) {
    match status {
        Status::Unknown => (Tone::Unknown, "unknown"),
        Status::Waiting => (Tone::Quiet, "waiting"),
        Status::Running => (Tone::Info, "running"),
        Status::Skipped => (Tone::Quiet, "skipped"),
        Status::Cancelled => (Tone::Warn, "cancelled"),
        Status::Failed => (Tone::Bad, "failed"),
        Status::Succeeded => (Tone::Ok, "done"),
    }
}

pub(super) fn status_pill(status: Status) -> AnyView {
    let (tone, label) = of_status(status);
    view! { <Pill tone label /> }.into_any()
}

pub(super) fn step_pill(status: StepStatus) -> AnyView {
    let (tone, label) = match status {
        StepStatus::NotReached => (Tone::Quiet, "not yet"),
        // Something after it has happened, so that it must have; nobody told of it.
        StepStatus::Unseen => (Tone::Unknown, "passed unseen"),
        StepStatus::Known(status) => of_status(status),
    };
    view! { <Pill tone label /> }.into_any()
}

/// `Rollout running`: what a change is at. Only what is live is green.
pub(super) fn stage_pill(stage: Stage, status: Status) -> AnyView {
    let (tone, word) = of_status(status);
    let tone = if status == Status::Succeeded { Tone::Info } else { tone };
    view! { <Pill tone label=joined(&[stage.label(), " ", word]) /> }.into_any()
}

pub(in crate::pages) fn health_pill(health: HealthView, runs: bool) -> AnyView {
    let tone = match health {
        HealthView::Healthy => Tone::Ok,
        HealthView::Progressing => Tone::Info,
        HealthView::Degraded => Tone::Bad,
        // What was seen to run and is not there is worth a look.
        HealthView::Missing if runs => Tone::Warn,
        HealthView::Missing => Tone::Quiet,
        HealthView::Unknown => Tone::Unknown,
    };
    view! { <Pill tone label=health.label() /> }.into_any()
}
