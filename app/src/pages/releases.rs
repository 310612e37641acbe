//! The releases of the page: which one is live, which were, and the way back to one of them.

use domain::release::{ReleaseId, Standing, Way, calls};
use domain::wire::{
    ActivationRow, InvalidationState, ReleaseBoard, ReleaseRow, Releases as Known, UnderWayRow,
};
use leptos::prelude::*;

use crate::api;
use crate::browser;
use crate::deed::Deed;
use crate::fetched::{Fetched, fetched};
use crate::format::{self, joined};
use crate::live::Live;
use crate::problem::show;
use crate::reading::{Reading, on_change};
use crate::release;
use crate::ui::{
    Banner, Button, CopyButton, Dialog, Empty, Heading, Kind, Panel, Pill, Time, Tone, refusable_button,
    table,
};

/// How many ticks of the clock pass between two looks while nothing goes on.
const CALM: u32 = 6;
/// As much of a commit's name as tells it from others.
const SHORT: usize = 12;

/// The release that is to be live again.
#[derive(Clone, Copy)]
struct Chosen {
    open: RwSignal<bool>,
    release: StoredValue<String>,
    /// What was live when the dialog was opened.
    seen: StoredValue<String>,
    /// What will be sent, a call in each line.
    calls: StoredValue<String>,
}

#[component]
pub(crate) fn Releases() -> AnyView {
    browser::set_title("Releases");
    let live: Live = expect_context();
    let board = fetched(|| Box::pin(api::list_releases()));
    let ticks = StoredValue::new(0_u32);
    on_change(
        move || live.now.track(),
        move || {
            ticks.update_value(|ticks| *ticks += 1);
            let moves = board.value.reading_untracked(|board| board.is_some_and(moves));
            let due = moves || ticks.get_value().is_multiple_of(CALM);
            if due && !board.loading.get_untracked() {
                board.retry();
            }
        },
    );
    let text = || StoredValue::new(String::new());
    let chosen = Chosen { open: RwSignal::new(false), release: text(), seen: text(), calls: text() };
    let title =
        Signal::derive(move || chosen.release.with_value(|release| joined(&["Roll back to ", release])));
    view! {
        <Heading title="Releases">"What this console’s page was published as, and the way back."</Heading>
        {show(board, 6, move |known| content(known, chosen))}
        <Dialog open=chosen.open id="rollback-title" title content=move || form(chosen, board) />
    }
    .into_any()
}

/// Whether something goes on that ends by itself.
fn moves(known: &Known) -> bool {
    let Known::Known(board) = known else { return false };
    board.under_way.as_ref().is_some_and(|begun| !begun.interrupted)
        || matches!(board.invalidation, InvalidationState::InProgress { .. })
}

fn content(known: &Known, chosen: Chosen) -> AnyView {
    let Known::Known(board) = known else { return not_configured() };
    if board.rows.is_empty() {
        let text = joined(&["`tollgate publish push` puts the page into s3://", &board.bucket, "."]);
        return view! { <section class="panel"><Empty title="Nothing was published yet" text /></section> }
            .into_any();
    }
    let page = release::own();
    let rows = board.rows.iter().map(|row| cells(row, board, page.as_deref(), chosen)).collect();
    let names = vec!["Release", "Commit", "Author", "Made live", "Stored", "Action"];
    let denied = board.denied.as_ref().map(|why| {
        view! { <p class="mut">"Rolling back is not offered: " {why.clone()}</p> }
    });
    let left_off = (board.left_off > 0).then(|| {
        let text = joined(&[&format::counted(board.left_off, "older release"), " not listed."]);
        view! { <p class="mut">{text}</p> }
    });
    view! {
        {board.under_way.as_ref().map(under_way)}
        {live_panel(board)}
        {denied}
        {table("Table of releases", names, rows)}
        {left_off}
    }
    .into_any()
}

