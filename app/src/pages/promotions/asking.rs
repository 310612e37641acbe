//! The dialog that asks for an operation: what it is to do, what that comes to in the repository as it is filled in, and why.

use std::time::Duration;

use domain::gitops::{Ask, AskKind, Plan};
use domain::wire::gitops::PromotionBoard;
use leptos::prelude::*;

use super::draft::Draft;
use super::{choices, preview};
use crate::api::{self, ApiError};
use crate::browser;
use crate::deed::Deed;
use crate::fetched::{Fetched, Request, fetched_when};
use crate::format::joined;
use crate::live::Live;
use crate::paths;
use crate::problem::Problem;
use crate::reading::{Reading, on_change};
use crate::router::{Router, Trace};
use crate::ui::{Banner, Button, Dialog, Kind, Skeleton, Tone};

/// How long what is filled in is left alone before it is planned.
const PAUSE: Duration = Duration::from_millis(300);
/// What stands for the reason while a plan is looked at: a plan does not depend on it.
const NO_REASON_YET: &str = "-";

/// What the dialog is opened for.
#[derive(Clone, Copy)]
pub(super) struct Asking {
    open: RwSignal<bool>,
    preset: StoredValue<Preset>,
    board: Fetched<PromotionBoard>,
}

/// What is filled in first.
struct Preset {
    kind: AskKind,
    services: Vec<String>,
    environment: Option<String>,
}

impl Asking {
    pub(super) fn new(board: Fetched<PromotionBoard>) -> Asking {
        let preset = Preset { kind: AskKind::Promote, services: Vec::new(), environment: None };
        Asking { open: RwSignal::new(false), preset: StoredValue::new(preset), board }
    }

    /// Opens the dialog with what is filled in first: for these services, for all where none is named.
    pub(super) fn open(self, kind: AskKind, services: Vec<String>, environment: Option<String>) {
        self.preset.set_value(Preset { kind, services, environment });
        self.open.set(true);
    }
}

#[component]
pub(super) fn AskingDialog(asking: Asking) -> AnyView {
    let title = Signal::derive(move || {
        asking.open.track();
        asking.preset.with_value(|preset| preset.kind.label().to_owned())
    });
    view! { <Dialog open=asking.open id="asking-title" title content=move || form(asking) /> }.into_any()
}

/// One opened dialog.
#[derive(Clone, Copy)]
struct Attempt {
    asking: Asking,
    draft: RwSignal<Draft>,
    /// Counts what is filled in.
    typed: RwSignal<u32>,
    /// How much of that is planned.
    settled: RwSignal<u32>,
    plan: Fetched<Plan>,
    reason: RwSignal<String>,
    deed: Deed,
    router: Router,
}

impl Attempt {
    /// Whether the plan is still to come.
    fn pending(self) -> bool {
        self.plan.loading.get() || self.typed.get() != self.settled.get()
    }

    /// What can be asked for now; why not, where it cannot.
    fn asked(self) -> Result<Ask, &'static str> {
        self.draft.reading(|draft| asked(draft, self.asking.board))
    }

    /// Why it cannot be asked for now.
    fn blocked(self) -> Option<String> {
        if self.deed.under_way.get() {
            return Some("It is being asked for.".to_owned());
        }
        if let Err(why) = self.asked() {
            return Some(why.to_owned());
        }
        if self.pending() {
            return Some("The plan is being made.".to_owned());
        }
        if self.plan.error.reading(Option::is_some) {
            return Some("There is no plan.".to_owned());
        }
        let text = self.plan.value.reading(|plan| match plan {
            None => Some("There is no plan."),
            Some(plan) if plan.refused().next().is_some() => Some("Something speaks against it."),
            Some(plan) if plan.steps.is_empty() => Some("Nothing would change."),
            Some(_) => None,
        });
        let text = text.or_else(|| {
            self.reason.reading(|reason| reason.trim().is_empty()).then_some("A reason is required.")
        });
        text.map(str::to_owned)
    }

    fn request(self) {
        if untrack(|| self.blocked()).is_some() {
            return;
        }
        let Ok(ask) = untrack(|| self.asked()) else { return };
        let seen = self.plan.value.reading_untracked(|plan| plan.map(|plan| plan.fingerprint.clone()));
        let reason = self.reason.get_untracked().trim().to_owned();
        let request = Box::pin(async move {
            let view = api::request_operation(ask, reason, seen).await?;
            self.asking.open.try_set(false);
            self.router.go_to(&paths::operation(view.operation.id.as_str()), Trace::New);
            Ok(())
        });
        // Where it was refused, what it would do may be another by now.
        self.deed.run(request, "Asked for.", Box::new(move || self.plan.try_retry()));
    }
}

