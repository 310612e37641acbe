//! The way in: the sign-in page, which stands in the place of every page while nobody is signed in, and the page at which a
//! sign-in in a second tab ends.

use leptos::prelude::*;

use crate::api;
use crate::browser;
use crate::fetched::fetched;
use crate::format::joined;
use crate::paths::{self, Page};
use crate::problem::show;
use crate::reading::Reading;
use crate::router::Router;
use crate::session::Session;
use crate::ui::{Banner, Heading, Skeleton, Tone};

#[component]
pub(crate) fn SignIn() -> AnyView {
    browser::set_title("Sign in");
    let router: Router = expect_context();
    let session: Session = expect_context();
    let at_its_own_path = router.path.reading_untracked(|path| Page::at(path) == Page::SignIn);
    let (return_to, problem) = if at_its_own_path {
        untrack(|| (router.query("return_to"), explained(&router.query("problem"))))
    } else {
        (untrack(|| router.address()), None)
    };
    let problem = problem.map(|(title, next_step)| {
        view! { <div role="alert"><Banner tone=Tone::Warn title>{next_step}</Banner></div> }
    });
    let way = move || {
        let actor = session.info.value.reading(|info| info.as_ref().map(|info| info.actor.clone()));
        match actor.filter(|_| !session.is_nobody()) {
            Some(actor) => view! {
                <p>"You are here as " <b>{actor}</b> "."</p>
                <a class="btn" href=paths::OVERVIEW>"Go to the overview"</a>
            }
            .into_any(),
            None => issuers(return_to.clone(), false),
        }
    };
    view! {
        <Heading title="Sign in">"Tollgate shows the fleet to people of this organization."</Heading>
        {problem}
        {move || way()}
    }
    .into_any()
}

/// Where a sign-in in a second tab ends. By being loaded it has told the other tabs.
#[component]
pub(crate) fn SignedIn() -> AnyView {
    browser::set_title("Signed in");
    let session: Session = expect_context();
    let content = move || {
        if !session.info.value.is_known() {
            return view! { <Skeleton lines=2 /> }.into_any();
        }
        view! {
            <Heading title="You are signed in">
                "You can close this tab. The page that waited for it goes on by itself."
            </Heading>
            <a class="btn" href=paths::OVERVIEW>"Go to the overview"</a>
        }
        .into_any()
    };
    view! { {move || content()} }.into_any()
}

/// A link to each issuer, from where one comes back to `return_to`.
pub(crate) fn issuers(return_to: String, in_new_tab: bool) -> AnyView {
    let issuers = fetched(|| Box::pin(api::list_issuers()));
    show(issuers, 2, move |names| {
        if names.is_empty() {
            return view! { <p>"Nobody has to sign in here: there is no issuer in the configuration."</p> }
                .into_any();
        }
        let links = names
            .iter()
            .map(|name| {
                // Any `rel` or `target` leaves the link to the browser: the issuer is no page of the console.
                view! {
                    <a
                        class="btn primary"
                        href=paths::login(name, &return_to)
                        rel="external"
                        target=in_new_tab.then_some("_blank")
                    >
                        {joined(&["Sign in with ", name])}
                    </a>
                }
            })
            .collect_view();
        view! { <div class="issuers">{links}</div> }.into_any()
    })
}

/// What kept somebody from being signed in, and what to do next; `None` where nothing did.
fn explained(problem: &str) -> Option<(&'static str, &'static str)> {
    let words = match problem {
        "" => return None,
        "expired" => (
            "The sign-in was not finished.",
            "It took more than ten minutes, or was begun in another browser. Sign in again.",
        ),
        "refused" => (
            "You were not let in.",
            "The issuer refused, or its answer could not be accepted. Try again; if it stays, an administrator finds the reason in the audit log.",
        ),
        "unreachable" => (
            "The issuer does not answer.",
            "Try again in a minute. If it stays, ask whoever runs the issuer.",
        ),
        "unavailable" => (
            "The server cannot store the sign-in now.",
            "Try again in a minute. If it stays, its log has the reason.",
        ),
        "too-many" => (
            "Too many sign-ins come from your address.",
            "Wait a minute and sign in again. Others at the same place count too.",
        ),
        "unusable" => (
            "The link to sign in cannot be used.",
            "It may be of an issuer that is not in the configuration any more. Choose one below.",
        ),
        _ => ("The sign-in did not succeed.", "Try again."),
    };
    Some(words)
}
