//! The delivery console over Postgres with the deliveries of 90 days: how soon it is ready, and how long the matrix, a timeline and
//! taking a report in take.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::report::{self, Row};
use crate::http::Connection;
use crate::process::{self, Held};
use crate::test::postgres;
use crate::tools::Missing;
use crate::{cargo, dev, emulator};

/// Pages that are open at once, and webhooks that come meanwhile: 5,000 a minute for 18 seconds.
const PAGES: usize = 500;
const WEBHOOKS: usize = 1_500;
const WEBHOOK_EVERY: Duration = Duration::from_millis(12);
const SECRET: &str = "a secret of this run alone";

/// How many of each are asked.
const REQUESTS: usize = 300;
const PATIENCE: Duration = Duration::from_secs(120);
const DAYS: u32 = 90;

pub(super) fn run(quick: bool, binary: Option<PathBuf>) -> Result<()> {
    let services: u32 = if quick { 10 } else { 200 };
    let binary = match binary {
        Some(binary) => binary,
        None => cargo::build_binary("server", "tollgate", true)?,
    };
    let database = postgres::start(Missing::Name)?;
    let mut load = cargo::cargo();
    load.args(["run", "--quiet", "--release", "--package", "store", "--example", "delivery_load", "--"]);
    let loaded = process::text(load.arg(database.url()).args([services.to_string(), DAYS.to_string()]))?;
    let loaded: Value = serde_json::from_str(&loaded).context("the loader speaks JSON")?;
    println!(
        "{} changes, {} facts, loaded in {:.0} s",
        loaded["changes"],
        loaded["facts"],
        loaded["seconds"].as_f64().unwrap_or_default()
    );

    let directory = tempfile::tempdir()?;
    let file = directory.path().join("tollgate.toml");
    fs::write(&file, configuration(services))?;
    let port = process::free_port()?;
    let address = format!("127.0.0.1:{port}");
    let mut serve = serve(&binary, &file, &address, &database.url());
    serve.current_dir(directory.path());
    emulator::environment(&mut serve);
    let begun = Instant::now();
    let server = Held::start("tollgate", &serve)?;
    let matrix = "/api/delivery/matrix";
    let socket = address.parse().context("an address")?;
    if !process::wait_until(PATIENCE, || dev::answers(socket)) {
        bail!("the console was not ready within {PATIENCE:?}");
    }
    let mut connection = Connection::open(&address)?;
    let first = connection.get(matrix)?;
    let ready = begun.elapsed().as_secs_f64();
    let shown: Value = serde_json::from_str(&first).context("the matrix is JSON")?;
    if shown["rows"].as_array().map(Vec::len) != Some(services as usize) {
        bail!("the matrix shows something else: {first:.200}");
    }

    let case = |name: &str| format!("{name}, {services} services, {DAYS} days, {} facts", loaded["facts"]);
    let mut rows = vec![row(case("start to the first matrix"), "time", "s", ready)];
    let mut measure =
        |name: &str, ask: &mut dyn FnMut(usize) -> Result<(&'static str, String, String)>| -> Result<()> {
            let mut times = Vec::with_capacity(REQUESTS);
            for number in 0..REQUESTS {
                let (method, target, body) = ask(number)?;
                let asked = Instant::now();
                let answer = connection.send(method, &target, &body)?;
                times.push(asked.elapsed().as_secs_f64() * 1e3);
                if answer.contains("\"message\"") {
                    bail!("{target}: {answer:.300}");
                }
            }
            times.sort_by(f64::total_cmp);
            for (metric, share) in [("median", 50), ("99th percentile", 99)] {
                rows.push(row(case(name), metric, "ms", times[(times.len() - 1) * share / 100]));
            }
            Ok(())
        };
    measure("matrix", &mut |_| Ok(("GET", matrix.into(), String::new())))?;
    let commits = commits(&shown)?;
    measure("timeline", &mut |number| {
        let (service, commit) = &commits[number % commits.len()];
        Ok(("GET", format!("/api/delivery/timeline?service={service}&commit={commit}"), String::new()))
    })?;
    measure("a report taken in", &mut |number| {
        let (service, commit) = &commits[number % commits.len()];
        let report = json!({ "service": service, "commit": commit, "stage": "ci", "job": format!("bench-{number}"), "status": "succeeded" });
        Ok(("POST", "/api/delivery/report".into(), json!({ "reports": [report] }).to_string()))
    })?;
    let held = Flood { address: &address, pages: if quick { 50 } else { PAGES } };
    rows.extend(held.measure(&commits, server.id(), &case("webhooks at 5,000 a minute"))?);
    report::publish("delivery", &rows)
}

/// Webhooks as fast as a large organization sends them, while many pages are open.
struct Flood<'a> {
    address: &'a str,
    pages: usize,
}

