//! Programs that are let in: the endpoints of device authorization, and the command line at a server.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::common::at_home_in;
use crate::sign_in::Guarded;

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// What an endpoint of OAuth answers to a form: the status and the body.
async fn form(guarded: &Guarded, path: &str, fields: &[(&str, &str)]) -> (u16, Value) {
    let request = guarded.console.client.post(format!("{}{path}", guarded.console.url)).form(fields);
    let answer = request.send().await.expect("the console answers");
    assert_eq!(answer.headers()["cache-control"], "no-store, no-transform", "{path}");
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.bytes().await.expect("a body")).unwrap_or_default())
}

async fn begin(guarded: &Guarded) -> Value {
    let fields = [("client_id", "tollgate"), ("client_name", "tollgate on \u{1b}[31mada’s laptop")];
    let (status, begun) = form(guarded, "/api/auth/device", &fields).await;
    assert_eq!(status, 200, "{begun}");
    begun
}

/// The error, or nothing, that the program of `begun` is told.
async fn poll(guarded: &Guarded, begun: &Value) -> (u16, Value) {
    let code = begun["device_code"].as_str().expect("a device code");
    let fields = [("client_id", "tollgate"), ("grant_type", GRANT_TYPE), ("device_code", code)];
    form(guarded, "/api/auth/token", &fields).await
}

async fn decide(guarded: &Guarded, begun: &Value, approve: bool, cookie: &str) -> u16 {
    let body = json!({ "user_code": begun["user_code"], "approve": approve });
    guarded.ask("POST", "/api/device/decide", cookie, Some(body)).await.status().as_u16()
}

async fn status_with(guarded: &Guarded, token: &str) -> u16 {
    let request = guarded.console.client.get(format!("{}/api/session/info", guarded.console.url));
    request.bearer_auth(token).send().await.expect("the console answers").status().as_u16()
}

#[tokio::test]
async fn a_program_is_let_in_once_by_somebody_who_has_signed_in() {
    let guarded = Guarded::start().await;
    let begun = begin(&guarded).await;
    assert_eq!(begun["verification_uri"], "https://tollgate.example.com/device");
    let code = begun["user_code"].as_str().expect("a user code");
    assert_eq!(
        begun["verification_uri_complete"],
        format!("https://tollgate.example.com/device?user_code={code}")
    );
    assert_eq!((begun["interval"].as_i64(), begun["expires_in"].as_i64()), (Some(5), Some(600)));

    // Until somebody decides it waits, and leaves the server some rest.
    let (status, told) = poll(&guarded, &begun).await;
    assert_eq!((status, &told["error"]), (400, &json!("authorization_pending")));
    let (status, told) = poll(&guarded, &begun).await;
    assert_eq!((status, &told["error"]), (400, &json!("slow_down")));

    // Nobody but who has signed in is shown it, or decides.
    let path = format!("/api/device/show?user_code={}", code.to_lowercase().replace('-', ""));
    assert_eq!(guarded.status(&path, "").await, 401);
    assert_eq!(decide(&guarded, &begun, true, "").await, 401);
    let ada = guarded.sign_in(&["lookers"]).await;
    let shown = guarded.json(&path, &ada).await;
    assert_eq!(shown["client"], "tollgate on [31mada’s laptop", "as it says, without what moves a cursor");
    assert_eq!(shown["address"], "127.0.0.1");
    assert_eq!(guarded.status("/api/device/show?user_code=BCDF-GHJK", &ada).await, 404);
    assert_eq!(guarded.status("/api/device/show?user_code=hello", &ada).await, 400);

    assert_eq!(decide(&guarded, &begun, true, &ada).await, 200);
    assert_eq!(decide(&guarded, &begun, false, &ada).await, 404, "it was decided");
    assert_eq!(guarded.status(&path, &ada).await, 404);
    let (status, told) = poll(&guarded, &begun).await;
    assert_eq!((status, &told["token_type"]), (200, &json!("Bearer")));
    let token = told["access_token"].as_str().expect("a token");
    assert!(token.starts_with("tollgate_pat_"), "one that is found where it was published by mistake");
    let (status, again) = poll(&guarded, &begun).await;
    assert_eq!((status, &again["error"]), (400, &json!("expired_token")), "a code counts once");

    // It is a token as any other: listed, and no more than its owner.
    let tokens = guarded.json("/api/token/list", &ada).await;
    assert_eq!(tokens[0]["name"], "tollgate on [31mada’s laptop");
    assert_eq!(status_with(&guarded, token).await, 200);
    let request = guarded.console.client.post(format!("{}/api/fleet/plan-restore", guarded.console.url));
    let refused =
        request.bearer_auth(token).json(&json!({ "change_id": 1 })).send().await.expect("an answer");
    assert_eq!(refused.status(), 403);

    // Whoever has it may give it back; twice is once.
    for _ in 0..2 {
        assert_eq!(form(&guarded, "/api/auth/revoke", &[("token", token)]).await.0, 200);
        assert_eq!(status_with(&guarded, token).await, 401);
    }
    assert_eq!(form(&guarded, "/api/auth/revoke", &[("token", "no such token")]).await.0, 200);

    let root = guarded.sign_in(&["root"]).await;
    let audit = guarded
        .json("/api/audit/list?text=laptop&action=&account=&instance_id=&before_seq=0&limit=10", &root)
        .await;
    let actions: Vec<&str> = audit
        .as_array()
        .expect("entries")
        .iter()
        .filter_map(|entry| entry["entry"]["action"].as_str())
        .collect();
    assert_eq!(actions, ["token-revoked", "denied", "token-made", "device-approved"]);
}

