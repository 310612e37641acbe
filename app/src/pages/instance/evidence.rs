//! What is asked of AWS only when the page is open: the use of IMDSv1, where the setting came from, and the raw description.

use domain::evidence::Evidence;
use domain::wire::{Origin, UseReport};
use leptos::prelude::*;

use super::Subject;
use crate::api;
use crate::fetched::{Fetched, fetched, fetched_when};
use crate::problem::show;
use crate::ui::{Button, CopyButton, DayBars, Pill, Time, Tone};

/// The days that CloudWatch is asked for.
const DAYS: u32 = 14;

#[component]
pub(crate) fn Verify(subject: StoredValue<Subject>) -> AnyView {
    let report = fetched(move || {
        let Subject { account, region, instance_id } = subject.get_value();
        Box::pin(api::verify_use(account, region, instance_id, DAYS))
    });
    view! {
        <div class="pad">
            {show(report, 4, verify)}
            <Again fetched=report label="Ask CloudWatch again" />
        </div>
    }
    .into_any()
}

fn verify(report: &UseReport) -> AnyView {
    let pill = match &report.evidence {
        Evidence::Used { .. } => view! { <Pill tone=Tone::Bad label="used" /> },
        Evidence::Quiet { .. } => view! { <Pill tone=Tone::Ok label="quiet" /> },
        Evidence::NoData { .. } => view! { <Pill tone=Tone::Unknown label="no data" /> },
    };
    let last_seen = match &report.evidence {
        Evidence::Used { last_seen, .. } => Some(view! { <p>"Last seen " <Time at=*last_seen /> "."</p> }),
        Evidence::Quiet { .. } | Evidence::NoData { .. } => None,
    };
    let bars = (!report.days.is_empty()).then(|| view! { <DayBars days=report.days.clone() /> });
    view! {
        <p>{report.configuration.clone()}</p>
        <p>{pill} " " {report.sentence.clone()}</p>
        {last_seen}
        {bars}
    }
    .into_any()
}

#[component]
pub(crate) fn Origins(subject: StoredValue<Subject>) -> AnyView {
    let origins = fetched(move || {
        let Subject { account, region, instance_id } = subject.get_value();
        Box::pin(api::instance_origins(account, region, instance_id))
    });
    view! { <div class="pad">{show(origins, 3, |origins| list(origins))}</div> }.into_any()
}

fn list(origins: &[Origin]) -> AnyView {
    if origins.is_empty() {
        return view! { <p class="mut">"AWS tells nothing about where the setting came from."</p> }
            .into_any();
    }
    let items = origins
        .iter()
        .map(|origin| view! { <dt>{origin.from.clone()}</dt><dd><code class="break">{origin.name.clone()}</code> " " {origin.text.clone()}</dd> })
        .collect_view();
    view! { <dl>{items}</dl> }.into_any()
}

#[component]
pub(crate) fn Raw(subject: StoredValue<Subject>) -> AnyView {
    let wanted = RwSignal::new(false);
    let raw = fetched_when(move || {
        let Subject { account, region, instance_id } = subject.get_value();
        wanted.get().then(|| -> crate::fetched::Request<String> {
            Box::pin(api::instance_raw(account, region, instance_id))
        })
    });
    let text = Signal::derive(move || raw.value.reading(|text| text.cloned().unwrap_or_default()));
    view! {
        <div class="pad">
            {move || {
                if wanted.get() {
                    view! {
                        {show(raw, 8, |text| {
                            view! {
                                <pre class="call tall" tabindex="0" role="region" aria-label="Instance as JSON">{text.clone()}</pre>
                            }
                                .into_any()
                        })}
                        <div class="acts">
                            <CopyButton text what="raw JSON" />
                            <Again fetched=raw label="Read again" />
                        </div>
                    }
                        .into_any()
                } else {
                    view! {
                        <p class="mut">"Reads this instance from EC2 now."</p>
                        <Button label="Show raw JSON" on_press=move || wanted.set(true) />
                    }
                        .into_any()
                }
            }}
        </div>
    }
    .into_any()
}

#[component]
fn Again<T: Send + Sync + 'static>(fetched: Fetched<T>, label: &'static str) -> AnyView {
    let busy = Signal::derive(move || fetched.loading.get().then(|| "It is being read.".to_owned()));
    view! { <Button label=label disabled_reason=busy on_press=move || fetched.retry() /> }.into_any()
}
