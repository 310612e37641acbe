//! Follows the store's events: takes in what other replicas collected, and tells this process's listeners in the store's order.

use std::sync::Arc;
use std::time::Duration;

use domain::instance::SourceKey;
use domain::wire::Moved;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use store::{
    CHANGE_EVENT, ChangeEvent, DELIVERY_EVENT, DeliveryEvent, GITOPS_EVENT, GitopsEvent, StoredEvent,
};
use tokio_util::sync::CancellationToken;

use super::intake::read_began;
use super::{Fleet, Notice};
use crate::error::FleetError;

/// The kind of the event that a source's new copy is told by.
pub(super) const FLEET_EVENT: &str = "fleet";

/// How long another replica's event may wait. One's own are told at once.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How often staleness is looked at where nothing else moves.
const STALENESS_INTERVAL: Duration = Duration::from_secs(15);
const PRUNE_INTERVAL: Duration = Duration::from_secs(3_600);
const EVENTS_AT_ONCE: u32 = 500;

#[derive(Deserialize)]
struct FleetEvent {
    account: String,
    region: String,
}

/// The source that a fleet event is about.
fn fleet_event(event: &StoredEvent) -> Option<SourceKey> {
    if event.kind != FLEET_EVENT {
        return None;
    }
    let FleetEvent { account, region } = serde_json::from_str(&event.payload).ok()?;
    Some(SourceKey::new(account, region))
}

/// What an event says; `None` where a newer version wrote it.
fn payload<T: DeserializeOwned>(event: &StoredEvent) -> Option<T> {
    serde_json::from_str(&event.payload)
        .inspect_err(|error| tracing::warn!(event.seq, %error, "an event cannot be read; left out"))
        .ok()
}

impl Fleet {
    /// Follows the events after `seq` until `shutdown`; without a number, those from the first answer of the store on.
    pub(super) async fn follow_until(self: &Arc<Fleet>, mut seq: Option<i64>, shutdown: CancellationToken) {
        let mut last_staleness = tokio::time::Instant::now();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.events_waiting.notified() => {}
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
            }
            match self.follow_once(seq).await {
                Ok(next) => seq = Some(next),
                Err(error) => tracing::error!(%error, "the store's events cannot be read; trying again"),
            }
            if last_staleness.elapsed() >= STALENESS_INTERVAL {
                last_staleness = tokio::time::Instant::now();
                self.republish_if_stale().await;
            }
        }
    }

    /// Takes in the events after `seq` (`None`: only those from now on) and answers the last one's number.
    async fn follow_once(&self, seq: Option<i64>) -> Result<i64, FleetError> {
        let Some(mut seq) = seq else { return Ok(self.store.last_event_seq().await?) };
        loop {
            let events = self.store.events_after(seq, EVENTS_AT_ONCE).await?;
            let Some(last) = events.last() else { return Ok(seq) };
            let end = last.seq;
            for event in &events {
                self.take_event(event).await?;
            }
            seq = end;
        }
    }

    /// Tells listeners what the event says, after taking in what it is about.
    async fn take_event(&self, event: &StoredEvent) -> Result<(), FleetError> {
        if let Some(key) = fleet_event(event) {
            self.follow_source(&key).await?;
        }
        if let Some(moved) = self.moved(event) {
            self.notify(Some(event.seq), moved);
        }
        Ok(())
    }

    /// What a listener that has seen everything up to `seq` missed, oldest first.
    pub async fn notices_after(&self, seq: i64) -> Result<Vec<Notice>, FleetError> {
        let events = self.store.events_after(seq, EVENTS_AT_ONCE).await?;
        let mut notices: Vec<Notice> = events
            .iter()
            .filter_map(|event| Some(Notice { seq: Some(event.seq), moved: self.moved(event)? }))
            .collect();
        // One look at the fleet's view is as good as many.
        let last_fleet = notices.iter().rposition(|notice| matches!(notice.moved, Moved::Fleet { .. }));
        let mut position = 0;
        notices.retain(|notice| {
            position += 1;
            !matches!(notice.moved, Moved::Fleet { .. }) || Some(position - 1) == last_fleet
        });
        Ok(notices)
    }

    /// The event as listeners get it; `None` for one that a newer version wrote.
    fn moved(&self, event: &StoredEvent) -> Option<Moved> {
        match event.kind.as_str() {
            FLEET_EVENT => Some(Moved::Fleet { revision: self.view().revision }),
            CHANGE_EVENT => {
                let ChangeEvent { id, key, status } = payload(event)?;
                Some(Moved::Change { id, key, status })
            }
            DELIVERY_EVENT => {
                let DeliveryEvent { services } = payload(event)?;
                Some(Moved::Delivery { services: services.into_iter().collect() })
            }
            GITOPS_EVENT => {
                let GitopsEvent { id, .. } = payload(event)?;
                Some(Moved::Gitops { operation: Some(id) })
            }
            _ => None,
        }
    }

    /// Takes in what another replica collected; does nothing for what this process did.
    async fn follow_source(&self, key: &SourceKey) -> Result<(), FleetError> {
        let before = self.state().sources.get(key).map(|data| data.revision);
        let theirs = self.store.source_statuses().await?.into_iter().find(|status| status.key == *key);
        self.load_snapshot(key, theirs.as_ref().and_then(read_began)).await?;
        let after = self.state().sources.get(key).map(|data| data.revision);
        let newer = {
            let mut state = self.state();
            match (state.sources.get_mut(key), theirs) {
                (Some(data), Some(theirs)) if theirs.last_attempt > data.status.last_attempt => {
                    // Whether changes are possible is this process's own configuration.
                    let changes_disabled = data.status.changes_disabled.take();
                    data.status = theirs;
                    data.status.changes_disabled = changes_disabled;
                    true
                }
                _ => false,
            }
        };
        if before != after {
            self.evaluate(key).await;
        }
        if before != after || newer {
            self.publish().await;
        }
        Ok(())
    }

    /// Builds the view anew when a source went stale since it was built.
    async fn republish_if_stale(&self) {
        let now = Timestamp::now();
        let stale_after = self.config.stale_after;
        let view = self.view();
        let moved: Vec<_> = view
            .sources
            .values()
            .filter(|source| source.status.state(now, stale_after) != source.state)
            .collect();
        for source in &moved {
            let state = source.status.state(now, stale_after);
            if let Err(error) = self.alert_stale(&source.status, state, now).await {
                tracing::error!(source = %source.status.key, %error, "a stale source could not be queued to be told");
            }
        }
        if !moved.is_empty() {
            self.publish().await;
            self.notify(None, Moved::Fleet { revision: self.view().revision });
        }
    }

    /// Removes what is older than the configured retention, every hour, until `shutdown`.
    pub(super) async fn prune_until(self: &Arc<Fleet>, shutdown: CancellationToken) {
        loop {
            match self.store.prune(Timestamp::now(), &self.config.retention).await {
                Ok(pruned) => tracing::debug!(?pruned, "old rows are removed"),
                Err(error) => {
                    tracing::error!(%error, "old rows could not be removed; trying again in an hour")
                }
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(PRUNE_INTERVAL) => {}
            }
        }
    }
}
