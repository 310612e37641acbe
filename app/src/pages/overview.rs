//! The overview: the fleet's state in one sentence, where it is bad, how it moves, and how fresh the knowledge is.

use std::collections::BTreeMap;

use domain::policy::PolicyOutcome;
use domain::source::SourceState;
use domain::summary::Summary;
use domain::wire::{HistoryItem, Overview as Answer, SourceRow};
use leptos::prelude::*;

use super::summary::{cards, policy_card, sentence, stale_banner};
use crate::api;
use crate::browser;
use crate::fetched::fetched;
use crate::format;
use crate::format::joined;
use crate::live::Live;
use crate::paths;
use crate::problem::show;
use crate::ui::{Empty, Heading, Panel, SourcePill, Time, Tone, TrendChart};

/// The days that the trend spans.
const TREND_DAYS: u32 = 30;
/// Changes of today that are named; the others are counted.
const CHANGES_SHOWN: usize = 20;

#[component]
pub(crate) fn Overview() -> AnyView {
    browser::set_title("Overview");
    let live: Live = expect_context();
    let answer = fetched(move || {
        live.fleet.track();
        Box::pin(api::overview(TREND_DAYS))
    });
    let top = move || {
        answer.value.reading(|answer| {
            let counts = answer.map(|answer| policy_counts(&answer.policy));
            view! {
                {answer.and_then(|answer| stale_banner(&answer.sources))}
                {cards(answer.map(|answer| &answer.summary), Some(policy_card(counts)))}
            }
            .into_any()
        })
    };
    let line = move || {
        answer
            .value
            .reading(|answer| answer.map_or_else(|| "Counting…".into(), |answer| sentence(&answer.summary)))
    };
    view! {
        <Heading title="Overview">{move || line()}</Heading>
        {move || top()}
        {show(answer, 8, content)}
    }
    .into_any()
}

/// How many fail, and how many have no verdict of the policy at all; neither is a pass.
fn policy_counts(outcomes: &[(String, u32)]) -> (u32, u32) {
    let of = |wanted: &dyn Fn(&str) -> bool| {
        outcomes.iter().filter(|(kind, _)| wanted(kind)).map(|(_, count)| count).sum()
    };
    let known = |kind: &str| PolicyOutcome::KINDS.contains(&kind);
    (of(&|kind| kind == "fail"), of(&|kind| known(kind) && kind != "fail" && kind != "pass"))
}

fn content(answer: &Answer) -> AnyView {
    if answer.sources.is_empty() {
        return view! {
            <section class="panel">
                <Empty title="No sources yet" text="Nothing has been read. Accounts shows what is configured and why it is not read.">
                    <a class="btn" href=paths::ACCOUNTS>"Check Accounts"</a>
                </Empty>
            </section>
        }
        .into_any();
    }
    let trend_title = joined(&["Trend, ", &TREND_DAYS.to_string(), " days"]);
    let trend = answer.trend.clone();
    let matrix = matrix(&answer.sources);
    let changes = changes(&answer.changed_today);
    let freshness = freshness(&answer.sources);
    view! {
        <Panel title="By account and region">{matrix}</Panel>
        <div class="halves">
            <Panel title=trend_title><TrendChart points=trend /></Panel>
            <Panel title="Changed today (UTC)">{changes}</Panel>
        </div>
        <Panel title="Sources">{freshness}</Panel>
    }
    .into_any()
}

