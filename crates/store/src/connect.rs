//! Opening the database: the two kinds of URL, the pools and the settings of each connection.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, ConnectOptions, Connection, Executor};

use crate::sql::Tx;
use crate::{StoreError, error, migrate};

/// How long a statement waits for another's lock, and a call for a free connection.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);
const POSTGRES_CONNECTIONS: u32 = 10;
const SQLITE_READERS: u32 = 4;

/// The database. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Store {
    /// SQLite has one writer at a time; with one connection for it, writers queue here in turn rather than in the file.
    writer: AnyPool,
    reader: AnyPool,
    target: Target,
}

impl Store {
    /// Opens the database, creates it where it is a file that does not exist, and brings its schema up to date.
    pub async fn connect(url: &str) -> Result<Store, StoreError> {
        sqlx::any::install_default_drivers();
        let target = Target::parse(url)?;
        let store = match &target {
            Target::SqliteMemory => {
                // Each connection to it is a database of its own: there must be one only, and it must stay.
                let pool = sqlite_pool("sqlite::memory:", 1, &target).await?;
                Store { writer: pool.clone(), reader: pool, target }
            }
            Target::SqliteFile { path } => {
                create_parent(path, &target)?;
                let url = SqliteConnectOptions::new().filename(path).create_if_missing(true).to_url_lossy();
                let writer = sqlite_pool(url.as_str(), 1, &target).await?;
                // The mode is kept in the file, so that the readers find it.
                enter_wal_mode(&writer).await.map_err(|error| target.cannot_open(error))?;
                let reader = sqlite_pool(url.as_str(), SQLITE_READERS, &target).await?;
                Store { writer, reader, target }
            }
            Target::Postgres { .. } => {
                let pool = postgres_pool(url, &target).await?;
                Store { writer: pool.clone(), reader: pool, target }
            }
        };
        migrate::migrate(&store).await?;
        Ok(store)
    }

    /// A database that is not opened, for a command that only reads AWS: whatever asks it fails.
    ///
    /// # Errors
    /// None that are known; the library checks an address that does not change.
    pub fn unopened() -> Result<Store, StoreError> {
        sqlx::any::install_default_drivers();
        let pool = AnyPoolOptions::new().max_connections(1).connect_lazy("sqlite::memory:")?;
        Ok(Store { writer: pool.clone(), reader: pool, target: Target::SqliteMemory })
    }

    /// Which database it is, without secrets.
    pub fn describe(&self) -> String {
        self.target.to_string()
    }

    /// Answers when the database does.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").fetch_all(&self.reader).await?;
        Ok(())
    }

    /// Closes all connections, once those in use have been given back.
    pub async fn close(&self) {
        self.writer.close().await;
        self.reader.close().await;
    }

    pub(crate) fn reader(&self) -> &AnyPool {
        &self.reader
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// Begins a transaction that writes; dropped without a commit, it never happened.
    pub(crate) async fn begin(&self) -> Result<Tx, StoreError> {
        let statement = match self.target {
            // A transaction that starts as a reader cannot wait to become a writer: it fails at once.
            Target::SqliteMemory | Target::SqliteFile { .. } => "BEGIN IMMEDIATE",
            // Each statement sees what was committed before it: whoever has waited for a row reads its newest state.
            Target::Postgres { .. } => "BEGIN ISOLATION LEVEL READ COMMITTED",
        };
        Ok(self.writer.begin_with(statement).await?)
    }
}

/// Where the data lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    SqliteMemory,
    SqliteFile { path: PathBuf },
    Postgres { host: String, port: u16, database: String },
}

impl Target {
    fn parse(url: &str) -> Result<Target, StoreError> {
        let problem = |problem: &str| StoreError::Url { problem: problem.to_owned() };
        if let Some(rest) = url.strip_prefix("sqlite:") {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            if path == ":memory:" {
                return Ok(Target::SqliteMemory);
            }
            if path.is_empty() {
                return Err(problem("it names no file"));
            }
            if path.contains(['?', '#']) {
                return Err(problem("a SQLite URL takes no parameters"));
            }
            // A relative path would be taken for a host name once it is written as a URL.
            let path = std::path::absolute(path).map_err(|error| problem(&error.to_string()))?;
            return Ok(Target::SqliteFile { path });
        }
        if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let options = PgConnectOptions::from_str(url).map_err(|error| problem(&error.to_string()))?;
            return Ok(Target::Postgres {
                host: options.get_host().to_owned(),
                port: options.get_port(),
                database: options.get_database().unwrap_or(options.get_username()).to_owned(),
            });
        }
        Err(problem("it starts with neither sqlite: nor postgres:"))
    }

    fn cannot_open(&self, error: sqlx::Error) -> StoreError {
        StoreError::Open { target: self.to_string(), problem: error.to_string() }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::SqliteMemory => write!(f, "SQLite in memory"),
            Target::SqliteFile { path } => write!(f, "SQLite at {}", path.display()),
            Target::Postgres { host, port, database } => write!(f, "Postgres at {host}:{port}/{database}"),
        }
    }
}

