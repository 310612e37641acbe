//! What is known of an instance: identity, all six metadata options, and what the policy says of it.

use domain::change::fields;
use domain::policy::PolicyOutcome;
use domain::wire::InstanceDetail;
use leptos::prelude::*;

use crate::format::joined;
use crate::paths;
use crate::ui::{Pill, PolicyPill, SeverityPill, Time, Tone};

pub(crate) fn options(detail: &InstanceDetail) -> AnyView {
    let Some(options) = &detail.instance.metadata_options else {
        return view! { <p class="pad"><Pill tone=Tone::Unknown label="EC2 described the instance without its metadata options" /></p> }
            .into_any();
    };
    let rows = fields(options)
        .into_iter()
        .map(|(field, value)| view! { <tr><th scope="row"><code>{field}</code></th><td>{value}</td><td class="mut wrap">{meaning(field)}</td></tr> })
        .collect_view();
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label="All metadata options">
            <table>
                <thead><tr><th scope="col">"Option"</th><th scope="col">"Value"</th><th scope="col">"Meaning"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn meaning(field: &str) -> &'static str {
    match field {
        "http_tokens" => "required: only IMDSv2 is answered",
        "http_put_response_hop_limit" => "network hops a token may travel; containers behind a bridge need 2",
        "http_endpoint" => "whether the metadata service answers at all",
        "http_protocol_ipv6" => "whether it answers over IPv6 too",
        "instance_metadata_tags" => "whether tags can be read through it",
        "state" => "whether the options have reached the instance",
        _ => "",
    }
}

pub(crate) fn policy(outcome: &PolicyOutcome) -> AnyView {
    let said =
        |text: String| view! { <p class="pad"><PolicyPill kind=outcome.kind() /> " " {text}</p> }.into_any();
    match outcome {
        PolicyOutcome::Pass => said("No rule is broken.".into()),
        PolicyOutcome::Undefined => {
            said("The policy has no value for this instance. That is not a pass.".into())
        }
        PolicyOutcome::UnsupportedInput { path } => said(joined(&[
            "The policy reads ",
            path,
            ", which is not part of the input. That is not a pass.",
        ])),
        PolicyOutcome::Error { message } => said(joined(&["The evaluation failed: ", message])),
        PolicyOutcome::Unreachable { message } => {
            said(joined(&["The policy server did not answer: ", message]))
        }
        PolicyOutcome::NotEvaluated => said("Not evaluated yet.".into()),
        PolicyOutcome::Fail { violations } => violations
            .iter()
            .map(|violation| {
                let href = paths::fleet(&joined(&["rule:", &violation.rule]));
                let remediation = (!violation.remediation.is_empty())
                    .then(|| view! { <p><b>"What to do: "</b>{violation.remediation.clone()}</p> });
                view! {
                    <div class="rule">
                        <div class="rule-head">
                            <SeverityPill severity=violation.severity />
                            <a class="link" href=href><code>{violation.rule.clone()}</code></a>
                        </div>
                        <p>{violation.message.clone()}</p>
                        {remediation}
                    </div>
                }
            })
            .collect_view()
            .into_any(),
    }
}

pub(crate) fn identity(detail: &InstanceDetail) -> AnyView {
    let instance = &detail.instance;
    let source = &instance.key.source;
    let launched = match instance.launch_time {
        Some(at) => view! { <Time at /> }.into_any(),
        None => "–".into_any(),
    };
    let template = instance.launch_template().map(|(id, version)| match version {
        Some(version) => joined(&[id, ", version ", version]),
        None => id.to_owned(),
    });
    let text = |name: &'static str, value: Option<&str>| {
        view! { <dt>{name}</dt><dd class="break">{value.unwrap_or("–").to_owned()}</dd> }
    };
    let tags = instance
        .tags
        .iter()
        .map(|tag| view! { <li class="tag"><span class="mut">{tag.key.to_string()}</span> " " {tag.value.to_string()}</li> })
        .collect_view();
    view! {
        <dl class="pad">
            <dt>"Account"</dt><dd>{detail.alias.clone()} " " <span class="mono mut">{source.account.to_string()}</span></dd>
            {text("Region", Some(&source.region))}
            {text("Zone", instance.availability_zone.as_deref())}
            {text("State", Some(instance.state.as_str()))}
            {text("Type", Some(&instance.instance_type))}
            <dt>"Launched"</dt><dd>{launched}</dd>
            {text("Image", instance.image_id.as_deref())}
            {text("VPC", instance.vpc_id.as_deref())}
            {text("Instance profile", instance.iam_instance_profile.as_deref())}
            {text("Auto Scaling group", instance.auto_scaling_group())}
            {text("Launch template", template.as_deref())}
            {text("Managed by", instance.operator.as_deref())}
        </dl>
        {(!instance.tags.is_empty()).then(|| view! { <ul class="tags pad" aria-label="Tags">{tags}</ul> })}
    }
    .into_any()
}
