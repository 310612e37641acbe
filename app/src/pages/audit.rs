//! The audit log: who did what to which instance, why, and what came of it. The filter lives in the URL.

use domain::audit::{AuditAction, AuditEntry};
use leptos::prelude::*;

use crate::api::{self, ApiError};
use crate::browser;
use crate::fetched::fetched;
use crate::format;
use crate::format::joined;
use crate::live::Live;
use crate::paths::{self, AuditFilter, Export};
use crate::problem::{Problem, show};
use crate::reading::{Reading, effect};
use crate::router::{Router, Trace};
use crate::session::Session;
use crate::ui::{Button, Empty, Heading, Pill, Time, Tone, select_field};

/// Entries that one request asks for.
const PAGE: u32 = 100;

#[component]
pub(crate) fn Audit() -> AnyView {
    browser::set_title("Audit");
    let live: Live = expect_context();
    let router: Router = expect_context();
    let session: Session = expect_context();
    let filter = Memo::new(move |_| AuditFilter {
        text: router.query("text"),
        action: router.query("action"),
        account: router.query("account"),
        instance_id: router.query("id"),
    });
    let newest = fetched(move || {
        live.changes.track();
        Box::pin(page(filter.get(), 0))
    });
    let older = RwSignal::new(Vec::<AuditEntry>::new());
    let older_error = RwSignal::new(None::<ApiError>);
    let at_end = RwSignal::new(false);
    effect(move || {
        filter.track();
        older.set(Vec::new());
        older_error.set(None);
        at_end.set(false);
    });
    let more = move || {
        let last = |entries: &[AuditEntry]| entries.last().map(|entry| entry.seq);
        let before = older.reading_untracked(|entries| last(entries)).or_else(|| {
            newest.value.reading_untracked(|entries| last(entries.map_or(&[][..], Vec::as_slice)))
        });
        let asked = filter.get_untracked();
        leptos::task::spawn_local(async move {
            let answer = page(asked.clone(), before.unwrap_or(0)).await;
            live.note(answer.as_ref().err());
            session.ask();
            // The filter may be another by now, and the page gone.
            if filter.try_get_untracked().as_ref() != Some(&asked) {
                return;
            }
            match answer {
                Ok(entries) => {
                    older_error.set(None);
                    at_end.set((entries.len() as u32) < PAGE);
                    older.update(|known| known.extend(entries));
                }
                Err(error) => older_error.set(Some(error)),
            }
        });
    };
    let has_more = move || {
        !at_end.get()
            && newest
                .value
                .reading(|entries| entries.as_ref().is_some_and(|entries| entries.len() as u32 == PAGE))
    };
    let list = move || older.reading(|entries| entries.iter().map(entry_view).collect_view());
    view! {
        <Heading title="Audit">"Changes, rollbacks, sign-ins and refusals, newest first."</Heading>
        <Filter filter />
        {show(newest, 8, move |entries| first_page(entries, filter))}
        <div class="audit">{move || list().into_any()}</div>
        {move || older_error.get().map(|error| view! { <Problem error /> })}
        {move || has_more().then(|| view! { <div><Button label="Load older entries" on_press=more /></div> })}
    }
    .into_any()
}

async fn page(filter: AuditFilter, before: i64) -> Result<Vec<AuditEntry>, ApiError> {
    let AuditFilter { text, action, account, instance_id } = filter;
    api::list_audit(text, action, account, instance_id, before, PAGE).await
}

#[component]
fn Filter(filter: Memo<AuditFilter>) -> AnyView {
    let router: Router = expect_context();
    let change = StoredValue::new_local(move |edit: &dyn Fn(&mut AuditFilter)| {
        let mut next = filter.get_untracked();
        edit(&mut next);
        router.go_to(&paths::audit(&next), Trace::Replaced);
    });
    let text_field = move |label: &'static str,
                           value: fn(&AuditFilter) -> &String,
                           set: fn(&mut AuditFilter, String)| {
        let input = move |event| {
            let typed = event_target_value(&event);
            change.with_value(|change| change(&|filter| set(filter, typed.clone())));
        };
        view! {
            <label class="field">
                <span>{label}</span>
                <input type="search" prop:value=move || filter.reading(|filter| value(filter).clone()) on:change=input />
            </label>
        }
    };
    let mut actions = vec![("", "Any")];
    actions.extend(AuditAction::ALL.map(|action| (action.as_str(), action.label())));
    let chosen = Signal::derive(move || filter.reading(|filter| filter.action.clone()));
    let choose = move |action: String| {
        change.with_value(|change| change(&|filter| filter.action = action.clone()));
    };
    let export = move |export: Export, label: &'static str| {
        view! { <a class="btn" download="" href=move || filter.reading(|filter| paths::audit_export(export, filter))>{label}</a> }
    };
    view! {
        <form class="filters" role="search" aria-label="Audit log" on:submit=|event| event.prevent_default()>
            {text_field("Text", |filter| &filter.text, |filter, text| filter.text = text)}
            {select_field("Action", &actions, chosen, Box::new(choose))}
            {text_field("Account", |filter| &filter.account, |filter, account| filter.account = account)}
            {text_field("Instance", |filter| &filter.instance_id, |filter, id| filter.instance_id = id)}
            <span class="push">
                {export(Export::Csv, "Export CSV")}
                {export(Export::Json, "Export JSON")}
            </span>
        </form>
    }
    .into_any()
}

