//! Uploading a bundle, and uploading nothing: ours beside aws-cli, s5cmd and rclone, on a stub of fixed cost and on a local cloud.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::measure::{self, Cost};
use super::report::{self, Row};
use super::s3;
use crate::http::Connection;
use crate::process::Held;
use crate::tools::{self, Missing};
use crate::{cargo, emulator, paths};

const RUNS: usize = 5;
const QUICK_RUNS: usize = 3;
/// What is uploaded: how many files, how large the largest is, and by which of our commands.
struct Case {
    name: &'static str,
    files: usize,
    largest: usize,
    verb: Verb,
}

const CASES: [Case; 4] = [
    Case { name: "500 files of up to 20 KB", files: 500, largest: 20_000, verb: Verb::Push },
    Case { name: "a bundle of 30 files", files: 30, largest: 60_000, verb: Verb::Push },
    Case { name: "a bundle of 30 files, copied only", files: 30, largest: 60_000, verb: Verb::Sync },
    Case { name: "2,000 files of up to 20 KB", files: 2_000, largest: 20_000, verb: Verb::Push },
];

/// Which of our commands uploads.
#[derive(Clone, Copy)]
enum Verb {
    /// Checks what was uploaded and makes it live, by requests one after the other that no peer makes.
    Push,
    /// Only copies, as the peers do.
    Sync,
}

/// How long a local cloud may take until it answers.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who is measured.
struct Runner {
    name: &'static str,
    program: PathBuf,
}

impl Runner {
    fn command(&self, verb: Verb, url: &str, directory: &Path, bucket: &str, home: &Path) -> Command {
        let mut command = Command::new(&self.program);
        match (self.name, verb) {
            ("tollgate", Verb::Push) => command
                .args(["--endpoint-url", url, "publish", "push"])
                .arg(directory)
                .args(["--bucket", bucket, "--commit", "0000000", "--branch", "main", "--author", "bench"]),
            ("tollgate", Verb::Sync) => command
                .args(["--endpoint-url", url, "publish", "sync"])
                .arg(directory)
                .args(["--bucket", bucket]),
            ("aws-cli", _) => command
                .args(["s3", "sync", "--only-show-errors"])
                .arg(directory)
                .arg(format!("s3://{bucket}")),
            ("s5cmd", _) => command
                .args(["--endpoint-url", url, "--log", "error", "sync"])
                .arg(format!("{}/", directory.display()))
                .arg(format!("s3://{bucket}/")),
            _ => command
                // By checksum, with which it asks for less than by time.
                .args(["--config", "/dev/null", "sync", "--checksum", "--s3-no-check-bucket"])
                .arg(directory)
                .arg(format!(":s3,provider=Other,env_auth=true,region=us-east-1,endpoint='{url}':{bucket}")),
        };
        emulator::environment(&mut command).env("AWS_ENDPOINT_URL", url).env("AWS_REGION", "us-east-1");
        command.env("AWS_DEFAULT_REGION", "us-east-1").env("HOME", home).current_dir(home);
        command
    }
}

pub(super) fn run(quick: bool, binary: Option<PathBuf>) -> Result<()> {
    let ours = match binary {
        Some(binary) => {
            fs::canonicalize(&binary).with_context(|| format!("there is no {}", binary.display()))?
        }
        None => cargo::build_binary("server", "tollgate", true)?,
    };
    let aws = tools::python_environment("awscli", &peers("awscli"), Missing::Name)?.with_file_name("aws");
    let sync = tools::python_environment("sync", &peers("sync"), Missing::Name)?;
    let runners = [
        Runner { name: "tollgate", program: ours },
        Runner { name: "aws-cli", program: aws },
        Runner { name: "s5cmd", program: sync.with_file_name("s5cmd") },
        Runner { name: "rclone", program: sync.with_file_name("rclone") },
    ];
    let runs = if quick { QUICK_RUNS } else { RUNS };
    let cases = if quick { &CASES[..1] } else { &CASES[..] };
    let stub = s3::start()?;
    let mut rows = Vec::new();
    for case in cases {
        rows.extend(measure_case(&runners, &stub, "stub", case, runs)?);
    }
    if !quick {
        let (url, cloud) = second_cloud()?;
        for case in &CASES[..3] {
            rows.extend(measure_case(&runners, &url, "local cloud", case, runs)?);
        }
        drop(cloud);
    }
    report::publish("publish", &rows)
}