fn not_configured() -> AnyView {
    view! {
        <section class="panel">
            <Empty
                title="This server does not know where the page is published"
                text="Name the bucket and the distribution that `tollgate publish` puts it into, in the server’s configuration:"
            >
                <pre class="call" tabindex="0" role="region" aria-label="Configuration">
                    "[publish]\nbucket = \"tollgate-pages\"\ndistribution = \"E1A2B3C4D5E6F7\""
                </pre>
            </Empty>
        </section>
    }
    .into_any()
}

fn under_way(begun: &UnderWayRow) -> AnyView {
    let UnderWayRow { release, activated, interrupted } = begun;
    let (tone, title) = if *interrupted {
        (Tone::Unknown, "A release was being made live, and that was not finished.")
    } else {
        (Tone::Info, "A release is being made live.")
    };
    let next = interrupted.then_some(" Which one the page is of is not known: push again, or roll back.");
    let (release, made) = (release.to_string(), made(activated));
    view! { <Banner tone title><code>{release}</code> ": " {made} "." {next}</Banner> }.into_any()
}

/// Who made something live, when, and how.
fn made(activated: &ActivationRow) -> AnyView {
    let how = match activated.way {
        Way::Push => ", pushed by ",
        Way::Rollback => ", rolled back to by ",
    };
    view! { <Time at=activated.at />{how}{activated.by.clone()} }.into_any()
}

fn live_panel(board: &ReleaseBoard) -> AnyView {
    let live = board.live.as_ref();
    let Some(row) = live.and_then(|live| board.rows.iter().find(|row| row.release == *live)) else {
        return ().into_any();
    };
    let title = if board.under_way.is_none() { "Live" } else { "Live before" };
    let activated = row.activated.as_ref();
    let reason = activated.filter(|activated| !activated.reason.is_empty()).map(|activated| {
        view! { <dt>"Reason"</dt><dd class="break">{activated.reason.clone()}</dd> }
    });
    let (release, commit) = (row.release.to_string(), row.commit.clone());
    let from = joined(&[" on ", &row.branch, " by ", &row.author]);
    let (made, invalidation) = (activated.map(made), invalidation(board));
    view! {
        <Panel title>
            <dl class="pad">
                <dt>"Release"</dt><dd><code>{release.clone()}</code> " " <CopyButton text=release what="release" /></dd>
                <dt>"Commit"</dt><dd class="break"><code>{commit}</code> {from}</dd>
                <dt>"Made live"</dt><dd>{made}</dd>
                {reason}
                <dt>"Invalidation"</dt><dd>{invalidation}</dd>
            </dl>
        </Panel>
    }
    .into_any()
}

fn invalidation(board: &ReleaseBoard) -> AnyView {
    let (tone, label, text) = match &board.invalidation {
        InvalidationState::None if board.distribution.is_none() => {
            return "no distribution is configured".into_any();
        }
        InvalidationState::None => (Tone::Quiet, "none", String::new()),
        InvalidationState::InProgress { id } => (Tone::Info, "in progress", id.clone()),
        InvalidationState::Completed { id } => (Tone::Ok, "completed", id.clone()),
        InvalidationState::Unknown { id, why } => (Tone::Unknown, "not known", joined(&[id, ": ", why])),
    };
    view! { <Pill tone label /> " " <span class="mut break">{text}</span> }.into_any()
}

/// What stands below the headings.
fn cells(row: &ReleaseRow, board: &ReleaseBoard, page: Option<&str>, chosen: Chosen) -> Vec<AnyView> {
    let tone = match row.standing {
        Standing::Live => Some(Tone::Ok),
        Standing::Doubtful => Some(Tone::Unknown),
        Standing::UnderWay => Some(Tone::Info),
        Standing::Interrupted => Some(Tone::Warn),
        Standing::NeverLive | Standing::Gone => Some(Tone::Quiet),
        Standing::Earlier => None,
    };
    let standing = tone.map(|tone| view! { " " <Pill tone label=row.standing.label() /> });
    let this_page = (page == Some(row.release.as_str()))
        .then(|| view! { " " <Pill tone=Tone::Quiet label="this page" /> });
    let short = row.commit.get(..SHORT).unwrap_or(&row.commit).to_owned();
    let activated = match &row.activated {
        Some(activated) => {
            let reason = (!activated.reason.is_empty()).then(|| joined(&[": ", &activated.reason]));
            view! { <div class="wrap">{made(activated)} {reason}</div> }.into_any()
        }
        None => "never".into_any(),
    };
    let stored = match row.uploaded_at {
        Some(_) => joined(&[
            &format::count(row.stored.div_ceil(1_000)),
            " kB, ",
            &format::counted(row.files, "file"),
        ]),
        None => "–".to_owned(),
    };
    vec![
        view! { <code>{row.release.to_string()}</code> {standing} {this_page} }.into_any(),
        view! { <code title=row.commit.clone()>{short}</code> " " <span class="mut">{row.branch.clone()}</span> }
            .into_any(),
        row.author.clone().into_any(),
        activated,
        stored.into_any(),
        action(row, board, chosen),
    ]
}

