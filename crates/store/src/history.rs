//! What was seen to change about instances, the last copy of those that are gone, and counts over time.

use domain::instance::{Instance, InstanceKey, InstanceState, MetadataOptions, SourceKey, Text};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

use crate::sql::{
    Counter, clean, instance_key, json, optional_json, parsed, placeholders, source_key, timestamp, to_json,
};
use crate::{Store, StoreError};

const MILLIS_PER_HOUR: i64 = 3_600_000;

/// Something that was different from one snapshot to the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    pub key: InstanceKey,
    pub at: Timestamp,
    pub kind: HistoryKind,
    pub before: Option<ObservedState>,
    pub after: Option<ObservedState>,
}

/// What happened to an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HistoryKind {
    Appeared,
    OptionsChanged,
    StateChanged,
    Vanished,
    Returned,
}

impl HistoryKind {
    pub const ALL: [HistoryKind; 5] = [
        HistoryKind::Appeared,
        HistoryKind::OptionsChanged,
        HistoryKind::StateChanged,
        HistoryKind::Vanished,
        HistoryKind::Returned,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            HistoryKind::Appeared => "appeared",
            HistoryKind::OptionsChanged => "options-changed",
            HistoryKind::StateChanged => "state-changed",
            HistoryKind::Vanished => "vanished",
            HistoryKind::Returned => "returned",
        }
    }

    pub fn parse(text: &str) -> Option<HistoryKind> {
        HistoryKind::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The part of an instance that history follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ObservedState {
    pub state: InstanceState,
    pub metadata_options: Option<MetadataOptions>,
}

impl From<&Instance> for ObservedState {
    fn from(instance: &Instance) -> ObservedState {
        ObservedState { state: instance.state, metadata_options: instance.metadata_options }
    }
}

/// An instance that is no longer listed, as it was when it last was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VanishedInstance {
    pub last_seen: Timestamp,
    pub instance: Instance,
}

/// An account-region's counts in one hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrendPoint {
    /// The start of the hour.
    pub hour: Timestamp,
    pub key: SourceKey,
    /// JSON text, as given.
    pub counts: String,
}

impl Store {
    pub async fn append_history(&self, entries: &[HistoryEntry]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        insert_history(&mut tx, entries).await?;
        Ok(tx.commit().await?)
    }

    /// An instance's history, newest first.
    pub async fn history_of(&self, key: &InstanceKey, limit: u32) -> Result<Vec<HistoryEntry>, StoreError> {
        let rows = sqlx::query(
            "SELECT account, region, instance_id, at, kind, before_state, after_state FROM history
             WHERE account = $1 AND region = $2 AND instance_id = $3 ORDER BY at DESC, id DESC LIMIT $4",
        )
        .bind(clean(&key.source.account))
        .bind(clean(&key.source.region))
        .bind(clean(&key.instance_id))
        .bind(i64::from(limit))
        .fetch_all(self.reader())
        .await?;
        rows.iter().map(history_entry).collect()
    }

    /// What happened to any instance at `since` or later, newest first.
    pub async fn history_since(&self, since: Timestamp, limit: u32) -> Result<Vec<HistoryEntry>, StoreError> {
        let rows = sqlx::query(
            "SELECT account, region, instance_id, at, kind, before_state, after_state FROM history
             WHERE at >= $1 ORDER BY at DESC, id DESC LIMIT $2",
        )
        .bind(since.as_millisecond())
        .bind(i64::from(limit))
        .fetch_all(self.reader())
        .await?;
        rows.iter().map(history_entry).collect()
    }

    pub async fn put_vanished(&self, vanished: &[VanishedInstance]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        upsert_vanished(&mut tx, vanished).await?;
        Ok(tx.commit().await?)
    }

    /// Forgets that instances had vanished, because they are listed again.
    pub async fn delete_vanished(&self, keys: &[InstanceKey]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        delete_vanished(&mut tx, keys).await?;
        Ok(tx.commit().await?)
    }

    pub async fn vanished(&self, key: &InstanceKey) -> Result<Option<VanishedInstance>, StoreError> {
        let row = sqlx::query(
            "SELECT last_seen, instance FROM vanished WHERE account = $1 AND region = $2 AND instance_id = $3",
        )
        .bind(clean(&key.source.account))
        .bind(clean(&key.source.region))
        .bind(clean(&key.instance_id))
        .fetch_optional(self.reader())
        .await?;
        row.map(|row| {
            Ok(VanishedInstance {
                last_seen: timestamp(&row, "last_seen")?,
                instance: json(&row, "instance")?,
            })
        })
        .transpose()
    }

    /// The ids of an account-region's instances that have vanished: what tells one that returned from a new one.
    pub async fn vanished_ids(&self, key: &SourceKey) -> Result<Vec<Text>, StoreError> {
        let rows = sqlx::query("SELECT instance_id FROM vanished WHERE account = $1 AND region = $2")
            .bind(clean(&key.account))
            .bind(clean(&key.region))
            .fetch_all(self.reader())
            .await?;
        rows.iter().map(|row| Ok(row.try_get::<&str, _>("instance_id")?.into())).collect()
    }

