//! Events: what browsers are told of, numbered in the order in which it became visible.

use jiff::Timestamp;
use sqlx::{AnyConnection, Row};

use crate::sql::{Counter, clean, timestamp};
use crate::{Store, StoreError};

/// An event as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    pub seq: i64,
    pub at: Timestamp,
    pub kind: String,
    /// JSON text, as given.
    pub payload: String,
}

impl Store {
    /// Appends an event and answers its sequence number.
    pub async fn append_event(
        &self,
        at: Timestamp,
        kind: &str,
        payload_json: &str,
    ) -> Result<i64, StoreError> {
        let mut tx = self.begin().await?;
        let seq = insert_event(&mut tx, at, kind, payload_json).await?;
        tx.commit().await?;
        Ok(seq)
    }

    /// The events after `seq`, oldest first. The numbers have no gaps and never appear out of order; a first number
    /// beyond `seq + 1` means that events in between were pruned.
    pub async fn events_after(&self, seq: i64, limit: u32) -> Result<Vec<StoredEvent>, StoreError> {
        let rows =
            sqlx::query("SELECT seq, at, kind, payload FROM events WHERE seq > $1 ORDER BY seq LIMIT $2")
                .bind(seq)
                .bind(i64::from(limit))
                .fetch_all(self.reader())
                .await?;
        rows.iter()
            .map(|row| {
                Ok(StoredEvent {
                    seq: row.try_get("seq")?,
                    at: timestamp(row, "at")?,
                    kind: row.try_get("kind")?,
                    payload: row.try_get("payload")?,
                })
            })
            .collect()
    }

    /// The number of the last event, also when it was pruned; 0 before the first.
    pub async fn last_event_seq(&self) -> Result<i64, StoreError> {
        Counter::Event.last(self).await
    }
}

/// Appends an event within a transaction: as its last step, since all who append wait for it from here on.
pub(crate) async fn insert_event(
    tx: &mut AnyConnection,
    at: Timestamp,
    kind: &str,
    payload_json: &str,
) -> Result<i64, StoreError> {
    let seq = Counter::Event.next(&mut *tx).await?;
    sqlx::query("INSERT INTO events (seq, at, kind, payload) VALUES ($1, $2, $3, $4)")
        .bind(seq)
        .bind(at.as_millisecond())
        .bind(clean(kind))
        .bind(clean(payload_json))
        .execute(tx)
        .await?;
    Ok(seq)
}
