//! The frame around every page: navigation, the search field, what is live, and the banners that concern all pages.

use domain::release::Outdated;
use domain::source::SourceState;
use domain::wire::{API_VERSION, SourceRow};
use leptos::prelude::*;

use crate::account::Account;
use crate::api;
use crate::browser;
use crate::change_field::ChangeField;
use crate::fetched::{Fetched, fetched};
use crate::format;
use crate::format::joined;
use crate::live::{Live, LiveState};
use crate::pages;
use crate::paths::{self, Page};
use crate::query_field::{QueryField, Search};
use crate::reading::Reading;
use crate::release::Release;
use crate::route_announcer::RouteAnnouncer;
use crate::router::Router;
use crate::session::{Session, SessionEnded};
use crate::ui::{Banner, Button, Clock, Pill, ToastRegion, Toasts, Tone};

/// Shows the application beside the static shell, which the script that started us takes away before the next paint.
pub fn mount() {
    leptos::mount::mount_to_body(App);
}

/// The account-regions; shared by the pages through context.
#[derive(Clone, Copy)]
pub(crate) struct Sources(pub(crate) Fetched<Vec<SourceRow>>);

#[component]
pub fn App() -> impl IntoView {
    let live = Live::start();
    provide_context(live);
    provide_context(Clock(live.now));
    provide_context(Toasts::new());
    provide_context(Session::start(live));
    let release = Release::start(live);
    provide_context(release);
    provide_context(Sources(fetched(move || {
        live.fleet_slow.track();
        Box::pin(api::list_sources())
    })));
    provide_context(Router::start());
    provide_context(Search::new());
    provide_context(pages::Groups::start(release));
    view! {
        {move || frame()}
        <RouteAnnouncer />
        <SessionEnded />
        <ToastRegion />
    }
}

/// The console around a page, or the page alone where there is nobody to show the console to.
fn frame() -> AnyView {
    let Router { path, .. } = expect_context();
    let session: Session = expect_context();
    let alone = Memo::new(move |_| {
        session.is_closed() || path.reading(|path| matches!(Page::at(path), Page::SignIn | Page::SignedIn))
    });
    view! { {move || if alone.get() { view! { <Alone /> }.into_any() } else { view! { <Frame /> }.into_any() }} }
        .into_any()
}

#[component]
fn Alone() -> AnyView {
    let Router { path, .. } = expect_context();
    let session: Session = expect_context();
    let content = move || match path.reading(|path| Page::at(path)) {
        Page::SignedIn if !session.is_closed() => pages::SignedIn().into_any(),
        _ => pages::SignIn().into_any(),
    };
    view! {
        <main id="main" class="alone">
            {brand()}
            <section class="panel">{move || content()}</section>
        </main>
    }
    .into_any()
}

#[component]
fn Frame() -> AnyView {
    let Router { path, .. } = expect_context();
    let of_delivery = Memo::new(move |_| path.reading(|path| Page::at(path).is_of_delivery()));
    let field = move || {
        if of_delivery.get() {
            view! { <ChangeField /> }.into_any()
        } else {
            view! { <QueryField /> }.into_any()
        }
    };
    view! {
        <a class="skip" href="#main" rel="external">"Skip to content"</a>
        <div class="frame">
            <Navigation />
            <div class="stage">
                <header class="top">
                    {move || field()}
                    <Freshness />
                </header>
                <main id="main">
                    <Banners />
                    {move || path.reading(|path| page(path))}
                </main>
            </div>
        </div>
    }
    .into_any()
}

fn page(path: &str) -> AnyView {
    let groups: pages::Groups = expect_context();
    let page = Page::at(path);
    groups.show(&page).unwrap_or_else(|| match page {
        Page::Overview => pages::Overview().into_any(),
        Page::SignIn => pages::SignIn().into_any(),
        Page::SignedIn => pages::SignedIn().into_any(),
        _ => pages::NotFound().into_any(),
    })
}

fn brand() -> AnyView {
    view! {
        <div class="brand">
            <svg width="20" height="20" viewBox="0 0 20 20" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" aria-hidden="true">
                <path d="M4 18V5M4 8h12M16 8v3M9 8v2" />
            </svg>
            <span>"Tollgate"</span>
        </div>
    }
    .into_any()
}

#[component]
fn Navigation() -> AnyView {
    let Router { path, .. } = expect_context();
    let Sources(sources) = expect_context();
    let instances = move || {
        sources.value.reading(|rows| {
            let rows = rows.as_ref()?;
            Some(format::count(rows.iter().map(|row| row.summary.total).sum::<u32>()))
        })
    };
    let accounts = move || {
        sources.value.reading(|rows| {
            let mut accounts: Vec<&str> = rows.as_ref()?.iter().map(|row| &*row.status.key.account).collect();
            accounts.sort_unstable();
            accounts.dedup();
            Some(accounts.len().to_string())
        })
    };
    let item = move |href: &'static str, label: &'static str, count: Option<Signal<Option<String>>>| {
        let current = move || {
            let path = path.get();
            // A page below this one (an instance below the list) keeps its entry marked.
            let here = if href == paths::OVERVIEW { path == href } else { path.starts_with(href) };
            here.then_some("page")
        };
        view! {
            <a href=href aria-current=current>
                {label}
                {count.map(|count| view! { <span class="count">{move || count.get()}</span> })}
            </a>
        }
    };
    view! {
        <div class="nav">
            <nav aria-label="Main">
                {brand()}
                {item(paths::OVERVIEW, "Overview", None)}
                <p class="nav-group">"Fleet"</p>
                {item(paths::FLEET, "Instances", Some(Signal::derive(instances)))}
                {item(paths::ACCOUNTS, "Accounts", Some(Signal::derive(accounts)))}
                {item(paths::POLICY, "Policy", None)}
                <p class="nav-group">"Delivery"</p>
                {item(paths::DELIVERY, "Delivery", None)}
                {item(paths::PROMOTIONS, "Promotions", None)}
                {item(paths::RELEASES, "Releases", None)}
                <p class="nav-group">"Record"</p>
                {item(paths::AUDIT, "Audit", None)}
            </nav>
            <footer class="foot">
                <ThemeButton />
                <Account />
            </footer>
        </div>
    }
    .into_any()
}

