//! A plan as people read it: each value now and next, what was looked at, and the files line by line.

use domain::gitops::{Brought, Check, FileDiff, Plan, Step, StepKind, Verdict};
use leptos::prelude::*;

use super::words;
use crate::format::{self, joined};
use crate::pages::delivery::grid::grid;
use crate::paths;
use crate::ui::Empty;

/// All of it, one below the other.
pub(super) fn plan(plan: &Plan) -> AnyView {
    view! {
        {steps(&plan.steps)}
        {checks(&plan.checks)}
        {brought(&plan.brought)}
        {diffs(&plan.files)}
    }
    .into_any()
}

/// What is written where.
pub(super) fn steps(steps: &[Step]) -> AnyView {
    if steps.is_empty() {
        let text = "The repository says already what was asked for.";
        return view! { <Empty title="Nothing would change" text /> }.into_any();
    }
    let names = ["Service", "Now", "Next", "What", "Where"].map(str::to_owned).to_vec();
    grid("What changes", "roomy plan", names, steps.iter().map(cells).collect())
}

fn cells(step: &Step) -> Vec<AnyView> {
    let what = match step.kind {
        StepKind::Tag => "tag",
        StepKind::Hold(_) => "updater kept",
        StepKind::Release(_) => "updater let go",
    };
    let digest = step.digest.as_deref().map(|digest| {
        let short = digest.get(..19).unwrap_or(digest).to_owned();
        view! { <small class="mut mono" title=digest.to_owned()>{short}</small> }
    });
    vec![
        view! {
            <div class="stack">
                {step.place.service.to_string()}
                <small class="mut">{joined(&["in ", step.place.environment.as_str()])}</small>
            </div>
        }
        .into_any(),
        value(step.before.as_deref(), "not set"),
        view! { <div class="stack"><b>{value(step.after.as_deref(), "taken away")}</b>{digest}</div> }.into_any(),
        what.into_any(),
        view! { <div class="stack"><code>{step.path.clone()}</code><small class="mut mono">{step.key.clone()}</small></div> }
            .into_any(),
    ]
}

fn value(text: Option<&str>, none: &'static str) -> AnyView {
    match text {
        Some(text) => view! { <code class="break">{text.to_owned()}</code> }.into_any(),
        None => view! { <span class="mut">{none}</span> }.into_any(),
    }
}

/// What was looked at: first what speaks against it, and what is well only when it is asked for.
pub(super) fn checks(checks: &[Check]) -> AnyView {
    let (passed, mut others): (Vec<&Check>, Vec<&Check>) =
        checks.iter().partition(|check| check.verdict == Verdict::Passed);
    others.sort_by_key(|check| std::cmp::Reverse(check.verdict));
    let list = |checks: Vec<&Check>| {
        let rows = checks.into_iter().map(check).collect_view();
        view! { <ul class="answers">{rows}</ul> }.into_any()
    };
    let passed_count = passed.len() as u32;
    let passed = (!passed.is_empty()).then(|| {
        let said = joined(&[&format::counted(passed_count, "check"), " passed"]);
        view! { <details class="passed"><summary>{said}</summary>{list(passed)}</details> }
    });
    let others = (!others.is_empty()).then(|| list(others));
    view! { {others} {passed} }.into_any()
}

fn check(check: &Check) -> AnyView {
    let about = joined(&[&words::place(&check.place), ", ", &check.what, ": "]);
    view! {
        <li>
            {words::verdict_pill(check.verdict)}
            <p class="break"><b>{about}</b> {check.message.clone()}</p>
        </li>
    }
    .into_any()
}

/// The commits that come or go with each tag.
pub(super) fn brought(all: &[Brought]) -> AnyView {
    let one = |brought: &Brought| {
        let said = joined(&[&words::place(&brought.place), ": ", &brought.headline()]);
        let commits = brought.commits.iter().map(|commit| {
            let href = paths::change(brought.place.service.as_str(), commit.commit.as_str());
            let short = commit.commit.as_str().get(..7).unwrap_or_default().to_owned();
            let title = commit.title.as_deref().unwrap_or_default();
            let about = joined(&[" ", title, " · ", commit.author.as_deref().unwrap_or("unknown")]);
            view! { <li><a class="mono link" href=href>{short}</a>{about}</li> }
        });
        let more = (brought.more > 0).then(|| {
            let text = joined(&["and ", &brought.more.to_string(), " more"]);
            view! { <li class="mut">{text}</li> }
        });
        view! { <details class="passed"><summary>{said}</summary><ul>{commits.collect_view()} {more}</ul></details> }
            .into_any()
    };
    all.iter().map(one).collect_view().into_any()
}

/// The files line by line.
pub(super) fn diffs(files: &[FileDiff]) -> AnyView {
    let files = files
        .iter()
        .map(|file| {
            let lines = file.diff.lines().map(line).collect_view();
            let label = joined(&["Difference of ", &file.path]);
            view! {
                <figure class="diff-file">
                    <figcaption><code class="break">{file.path.clone()}</code></figcaption>
                    <pre class="call diff" tabindex="0" role="region" aria-label=label>{lines}</pre>
                </figure>
            }
            .into_any()
        })
        .collect_view();
    view! { {files} }.into_any()
}

/// A line keeps its `+` or `-`, so that its colour is not all that tells it.
fn line(text: &str) -> AnyView {
    let text = joined(&[text, "\n"]);
    match text.as_bytes().first() {
        Some(b'+') => view! { <ins class="line ok">{text}</ins> }.into_any(),
        Some(b'-') => view! { <del class="line bad">{text}</del> }.into_any(),
        Some(b'@') => view! { <span class="line mut">{text}</span> }.into_any(),
        _ => view! { <span class="line">{text}</span> }.into_any(),
    }
}
