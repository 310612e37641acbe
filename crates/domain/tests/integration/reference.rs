//! The query language and the orders spelled out naively, over one instance at a time: slow, and plain to read.

use std::cmp::Ordering;

use domain::instance::{HttpTokens, OptionsState, Toggle};
use domain::list::{Column, FleetRow, Sort};
use domain::query::{Expr, Facet, Field, Pattern, Query, Term};

use super::fleets::NOW;

/// The ids of the instances that match, in order.
pub(crate) fn select(rows: &[FleetRow], query: &Query, sort: Sort) -> Vec<String> {
    let mut matching: Vec<&FleetRow> = rows.iter().filter(|row| matches(query.expr(), row)).collect();
    matching.sort_by(|left, right| {
        compare(left, right, sort).then_with(|| left.instance.key.cmp(&right.instance.key))
    });
    matching.into_iter().map(|row| row.instance.key.to_string()).collect()
}

fn matches(expr: &Expr, row: &FleetRow) -> bool {
    match expr {
        Expr::All(members) => members.iter().all(|member| matches(member, row)),
        Expr::Any(members) => members.iter().any(|member| matches(member, row)),
        Expr::Not(inner) => !matches(inner, row),
        Expr::Term(term) => matches_term(term, row),
    }
}

fn matches_term(term: &Term, row: &FleetRow) -> bool {
    let instance = &row.instance;
    let options = instance.metadata_options.unwrap_or_default();
    match term {
        Term::Text(patterns) => {
            let texts = searched(row);
            patterns.iter().any(|pattern| texts.iter().any(|text| contains(pattern, text)))
        }
        Term::Field { field: Field::Name, values } => {
            instance.name().is_some_and(|name| values.iter().any(|value| contains(value, name)))
        }
        Term::Field { field, values } => {
            field_texts(*field, row).iter().any(|text| values.iter().any(|value| equals(value, text)))
        }
        Term::Facet { facet, values } => facet_values(*facet, row)
            .into_iter()
            .any(|value| values.contains(facet.position(value).expect("a value of the facet"))),
        Term::TagExists(keys) => instance.tags.iter().any(|tag| keys.iter().any(|key| equals(key, &tag.key))),
        Term::TagIs { key, values } => instance
            .tags
            .iter()
            .any(|tag| equals(key, &tag.key) && values.iter().any(|value| equals(value, &tag.value))),
        Term::Hop(tests) => options
            .http_put_response_hop_limit
            .is_some_and(|hops| tests.iter().any(|test| test.comparison.holds(hops, test.hop_limit))),
        Term::Age(tests) => instance
            .launch_time
            .is_some_and(|launched| tests.iter().any(|test| test.holds(NOW - launched.as_second()))),
    }
}

fn searched(row: &FleetRow) -> Vec<String> {
    let fields = [
        Field::Id,
        Field::Account,
        Field::Region,
        Field::AvailabilityZone,
        Field::InstanceType,
        Field::Vpc,
        Field::Image,
        Field::AutoScalingGroup,
    ];
    let instance = &row.instance;
    let mut texts: Vec<String> = fields.into_iter().flat_map(|field| field_texts(field, row)).collect();
    texts.extend(instance.name().map(str::to_owned));
    texts.extend(instance.iam_instance_profile.as_deref().map(str::to_owned));
    texts.extend(instance.tags.iter().map(|tag| format!("{}={}", tag.key, tag.value)));
    texts
}

fn field_texts(field: Field, row: &FleetRow) -> Vec<String> {
    let instance = &row.instance;
    let optional = |text: Option<&str>| text.map(str::to_owned).into_iter().collect::<Vec<_>>();
    match field {
        Field::Id => vec![instance.key.instance_id.to_string()],
        Field::Name => optional(instance.name()),
        Field::Account => vec![instance.key.source.account.to_string(), row.alias.to_string()],
        Field::Region => vec![instance.key.source.region.to_string()],
        Field::AvailabilityZone => optional(instance.availability_zone.as_deref()),
        Field::InstanceType => vec![instance.instance_type.to_string()],
        Field::Vpc => optional(instance.vpc_id.as_deref()),
        Field::Image => optional(instance.image_id.as_deref()),
        Field::AutoScalingGroup => optional(instance.auto_scaling_group()),
        Field::Profile => {
            let arn = instance.iam_instance_profile.as_deref();
            let name = arn.map(|arn| arn.split('/').next_back().expect("splitting gives one at least"));
            [optional(arn), optional(name)].concat()
        }
        Field::Rule => row.policy.violations().iter().map(|violation| violation.rule.clone()).collect(),
    }
}

