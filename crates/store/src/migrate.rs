//! Bringing the schema up to date, once, whoever starts first.

use jiff::Timestamp;
use sqlx::{AnyConnection, AssertSqlSafe, Executor, Row};

use crate::connect::Target;
use crate::{Store, StoreError};

/// The newest schema that this version knows.
pub const SCHEMA_VERSION: i64 = MIGRATIONS[MIGRATIONS.len() - 1].version;

/// A step of the schema. Steps only add, so that the previous version can go on reading and writing while a new one is
/// rolled out; one that cannot keep to that raises `min_reader_version`.
struct Migration {
    version: i64,
    /// The smallest [`SCHEMA_VERSION`] that can still work with the schema after this step.
    min_reader_version: i64,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, min_reader_version: 1, sql: include_str!("../migrations/0001_initial.sql") },
    Migration { version: 2, min_reader_version: 1, sql: include_str!("../migrations/0002_identity.sql") },
    Migration {
        version: 3,
        min_reader_version: 1,
        sql: include_str!("../migrations/0003_device_logins.sql"),
    },
    Migration { version: 4, min_reader_version: 1, sql: include_str!("../migrations/0004_persons.sql") },
    Migration { version: 5, min_reader_version: 1, sql: include_str!("../migrations/0005_delivery.sql") },
    Migration { version: 6, min_reader_version: 1, sql: include_str!("../migrations/0006_readers.sql") },
    Migration { version: 7, min_reader_version: 1, sql: include_str!("../migrations/0007_gitops.sql") },
];

/// Names the lock in Postgres, whose advisory locks are numbers: `tollgate` in ASCII.
const POSTGRES_LOCK: i64 = i64::from_be_bytes(*b"tollgate");

/// Applies what is missing in one transaction, under a lock that the others who start wait for.
pub(crate) async fn migrate(store: &Store) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    if matches!(store.target(), Target::Postgres { .. }) {
        // Another process's migration may take longer than a statement usually waits.
        tx.execute("SET LOCAL lock_timeout = 120000").await?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(POSTGRES_LOCK).fetch_all(&mut *tx).await?;
    }
    tx.execute(
        "CREATE TABLE IF NOT EXISTS schema_versions (
            version BIGINT PRIMARY KEY NOT NULL, min_reader_version BIGINT NOT NULL, applied_at BIGINT NOT NULL
        )",
    )
    .await?;
    let applied = newest(&mut tx).await?;
    if let Some((version, min_reader_version)) = applied
        && min_reader_version > SCHEMA_VERSION
    {
        let target = store.describe();
        return Err(StoreError::SchemaTooNew { target, version, min_reader_version, known: SCHEMA_VERSION });
    }
    let applied = applied.map_or(0, |(version, _)| version);
    for migration in MIGRATIONS.iter().filter(|migration| migration.version > applied) {
        tracing::info!(version = migration.version, target = %store.target(), "migrating the schema");
        tx.execute(sqlx::raw_sql(AssertSqlSafe(for_target(migration.sql, store.target())))).await?;
        sqlx::query(
            "INSERT INTO schema_versions (version, min_reader_version, applied_at) VALUES ($1, $2, $3)",
        )
        .bind(migration.version)
        .bind(migration.min_reader_version)
        .bind(Timestamp::now().as_millisecond())
        .execute(&mut *tx)
        .await?;
    }
    Ok(tx.commit().await?)
}

/// The newest version that was applied, and the strictest demand on readers among all.
async fn newest(tx: &mut AnyConnection) -> Result<Option<(i64, i64)>, StoreError> {
    let row = sqlx::query("SELECT MAX(version), MAX(min_reader_version) FROM schema_versions")
        .fetch_one(tx)
        .await?;
    let (version, min_reader_version): (Option<i64>, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
    Ok(version.zip(min_reader_version))
}

/// The SQL text with its tokens replaced by the database's own words.
fn for_target(sql: &str, target: &Target) -> String {
    let (id, blob) = match target {
        Target::SqliteMemory | Target::SqliteFile { .. } => ("INTEGER PRIMARY KEY NOT NULL", "BLOB"),
        Target::Postgres { .. } => ("BIGINT PRIMARY KEY NOT NULL", "BYTEA"),
    };
    sql.replace("{{id}}", id).replace("{{blob}}", blob)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_numbered_through_and_demand_no_later_reader() {
        for (position, migration) in (1..).zip(MIGRATIONS) {
            assert_eq!(migration.version, position);
            assert!(migration.min_reader_version <= migration.version);
        }
    }

    #[test]
    fn no_token_is_left() {
        let postgres = Target::Postgres { host: "h".into(), port: 5432, database: "d".into() };
        for migration in MIGRATIONS {
            for target in [&Target::SqliteMemory, &postgres] {
                assert!(!for_target(migration.sql, target).contains("{{"), "version {}", migration.version);
            }
        }
    }
}
