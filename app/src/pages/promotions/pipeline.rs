//! Services down, environments across: what runs, what the repository says, what holds it, and what can come.

use domain::delivery::Hold;
use domain::gitops::AskKind;
use domain::wire::gitops::{EnvironmentRow, OperationView, PlaceView, PromotionBoard, PromotionRow};
use leptos::prelude::*;

use super::asking::Asking;
use super::board::Chosen;
use super::words;
use crate::format::{self, joined};
use crate::pages::delivery::grid::headed;
use crate::pages::delivery::words::{health_pill, short};
use crate::paths;
use crate::reading::Reading;
use crate::ui::{Panel, Pill, Time, Tone, refusable_button, small_button};

pub(super) fn panel(board: &PromotionBoard, asking: Asking, chosen: Chosen) -> AnyView {
    let mut heads = vec!["Service".into_any()];
    heads.extend(board.environments.iter().map(head));
    let rows = board.services.iter().map(|row| cells(row, board, asking, chosen)).collect();
    view! {
        <Panel title="Pipeline" actions=selection(chosen)>
            {headed("Pipeline", "matrix roomy pipeline", heads, rows)}
        </Panel>
    }
    .into_any()
}

/// How many services are chosen, and the way to choose none.
fn selection(chosen: Chosen) -> AnyView {
    let said = move || match chosen.reading(|chosen| chosen.len() as u32) {
        0 => "None selected: what you ask for is offered for all.".to_owned(),
        number => joined(&[&format::counted(number, "service"), " selected"]),
    };
    let clear = move || {
        chosen.reading(|chosen| !chosen.is_empty()).then(|| {
            let press = Box::new(move || chosen.update(|chosen| chosen.clear()));
            small_button("Clear", "Clear the selection".to_owned(), press)
        })
    };
    view! {
        <div class="acts">
            <span class="mut" role="status">{move || said()}</span>
            {move || clear().into_any()}
        </div>
    }
    .into_any()
}

/// An environment, with how it is changed.
fn head(environment: &EnvironmentRow) -> AnyView {
    let closed = environment.closed.as_ref().map(|(window, until)| {
        let until = until.map(|until| view! { " until " <span title=window.clone()>{format::absolute(until)}</span> });
        view! { <small class="closed"><Pill tone=Tone::Warn label="closed" /> " " {window.clone()} {until}</small> }
    });
    let rules = match (environment.approval, environment.auto_merge) {
        (true, true) => Some("needs approval, then merges by itself"),
        (true, false) => Some("needs approval"),
        (false, true) => Some("merges by itself"),
        (false, false) => None,
    };
    let rules = rules.map(|rules| view! { <small>{rules}</small> });
    view! { {environment.name.clone()} {rules} {closed} }.into_any()
}

fn cells(row: &PromotionRow, board: &PromotionBoard, asking: Asking, chosen: Chosen) -> Vec<AnyView> {
    let service = row.service.clone();
    let (is_it, it) = (service.clone(), service.clone());
    let checked = move || chosen.reading(|chosen| chosen.contains(&is_it));
    let choose = move |event| {
        chosen.update(|chosen| {
            chosen.retain(|one| *one != it);
            if event_target_checked(&event) {
                chosen.push(it.clone());
            }
        });
    };
    let name = view! {
        <span class="pick">
            <input
                type="checkbox"
                aria-label=joined(&["Select ", &service])
                prop:checked=checked
                on:change=choose
            />
            <a class="name" href=paths::service(&service, "")>{service.clone()}</a>
        </span>
    };
    let places = row.places.iter().zip(&board.environments).zip(0_usize..);
    let places = places.map(|((place, environment), position)| match place {
        Some(place) => {
            let before = position.checked_sub(1).and_then(|before| {
                Some((board.environments.get(before)?, row.places.get(before)?.as_ref()?.desired.as_deref()?))
            });
            let before = before.map(|(environment, tag)| (environment.name.as_str(), tag));
            cell(&Cell { service: &service, environment: &environment.name, place, before, board }, asking)
        }
        None => view! { <span class="mut" title="Your roles do not reach it.">"–"<span class="sr">" out of your reach"</span></span> }
            .into_any(),
    });
    std::iter::once(name.into_any()).chain(places).collect()
}

/// What is shown of a service in an environment.
struct Cell<'a> {
    service: &'a str,
    environment: &'a str,
    place: &'a PlaceView,
    /// The environment before, with the tag that is wanted there.
    before: Option<(&'a str, &'a str)>,
    board: &'a PromotionBoard,
}

