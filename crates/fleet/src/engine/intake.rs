//! Takes in what was read of a source, by this process or another: compares, stores, shows, and evaluates the policy on it.

use std::sync::Arc;

use domain::instance::{Instance, SourceKey};
use domain::source::{SourceError, SourceStatus};
use jiff::{SignedDuration, Timestamp};
use store::{Collection, Lease, NewSnapshot};

use super::Fleet;
use super::snapshot::{pack, unpack};
use super::state::SourceData;
use crate::collect::Collected;
use crate::error::{AwsError, FleetError};
use crate::history;

impl Fleet {
    /// Shows what a read that took from `began` to `now` came to, or notes why it came to nothing.
    pub(super) fn show(
        &self,
        key: &SourceKey,
        read: Result<Collected, AwsError>,
        began: Timestamp,
        now: Timestamp,
    ) {
        match read {
            Ok(collected) => {
                if let Some(taken) = self.prepare(key, collected, began, now) {
                    self.install(key, taken, None);
                }
            }
            Err(error) => {
                self.fail(key, error.to_source_error(), now);
            }
        }
    }

    /// As [`Fleet::show`], and stores it where there is a lease to store by. What was read is shown even where it could not be
    /// stored, and never before: an instance that vanished from the view is found in the store.
    pub(super) async fn store_and_show(
        &self,
        key: &SourceKey,
        read: Result<Collected, AwsError>,
        began: Timestamp,
        now: Timestamp,
        lease: Option<&Lease>,
    ) -> Result<(), FleetError> {
        let Some(lease) = lease else {
            self.show(key, read, began, now);
            return Ok(());
        };
        match read {
            Ok(collected) => {
                let Some(taken) = self.prepare(key, collected, began, now) else { return Ok(()) };
                let stored = self.store_collected(key, &taken, now, lease).await;
                self.install(key, taken, stored.as_ref().ok().copied());
                stored.map(drop)
            }
            Err(error) => {
                if let Some(status) = self.fail(key, error.to_source_error(), now) {
                    self.store.put_source_status(&status, now, Some(lease)).await?;
                }
                Ok(())
            }
        }
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

    /// What the read makes of the source; `None` when the source is no longer one of ours.
    fn prepare(
        &self,
        key: &SourceKey,
        collected: Collected,
        began: Timestamp,
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
        status.duration_ms = u32::try_from(now.duration_since(began).as_millis()).ok();
        match collected.defaults {
            Ok(defaults) => {
                status.defaults = Some(defaults);
                status.defaults_error = None;
            }
            Err(error) => status.defaults_error = Some(error),
        }
        let instances = data.merged(instances.into(), began);
        status.instance_count = instances.len() as u32;
        Some(Taken { before: data.instances.clone(), instances, began, first, status })
    }

    /// Shows the new copy; without a revision it was not stored.
    fn install(&self, key: &SourceKey, taken: Taken, revision: Option<i64>) {
        if let Some(data) = self.state().sources.get_mut(key) {
            let revision = revision.unwrap_or(data.revision);
            data.take(taken.instances, taken.began, revision);
            data.status = taken.status;
        }
    }

    /// Notes why the source could not be read; `None` when it is no longer one of ours.
    fn fail(&self, key: &SourceKey, error: SourceError, now: Timestamp) -> Option<SourceStatus> {
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
        if let Some(data) = self.state().sources.get_mut(key) {
            data.take_outcomes(&instances, outcomes);
        }
    }

    /// Loads what was stored before, so that a restart shows the last good copy at once.
    pub(super) async fn load_stored(&self) {
        let loaded = async {
            let statuses = self.store.source_statuses().await?;
            for status in statuses {
                let key = status.key.clone();
                let began = read_began(&status);
                self.state().sources.insert(key.clone(), SourceData::new(status));
                self.load_snapshot(&key, began).await?;
            }
            Ok::<(), FleetError>(())
        };
        if let Err(error) = loaded.await {
            tracing::error!(%error, "the last good copy could not be loaded; it is read from AWS");
        }
        self.publish().await;
    }

    /// Loads the source's snapshot, whose read began at `began`, where the store has a newer one than this process.
    pub(super) async fn load_snapshot(
        &self,
        key: &SourceKey,
        began: Option<Timestamp>,
    ) -> Result<(), FleetError> {
        let known = self.state().sources.get(key).map_or(0, |data| data.revision);
        let Some(stored) = self.store.snapshot(key).await? else { return Ok(()) };
        if stored.revision <= known {
            return Ok(());
        }
        let instances = unpack(stored.payload).await?;
        let mut state = self.state();
        if let Some(data) = state.sources.get_mut(key) {
            data.take(instances, began.unwrap_or(stored.collected_at), stored.revision);
        }
        Ok(())
    }
}

/// When the read of the copy that the status is about began: the copy knows nothing of what happened later.
pub(super) fn read_began(status: &SourceStatus) -> Option<Timestamp> {
    let took = SignedDuration::from_millis(status.duration_ms.unwrap_or(0).into());
    status.last_success?.checked_sub(took).ok()
}

/// What a read replaces, and by what.
struct Taken {
    before: Arc<[Arc<Instance>]>,
    instances: Arc<[Arc<Instance>]>,
    /// When the read began.
    began: Timestamp,
    /// Whether the source was never read before.
    first: bool,
    status: SourceStatus,
}
