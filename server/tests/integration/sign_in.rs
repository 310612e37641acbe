//! Signing in, what it gives, and every way in which it does not happen.

use futures::StreamExt;
use http::header;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use url::Url;

use crate::common::{Console, Emulator, PROD, until};
use crate::issuer::{CLIENT_ID, FakeIssuer, Key, part};

const SANDBOX: &str = "222222222222";

/// What the groups of most tests give.
pub(crate) const GRANTS: &str = "{ group = \"lookers\", role = \"viewer\", accounts = [\"prod\"] },\n\
     { group = \"hands\", role = \"operator\", accounts = [\"prod\"] },\n\
     { group = \"lookers\", role = \"viewer\", accounts = [\"sand*\"], regions = [\"nowhere-1\"] },\n\
     { group = \"root\", role = \"administrator\" },\n";

/// A console at which people sign in.
pub(crate) struct Guarded {
    pub(crate) console: Console,
    pub(crate) issuer: FakeIssuer,
    key: Key,
    // Ends after the console.
    emulator: Emulator,
}

/// A browser that is on its way to the issuer.
pub(crate) struct OnTheWay {
    state: String,
    nonce: String,
    cookie: String,
}

fn settings(issuer: &FakeIssuer, grants: &str) -> String {
    format!(
        "server.allowed_hosts = [\"console.example\"]\nauth.public_url = \"https://tollgate.example.com\"\n\
         auth.session_idle = \"1h\"\n\
         issuers = [{{ name = \"Test\", url = \"{}\", client_id = \"{CLIENT_ID}\", client_secret = \"hush\" }}]\n\
         grants = [\n{grants}]\n",
        issuer.url()
    )
}

impl Guarded {
    pub(crate) async fn start() -> Guarded {
        Guarded::start_with(GRANTS, "").await
    }

    /// As [`Guarded::start`], with other grants and more in the configuration.
    pub(crate) async fn start_with(grants: &str, more: &str) -> Guarded {
        let emulator = Emulator::start("dev");
        let aws = emulator.url.clone();
        Guarded::start_over(emulator, &aws, grants, more).await
    }

    /// As [`Guarded::start_with`], over an AWS that was prepared, which is reached at `aws`.
    pub(crate) async fn start_over(emulator: Emulator, aws: &str, grants: &str, more: &str) -> Guarded {
        let key = Key::new("one");
        let issuer = FakeIssuer::start(&key).await;
        let more = format!("{}{more}", settings(&issuer, grants));
        let directory = tempfile::tempdir().expect("a directory");
        let console = Console::start_at(0, directory, aws, &more).await;
        Guarded { console, issuer, key, emulator }
    }

    /// The same over the same database, with other grants.
    pub(crate) async fn restart(self, grants: &str) -> Guarded {
        let Guarded { console, issuer, key, emulator } = self;
        let console = Console::start_in(console.kill(), &emulator, &settings(&issuer, grants)).await;
        Guarded { console, issuer, key, emulator }
    }

    /// Sets out for the issuer.
    pub(crate) async fn set_out(&self, return_to: &str) -> OnTheWay {
        let answer = self.console.get(&format!("/api/auth/login?return_to={return_to}")).await;
        assert_eq!(answer.status(), 303);
        let cookie = cookie(&answer, "__Host-tollgate-login").expect("a cookie for the way");
        let location = Url::parse(&location(&answer)).expect("the issuer's page");
        let parameter = |name: &str| {
            let found = location.query_pairs().find(|(key, _)| key == name);
            found.unwrap_or_else(|| panic!("{name} in {location}")).1.into_owned()
        };
        assert_eq!(parameter("client_id"), CLIENT_ID);
        assert_eq!(parameter("code_challenge_method"), "S256");
        assert_eq!(parameter("redirect_uri"), "https://tollgate.example.com/api/auth/callback");
        OnTheWay { state: parameter("state"), nonce: parameter("nonce"), cookie }
    }

    pub(crate) async fn come_back(&self, state: &str, cookie: &str) -> reqwest::Response {
        self.ask("GET", &format!("/api/auth/callback?code=abc&state={state}"), cookie, None).await
    }

    /// Signs in as a member of `groups` and answers the session's cookie.
    pub(crate) async fn sign_in(&self, groups: &[&str]) -> String {
        self.sign_in_as("ada", groups).await
    }

