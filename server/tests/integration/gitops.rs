//! GitOps operations over the API and from the terminal: who sees them, who may ask and agree, and how a command ends.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::delivery::{followed, live};
use crate::common::{Console, Emulator, at_home_in, until};
use crate::sign_in::Guarded;

const GRANTS: &str = "{ group = \"shop\", role = \"releaser\", environments = [\"dev\", \"staging\"] },\n\
     { group = \"release\", role = \"releaser\" },\n{ group = \"agree\", role = \"approver\" },\n\
     { group = \"users\", role = \"viewer\", services = [\"users\"] },\n\
     { group = \"root\", role = \"administrator\" },\n";

/// A bare repository with a values file for each service in each environment.
fn repository() -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let work = directory.path().join("work");
    for (environment, tag) in [("dev", "1.6.0"), ("staging", "1.5.0"), ("prod", "1.4.0")] {
        for service in ["checkout", "users"] {
            let file = work.join(format!("envs/{environment}/{service}/values.yaml"));
            std::fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
            std::fs::write(file, format!("image:\n  tag: \"{tag}\" # ours\n")).expect("a file");
        }
    }
    git(&work, &["init", "--quiet", "--initial-branch=main"]);
    git(&work, &["add", "--all"]);
    git(&work, &["commit", "--quiet", "--message", "Begin"]);
    git(directory.path(), &["clone", "--quiet", "--bare", "work", "gitops.git"]);
    directory
}

fn bare(directory: &TempDir) -> PathBuf {
    directory.path().join("gitops.git")
}

fn git(directory: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(directory).args(arguments);
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "Test").env(format!("GIT_{who}_EMAIL"), "test@example.com");
    }
    let output = command.output().expect("git runs");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn configuration(directory: &TempDir, approval: bool) -> String {
    format!(
        "{}gitops = [{{ name = \"acme/gitops\", path = {:?}, files = [\"envs/{{environment}}/{{service}}/values.yaml\"], poll = \"1s\" }}]\n\
         environments = [{{ name = \"prod\", approval = {approval} }}]\n",
        followed(),
        bare(directory).display().to_string()
    )
}

fn promotion(services: &[&str], from: &str, to: &str) -> Value {
    json!({ "kind": "promote", "services": services, "from": from, "to": to })
}

/// That staging runs what the repository says there.
fn staging() -> Vec<Value> {
    vec![live("checkout", 2, "staging", "1.5.0", 1), live("users", 2, "staging", "1.5.0", 1)]
}

#[tokio::test]
async fn each_asks_and_agrees_as_far_as_their_grants_reach() {
    let repository = repository();
    let guarded = Guarded::start_with(GRANTS, &configuration(&repository, true)).await;
    let root = guarded.sign_in(&["root"]).await;
    let shop = guarded.sign_in_as("shop", &["shop"]).await;
    let ana = guarded.sign_in_as("ana", &["release", "agree"]).await;
    let ben = guarded.sign_in_as("ben", &["agree"]).await;
    let users = guarded.sign_in_as("uma", &["users"]).await;
    let ask = async |path: &str, who: &str, body: Value| {
        let answer = guarded.ask("POST", path, who, Some(body)).await;
        (answer.status().as_u16(), answer.json::<Value>().await.expect("JSON"))
    };
    let reported = ask("/api/delivery/report", &root, json!({ "reports": staging() })).await;
    assert_eq!(reported.0, 200, "{reported:?}");

    let wanted = json!({ "ask": promotion(&["checkout", "users"], "staging", "prod"), "reason": "the sale" });
    for (who, status) in [("", 401), (&*users, 403), (&*ben, 403), (&*shop, 403)] {
        for path in ["/api/gitops/plan", "/api/gitops/request"] {
            assert_eq!(ask(path, who, wanted.clone()).await.0, status, "{path}");
        }
    }
    let (status, plan) = ask("/api/gitops/plan", &ana, wanted.clone()).await;
    assert_eq!((status, plan["steps"].as_array().map(Vec::len)), (200, Some(2)), "{plan}");
    let mut stale = wanted.clone();
    stale["fingerprint"] = json!("0".repeat(64));
    let (status, refused) = ask("/api/gitops/request", &ana, stale).await;
    assert_eq!(status, 409, "{refused}");
    let mut seen = wanted.clone();
    seen["fingerprint"] = plan["fingerprint"].clone();
    let (status, requested) = ask("/api/gitops/request", &ana, seen).await;
    assert_eq!(status, 200, "{requested}");
    let id = requested["operation"]["id"].as_str().expect("a name").to_owned();

    // Who does not see all of it sees nothing of it.
    let board = guarded.json("/api/gitops/board", &users).await;
    assert_eq!(board["operations"], json!([]));
    assert_eq!(board["services"].as_array().map(Vec::len), Some(1));
    assert_eq!(guarded.status(&format!("/api/gitops/operation?id={id}"), &users).await, 404);
    assert_eq!(guarded.status("/api/gitops/operation?id=../../etc", &ana).await, 400);

    until("there is a request", async || {
        let operation = guarded.json(&format!("/api/gitops/operation?id={id}"), &ana).await;
        operation["operation"]["status"] == "open"
    })
    .await;
    let decision = json!({ "id": id, "fingerprint": plan["fingerprint"], "reason": "looked at" });
    let (status, own) = ask("/api/gitops/approve", &ana, decision.clone()).await;
    assert_eq!(status, 409, "{own}");
    assert!(own.to_string().contains("somebody else has to approve"), "{own}");
    // By a token of their own it is still their own.
    let token = json!({ "name": "ci", "days": 1, "access": null });
    let (_, made) = ask("/api/token/make", &ana, token).await;
    let by_token = guarded
        .console
        .client
        .post(format!("{}/api/gitops/approve", guarded.console.url))
        .bearer_auth(made["secret"].as_str().expect("a secret"))
        .json(&decision)
        .send()
        .await
        .expect("an answer");
    assert_eq!(by_token.status(), 409);
    let merge = json!({ "id": id, "fingerprint": plan["fingerprint"] });
    assert_eq!(ask("/api/gitops/merge", &ana, merge.clone()).await.0, 409, "nobody has approved it");
    assert_eq!(ask("/api/gitops/approve", &shop, decision.clone()).await.0, 403);
    assert_eq!(ask("/api/gitops/approve", &ben, decision).await.0, 200);
    assert_eq!(ask("/api/gitops/merge", &ben, merge.clone()).await.0, 403, "an approver does not release");
    assert_eq!(ask("/api/gitops/merge", &ana, merge).await.0, 200);
    until("it is merged", async || {
        git(&bare(&repository), &["show", "main:envs/prod/users/values.yaml"]).contains("1.5.0")
    })
    .await;
    assert_eq!(
        git(&bare(&repository), &["show", "main:envs/prod/checkout/values.yaml"]),
        "image:\n  tag: \"1.5.0\" # ours"
    );
    until("the log says who approved", async || {
        let log = guarded
            .json(
                "/api/audit/list?text=&action=operation-merged&account=&instance_id=&before_seq=0&limit=9",
                &root,
            )
            .await;
        log.to_string().contains("approved by Ada Lovelace")
    })
    .await;
}

