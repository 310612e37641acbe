//! The releases as the console shows them: who sees them, who goes back, what is refused, and what is written down.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Site;
use super::cloud::{Act, Meeting, Proxy};
use crate::common::bundle::{Bundle, bundle};
use crate::common::cloud::{BUCKET, Cloud};
use crate::common::{Console, Emulator, until};
use crate::sign_in::Guarded;

const GRANTS: &str = "{ group = \"root\", role = \"administrator\" },\n\
     { group = \"lookers\", role = \"viewer\", accounts = [\"prod\"] },\n\
     { group = \"hands\", role = \"operator\" },\n\
     { group = \"shippers\", role = \"releaser\" },\n\
     { group = \"some\", role = \"releaser\", accounts = [\"prod\"] },\n\
     { group = \"pipelines\", role = \"reporter\" },\n";

/// A console at which people sign in, and the bucket that it knows.
struct Published {
    guarded: Guarded,
    site: Site,
}

impl Published {
    async fn start() -> Published {
        let emulator = Emulator::start("none");
        let cloud = Cloud::at(emulator.url.clone()).await;
        let aws = cloud.url.clone();
        Published::over(emulator, cloud, &aws, "").await
    }

    /// The console reaches the cloud at `aws`.
    async fn over(emulator: Emulator, cloud: Cloud, aws: &str, more: &str) -> Published {
        let publish = format!(
            "publish = {{ bucket = \"{BUCKET}\", distribution = \"{}\" }}\n{more}",
            cloud.distribution
        );
        let guarded = Guarded::start_over(emulator, aws, GRANTS, &publish).await;
        let home = tempfile::tempdir().expect("a directory");
        Published { guarded, site: Site { cloud, home, _process: None } }
    }

    /// The releases as the holder of `cookie` sees them.
    async fn board(&self, cookie: &str) -> Value {
        self.guarded.json("/api/release/list", cookie).await["known"].take()
    }

    /// As [`Published::board`], once the answer is not one that was kept.
    async fn board_when(&self, cookie: &str, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
        let mut board = Value::Null;
        until(what, async || {
            board = self.board(cookie).await;
            condition(&board)
        })
        .await;
        board
    }

    async fn roll_back(&self, cookie: &str, to: &str, seen: &str, reason: &str) -> (u16, Value) {
        let body = json!({ "release": to, "seen": seen, "reason": reason });
        let answer = self.guarded.ask("POST", "/api/release/rollback", cookie, Some(body)).await;
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }

    /// The audit log's entries of `action`, oldest first.
    async fn audit(&self, cookie: &str, action: &str) -> Vec<Value> {
        let path =
            format!("/api/audit/list?text=&action={action}&account=&instance_id=&before_seq=0&limit=100");
        let entries = self.guarded.json(&path, cookie).await;
        let entries = entries.as_array().expect("entries").iter();
        entries.rev().map(|entry| entry["entry"].clone()).collect()
    }

    /// Pushes each, in this order.
    async fn pushed<const N: usize>(&self, marks: [&str; N]) -> [Bundle; N] {
        let bundles = marks.map(bundle);
        for (number, one) in bundles.iter().enumerate() {
            self.site.pushed(one, &format!("c0ffee{number}")).await;
        }
        bundles
    }

    /// Writes that something is under way since `at`.
    async fn begins(&self, release: &str, at: Timestamp) {
        let (_, _, live) = self.site.cloud.object("releases/live.json").await;
        let mut live: Value = serde_json::from_slice(&live).expect("JSON");
        live["under_way"] = json!({
            "release": release, "way": "push", "commit": "c0ffee9", "branch": "main", "author": "ada", "by": "ci", "at": at,
            "attempt": 1,
        });
        self.site.cloud.overwrite("releases/live.json", &live.to_string()).await;
    }
}

