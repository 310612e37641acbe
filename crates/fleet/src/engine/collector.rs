//! Keeps each source current: one task per account-region, one collector per source among all replicas.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::instance::{Instance, SourceKey};
use domain::source::{SourceError, SourceStatus};
use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use store::{Collection, Lease, NewSnapshot};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::snapshot::{pack, unpack};
use super::state::SourceData;
use super::{Fleet, State};
use crate::aws::RegionClients;
use crate::collect::{Collected, collect};
use crate::discover::{self, Discovered};
use crate::error::{AwsError, FleetError};
use crate::history;

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

    /// Looks up accounts and regions. What is no longer there leaves the view.
    pub(super) async fn discover(&self) -> Result<(), AwsError> {
        let accounts = discover::accounts(&self.aws, &self.config).await?;
        let discovered = discover::regions(&self.aws, &self.config, accounts).await;
        let now = Timestamp::now();
        {
            let mut state = self.state();
            let mut clients = BTreeMap::new();
            let mut keys = Vec::new();
            state.accounts.clear();
            for found in discovered {
                self.take_discovered(&mut state, found, now, &mut clients, &mut keys);
            }
            state.sources.retain(|key, _| keys.contains(key));
            state.clients = clients;
        }
        self.publish().await;
        Ok(())
    }

    fn take_discovered(
        &self,
        state: &mut State,
        found: Discovered,
        now: Timestamp,
        clients: &mut BTreeMap<SourceKey, Arc<RegionClients>>,
        keys: &mut Vec<SourceKey>,
    ) {
        let account = found.access.account.clone();
        let disabled = self.changes_disabled(&account);
        match &found.regions {
            Ok(regions) => {
                for region in regions {
                    let key = SourceKey::new(account.id.as_str(), region.as_str());
                    // Clients are kept: with them go their connections and what is left of their rate.
                    let known = state.clients.get(&key).cloned();
                    clients.insert(key.clone(), known.unwrap_or_else(|| found.access.region(region)));
                    state.source(&key, &account.alias).status.changes_disabled = disabled.clone();
                    keys.push(key);
                }
            }
            Err(error) => {
                let known: Vec<SourceKey> =
                    state.clients.keys().filter(|key| *key.account == *account.id).cloned().collect();
                if known.is_empty() {
                    let key = found.unreadable_key();
                    let data = state.source(&key, &account.alias);
                    data.status.last_attempt = Some(now);
                    data.status.error = Some(error.to_source_error());
                    keys.push(key);
                }
                // Regions that were known are read on: listing them may fail where reading them does not.
                for key in known {
                    if let Some(client) = state.clients.get(&key) {
                        clients.insert(key.clone(), client.clone());
                    }
                    keys.push(key);
                }
            }
        }
        state.accounts.insert(account.id.clone(), account);
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
        let started = Timestamp::now();
        let outcome = collect(&clients, self.config.page_size, self.config.source_timeout).await;
        let now = Timestamp::now();
        let stored = match outcome {
            Ok(collected) => self.take_collected(key, collected, started, now, lease).await,
            Err(error) => {
                tracing::warn!(source = %key, %error, "the source could not be read; its last good copy stays");
                self.take_failure(key, error.to_source_error(), now, lease).await
            }
        };
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

    /// Stores what was read and shows it. It is shown even where it could not be stored, and never before: an instance that
    /// vanished from the view is found in the store.
    async fn take_collected(
        &self,
        key: &SourceKey,
        collected: Collected,
        started: Timestamp,
        now: Timestamp,
        lease: Option<&Lease>,
    ) -> Result<(), FleetError> {
        let Some(taken) = self.prepare(key, collected, started, now) else { return Ok(()) };
        let stored = match lease {
            Some(lease) => self.store_collected(key, &taken, now, lease).await.map(Some),
            None => Ok(None),
        };
        self.install(key, taken, stored.as_ref().ok().copied().flatten());
        stored.map(drop)
    }

    /// Writes the new copy with what it changed, and answers its revision.
    async fn store_collected(
        &self,
        key: &SourceKey,
        taken: &Taken,
        now: Timestamp,
        lease: &Lease,
    ) -> Result<i64, FleetError> {
        let payload = pack(taken.instances.clone()).await?;
        // The first read of a source would otherwise be told as thousands of instances that appeared.
        let found = if taken.first {
            history::Comparison::default()
        } else {
            let vanished_before = self.store.vanished_ids(key).await?.into_iter().collect();
            history::compare(&taken.before, &taken.instances, &vanished_before, now)
        };
        let snapshot = NewSnapshot {
            key: key.clone(),
            collected_at: now,
            instance_count: taken.status.instance_count,
            payload,
        };
        let collection = Collection {
            snapshot,
            status: Some(taken.status.clone()),
            history: found.entries,
            vanished: found.vanished,
            returned: found.returned,
        };
        let revision = self.store.put_collection(&collection, Some(lease)).await?;
        if !taken.first {
            self.alert_new_v1(key, &taken.before, &taken.instances, now).await?;
        }
        Ok(revision)
    }

    async fn take_failure(
        &self,
        key: &SourceKey,
        error: SourceError,
        now: Timestamp,
        lease: Option<&Lease>,
    ) -> Result<(), FleetError> {
        if let Some(status) = self.fail_in_memory(key, error, now)
            && lease.is_some()
        {
            self.store.put_source_status(&status, now, lease).await?;
        }
        Ok(())
    }

    /// What the read makes of the source; `None` when the source is no longer one of ours.
    fn prepare(
        &self,
        key: &SourceKey,
        collected: Collected,
        started: Timestamp,
        now: Timestamp,
    ) -> Option<Taken> {
        let mut instances = collected.instances;
        instances.sort_by(|left, right| left.key.instance_id.cmp(&right.key.instance_id));
        let state = self.state();
        let data = state.sources.get(key)?;
        let mut status = data.status.clone();
        let first = status.last_success.is_none();
        status.last_success = Some(now);
        status.last_attempt = Some(now);
        status.error = None;
        status.duration_ms = u32::try_from(now.duration_since(started).as_millis()).ok();
        status.instance_count = instances.len() as u32;
        match collected.defaults {
            Ok(defaults) => {
                status.defaults = Some(defaults);
                status.defaults_error = None;
            }
            Err(error) => status.defaults_error = Some(error),
        }
        let instances = instances.into_iter().map(Arc::new).collect();
        Some(Taken { before: data.instances.clone(), instances, first, status })
    }

    /// Shows the new copy; without a revision it was not stored.
    fn install(&self, key: &SourceKey, taken: Taken, revision: Option<i64>) {
        if let Some(data) = self.state().sources.get_mut(key) {
            let revision = revision.unwrap_or(data.revision);
            data.take(taken.instances, revision);
            data.status = taken.status;
        }
    }

    fn fail_in_memory(&self, key: &SourceKey, error: SourceError, now: Timestamp) -> Option<SourceStatus> {
        let mut state = self.state();
        let status = &mut state.sources.get_mut(key)?.status;
        status.last_attempt = Some(now);
        status.error = Some(error);
        Some(status.clone())
    }

    /// Evaluates the policy on every instance of the source.
    pub(super) async fn evaluate(&self, key: &SourceKey) {
        let Some(instances) = self.state().sources.get(key).map(|data| data.instances.clone()) else {
            return;
        };
        let borrowed: Vec<&Instance> = instances.iter().map(Arc::as_ref).collect();
        let outcomes = self.policy.evaluate(&borrowed, Timestamp::now()).await;
        if let Some(data) = self.state().sources.get_mut(key)
            && Arc::ptr_eq(&data.instances, &instances)
        {
            data.outcomes = outcomes;
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

    /// Loads what was stored before, so that a restart shows the last good copy at once.
    pub(super) async fn load_stored(&self) {
        let loaded = async {
            let statuses = self.store.source_statuses().await?;
            for status in statuses {
                let key = status.key.clone();
                self.state().sources.insert(key.clone(), SourceData::new(status));
                self.load_snapshot(&key).await?;
            }
            Ok::<(), FleetError>(())
        };
        if let Err(error) = loaded.await {
            tracing::error!(%error, "the last good copy could not be loaded; it is read from AWS");
        }
        self.publish().await;
    }

    /// Loads the source's snapshot where the store has a newer one than this process.
    pub(super) async fn load_snapshot(&self, key: &SourceKey) -> Result<(), FleetError> {
        let known = self.state().sources.get(key).map_or(0, |data| data.revision);
        let Some(stored) = self.store.snapshot(key).await? else { return Ok(()) };
        if stored.revision <= known {
            return Ok(());
        }
        let instances = unpack(stored.payload).await?;
        let mut state = self.state();
        if let Some(data) = state.sources.get_mut(key) {
            data.take(instances, stored.revision);
        }
        Ok(())
    }

    /// Finds the sources without reading them: for a command that names its instance by a change.
    pub async fn find_sources(&self) -> Result<(), FleetError> {
        Ok(self.discover().await?)
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
                let started = Timestamp::now();
                match collect(&clients, self.config.page_size, self.config.source_timeout).await {
                    Ok(collected) => {
                        if let Some(taken) = self.prepare(key, collected, started, Timestamp::now()) {
                            self.install(key, taken, None);
                        }
                    }
                    Err(error) => {
                        self.fail_in_memory(key, error.to_source_error(), Timestamp::now());
                    }
                }
                if with_policy {
                    self.evaluate(key).await;
                }
            })
            .await;
        self.publish().await;
        Ok(())
    }
}

/// What a read replaces, and by what.
struct Taken {
    before: Arc<[Arc<Instance>]>,
    instances: Arc<[Arc<Instance>]>,
    /// Whether the source was never read before.
    first: bool,
    status: SourceStatus,
}
