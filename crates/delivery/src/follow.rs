//! Follows the sources that are read: each by one process at a time, and what it sees becomes facts.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use domain::delivery::{Fact, ServiceName, Source};
use futures::FutureExt;
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use store::{DELIVERY_EVENT, DeliveryEvent, Lease, StoreError, StoredEvent};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::reader::{Checked, ReadError, Reader, RegistryImage, Told};
use crate::{Delivery, DeliveryError};

/// For how long a process that is gone keeps a source to itself.
const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// How often a lease is renewed, and how often another process's is asked for.
const RENEWAL: Duration = Duration::from_secs(20);
/// How often is looked for what nobody reads any more.
const FORGETTING: Duration = Duration::from_secs(60);
/// The longest a read may take: what hangs is begun anew.
const LONGEST_READ: Duration = Duration::from_secs(600);
/// How long to wait after a read that failed: twice as long each time, between these.
const SHORTEST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// How many facts' ids a reader's task remembers, so that it does not tell them again.
const REMEMBERED: usize = 100_000;
/// Of how many services facts are recorded together.
const SERVICES_AT_ONCE: usize = 20;
/// How many events are looked through for what was told of a service.
const MOST_EVENTS: u32 = 1_000;
/// How many problems of a source are told one by one.
const MOST_PROBLEMS: usize = 5;

/// A reader with the name that it is known by: `git/acme/gitops`.
pub struct Followed {
    pub name: String,
    pub source: Source,
    pub reader: Box<dyn Reader>,
}

/// A reader's turn: what it remembers between reads.
struct Turn {
    name: String,
    source: Source,
    reader: Box<dyn Reader>,
    /// The lease's number in the last turn: with another one somebody else has read in between.
    fence: Option<i64>,
    /// Whether it has not kept anything with this number.
    begun_anew: bool,
    /// What was told and is not known to be kept. The reader may not tell it again: it goes on from there.
    facts: Vec<Fact>,
    images: Vec<RegistryImage>,
    /// The ids of the facts that were told.
    told: BTreeSet<String>,
    /// Services whose facts have not been derived since something else was seen or named of them.
    open: BTreeSet<ServiceName>,
    /// Services of which an image is of no known commit: it may become known with whatever else is told of them.
    unknown: BTreeSet<ServiceName>,
    /// The last event that was looked through for what was told of these.
    event: i64,
    failures: u32,
}

/// Why nothing came of a turn.
enum Missed {
    Read(ReadError),
    Keep(DeliveryError),
}

