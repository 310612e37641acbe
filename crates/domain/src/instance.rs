//! An EC2 instance as Tollgate keeps it: the fields of DescribeInstances that a verdict, a policy or a person needs.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Text that repeats over a fleet (account, region, type, tag keys); shared rather than copied per instance.
pub type Text = Arc<str>;

/// One account in one region: the unit that is collected, goes stale and is leased as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SourceKey {
    /// The 12-digit account id.
    pub account: Text,
    /// The region's code, such as `eu-west-1`.
    pub region: Text,
}

impl SourceKey {
    pub fn new(account: impl Into<Text>, region: impl Into<Text>) -> SourceKey {
        SourceKey { account: account.into(), region: region.into() }
    }
}

impl fmt::Display for SourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.region)
    }
}

/// What names one instance: ids are only unique within an account and region for our purposes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InstanceKey {
    pub source: SourceKey,
    pub instance_id: Text,
}

impl fmt::Display for InstanceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.source, self.instance_id)
    }
}

/// The lifecycle state of an instance, as EC2 names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstanceState {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopping,
    Stopped,
}

impl InstanceState {
    pub const ALL: [InstanceState; 6] = [
        InstanceState::Pending,
        InstanceState::Running,
        InstanceState::ShuttingDown,
        InstanceState::Terminated,
        InstanceState::Stopping,
        InstanceState::Stopped,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            InstanceState::Pending => "pending",
            InstanceState::Running => "running",
            InstanceState::ShuttingDown => "shutting-down",
            InstanceState::Terminated => "terminated",
            InstanceState::Stopping => "stopping",
            InstanceState::Stopped => "stopped",
        }
    }

    pub fn parse(text: &str) -> Option<InstanceState> {
        InstanceState::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether the instance is gone or going for good, and so is neither counted nor changed.
    pub fn is_terminal(self) -> bool {
        matches!(self, InstanceState::Terminated | InstanceState::ShuttingDown)
    }

    /// Whether a metadata change waits for the next start ("applied when the instance is started", EC2 API reference).
    pub fn applies_at_next_start(self) -> bool {
        matches!(self, InstanceState::Stopped | InstanceState::Stopping)
    }
}

/// Whether a token is required on each metadata request (`required` is IMDSv2 only).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HttpTokens {
    Optional,
    Required,
}

impl HttpTokens {
    pub fn as_str(self) -> &'static str {
        match self {
            HttpTokens::Optional => "optional",
            HttpTokens::Required => "required",
        }
    }

    pub fn parse(text: &str) -> Option<HttpTokens> {
        match text {
            "optional" => Some(HttpTokens::Optional),
            "required" => Some(HttpTokens::Required),
            _ => None,
        }
    }
}

/// A setting that EC2 spells `enabled` or `disabled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Toggle {
    Enabled,
    Disabled,
}

impl Toggle {
    pub fn as_str(self) -> &'static str {
        match self {
            Toggle::Enabled => "enabled",
            Toggle::Disabled => "disabled",
        }
    }

    pub fn parse(text: &str) -> Option<Toggle> {
        match text {
            "enabled" => Some(Toggle::Enabled),
            "disabled" => Some(Toggle::Disabled),
            _ => None,
        }
    }
}

/// Whether the metadata options have reached the instance (`MetadataOptions.State`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptionsState {
    Pending,
    Applied,
}

impl OptionsState {
    pub fn as_str(self) -> &'static str {
        match self {
            OptionsState::Pending => "pending",
            OptionsState::Applied => "applied",
        }
    }

    pub fn parse(text: &str) -> Option<OptionsState> {
        match text {
            "pending" => Some(OptionsState::Pending),
            "applied" => Some(OptionsState::Applied),
            _ => None,
        }
    }
}

/// All six fields of `InstanceMetadataOptionsResponse`; a field EC2 left out, or answered with a value we do not know, is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MetadataOptions {
    pub state: Option<OptionsState>,
    pub http_tokens: Option<HttpTokens>,
    /// 1 to 64 network hops.
    pub http_put_response_hop_limit: Option<u8>,
    pub http_endpoint: Option<Toggle>,
    pub http_protocol_ipv6: Option<Toggle>,
    pub instance_metadata_tags: Option<Toggle>,
}

/// One tag of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tag {
    pub key: Text,
    pub value: Text,
}

/// An instance, as last described.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Instance {
    pub key: InstanceKey,
    pub state: InstanceState,
    /// `None` when EC2 answered without the block: nothing may be concluded then.
    pub metadata_options: Option<MetadataOptions>,
    pub instance_type: Text,
    pub availability_zone: Option<Text>,
    pub vpc_id: Option<Text>,
    pub image_id: Option<Text>,
    pub launch_time: Option<Timestamp>,
    /// The ARN of the instance profile: the credentials that IMDS hands out.
    pub iam_instance_profile: Option<Text>,
    /// The service principal that manages the instance (`Operator.Managed`), such as `eks.amazonaws.com`.
    pub operator: Option<Text>,
    /// Sorted by key.
    pub tags: Vec<Tag>,
}

impl Instance {
    pub fn tag(&self, key: &str) -> Option<&str> {
        let position = self.tags.binary_search_by(|tag| tag.key.as_ref().cmp(key)).ok()?;
        Some(&self.tags[position].value)
    }

    /// The `Name` tag, or nothing where it is absent or blank.
    pub fn name(&self) -> Option<&str> {
        self.tag("Name").filter(|name| !name.trim().is_empty())
    }

    /// The Auto Scaling group that started the instance, from the tag that EC2 Auto Scaling sets.
    pub fn auto_scaling_group(&self) -> Option<&str> {
        self.tag("aws:autoscaling:groupName")
    }

    /// The launch template's id and version, from the tags that EC2 sets on instances started through one.
    pub fn launch_template(&self) -> Option<(&str, Option<&str>)> {
        Some((self.tag("aws:ec2launchtemplate:id")?, self.tag("aws:ec2launchtemplate:version")))
    }

    /// Whether a service manages the instance; such an instance must not be changed by anyone else.
    pub fn is_managed(&self) -> bool {
        self.operator.is_some()
    }
}

/// Shares equal texts, so that a fleet of 100,000 instances holds each region, type and tag key once.
#[derive(Debug, Default)]
pub struct Interner(HashSet<Text>);

impl Interner {
    pub fn text(&mut self, text: &str) -> Text {
        if let Some(known) = self.0.get(text) {
            return known.clone();
        }
        let text: Text = text.into();
        self.0.insert(text.clone());
        text
    }

    /// Replaces every text of `instance` by the shared one; used where an instance was read from the store.
    pub fn share(&mut self, instance: &mut Instance) {
        let mut shared = |text: &mut Text| *text = self.text(text);
        shared(&mut instance.key.source.account);
        shared(&mut instance.key.source.region);
        shared(&mut instance.instance_type);
        for text in [
            &mut instance.availability_zone,
            &mut instance.vpc_id,
            &mut instance.image_id,
            &mut instance.iam_instance_profile,
            &mut instance.operator,
        ]
        .into_iter()
        .flatten()
        {
            shared(text);
        }
        for tag in &mut instance.tags {
            shared(&mut tag.key);
            shared(&mut tag.value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interner_shares_equal_texts() {
        let mut interner = Interner::default();
        let first = interner.text("eu-west-1");
        let second = interner.text("eu-west-1");
        assert!(Arc::ptr_eq(&first, &second));
    }

    #[test]
    fn states_round_trip_through_their_names() {
        for state in InstanceState::ALL {
            assert_eq!(InstanceState::parse(state.as_str()), Some(state));
        }
    }
}
