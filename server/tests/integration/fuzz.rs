//! Bad input to every server function: no panic, no 500, and the console goes on.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use reqwest::StatusCode;

use crate::common::{Console, Emulator};

/// What is asked in all, spread over the endpoints.
const CASES: usize = 10_000;

const READS: [(&str, &[&str]); 24] = [
    ("token/list", &[]),
    ("session/info", &[]),
    ("session/issuers", &[]),
    ("session/list", &["all"]),
    ("fleet/list", &["q", "sort", "offset", "limit"]),
    ("fleet/ids", &["q", "sort"]),
    ("fleet/vocabulary", &[]),
    ("fleet/overview", &["days"]),
    ("fleet/instance", &["account", "region", "instance_id"]),
    ("fleet/origins", &["account", "region", "instance_id"]),
    ("fleet/raw", &["account", "region", "instance_id"]),
    ("fleet/verify", &["account", "region", "instance_id", "days"]),
    ("fleet/change", &["id"]),
    ("accounts/list", &[]),
    ("policy/report", &[]),
    ("release/list", &[]),
    ("delivery/matrix", &[]),
    ("delivery/timeline", &["service", "commit"]),
    ("delivery/changes", &["service", "q", "limit"]),
    ("delivery/facts", &["service", "commit"]),
    ("delivery/dora", &["service", "days"]),
    ("gitops/board", &[]),
    ("gitops/operation", &["id"]),
    ("audit/list", &["text", "action", "account", "instance_id", "before_seq", "limit"]),
];
const CHANGES: [(&str, &[&str]); 14] = [
    ("token/make", &["name", "days", "access"]),
    ("token/revoke", &["id"]),
    ("session/end", &["id"]),
    ("fleet/plan-enforce", &["account", "region", "instance_id", "hop_limit"]),
    ("fleet/plan-restore", &["change_id"]),
    ("gitops/plan", &["ask", "reason"]),
    ("gitops/request", &["ask", "reason", "fingerprint"]),
    ("gitops/approve", &["id", "fingerprint", "reason"]),
    ("gitops/merge", &["id", "fingerprint"]),
    ("gitops/close", &["id", "reason"]),
    ("fleet/apply", &["plan", "reason", "idempotency_key"]),
    ("fleet/selection", &["q", "keys"]),
    ("release/rollback", &["release", "seen", "reason"]),
    ("delivery/report", &["reports"]),
];

/// A value as a query string holds it: plausible, out of range, or nonsense.
fn argument() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[0-9]{1,20}",
        "-?[0-9]{1,3}",
        "[a-z]{1,6}:[><=]?[a-z0-9*\"(),-]{0,8}",
        Just("verdict:allows-v1 -tag:team=payments age:>90d".to_owned()),
        Just("111111111111".to_owned()),
        Just("eu-west-1".to_owned()),
        Just("i-0123456789abcdef0".to_owned()),
        "\\PC{0,40}",
    ]
}

fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        argument().prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            proptest::collection::btree_map("[a-z_]{1,12}", inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

#[tokio::test]
async fn no_input_makes_a_server_function_fail() {
    let emulator = Emulator::start("none");
    let console = Console::start(&emulator, "").await;
    let mut runner = TestRunner::deterministic();
    let mut pick =
        |strategy: &BoxedStrategy<String>| strategy.new_tree(&mut runner).expect("a value").current();
    let arguments = argument().boxed();
    let bodies = prop_oneof![
        9 => value().prop_map(|value| value.to_string()),
        1 => "\\PC{0,200}",
    ]
    .boxed();
    let each = CASES.div_ceil(READS.len() + CHANGES.len());
    let mut asked = 0;
    for (endpoint, parameters) in READS {
        for _ in 0..each {
            let query: Vec<(&str, String)> =
                parameters.iter().map(|name| (*name, pick(&arguments))).collect();
            let url = format!("{}/api/{endpoint}", console.url);
            let answer = console.client.get(url).query(&query).send().await.expect("the console answers");
            check(answer.status(), endpoint, &format!("{query:?}"));
            asked += 1;
        }
    }
    for (endpoint, parameters) in CHANGES {
        for number in 0..each {
            let body = if number % 2 == 0 {
                let fields: Vec<String> = parameters
                    .iter()
                    .map(|name| format!("\"{name}\":{}", json_or_null(pick(&bodies))))
                    .collect();
                format!("{{{}}}", fields.join(","))
            } else {
                pick(&bodies)
            };
            let request = console.client.post(format!("{}/api/{endpoint}", console.url));
            let answer = request
                .header("content-type", "application/json")
                .body(body.clone())
                .send()
                .await
                .expect("the console answers");
            check(answer.status(), endpoint, &body);
            asked += 1;
        }
    }
    assert!(asked >= CASES, "{asked}");
    assert_eq!(console.get("/api/health/live").await.status(), StatusCode::OK);
}

fn json_or_null(text: String) -> String {
    if serde_json::from_str::<serde_json::Value>(&text).is_ok() { text } else { "null".into() }
}

fn check(status: StatusCode, endpoint: &str, input: &str) {
    assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{endpoint} {input}");
    assert!(status.is_success() || status.is_client_error(), "{endpoint} {status} {input}");
}