/// What was published of a commit, and that the CDN forgot what was before, are stages of that commit's way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_are_told_of_each_release() {
    let emulator = Emulator::start("none");
    let cloud = Cloud::at(emulator.url.clone()).await;
    let home = tempfile::tempdir().expect("a directory");
    let site = Site { cloud, home, _process: None };
    let release = bundle("one");
    site.pushed(&release, "c0ffee1").await;
    let followed = format!(
        "publish = {{ bucket = \"{BUCKET}\", distribution = \"{}\", service = \"console\" }}\n\
         delivery = {{ environments = [\"prod\"] }}\nservices = [{{ name = \"console\" }}]\n",
        site.cloud.distribution
    );
    let console = Console::start(&emulator, &followed).await;
    let mut timeline = Value::Null;
    until("the timeline has both stages", async || {
        let answer = console.get("/api/delivery/timeline?service=console&commit=c0ffee1").await;
        timeline = answer.json().await.expect("JSON");
        let step = |stage: &str| {
            let steps = timeline["steps"].as_array().into_iter().flatten();
            steps.filter(|step| step["stage"] == stage).any(|step| step["status"]["known"] == "succeeded")
        };
        step("assets") && step("invalidation")
    })
    .await;
    let text = timeline.to_string();
    assert!(text.contains(&release.release), "{text}");
    let sources =
        console.get("/api/delivery/matrix").await.json::<Value>().await.expect("JSON")["sources"].take();
    let told = sources.as_array().into_iter().flatten().filter(|source| !source["last_told"].is_null());
    assert_eq!(told.count(), 1, "only the bucket was heard of: {sources}");
}

/// The rows as pairs of a release and how it stands.
fn standings(board: &Value) -> Vec<(&str, &str)> {
    let rows = board["rows"].as_array().expect("rows").iter();
    rows.map(|row| {
        (row["release"].as_str().expect("a release"), row["standing"].as_str().expect("how it stands"))
    })
    .collect()
}

