//! The page of all services, all environments and all operations.

use domain::gitops::AskKind;
use domain::wire::gitops::{PlaceView, PromotionBoard};
use leptos::prelude::*;

use super::asking::{Asking, AskingDialog};
use super::deciding::{Deciding, DecidingDialog};
use super::{operations, pipeline};
use crate::api;
use crate::browser;
use crate::fetched::{Fetched, fetched};
use crate::format::{self, joined};
use crate::live::Live;
use crate::pages::delivery::look_again;
use crate::problem::{part, show};
use crate::ui::{Banner, Button, Empty, Heading, Kind, Tone};

/// Where nothing that is shown may be changed by who looks at it.
const NOT_YOURS: &str =
    "Your roles let you change none of these: it takes the role releaser or administrator.";

/// The services that are chosen in the pipeline, by name.
pub(super) type Chosen = RwSignal<Vec<String>>;

#[component]
pub(super) fn Board() -> AnyView {
    browser::set_title("Promotions");
    let live: Live = expect_context();
    let deciding = Deciding::new();
    let board = fetched(move || {
        deciding.decided.track();
        live.delivery.track();
        live.gitops.track();
        Box::pin(api::promotion_board())
    });
    look_again(live, move || {
        if !board.loading.get_untracked() {
            board.retry();
        }
    });
    let chosen: Chosen = RwSignal::new(Vec::new());
    let asking = Asking::new(board);
    let line = move || board.value.reading(|board| board.map_or_else(|| "Looking…".to_owned(), sentence));
    view! {
        <Heading title="Promotions" actions=actions(board, asking, chosen)>{move || line()}</Heading>
        {show(board, 8, move |board| content(board, asking, chosen))}
        {part(board, 4, move |board| operations::panels(&board.operations, deciding))}
        <AskingDialog asking />
        <DecidingDialog deciding />
    }
    .into_any()
}

/// How it stands, in one line.
fn sentence(board: &PromotionBoard) -> String {
    if board.services.is_empty() {
        return "What runs where, what can move on, and what holds it.".to_owned();
    }
    let places = || places(board);
    let count = |wanted: fn(&PlaceView) -> bool| places().filter(|place| wanted(place)).count() as u32;
    let open = board.operations.iter().filter(|one| one.operation.status.is_open()).count() as u32;
    let mut text = joined(&[
        &format::counted(board.services.len() as u32, "service"),
        " in ",
        &format::counted(board.environments.len() as u32, "environment"),
    ]);
    let mut before = ": ";
    for (number, words) in [
        (count(|place| place.can_receive), " can move on"),
        (count(|place| !place.cell.holds.is_empty()), " held"),
        (open, " under way"),
    ] {
        if number > 0 {
            text.push_str(&joined(&[before, &format::count(number), words]));
            before = ", ";
        }
    }
    text.push('.');
    text
}

fn places(board: &PromotionBoard) -> impl Iterator<Item = &PlaceView> {
    board.services.iter().flat_map(|row| row.places.iter().flatten())
}

/// Why nothing can be asked for, whatever it is.
fn refusal(board: &PromotionBoard) -> Option<String> {
    let may = places(board).any(|place| place.may_release);
    board.disabled.clone().or_else(|| (!may).then(|| NOT_YOURS.to_owned()))
}

/// What can be asked for about the services that are chosen, or about all where none is.
fn actions(board: Fetched<PromotionBoard>, asking: Asking, chosen: Chosen) -> AnyView {
    let button = move |kind: AskKind| {
        let disabled = Signal::derive(move || {
            board.value.reading(|board| match board {
                None => Some("It is being looked up.".to_owned()),
                Some(board) => refusal(board).or_else(|| senseless(kind, board).map(str::to_owned)),
            })
        });
        let look = if kind == AskKind::Promote { Kind::Primary } else { Kind::Plain };
        let press = move || asking.open(kind, chosen.get_untracked(), None);
        view! { <Button label=joined(&[kind.label(), "…"]) kind=look disabled_reason=disabled on_press=press /> }
            .into_any()
    };
    let buttons = move || {
        let any = board.value.reading(|board| board.is_some_and(|board| !board.services.is_empty()));
        let kinds = [AskKind::Freeze, AskKind::Resume, AskKind::Revert, AskKind::Promote];
        any.then(|| kinds.map(button).into_iter().collect_view())
    };
    view! { {move || buttons().into_any()} }.into_any()
}

/// Why nobody needs to ask for this anywhere.
fn senseless(kind: AskKind, board: &PromotionBoard) -> Option<&'static str> {
    match kind {
        AskKind::Promote if !places(board).any(|place| place.can_receive) => {
            Some("The repository says the same in every environment, or what differs is held.")
        }
        AskKind::Resume if places(board).all(|place| place.cell.holds.is_empty()) => {
            Some("Nothing is frozen or held.")
        }
        AskKind::Freeze | AskKind::Resume | AskKind::Promote | AskKind::Revert => None,
    }
}

fn content(board: &PromotionBoard, asking: Asking, chosen: Chosen) -> AnyView {
    if board.services.is_empty() {
        return nothing(board);
    }
    let banner = refusal(board).map(|why| {
        view! { <Banner tone=Tone::Info title="Nothing can be asked for here.">{why}</Banner> }
    });
    view! { {banner} {pipeline::panel(board, asking, chosen)} }.into_any()
}

fn nothing(board: &PromotionBoard) -> AnyView {
    let text = board
        .disabled
        .clone()
        .unwrap_or_else(|| "No service is followed, or your roles reach none.".to_owned());
    view! {
        <section class="panel">
            <Empty title="Nothing to promote" text>
                <pre class="call" tabindex="0" role="region" aria-label="Configuration">
                    "[delivery]\nenvironments = [\"dev\", \"prod\"]\n\n[[services]]\nname = \"checkout\"\n\n[[gitops]]\nrepository = \"acme/gitops\"\nfiles = [\"envs/{environment}/{service}/values.yaml\"]\n\n[[environments]]\nname = \"prod\"\napproval = true"
                </pre>
            </Empty>
        </section>
    }
    .into_any()
}