/// What a draft asks for, of what is known.
fn asked(draft: &Draft, board: Fetched<PromotionBoard>) -> Result<Ask, &'static str> {
    board.value.reading_untracked(|board| match board {
        Some(board) => draft.ask(board, browser::now()),
        None => Err("It is being looked up."),
    })
}

/// The body of the dialog; made when it opens.
fn form(asking: Asking) -> AnyView {
    let live: Live = expect_context();
    let board = asking.board;
    let draft = board.value.reading_untracked(|board| {
        asking.preset.with_value(|preset| {
            let Preset { kind, services, environment } = preset;
            board.map(|board| Draft::of(*kind, board, services, environment.as_deref()))
        })
    });
    let Some(draft) = draft else { return ().into_any() };
    let kind = draft.kind;
    let draft = RwSignal::new(draft);
    let (typed, settled) = (RwSignal::new(0_u32), RwSignal::new(0_u32));
    // What is filled in is planned once it has been left alone for a moment, and anew when an operation moves.
    on_change(
        move || draft.track(),
        move || {
            typed.update(|typed| *typed += 1);
            let own = typed.get_untracked();
            let settle = move || {
                if typed.try_get_untracked() == Some(own) {
                    settled.try_set(own);
                }
            };
            set_timeout(settle, PAUSE);
        },
    );
    let plan = fetched_when(move || {
        live.gitops.track();
        settled.track();
        let ask = draft.reading_untracked(|draft| asked(draft, board)).ok()?;
        Some(Box::pin(api::plan_operation(ask, NO_REASON_YET.to_owned())) as Request<Plan>)
    });
    let attempt = Attempt {
        asking,
        draft,
        typed,
        settled,
        plan,
        reason: RwSignal::new(String::new()),
        deed: Deed::new(),
        router: expect_context(),
    };
    // What was confirmed goes on once somebody is signed in again.
    attempt.deed.again_on_return(Box::new(move || attempt.request()));
    let reason = attempt.reason;
    let act = if kind == AskKind::Revert { Kind::Danger } else { Kind::Primary };
    view! {
        <p class="mut">{about(kind)}</p>
        {choices::fields(draft, board)}
        {shown(attempt)}
        <label class="field">
            <span>"Reason (required; it is in the pull request and kept in the audit log)"</span>
            <textarea
                rows="2"
                required
                prop:value=move || reason.get()
                on:input=move |event| reason.set(event_target_value(&event))
            ></textarea>
        </label>
        {attempt.deed.problem()}
        <div class="dialog-acts">
            <span class="mut" role="status">{move || attempt.blocked()}</span>
            <Button label="Cancel" on_press=move || asking.open.set(false) />
            <Button
                label=kind.label()
                kind=act
                disabled_reason=Signal::derive(move || attempt.blocked())
                on_press=move || attempt.request()
            />
        </div>
    }
    .into_any()
}

fn about(kind: AskKind) -> &'static str {
    match kind {
        AskKind::Promote => {
            "The tags that the environment before says come to this one, in one commit and one pull request."
        }
        AskKind::Freeze => "The image updater is kept from new tags until it is resumed. What runs goes on.",
        AskKind::Resume => "What kept the image updater is put back to what it was before.",
        AskKind::Revert => {
            "Earlier tags come back, and the image updater is kept from newer ones until it is resumed."
        }
    }
}

/// What it comes to in the repository.
fn shown(attempt: Attempt) -> AnyView {
    let plan = attempt.plan;
    let busy = move || attempt.pending().then_some("true");
    let content = move || {
        if attempt.asked().is_err() {
            return view! { <p class="mut">"What it would change is shown here."</p> }.into_any();
        }
        if let Some(error) = plan.error.get() {
            return refused(error);
        }
        plan.value.reading(|known| match known {
            Some(known) => found(known),
            None => view! { <Skeleton lines=4 /> }.into_any(),
        })
    };
    view! {
        <section class="preview" aria-label="What it would change" aria-busy=busy>
            {move || content()}
        </section>
    }
    .into_any()
}

/// What cannot be planned is no defect of the request: it says what is in the way.
fn refused(error: ApiError) -> AnyView {
    match error {
        ApiError::Conflict { message } | ApiError::BadRequest { message } => view! {
            <div role="alert">
                <Banner tone=Tone::Bad title="It cannot be done as things are.">{message}</Banner>
            </div>
        }
        .into_any(),
        error => view! { <Problem error /> }.into_any(),
    }
}

fn found(plan: &Plan) -> AnyView {
    let speaks_against = plan.refused().count() as u32;
    let banner = (speaks_against > 0).then(|| {
        view! { <Banner tone=Tone::Bad title="Something speaks against it.">"It can be asked for once that is settled."</Banner> }
    });
    let place =
        joined(&["One commit in ", &plan.repository, ", on top of ", &super::words::short(&plan.base), "."]);
    view! {
        {banner}
        {preview::plan(plan)}
        <p class="mut">{place}</p>
    }
    .into_any()
}
