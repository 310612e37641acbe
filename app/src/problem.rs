//! What is shown when the server answers an error: each kind with its own words and its own way on.

use std::sync::Arc;

use leptos::prelude::*;

use crate::api::ApiError;
use crate::browser;
use crate::fetched::Fetched;
use crate::format::joined;
use crate::reading::Reading;
use crate::ui::{Banner, Button, Skeleton, Tone};

/// An error as a banner, with the button that may help.
#[component]
pub(crate) fn Problem(
    error: ApiError,
    /// Asks again; left out where asking again is another button's work.
    #[prop(optional)]
    retry: Option<Box<dyn Fn()>>,
    /// Said before the message, such as what is shown instead.
    #[prop(optional)]
    instead: &'static str,
) -> AnyView {
    let (tone, title): (Tone, Oco<'static, str>) = match &error {
        ApiError::BadRequest { .. } => (Tone::Bad, "The request cannot be used.".into()),
        ApiError::BadQuery { .. } => (Tone::Bad, "The query has a mistake.".into()),
        ApiError::Unauthenticated => (Tone::Warn, "Not signed in.".into()),
        ApiError::TooMany => (Tone::Warn, "Too many requests.".into()),
        ApiError::Forbidden { .. } => (Tone::Warn, "Not allowed.".into()),
        ApiError::NotFound { .. } => (Tone::Unknown, "Not found.".into()),
        ApiError::Conflict { .. } => (Tone::Warn, "It is no longer as it was shown.".into()),
        ApiError::Upstream { code, .. } => (Tone::Bad, joined(&[code.as_str(), "."]).into()),
        ApiError::Unavailable { .. } => (Tone::Unknown, "The server is not ready.".into()),
        ApiError::Internal => (Tone::Bad, "Something went wrong.".into()),
        ApiError::Offline => (Tone::Unknown, "No connection.".into()),
        ApiError::Incompatible => (Tone::Warn, "This page is out of date.".into()),
    };
    let next_step = match &error {
        ApiError::Upstream { next_step, .. } => Some(view! { <p>{next_step.clone()}</p> }),
        _ => None,
    };
    let way_on = match &error {
        ApiError::Incompatible => Some(view! { <Button label="Reload" on_press=browser::reload /> }),
        _ => retry.map(|retry| view! { <Button label="Try again" on_press=retry /> }),
    };
    view! {
        <div role="alert">
            <Banner tone title>
                {error.to_string()} " " {instead} {next_step} {way_on}
            </Banner>
        </div>
    }
    .into_any()
}

/// The usual shape of a page's content: a skeleton until there is a value, then the value, with the error of a failed
/// refetch above it.
pub(crate) fn show<T: Send + Sync + 'static>(
    fetched: Fetched<T>,
    skeleton_lines: usize,
    content: impl Fn(&T) -> AnyView + Send + 'static,
) -> AnyView {
    let problem =
        problem(fetched.error, Box::new(move || fetched.value.is_known()), Arc::new(move || fetched.retry()));
    view! {
        {problem}
        {part(fetched, skeleton_lines, content)}
    }
    .into_any()
}

/// The error of a fetch, compiled once and not once for each answer.
fn problem(
    error: RwSignal<Option<ApiError>>,
    known: Box<dyn Fn() -> bool + Send>,
    retry: Arc<dyn Fn() + Send + Sync>,
) -> AnyView {
    let problem = move || {
        let error = error.get()?;
        let retry = retry.clone();
        let instead = if known() { "Shown below is the last answer." } else { "" };
        Some(view! { <Problem error retry=Box::new(move || retry()) instead /> })
    };
    view! { {move || problem().into_any()} }.into_any()
}

/// As [`show`], for a further part of the same answer: its error is shown once, by the first part.
pub(crate) fn part<T: Send + Sync + 'static>(
    fetched: Fetched<T>,
    skeleton_lines: usize,
    content: impl Fn(&T) -> AnyView + Send + 'static,
) -> AnyView {
    let content = move || {
        fetched.value.reading(|value| match value {
            Some(value) => content(value),
            None if fetched.error.reading(Option::is_some) => ().into_any(),
            None => view! { <Skeleton lines=skeleton_lines /> }.into_any(),
        })
    };
    view! { {move || content()} }.into_any()
}
