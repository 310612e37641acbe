//! A change of metadata options: what is planned, the exact call, what can block it, and how it went.

use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::instance::{
    HttpTokens, Instance, InstanceKey, InstanceState, MetadataOptions, OptionsState, Toggle,
};
use crate::source::MetadataDefaults;

/// The hop limits that EC2 accepts (`HttpPutResponseHopLimit`, EC2 API reference).
pub const HOP_LIMITS: std::ops::RangeInclusive<u8> = 1..=64;

/// What a change is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Require tokens; the hop limit only when it is asked for.
    Enforce { hop_limit: Option<u8> },
    /// Put the fields that an earlier change sent back to their stored values.
    Restore { change_id: i64 },
}

/// The fields that ModifyInstanceMetadataOptions is sent. There is no field for the endpoint: a change of tokens must
/// never turn the metadata service on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Request {
    /// Always sent: EC2 does not promise to keep an omitted value.
    pub http_tokens: HttpTokens,
    pub http_put_response_hop_limit: Option<u8>,
}

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

/// Whether the stored options could be put back after the change.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WayBack {
    Open,
    Blocked { why: String },
    Unknown { why: String },
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
    let way_back = way_back(&before, &request, defaults);
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
    let notes = differences(stored, &after)
        .into_iter()
        .filter(|difference| difference.field != "state")
        .map(|difference| {
            format!(
                "{} was {} before the change and is {} now; it was not sent by the change, so it is left as it is.",
                difference.field, difference.before, difference.after
            )
        })
        .collect();
    Ok(build(instance, Purpose::Restore { change_id }, request, before, WayBack::Open, notes))
}

fn changeable(instance: &Instance) -> Result<MetadataOptions, Refusal> {
    if let Some(operator) = &instance.operator {
        return Err(Refusal::Managed { operator: operator.to_string() });
    }
    if instance.state.is_terminal() {
        return Err(Refusal::Terminal { state: instance.state });
    }
    instance.metadata_options.ok_or(Refusal::OptionsUnknown)
}

