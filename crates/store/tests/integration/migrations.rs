//! Migrations: applied once whoever starts first, and met by versions older and newer than the schema.

use domain::audit::{AuditAction, AuditFilter};
use store::{SCHEMA_VERSION, Store, StoreError};

use crate::database::Database;
use crate::sample::{audit_entry, new_session, start};

crate::on_both_databases!(
    applied_once,
    the_first_schema_is_brought_up_to_date,
    what_the_version_before_writes_can_be_read,
    applied_once_by_many_at_a_time,
    a_newer_schema_that_this_version_can_read_is_accepted,
    a_newer_schema_that_this_version_cannot_read_is_refused,
    columns_added_by_a_newer_version_disturb_nothing,
    what_was_written_is_there_after_a_restart,
    a_locked_database_is_busy_and_not_broken,
);

async fn applied_once(database: &Database) {
    database.store().await.close().await;
    database.store().await.ping().await.expect("it answers");
    assert_eq!(database.number("SELECT COUNT(*) FROM schema_versions").await, SCHEMA_VERSION);
}

async fn the_first_schema_is_brought_up_to_date(database: &Database) {
    let store = database.store().await;
    store.append_audit(&audit_entry(AuditAction::ChangeApplied, "i-1")).await.expect("it writes");
    store.close().await;
    // Back to where the first version stopped.
    database
        .execute(
            "ALTER TABLE audit DROP COLUMN address; DROP TABLE sessions; DROP TABLE logins; DROP TABLE tokens;
             DROP TABLE device_logins; DROP TABLE persons; ALTER TABLE changes DROP COLUMN address;
             DROP TABLE facts; DROP TABLE delivery_changes; DROP TABLE delivery_standings;
             DROP TABLE delivery_readers; DROP TABLE delivery_sightings; DROP TABLE delivery_image_names;
             DROP TABLE gitops_operations; DROP TABLE gitops_decisions;
             DELETE FROM counters WHERE name = 'fact';
             DELETE FROM schema_versions WHERE version > 1",
        )
        .await;
    let store = database.store().await;
    let entry = store.audit(&AuditFilter::default()).await.expect("it is read").remove(0).entry;
    assert_eq!((entry.actor.as_str(), entry.address.as_str()), ("ada", ""));
    store.create_session(&new_session("h", "ada")).await.expect("it begins");
}

async fn what_the_version_before_writes_can_be_read(database: &Database) {
    let store = database.store().await;
    database
        .execute(
            "INSERT INTO audit (seq, at, actor, action, account, region, instance_id, change_id, reason,
                policy_revision, differences, aws_request_id, detail, search_text)
             VALUES (1, 0, 'ada', 'change-applied', '1', 'eu-west-1', 'i-1', NULL, 'why', 'r1', '[]', NULL, '', 'ada')",
        )
        .await;
    let entry = store.audit(&AuditFilter::default()).await.expect("it is read").remove(0).entry;
    assert_eq!((entry.reason.as_str(), entry.address.as_str()), ("why", ""));
    database
        .execute(
            "INSERT INTO changes (id, idempotency_key, account, region, instance_id, purpose, request,
                before_options, status, is_open, actor, reason, policy_revision, requested_at, updated_at)
             VALUES (1, 'k', '1', 'eu-west-1', 'i-1', '{\"enforce\":{\"hop_limit\":null}}',
                '{\"http_tokens\":\"required\",\"http_put_response_hop_limit\":null}', '{}', 'requested', 1, 'ada',
                'why', 'r1', 0, 0)",
        )
        .await;
    let change = store.change(1).await.expect("it is read").expect("it is there");
    assert_eq!((change.reason.as_str(), change.address.as_str()), ("why", ""));
}

async fn applied_once_by_many_at_a_time(database: &Database) {
    let starts: Vec<_> = (0..6)
        .map(|_| {
            let url = database.url.clone();
            tokio::spawn(async move { Store::connect(&url).await })
        })
        .collect();
    for start in starts {
        let store = start.await.expect("it does not panic").expect("it opens");
        store.ping().await.expect("it answers");
        store.close().await;
    }
    assert_eq!(database.number("SELECT COUNT(*) FROM schema_versions").await, SCHEMA_VERSION);
    assert_eq!(database.number("SELECT COUNT(*) FROM counters WHERE name = 'event'").await, 1);
}

