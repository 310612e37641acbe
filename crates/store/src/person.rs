//! What people's groups gave them when they last signed in: kept to tell what is different at the next sign-in.

use domain::audit::NewAuditEntry;
use jiff::Timestamp;
use sqlx::Row;

use crate::audit::insert_audit;
use crate::sql::clean;
use crate::{Store, StoreError};

/// Somebody who signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenPerson {
    pub issuer: String,
    pub subject: String,
    /// What the groups give, in words that are the same for the same grants.
    pub access: String,
    pub seen_at: Timestamp,
}

impl Store {
    /// Records what somebody is given, and answers what it was the last time where that differs. The entry that `changed`
    /// makes of it is appended in the same transaction, so that each difference is told once.
    pub async fn record_access(
        &self,
        person: &SeenPerson,
        changed: impl FnOnce(&str) -> NewAuditEntry,
    ) -> Result<Option<String>, StoreError> {
        let (issuer, subject, access) =
            (clean(&person.issuer), clean(&person.subject), clean(&person.access));
        let mut tx = self.begin().await?;
        // Writing first locks the row: of two sign-ins at a time the second sees what the first has written.
        sqlx::query(
            "INSERT INTO persons (issuer, subject, access, seen_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (issuer, subject) DO UPDATE SET seen_at = excluded.seen_at",
        )
        .bind(&issuer)
        .bind(&subject)
        .bind(&access)
        .bind(person.seen_at.as_millisecond())
        .execute(&mut *tx)
        .await?;
        let row = sqlx::query("SELECT access FROM persons WHERE issuer = $1 AND subject = $2")
            .bind(&issuer)
            .bind(&subject)
            .fetch_one(&mut *tx)
            .await?;
        let before: String = row.try_get("access")?;
        if before == access {
            tx.commit().await?;
            return Ok(None);
        }
        sqlx::query("UPDATE persons SET access = $1 WHERE issuer = $2 AND subject = $3")
            .bind(&access)
            .bind(&issuer)
            .bind(&subject)
            .execute(&mut *tx)
            .await?;
        insert_audit(&mut tx, &changed(&before), None).await?;
        tx.commit().await?;
        Ok(Some(before))
    }
}
