//! A GitHub on loopback that holds what it is asked, and what it answers, to GitHub's published description (`infra/dev/github.mjs`).

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;

use delivery::{GithubAuth, GithubConfig, Secret};
use serde::Deserialize;
use serde_json::{Value, json};

/// What `cargo xtask test` sets.
pub(crate) fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: `cargo xtask test` sets it"))
}

/// One process for all tests, which ends when this one does: its standard input closes then.
struct Process {
    ready: Ready,
    _process: Child,
    _stdin: ChildStdin,
}

#[derive(Deserialize)]
struct Ready {
    url: String,
    app_id: u64,
    private_key: String,
}

fn process() -> &'static Process {
    static PROCESS: OnceLock<Process> = OnceLock::new();
    PROCESS.get_or_init(|| {
        let mut process = Command::new(setting("TOLLGATE_TEST_NODE"))
            .arg(setting("TOLLGATE_TEST_GITHUB_SCRIPT"))
            .arg(setting("TOLLGATE_TEST_GITHUB_MODULES"))
            .arg("--exit-with-stdin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the stand-in starts");
        let stdin = process.stdin.take().expect("the stand-in has an input");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("the stand-in has an output");
        BufReader::new(stdout).read_line(&mut line).expect("the stand-in says where it is");
        let ready = serde_json::from_str(&line).expect("the stand-in speaks JSON");
        Process { ready, _process: process, _stdin: stdin }
    })
}

/// A GitHub of a test's own.
pub(crate) struct World {
    name: String,
    client: reqwest::Client,
}

/// A request that was made.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// With the query.
    pub(crate) path: String,
    pub(crate) status: u16,
    /// Whether it was only asked whether something has changed.
    pub(crate) conditional: bool,
    pub(crate) token: Option<String>,
}

impl World {
    /// `name` is the test's, and no other's.
    pub(crate) fn new(name: &str) -> World {
        World { name: name.to_owned(), client: reqwest::Client::new() }
    }

    /// As on a GitHub Enterprise Server, the API is not at the root.
    pub(crate) fn api_url(&self) -> String {
        format!("{}/{}/api/v3", process().ready.url, self.name)
    }

    /// With a token that is let in.
    pub(crate) fn config(&self) -> GithubConfig {
        let auth = GithubAuth::Token(Secret::new("good-token".into()));
        GithubConfig { api_url: self.api_url(), auth, ..GithubConfig::default() }
    }

    /// As the GitHub App that the stand-in knows.
    pub(crate) fn app(&self) -> GithubConfig {
        let Ready { app_id, private_key, .. } = &process().ready;
        let private_key = Secret::new(private_key.clone());
        let auth = GithubAuth::App { app_id: *app_id, private_key, installation: None };
        GithubConfig { auth, ..self.config() }
    }

    /// What changes the world: the actions are described in the script.
    pub(crate) async fn control(&self, action: &str, body: Value) -> Value {
        let url = format!("{}/{}/tollgate-dev/{action}", process().ready.url, self.name);
        let answer = self.client.post(url).json(&body).send().await.expect("the stand-in answers");
        let status = answer.status();
        let answer: Value = answer.json().await.expect("the stand-in answers JSON");
        assert!(status.is_success(), "{action}: {answer}");
        answer
    }

    pub(crate) async fn put(&self, repository: &str, mut parts: Value) {
        parts["repository"] = json!(repository);
        self.control("put", parts).await;
    }

    /// What was asked since the last time, all of which has to have been as GitHub describes it.
    pub(crate) async fn asked(&self) -> Vec<Asked> {
        let (asked, invalid) = self.asked_and_invalid().await;
        assert_eq!(invalid, [""; 0], "not GitHub's");
        asked
    }

    pub(crate) async fn asked_and_invalid(&self) -> (Vec<Asked>, Vec<String>) {
        let mut answer = self.control("log", json!({})).await;
        let asked = serde_json::from_value(answer["log"].take()).expect("a log");
        (asked, serde_json::from_value(answer["invalid"].take()).expect("a list"))
    }

    /// Every webhook that GitHub would have sent of what a repository holds, as event and body.
    pub(crate) async fn webhooks(&self, repository: &str) -> Vec<(String, String)> {
        let events = self.control("webhooks", json!({ "repository": repository })).await;
        let events = events.as_array().expect("a list").iter();
        events
            .map(|one| (one["event"].as_str().expect("a name").to_owned(), one["body"].to_string()))
            .collect()
    }
}