fn message<'a>(answer: &'a Value, kind: &str) -> &'a str {
    answer[kind]["message"].as_str().unwrap_or_else(|| panic!("no {kind}: {answer}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_may_release_goes_back_and_it_is_written_down() {
    let published = Published::start().await;
    let Published { guarded, site } = &published;
    let shipper = guarded.sign_in(&["shippers"]).await;
    assert_eq!(published.board(&shipper).await["rows"], json!([]), "nothing was published");
    let [one, two] = published.pushed(["one", "two"]).await;
    let (first, second) = (one.release.as_str(), two.release.as_str());

    let board = published.board_when(&shipper, "both", |board| board["live"] == second).await;
    assert_eq!(standings(&board), [(second, "live"), (first, "earlier")]);
    assert_eq!((&board["bucket"], &board["denied"]), (&json!(BUCKET), &Value::Null));
    assert_eq!(board["invalidation"]["completed"]["id"].as_str().map(str::is_empty), Some(false), "{board}");
    let earlier = &board["rows"][1];
    assert_eq!(earlier["refusal"], Value::Null);
    assert_eq!(
        earlier["root"],
        json!(["index.html", "release.json", "favicon.svg"]),
        "the shell comes first"
    );
    assert_eq!((&earlier["commit"], &earlier["author"]), (&json!("c0ffee0"), &json!("ada")));
    assert_eq!(board["rows"][0]["refusal"], "It is live already.");

    for (to, seen, reason, told) in [
        (first, second, " ", "a reason of 1 to 1000"),
        (first, second, &"x".repeat(1_001), "a reason of 1 to 1000"),
        ("../../etc", second, "why", "16 hexadecimal digits"),
        (first, "", "why", "16 hexadecimal digits"),
    ] {
        let (status, answer) = published.roll_back(&shipper, to, seen, reason).await;
        assert_eq!(status, 400, "{answer}");
        assert!(message(&answer, "bad-request").contains(told), "{answer}");
    }
    assert_eq!(
        published.audit(&guarded.sign_in(&["root"]).await, "rollback-requested").await,
        Vec::<Value>::new()
    );

    let (status, answer) = published.roll_back(&shipper, first, second, " it shows no prices ").await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!((&answer["release"], &answer["from"]), (&json!(first), &json!(second)));
    assert_eq!(site.live().await.as_deref(), Some(one.shell.as_str()));
    let told = String::from_utf8(site.cloud.object("release.json").await.2).expect("text");
    assert!(told.contains(first), "{told}");
    // At once: what was kept is forgotten.
    let board = published.board(&shipper).await;
    assert_eq!(standings(&board), [(first, "live"), (second, "earlier")]);
    let activated = &board["rows"][0]["activated"];
    assert_eq!(
        (&activated["way"], &activated["by"], &activated["reason"]),
        (&json!("rollback"), &json!("Ada Lovelace"), &json!("it shows no prices"))
    );
    let (status, answer) = published.roll_back(&shipper, first, first, "again").await;
    assert_eq!((status, message(&answer, "conflict")), (409, "It is live already."));
    // The command line finds the same.
    assert_eq!(site.status().await["live"]["history"][2]["reason"], "it shows no prices");

    let root = guarded.sign_in(&["root"]).await;
    let [requested, refused] = &published.audit(&root, "rollback-requested").await[..] else {
        panic!("two were asked for");
    };
    assert_eq!(refused["reason"], "again");
    let done = published.audit(&root, "rolled-back").await;
    for entry in [requested, &done[0]] {
        assert_eq!((&entry["actor"], &entry["address"]), (&json!("Ada Lovelace"), &json!("127.0.0.1")));
        assert_eq!(entry["reason"], "it shows no prices");
        assert_eq!(entry["differences"], json!([{ "field": "release", "before": second, "after": first }]));
    }
    let invalidation = answer_id(&board);
    let detail = done[0]["detail"].as_str().expect("text");
    assert!(detail.contains(&format!("invalidation {invalidation} ")), "{detail}");
    let failed = published.audit(&root, "rollback-failed").await;
    assert_eq!((done.len(), failed.len()), (1, 1));
    assert!(failed[0]["detail"].as_str().is_some_and(|told| told.contains("It is live already.")));
}

/// The id of the live release's invalidation.
fn answer_id(board: &Value) -> &str {
    board["invalidation"]["completed"]["id"].as_str().expect("an invalidation")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_release_is_told_which_role_it_takes() {
    let published = Published::start().await;
    let [one, two] = published.pushed(["one", "two"]).await;
    let guarded = &published.guarded;
    for (group, told) in [
        ("lookers", "This needs the role releaser or administrator; you have viewer."),
        ("hands", "This needs the role releaser or administrator; you have operator."),
        ("some", "Your roles do not reach this: you are releaser for account prod."),
    ] {
        let cookie = guarded.sign_in(&[group]).await;
        let board = published.board(&cookie).await;
        assert!(board["denied"].as_str().is_some_and(|denied| denied.starts_with(told)), "{group}: {board}");
        let (status, answer) = published.roll_back(&cookie, &one.release, &two.release, "why not").await;
        assert_eq!(status, 403, "{group}");
        assert!(message(&answer, "forbidden").starts_with(told), "{answer}");
    }
    let pipeline = guarded.sign_in(&["pipelines"]).await;
    assert_eq!(guarded.status("/api/release/list", &pipeline).await, 403);
    assert_eq!(guarded.status("/api/release/list", "").await, 401);
    assert_eq!(published.site.live().await.as_deref(), Some(two.shell.as_str()), "nothing was changed");
    let root = guarded.sign_in(&["root"]).await;
    until("the refusals are written down", async || published.audit(&root, "denied").await.len() == 3).await;
    assert_eq!(published.audit(&root, "rollback-requested").await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_decided_on_an_old_view_or_meets_another_is_refused() {
    let published = Published::start().await;
    let Published { guarded, site } = &published;
    let shipper = guarded.sign_in(&["shippers"]).await;
    let [one, two, three] = published.pushed(["one", "two", "three"]).await;
    let names = [&one, &two, &three].map(|bundle| bundle.release.as_str());
    let back = async |to: &str, seen: &str| published.roll_back(&shipper, to, seen, "why").await;

    let (status, answer) = back(names[0], names[1]).await;
    assert_eq!(status, 409);
    let told = format!("{} is live by now, and {} was when you decided.", names[2], names[1]);
    assert!(message(&answer, "conflict").starts_with(&told), "{answer}");
    let (status, answer) = back("0000000000000000", names[2]).await;
    assert_eq!(
        (status, message(&answer, "conflict")),
        (409, "Its files were deleted. Push its commit again instead.")
    );

    // A push goes on.
    published.begins(names[1], Timestamp::now()).await;
    let board = published.board_when(&shipper, "it is shown", |board| !board["under_way"].is_null()).await;
    assert_eq!(standings(&board), [(names[1], "under-way"), (names[2], "doubtful"), (names[0], "earlier")]);
    let waits = format!("ci is making {} live. Wait until that has ended.", names[1]);
    assert_eq!(board["rows"][2]["refusal"], waits.as_str());
    let (status, answer) = back(names[0], names[2]).await;
    assert_eq!((status, message(&answer, "conflict")), (409, waits.as_str()));
    assert_eq!(site.live().await.as_deref(), Some(three.shell.as_str()), "nothing was changed so far");

    // It has died: the way back is open, to what was live as well.
    published.begins(names[1], Timestamp::now() - SignedDuration::from_mins(20)).await;
    let interrupted = |board: &Value| board["under_way"]["interrupted"] == true;
    let board = published.board_when(&shipper, "it is told", interrupted).await;
    assert_eq!(standings(&board), [(names[2], "doubtful"), (names[0], "earlier"), (names[1], "interrupted")]);
    let (status, answer) = back(names[2], names[2]).await;
    assert_eq!(status, 200, "{answer}");
    let board = published.board(&shipper).await;
    assert_eq!((&board["live"], &board["under_way"]), (&json!(names[2]), &Value::Null));

    // A file is gone.
    let (code, said) = site.run(&["prune", "--keep", "0", "--older-than", "0", "--yes"]).await;
    assert_eq!(code, Some(0), "{said}");
    let board = published.board_when(&shipper, "it is gone", |board| {
        board["rows"].as_array().is_some_and(|rows| rows.iter().any(|row| row["standing"] == "gone"))
    });
    let board = board.await;
    let gone = board["rows"].as_array().expect("rows").iter().find(|row| row["standing"] == "gone");
    let gone = gone.expect("one is gone");
    assert_eq!(gone["refusal"], "Its files were deleted. Push its commit again instead.");
    let (status, _) = back(gone["release"].as_str().expect("a release"), names[2]).await;
    assert_eq!(status, 409);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_bucket_the_answer_says_what_to_configure() {
    let emulator = Emulator::start("none");
    let console = Console::start(&emulator, "").await;
    let listed: Value = console.get("/api/release/list").await.json().await.expect("JSON");
    assert_eq!(listed, "not-configured");
    let body = json!({ "release": "0".repeat(16), "seen": "1".repeat(16), "reason": "why" });
    let answer = console.post("/api/release/rollback", body).await;
    assert_eq!(answer.status(), 409);
    let answer: Value = answer.json().await.expect("JSON");
    assert!(message(&answer, "conflict").contains("publish.bucket"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_installation_goes_nowhere() {
    let emulator = Emulator::start("none");
    let cloud = Cloud::at(emulator.url.clone()).await;
    let aws = cloud.url.clone();
    let published = Published::over(emulator, cloud, &aws, "read_only = true\n").await;
    let [one, two] = published.pushed(["one", "two"]).await;
    let root = published.guarded.sign_in(&["root"]).await;
    let board = published.board(&root).await;
    assert!(board["denied"].as_str().is_some_and(|why| why.contains("read-only")), "{board}");
    let (status, answer) = published.roll_back(&root, &one.release, &two.release, "why").await;
    assert_eq!(status, 403);
    assert!(message(&answer, "forbidden").contains("read-only"), "{answer}");
}

/// What is wrong with the network.
const WELL: u8 = 0;
const NO_CDN: u8 = 1;
const NO_PERMISSION: u8 = 2;
const DOWN: u8 = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_aws_that_fails_is_told_and_nothing_of_it_leaks() {
    let emulator = Emulator::start("none");
    let cloud = Cloud::at(emulator.url.clone()).await;
    let weather = Arc::new(AtomicU8::new(WELL));
    let proxy = Proxy::start(&cloud, {
        let weather = weather.clone();
        move |_, request| {
            let path = request.uri().path();
            let (cdn, bucket) = (path.starts_with("/2020-05-31/"), path.starts_with(&format!("/{BUCKET}")));
            match weather.load(Ordering::SeqCst) {
                NO_CDN if cdn => Act::Refuse { status: 403, code: "AccessDenied" },
                NO_PERMISSION if bucket => Act::Refuse { status: 403, code: "AccessDenied" },
                DOWN if cdn || bucket => Act::Break,
                _ => Act::Pass,
            }
        }
    })
    .await;
    let published = Published::over(emulator, cloud, &proxy.url, "").await;
    let [one, two] = published.pushed(["one", "two"]).await;
    let root = published.guarded.sign_in(&["root"]).await;

    // Of many who ask at once, one asks AWS.
    let reads = || proxy.seen().iter().filter(|one| one.ends_with("/releases/live.json")).count();
    let before = reads();
    let boards = futures::future::join_all((0..10).map(|_| published.board(&root))).await;
    assert!(boards.iter().all(|board| board["live"] == two.release.as_str()));
    assert_eq!(reads() - before, 1, "{:?}", proxy.seen());

    weather.store(NO_CDN, Ordering::SeqCst);
    let partly =
        published.board_when(&root, "the CDN fails", |board| board["invalidation"]["unknown"].is_object());
    let partly = partly.await;
    assert_eq!(standings(&partly).len(), 2, "what the bucket says is shown");
    assert!(!partly.to_string().contains("told to the test"), "{partly}");

    for (state, code) in [(NO_PERMISSION, Some("AccessDenied")), (DOWN, None)] {
        weather.store(state, Ordering::SeqCst);
        let mut answer = Value::Null;
        until("the bucket fails", async || {
            let listed = published.guarded.ask("GET", "/api/release/list", &root, None).await;
            let failed = listed.status() == 502;
            answer = listed.json().await.expect("JSON");
            failed && code.is_none_or(|code| answer["upstream"]["code"] == code)
        })
        .await;
        let told = message(&answer, "upstream");
        assert!(told.starts_with("s3:") && told.ends_with(" failed."), "{told}");
        assert!(answer["upstream"]["next_step"].as_str().is_some_and(|step| !step.is_empty()), "{answer}");
        for secret in ["told to the test", "127.0.0.1", "AKIA"] {
            assert!(!answer.to_string().contains(secret), "{answer}");
        }
        let (status, answer) = published.roll_back(&root, &one.release, &two.release, "it is down").await;
        assert_eq!(status, 502, "{answer}");
    }
    weather.store(WELL, Ordering::SeqCst);
    let failed = published.audit(&root, "rollback-failed").await;
    assert_eq!(failed.len(), 2);
    assert!(failed[0]["detail"].as_str().is_some_and(|told| told.contains("AccessDenied")), "{failed:?}");
    assert_eq!(published.site.live().await.as_deref(), Some(two.shell.as_str()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_that_failed_halfway_is_finished_by_the_same_once_more() {
    let emulator = Emulator::start("none");
    let cloud = Cloud::at(emulator.url.clone()).await;
    let weather = Arc::new(AtomicU8::new(WELL));
    let proxy = Proxy::start(&cloud, {
        let weather = weather.clone();
        move |_, request| {
            let invalidates = request.method() == http::Method::POST
                && request.uri().path().starts_with("/2020-05-31/distribution/");
            if invalidates && weather.load(Ordering::SeqCst) == NO_CDN {
                Act::Refuse { status: 403, code: "AccessDenied" }
            } else {
                Act::Pass
            }
        }
    })
    .await;
    let published = Published::over(emulator, cloud, &proxy.url, "").await;
    let [one, two, three] = published.pushed(["one", "two", "three"]).await;
    let names = [&one, &two, &three].map(|bundle| bundle.release.as_str());
    let root = published.guarded.sign_in(&["root"]).await;

    weather.store(NO_CDN, Ordering::SeqCst);
    let (status, answer) = published.roll_back(&root, names[0], names[2], "first try").await;
    assert_eq!(status, 502, "{answer}");
    assert!(message(&answer, "upstream").starts_with("cloudfront:CreateInvalidation"), "{answer}");
    assert_eq!(published.site.live().await.as_deref(), Some(one.shell.as_str()), "the shell was written");
    weather.store(WELL, Ordering::SeqCst);
    let board = published.board(&root).await;
    assert_eq!(standings(&board), [(names[0], "under-way"), (names[2], "doubtful"), (names[1], "earlier")]);
    let (status, answer) = published.roll_back(&root, names[1], names[2], "another").await;
    assert_eq!(status, 409);
    assert!(message(&answer, "conflict").starts_with("Ada Lovelace is making"), "{answer}");

    let (status, answer) = published.roll_back(&root, names[0], names[2], "second try").await;
    assert_eq!(status, 200, "{answer}");
    let board = published.board(&root).await;
    assert_eq!(standings(&board), [(names[0], "live"), (names[2], "earlier"), (names[1], "earlier")]);
    let history = published.site.status().await["live"]["history"].take();
    assert_eq!(history.as_array().map(Vec::len), Some(4), "{history}");
    let outcomes = published.audit(&root, "").await;
    let outcomes: Vec<(&str, &str)> = outcomes
        .iter()
        .filter_map(|entry| Some((entry["action"].as_str()?, entry["reason"].as_str()?)))
        .filter(|(_, reason)| !reason.is_empty())
        .collect();
    assert_eq!(
        outcomes,
        [
            ("rollback-requested", "first try"),
            ("rollback-failed", "first try"),
            ("rollback-requested", "another"),
            ("rollback-failed", "another"),
            ("rollback-requested", "second try"),
            ("rolled-back", "second try"),
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_goes_on_when_nobody_waits_for_it_any_more() {
    let emulator = Emulator::start("none");
    let cloud = Cloud::at(emulator.url.clone()).await;
    let meeting = Meeting::of(2);
    let held = meeting.clone();
    let proxy = Proxy::start(&cloud, move |_, request| {
        let shell =
            request.method() == http::Method::PUT && request.uri().path() == format!("/{BUCKET}/index.html");
        if shell { Act::Meet(held.clone()) } else { Act::Pass }
    })
    .await;
    let published = Published::over(emulator, cloud, &proxy.url, "").await;
    let Published { guarded, site } = &published;
    let [one, two] = published.pushed(["one", "two"]).await;
    let root = guarded.sign_in(&["root"]).await;
    let body = json!({ "release": one.release, "seen": two.release, "reason": "who waits" });
    let request = guarded.console.client.post(format!("{}/api/release/rollback", guarded.console.url));
    let request = request.header("cookie", &root).json(&body).send();
    let asked = tokio::spawn(tokio::time::timeout(Duration::from_secs(60), request));
    let shell = format!("PUT /{BUCKET}/index.html");
    until("it is at the shell", async || proxy.seen().contains(&shell)).await;
    asked.abort();
    let (status, answer) = published.roll_back(&root, &one.release, &two.release, "me too").await;
    assert_eq!(
        (status, message(&answer, "conflict")),
        (409, "This server is rolling back already. Wait until that has ended.")
    );
    meeting.wait().await;
    until("it is done", async || published.audit(&root, "rolled-back").await.len() == 1).await;
    assert_eq!(site.live().await.as_deref(), Some(one.shell.as_str()));
    assert_eq!(published.audit(&root, "rolled-back").await[0]["reason"], "who waits");
}
