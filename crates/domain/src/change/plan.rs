//! Plans a change: what is sent and when it takes effect, or why it is refused.

use serde::{Deserialize, Serialize};

use super::{HOP_LIMITS, Purpose, Request, WayBack, expected, setting_differences};
use crate::instance::{HttpTokens, Instance, InstanceKey, InstanceState, MetadataOptions, Toggle};
use crate::source::MetadataDefaults;

/// A change that may be made, with all that a person has to see before it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub key: InstanceKey,
    pub purpose: Purpose,
    pub request: Request,
    pub instance_state: InstanceState,
    pub before: MetadataOptions,
    /// What EC2 is expected to hold once the change is applied.
    pub after: MetadataOptions,
    /// The call as it will be made, one parameter a line.
    pub call: String,
    pub takes_effect: TakesEffect,
    pub way_back: WayBack,
    /// Things to know that do not forbid the change.
    pub notes: Vec<String>,
}

/// When a change reaches the instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TakesEffect {
    Now,
    AtNextStart,
}

/// Why no change can be planned.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    #[error("{operator} manages this instance: change its metadata options through that service.")]
    Managed { operator: String },
    #[error("The instance is {state}: there is nothing left to change.", state = .state.as_str())]
    Terminal { state: InstanceState },
    #[error("IMDSv2 is required already.")]
    AlreadyEnforced,
    #[error("The options are as they were before the change already.")]
    AlreadyRestored,
    #[error(
        "EC2 described the instance without its metadata options, so what would be changed is not known."
    )]
    OptionsUnknown,
    #[error("A hop limit of {hop_limit} is outside 1 to 64.")]
    HopLimit { hop_limit: u8 },
    #[error("The change that was to be undone did not record {field}, so it cannot be restored.")]
    NothingStored { field: String },
    #[error("Changes are disabled here: {why}")]
    Disabled { why: String },
    #[error(
        "This account enforces HttpTokensEnforced in the region: EC2 refuses to make tokens optional again. Turn the enforcement off first."
    )]
    WayBackBlocked,
}

/// Plans requiring tokens on `instance`. `defaults` are the account's in that region, where they are known.
pub fn plan_enforce(
    instance: &Instance,
    defaults: Option<&MetadataDefaults>,
    hop_limit: Option<u8>,
) -> Result<Plan, Refusal> {
    let before = changeable(instance)?;
    if let Some(hop_limit) = hop_limit
        && !HOP_LIMITS.contains(&hop_limit)
    {
        return Err(Refusal::HopLimit { hop_limit });
    }
    // A hop limit that is there already is not sent: only what changes is.
    let hop_limit = hop_limit.filter(|hop_limit| before.http_put_response_hop_limit != Some(*hop_limit));
    if before.http_tokens == Some(HttpTokens::Required) && hop_limit.is_none() {
        return Err(Refusal::AlreadyEnforced);
    }
    let request = Request { http_tokens: HttpTokens::Required, http_put_response_hop_limit: hop_limit };
    let mut notes = Vec::new();
    if before.http_endpoint == Some(Toggle::Disabled) {
        notes.push("The metadata endpoint is off and stays off.".into());
    }
    let runs_containers = instance
        .tags
        .iter()
        .any(|tag| tag.key.starts_with("kubernetes.io/cluster/") || &*tag.key == "eks:cluster-name");
    let planned_hops = hop_limit.or(before.http_put_response_hop_limit);
    if runs_containers && planned_hops == Some(1) {
        notes.push(
            "It is a Kubernetes node with hop limit 1: pods that use IMDS through the pod network need 2 to get a token.".into(),
        );
    }
    if let Some(group) = instance.auto_scaling_group() {
        notes.push(format!("Auto Scaling group {group} replaces instances from its launch template, which this does not change."));
    }
    let way_back = WayBack::to(&before, &request, defaults);
    Ok(build(instance, Purpose::Enforce { hop_limit }, request, before, way_back, notes))
}

/// Plans putting back what change `change_id` sent: the fields in `sent`, at the values in `stored`.
pub fn plan_restore(
    instance: &Instance,
    defaults: Option<&MetadataDefaults>,
    change_id: i64,
    sent: &Request,
    stored: &MetadataOptions,
) -> Result<Plan, Refusal> {
    let before = changeable(instance)?;
    let http_tokens = stored.http_tokens.ok_or(Refusal::NothingStored { field: "http_tokens".into() })?;
    let hop_limit = match sent.http_put_response_hop_limit {
        None => None,
        Some(_) => Some(
            stored
                .http_put_response_hop_limit
                .ok_or(Refusal::NothingStored { field: "http_put_response_hop_limit".into() })?,
        ),
    };
    let same_hops = hop_limit.is_none() || before.http_put_response_hop_limit == hop_limit;
    if before.http_tokens == Some(http_tokens) && same_hops {
        return Err(Refusal::AlreadyRestored);
    }
    if http_tokens == HttpTokens::Optional && defaults.is_some_and(MetadataDefaults::tokens_enforced) {
        return Err(Refusal::WayBackBlocked);
    }
    let request = Request { http_tokens, http_put_response_hop_limit: hop_limit };
    let after = expected(&before, &request);
    let notes = setting_differences(stored, &after)
        .into_iter()
        .map(|difference| {
            format!(
                "{} was {} before the change and is {} now; it was not sent by the change, so it is left as it is.",
                difference.field, difference.before, difference.after
            )
        })
        .collect();
    Ok(build(instance, Purpose::Restore { change_id }, request, before, WayBack::Open, notes))
}

/// The options that a change of `instance` starts from, or why there can be none whatever it is for.
pub fn changeable(instance: &Instance) -> Result<MetadataOptions, Refusal> {
    if let Some(operator) = &instance.operator {
        return Err(Refusal::Managed { operator: operator.to_string() });
    }
    if instance.state.is_terminal() {
        return Err(Refusal::Terminal { state: instance.state });
    }
    instance.metadata_options.ok_or(Refusal::OptionsUnknown)
}

fn build(
    instance: &Instance,
    purpose: Purpose,
    request: Request,
    before: MetadataOptions,
    way_back: WayBack,
    notes: Vec<String>,
) -> Plan {
    let takes_effect =
        if instance.state.applies_at_next_start() { TakesEffect::AtNextStart } else { TakesEffect::Now };
    Plan {
        key: instance.key.clone(),
        purpose,
        request,
        instance_state: instance.state,
        before,
        after: expected(&before, &request),
        call: call_text(&instance.key, &request),
        takes_effect,
        way_back,
        notes,
    }
}

/// The API call as text, with only the parameters that are sent.
fn call_text(key: &InstanceKey, request: &Request) -> String {
    let mut call = format!(
        "ec2:ModifyInstanceMetadataOptions\n  InstanceId = {}\n  HttpTokens = {}",
        key.instance_id,
        request.http_tokens.as_str()
    );
    if let Some(hop_limit) = request.http_put_response_hop_limit {
        call.push_str(&format!("\n  HttpPutResponseHopLimit = {hop_limit}"));
    }
    call
}

#[cfg(test)]
mod tests;
