//! What is remembered of people who signed in, how often each may ask, and when their sessions end.

use std::time::Duration;

use app::api::services::secret;
use http::header;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use store::{NewSession, NewToken, Store};

use crate::common::until;
use crate::sign_in::{Guarded, LIST, location};

/// The audit log's entries of `action`, oldest first, as an administrator who signed in sees them.
async fn audit(guarded: &Guarded, cookie: &str, action: &str) -> Vec<Value> {
    let path = format!("/api/audit/list?text=&action={action}&account=&instance_id=&before_seq=0&limit=100");
    let entries = guarded.json(&path, cookie).await;
    let entries = entries.as_array().expect("entries").iter();
    entries.rev().map(|entry| entry["entry"].clone()).collect()
}

/// The console's database, as another process has it.
async fn database(guarded: &Guarded) -> Store {
    let file = guarded.console.directory.path().join("tollgate.db");
    Store::connect(&format!("sqlite://{}", file.display())).await.expect("the database")
}

/// A session of the person that every test signs in as, begun at `created_at` and not seen since.
fn session(secret: &str, created_at: Timestamp) -> NewSession {
    NewSession {
        token_hash: secret::hash(secret),
        issuer: "Test".into(),
        subject: "ada".into(),
        name: "Ada Lovelace".into(),
        groups: vec!["root".into()],
        address: String::new(),
        user_agent: String::new(),
        created_at,
        expires_at: Timestamp::now() + SignedDuration::from_hours(1),
    }
}

#[tokio::test]
async fn what_somebody_is_given_is_compared_with_their_sign_in_before() {
    let guarded = Guarded::start().await;
    for groups in [&["lookers"][..], &["lookers", "unknown"], &["root"]] {
        guarded.sign_in(groups).await;
    }
    // The same groups, which another configuration gives something else.
    let guarded = guarded
        .restart(
            "{ group = \"root\", role = \"administrator\" }, { group = \"root\", role = \"approver\" },\n",
        )
        .await;
    guarded.sign_in(&["root"]).await;
    let root = guarded.sign_in(&["root"]).await;
    let entries = audit(&guarded, &root, "role-changed").await;
    let changed: Vec<&Value> = entries.iter().map(|entry| &entry["differences"][0]).collect();
    let lookers = "viewer for account prod; viewer for account sand* in region nowhere-1";
    let (root, both) =
        ("administrator for everything", "administrator for everything; approver for everything");
    assert_eq!(
        changed,
        [
            &json!({ "field": "access", "before": lookers, "after": root }),
            &json!({ "field": "access", "before": root, "after": both }),
        ]
    );
    for entry in &entries {
        assert_eq!((&entry["actor"], &entry["address"]), (&json!("Ada Lovelace"), &json!("127.0.0.1")));
        assert_eq!(entry["detail"], "Test (ada)");
    }
}

#[tokio::test]
async fn what_is_out_of_reach_is_shown_as_disabled() {
    let grants = "{ group = \"all\", role = \"viewer\" },\n\
         { group = \"hands\", role = \"operator\", accounts = [\"sand*\"] },\n";
    let guarded = Guarded::start_with(grants, "").await;
    let hands = guarded.sign_in(&["all", "hands"]).await;
    let disabled = async |account: &str, cookie: &str| {
        let q = format!("q=verdict:allows-v1%20state:running%20account:{account}&sort=name&offset=0&limit=1");
        let row = guarded.json(&format!("/api/fleet/list?{q}"), cookie).await["rows"][0].clone();
        let text = |field: &str| row[field].as_str().expect("text").to_owned();
        let key = format!(
            "account={}&region={}&instance_id={}",
            text("account"),
            text("region"),
            text("instance_id")
        );
        let detail = guarded.json(&format!("/api/fleet/instance?{key}"), cookie).await;
        (detail["enforce_disabled"].clone(), detail["restore_disabled"].clone())
    };
    let (enforce, restore) = disabled("prod", &hands).await;
    let told = restore.as_str().expect("a reason");
    assert!(told.contains("Your roles do not reach this: you are operator for account sand*"), "{told}");
    assert_eq!(enforce, restore);
    assert_eq!(disabled("sandbox", &hands).await, (Value::Null, Value::Null));
    let viewer = guarded.sign_in(&["all"]).await;
    let (_, restore) = disabled("sandbox", &viewer).await;
    assert!(restore.as_str().expect("a reason").contains("needs the role operator"), "{restore}");
}

