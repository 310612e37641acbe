//! A console for one test: the real binary on a free port, with a database and an emulator of its own.

pub(crate) mod bundle;
pub(crate) mod cloud;
pub(crate) mod delivery;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

pub(crate) const PROD: &str = "111111111111";

/// What `cargo xtask test` sets.
pub(crate) fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: `cargo xtask test` sets it"))
}

/// A process that ends with the test.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn new(child: Child) -> Running {
        Running(child)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An emulator of the test's own.
pub(crate) struct Emulator {
    pub(crate) url: String,
    client: reqwest::Client,
    _process: Running,
}

impl Emulator {
    pub(crate) fn start(seed: &str) -> Emulator {
        let mut process = Command::new(setting("TOLLGATE_TEST_AWS_PYTHON"))
            .arg("-B")
            .arg(setting("TOLLGATE_TEST_AWS_SCRIPT"))
            .args(["--seed", seed, "--port", "0", "--exit-with-stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the emulator starts");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("the emulator has an output");
        BufReader::new(stdout).read_line(&mut line).expect("the emulator says where it is");
        let ready: Value = serde_json::from_str(&line).expect("the emulator speaks JSON");
        let url = ready["url"].as_str().expect("a URL").to_owned();
        Emulator { url, client: reqwest::Client::new(), _process: Running::new(process) }
    }

    pub(crate) async fn control(&self, action: &str, body: Value) -> Value {
        let url = format!("{}/tollgate-dev/{action}", self.url);
        let answer = self.client.post(url).json(&body).send().await.expect("the emulator answers");
        assert!(answer.status().is_success(), "{action} {body}");
        answer.json().await.expect("the emulator answers JSON")
    }

    /// Every instance as the emulator holds it.
    pub(crate) async fn fleet(&self) -> Vec<Value> {
        let answer = self.client.get(format!("{}/tollgate-dev/fleet", self.url)).send().await;
        answer.expect("the emulator answers").json().await.expect("a list of instances")
    }
}

/// A running console.
pub(crate) struct Console {
    pub(crate) url: String,
    pub(crate) directory: tempfile::TempDir,
    pub(crate) client: reqwest::Client,
    _process: Running,
}

impl Console {
    /// Starts the binary over `emulator` and waits until every source was tried.
    pub(crate) async fn start(emulator: &Emulator, more: &str) -> Console {
        Console::start_in(tempfile::tempdir().expect("a directory"), emulator, more).await
    }

    /// As [`Console::start`], over the database that another console left in `directory`.
    pub(crate) async fn start_in(directory: tempfile::TempDir, emulator: &Emulator, more: &str) -> Console {
        Console::start_at(0, directory, &emulator.url, more).await
    }

    /// As [`Console::start_in`], over the AWS at `aws`, and on a port that was chosen before; 0 takes a free one.
    pub(crate) async fn start_at(port: u16, directory: tempfile::TempDir, aws: &str, more: &str) -> Console {
        let file = directory.path().join("tollgate.toml");
        std::fs::write(&file, configuration(aws, more)).expect("the configuration is written");
        let mut process = command(&file, directory.path())
            .args([
                "serve",
                "--listen",
                &format!("127.0.0.1:{port}"),
                "--site",
                &setting("TOLLGATE_TEST_SITE"),
            ])
            .stderr(Stdio::piped())
            .spawn()
            .expect("the console starts");
        let stderr = BufReader::new(process.stderr.take().expect("the console logs"));
        let mut lines = stderr.lines();
        let mut said = Vec::new();
        let url = loop {
            let line =
                lines.next().unwrap_or_else(|| panic!("the console ended: {said:#?}")).expect("a line");
            let found =
                line.split_whitespace().find(|word| word.starts_with("http://127.0.0.1:")).map(str::to_owned);
            said.push(line);
            if let Some(url) = found {
                break url;
            }
        };
        // What is not read would stop the console once the pipe is full.
        std::thread::spawn(move || lines.for_each(drop));
        let client =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        let console = Console { url, directory, client, _process: Running::new(process) };
        until("the console is ready", async || console.get("/api/health/ready").await.status().is_success())
            .await;
        console
    }

    /// Kills the process without a warning and answers what it leaves behind.
    pub(crate) fn kill(self) -> tempfile::TempDir {
        self.directory
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        self.client.get(format!("{}{path}", self.url)).send().await.expect("the console answers")
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> reqwest::Response {
        self.client.post(format!("{}{path}", self.url)).json(&body).send().await.expect("the console answers")
    }

    /// Runs the command line over the same configuration and database.
    pub(crate) fn command(&self) -> Command {
        command(&self.directory.path().join("tollgate.toml"), self.directory.path())
    }
}

/// The binary over a configuration, with nothing of the caller's own in its way.
fn command(file: &std::path::Path, directory: &std::path::Path) -> Command {
    let database: PathBuf = directory.join("tollgate.db");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.arg("--config").arg(file).arg("--database-url").arg(format!("sqlite://{}", database.display()));
    at_home_in(&mut command, directory);
    command
}

/// Runs a command in a directory that it takes for its user's home, with nothing of the caller's own in its way.
pub(crate) fn at_home_in(command: &mut Command, directory: &std::path::Path) {
    command.current_dir(directory).env("HOME", directory).env_remove("XDG_CONFIG_HOME").stdin(Stdio::null());
}

fn configuration(endpoint_url: &str, more: &str) -> String {
    let account = |id: &str, alias: &str| {
        format!(
            "[[accounts]]\nid = \"{id}\"\nalias = \"{alias}\"\nreader_role_arn = \"arn:aws:iam::{id}:role/tollgate-reader\"\n\
             writer_role_arn = \"arn:aws:iam::{id}:role/tollgate-writer\"\n"
        )
    };
    format!(
        "regions = [\"eu-west-1\", \"us-east-1\", \"ap-south-1\"]\nrefresh_interval = \"5s\"\nsource_timeout = \"30s\"\n{more}\n\
         [aws]\nendpoint_url = \"{endpoint_url}\"\n{}{}",
        account(PROD, "prod"),
        account("222222222222", "sandbox")
    )
}

/// A port that nobody listens on now.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// Waits until `condition` holds.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    const PATIENCE: Duration = Duration::from_secs(60);
    let waited = tokio::time::timeout(PATIENCE, async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    assert!(waited.await.is_ok(), "waited {PATIENCE:?} for: {what}");
}

/// Sets what the tests steer about one instance.
pub(crate) fn instance(source: (&str, &str), instance_id: &str, what: Value) -> Value {
    let mut body = json!({ "account": source.0, "region": source.1, "instance_id": instance_id });
    if let (Some(body), Some(what)) = (body.as_object_mut(), what.as_object()) {
        body.extend(what.clone());
    }
    body
}
