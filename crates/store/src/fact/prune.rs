//! Changes that nobody tells of any more.

use std::collections::BTreeSet;

use domain::delivery::{ServiceName, Standing};
use jiff::Timestamp;
use sqlx::{AnyConnection, Row};

use super::put_standing;
use crate::sql::{Counter, json, unreadable};
use crate::{Store, StoreError};

impl Store {
    /// Deletes changes of which nothing was told since `too_old`, with their facts, except for what runs somewhere: a service that is
    /// deployed once in years is still what is live. Answers how many facts went.
    pub(crate) async fn prune_changes(&self, too_old: Timestamp) -> Result<u64, StoreError> {
        /// Few enough that whoever wants to write in between does not notice.
        const CHANGES_PER_STEP: i64 = 200;
        let mut deleted = 0;
        let mut after = (String::new(), String::new());
        loop {
            let mut tx = self.begin().await?;
            // Whoever records meanwhile builds on what this leaves.
            Counter::Fact.take(&mut tx, 0).await?;
            let rows = sqlx::query(
                "SELECT service, commit_sha FROM delivery_changes
                 WHERE told_at < $1 AND (service > $2 OR (service = $2 AND commit_sha > $3))
                 ORDER BY service, commit_sha LIMIT $4",
            )
            .bind(too_old.as_millisecond())
            .bind(&after.0)
            .bind(&after.1)
            .bind(CHANGES_PER_STEP)
            .fetch_all(&mut *tx)
            .await?;
            let old: Vec<(String, String)> = rows
                .iter()
                .map(|row| Ok((row.try_get("service")?, row.try_get("commit_sha")?)))
                .collect::<Result<_, StoreError>>()?;
            let Some(last) = old.last().cloned() else { return Ok(deleted) };
            after = last;
            let live = live_in(&mut tx, &old).await?;
            let mut services = BTreeSet::new();
            for change in old.into_iter().filter(|change| !live.contains(change)) {
                deleted += delete_change(&mut tx, &change).await?;
                services.insert(change.0);
            }
            for service in services {
                let service = ServiceName::parse(&service).map_err(|error| unreadable("service", error))?;
                put_standing(&mut tx, &service).await?;
            }
            tx.commit().await?;
        }
    }
}

/// What runs anywhere, of the services of these changes.
async fn live_in(
    tx: &mut AnyConnection,
    changes: &[(String, String)],
) -> Result<BTreeSet<(String, String)>, StoreError> {
    let services: BTreeSet<&str> = changes.iter().map(|(service, _)| service.as_str()).collect();
    let mut live = BTreeSet::new();
    for service in services {
        let row = sqlx::query("SELECT standing FROM delivery_standings WHERE service = $1")
            .bind(service)
            .fetch_optional(&mut *tx)
            .await?;
        let standing: Option<Standing> = row.as_ref().map(|row| json(row, "standing")).transpose()?;
        let current = standing.iter().flat_map(|standing| &standing.environments);
        let current = current.filter_map(|here| here.current.as_ref());
        live.extend(current.map(|current| (service.to_owned(), current.commit.to_string())));
    }
    Ok(live)
}

/// Deletes a change with the names of its images, and answers how many facts it had.
async fn delete_change(
    tx: &mut AnyConnection,
    (service, commit): &(String, String),
) -> Result<u64, StoreError> {
    let mut deleted = 0;
    for statement in [
        // They may be of its first digits, as those stand in a tag.
        "DELETE FROM delivery_image_names WHERE service = $1 AND commit_sha = substr($2, 1, length(commit_sha))",
        "DELETE FROM delivery_changes WHERE service = $1 AND commit_sha = $2",
        "DELETE FROM facts WHERE service = $1 AND commit_sha = $2",
    ] {
        deleted = sqlx::query(statement).bind(service).bind(commit).execute(&mut *tx).await?.rows_affected();
    }
    Ok(deleted)
}
