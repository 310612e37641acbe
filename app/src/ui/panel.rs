//! The frames of content: the page's heading, panels, cards with one number, and a stacked bar.

use leptos::prelude::*;

use super::pill::Tone;
use crate::format::joined;

/// The page's `h1`, which takes the focus when the route changes, with a line below it and actions beside it.
#[component]
pub(crate) fn Heading(
    #[prop(into)] title: Oco<'static, str>,
    children: Children,
    #[prop(optional)] actions: Option<AnyView>,
) -> AnyView {
    view! {
        <div class="head">
            <div class="head-text">
                <h1 tabindex="-1">{title}</h1>
                <div class="sub">{children()}</div>
            </div>
            {actions.map(|actions| view! { <div class="acts">{actions}</div> })}
        </div>
    }
    .into_any()
}

/// A section with a heading of its own.
#[component]
pub(crate) fn Panel(
    #[prop(into)] title: Oco<'static, str>,
    #[prop(optional)] actions: Option<AnyView>,
    children: Children,
) -> AnyView {
    view! {
        <section class="panel">
            <div class="panel-head">
                <h2>{title}</h2>
                {actions}
            </div>
            {children()}
        </section>
    }
    .into_any()
}

/// One number that links to what it counts.
pub(crate) fn card(
    label: &'static str,
    value: String,
    detail: String,
    href: String,
    tone: Tone,
    below: Option<AnyView>,
) -> AnyView {
    view! {
        <a class=joined(&["card card-", tone.class()]) href=href>
            <span class="k">{label}</span>
            <span class="v">{value}</span>
            <span class="d">{detail}</span>
            {below}
        </a>
    }
    .into_any()
}

/// One part of a [`ShareBar`].
pub(crate) struct Segment {
    pub(crate) tone: Tone,
    pub(crate) part: u32,
}

/// Parts of a whole side by side; the words beside it carry the numbers, so it is hidden from screen readers.
#[component]
pub(crate) fn ShareBar(segments: Vec<Segment>) -> AnyView {
    let bars = segments
        .into_iter()
        .filter(|segment| segment.part > 0)
        .map(|segment| {
            view! { <i class=joined(&["seg ", segment.tone.class()]) style:flex-grow=segment.part.to_string()></i> }
        })
        .collect_view();
    view! { <span class="bar" aria-hidden="true">{bars}</span> }.into_any()
}
