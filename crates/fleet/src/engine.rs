//! The running fleet: what is known of each source in memory, the view over it, and the tasks that keep both current.

mod alerts;
mod collector;
mod intake;
mod pump;
mod snapshot;
mod sources;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use domain::instance::{Instance, InstanceKey, SourceKey};
use domain::list::FleetRow;
use domain::policy::PolicyOutcome;
use domain::source::MetadataDefaults;
use domain::verdict::judge;
use domain::wire::{HistoryItem, Moved, Origin, UseReport};
use jiff::Timestamp;
use policy::PolicyEngine;
use store::Store;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::aws::{Aws, RegionClients};
use crate::config::{Account, ChangesAllowed, FleetConfig};
use crate::error::FleetError;
use crate::evidence;
use crate::view::FleetView;
use crate::{collect, origins, raw};
use state::State;

/// How many notices a slow listener may fall behind before it has to start over.
const NOTICE_BACKLOG: usize = 256;

/// Something moved, for whoever listens.
#[derive(Clone, Debug)]
pub struct Notice {
    /// The store's sequence number; `None` for what only this process saw.
    pub seq: Option<i64>,
    pub moved: Moved,
}

/// The fleet of this process.
pub struct Fleet {
    pub(crate) config: FleetConfig,
    pub(crate) aws: Aws,
    pub(crate) store: Store,
    pub(crate) policy: Arc<dyn PolicyEngine>,
    /// Names this process in leases.
    pub(crate) holder: String,
    state: Mutex<State>,
    view: ArcSwap<FleetView>,
    notices: broadcast::Sender<Notice>,
    /// Woken when this process wrote an event, so that its own browsers need not wait for the next look.
    pub(crate) events_waiting: tokio::sync::Notify,
    building: tokio::sync::Mutex<u64>,
    wanted: std::sync::atomic::AtomicU64,
}

impl Fleet {
    /// A fleet that knows nothing yet; [`Fleet::run`] keeps it current, [`Fleet::refresh`] reads it once.
    pub async fn new(config: FleetConfig, store: Store, policy: Arc<dyn PolicyEngine>) -> Arc<Fleet> {
        let aws = Aws::load(&config).await;
        Arc::new(Fleet {
            aws,
            store,
            policy,
            holder: uuid::Uuid::new_v4().to_string(),
            state: Mutex::default(),
            view: ArcSwap::from_pointee(FleetView::empty(Timestamp::now())),
            notices: broadcast::Sender::new(NOTICE_BACKLOG),
            events_waiting: tokio::sync::Notify::new(),
            building: tokio::sync::Mutex::new(0),
            wanted: std::sync::atomic::AtomicU64::new(0),
            config,
        })
    }

    /// Keeps the fleet current until `shutdown`: collects, follows other replicas, and carries changes on.
    pub async fn run(self: Arc<Fleet>, shutdown: CancellationToken) {
        // Before anything is loaded: what is written in between is then followed rather than missed.
        let seq = self.store.last_event_seq().await.ok();
        self.load_stored().await;
        tokio::join!(
            self.collect_until(shutdown.clone()),
            self.follow_until(seq, shutdown.clone()),
            self.carry_changes_until(shutdown.clone()),
            self.prune_until(shutdown.clone()),
        );
    }

    /// The view that lists are answered from.
    pub fn view(&self) -> Arc<FleetView> {
        self.view.load_full()
    }

    /// Whether each source was tried at least once, so that the view is worth showing.
    pub fn is_ready(&self) -> bool {
        let view = self.view();
        !view.sources.is_empty() && view.sources.values().all(|source| source.status.last_attempt.is_some())
    }

