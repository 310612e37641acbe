//! The operations: those that are not merged yet with what they wait for, then the others with what came of them.

use domain::gitops::Operation;
use domain::wire::gitops::OperationView;
use leptos::prelude::*;

use super::deciding::{self, Deciding};
use super::words;
use crate::format::{self, joined};
use crate::pages::delivery::grid::grid;
use crate::paths;
use crate::ui::{Empty, Panel, Time};

pub(super) fn panels(operations: &[OperationView], deciding: Deciding) -> AnyView {
    let (open, over): (Vec<&OperationView>, Vec<&OperationView>) =
        operations.iter().partition(|one| one.operation.status.is_open());
    let open = (!open.is_empty()).then(|| {
        let rows = open.into_iter().map(|one| under_way(one, deciding)).collect_view();
        view! { <Panel title="Under way"><ul class="operations">{rows}</ul></Panel> }
    });
    let history = if over.is_empty() {
        let text = "What was frozen, promoted, resumed and reverted is kept here, with what came of it.";
        view! { <Empty title="No history yet" text /> }.into_any()
    } else {
        let names = ["Operation", "Outcome", "Asked for", "Merged", "Request"].map(str::to_owned).to_vec();
        grid("History of operations", "roomy history", names, over.into_iter().map(cells).collect())
    };
    view! { {open} <Panel title="History">{history}</Panel> }.into_any()
}

fn link(view: &OperationView) -> AnyView {
    let href = paths::operation(view.operation.id.as_str());
    view! { <a class="link" href=href>{deciding::title(view)}</a> }.into_any()
}

fn under_way(view: &OperationView, deciding: Deciding) -> AnyView {
    let operation = &view.operation;
    let request = operation.pull_request.as_ref().map(|request| {
        view! { " · " {words::request(request, &deciding::title(view))} }
    });
    let problem = operation.problem.clone().map(|problem| view! { <p class="break">{problem}</p> });
    view! {
        <li class="operation">
            <div class="operation-text">
                <p class="entry-head">{words::status_pill(operation)} {link(view)}</p>
                {problem}
                <p class="mut">{asked_for(operation)} {request}</p>
            </div>
            {deciding::buttons(view, deciding)}
        </li>
    }
    .into_any()
}

/// Who asked, when and why.
fn asked_for(operation: &Operation) -> AnyView {
    let (by, reason) = (operation.by.name.clone(), operation.reason.clone());
    view! { <Time at=operation.at /> " by " {by} ": " {reason} }.into_any()
}

fn cells(view: &OperationView) -> Vec<AnyView> {
    let operation = &view.operation;
    let merged = match &operation.merged {
        Some(merged) => view! { <Time at=merged.at /> }.into_any(),
        None => view! { <span class="mut">"never"</span> }.into_any(),
    };
    let request = operation.pull_request.as_ref().map(|one| words::request(one, &deciding::title(view)));
    vec![
        view! { <div class="wrap">{link(view)}</div> }.into_any(),
        outcome(operation),
        view! { <div class="wrap">{asked_for(operation)}</div> }.into_any(),
        merged,
        request.unwrap_or_else(|| "–".into_any()),
    ]
}

/// What came of it, since when, and what it lacks.
fn outcome(operation: &Operation) -> AnyView {
    let took = operation.merged.as_ref().filter(|_| operation.status.is_final()).map(|merged| {
        let seconds = operation.updated.as_second() - merged.at.as_second();
        joined(&["in effect ", &format::duration(seconds), " after the merge"])
    });
    let took = took.map(|took| view! { <small class="mut">{took}</small> });
    // Who closed it and why is told below.
    let problem = operation.problem.clone().filter(|_| operation.closing.is_none());
    let problem = problem.map(|problem| view! { <small>{problem}</small> });
    let closing = operation.closing.as_ref().map(|closing| {
        view! { <small class="mut">{joined(&["by ", &closing.by.name, ": ", &closing.reason])}</small> }
    });
    view! { <div class="stack wrap">{words::status_pill(operation)} {took} {problem} {closing}</div> }
        .into_any()
}
