//! The console with 100,000 instances: how long list queries take over HTTP at a fixed rate, and how much memory it holds.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::report::Row;
use super::{page, stub};
use crate::http::Connection;
use crate::process::{self, Held};
use crate::tools::Missing;
use crate::{bundle, emulator, paths};

const INSTANCES: usize = 100_000;
const PER_SECOND: u32 = 100;
const SECONDS: u32 = 20;
/// As many pages as look at the fleet at once.
const CONNECTIONS: u32 = 8;
/// Long enough for the slowest machine to read the stub once.
const PATIENCE: Duration = Duration::from_secs(180);

/// What is asked, with its order: the whole list, cards and facets, text that is rare, frequent and absent, tags, numbers.
const MIX: [(&str, &str); 10] = [
    ("", "verdict"),
    ("verdict:allows-v1 state:running", "name"),
    ("i-0be000000000012", "name"),
    ("web", "-launched"),
    ("\"no such text\"", "verdict"),
    ("tag:team=payments -tag:env=prod", "account"),
    ("region:us-* type:m*", "type"),
    ("hop:>1 age:>90d", "-hop"),
    ("policy:fail", "policy"),
    ("tokens:optional -managed:yes web", "-launched"),
];

/// Starts the console over a stub of 100,000 instances and measures it.
pub(super) fn rows(binary: &Path) -> Result<Vec<Row>> {
    bundle::build(Missing::Name)?;
    let stub = stub::start(INSTANCES, 1_000)?;
    let directory = tempfile::tempdir()?;
    let port = process::free_port()?;
    let address = format!("127.0.0.1:{port}");
    let mut serve = Command::new(binary);
    serve
        .args([
            "serve",
            "--listen",
            &address,
            "--region",
            "us-east-1",
            "--endpoint-url",
            &stub.url,
            "--database-url",
        ])
        .arg(format!("sqlite://{}", directory.path().join("bench.db").display()))
        .arg("--site")
        .arg(paths::site())
        .env("TOLLGATE_REFRESH_INTERVAL", "1h")
        .env("TOLLGATE_STALE_AFTER", "2h")
        .env("RUST_LOG", "error")
        .current_dir(directory.path());
    emulator::environment(&mut serve);
    let held = Held::start("tollgate", &serve)?;
    let total = format!("\"total\":{INSTANCES}");
    let everything = target(MIX[0], 0);
    let evaluated = target(("policy:not-evaluated", "name"), 0);
    let ready = process::wait_until(PATIENCE, || {
        let answer =
            |target: &str| Connection::open(&address).and_then(|mut connection| connection.get(target));
        answer(&everything).is_ok_and(|body| body.contains(&total))
            && answer(&evaluated).is_ok_and(|body| body.contains("\"matched\":0"))
    });
    if !ready {
        bail!("the console did not show {INSTANCES} instances within {PATIENCE:?}");
    }
    let mut times = load(&address)?;
    times.sort_by(f64::total_cmp);
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    let case = format!("list query over {INSTANCES} instances, 200 rows, {PER_SECOND} requests/s");
    let row = |metric, unit, ours: f64| Row {
        case: case.clone(),
        metric,
        unit,
        ours: (ours * 1e3).round() / 1e3,
        peers: BTreeMap::new(),
    };
    let mut rows = vec![
        row("median", "ms", at(50)),
        row("99th percentile", "ms", at(99)),
        row("resident memory", "MB", memory(held.id(), "VmRSS")? / 1e6),
        row(
            "resident memory at its peak, while a copy replaces another",
            "MB",
            memory(held.id(), "VmHWM")? / 1e6,
        ),
    ];
    rows.extend(page::rows(&address, INSTANCES)?);
    Ok(rows)
}

/// Asks at a fixed rate whether or not answers have come: a slow one does not spare the next. A time counts from when the
/// request was due.
fn load(address: &str) -> Result<Vec<f64>> {
    let times = Mutex::new(Vec::new());
    let start = Instant::now();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..CONNECTIONS)
            .map(|worker| {
                let times = &times;
                scope.spawn(move || -> Result<()> {
                    let mut connection = Connection::open(address)?;
                    for number in (worker..PER_SECOND * SECONDS).step_by(CONNECTIONS as usize) {
                        let due = start + Duration::from_secs(1) * number / PER_SECOND;
                        thread::sleep(due.saturating_duration_since(Instant::now()));
                        // Scrolling through a list asks for other windows of it.
                        let offset = (number / MIX.len() as u32 % 5) * 200;
                        let body = connection.get(&target(MIX[number as usize % MIX.len()], offset))?;
                        let took = due.elapsed().as_secs_f64() * 1e3;
                        if !body.contains("\"matched\":") {
                            bail!("the console answered {body:.200}");
                        }
                        times.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(took);
                    }
                    Ok(())
                })
            })
            .collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap_or_else(|_| bail!("a worker panicked")))
    })?;
    times.into_inner().ok().filter(|times| !times.is_empty()).context("nothing was measured")
}

fn target((query, sort): (&str, &str), offset: u32) -> String {
    format!("/api/fleet/list?q={}&sort={sort}&offset={offset}&limit=200", encoded(query))
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(
            |byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            },
        )
        .collect()
}

/// A figure of the program that `holder` started, in bytes, by its name in `/proc/PID/status`.
pub(super) fn memory(holder: u32, name: &str) -> Result<f64> {
    let children = std::fs::read_to_string(format!("/proc/{holder}/task/{holder}/children"))?;
    let process = children.split_whitespace().next().context("the console has ended")?;
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let figure = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kilobytes = figure.and_then(|text| text.split_whitespace().next());
    let kilobytes: f64 = kilobytes.with_context(|| format!("there is no {name}"))?.parse()?;
    Ok(kilobytes * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_encoded_whole() {
        assert_eq!(
            target(("hop:>1 a", "-hop"), 200),
            "/api/fleet/list?q=hop%3A%3E1%20a&sort=-hop&offset=200&limit=200"
        );
    }
}
