//! Messages for the configured receivers: instances that newly allow IMDSv1, and sources that went stale. They are queued in
//! the store, where each is told once however many replicas see it.

use std::sync::Arc;

use domain::instance::{Instance, SourceKey};
use domain::source::{SourceState, SourceStatus};
use domain::verdict::{Freshness, Verdict, judge};
use jiff::Timestamp;
use serde_json::json;
use store::NewDelivery;

use super::Fleet;
use crate::error::FleetError;

const NEW_V1_INSTANCES: &str = "new-v1-instances";
const STALE_SOURCE: &str = "stale-source";

/// How many instances one message names; it counts them all.
const NAMED: usize = 100;

impl Fleet {
    /// Queues a message when instances allow IMDSv1 that were not there or did not before.
    pub(super) async fn alert_new_v1(
        &self,
        key: &SourceKey,
        before: &[Arc<Instance>],
        now: &[Arc<Instance>],
        at: Timestamp,
    ) -> Result<(), FleetError> {
        let new = newly_v1(before, now);
        if new.is_empty() {
            return Ok(());
        }
        let named: Vec<_> = new
            .iter()
            .take(NAMED)
            .map(|instance| json!({ "instance_id": instance.key.instance_id, "name": instance.name() }))
            .collect();
        let body = json!({
            "kind": NEW_V1_INSTANCES, "at": at, "account": key.account, "region": key.region,
            "count": new.len(), "instances": named,
        });
        self.queue(NEW_V1_INSTANCES, &format!("{NEW_V1_INSTANCES}/{key}/{at}"), &body, at).await
    }

    /// Queues a message for a source that can no longer be judged.
    pub(super) async fn alert_stale(
        &self,
        status: &SourceStatus,
        state: SourceState,
        now: Timestamp,
    ) -> Result<(), FleetError> {
        if !matches!(state, SourceState::Stale | SourceState::Failed) {
            return Ok(());
        }
        let key = &status.key;
        let since = status.last_success.map_or_else(|| "never".to_owned(), |read| read.to_string());
        let body = json!({
            "kind": STALE_SOURCE, "at": now, "account": key.account, "region": key.region,
            "last_success": status.last_success, "error": status.error,
        });
        self.queue(STALE_SOURCE, &format!("{STALE_SOURCE}/{key}/{since}"), &body, now).await
    }

    async fn queue(
        &self,
        kind: &str,
        dedup_key: &str,
        body: &serde_json::Value,
        at: Timestamp,
    ) -> Result<(), FleetError> {
        for target in &self.config.alert_targets {
            let delivery = NewDelivery {
                dedup_key: format!("{target}/{dedup_key}"),
                target: target.clone(),
                kind: kind.to_owned(),
                body: body.to_string(),
                created_at: at,
            };
            self.store.enqueue_delivery(&delivery).await?;
        }
        Ok(())
    }
}

/// The instances that allow IMDSv1 now and did not before. Both are sorted by id.
fn newly_v1<'a>(before: &[Arc<Instance>], now: &'a [Arc<Instance>]) -> Vec<&'a Instance> {
    let allows = |instance: &Instance| {
        !instance.state.is_terminal()
            && judge(instance.metadata_options.as_ref(), Freshness::Fresh) == Verdict::AllowsV1
    };
    now.iter()
        .map(Arc::as_ref)
        .filter(|instance| allows(instance))
        .filter(|instance| {
            let was = before.binary_search_by(|known| known.key.instance_id.cmp(&instance.key.instance_id));
            !was.is_ok_and(|position| allows(&before[position]))
        })
        .collect()
}
