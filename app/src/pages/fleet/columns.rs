//! The columns of the fleet list: which are shown, how wide, and what a row shows in each.

use domain::list::Column;
use domain::wire::ListRow;
use leptos::prelude::*;

use crate::format::joined;
use crate::paths;
use crate::ui::{PolicyPill, Time, VerdictPill};

/// What is shown when the URL names no columns. The name stands for the instance: its cell holds the id too.
pub(crate) const DEFAULT: [Column; 8] = [
    Column::Name,
    Column::Account,
    Column::Region,
    Column::State,
    Column::InstanceType,
    Column::Verdict,
    Column::HopLimit,
    Column::Policy,
];

/// The columns that can be shown or hidden: the instance always is shown.
pub(crate) fn choices() -> impl Iterator<Item = Column> {
    Column::ALL.into_iter().filter(|column| !matches!(column, Column::Name | Column::InstanceId))
}

/// The columns that the URL names, in its order; unknown names are passed over, and the instance always comes first.
pub(crate) fn parse(names: &str) -> Vec<Column> {
    if names.is_empty() {
        return DEFAULT.to_vec();
    }
    let mut columns = vec![Column::Name];
    for column in names.split(',').filter_map(Column::parse) {
        if column != Column::InstanceId && !columns.contains(&column) {
            columns.push(column);
        }
    }
    columns
}

/// The columns as the URL names them; empty for the default, so that it has the plain URL.
pub(crate) fn names(columns: &[Column]) -> String {
    if columns == DEFAULT {
        return String::new();
    }
    columns.iter().map(|column| column.as_str()).collect::<Vec<_>>().join(",")
}

/// The columns with `column` shown or hidden, in the order of [`Column::ALL`].
pub(crate) fn toggled(columns: &[Column], column: Column) -> Vec<Column> {
    let mut shown = vec![Column::Name];
    shown.extend(choices().filter(|known| columns.contains(known) != (*known == column)));
    shown
}

/// The narrowest and the widest that a column can be made, in pixels.
pub(crate) const NARROWEST: i32 = 48;
pub(crate) const WIDEST: i32 = 900;

/// The width that was chosen for the column among `widths`, such as `name:300,region:96`.
pub(crate) fn chosen(widths: &str, column: Column) -> Option<i32> {
    let width = widths.split(',').find_map(|one| one.strip_prefix(column.as_str())?.strip_prefix(':'))?;
    Some(width.parse::<i32>().ok()?.clamp(NARROWEST, WIDEST))
}

/// The widths with the column's changed, to automatic where there is none.
pub(crate) fn resized(widths: &str, column: Column, width: Option<i32>) -> String {
    let name = joined(&[column.as_str(), ":"]);
    let mut kept: Vec<&str> =
        widths.split(',').filter(|one| !one.is_empty() && !one.starts_with(&name)).collect();
    let chosen = width.map(|width| joined(&[&name, &width.clamp(NARROWEST, WIDEST).to_string()]));
    kept.extend(chosen.as_deref());
    kept.join(",")
}

/// The grid's column template, behind the column of check boxes, and its least width.
pub(crate) fn template(columns: &[Column], widths: &str) -> (String, String) {
    let mut template = String::from("40px");
    let mut least = 40;
    for column in columns {
        let (automatic, share) = width(*column);
        let chosen = chosen(widths, *column);
        let width = chosen.unwrap_or(automatic);
        least += width;
        let width = joined(&[&width.to_string(), "px"]);
        template.push_str(&match chosen {
            Some(_) => joined(&[" ", &width]),
            None => joined(&[" minmax(", &width, ",", &share.to_string(), "fr)"]),
        });
    }
    (template, joined(&[&least.to_string(), "px"]))
}

/// The words above the column.
pub(crate) fn label(column: Column) -> &'static str {
    if column == Column::Name { "Instance" } else { column.label() }
}

pub(crate) fn class(column: Column) -> &'static str {
    match column {
        Column::Name | Column::InstanceId => "cell name",
        Column::HopLimit => "cell num",
        Column::Verdict | Column::Policy => "cell",
        Column::Account
        | Column::Region
        | Column::State
        | Column::InstanceType
        | Column::AvailabilityZone
        | Column::HttpTokens
        | Column::HttpEndpoint
        | Column::LaunchTime
        | Column::AutoScalingGroup
        | Column::ImageId
        | Column::VpcId => "cell mut",
    }
}

/// The least width in pixels of a column whose width was not chosen.
pub(crate) fn least(column: Column) -> i32 {
    width(column).0
}

