//! A state as icon, word and colour; the colour never stands alone, and unknown is hatched.

use crate::format::joined;
use domain::change::ChangeStatus;
use domain::policy::Severity;
use domain::source::SourceState;
use domain::verdict::Verdict;
use leptos::prelude::*;

/// What a state means for the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Ok,
    Warn,
    Bad,
    Info,
    Unknown,
    Quiet,
}

impl Tone {
    pub(crate) fn class(self) -> &'static str {
        match self {
            Tone::Ok => "ok",
            Tone::Warn => "warn",
            Tone::Bad => "bad",
            Tone::Info => "info",
            Tone::Unknown => "unknown",
            Tone::Quiet => "quiet",
        }
    }

    pub(crate) fn icon(self) -> &'static str {
        match self {
            Tone::Ok => "✓",
            Tone::Warn => "!",
            Tone::Bad => "✕",
            Tone::Info => "…",
            Tone::Unknown => "?",
            Tone::Quiet => "–",
        }
    }
}

#[component]
pub(crate) fn Pill(tone: Tone, #[prop(into)] label: Oco<'static, str>) -> AnyView {
    view! {
        <span class=joined(&["pill ", tone.class()])>
            <span aria-hidden="true">{tone.icon()}</span>
            {label}
        </span>
    }
    .into_any()
}

pub(crate) fn verdict_tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::AllowsV1 => Tone::Bad,
        Verdict::Unknown(_) => Tone::Unknown,
        Verdict::Pending => Tone::Info,
        Verdict::Enforced | Verdict::EndpointDisabled => Tone::Ok,
    }
}

/// The verdict of an instance; that a service manages it is a flag beside the verdict and never replaces it.
#[component]
pub(crate) fn VerdictPill(verdict: Verdict, #[prop(optional)] managed: bool) -> AnyView {
    let pill = view! { <Pill tone=verdict_tone(verdict) label=verdict.label() /> }.into_any();
    if managed {
        view! { <span class="pills">{pill}<Pill tone=Tone::Quiet label="managed" /></span> }.into_any()
    } else {
        pill
    }
}

/// A policy outcome by its kind. Only a pass is green.
#[component]
pub(crate) fn PolicyPill(#[prop(into)] kind: String, #[prop(optional)] violations: u32) -> AnyView {
    let (tone, label): (Tone, Oco<'static, str>) = match kind.as_str() {
        "pass" => (Tone::Ok, "pass".into()),
        "fail" if violations > 0 => (Tone::Bad, joined(&[&violations.to_string(), " fail"]).into()),
        "fail" => (Tone::Bad, "fail".into()),
        "not-evaluated" => (Tone::Quiet, "not evaluated".into()),
        _ => (Tone::Unknown, kind.replace('-', " ").into()),
    };
    view! { <Pill tone label /> }.into_any()
}

#[component]
pub(crate) fn SourcePill(state: SourceState) -> AnyView {
    let tone = match state {
        SourceState::Live => Tone::Ok,
        SourceState::Failing => Tone::Warn,
        SourceState::Stale | SourceState::Failed => Tone::Unknown,
        SourceState::Starting => Tone::Info,
    };
    view! { <Pill tone label=state.label() /> }.into_any()
}

#[component]
pub(crate) fn ChangePill(status: ChangeStatus) -> AnyView {
    let tone = match status {
        ChangeStatus::Requested | ChangeStatus::Calling | ChangeStatus::Waiting => Tone::Info,
        ChangeStatus::Applied => Tone::Ok,
        ChangeStatus::AtNextStart | ChangeStatus::AppliedDifferently => Tone::Warn,
        ChangeStatus::PlanOutdated => Tone::Quiet,
        ChangeStatus::Failed => Tone::Bad,
    };
    view! { <Pill tone label=status.label() /> }.into_any()
}

#[component]
pub(crate) fn SeverityPill(severity: Severity) -> AnyView {
    let tone = match severity {
        Severity::Critical | Severity::High => Tone::Bad,
        Severity::Medium => Tone::Warn,
        Severity::Low | Severity::Info => Tone::Quiet,
    };
    view! { <Pill tone label=severity.as_str() /> }.into_any()
}
