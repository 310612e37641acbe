//! The dialog that asks for an operation: what it is to do, what that comes to in the repository as it is filled in, and why.

use std::collections::BTreeSet;
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
use crate::reading::{Reading, effect};
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
    kind: RwSignal<AskKind>,
    services: StoredValue<BTreeSet<String>>,
    environment: StoredValue<Option<String>>,
    board: Fetched<PromotionBoard>,
}

impl Asking {
    pub(super) fn new(board: Fetched<PromotionBoard>) -> Asking {
        Asking {
            open: RwSignal::new(false),
            kind: RwSignal::new(AskKind::Promote),
            services: StoredValue::new(BTreeSet::new()),
            environment: StoredValue::new(None),
            board,
        }
    }

    /// Opens the dialog with what is filled in first: for these services, for all where none is named.
    pub(super) fn open(self, kind: AskKind, services: BTreeSet<String>, environment: Option<String>) {
        self.kind.set(kind);
        self.services.set_value(services);
        self.environment.set_value(environment);
        self.open.set(true);
    }
}

#[component]
pub(super) fn AskingDialog(asking: Asking) -> AnyView {
    let title = Signal::derive(move || asking.kind.get().label().to_owned());
    view! { <Dialog open=asking.open id="asking-title" title content=move || form(asking) /> }.into_any()
}

/// One opened dialog.
#[derive(Clone, Copy)]
struct Attempt {
    asking: Asking,
    /// What can be asked for now; why not, where it cannot.
    asked: Memo<Result<Ask, &'static str>>,
    /// What the plan is of.
    settled: RwSignal<Option<Ask>>,
    plan: Fetched<Plan>,
    reason: RwSignal<String>,
    deed: Deed,
    router: Router,
}

impl Attempt {
    /// Whether the plan is still to come.
    fn pending(self) -> bool {
        self.plan.loading.get()
            || self
                .asked
                .reading(|asked| self.settled.reading(|settled| asked.as_ref().ok() != settled.as_ref()))
    }

    /// Why it cannot be asked for now.
    fn blocked(self) -> Option<String> {
        if self.deed.under_way.get() {
            return Some("It is being asked for.".to_owned());
        }
        if let Some(why) = self.asked.reading(|asked| asked.as_ref().err().copied()) {
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
        let Some(ask) = self.settled.get_untracked() else { return };
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

/// Plans what is filled in once it has been left alone for a moment, and anew when an operation moves.
fn planned(asked: Memo<Result<Ask, &'static str>>, settled: RwSignal<Option<Ask>>) -> Fetched<Plan> {
    let live: Live = expect_context();
    let number = StoredValue::new(0_u32);
    effect(move || {
        let ask = asked.get().ok();
        number.update_value(|number| *number += 1);
        let own = number.get_value();
        let settle = move || {
            if number.try_get_value() == Some(own) {
                settled.try_set(ask.clone());
            }
        };
        if settled.reading_untracked(Option::is_none) {
            settle();
        } else {
            set_timeout(settle, PAUSE);
        }
    });
    fetched_when(move || {
        live.gitops.track();
        let ask = settled.get()?;
        Some(Box::pin(api::plan_operation(ask, NO_REASON_YET.to_owned())) as Request<Plan>)
    })
}

/// The body of the dialog; made when it opens.
fn form(asking: Asking) -> AnyView {
    let Some(board) = asking.board.value.reading_untracked(|board| board.cloned()) else {
        return ().into_any();
    };
    let kind = asking.kind.get_untracked();
    let draft = asking.services.with_value(|services| {
        asking.environment.with_value(|environment| Draft::of(kind, &board, services, environment.as_deref()))
    });
    let (draft, board) = (RwSignal::new(draft), StoredValue::new(board));
    let asked =
        Memo::new(move |_| board.with_value(|board| draft.reading(|draft| draft.ask(board, browser::now()))));
    let settled = RwSignal::new(None);
    let attempt = Attempt {
        asking,
        asked,
        settled,
        plan: planned(asked, settled),
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
    let Attempt { plan, settled, .. } = attempt;
    let busy = move || (attempt.pending() && settled.reading(Option::is_some)).then_some("true");
    let content = move || {
        if attempt.asked.reading(Result::is_err) {
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