#[tokio::test]
async fn a_command_says_what_it_does_and_ends_by_the_outcome() {
    let repository = repository();
    let emulator = Emulator::start("none");
    let console = Console::start(&emulator, &configuration(&repository, false)).await;
    let answer = console.post("/api/delivery/report", json!({ "reports": staging() })).await;
    assert_eq!(answer.status(), 200);
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        at_home_in(&mut command, repository.path());
        command.args(["--server", &console.url, "gitops"]).args(arguments);
        let output = command.output().expect("it runs");
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code(), text)
    };
    let promote = ["promote", "checkout", "--from", "staging", "--to", "prod", "--reason", "the sale"];
    let (code, said) = run(&[&promote[..], &["--dry-run"]].concat());
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("-  tag: \"1.4.0\" # ours\n+  tag: \"1.5.0\" # ours"), "{said}");
    let (code, said) =
        run(&["promote", "checkout", "--from", "dev", "--to", "staging", "--reason", "x", "--dry-run"]);
    assert!(code == Some(4) && said.contains("unknown: checkout in staging, source environment"), "{said}");
    for (arguments, expected) in [
        (
            &["promote", "checkout", "--from", "dev", "--to", "prod", "--reason", "x"][..],
            "does not come right after",
        ),
        (&["freeze", "checkout", "--environment", "qa", "--reason", "x"], "is no environment here"),
        (&["freeze", "checkout", "--environment", "prod", "--reason", " "], "A reason is missing"),
        (
            &["freeze", "checkout", "--environment", "prod", "--reason", "x", "--for", "soon"],
            "is no duration",
        ),
        (&["status", "nothing"], "names no operation"),
    ] {
        let (code, said) = run(arguments);
        assert!(code == Some(2) && said.contains(expected), "{arguments:?}: {code:?} {said}");
    }
    let (code, said) = run(&["freeze", "checkout", "--environment", "prod", "--reason", "x"]);
    assert!(code == Some(4), "nothing updates it: {said}");
    assert_eq!(run(&["status", "0123456789ab"]).0, Some(1));
    assert_eq!(git(&bare(&repository), &["rev-list", "--all", "--count"]), "1", "nothing was written");

    let (code, said) = run(&[&promote[..], &["--merge"]].concat());
    assert!(code == Some(0) && said.contains("Merged, not in effect yet"), "{code:?} {said}");
    let id = said.split_whitespace().nth(1).expect("a name").trim_end_matches(':').to_owned();
    let (code, said) = run(&["merge", &id]);
    assert!(code == Some(4) && said.contains("merged already"), "{said}");
    let told = console
        .post("/api/delivery/report", json!({ "reports": [live("checkout", 2, "prod", "1.5.0", 0)] }))
        .await;
    assert_eq!(told.status(), 200);
    until("it is seen to be live", async || {
        let (code, said) = run(&["status", &id, "-o", "json"]);
        assert_eq!(code, Some(0), "{said}");
        said.contains("\"status\": \"effective\"")
    })
    .await;
    let (code, said) = run(&["status"]);
    assert!(code == Some(0) && said.contains("In effect"), "{said}");
}