#[tokio::test]
async fn whoever_changes_or_guesses_too_often_waits() {
    let guarded = Guarded::start().await;
    let hands = guarded.sign_in(&["hands"]).await;
    let token = json!({ "name": "report", "days": 1, "access": null });
    let made = guarded.ask("POST", "/api/token/make", &hands, Some(token)).await;
    let made: Value = made.json().await.expect("a token");

    // One was made. A person's budget is one for all that changes how they are known, from whichever session.
    let other = guarded.sign_in(&["hands"]).await;
    let mut statuses = Vec::new();
    for number in 0..20 {
        let path = ["/api/token/revoke", "/api/session/end"][number % 2];
        let cookie = [&hands, &other][number % 2];
        let answer = guarded.ask("POST", path, cookie, Some(json!({ "id": "none" }))).await;
        statuses.push(answer.status().as_u16());
        if number == 19 {
            assert_eq!(answer.headers()[header::RETRY_AFTER], "60");
            assert_eq!(answer.text().await.expect("text"), "\"too-many\"");
        }
    }
    assert_eq!(statuses, [vec![404; 19], vec![429]].concat());
    assert_eq!(guarded.status("/api/token/list", &hands).await, 200, "reading goes on");

    let with = async |secret: &str| {
        let request = guarded.console.client.get(format!("{}{LIST}", guarded.console.url));
        request.bearer_auth(secret).send().await.expect("the console answers")
    };
    let secret = made["secret"].as_str().expect("a secret");
    assert_eq!(with(secret).await.status(), 200);
    for _ in 0..21 {
        assert_eq!(with("tollgate_pat_guessed").await.status(), 401);
    }
    for secret in ["tollgate_pat_guessed", secret] {
        let refused = with(secret).await;
        assert_eq!(refused.status(), 429, "no guess is told from a right one");
        assert_eq!(refused.headers()[header::RETRY_AFTER], "60");
    }
    assert_eq!(guarded.status(LIST, &hands).await, 200, "a session is no guess");
}

#[tokio::test]
async fn a_stream_does_not_keep_its_session_and_ends_with_it() {
    let guarded = Guarded::start().await;
    let store = database(&guarded).await;
    // Of the hour that a session may stand idle, this one has some seconds left.
    let (secret, left) = (secret::new(), SignedDuration::from_secs(8));
    let session = session(&secret, Timestamp::now() - SignedDuration::from_hours(1) + left);
    let id = store.create_session(&session).await.expect("it begins");
    let cookie = format!("__Host-tollgate-session={secret}");
    let events = guarded.ask("GET", "/api/events", &cookie, None).await;
    assert_eq!(events.status(), 200);
    let ended = tokio::spawn(tokio::time::timeout(Duration::from_secs(60), events.bytes()));
    until("no stream can be opened any more", async || {
        guarded.ask("GET", "/api/events", &cookie, None).await.status() == 401
    })
    .await;
    assert!(Timestamp::now() >= session.created_at + SignedDuration::from_hours(1), "not before its time");
    assert!(ended.await.expect("it does not panic").is_ok(), "the stream has ended");
    let sessions = store.sessions_of("Test", "ada", Timestamp::now()).await.expect("sessions");
    assert_eq!(
        sessions.iter().find(|session| session.id == id).expect("it is kept").last_seen_at.as_millisecond(),
        session.created_at.as_millisecond()
    );
}

