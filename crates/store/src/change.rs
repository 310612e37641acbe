//! Changes as rows: asked for once, taken up by one process at a time, and never separated from their audit entries.

use domain::audit::NewAuditEntry;
use domain::change::{Change, ChangeStatus, Purpose, Request};
use domain::instance::{InstanceKey, MetadataOptions};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use crate::audit::insert_audit;
use crate::event::insert_event;
use crate::sql::{
    Counter, clean, clean_option, instance_key, json, later, optional_json, parsed, timestamp, to_json,
};
use crate::{Store, StoreError};

/// The kind of the event that each step of a change appends; its payload is a [`ChangeEvent`].
pub const CHANGE_EVENT: &str = "change";

/// Longer keys would not fit an index of Postgres.
pub const MAX_IDEMPOTENCY_KEY_BYTES: u64 = 200;

/// `SELECT` of all columns by name: with `*`, a statement that Postgres has prepared would fail once a newer version adds
/// a column.
macro_rules! select_changes {
    ($rest:literal) => {
        concat!(
            "SELECT id, idempotency_key, account, region, instance_id, purpose, request, before_options, after_options, \
             status, actor, address, reason, policy_revision, aws_request_id, error, requested_at, updated_at \
             FROM changes ",
            $rest
        )
    };
}

/// A change that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewChange {
    /// 1 to [`MAX_IDEMPOTENCY_KEY_BYTES`] bytes.
    pub idempotency_key: String,
    pub key: InstanceKey,
    pub purpose: Purpose,
    pub request: Request,
    pub before: MetadataOptions,
    pub actor: String,
    /// Where the actor called from; empty where nobody called.
    pub address: String,
    pub reason: String,
    pub policy_revision: String,
    pub requested_at: Timestamp,
}

/// What an event says about a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeEvent {
    pub id: i64,
    pub key: InstanceKey,
    pub status: ChangeStatus,
}

impl Store {
    /// Stores a change with its audit entry and event, whose `change_id` is set here. The same idempotency key answers
    /// the change that it made the first time, and `false`; nothing is written then. An instance has at most one change
    /// under way ([`StoreError::ChangeInProgress`]).
    pub async fn request_change(
        &self,
        new: &NewChange,
        audit: &NewAuditEntry,
    ) -> Result<(Change, bool), StoreError> {
        let bytes = new.idempotency_key.len() as u64;
        if !(1..=MAX_IDEMPOTENCY_KEY_BYTES).contains(&bytes) {
            return Err(StoreError::IdempotencyKeyLength { bytes, max: MAX_IDEMPOTENCY_KEY_BYTES });
        }
        let mut tx = self.begin().await?;
        // Taking the number first lets requests pass one by one, so that what is looked up next cannot change under us.
        let id = Counter::Change.next(&mut tx).await?;
        if let Some(existing) = change_by_idempotency_key(&mut *tx, &new.idempotency_key).await? {
            tx.rollback().await?;
            let same_kind = std::mem::discriminant(&existing.purpose) == std::mem::discriminant(&new.purpose);
            if existing.key != new.key || !same_kind {
                return Err(StoreError::IdempotencyKeyReused { id: existing.id });
            }
            return Ok((existing, false));
        }
        if let Some(id) = open_change_id(&mut tx, &new.key).await? {
            tx.rollback().await?;
            return Err(StoreError::ChangeInProgress { id });
        }
        insert_change(&mut tx, id, new).await?;
        let stored = change_by_id(&mut *tx, id).await?.ok_or_else(|| not_found(id))?;
        append_trail(&mut tx, &stored, new.requested_at, Some(audit)).await?;
        tx.commit().await?;
        Ok((stored, true))
    }

    pub async fn change(&self, id: i64) -> Result<Option<Change>, StoreError> {
        change_by_id(self.reader(), id).await
    }

    /// The change that a key made: what a repeated request is answered with before anything is planned anew.
    pub async fn change_by_idempotency_key(
        &self,
        idempotency_key: &str,
    ) -> Result<Option<Change>, StoreError> {
        change_by_idempotency_key(self.reader(), idempotency_key).await
    }

    /// An instance's changes, newest first.
    pub async fn changes_of(&self, key: &InstanceKey, limit: u32) -> Result<Vec<Change>, StoreError> {
        let rows = sqlx::query(select_changes!(
            "WHERE account = $1 AND region = $2 AND instance_id = $3 ORDER BY id DESC LIMIT $4"
        ))
        .bind(clean(&key.source.account))
        .bind(clean(&key.source.region))
        .bind(clean(&key.instance_id))
        .bind(i64::from(limit))
        .fetch_all(self.reader())
        .await?;
        rows.iter().map(change_from).collect()
    }

    /// Every change that has not ended, oldest first, whoever works on it.
    pub async fn open_changes(&self) -> Result<Vec<Change>, StoreError> {
        let rows =
            sqlx::query(select_changes!("WHERE is_open = 1 ORDER BY id")).fetch_all(self.reader()).await?;
        rows.iter().map(change_from).collect()
    }

    /// Takes a change up, or renews the claim; `None` while another process works on it, and when it has ended.
    pub async fn claim_change(
        &self,
        id: i64,
        holder: &str,
        now: Timestamp,
        ttl: SignedDuration,
    ) -> Result<Option<Change>, StoreError> {
        let mut tx = self.begin().await?;
        let claimed = sqlx::query(
            "UPDATE changes SET lease_holder = $1, lease_until = $2
             WHERE id = $3 AND is_open = 1 AND (lease_holder IS NULL OR lease_holder = $1 OR lease_until <= $4)",
        )
        .bind(clean(holder))
        .bind(later(now, ttl).as_millisecond())
        .bind(id)
        .bind(now.as_millisecond())
        .execute(&mut *tx)
        .await?
        .rows_affected();
        let change = if claimed == 0 { None } else { change_by_id(&mut *tx, id).await? };
        tx.commit().await?;
        Ok(change)
    }

