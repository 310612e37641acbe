//! The closed and numeric values of all rows, one small column each.

use super::FleetRow;
use crate::instance::{HttpTokens, InstanceState, OptionsState, Toggle};
use crate::policy::Severity;
use crate::query::Facet;

/// A launch time that is not known.
const NO_LAUNCH: i64 = i64::MIN;

/// One entry per row in each column.
#[derive(Debug, Default)]
pub(super) struct Columns {
    /// Per facet, the row's value as a bit set over [`Facet::values`]: one bit, or any number for `severity`.
    facets: [Vec<u8>; FACETS.len()],
    /// 0 where it is not known: EC2's start at 1.
    hop_limit: Vec<u8>,
    /// Seconds since the epoch.
    launched: Vec<i64>,
    /// The rows with a known launch time, oldest first.
    by_launch: Vec<u32>,
}

const FACETS: [Facet; 10] = [
    Facet::State,
    Facet::Verdict,
    Facet::Tokens,
    Facet::Endpoint,
    Facet::Ipv6,
    Facet::MetadataTags,
    Facet::Options,
    Facet::Policy,
    Facet::Severity,
    Facet::Managed,
];

impl Columns {
    pub(super) fn with_capacity(rows: usize) -> Columns {
        Columns {
            facets: std::array::from_fn(|_| Vec::with_capacity(rows)),
            hop_limit: Vec::with_capacity(rows),
            launched: Vec::with_capacity(rows),
            by_launch: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, row: &FleetRow) {
        for (column, facet) in self.facets.iter_mut().zip(FACETS) {
            column.push(facet_bits(facet, row));
        }
        let options = row.instance.metadata_options.unwrap_or_default();
        self.hop_limit.push(options.http_put_response_hop_limit.unwrap_or(0));
        self.launched.push(row.instance.launch_time.map_or(NO_LAUNCH, |time| time.as_second()));
    }

    /// Sorts by launch time, once all rows are in.
    pub(super) fn finish(&mut self) {
        let mut by_launch: Vec<(i64, u32)> =
            self.launched.iter().copied().zip(0..).filter(|(launched, _)| *launched != NO_LAUNCH).collect();
        by_launch.sort_unstable();
        self.by_launch = by_launch.into_iter().map(|(_, row)| row).collect();
    }

    pub(super) fn facet(&self, facet: Facet) -> &[u8] {
        &self.facets[position(facet)]
    }

    pub(super) fn hop_limit(&self) -> &[u8] {
        &self.hop_limit
    }

    pub(super) fn launched(&self) -> &[i64] {
        &self.launched
    }

    pub(super) fn by_launch(&self) -> &[u32] {
        &self.by_launch
    }

    /// The seconds since a launch, where it is known.
    pub(super) fn age(launched: i64, now: i64) -> Option<i64> {
        (launched != NO_LAUNCH).then(|| now - launched)
    }
}

/// The index into [`Columns::facets`].
fn position(facet: Facet) -> usize {
    match facet {
        Facet::State => 0,
        Facet::Verdict => 1,
        Facet::Tokens => 2,
        Facet::Endpoint => 3,
        Facet::Ipv6 => 4,
        Facet::MetadataTags => 5,
        Facet::Options => 6,
        Facet::Policy => 7,
        Facet::Severity => 8,
        Facet::Managed => 9,
    }
}

fn facet_bits(facet: Facet, row: &FleetRow) -> u8 {
    let options = row.instance.metadata_options.unwrap_or_default();
    // The positions are those of `Facet::values`, which a test holds them to.
    let toggle = |value: Option<Toggle>| match value {
        Some(Toggle::Enabled) => 1,
        Some(Toggle::Disabled) => 1 << 1,
        None => 1 << 2,
    };
    match facet {
        Facet::State => match row.instance.state {
            InstanceState::Pending => 1,
            InstanceState::Running => 1 << 1,
            InstanceState::ShuttingDown => 1 << 2,
            InstanceState::Terminated => 1 << 3,
            InstanceState::Stopping => 1 << 4,
            InstanceState::Stopped => 1 << 5,
        },
        Facet::Verdict => 1 << row.verdict.rank(),
        Facet::Tokens => match options.http_tokens {
            Some(HttpTokens::Optional) => 1,
            Some(HttpTokens::Required) => 1 << 1,
            None => 1 << 2,
        },
        Facet::Endpoint => toggle(options.http_endpoint),
        Facet::Ipv6 => toggle(options.http_protocol_ipv6),
        Facet::MetadataTags => toggle(options.instance_metadata_tags),
        Facet::Options => match options.state {
            Some(OptionsState::Pending) => 1,
            Some(OptionsState::Applied) => 1 << 1,
            None => 1 << 2,
        },
        Facet::Policy => 1 << row.policy.rank(),
        Facet::Severity => row.policy.violations().iter().fold(0, |bits, violation| {
            bits | match violation.severity {
                Severity::Critical => 1,
                Severity::High => 1 << 1,
                Severity::Medium => 1 << 2,
                Severity::Low => 1 << 3,
                Severity::Info => 1 << 4,
            }
        }),
        Facet::Managed => {
            if row.instance.is_managed() {
                1
            } else {
                1 << 1
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_facet_has_its_column_and_its_values_fit() {
        for (index, facet) in FACETS.into_iter().enumerate() {
            assert_eq!(position(facet), index);
            assert!(facet.values().len() <= 8, "{}", facet.name());
        }
    }
}
