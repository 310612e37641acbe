//! Terraform, and where the machine keeps the providers that it would otherwise fetch.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;

/// Names of providers below a plugin directory begin with the registry that they are from.
const AWS_PROVIDER: &str = "registry.terraform.io/hashicorp/aws";

/// The program. Debian has no package of it, so that nothing can install it here.
pub(crate) fn program() -> Result<PathBuf> {
    process::on_path("terraform").context(
        "terraform is missing; install 1.11 or later from https://developer.hashicorp.com/terraform/install",
    )
}

/// A command of Terraform's that asks nobody and nothing.
pub(crate) fn command(program: &Path, directory: &Path, subcommand: &str) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(directory)
        .env("CHECKPOINT_DISABLE", "1")
        .env("TF_IN_AUTOMATION", "1")
        .args([subcommand, "-no-color"]);
    command
}

/// Fetches the providers of a configuration.
///
/// # Errors
/// What is missing, and each place that was asked for it.
pub(crate) fn init(program: &Path, directory: &Path) -> Result<()> {
    // Terraform looks into its own directories by itself, and not when one is named.
    let mirrors = plugin_directories(Path::new("/opt"));
    let mut places: Vec<Option<&Path>> = mirrors.iter().map(|mirror| Some(mirror.as_path())).collect();
    places.push(None);
    let mut problems = Vec::new();
    for place in places {
        let mut init = command(program, directory, "init");
        init.args(["-backend=false", "-input=false"]);
        if let Some(mirror) = place {
            init.arg(format!("-plugin-dir={}", mirror.display()));
        }
        match process::output(&mut init) {
            Ok(_) => return Ok(()),
            Err(error) => problems.push(format!("{error:#}")),
        }
    }
    bail!(
        "the provider hashicorp/aws is missing in the version that versions.tf asks for: no plugin directory of this machine \
         holds it (/opt/*, ~/.terraform.d/plugins, /usr/local/share/terraform/plugins), and the registry does not give it. \
         `terraform providers mirror DIRECTORY` fills such a directory where there is a network.\n{}",
        problems.join("\n")
    )
}

/// The directories in `parent` that are laid out as Terraform's plugin directories and hold the provider.
fn plugin_directories(parent: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|directory| directory.join(AWS_PROVIDER).is_dir())
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_directory_is_known_by_what_it_holds() {
        let parent = tempfile::tempdir().unwrap();
        let plugins = parent.path().join("plugins");
        fs::create_dir_all(plugins.join(AWS_PROVIDER).join("5.100.0/linux_amd64")).unwrap();
        fs::create_dir_all(parent.path().join("other/registry.terraform.io")).unwrap();
        assert_eq!(plugin_directories(parent.path()), [plugins]);
        assert!(plugin_directories(&parent.path().join("none")).is_empty());
    }
}
