//! What was done to an instance through Tollgate, with the way back, and what was seen to change about it.

use domain::change::{Change, Purpose, differences};
use domain::wire::{HistoryItem, InstanceDetail};
use leptos::prelude::*;

use super::change_dialog::Intent;
use crate::session::Session;
use crate::ui::{Button, ChangePill, Time};

pub(crate) fn changes(detail: &InstanceDetail, open: Callback<Intent>) -> AnyView {
    let InstanceDetail { changes, restore_disabled, .. } = detail;
    if changes.is_empty() {
        return view! { <p class="pad mut">"Nothing was changed through Tollgate."</p> }.into_any();
    }
    changes.iter().map(|change| one(change, restore_disabled.as_ref(), open)).collect_view().into_any()
}

fn one(change: &Change, restore_disabled: Option<&String>, open: Callback<Intent>) -> AnyView {
    let session: Session = expect_context();
    let id = change.id;
    let what = match change.purpose {
        Purpose::Enforce { .. } => "Enforce IMDSv2",
        Purpose::Restore { .. } => "Restore previous options",
    };
    let restore = (change.status.is_final() && change.status.changed_something()).then(|| {
        let disabled = restore_disabled.cloned();
        view! {
            <Button
                label="Restore previous options…"
                disabled_reason=Signal::derive(move || disabled.clone().or_else(|| session.change_denied()))
                on_press=move || open.run(Intent::Restore { change_id: id })
            />
        }
    });
    view! {
        <article class="rule">
            <div class="rule-head">
                <ChangePill status=change.status />
                <b>{what}</b>
                <span class="push mut">{change.actor.clone()} ", " <Time at=change.requested_at /></span>
            </div>
            <p class="quote">{change.reason.clone()}</p>
            {outcome(change)}
            {restore}
        </article>
    }
    .into_any()
}

/// How a change went: the fields that differ, or the error with its next step.
pub(crate) fn outcome(change: &Change) -> AnyView {
    let error = change.error.as_ref().map(|error| {
        view! { <p class="bad-text"><b>{error.code.clone()}</b> ": " {error.message.clone()} " " {error.next_step.clone()}</p> }
    });
    let moved = change.after.as_ref().map(|after| differences(&change.before, after)).unwrap_or_default();
    let moved = moved
        .into_iter()
        .map(|difference| {
            view! { <li class="mono">{difference.field} ": " <del>{difference.before}</del> " → " <ins>{difference.after}</ins></li> }
        })
        .collect::<Vec<_>>();
    let request = change
        .aws_request_id
        .clone()
        .map(|id| view! { <p class="mut">"AWS request " <code class="break">{id}</code></p> });
    view! {
        {error}
        {(!moved.is_empty()).then(|| view! { <ul class="diffs">{moved}</ul> })}
        {request}
    }
    .into_any()
}

pub(crate) fn history(items: &[HistoryItem]) -> AnyView {
    if items.is_empty() {
        return view! { <p class="pad mut">"Nothing was seen to change yet."</p> }.into_any();
    }
    let rows = items
        .iter()
        .map(|item| view! { <li><span class="mut"><Time at=item.at /></span> <span>{item.text.clone()}</span></li> })
        .collect_view();
    view! { <ul class="events">{rows}</ul> }.into_any()
}
