//! Counts over a fleet: what the overview, the trend and the sources show.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::instance::SourceKey;
use crate::list::FleetRow;
use crate::policy::{PolicyOutcome, Severity};
use crate::verdict::Verdict;

/// How many instances have which verdict. Terminated ones, and those shutting down, are counted apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// All that are not terminated; the verdicts add up to it.
    pub total: u32,
    /// Enforced or with the endpoint off.
    pub safe: u32,
    pub enforced: u32,
    pub endpoint_disabled: u32,
    pub pending: u32,
    pub allows_v1: u32,
    pub unknown: u32,
    /// Of all that are not terminated, those that a service manages.
    pub managed: u32,
    pub terminated: u32,
}

impl Summary {
    /// Counts `rows`.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a FleetRow>) -> Summary {
        let mut summary = Summary::default();
        rows.into_iter().for_each(|row| summary.count(row));
        summary
    }

    /// The share of instances that are safe, from 0 to 1; `None` where there are no instances. Unknown ones are in the
    /// denominator, so that not knowing never looks better than knowing.
    pub fn share_enforced(&self) -> Option<f64> {
        (self.total > 0).then(|| f64::from(self.safe) / f64::from(self.total))
    }

    /// The counts of two disjoint sets of instances together.
    #[must_use]
    pub fn plus(self, other: Summary) -> Summary {
        Summary {
            total: self.total + other.total,
            safe: self.safe + other.safe,
            enforced: self.enforced + other.enforced,
            endpoint_disabled: self.endpoint_disabled + other.endpoint_disabled,
            pending: self.pending + other.pending,
            allows_v1: self.allows_v1 + other.allows_v1,
            unknown: self.unknown + other.unknown,
            managed: self.managed + other.managed,
            terminated: self.terminated + other.terminated,
        }
    }

    fn count(&mut self, row: &FleetRow) {
        if row.instance.state.is_terminal() {
            self.terminated += 1;
            return;
        }
        self.total += 1;
        self.safe += u32::from(row.verdict.is_safe());
        self.managed += u32::from(row.instance.is_managed());
        match row.verdict {
            Verdict::AllowsV1 => self.allows_v1 += 1,
            Verdict::Unknown(_) => self.unknown += 1,
            Verdict::Pending => self.pending += 1,
            Verdict::Enforced => self.enforced += 1,
            Verdict::EndpointDisabled => self.endpoint_disabled += 1,
        }
    }
}

/// The counts of each account-region that has instances.
pub fn by_source<'a>(rows: impl IntoIterator<Item = &'a FleetRow>) -> BTreeMap<SourceKey, Summary> {
    let mut sources: BTreeMap<SourceKey, Summary> = BTreeMap::new();
    for row in rows {
        let source = &row.instance.key.source;
        match sources.get_mut(source) {
            Some(summary) => summary.count(row),
            None => sources.entry(source.clone()).or_default().count(row),
        }
    }
    sources
}

/// How many instances break a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleCount {
    pub instances: u32,
    /// A rule may grade its violations; an instance counts once under each severity it has.
    pub by_severity: BTreeMap<Severity, u32>,
}

/// The rules that are broken, each by how many instances that are not terminated.
pub fn rule_counts<'a>(rows: impl IntoIterator<Item = &'a FleetRow>) -> BTreeMap<String, RuleCount> {
    let mut rules: BTreeMap<String, RuleCount> = BTreeMap::new();
    for row in counted(rows) {
        let violations = row.policy.violations();
        for (position, violation) in violations.iter().enumerate() {
            let earlier = || violations[..position].iter().filter(|other| other.rule == violation.rule);
            if !rules.contains_key(&violation.rule) {
                rules.insert(violation.rule.clone(), RuleCount::default());
            }
            let Some(count) = rules.get_mut(&violation.rule) else { continue };
            if earlier().next().is_none() {
                count.instances += 1;
            }
            if earlier().all(|other| other.severity != violation.severity) {
                *count.by_severity.entry(violation.severity).or_default() += 1;
            }
        }
    }
    rules
}

/// Instances that are not terminated per policy outcome, in the order of [`PolicyOutcome::KINDS`], zeros included.
pub fn outcome_counts<'a>(rows: impl IntoIterator<Item = &'a FleetRow>) -> Vec<(String, u32)> {
    let mut counts = [0; PolicyOutcome::KINDS.len()];
    for row in counted(rows) {
        counts[usize::from(row.policy.rank())] += 1;
    }
    PolicyOutcome::KINDS.iter().map(|kind| (*kind).to_owned()).zip(counts).collect()
}

fn counted<'a>(rows: impl IntoIterator<Item = &'a FleetRow>) -> impl Iterator<Item = &'a FleetRow> {
    rows.into_iter().filter(|row| !row.instance.state.is_terminal())
}
