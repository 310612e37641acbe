//! A real OPA server gives the same verdicts as the engine in this process.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::instance::Instance;
use domain::policy::PolicyOutcome;
use policy::{PolicyConfig, PolicyEngine, RegoVersion, open};
use tempfile::TempDir;

use crate::corpus::{REGULATED_ACCOUNT, bad, corpus, good, now};

const DEMO_POLICY: &str =
    "package ec2\n\ndefault match = false\n\nmatch { input.MetadataOptions.HttpTokens == \"optional\" }\n";

/// An OPA server on a free port, stopped when dropped.
struct Opa {
    process: Child,
    url: String,
}

impl Opa {
    async fn start<S: AsRef<OsStr>>(arguments: &[S]) -> Opa {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        Opa::start_at(&address, arguments).await
    }

    async fn start_at<S: AsRef<OsStr>>(address: &str, arguments: &[S]) -> Opa {
        let process = Command::new(binary())
            .args(["run", "--server", "--log-level", "error", "--skip-version-check", "--addr", address])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut opa = Opa { process, url: format!("http://{address}") };
        opa.wait_until_healthy().await;
        opa
    }

    async fn wait_until_healthy(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Ok(response) = reqwest::get(format!("{}/health", self.url)).await
                && response.status().is_success()
            {
                return;
            }
            if let Some(status) = self.process.try_wait().unwrap() {
                let mut said = String::new();
                self.process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
                panic!("OPA ended with {status} before it answered: {said}");
            }
            assert!(Instant::now() < deadline, "OPA did not become healthy at {}", self.url);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn put_policy(&self, id: &str, text: &str) {
        let url = format!("{}/v1/policies/{id}", self.url);
        let response = reqwest::Client::new().put(url).body(text.to_owned()).send().await.unwrap();
        assert!(response.status().is_success(), "{}", response.text().await.unwrap());
    }
}

impl Drop for Opa {
    fn drop(&mut self) {
        // Either may fail only because the process has already ended.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn binary() -> PathBuf {
    env::var_os("TOLLGATE_TEST_OPA_BIN")
        .map(PathBuf::from)
        .expect("TOLLGATE_TEST_OPA_BIN has to name an OPA binary; `cargo xtask test` builds one and sets it")
}

fn default_policies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/policy").canonicalize().unwrap()
}

/// Limits wide enough that a loaded machine changes no verdict.
fn config() -> PolicyConfig {
    PolicyConfig { decision_limit_ms: 10_000, timeout_ms: 30_000, ..PolicyConfig::default() }
}

async fn evaluate(engine: &dyn PolicyEngine, instances: &[Instance]) -> Vec<Arc<PolicyOutcome>> {
    let instances: Vec<&Instance> = instances.iter().collect();
    engine.evaluate(&instances, now()).await
}

async fn assert_same_verdicts(in_process: &PolicyConfig, opa: &PolicyConfig, kinds: &[&str]) {
    let instances = corpus();
    assert!(instances.len() >= 300);
    let (in_process, opa) = (open(in_process).unwrap(), open(opa).unwrap());
    let ours = evaluate(&*in_process, &instances).await;
    let theirs = evaluate(&*opa, &instances).await;
    for ((instance, ours), theirs) in instances.iter().zip(&ours).zip(&theirs) {
        assert_eq!(ours, theirs, "{instance:?}");
    }
    for kind in kinds {
        assert!(ours.iter().any(|outcome| outcome.kind() == *kind), "no instance has the verdict {kind}");
    }
    assert_eq!(
        in_process.rules().iter().map(|rule| &rule.name).collect::<Vec<_>>(),
        opa.rules().iter().map(|rule| &rule.name).collect::<Vec<_>>()
    );
    assert_eq!(opa.problem(), None);
}

#[test]
fn the_default_policies_pass_their_own_tests() {
    let output = Command::new(binary()).arg("test").arg(default_policies()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("PASS"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn the_default_policies_are_strict_and_formatted() {
    for arguments in [["check", "--strict"], ["fmt", "--fail"]] {
        let output = Command::new(binary()).args(arguments).arg(default_policies()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[tokio::test]
async fn the_default_policies_give_the_same_verdicts() {
    let data = TempDir::new().unwrap();
    let data_file = data.path().join("accounts.json");
    fs::write(
        &data_file,
        format!(r#"{{"tollgate": {{"config": {{"regulated_accounts": ["{REGULATED_ACCOUNT}"]}}}}}}"#),
    )
    .unwrap();
    let opa = Opa::start(&[default_policies(), data_file]).await;
    let in_process = PolicyConfig { regulated_accounts: vec![REGULATED_ACCOUNT.to_owned()], ..config() };
    let served = PolicyConfig { url: Some(opa.url.clone()), ..config() };
    assert_same_verdicts(&in_process, &served, &["pass", "fail"]).await;
}

#[tokio::test]
async fn a_policy_of_the_older_language_gives_the_same_verdicts() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("ec2.rego"), DEMO_POLICY).unwrap();
    let opa = Opa::start(&[OsStr::new("--v0-compatible"), directory.path().as_os_str()]).await;
    let asked = PolicyConfig { query: "data.ec2.match".to_owned(), ..config() };
    let in_process = PolicyConfig {
        directory: Some(directory.path().to_owned()),
        rego_version: RegoVersion::V0,
        ..asked.clone()
    };
    let served = PolicyConfig { url: Some(opa.url.clone()), ..asked };
    assert_same_verdicts(&in_process, &served, &["pass", "fail"]).await;
}

#[tokio::test]
async fn undefined_and_wrong_shapes_give_the_same_verdicts() {
    let directory = TempDir::new().unwrap();
    let text = r#"package p

v := [] if input.MetadataOptions.HttpTokens == "required"

v := "optional" if input.MetadataOptions.HttpTokens == "optional"
"#;
    fs::write(directory.path().join("p.rego"), text).unwrap();
    let opa = Opa::start(&[directory.path()]).await;
    let asked = PolicyConfig { query: "data.p.v".to_owned(), ..config() };
    let in_process = PolicyConfig { directory: Some(directory.path().to_owned()), ..asked.clone() };
    let served = PolicyConfig { url: Some(opa.url.clone()), ..asked };
    assert_same_verdicts(&in_process, &served, &["pass", "undefined", "error"]).await;
}

#[tokio::test]
async fn a_changed_policy_is_noticed_and_asked_anew() {
    let opa = Opa::start::<&str>(&[]).await;
    let served = PolicyConfig { url: Some(opa.url.clone()), query: "data.p.v".to_owned(), ..config() };
    let engine = open(&served).unwrap();
    let instance = [bad("i-1", &[])];
    assert_eq!(*evaluate(&*engine, &instance).await[0], PolicyOutcome::Undefined);
    let mut revisions = vec![engine.revision()];
    for (text, expected) in [
        ("package p\n\nv := false\n", PolicyOutcome::Pass),
        ("package p\n\nv := input.Nope\n", PolicyOutcome::UnsupportedInput { path: "input.Nope".into() }),
    ] {
        opa.put_policy("p.rego", text).await;
        engine.refresh().await;
        assert_eq!(*evaluate(&*engine, &instance).await[0], expected);
        assert_eq!(engine.rules()[0].text, text);
        revisions.push(engine.revision());
    }
    revisions.sort();
    revisions.dedup();
    assert_eq!(revisions.len(), 3);
}

#[tokio::test]
async fn a_server_that_goes_away_is_unreachable_and_comes_back() {
    let opa = Opa::start(&[default_policies()]).await;
    let url = opa.url.clone();
    let engine = open(&PolicyConfig { url: Some(url.clone()), ..config() }).unwrap();
    let instance = [good("i-1", &[])];
    assert_eq!(*evaluate(&*engine, &instance).await[0], PolicyOutcome::Pass);
    drop(opa);
    engine.refresh().await;
    assert!(matches!(*evaluate(&*engine, &instance).await[0], PolicyOutcome::Unreachable { .. }));
    assert!(engine.problem().is_some());
    let _again = Opa::start_at(url.strip_prefix("http://").unwrap(), &[default_policies()]).await;
    engine.refresh().await;
    assert_eq!(*evaluate(&*engine, &instance).await[0], PolicyOutcome::Pass);
    assert_eq!(engine.problem(), None);
}
