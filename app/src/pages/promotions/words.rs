//! How operations, their parts and what was found of them are shown.

use domain::delivery::{Hold, HoldKind, Place};
use domain::gitops::{AskKind, Operation, OperationStatus, PullRequest, Verdict};
use domain::wire::gitops::status_label;
use leptos::prelude::*;

use crate::format::joined;
use crate::ui::{Pill, Tone};

/// As much of a fingerprint, or of a commit, as tells it from others.
const SHORT: usize = 12;

pub(super) fn status_pill(operation: &Operation) -> AnyView {
    let tone = match operation.status {
        OperationStatus::Open if operation.needs_approval && !operation.is_approved() => Tone::Warn,
        OperationStatus::Requested | OperationStatus::Open | OperationStatus::Merged => Tone::Info,
        OperationStatus::Effective => Tone::Ok,
        OperationStatus::NotEffective | OperationStatus::Failed => Tone::Bad,
        OperationStatus::Closed => Tone::Quiet,
    };
    view! { <Pill tone label=status_label(operation) /> }.into_any()
}

pub(super) fn verdict_pill(verdict: Verdict) -> AnyView {
    let tone = match verdict {
        Verdict::Passed => Tone::Ok,
        Verdict::Warned => Tone::Warn,
        Verdict::Unknown => Tone::Unknown,
        Verdict::Refused => Tone::Bad,
    };
    view! { <Pill tone label=verdict.as_str() /> }.into_any()
}

pub(super) fn hold_kind(hold: &Hold) -> &'static str {
    match hold.kind {
        HoldKind::Frozen => "frozen",
        HoldKind::Held => "held",
    }
}

/// `users in prod`.
pub(super) fn place(place: &Place) -> String {
    joined(&[place.service.as_str(), " in ", place.environment.as_str()])
}

pub(super) fn short(text: &str) -> String {
    text.get(..SHORT).unwrap_or(text).to_owned()
}

/// What an operation is called where its title does not fit: `Promote`.
pub(super) fn kind(kind: AskKind) -> &'static str {
    kind.label()
}

/// The request where its host shows it; its branch in a repository that has no requests.
pub(super) fn request(request: &PullRequest, of: &str) -> AnyView {
    let name = match request.number {
        Some(number) => joined(&["#", &number.to_string()]),
        None => return view! { <code class="break">{request.branch.clone()}</code> }.into_any(),
    };
    match &request.link {
        Some(href) => view! {
            <a class="link" href=href.clone() target="_blank" rel="noreferrer">
                {name} <span class="sr">{joined(&[" of ", of])}</span>
            </a>
        }
        .into_any(),
        None => name.into_any(),
    }
}