fn facet_values(facet: Facet, row: &FleetRow) -> Vec<&'static str> {
    let options = row.instance.metadata_options.unwrap_or_default();
    let toggle = |value: Option<Toggle>| vec![value.map_or("none", Toggle::as_str)];
    match facet {
        Facet::State => vec![row.instance.state.as_str()],
        Facet::Verdict => vec![row.verdict.kind()],
        Facet::Tokens => vec![options.http_tokens.map_or("none", HttpTokens::as_str)],
        Facet::Endpoint => toggle(options.http_endpoint),
        Facet::Ipv6 => toggle(options.http_protocol_ipv6),
        Facet::MetadataTags => toggle(options.instance_metadata_tags),
        Facet::Options => vec![options.state.map_or("none", OptionsState::as_str)],
        Facet::Policy => vec![row.policy.kind()],
        Facet::Severity => {
            row.policy.violations().iter().map(|violation| violation.severity.as_str()).collect()
        }
        Facet::Managed => vec![if row.instance.is_managed() { "yes" } else { "no" }],
    }
}

fn fold(text: &str) -> Vec<char> {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// The pattern as characters, with `None` for a wildcard.
fn glob(pattern: &Pattern) -> Vec<Option<char>> {
    let parts: Vec<Vec<Option<char>>> =
        pattern.parts().iter().map(|part| fold(part).into_iter().map(Some).collect()).collect();
    parts.join(&None)
}

fn equals(pattern: &Pattern, text: &str) -> bool {
    glob_matches(&glob(pattern), &fold(text))
}

fn contains(pattern: &Pattern, text: &str) -> bool {
    let around = [vec![None], glob(pattern), vec![None]].concat();
    glob_matches(&around, &fold(text))
}

fn glob_matches(glob: &[Option<char>], text: &[char]) -> bool {
    match glob.split_first() {
        None => text.is_empty(),
        Some((None, rest)) => (0..=text.len()).any(|skipped| glob_matches(rest, &text[skipped..])),
        Some((Some(character), rest)) => text.first() == Some(character) && glob_matches(rest, &text[1..]),
    }
}

/// A value that orders; `None` comes last in both directions.
fn compare(left: &FleetRow, right: &FleetRow, sort: Sort) -> Ordering {
    match (sort_value(left, sort.column), sort_value(right, sort.column)) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(left), Some(right)) if sort.descending => right.cmp(&left),
        (Some(left), Some(right)) => left.cmp(&right),
    }
}

fn sort_value(row: &FleetRow, column: Column) -> Option<(i64, Vec<char>)> {
    let instance = &row.instance;
    let options = instance.metadata_options.unwrap_or_default();
    let text = |text: Option<&str>| text.map(|text| (0, fold(text)));
    let number = |number: Option<i64>| number.map(|number| (number, Vec::new()));
    match column {
        Column::Name => text(instance.name()),
        Column::InstanceId => text(Some(&instance.key.instance_id)),
        Column::Account => text(Some(&row.alias)),
        Column::Region => text(Some(&instance.key.source.region)),
        Column::State => number(Some(instance.state as i64)),
        Column::InstanceType => text(Some(&instance.instance_type)),
        Column::AvailabilityZone => text(instance.availability_zone.as_deref()),
        Column::Verdict => number(Some(row.verdict.rank().into())),
        Column::HttpTokens => number(options.http_tokens.map(|tokens| tokens as i64)),
        Column::HttpEndpoint => number(options.http_endpoint.map(|endpoint| endpoint as i64)),
        Column::HopLimit => number(options.http_put_response_hop_limit.map(i64::from)),
        Column::Policy => number(Some(row.policy.rank().into())),
        Column::LaunchTime => number(instance.launch_time.map(|time| time.as_second())),
        Column::AutoScalingGroup => text(instance.auto_scaling_group()),
        Column::ImageId => text(instance.image_id.as_deref()),
        Column::VpcId => text(instance.vpc_id.as_deref()),
    }
}
