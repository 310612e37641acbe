//! The fleet's state in one sentence and in cards; the overview and the list share them.

use domain::source::SourceState;
use domain::summary::Summary;
use domain::wire::SourceRow;
use leptos::prelude::*;

use crate::format;
use crate::format::joined;
use crate::paths;
use crate::reading::Reading;
use crate::ui::{Banner, Card, Segment, ShareBar, Time, Tone};

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

/// The cards that stand above both lists, each a link to what it counts.
pub(crate) fn cards(summary: Memo<Summary>, policy: Option<Signal<Option<(u32, u32)>>>) -> AnyView {
    let value = move |count: fn(&Summary) -> u32| {
        Signal::derive(move || summary.reading(|summary| format::count(count(summary))))
    };
    let share_of = move |count: fn(&Summary) -> u32| {
        Signal::derive(move || {
            summary.reading(|summary| joined(&[&format::share(count(summary), summary.total), " of all"]))
        })
    };
    let share = Signal::derive(move || summary.reading(|summary| format::share(summary.safe, summary.total)));
    let detail = Signal::derive(move || {
        summary.reading(|summary| {
            joined(&[
                &format::count(summary.safe),
                " of ",
                &format::count(summary.total),
                "; unknown counts as not safe",
            ])
        })
    });
    let bar = move || {
        let segments = summary.reading(|summary| {
            vec![
                Segment { tone: Tone::Ok, part: summary.safe },
                Segment { tone: Tone::Info, part: summary.pending },
                Segment { tone: Tone::Bad, part: summary.allows_v1 },
                Segment { tone: Tone::Unknown, part: summary.unknown },
            ]
        });
        view! { <ShareBar segments /> }
    };
    let policy = policy.map(|policy| {
        let failing = Signal::derive(move || policy.get().map_or("–".into(), |(failing, _)| format::count(failing)));
        let unjudged = Signal::derive(move || match policy.get() {
            None => String::new(),
            Some((_, 0)) => "all others pass".into(),
            Some((_, others)) => joined(&[&format::count(others), " without a verdict"]),
        });
        view! { <Card label="Policy failing" value=failing detail=unjudged href=paths::fleet("policy:fail") tone=Tone::Bad /> }
    });
    view! {
        <div class="cards">
            <Card label="v2 enforced or off" value=share detail=detail href=paths::fleet("verdict:enforced,endpoint-disabled") tone=Tone::Ok>
                {move || bar().into_any()}
            </Card>
            <Card
                label="Allows v1"
                value=value(|summary| summary.allows_v1)
                detail=share_of(|summary| summary.allows_v1)
                href=paths::fleet("verdict:allows-v1")
                tone=Tone::Bad
            />
            <Card
                label="Unknown"
                value=value(|summary| summary.unknown)
                detail=share_of(|summary| summary.unknown)
                href=paths::fleet("verdict:unknown")
                tone=Tone::Unknown
            />
            <Card
                label="Required, pending"
                value=value(|summary| summary.pending)
                detail=share_of(|summary| summary.pending)
                href=paths::fleet("verdict:pending")
                tone=Tone::Info
            />
            {policy}
        </div>
    }
    .into_any()
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
