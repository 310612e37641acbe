//! Facts on their way into the store: those that arrive while a transaction is under way share the next one.

use std::sync::{Arc, Mutex, PoisonError};

use domain::delivery::Fact;
use jiff::Timestamp;
use store::{Recorded, Store};
use tokio::sync::oneshot;

use crate::{Delivery, DeliveryError};

/// Facts that wait, each lot with whoever waits for it. A webhook is answered once its facts are kept: a process that ends before
/// loses nothing that it said it had.
#[derive(Debug)]
pub(crate) struct Intake {
    store: Store,
    waiting: Mutex<Vec<Lot>>,
    /// Held while a transaction is under way.
    turn: tokio::sync::Mutex<()>,
}

/// What one caller told.
#[derive(Debug)]
struct Lot {
    facts: Vec<Fact>,
    now: Timestamp,
    done: oneshot::Sender<Result<Recorded, String>>,
}

impl Intake {
    pub(crate) fn new(store: Store) -> Intake {
        Intake { store, waiting: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }

    async fn take(self: &Arc<Intake>, facts: Vec<Fact>, now: Timestamp) -> Result<Recorded, DeliveryError> {
        let (done, outcome) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(Lot { facts, now, done });
        let intake = self.clone();
        // A task of its own: whoever began it may go away, and others wait for it.
        tokio::spawn(async move { intake.record_waiting().await });
        outcome.await.unwrap_or_else(|_| Err("the task ended early".into())).map_err(DeliveryError::NotKept)
    }

    async fn record_waiting(&self) {
        let _turn = self.turn.lock().await;
        let lots = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        let Some(now) = lots.iter().map(|lot| lot.now).max() else { return };
        if let [_] = &lots[..] {
            return self.record_each(lots).await;
        }
        let all: Vec<Fact> = lots.iter().flat_map(|lot| lot.facts.iter().cloned()).collect();
        match self.store.record_facts(&all, now).await {
            // Who of them told it first does not matter to anybody.
            Ok(recorded) => lots.into_iter().for_each(|lot| {
                let _ = lot.done.send(Ok(recorded.clone()));
            }),
            // One of them may be what the store cannot take: the others must not suffer for it.
            Err(error) => {
                tracing::warn!(%error, "facts of several callers cannot be recorded together; trying each by itself");
                self.record_each(lots).await;
            }
        }
    }

    async fn record_each(&self, lots: Vec<Lot>) {
        for lot in lots {
            let recorded = self.store.record_facts(&lot.facts, lot.now).await;
            // Who does not wait any more is not told.
            let _ = lot.done.send(recorded.map_err(|error| error.to_string()));
        }
    }
}

impl Delivery {
    /// Takes facts in. All of them or none: one that contradicts itself refuses them all, and so does a service or environment that
    /// is not configured.
    ///
    /// # Errors
    /// [`DeliveryError::Fact`] for what is wrong with a fact, [`DeliveryError::UnknownService`] and
    /// [`DeliveryError::UnknownEnvironment`], and [`DeliveryError::NotKept`] where the store fails.
    pub async fn record(&self, facts: Vec<Fact>, now: Timestamp) -> Result<Recorded, DeliveryError> {
        for fact in &facts {
            if let Err(DeliveryError::UnknownService(_)) = self.takes(fact) {
                // Another process may have found it since.
                self.discover(&self.store.seen_here().await?);
            }
            self.takes(fact)?;
        }
        if facts.is_empty() {
            return Ok(Recorded::default());
        }
        let mut sources: Vec<_> = facts.iter().map(|fact| fact.source).collect();
        sources.dedup();
        let recorded = self.intake.take(facts, now).await?;
        for source in sources {
            self.sources.told(source, now);
        }
        Ok(recorded)
    }

    /// Whether a fact can be taken in.
    pub(crate) fn takes(&self, fact: &Fact) -> Result<(), DeliveryError> {
        fact.check()?;
        self.followed(&fact.service, fact.environment.as_ref())
    }
}
