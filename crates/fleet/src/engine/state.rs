//! What is known of each source in memory; changed under one lock, never while waiting for anything.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
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
    /// Instances that were read one by one, by id, with when that read began: a read of the whole source that began before
    /// knows them less well, however late it ends.
    read_again: HashMap<Text, (Timestamp, Arc<Instance>)>,
}

impl SourceData {
    pub(super) fn new(status: SourceStatus) -> SourceData {
        SourceData {
            status,
            instances: Arc::from([]),
            outcomes: Vec::new(),
            revision: 0,
            read_again: HashMap::new(),
        }
    }

    /// The copy whose read began at `began`, with what was read again since.
    pub(super) fn merged(&self, instances: Arc<[Arc<Instance>]>, began: Timestamp) -> Arc<[Arc<Instance>]> {
        let mut merged = Cow::Borrowed(&*instances);
        for (_, instance) in self.read_again.values().filter(|(at, _)| *at >= began) {
            match position(&merged, &instance.key.instance_id) {
                Ok(position) => merged.to_mut()[position] = instance.clone(),
                Err(position) => merged.to_mut().insert(position, instance.clone()),
            }
        }
        match merged {
            Cow::Borrowed(_) => instances,
            Cow::Owned(merged) => merged.into(),
        }
    }

    /// Takes a new copy, whose read began at `began`. Outcomes are kept for instances that did not change, until they are
    /// evaluated again.
    pub(super) fn take(&mut self, instances: Arc<[Arc<Instance>]>, began: Timestamp, revision: i64) {
        let instances = self.merged(instances, began);
        self.read_again.retain(|_, (at, _)| *at >= began);
        let not_evaluated = Arc::new(PolicyOutcome::NotEvaluated);
        self.outcomes = instances
            .iter()
            .map(|instance| match position(&self.instances, &instance.key.instance_id) {
                Ok(position) if self.instances[position] == *instance => self.outcomes[position].clone(),
                _ => not_evaluated.clone(),
            })
            .collect();
        self.instances = instances;
        self.revision = revision;
        self.status.instance_count = self.instances.len() as u32;
    }

    /// Takes the outcomes of `evaluated`, except for instances that were replaced meanwhile.
    pub(super) fn take_outcomes(&mut self, evaluated: &[Arc<Instance>], outcomes: Vec<Arc<PolicyOutcome>>) {
        for (instance, outcome) in evaluated.iter().zip(outcomes) {
            if let Ok(position) = position(&self.instances, &instance.key.instance_id)
                && Arc::ptr_eq(&self.instances[position], instance)
            {
                self.outcomes[position] = outcome;
            }
        }
    }

    /// Takes in one instance that was read again; that read began at `began`. Answers whether it is another than was known.
    fn take_one(&mut self, instance: Arc<Instance>, began: Timestamp) -> bool {
        let id = &instance.key.instance_id;
        self.read_again.insert(id.clone(), (began, instance.clone()));
        let not_evaluated = Arc::new(PolicyOutcome::NotEvaluated);
        match position(&self.instances, id) {
            Ok(position) if self.instances[position] == instance => return false,
            Ok(position) => {
                let mut instances = self.instances.to_vec();
                instances[position] = instance;
                self.outcomes[position] = not_evaluated;
                self.instances = instances.into();
            }
            Err(position) => {
                let mut instances = self.instances.to_vec();
                instances.insert(position, instance);
                self.outcomes.insert(position, not_evaluated);
                self.instances = instances.into();
            }
        }
        true
    }
}

/// Where the instance is among `instances`, or where it belongs.
fn position(instances: &[Arc<Instance>], instance_id: &str) -> Result<usize, usize> {
    instances.binary_search_by(|known| (*known.key.instance_id).cmp(instance_id))
}

impl State {
    /// The source's data, made where it is new.
    pub(super) fn source(&mut self, key: &SourceKey, alias: &str) -> &mut SourceData {
        self.sources
            .entry(key.clone())
            .or_insert_with(|| SourceData::new(SourceStatus::new(key.clone(), alias.to_owned())))
    }

    /// Takes in one instance that was read again; that read began at `began`. Answers whether it is another than was known.
    pub(super) fn take_one(&mut self, instance: Arc<Instance>, began: Timestamp) -> bool {
        match self.sources.get_mut(&instance.key.source) {
            Some(data) => data.take_one(instance, began),
            None => false,
        }
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
