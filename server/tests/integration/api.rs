//! Server functions, exports and events.

use futures::StreamExt;
use serde_json::{Value, json};

use crate::common::{Console, Emulator, PROD, until};

async fn json(console: &Console, path: &str) -> Value {
    let answer = console.get(path).await;
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    answer.json().await.expect("JSON")
}

async fn list(console: &Console, q: &str) -> Value {
    json(console, &format!("/api/fleet/list?q={q}&sort=name&offset=0&limit=1000")).await
}

#[tokio::test]
async fn lists_counts_and_exports_agree() {
    let emulator = Emulator::start("dev");
    let console = Console::start(&emulator, "").await;
    let held = emulator.fleet().await;
    let all = list(&console, "").await;
    assert_eq!(all["total"], held.len());
    let v1 = list(&console, "verdict:allows-v1").await;
    let overview = json(&console, "/api/fleet/overview?days=7").await;
    let live = |rows: &Value| {
        rows["rows"]
            .as_array()
            .expect("rows")
            .iter()
            .filter(|row| row["state"] != "terminated" && row["state"] != "shutting-down")
            .count()
    };
    assert_eq!(overview["summary"]["allows_v1"], live(&v1));
    assert_eq!(json(&console, "/api/accounts/list").await.as_array().expect("sources").len(), 6);

    let csv = console.get("/api/export/fleet.csv?q=verdict:allows-v1").await.text().await.expect("CSV");
    assert_eq!(csv.lines().count(), v1["rows"].as_array().expect("rows").len() + 1);
    let exported = json(&console, "/api/export/fleet.json?q=verdict:allows-v1&sort=name").await;
    assert_eq!(exported, v1["rows"]);
    assert_eq!(json(&console, "/api/export/fleet.json?q=nothing-is-called-this").await, json!([]));
    assert_eq!(json(&console, "/api/export/audit.json").await, json!([]));
    let metrics = console.get("/metrics").await.text().await.expect("metrics");
    assert!(metrics.contains("tollgate_fleet_instances{verdict=\"allows-v1\"}"));
}

#[tokio::test]
async fn one_instance_has_its_policy_its_origins_and_its_raw_form() {
    let emulator = Emulator::start("dev");
    let console = Console::start(&emulator, "").await;
    let row =
        list(&console, "verdict:allows-v1%20state:running%20account:prod%20asg:*").await["rows"][0].clone();
    let text = |field: &str| row[field].as_str().expect("text").to_owned();
    let key =
        format!("account={}&region={}&instance_id={}", text("account"), text("region"), text("instance_id"));
    // A console is ready once every source was read; what was read is evaluated right after.
    let mut detail = Value::Null;
    until("the policy is evaluated", async || {
        detail = json(&console, &format!("/api/fleet/instance?{key}")).await;
        detail["policy"] != "not-evaluated"
    })
    .await;
    assert_eq!(detail["instance"]["key"]["instance_id"], row["instance_id"]);
    assert!(detail["policy"].to_string().contains("imdsv2-required"), "{}", detail["policy"]);
    assert_eq!(detail["enforce_disabled"], Value::Null);
    let origins = json(&console, &format!("/api/fleet/origins?{key}")).await;
    let from: Vec<&str> =
        origins.as_array().expect("origins").iter().filter_map(|origin| origin["from"].as_str()).collect();
    assert!(
        from.contains(&"Account default") && from.contains(&"AMI") && from.contains(&"Launch template"),
        "{from:?}"
    );
    let raw = json(&console, &format!("/api/fleet/raw?{key}")).await;
    let raw: Value = serde_json::from_str(raw.as_str().expect("JSON in text")).expect("JSON");
    assert_eq!(raw["instanceId"], row["instance_id"]);
    assert_eq!(raw["metadataOptions"]["httpTokens"], "optional");
}

#[tokio::test]
async fn a_change_is_told_by_events_and_kept_in_the_audit_log() {
    let emulator = Emulator::start("dev");
    let console = Console::start(&emulator, "").await;
    let row = list(&console, "verdict:allows-v1%20state:running%20account:prod").await["rows"][0].clone();
    let events = console.get("/api/events").await;
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let mut events = events.bytes_stream();

    let plan = json!({ "account": row["account"], "region": row["region"], "instance_id": row["instance_id"], "hop_limit": null });
    let report: Value = console.post("/api/fleet/plan-enforce", plan).await.json().await.expect("a plan");
    assert_eq!(report["preflight"], "permitted");
    let without_reason = json!({ "plan": report["plan"], "reason": " ", "idempotency_key": "1" });
    assert_eq!(console.post("/api/fleet/apply", without_reason).await.status(), 400);
    let apply = json!({ "plan": report["plan"], "reason": "a test", "idempotency_key": "2" });
    let change: Value = console.post("/api/fleet/apply", apply).await.json().await.expect("a change");

    let mut told = String::new();
    while !told.contains("\"applied\"") {
        let chunk = tokio::time::timeout(std::time::Duration::from_secs(30), events.next()).await;
        told.push_str(&String::from_utf8_lossy(
            &chunk.expect("an event comes").expect("the stream goes on").expect("bytes"),
        ));
    }
    assert!(told.contains("event: moved") && told.contains("id: "), "{told}");
    let done = json(&console, &format!("/api/fleet/change?id={}", change["id"])).await;
    assert_eq!(done["status"], "applied");

    // A page that was away asks from the number it saw last, and misses nothing.
    let missed = console
        .client
        .get(format!("{}/api/events", console.url))
        .header("last-event-id", "0")
        .send()
        .await
        .expect("an answer");
    let mut missed = missed.bytes_stream();
    let mut told = String::new();
    while !told.contains("\"applied\"") {
        let chunk = tokio::time::timeout(std::time::Duration::from_secs(30), missed.next()).await;
        told.push_str(&String::from_utf8_lossy(
            &chunk.expect("an event comes").expect("the stream goes on").expect("bytes"),
        ));
    }
    let audit = json(
        &console,
        "/api/audit/list?text=a%20test&action=change-applied&account=&instance_id=&before_seq=0&limit=10",
    )
    .await;
    assert_eq!(audit.as_array().expect("entries").len(), 1);
    assert_eq!(audit[0]["entry"]["change_id"], change["id"]);
}

