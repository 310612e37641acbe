//! The keys of the query language and the closed sets of values behind some of them.

use crate::instance::InstanceState;
use crate::policy::PolicyOutcome;
use crate::verdict::Verdict;

/// What stands before the colon of a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    Facet(Facet),
    Field(Field),
    Tag,
    Hop,
    Age,
}

/// A key whose values are a closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Facet {
    State,
    Verdict,
    Tokens,
    Endpoint,
    Ipv6,
    MetadataTags,
    Options,
    Policy,
    Severity,
    Managed,
}

/// A key whose values are text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    Id,
    Name,
    Account,
    Region,
    AvailabilityZone,
    InstanceType,
    Vpc,
    Image,
    AutoScalingGroup,
    Profile,
    Rule,
}

/// A key as completion and the documentation show it.
#[derive(Clone, Copy, Debug)]
pub struct KeyInfo {
    pub name: &'static str,
    pub key: Key,
    /// What the key asks about, in a few words.
    pub summary: &'static str,
    pub example: &'static str,
}

/// Every key, in the order in which completion offers them.
pub const KEYS: [KeyInfo; 24] = [
    info(Key::Facet(Facet::Verdict), "what the metadata options amount to", "verdict:allows-v1"),
    info(Key::Facet(Facet::State), "lifecycle state", "state:running,stopped"),
    info(Key::Field(Field::Account), "account id or alias", "account:payments-prod"),
    info(Key::Field(Field::Region), "region", "region:eu-*"),
    info(Key::Field(Field::InstanceType), "instance type", "type:m7g.*"),
    info(Key::Field(Field::Name), "part of the Name tag", "name:web"),
    info(Key::Tag, "a tag's key and value", "tag:team=payments"),
    info(Key::Facet(Facet::Policy), "outcome of the policy", "policy:fail"),
    info(Key::Field(Field::Rule), "a policy rule that is broken", "rule:imdsv2-required"),
    info(Key::Facet(Facet::Severity), "severity of a violation", "severity:critical,high"),
    info(Key::Facet(Facet::Tokens), "HttpTokens", "tokens:optional"),
    info(Key::Hop, "HttpPutResponseHopLimit", "hop:>1"),
    info(Key::Facet(Facet::Endpoint), "HttpEndpoint", "endpoint:disabled"),
    info(Key::Facet(Facet::Ipv6), "HttpProtocolIpv6", "ipv6:enabled"),
    info(Key::Facet(Facet::MetadataTags), "InstanceMetadataTags", "mdtags:enabled"),
    info(Key::Facet(Facet::Options), "whether the metadata options are applied", "options:pending"),
    info(Key::Age, "time since launch", "age:>90d"),
    info(Key::Facet(Facet::Managed), "managed by an AWS service", "managed:yes"),
    info(Key::Field(Field::Id), "instance id", "id:i-0abc*"),
    info(Key::Field(Field::AutoScalingGroup), "Auto Scaling group", "asg:web-*"),
    info(Key::Field(Field::AvailabilityZone), "Availability Zone", "az:eu-west-1a"),
    info(Key::Field(Field::Vpc), "VPC id", "vpc:vpc-0abc*"),
    info(Key::Field(Field::Image), "AMI id", "image:ami-0abc*"),
    info(Key::Field(Field::Profile), "instance profile, its name or ARN", "profile:web-*"),
];

const fn info(key: Key, summary: &'static str, example: &'static str) -> KeyInfo {
    KeyInfo { name: key.name(), key, summary, example }
}

/// Words that people try for a key, and the key that was meant; offered as a suggestion only.
const SYNONYMS: [(&str, &str); 16] = [
    ("ami", "image"),
    ("group", "asg"),
    ("hop_limit", "hop"),
    ("http_endpoint", "endpoint"),
    ("http_tokens", "tokens"),
    ("imds", "verdict"),
    ("instance", "id"),
    ("instance_metadata_tags", "mdtags"),
    ("instance_type", "type"),
    ("launched", "age"),
    ("metadata", "verdict"),
    ("operator", "managed"),
    ("role", "profile"),
    ("status", "state"),
    ("violation", "rule"),
    ("zone", "az"),
];

/// A setting that EC2 may leave out: then its value is `none`.
const TOGGLE: [&str; 3] = ["enabled", "disabled", "none"];

impl Key {
    pub const fn name(self) -> &'static str {
        match self {
            Key::Facet(facet) => facet.name(),
            Key::Field(field) => field.name(),
            Key::Tag => "tag",
            Key::Hop => "hop",
            Key::Age => "age",
        }
    }

    pub fn parse(text: &str) -> Option<Key> {
        KEYS.iter().find(|info| info.name.eq_ignore_ascii_case(text)).map(|info| info.key)
    }

    /// The key that `text` was most likely meant to be.
    pub(super) fn nearest(text: &str) -> Option<&'static str> {
        let synonym = SYNONYMS.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
        match synonym {
            Some((_, key)) => Some(key),
            None => super::error::nearest(text, KEYS.iter().map(|info| info.name)),
        }
    }
}

