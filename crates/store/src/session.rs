//! Sessions of people who signed in: found by the hash of their token, listed and ended by their id.

use jiff::{SignedDuration, Timestamp};
use sqlx::Row;
use sqlx::any::AnyRow;
use uuid::Uuid;

use crate::sql::{clean, earlier, json, timestamp, to_json};
use crate::{Store, StoreError};

/// `SELECT` of all columns but the hash, by name as everywhere.
macro_rules! select_sessions {
    ($rest:literal) => {
        concat!(
            "SELECT id, issuer, subject, name, group_names, address, user_agent, created_at, last_seen_at, expires_at \
             FROM sessions ",
            $rest
        )
    };
}

/// A session that begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// SHA-256 of the token in hexadecimal: what is stored lets nobody in who reads it.
    pub token_hash: String,
    pub issuer: String,
    /// Who it is at the issuer; the name is for reading only.
    pub subject: String,
    pub name: String,
    pub groups: Vec<String>,
    pub address: String,
    pub user_agent: String,
    pub created_at: Timestamp,
    /// When it ends, however busy it is.
    pub expires_at: Timestamp,
}

/// A session as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSession {
    /// Names the session without opening it.
    pub id: String,
    pub issuer: String,
    pub subject: String,
    pub name: String,
    pub groups: Vec<String>,
    pub address: String,
    pub user_agent: String,
    pub created_at: Timestamp,
    pub last_seen_at: Timestamp,
    pub expires_at: Timestamp,
}

impl Store {
    /// Begins a session, seen now for the first time, and answers its id.
    pub async fn create_session(&self, new: &NewSession) -> Result<String, StoreError> {
        let id = Uuid::new_v4().to_string();
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO sessions (id, token_hash, issuer, subject, name, group_names, address, user_agent, created_at,
                last_seen_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10)",
        )
        .bind(&id)
        .bind(clean(&new.token_hash))
        .bind(clean(&new.issuer))
        .bind(clean(&new.subject))
        .bind(clean(&new.name))
        .bind(to_json("groups", &new.groups)?)
        .bind(clean(&new.address))
        .bind(clean(&new.user_agent))
        .bind(new.created_at.as_millisecond())
        .bind(new.expires_at.as_millisecond())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(id)
    }

    /// The session of a token, unless it has expired, or was last seen `idle` ago or longer.
    pub async fn session(
        &self,
        token_hash: &str,
        now: Timestamp,
        idle: SignedDuration,
    ) -> Result<Option<StoredSession>, StoreError> {
        let row =
            sqlx::query(select_sessions!("WHERE token_hash = $1 AND expires_at > $2 AND last_seen_at > $3"))
                .bind(clean(token_hash))
                .bind(now.as_millisecond())
                .bind(earlier(now, idle).as_millisecond())
                .fetch_optional(self.reader())
                .await?;
        row.as_ref().map(session_from).transpose()
    }

    /// Records that a session was seen, which keeps it from ending for idleness. Each time is a write, so that once in a
    /// small part of the idle time is often enough.
    pub async fn touch_session(&self, id: &str, now: Timestamp) -> Result<(), StoreError> {
        self.touch("UPDATE sessions SET last_seen_at = $1 WHERE id = $2 AND last_seen_at < $1", id, now).await
    }

    /// Somebody's sessions that have not expired, last seen first; those that ended for idleness are among them.
    pub async fn sessions_of(
        &self,
        issuer: &str,
        subject: &str,
        now: Timestamp,
    ) -> Result<Vec<StoredSession>, StoreError> {
        let rows = sqlx::query(select_sessions!(
            "WHERE issuer = $1 AND subject = $2 AND expires_at > $3 ORDER BY last_seen_at DESC, id"
        ))
        .bind(clean(issuer))
        .bind(clean(subject))
        .bind(now.as_millisecond())
        .fetch_all(self.reader())
        .await?;
        rows.iter().map(session_from).collect()
    }

    /// Everybody's sessions, as [`Store::sessions_of`].
    pub async fn sessions(&self, now: Timestamp, limit: u32) -> Result<Vec<StoredSession>, StoreError> {
        let rows =
            sqlx::query(select_sessions!("WHERE expires_at > $1 ORDER BY last_seen_at DESC, id LIMIT $2"))
                .bind(now.as_millisecond())
                .bind(i64::from(limit))
                .fetch_all(self.reader())
                .await?;
        rows.iter().map(session_from).collect()
    }

    /// Ends one of somebody's sessions; `false` when there is none, or it is somebody else's.
    pub async fn end_own_session(&self, id: &str, issuer: &str, subject: &str) -> Result<bool, StoreError> {
        let statement = "DELETE FROM sessions WHERE id = $1 AND issuer = $2 AND subject = $3";
        Ok(self.take_back(statement, &[id, issuer, subject]).await? > 0)
    }

    /// Ends a session, whoever's it is; `false` when there was none.
    pub async fn end_session(&self, id: &str) -> Result<bool, StoreError> {
        Ok(self.take_back("DELETE FROM sessions WHERE id = $1", &[id]).await? > 0)
    }

    /// Ends all of somebody's sessions, and answers how many there were.
    pub async fn end_sessions_of(&self, issuer: &str, subject: &str) -> Result<u64, StoreError> {
        self.take_back("DELETE FROM sessions WHERE issuer = $1 AND subject = $2", &[issuer, subject]).await
    }
}

fn session_from(row: &AnyRow) -> Result<StoredSession, StoreError> {
    Ok(StoredSession {
        id: row.try_get("id")?,
        issuer: row.try_get("issuer")?,
        subject: row.try_get("subject")?,
        name: row.try_get("name")?,
        groups: json(row, "group_names")?,
        address: row.try_get("address")?,
        user_agent: row.try_get("user_agent")?,
        created_at: timestamp(row, "created_at")?,
        last_seen_at: timestamp(row, "last_seen_at")?,
        expires_at: timestamp(row, "expires_at")?,
    })
}
