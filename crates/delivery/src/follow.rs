//! Follows the sources that are read: each by one process at a time, and what it sees becomes facts.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::delivery::{Fact, Place, Source};
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use store::Lease;
use tokio_util::sync::CancellationToken;

use crate::reader::{Checked, ReadError, Reader, Told};
use crate::{Delivery, DeliveryError};

/// For how long a process that is gone keeps a source to itself.
const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// How often a lease is renewed, and how often another process's is asked for.
const RENEWAL: Duration = Duration::from_secs(20);
/// The longest a read may take: what hangs is begun anew.
const LONGEST_READ: Duration = Duration::from_secs(600);
/// How long to wait after a read that failed: twice as long each time, between these.
const SHORTEST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// How many facts' ids a reader's task remembers, so that it does not tell them again.
const REMEMBERED: usize = 100_000;

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
    /// The ids of the facts that were told.
    told: BTreeSet<String>,
    /// Places whose facts have not been derived since something else was seen of them, or of which an image is of no known commit.
    open: BTreeSet<Place>,
    failures: u32,
}

impl Delivery {
    /// Follows sources until `shutdown`. Each is read by whichever process holds its lease.
    pub async fn follow_until(&self, readers: Vec<Followed>, shutdown: CancellationToken) {
        let names = readers.iter().map(|followed| followed.name.clone()).collect();
        if let Err(error) = self.store.keep_only_readers(&names).await {
            tracing::warn!(%error, "what sources saw that are not configured any more cannot be forgotten");
        }
        match self.store.seen_here().await {
            Ok(here) => drop(self.discover(&here)),
            Err(error) => tracing::warn!(%error, "what was seen before cannot be read"),
        }
        let holder = uuid::Uuid::new_v4().to_string();
        join_all(readers.into_iter().map(|followed| self.follow(followed, &holder, &shutdown))).await;
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

    async fn follow(&self, followed: Followed, holder: &str, shutdown: &CancellationToken) {
        let Followed { name, source, reader } = followed;
        let mut turn =
            Turn { name, source, reader, told: BTreeSet::new(), open: BTreeSet::new(), failures: 0 };
        let mut held = None;
        loop {
            let wait = match self.lease(&turn.name, holder).await {
                Some(lease) => {
                    let wait = tokio::select! {
                        () = shutdown.cancelled() => Duration::ZERO,
                        wait = self.take_turn(&mut turn, &lease, holder) => wait,
                    };
                    held = Some(lease);
                    wait
                }
                None => RENEWAL,
            };
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep(wait) => {}
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
    async fn take_turn(&self, turn: &mut Turn, lease: &Lease, holder: &str) -> Duration {
        let read = tokio::select! {
            read = tokio::time::timeout(LONGEST_READ, turn.reader.read(Timestamp::now())) => read,
            () = self.while_held(&lease.name, holder) => {
                tracing::warn!(reader = turn.name, "another process reads it by now");
                return RENEWAL;
            }
        };
        let now = Timestamp::now();
        let outcome = match read {
            Ok(Ok(told)) => self.keep(turn, told, lease, now).await.map_err(|error| {
                tracing::error!(%error, reader = turn.name, "what a source told cannot be kept; trying again");
                ReadError::new(error.to_string())
            }),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(ReadError::new("It did not answer in time.")),
        };
        let Err(error) = outcome else {
            turn.failures = 0;
            return turn.reader.pause().max(Duration::from_millis(100));
        };
        tracing::warn!(%error, reader = turn.name, "a source cannot be read; trying again");
        if let Err(error) = self.store.keep_problem(&turn.name, turn.source, &error.message, now, lease).await
        {
            tracing::error!(%error, reader = turn.name, "that a source cannot be read cannot be kept");
        }
        let pause = pause_after(turn.failures, error.retry_after);
        turn.failures = turn.failures.saturating_add(1);
        pause
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
        let mut facts = told.facts;
        let named = self.name_images(&told.images, now).await?;
        facts.extend(named.facts);
        facts.retain(|fact| !turn.told.contains(&fact.source_id));
        self.tell(turn, facts, now).await?;
        let problem = (!told.problems.is_empty()).then(|| told.problems.join(" "));
        let moved = self
            .store
            .keep_reading(&turn.name, turn.source, told.sightings.as_deref(), problem.as_deref(), now, lease)
            .await?;
        if !moved.is_empty() || !named.services.is_empty() {
            let mut services = named.services;
            services.extend(moved.into_iter().map(|place| place.service));
            turn.open.extend(self.places_of(&services).await?);
        }
        for place in std::mem::take(&mut turn.open) {
            let derived = match self.derive(&place, now).await {
                Ok(derived) => derived,
                Err(error) => {
                    turn.open.insert(place);
                    return Err(error);
                }
            };
            if !derived.all_known {
                turn.open.insert(place);
            }
            let mut facts = derived.facts;
            facts.retain(|fact| !turn.told.contains(&fact.source_id));
            self.tell(turn, facts, now).await?;
        }
        Ok(())
    }

    async fn tell(&self, turn: &mut Turn, facts: Vec<Fact>, now: Timestamp) -> Result<(), DeliveryError> {
        if turn.told.len() > REMEMBERED {
            turn.told.clear();
        }
        let ids: Vec<String> = facts.iter().map(|fact| fact.source_id.clone()).collect();
        self.record(facts, now).await?;
        turn.told.extend(ids);
        Ok(())
    }
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
    fn pauses_grow_and_respect_what_the_source_says() {
        let seconds = |failures, retry_after: Option<u64>| {
            pause_after(failures, retry_after.map(Duration::from_secs)).as_secs()
        };
        assert_eq!([0, 1, 2, 5, 6, 40].map(|failures| seconds(failures, None)), [5, 10, 20, 160, 300, 300]);
        assert_eq!(seconds(0, Some(1)), 5, "who answers at once is not asked at once");
        assert_eq!(seconds(0, Some(3_000)), 3_000);
    }
}
