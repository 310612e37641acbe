//! What every part of the store needs to talk SQL: times, JSON, keys, counters and transactions.

use domain::instance::{InstanceKey, SourceKey};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::any::AnyRow;
use sqlx::{Any, AnyConnection, Row, Transaction};

use crate::{Store, StoreError};

pub(crate) type Tx = Transaction<'static, Any>;

/// The numbered things. A transaction that raises several does so in this order, so that two never wait for each other.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Counter {
    Snapshot,
    SourceStatus,
    History,
    Change,
    Audit,
    Fact,
    Event,
    Delivery,
}

impl Counter {
    fn as_str(self) -> &'static str {
        match self {
            Counter::Snapshot => "snapshot",
            Counter::SourceStatus => "source_status",
            Counter::History => "history",
            Counter::Change => "change",
            Counter::Audit => "audit",
            Counter::Fact => "fact",
            Counter::Event => "event",
            Counter::Delivery => "delivery",
        }
    }

    /// Takes `count` numbers and answers the last. Others that want one wait until this transaction has ended, so that
    /// numbers become visible in their order: a reader who has seen one will never be shown a smaller one later.
    pub(crate) async fn take(self, tx: &mut AnyConnection, count: i64) -> Result<i64, StoreError> {
        let row = sqlx::query("UPDATE counters SET value = value + $1 WHERE name = $2 RETURNING value")
            .bind(count)
            .bind(self.as_str())
            .fetch_one(tx)
            .await?;
        Ok(row.try_get(0)?)
    }

    pub(crate) async fn next(self, tx: &mut AnyConnection) -> Result<i64, StoreError> {
        self.take(tx, 1).await
    }

    /// The number taken last.
    pub(crate) async fn last(self, store: &Store) -> Result<i64, StoreError> {
        let row = sqlx::query("SELECT value FROM counters WHERE name = $1")
            .bind(self.as_str())
            .fetch_one(store.reader())
            .await?;
        Ok(row.try_get(0)?)
    }
}

/// Postgres has no NUL in text; it is shown as the replacement character rather than refused.
pub(crate) fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

pub(crate) fn clean_option(text: Option<&str>) -> Option<String> {
    text.map(clean)
}

/// `now` plus a duration, at most the end of time.
pub(crate) fn later(now: Timestamp, duration: SignedDuration) -> Timestamp {
    now.checked_add(duration).unwrap_or(Timestamp::MAX)
}

/// `now` less a duration, at least the beginning of time.
pub(crate) fn earlier(now: Timestamp, duration: SignedDuration) -> Timestamp {
    now.checked_sub(duration).unwrap_or(Timestamp::MIN)
}

pub(crate) fn to_json<T: Serialize>(what: &str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Unwritable { what: what.to_owned(), problem: error.to_string() })
}

pub(crate) fn unreadable(column: &str, problem: impl ToString) -> StoreError {
    StoreError::Unreadable { column: column.to_owned(), problem: problem.to_string() }
}

pub(crate) fn timestamp_from(column: &str, millis: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(millis).map_err(|error| unreadable(column, error))
}

pub(crate) fn timestamp(row: &AnyRow, column: &str) -> Result<Timestamp, StoreError> {
    timestamp_from(column, row.try_get(column)?)
}

pub(crate) fn optional_timestamp(row: &AnyRow, column: &str) -> Result<Option<Timestamp>, StoreError> {
    let millis: Option<i64> = row.try_get(column)?;
    millis.map(|millis| timestamp_from(column, millis)).transpose()
}

pub(crate) fn json<T: DeserializeOwned>(row: &AnyRow, column: &str) -> Result<T, StoreError> {
    let text: &str = row.try_get(column)?;
    serde_json::from_str(text).map_err(|error| unreadable(column, error))
}

pub(crate) fn optional_json<T: DeserializeOwned>(
    row: &AnyRow,
    column: &str,
) -> Result<Option<T>, StoreError> {
    let text: Option<&str> = row.try_get(column)?;
    text.map(|text| serde_json::from_str(text).map_err(|error| unreadable(column, error))).transpose()
}

/// A text column that holds one of a closed set.
pub(crate) fn parsed<T>(
    row: &AnyRow,
    column: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, StoreError> {
    let text: &str = row.try_get(column)?;
    parse(text).ok_or_else(|| unreadable(column, format!("{text:?} is not a value it knows")))
}

pub(crate) fn source_key(row: &AnyRow) -> Result<SourceKey, StoreError> {
    Ok(SourceKey::new(row.try_get::<&str, _>("account")?, row.try_get::<&str, _>("region")?))
}

pub(crate) fn instance_key(row: &AnyRow) -> Result<InstanceKey, StoreError> {
    Ok(InstanceKey { source: source_key(row)?, instance_id: row.try_get::<&str, _>("instance_id")?.into() })
}

/// `($1, $2), ($3, $4)`: the placeholders of an insert of many rows.
pub(crate) fn placeholders(rows: usize, columns: usize) -> String {
    let mut text = String::with_capacity(rows * columns * 6);
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..columns {
            if column > 0 {
                text.push_str(", ");
            }
            text.push('$');
            text.push_str(&(row * columns + column + 1).to_string());
        }
        text.push(')');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_numbered_through() {
        assert_eq!(placeholders(2, 3), "($1, $2, $3), ($4, $5, $6)");
        assert_eq!(placeholders(1, 1), "($1)");
    }

    #[test]
    fn times_stay_within_what_can_be_written() {
        assert_eq!(later(Timestamp::MAX, SignedDuration::from_secs(1)), Timestamp::MAX);
        assert_eq!(earlier(Timestamp::MIN, SignedDuration::from_secs(1)), Timestamp::MIN);
    }

    #[test]
    fn a_nul_is_made_visible() {
        assert_eq!(clean("a\0b"), "a\u{fffd}b");
    }
}
