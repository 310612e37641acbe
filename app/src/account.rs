//! The corner of the navigation that says who is signed in, and leads out.

use domain::wire::SessionInfo;
use leptos::prelude::*;

use crate::browser;
use crate::fetched::spawn;
use crate::format::joined;
use crate::paths;
use crate::router::Router;
use crate::session::Session;
use crate::ui::Toasts;

#[component]
pub(crate) fn Account() -> AnyView {
    let session: Session = expect_context();
    let content = move || session.info.value.reading(|info| info.map(account));
    view! { {move || content().into_any()} }.into_any()
}

fn account(info: &SessionInfo) -> AnyView {
    let build = joined(&["Tollgate ", &info.server_version, " · ", &info.server_commit]);
    let name = view! { <p class="actor" title=build>{info.actor.clone()}</p> };
    if !info.signed_in {
        return name.into_any();
    }
    let toasts: Toasts = expect_context();
    let Router { path, .. } = expect_context();
    let link = |href: &'static str, label: &'static str| {
        view! { <a href=href aria-current=move || (path.get() == href).then_some("page")>{label}</a> }
    };
    let roles = if info.roles.is_empty() {
        view! { <li>"no role"</li> }.into_any()
    } else {
        info.roles.iter().map(|role| view! { <li>{role.clone()}</li> }).collect_view().into_any()
    };
    view! {
        {name}
        <ul class="roles" aria-label="Your roles">{roles}</ul>
        {link(paths::SESSIONS, "Sessions")}
        {link(paths::TOKENS, "Tokens")}
        <button type="button" class="btn small" on:click=move |_| sign_out(toasts)>"Sign out"</button>
    }
    .into_any()
}

/// Ends the session here, and goes where the server says: to the issuer, to end it there too.
pub(crate) fn sign_out(toasts: Toasts) {
    spawn(Box::pin(async move {
        match browser::end_session().await {
            Some(url) => browser::leave(&url),
            None => toasts.say(
                "You are still signed in: the server did not end the session. Try again in a moment.".into(),
            ),
        }
    }));
}
