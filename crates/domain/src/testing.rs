//! The instance that tests and benchmarks start from, here and in the crates above: a new field is filled in once.
//!
//! Compiled in rather than behind a feature, which would have cargo build this crate and all above it twice, with and
//! without; no product calls it, so linkers drop it, and the Wasm bundle is none the larger.

use crate::instance::{
    HttpTokens, Instance, InstanceKey, InstanceState, MetadataOptions, OptionsState, SourceKey, Tag, Text,
    Toggle,
};

/// A running instance that allows IMDSv1, in an account and region of no matter. What a test is about it sets itself:
/// `Instance { state, ..instance("i-1") }`.
pub fn instance(instance_id: &str) -> Instance {
    instance_in(SourceKey::new("111111111111", "eu-west-1"), instance_id)
}

/// As [`instance`], in an account and region that do matter.
pub fn instance_in(source: SourceKey, instance_id: &str) -> Instance {
    Instance {
        key: InstanceKey { source, instance_id: instance_id.into() },
        state: InstanceState::Running,
        metadata_options: Some(options(HttpTokens::Optional)),
        instance_type: "m7g.large".into(),
        availability_zone: Some("eu-west-1a".into()),
        vpc_id: Some("vpc-1".into()),
        image_id: Some("ami-1".into()),
        launch_time: None,
        iam_instance_profile: None,
        operator: None,
        tags: Vec::new(),
    }
}

/// All six fields as EC2 describes them on most instances, applied.
pub const fn options(http_tokens: HttpTokens) -> MetadataOptions {
    MetadataOptions {
        state: Some(OptionsState::Applied),
        http_tokens: Some(http_tokens),
        http_put_response_hop_limit: Some(2),
        http_endpoint: Some(Toggle::Enabled),
        http_protocol_ipv6: Some(Toggle::Disabled),
        instance_metadata_tags: Some(Toggle::Disabled),
    }
}

/// Tags in the order in which an instance keeps them.
pub fn tags(tags: impl IntoIterator<Item = (impl Into<Text>, impl Into<Text>)>) -> Vec<Tag> {
    let mut tags: Vec<Tag> =
        tags.into_iter().map(|(key, value)| Tag { key: key.into(), value: value.into() }).collect();
    tags.sort();
    tags
}
