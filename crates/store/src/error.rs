//! What can go wrong in the store, in words that say what happened and what to do next.

use sqlx::error::DatabaseError;

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL itself is not repeated: it may hold a password.
    #[error(
        "the database URL is not usable: {problem}; use sqlite:///path/to/tollgate.db or postgres://user@host/database"
    )]
    Url { problem: String },
    #[error("cannot open {target}: {problem}; check that it exists, is reachable and may be written")]
    Open { target: String, problem: String },
    #[error(
        "{target} was migrated to schema {version} by a newer version of Tollgate, which only versions that know schema \
         {min_reader_version} can read, and this one knows {known}; run the newer version"
    )]
    SchemaTooNew { target: String, version: i64, min_reader_version: i64, known: i64 },
    #[error(
        "the lease {name} is no longer held by {holder}: another process took over, and nothing was written"
    )]
    LeaseLost { name: String, holder: String },
    #[error("change {id} of this instance is still under way; wait until it has ended")]
    ChangeInProgress { id: i64 },
    #[error(
        "the idempotency key belongs to change {id}, which is of another instance or kind; use a new key for a new change"
    )]
    IdempotencyKeyReused { id: i64 },
    #[error("the idempotency key is {bytes} bytes long; use 1 to {max}")]
    IdempotencyKeyLength { bytes: u64, max: u64 },
    #[error("there is no {what}")]
    NotFound { what: String },
    #[error("the stored {column} cannot be read by this version: {problem}")]
    Unreadable { column: String, problem: String },
    #[error("{what} cannot be stored as JSON: {problem}")]
    Unwritable { what: String, problem: String },
    #[error("the database could not do what was asked: {0}")]
    Database(#[from] sqlx::Error),
}

impl StoreError {
    /// Whether the database was locked or out of connections, so that the same call may succeed a little later.
    pub fn is_busy(&self) -> bool {
        let StoreError::Database(error) = self else { return false };
        match error {
            sqlx::Error::PoolTimedOut => true,
            sqlx::Error::Database(error) => is_busy_code(error.as_ref()),
            _ => false,
        }
    }

    /// Whether another process took over what this one was working on; whoever gets this stops and writes nothing more.
    pub fn is_lease_lost(&self) -> bool {
        matches!(self, StoreError::LeaseLost { .. })
    }

    /// Whether what was asked contradicts what is stored, and asking again will not help.
    pub fn is_conflict(&self) -> bool {
        matches!(self, StoreError::ChangeInProgress { .. } | StoreError::IdempotencyKeyReused { .. })
    }

    /// Whether the database could not be reached at all.
    pub fn is_unavailable(&self) -> bool {
        matches!(
            self,
            StoreError::Open { .. }
                | StoreError::Database(
                    sqlx::Error::Io(_)
                        | sqlx::Error::Tls(_)
                        | sqlx::Error::PoolTimedOut
                        | sqlx::Error::PoolClosed
                        | sqlx::Error::WorkerCrashed
                )
        )
    }
}

/// SQLite's extended codes keep `SQLITE_BUSY` (5) or `SQLITE_LOCKED` (6) in the low byte; Postgres has a code for each of
/// lock timeout, serialization failure, deadlock and too many connections.
pub(crate) fn is_busy_code(error: &dyn DatabaseError) -> bool {
    let Some(code) = error.code() else { return false };
    match code.as_ref() {
        "55P03" | "40001" | "40P01" | "53300" => true,
        // Five characters are an SQLSTATE, which may look like a number too.
        code if code.len() < 5 => code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6)),
        _ => false,
    }
}
