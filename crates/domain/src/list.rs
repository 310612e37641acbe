//! The fleet as lists are answered from: filtered and sorted by precomputed tables, never by reading every instance.

mod bitset;
mod build;
mod columns;
mod dictionary;
mod select;
mod vocabulary;

use std::sync::Arc;

use self::columns::Columns;
use self::dictionary::{Dictionary, Indexed};
use crate::instance::{Instance, InstanceKey, Text};
use crate::policy::PolicyOutcome;
use crate::query::{Field, Vocabulary};
use crate::verdict::Verdict;

/// One instance with all that a list shows of it.
#[derive(Clone, Debug)]
pub struct FleetRow {
    pub instance: Arc<Instance>,
    /// The account's alias, or its id where it has none.
    pub alias: Text,
    pub verdict: Verdict,
    pub policy: Arc<PolicyOutcome>,
}

/// A column that lists can be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Column {
    Name,
    InstanceId,
    /// By alias.
    Account,
    Region,
    State,
    InstanceType,
    AvailabilityZone,
    /// What needs work first.
    Verdict,
    HttpTokens,
    HttpEndpoint,
    HopLimit,
    /// What needs attention first.
    Policy,
    LaunchTime,
    AutoScalingGroup,
    ImageId,
    VpcId,
}

/// The order of a list. Rows without a value come last in both directions, and equal ones are in the order of their keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sort {
    pub column: Column,
    pub descending: bool,
}

/// The fleet at one moment with its tables; immutable once built.
#[derive(Debug)]
pub struct FleetIndex {
    /// In the order of their keys.
    rows: Vec<FleetRow>,
    columns: Columns,
    dictionary: Dictionary,
}

impl FleetIndex {
    /// An index of nothing.
    pub fn empty() -> FleetIndex {
        FleetIndex::build(Vec::new())
    }

    /// All rows, in the order of their keys; what [`FleetIndex::select`] answers are positions in here.
    pub fn rows(&self) -> &[FleetRow] {
        &self.rows
    }

    pub fn len(&self) -> u32 {
        self.rows.len() as u32
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn get(&self, key: &InstanceKey) -> Option<&FleetRow> {
        let position = self.rows.binary_search_by(|row| row.instance.key.cmp(key)).ok()?;
        self.rows.get(position)
    }

    /// The instances with this id, in whatever accounts and regions.
    pub fn find_id(&self, instance_id: &str) -> impl Iterator<Item = &FleetRow> {
        let positions = self.dictionary.equal_to(Indexed::Field(Field::Id), &crate::query::fold(instance_id));
        positions
            .iter()
            .map(|position| &self.rows[*position as usize])
            .filter(move |row| &*row.instance.key.instance_id == instance_id)
    }

    /// The values that complete a query.
    pub fn vocabulary(&self) -> Vocabulary {
        vocabulary::collect(self)
    }
}

impl Column {
    pub const ALL: [Column; 16] = [
        Column::Name,
        Column::InstanceId,
        Column::Account,
        Column::Region,
        Column::State,
        Column::InstanceType,
        Column::AvailabilityZone,
        Column::Verdict,
        Column::HttpTokens,
        Column::HttpEndpoint,
        Column::HopLimit,
        Column::Policy,
        Column::LaunchTime,
        Column::AutoScalingGroup,
        Column::ImageId,
        Column::VpcId,
    ];

    /// The name in URLs and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Column::Name => "name",
            Column::InstanceId => "id",
            Column::Account => "account",
            Column::Region => "region",
            Column::State => "state",
            Column::InstanceType => "type",
            Column::AvailabilityZone => "az",
            Column::Verdict => "verdict",
            Column::HttpTokens => "tokens",
            Column::HttpEndpoint => "endpoint",
            Column::HopLimit => "hop",
            Column::Policy => "policy",
            Column::LaunchTime => "launched",
            Column::AutoScalingGroup => "asg",
            Column::ImageId => "image",
            Column::VpcId => "vpc",
        }
    }

    pub fn parse(text: &str) -> Option<Column> {
        Column::ALL.into_iter().find(|column| column.as_str() == text)
    }

    /// The words a person reads above the column.
    pub fn label(self) -> &'static str {
        match self {
            Column::Name => "Name",
            Column::InstanceId => "Instance",
            Column::Account => "Account",
            Column::Region => "Region",
            Column::State => "State",
            Column::InstanceType => "Type",
            Column::AvailabilityZone => "Zone",
            Column::Verdict => "Metadata",
            Column::HttpTokens => "Tokens",
            Column::HttpEndpoint => "Endpoint",
            Column::HopLimit => "Hops",
            Column::Policy => "Policy",
            Column::LaunchTime => "Launched",
            Column::AutoScalingGroup => "Auto Scaling group",
            Column::ImageId => "Image",
            Column::VpcId => "VPC",
        }
    }
}

impl Sort {
    /// Reads a column's name, with `-` before it for descending.
    ///
    /// # Errors
    /// The message names the columns.
    pub fn parse(text: &str) -> Result<Sort, String> {
        let (name, descending) = match text.strip_prefix('-') {
            Some(name) => (name, true),
            None => (text, false),
        };
        match Column::parse(name) {
            Some(column) => Ok(Sort { column, descending }),
            None => {
                let columns: Vec<&str> = Column::ALL.into_iter().map(Column::as_str).collect();
                Err(format!("`{name}` is no column to sort by. Columns: {}.", columns.join(", ")))
            }
        }
    }
}

impl Default for Sort {
    fn default() -> Sort {
        Sort { column: Column::Verdict, descending: false }
    }
}

impl std::fmt::Display for Sort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", if self.descending { "-" } else { "" }, self.column.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sort_round_trips_through_its_text_and_is_documented() {
        for column in Column::ALL {
            for descending in [false, true] {
                let sort = Sort { column, descending };
                assert_eq!(Sort::parse(&sort.to_string()), Ok(sort));
            }
        }
        const DOCUMENTATION: &str = include_str!("../../../docs/query.md");
        let order = DOCUMENTATION.split("## Order").nth(1).unwrap_or_default();
        assert!(Column::ALL.into_iter().all(|column| order.contains(&format!("`{}`", column.as_str()))));
        assert!(Sort::parse("--name").is_err());
        assert!(Sort::parse("").is_err_and(|message| message.contains("launched")));
    }
}
