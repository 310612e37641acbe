//! Several processes over one database: one collects a source, the others follow.

use std::sync::Arc;

use domain::wire::Moved;
use fleet::Fleet;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, Executor};
use store::Store;
use tokio_util::sync::CancellationToken;

use crate::emulator::{Emulator, TESTER, until};

#[tokio::test]
async fn one_replica_collects_each_source_and_the_other_follows_over_sqlite() {
    let directory = tempfile::tempdir().expect("a directory");
    one_collects_and_the_other_follows(&format!(
        "sqlite://{}",
        directory.path().join("tollgate.db").display()
    ))
    .await;
}

#[tokio::test]
async fn one_replica_collects_each_source_and_the_other_follows_over_postgres() {
    let server = std::env::var("TOLLGATE_TEST_POSTGRES_URL")
        .expect("TOLLGATE_TEST_POSTGRES_URL is not set: `cargo xtask test` starts a Postgres and sets it");
    let schema = format!("replicas_{}", uuid::Uuid::new_v4().simple());
    sqlx::any::install_default_drivers();
    let mut connection = sqlx::AnyConnection::connect(&server).await.expect("the server answers");
    let create = AssertSqlSafe(format!("CREATE SCHEMA {schema}"));
    connection.execute(sqlx::raw_sql(create)).await.expect("a schema");
    one_collects_and_the_other_follows(&format!("{server}?options[search_path]={schema}")).await;
}

async fn one_collects_and_the_other_follows(url: &str) {
    let emulator = Emulator::seeded("dev").await;
    let stop = CancellationToken::new();
    let first = replica(&emulator, url, &stop).await;
    until("the first has read everything", async || first.is_ready() && first.view().sources.len() == 6)
        .await;
    emulator.control("calls", json!({})).await;
    let before = described(&emulator).await;

    let second = replica(&emulator, url, &stop).await;
    let total = first.view().index.len();
    until("the second shows the same", async || second.view().index.len() == total).await;
    assert_eq!(described(&emulator).await, before, "the second reads nothing that the first has a lease on");

    // What the first changes, the second's listeners hear, in the store's order.
    let mut notices = second.notices();
    let key = emulator
        .any(|one| {
            one["metadata_options"]["HttpTokens"] == "optional"
                && one["state"] == "running"
                && one["account"] == crate::emulator::PROD
        })
        .await;
    let plan = first.plan_enforce(&key, None).await.expect("a plan").plan;
    let change = first.apply(plan, TESTER, "a test", "replicas").await.expect("a change");
    let mut last = 0;
    loop {
        let heard = tokio::time::timeout(std::time::Duration::from_secs(30), notices.recv()).await;
        let notice = heard.expect("a notice comes").expect("none is missed");
        let seq = notice.seq.expect("what is stored has a number");
        assert!(seq > last);
        last = seq;
        if let Moved::Change { id, status, .. } = notice.moved
            && id == change.id
            && status.is_final()
        {
            break;
        }
    }
    stop.cancel();
}

async fn replica(emulator: &Emulator, url: &str, stop: &CancellationToken) -> Arc<Fleet> {
    let store = Store::connect(url).await.expect("a database");
    let fleet = emulator.fleet_over(emulator.config(), store).await;
    tokio::spawn(fleet.clone().run(stop.clone()));
    fleet
}

async fn described(emulator: &Emulator) -> i64 {
    let calls = emulator.control("calls", json!({})).await;
    let calls = calls.as_object().expect("counts by call");
    calls
        .iter()
        .filter(|(name, _)| name.ends_with("DescribeInstances"))
        .filter_map(|(_, count)| count.as_i64())
        .sum()
}
