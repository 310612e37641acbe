//! The personal access tokens: what the programs that act for somebody hold, each to be revoked; and the dialog that makes one.

use domain::access::{Access, Grant, Permission, Role, Scope};
use domain::wire::TokenRow;
use leptos::prelude::*;

use crate::api;
use crate::browser;
use crate::deed::Deed;
use crate::fetched::{Fetched, Request, fetched_when};
use crate::format::joined;
use crate::problem::show;
use crate::reading::Reading;
use crate::session::Session;
use crate::ui::{
    Button, Clock, CopyButton, Dialog, Empty, Heading, Kind, Pill, Skeleton, Time, Tone, select_field,
    small_button, table,
};

/// How long a token may be made to live, in days.
const LIFETIMES: [(&str, &str); 6] = [
    ("1", "1 day"),
    ("7", "7 days"),
    ("30", "30 days"),
    (USUAL_LIFETIME, "90 days"),
    ("180", "180 days"),
    ("366", "366 days"),
];
const USUAL_LIFETIME: &str = "90";

/// The token that is to be revoked.
#[derive(Clone, Copy)]
struct Revoked {
    open: RwSignal<bool>,
    id: StoredValue<String>,
    name: StoredValue<String>,
}

#[component]
pub(crate) fn Tokens() -> AnyView {
    browser::set_title("Tokens");
    let session: Session = expect_context();
    // Apart from what else is known of the session: a change of that must not build a dialog anew in which somebody types.
    let signed_in = Memo::new(move |_| session.signed_in() == Some(true));
    let local = Memo::new(move |_| session.signed_in() == Some(false));
    let rows =
        fetched_when(move || signed_in.get().then(|| Box::pin(api::list_tokens()) as Request<Vec<TokenRow>>));
    let content = move || {
        if signed_in.get() {
            return own(rows);
        }
        if !local.get() {
            return view! { <Skeleton lines=4 /> }.into_any();
        }
        let text = "Nobody signs in here: whoever reaches this server is its local operator, programs too.";
        view! { <section class="panel"><Empty title="No tokens are needed" text /></section> }.into_any()
    };
    view! {
        <Heading title="Tokens">
            "Programs that act for you hold a personal access token. Each does at most what you may do."
        </Heading>
        {move || content()}
    }
    .into_any()
}

fn own(rows: Fetched<Vec<TokenRow>>) -> AnyView {
    let session: Session = expect_context();
    let making = RwSignal::new(false);
    let revoked = Revoked {
        open: RwSignal::new(false),
        id: StoredValue::new(String::new()),
        name: StoredValue::new(String::new()),
    };
    let deed = Deed::new();
    let disabled_reason = Signal::derive(move || {
        (!session.may(Permission::View))
            .then(|| "You have no role in this installation: a token could do nothing.".to_owned())
    });
    let title = Signal::derive(move || revoked.name.with_value(|name| joined(&["Revoke ", name])));
    let confirm = move || {
        let revoke = move || {
            revoked.open.set(false);
            // It may be gone already: the list is read anew in any case.
            let request = Box::pin(api::revoke_token(revoked.id.get_value()));
            deed.run(request, "The token is revoked.", Box::new(move || rows.try_retry()));
        };
        view! {
            <p>"Programs that hold it are refused from then on. It cannot be brought back."</p>
            <div class="dialog-acts">
                <Button label="Cancel" on_press=move || revoked.open.set(false) />
                <Button label="Revoke" kind=Kind::Danger on_press=revoke />
            </div>
        }
        .into_any()
    };
    view! {
        <div>
            <Button label="New token…" kind=Kind::Primary disabled_reason on_press=move || making.set(true) />
        </div>
        {deed.problem()}
        {show(rows, 4, move |rows| list(rows, revoked))}
        <Dialog open=making id="token-title" title="New token" content=move || form(making, rows) />
        <Dialog open=revoked.open id="revoke-title" title content=confirm />
    }
    .into_any()
}