#[tokio::test]
async fn a_program_that_is_refused_or_speaks_otherwise_gets_nothing() {
    let guarded = Guarded::start().await;
    let begun = begin(&guarded).await;
    let ada = guarded.sign_in(&["lookers"]).await;
    assert_eq!(decide(&guarded, &begun, false, &ada).await, 200);
    let (status, told) = poll(&guarded, &begun).await;
    assert_eq!((status, &told["error"]), (400, &json!("access_denied")));
    let (status, told) = poll(&guarded, &begun).await;
    assert_eq!((status, &told["error"]), (400, &json!("expired_token")));

    let device = "/api/auth/device";
    let (status, told) = form(&guarded, device, &[("client_id", "somebody")]).await;
    assert_eq!((status, &told["error"]), (401, &json!("invalid_client")));
    let token = "/api/auth/token";
    for (fields, error) in [
        ([("client_id", "somebody"), ("grant_type", GRANT_TYPE), ("device_code", "x")], "invalid_client"),
        (
            [("client_id", "tollgate"), ("grant_type", "password"), ("device_code", "x")],
            "unsupported_grant_type",
        ),
        ([("client_id", "tollgate"), ("grant_type", GRANT_TYPE), ("device_code", "x")], "expired_token"),
        ([("client_id", "tollgate"), ("grant_type", GRANT_TYPE), ("device_code", "")], "expired_token"),
    ] {
        assert_eq!(form(&guarded, token, &fields).await.1["error"], error);
    }
    assert_eq!(form(&guarded, token, &[]).await.0, 422);
    // A token lets no further program in: its owner has to be there.
    let begun = begin(&guarded).await;
    assert_eq!(decide(&guarded, &begun, true, &ada).await, 200);
    let (_, told) = poll(&guarded, &begun).await;
    let bearer = told["access_token"].as_str().expect("a token");
    let next = begin(&guarded).await;
    let request = guarded.console.client.post(format!("{}/api/device/decide", guarded.console.url));
    let body = json!({ "user_code": next["user_code"], "approve": true });
    let answer = request.bearer_auth(bearer).json(&body).send().await.expect("an answer");
    assert_eq!(answer.status(), 403);
}

/// The command line on a machine of its own.
struct Laptop(tempfile::TempDir);

impl Laptop {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        at_home_in(&mut command, self.0.path());
        command.args(arguments);
        command
    }

    /// The exit code and what was printed, all of it.
    async fn run(&self, arguments: &[&str]) -> (i32, String) {
        ended(self.command(arguments)).await
    }

    /// Signs in at the server as somebody who lets the program in, or not.
    async fn log_in(&self, guarded: &Guarded, approve: bool, cookie: &str) -> (i32, String) {
        let mut command =
            self.command(&["login", "--server", &guarded.console.url, "--name", "ada’s laptop"]);
        let mut process =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
        let mut lines = BufReader::new(process.stderr.take().expect("notes")).lines();
        let code = loop {
            let line = lines.next().expect("it shows a code").expect("a line");
            if let Some((_, code)) = line.split_once("user_code=") {
                break code.to_owned();
            }
        };
        assert_eq!(decide(guarded, &json!({ "user_code": code }), approve, cookie).await, 200);
        let ended = tokio::task::spawn_blocking(move || process.wait_with_output().expect("it ends")).await;
        let output = ended.expect("it ends");
        let rest: Vec<String> = lines.map_while(Result::ok).collect();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), rest.join("\n"));
        (output.status.code().expect("an exit code"), text)
    }
}

async fn ended(mut command: Command) -> (i32, String) {
    let output = tokio::task::spawn_blocking(move || command.output().expect("the binary runs")).await;
    let output = output.expect("it ends");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().expect("an exit code"), String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test]
