//! The fleet's state in one sentence and in cards; the overview and the list share them.

use domain::source::SourceState;
use domain::summary::Summary;
use domain::wire::SourceRow;
use leptos::prelude::*;

use crate::format;
use crate::format::joined;
use crate::paths;
use crate::ui::{Banner, Segment, ShareBar, Time, Tone, card};

/// `1,204 of 12,418 instances allow IMDSv1; 22 unknown.`
pub(crate) fn sentence(summary: &Summary) -> String {
    if summary.total == 0 {
        return "No instances are known yet.".into();
    }
    let verb = if summary.allows_v1 == 1 { " allows IMDSv1" } else { " allow IMDSv1" };
    let mut text = joined(&[
        &format::count(summary.allows_v1),
        " of ",
        &format::counted(summary.total, "instance"),
        verb,
    ]);
    if summary.unknown > 0 {
        text.push_str("; ");
        text.push_str(&format::count(summary.unknown));
        text.push_str(" unknown");
    }
    text.push('.');
    text
}

/// The counts of all sources together.
pub(crate) fn total(rows: &[SourceRow]) -> Summary {
    rows.iter().map(|row| row.summary).fold(Summary::default(), Summary::plus)
}

/// The cards that stand above both lists, each a link to what it counts; dashes until the counts are known.
pub(crate) fn cards(summary: Option<&Summary>, last: Option<AnyView>) -> AnyView {
    let value =
        |count: fn(&Summary) -> u32| summary.map_or_else(dash, |summary| format::count(count(summary)));
    let share = |count: fn(&Summary) -> u32| {
        summary.map_or_else(dash, |summary| format::share(count(summary), summary.total))
    };
    let of_all = |count| joined(&[&share(count), " of all"]);
    let safe =
        joined(&[&value(|summary| summary.safe), " of ", &value(|summary| summary.total), " instances"]);
    let segments = summary.map_or_else(Vec::new, |summary| {
        vec![
            Segment { tone: Tone::Ok, part: summary.safe },
            Segment { tone: Tone::Info, part: summary.pending },
            Segment { tone: Tone::Bad, part: summary.allows_v1 },
            Segment { tone: Tone::Unknown, part: summary.unknown },
        ]
    });
    let bar = view! { <ShareBar segments /> }.into_any();
    view! {
        <div class="cards">
            {card(
                "v2 enforced or off",
                share(|summary| summary.safe),
                safe,
                paths::fleet("verdict:safe"),
                Tone::Ok,
                Some(bar),
            )}
            {card(
                "Allows v1",
                value(|summary| summary.allows_v1),
                of_all(|summary| summary.allows_v1),
                paths::fleet("verdict:allows-v1"),
                Tone::Bad,
                None,
            )}
            {card(
                "Unknown",
                value(|summary| summary.unknown),
                of_all(|summary| summary.unknown),
                paths::fleet("verdict:unknown"),
                Tone::Unknown,
                None,
            )}
            {card(
                "Required, pending",
                value(|summary| summary.pending),
                of_all(|summary| summary.pending),
                paths::fleet("verdict:pending"),
                Tone::Info,
                None,
            )}
            {last}
        </div>
    }
    .into_any()
}

/// How many fail the policy, and how many have no verdict of it, which is not a pass either.
pub(crate) fn policy_card(counts: Option<(u32, u32)>) -> AnyView {
    let (value, detail) = match counts {
        None => (dash(), String::new()),
        Some((failing, 0)) => (format::count(failing), "all others pass".into()),
        Some((failing, others)) => {
            (format::count(failing), joined(&[&format::count(others), " without a verdict"]))
        }
    };
    card("Policy failing", value, detail, paths::fleet("policy:fail"), Tone::Bad, None)
}

fn dash() -> String {
    "–".into()
}

/// Names the sources that are not read, each with the age of what is shown of it.
pub(crate) fn stale_banner(rows: &[SourceRow]) -> Option<AnyView> {
    const NAMED: usize = 5;
    let unread: Vec<&SourceRow> =
        rows.iter().filter(|row| matches!(row.state, SourceState::Stale | SourceState::Failed)).collect();
    if unread.is_empty() {
        return None;
    }
    let named = unread
        .iter()
        .take(NAMED)
        .map(|row| {
            let age = match row.status.last_success {
                Some(at) => view! { "last read " <Time at /> }.into_any(),
                None => "never read".into_any(),
            };
            view! { <li><b>{row.status.alias.clone()} " · " {row.status.key.region.to_string()}</b> ", " {age}</li> }
        })
        .collect_view();
    let more = unread.len().saturating_sub(NAMED);
    let title = joined(&[
        &format::counted(unread.len() as u32, "source"),
        " cannot be judged: their instances are unknown.",
    ]);
    Some(
        view! {
            <Banner tone=Tone::Unknown title>
                <ul class="inline-list">{named}</ul>
                {(more > 0).then(|| joined(&["and ", &format::count(more as u32), " more. "]))}
                " "
                <a class="link" href=paths::ACCOUNTS>"See Accounts"</a>
            </Banner>
        }
        .into_any(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_counts_unknown_apart() {
        let summary = Summary { total: 12_418, allows_v1: 1_204, unknown: 22, ..Summary::default() };
        assert_eq!(sentence(&summary), "1,204 of 12,418 instances allow IMDSv1; 22 unknown.");
        let one = Summary { total: 1, allows_v1: 1, ..Summary::default() };
        assert_eq!(sentence(&one), "1 of 1 instance allows IMDSv1.");
        assert_eq!(sentence(&Summary::default()), "No instances are known yet.");
    }
}
