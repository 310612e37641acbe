//! The CDN's function, run by Node, and its Terraform module: formatted, valid, and what it would make.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;

use super::scratch;
use super::summary::Count;
use crate::tools::{self, Missing, terraform};
use crate::{lint, paths, process};

const TERRAFORM: &str = "infra/terraform";
const MODULE: &str = "infra/terraform/modules/cdn";

pub(super) fn test() -> Result<Count> {
    let mut count = function()?;
    let copy = scratch("terraform")?;
    copy_sources(copy.path())?;
    let (module, example) = (copy.path().join(MODULE), copy.path().join(MODULE).join("examples/console"));

    let program = match terraform::program() {
        Ok(program) => program,
        Err(missing) => return not_run(count, &missing),
    };
    let start = Instant::now();
    count.check("Terraform is formatted", start.elapsed(), formatted(&program));
    let ready = terraform::init(&program, &module).and_then(|()| terraform::init(&program, &example));
    if let Err(missing) = ready {
        return not_run(count, &missing);
    }

    let start = Instant::now();
    let valid = succeeded(&mut terraform::command(&program, &example, "validate")).map(drop);
    count.check("the module's example is valid", start.elapsed(), valid);
    count.add(made(&program, &module)?);
    Ok(count)
}

/// What Terraform would have tested, on a machine that has not got it and cannot be given it: no package manager that is used here
/// knows it. The project's own pipeline installs it, so that there it is a failure.
fn not_run(mut count: Count, missing: &anyhow::Error) -> Result<Count> {
    if std::env::var_os("GITHUB_ACTIONS").is_some() {
        count.check("Terraform is there", Duration::ZERO, Err(anyhow!("{missing:#}")));
    } else {
        println!("NOT RUN: what needs Terraform: {missing:#}");
    }
    Ok(count)
}

/// The tests of the function, which count for themselves.
fn function() -> Result<Count> {
    let mut command = Command::new(tools::node(Missing::Install)?);
    command.current_dir(paths::root().join(MODULE)).args([
        "--test",
        "--test-reporter=tap",
        "tests/viewer-request.test.mjs",
    ]);
    let output = run(&mut command)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let count = node_counts(&text)
        .with_context(|| format!("`{}` counted nothing:\n{}", process::spelled(&command), said(&output)))?;
    if count.failed != 0 || !output.status.success() {
        println!("{}", said(&output));
    }
    println!("viewer-request.js: {} passed, {} failed", count.passed, count.failed);
    if !output.status.success() && count.failed == 0 {
        bail!("`{}` ended with {}, and no test failed", process::spelled(&command), output.status);
    }
    Ok(count)
}

/// The sums at the end of what Node prints in the format of the Test Anything Protocol.
fn node_counts(text: &str) -> Option<Count> {
    let sum = |name: &str| -> Option<u32> {
        text.lines().rev().find_map(|line| line.strip_prefix("# ")?.strip_prefix(name)?.trim().parse().ok())
    };
    Some(Count {
        passed: sum("pass ")?,
        failed: sum("fail ")? + sum("cancelled ")?,
        ignored: sum("skipped ")? + sum("todo ")?,
    })
}

fn formatted(program: &Path) -> Result<()> {
    let directory = paths::root().join(TERRAFORM);
    let mut command = terraform::command(program, &directory, "fmt");
    succeeded(command.args(["-check", "-diff", "-recursive"])).map(drop)
}

/// In a copy: Terraform writes beside what it reads.
fn copy_sources(root: &Path) -> Result<()> {
    for path in lint::tracked(&[])?.iter().filter(|path| path.starts_with(TERRAFORM)) {
        let target = root.join(path);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::copy(paths::root().join(path), &target).with_context(|| format!("cannot copy {path}"))?;
    }
    Ok(())
}

/// One line of `terraform test -json`, as far as it is read.
#[derive(Deserialize)]
struct Event {
    test_run: Option<Run>,
    test_summary: Option<Sums>,
    diagnostic: Option<Diagnostic>,
}

#[derive(Deserialize)]
struct Run {
    run: String,
    status: Option<String>,
}