    pub fn config(&self) -> &FleetConfig {
        &self.config
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    pub fn policy(&self) -> &dyn PolicyEngine {
        self.policy.as_ref()
    }

    pub fn notices(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    /// The instance as EC2 describes it now, whole.
    pub async fn raw(&self, key: &InstanceKey) -> Result<serde_json::Value, FleetError> {
        let clients = self.clients(&key.source)?;
        raw::describe_raw(&clients, &key.instance_id).await?.ok_or_else(|| gone(key))
    }

    /// What CloudWatch says of the use of IMDSv1 over the last `days` days (1 to 63).
    pub async fn verify(&self, key: &InstanceKey, days: u32) -> Result<UseReport, FleetError> {
        if !(1..=evidence::MAX_DAYS).contains(&days) {
            return Err(FleetError::Invalid(format!(
                "A window of {days} days is outside 1 to {}.",
                evidence::MAX_DAYS
            )));
        }
        let clients = self.clients(&key.source)?;
        let view = self.view();
        let row = view.row(key).ok_or_else(|| gone(key))?;
        Ok(evidence::verify(&clients, &row.instance, row.verdict, days, Timestamp::now()).await)
    }

    /// Where the instance's metadata setting came from, as far as AWS tells.
    pub async fn origins(&self, key: &InstanceKey) -> Result<Vec<Origin>, FleetError> {
        let clients = self.clients(&key.source)?;
        let view = self.view();
        let row = view.row(key).ok_or_else(|| gone(key))?;
        Ok(origins::origins(&clients, &row.instance, self.defaults(&key.source).as_ref()).await)
    }

    /// What was seen to change about one instance, newest first.
    pub async fn history(&self, key: &InstanceKey, limit: u32) -> Result<Vec<HistoryItem>, FleetError> {
        Ok(self.store.history_of(key, limit).await?.iter().map(crate::history::item).collect())
    }

    /// What was seen to change in the fleet since `since`, newest first.
    pub async fn history_since(&self, since: Timestamp, limit: u32) -> Result<Vec<HistoryItem>, FleetError> {
        Ok(self.store.history_since(since, limit).await?.iter().map(crate::history::item).collect())
    }

    /// The account's metadata defaults, as last read.
    pub(crate) fn defaults(&self, source: &SourceKey) -> Option<MetadataDefaults> {
        self.state().sources.get(source).and_then(|data| data.status.defaults.clone())
    }

    /// Why metadata options cannot be changed in `account`; `None` when they can.
    pub(crate) fn changes_disabled(&self, account: &Account) -> Option<String> {
        match &self.config.changes {
            ChangesAllowed::Never(why) => Some(why.clone()),
            ChangesAllowed::WithCallerCredentials if account.reader_role_arn.is_none() => None,
            ChangesAllowed::WithWriterRole | ChangesAllowed::WithCallerCredentials => account
                .writer_role_arn
                .is_none()
                .then(|| format!("Account {} has no writer_role_arn in the configuration.", account.alias)),
        }
    }

    pub(crate) fn account(&self, id: &str) -> Option<Account> {
        self.state().accounts.get(id).cloned()
    }

    pub(crate) fn clients(&self, source: &SourceKey) -> Result<Arc<RegionClients>, FleetError> {
        self.state().clients.get(source).cloned().ok_or_else(|| {
            FleetError::NotFound(format!(
                "{source} is not one of the accounts and regions that are read. The Accounts page lists them."
            ))
        })
    }

    /// Reads one instance and takes it into the view. `None` when EC2 does not know it.
    pub(crate) async fn read_again(&self, key: &InstanceKey) -> Result<Option<Arc<Instance>>, FleetError> {
        let clients = self.clients(&key.source)?;
        let began = Timestamp::now();
        let Some((instance, _)) = collect::describe_one(&clients, &key.instance_id).await? else {
            return Ok(None);
        };
        let instance = Arc::new(instance);
        if self.state().take_one(instance.clone(), began) {
            let outcomes = self.policy.evaluate(&[&instance], Timestamp::now()).await;
            if let Some(data) = self.state().sources.get_mut(&key.source) {
                data.take_outcomes(std::slice::from_ref(&instance), outcomes);
            }
            self.publish().await;
        }
        Ok(Some(instance))
    }

    /// Builds the view anew. Callers that come while one is being built share the next.
    pub(crate) async fn publish(&self) {
        use std::sync::atomic::Ordering;
        let wanted = self.wanted.fetch_add(1, Ordering::AcqRel) + 1;
        let mut built = self.building.lock().await;
        if *built >= wanted {
            return;
        }
        let newest = self.wanted.load(Ordering::Acquire);
        let view = tokio::task::spawn_blocking(self.next_view()).await;
        match view {
            Ok(view) => self.view.store(Arc::new(view)),
            Err(error) => tracing::error!(%error, "the view could not be built; the one before stays"),
        }
        *built = newest;
    }

    /// Builds the view on this thread, for a command that has nothing else to do meanwhile: another thread would keep what it
    /// took beside what this one has free.
    fn publish_here(&self) {
        self.view.store(Arc::new(self.next_view()()));
    }

    /// What builds the next view, from all that is known now.
    fn next_view(&self) -> impl FnOnce() -> FleetView + Send + use<> {
        let now = Timestamp::now();
        let stale_after = self.config.stale_after;
        let mut state = self.state();
        state.view_revision += 1;
        let (rows, statuses, revision) =
            (state.rows(now, stale_after), state.statuses(), state.view_revision);
        move || FleetView::build(rows, statuses, stale_after, revision, now)
    }

    pub(crate) fn notify(&self, seq: Option<i64>, moved: Moved) {
        // Nobody listening is no failure.
        let _ = self.notices.send(Notice { seq, moved });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the state readable: each write replaces whole values.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The row of one instance in the view.
fn row(
    instance: &Arc<Instance>,
    alias: &domain::instance::Text,
    freshness: domain::verdict::Freshness,
    outcome: &Arc<PolicyOutcome>,
) -> FleetRow {
    FleetRow {
        instance: instance.clone(),
        alias: alias.clone(),
        verdict: judge(instance.metadata_options.as_ref(), freshness),
        policy: outcome.clone(),
    }
}

pub(crate) fn gone(key: &InstanceKey) -> FleetError {
    FleetError::NotFound(format!(
        "{} is not in {}: it was terminated, or the id belongs to another account or region.",
        key.instance_id, key.source
    ))
}
