//! Services down, environments across: what runs, how well, how far behind, and what is on its way.

use domain::delivery::{Hold, HoldKind};
use domain::wire::delivery::{CellView, HealthView, MarkView, MatrixRow, MatrixView};
use leptos::prelude::*;

use super::grid::grid;
use super::words::{health_pill, short, stage_pill};
use crate::format::{self, joined};
use crate::paths;
use crate::ui::{Pill, Time, Tone};

/// The rows that `wanted` lets through.
pub(super) fn table(matrix: &MatrixView, wanted: impl Fn(&MatrixRow) -> bool) -> AnyView {
    let mut names = vec!["Service".to_owned()];
    names.extend(matrix.environments.iter().cloned());
    let rows = matrix.rows.iter().filter(|row| wanted(row)).map(cells).collect();
    grid("Services by environment", "matrix roomy", names, rows)
}

/// How it stands, in one line.
pub(super) fn sentence(matrix: &MatrixView) -> String {
    if matrix.rows.is_empty() {
        return "Where each change is, and why it is not further.".to_owned();
    }
    let cells = || matrix.rows.iter().flat_map(|row| row.cells.iter().flatten());
    let count = |wanted: fn(&CellView) -> bool| cells().filter(|cell| wanted(cell)).count() as u32;
    let failed = count(|cell| cell.failed.is_some());
    let moving = count(|cell| cell.in_progress.is_some());
    let degraded = count(|cell| cell.health == HealthView::Degraded);
    let held = count(|cell| !cell.holds.is_empty());
    let unknown = count(|cell| cell.health == HealthView::Unknown);
    let mut text = joined(&[
        &format::counted(matrix.rows.len() as u32, "service"),
        " in ",
        &format::counted(matrix.environments.len() as u32, "environment"),
    ]);
    let mut before = ": ";
    for (number, words) in [
        (failed, " failed"),
        (degraded, " degraded"),
        (moving, " on the way"),
        (held, " held"),
        (unknown, " of unknown health"),
    ] {
        if number > 0 {
            text.push_str(&joined(&[before, &format::count(number), words]));
            before = ", ";
        }
    }
    text.push('.');
    text
}

fn cells(row: &MatrixRow) -> Vec<AnyView> {
    let service = row.service.as_str();
    let name = view! {
        <a class="name" href=paths::service(service, "")>{row.service.clone()}</a>
        {row.repository.clone().map(|repository| view! { <small class="mut">{repository}</small> })}
    };
    let cells = row.cells.iter().map(|cell| match cell {
        Some(cell) => environment(service, cell),
        None => view! { <span class="mut" title="Your roles do not reach it.">"–"<span class="sr">" out of your reach"</span></span> }
            .into_any(),
    });
    std::iter::once(name.into_any()).chain(cells).collect()
}

fn environment(service: &str, cell: &CellView) -> AnyView {
    let pill = health_pill(cell.health, cell.commit.is_some());
    let runs = match &cell.commit {
        Some(commit) => {
            let name = cell.version.clone().unwrap_or_else(|| short(commit).to_owned());
            view! { <a class="runs" href=paths::change(service, commit) title=commit.clone()><b>{name}</b>{pill}</a> }
                .into_any()
        }
        None => view! { <span class="runs"><span class="mut">"nothing seen"</span>{pill}</span> }.into_any(),
    };
    let was = (cell.health == HealthView::Unknown).then(|| last_known(cell));
    let marks = [&cell.in_progress, &cell.failed].into_iter().flatten().map(|one| mark(service, one));
    let marks = marks.chain(cell.holds.iter().map(hold)).collect::<Vec<_>>();
    let marks = (!marks.is_empty()).then(|| view! { <span class="marks">{marks}</span> });
    view! { <div class="stack">{runs}{age(cell)}{was}{marks}</div> }.into_any()
}

/// Since when it runs, and how far from the newest commit and the environment before it is.
fn age(cell: &CellView) -> AnyView {
    let Some(since) = cell.since else { return ().into_any() };
    let behind = match cell.behind {
        Some(0) => None,
        Some(behind) => Some(joined(&[" · ", &format::count(behind), " behind"])),
        None => Some(" · drift not known".to_owned()),
    };
    let ahead = cell.ahead_of.as_ref().map(|before| {
        view! { " " <Pill tone=Tone::Warn label=joined(&["ahead of ", before]) /> }
    });
    view! { <small class="mut"><Time at=since />{behind}{ahead}</small> }.into_any()
}

/// What an unknown health was when it was last known.
fn last_known(cell: &CellView) -> AnyView {
    match (cell.last_health, cell.as_of) {
        (Some(last), Some(at)) => {
            view! { <small class="mut">"was " {last.label()} ", as of " <Time at /></small> }.into_any()
        }
        (None, Some(at)) => view! { <small class="mut">"looked at " <Time at /></small> }.into_any(),
        (_, None) => ().into_any(),
    }
}

fn mark(service: &str, mark: &MarkView) -> AnyView {
    let label = joined(&["Change ", short(&mark.commit)]);
    let said = label.clone();
    view! {
        <a href=paths::change(service, &mark.commit) title=label>
            {stage_pill(mark.stage, mark.status)}
            <span class="sr">{said}</span>
        </a>
    }
    .into_any()
}

fn hold(hold: &Hold) -> AnyView {
    let kind = match hold.kind {
        HoldKind::Frozen => "frozen",
        HoldKind::Held => "held",
    };
    let until = match hold.until {
        Some(until) => joined(&[" until ", &format::absolute(until)]),
        None => " until somebody resumes".to_owned(),
    };
    let by = match hold.pull_request {
        Some(number) => joined(&[" by #", &number.to_string(), " of ", &hold.by]),
        None => joined(&[" by ", &hold.by]),
    };
    let title = joined(&[kind, by.as_str(), until.as_str(), ": ", &hold.reason]);
    let said = title.clone();
    view! { <span title=title><Pill tone=Tone::Warn label=kind /><span class="sr">{said}</span></span> }
        .into_any()
}
