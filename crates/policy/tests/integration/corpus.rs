//! Instances of every kind that the default policies tell apart.

use domain::instance::{
    HttpTokens, Instance, InstanceState, MetadataOptions, OptionsState, SourceKey, Toggle,
};
use domain::testing::{self, options};
use jiff::Timestamp;

pub(crate) const REGULATED_ACCOUNT: &str = "111111111111";
const OTHER_ACCOUNT: &str = "222222222222";

pub(crate) fn now() -> Timestamp {
    "2026-06-15T10:20:30Z".parse().unwrap()
}

/// A running instance with the given tags that breaks no rule.
pub(crate) fn good(id: &str, tags: &[(&str, &str)]) -> Instance {
    Instance {
        metadata_options: Some(options(HttpTokens::Required)),
        launch_time: Some("2026-01-02T03:04:05Z".parse().unwrap()),
        tags: testing::tags(tags.iter().copied()),
        ..testing::instance_in(SourceKey::new(OTHER_ACCOUNT, "eu-west-1"), id)
    }
}

/// As [`good`], but with optional tokens.
pub(crate) fn bad(id: &str, tags: &[(&str, &str)]) -> Instance {
    Instance { metadata_options: Some(options(HttpTokens::Optional)), ..good(id, tags) }
}

/// Every combination of the metadata options and of the tags that matter, over all states and both kinds of account.
pub(crate) fn corpus() -> Vec<Instance> {
    let tag_sets: [&[(&str, &str)]; 12] = [
        &[],
        &[("compliance", "regulated"), ("Name", "ünïcode \"quoted\"\n")],
        &[("imds:hop-limit-reason", "nested network")],
        &[("imds:hop-limit-reason", " ")],
        &[("imds:exempt-owner", "ana"), ("imds:exempt-until", "2026-12-31")],
        &[("imds:exempt-owner", "ana"), ("imds:exempt-until", "2026-06-15")],
        &[("imds:exempt-owner", "ana"), ("imds:exempt-until", "2026-06-14")],
        &[("imds:exempt-owner", "ana"), ("imds:exempt-until", "2027-02-30")],
        &[("imds:exempt-owner", "ana"), ("imds:exempt-until", "9999-12-31")],
        &[("imds:exempt-owner", "ana"), ("imds:exempt-until", "soon \u{1f600} \"\t")],
        &[("imds:exempt-owner", "ana")],
        &[("imds:exempt-until", "2026-12-31")],
    ];
    let toggles = [Some(Toggle::Enabled), Some(Toggle::Disabled), None];
    let mut instances = Vec::new();
    for tags in tag_sets {
        for http_tokens in [Some(HttpTokens::Optional), Some(HttpTokens::Required), None] {
            for http_endpoint in toggles {
                for http_put_response_hop_limit in [Some(2), Some(3), None] {
                    for instance_metadata_tags in toggles {
                        let number = instances.len();
                        let mut instance = good(&format!("i-{number:017x}"), tags);
                        // Not all with all: a step that shares no factor with the other counts meets each state there.
                        instance.state = InstanceState::ALL[number * 5 % InstanceState::ALL.len()];
                        if number % 7 < 3 {
                            instance.key.source = SourceKey::new(REGULATED_ACCOUNT, "us-east-1");
                        }
                        instance.metadata_options = (number % 31 != 0).then_some(MetadataOptions {
                            state: Some(OptionsState::Applied),
                            http_tokens,
                            http_put_response_hop_limit,
                            http_endpoint,
                            http_protocol_ipv6: None,
                            instance_metadata_tags,
                        });
                        instances.push(instance);
                    }
                }
            }
        }
    }
    instances
}
