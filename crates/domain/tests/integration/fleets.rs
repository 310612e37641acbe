//! Random small fleets whose values collide often, so that ties, shared texts and gaps are the rule.

use std::sync::Arc;

use domain::instance::{
    HttpTokens, Instance, InstanceState, MetadataOptions, OptionsState, SourceKey, Tag, Toggle,
};
use domain::list::FleetRow;
use domain::policy::{PolicyOutcome, Severity, Violation};
use domain::testing;
use domain::verdict::{Freshness, judge};
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::select;

pub(crate) const NOW: i64 = 1_780_000_000;

pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(NOW).expect("a valid second")
}

fn pick(values: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    select(values)
}

fn maybe(values: &'static [&'static str]) -> impl Strategy<Value = Option<&'static str>> {
    prop::option::of(select(values))
}

fn toggle() -> impl Strategy<Value = Option<Toggle>> {
    prop::option::of(select(vec![Toggle::Enabled, Toggle::Disabled]))
}

fn options() -> impl Strategy<Value = Option<MetadataOptions>> {
    let tokens = prop::option::of(select(vec![HttpTokens::Optional, HttpTokens::Required]));
    let state = prop::option::of(select(vec![OptionsState::Pending, OptionsState::Applied]));
    let options = (state, tokens, prop::option::of(1..5u8), toggle(), toggle(), toggle()).prop_map(
        |(state, http_tokens, hops, http_endpoint, ipv6, tags)| MetadataOptions {
            state,
            http_tokens,
            http_put_response_hop_limit: hops,
            http_endpoint,
            http_protocol_ipv6: ipv6,
            instance_metadata_tags: tags,
        },
    );
    prop::option::weighted(0.9, options)
}

fn tags() -> impl Strategy<Value = Vec<Tag>> {
    let keys = ["Name", "team", "Team", "cost center", "a=b", "aws:autoscaling:groupName"];
    let value = pick(&["", " ", "web-1", "Web-1", "WEB-10", "payments", "Straße", "x=y", "a b"]);
    prop::collection::btree_map(
        pick(&["Name", "team", "Team", "cost center", "a=b", "aws:autoscaling:groupName"]),
        value,
        0..keys.len(),
    )
    .prop_map(testing::tags)
}

fn policy() -> impl Strategy<Value = PolicyOutcome> {
    let severity =
        select(vec![Severity::Critical, Severity::High, Severity::Medium, Severity::Low, Severity::Info]);
    let violation =
        (pick(&["imdsv2-required", "hop-limit", "Hop-Limit"]), severity).prop_map(|(rule, severity)| {
            Violation { rule: rule.into(), severity, message: String::new(), remediation: String::new() }
        });
    prop_oneof![
        3 => prop::collection::vec(violation, 1..4).prop_map(|violations| PolicyOutcome::Fail { violations }),
        1 => select(vec![
            PolicyOutcome::Pass,
            PolicyOutcome::Undefined,
            PolicyOutcome::UnsupportedInput { path: String::new() },
            PolicyOutcome::Error { message: String::new() },
            PolicyOutcome::Unreachable { message: String::new() },
            PolicyOutcome::NotEvaluated,
        ]),
    ]
}

fn row() -> impl Strategy<Value = FleetRow> {
    let place = (
        pick(&["111111111111", "222222222222"]),
        pick(&["eu-west-1", "eu-central-1", "us-east-1"]),
        maybe(&["eu-west-1a", "us-east-1b"]),
        maybe(&["vpc-1", "vpc-2"]),
        maybe(&["ami-1", "ami-2"]),
        maybe(&[
            "arn:aws:iam::111111111111:instance-profile/web",
            "arn:aws:iam::111111111111:instance-profile/path/db",
        ]),
    );
    let rest = (
        "i-0[0-9a-c]{2}",
        select(InstanceState::ALL.to_vec()),
        options(),
        pick(&["m7g.large", "m7g.xlarge", "t3.micro"]),
        prop::option::of(0..20i64),
        prop::option::weighted(0.2, Just("eks.amazonaws.com")),
        tags(),
        any::<bool>(),
        policy(),
    );
    (place, rest).prop_map(|(place, rest)| {
        let (account, region, zone, vpc, image, profile) = place;
        let (id, state, metadata_options, instance_type, days, operator, tags, fresh, policy) = rest;
        let freshness = if fresh { Freshness::Fresh } else { Freshness::Stale };
        let instance = Instance {
            state,
            metadata_options,
            instance_type: instance_type.into(),
            availability_zone: zone.map(Into::into),
            vpc_id: vpc.map(Into::into),
            image_id: image.map(Into::into),
            launch_time: days
                .map(|days| Timestamp::from_second(NOW - days * 43_200).expect("a valid second")),
            iam_instance_profile: profile.map(Into::into),
            operator: operator.map(Into::into),
            tags,
            ..testing::instance_in(SourceKey::new(account, region), &id)
        };
        let alias = if account.starts_with('1') { "payments-prod" } else { account };
        let verdict = judge(instance.metadata_options.as_ref(), freshness);
        FleetRow { instance: Arc::new(instance), alias: alias.into(), verdict, policy: Arc::new(policy) }
    })
}

/// A fleet without two instances of one key.
pub(crate) fn fleet() -> impl Strategy<Value = Vec<FleetRow>> {
    prop::collection::vec(row(), 0..80).prop_map(|rows| {
        let mut seen = std::collections::HashSet::new();
        rows.into_iter().filter(|row| seen.insert(row.instance.key.clone())).collect()
    })
}

/// A query over the values that the fleets have, and some that they lack.
pub(crate) fn query() -> impl Strategy<Value = String> {
    let term = pick(&[
        "web",
        "WEB-1",
        "web*1",
        "*",
        "e",
        "i-0",
        "payments,micro",
        "\"a b\"",
        "\"team=payments\"",
        "STRASSE,straße",
        "\"a=b=x=y\"",
        "absent",
        "state:running,stopped",
        "verdict:safe",
        "verdict:unknown,allows-v1",
        "tokens:optional",
        "tokens:none",
        "endpoint:disabled",
        "ipv6:none,enabled",
        "mdtags:disabled",
        "options:pending",
        "policy:fail",
        "policy:pass,undefined",
        "severity:critical",
        "severity:low,info",
        "managed:yes",
        "managed:no",
        "account:111111111111",
        "account:payments-*",
        "region:eu-west-1",
        "region:EU-*",
        "region:*west*",
        "type:m7g.*",
        "type:m7g.large,t3.micro",
        "type:large",
        "id:i-0a*",
        "name:web",
        "name:w*0",
        "name:*",
        "az:*a",
        "vpc:vpc-1",
        "image:*",
        "asg:payments",
        "profile:web",
        "profile:*/db",
        "profile:db,*111:instance-profile/web",
        "rule:hop-limit",
        "rule:imds*",
        "tag:team",
        "tag:*e*,\"a=b\"",
        "tag:TEAM=payments",
        "tag:team=\"\"",
        "tag:\"a=b\"=x=y",
        "tag:t*=*pay*,web-1",
        "hop:2",
        "hop:>1,1",
        "hop:<=3",
        "age:>2d",
        "age:<36h,>1w",
    ])
    .prop_map(str::to_owned);
    term.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            2 => prop::collection::vec(inner.clone(), 2..4).prop_map(|terms| format!("({})", terms.join(" "))),
            1 => prop::collection::vec(inner.clone(), 2..4).prop_map(|terms| format!("({})", terms.join(" OR "))),
            1 => inner.prop_map(|term| format!("NOT {term}")),
        ]
    })
}