    /// The same as another person, whom the issuer knows by this name.
    pub(crate) async fn sign_in_as(&self, subject: &str, groups: &[&str]) -> String {
        let way = self.set_out("/fleet").await;
        let mut claims = self.issuer.claims(&way.nonce, groups);
        claims["sub"] = json!(subject);
        self.issuer.answer(self.key.sign(&claims));
        let answer = self.come_back(&way.state, &way.cookie).await;
        assert_eq!((answer.status().as_u16(), location(&answer).as_str()), (303, "/fleet"));
        cookie(&answer, "__Host-tollgate-session").expect("a session")
    }

    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        cookie: &str,
        body: Option<Value>,
    ) -> reqwest::Response {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.console.client.request(method, format!("{}{path}", self.console.url));
        if !cookie.is_empty() {
            request = request.header(header::COOKIE, cookie);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.expect("the console answers")
    }

    pub(crate) async fn json(&self, path: &str, cookie: &str) -> Value {
        let answer = self.ask("GET", path, cookie, None).await;
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.expect("JSON")
    }

    pub(crate) async fn status(&self, path: &str, cookie: &str) -> u16 {
        self.ask("GET", path, cookie, None).await.status().as_u16()
    }
}

/// The cookie that an answer sets, as a request sends it.
fn cookie(answer: &reqwest::Response, name: &str) -> Option<String> {
    let lines = answer.headers().get_all(header::SET_COOKIE).iter().filter_map(|line| line.to_str().ok());
    let line = lines
        .filter(|line| !line.contains("Max-Age=0"))
        .find(|line| line.starts_with(&format!("{name}=")))?;
    for part in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"] {
        assert!(line.contains(part), "{line}");
    }
    Some(line.split(';').next()?.to_owned())
}

