//! The facts that a timeline was made from, fetched once somebody wants to see them.

use domain::delivery::Fact;
use leptos::prelude::*;

use super::grid::grid;
use super::words::{short, status_pill};
use crate::api;
use crate::fetched::{Request, fetched_when};
use crate::format::joined;
use crate::live::Live;
use crate::paths;
use crate::problem::show;
use crate::ui::Time;

pub(super) fn panel(service: StoredValue<String>, commit: StoredValue<String>) -> AnyView {
    let live: Live = expect_context();
    let wanted = RwSignal::new(false);
    let facts = fetched_when(move || {
        if !wanted.get() {
            return None;
        }
        live.delivery.track();
        let facts = api::delivery_facts(service.get_value(), commit.get_value());
        Some(Box::pin(facts) as Request<Vec<Fact>>)
    });
    let href = paths::facts(&service.get_value(), &commit.get_value());
    let content = move || wanted.get().then(|| show(facts, 6, |facts| table(facts)));
    view! {
        <section class="panel">
            <details on:toggle=move |_| wanted.set(true)>
                <summary class="pad">"The facts behind it"</summary>
                {move || content()}
                <p class="pad"><a class="btn small" href=href download="facts.json">"All of it as JSON"</a></p>
            </details>
        </section>
    }
    .into_any()
}

fn table(facts: &[Fact]) -> AnyView {
    let names = ["Told", "Stage", "Status", "Where", "By", "Commit", "Id"].map(str::to_owned).into();
    grid("Facts", "facts", names, facts.iter().map(cells).collect())
}

fn cells(fact: &Fact) -> Vec<AnyView> {
    let mut stage = fact.stage.label().to_owned();
    if let Some(job) = &fact.job {
        stage.push_str(&joined(&[": ", job]));
    }
    if fact.attempt > 1 && !fact.stage.is_of_environment() {
        stage.push_str(&joined(&[", attempt ", &fact.attempt.to_string()]));
    }
    let place = fact.environment.as_ref().map_or("–", |environment| environment.as_str());
    let source = match &fact.link {
        Some(href) => view! { <a class="link" href=href.clone() target="_blank" rel="noreferrer">{fact.source.label()}</a> }
            .into_any(),
        None => fact.source.label().into_any(),
    };
    vec![
        view! { <Time at=fact.observed /> }.into_any(),
        stage.into_any(),
        status_pill(fact.status),
        place.to_owned().into_any(),
        source,
        view! { <code>{short(fact.commit.as_str()).to_owned()}</code> }.into_any(),
        view! { <code>{fact.source_id.clone()}</code> }.into_any(),
    ]
}