impl Flood<'_> {
    fn measure(&self, commits: &[(String, String)], server: u32, case: &str) -> Result<Vec<Row>> {
        let mut pages = Vec::with_capacity(self.pages);
        for _ in 0..self.pages {
            let mut page = TcpStream::connect(self.address)?;
            write!(
                page,
                "GET /api/events HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\n\r\n",
                self.address
            )?;
            page.set_read_timeout(Some(PATIENCE))?;
            pages.push(page);
        }
        // Each has its answer begun before anything is told.
        for page in &mut pages {
            page.read_exact(&mut [0; 15])?;
        }
        let mut connection = Connection::open(self.address)?;
        let mut times = Vec::with_capacity(WEBHOOKS);
        let begun = Instant::now();
        for number in 0..WEBHOOKS {
            let due = begun + WEBHOOK_EVERY * u32::try_from(number)?;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let (service, commit) = &commits[number % commits.len()];
            let body = workflow_job(service, commit, number).to_string();
            // From when it was due: a server that falls behind is not waited for.
            let answer = connection.send_with(&signed(&body)?, "POST", "/api/delivery/github", &body)?;
            times.push(due.elapsed().as_secs_f64() * 1e3);
            if !answer.contains("\"new\":1") {
                bail!("a webhook was answered otherwise: {answer:.300}");
            }
        }
        times.sort_by(f64::total_cmp);
        let told: usize = pages.iter_mut().map(|page| told(page).map(usize::from)).sum::<Result<usize>>()?;
        if told != pages.len() {
            bail!("{told} of {} open pages were told", pages.len());
        }
        let case = format!("{case}, {} open pages", self.pages);
        let of = |share: usize| times[(times.len() - 1) * share / 100];
        Ok(vec![
            row(case.clone(), "median", "ms", of(50)),
            row(case.clone(), "99th percentile", "ms", of(99)),
            row(case, "resident memory", "MB", super::console::memory(server, "VmRSS")? / 1e6),
        ])
    }
}

/// Whether an open page was told of a delivery.
fn told(page: &mut TcpStream) -> Result<bool> {
    let mut read = vec![0; 1 << 20];
    let mut text = String::new();
    // The first answer to come ends the waiting: what the page was told lies there by now.
    for _ in 0..64 {
        let length = page.read(&mut read)?;
        text.push_str(&String::from_utf8_lossy(&read[..length]));
        if text.contains("delivery") {
            return Ok(true);
        }
        if length == 0 {
            break;
        }
    }
    Ok(false)
}

fn workflow_job(service: &str, commit: &str, number: usize) -> Value {
    json!({
        "action": "completed",
        "repository": { "full_name": format!("acme/{service}") },
        "workflow_job": {
            "id": 1_000_000 + number, "run_id": number, "name": format!("flood-{number}"), "workflow_name": "build",
            "head_sha": commit, "head_branch": "main", "status": "completed", "conclusion": "success",
            "run_attempt": 1, "started_at": "2026-11-01T10:00:00Z", "completed_at": "2026-11-01T10:01:00Z",
        },
    })
}

/// The headers of a signed webhook.
fn signed(body: &str) -> Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes())?;
    mac.update(body.as_bytes());
    let signature = hex::encode(mac.finalize().into_bytes());
    Ok(format!("X-GitHub-Event: workflow_job\r\nX-Hub-Signature-256: sha256={signature}\r\n"))
}

fn serve(binary: &Path, file: &Path, address: &str, database_url: &str) -> Command {
    let mut serve = Command::new(binary);
    serve
        .args(["--config".as_ref(), file.as_os_str()])
        .args(["serve", "--listen", address, "--region", "us-east-1"])
        // Nobody listens there: deliveries do not wait for the fleet.
        .args(["--endpoint-url", "http://127.0.0.1:9", "--database-url", database_url])
        .env("RUST_LOG", "off");
    serve
}

fn configuration(services: u32) -> String {
    let mut text = format!(
        "[delivery]\nenvironments = [\"dev\", \"test\", \"staging\", \"prod\"]\ngithub_webhook_secret = \"{SECRET}\"\n"
    );
    for number in 0..services {
        text.push_str(&format!(
            "\n[[services]]\nname = \"service-{number}\"\nrepository = \"acme/service-{number}\"\n"
        ));
    }
    text
}

/// What runs, as services with their commits.
fn commits(matrix: &Value) -> Result<Vec<(String, String)>> {
    let rows = matrix["rows"].as_array().context("the matrix has rows")?;
    let commits = rows.iter().flat_map(|row| {
        let service = row["service"].as_str().unwrap_or_default();
        let cells = row["cells"].as_array().into_iter().flatten();
        cells.filter_map(move |cell| Some((service.to_owned(), cell["commit"].as_str()?.to_owned())))
    });
    let commits: Vec<_> = commits.collect();
    if commits.is_empty() { bail!("nothing runs anywhere") } else { Ok(commits) }
}

fn row(case: String, metric: &'static str, unit: &'static str, ours: f64) -> Row {
    Row { case, metric, unit, ours: (ours * 1e3).round() / 1e3, peers: BTreeMap::new() }
}
