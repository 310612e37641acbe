//! The tests of the default policies, run by the Open Policy Agent itself.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::summary::Count;
use crate::tools::{self, Missing};
use crate::{paths, process};

#[derive(Deserialize)]
struct Outcome {
    package: String,
    name: String,
    #[serde(default)]
    fail: bool,
    #[serde(default)]
    skip: bool,
    #[serde(default)]
    error: serde_json::Value,
}

pub(super) fn test() -> Result<Count> {
    let directory = paths::root().join("infra/policy");
    let mut command = Command::new(tools::opa(Missing::Install)?);
    command.args(["test", "--format", "json"]).arg(&directory).stdin(Stdio::null());
    let output =
        command.output().with_context(|| format!("cannot start `{}`", process::spelled(&command)))?;
    // A failing test is exit code 2, with the same output; anything else that is not JSON is a policy that does not load.
    if output.stdout.trim_ascii().is_empty() && !output.status.success() {
        bail!("`{}` failed:\n{}", process::spelled(&command), String::from_utf8_lossy(&output.stderr).trim());
    }
    let outcomes = read(&output.stdout).with_context(|| {
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        format!("`{}` said:\n{}", process::spelled(&command), said.trim())
    })?;
    let count = counted(&outcomes);
    for outcome in outcomes.iter().filter(|outcome| outcome.failed()) {
        println!("FAILED  {}.{}", outcome.package, outcome.name);
    }
    println!("{} passed, {} failed", count.passed, count.failed);
    Ok(count)
}

impl Outcome {
    fn failed(&self) -> bool {
        self.fail || !self.error.is_null()
    }
}

/// OPA prints nothing at all where there are no tests.
fn read(output: &[u8]) -> Result<Vec<Outcome>> {
    let text = output.trim_ascii();
    if text.is_empty() || text == b"null" {
        return Ok(Vec::new());
    }
    Ok(serde_json::from_slice(text)?)
}

fn counted(outcomes: &[Outcome]) -> Count {
    let mut count = Count::default();
    for outcome in outcomes {
        match outcome {
            _ if outcome.skip => count.ignored += 1,
            _ if outcome.failed() => count.failed += 1,
            _ => count.passed += 1,
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_counted() {
        let text = br#"[{"location":{},"package":"data.imds_test","name":"test_a","duration":1},
            {"package":"data.imds_test","name":"test_b","fail":true},
            {"package":"data.imds_test","name":"test_c","error":{"code":"eval_conflict_error"}},
            {"package":"data.imds_test","name":"todo_test_d","skip":true}]"#;
        assert_eq!(counted(&read(text).unwrap()), Count { passed: 1, failed: 2, ignored: 1 });
    }

    #[test]
    fn no_tests_are_no_outcomes() {
        assert!(read(b"\n").unwrap().is_empty());
        assert!(read(b"null").unwrap().is_empty());
        assert!(read(b"1 error occurred").is_err());
    }
}
