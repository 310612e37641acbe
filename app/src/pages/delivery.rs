//! Deliveries: where each service stands, one service with its metrics, and the way of one change.

mod change;
mod changes;
mod dora;
mod evidence;
pub(super) mod grid;
mod matrix;
mod path;
mod service;
mod sources;
mod steps;
mod why;
pub(super) mod words;

use domain::delivery::ChangeSummary;
use domain::wire::delivery::MatrixView;
use leptos::prelude::*;

use crate::api;
use crate::browser;
use crate::fetched::{Fetched, fetched};
use crate::format::joined;
use crate::live::Live;
use crate::paths::{self, Page};
use crate::problem::{part, show};
use crate::reading::on_change;
use crate::router::Router;
use crate::ui::{Empty, Heading, Panel};

/// How many changes are listed.
const LISTED: u32 = 50;
/// How many ticks of the clock pass until what is shown is asked for again although nothing was told: what was known grows old.
const LOOK_AGAIN: u32 = 6;

/// A page of this group.
pub(super) fn page(page: Page) -> AnyView {
    match page {
        Page::Service { service } => service::page(service),
        Page::Change { service, commit } => change::page(service, commit),
        _ => Board().into_any(),
    }
}

/// The matrix of services and environments, and the changes that were told of last, or that are searched for.
#[component]
fn Board() -> AnyView {
    browser::set_title("Delivery");
    let live: Live = expect_context();
    let router: Router = expect_context();
    let q = Memo::new(move |_| router.query("q"));
    let matrix = matrix(live);
    let changes = fetched(move || {
        live.delivery.track();
        Box::pin(api::delivery_changes(String::new(), q.get(), LISTED))
    });
    let searching = Memo::new(move |_| !q.get().trim().is_empty());
    let line =
        move || matrix.value.reading(|matrix| matrix.map_or_else(|| "Looking…".to_owned(), matrix::sentence));
    let list = move || {
        let none_followed =
            matrix.value.reading(|matrix| matrix.is_some_and(|matrix| matrix.rows.is_empty()));
        (!none_followed).then(|| show(changes, 8, move |found| listed(found, matrix, q)))
    };
    // What was searched for stands first; what was told last comes after where everything stands.
    view! {
        <Heading title="Delivery">{move || line()}</Heading>
        {move || searching.get().then(list)}
        {show(matrix, 6, board)}
        {move || (!searching.get()).then(list)}
        {part(matrix, 2, told_by)}
    }
    .into_any()
}

/// The matrix, asked for again when something is told and from time to time.
fn matrix(live: Live) -> Fetched<MatrixView> {
    let matrix = fetched(move || {
        live.delivery.track();
        Box::pin(api::delivery_matrix())
    });
    look_again(live, move || {
        if !matrix.loading.get_untracked() {
            matrix.retry();
        }
    });
    matrix
}

/// Calls `look` every now and then, for as long as the page lives.
pub(super) fn look_again(live: Live, look: impl Fn() + 'static) {
    let ticks = StoredValue::new(0_u32);
    on_change(
        move || live.now.track(),
        move || {
            ticks.update_value(|ticks| *ticks += 1);
            if ticks.get_value().is_multiple_of(LOOK_AGAIN) {
                look();
            }
        },
    );
}

fn board(matrix: &MatrixView) -> AnyView {
    if matrix.rows.is_empty() {
        return sources::not_configured();
    }
    view! { <section class="panel">{matrix::table(matrix, |_| true)}</section> }.into_any()
}

fn told_by(matrix: &MatrixView) -> AnyView {
    if matrix.rows.is_empty() {
        return ().into_any();
    }
    sources::sources(&matrix.sources)
}

fn listed(found: &[ChangeSummary], matrix: Fetched<MatrixView>, q: Memo<String>) -> AnyView {
    let asked = q.get_untracked();
    let asked = asked.trim();
    let title =
        if asked.is_empty() { "Latest changes".to_owned() } else { joined(&["Changes that match ", asked]) };
    let list = match (found.is_empty(), asked.is_empty()) {
        (true, true) => sources::nothing_told(),
        (true, false) => no_match(),
        (false, _) => matrix.value.reading(|matrix| changes::list(found, *matrix)),
    };
    view! { <Panel title>{list}</Panel> }.into_any()
}

fn no_match() -> AnyView {
    view! {
        <Empty
            title="No change matches"
            text="Search by the first digits of a commit, # and the number of a pull request, a tag, a digest (sha256:…), an author, or a part of a title."
        >
            <a class="btn" href=paths::DELIVERY>"Clear the search"</a>
        </Empty>
    }
    .into_any()
}
