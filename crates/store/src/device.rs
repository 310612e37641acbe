//! Programs that wait for somebody to let them in (RFC 8628): asked for by a program, decided by a person, told once.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::Row;

use crate::sql::{clean, earlier, json, optional_timestamp, timestamp, to_json};
use crate::{Store, StoreError};

/// A program that begins to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDeviceLogin {
    /// SHA-256 of the device code in hexadecimal: what is stored lets nobody in who reads it.
    pub device_hash: String,
    /// What the person types or compares.
    pub user_code: String,
    /// What the program says of itself.
    pub client: String,
    pub address: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// A program that waits, as it is shown to whoever decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceLogin {
    pub client: String,
    pub address: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// What somebody decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceDecision {
    /// The program acts for this person from now on.
    Approved(Approver),
    Refused,
}

/// Who let a program in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approver {
    pub issuer: String,
    pub subject: String,
    pub name: String,
    pub groups: Vec<String>,
}

/// What a program that asks is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceAnswer {
    /// There is no such code: it never was, has expired, or was told before.
    Unknown,
    /// It asks more often than it may.
    TooSoon,
    /// Nobody has decided yet.
    Pending,
    /// Told this once.
    Decided { login: DeviceLogin, decision: DeviceDecision },
}

impl Store {
    /// Remembers a program that waits; `false` when another one waits under the same user code.
    pub async fn put_device_login(&self, new: &NewDeviceLogin) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let put = sqlx::query(
            "INSERT INTO device_logins (device_hash, user_code, client, address, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (user_code) DO NOTHING",
        )
        .bind(clean(&new.device_hash))
        .bind(clean(&new.user_code))
        .bind(clean(&new.client))
        .bind(clean(&new.address))
        .bind(new.created_at.as_millisecond())
        .bind(new.expires_at.as_millisecond())
        .execute(&mut *tx)
        .await?
        .rows_affected();
        tx.commit().await?;
        Ok(put > 0)
    }

    /// The program that waits under a user code, unless it was decided already or has expired.
    pub async fn device_login(
        &self,
        user_code: &str,
        now: Timestamp,
    ) -> Result<Option<DeviceLogin>, StoreError> {
        let row = sqlx::query(
            "SELECT client, address, created_at, expires_at FROM device_logins
             WHERE user_code = $1 AND decision IS NULL AND expires_at > $2",
        )
        .bind(clean(user_code))
        .bind(now.as_millisecond())
        .fetch_optional(self.reader())
        .await?;
        row.as_ref().map(login_from).transpose()
    }

    /// Decides about the program that waits under a user code, and answers it; `None` when there is none any more, or
    /// somebody else has decided.
    pub async fn decide_device_login(
        &self,
        user_code: &str,
        decision: &DeviceDecision,
        now: Timestamp,
    ) -> Result<Option<DeviceLogin>, StoreError> {
        let mut tx = self.begin().await?;
        let row = sqlx::query(
            "UPDATE device_logins SET decision = $1 WHERE user_code = $2 AND decision IS NULL AND expires_at > $3
             RETURNING client, address, created_at, expires_at",
        )
        .bind(to_json("a decision", decision)?)
        .bind(clean(user_code))
        .bind(now.as_millisecond())
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        row.as_ref().map(login_from).transpose()
    }

    /// What the program of a device code is told, which may ask once per `interval`. Of many who ask at the same time, one
    /// is told the decision.
    pub async fn ask_device_login(
        &self,
        device_hash: &str,
        interval: SignedDuration,
        now: Timestamp,
    ) -> Result<DeviceAnswer, StoreError> {
        let mut tx = self.begin().await?;
        let decided = sqlx::query(
            "DELETE FROM device_logins WHERE device_hash = $1 AND expires_at > $2 AND decision IS NOT NULL
             RETURNING client, address, created_at, expires_at, decision",
        )
        .bind(clean(device_hash))
        .bind(now.as_millisecond())
        .fetch_optional(&mut *tx)
        .await?;
        if let Some(row) = decided {
            tx.commit().await?;
            return Ok(DeviceAnswer::Decided { login: login_from(&row)?, decision: json(&row, "decision")? });
        }
        let waiting =
            sqlx::query("SELECT asked_at FROM device_logins WHERE device_hash = $1 AND expires_at > $2")
                .bind(clean(device_hash))
                .bind(now.as_millisecond())
                .fetch_optional(&mut *tx)
                .await?;
        let Some(waiting) = waiting else { return Ok(DeviceAnswer::Unknown) };
        let asked_at = optional_timestamp(&waiting, "asked_at")?;
        sqlx::query("UPDATE device_logins SET asked_at = $1 WHERE device_hash = $2")
            .bind(now.as_millisecond())
            .bind(clean(device_hash))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        let too_soon = asked_at.is_some_and(|asked_at| asked_at > earlier(now, interval));
        Ok(if too_soon { DeviceAnswer::TooSoon } else { DeviceAnswer::Pending })
    }
}

fn login_from(row: &sqlx::any::AnyRow) -> Result<DeviceLogin, StoreError> {
    Ok(DeviceLogin {
        client: row.try_get("client")?,
        address: row.try_get("address")?,
        created_at: timestamp(row, "created_at")?,
        expires_at: timestamp(row, "expires_at")?,
    })
}