/// Whether the page hears of changes, and how many sources are not read.
#[component]
fn Freshness() -> AnyView {
    let live: Live = expect_context();
    let Sources(sources) = expect_context();
    let stream = move || match live.state.get() {
        LiveState::Live => view! { <Pill tone=Tone::Ok label="live" /> },
        LiveState::Connecting => view! { <Pill tone=Tone::Info label="connecting" /> },
        LiveState::Reconnecting => view! { <Pill tone=Tone::Unknown label="reconnecting" /> },
    };
    let pills = move || {
        sources.value.reading(|rows| {
            let rows = rows.map_or(&[][..], Vec::as_slice);
            let states =
                |wanted: &[SourceState]| rows.iter().filter(|row| wanted.contains(&row.state)).count() as u32;
            let live = states(&[SourceState::Live]);
            let failing = states(&[SourceState::Failing]);
            let unknown = states(&[SourceState::Stale, SourceState::Failed]);
            let pill = |tone: Tone, count: u32, label: String| {
                (count > 0).then(|| view! { <a href=paths::ACCOUNTS><Pill tone label /></a> })
            };
            view! {
                {pill(Tone::Ok, live, joined(&[&format::counted(live, "source"), " read"]))}
                {pill(Tone::Warn, failing, joined(&[&format::count(failing), " failing"]))}
                {pill(Tone::Unknown, unknown, joined(&[&format::count(unknown), " not read"]))}
            }
        })
    };
    view! {
        <div class="fresh">
            <span role="status" aria-label="Updates">{move || stream().into_any()}</span>
            {move || pills().into_any()}
        </div>
    }
    .into_any()
}

/// What concerns every page: another release, another server, no server, no session.
#[component]
fn Banners() -> AnyView {
    let live: Live = expect_context();
    let session: Session = expect_context();
    let release: Release = expect_context();
    let incompatible = move || {
        live.incompatible.get()
            || release.outdated.get() == Some(Outdated::Api)
            || session.info.value.reading(|info| info.as_ref().is_some_and(|info| info.api != API_VERSION))
    };
    let reload = move || {
        let (tone, title, text) = if incompatible() {
            (Tone::Warn, "This page is older or newer than the server.", "Reload it to go on. ")
        } else if release.outdated.get() == Some(Outdated::Release) {
            (
                Tone::Info,
                "Another version of the console is live.",
                "This page goes on working; reload it when it suits you. ",
            )
        } else {
            return None;
        };
        Some(view! {
            <Banner tone title>
                {text} <Button label="Reload" on_press=browser::reload />
            </Banner>
        })
    };
    let offline = move || {
        live.offline.get().then(|| {
            view! {
                <Banner tone=Tone::Unknown title="The server cannot be reached.">
                    "What is shown may be out of date. The page tries again by itself."
                </Banner>
            }
        })
    };
    let ended = move || {
        session.has_ended().then(|| {
            view! {
                <Banner tone=Tone::Warn title="Your session has ended.">
                    "What is shown is as it was then." <Button label="Sign in again" on_press=move || session.ask() />
                </Banner>
            }
        })
    };
    view! {
        <div role="status" class="banners">
            {move || reload().into_any()} {move || offline().into_any()} {move || ended().into_any()}
        </div>
    }
    .into_any()
}

/// The colour scheme that was chosen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Theme {
    Auto,
    Light,
    Dark,
}

impl Theme {
    fn name(self) -> &'static str {
        match self {
            Theme::Auto => "auto",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }

    fn next(self) -> Theme {
        match self {
            Theme::Auto => Theme::Light,
            Theme::Light => Theme::Dark,
            Theme::Dark => Theme::Auto,
        }
    }

    /// The style sheet knows the names `light` and `dark`, and follows the system with any other.
    fn apply(self) {
        if let Some(root) = document().document_element() {
            // The name and value are constants that the document accepts.
            let _ = root.set_attribute("data-theme", self.name());
        }
    }
}

/// What was chosen before; the static shell reads the same name ahead of the first paint.
fn theme() -> Theme {
    match browser::stored("theme").as_deref() {
        Some("light") => Theme::Light,
        Some("dark") => Theme::Dark,
        _ => Theme::Auto,
    }
}

#[component]
fn ThemeButton() -> AnyView {
    let chosen = RwSignal::new(theme());
    let press = move |_| {
        let next = chosen.get_untracked().next();
        browser::store("theme", next.name());
        next.apply();
        chosen.set(next);
    };
    view! {
        <button type="button" class="btn small" on:click=press>
            {move || joined(&["Theme: ", chosen.get().name()])}
        </button>
    }
    .into_any()
}