#[tokio::test]
async fn a_browser_that_is_refused_on_its_way_lands_on_the_sign_in_page() {
    let guarded = Guarded::start().await;
    let ask = async |path: &str, header: &str, value: &str| {
        let request = guarded.console.client.get(format!("{}{path}", guarded.console.url));
        request.header(header, value).send().await.expect("the console answers")
    };
    let there = "&return_to=%2Ffleet%3Fq%3Da";
    let unusable = "/sign-in?problem=unusable";
    for (path, page) in [
        (format!("/api/auth/login?issuer=none{there}"), format!("{unusable}{there}")),
        (format!("/api/auth/login?issuer=a&issuer=b{there}"), format!("{unusable}{there}")),
        ("/api/auth/login?issuer=none&return_to=//evil.example".into(), unusable.into()),
        ("/api/auth/callback?state=a&state=b".into(), unusable.into()),
    ] {
        for (header, value) in [("sec-fetch-mode", "navigate"), ("accept", "text/html,*/*;q=0.8")] {
            let answer = ask(&path, header, value).await;
            assert_eq!((answer.status().as_u16(), location(&answer)), (303, page.clone()), "{path}");
        }
        let answer = ask(&path, "accept", "application/json").await;
        assert_eq!(answer.status(), 400, "{path}");
        let told: Value = answer.json().await.expect("JSON");
        assert!(told["bad-request"]["message"].is_string(), "{told}");
    }
    let path = format!("/api/auth/login?{}", &there[1..]);
    let mut refused = String::new();
    for _ in 0..120 {
        let answer = ask(&path, "sec-fetch-mode", "navigate").await;
        refused = location(&answer);
        if refused.contains("too-many") {
            break;
        }
    }
    assert_eq!(refused, format!("/sign-in?problem=too-many{there}"));
    assert_eq!(ask(&path, "sec-fetch-mode", "cors").await.status(), 429);
}

#[tokio::test]
async fn a_list_of_sessions_that_is_cut_says_so() {
    let guarded = Guarded::start().await;
    let root = guarded.sign_in(&["root"]).await;
    let all = async || {
        let list = guarded.json("/api/session/list?all=true", &root).await;
        (list["sessions"].as_array().expect("sessions").len(), list["more"].clone())
    };
    assert_eq!(all().await, (1, json!(false)));
    let store = database(&guarded).await;
    for number in 1..1_000 {
        store.create_session(&session(&number.to_string(), Timestamp::now())).await.expect("it begins");
    }
    assert_eq!(all().await, (1_000, json!(false)));
    store.create_session(&session("one more", Timestamp::now())).await.expect("it begins");
    assert_eq!(all().await, (1_000, json!(true)));
}

#[tokio::test]
async fn what_is_somebody_elses_is_unknown_and_an_administrator_takes_it_back() {
    let guarded = Guarded::start().await;
    let store = database(&guarded).await;
    let now = Timestamp::now();
    let bob = NewSession { subject: "bob".into(), ..session("bob", now) };
    let session = store.create_session(&bob).await.expect("it begins");
    let token = NewToken {
        token_hash: secret::hash("bob's"),
        issuer: bob.issuer,
        subject: bob.subject,
        owner_name: "Bob".into(),
        groups: bob.groups,
        name: "report".into(),
        access: None,
        created_at: now,
        expires_at: now + SignedDuration::from_hours(1),
    };
    let token = store.create_token(&token).await.expect("it is made");
    let (looker, root) = (guarded.sign_in(&["lookers"]).await, guarded.sign_in(&["root"]).await);
    for (path, id) in [("/api/session/end", &session), ("/api/token/revoke", &token)] {
        let ask = async |cookie: &str, id: &str| {
            let answer = guarded.ask("POST", path, cookie, Some(json!({ "id": id }))).await;
            (answer.status().as_u16(), answer.text().await.expect("text"))
        };
        let (status, told) = ask(&looker, id).await;
        assert_eq!((status, &told), (404, &ask(&looker, "none").await.1), "{path}");
        assert_eq!(ask(&root, id).await.0, 200, "{path}");
        assert_eq!(ask(&root, id).await.0, 404, "{path}");
    }
    assert_eq!(audit(&guarded, &root, "denied").await, Vec::<Value>::new());
    for action in ["session-revoked", "token-revoked"] {
        assert_eq!(audit(&guarded, &root, action).await.len(), 1, "{action}");
    }
}