#[tokio::test]
async fn a_change_survives_the_process_that_made_it() {
    let emulator = Emulator::start("dev");
    emulator.control("applied", json!({ "describes": 8 })).await;
    let console = Console::start(&emulator, "").await;
    let row = list(&console, "verdict:allows-v1%20state:running%20account:prod").await["rows"][0].clone();
    let plan = json!({ "account": row["account"], "region": row["region"], "instance_id": row["instance_id"], "hop_limit": null });
    let report: Value = console.post("/api/fleet/plan-enforce", plan).await.json().await.expect("a plan");
    let apply = json!({ "plan": report["plan"], "reason": "a test", "idempotency_key": "killed" });
    let change: Value = console.post("/api/fleet/apply", apply).await.json().await.expect("a change");
    let change = format!("/api/fleet/change?id={}", change["id"]);
    until("EC2 has the call", async || json(&console, &change).await["status"] == "waiting").await;

    let left = console.kill();
    let console = Console::start_in(left, &emulator, "").await;
    until("another process finishes the change", async || {
        json(&console, &change).await["status"] == "applied"
    })
    .await;
    let audit = "/api/audit/list?text=&action=&account=&instance_id=&before_seq=0&limit=10";
    let audit = json(&console, audit).await;
    let actions: Vec<&Value> =
        audit.as_array().expect("entries").iter().map(|entry| &entry["entry"]["action"]).collect();
    assert_eq!(actions, ["change-applied", "enforce-requested"]);
    let calls = emulator.control("calls", json!({})).await;
    let source = [&row["account"], &row["region"]].map(|text| text.as_str().expect("text")).join(" ");
    assert_eq!(calls[format!("{source} ec2 ModifyInstanceMetadataOptions")], 2, "one dry run and one call");
}

#[tokio::test]
async fn a_bulk_selection_says_what_it_would_do_and_does_nothing() {
    let emulator = Emulator::start("dev");
    let console = Console::start(&emulator, "").await;
    let before = emulator.fleet().await;
    let preview: Value = console
        .post("/api/fleet/selection", json!({ "q": "state:running", "keys": [] }))
        .await
        .json()
        .await
        .expect("a preview");
    assert_eq!(preview["selected"], list(&console, "state:running").await["matched"]);
    assert!(preview["would_change"].as_u64().expect("a count") > 0);
    let refused: u64 =
        preview["refused"].as_array().expect("reasons").iter().filter_map(|reason| reason[1].as_u64()).sum();
    assert_eq!(
        refused + preview["would_change"].as_u64().expect("a count"),
        preview["selected"].as_u64().expect("a count")
    );
    let options = |fleet: &[Value]| {
        fleet.iter().map(|one| one["metadata_options"]["HttpTokens"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(options(&emulator.fleet().await), options(&before));
}

#[tokio::test]
async fn the_ids_of_all_that_match_are_one_answer() {
    let emulator = Emulator::start("large");
    let console = Console::start(&emulator, "").await;
    let fleet = emulator.fleet().await;
    let mut running: Vec<&str> = fleet
        .iter()
        .filter(|one| one["state"] == "running")
        .map(|one| one["instance_id"].as_str().expect("an id"))
        .collect();
    running.sort_unstable();
    assert!(running.len() > 1_000, "more than a window of the list");
    let ids = json(&console, "/api/fleet/ids?q=state:running&sort=").await;
    let mut ids: Vec<&str> = ids.as_array().expect("ids").iter().filter_map(Value::as_str).collect();
    ids.sort_unstable();
    assert_eq!(ids, running);
    let wrong = console.get("/api/fleet/ids?q=verdict:maybe&sort=").await;
    assert_eq!(wrong.status(), 400);
}

#[tokio::test]
async fn what_vanished_is_kept_with_the_time_it_was_last_seen() {
    let emulator = Emulator::start("dev");
    let console = Console::start(&emulator, "").await;
    let total = list(&console, "").await["total"].as_u64().expect("a count");
    let row = list(&console, "account:prod%20state:running").await["rows"][0].clone();
    let text = |field: &str| row[field].as_str().expect("text").to_owned();
    emulator.control("reset", json!({ "seed": "none" })).await;
    until("the fleet is empty", async || list(&console, "").await["total"] == 0).await;
    assert!(total > 0);
    let key = format!("account={PROD}&region={}&instance_id={}", text("region"), text("instance_id"));
    let detail = json(&console, &format!("/api/fleet/instance?{key}")).await;
    assert!(detail["vanished"].is_string(), "{detail}");
    assert!(detail["history"].to_string().contains("vanished"));
    assert!(detail["enforce_disabled"].is_string());
}