pub(crate) fn location(answer: &reqwest::Response) -> String {
    answer.headers().get(header::LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default().to_owned()
}

pub(crate) const LIST: &str = "/api/fleet/list?q=&sort=name&offset=0&limit=1000";

#[tokio::test]
async fn nobody_is_answered_before_signing_in() {
    let guarded = Guarded::start().await;
    for path in
        [LIST, "/api/session/info", "/api/export/fleet.csv", "/api/events", "/api/audit/list", "/api/no/such"]
    {
        for cookie in ["", "__Host-tollgate-session=guessed"] {
            let answer = guarded.ask("GET", path, cookie, None).await;
            assert_eq!(answer.status(), 401, "{path}");
            assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store, no-transform", "{path}");
            assert_eq!(answer.text().await.expect("text"), "\"unauthenticated\"", "{path}");
        }
    }
    let apply = guarded.ask("POST", "/api/fleet/apply", "", Some(json!({}))).await;
    assert_eq!(apply.status(), 401);
    assert_eq!(guarded.json("/api/session/issuers", "").await, json!(["Test"]));
    assert_eq!(guarded.status("/api/health/ready", "").await, 200, "orchestrators do not sign in");
}

#[tokio::test]
async fn a_role_reaches_what_its_grant_says_and_nothing_else() {
    let guarded = Guarded::start().await;
    let held = guarded.emulator.fleet().await;
    let of = |account: &str| held.iter().filter(|one| one["account"] == account).count();

    let looker = guarded.sign_in(&["lookers", "unknown"]).await;
    let info = guarded.json("/api/session/info", &looker).await;
    assert_eq!(
        (&info["actor"], &info["signed_in"], &info["permissions"]),
        (&json!("Ada Lovelace"), &json!(true), &json!(["view"]))
    );
    let list = guarded.json(LIST, &looker).await;
    assert_eq!(list["total"], of(PROD), "the other account is not even counted");
    assert!(list["rows"].as_array().expect("rows").iter().all(|row| row["account"] == PROD));
    let overview = guarded.json("/api/fleet/overview?days=7", &looker).await;
    assert!(
        overview["sources"]
            .as_array()
            .expect("sources")
            .iter()
            .all(|source| source["status"]["key"]["account"] == PROD)
    );
    let csv = guarded.ask("GET", "/api/export/fleet.csv?q=", &looker, None).await.text().await.expect("text");
    assert!(!csv.contains("sandbox") && csv.lines().count() == of(PROD) + 1);
    let vocabulary = guarded.json("/api/fleet/vocabulary", &looker).await.to_string();
    assert!(!vocabulary.contains(SANDBOX), "{vocabulary}");

    let other = held.iter().find(|one| one["account"] == SANDBOX).expect("an instance of the other account");
    let text = |one: &Value, field: &str| one[field].as_str().expect("text").to_owned();
    let key = |one: &Value| {
        format!(
            "account={}&region={}&instance_id={}",
            text(one, "account"),
            text(one, "region"),
            text(one, "instance_id")
        )
    };
    for path in ["/api/fleet/instance", "/api/fleet/raw", "/api/fleet/origins"] {
        assert_eq!(guarded.status(&format!("{path}?{}", key(other)), &looker).await, 404, "{path}");
    }
    let row = &list["rows"][0];
    let plan = |one: &Value| json!({ "account": one["account"], "region": one["region"], "instance_id": one["instance_id"], "hop_limit": null });
    let refused = guarded.ask("POST", "/api/fleet/plan-enforce", &looker, Some(plan(row))).await;
    assert_eq!(refused.status(), 403);
    let detail = guarded.json(&format!("/api/fleet/instance?{}", key(row)), &looker).await;
    assert!(
        detail["enforce_disabled"].as_str().expect("a reason").contains("needs the role operator"),
        "{detail}"
    );

    let hands = guarded.sign_in(&["hands"]).await;
    let v1 = guarded
        .json("/api/fleet/list?q=verdict:allows-v1%20state:running&sort=name&offset=0&limit=1", &hands)
        .await;
    let report = guarded.ask("POST", "/api/fleet/plan-enforce", &hands, Some(plan(&v1["rows"][0]))).await;
    assert_eq!(report.status(), 200);
    let report: Value = report.json().await.expect("a plan");
    let refused = guarded.ask("POST", "/api/fleet/plan-enforce", &hands, Some(plan(other))).await;
    assert_eq!(refused.status(), 404, "another account's instances do not exist for them");
    let apply = json!({ "plan": report["plan"], "reason": "a test", "idempotency_key": "1" });
    let forbidden = guarded.ask("POST", "/api/fleet/apply", &looker, Some(apply.clone())).await;
    assert_eq!(forbidden.status(), 403);
    let change = guarded.ask("POST", "/api/fleet/apply", &hands, Some(apply)).await;
    assert_eq!(change.status(), 200);

    let root = guarded.sign_in(&["root"]).await;
    assert_eq!(guarded.json(LIST, &root).await["total"], held.len());
    let audit = |cookie: String| {
        let guarded = &guarded;
        async move {
            let path = "/api/audit/list?text=&action=&account=&instance_id=&before_seq=0&limit=100";
            let entries = guarded.json(path, &cookie).await;
            let entries = entries.as_array().expect("entries").clone();
            entries
                .iter()
                .map(|entry| entry["entry"]["action"].as_str().expect("an action").to_owned())
                .collect::<Vec<_>>()
        }
    };
    until("the refusals are written", async || {
        audit(root.clone()).await.iter().filter(|action| *action == "denied").count() >= 2
    })
    .await;
    let everything = audit(root.clone()).await;
    assert_eq!(everything.iter().filter(|action| *action == "sign-in").count(), 3);
    assert!(everything.iter().any(|action| action == "enforce-requested"));
    let csv = guarded.ask("GET", "/api/export/audit.csv", &root, None).await.text().await.expect("text");
    assert!(csv.starts_with("seq,at,actor,address,action,"), "{csv}");
    assert!(csv.contains(",Ada Lovelace,127.0.0.1,enforce-requested,111111111111,"), "{csv}");
    let seen = audit(looker).await;
    assert!(
        seen.iter().all(|action| action != "sign-in"),
        "sign-ins are of the whole installation: {seen:?}"
    );
    assert!(seen.iter().any(|action| action == "enforce-requested"));

    let nobody = guarded.sign_in(&["strangers"]).await;
    assert_eq!(guarded.status(LIST, &nobody).await, 403);
    assert_eq!(guarded.json("/api/session/info", &nobody).await["permissions"], json!([]));
}

#[tokio::test]
async fn sessions_are_listed_and_ended_by_their_owner_and_by_an_administrator() {
    let guarded = Guarded::start().await;
    let first = guarded.sign_in(&["lookers"]).await;
    let second = guarded.sign_in(&["hands"]).await;
    let own = guarded.json("/api/session/list?all=false", &first).await;
    let own = own["sessions"].as_array().expect("sessions");
    assert_eq!(own.len(), 2, "the same person twice");
    let current = own.iter().find(|session| session["current"] == true).expect("the one that asks");
    let other = own.iter().find(|session| session["current"] == false).expect("the other");
    assert_eq!(current["address"], "127.0.0.1");
    assert_eq!(guarded.status("/api/session/list?all=true", &first).await, 403);

    let events = guarded.ask("GET", "/api/events", &second, None).await;
    assert_eq!(events.status(), 200);
    let ended = guarded.ask("POST", "/api/session/end", &first, Some(json!({ "id": other["id"] }))).await;
    assert_eq!(ended.status(), 200);
    assert_eq!(guarded.status(LIST, &second).await, 401);
    let stream = tokio::time::timeout(std::time::Duration::from_secs(30), events.bytes()).await;
    assert!(stream.is_ok(), "the stream of an ended session ends");
    let again = guarded.ask("POST", "/api/session/end", &first, Some(json!({ "id": other["id"] }))).await;
    assert_eq!(again.status(), 404);

    let out = guarded.ask("POST", "/api/auth/logout", &first, None).await;
    assert!(
        out.headers()
            .get_all(header::SET_COOKIE)
            .iter()
            .any(|line| line.to_str().is_ok_and(|line| line.contains("Max-Age=0")))
    );
    let next: Value = out.json().await.expect("JSON");
    assert!(
        next["url"].as_str().expect("a URL").starts_with(&format!("{}/end?", guarded.issuer.url())),
        "{next}"
    );
    assert_eq!(guarded.status(LIST, &first).await, 401, "the cookie alone opens nothing");
}

#[tokio::test]
async fn a_token_does_what_its_owner_may_within_its_limits_until_it_is_taken_back() {
    let guarded = Guarded::start().await;
    let hands = guarded.sign_in(&["hands"]).await;
    let make = async |body: Value| guarded.ask("POST", "/api/token/make", &hands, Some(body)).await;
    for wrong in [
        json!({ "name": " ", "days": 30, "access": null }),
        json!({ "name": "report", "days": 0, "access": null }),
        json!({ "name": "report", "days": 367, "access": null }),
        json!({ "name": "report", "days": 30, "access": { "grants": [{ "role": "viewer", "scope": { "account": ["prod"] } }] } }),
        json!({ "name": "report", "days": 30, "access": { "grants": [{ "role": "viewer", "scope": { "accounts": ["*-prod"] } }] } }),
    ] {
        assert_eq!(make(wrong.clone()).await.status(), 400, "{wrong}");
    }
    let made: Value =
        make(json!({ "name": "hands", "days": 30, "access": null })).await.json().await.expect("a token");
    let looker = json!({ "grants": [{ "role": "viewer", "scope": {} }] });
    let limited: Value =
        make(json!({ "name": "report", "days": 1, "access": looker })).await.json().await.expect("a token");

    let call = async |method: &str, path: &str, token: &Value, body: Value| {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let secret = token["secret"].as_str().expect("a secret");
        assert!(secret.starts_with("tollgate_pat_"));
        let request = guarded.console.client.request(method, format!("{}{path}", guarded.console.url));
        request.bearer_auth(secret).json(&body).send().await.expect("the console answers")
    };
    let list: Value = call("GET", LIST, &limited, Value::Null).await.json().await.expect("a list");
    let row = list["rows"]
        .as_array()
        .expect("rows")
        .iter()
        .find(|row| row["http_tokens"] == "optional" && row["state"] == "running");
    assert!(
        list["rows"].as_array().expect("rows").iter().all(|row| row["account"] == PROD),
        "its owner sees no more"
    );
    let row = row.expect("an instance that allows IMDSv1");
    let plan = json!({ "account": row["account"], "region": row["region"], "instance_id": row["instance_id"], "hop_limit": null });
    assert_eq!(call("POST", "/api/fleet/plan-enforce", &limited, plan.clone()).await.status(), 403);
    assert_eq!(call("POST", "/api/fleet/plan-enforce", &made, plan).await.status(), 200);
    let another = json!({ "name": "more", "days": 1, "access": null });
    assert_eq!(
        call("POST", "/api/token/make", &made, another).await.status(),
        403,
        "a token makes no tokens"
    );

    let own = guarded.json("/api/token/list", &hands).await;
    let own = own.as_array().expect("tokens");
    assert_eq!(own.len(), 2);
    assert!(own.iter().all(|token| !token["last_used_at"].is_null() && token["secret"].is_null()), "{own:?}");
    let revoke = guarded.ask("POST", "/api/token/revoke", &hands, Some(json!({ "id": made["id"] }))).await;
    assert_eq!(revoke.status(), 200);
    assert_eq!(call("GET", LIST, &made, Value::Null).await.status(), 401);
    assert_eq!(call("GET", LIST, &limited, Value::Null).await.status(), 200);
}

#[tokio::test]
async fn broken_tokens_sign_nobody_in() {
    let guarded = Guarded::start().await;
    let now = jiff::Timestamp::now().as_second();
    let stranger = Key::new("one");
    let (issuer, key) = (&guarded.issuer, &guarded.key);
    let with = move |nonce: &str, field: &str, value: Value| {
        let mut claims = issuer.claims(nonce, &["root"]);
        claims[field] = value;
        claims
    };
    type Make<'a> = Box<dyn Fn(&str) -> String + 'a>;
    let signed = |field: &'static str, value: Value| -> Make<'_> {
        Box::new(move |nonce| key.sign(&with(nonce, field, value.clone())))
    };
    let corpus: Vec<(&str, Make<'_>)> = vec![
        (
            "no signature",
            Box::new(|nonce| {
                format!("{}.{}.", part(&json!({ "alg": "none" })), part(&issuer.claims(nonce, &["root"])))
            }),
        ),
        (
            "a shared secret",
            Box::new(|nonce| {
                let header = part(&json!({ "alg": "HS256", "kid": "one" }));
                format!("{header}.{}.AAAA", part(&issuer.claims(nonce, &["root"])))
            }),
        ),
        ("another's key", Box::new(|nonce| stranger.sign(&issuer.claims(nonce, &["root"])))),
        (
            "a changed claim",
            Box::new(|nonce| {
                let token = key.sign(&issuer.claims(nonce, &["lookers"]));
                let parts: Vec<&str> = token.split('.').collect();
                format!("{}.{}.{}", parts[0], part(&issuer.claims(nonce, &["root"])), parts[2])
            }),
        ),
        ("another audience", signed("aud", json!("somebody-else"))),
        ("another issuer", signed("iss", json!("https://evil.example"))),
        ("another nonce", signed("nonce", json!("swapped"))),
        ("expired", signed("exp", json!(now - 120))),
        ("from the future", signed("iat", json!(now + 600))),
        ("no subject", signed("sub", Value::Null)),
        ("groups of another form", signed("groups", json!({ "root": true }))),
        (
            "groups left out",
            Box::new(|nonce| {
                let mut claims = issuer.claims(nonce, &[]);
                claims.as_object_mut().expect("claims").remove("groups");
                claims["_claim_names"] = json!({ "groups": "src1" });
                key.sign(&claims)
            }),
        ),
        ("oversized", Box::new(|nonce| key.sign(&with(nonce, "name", json!("x".repeat(2_000_000)))))),
        ("no token", Box::new(|_| String::new())),
        ("no form", Box::new(|_| "a.b.c.d".into())),
    ];
    for (what, make) in corpus {
        let way = guarded.set_out("/").await;
        guarded.issuer.answer(make(&way.nonce));
        let answer = guarded.come_back(&way.state, &way.cookie).await;
        assert_eq!(location(&answer), "/sign-in?problem=refused", "{what}");
        assert!(cookie(&answer, "__Host-tollgate-session").is_none(), "{what}");
    }
}

#[tokio::test]
async fn a_way_back_counts_once_and_in_the_browser_that_set_out() {
    let guarded = Guarded::start().await;
    let good = |way: &OnTheWay| {
        guarded.issuer.answer(guarded.key.sign(&guarded.issuer.claims(&way.nonce, &["root"])))
    };
    let expired = "/sign-in?problem=expired";

    let way = guarded.set_out("/").await;
    good(&way);
    assert_eq!(location(&guarded.come_back("swapped", &way.cookie).await), expired);
    assert_eq!(location(&guarded.come_back(&way.state, "").await), expired, "another browser");
    assert_eq!(
        location(&guarded.come_back(&way.state, &way.cookie).await),
        expired,
        "the state is used up by then"
    );

    let way = guarded.set_out("/").await;
    good(&way);
    assert_eq!(location(&guarded.come_back(&way.state, &way.cookie).await), "/");
    assert!(guarded.issuer.last_form().contains("code_verifier="), "{}", guarded.issuer.last_form());
    assert_eq!(location(&guarded.come_back(&way.state, &way.cookie).await), expired, "a replayed code");

    let way = guarded.set_out("/").await;
    let refused = guarded
        .ask("GET", &format!("/api/auth/callback?error=access_denied&state={}", way.state), &way.cookie, None)
        .await;
    assert_eq!(location(&refused), "/sign-in?problem=refused");

    for other in ["https://evil.example/", "//evil.example", "/api/auth/logout"] {
        let way = guarded.set_out(other).await;
        good(&way);
        assert_eq!(location(&guarded.come_back(&way.state, &way.cookie).await), "/", "{other}");
    }
}

#[tokio::test]
async fn keys_may_change_and_clocks_may_differ_a_little() {
    let guarded = Guarded::start().await;
    let now = jiff::Timestamp::now().as_second();
    let way = guarded.set_out("/").await;
    let mut claims = guarded.issuer.claims(&way.nonce, &["root"]);
    claims["exp"] = json!(now - 20);
    claims["iat"] = json!(now + 20);
    guarded.issuer.answer(guarded.key.sign(&claims));
    assert_eq!(location(&guarded.come_back(&way.state, &way.cookie).await), "/");

    let next = Key::new("two");
    guarded.issuer.publish(&[&next]);
    let way = guarded.set_out("/").await;
    guarded.issuer.answer(next.sign(&guarded.issuer.claims(&way.nonce, &["root"])));
    assert_eq!(location(&guarded.come_back(&way.state, &way.cookie).await), "/", "the keys are read again");
    let way = guarded.set_out("/").await;
    guarded.issuer.answer(guarded.key.sign(&guarded.issuer.claims(&way.nonce, &["root"])));
    let answer = guarded.come_back(&way.state, &way.cookie).await;
    assert_eq!(location(&answer), "/sign-in?problem=refused", "the key that was taken back");
}

#[tokio::test]
async fn the_check_asks_the_issuers_and_sign_in_opens_other_addresses() {
    let Guarded { console, issuer, .. } = Guarded::start().await;
    let check = async || {
        let mut command = console.command();
        // Any address but loopback: with sign-in it may be listened on.
        command.args(["serve", "--check", "--listen", "192.0.2.1:3000"]);
        let output = tokio::task::spawn_blocking(move || command.output().expect("the binary runs"));
        let output = output.await.expect("it ends");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = check().await;
    assert_eq!(code, Some(0), "{said}");
    let mut enforce = console.command();
    enforce.args(["fleet", "enforce", "i-0123456789abcdef0", "--reason", "past the roles", "--yes"]);
    let output = tokio::task::spawn_blocking(move || enforce.output().expect("the binary runs"));
    assert_eq!(
        output.await.expect("it ends").status.code(),
        Some(4),
        "nobody changes anything past the roles"
    );
    drop(issuer);
    let (code, said) = check().await;
    assert_eq!(code, Some(1));
    assert!(said.contains("Test cannot be reached"), "{said}");
}

#[tokio::test]
async fn no_cookie_or_header_makes_the_gate_fail_or_open() {
    const CASES: usize = 10_000;
    let guarded = Guarded::start().await;
    let mut runner = TestRunner::deterministic();
    let values = prop_oneof![
        3 => "(__Host-tollgate-(session|login)=[a-f0-9]{0,96}(; )?){0,4}",
        1 => "[a-z_-]{0,20}=?[ -~]{0,80}",
        1 => "\\PC{0,60}",
        1 => "[0-9a-f:.]{1,40}(, [0-9.]{1,15}){0,3}",
        1 => Just("x".repeat(5_000)),
    ];
    let mut requests = Vec::with_capacity(CASES);
    for number in 0..CASES {
        let mut request = guarded.console.client.get(format!("{}{LIST}", guarded.console.url));
        for name in ["cookie", "x-forwarded-for", "authorization", "last-event-id"] {
            let value = values.new_tree(&mut runner).expect("a value").current();
            // What a client cannot even send needs no answer.
            if let Ok(value) = http::HeaderValue::from_bytes(value.as_bytes()) {
                request = request.header(name, value);
            }
        }
        requests.push((number, request));
    }
    let failed: Vec<(usize, u16)> = futures::stream::iter(requests)
        .map(|(number, request)| async move {
            (number, request.send().await.expect("an answer").status().as_u16())
        })
        .buffer_unordered(16)
        .filter(|(_, status)| futures::future::ready(*status != 401))
        .collect()
        .await;
    assert_eq!(failed, []);
}

#[tokio::test]
async fn whoever_asks_too_often_is_told_to_wait() {
    let guarded = Guarded::start().await;
    let mut refused = None;
    for _ in 0..120 {
        let answer = guarded.console.get("/api/auth/login").await;
        if answer.status() == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("an end of patience");
    assert_eq!(refused.headers()[header::RETRY_AFTER], "60");
    assert_eq!(guarded.status("/api/session/issuers", "").await, 200);
}