impl Facet {
    pub const fn name(self) -> &'static str {
        match self {
            Facet::State => "state",
            Facet::Verdict => "verdict",
            Facet::Tokens => "tokens",
            Facet::Endpoint => "endpoint",
            Facet::Ipv6 => "ipv6",
            Facet::MetadataTags => "mdtags",
            Facet::Options => "options",
            Facet::Policy => "policy",
            Facet::Severity => "severity",
            Facet::Managed => "managed",
        }
    }

    /// The values, in the order that [`ValueSet`] numbers them.
    pub fn values(self) -> &'static [&'static str] {
        const STATES: [&str; InstanceState::ALL.len()] = {
            let mut names = [""; InstanceState::ALL.len()];
            let mut position = 0;
            while position < names.len() {
                names[position] = InstanceState::ALL[position].as_str();
                position += 1;
            }
            names
        };
        match self {
            Facet::State => &STATES,
            Facet::Verdict => &Verdict::KINDS,
            Facet::Tokens => &["optional", "required", "none"],
            Facet::Endpoint | Facet::Ipv6 | Facet::MetadataTags => &TOGGLE,
            Facet::Options => &["pending", "applied", "none"],
            Facet::Policy => &PolicyOutcome::KINDS,
            Facet::Severity => &["critical", "high", "medium", "low", "info"],
            Facet::Managed => &["yes", "no"],
        }
    }

    /// Words that stand for several values.
    pub fn shorthands(self) -> &'static [(&'static str, &'static [&'static str])] {
        match self {
            Facet::Verdict => &[("safe", &["enforced", "endpoint-disabled"])],
            Facet::State
            | Facet::Tokens
            | Facet::Endpoint
            | Facet::Ipv6
            | Facet::MetadataTags
            | Facet::Options
            | Facet::Policy
            | Facet::Severity
            | Facet::Managed => &[],
        }
    }

    /// The position of a value in [`Facet::values`].
    pub fn position(self, value: &str) -> Option<u8> {
        self.values()
            .iter()
            .position(|known| known.eq_ignore_ascii_case(value))
            .map(|position| position as u8)
    }

    /// The values that a word of a query names.
    pub(super) fn resolve(self, word: &str) -> Option<ValueSet> {
        if let Some(position) = self.position(word) {
            return Some(ValueSet::default().with(position));
        }
        let (_, values) = self.shorthands().iter().find(|(name, _)| name.eq_ignore_ascii_case(word))?;
        Some(values.iter().filter_map(|value| self.position(value)).fold(ValueSet::default(), ValueSet::with))
    }

    /// All words that may stand behind the colon.
    pub(super) fn words(self) -> impl Iterator<Item = &'static str> {
        self.values().iter().copied().chain(self.shorthands().iter().map(|(name, _)| *name))
    }
}

impl Field {
    pub const fn name(self) -> &'static str {
        match self {
            Field::Id => "id",
            Field::Name => "name",
            Field::Account => "account",
            Field::Region => "region",
            Field::AvailabilityZone => "az",
            Field::InstanceType => "type",
            Field::Vpc => "vpc",
            Field::Image => "image",
            Field::AutoScalingGroup => "asg",
            Field::Profile => "profile",
            Field::Rule => "rule",
        }
    }
}

/// Some of a facet's values, by their position in [`Facet::values`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ValueSet(u16);

impl ValueSet {
    #[must_use]
    pub fn with(self, position: u8) -> ValueSet {
        ValueSet(self.0 | 1 << position)
    }

    #[must_use]
    pub fn union(self, other: ValueSet) -> ValueSet {
        ValueSet(self.0 | other.0)
    }

    pub fn contains(self, position: u8) -> bool {
        self.0 >> position & 1 == 1
    }

    /// One bit per value.
    pub fn bits(self) -> u16 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::{HttpTokens, OptionsState, Toggle};
    use crate::policy::Severity;

    #[test]
    fn each_key_has_its_own_name_and_parses_back() {
        for info in KEYS {
            assert_eq!(Key::parse(info.name), Some(info.key), "{}", info.name);
            assert!(info.example.starts_with(&format!("{}:", info.name)), "{}", info.example);
        }
        assert_eq!(Key::parse("STATE"), Some(Key::Facet(Facet::State)));
    }

    #[test]
    fn synonyms_lead_to_keys_and_are_none_themselves() {
        for (word, key) in SYNONYMS {
            assert!(Key::parse(key).is_some(), "{key}");
            assert!(Key::parse(word).is_none(), "{word}");
        }
    }

    #[test]
    fn closed_values_are_those_of_the_types() {
        let toggle = [Toggle::Enabled.as_str(), Toggle::Disabled.as_str(), "none"];
        assert_eq!(Facet::Endpoint.values(), toggle);
        assert_eq!(
            Facet::Tokens.values(),
            [HttpTokens::Optional.as_str(), HttpTokens::Required.as_str(), "none"]
        );
        assert_eq!(
            Facet::Options.values(),
            [OptionsState::Pending.as_str(), OptionsState::Applied.as_str(), "none"]
        );
        assert!(Facet::Severity.values().iter().all(|name| Severity::parse(name).is_some()));
        assert!(Facet::State.values().iter().all(|name| InstanceState::parse(name).is_some()));
    }
}