/// The least width in pixels, and the share of what is left over.
fn width(column: Column) -> (i32, i32) {
    match column {
        Column::Name | Column::InstanceId => (220, 4),
        Column::Verdict => (232, 3),
        Column::Account => (120, 3),
        Column::AutoScalingGroup | Column::ImageId | Column::VpcId => (140, 3),
        Column::Region | Column::InstanceType | Column::AvailabilityZone | Column::LaunchTime => (116, 2),
        Column::Policy => (136, 2),
        Column::State | Column::HttpTokens | Column::HttpEndpoint => (96, 2),
        Column::HopLimit => (76, 1),
    }
}

/// What `row` shows in the column.
pub(crate) fn cell(column: Column, row: &ListRow) -> AnyView {
    let text = |text: &str| text.to_owned().into_any();
    let optional = |value: Option<&str>| value.unwrap_or("–").to_owned().into_any();
    match column {
        Column::Name | Column::InstanceId => {
            let href = paths::instance(&row.account, &row.region, &row.instance_id);
            let name = if row.name.is_empty() { "no name" } else { &row.name };
            view! {
                <a href=href tabindex="-1" class:mut=row.name.is_empty()>{name.to_owned()}</a>
                <small class="mono">{row.instance_id.clone()}</small>
            }
            .into_any()
        }
        Column::Account => view! { <span title=row.account.clone()>{row.alias.clone()}</span> }.into_any(),
        Column::Region => text(&row.region),
        Column::State => text(row.state.as_str()),
        Column::InstanceType => text(&row.instance_type),
        Column::AvailabilityZone => optional(row.availability_zone.as_deref()),
        Column::Verdict => {
            view! { <VerdictPill verdict=row.verdict managed=row.operator.is_some() /> }.into_any()
        }
        Column::HttpTokens => optional(row.http_tokens.map(|tokens| tokens.as_str())),
        Column::HttpEndpoint => optional(row.http_endpoint.map(|endpoint| endpoint.as_str())),
        Column::HopLimit => match row.hop_limit {
            Some(hops) => hops.to_string().into_any(),
            None => text("–"),
        },
        Column::Policy => {
            view! { <PolicyPill kind=row.policy.clone() violations=row.violations /> }.into_any()
        }
        Column::LaunchTime => match row.launch_time {
            Some(at) => view! { <Time at /> }.into_any(),
            None => text("–"),
        },
        Column::AutoScalingGroup => optional(row.auto_scaling_group.as_deref()),
        Column::ImageId => optional(row.image_id.as_deref()),
        Column::VpcId => optional(row.vpc_id.as_deref()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_round_trip_through_the_url() {
        let columns = vec![Column::Name, Column::HopLimit, Column::VpcId];
        assert_eq!(names(&columns), "name,hop,vpc");
        assert_eq!(parse(&names(&columns)), columns);
        assert_eq!(parse("vpc,nonsense,vpc,id"), [Column::Name, Column::VpcId]);
        assert_eq!(parse(""), DEFAULT);
        assert_eq!(names(&DEFAULT), "");
    }

    #[test]
    fn a_column_is_added_in_its_place() {
        let columns = [Column::Name, Column::HopLimit];
        assert_eq!(toggled(&columns, Column::State), [Column::Name, Column::State, Column::HopLimit]);
        assert_eq!(toggled(&columns, Column::HopLimit), [Column::Name]);
    }

    #[test]
    fn the_template_has_a_least_width() {
        let columns = [Column::Name, Column::HopLimit];
        let (automatic, least) = template(&columns, "");
        assert_eq!(automatic, "40px minmax(220px,4fr) minmax(76px,1fr)");
        assert_eq!(least, "336px");
        let (chosen, least) = template(&columns, "name:300,hop:nonsense");
        assert_eq!(chosen, "40px 300px minmax(76px,1fr)");
        assert_eq!(least, "416px");
    }

    #[test]
    fn a_width_is_chosen_within_bounds_and_given_up_again() {
        let widths = resized("", Column::Name, Some(300));
        let widths = resized(&widths, Column::Region, Some(-7));
        assert_eq!(widths, "name:300,region:48");
        let widths = resized(&widths, Column::Name, Some(5_000));
        assert_eq!(widths, "region:48,name:900");
        assert_eq!(chosen(&widths, Column::Region), Some(48));
        assert_eq!(chosen(&widths, Column::Verdict), None);
        assert_eq!(chosen("name:9999", Column::Name), Some(900));
        assert_eq!(resized(&widths, Column::Region, None), "name:900");
    }
}
