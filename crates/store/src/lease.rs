//! Leases: who may do a piece of work until when, with a number that exposes a holder who has slept through its end.

use jiff::{SignedDuration, Timestamp};
use sqlx::{AnyConnection, Row};

use crate::sql::{clean, later, timestamp};
use crate::{Store, StoreError};

/// A lease that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub name: String,
    pub holder: String,
    /// Grows with each change of holder.
    pub fence: i64,
    pub expires_at: Timestamp,
}

impl Store {
    /// Takes the lease, or renews it when `holder` has it already; `None` while another holds it. Processes compare the
    /// end with their own clock, so `ttl` must be long against the difference of their clocks.
    pub async fn acquire_lease(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        ttl: SignedDuration,
    ) -> Result<Option<Lease>, StoreError> {
        let mut tx = self.begin().await?;
        let row = sqlx::query(
            "INSERT INTO leases (name, holder, fence, expires_at) VALUES ($1, $2, 1, $3)
             ON CONFLICT (name) DO UPDATE SET
                fence = CASE WHEN leases.holder = excluded.holder THEN leases.fence ELSE leases.fence + 1 END,
                holder = excluded.holder,
                expires_at = excluded.expires_at
             WHERE leases.holder = excluded.holder OR leases.expires_at <= $4
             RETURNING holder, fence, expires_at",
        )
        .bind(clean(name))
        .bind(clean(holder))
        .bind(later(now, ttl).as_millisecond())
        .bind(now.as_millisecond())
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        row.map(|row| {
            Ok(Lease {
                name: name.to_owned(),
                holder: row.try_get("holder")?,
                fence: row.try_get("fence")?,
                expires_at: timestamp(&row, "expires_at")?,
            })
        })
        .transpose()
    }

    /// Gives the lease back; nothing happens when it was lost already.
    pub async fn release_lease(&self, lease: &Lease) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        // The row stays, so that the number goes on growing.
        sqlx::query(
            "UPDATE leases SET holder = '', expires_at = 0 WHERE name = $1 AND holder = $2 AND fence = $3",
        )
        .bind(clean(&lease.name))
        .bind(clean(&lease.holder))
        .bind(lease.fence)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }
}

/// Makes sure that nobody else has taken the lease, and that nobody does before the transaction has ended. A lease that
/// ran out but was taken by nobody still counts: nobody else can have written anything.
pub(crate) async fn check_fence(tx: &mut AnyConnection, fence: Option<&Lease>) -> Result<(), StoreError> {
    let Some(lease) = fence else { return Ok(()) };
    // An update that changes nothing locks the row in both databases.
    let held = sqlx::query("UPDATE leases SET fence = fence WHERE name = $1 AND holder = $2 AND fence = $3")
        .bind(clean(&lease.name))
        .bind(clean(&lease.holder))
        .bind(lease.fence)
        .execute(tx)
        .await?
        .rows_affected();
    if held == 0 {
        return Err(StoreError::LeaseLost { name: lease.name.clone(), holder: lease.holder.clone() });
    }
    Ok(())
}