fn action(row: &ReleaseRow, board: &ReleaseBoard, chosen: Chosen) -> AnyView {
    // What holds for everybody is told first: a role would not help.
    let refusal = row.refusal.clone().or_else(|| board.denied.clone());
    let label = joined(&["Roll back to ", row.release.as_str()]);
    let release = row.release.to_string();
    let seen = board.live.as_ref().map(ReleaseId::to_string).unwrap_or_default();
    let calls = calls(&board.bucket, board.distribution.as_deref(), &row.root).join("\n");
    let press = move || {
        chosen.release.set_value(release.clone());
        chosen.seen.set_value(seen.clone());
        chosen.calls.set_value(calls.clone());
        chosen.open.set(true);
    };
    refusable_button("Roll back", label, refusal, Box::new(press))
}

/// The body of the dialog; made when it opens.
fn form(chosen: Chosen, board: Fetched<Known>) -> AnyView {
    let reason = RwSignal::new(String::new());
    let deed = Deed::new();
    let blocked = Signal::derive(move || {
        let text = match reason.reading(|reason| reason.trim().is_empty()) {
            _ if deed.under_way.get() => "The release is being made live.",
            true => "A reason is required.",
            false => return None,
        };
        Some(text.to_owned())
    });
    let roll_back = move || {
        if blocked.get_untracked().is_some() {
            return;
        }
        let (release, seen) = (chosen.release.get_value(), chosen.seen.get_value());
        let reason = reason.get_untracked();
        let request = Box::pin(async move {
            api::roll_back(release, seen, reason).await?;
            chosen.open.try_set(false);
            Ok(())
        });
        // Whatever came of it, the list is another by now.
        deed.run(
            request,
            "Rolled back. The release is on its way to every edge.",
            Box::new(move || board.try_retry()),
        );
    };
    // What was confirmed goes on once somebody is signed in again.
    deed.again_on_return(Box::new(roll_back));
    let calls = chosen.calls.get_value();
    let seen = chosen.seen.get_value();
    // What was live before something was begun that nobody finished.
    let instead = (seen != chosen.release.get_value()).then(|| view! { " instead of " <code>{seen}</code> });
    view! {
        <p>
            "Whoever opens the page from then on gets this release" {instead}
            ". Its files are all there and stay as they are. What is written is:"
        </p>
        <pre class="call" tabindex="0" role="region" aria-label="The exact calls">{calls}</pre>
        <p class="mut">
            "Nothing is written if another release became live since, and no file that is the same already. Tabs that are open go on with what they loaded."
        </p>
        <label class="field">
            <span>"Reason (required; it is kept in the audit log and shown beside the release)"</span>
            <textarea
                rows="2"
                required
                prop:value=move || reason.get()
                on:input=move |event| reason.set(event_target_value(&event))
            ></textarea>
        </label>
        {deed.problem()}
        <div class="dialog-acts">
            <span class="mut" role="status">{move || blocked.get()}</span>
            <Button label="Cancel" on_press=move || chosen.open.set(false) />
            <Button label="Roll back" kind=Kind::Danger disabled_reason=blocked on_press=roll_back />
        </div>
    }
    .into_any()
}
