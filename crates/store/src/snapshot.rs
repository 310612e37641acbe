//! What was last read of each account-region: the instances as one packed row, and how the reading went.

use domain::instance::{InstanceKey, SourceKey};
use domain::source::SourceStatus;
use jiff::Timestamp;
use sqlx::{AnyConnection, Row};

use crate::history::{delete_vanished, insert_history, upsert_vanished};
use crate::lease::check_fence;
use crate::sql::{Counter, clean, json, source_key, timestamp, to_json};
use crate::{HistoryEntry, Lease, Store, StoreError, VanishedInstance};

/// All instances of an account-region, as read at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSnapshot {
    pub key: SourceKey,
    pub collected_at: Timestamp,
    pub instance_count: u32,
    /// Packed by the caller; the store does not look inside.
    pub payload: Vec<u8>,
}

/// A snapshot as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSnapshot {
    /// From one sequence for all account-regions.
    pub revision: i64,
    pub collected_at: Timestamp,
    pub instance_count: u32,
    pub payload: Vec<u8>,
}

/// A snapshot with all that follows from comparing it to the one before. Written as a whole or not at all: a change
/// between two snapshots is neither lost nor recorded twice when a process ends in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    pub snapshot: NewSnapshot,
    pub status: Option<SourceStatus>,
    pub history: Vec<HistoryEntry>,
    pub vanished: Vec<VanishedInstance>,
    /// Instances that had vanished and are listed again.
    pub returned: Vec<InstanceKey>,
}

impl Store {
    /// Replaces the snapshot of its account-region and answers the new revision. With a lease that was lost in the
    /// meantime nothing is written ([`StoreError::LeaseLost`]).
    pub async fn put_snapshot(
        &self,
        snapshot: &NewSnapshot,
        fence: Option<&Lease>,
    ) -> Result<i64, StoreError> {
        let mut tx = self.begin().await?;
        check_fence(&mut tx, fence).await?;
        let revision = upsert_snapshot(&mut tx, snapshot).await?;
        tx.commit().await?;
        Ok(revision)
    }

    /// Replaces the snapshot and records what was found with it, in one transaction; otherwise as [`Store::put_snapshot`].
    pub async fn put_collection(
        &self,
        collection: &Collection,
        fence: Option<&Lease>,
    ) -> Result<i64, StoreError> {
        let mut tx = self.begin().await?;
        check_fence(&mut tx, fence).await?;
        upsert_vanished(&mut tx, &collection.vanished).await?;
        delete_vanished(&mut tx, &collection.returned).await?;
        let revision = upsert_snapshot(&mut tx, &collection.snapshot).await?;
        if let Some(status) = &collection.status {
            upsert_status(&mut tx, status, collection.snapshot.collected_at).await?;
        }
        insert_history(&mut tx, &collection.history).await?;
        tx.commit().await?;
        Ok(revision)
    }

    /// The revision of every snapshot, by account and region: what a replica compares with what it holds.
    pub async fn snapshot_revisions(&self) -> Result<Vec<(SourceKey, i64)>, StoreError> {
        let rows =
            sqlx::query("SELECT account, region, revision FROM snapshots").fetch_all(self.reader()).await?;
        let mut revisions = rows
            .iter()
            .map(|row| Ok((source_key(row)?, row.try_get("revision")?)))
            .collect::<Result<Vec<_>, StoreError>>()?;
        // Sorted here: the databases may disagree about the order of texts.
        revisions.sort();
        Ok(revisions)
    }

    pub async fn snapshot(&self, key: &SourceKey) -> Result<Option<StoredSnapshot>, StoreError> {
        let row = sqlx::query(
            "SELECT revision, collected_at, instance_count, payload FROM snapshots WHERE account = $1 AND region = $2",
        )
        .bind(clean(&key.account))
        .bind(clean(&key.region))
        .fetch_optional(self.reader())
        .await?;
        row.map(|row| {
            Ok(StoredSnapshot {
                revision: row.try_get("revision")?,
                collected_at: timestamp(&row, "collected_at")?,
                instance_count: u32::try_from(row.try_get::<i64, _>("instance_count")?).unwrap_or(u32::MAX),
                payload: row.try_get("payload")?,
            })
        })
        .transpose()
    }