#[derive(Deserialize, Debug, PartialEq, Eq)]
struct Sums {
    #[serde(default)]
    passed: u32,
    #[serde(default)]
    failed: u32,
    #[serde(default)]
    errored: u32,
    #[serde(default)]
    skipped: u32,
}

#[derive(Deserialize)]
struct Diagnostic {
    severity: String,
    summary: String,
    #[serde(default)]
    detail: String,
}

/// What the module would make, which counts for itself.
fn made(program: &Path, module: &Path) -> Result<Count> {
    let mut command = terraform::command(program, module, "test");
    let output = run(command.arg("-json"))?;
    let (count, problems) = read(&String::from_utf8_lossy(&output.stdout));
    for problem in problems {
        println!("{problem}");
    }
    let Some(count) = count else {
        bail!("`{}` counted nothing:\n{}", process::spelled(&command), said(&output));
    };
    println!("module: {} passed, {} failed", count.passed, count.failed);
    if !output.status.success() && count.failed == 0 {
        bail!("`{}` ended with {}:\n{}", process::spelled(&command), output.status, said(&output));
    }
    Ok(count)
}

/// The sums, and what a person should see.
fn read(text: &str) -> (Option<Count>, Vec<String>) {
    let mut count = None;
    let mut problems = Vec::new();
    for event in text.lines().filter_map(|line| serde_json::from_str::<Event>(line).ok()) {
        if let Some(Run { run, status: Some(status) }) = event.test_run
            && (status == "fail" || status == "error")
        {
            problems.push(format!("FAILED  {run}"));
        }
        if let Some(Diagnostic { severity, summary, detail }) = event.diagnostic
            && severity == "error"
        {
            problems.push(format!("  {summary}: {detail}"));
        }
        if let Some(Sums { passed, failed, errored, skipped }) = event.test_summary {
            // A run is skipped after one that could not be carried out, which is counted already.
            let ignored = if errored == 0 { skipped } else { 0 };
            count = Some(Count { passed, failed: failed + errored, ignored });
        }
    }
    (count, problems)
}

fn run(command: &mut Command) -> Result<Output> {
    command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start `{}`", process::spelled(command)))
}

/// Runs a program that says what is wrong on standard output.
fn succeeded(command: &mut Command) -> Result<Output> {
    let output = run(command)?;
    if !output.status.success() {
        bail!("`{}` failed ({}):\n{}", process::spelled(command), output.status, said(&output));
    }
    Ok(output)
}

fn said(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_sums_are_read() {
        let text = "ok 1 - a\n# a comment\n1..3\n# tests 3\n# suites 0\n# pass 1\n# fail 1\n# cancelled 0\n# skipped 1\n# todo 0\n";
        assert_eq!(node_counts(text), Some(Count { passed: 1, failed: 1, ignored: 1 }));
        assert_eq!(node_counts("SyntaxError\n"), None);
    }

    #[test]
    fn terraforms_sums_and_failures_are_read() {
        let text = r#"
            {"@level":"info","type":"version","terraform":"1.11.4"}
            {"type":"test_run","test_run":{"path":"tests/a.tftest.hcl","run":"private","progress":"starting"}}
            {"type":"test_run","test_run":{"path":"tests/a.tftest.hcl","run":"private","progress":"complete","status":"fail"}}
            {"type":"diagnostic","diagnostic":{"severity":"warning","summary":"Old","detail":"Very."}}
            {"type":"diagnostic","diagnostic":{"severity":"error","summary":"Test assertion failed","detail":"It is public."}}
            {"type":"test_summary","test_summary":{"status":"fail","passed":2,"failed":1,"errored":0,"skipped":0}}"#;
        let (count, problems) = read(text);
        assert_eq!(count, Some(Count { passed: 2, failed: 1, ignored: 0 }));
        assert_eq!(problems, ["FAILED  private", "  Test assertion failed: It is public."]);
        assert_eq!(read("Error: no provider\n"), (None, Vec::new()));
    }

    #[test]
    fn a_run_that_breaks_off_is_counted_once() {
        let text = r#"{"type":"test_summary","test_summary":{"status":"error","passed":1,"failed":0,"errored":1,"skipped":4}}"#;
        assert_eq!(read(text).0, Some(Count { passed: 1, failed: 1, ignored: 0 }));
    }
}
