//! What a policy sees of an instance: the names and the shape of DescribeInstances, for the fields that are kept.

use std::hash::{BuildHasher, RandomState};

use domain::instance::{Instance, InstanceState, MetadataOptions, SourceKey};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Every path a policy may read, sorted; `[]` stands for each element of an array.
pub const KEPT_PATHS: &[&str] = &[
    "IamInstanceProfile.Arn",
    "ImageId",
    "InstanceId",
    "InstanceType",
    "LaunchTime",
    "MetadataOptions.HttpEndpoint",
    "MetadataOptions.HttpProtocolIpv6",
    "MetadataOptions.HttpPutResponseHopLimit",
    "MetadataOptions.HttpTokens",
    "MetadataOptions.InstanceMetadataTags",
    "MetadataOptions.State",
    "Operator.Managed",
    "Operator.Principal",
    "OwnerId",
    "Placement.AvailabilityZone",
    "Region",
    "State.Code",
    "State.Name",
    "Tags[].Key",
    "Tags[].Value",
    "VpcId",
    "now",
];

/// The document `input` for one instance. What EC2 did not report is absent, never null.
pub fn input(instance: &Instance, now: Timestamp) -> Value {
    // Destructured, so that a new field cannot be forgotten here.
    let Instance {
        key,
        state,
        metadata_options,
        instance_type,
        availability_zone,
        vpc_id,
        image_id,
        launch_time,
        iam_instance_profile,
        operator,
        tags,
    } = instance;
    let SourceKey { account, region } = &key.source;

    let mut input = Map::new();
    input.insert("InstanceId".into(), json!(&*key.instance_id));
    input.insert("OwnerId".into(), json!(&**account));
    input.insert("Region".into(), json!(&**region));
    input.insert("now".into(), json!(hour(now).to_string()));
    input.insert("InstanceType".into(), json!(&**instance_type));
    input.insert("State".into(), json!({ "Code": state_code(*state), "Name": state.as_str() }));
    if let Some(options) = metadata_options {
        input.insert("MetadataOptions".into(), metadata_options_input(options));
    }
    if let Some(zone) = availability_zone {
        input.insert("Placement".into(), json!({ "AvailabilityZone": &**zone }));
    }
    if let Some(vpc_id) = vpc_id {
        input.insert("VpcId".into(), json!(&**vpc_id));
    }
    if let Some(image_id) = image_id {
        input.insert("ImageId".into(), json!(&**image_id));
    }
    if let Some(launch_time) = launch_time {
        // As the AWS command line prints it.
        input.insert("LaunchTime".into(), json!(launch_time.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()));
    }
    if let Some(arn) = iam_instance_profile {
        input.insert("IamInstanceProfile".into(), json!({ "Arn": &**arn }));
    }
    let operator = match operator {
        Some(principal) => json!({ "Managed": true, "Principal": &**principal }),
        None => json!({ "Managed": false }),
    };
    input.insert("Operator".into(), operator);
    if !tags.is_empty() {
        let tags = tags.iter().map(|tag| json!({ "Key": &*tag.key, "Value": &*tag.value })).collect();
        input.insert("Tags".into(), Value::Array(tags));
    }
    Value::Object(input)
}

/// The time that policies see: the full hour, so that an unchanged instance has an unchanged input until the next one.
pub(crate) fn hour(now: Timestamp) -> Timestamp {
    let second = now.as_second();
    // Within a year of the smallest timestamp there is no full hour before; the time itself is as good there.
    Timestamp::from_second(second - second.rem_euclid(3_600)).unwrap_or(now)
}

/// Hashes the whole instance, and so everything that [`input`] shows of it, but the time.
///
/// Tags are written by whoever owns the instance, so the hash is keyed: nobody can prepare two instances that share a
/// cached outcome.
#[derive(Debug, Default)]
pub(crate) struct Fingerprints(RandomState, RandomState);

impl Fingerprints {
    pub(crate) fn of(&self, instance: &Instance) -> u128 {
        let half = |state: &RandomState| u128::from(state.hash_one(instance));
        half(&self.0) << 64 | half(&self.1)
    }
}

