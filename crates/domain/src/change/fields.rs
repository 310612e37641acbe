//! The six fields of the metadata options as text, and in which of them two sets of options differ.

use serde::{Deserialize, Serialize};

use crate::instance::{HttpTokens, MetadataOptions, OptionsState, Toggle};

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

/// The five settings that differ; `state` is progress, not a setting.
pub(crate) fn setting_differences(before: &MetadataOptions, after: &MetadataOptions) -> Vec<Difference> {
    differences(before, after).into_iter().filter(|difference| difference.field != "state").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn differences_name_each_field_and_what_is_not_set() {
        let options = testing::options(HttpTokens::Optional);
        let empty = MetadataOptions::default();
        let fields: Vec<String> = differences(&options, &empty)
            .into_iter()
            .map(|difference| format!("{} {} {}", difference.field, difference.before, difference.after))
            .collect();
        assert_eq!(
            fields,
            [
                "http_tokens optional not set",
                "http_put_response_hop_limit 2 not set",
                "http_endpoint enabled not set",
                "http_protocol_ipv6 disabled not set",
                "instance_metadata_tags disabled not set",
                "state applied not set",
            ]
        );
        assert_eq!(differences(&options, &options), []);
    }

    #[test]
    fn the_state_is_no_setting() {
        let applied = testing::options(HttpTokens::Optional);
        let pending = MetadataOptions { state: Some(OptionsState::Pending), ..applied };
        assert_eq!(differences(&applied, &pending).len(), 1);
        assert_eq!(setting_differences(&applied, &pending), []);
    }
}