fn create_parent(path: &Path, target: &Target) -> Result<(), StoreError> {
    let Some(parent) = path.parent() else { return Ok(()) };
    std::fs::create_dir_all(parent).map_err(|error| target.cannot_open(sqlx::Error::Io(error)))
}

async fn sqlite_pool(url: &str, connections: u32, target: &Target) -> Result<AnyPool, StoreError> {
    let options = AnyConnectOptions::from_str(url).map_err(|error| target.cannot_open(error))?;
    AnyPoolOptions::new()
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(LOCK_TIMEOUT * 2)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_connect(|connection, _| {
            Box::pin(async move {
                let settings = format!(
                    "PRAGMA busy_timeout = {}; PRAGMA foreign_keys = ON; PRAGMA synchronous = NORMAL;",
                    LOCK_TIMEOUT.as_millis()
                );
                connection.execute(sqlx::raw_sql(AssertSqlSafe(settings))).await?;
                Ok(())
            })
        })
        .connect_with(options)
        .await
        .map_err(|error| target.cannot_open(error))
}

async fn postgres_pool(url: &str, target: &Target) -> Result<AnyPool, StoreError> {
    let options = AnyConnectOptions::from_str(url).map_err(|error| target.cannot_open(error))?;
    // The pool tries again until its time is up, and then no longer says why.
    let first = tokio::time::timeout(LOCK_TIMEOUT * 2, AnyConnection::connect_with(&options))
        .await
        .unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))
        .map_err(|error| target.cannot_open(error))?;
    first.close().await.map_err(|error| target.cannot_open(error))?;
    AnyPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(LOCK_TIMEOUT * 2)
        .after_connect(|connection, _| {
            Box::pin(async move {
                // A replica that hangs in a transaction must not hold the counters' rows for ever.
                let settings = format!(
                    "SET lock_timeout = {}; SET idle_in_transaction_session_timeout = 60000;",
                    LOCK_TIMEOUT.as_millis()
                );
                connection.execute(sqlx::raw_sql(AssertSqlSafe(settings))).await?;
                Ok(())
            })
        })
        .connect_with(options)
        .await
        .map_err(|error| target.cannot_open(error))
}

/// SQLite does not wait for its lock here as it does elsewhere, so two processes that start at once have to try again.
async fn enter_wal_mode(writer: &AnyPool) -> Result<(), sqlx::Error> {
    const PAUSE: Duration = Duration::from_millis(20);
    let mut waited = Duration::ZERO;
    loop {
        match sqlx::query("PRAGMA journal_mode = WAL").fetch_all(writer).await {
            Ok(_) => return Ok(()),
            Err(sqlx::Error::Database(error))
                if error::is_busy_code(error.as_ref()) && waited < LOCK_TIMEOUT =>
            {
                tokio::time::sleep(PAUSE).await;
                waited += PAUSE;
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_holds_no_secret() {
        let target = Target::parse("postgres://tollgate:secret@db.example:6432/fleet").expect("it is a URL");
        assert_eq!(target.to_string(), "Postgres at db.example:6432/fleet");
    }

    #[test]
    fn paths_are_made_absolute() {
        let target = Target::parse("sqlite:///var/lib/tollgate.db").expect("it is a URL");
        assert_eq!(target, Target::SqliteFile { path: "/var/lib/tollgate.db".into() });
        let Target::SqliteFile { path } = Target::parse("sqlite://target/a b.db").expect("it is a URL")
        else {
            panic!("a path is a file");
        };
        assert!(path.is_absolute() && path.ends_with("target/a b.db"), "{path:?}");
        assert_eq!(Target::parse("sqlite::memory:").expect("it is a URL"), Target::SqliteMemory);
    }

    #[test]
    fn a_wrong_url_is_explained_without_repeating_it() {
        for url in
            ["mysql://u:secret@host/db", "sqlite:", "sqlite://f.db?secret=1", "postgres://u:secret@host:x/db"]
        {
            let message = Target::parse(url).expect_err("it is no URL of ours").to_string();
            assert!(message.contains("use sqlite:///") && !message.contains("secret"), "{message}");
        }
    }
}