fn metadata_options_input(options: &MetadataOptions) -> Value {
    let MetadataOptions {
        state,
        http_tokens,
        http_put_response_hop_limit,
        http_endpoint,
        http_protocol_ipv6,
        instance_metadata_tags,
    } = options;
    let fields = [
        ("State", state.map(|value| json!(value.as_str()))),
        ("HttpTokens", http_tokens.map(|value| json!(value.as_str()))),
        ("HttpPutResponseHopLimit", http_put_response_hop_limit.map(|value| json!(value))),
        ("HttpEndpoint", http_endpoint.map(|value| json!(value.as_str()))),
        ("HttpProtocolIpv6", http_protocol_ipv6.map(|value| json!(value.as_str()))),
        ("InstanceMetadataTags", instance_metadata_tags.map(|value| json!(value.as_str()))),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// The number EC2 gives each state (`InstanceState.Code`, low byte).
fn state_code(state: InstanceState) -> u8 {
    match state {
        InstanceState::Pending => 0,
        InstanceState::Running => 16,
        InstanceState::ShuttingDown => 32,
        InstanceState::Terminated => 48,
        InstanceState::Stopping => 64,
        InstanceState::Stopped => 80,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use domain::instance::{HttpTokens, InstanceKey};
    use domain::testing::{self, options, tags};

    use super::*;

    fn full_instance() -> Instance {
        Instance {
            metadata_options: Some(options(HttpTokens::Required)),
            launch_time: Some("2026-01-02T03:04:05Z".parse().unwrap()),
            iam_instance_profile: Some("arn:aws:iam::111111111111:instance-profile/web".into()),
            operator: Some("eks.amazonaws.com".into()),
            tags: tags([("Name", "web")]),
            ..testing::instance("i-0123456789abcdef0")
        }
    }

    fn now() -> Timestamp {
        "2026-06-15T10:59:59.9Z".parse().unwrap()
    }

    fn leaves(prefix: &str, value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                    leaves(&path, value, found);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| leaves(&format!("{prefix}[]"), item, found)),
            _ => {
                found.insert(prefix.to_owned());
            }
        }
    }

    #[test]
    fn a_full_instance_has_the_shape_of_describe_instances() {
        insta::assert_json_snapshot!(input(&full_instance(), now()));
    }

    #[test]
    fn the_kept_paths_are_those_of_a_full_instance() {
        let mut found = BTreeSet::new();
        leaves("", &input(&full_instance(), now()), &mut found);
        assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), KEPT_PATHS);
    }

    #[test]
    fn every_kept_path_is_documented() {
        let documentation = include_str!("../../../docs/policy.md");
        for path in KEPT_PATHS {
            let name = path.rsplit('.').next().unwrap_or(path);
            let spellings = [format!("`{path}`"), format!("`.{name}`")];
            assert!(spellings.iter().any(|spelling| documentation.contains(spelling)), "{path}");
        }
    }

    #[test]
    fn what_is_not_known_is_absent() {
        let bare = Instance {
            metadata_options: Some(MetadataOptions::default()),
            availability_zone: None,
            vpc_id: None,
            image_id: None,
            launch_time: None,
            iam_instance_profile: None,
            operator: None,
            tags: Vec::new(),
            ..full_instance()
        };
        insta::assert_json_snapshot!(input(&bare, now()));
        let unreported = Instance { metadata_options: None, ..bare };
        assert!(input(&unreported, now()).get("MetadataOptions").is_none());
    }

    #[test]
    fn time_is_the_full_hour_before_and_after_1970() {
        for (time, full_hour) in [
            ("2026-06-15T10:59:59.999Z", "2026-06-15T10:00:00Z"),
            ("2026-06-15T11:00:00Z", "2026-06-15T11:00:00Z"),
            ("1969-12-31T23:59:59Z", "1969-12-31T23:00:00Z"),
        ] {
            assert_eq!(hour(time.parse().unwrap()).to_string(), full_hour);
        }
    }

    #[test]
    fn any_change_that_a_policy_can_see_changes_the_fingerprint() {
        let fingerprints = Fingerprints::default();
        let full = full_instance();
        let options = full.metadata_options.unwrap();
        let moved = |source: SourceKey| Instance {
            key: InstanceKey { source, instance_id: full.key.instance_id.clone() },
            ..full.clone()
        };
        let changes = [
            moved(SourceKey::new("222222222222", "eu-west-1")),
            moved(SourceKey::new("111111111111", "eu-west-2")),
            Instance { state: InstanceState::Stopped, ..full.clone() },
            Instance { metadata_options: None, ..full.clone() },
            Instance {
                metadata_options: Some(MetadataOptions {
                    http_tokens: Some(HttpTokens::Optional),
                    ..options
                }),
                ..full.clone()
            },
            Instance { instance_type: "m7g.xlarge".into(), ..full.clone() },
            Instance { availability_zone: None, ..full.clone() },
            Instance { vpc_id: Some("vpc-2".into()), ..full.clone() },
            Instance { image_id: Some("ami-2".into()), ..full.clone() },
            Instance { launch_time: None, ..full.clone() },
            Instance { iam_instance_profile: None, ..full.clone() },
            Instance { operator: None, ..full.clone() },
            Instance { tags: Vec::new(), ..full.clone() },
            Instance { tags: tags([("Namew", "eb")]), ..full.clone() },
        ];
        let mut seen = BTreeSet::from([fingerprints.of(&full)]);
        assert_eq!(fingerprints.of(&full.clone()), fingerprints.of(&full));
        for changed in &changes {
            assert!(seen.insert(fingerprints.of(changed)), "{changed:?}");
        }
    }
}
