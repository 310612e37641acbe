//! Buttons; one that cannot be used stays in reach of keyboard and screen reader and says why.

use crate::reading::Reading;
use leptos::prelude::*;

/// How much a button stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    Primary,
    Danger,
}

impl Kind {
    fn class(self) -> &'static str {
        match self {
            Kind::Plain => "btn",
            Kind::Primary => "btn primary",
            Kind::Danger => "btn danger",
        }
    }
}

#[component]
pub(crate) fn Button(
    #[prop(into)] label: Signal<String>,
    on_press: impl Fn() + 'static,
    #[prop(default = Kind::Plain)] kind: Kind,
    /// Why the button cannot be used now; `None` when it can.
    #[prop(optional, into)]
    disabled_reason: Signal<Option<String>>,
) -> AnyView {
    button(label, Box::new(on_press), kind, disabled_reason)
}

/// Apart from the component, so that it is compiled once and not once for each handler.
fn button(
    label: Signal<String>,
    on_press: Box<dyn Fn()>,
    kind: Kind,
    disabled_reason: Signal<Option<String>>,
) -> AnyView {
    // `aria-disabled` instead of `disabled`: a disabled button takes no focus, and its reason would reach nobody.
    let press = move |_| {
        if disabled_reason.reading_untracked(Option::is_none) {
            on_press();
        }
    };
    view! {
        <button
            type="button"
            class=kind.class()
            aria-disabled=move || disabled_reason.reading(Option::is_some).then_some("true")
            aria-description=move || disabled_reason.get()
            title=move || disabled_reason.get()
            on:click=press
        >
            {move || label.get()}
        </button>
    }
    .into_any()
}

/// A small button beside what it acts on, which its label names to those who do not see what it stands beside.
pub(crate) fn small_button(text: &'static str, label: String, on_press: Box<dyn Fn()>) -> AnyView {
    refusable_button(text, label, None, on_press)
}

/// As [`small_button`], where `refusal` says why it cannot be used.
pub(crate) fn refusable_button(
    text: &'static str,
    label: String,
    refusal: Option<String>,
    on_press: Box<dyn Fn()>,
) -> AnyView {
    let refused = refusal.is_some();
    let press = move |_| {
        if !refused {
            on_press();
        }
    };
    view! {
        <button
            type="button"
            class="btn small"
            aria-label=label
            aria-disabled=refused.then_some("true")
            aria-description=refusal.clone()
            title=refusal
            on:click=press
        >
            {text}
        </button>
    }
    .into_any()
}