fn peers(name: &str) -> PathBuf {
    paths::root().join(format!("infra/dev/peers/{name}.txt"))
}

/// A local cloud on a free port.
fn second_cloud() -> Result<(String, Held)> {
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut command = Command::new(emulator::second(Missing::Name)?);
    command
        .env("GATEWAY_PORT", port.to_string())
        .env("BIND_HOST", "127.0.0.1")
        .env("IOT_MTLS_ENABLED", "0")
        .stderr(Stdio::null());
    let held = Held::start_with("the local cloud", &command, Stdio::null())?;
    let begun = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        if begun.elapsed() > PATIENCE {
            bail!("the local cloud does not answer on port {port}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok((format!("http://127.0.0.1:{port}"), held))
}

/// Each runner in turn, in a bucket of its own: everything, and then nothing.
fn measure_case(runners: &[Runner], url: &str, place: &str, case: &Case, runs: usize) -> Result<Vec<Row>> {
    let (name, bundle) = (format!("{}, {place}", case.name), bundle(case.files, case.largest)?);
    let mut first: BTreeMap<&'static str, Vec<Cost>> = BTreeMap::new();
    let mut again: BTreeMap<&'static str, Vec<Cost>> = BTreeMap::new();
    let address = url.trim_start_matches("http://");
    let mut steering = Connection::open(address)?;
    let case_number = name.bytes().map(u32::from).sum::<u32>();
    // The first round warms caches of files and is not counted.
    for round in 0..=runs {
        for runner in runners {
            let bucket = format!("bench-{case_number}-{round}-{}", runner.name);
            steering.send("PUT", &format!("/{bucket}"), "")?;
            let home = tempfile::tempdir()?;
            let command = || runner.command(case.verb, url, bundle.directory.path(), &bucket, home.path());
            let (cost, _) = measure::run(&command())?;
            let (nothing, _) = measure::run(&command())?;
            // An upload of nothing would be quick.
            let there = steering.get(&format!("/{bucket}?list-type=2"))?.matches("<Key>").count();
            if there < bundle.files.min(1_000) {
                bail!("{} uploaded {there} objects, not {}", runner.name, bundle.files);
            }
            if round != 0 {
                first.entry(runner.name).or_default().push(cost);
                again.entry(runner.name).or_default().push(nothing);
            }
        }
        eprintln!("{name}: round {round} of {runs}");
    }
    Ok(vec![
        report::row(&format!("{name}, first push"), "time", "s", &first, |cost| cost.seconds)?,
        report::row(&format!("{name}, first push"), "peak memory", "MB", &first, |cost| {
            cost.peak_bytes / 1e6
        })?,
        report::row(&format!("{name}, nothing to do"), "time", "s", &again, |cost| cost.seconds)?,
    ])
}

/// A directory as `cargo xtask bundle` writes one.
struct Bundle {
    directory: tempfile::TempDir,
    files: usize,
}

fn bundle(files: usize, largest: usize) -> Result<Bundle> {
    const RELEASE: &str = "0123456789abcdef";
    let directory = tempfile::tempdir()?;
    let mut entries = Vec::new();
    for number in 0..files {
        let (path, content_type) = match number {
            0 => ("index.html".to_owned(), "text/html; charset=utf-8"),
            1 => ("release.json".to_owned(), "application/json"),
            _ => (format!("pkg/{RELEASE}/{number}.js"), "text/javascript; charset=utf-8"),
        };
        // Sizes over the whole range, contents that do not compress, the same in each run.
        let bytes = 500 + number * 7_919 % (largest - 500);
        let mut content = Vec::with_capacity(bytes + 32);
        while content.len() < bytes {
            content.extend(Sha256::digest(format!("{number} {}", content.len())));
        }
        content.truncate(bytes);
        let file = directory.path().join(&path);
        fs::create_dir_all(file.parent().context("a file has a directory")?)?;
        fs::write(&file, &content)?;
        entries.push(serde_json::json!({
            "path": path, "sha256": hex::encode(Sha256::digest(&content)), "bytes": bytes, "content_type": content_type,
        }));
    }
    let manifest = serde_json::json!({ "release": RELEASE, "files": entries });
    fs::write(directory.path().join("manifest.json"), manifest.to_string())?;
    Ok(Bundle { directory, files })
}
