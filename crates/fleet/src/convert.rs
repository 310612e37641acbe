//! From the SDK's shapes to the domain's; a value this version does not know becomes absent, never a guess.

use aws_sdk_ec2::types;
use domain::instance::{
    HttpTokens, Instance, InstanceKey, InstanceState, Interner, MetadataOptions, OptionsState, SourceKey,
    Tag, Toggle,
};
use domain::source::MetadataDefaults;
use jiff::Timestamp;

/// An instance as the domain keeps it; `None` where EC2 left out the id or the state.
pub(crate) fn instance(
    source: &SourceKey,
    sdk: &types::Instance,
    interner: &mut Interner,
) -> Option<Instance> {
    let state = sdk.state.as_ref()?.name.as_ref()?;
    let mut tags: Vec<Tag> = sdk
        .tags()
        .iter()
        .filter_map(|tag| {
            Some(Tag {
                key: interner.text(tag.key()?),
                value: interner.text(tag.value().unwrap_or_default()),
            })
        })
        .collect();
    tags.sort();
    // Kept for as long as the instance is, and grown by doubling.
    tags.shrink_to_fit();
    let operator = sdk
        .operator
        .as_ref()
        .filter(|operator| operator.managed == Some(true))
        .map(|operator| interner.text(operator.principal().unwrap_or("a service provider")));
    Some(Instance {
        key: InstanceKey { source: source.clone(), instance_id: sdk.instance_id()?.into() },
        state: InstanceState::parse(state.as_str())?,
        metadata_options: sdk.metadata_options.as_ref().map(metadata_options),
        instance_type: interner.text(sdk.instance_type().map_or("unknown", types::InstanceType::as_str)),
        availability_zone: sdk
            .placement
            .as_ref()
            .and_then(types::Placement::availability_zone)
            .map(|zone| interner.text(zone)),
        vpc_id: sdk.vpc_id().map(|vpc| interner.text(vpc)),
        image_id: sdk.image_id().map(|image| interner.text(image)),
        launch_time: sdk.launch_time().and_then(|time| Timestamp::from_second(time.secs()).ok()),
        iam_instance_profile: sdk
            .iam_instance_profile
            .as_ref()
            .and_then(types::IamInstanceProfile::arn)
            .map(|arn| interner.text(arn)),
        operator,
        tags,
    })
}

/// All six fields.
pub(crate) fn metadata_options(sdk: &types::InstanceMetadataOptionsResponse) -> MetadataOptions {
    MetadataOptions {
        state: sdk.state().and_then(|value| OptionsState::parse(value.as_str())),
        http_tokens: sdk.http_tokens().and_then(|value| HttpTokens::parse(value.as_str())),
        http_put_response_hop_limit: sdk.http_put_response_hop_limit.and_then(|hops| u8::try_from(hops).ok()),
        http_endpoint: sdk.http_endpoint().and_then(|value| Toggle::parse(value.as_str())),
        http_protocol_ipv6: sdk.http_protocol_ipv6().and_then(|value| Toggle::parse(value.as_str())),
        instance_metadata_tags: sdk.instance_metadata_tags().and_then(|value| Toggle::parse(value.as_str())),
    }
}

/// The account's defaults in a region.
pub(crate) fn metadata_defaults(sdk: &types::InstanceMetadataDefaultsResponse) -> MetadataDefaults {
    fn text(value: Option<&str>) -> Option<String> {
        value.map(str::to_owned)
    }
    MetadataDefaults {
        http_tokens: text(sdk.http_tokens().map(|value| value.as_str())),
        http_put_response_hop_limit: sdk.http_put_response_hop_limit,
        http_endpoint: text(sdk.http_endpoint().map(|value| value.as_str())),
        instance_metadata_tags: text(sdk.instance_metadata_tags().map(|value| value.as_str())),
        managed_by: text(sdk.managed_by().map(|value| value.as_str())),
        http_tokens_enforced: text(sdk.http_tokens_enforced().map(|value| value.as_str())),
    }
}

/// What ModifyInstanceMetadataOptions takes for tokens.
pub(crate) fn http_tokens(value: HttpTokens) -> types::HttpTokensState {
    match value {
        HttpTokens::Optional => types::HttpTokensState::Optional,
        HttpTokens::Required => types::HttpTokensState::Required,
    }
}