impl Delivery {
    /// Follows sources until `shutdown`. Each is read by whichever process holds its lease.
    pub async fn follow_until(&self, readers: Vec<Followed>, shutdown: CancellationToken) {
        match self.store.seen_here().await {
            Ok(here) => drop(self.discover(&here)),
            Err(error) => tracing::warn!(%error, "what was seen before cannot be read"),
        }
        let holder = uuid::Uuid::new_v4().to_string();
        // Each in a task of its own: one that computes for long keeps no other from renewing its lease.
        let mut tasks = JoinSet::new();
        let names = readers.iter().map(|followed| followed.name.clone()).collect();
        tasks.spawn(self.clone().forget_others(names, holder.clone(), shutdown.clone()));
        for followed in readers {
            tasks.spawn(self.clone().follow(followed, holder.clone(), shutdown.clone()));
        }
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a source is not followed any more: restart the server");
            }
        }
    }

    /// Tries everything that each source needs.
    pub async fn check(readers: Vec<Followed>) -> Vec<(String, Vec<Checked>)> {
        let checks = readers.into_iter().map(async |mut followed| {
            let checked = tokio::time::timeout(LONGEST_READ, followed.reader.check()).await;
            let silent = || Checked {
                what: "an answer".into(),
                outcome: Err("nothing was answered in time: look whether it can be reached from here".into()),
            };
            (followed.name, checked.unwrap_or_else(|_| vec![silent()]))
        });
        join_all(checks).await
    }

    /// Forgets what was seen by readers that are not configured here, once nobody reads them: while processes are replaced one by one,
    /// those that go still do.
    async fn forget_others(self, names: BTreeSet<String>, holder: String, shutdown: CancellationToken) {
        let mut open = BTreeSet::new();
        loop {
            if let Err(error) = self.forget_unread(&names, &holder, &mut open).await {
                tracing::warn!(%error, "what sources saw that are not configured any more cannot be forgotten");
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(FORGETTING) => {}
            }
        }
    }

    /// What it saw may have kept others' sightings from agreeing: `open` are the services of which this is still to be looked at.
    async fn forget_unread(
        &self,
        names: &BTreeSet<String>,
        holder: &str,
        open: &mut BTreeSet<ServiceName>,
    ) -> Result<(), DeliveryError> {
        for reader in self.store.readers().await? {
            if names.contains(&reader.name) {
                continue;
            }
            let Some(lease) = self.lease(&reader.name, holder).await else { continue };
            let now = Timestamp::now();
            let moved = self.store.forget_reader(&reader.name, now, &lease).await?;
            open.extend(moved.into_iter().map(|place| place.service));
            self.store.release_lease(&lease).await?;
        }
        if !open.is_empty() {
            self.discover(&self.store.seen_here().await?);
        }
        while let Some(service) = open.first() {
            let now = Timestamp::now();
            self.record(self.derive(service, now).await?.facts, now).await?;
            open.pop_first();
        }
        Ok(())
    }

    async fn follow(self, followed: Followed, holder: String, shutdown: CancellationToken) {
        let mut turn = Turn::new(followed);
        let mut held = None;
        while !shutdown.is_cancelled() {
            let Some(lease) = self.lease(&turn.name, &holder).await else {
                tokio::select! {
                    () = shutdown.cancelled() => break,
                    () = tokio::time::sleep(RENEWAL) => continue,
                }
            };
            turn.begin(&lease);
            held = Some(lease.clone());
            // It is held while the source is left alone too: another process would read at once, whatever the source said.
            let turn_and_pause = async {
                let pause = self.take_turn(&mut turn, &lease).await;
                tokio::time::sleep(pause).await;
            };
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = self.while_held(&lease.name, &holder) => {
                    tracing::warn!(reader = lease.name, "another process reads it by now");
                }
                () = turn_and_pause => {}
            }
        }
        if let Some(lease) = held
            && let Err(error) = self.store.release_lease(&lease).await
        {
            tracing::debug!(%error, reader = turn.name, "a lease runs out by itself");
        }
    }

    /// The lease of a source; `None` while another process has it.
    async fn lease(&self, reader: &str, holder: &str) -> Option<Lease> {
        let name = format!("delivery/{reader}");
        self.store.acquire_lease(&name, holder, Timestamp::now(), LEASE).await.unwrap_or_else(|error| {
            tracing::warn!(%error, reader, "a source's lease cannot be asked for; trying again");
            None
        })
    }

    /// Reads once, and answers how long to wait.
    async fn take_turn(&self, turn: &mut Turn, lease: &Lease) -> Duration {
        // A defect of one reader is no reason to read nothing else.
        let outcome = AssertUnwindSafe(self.read(turn, lease)).catch_unwind().await;
        let error = match outcome {
            Ok(Ok(())) => {
                turn.failures = 0;
                return turn.reader.pause().max(Duration::from_millis(100));
            }
            Ok(Err(Missed::Keep(DeliveryError::Store(StoreError::LeaseLost { .. })))) => {
                tracing::warn!(reader = turn.name, "another process reads it by now");
                return RENEWAL;
            }
            Ok(Err(Missed::Keep(error))) => {
                tracing::error!(%error, reader = turn.name, "what a source told cannot be kept; trying again");
                ReadError::new(error.to_string())
            }
            Ok(Err(Missed::Read(error))) => {
                tracing::warn!(%error, reader = turn.name, "a source cannot be read; trying again");
                error
            }
            Err(_) => {
                tracing::error!(reader = turn.name, "reading a source panicked; trying again");
                ReadError::new("Reading it ended in a defect: see the server's log.")
            }
        };
        let kept = self.store.keep_problem(&turn.name, turn.source, &error.message, Timestamp::now(), lease);
        if let Err(error) = kept.await {
            tracing::error!(%error, reader = turn.name, "that a source cannot be read cannot be kept");
        }
        let pause = pause_after(turn.failures, error.retry_after);
        turn.failures = turn.failures.saturating_add(1);
        pause
    }

    async fn read(&self, turn: &mut Turn, lease: &Lease) -> Result<(), Missed> {
        let read = tokio::time::timeout(LONGEST_READ, turn.reader.read(Timestamp::now())).await;
        let told = read.unwrap_or_else(|_| Err(ReadError::new("It did not answer in time.")));
        self.keep(turn, told.map_err(Missed::Read)?, lease, Timestamp::now()).await.map_err(Missed::Keep)
    }

    /// Renews the lease; ends when it is lost.
    async fn while_held(&self, name: &str, holder: &str) {
        loop {
            tokio::time::sleep(RENEWAL).await;
            match self.store.acquire_lease(name, holder, Timestamp::now(), LEASE).await {
                Ok(Some(_)) => {}
                Ok(None) => return,
                // As long as nobody else can take it either, it is held.
                Err(error) => tracing::warn!(%error, name, "a lease cannot be renewed; trying again"),
            }
        }
    }

    async fn keep(
        &self,
        turn: &mut Turn,
        told: Told,
        lease: &Lease,
        now: Timestamp,
    ) -> Result<(), DeliveryError> {
        let Told { mut facts, mut images, sightings, problems } = told;
        // Some readers do tell them again.
        facts.retain(|fact| turn.facts.iter().all(|known| known.source_id != fact.source_id));
        images.retain(|image| !turn.images.contains(image));
        turn.facts.extend(facts);
        turn.images.extend(images);
        let named = self.name_images(&turn.images, now).await?;
        turn.open.extend(named.services);
        let facts = turn.facts.iter().cloned().chain(named.facts).collect();
        self.tell(turn, facts, now).await?;
        (turn.facts, turn.images) = (Vec::new(), Vec::new());

        let problem = in_short(&problems);
        let moved = self
            .store
            .keep_reading(&turn.name, turn.source, sightings.as_deref(), problem.as_deref(), now, lease)
            .await?;
        turn.open.extend(moved.into_iter().map(|place| place.service));
        if turn.begun_anew
            && let Some(sightings) = sightings
        {
            // Whoever kept these before may have ended before their facts were derived.
            turn.open.extend(sightings.into_iter().filter_map(|seen| Some(seen.place?.service)));
            turn.begun_anew = false;
        }
        self.reopen(turn).await?;
        self.derive_open(turn, now).await
    }

    /// Looks for what was told of services of which an image is of no known commit.
    async fn reopen(&self, turn: &mut Turn) -> Result<(), DeliveryError> {
        let last = self.store.last_event_seq().await?;
        if last != turn.event && !turn.unknown.is_empty() {
            let events = self.store.events_after(turn.event, MOST_EVENTS).await?;
            let whole = events.first().is_some_and(|first| first.seq == turn.event + 1)
                && events.len() < MOST_EVENTS as usize;
            let of = |event: &StoredEvent| serde_json::from_str::<DeliveryEvent>(&event.payload).ok();
            let deliveries = events.iter().filter(|event| event.kind == DELIVERY_EVENT);
            let moved: BTreeSet<_> = deliveries.filter_map(of).flat_map(|event| event.services).collect();
            let again = turn.unknown.iter().filter(|service| !whole || moved.contains(service));
            turn.open.extend(again.cloned());
        }
        turn.event = last;
        Ok(())
    }

    async fn derive_open(&self, turn: &mut Turn, now: Timestamp) -> Result<(), DeliveryError> {
        if turn.open.is_empty() {
            return Ok(());
        }
        self.discover(&self.store.seen_here().await?);
        while !turn.open.is_empty() {
            let services: Vec<ServiceName> = turn.open.iter().take(SERVICES_AT_ONCE).cloned().collect();
            let mut facts = Vec::new();
            for service in &services {
                let derived = self.derive(service, now).await?;
                facts.extend(derived.facts);
                if derived.all_known {
                    turn.unknown.remove(service);
                } else {
                    turn.unknown.insert(service.clone());
                }
            }
            self.tell(turn, facts, now).await?;
            for service in &services {
                turn.open.remove(service);
            }
        }
        Ok(())
    }

    /// Takes in what was not told before. One that cannot be taken must not keep the others from being taken.
    async fn tell(&self, turn: &mut Turn, mut facts: Vec<Fact>, now: Timestamp) -> Result<(), DeliveryError> {
        if turn.told.len() > REMEMBERED {
            turn.told.clear();
        }
        facts.retain(|fact| {
            !turn.told.contains(&fact.source_id)
                && self
                    .takes(fact)
                    .inspect_err(|error| {
                        tracing::warn!(%error, reader = turn.name, id = fact.source_id, "a fact is left out");
                    })
                    .is_ok()
        });
        let ids: Vec<String> = facts.iter().map(|fact| fact.source_id.clone()).collect();
        self.record(facts, now).await?;
        turn.told.extend(ids);
        Ok(())
    }
}

