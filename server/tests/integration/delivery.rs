//! What is told of deliveries, by whom, and what each caller is answered of it.

use futures::StreamExt;
use reqwest::header::COOKIE;
use serde_json::{Value, json};

use crate::common::delivery::{
    SECRET, ago, commit, followed, history, live, push, running_job, sha, stage, webhook,
};
use crate::common::{Console, Emulator, until};
use crate::sign_in::Guarded;

async fn console() -> (Console, Emulator) {
    let emulator = Emulator::start("none");
    let console = Console::start(&emulator, &followed()).await;
    (console, emulator)
}

async fn get(console: &Console, path: &str) -> (u16, Value) {
    let answer = console.get(path).await;
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

async fn report(console: &Console, reports: &[Value]) -> (u16, Value) {
    let answer = console.post("/api/delivery/report", json!({ "reports": reports })).await;
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

/// The rows of the matrix alone: when each source was last heard of is of the process.
async fn rows(console: &Console) -> Value {
    let (status, matrix) = get(console, "/api/delivery/matrix").await;
    assert_eq!(status, 200, "{matrix}");
    matrix["rows"].clone()
}

fn cell<'a>(rows: &'a Value, service: &str, position: usize) -> &'a Value {
    let row = rows.as_array().expect("rows").iter().find(|row| row["service"] == service);
    &row.unwrap_or_else(|| panic!("{service} in {rows}"))["cells"][position]
}

#[tokio::test]
async fn a_report_is_taken_once_and_shown_everywhere() {
    let (console, emulator) = console().await;
    let told = history();
    assert_eq!(report(&console, &told).await, (200, json!({ "new": told.len() })));
    let before = rows(&console).await;
    assert_eq!(report(&console, &told).await, (200, json!({ "new": 0 })), "the same again is the same");
    assert_eq!(rows(&console).await, before);

    let (dev, staging, prod) =
        (cell(&before, "checkout", 0), cell(&before, "checkout", 1), cell(&before, "checkout", 2));
    assert_eq!(
        (&dev["version"], &dev["commit"], &dev["behind"]),
        (&json!("1.6.0"), &json!(sha(3)), &json!(0))
    );
    assert_eq!((&staging["version"], &staging["behind"]), (&json!("1.5.0"), &json!(1)));
    let on_its_way = json!({ "commit": sha(3), "stage": "rollout", "status": "running" });
    assert_eq!(staging["in_progress"], on_its_way);
    assert_eq!((&prod["version"], &prod["behind"]), (&json!("1.4.0"), &json!(2)));
    assert_eq!(cell(&before, "users", 1)["failed"]["status"], "failed");
    assert_eq!(cell(&before, "users", 2)["health"], "unknown", "nothing was told");

    let left = console.kill();
    let console = Console::start_in(left, &emulator, &followed()).await;
    assert_eq!(rows(&console).await, before, "another process answers the same");
}

#[tokio::test]
async fn a_change_is_found_and_followed_by_its_first_digits() {
    let (console, _emulator) = console().await;
    report(&console, &history()).await;
    let (status, timeline) = get(&console, "/api/delivery/timeline?service=checkout&commit=0000003").await;
    assert_eq!((status, &timeline["commit"]), (200, &json!(sha(3))));
    assert_eq!(timeline["whole_release"], true);
    let reasons: Vec<&Value> = timeline["environments"]
        .as_array()
        .expect("environments")
        .iter()
        .map(|one| &one["reason"]["kind"])
        .collect();
    assert_eq!(reasons[..2], ["already-live", "pod-stuck"]);
    let (_, full) =
        get(&console, &format!("/api/delivery/timeline?service=checkout&commit={}", sha(3))).await;
    assert_eq!(full["steps"], timeline["steps"]);
    let (_, facts) = get(&console, "/api/delivery/facts?service=checkout&commit=0000003").await;
    assert!(facts.as_array().expect("facts").iter().all(|fact| fact["commit"] == sha(3)), "{facts}");

    for (asked, status) in [("000000", 400), ("0000009", 404), ("not-a-commit", 400)] {
        let path = format!("/api/delivery/timeline?service=checkout&commit={asked}");
        assert_eq!(get(&console, &path).await.0, status, "{asked}");
    }
    assert_eq!(get(&console, "/api/delivery/timeline?service=payments&commit=0000003").await.0, 404);
    // 0000002 of another commit begins the same: one of both has to be named.
    let twin = stage(
        "checkout",
        2,
        "commit",
        "succeeded",
        json!({ "commit": format!("0000002{}", "1".repeat(33)) }),
    );
    report(&console, &[twin]).await;
    assert_eq!(get(&console, "/api/delivery/timeline?service=checkout&commit=0000002").await.0, 404);

    let titles = async |query: &str| -> Vec<String> {
        let (status, found) = get(&console, &format!("/api/delivery/changes?{query}&limit=50")).await;
        assert_eq!(status, 200, "{query}: {found}");
        let found = found.as_array().expect("changes").clone();
        found.iter().filter_map(|change| change["title"].as_str().map(str::to_owned)).collect()
    };
    for query in ["q=%23103", "q=0000003", "q=sha256:abab", "q=1.6.0", "q=before%20paying"] {
        assert_eq!(titles(&format!("service=&{query}")).await, ["Show the sum before paying"], "{query}");
    }
    assert_eq!(titles("service=users&q=").await, ["Forget who asked to be forgotten"]);
    assert_eq!(titles("service=users&q=ada").await, ["Forget who asked to be forgotten"]);
    assert_eq!(titles("service=&q=nobody").await, [""; 0]);
}

