//! The dialog that plans a change, shows the exact call with AWS's answer to its dry run, makes it, and follows it to its end.

use domain::change::{Change, ChangeStatus, Plan, TakesEffect, WayBack, fields};
use domain::wire::{PlanReport, Preflight};
use leptos::prelude::*;

use super::Subject;
use super::changes::outcome;
use crate::api::{self, ApiError};
use crate::browser;
use crate::fetched::{Fetched, Request, fetched, fetched_when};
use crate::format::joined;
use crate::live::Live;
use crate::problem::{Problem, show};
use crate::reading::{Reading, effect};
use crate::session::Session;
use crate::ui::{Banner, Button, ChangePill, CopyButton, Dialog, Kind, Pill, Tone};

/// What the dialog is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intent {
    Enforce,
    Restore { change_id: i64 },
}

#[component]
pub(crate) fn ChangeDialog(
    open: RwSignal<bool>,
    intent: RwSignal<Intent>,
    subject: StoredValue<Subject>,
) -> AnyView {
    let title = Signal::derive(move || {
        let what = match intent.get() {
            Intent::Enforce => "Enforce IMDSv2 on ",
            Intent::Restore { .. } => "Restore previous options of ",
        };
        subject.with_value(|subject| joined(&[what, &subject.instance_id]))
    });
    let content = move || {
        let intent = intent.get_untracked();
        let subject = subject.get_value();
        dialog_body(intent, subject, open)
    };
    view! { <Dialog open id="change-title" title content /> }.into_any()
}

/// The state of one opened dialog.
#[derive(Clone, Copy)]
struct Attempt {
    report: Fetched<PlanReport>,
    reason: RwSignal<String>,
    /// Made once per plan that is shown: a double click or a retry is the same change, another plan is another one.
    idempotency_key: StoredValue<String>,
    applying: RwSignal<bool>,
    /// The server took the change: from here on it is followed.
    requested: RwSignal<bool>,
    failure: RwSignal<Option<ApiError>>,
    change: RwSignal<Option<Change>>,
    live: Live,
    session: Session,
}

impl Attempt {
    /// Reads the instance again and plans anew.
    fn plan_again(self) {
        self.idempotency_key.set_value(browser::random_key());
        self.failure.set(None);
        self.requested.set(false);
        self.change.set(None);
        self.report.clear();
        self.report.retry();
    }

    fn apply(self) {
        let Some(report) = self.report.value.reading_untracked(|report| report.cloned()) else { return };
        if self.applying.get_untracked() {
            return;
        }
        self.applying.set(true);
        self.failure.set(None);
        let reason = self.reason.get_untracked().trim().to_owned();
        let key = self.idempotency_key.get_value();
        leptos::task::spawn_local(async move {
            let answer = api::apply_plan(report.plan, reason, key).await;
            self.live.note(answer.as_ref().err());
            self.session.ask();
            // The dialog may be closed by now; the page's list of changes shows how it goes on.
            if self.applying.try_set(false).is_some() {
                return;
            }
            match answer {
                Ok(change) => {
                    self.change.set(Some(change));
                    self.requested.set(true);
                }
                Err(error) => self.failure.set(Some(error)),
            }
        });
    }

    /// Why the change cannot be made now.
    fn blocked(self) -> Option<String> {
        let preflight_refused = self.report.value.reading(|report| {
            report.as_ref().map(|report| matches!(report.preflight, Preflight::Refused { .. }))
        });
        let text = match preflight_refused {
            _ if self.applying.get() => "The change is being requested.",
            _ if self.report.loading.get() => "The plan is being made.",
            None => "There is no plan.",
            Some(true) => "AWS would refuse the call.",
            Some(false) if self.reason.reading(|reason| reason.trim().is_empty()) => "A reason is required.",
            Some(false) => return None,
        };
        Some(text.into())
    }
}