/// Accounts down, regions across; each cell has the share that is safe and what keeps it from being all.
fn matrix(sources: &[SourceRow]) -> AnyView {
    let mut regions: Vec<&str> = sources.iter().map(|row| &*row.status.key.region).collect();
    regions.sort_unstable();
    regions.dedup();
    let mut accounts: BTreeMap<(&str, &str), Vec<&SourceRow>> = BTreeMap::new();
    for row in sources {
        accounts.entry((&row.status.alias, &row.status.key.account)).or_default().push(row);
    }
    let head =
        regions.iter().map(|region| view! { <th scope="col">{region.to_string()}</th> }).collect_view();
    let body = accounts
        .into_iter()
        .map(|((alias, account), rows)| {
            let cells = regions
                .iter()
                .map(|region| match rows.iter().find(|row| &*row.status.key.region == *region) {
                    Some(row) => cell(row),
                    None => view! { <td class="mut"><span class="sr">"not configured"</span></td> }.into_any(),
                })
                .collect_view();
            let href = paths::fleet(&joined(&["account:", account]));
            view! {
                <tr>
                    <th scope="row" class="name">
                        <a href=href>{alias.to_owned()}</a>
                        {(alias != account).then(|| view! { <small class="mono">{account.to_owned()}</small> })}
                    </th>
                    {cells}
                </tr>
            }
        })
        .collect_view();
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label="Share enforced by account and region">
            <table class="matrix">
                <thead><tr><th scope="col">"Account"</th>{head}</tr></thead>
                <tbody>{body}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn cell(row: &SourceRow) -> AnyView {
    let Summary { total, safe, allows_v1, unknown, .. } = row.summary;
    let key = &row.status.key;
    let href = paths::fleet(&joined(&["account:", &key.account, " region:", &key.region]));
    let unread = match row.state {
        SourceState::Live | SourceState::Failing => None,
        SourceState::Stale | SourceState::Failed | SourceState::Starting => {
            Some(view! { <SourcePill state=row.state /> }.into_any())
        }
    };
    if total == 0 {
        return view! { <td class="mut">{unread.unwrap_or_else(|| "none".into_any())}</td> }.into_any();
    }
    let tone = match (allows_v1, unknown, safe == total) {
        (1.., _, _) => Tone::Bad,
        (0, 1.., _) => Tone::Unknown,
        (0, 0, false) => Tone::Info,
        (0, 0, true) => Tone::Ok,
    };
    let mut detail = Vec::new();
    if allows_v1 > 0 {
        detail.push(joined(&[&format::count(allows_v1), " v1"]));
    }
    if unknown > 0 {
        detail.push(joined(&[&format::count(unknown), " unknown"]));
    }
    if detail.is_empty() {
        detail.push(joined(&["all ", &format::count(total)]));
    }
    view! {
        <td>
            <a href=href class=joined(&["share ", tone.class()])>
                <b><span aria-hidden="true">{tone.icon()}</span>" "{format::share(safe, total)}</b>
                <small>{detail.join(", ")}</small>
            </a>
            {unread}
        </td>
    }
    .into_any()
}

fn changes(items: &[HistoryItem]) -> AnyView {
    if items.is_empty() {
        return view! { <p class="pad mut">"Nothing was seen to change today."</p> }.into_any();
    }
    let rows = items
        .iter()
        .take(CHANGES_SHOWN)
        .map(|item| {
            let source = &item.key.source;
            let href = paths::instance(&source.account, &source.region, &item.key.instance_id);
            view! {
                <li>
                    <span class="mut"><Time at=item.at /></span>
                    <a class="mono link" href=href>{item.key.instance_id.to_string()}</a>
                    <span>{item.text.clone()}</span>
                </li>
            }
        })
        .collect_view();
    let more = items.len().saturating_sub(CHANGES_SHOWN) as u32;
    view! {
        <ul class="events">{rows}</ul>
        {(more > 0).then(|| view! { <p class="pad mut">{joined(&["and ", &format::count(more), " more today"])}</p> })}
    }
    .into_any()
}

fn freshness(sources: &[SourceRow]) -> AnyView {
    let count = |state| sources.iter().filter(|row| row.state == state).count() as u32;
    let states = [
        SourceState::Failed,
        SourceState::Stale,
        SourceState::Failing,
        SourceState::Starting,
        SourceState::Live,
    ]
    .into_iter()
    .map(|state| (state, count(state)))
    .filter(|(_, count)| *count > 0)
    .map(|(state, count)| view! { <li><b>{format::count(count)}</b>" "<SourcePill state /></li> })
    .collect_view();
    let oldest = sources.iter().filter_map(|row| row.status.last_success).min();
    view! {
        <div class="pad">
            <ul class="inline-list spaced">{states}</ul>
            <p class="mut">
                {oldest.map(|at| view! { "The oldest copy was read " <Time at /> ". " })}
                <a class="link" href=paths::ACCOUNTS>"All sources"</a>
            </p>
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_neither_pass_nor_fail_has_no_verdict() {
        let outcomes =
            [("fail".to_owned(), 3), ("error".into(), 2), ("not-evaluated".into(), 4), ("pass".into(), 90)];
        assert_eq!(policy_counts(&outcomes), (3, 6));
    }
}
