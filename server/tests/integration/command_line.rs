//! The command line: exit codes, messages, output.

use std::process::Output;

use serde_json::Value;

use crate::common::{Console, Emulator};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

async fn run(console: &Console, arguments: &[&str]) -> (i32, String, String) {
    let mut command = console.command();
    command.args(arguments);
    let output: Output = tokio::task::spawn_blocking(move || command.output().expect("the binary runs"))
        .await
        .expect("it ends");
    (output.status.code().expect("an exit code"), text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn list_show_verify_enforce_restore_and_audit() {
    let emulator = Emulator::start("dev");
    let console = Console::start(&emulator, "").await;
    let (code, out, _) =
        run(&console, &["fleet", "list", "verdict:allows-v1 state:running account:prod", "-o", "json"]).await;
    assert_eq!(code, 0);
    let rows: Value = serde_json::from_str(&out).expect("JSON");
    let id = rows[0]["instance_id"].as_str().expect("an id").to_owned();
    let (code, out, _) = run(&console, &["fleet", "list", &id, "-o", "csv"]).await;
    assert_eq!((code, out.lines().count()), (0, 2));
    assert!(out.starts_with("account,region,instance_id,name"));

    let (code, out, _) = run(&console, &["fleet", "show", &id]).await;
    assert_eq!(code, 0);
    assert!(out.contains("Allows IMDSv1") && out.contains("imdsv2-required"), "{out}");
    let (code, out, _) = run(&console, &["fleet", "verify", &id]).await;
    assert!(code == 0 || code == 3, "no data is told by the exit code: {code}");
    assert!(out.contains("evidence"));

    let (code, out, _) = run(&console, &["fleet", "enforce", &id, "--dry-run"]).await;
    assert_eq!(code, 0);
    assert!(
        out.contains("ec2:ModifyInstanceMetadataOptions") && out.contains("optional → required"),
        "{out}"
    );
    assert!(!out.contains("HttpEndpoint ="), "the endpoint is never sent");
    let (code, _, err) = run(&console, &["fleet", "enforce", &id]).await;
    assert_eq!(code, 2);
    assert!(err.contains("--reason"), "{err}");
    let (code, _, err) = run(&console, &["fleet", "enforce", &id, "--reason", "a test"]).await;
    assert_eq!(code, 2, "nobody can be asked in a pipe");
    assert!(err.contains("--yes"), "{err}");
    let (code, out, _) = run(&console, &["fleet", "enforce", &id, "--reason", "a test", "--yes"]).await;
    assert_eq!(code, 0);
    assert!(out.contains("Applied (change 1)"), "{out}");
    let (code, _, err) = run(&console, &["fleet", "enforce", &id, "--reason", "again", "--yes"]).await;
    assert_eq!(code, 4);
    assert!(err.contains("required already"), "{err}");
    let (code, out, _) = run(&console, &["fleet", "restore", "1", "--reason", "back", "--yes"]).await;
    assert_eq!(code, 0, "{out}");
    let (code, out, _) = run(&console, &["audit", "--instance", &id, "-o", "json"]).await;
    assert_eq!(code, 0);
    assert_eq!(serde_json::from_str::<Value>(&out).expect("JSON").as_array().expect("entries").len(), 4);
}

#[tokio::test]
async fn wrong_input_is_told_where_it_is_and_what_would_be_right() {
    let emulator = Emulator::start("none");
    let console = Console::start(&emulator, "").await;
    for (arguments, code, expected) in [
        (&["fleet", "list", "verdict:allows"][..], 2, "Did you mean allows-v1?"),
        (&["fleet", "list", "--sort", "colour"], 2, "colour"),
        (&["fleet", "show", "i-0"], 1, "not in any account and region"),
        (&["fleet", "enforce", "i-0", "--hop-limit", "0", "--dry-run"], 1, "not in any account and region"),
        (&["fleet", "restore", "99", "--reason", "x", "--yes"], 1, "no change 99"),
        (&["--page-size", "4", "fleet", "list"], 2, "--page-size: page_size is \"4\""),
        (&["serve", "--listen", "0.0.0.0:3000"], 2, "no authentication is configured"),
        (&["serve", "--site", "nowhere", "--check"], 2, "cargo xtask bundle"),
        (&["audit", "--action", "party"], 2, "no audit action"),
        (&["fleet", "lisst"], 2, "list"),
    ] {
        let (answered, _, err) = run(&console, arguments).await;
        assert_eq!(answered, code, "{arguments:?}: {err}");
        assert!(err.contains(expected), "{arguments:?}: {err}");
    }
}

#[tokio::test]
async fn a_region_that_cannot_be_read_is_named_and_told_by_the_exit_code() {
    let emulator = Emulator::start("dev");
    let console = Console::start(&emulator, "").await;
    emulator.control("fail", serde_json::json!({ "region": "us-east-1", "action": "DescribeInstances", "code": "UnauthorizedOperation" })).await;
    let (code, out, err) = run(&console, &["fleet", "list"]).await;
    assert_eq!(code, 3);
    assert!(out.lines().count() > 1, "the others are listed");
    assert!(err.contains("us-east-1") && err.contains("UnauthorizedOperation"), "{err}");
}
