//! Keeps each source current: one task per account-region, one collector per source among all replicas.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::instance::SourceKey;
use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use store::Lease;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Fleet;
use crate::collect::collect;
use crate::error::FleetError;

/// How often accounts and regions are looked up anew.
const DISCOVERY_INTERVAL: Duration = Duration::from_secs(600);
/// How soon a failed look-up is repeated.
const DISCOVERY_RETRY: Duration = Duration::from_secs(15);

impl Fleet {
    /// Finds the sources and collects each on its own, until `shutdown`.
    pub(super) async fn collect_until(self: &Arc<Fleet>, shutdown: CancellationToken) {
        let permits = Arc::new(Semaphore::new(self.config.concurrency.into()));
        let mut running: BTreeMap<SourceKey, CancellationToken> = BTreeMap::new();
        let mut tasks = JoinSet::new();
        while !shutdown.is_cancelled() {
            let pause = match self.discover().await {
                Ok(()) => DISCOVERY_INTERVAL,
                Err(error) => {
                    tracing::error!(%error, "the accounts could not be listed; trying again");
                    DISCOVERY_RETRY
                }
            };
            let wanted: Vec<SourceKey> = self.state().clients.keys().cloned().collect();
            running.retain(|key, stop| {
                let keep = wanted.contains(key);
                if !keep {
                    stop.cancel();
                }
                keep
            });
            for key in wanted {
                if running.contains_key(&key) {
                    continue;
                }
                let stop = shutdown.child_token();
                running.insert(key.clone(), stop.clone());
                tasks.spawn(self.clone().collect_source_until(key, permits.clone(), stop));
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        while tasks.join_next().await.is_some() {}
    }

    async fn collect_source_until(
        self: Arc<Fleet>,
        key: SourceKey,
        permits: Arc<Semaphore>,
        stop: CancellationToken,
    ) {
        loop {
            let round = async {
                let Ok(_permit) = permits.acquire().await else { return };
                self.collect_if_ours(&key).await;
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = round => {}
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(self.config.refresh_interval) => {}
            }
        }
    }

    /// Collects the source unless another replica does.
    pub(super) async fn collect_if_ours(&self, key: &SourceKey) {
        let lease = self
            .store
            .acquire_lease(&format!("collect:{key}"), &self.holder, Timestamp::now(), self.lease_time())
            .await;
        match lease {
            Ok(Some(lease)) => self.collect_source(key, Some(&lease)).await,
            Ok(None) => tracing::debug!(source = %key, "another replica collects this source"),
            // The store is down: the fleet is still worth showing, and is stored once the store is back.
            Err(error) => {
                tracing::error!(source = %key, %error, "the store gives no lease; collecting for this process only");
                self.collect_source(key, None).await;
            }
        }
    }

    /// Longer than one round and its pause, so that a living collector keeps its lease.
    fn lease_time(&self) -> SignedDuration {
        let round = self.config.refresh_interval + self.config.source_timeout;
        SignedDuration::try_from(round * 2).unwrap_or(SignedDuration::from_mins(30))
    }

    /// Reads the source once and takes in what came of it.
    pub(super) async fn collect_source(&self, key: &SourceKey, lease: Option<&Lease>) {
        let Ok(clients) = self.clients(key) else { return };
        let began = Timestamp::now();
        let read = collect(&clients, self.config.page_size, self.config.source_timeout).await;
        let now = Timestamp::now();
        if let Err(error) = &read {
            tracing::warn!(source = %key, %error, "the source could not be read; its last good copy stays");
        }
        let stored = self.store_and_show(key, read, began, now, lease).await;
        if let Err(error) = stored {
            tracing::error!(source = %key, %error, "the source was read and could not be stored");
        }
        self.publish().await;
        self.evaluate(key).await;
        self.publish().await;
        if let Err(error) = self.announce(key, now).await {
            tracing::error!(source = %key, %error, "the new view could not be announced to other replicas");
        }
    }

    /// Stores the source's counts for the trend, and tells every replica's browsers that the view moved.
    async fn announce(&self, key: &SourceKey, now: Timestamp) -> Result<(), FleetError> {
        let view = self.view();
        if let Some(source) = view.sources.get(key)
            && source.status.last_success.is_some()
        {
            let counts = serde_json::to_string(&source.summary)
                .map_err(|error| FleetError::Invalid(error.to_string()))?;
            self.store.put_trend(now, key, &counts).await?;
        }
        let payload = serde_json::json!({ "account": key.account, "region": key.region }).to_string();
        self.store.append_event(now, super::pump::FLEET_EVENT, &payload).await?;
        self.events_waiting.notify_one();
        Ok(())
    }

    /// Reads every source once, without leases or the store: for a command that lists and ends. The policy is evaluated only
    /// when it is asked for, since it costs more than the reading.
    pub async fn refresh(self: &Arc<Fleet>, with_policy: bool) -> Result<(), FleetError> {
        self.discover().await?;
        let keys: Vec<SourceKey> = self.state().clients.keys().cloned().collect();
        let concurrency = usize::from(self.config.concurrency);
        futures::stream::iter(&keys)
            .for_each_concurrent(concurrency, |key| async move {
                let Ok(clients) = self.clients(key) else { return };
                let began = Timestamp::now();
                let read = collect(&clients, self.config.page_size, self.config.source_timeout).await;
                self.show(key, read, began, Timestamp::now());
                if with_policy {
                    self.evaluate(key).await;
                }
            })
            .await;
        self.publish_here();
        Ok(())
    }
}
