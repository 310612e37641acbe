//! Listing 10,000 instances: ours beside aws-cli and one Cloud Custodian policy, on a stub of fixed cost.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::console;
use super::measure::{self, Cost};
use super::report::{self, Row};
use super::stub;
use crate::tools::{self, Missing};
use crate::{cargo, emulator, paths, process};

/// Alternating, so that a machine that slows down slows down all of them.
const RUNS: usize = 5;
const QUICK_RUNS: usize = 3;

/// Who is measured.
#[derive(Clone)]
enum Runner {
    Tollgate(PathBuf),
    AwsCli(PathBuf),
    Custodian(PathBuf),
}

impl Runner {
    fn name(&self) -> &'static str {
        match self {
            Self::Tollgate(_) => "tollgate",
            Self::AwsCli(_) => "aws-cli",
            Self::Custodian(_) => "cloud-custodian",
        }
    }

    fn command(&self, url: &str, output: &Path) -> Command {
        let mut command = match self {
            Self::Tollgate(program) => {
                let mut command = Command::new(program);
                command.args([
                    "fleet",
                    "list",
                    "--output",
                    "json",
                    "--region",
                    "us-east-1",
                    "--endpoint-url",
                    url,
                ]);
                command
            }
            Self::AwsCli(program) => {
                let mut command = Command::new(program);
                command.args(["ec2", "describe-instances", "--output", "json"]);
                command
            }
            Self::Custodian(program) => {
                let mut command = Command::new(program);
                command.args([
                    "run",
                    "--dryrun",
                    "--cache-period",
                    "0",
                    "--region",
                    "us-east-1",
                    "--output-dir",
                ]);
                command.arg(output).arg(paths::root().join("infra/dev/peers/custodian.yml"));
                command
            }
        };
        emulator::environment(&mut command).env("AWS_ENDPOINT_URL", url).env("AWS_REGION", "us-east-1");
        // aws-cli 1 reads the older name only. A home of its own: no configuration of the caller's may interfere.
        command.env("AWS_DEFAULT_REGION", "us-east-1").env("HOME", output).current_dir(output);
        command
    }

    /// Whether the run did the work: an empty answer is quick.
    fn check(&self, printed: &[u8], output: &Path) -> Result<()> {
        let (found, expected) = match self {
            Self::Tollgate(_) | Self::AwsCli(_) => (instances_in(printed), stub::INSTANCES),
            Self::Custodian(_) => {
                let resources = fs::read(output.join("allows-imdsv1/resources.json"))
                    .context("Cloud Custodian wrote no resources.json")?;
                (instances_in(&resources), stub::OPTIONAL)
            }
        };
        if found != expected {
            bail!("{} found {found} instances, not {expected}", self.name());
        }
        Ok(())
    }
}

pub(super) fn run(quick: bool, binary: Option<PathBuf>) -> Result<()> {
    let binary = match binary {
        Some(binary) => {
            fs::canonicalize(&binary).with_context(|| format!("there is no {}", binary.display()))?
        }
        None => cargo::build_binary("server", "tollgate", true)?,
    };
    let mut runners = vec![Runner::Tollgate(binary.clone())];
    runners.extend(peers(quick)?);
    let (sizes, runs): (&[usize], usize) = if quick { (&[1000], QUICK_RUNS) } else { (&[1000, 100], RUNS) };
    let mut rows = Vec::new();
    for &size in sizes {
        rows.extend(case(&runners, size, runs)?);
    }
    rows.extend(console::rows(&binary)?);
    rows.push(decision()?);
    report::publish("fleet", &rows)
}

/// What one policy decision costs, from the policy crate's own measurement.
fn decision() -> Result<Row> {
    #[derive(serde::Deserialize)]
    struct Measured {
        decisions_per_second: f64,
    }
    let mut command = cargo::cargo();
    command.args(["run", "--quiet", "--release", "--package", "policy", "--example", "policy_bench"]);
    let Measured { decisions_per_second } = serde_json::from_slice(&process::output(&mut command)?)?;
    println!("{decisions_per_second} policy decisions per second");
    Ok(Row {
        case: "one decision of the default policies, all cores".into(),
        metric: "time",
        unit: "µs",
        ours: (1e9 / decisions_per_second).round() / 1e3,
        peers: BTreeMap::new(),
    })
}

fn peers(quick: bool) -> Result<Vec<Runner>> {
    let mut peers = Vec::new();
    for (name, program) in [("awscli", "aws"), ("custodian", "custodian")] {
        let requirements = paths::root().join(format!("infra/dev/peers/{name}.txt"));
        if quick && !tools::python_environment_exists(name, &requirements)? {
            println!("{name} is not installed and is left out of the quick run");
            continue;
        }
        let program = tools::python_environment(name, &requirements, Missing::Name)?.with_file_name(program);
        peers.push(if name == "awscli" { Runner::AwsCli(program) } else { Runner::Custodian(program) });
    }
    Ok(peers)
}

fn case(runners: &[Runner], size: usize, runs: usize) -> Result<Vec<Row>> {
    let stub = stub::start(stub::INSTANCES, size)?;
    let mut costs: BTreeMap<&'static str, Vec<Cost>> = BTreeMap::new();
    // The first round warms caches of files and is not counted.
    for round in 0..=runs {
        for runner in runners {
            let output = tempfile::tempdir()?;
            let (cost, printed) = measure::run(&runner.command(&stub.url, output.path()))?;
            runner.check(&printed, output.path())?;
            if round != 0 {
                costs.entry(runner.name()).or_default().push(cost);
            }
        }
        eprintln!("{size} instances a page: round {round} of {runs}");
    }
    let case = format!("list {} instances, {size} a page", stub::INSTANCES);
    Ok(vec![
        report::row(&case, "time", "s", &costs, |cost| cost.seconds)?,
        report::row(&case, "peak memory", "MB", &costs, |cost| cost.peak_bytes / 1e6)?,
    ])
}

/// How many different instances a text names.
fn instances_in(text: &[u8]) -> usize {
    let text = String::from_utf8_lossy(text);
    let length = stub::instance_id(0).len();
    let found: HashSet<&str> =
        text.match_indices("i-0be").filter_map(|(start, _)| text.get(start..start + length)).collect();
    found.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_that_is_named_twice_counts_once() {
        let text =
            format!("{0} {1} {0} eni-0be00000000000001 vol-0be", stub::instance_id(1), stub::instance_id(2));
        assert_eq!(instances_in(text.as_bytes()), 2);
    }
}