impl Turn {
    fn new(followed: Followed) -> Turn {
        let Followed { name, source, reader } = followed;
        Turn {
            name,
            source,
            reader,
            fence: None,
            begun_anew: true,
            facts: Vec::new(),
            images: Vec::new(),
            told: BTreeSet::new(),
            open: BTreeSet::new(),
            unknown: BTreeSet::new(),
            event: 0,
            failures: 0,
        }
    }

    fn begin(&mut self, lease: &Lease) {
        if self.fence.replace(lease.fence) != Some(lease.fence) {
            self.begun_anew = true;
        }
    }
}

/// The first of many problems, and how many there are beside.
fn in_short(problems: &[String]) -> Option<String> {
    let (first, rest) = problems.split_at(problems.len().min(MOST_PROBLEMS));
    let mut text = first.join(" ");
    if !rest.is_empty() {
        text.push_str(&format!(" And {} more.", rest.len()));
    }
    (!text.is_empty()).then_some(text)
}

/// How long to wait after a number of failures before: as long as the source says, if it does.
fn pause_after(failures: u32, retry_after: Option<Duration>) -> Duration {
    let doubled = SHORTEST_PAUSE.saturating_mul(2_u32.saturating_pow(failures.min(16)));
    retry_after.unwrap_or_default().max(doubled.min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_problems_are_told_in_short() {
        let problems = |count: usize| (1..=count).map(|one| format!("{one}.")).collect::<Vec<_>>();
        assert_eq!(in_short(&problems(0)), None);
        assert_eq!(in_short(&problems(2)).as_deref(), Some("1. 2."));
        assert_eq!(in_short(&problems(5)).as_deref(), Some("1. 2. 3. 4. 5."));
        assert_eq!(in_short(&problems(205)).as_deref(), Some("1. 2. 3. 4. 5. And 200 more."));
    }

    #[test]
    fn pauses_grow_and_respect_what_the_source_says() {
        let seconds = |failures, retry_after: Option<u64>| {
            pause_after(failures, retry_after.map(Duration::from_secs)).as_secs()
        };
        assert_eq!([0, 1, 2, 5, 6, 40].map(|failures| seconds(failures, None)), [5, 10, 20, 160, 300, 300]);
        assert_eq!(seconds(0, Some(1)), 5, "who answers at once is not asked at once");
        assert_eq!(seconds(0, Some(3_000)), 3_000);
    }
}
