//! One operation: how it stands, what it does, what was looked at, who agreed, and what came of it.

use domain::gitops::{Ask, Operation, OperationStatus};
use domain::time::Timestamp;
use domain::wire::gitops::OperationView;
use leptos::prelude::*;

use super::deciding::{self, Deciding, DecidingDialog};
use super::{preview, words};
use crate::api;
use crate::browser;
use crate::fetched::fetched;
use crate::format::{self, joined};
use crate::live::Live;
use crate::pages::delivery::look_again;
use crate::paths;
use crate::problem::{part, show};
use crate::ui::{Banner, CopyButton, Panel, Pill, Time, Tone};

pub(super) fn page(id: String) -> AnyView {
    browser::set_title(&joined(&["Operation ", &id]));
    let live: Live = expect_context();
    let id = StoredValue::new(id);
    let deciding = Deciding::new();
    let found = fetched(move || {
        deciding.decided.track();
        live.gitops.track();
        Box::pin(api::gitops_operation(id.get_value()))
    });
    look_again(live, move || {
        if !found.loading.get_untracked() {
            found.retry();
        }
    });
    let title = move || {
        let title = found.value.reading(|found| found.map(deciding::title));
        title.unwrap_or_else(|| joined(&["Operation ", &id.get_value()]))
    };
    view! {
        <div class="head">
            <div class="head-text">
                <p><a class="link" href=paths::PROMOTIONS>"Promotions"</a></p>
                <h1 tabindex="-1">{move || title()}</h1>
                <div class="sub">
                    <code>{id.get_value()}</code> " " <CopyButton text=id.get_value() what="operation" />
                </div>
            </div>
            {part(found, 1, move |view| deciding::buttons(view, deciding))}
        </div>
        {show(found, 8, content)}
        <DecidingDialog deciding />
    }
    .into_any()
}

fn content(view: &OperationView) -> AnyView {
    let operation = &view.operation;
    let plan = &operation.plan;
    // Who closed it and why stands among the steps.
    let problem = operation.problem.clone().filter(|_| operation.closing.is_none());
    let problem = problem.map(|problem| {
        let (tone, title) = if operation.status.is_open() {
            (Tone::Warn, "It does not go on.")
        } else if operation.status.is_merged() {
            (Tone::Info, "It is merged, and lacks something.")
        } else {
            (Tone::Bad, "It came to nothing.")
        };
        view! { <Banner tone title>{problem}</Banner> }
    });
    let checks = (!plan.checks.is_empty())
        .then(|| preview::checks(&plan.checks))
        .map(|checks| view! { <Panel title="What was looked at">{checks}</Panel> });
    let files = (!plan.files.is_empty())
        .then(|| preview::diffs(&plan.files))
        .map(|files| view! { <Panel title="Files"><div class="pad">{files}</div></Panel> });
    let (way, asked, steps) = (way(operation), asked(view), preview::steps(&plan.steps));
    view! {
        {problem}
        <div class="halves">
            <Panel title="How it stands">{way}</Panel>
            <Panel title="What was asked for">{asked}</Panel>
        </div>
        <Panel title="What changes">{steps}</Panel>
        {checks}
        {files}
    }
    .into_any()
}

