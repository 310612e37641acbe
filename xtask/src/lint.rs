//! `cargo xtask lint`: what can be checked without running anything.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Result, bail};

use crate::{cargo, paths, process, tools};

/// One thing that is checked.
pub(crate) struct Check {
    pub(crate) name: &'static str,
    run: fn() -> Result<()>,
}

pub(crate) const CHECKS: [Check; 7] = [
    Check { name: "every module says what it is for", run: module_docs },
    Check { name: "no tracked file names a machine", run: machine_names },
    Check {
        name: "formatting",
        run: || process::run(cargo::cargo().args(["fmt", "--all", "--", "--check"])),
    },
    Check { name: "unused dependencies", run: unused_dependencies },
    Check {
        name: "clippy",
        run: || process::run(clippy().args(["--workspace", "--all-targets", "--", "-D", "warnings"])),
    },
    Check {
        name: "clippy of the frontend",
        run: || {
            tools::require_wasm_target()?;
            let target =
                ["--package", "frontend", "--target", "wasm32-unknown-unknown", "--", "-D", "warnings"];
            process::run(clippy().args(target))
        },
    },
    Check { name: "rustdoc", run: rustdoc },
];

impl Check {
    pub(crate) fn run(&self) -> Result<()> {
        (self.run)()
    }
}

pub(crate) fn run() -> Result<ExitCode> {
    let mut failed = Vec::new();
    for check in &CHECKS {
        let start = Instant::now();
        match check.run() {
            Ok(()) => println!("ok      {:<36} {:>6.1?}", check.name, start.elapsed()),
            Err(error) => {
                println!("FAILED  {}\n{error:#}", check.name);
                failed.push(check.name);
            }
        }
    }
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    bail!("{} of {} checks failed: {}", failed.len(), CHECKS.len(), failed.join(", "))
}

fn clippy() -> Command {
    let mut command = cargo::cargo();
    command.args(["clippy", "--quiet"]);
    command
}

fn rustdoc() -> Result<()> {
    process::run(
        cargo::cargo()
            .args(["doc", "--quiet", "--workspace", "--no-deps", "--document-private-items"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )
}

fn unused_dependencies() -> Result<()> {
    // Directories are named, because target/ holds other crates.
    let metadata = cargo::Metadata::load()?;
    let mut command = Command::new(tools::machete()?);
    command
        .current_dir(paths::root())
        .args(metadata.packages.iter().filter_map(|package| package.manifest_path.parent()));
    process::output(&mut command).map(drop)
}

/// The files that Git tracks or would track, relative to the root.
pub(crate) fn tracked(extensions: &[&str]) -> Result<Vec<String>> {
    let list = process::text(Command::new("git").current_dir(paths::root()).args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))?;
    let wanted =
        |path: &&str| extensions.is_empty() || extensions.iter().any(|extension| path.ends_with(extension));
    Ok(list
        .lines()
        .filter(wanted)
        .map(str::to_owned)
        .filter(|path| paths::root().join(path).is_file())
        .collect())
}

fn module_docs() -> Result<()> {
    let without: Vec<String> = tracked(&[".rs"])?
        .into_iter()
        .filter(|path| {
            !fs::read_to_string(paths::root().join(path)).is_ok_and(|text| text.starts_with("//! "))
        })
        .collect();
    if !without.is_empty() {
        bail!(
            "these files do not open with a `//!` sentence that says what they are for:\n  {}",
            without.join("\n  ")
        );
    }
    Ok(())
}

/// A path or a host of the machine that something was written on works nowhere else.
fn machine_names() -> Result<()> {
    let mut found = Vec::new();
    for path in tracked(&[])? {
        let Ok(text) = fs::read_to_string(paths::root().join(&path)) else {
            continue; // Not text.
        };
        for (number, line) in text.lines().enumerate() {
            if let Some(name) = machine_name(Path::new(&path), line) {
                found.push(format!("{path}:{}: {name}", number + 1));
            }
        }
    }
    if !found.is_empty() {
        bail!("these lines name a place that exists on one machine only:\n  {}", found.join("\n  "));
    }
    Ok(())
}

/// The home directory or the private registry that a line names, if any.
fn machine_name<'a>(path: &Path, line: &'a str) -> Option<&'a str> {
    let word =
        |start: usize| line[start..].split(|c: char| c.is_whitespace() || "\"'`),;".contains(c)).next();
    for home in ["/home/", "/Users/"] {
        if let Some(start) = line.find(home) {
            let user = &line[start + home.len()..];
            // The user of an image is part of the image, not of a machine.
            let named = user.starts_with(|c: char| c.is_ascii_alphanumeric());
            let in_image = ["runner/", "nonroot", "tollgate"].iter().any(|known| user.starts_with(known));
            if named && !in_image {
                return word(start);
            }
        }
    }
    // Lock files name where each package came from. Cargo writes its public index by one name for everyone; npm writes the
    // address of whichever mirror was asked, and need not.
    let is_lock = path.file_name().is_some_and(|name| name == "Cargo.lock" || name == "package-lock.json");
    let public = "registry+https://github.com/rust-lang/crates.io-index";
    if is_lock && (line.contains("registry+") || line.contains("\"resolved\"")) && !line.contains(public) {
        return Some(line.trim());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn home_directories_are_found() {
        let name = |line| machine_name(Path::new("docs/a.md"), line);
        // Put together here, so that this file does not name one.
        let home = ["/home", "/alice/project"].concat();
        assert_eq!(machine_name(Path::new("a.md"), &format!("cd \"{home}\" && make")), Some(home.as_str()));
        assert_eq!(name("USER /home/nonroot"), None);
        assert_eq!(name("https://example.com/home/"), None);
    }

    #[test]
    fn private_registries_are_found_in_lock_files() {
        let name = |line| machine_name(Path::new("Cargo.lock"), line);
        assert_eq!(name("source = \"registry+https://github.com/rust-lang/crates.io-index\""), None);
        assert!(name("source = \"registry+https://mirror.example.com/index\"").is_some());
    }
}