fn dialog_body(intent: Intent, subject: Subject, open: RwSignal<bool>) -> AnyView {
    let hop_limit = RwSignal::new(None::<u8>);
    let report = fetched(move || -> Request<PlanReport> {
        let Subject { account, region, instance_id } = subject.clone();
        match intent {
            Intent::Enforce => Box::pin(api::plan_enforce(account, region, instance_id, hop_limit.get())),
            Intent::Restore { change_id } => Box::pin(api::plan_restore(change_id)),
        }
    });
    let attempt = Attempt {
        report,
        reason: RwSignal::new(String::new()),
        idempotency_key: StoredValue::new(browser::random_key()),
        applying: RwSignal::new(false),
        requested: RwSignal::new(false),
        failure: RwSignal::new(None),
        change: RwSignal::new(None),
        live: expect_context(),
        session: expect_context(),
    };
    // What was confirmed goes on once somebody is signed in again: it is the same person, the same plan and the same key.
    attempt.live.on_return(move || {
        if attempt.failure.reading_untracked(|failure| *failure == Some(ApiError::Unauthenticated)) {
            attempt.apply();
        }
    });
    let body = move || {
        if attempt.requested.get() {
            return follow(attempt, open);
        }
        view! {
            {(intent == Intent::Enforce).then(|| hop_limit_field(hop_limit))}
            {show(report, 8, plan_view)}
            <Confirm attempt intent open />
        }
        .into_any()
    };
    view! { {move || body()} }.into_any()
}

fn hop_limit_field(hop_limit: RwSignal<Option<u8>>) -> AnyView {
    let wrong = RwSignal::new(false);
    let change = move |event| {
        let text = event_target_value(&event);
        let parsed = text.trim().parse::<u8>().ok().filter(|hops| domain::change::HOP_LIMITS.contains(hops));
        wrong.set(!text.trim().is_empty() && parsed.is_none());
        if !wrong.get_untracked() {
            hop_limit.set(parsed);
        }
    };
    view! {
        <label class="field">
            <span>"Hop limit (optional, 1 to 64; empty leaves it as it is and does not send it)"</span>
            <input
                type="number"
                min="1"
                max="64"
                inputmode="numeric"
                aria-invalid=move || wrong.get().then_some("true")
                on:change=change
            />
        </label>
        <p class="bad-text" role="alert">{move || wrong.get().then_some("A hop limit is a number from 1 to 64.")}</p>
    }
    .into_any()
}

fn plan_view(report: &PlanReport) -> AnyView {
    let Plan { before, after, call, takes_effect, way_back, notes, .. } = &report.plan;
    let rows = fields(before)
        .into_iter()
        .zip(fields(after))
        .map(|((field, before), (_, after))| {
            let changed = before != after;
            let after = if changed {
                view! { <ins>{after}</ins> " " <span class="mut">"changes"</span> }.into_any()
            } else {
                view! { <span class="mut">{after}</span> }.into_any()
            };
            view! { <tr><th scope="row"><code>{field}</code></th><td>{before}</td><td>{after}</td></tr> }
        })
        .collect_view();
    let effect = match takes_effect {
        TakesEffect::Now => "Now, without a restart.",
        TakesEffect::AtNextStart => "When the instance is started again; it is not running.",
    };
    let (back_tone, back_label, why) = match way_back {
        WayBack::Open => (Tone::Ok, "open", "The stored options can be put back."),
        WayBack::Blocked { why } => (Tone::Bad, "blocked", why.as_str()),
        WayBack::Unknown { why } => (Tone::Unknown, "unknown", why.as_str()),
    };
    let notes = notes.iter().map(|note| view! { <li>{note.clone()}</li> }).collect_view();
    view! {
        <h3>"The call"</h3>
        <pre class="call" tabindex="0" role="region" aria-label="The exact call">{call.clone()}</pre>
        <CopyButton text=call.clone() what="call" label="Copy call" />
        {preflight(&report.preflight)}
        <div class="scroll" tabindex="0" role="region" aria-label="Every field before and after">
            <table>
                <thead><tr><th scope="col">"Field"</th><th scope="col">"Before"</th><th scope="col">"After"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
        <dl>
            <dt>"Takes effect"</dt><dd>{effect}</dd>
            <dt>"Way back"</dt><dd><Pill tone=back_tone label=back_label /> " " {why.to_owned()}</dd>
        </dl>
        <ul class="notes">{notes}</ul>
        <p class="mut">
            "The instance is read again right before the call; if it is not as shown here, nothing is sent. In the moment between that read and the call another tool could still change it, so all fields are compared after the call too."
        </p>
    }
    .into_any()
}