    /// Writes how far a claimed change has come (`status`, `after`, `aws_request_id`, `error`, `updated_at`) with its
    /// event and, where one is given, its audit entry. [`StoreError::LeaseLost`] when another process has taken it up, or
    /// it has ended. A final status ends the claim.
    pub async fn update_change(
        &self,
        change: &Change,
        holder: &str,
        audit: Option<&NewAuditEntry>,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let is_final = change.status.is_final();
        let updated = sqlx::query(
            "UPDATE changes SET status = $1, is_open = $2, after_options = $3, aws_request_id = $4, error = $5,
                updated_at = $6, lease_holder = CASE WHEN $2 = 1 THEN lease_holder ELSE NULL END
             WHERE id = $7 AND lease_holder = $8 AND is_open = 1",
        )
        .bind(change.status.as_str())
        .bind(i64::from(!is_final))
        .bind(change.after.map(|after| to_json("metadata options", &after)).transpose()?)
        .bind(clean_option(change.aws_request_id.as_deref()))
        .bind(change.error.as_ref().map(|error| to_json("an error", error)).transpose()?)
        .bind(change.updated_at.as_millisecond())
        .bind(change.id)
        .bind(clean(holder))
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if updated == 0 {
            let exists = change_by_id(&mut *tx, change.id).await?.is_some();
            tx.rollback().await?;
            return Err(if exists {
                StoreError::LeaseLost { name: format!("change {}", change.id), holder: holder.to_owned() }
            } else {
                not_found(change.id)
            });
        }
        append_trail(&mut tx, change, change.updated_at, audit).await?;
        Ok(tx.commit().await?)
    }
}

/// The audit entry and the event of a step, within the transaction that makes it.
async fn append_trail(
    tx: &mut AnyConnection,
    change: &Change,
    at: Timestamp,
    audit: Option<&NewAuditEntry>,
) -> Result<(), StoreError> {
    if let Some(audit) = audit {
        insert_audit(&mut *tx, audit, Some(change.id)).await?;
    }
    let event = ChangeEvent { id: change.id, key: change.key.clone(), status: change.status };
    insert_event(tx, at, CHANGE_EVENT, &to_json("an event", &event)?).await?;
    Ok(())
}

async fn insert_change(tx: &mut AnyConnection, id: i64, new: &NewChange) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO changes (id, idempotency_key, account, region, instance_id, purpose, request, before_options,
            status, is_open, actor, reason, policy_revision, requested_at, updated_at, address)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, $10, $11, $12, $13, $13, $14)",
    )
    .bind(id)
    .bind(clean(&new.idempotency_key))
    .bind(clean(&new.key.source.account))
    .bind(clean(&new.key.source.region))
    .bind(clean(&new.key.instance_id))
    .bind(to_json("a purpose", &new.purpose)?)
    .bind(to_json("a request", &new.request)?)
    .bind(to_json("metadata options", &new.before)?)
    .bind(ChangeStatus::Requested.as_str())
    .bind(clean(&new.actor))
    .bind(clean(&new.reason))
    .bind(clean(&new.policy_revision))
    .bind(new.requested_at.as_millisecond())
    .bind(clean(&new.address))
    .execute(tx)
    .await?;
    Ok(())
}

async fn open_change_id(tx: &mut AnyConnection, key: &InstanceKey) -> Result<Option<i64>, StoreError> {
    let row = sqlx::query(
        "SELECT id FROM changes WHERE account = $1 AND region = $2 AND instance_id = $3 AND is_open = 1",
    )
    .bind(clean(&key.source.account))
    .bind(clean(&key.source.region))
    .bind(clean(&key.instance_id))
    .fetch_optional(tx)
    .await?;
    Ok(row.map(|row| row.try_get("id")).transpose()?)
}

async fn change_by_id(executor: impl sqlx::AnyExecutor<'_>, id: i64) -> Result<Option<Change>, StoreError> {
    let row = sqlx::query(select_changes!("WHERE id = $1")).bind(id).fetch_optional(executor).await?;
    row.as_ref().map(change_from).transpose()
}

async fn change_by_idempotency_key(
    executor: impl sqlx::AnyExecutor<'_>,
    idempotency_key: &str,
) -> Result<Option<Change>, StoreError> {
    let row = sqlx::query(select_changes!("WHERE idempotency_key = $1"))
        .bind(clean(idempotency_key))
        .fetch_optional(executor)
        .await?;
    row.as_ref().map(change_from).transpose()
}

fn not_found(id: i64) -> StoreError {
    StoreError::NotFound { what: format!("change {id}") }
}

fn change_from(row: &AnyRow) -> Result<Change, StoreError> {
    Ok(Change {
        id: row.try_get("id")?,
        idempotency_key: row.try_get("idempotency_key")?,
        key: instance_key(row)?,
        purpose: json(row, "purpose")?,
        request: json(row, "request")?,
        before: json(row, "before_options")?,
        after: optional_json(row, "after_options")?,
        status: parsed(row, "status", ChangeStatus::parse)?,
        actor: row.try_get("actor")?,
        address: row.try_get("address")?,
        reason: row.try_get("reason")?,
        policy_revision: row.try_get("policy_revision")?,
        aws_request_id: row.try_get("aws_request_id")?,
        error: optional_json(row, "error")?,
        requested_at: timestamp(row, "requested_at")?,
        updated_at: timestamp(row, "updated_at")?,
    })
}
