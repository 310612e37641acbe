//! A list of changes, each with how far it has come in every environment.

use domain::delivery::{ChangeSummary, EnvironmentSummary, Stage, Status};
use domain::wire::delivery::MatrixView;
use leptos::prelude::*;

use super::grid::grid;
use super::words::{short, stage_pill};
use crate::format::joined;
use crate::paths;
use crate::ui::{Pill, Time, Tone};

/// The changes, with a column for each environment of the matrix once that is known.
pub(super) fn list(changes: &[ChangeSummary], matrix: Option<&MatrixView>) -> AnyView {
    let environments = matrix.map_or(&[][..], |matrix| &matrix.environments);
    let mut names: Vec<String> =
        ["Commit", "Title", "Service", "Author", "Committed"].map(str::to_owned).into();
    names.extend(environments.iter().cloned());
    let rows = changes.iter().map(|change| cells(change, environments, matrix)).collect();
    grid("Changes", "changes roomy", names, rows)
}

fn cells(change: &ChangeSummary, environments: &[String], matrix: Option<&MatrixView>) -> Vec<AnyView> {
    let (service, commit) = (change.service.as_str(), change.commit.as_str());
    let title = change.title.clone().unwrap_or_else(|| "title not known".to_owned());
    // GitHub writes it behind the title of what it squashes.
    let number = change.pull_request.map(|number| joined(&["#", &number.to_string()]));
    let number = number.filter(|number| !title.contains(number.as_str()));
    let number = number.map(|number| view! { " " <span class="mut">{number}</span> });
    let committed = match change.committed {
        Some(at) => view! { <Time at /> }.into_any(),
        None => view! { <span class="mut">"not known"</span> }.into_any(),
    };
    let mut cells = vec![
        view! { <a class="mono link" href=paths::change(service, commit) title=commit.to_owned()>{short(commit).to_owned()}</a> }
            .into_any(),
        view! { <div class="wrap">{title}{number}</div> }.into_any(),
        view! { <a href=paths::service(service, "")>{service.to_owned()}</a> }.into_any(),
        change.author.clone().unwrap_or_else(|| "–".to_owned()).into_any(),
        committed,
    ];
    let row = matrix.and_then(|matrix| matrix.rows.iter().find(|row| row.service == service));
    for (position, name) in environments.iter().enumerate() {
        let here = change.environments.iter().find(|here| here.environment.as_str() == name);
        let cell = row.and_then(|row| row.cells.get(position)?.as_ref());
        let runs = cell.is_some_and(|cell| cell.commit.as_deref() == Some(commit));
        cells.push(how_far(here, runs));
    }
    cells
}

/// How far a change has come in an environment.
fn how_far(here: Option<&EnvironmentSummary>, runs: bool) -> AnyView {
    let Some(here) = here else {
        return view! { <span class="mut">"–"<span class="sr">" not yet"</span></span> }.into_any();
    };
    let live = |runs: bool| {
        let (tone, label) = if runs { (Tone::Ok, "live") } else { (Tone::Quiet, "was live") };
        view! { <Pill tone label /> }.into_any()
    };
    match here.reached {
        Some(reached) if (reached.stage, reached.status) == (Stage::Live, Status::Succeeded) => live(runs),
        Some(reached) => stage_pill(reached.stage, reached.status),
        None if !here.lives.is_empty() => live(runs),
        None => view! { <Pill tone=Tone::Unknown label="unknown" /> }.into_any(),
    }
}