    /// Records an account-region's counts (JSON text) for the hour of `at`; the last of an hour stays.
    pub async fn put_trend(
        &self,
        at: Timestamp,
        key: &SourceKey,
        counts_json: &str,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO trend (hour, account, region, counts) VALUES ($1, $2, $3, $4)
             ON CONFLICT (hour, account, region) DO UPDATE SET counts = excluded.counts",
        )
        .bind(hour_of(at))
        .bind(clean(&key.account))
        .bind(clean(&key.region))
        .bind(clean(counts_json))
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// The counts from the hour of `since` on, by hour, account and region.
    pub async fn trend_since(&self, since: Timestamp) -> Result<Vec<TrendPoint>, StoreError> {
        let rows = sqlx::query("SELECT hour, account, region, counts FROM trend WHERE hour >= $1")
            .bind(hour_of(since))
            .fetch_all(self.reader())
            .await?;
        let mut points = rows
            .iter()
            .map(|row| {
                Ok(TrendPoint {
                    hour: timestamp(row, "hour")?,
                    key: source_key(row)?,
                    counts: row.try_get("counts")?,
                })
            })
            .collect::<Result<Vec<_>, StoreError>>()?;
        points.sort_by(|left, right| (left.hour, &left.key).cmp(&(right.hour, &right.key)));
        Ok(points)
    }
}

pub(crate) async fn insert_history(
    tx: &mut AnyConnection,
    entries: &[HistoryEntry],
) -> Result<(), StoreError> {
    /// Far below the parameters that either database takes in one statement (32,766 and 65,535).
    const ROWS_PER_INSERT: usize = 500;
    const COLUMNS: usize = 8;

    let Ok(count @ 1..) = i64::try_from(entries.len()) else { return Ok(()) };
    let last = Counter::History.take(&mut *tx, count).await?;
    let mut id = last - count;
    for chunk in entries.chunks(ROWS_PER_INSERT) {
        let sql = format!(
            "INSERT INTO history (id, account, region, instance_id, at, kind, before_state, after_state) VALUES {}",
            placeholders(chunk.len(), COLUMNS)
        );
        let mut insert = sqlx::query(AssertSqlSafe(sql)).persistent(chunk.len() == ROWS_PER_INSERT);
        for entry in chunk {
            id += 1;
            insert = insert
                .bind(id)
                .bind(clean(&entry.key.source.account))
                .bind(clean(&entry.key.source.region))
                .bind(clean(&entry.key.instance_id))
                .bind(entry.at.as_millisecond())
                .bind(entry.kind.as_str())
                .bind(observed_json(entry.before.as_ref())?)
                .bind(observed_json(entry.after.as_ref())?);
        }
        insert.execute(&mut *tx).await?;
    }
    Ok(())
}

pub(crate) async fn upsert_vanished(
    tx: &mut AnyConnection,
    vanished: &[VanishedInstance],
) -> Result<(), StoreError> {
    for VanishedInstance { last_seen, instance } in vanished {
        sqlx::query(
            "INSERT INTO vanished (account, region, instance_id, last_seen, instance) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (account, region, instance_id) DO UPDATE SET
                last_seen = excluded.last_seen, instance = excluded.instance",
        )
        .bind(clean(&instance.key.source.account))
        .bind(clean(&instance.key.source.region))
        .bind(clean(&instance.key.instance_id))
        .bind(last_seen.as_millisecond())
        .bind(to_json("an instance", instance)?)
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

pub(crate) async fn delete_vanished(tx: &mut AnyConnection, keys: &[InstanceKey]) -> Result<(), StoreError> {
    for key in keys {
        sqlx::query("DELETE FROM vanished WHERE account = $1 AND region = $2 AND instance_id = $3")
            .bind(clean(&key.source.account))
            .bind(clean(&key.source.region))
            .bind(clean(&key.instance_id))
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

/// The start of the hour, in milliseconds; also before 1970.
fn hour_of(at: Timestamp) -> i64 {
    at.as_millisecond().div_euclid(MILLIS_PER_HOUR) * MILLIS_PER_HOUR
}

fn observed_json(observed: Option<&ObservedState>) -> Result<Option<String>, StoreError> {
    observed.map(|observed| to_json("an instance's state", observed)).transpose()
}

fn history_entry(row: &AnyRow) -> Result<HistoryEntry, StoreError> {
    Ok(HistoryEntry {
        key: instance_key(row)?,
        at: timestamp(row, "at")?,
        kind: parsed(row, "kind", HistoryKind::parse)?,
        before: optional_json(row, "before_state")?,
        after: optional_json(row, "after_state")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_back() {
        for kind in HistoryKind::ALL {
            assert_eq!(HistoryKind::parse(kind.as_str()), Some(kind));
            assert_eq!(serde_json::to_value(kind).expect("it is text"), kind.as_str());
        }
    }

    #[test]
    fn hours_start_at_their_beginning() {
        let at: Timestamp = "2026-03-01T14:59:59.999Z".parse().expect("it is a time");
        let hour: Timestamp = "2026-03-01T14:00:00Z".parse().expect("it is a time");
        assert_eq!(hour_of(at), hour.as_millisecond());
        assert_eq!(hour_of(hour), hour.as_millisecond());
    }
}