fn list(rows: &[TokenRow], revoked: Revoked) -> AnyView {
    if rows.is_empty() {
        let text = "A token is made for each program, so that one can be revoked without the others.";
        return view! { <section class="panel"><Empty title="No tokens" text /></section> }.into_any();
    }
    let names = vec!["Name", "May do", "Made", "Last used", "Expires", "Action"];
    table("Table of tokens", names, rows.iter().map(|row| cells(row, revoked)).collect())
}

/// What stands below the headings.
fn cells(row: &TokenRow, revoked: Revoked) -> Vec<AnyView> {
    let Clock(now) = expect_context();
    let (id, name, expires_at) = (row.id.clone(), row.name.clone(), row.expires_at);
    let label = joined(&["Revoke: ", &row.name]);
    let press = move || {
        revoked.id.set_value(id.clone());
        revoked.name.set_value(name.clone());
        revoked.open.set(true);
    };
    let limits = if row.limits.is_empty() { "everything you may do".into() } else { row.limits.join("; ") };
    let used = match row.last_used_at {
        Some(at) => view! { <Time at /> }.into_any(),
        None => "never".into_any(),
    };
    let expired = move || {
        (expires_at <= now.get()).then(|| view! { " " <Pill tone=Tone::Warn label="expired" /> }.into_any())
    };
    vec![
        view! { <div class="wrap">{row.name.clone()}</div> }.into_any(),
        view! { <div class="wrap">{limits}</div> }.into_any(),
        view! { <Time at=row.created_at /> }.into_any(),
        used,
        view! { <Time at=expires_at /> {move || expired()} }.into_any(),
        small_button("Revoke", label, Box::new(press)),
    ]
}

/// What is filled in for a new token.
#[derive(Clone, Copy)]
struct Form {
    name: RwSignal<String>,
    days: RwSignal<String>,
    /// The role that it is limited to; empty for all that its owner may do.
    role: RwSignal<String>,
    accounts: RwSignal<String>,
    regions: RwSignal<String>,
    /// The secret, once there is one. It goes with the dialog.
    secret: RwSignal<String>,
    deed: Deed,
    rows: Fetched<Vec<TokenRow>>,
}

impl Form {
    fn make(self) {
        if untrack(|| self.blocked()).is_some() {
            return;
        }
        let name = self.name.get_untracked();
        let days = self.days.get_untracked().parse().unwrap_or_default();
        let access = self.access();
        let request = Box::pin(async move {
            let made = api::make_token(name, days, access).await?;
            self.secret.try_set(made.secret);
            Ok(())
        });
        self.deed.run(request, "The token is made.", Box::new(move || self.rows.try_retry()));
    }

    fn access(self) -> Option<Access> {
        let role = Role::parse(&self.role.get_untracked())?;
        let scope = Scope {
            accounts: patterns(&self.accounts.get_untracked()),
            regions: patterns(&self.regions.get_untracked()),
            ..Scope::default()
        };
        Some(Access { grants: vec![Grant { role, scope }] })
    }

    /// Why the token cannot be made now.
    fn blocked(self) -> Option<String> {
        let text = match self.name.reading(|name| name.trim().is_empty()) {
            _ if self.deed.under_way.get() => "The token is being made.",
            true => "A name is required.",
            false => return None,
        };
        Some(text.into())
    }
}

/// The body of the dialog; made when it opens.
fn form(open: RwSignal<bool>, rows: Fetched<Vec<TokenRow>>) -> AnyView {
    let empty = || RwSignal::new(String::new());
    let form = Form {
        name: empty(),
        days: RwSignal::new(USUAL_LIFETIME.to_owned()),
        role: empty(),
        accounts: empty(),
        regions: empty(),
        secret: empty(),
        deed: Deed::new(),
        rows,
    };
    // What was confirmed goes on once somebody is signed in again.
    form.deed.again_on_return(Box::new(move || form.make()));
    let made = Memo::new(move |_| form.secret.reading(|secret| !secret.is_empty()));
    view! { {move || if made.get() { shown_once(form, open) } else { fields(form, open) }} }.into_any()
}

