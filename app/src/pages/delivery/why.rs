//! Why a change is not in each environment yet: a sentence each, with a countdown that goes on.

use domain::delivery::NextMove;
use domain::time::Timestamp;
use domain::wire::delivery::{EnvironmentView, ReasonView};
use leptos::prelude::*;

use crate::format::{self, joined};
use crate::ui::{Panel, Pill, Tone};

/// One answer for each environment that it is asked of.
pub(super) fn panel(environments: &[EnvironmentView], now: RwSignal<Timestamp>) -> AnyView {
    let answers: Vec<AnyView> = environments
        .iter()
        .filter_map(|one| Some(answer(&one.environment, one.reason.as_ref()?, now)))
        .collect();
    if answers.is_empty() {
        return ().into_any();
    }
    view! { <Panel title="Where it is, and why not further"><ul class="answers">{answers}</ul></Panel> }
        .into_any()
}

fn answer(environment: &str, reason: &ReasonView, now: RwSignal<Timestamp>) -> AnyView {
    let (tone, label) = match reason.next_move {
        NextMove::Done => (Tone::Ok, "there"),
        NextMove::Machine => (Tone::Info, "goes on by itself"),
        NextMove::Person => (Tone::Warn, "waits for somebody"),
        NextMove::Unknown => (Tone::Unknown, "cannot be told"),
    };
    let question = if reason.next_move == NextMove::Done {
        joined(&[environment, ":"])
    } else {
        joined(&["Why is it not in ", environment, " yet?"])
    };
    let link = reason.link.clone().map(|href| {
        view! {
            " "
            <a class="link" href=href target="_blank" rel="noreferrer">
                "Look it up" <span class="sr">{joined(&[" for ", environment])}</span>
            </a>
        }
    });
    view! {
        <li>
            <Pill tone label />
            <p><b>{question}</b> " " {sentence(reason, now)} {link}</p>
        </li>
    }
    .into_any()
}

fn sentence(reason: &ReasonView, now: RwSignal<Timestamp>) -> AnyView {
    let (Some([before, after]), Some(deadline)) = (reason.around_countdown.clone(), reason.deadline) else {
        return reason.sentence.clone().into_any();
    };
    let left = move || format::duration(deadline.as_second() - now.get().as_second());
    view! { {before} <b>{left}</b> {after} }.into_any()
}
