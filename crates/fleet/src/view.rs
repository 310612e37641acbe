//! The view that every list is answered from: immutable once built, and swapped as a whole.

use std::collections::BTreeMap;

use domain::instance::{InstanceKey, SourceKey};
use domain::list::{FleetIndex, FleetRow};
use domain::source::SourceStatus;
use domain::summary::{Summary, by_source};
use domain::wire::{ListRow, SourceRow};
use jiff::{SignedDuration, Timestamp};

/// All that is known of the fleet at one moment.
#[derive(Debug)]
pub struct FleetView {
    pub index: FleetIndex,
    /// By key, with the counts of each.
    pub sources: BTreeMap<SourceKey, SourceRow>,
    /// The sum over all sources.
    pub summary: Summary,
    /// Grows with each view of this process.
    pub revision: i64,
    pub built_at: Timestamp,
    /// The oldest successful read; `None` before the first.
    pub as_of: Option<Timestamp>,
}

impl FleetView {
    pub(crate) fn empty(now: Timestamp) -> FleetView {
        FleetView::build(Vec::new(), Vec::new(), SignedDuration::ZERO, 0, now)
    }

    /// Builds the index over `rows` and counts them per source.
    pub(crate) fn build(
        rows: Vec<FleetRow>,
        statuses: Vec<SourceStatus>,
        stale_after: SignedDuration,
        revision: i64,
        now: Timestamp,
    ) -> FleetView {
        let mut counts = by_source(&rows);
        let summary = Summary::of(&rows);
        let as_of = statuses.iter().filter_map(|status| status.last_success).min();
        let sources = statuses
            .into_iter()
            .map(|status| {
                let key = status.key.clone();
                let state = status.state(now, stale_after);
                let summary = counts.remove(&key).unwrap_or_default();
                (key, SourceRow { status, state, summary })
            })
            .collect();
        FleetView { index: FleetIndex::build(rows), sources, summary, revision, built_at: now, as_of }
    }

    /// The view of somebody who sees only some of the sources: counts, values and lists are of those alone.
    pub fn within(&self, sees: impl Fn(&SourceStatus) -> bool) -> FleetView {
        let sources: BTreeMap<SourceKey, SourceRow> = self
            .sources
            .iter()
            .filter(|(_, source)| sees(&source.status))
            .map(|(key, source)| (key.clone(), source.clone()))
            .collect();
        let rows: Vec<FleetRow> = self
            .index
            .rows()
            .iter()
            .filter(|row| sources.contains_key(&row.instance.key.source))
            .cloned()
            .collect();
        FleetView {
            summary: Summary::of(&rows),
            as_of: sources.values().filter_map(|source| source.status.last_success).min(),
            index: FleetIndex::build(rows),
            sources,
            revision: self.revision,
            built_at: self.built_at,
        }
    }

    pub fn row(&self, key: &InstanceKey) -> Option<&FleetRow> {
        self.index.get(key)
    }
}

/// The projection of one row that lists and exports show.
pub fn list_row(row: &FleetRow) -> ListRow {
    let instance = &row.instance;
    let options = instance.metadata_options.unwrap_or_default();
    ListRow {
        account: instance.key.source.account.to_string(),
        alias: row.alias.to_string(),
        region: instance.key.source.region.to_string(),
        instance_id: instance.key.instance_id.to_string(),
        name: instance.name().unwrap_or_default().to_owned(),
        state: instance.state,
        instance_type: instance.instance_type.to_string(),
        availability_zone: instance.availability_zone.as_deref().map(str::to_owned),
        verdict: row.verdict,
        http_tokens: options.http_tokens,
        http_endpoint: options.http_endpoint,
        hop_limit: options.http_put_response_hop_limit,
        policy: row.policy.kind().to_owned(),
        violations: row.policy.violations().len() as u32,
        launch_time: instance.launch_time,
        auto_scaling_group: instance.auto_scaling_group().map(str::to_owned),
        image_id: instance.image_id.as_deref().map(str::to_owned),
        vpc_id: instance.vpc_id.as_deref().map(str::to_owned),
        operator: instance.operator.as_deref().map(str::to_owned),
    }
}
