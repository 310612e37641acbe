//! What stands where rows would: nothing yet, nothing there, or something wrong.

use leptos::prelude::*;

use super::pill::Tone;
use crate::format::joined;

/// Grey bars in the place of content that is being fetched, so that its arrival moves nothing.
#[component]
pub(crate) fn Skeleton(#[prop(default = 4)] lines: usize) -> AnyView {
    view! {
        <div class="skeleton" role="status">
            <span class="sr">"Loading"</span>
            {(0..lines).map(|_| view! { <div class="bone"></div> }).collect_view()}
        </div>
    }
    .into_any()
}

/// Nothing to show, and what to do about it.
#[component]
pub(crate) fn Empty(
    #[prop(into)] title: Oco<'static, str>,
    #[prop(into)] text: Oco<'static, str>,
    #[prop(optional)] children: Option<Children>,
) -> AnyView {
    view! {
        <div class="empty">
            <p class="empty-title">{title}</p>
            <p class="mut">{text}</p>
            {children.map(|children| children())}
        </div>
    }
    .into_any()
}

/// A message across the page: what is wrong, in colour, icon and words.
#[component]
pub(crate) fn Banner(tone: Tone, #[prop(into)] title: Oco<'static, str>, children: Children) -> AnyView {
    view! {
        <div class=joined(&["say ", tone.class()])>
            <span aria-hidden="true" class="say-icon">{tone.icon()}</span>
            <div>
                <b>{title}</b>
                " "
                {children()}
            </div>
        </div>
    }
    .into_any()
}
