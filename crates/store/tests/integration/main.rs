//! The same suite over both databases: each case runs on SQLite in a directory of its own and on a Postgres schema of its own.

mod audit;
mod changes;
mod database;
mod devices;
mod events;
mod facts;
mod gitops;
mod history;
mod leases;
mod logins;
mod migrations;
mod outbox;
mod persons;
mod readings;
mod retention;
mod sample;
mod sessions;
mod snapshots;
mod tokens;

/// Makes two tests of each case, which is an `async fn(&Database)` in the module that calls this.
macro_rules! on_both_databases {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let database = crate::database::Database::sqlite();
                    super::$case(&database).await;
                }
            )+
        }

        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let database = crate::database::Database::postgres().await;
                    super::$case(&database).await;
                    database.remove().await;
                }
            )+
        }
    };
}
pub(crate) use on_both_databases;