fn preflight(preflight: &Preflight) -> AnyView {
    match preflight {
        Preflight::Permitted => view! {
            <Banner tone=Tone::Ok title="AWS would permit the call.">"It was asked with DryRun; nothing was changed."</Banner>
        }
        .into_any(),
        Preflight::Refused { code, message, next_step } => {
            let text = joined(&[message, " ", next_step]);
            view! { <Banner tone=Tone::Bad title=joined(&["AWS would refuse: ", code, "."])>{text}</Banner> }.into_any()
        }
    }
}

#[component]
fn Confirm(attempt: Attempt, intent: Intent, open: RwSignal<bool>) -> AnyView {
    let label = match intent {
        Intent::Enforce => "Enforce IMDSv2",
        Intent::Restore { .. } => "Restore previous options",
    };
    let failure = move || {
        attempt.failure.get().map(|error| {
            let again = matches!(error, ApiError::Conflict { .. })
                .then(|| view! { <Button label="Plan again" on_press=move || attempt.plan_again() /> });
            view! { <Problem error /> {again} }
        })
    };
    view! {
        <label class="field">
            <span>"Reason (required; it is kept in the audit log)"</span>
            <textarea
                rows="2"
                required
                prop:value=move || attempt.reason.get()
                on:input=move |event| attempt.reason.set(event_target_value(&event))
            ></textarea>
        </label>
        {move || failure().into_any()}
        <div class="dialog-acts">
            <span class="mut" role="status">{move || attempt.blocked()}</span>
            <Button label="Cancel" on_press=move || open.set(false) />
            <Button
                label=label
                kind=Kind::Danger
                disabled_reason=Signal::derive(move || attempt.blocked())
                on_press=move || attempt.apply()
            />
        </div>
    }
    .into_any()
}

/// Shows how the change goes on: told by events, and asked for now and then in case one was missed.
fn follow(attempt: Attempt, open: RwSignal<bool>) -> AnyView {
    let live: Live = expect_context();
    let newest = fetched_when(move || {
        let (id, done) = attempt
            .change
            .reading(|change| change.as_ref().map(|change| (change.id, change.status.is_final())))?;
        if done {
            return None;
        }
        live.changes.track();
        live.now.track();
        Some(Box::pin(api::change(id)) as Request<Change>)
    });
    effect(move || {
        if let Some(change) = newest.value.reading(|change| change.cloned())
            && attempt.change.reading_untracked(|known| known.as_ref() != Some(&change))
        {
            attempt.change.set(Some(change));
        }
    });
    let status = move || attempt.change.reading(|change| change.as_ref().map(|change| change.status));
    let said = move || {
        status().map(|status| {
            view! { <p><ChangePill status /> " " {explanation(status)}</p> }
        })
    };
    let details = move || attempt.change.reading(|change| change.as_ref().map(outcome));
    let again = move || {
        (status() == Some(ChangeStatus::PlanOutdated))
            .then(|| view! { <Button label="Plan again" on_press=move || attempt.plan_again() /> })
    };
    view! {
        <div role="status" aria-live="polite">{move || said().into_any()}</div>
        {move || details().into_any()}
        {move || newest.error.get().map(|error| view! { <Problem error /> })}
        <div class="dialog-acts">
            {move || again().into_any()}
            <Button label="Close" kind=Kind::Primary on_press=move || open.set(false) />
        </div>
    }
    .into_any()
}

fn explanation(status: ChangeStatus) -> &'static str {
    match status {
        ChangeStatus::Requested => "The change is stored and will be made.",
        ChangeStatus::Calling => "EC2 is being called.",
        ChangeStatus::Waiting => "EC2 accepted the call; waiting until the options are applied.",
        ChangeStatus::Applied => "The options are applied, and all six fields are as planned.",
        ChangeStatus::AtNextStart => {
            "EC2 accepted the call; the options take effect when the instance is started."
        }
        ChangeStatus::AppliedDifferently => {
            "The options are applied, but a field other than planned is different too."
        }
        ChangeStatus::PlanOutdated => "The instance was no longer as planned; nothing was sent.",
        ChangeStatus::Failed => "Nothing was changed.",
    }
}