fn fields(form: Form, open: RwSignal<bool>) -> AnyView {
    let session: Session = expect_context();
    let mut may_do = vec![("", "Everything I may do")];
    for role in Role::ALL {
        // A role beyond one's own would give the token nothing.
        let beyond = |permission| role.permits(permission) && !untrack(|| session.may(permission));
        if !Permission::ALL.into_iter().any(beyond) {
            may_do.push((role.as_str(), limit(role)));
        }
    }
    let scope = move || {
        form.role.reading(|role| !role.is_empty()).then(|| {
            view! {
                {text_field(form, form.accounts, "Accounts, by id or alias (optional; several with commas; prod-* for all that begin so)")}
                {text_field(form, form.regions, "Regions (optional; as above)")}
            }
            .into_any()
        })
    };
    let choice = |value: RwSignal<String>, label, choices: &[_]| {
        select_field(label, choices, value.into(), Box::new(move |chosen| value.set(chosen)))
    };
    view! {
        {text_field(form, form.name, "Name (by which you know it again)")}
        {choice(form.days, "Expires after", &LIFETIMES)}
        {choice(form.role, "May do", &may_do)}
        {move || scope()}
        {form.deed.problem()}
        <div class="dialog-acts">
            <span class="mut" role="status">{move || form.blocked()}</span>
            <Button label="Cancel" on_press=move || open.set(false) />
            <Button
                label="Make token"
                kind=Kind::Primary
                disabled_reason=Signal::derive(move || form.blocked())
                on_press=move || form.make()
            />
        </div>
    }
    .into_any()
}

/// A token that is limited to a role, in words.
fn limit(role: Role) -> &'static str {
    match role {
        Role::Viewer => "Only what a viewer may do",
        Role::Operator => "Only what an operator may do",
        Role::Releaser => "Only what a releaser may do",
        Role::Approver => "Only what an approver may do",
        Role::Reporter => "Only what a reporter may do",
        Role::Administrator => "Only what an administrator may do",
    }
}

fn text_field(form: Form, text: RwSignal<String>, label: &'static str) -> AnyView {
    let press = move |event: web_sys::KeyboardEvent| {
        if event.key() == "Enter" {
            form.make();
        }
    };
    view! {
        <label class="field">
            <span>{label}</span>
            <input
                on:input=move |event| text.set(event_target_value(&event))
                on:keydown=press
            />
        </label>
    }
    .into_any()
}

fn shown_once(form: Form, open: RwSignal<bool>) -> AnyView {
    let secret = form.secret.get_untracked();
    view! {
        <p>
            "Copy the token now: it cannot be shown again. The server keeps only its hash."
        </p>
        <pre class="call break" tabindex="0" role="region" aria-label="The token">{secret.clone()}</pre>
        <CopyButton text=secret what="token" />
        <p class="mut">
            "Send it as " <code>"Authorization: Bearer …"</code> ", or set " <code>"TOLLGATE_TOKEN"</code>
            " to it for the command line."
        </p>
        <div class="dialog-acts">
            <Button label="Done" kind=Kind::Primary on_press=move || open.set(false) />
        </div>
    }
    .into_any()
}

/// The names in a text, between commas and spaces.
fn patterns(text: &str) -> Vec<String> {
    text.split([',', ' ']).filter(|pattern| !pattern.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stand_between_commas_and_spaces() {
        assert_eq!(patterns("prod, staging-*  ,111111111111"), ["prod", "staging-*", "111111111111"]);
        for none in ["", " ", ", ,"] {
            assert!(patterns(none).is_empty(), "{none:?}");
        }
    }
}