async fn a_newer_schema_that_this_version_can_read_is_accepted(database: &Database) {
    database.store().await.close().await;
    let newer = SCHEMA_VERSION + 1;
    database.execute(&format!("INSERT INTO schema_versions VALUES ({newer}, {SCHEMA_VERSION}, 0)")).await;
    database.store().await.append_event(start(), "k", "{}").await.expect("it writes");
}

async fn a_newer_schema_that_this_version_cannot_read_is_refused(database: &Database) {
    database.store().await.close().await;
    let newer = SCHEMA_VERSION + 1;
    let newest = SCHEMA_VERSION + 2;
    // The demand stays although the step after it makes none.
    database
        .execute(&format!("INSERT INTO schema_versions VALUES ({newer}, {newer}, 0), ({newest}, 1, 0)"))
        .await;
    let error = Store::connect(&database.url).await.expect_err("it refuses");
    let StoreError::SchemaTooNew { version, min_reader_version, known, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!((*version, *min_reader_version, *known), (newest, newer, SCHEMA_VERSION));
    assert!(error.to_string().contains("run the newer version"), "{error}");
}

async fn columns_added_by_a_newer_version_disturb_nothing(database: &Database) {
    let store = database.store().await;
    let ask = async || {
        store.open_changes().await.expect("changes are read");
        store.audit(&Default::default()).await.expect("the audit log is read");
        store.events_after(0, 1).await.expect("events are read");
        store.sessions(start(), 1).await.expect("sessions are read");
        store.tokens_of("issuer", "subject").await.expect("tokens are read");
    };
    // Prepared on every connection before the columns come.
    for _ in 0..10 {
        ask().await;
    }
    for table in ["changes", "audit", "events", "sessions", "tokens"] {
        database.execute(&format!("ALTER TABLE {table} ADD COLUMN from_the_future TEXT")).await;
    }
    ask().await;
}

async fn what_was_written_is_there_after_a_restart(database: &Database) {
    let store = database.store().await;
    store.append_event(start(), "k", "{}").await.expect("it writes");
    store.close().await;
    let store = database.store().await;
    assert_eq!(store.events_after(0, 10).await.expect("events are read").len(), 1);
    assert_eq!(store.append_event(start(), "k", "{}").await.expect("it writes"), 2);
}

async fn a_locked_database_is_busy_and_not_broken(database: &Database) {
    let store = database.store().await;
    let lock = database.lock_events().await;
    let error = store.append_event(start(), "k", "{}").await.expect_err("another holds the lock");
    assert!(error.is_busy() && !error.is_unavailable(), "{error}");
    // Readers are not kept waiting.
    assert!(store.events_after(0, 1).await.expect("they are read").is_empty());
    lock.close().await;
    store.append_event(start(), "k", "{}").await.expect("it writes");
}

#[tokio::test]
async fn a_database_in_memory_keeps_what_is_written() {
    let store = Store::connect("sqlite::memory:").await.expect("it opens");
    assert_eq!(store.describe(), "SQLite in memory");
    store.append_event(start(), "k", "{}").await.expect("it writes");
    assert_eq!(store.last_event_seq().await.expect("it is read"), 1);
    let other = Store::connect("sqlite::memory:").await.expect("it opens");
    assert_eq!(other.last_event_seq().await.expect("it is read"), 0);
}

#[tokio::test]
async fn a_file_is_opened_in_wal_mode() {
    let database = Database::sqlite();
    let store = database.store().await;
    assert!(store.describe().starts_with("SQLite at /"), "{}", store.describe());
    database.execute("CREATE TABLE modes AS SELECT journal_mode AS mode FROM pragma_journal_mode").await;
    assert_eq!(database.number("SELECT COUNT(*) FROM modes WHERE mode = 'wal'").await, 1);
}

#[tokio::test]
async fn an_unreachable_database_is_named_without_its_password() {
    // Port 1 is reserved and answers nothing.
    let error =
        Store::connect("postgres://ada:secret@127.0.0.1:1/fleet").await.expect_err("nobody listens there");
    assert!(error.is_unavailable(), "{error}");
    let message = error.to_string();
    assert!(message.contains("Postgres at 127.0.0.1:1/fleet") && !message.contains("secret"), "{message}");
    assert!(message.contains("refused"), "{message}");
}
