//! The active policy: what judges, how the fleet fares under it, and each rule with its text.

use domain::policy::PolicyOutcome;
use domain::wire::{PolicyReport, RuleRow};
use leptos::prelude::*;

use crate::api;
use crate::browser;
use crate::fetched::fetched;
use crate::format;
use crate::format::joined;
use crate::live::Live;
use crate::paths;
use crate::problem::show;
use crate::ui::{Banner, Empty, Heading, Panel, PolicyPill, SeverityPill, Tone};

#[component]
pub(crate) fn Policy() -> AnyView {
    browser::set_title("Policy");
    let live: Live = expect_context();
    let report = fetched(move || {
        live.fleet_slow.track();
        Box::pin(api::policy_report())
    });
    let line = move || {
        report.value.reading(|report| match report {
            None => "Reading the policy…".into(),
            Some(report) => joined(&[
                &format::counted(report.rules.len() as u32, "rule"),
                ", evaluated by ",
                &report.engine,
                ".",
            ]),
        })
    };
    view! {
        <Heading title="Policy">{move || line()}</Heading>
        {show(report, 6, content)}
    }
    .into_any()
}

fn content(report: &PolicyReport) -> AnyView {
    let problem = report.problem.clone().map(|problem| {
        view! {
            <Banner tone=Tone::Unknown title="The policy engine has a problem; what it cannot judge does not pass.">
                {problem}
            </Banner>
        }
    });
    let outcomes = report
        .outcomes
        .iter()
        .filter(|(kind, count)| *count > 0 || matches!(kind.as_str(), "fail" | "pass"))
        .map(|(kind, count)| outcome(kind, *count))
        .collect_view();
    let rules = if report.rules.is_empty() {
        view! { <Empty title="No rules" text="The engine does not tell its rules, or the policy has none." /> }.into_any()
    } else {
        report.rules.iter().map(rule).collect_view().into_any()
    };
    let (engine, query, revision) = (report.engine.clone(), report.query.clone(), report.revision.clone());
    view! {
        {problem}
        <Panel title="Outcomes">
            <ul class="inline-list spaced pad">{outcomes}</ul>
            <dl class="pad">
                <dt>"Engine"</dt><dd>{engine}</dd>
                <dt>"Query"</dt><dd><code>{query}</code></dd>
                <dt>"Revision"</dt><dd><code class="break">{revision}</code></dd>
            </dl>
        </Panel>
        <Panel title="Rules">{rules}</Panel>
    }
    .into_any()
}

fn outcome(kind: &str, count: u32) -> AnyView {
    debug_assert!(
        PolicyOutcome::KINDS.contains(&kind),
        "an outcome that the query language does not know: {kind}"
    );
    let href = paths::fleet(&joined(&["policy:", kind]));
    view! { <li><a href=href><b>{format::count(count)}</b> " " <PolicyPill kind=kind /></a></li> }.into_any()
}

fn rule(rule: &RuleRow) -> AnyView {
    let href = paths::fleet(&joined(&["rule:", &rule.name]));
    let failing = if rule.failing == 0 {
        view! { <span class="mut">"no instance fails it"</span> }.into_any()
    } else {
        let text = joined(&[
            &format::counted(rule.failing, "instance"),
            if rule.failing == 1 { " fails" } else { " fail" },
            " it",
        ]);
        view! { <a class="link" href=href>{text}</a> }.into_any()
    };
    let source_label = joined(&["Source of ", &rule.name]);
    view! {
        <article class="rule">
            <div class="rule-head">
                <h3>{rule.title.clone()}</h3>
                {rule.severity.map(|severity| view! { <SeverityPill severity /> })}
                <span class="push">{failing}</span>
            </div>
            <p><code>{rule.name.clone()}</code> " " {rule.description.clone()}</p>
            <details>
                <summary>{rule.file.clone()}</summary>
                <pre class="call" tabindex="0" role="region" aria-label=source_label>{rule.text.clone()}</pre>
            </details>
        </article>
    }
    .into_any()
}