#[tokio::test]
async fn metrics_are_of_three_windows() {
    let (console, _emulator) = console().await;
    report(&console, &history()).await;
    for days in [7, 30, 90] {
        let (status, dora) = get(&console, &format!("/api/delivery/dora?service=checkout&days={days}")).await;
        assert_eq!(status, 200);
        let prod = &dora[2];
        assert_eq!((&prod["environment"], &prod["failure_rate"]), (&json!("prod"), &json!(0.5)));
        assert_eq!(prod["failed"][0]["commit"], sha(2));
        assert!(prod["per_day"].as_f64().expect("a rate") > 0.0);
    }
    for days in [0, 1, 8, 365] {
        let (status, refused) =
            get(&console, &format!("/api/delivery/dora?service=checkout&days={days}")).await;
        assert_eq!(status, 400);
        assert_eq!(refused["bad-request"]["message"], "Metrics are measured over 7, 30 or 90 days.");
    }
}

#[tokio::test]
async fn what_contradicts_itself_is_refused_as_a_whole_and_says_why() {
    let (console, _emulator) = console().await;
    let good = commit("checkout", 1, "A good one", 9);
    let cases = [
        (
            stage("checkout", 1, "rollout", "running", json!({})),
            "stage rollout happens in each environment: name the one it happened in as `environment`",
        ),
        (
            stage("checkout", 1, "ci", "succeeded", json!({ "environment": "dev" })),
            "stage ci is of the change, before any environment: leave `environment` out",
        ),
        (
            stage("checkout", 1, "ci", "succeeded", json!({ "started": ago(1), "finished": ago(2) })),
            "send the times as the source has them, in UTC",
        ),
        (
            stage("checkout", 1, "ci", "running", json!({ "finished": ago(2) })),
            "status running has no end: leave `finished` out",
        ),
        (
            stage("checkout", 1, "ci", "succeeded", json!({ "finished": ago(-300) })),
            "is more than an hour after the server's time",
        ),
        (
            stage("checkout", 1, "ci", "succeeded", json!({ "link": "javascript:alert(1)" })),
            "`link` has to begin with https:// or http://",
        ),
        (stage("payments", 1, "ci", "succeeded", json!({})), "There is no service payments here."),
        (
            stage("checkout", 1, "live", "succeeded", json!({ "environment": "production" })),
            "There is no environment production here.",
        ),
    ];
    for (bad, why) in cases {
        let (status, refused) = report(&console, &[good.clone(), bad.clone()]).await;
        let message = refused["bad-request"]["message"].as_str().unwrap_or_default();
        assert_eq!(status, 400, "{bad}");
        assert!(message.contains(why), "{message} lacks {why}");
    }
    let many = vec![good.clone(); 501];
    assert_eq!(report(&console, &many).await.0, 400, "at most 500 at once");
    let unknown = stage("checkout", 1, "ci", "succeeded", json!({ "colour": "blue" }));
    assert_eq!(report(&console, &[unknown]).await.0, 400, "a field that is not known is a typing mistake");
    assert_eq!(
        get(&console, "/api/delivery/changes?service=&q=&limit=9").await.1,
        json!([]),
        "nothing was taken"
    );
    assert_eq!(report(&console, &[]).await, (200, json!({ "new": 0 })));
}

