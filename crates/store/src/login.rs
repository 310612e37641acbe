//! Sign-ins under way: what must be remembered between sending somebody to the issuer and their coming back, once.

use jiff::Timestamp;
use sqlx::Row;

use crate::sql::{clean, timestamp};
use crate::{Store, StoreError};

impl Store {
    /// Remembers a sign-in. `state_hash` is SHA-256 in hexadecimal of the `state` that the issuer sends back.
    pub async fn put_login(
        &self,
        state_hash: &str,
        payload: &str,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("INSERT INTO logins (state_hash, payload, expires_at) VALUES ($1, $2, $3)")
            .bind(clean(state_hash))
            .bind(clean(payload))
            .bind(expires_at.as_millisecond())
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }

    /// Takes the payload of a sign-in; `None` when it was taken before, has expired or never was. Of many who ask at the
    /// same time, one gets it.
    pub async fn take_login(&self, state_hash: &str, now: Timestamp) -> Result<Option<String>, StoreError> {
        let mut tx = self.begin().await?;
        // An expired one goes too: nobody will be given it any more.
        let row = sqlx::query("DELETE FROM logins WHERE state_hash = $1 RETURNING payload, expires_at")
            .bind(clean(state_hash))
            .fetch_optional(&mut *tx)
            .await?;
        tx.commit().await?;
        let Some(row) = row else { return Ok(None) };
        let expired = timestamp(&row, "expires_at")?.as_millisecond() <= now.as_millisecond();
        Ok(if expired { None } else { Some(row.try_get("payload")?) })
    }
}
