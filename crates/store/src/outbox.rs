//! The outbox: messages to other systems, kept until they were delivered or given up.

use jiff::{SignedDuration, Timestamp};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::sql::{Counter, clean, later, timestamp};
use crate::{Store, StoreError};

/// A message to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDelivery {
    /// Names what the message is about; the same key is queued once, by whichever replica comes first.
    pub dedup_key: String,
    /// The name of the receiver in the configuration; its URL and secret stay there.
    pub target: String,
    pub kind: String,
    pub body: String,
    pub created_at: Timestamp,
}

/// A message that is being sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub id: i64,
    pub dedup_key: String,
    pub target: String,
    pub kind: String,
    pub body: String,
    pub created_at: Timestamp,
    /// How often it was taken up, this time included.
    pub attempts: u32,
    /// Why the attempt before failed.
    pub last_error: Option<String>,
}

impl Store {
    /// Queues a message, due at once; `false` when its key was queued before.
    pub async fn enqueue_delivery(&self, new: &NewDelivery) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let id = Counter::Delivery.next(&mut tx).await?;
        let queued = sqlx::query(
            "INSERT INTO deliveries (id, dedup_key, target, kind, body, created_at, attempts, next_attempt_at)
             VALUES ($1, $2, $3, $4, $5, $6, 0, $6) ON CONFLICT (dedup_key) DO NOTHING",
        )
        .bind(id)
        .bind(clean(&new.dedup_key))
        .bind(clean(&new.target))
        .bind(clean(&new.kind))
        .bind(clean(&new.body))
        .bind(new.created_at.as_millisecond())
        .execute(&mut *tx)
        .await?
        .rows_affected();
        tx.commit().await?;
        Ok(queued > 0)
    }

    /// Takes up to `limit` messages that are due, oldest first. Nobody else gets them within `ttl`; one that is neither
    /// marked as delivered nor as failed by then is due again, so a receiver may see a message twice.
    pub async fn due_deliveries(
        &self,
        now: Timestamp,
        ttl: SignedDuration,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let mut tx = self.begin().await?;
        // The condition stands twice: Postgres tests the outer one again after it has waited for another's claim.
        let rows = sqlx::query(
            "UPDATE deliveries SET attempts = attempts + 1, next_attempt_at = $1
             WHERE next_attempt_at <= $2 AND id IN (
                SELECT id FROM deliveries WHERE next_attempt_at <= $2 ORDER BY next_attempt_at, id LIMIT $3
             )
             RETURNING id, dedup_key, target, kind, body, created_at, attempts, last_error",
        )
        .bind(later(now, ttl).as_millisecond())
        .bind(now.as_millisecond())
        .bind(i64::from(limit))
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        let mut due = rows.iter().map(delivery).collect::<Result<Vec<_>, _>>()?;
        due.sort_by_key(|delivery| delivery.id);
        Ok(due)
    }

    pub async fn mark_delivered(&self, id: i64, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "UPDATE deliveries SET next_attempt_at = NULL, delivered_at = $1, last_error = NULL
             WHERE id = $2 AND delivered_at IS NULL",
        )
        .bind(now.as_millisecond())
        .bind(id)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// Records why an attempt failed, and when the next is due; `None` gives up. A message that another process has
    /// delivered in the meantime stays delivered.
    pub async fn mark_failed(
        &self,
        id: i64,
        error: &str,
        next_attempt_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "UPDATE deliveries SET next_attempt_at = $1, last_error = $2 WHERE id = $3 AND delivered_at IS NULL",
        )
        .bind(next_attempt_at.map(Timestamp::as_millisecond))
        .bind(clean(error))
        .bind(id)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }
}

fn delivery(row: &AnyRow) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        id: row.try_get("id")?,
        dedup_key: row.try_get("dedup_key")?,
        target: row.try_get("target")?,
        kind: row.try_get("kind")?,
        body: row.try_get("body")?,
        created_at: timestamp(row, "created_at")?,
        attempts: u32::try_from(row.try_get::<i64, _>("attempts")?).unwrap_or(u32::MAX),
        last_error: row.try_get("last_error")?,
    })
}