fn way_back(before: &MetadataOptions, request: &Request, defaults: Option<&MetadataDefaults>) -> WayBack {
    let stored = [
        ("http_tokens", before.http_tokens.is_some()),
        (
            "http_put_response_hop_limit",
            request.http_put_response_hop_limit.is_none() || before.http_put_response_hop_limit.is_some(),
        ),
    ];
    if let Some((field, _)) = stored.iter().find(|(_, known)| !known) {
        return WayBack::Blocked {
            why: format!("EC2 did not say what {field} is now, so there is no value to put back."),
        };
    }
    if before.http_tokens != Some(HttpTokens::Optional) {
        return WayBack::Open;
    }
    match defaults {
        Some(defaults) if defaults.tokens_enforced() => WayBack::Blocked {
            why: "The account enforces HttpTokensEnforced in this region: EC2 answers UnsupportedOperation to http_tokens = optional."
                .into(),
        },
        Some(defaults) if defaults.managed_by.as_deref() == Some("declarative-policy") => WayBack::Unknown {
            why: "A declarative policy manages the account's metadata defaults and may refuse http_tokens = optional.".into(),
        },
        Some(_) => WayBack::Open,
        None => WayBack::Unknown { why: "The account's metadata defaults could not be read.".into() },
    }
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

/// What EC2 holds once `request` is applied on top of `before`: omitted fields keep their value.
pub fn expected(before: &MetadataOptions, request: &Request) -> MetadataOptions {
    MetadataOptions {
        state: Some(OptionsState::Applied),
        http_tokens: Some(request.http_tokens),
        http_put_response_hop_limit: request
            .http_put_response_hop_limit
            .or(before.http_put_response_hop_limit),
        ..*before
    }
}

/// The API call as text, with only the parameters that are sent.
pub fn call_text(key: &InstanceKey, request: &Request) -> String {
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

/// One field that differs between two sets of options, as text; an absent value is `not set`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Difference {
    pub field: String,
    pub before: String,
    pub after: String,
}

/// All six fields by their API name and value, in the order they are shown.
pub fn fields(options: &MetadataOptions) -> [(&'static str, String); 6] {
    fn text(value: Option<&str>) -> String {
        value.unwrap_or("not set").to_owned()
    }
    [
        ("http_tokens", text(options.http_tokens.map(HttpTokens::as_str))),
        (
            "http_put_response_hop_limit",
            options.http_put_response_hop_limit.map_or_else(|| text(None), |hops| hops.to_string()),
        ),
        ("http_endpoint", text(options.http_endpoint.map(Toggle::as_str))),
        ("http_protocol_ipv6", text(options.http_protocol_ipv6.map(Toggle::as_str))),
        ("instance_metadata_tags", text(options.instance_metadata_tags.map(Toggle::as_str))),
        ("state", text(options.state.map(OptionsState::as_str))),
    ]
}

/// The fields that differ.
pub fn differences(before: &MetadataOptions, after: &MetadataOptions) -> Vec<Difference> {
    fields(before)
        .into_iter()
        .zip(fields(after))
        .filter(|(before, after)| before.1 != after.1)
        .map(|(before, after)| Difference { field: before.0.into(), before: before.1, after: after.1 })
        .collect()
}

/// How far a change has come. Long work is a row with a state, so that another process can take it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeStatus {
    /// Accepted and stored; the call has not been made.
    Requested,
    /// The call is being made; if the process dies here the outcome is looked up before anything is sent again.
    Calling,
    /// EC2 accepted the call; waiting for `applied`.
    Waiting,
    /// In effect, and all six fields are as planned.
    Applied,
    /// Accepted on a stopped instance; takes effect when it is started.
    AtNextStart,
    /// In effect, but a field other than planned changed too.
    AppliedDifferently,
    /// The instance was no longer as planned; nothing was sent.
    PlanOutdated,
    /// EC2 refused, or the instance is gone; nothing was changed.
    Failed,
}

impl ChangeStatus {
    pub const ALL: [ChangeStatus; 8] = [
        ChangeStatus::Requested,
        ChangeStatus::Calling,
        ChangeStatus::Waiting,
        ChangeStatus::Applied,
        ChangeStatus::AtNextStart,
        ChangeStatus::AppliedDifferently,
        ChangeStatus::PlanOutdated,
        ChangeStatus::Failed,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            ChangeStatus::Requested => "requested",
            ChangeStatus::Calling => "calling",
            ChangeStatus::Waiting => "waiting",
            ChangeStatus::Applied => "applied",
            ChangeStatus::AtNextStart => "at-next-start",
            ChangeStatus::AppliedDifferently => "applied-differently",
            ChangeStatus::PlanOutdated => "plan-outdated",
            ChangeStatus::Failed => "failed",
        }
    }

    pub fn parse(text: &str) -> Option<ChangeStatus> {
        ChangeStatus::ALL.into_iter().find(|status| status.as_str() == text)
    }

    pub fn is_final(self) -> bool {
        match self {
            ChangeStatus::Requested | ChangeStatus::Calling | ChangeStatus::Waiting => false,
            ChangeStatus::Applied
            | ChangeStatus::AtNextStart
            | ChangeStatus::AppliedDifferently
            | ChangeStatus::PlanOutdated
            | ChangeStatus::Failed => true,
        }
    }

    /// Whether EC2 took the change, so that it can be undone.
    pub fn changed_something(self) -> bool {
        matches!(
            self,
            ChangeStatus::Waiting
                | ChangeStatus::Applied
                | ChangeStatus::AtNextStart
                | ChangeStatus::AppliedDifferently
        )
    }

    pub fn label(self) -> &'static str {
        match self {
            ChangeStatus::Requested => "Requested",
            ChangeStatus::Calling => "Calling EC2",
            ChangeStatus::Waiting => "Waiting for applied",
            ChangeStatus::Applied => "Applied",
            ChangeStatus::AtNextStart => "At next start",
            ChangeStatus::AppliedDifferently => "Applied, with other differences",
            ChangeStatus::PlanOutdated => "Plan outdated",
            ChangeStatus::Failed => "Failed",
        }
    }
}

/// A change as stored: the plan, who asked for it and why, and how it went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub id: i64,
    /// Chosen by whoever asked; the same key twice is the same change.
    pub idempotency_key: String,
    pub key: InstanceKey,
    pub purpose: Purpose,
    pub request: Request,
    /// All six fields as read just before the change.
    pub before: MetadataOptions,
    /// All six fields as read after it.
    pub after: Option<MetadataOptions>,
    pub status: ChangeStatus,
    pub actor: String,
    pub reason: String,
    pub policy_revision: String,
    pub aws_request_id: Option<String>,
    /// What went wrong and what to do next.
    pub error: Option<ChangeError>,
    pub requested_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A failed call, explained.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChangeError {
    /// The AWS error code, or our own word where AWS did not answer.
    pub code: String,
    /// What happened, to what.
    pub message: String,
    pub next_step: String,
}

#[cfg(test)]
mod tests;