    /// Records how reading an account-region went.
    pub async fn put_source_status(
        &self,
        status: &SourceStatus,
        now: Timestamp,
        fence: Option<&Lease>,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        check_fence(&mut tx, fence).await?;
        upsert_status(&mut tx, status, now).await?;
        Ok(tx.commit().await?)
    }

    /// Every account-region's status, by account and region.
    pub async fn source_statuses(&self) -> Result<Vec<SourceStatus>, StoreError> {
        let rows = sqlx::query("SELECT status FROM source_status").fetch_all(self.reader()).await?;
        let mut statuses =
            rows.iter().map(|row| json::<SourceStatus>(row, "status")).collect::<Result<Vec<_>, _>>()?;
        statuses.sort_by(|left, right| left.key.cmp(&right.key));
        Ok(statuses)
    }

    /// Grows whenever a status is written: tells cheaply whether [`Store::source_statuses`] has anything new.
    pub async fn source_status_revision(&self) -> Result<i64, StoreError> {
        Counter::SourceStatus.last(self).await
    }

    /// Forgets the snapshots and statuses of account-regions that are no longer configured; history stays. Answers which.
    pub async fn delete_sources_except(&self, keys: &[SourceKey]) -> Result<Vec<SourceKey>, StoreError> {
        let mut tx = self.begin().await?;
        let rows = sqlx::query(
            "SELECT account, region FROM snapshots UNION SELECT account, region FROM source_status",
        )
        .fetch_all(&mut *tx)
        .await?;
        let mut stored = rows.iter().map(source_key).collect::<Result<Vec<_>, _>>()?;
        stored.sort();
        stored.retain(|key| !keys.contains(key));
        for key in &stored {
            for statement in [
                "DELETE FROM snapshots WHERE account = $1 AND region = $2",
                "DELETE FROM source_status WHERE account = $1 AND region = $2",
            ] {
                sqlx::query(statement).bind(&*key.account).bind(&*key.region).execute(&mut *tx).await?;
            }
        }
        if !stored.is_empty() {
            Counter::SourceStatus.next(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(stored)
    }
}

async fn upsert_snapshot(tx: &mut AnyConnection, snapshot: &NewSnapshot) -> Result<i64, StoreError> {
    let revision = Counter::Snapshot.next(&mut *tx).await?;
    sqlx::query(
        "INSERT INTO snapshots (account, region, revision, collected_at, instance_count, payload)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (account, region) DO UPDATE SET
            revision = excluded.revision, collected_at = excluded.collected_at,
            instance_count = excluded.instance_count, payload = excluded.payload",
    )
    .bind(clean(&snapshot.key.account))
    .bind(clean(&snapshot.key.region))
    .bind(revision)
    .bind(snapshot.collected_at.as_millisecond())
    .bind(i64::from(snapshot.instance_count))
    .bind(snapshot.payload.as_slice())
    .execute(tx)
    .await?;
    Ok(revision)
}

async fn upsert_status(
    tx: &mut AnyConnection,
    status: &SourceStatus,
    now: Timestamp,
) -> Result<(), StoreError> {
    let revision = Counter::SourceStatus.next(&mut *tx).await?;
    sqlx::query(
        "INSERT INTO source_status (account, region, revision, updated_at, status) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (account, region) DO UPDATE SET
            revision = excluded.revision, updated_at = excluded.updated_at, status = excluded.status",
    )
    .bind(clean(&status.key.account))
    .bind(clean(&status.key.region))
    .bind(revision)
    .bind(now.as_millisecond())
    .bind(to_json("a source's status", status)?)
    .execute(tx)
    .await?;
    Ok(())
}