#[tokio::test]
async fn a_webhook_is_taken_by_its_signature_alone() {
    let (console, emulator) = console().await;
    let pushed = push(4, "Let people pay later (#412)", 9).to_string();
    assert_eq!(webhook(&console, "push", &pushed, "another secret of 20").await.status(), 403);
    let unsigned = console.client.post(format!("{}/api/delivery/github", console.url)).body(pushed.clone());
    assert_eq!(unsigned.send().await.expect("an answer").status(), 403);
    assert_eq!(get(&console, "/api/delivery/changes?service=&q=&limit=9").await.1, json!([]));

    let took = async |event: &str, body: &str| {
        let answer = webhook(&console, event, body, SECRET).await;
        (answer.status().as_u16(), answer.json::<Value>().await.expect("JSON")["new"].clone())
    };
    assert_eq!(took("push", &pushed).await, (202, json!(1)));
    let (_, before) = get(&console, "/api/delivery/timeline?service=checkout&commit=0000004").await;
    assert_eq!((&before["pull_request"], &before["author"]), (&json!(412), &json!("Grace Hopper")));
    assert_eq!(took("push", &pushed).await, (202, json!(0)), "a replay changes nothing");
    let (_, after) = get(&console, "/api/delivery/timeline?service=checkout&commit=0000004").await;
    assert_eq!(after, before);
    assert_eq!(took("workflow_job", &running_job(4, 3).to_string()).await, (202, json!(1)));
    assert_eq!(took("ping", "{}").await, (202, json!(0)));
    assert_eq!(took("star", "{\"action\":\"created\"}").await, (202, json!(0)));

    assert_eq!(webhook(&console, "push", "not JSON", SECRET).await.status(), 400);
    let (_, matrix) = get(&console, "/api/delivery/matrix").await;
    let github = &matrix["sources"].as_array().expect("sources")[0];
    assert_eq!(github["source"], "GitHub");
    let problem = github["problem"].as_str().expect("a problem");
    assert!(problem.starts_with("The body of a push event cannot be read:"), "{problem}");
    let large = format!("{{\"padding\":\"{}\"}}", "x".repeat(8 * 1024 * 1024));
    assert_eq!(webhook(&console, "push", &large, SECRET).await.status(), 413);

    let plain = Console::start(&emulator, "").await;
    assert_eq!(webhook(&plain, "push", &pushed, SECRET).await.status(), 404, "no secret, no webhooks");
}

const LIMITED: &str = "{ group = \"prod\", role = \"viewer\", environments = [\"prod\"], services = [\"checkout\"] },\n\
     { group = \"users\", role = \"viewer\", services = [\"users\"] },\n\
     { group = \"pipeline\", role = \"reporter\", services = [\"checkout\"] },\n\
     { group = \"root\", role = \"administrator\" },\n";

#[tokio::test]
async fn each_sees_and_tells_what_their_grants_reach() {
    let guarded = Guarded::start_with(LIMITED, &followed()).await;
    let root = guarded.sign_in(&["root"]).await;
    let prod = guarded.sign_in(&["prod"]).await;
    let users = guarded.sign_in(&["users"]).await;
    let pipeline = guarded.sign_in(&["pipeline"]).await;
    let tell = async |who: &str, reports: Vec<Value>| {
        let body = Some(json!({ "reports": reports }));
        let answer = guarded.ask("POST", "/api/delivery/report", who, body).await;
        (answer.status().as_u16(), answer.json::<Value>().await.expect("JSON"))
    };
    assert_eq!(tell(&root, history()).await.0, 200);

    // Whoever reports does so within their limits, all of it or nothing.
    assert_eq!(tell(&pipeline, vec![commit("checkout", 5, "Within", 4)]).await.0, 200);
    assert_eq!(tell(&pipeline, vec![live("checkout", 5, "dev", "1.8.0", 3)]).await.0, 200);
    let both = vec![commit("checkout", 6, "Within", 4), commit("users", 12, "Beyond", 4)];
    let (status, refused) = tell(&pipeline, both).await;
    assert_eq!(status, 403, "{refused}");
    assert_eq!(guarded.json("/api/delivery/changes?service=&q=0000006&limit=9", &root).await, json!([]));
    assert_eq!(guarded.status("/api/delivery/matrix", &pipeline).await, 403, "a reporter sees nothing");
    assert_eq!(tell(&users, vec![commit("users", 12, "Not a reporter", 4)]).await.0, 403);
    assert_eq!(tell("", vec![commit("users", 12, "Nobody", 4)]).await.0, 401);

    // What is in sight is all that is answered.
    let matrix = guarded.json("/api/delivery/matrix", &prod).await;
    assert_eq!(matrix["environments"], json!(["prod"]));
    assert_eq!(matrix["rows"].as_array().map(Vec::len), Some(1));
    assert_eq!(matrix["rows"][0]["cells"][0]["version"], "1.4.0");
    let timeline = guarded.json("/api/delivery/timeline?service=checkout&commit=0000003", &prod).await;
    let seen: Vec<&Value> =
        timeline["environments"].as_array().expect("a list").iter().map(|one| &one["environment"]).collect();
    assert_eq!(seen, ["prod"]);
    assert!(!timeline["path"].to_string().contains("staging"), "{timeline}");
    let facts = guarded.json("/api/delivery/facts?service=checkout&commit=0000003", &prod).await;
    assert!(!facts.to_string().contains("ErrImagePull"), "{facts}");
    let dora = guarded.json("/api/delivery/dora?service=checkout&days=7", &prod).await;
    assert_eq!(dora.as_array().map(Vec::len), Some(1));
    for path in [
        "timeline?service=users&commit=000000b",
        "dora?service=users&days=7",
        "facts?service=users&commit=000000b",
    ] {
        assert_eq!(guarded.status(&format!("/api/delivery/{path}"), &prod).await, 404, "{path}");
    }
    let changes = guarded.json("/api/delivery/changes?service=&q=&limit=50", &users).await;
    let of: Vec<&Value> = changes.as_array().expect("changes").iter().map(|one| &one["service"]).collect();
    assert_eq!(of, ["users"]);
    // However many changes of others were told of since.
    let others = (100..160).map(|number| commit("checkout", number, "One of many", 2)).collect();
    assert_eq!(tell(&root, others).await.0, 200);
    let changes = guarded.json("/api/delivery/changes?service=&q=&limit=5", &users).await;
    assert_eq!(changes[0]["title"], "Forget who asked to be forgotten");
    let found = guarded.json("/api/delivery/changes?service=&q=ada&limit=5", &users).await;
    assert_eq!(found[0]["title"], "Forget who asked to be forgotten");
}

