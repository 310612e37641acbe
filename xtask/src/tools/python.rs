//! Python and its packages, each set in an environment of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{Missing, apt, cached, fingerprint, is_cached};
use crate::process;

/// Python 3 itself.
pub(crate) fn require(missing: Missing) -> Result<PathBuf> {
    match process::on_path("python3") {
        Some(python) => Ok(python),
        None => apt::provide("python3", &["python3", "python3-venv"], missing),
    }
}

/// An environment with the packages of a requirements file; returns its interpreter.
pub(crate) fn environment(name: &str, requirements: &Path, missing: Missing) -> Result<PathBuf> {
    let python = require(missing)?;
    let version = process::text(Command::new(&python).arg("--version"))?;
    let content =
        std::fs::read(requirements).with_context(|| format!("cannot read {}", requirements.display()))?;
    let key = fingerprint(&[version.as_bytes(), content.as_slice()].concat());
    let directory = cached(&format!("{name}-{key}"), |directory| {
        let create = || process::output(Command::new(&python).args(["-m", "venv"]).arg(directory));
        if let Err(error) = create() {
            // Debian keeps the venv module in a package of its own; installing it is no use if that was not the reason.
            if missing == Missing::Name || process::on_path("apt-get").is_none() {
                return Err(error.context(
                    "`python3 -m venv` does not work; on Debian or Ubuntu: apt-get install python3-venv",
                ));
            }
            process::output(Command::new("apt-get").arg("update"))?;
            process::output(Command::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args([
                "install",
                "--yes",
                "--no-install-recommends",
                "python3-venv",
            ]))?;
            create()?;
        }
        process::output(
            Command::new(directory.join("bin/python"))
                .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
                .arg(requirements),
        )
        .map(drop)
    })?;
    Ok(directory.join("bin/python"))
}

/// Whether that environment is in the tool cache already.
pub(crate) fn environment_exists(name: &str, requirements: &Path) -> Result<bool> {
    let key = key(name, &require(Missing::Name)?, requirements)?;
    Ok(is_cached(&key))
}

/// Another Python or another list of packages is another environment.
fn key(name: &str, python: &Path, requirements: &Path) -> Result<String> {
    let version = process::text(Command::new(python).arg("--version"))?;
    let content =
        std::fs::read(requirements).with_context(|| format!("cannot read {}", requirements.display()))?;
    Ok(format!("{name}-{}", fingerprint(&[version.as_bytes(), content.as_slice()].concat())))
}