/// Its way, step by step: asked for, agreed with, merged, in effect.
fn way(operation: &Operation) -> AnyView {
    let step = |tone: Tone, label: &'static str, at: Option<Timestamp>, text: AnyView| {
        let at = at.map(|at| view! { <Time at /> });
        view! {
            <li class="step">
                <div class="step-head"><Pill tone label /> <span class="break">{text}</span> <span class="step-took mut">{at}</span></div>
            </li>
        }
        .into_any()
    };
    let by = joined(&["by ", &operation.by.name]);
    let mut steps = vec![step(Tone::Ok, "asked for", Some(operation.at), by.into_any())];
    for approval in &operation.given {
        let is_current = approval.fingerprint == operation.plan.fingerprint;
        let (tone, label) =
            if is_current { (Tone::Ok, "approved") } else { (Tone::Quiet, "approved before") };
        let of = if is_current { "" } else { ", of an earlier plan" };
        let text = joined(&["by ", &approval.by.name, of]);
        steps.push(step(tone, label, Some(approval.at), text.into_any()));
    }
    let is_open = operation.status.is_open();
    if is_open && !operation.is_approved() {
        let text = joined(&["by somebody other than ", &operation.by.name]);
        steps.push(step(Tone::Warn, "to be approved", None, text.into_any()));
    }
    if let Some(closing) = &operation.closing {
        let text = joined(&["by ", &closing.by.name, ": ", &closing.reason]);
        let label = if is_open { "being closed" } else { "closed" };
        let at = (!is_open).then_some(operation.updated);
        steps.push(step(Tone::Quiet, label, at, text.into_any()));
    }
    match &operation.merged {
        Some(merged) => {
            let commit = merged.commit.clone();
            let text = view! { "commit " <code title=commit.clone()>{words::short(&commit)}</code> };
            steps.push(step(Tone::Ok, "merged", Some(merged.at), text.into_any()));
            let took = operation.updated.as_second() - merged.at.as_second();
            let (label, text) = if operation.status.is_final() {
                ("in effect", joined(&[&format::duration(took), " after the merge"]))
            } else {
                ("in effect", operation.problem.clone().unwrap_or_else(|| "not seen yet".to_owned()))
            };
            let (tone, label, at) = match (operation.status.is_final(), operation.status) {
                (true, _) => (Tone::Ok, label, Some(operation.updated)),
                (false, OperationStatus::NotEffective) => {
                    (Tone::Bad, "not in effect", Some(operation.updated))
                }
                (false, _) => (Tone::Info, "not in effect yet", None),
            };
            steps.push(step(tone, label, at, text.into_any()));
        }
        None if is_open && operation.is_wanted() => {
            steps.push(step(Tone::Info, "merging", None, "as soon as it can be".into_any()));
        }
        None if is_open && operation.closing.is_none() => {
            steps.push(step(Tone::Quiet, "to be merged", None, "when somebody says so".into_any()));
        }
        None => {}
    }
    view! { <ol class="steps">{steps}</ol> }.into_any()
}

fn asked(view: &OperationView) -> AnyView {
    let operation = &view.operation;
    let request = match &operation.pull_request {
        Some(request) => words::request(request, &deciding::title(view)),
        None => view! { <span class="mut">"not opened yet"</span> }.into_any(),
    };
    let ends = match &operation.ask {
        Ask::Freeze { until, bypass, .. } => {
            let until = match until {
                Some(until) => view! { <Time at=*until /> " (" {format::absolute(*until)} ")" }.into_any(),
                None => "when somebody resumes it".into_any(),
            };
            let bypass = bypass.clone().map(|tag| {
                view! { <dt>"May come all the same"</dt><dd><code>{tag}</code></dd> }
            });
            Some(view! { <dt>"Ends"</dt><dd>{until}</dd> {bypass} })
        }
        Ask::Resume { .. } | Ask::Promote { .. } | Ask::Revert { .. } => None,
    };
    let resumed = operation.resumed_by.as_ref().map(|id| {
        let href = paths::operation(id.as_str());
        view! { <dt>"Taken back by"</dt><dd><a class="link mono" href=href>{id.to_string()}</a></dd> }
    });
    let approval =
        if operation.needs_approval { "of somebody else, before it is merged" } else { "none needed" };
    let plan = &operation.plan;
    view! {
        <dl class="pad">
            <dt>"Status"</dt><dd>{words::status_pill(operation)}</dd>
            <dt>"Reason"</dt><dd class="break">{operation.reason.clone()}</dd>
            <dt>"Approval"</dt><dd>{approval}</dd>
            <dt>"Pull request"</dt><dd>{request}</dd>
            <dt>"Repository"</dt><dd class="break">{plan.repository.clone()} ", branch " {plan.branch.clone()}</dd>
            <dt>"Made on"</dt><dd><code title=plan.base.clone()>{words::short(&plan.base)}</code></dd>
            <dt>"Plan"</dt><dd><code title=plan.fingerprint.clone()>{words::short(&plan.fingerprint)}</code></dd>
            {ends}
            {resumed}
        </dl>
    }
    .into_any()
}
