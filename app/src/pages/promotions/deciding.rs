//! What is decided about an operation: to approve it, to have it merged, to close it; each with what it would do in sight.

use domain::wire::gitops::OperationView;
use leptos::prelude::*;

use super::{preview, words};
use crate::api;
use crate::deed::Deed;
use crate::fetched::Request;
use crate::format::joined;
use crate::reading::Reading;
use crate::ui::{Button, Dialog, Kind, refusable_button};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Approve,
    Merge,
    Close,
}

impl Decision {
    const ALL: [Decision; 3] = [Decision::Approve, Decision::Merge, Decision::Close];

    fn label(self) -> &'static str {
        match self {
            Decision::Approve => "Approve",
            Decision::Merge => "Merge",
            Decision::Close => "Close",
        }
    }

    /// What the dialog's own button says: a dialog is closed too.
    fn act(self) -> &'static str {
        match self {
            Decision::Approve => "Approve",
            Decision::Merge => "Merge",
            Decision::Close => "Close the request",
        }
    }

    fn refusal(self, view: &OperationView) -> Option<String> {
        match self {
            Decision::Approve => view.approve_disabled.clone(),
            Decision::Merge => view.merge_disabled.clone(),
            Decision::Close => view.close_disabled.clone(),
        }
    }

    fn about(self) -> &'static str {
        match self {
            Decision::Approve => {
                "You agree with exactly what is shown here. Where it becomes another, it has to be approved anew."
            }
            Decision::Merge => {
                "It is merged as soon as it can be, as long as it does exactly what is shown here."
            }
            Decision::Close => "Nothing of it is merged, and it cannot be opened again.",
        }
    }

    fn done(self) -> &'static str {
        match self {
            Decision::Approve => "Approved.",
            Decision::Merge => "It is merged as soon as it can be.",
            Decision::Close => "It is being closed.",
        }
    }

    /// What is said of the field for a reason; `None` where none is asked for.
    fn reason(self) -> Option<&'static str> {
        match self {
            Decision::Approve => Some("What you looked at (optional; kept in the audit log)"),
            Decision::Merge => None,
            Decision::Close => Some("Reason (required; kept in the audit log)"),
        }
    }
}

/// The decision that a dialog is open for.
#[derive(Clone, Copy)]
pub(super) struct Deciding {
    open: RwSignal<bool>,
    subject: StoredValue<Option<(Decision, OperationView)>>,
    /// Counts the decisions, so that what is shown of operations is looked at again.
    pub(super) decided: RwSignal<u32>,
}

impl Deciding {
    pub(super) fn new() -> Deciding {
        Deciding { open: RwSignal::new(false), subject: StoredValue::new(None), decided: RwSignal::new(0) }
    }

    fn open(self, decision: Decision, view: OperationView) {
        self.subject.set_value(Some((decision, view)));
        self.open.set(true);
    }
}

/// A button for each decision, with why it cannot be made.
pub(super) fn buttons(view: &OperationView, deciding: Deciding) -> AnyView {
    let title = title(view);
    let buttons = Decision::ALL.map(|decision| {
        let label = joined(&[decision.label(), ": ", &title]);
        let seen = view.clone();
        let press = move || deciding.open(decision, seen.clone());
        refusable_button(decision.label(), label, decision.refusal(view), Box::new(press))
    });
    view! { <div class="acts">{buttons.into_iter().collect_view()}</div> }.into_any()
}

pub(super) fn title(view: &OperationView) -> String {
    domain::gitops::title(&view.operation.ask, &view.operation.plan)
}

#[component]
pub(super) fn DecidingDialog(deciding: Deciding) -> AnyView {
    let title = Signal::derive(move || {
        deciding.open.track();
        let title = deciding.subject.with_value(|subject| {
            subject.as_ref().map(|(decision, view)| joined(&[decision.label(), ": ", &title(view)]))
        });
        title.unwrap_or_default()
    });
    view! { <Dialog open=deciding.open id="deciding-title" title content=move || form(deciding) /> }
        .into_any()
}

/// The body of the dialog; made when it opens.
fn form(deciding: Deciding) -> AnyView {
    let Some((decision, view)) = deciding.subject.get_value() else { return ().into_any() };
    let operation = view.operation;
    let reason = RwSignal::new(String::new());
    let deed = Deed::new();
    let blocked = Signal::derive(move || {
        let text = match decision {
            _ if deed.under_way.get() => "It is being sent.",
            Decision::Close if reason.reading(|reason| reason.trim().is_empty()) => "A reason is required.",
            Decision::Approve | Decision::Merge | Decision::Close => return None,
        };
        Some(text.to_owned())
    });
    let (id, fingerprint) = (operation.id.to_string(), operation.plan.fingerprint.clone());
    let decide = move || {
        if blocked.get_untracked().is_some() {
            return;
        }
        let (id, fingerprint) = (id.clone(), fingerprint.clone());
        let reason = reason.get_untracked().trim().to_owned();
        let request: Request<()> = Box::pin(async move {
            match decision {
                Decision::Approve => api::approve_operation(id, fingerprint, reason).await,
                Decision::Merge => api::merge_operation(id, fingerprint).await,
                Decision::Close => api::close_operation(id, reason).await,
            }?;
            deciding.open.try_set(false);
            Ok(())
        });
        let after = move || {
            deciding.decided.try_update(|decided| *decided += 1);
        };
        deed.run(request, decision.done(), Box::new(after));
    };
    deed.again_on_return(Box::new(decide.clone()));
    let field = decision.reason().map(|label| {
        view! {
            <label class="field">
                <span>{label}</span>
                <textarea
                    rows="2"
                    prop:value=move || reason.get()
                    on:input=move |event| reason.set(event_target_value(&event))
                ></textarea>
            </label>
        }
    });
    let kind = if decision == Decision::Close { Kind::Danger } else { Kind::Primary };
    let by = joined(&["Asked for by ", &operation.by.name, ": "]);
    let plan = joined(&["Plan ", &words::short(&operation.plan.fingerprint), "."]);
    view! {
        <p>{decision.about()}</p>
        <p class="quote">{by} {operation.reason.clone()}</p>
        {preview::plan(&operation.plan)}
        <p class="mut">{plan}</p>
        {field}
        {deed.problem()}
        <div class="dialog-acts">
            <span class="mut" role="status">{move || blocked.get()}</span>
            <Button label="Cancel" on_press=move || deciding.open.set(false) />
            <Button label=decision.act() kind disabled_reason=blocked on_press=decide />
        </div>
    }
    .into_any()
}
