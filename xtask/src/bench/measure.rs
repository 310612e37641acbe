//! What one run of a command cost, and what it printed.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::tools::{self, Missing};
use crate::{paths, process};

/// The cost of one run.
#[derive(Deserialize, Clone, Copy)]
pub(super) struct Cost {
    pub(super) seconds: f64,
    pub(super) peak_bytes: f64,
    code: i32,
}

/// Runs the command once; returns its cost and its standard output.
pub(super) fn run(command: &Command) -> Result<(Cost, Vec<u8>)> {
    let output = tempfile::NamedTempFile::new()?;
    let mut measured = Command::new(tools::require_python(Missing::Name)?);
    measured.arg(paths::root().join("infra/dev/measure.py")).arg(output.path());
    measured.arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => measured.env(key, value),
            None => measured.env_remove(key),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        measured.current_dir(directory);
    }
    let text = process::text(&mut measured)?;
    let cost: Cost = serde_json::from_str(&text).with_context(|| format!("cannot read the cost {text:?}"))?;
    if cost.code != 0 {
        bail!("`{}` ended with exit code {}", process::spelled(command), cost.code);
    }
    Ok((cost, fs::read(output.path())?))
}