async fn the_command_line_works_at_a_server_with_its_owners_roles() {
    let guarded = Guarded::start().await;
    let laptop = Laptop(tempfile::tempdir().expect("a directory"));
    let operator = guarded.sign_in(&["lookers", "hands"]).await;

    let (code, said) = laptop.log_in(&guarded, false, &operator).await;
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("refused"), "{said}");
    let (code, said) = laptop.log_in(&guarded, true, &operator).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("Ada Lovelace (token ada’s laptop)") && said.contains("operator"), "{said}");
    let kept = laptop.0.path().join(".config/tollgate/credentials.json");
    assert_eq!(std::fs::metadata(&kept).expect("it is kept").permissions().mode() & 0o777, 0o600);

    // Every verb, without naming the server again.
    let (code, out) = laptop.run(&["fleet", "list", "verdict:allows-v1 state:running", "-o", "json"]).await;
    assert_eq!(code, 0, "{out}");
    let rows: Vec<Value> = serde_json::from_str(&out).expect("JSON");
    assert!(!rows.is_empty() && rows.iter().all(|row| row["alias"] == "prod"), "what the owner sees");
    let enforceable = guarded
        .json(
            "/api/fleet/list?q=verdict:allows-v1%20state:running%20-asg:*&sort=name&offset=0&limit=1",
            &operator,
        )
        .await;
    let id = enforceable["rows"][0]["instance_id"].as_str().expect("an id").to_owned();
    let (code, out) = laptop.run(&["fleet", "show", &id]).await;
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("Allows IMDSv1") && out.contains("imdsv2-required"), "{out}");
    let (code, out) = laptop.run(&["fleet", "verify", &id]).await;
    assert!([0, 3].contains(&code) && out.contains("evidence"), "{code}: {out}");
    let (code, out) = laptop.run(&["fleet", "enforce", &id, "--reason", "a test", "--yes"]).await;
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("Applied (change 1)"), "{out}");
    let (code, out) = laptop.run(&["fleet", "restore", "1", "--reason", "back", "--yes"]).await;
    assert_eq!(code, 0, "{out}");
    let (code, out) = laptop.run(&["audit", "--instance", &id, "-o", "json"]).await;
    assert_eq!(code, 0, "{out}");
    let entries: Vec<Value> = serde_json::from_str(&out).expect("JSON");
    assert_eq!(entries.len(), 4);
    assert!(
        entries.iter().all(|entry| entry["entry"]["actor"] == "Ada Lovelace (token ada’s laptop)"),
        "{out}"
    );

    // What does not fit is told apart from what failed.
    for (arguments, code, expected) in [
        (&["fleet", "show", "i-0"][..], 1, "not in any account and region"),
        (&["fleet", "show", "id:* OR"], 1, "not in any account and region"),
        (&["fleet", "list", "verdict:allows"], 2, "Did you mean allows-v1?"),
        (&["--region", "eu-west-1", "fleet", "list"], 2, "--local"),
        (&["--server", "http://example.com", "fleet", "list"], 2, "not https"),
        (&["--server", "http://127.0.0.1:1", "fleet", "list"], 1, "does not answer"),
        (&["fleet", "restore", "99", "--reason", "x", "--yes"], 1, "no change 99"),
        (&["login"], 2, "--server https://"),
    ] {
        let (ended, said) = laptop.run(arguments).await;
        assert_eq!(ended, code, "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
    let mut command = laptop.command(&["fleet", "list"]);
    command.env("TOLLGATE_TOKEN", "tollgate_pat_wrong");
    let (code, said) = ended(command).await;
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("tollgate login --server"), "{said}");

    // Giving the token back.
    let (code, said) = laptop.run(&["logout"]).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(guarded.json("/api/token/list", &operator).await, json!([]));
    let (code, said) = laptop.run(&["--server", &guarded.console.url, "fleet", "list"]).await;
    assert_eq!(code, 4, "{said}");
    assert_eq!(laptop.run(&["logout"]).await.0, 2, "there is nothing to sign out from");
}

#[tokio::test]
async fn a_viewers_command_line_changes_nothing() {
    let guarded = Guarded::start().await;
    let laptop = Laptop(tempfile::tempdir().expect("a directory"));
    let viewer = guarded.sign_in(&["lookers"]).await;
    assert_eq!(laptop.log_in(&guarded, true, &viewer).await.0, 0);
    let list = guarded.json("/api/fleet/list?q=verdict:allows-v1&sort=name&offset=0&limit=1", &viewer).await;
    let id = list["rows"][0]["instance_id"].as_str().expect("an id");
    let (code, said) = laptop.run(&["fleet", "enforce", id, "--reason", "a test", "--yes"]).await;
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("needs the role operator"), "{said}");
    // In process, the configuration of the server would have people sign in too.
    let mut command = guarded.console.command();
    command.args(["--local", "fleet", "enforce", id, "--reason", "a test", "--yes"]);
    let (code, said) = ended(command).await;
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("made in the console") || said.contains("in the console"), "{said}");
}
