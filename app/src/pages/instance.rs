//! One instance: what it is, what its metadata options are and mean, who changed them, and the way to enforce IMDSv2.

mod change_dialog;
mod changes;
mod evidence;
mod facts;

use domain::wire::InstanceDetail;
use leptos::prelude::*;

use self::change_dialog::{ChangeDialog, Intent};
use crate::api;
use crate::browser;
use crate::fetched::fetched;
use crate::format::joined;
use crate::live::Live;
use crate::paths::{self, Page};
use crate::problem::{part, show};
use crate::reading::Reading;
use crate::session::Session;
use crate::ui::{Banner, Button, CopyButton, Kind, Panel, SourcePill, Time, Tone, VerdictPill, verdict_tone};

/// What the page is about, from its URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    account: String,
    region: String,
    instance_id: String,
}

/// The page of an instance; of any other page, nothing.
pub(crate) fn page(page: Page) -> AnyView {
    let Page::Instance { account, region, instance_id } = page else { return ().into_any() };
    let live: Live = expect_context();
    let session: Session = expect_context();
    browser::set_title(&instance_id);
    let subject = StoredValue::new(Subject { account, region, instance_id });
    let detail = fetched(move || {
        live.fleet.track();
        live.changes.track();
        let Subject { account, region, instance_id } = subject.get_value();
        Box::pin(api::instance_detail(account, region, instance_id))
    });

    let name = move || {
        let named = detail
            .value
            .reading(|detail| detail.as_ref().and_then(|detail| detail.instance.name().map(str::to_owned)));
        named.unwrap_or_else(|| subject.with_value(|subject| subject.instance_id.clone()))
    };
    let intent = RwSignal::new(Intent::Enforce);
    let dialog_open = RwSignal::new(false);
    let open = Callback::new(move |wanted: Intent| {
        intent.set(wanted);
        dialog_open.set(true);
    });
    let detail_failed = move || detail.error.reading(Option::is_some);
    let enforce_disabled = Signal::derive(move || {
        let denied = session.change_denied();
        detail.value.reading(|detail| match detail {
            None if detail_failed() => Some("The instance could not be read.".to_owned()),
            None => Some("The instance is still being read.".to_owned()),
            Some(detail) => detail.enforce_disabled.clone().or(denied),
        })
    });
    let command = Signal::derive(move || {
        subject.with_value(|subject| {
            let Subject { account, region, instance_id } = subject;
            joined(&["tollgate fleet enforce ", instance_id, " --account ", account, " --region ", region])
        })
    });
    view! {
        <div class="head">
            <div class="head-text">
                <a class="link" href=paths::FLEET>"Instances"</a>
                <h1 tabindex="-1">{name}</h1>
                <div class="sub">
                    <code>{move || subject.with_value(|subject| subject.instance_id.clone())}</code>
                    " "
                    <CopyButton
                        text=Signal::derive(move || subject.with_value(|subject| subject.instance_id.clone()))
                        what="instance id"
                    />
                    {move || subject.with_value(|subject| joined(&[" ", &subject.account, " · ", &subject.region]))}
                </div>
            </div>
            <div class="acts">
                <CopyButton text=command what="CLI command" label="Copy CLI command" />
                <Button
                    label="Enforce IMDSv2…"
                    kind=Kind::Primary
                    disabled_reason=enforce_disabled
                    on_press=move || open.run(Intent::Enforce)
                />
            </div>
        </div>
        {move || enforce_disabled.get().filter(|_| detail.value.is_known()).map(|why| {
            view! { <p class="mut">"Enforcing is not offered: " {why}</p> }
        })}
        <ChangeDialog open=dialog_open intent subject />
        {show(detail, 2, banners)}
        // The panels that ask AWS stand outside of what is built anew with each answer, or they would ask again each time.
        <div class="split" hidden=move || !detail.value.is_known() && detail.error.reading(Option::is_some)>
            <div class="column">{part(detail, 10, move |detail| state(detail, open))}</div>
            <div class="column">
                {part(detail, 8, identity)}
                <Panel title="Use of IMDSv1"><evidence::Verify subject /></Panel>
                <Panel title="Where the setting came from"><evidence::Origins subject /></Panel>
                <Panel title="As EC2 describes it"><evidence::Raw subject /></Panel>
            </div>
        </div>
    }
    .into_any()
}

fn banners(detail: &InstanceDetail) -> AnyView {
    let vanished = detail.vanished.map(|at| {
        view! {
            <Banner tone=Tone::Unknown title="No longer listed.">
                "EC2 does not describe this instance any more. It was last seen " <Time at /> "; this is the last copy."
            </Banner>
        }
    });
    let managed = detail.instance.operator.as_ref().map(|operator| {
        let text =
            joined(&[operator, " manages this instance; its options are changed through that service."]);
        view! { <Banner tone=Tone::Quiet title="Managed by a service.">{text}</Banner> }
    });
    let tone = verdict_tone(detail.verdict);
    view! {
        {vanished}
        {managed}
        <div class=joined(&["say ", tone.class()])>
            <span class="say-icon" aria-hidden="true">{tone.icon()}</span>
            <div><b>{detail.sentence.clone()}</b></div>
        </div>
    }
    .into_any()
}

fn state(detail: &InstanceDetail, open: Callback<Intent>) -> AnyView {
    let pill =
        view! { <VerdictPill verdict=detail.verdict managed=detail.instance.is_managed() /> }.into_any();
    let options = facts::options(detail);
    let policy = facts::policy(&detail.policy);
    let changes = changes::changes(detail, open);
    let history = changes::history(&detail.history);
    view! {
        <Panel title="Metadata options" actions=pill>{options}</Panel>
        <Panel title="Policy">{policy}</Panel>
        <Panel title="Changes">{changes}</Panel>
        <Panel title="History">{history}</Panel>
    }
    .into_any()
}

fn identity(detail: &InstanceDetail) -> AnyView {
    let source = &detail.source;
    let read = match source.status.last_success {
        Some(at) => view! { "read " <Time at /> }.into_any(),
        None => "never read".into_any(),
    };
    let freshness =
        view! { <span class="mut"><SourcePill state=source.state /> " " {read}</span> }.into_any();
    let identity = facts::identity(detail);
    view! { <Panel title="Identity" actions=freshness>{identity}</Panel> }.into_any()
}
