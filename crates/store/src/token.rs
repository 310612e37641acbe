//! Personal access tokens: found by their hash, listed and revoked by their id.

use domain::access::Access;
use jiff::Timestamp;
use sqlx::Row;
use sqlx::any::AnyRow;
use uuid::Uuid;

use crate::sql::{clean, json, optional_json, optional_timestamp, timestamp, to_json};
use crate::{Store, StoreError};

/// `SELECT` of all columns but the hash, by name as everywhere.
macro_rules! select_tokens {
    ($rest:literal) => {
        concat!(
            "SELECT id, issuer, subject, owner_name, group_names, name, access, created_at, last_used_at, expires_at \
             FROM tokens ",
            $rest
        )
    };
}

/// A token that is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    /// SHA-256 of the token in hexadecimal: what is stored lets nobody in who reads it.
    pub token_hash: String,
    pub issuer: String,
    /// Who its owner is at the issuer.
    pub subject: String,
    pub owner_name: String,
    /// The owner's groups when it was made, which decide what the owner may do.
    pub groups: Vec<String>,
    /// What its owner calls it.
    pub name: String,
    /// Limits the token within what its owner may do: both have to allow.
    pub access: Option<Access>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// A token as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredToken {
    /// Names the token without being one.
    pub id: String,
    pub issuer: String,
    pub subject: String,
    pub owner_name: String,
    pub groups: Vec<String>,
    pub name: String,
    pub access: Option<Access>,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
    pub expires_at: Timestamp,
}

impl Store {
    /// Stores a token and answers its id.
    pub async fn create_token(&self, new: &NewToken) -> Result<String, StoreError> {
        let id = Uuid::new_v4().to_string();
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO tokens (id, token_hash, issuer, subject, owner_name, group_names, name, access, created_at,
                expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(&id)
        .bind(clean(&new.token_hash))
        .bind(clean(&new.issuer))
        .bind(clean(&new.subject))
        .bind(clean(&new.owner_name))
        .bind(to_json("groups", &new.groups)?)
        .bind(clean(&new.name))
        .bind(new.access.as_ref().map(|access| to_json("a token's access", access)).transpose()?)
        .bind(new.created_at.as_millisecond())
        .bind(new.expires_at.as_millisecond())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(id)
    }

    /// The token of a hash, unless it has expired.
    pub async fn token(&self, token_hash: &str, now: Timestamp) -> Result<Option<StoredToken>, StoreError> {
        let row = sqlx::query(select_tokens!("WHERE token_hash = $1 AND expires_at > $2"))
            .bind(clean(token_hash))
            .bind(now.as_millisecond())
            .fetch_optional(self.reader())
            .await?;
        row.as_ref().map(token_from).transpose()
    }

    /// Records that a token was used. Each time is a write: once in a while is often enough.
    pub async fn touch_token(&self, id: &str, now: Timestamp) -> Result<(), StoreError> {
        let statement = "UPDATE tokens SET last_used_at = $1 WHERE id = $2 AND (last_used_at IS NULL OR last_used_at < $1)";
        self.touch(statement, id, now).await
    }

    /// Somebody's tokens, newest first; those that expired are among them until they are pruned.
    pub async fn tokens_of(&self, issuer: &str, subject: &str) -> Result<Vec<StoredToken>, StoreError> {
        let rows =
            sqlx::query(select_tokens!("WHERE issuer = $1 AND subject = $2 ORDER BY created_at DESC, id"))
                .bind(clean(issuer))
                .bind(clean(subject))
                .fetch_all(self.reader())
                .await?;
        rows.iter().map(token_from).collect()
    }

    /// Revokes a token of its owner; `false` when there is none, or it is somebody else's.
    pub async fn revoke_token(&self, id: &str, issuer: &str, subject: &str) -> Result<bool, StoreError> {
        let statement = "DELETE FROM tokens WHERE id = $1 AND issuer = $2 AND subject = $3";
        Ok(self.take_back(statement, &[id, issuer, subject]).await? > 0)
    }

    /// Revokes a token, whoever's it is; `false` when there is none.
    pub async fn revoke_any_token(&self, id: &str) -> Result<bool, StoreError> {
        Ok(self.take_back("DELETE FROM tokens WHERE id = $1", &[id]).await? > 0)
    }
}

fn token_from(row: &AnyRow) -> Result<StoredToken, StoreError> {
    Ok(StoredToken {
        id: row.try_get("id")?,
        issuer: row.try_get("issuer")?,
        subject: row.try_get("subject")?,
        owner_name: row.try_get("owner_name")?,
        groups: json(row, "group_names")?,
        name: row.try_get("name")?,
        access: optional_json(row, "access")?,
        created_at: timestamp(row, "created_at")?,
        last_used_at: optional_timestamp(row, "last_used_at")?,
        expires_at: timestamp(row, "expires_at")?,
    })
}
