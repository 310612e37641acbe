//! The sessions: where somebody is signed in, each to be ended; for administrators also everybody else's.

use domain::access::Permission;
use domain::wire::{SessionList, SessionRow};
use leptos::prelude::*;

use crate::account::sign_out;
use crate::api;
use crate::browser;
use crate::deed::Deed;
use crate::fetched::fetched;
use crate::format::{self, joined};
use crate::paths;
use crate::problem::show;
use crate::router::{Router, Trace};
use crate::session::Session;
use crate::ui::{Banner, Empty, Heading, Pill, Time, Toasts, Tone, small_button, table};

#[component]
pub(crate) fn Sessions() -> AnyView {
    browser::set_title("Sessions");
    let router: Router = expect_context();
    let session: Session = expect_context();
    let all = move || router.query("all") == "true";
    let rows = fetched(move || Box::pin(api::list_sessions(all())));
    let deed = Deed::new();
    let end = Callback::new(move |id: String| {
        // A session may also have ended by itself: the list is read anew in any case.
        deed.run(
            Box::pin(api::end_session(id)),
            "The session has ended.",
            Box::new(move || rows.try_retry()),
        );
    });
    let switch = move || {
        let change =
            move |event| router.go_to(&paths::sessions(event_target_checked(&event)), Trace::Replaced);
        // Whoever came by a link sees the switch too, to get back.
        (session.may(Permission::Administer) || all()).then(|| {
            view! {
                <label class="choice">
                    <input type="checkbox" prop:checked=all on:change=change />
                    "Everybody’s sessions"
                </label>
            }
        })
    };
    view! {
        <Heading title="Sessions">{move || {
            if all() {
                "Where people are signed in, newest first."
            } else {
                "Where you are signed in, newest first. End what you do not recognize."
            }
        }}</Heading>
        {move || switch().into_any()}
        {deed.problem()}
        {show(rows, 4, move |rows| list(rows, untrack(all), end))}
    }
    .into_any()
}

fn list(list: &SessionList, all: bool, end: Callback<String>) -> AnyView {
    let SessionList { sessions: rows, more } = list;
    if rows.is_empty() {
        let text = if all { "Nobody is signed in." } else { "You are here without having signed in." };
        return view! { <section class="panel"><Empty title="No sessions" text /></section> }.into_any();
    }
    let mut names = vec!["Browser", "Address", "Begun", "Last seen", "Ends", "Action"];
    if all {
        names.insert(0, "Person");
    }
    let cut = more.then(|| {
        let count = format::count(rows.len() as u32);
        view! {
            <Banner tone=Tone::Unknown title="There are more sessions.">
                {joined(&["Only the ", &count, " that were seen last are listed."])}
            </Banner>
        }
    });
    let table = table("Table of sessions", names, rows.iter().map(|row| cells(row, all, end)).collect());
    view! {
        {cut}
        {table}
    }
    .into_any()
}

/// What stands below the headings.
fn cells(row: &SessionRow, all: bool, end: Callback<String>) -> Vec<AnyView> {
    let browser = browser_name(&row.user_agent);
    let whose = if all { row.name.as_str() } else { "you" };
    let label = if row.current {
        "Sign out".into()
    } else {
        joined(&["End: ", whose, ", ", &browser, " at ", &row.address])
    };
    let (id, current) = (row.id.clone(), row.current);
    let toasts: Toasts = expect_context();
    let press = move || if current { sign_out(toasts) } else { end.run(id.clone()) };
    let text = if current { "Sign out" } else { "End" };
    let mut cells = Vec::new();
    if all {
        cells.push(joined(&[&row.name, " · ", &row.issuer]).into_any());
    }
    let this_one = current.then(|| view! { " " <Pill tone=Tone::Ok label="this one" /> }.into_any());
    cells.extend([
        view! { <span title=row.user_agent.clone()>{browser}</span> {this_one} }.into_any(),
        row.address.clone().into_any(),
        view! { <Time at=row.created_at /> }.into_any(),
        view! { <Time at=row.last_seen_at /> }.into_any(),
        view! { <Time at=row.expires_at /> }.into_any(),
        small_button(text, label, Box::new(press)),
    ]);
    cells
}

/// A browser's description of itself in a few words. Each names those that it wants to be taken for, so that the rarer ones
/// are looked for first.
fn browser_name(user_agent: &str) -> String {
    let known = |names: &[(&str, &'static str)]| {
        names.iter().find(|(mark, _)| contains(user_agent, mark)).map(|(_, name)| *name)
    };
    let browser = known(&[
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("CriOS/", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    let system = known(&[
        ("Windows", "Windows"),
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("CrOS", "ChromeOS"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => joined(&[browser, " on ", system]),
        (Some(one), None) | (None, Some(one)) => one.into(),
        (None, None) if user_agent.is_empty() => "unknown".into(),
        (None, None) => user_agent.into(),
    }
}

/// What `str::contains` does, without the search for long texts, which nothing else in the Wasm needs.
fn contains(text: &str, mark: &str) -> bool {
    text.as_bytes().windows(mark.len()).any(|window| window == mark.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_named_for_what_they_are() {
        let names = [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
                "Chrome on Windows",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15",
                "Safari on macOS",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            ("curl/8.5.0", "curl/8.5.0"),
            ("", "unknown"),
        ];
        for (user_agent, name) in names {
            assert_eq!(browser_name(user_agent), name, "{user_agent}");
        }
    }
}
