//! Runs of continuous integration: what their tokens have to say, and what they are let in for.

use std::process::Command;

use serde_json::{Value, json};
use wiremock::matchers::{header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::common::at_home_in;
use crate::issuer::{FakeIssuer, Key, part};
use crate::sign_in::{GRANTS, Guarded};

/// An issuer of runs' tokens, and a console that trusts some of them.
struct Pipeline {
    guarded: Guarded,
    issuer: FakeIssuer,
    key: Key,
}

impl Pipeline {
    async fn start() -> Pipeline {
        let key = Key::new("runs");
        let issuer = FakeIssuer::start(&key).await;
        let rules = format!(
            "workflows = [\n\
             {{ issuer = \"{0}\", repository = \"acme/shop\", repository_id = \"7\", refs = [\"refs/heads/main\"], services = [\"checkout\"] }},\n\
             {{ issuer = \"{0}\", repository = \"acme/shop\", environments = [\"production\"] }},\n\
             {{ issuer = \"{0}\", repository = \"acme/other\", refs = [\"*\"], audience = \"elsewhere\" }},\n]\n",
            issuer.url()
        );
        Pipeline { guarded: Guarded::start_with(GRANTS, &rules).await, issuer, key }
    }

    fn claims(&self, changed: Value) -> Value {
        let mut claims = self.issuer.run_claims();
        let object = claims.as_object_mut().expect("claims");
        for (name, value) in changed.as_object().expect("changes") {
            match value {
                Value::Null => object.remove(name),
                value => object.insert(name.clone(), value.clone()),
            };
        }
        claims
    }

    /// What the console says of whoever sends the token; `None` when it lets nobody in.
    async fn asks(&self, token: &str) -> Option<Value> {
        let console = &self.guarded.console;
        let request = console.client.get(format!("{}/api/session/info", console.url)).bearer_auth(token);
        let answer = request.send().await.expect("the console answers");
        match answer.status().as_u16() {
            200 => Some(answer.json().await.expect("JSON")),
            401 => None,
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_run_reports_where_a_rule_speaks_of_it_and_does_nothing_else() {
    let pipeline = Pipeline::start().await;
    let token = pipeline.key.sign(&pipeline.claims(json!({})));
    let who = pipeline.asks(&token).await.expect("it is let in");
    assert_eq!(who["actor"], "acme/shop at refs/heads/main (run 42)");
    assert_eq!(who["roles"], json!(["reporter for service checkout"]));
    assert_eq!(who["permissions"], json!(["report"]));
    let console = &pipeline.guarded.console;
    for forbidden in ["/api/fleet/overview?days=7", "/api/export/fleet.csv", "/api/events"] {
        let answer =
            console.client.get(format!("{}{forbidden}", console.url)).bearer_auth(&token).send().await;
        assert_eq!(answer.expect("an answer").status(), 403, "{forbidden}");
    }
    // An environment that GitHub protects stands for the branch.
    let deployed = pipeline.claims(json!({ "ref": "refs/tags/v1", "environment": "production" }));
    let who = pipeline.asks(&pipeline.key.sign(&deployed)).await.expect("it is let in");
    assert_eq!(who["roles"], json!(["reporter for everything"]));
    let other =
        pipeline.claims(json!({ "repository": "acme/other", "aud": "elsewhere", "ref": "refs/heads/x" }));
    assert!(pipeline.asks(&pipeline.key.sign(&other)).await.is_some(), "its rule asks for that audience");
}

#[tokio::test]
async fn other_runs_are_nobodys() {
    let pipeline = Pipeline::start().await;
    let now = jiff::Timestamp::now().as_second();
    for changed in [
        json!({ "repository": "evil/shop" }),
        json!({ "repository": null }),
        json!({ "repository": ["acme/shop"] }),
        json!({ "repository_id": "8" }),
        json!({ "ref": "refs/pull/7/merge" }),
        json!({ "ref": null, "environment": "staging" }),
        json!({ "aud": "https://other.example.com" }),
        json!({ "aud": "elsewhere" }),
        json!({ "aud": ["https://tollgate.example.com", "https://other.example.com"] }),
        json!({ "aud": null }),
        json!({ "iss": "https://evil.example" }),
        json!({ "exp": now - 120 }),
        json!({ "exp": null }),
        json!({ "iat": now + 600 }),
    ] {
        let token = pipeline.key.sign(&pipeline.claims(changed.clone()));
        assert_eq!(pipeline.asks(&token).await, None, "{changed}");
    }
    // Whoever proved what they are and has no rule is somebody's mistake, which the audit log explains.
    let root = pipeline.guarded.sign_in(&["root"]).await;
    let audit =
        "/api/audit/list?text=evil%2Fshop&action=sign-in-failed&account=&instance_id=&before_seq=0&limit=10";
    let entries = pipeline.guarded.json(audit, &root).await;
    assert_eq!(entries[0]["entry"]["actor"], "evil/shop at refs/heads/main (run 42)");
    assert_eq!(entries.as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn broken_tokens_are_nobodys() {
    let pipeline = Pipeline::start().await;
    let good = pipeline.claims(json!({}));
    let none = format!("{}.{}.", part(&json!({ "alg": "none", "typ": "JWT" })), part(&good));
    for token in [none, Key::new("runs").sign(&good), Key::new("other").sign(&good)] {
        assert_eq!(pipeline.asks(&token).await, None);
    }
    let token = pipeline.key.sign(&good);
    for broken in
        ["", "x", "..", "a.b.c", &token[..token.len() - 8], &format!("{token}.x"), &"x.".repeat(20_000)]
    {
        assert_eq!(pipeline.asks(broken).await, None, "{broken:.40}");
    }
    // A token of a sign-in is none of a run, even of an issuer that does both.
    let person = pipeline.issuer.claims("nonce", &["root"]);
    assert_eq!(pipeline.asks(&pipeline.key.sign(&person)).await, None);
    assert!(pipeline.asks(&token).await.is_some(), "and the good one is as good as before");
}

#[tokio::test]
async fn a_job_gets_its_token_by_itself() {
    let pipeline = Pipeline::start().await;
    let console = &pipeline.guarded.console;
    let github = MockServer::builder().start().await;
    // The console is reached here by another address than the one that tokens have to be meant for.
    let token = pipeline.key.sign(&pipeline.claims(json!({})));
    Mock::given(method("GET"))
        .and(path("/token"))
        .and(query_param("api-version", "2.0"))
        .and(query_param("audience", console.url.as_str()))
        .and(header("authorization", "Bearer of-the-job"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({ "count": 1, "value": token })))
        .mount(&github)
        .await;
    let home = tempfile::tempdir().expect("a directory");
    let run = async |bearer: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        at_home_in(&mut command, home.path());
        command
            .args(["--server", &console.url, "whoami", "-o", "json"])
            .env("ACTIONS_ID_TOKEN_REQUEST_URL", format!("{}/token?api-version=2.0", github.uri()))
            .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", bearer);
        let output = tokio::task::spawn_blocking(move || command.output().expect("the binary runs")).await;
        let output = output.expect("it ends");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().expect("an exit code"), String::from_utf8_lossy(&text).into_owned())
    };
    let (code, said) = run("of-the-job").await;
    assert_eq!(code, 0, "{said}");
    let who: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(
        (&who["actor"], &who["permissions"]),
        (&json!("acme/shop at refs/heads/main (run 42)"), &json!(["report"]))
    );
    let (code, said) = run("of-another").await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("id-token: write"), "{said}");
}
