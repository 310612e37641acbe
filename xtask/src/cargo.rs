//! Cargo as the builder: what to run, and where it left what was built.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::{paths, process};

/// Cargo at the root of the checkout, free of the variables that `cargo run` has set for us.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(paths::root());
    // They would be seen by build scripts, and what is built would depend on who asked.
    for (key, _) in env::vars_os() {
        let name = key.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&key);
        }
    }
    command
}

#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Message {
    CompilerArtifact {
        target: Target,
        filenames: Vec<PathBuf>,
        executable: Option<PathBuf>,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// One thing that was built.
pub(crate) struct Artefact {
    pub(crate) name: String,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) executable: Option<PathBuf>,
}

/// Runs a `cargo build` and returns what it built (or found built already).
pub(crate) fn build(command: &mut Command) -> Result<Vec<Artefact>> {
    command.arg("--message-format=json-render-diagnostics").stderr(Stdio::inherit());
    let output = command.output().with_context(|| format!("cannot start `{}`", process::spelled(command)))?;
    if !output.status.success() {
        bail!("`{}` failed", process::spelled(command));
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| match serde_json::from_str(line) {
            Ok(Message::CompilerArtifact { target, filenames, executable }) => {
                Some(Ok(Artefact { name: target.name, files: filenames, executable }))
            }
            Ok(Message::Other) => None,
            Err(error) => Some(Err(error).context("cargo said something that cannot be read")),
        })
        .collect()
}

/// Builds one binary and returns its file.
pub(crate) fn build_binary(package: &str, binary: &str, release: bool) -> Result<PathBuf> {
    let mut command = cargo();
    // The whole workspace is selected, so that dependencies have the same features as in the tests and are compiled once.
    command.args(["build", "--workspace", "--bin", binary]);
    if release {
        command.arg("--release");
    }
    build(&mut command)?
        .into_iter()
        .find_map(|artefact| artefact.executable.filter(|_| artefact.name == binary))
        .with_context(|| format!("cargo built no binary `{binary}` in package `{package}`"))
}

/// What `cargo metadata` knows about the workspace.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) target_directory: PathBuf,
}

#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    pub(crate) targets: Vec<PackageTarget>,
}

#[derive(Deserialize)]
pub(crate) struct PackageTarget {
    pub(crate) name: String,
    pub(crate) kind: Vec<String>,
}

impl Metadata {
    pub(crate) fn load() -> Result<Self> {
        let output = process::output(cargo().args(["metadata", "--format-version", "1", "--no-deps"]))?;
        serde_json::from_slice(&output).context("cannot read what `cargo metadata` says")
    }

    pub(crate) fn has_library(&self, package: &str) -> bool {
        let is_library = |target: &PackageTarget| target.kind.iter().any(|kind| kind.ends_with("lib"));
        self.packages.iter().any(|found| found.name == package && found.targets.iter().any(is_library))
    }

    /// The packages that have a test target of that name.
    pub(crate) fn packages_with_test(&self, test: &str) -> Vec<&str> {
        self.packages
            .iter()
            .filter(|package| {
                package
                    .targets
                    .iter()
                    .any(|target| target.name == test && target.kind.iter().any(|kind| kind == "test"))
            })
            .map(|package| package.name.as_str())
            .collect()
    }
}
