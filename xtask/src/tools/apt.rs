//! Packages of the machine itself: installed where that is allowed, else named with the command that installs them.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::Missing;
use crate::process;

/// Finds the program, after installing the Debian packages that bring it if need be.
pub(super) fn provide(program: &str, packages: &[&str], missing: Missing) -> Result<PathBuf> {
    if let Some(found) = process::on_path(program) {
        return Ok(found);
    }
    let command = format!("apt-get install {}", packages.join(" "));
    let allowed = missing == Missing::Install
        && rustix::process::geteuid().is_root()
        && process::on_path("apt-get").is_some();
    if !allowed {
        bail!("{program} is missing; install it, on Debian or Ubuntu with `{command}`");
    }
    eprintln!("installing {}", packages.join(", "));
    let install = || {
        process::output(
            Command::new("apt-get")
                .env("DEBIAN_FRONTEND", "noninteractive")
                .args(["install", "--yes", "--no-install-recommends"])
                .args(packages)
                .stdin(Stdio::null()),
        )
    };
    if install().is_err() {
        // A fresh machine or image has no package lists.
        process::output(Command::new("apt-get").arg("update"))?;
        install().with_context(|| format!("cannot install {program}; try `{command}`"))?;
    }
    process::on_path(program)
        .with_context(|| format!("`{command}` succeeded, but {program} is still not on PATH"))
}
