//! Retention: what is older than it has to be kept is deleted, in steps that leave room for others.

use jiff::{SignedDuration, Timestamp};

use crate::sql::earlier;
use crate::{Store, StoreError};

/// How long each kind of row is kept. Changes are kept for good: they hold the way back. Sessions, sign-ins and tokens are
/// kept until they expire, and so are programs that wait to be let in; people as long as the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    pub history: SignedDuration,
    /// `None` keeps the audit log for good.
    pub audit: Option<SignedDuration>,
    pub events: SignedDuration,
    /// Counted from when an instance was last seen.
    pub vanished: SignedDuration,
    pub trend: SignedDuration,
    /// Counted from when a message was queued; those still to be sent are kept.
    pub deliveries: SignedDuration,
    /// Counted from when something was last told of a change; what runs somewhere is kept.
    pub facts: SignedDuration,
}

/// How many rows were deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    pub history: u64,
    pub audit: u64,
    pub persons: u64,
    pub events: u64,
    pub vanished: u64,
    pub trend: u64,
    pub deliveries: u64,
    pub facts: u64,
    pub sessions: u64,
    pub logins: u64,
    pub device_logins: u64,
    pub tokens: u64,
}

impl Store {
    /// Deletes what is older than `retention` allows at `now`, and what has expired by then.
    pub async fn prune(&self, now: Timestamp, retention: &Retention) -> Result<Pruned, StoreError> {
        let history = self
            .delete_older(
                "DELETE FROM history WHERE id IN (SELECT id FROM history WHERE at < $1 LIMIT $2)",
                earlier(now, retention.history),
            )
            .await?;
        let (audit, persons) = match retention.audit {
            None => (0, 0),
            Some(keep) => {
                let too_old = earlier(now, keep);
                let audit = self
                    .delete_older(
                        "DELETE FROM audit WHERE seq IN (SELECT seq FROM audit WHERE at < $1 LIMIT $2)",
                        too_old,
                    )
                    .await?;
                // Where the log no longer tells what somebody was given, nothing else may.
                let persons = self
                    .delete_older(
                        "DELETE FROM persons WHERE (issuer, subject) IN (
                            SELECT issuer, subject FROM persons WHERE seen_at < $1 LIMIT $2
                         )",
                        too_old,
                    )
                    .await?;
                (audit, persons)
            }
        };
        let events = self
            .delete_older(
                "DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE at < $1 LIMIT $2)",
                earlier(now, retention.events),
            )
            .await?;
        let vanished = self
            .delete_older(
                "DELETE FROM vanished WHERE (account, region, instance_id) IN (
                    SELECT account, region, instance_id FROM vanished WHERE last_seen < $1 LIMIT $2
                 )",
                earlier(now, retention.vanished),
            )
            .await?;
        let trend = self
            .delete_older(
                "DELETE FROM trend WHERE (hour, account, region) IN (
                    SELECT hour, account, region FROM trend WHERE hour < $1 LIMIT $2
                 )",
                earlier(now, retention.trend),
            )
            .await?;
        let deliveries = self
            .delete_older(
                "DELETE FROM deliveries WHERE id IN (
                    SELECT id FROM deliveries WHERE next_attempt_at IS NULL AND created_at < $1 LIMIT $2
                 )",
                earlier(now, retention.deliveries),
            )
            .await?;
        let facts = self.prune_changes(earlier(now, retention.facts)).await?;
        let sessions = self
            .delete_older(
                "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at <= $1 LIMIT $2)",
                now,
            )
            .await?;
        let logins = self
            .delete_older(
                "DELETE FROM logins WHERE state_hash IN (
                    SELECT state_hash FROM logins WHERE expires_at <= $1 LIMIT $2
                 )",
                now,
            )
            .await?;
        let device_logins = self
            .delete_older(
                "DELETE FROM device_logins WHERE device_hash IN (
                    SELECT device_hash FROM device_logins WHERE expires_at <= $1 LIMIT $2
                 )",
                now,
            )
            .await?;
        let tokens = self
            .delete_older(
                "DELETE FROM tokens WHERE id IN (SELECT id FROM tokens WHERE expires_at <= $1 LIMIT $2)",
                now,
            )
            .await?;
        Ok(Pruned {
            history,
            audit,
            persons,
            events,
            vanished,
            trend,
            deliveries,
            facts,
            sessions,
            logins,
            device_logins,
            tokens,
        })
    }

    /// Repeats `statement`, which deletes at most `$2` rows that are too old at `$1`, until none is left.
    async fn delete_older(&self, statement: &'static str, at: Timestamp) -> Result<u64, StoreError> {
        /// Few enough that whoever wants to write in between does not notice.
        const ROWS_PER_STEP: i64 = 2_000;
        let mut deleted = 0;
        loop {
            let mut tx = self.begin().await?;
            let step = sqlx::query(statement)
                .bind(at.as_millisecond())
                .bind(ROWS_PER_STEP)
                .execute(&mut *tx)
                .await?
                .rows_affected();
            tx.commit().await?;
            deleted += step;
            if step == 0 {
                return Ok(deleted);
            }
        }
    }
}