fn first_page(entries: &[AuditEntry], filter: Memo<AuditFilter>) -> AnyView {
    if !entries.is_empty() {
        return view! { <div class="audit">{entries.iter().map(entry_view).collect_view()}</div> }.into_any();
    }
    let narrowed = filter.reading_untracked(|filter| *filter != AuditFilter::default());
    let empty = if narrowed {
        view! {
            <Empty title="No entry matches" text="Nothing in the log matches the filter.">
                <a class="btn" href=paths::AUDIT>"Clear the filter"</a>
            </Empty>
        }
    } else {
        view! { <Empty title="Nothing yet" text="Changes of instances, rollbacks, sign-ins and what was refused are written here." /> }
    };
    view! { <section class="panel">{empty}</section> }.into_any()
}

fn entry_view(entry: &AuditEntry) -> AnyView {
    let record = &entry.entry;
    let tone = match record.action {
        AuditAction::EnforceRequested
        | AuditAction::RestoreRequested
        | AuditAction::RollbackRequested
        | AuditAction::OperationRequested
        | AuditAction::MergeRequested
        | AuditAction::OperationMerged
        | AuditAction::RoleChanged => Tone::Info,
        AuditAction::ChangeApplied
        | AuditAction::RolledBack
        | AuditAction::OperationApproved
        | AuditAction::OperationEffective => Tone::Ok,
        AuditAction::ChangeFailed | AuditAction::RollbackFailed | AuditAction::OperationFailed => Tone::Bad,
        AuditAction::ChangeRefused | AuditAction::SignInFailed | AuditAction::Denied => Tone::Warn,
        AuditAction::SignIn
        | AuditAction::SignOut
        | AuditAction::SessionRevoked
        | AuditAction::TokenMade
        | AuditAction::TokenRevoked
        | AuditAction::DeviceApproved
        | AuditAction::DeviceRefused
        | AuditAction::OperationClosed => Tone::Quiet,
    };
    // What concerns no instance, such as a sign-in, names none; a refusal may name an account and a region alone.
    let instance = (!record.instance_id.is_empty()).then(|| {
        let href = paths::instance(&record.account, &record.region, &record.instance_id);
        view! { <a class="mono link" href=href>{record.instance_id.clone()}</a> }
    });
    let source = (!record.account.is_empty())
        .then(|| view! { <span class="mut">{record.account.clone()} " · " {record.region.clone()}</span> });
    let actor = if record.actor.is_empty() { "somebody unknown".into() } else { record.actor.clone() };
    let address = (!record.address.is_empty()).then(|| joined(&[" from ", &record.address]));
    let differences = record
        .differences
        .iter()
        .map(|difference| {
            view! {
                <li class="mono">
                    {difference.field.clone()} ": " <del>{difference.before.clone()}</del> " → " <ins>{difference.after.clone()}</ins>
                </li>
            }
        })
        .collect_view();
    let fact = |name: &'static str, value: Option<String>| {
        value
            .filter(|value| !value.is_empty())
            .map(|value| view! { <dt>{name}</dt><dd class="break">{value}</dd> })
    };
    view! {
        <article class="panel entry">
            <div class="entry-head">
                <Pill tone label=record.action.label() />
                {instance}
                {source}
                <span class="push mut">{actor} {address} ", " <Time at=record.at /></span>
            </div>
            {(!record.reason.is_empty()).then(|| view! { <p class="quote">{record.reason.clone()}</p> })}
            {(!record.differences.is_empty()).then(|| view! { <ul class="diffs">{differences}</ul> })}
            {(!record.detail.is_empty()).then(|| view! { <p>{record.detail.clone()}</p> })}
            <details>
                <summary>"Details"</summary>
                <dl>
                    {fact("At", Some(format::absolute(record.at)))}
                    {fact("Entry", Some(entry.seq.to_string()))}
                    {fact("Change", record.change_id.map(|id| id.to_string()))}
                    {fact("AWS request", record.aws_request_id.clone())}
                    {fact("Policy revision", Some(record.policy_revision.clone()))}
                </dl>
            </details>
        </article>
    }
    .into_any()
}
