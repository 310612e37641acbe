//! One service: where it stands, its metrics, and its changes.

use domain::delivery::ChangeSummary;
use domain::wire::delivery::MatrixView;
use leptos::prelude::*;

use super::{changes, dora, matrix};
use crate::api;
use crate::browser;
use crate::fetched::{Fetched, fetched};
use crate::format::joined;
use crate::live::Live;
use crate::paths;
use crate::problem::{part, show};
use crate::router::Router;
use crate::ui::{Empty, Panel};

/// How many changes are listed.
const LISTED: u32 = 100;
/// The windows that metrics are measured over, in days, as the query string has them.
const WINDOWS: [&str; 3] = ["7", "30", "90"];
/// The one that is measured where the query string names none.
const USUAL: &str = "30";

pub(super) fn page(service: String) -> AnyView {
    browser::set_title(&service);
    let live: Live = expect_context();
    let service = StoredValue::new(service);
    let matrix = super::matrix(live);
    // Of what is not followed, or not in sight, nothing else is asked.
    let missing = Memo::new(move |_| {
        let is_it = |matrix: &MatrixView| {
            service.with_value(|service| matrix.rows.iter().any(|row| row.service == *service))
        };
        matrix.value.reading(|matrix| matrix.map(|matrix| !is_it(matrix)))
    });
    let content = move || match missing.get() {
        None => ().into_any(),
        Some(true) => unknown(service),
        Some(false) => known(service, matrix),
    };
    view! {
        <div class="head">
            <div class="head-text">
                <a class="link" href=paths::DELIVERY>"Delivery"</a>
                <h1 tabindex="-1">{service.get_value()}</h1>
                <div class="sub">"Where it stands, how it is delivered, and its changes."</div>
            </div>
        </div>
        {show(matrix, 3, move |matrix| row(matrix, service))}
        {move || content()}
    }
    .into_any()
}

fn row(matrix: &MatrixView, service: StoredValue<String>) -> AnyView {
    let is_it = |name: &str| service.with_value(|service| service == name);
    if !matrix.rows.iter().any(|row| is_it(&row.service)) {
        return ().into_any();
    }
    view! { <section class="panel">{matrix::table(matrix, |row| is_it(&row.service))}</section> }.into_any()
}

fn unknown(service: StoredValue<String>) -> AnyView {
    let text = joined(&[
        "There is no service ",
        &service.get_value(),
        " here: it is not among [[services]] in the configuration, or your roles do not reach it.",
    ]);
    view! {
        <section class="panel">
            <Empty title="No such service" text>
                <a class="btn" href=paths::DELIVERY>"All services"</a>
            </Empty>
        </section>
    }
    .into_any()
}

fn known(service: StoredValue<String>, matrix: Fetched<MatrixView>) -> AnyView {
    let live: Live = expect_context();
    let router: Router = expect_context();
    let days = Memo::new(move |_| {
        let asked = router.query("days");
        WINDOWS.into_iter().find(|window| *window == asked).unwrap_or(USUAL)
    });
    let measured = fetched(move || {
        live.delivery.track();
        Box::pin(api::delivery_dora(service.get_value(), days.get().parse().unwrap_or_default()))
    });
    let found = fetched(move || {
        live.delivery.track();
        Box::pin(api::delivery_changes(service.get_value(), String::new(), LISTED))
    });
    let choices = WINDOWS
        .into_iter()
        .map(|window| {
            let href = service
                .with_value(|service| paths::service(service, if window == USUAL { "" } else { window }));
            let current = move || (days.get() == window).then_some("true");
            view! { <a class="btn small" href=href aria-current=current>{joined(&[window, " days"])}</a> }
                .into_any()
        })
        .collect_view();
    view! {
        <section class="column" aria-labelledby="metrics">
            <div class="head">
                <h2 id="metrics">"How it is delivered"</h2>
                <nav class="acts" aria-label="Window of the metrics">{choices}</nav>
            </div>
            {show(measured, 5, move |measured| service.with_value(|service| dora::metrics(service, measured)))}
        </section>
        <Panel title="Changes">{part(found, 8, move |found| listed(found, matrix))}</Panel>
    }
    .into_any()
}

fn listed(found: &[ChangeSummary], matrix: Fetched<MatrixView>) -> AnyView {
    if found.is_empty() {
        return super::sources::nothing_told();
    }
    matrix.value.reading(|matrix| changes::list(found, *matrix))
}