impl Cell<'_> {
    fn name(&self) -> String {
        joined(&[self.service, " in ", self.environment])
    }

    /// Why the caller cannot ask for anything here.
    fn refusal(&self) -> Option<String> {
        self.board
            .disabled
            .clone()
            .or_else(|| (!self.place.may_release).then(|| "Your roles do not let you change it.".to_owned()))
    }

    /// The operations that are not merged yet and come here.
    fn coming(&self) -> impl Iterator<Item = &OperationView> {
        self.board.operations.iter().filter(|one| {
            let places = one.operation.ask.places();
            let mut here = places.iter().map(|place| (place.service.as_str(), place.environment.as_str()));
            one.operation.status.is_open() && here.any(|place| place == (self.service, self.environment))
        })
    }
}

fn cell(cell: &Cell<'_>, asking: Asking) -> AnyView {
    let PlaceView { cell: runs, desired, .. } = cell.place;
    let pill = health_pill(runs.health, runs.commit.is_some());
    let version = match &runs.commit {
        Some(commit) => {
            let name = runs.version.clone().unwrap_or_else(|| short(commit).to_owned());
            view! {
                <a class="runs" href=paths::change(cell.service, commit) title=commit.clone()><b>{name}</b>{pill}</a>
            }
            .into_any()
        }
        None => view! { <span class="runs"><span class="mut">"nothing seen"</span>{pill}</span> }.into_any(),
    };
    let says = desired.as_ref().filter(|desired| Some(*desired) != runs.version.as_ref()).map(|desired| {
        view! { <small>"the repository says " <b>{desired.clone()}</b></small> }
    });
    let since = runs.since.map(|at| view! { <small class="mut"><Time at /></small> });
    let coming = cell.coming().map(coming).collect_view();
    let holds = runs.holds.iter().map(|hold| held(hold, cell, asking)).collect_view();
    view! {
        <div class="stack">
            {version} {says} {since} {holds} {coming}
            {acts(cell, asking)}
        </div>
    }
    .into_any()
}

/// An operation that comes here once it is merged.
fn coming(view: &OperationView) -> AnyView {
    let operation = &view.operation;
    let href = paths::operation(operation.id.as_str());
    view! {
        <a class="coming" href=href>
            <small>{words::kind(operation.ask.kind())} ": "</small> {words::status_pill(operation)}
        </a>
    }
    .into_any()
}

/// What keeps a place as it is, by whom and why, and the way out.
fn held(hold: &Hold, cell: &Cell<'_>, asking: Asking) -> AnyView {
    let until = match hold.until {
        Some(until) => joined(&["until ", &format::absolute(until)]),
        None => "until somebody resumes".to_owned(),
    };
    let by = match hold.pull_request {
        Some(number) => joined(&[" by ", &hold.by, " (#", &number.to_string(), ")"]),
        None => joined(&[" by ", &hold.by]),
    };
    let (service, environment) = (cell.service.to_owned(), cell.environment.to_owned());
    let press = move || {
        asking.open(AskKind::Resume, vec![service.clone()], Some(environment.clone()));
    };
    let label = joined(&["Resume ", &cell.name()]);
    view! {
        <div class="hold">
            <p><Pill tone=Tone::Warn label=words::hold_kind(hold) /> {by} " because: " {hold.reason.clone()}</p>
            <small class="mut">{until}</small>
            {refusable_button("Resume", label, cell.refusal(), Box::new(press))}
        </div>
    }
    .into_any()
}

/// What can be asked for here: at once what moves it on, the rest on demand.
fn acts(cell: &Cell<'_>, asking: Asking) -> AnyView {
    let ask = |kind| {
        let (service, environment) = (cell.service.to_owned(), cell.environment.to_owned());
        let press = move || asking.open(kind, vec![service.clone()], Some(environment.clone()));
        Box::new(press) as Box<dyn Fn()>
    };
    let waits = cell.before.filter(|_| cell.place.can_receive).map(|(environment, tag)| {
        view! { <small><b>{tag.to_owned()}</b> " can come from " {environment.to_owned()}</small> }
    });
    let promote = cell.place.can_receive.then(|| {
        let label = joined(&["Promote ", cell.service, " to ", cell.environment]);
        refusable_button("Promote", label, cell.refusal(), ask(AskKind::Promote))
    });
    let of = |verb: &str| joined(&[verb, " ", &cell.name()]);
    view! {
        {waits}
        <div class="cell-acts">
            {promote}
            <details class="more">
                <summary class="btn small ghost">"More"<span class="sr">{joined(&[" for ", &cell.name()])}</span></summary>
                <span class="acts">
                    {refusable_button("Freeze", of("Freeze"), cell.refusal(), ask(AskKind::Freeze))}
                    {refusable_button("Revert", of("Revert"), cell.refusal(), ask(AskKind::Revert))}
                </span>
            </details>
        </div>
    }
    .into_any()
}
