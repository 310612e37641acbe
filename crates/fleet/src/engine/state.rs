//! What is known of each source in memory; changed under one lock, never while waiting for anything.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::instance::{Instance, SourceKey, Text};
use domain::list::FleetRow;
use domain::policy::PolicyOutcome;
use domain::source::SourceStatus;
use jiff::{SignedDuration, Timestamp};

use crate::aws::RegionClients;
use crate::config::Account;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) accounts: BTreeMap<String, Account>,
    pub(super) clients: BTreeMap<SourceKey, Arc<RegionClients>>,
    pub(super) sources: BTreeMap<SourceKey, SourceData>,
    pub(super) view_revision: i64,
}

/// The last good copy of one source.
#[derive(Debug)]
pub(super) struct SourceData {
    pub(super) status: SourceStatus,
    /// Sorted by instance id.
    pub(super) instances: Arc<[Arc<Instance>]>,
    /// One for each instance, in the same order.
    pub(super) outcomes: Vec<Arc<PolicyOutcome>>,
    /// The store's revision of the copy; 0 for one that was never stored.
    pub(super) revision: i64,
}

impl SourceData {
    pub(super) fn new(status: SourceStatus) -> SourceData {
        SourceData { status, instances: Arc::from([]), outcomes: Vec::new(), revision: 0 }
    }

    /// Takes a new copy. Outcomes are kept for instances that did not change, until they are evaluated again.
    pub(super) fn take(&mut self, instances: Arc<[Arc<Instance>]>, revision: i64) {
        let not_evaluated = Arc::new(PolicyOutcome::NotEvaluated);
        self.outcomes = instances
            .iter()
            .map(|instance| match self.position(instance) {
                Some(position) if self.instances[position] == *instance => self.outcomes[position].clone(),
                _ => not_evaluated.clone(),
            })
            .collect();
        self.instances = instances;
        self.revision = revision;
        self.status.instance_count = self.instances.len() as u32;
    }

    fn position(&self, instance: &Instance) -> Option<usize> {
        self.instances.binary_search_by(|known| known.key.instance_id.cmp(&instance.key.instance_id)).ok()
    }
}

impl State {
    /// The source's data, made where it is new.
    pub(super) fn source(&mut self, key: &SourceKey, alias: &str) -> &mut SourceData {
        self.sources
            .entry(key.clone())
            .or_insert_with(|| SourceData::new(SourceStatus::new(key.clone(), alias.to_owned())))
    }

    /// Replaces or adds one instance that was read again.
    pub(super) fn replace(&mut self, instance: Arc<Instance>, outcome: Arc<PolicyOutcome>) {
        let Some(data) = self.sources.get_mut(&instance.key.source) else { return };
        let mut instances = data.instances.to_vec();
        match data.instances.binary_search_by(|known| known.key.instance_id.cmp(&instance.key.instance_id)) {
            Ok(position) => {
                instances[position] = instance;
                data.outcomes[position] = outcome;
            }
            Err(position) => {
                instances.insert(position, instance);
                data.outcomes.insert(position, outcome);
            }
        }
        data.instances = instances.into();
    }

    pub(super) fn rows(&self, now: Timestamp, stale_after: SignedDuration) -> Vec<FleetRow> {
        let total = self.sources.values().map(|data| data.instances.len()).sum();
        let mut rows = Vec::with_capacity(total);
        for data in self.sources.values() {
            let freshness = data.status.freshness(now, stale_after);
            let alias: Text = data.status.alias.as_str().into();
            let pairs = data.instances.iter().zip(&data.outcomes);
            rows.extend(pairs.map(|(instance, outcome)| super::row(instance, &alias, freshness, outcome)));
        }
        rows
    }

    pub(super) fn statuses(&self) -> Vec<SourceStatus> {
        self.sources.values().map(|data| data.status.clone()).collect()
    }
}
