//! A database for one test, and a way to it that does not go through the store.

use sqlx::any::AnyPoolOptions;
use sqlx::{AnyPool, AssertSqlSafe, Executor, Row};
use store::Store;
use tempfile::TempDir;

const POSTGRES_URL: &str = "TOLLGATE_TEST_POSTGRES_URL";

pub(crate) struct Database {
    pub(crate) url: String,
    kind: Kind,
}

enum Kind {
    Sqlite { _directory: TempDir },
    Postgres { server: String, schema: String },
}

impl Database {
    /// In a directory that the store has to make, with a character that a URL would escape.
    pub(crate) fn sqlite() -> Database {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let path = directory.path().join("made by the store").join("tollgate.db");
        Database { url: format!("sqlite://{}", path.display()), kind: Kind::Sqlite { _directory: directory } }
    }

    pub(crate) async fn postgres() -> Database {
        let Ok(server) = std::env::var(POSTGRES_URL) else {
            panic!("{POSTGRES_URL} is not set; `cargo xtask test` starts a Postgres and sets it");
        };
        let schema = format!("test_{}", uuid::Uuid::new_v4().simple());
        execute(&server, &format!("CREATE SCHEMA {schema}")).await;
        let separator = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{separator}options[search_path]={schema}");
        Database { url, kind: Kind::Postgres { server, schema } }
    }

    /// A store with connections of its own, as another process would have.
    pub(crate) async fn store(&self) -> Store {
        Store::connect(&self.url).await.expect("the store opens")
    }

    /// Runs statements past the store.
    pub(crate) async fn execute(&self, sql: &str) {
        execute(&self.url, sql).await;
    }

    /// The first number of the first row, past the store.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let pool = pool(&self.url).await;
        let row =
            sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_one(&pool).await.expect("the query is answered");
        pool.close().await;
        row.get(0)
    }

    /// Keeps events from being appended until the connection that is answered is closed.
    pub(crate) async fn lock_events(&self) -> AnyPool {
        let pool = pool(&self.url).await;
        let begin = match self.kind {
            Kind::Sqlite { .. } => "BEGIN IMMEDIATE",
            Kind::Postgres { .. } => "BEGIN",
        };
        pool.execute(begin).await.expect("a transaction begins");
        pool.execute("UPDATE counters SET value = value WHERE name = 'event'")
            .await
            .expect("the row is locked");
        pool
    }

    pub(crate) async fn remove(self) {
        match self.kind {
            Kind::Sqlite { .. } => {}
            Kind::Postgres { server, schema } => {
                execute(&server, &format!("DROP SCHEMA {schema} CASCADE")).await
            }
        }
    }
}

async fn execute(url: &str, sql: &str) {
    let pool = pool(url).await;
    pool.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await.expect("the statements run");
    pool.close().await;
}

async fn pool(url: &str) -> AnyPool {
    sqlx::any::install_default_drivers();
    AnyPoolOptions::new().max_connections(1).connect(url).await.expect("the database answers")
}
