//! Pages that a browser fetches when it first shows one of them: each group is a module of its own beside the frontend's.

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::wasm_split::{SplitLoaderError, wasm_split};

use crate::browser;
use crate::paths::Page;
use crate::release::Release;
use crate::ui::{Banner, Button, Heading, Skeleton, Tone};

/// How long the first page is left alone before the groups that it did not need are fetched, so that going on is instant.
const QUIET: Duration = Duration::from_secs(2);

/// How a page of a group is shown. What fetches a group answers this and no view, so that the view is made where it is shown, as
/// every other is.
type Render = fn(Page) -> AnyView;

/// A group of pages, which is fetched as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    /// The list of instances.
    Fleet,
    /// One of them.
    Instance,
    /// What is looked up: accounts, policy, the audit log.
    Record,
    /// What is on its way to users: changes, and the releases of the page.
    Delivery,
    /// What moves on, and the dialogs that ask for it.
    Promotions,
    /// One GitOps operation.
    Operation,
    /// Who somebody is: sessions, tokens, programs that are let in.
    Identity,
}

impl Group {
    const ALL: [Group; 7] = [
        Group::Fleet,
        Group::Instance,
        Group::Record,
        Group::Delivery,
        Group::Promotions,
        Group::Operation,
        Group::Identity,
    ];

    /// The group that has a page; `None` for one that is always there.
    fn of(page: &Page) -> Option<Group> {
        match page {
            Page::Fleet => Some(Group::Fleet),
            Page::Instance { .. } => Some(Group::Instance),
            Page::Accounts | Page::Policy | Page::Audit => Some(Group::Record),
            Page::Delivery | Page::Service { .. } | Page::Change { .. } | Page::Releases => {
                Some(Group::Delivery)
            }
            Page::Promotions => Some(Group::Promotions),
            Page::Operation { .. } => Some(Group::Operation),
            Page::Sessions | Page::Device | Page::Tokens => Some(Group::Identity),
            Page::Overview | Page::SignIn | Page::SignedIn | Page::NotFound => None,
        }
    }

    /// Fetches the group; once it is there, this answers at once.
    async fn fetch(self) -> Result<Render, SplitLoaderError> {
        match self {
            Group::Fleet => fleet().await,
            Group::Instance => instance().await,
            Group::Record => record().await,
            Group::Delivery => delivery().await,
            Group::Promotions => promotions().await,
            Group::Operation => operation().await,
            Group::Identity => identity().await,
        }
    }
}

#[wasm_split(fleet, wasm_split_path = ::leptos::wasm_split, fallible)]
fn fleet() -> Result<Render, SplitLoaderError> {
    Ok(|_| super::Fleet().into_any())
}

#[wasm_split(instance, wasm_split_path = ::leptos::wasm_split, fallible)]
fn instance() -> Result<Render, SplitLoaderError> {
    Ok(super::instance::page)
}

#[wasm_split(record, wasm_split_path = ::leptos::wasm_split, fallible)]
fn record() -> Result<Render, SplitLoaderError> {
    Ok(|page| match page {
        Page::Accounts => super::Accounts().into_any(),
        Page::Policy => super::Policy().into_any(),
        _ => super::Audit().into_any(),
    })
}

#[wasm_split(delivery, wasm_split_path = ::leptos::wasm_split, fallible)]
fn delivery() -> Result<Render, SplitLoaderError> {
    Ok(|page| match page {
        Page::Releases => super::Releases().into_any(),
        page => super::delivery::page(page),
    })
}

#[wasm_split(promotions, wasm_split_path = ::leptos::wasm_split, fallible)]
fn promotions() -> Result<Render, SplitLoaderError> {
    Ok(super::promotions::board)
}

#[wasm_split(operation, wasm_split_path = ::leptos::wasm_split, fallible)]
fn operation() -> Result<Render, SplitLoaderError> {
    Ok(super::promotions::operation)
}

#[wasm_split(identity, wasm_split_path = ::leptos::wasm_split, fallible)]
fn identity() -> Result<Render, SplitLoaderError> {
    Ok(|page| match page {
        Page::Sessions => super::Sessions().into_any(),
        Page::Device => super::Device().into_any(),
        _ => super::Tokens().into_any(),
    })
}

/// Which groups are there, in the order of [`Group::ALL`]; provided as context. Each is a signal of its own: a page must not be
/// made anew when another's group arrives.
#[derive(Clone, Copy)]
pub(crate) struct Groups {
    states: [RwSignal<State>; Group::ALL.len()],
    release: Release,
}

#[derive(Clone, Copy)]
enum State {
    Missing,
    Here(Render),
    Failed,
}

impl Groups {
    /// None yet. Those that the first page does not need follow when it has been left alone for a while.
    pub(crate) fn start(release: Release) -> Groups {
        let groups = Groups { states: Group::ALL.map(|_| RwSignal::new(State::Missing)), release };
        set_timeout(move || Group::ALL.into_iter().for_each(|group| groups.fetch(group)), QUIET);
        groups
    }

    /// Whether all of a page is there; subscribes to it.
    pub(crate) fn have(self, page: &Page) -> bool {
        Group::of(page).is_none_or(|group| matches!(self.state(group).get(), State::Here(_)))
    }

    /// A page of a group: a skeleton until the group is there, and a way on where it cannot be fetched. `None` for a page of none.
    pub(crate) fn show(self, page: &Page) -> Option<AnyView> {
        let group = Group::of(page)?;
        self.fetch(group);
        let page = page.clone();
        let content = move || match self.state(group).get() {
            State::Missing => view! { <Skeleton lines=8 /> }.into_any(),
            State::Here(render) => untrack(|| render(page.clone())),
            State::Failed => self.missing(group),
        };
        Some(view! { {move || content()} }.into_any())
    }

    /// What stands in the place of a page that could not be fetched.
    fn missing(self, group: Group) -> AnyView {
        browser::set_title("Not fetched");
        view! {
            <Heading title="Not fetched">"The other pages go on working."</Heading>
            <div role="alert">
                <Banner tone=Tone::Unknown title="This page could not be fetched.">
                    "Try again; if that does not help, reload the console. "
                    <Button label="Try again" on_press=move || self.fetch(group) />
                    <Button label="Reload" on_press=browser::reload />
                </Banner>
            </div>
        }
        .into_any()
    }

    fn state(self, group: Group) -> RwSignal<State> {
        self.states[group as usize]
    }

    fn fetch(self, group: Group) {
        let state = self.state(group);
        match state.get_untracked() {
            State::Here(_) => return,
            State::Failed => state.set(State::Missing),
            State::Missing => {}
        }
        spawn_local(async move {
            let fetched = group.fetch().await;
            if fetched.is_err() {
                // The release may have been deleted since another one is live: the console says so above the page.
                self.release.ask();
            }
            // Whoever asked before may have been answered already.
            if !matches!(state.get_untracked(), State::Here(_)) {
                state.set(fetched.map_or(State::Failed, State::Here));
            }
        });
    }
}