#[tokio::test]
async fn an_event_reaches_those_who_see_the_service() {
    let guarded = Guarded::start_with(LIMITED, &followed()).await;
    let root = guarded.sign_in(&["root"]).await;
    let users = guarded.sign_in(&["users"]).await;
    let request =
        guarded.console.client.get(format!("{}/api/events", guarded.console.url)).header(COOKIE, &users);
    let mut events = request.send().await.expect("an answer").bytes_stream();
    let tell = async |reports: Value| {
        let body = Some(json!({ "reports": reports }));
        assert_eq!(guarded.ask("POST", "/api/delivery/report", &root, body).await.status(), 200);
    };
    tell(json!([commit("checkout", 1, "Not theirs", 9)])).await;
    until("the first is there", async || {
        guarded.json("/api/delivery/changes?service=&q=&limit=9", &root).await != json!([])
    })
    .await;
    // Of what moves at once, each is told of their own.
    tell(json!([commit("checkout", 2, "Not theirs", 9), commit("users", 11, "Theirs", 9)])).await;
    let mut told = String::new();
    while !told.contains("users") {
        let chunk = tokio::time::timeout(std::time::Duration::from_secs(30), events.next()).await;
        let chunk = chunk.expect("an event comes").expect("the stream goes on").expect("bytes");
        told.push_str(&String::from_utf8_lossy(&chunk));
    }
    assert!(!told.contains("checkout"), "{told}");
}

#[tokio::test]
async fn an_event_of_the_registry_is_taken_with_its_image() {
    let emulator = Emulator::start("none");
    let image = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/team/users";
    let config = format!(
        "delivery = {{ environments = [\"dev\"] }}\nservices = [{{ name = \"users\", image = \"{image}\" }}]\n"
    );
    let console = Console::start(&emulator, &config).await;
    let event = json!({
        "version": "0", "id": "1", "detail-type": "ECR Image Action", "source": "aws.ecr", "account": "111122223333",
        "time": ago(1), "region": "eu-central-1", "resources": [],
        "detail": {
            "result": "SUCCESS", "action-type": "PUSH", "repository-name": "team/users",
            "image-digest": format!("sha256:{}", "ab".repeat(32)), "image-tag": "sha-a000001",
        },
    });
    let post = async |body: &Value| {
        let answer = console.post("/api/delivery/registry", body.clone()).await;
        (answer.status().as_u16(), answer.json::<Value>().await.expect("JSON"))
    };
    assert_eq!(post(&event).await, (202, json!({ "new": 1 })));
    assert_eq!(post(&event).await, (202, json!({ "new": 0 })));
    let (status, timeline) = get(&console, "/api/delivery/timeline?service=users&commit=a000001").await;
    assert_eq!(status, 200, "{timeline}");
    let (status, refused) = post(&json!({ "detail": 1 })).await;
    assert_eq!(status, 400, "{refused}");
    assert!(refused.to_string().contains("The event cannot be read"), "{refused}");
}
