//! The tools that are not Rust: found on the machine, fetched into the tool cache, or named with the command that installs them.

mod apt;
mod charts;
mod go;
mod kubernetes;
mod python;
pub(crate) mod terraform;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::{paths, process};

pub(crate) use charts::values as chart_values;
pub(crate) use kubernetes::Kubernetes;
pub(crate) use python::environment as python_environment;
pub(crate) use python::environment_exists as python_environment_exists;
pub(crate) use python::require as require_python;

const BINARYEN: &str = "132.0.0";
const OIDC_PROVIDER: &str = "9.13.3";
const AXE_CORE: &str = "4.14.1";
/// GitHub's description of its API, webhooks that were recorded, and what holds values to a description.
const GITHUB: [(&str, &str); 6] = [
    ("@octokit/openapi", "23.0.2"),
    ("@octokit/graphql-schema", "15.26.1"),
    ("@octokit/webhooks-examples", "7.6.1"),
    ("ajv", "8.20.0"),
    ("ajv-formats", "3.0.1"),
    ("graphql", "16.15.0"),
];
/// What is read of the first.
const GITHUB_DESCRIPTION: &str = "api.github.com.json";
const MACHETE: &str = "0.9.2";

const OPA: go::Tool = go::Tool {
    name: "opa",
    module: "infra/dev/tools",
    package: "github.com/open-policy-agent/opa",
    version: None,
};

/// What to do about a tool that comes from the machine's package manager and is not there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Say how to install it: the machine belongs to a developer.
    Name,
    /// Install it, if we are allowed to: the machine is there for the tests.
    Install,
}

/// Makes something in the tool cache once. `make` gets the empty directory; a directory that was not finished is made again.
fn cached(name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let directory = paths::tools().join(name);
    let complete = directory.join(".complete");
    if is_cached(name) {
        return Ok(directory);
    }
    fs::create_dir_all(paths::tools())
        .with_context(|| format!("cannot create {}", paths::tools().display()))?;
    let lock = File::create(paths::tools().join(format!("{name}.lock")))?;
    lock.lock().with_context(|| format!("cannot lock {name} in the tool cache"))?;
    if !complete.exists() {
        if directory.exists() {
            fs::remove_dir_all(&directory)?;
        }
        fs::create_dir_all(&directory)?;
        eprintln!("preparing {name} in {}", paths::tools().display());
        make(&directory).with_context(|| format!("cannot prepare {name}"))?;
        File::create(&complete)?;
    }
    Ok(directory)
}

/// Whether something was made, and finished.
fn is_cached(name: &str) -> bool {
    paths::tools().join(name).join(".complete").exists()
}

/// The first twelve hex digits of a content's hash: enough to tell versions of a file apart.
fn fingerprint(content: &[u8]) -> String {
    hex::encode(&Sha256::digest(content)[..6])
}

/// A package of the npm registry in the tool cache; returns its own directory.
fn npm_package(name: &str, version: &str, missing: Missing) -> Result<PathBuf> {
    let modules = npm_packages(&format!("{name}-{version}"), &[(name, version)], missing, |_| Ok(()))?;
    Ok(modules.join(name))
}

/// Packages of the npm registry beside each other in the tool cache; returns their `node_modules`, of which `trim` takes away what
/// is large and not needed.
fn npm_packages(
    cache: &str,
    packages: &[(&str, &str)],
    missing: Missing,
    trim: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let npm = match process::on_path("npm") {
        Some(npm) => npm,
        None => apt::provide("npm", &["npm"], missing)?,
    };
    let directory = cached(cache, |directory| {
        process::output(
            Command::new(npm)
                .args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-save", "--prefix"])
                .arg(directory)
                .args(packages.iter().map(|(name, version)| format!("{name}@{version}"))),
        )?;
        trim(&directory.join("node_modules"))
    })?;
    Ok(directory.join("node_modules"))
}

/// The optimizer for Wasm, of one version everywhere, so that the same sources give the same release on every machine. Older ones,
/// such as Debian's 108, also export the wrong table where a module has two.
pub(crate) fn wasm_opt(missing: Missing) -> Result<Command> {
    let mut command = Command::new(node(missing)?);
    command.arg(npm_package("binaryen", BINARYEN, missing)?.join("bin/wasm-opt"));
    Ok(command)
}

/// The accessibility checker that the browser tests load into each page.
pub(crate) fn axe(missing: Missing) -> Result<PathBuf> {
    Ok(npm_package("axe-core", AXE_CORE, missing)?.join("axe.min.js"))
}

/// The OpenID Connect provider of `infra/dev/issuer.mjs`, and what runs it.
pub(crate) fn oidc_provider(missing: Missing) -> Result<(PathBuf, PathBuf)> {
    let package = npm_package("oidc-provider", OIDC_PROVIDER, missing)?;
    Ok((node(missing)?, package))
}

/// What `infra/dev/github.mjs` is held to, as the directory that its modules are in.
pub(crate) fn github(missing: Missing) -> Result<PathBuf> {
    let versions: String = GITHUB.map(|(name, version)| format!("{name}@{version} ")).concat();
    let cache = format!("github-{}", fingerprint(versions.as_bytes()));
    npm_packages(&cache, &GITHUB, missing, |modules| {
        // Each description is there for every edition of GitHub, and a second time without references: half a gigabyte.
        let generated = modules.join("@octokit/openapi/generated");
        for entry in fs::read_dir(&generated)? {
            let path = entry?.path();
            if !path.ends_with(GITHUB_DESCRIPTION) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    })
}

/// The webhooks that were recorded, among those modules.
pub(crate) fn github_webhooks(modules: &Path) -> PathBuf {
    modules.join("@octokit/webhooks-examples/api.github.com/index.json")
}

pub(crate) fn node(missing: Missing) -> Result<PathBuf> {
    match process::on_path("node") {
        Some(node) => Ok(node),
        None => apt::provide("node", &["nodejs"], missing),
    }
}

/// cargo-machete, built into the tool cache.
pub(crate) fn machete() -> Result<PathBuf> {
    let directory = cached(&format!("cargo-machete-{MACHETE}"), |directory| {
        process::run(
            crate::cargo::cargo()
                .args(["install", "--quiet", "--locked", "--version", MACHETE, "cargo-machete", "--root"])
                .arg(directory),
        )
    })?;
    Ok(directory.join("bin/cargo-machete"))
}

/// An Open Policy Agent, built from its Go module.
pub(crate) fn opa(missing: Missing) -> Result<PathBuf> {
    OPA.build(missing)
}

/// A browser and its driver.
pub(crate) struct Browser {
    pub(crate) chromium: PathBuf,
    pub(crate) driver: PathBuf,
}

pub(crate) fn browser(missing: Missing) -> Result<Browser> {
    let find = |names: &[&str]| names.iter().find_map(|name| process::on_path(name));
    let chromium = match find(&["chromium", "chromium-browser", "google-chrome"]) {
        Some(found) => found,
        None => apt::provide("chromium", &["chromium", "chromium-driver"], missing)?,
    };
    let driver = match find(&["chromedriver"]) {
        Some(found) => found,
        None => apt::provide("chromedriver", &["chromium-driver"], missing)?,
    };
    Ok(Browser { chromium, driver })
}

/// The directory that holds `initdb` and `postgres`.
pub(crate) fn postgres(missing: Missing) -> Result<PathBuf> {
    if let Some(found) = find_postgres() {
        return Ok(found);
    }
    // The package puts its programs outside of PATH; psql, which it brings along, is on it.
    apt::provide("psql", &["postgresql"], missing)?;
    find_postgres().context(
        "PostgreSQL was installed, but neither PATH nor /usr/lib/postgresql holds initdb and postgres",
    )
}

fn find_postgres() -> Option<PathBuf> {
    let complete = |directory: &PathBuf| {
        ["initdb", "postgres"].iter().all(|name| process::is_executable(&directory.join(name)))
    };
    let mut packaged: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(complete)
        .collect();
    packaged.sort();
    let on_path =
        process::on_path("initdb").and_then(|initdb| initdb.parent().map(Path::to_path_buf)).filter(complete);
    packaged.pop().or(on_path)
}

/// Adds the compilation target of the browser, if it is not there.
pub(crate) fn require_wasm_target() -> Result<()> {
    let sysroot =
        process::text(Command::new("rustc").current_dir(paths::root()).args(["--print", "sysroot"]))?;
    if Path::new(&sysroot).join("lib/rustlib/wasm32-unknown-unknown/lib").exists() {
        return Ok(());
    }
    if process::on_path("rustup").is_none() {
        bail!(
            "the Rust target wasm32-unknown-unknown is missing, and so is rustup; install Rust with rustup"
        );
    }
    process::run(Command::new("rustup").current_dir(paths::root()).args([
        "target",
        "add",
        "wasm32-unknown-unknown",
    ]))
}

/// A C compiler builds SQLite and the TLS library.
pub(crate) fn require_c_compiler(missing: Missing) -> Result<()> {
    if ["cc", "gcc", "clang"].iter().any(|name| process::on_path(name).is_some()) {
        return Ok(());
    }
    apt::provide("cc", &["gcc", "libc6-dev"], missing).map(drop)
}

/// `cargo xtask tools`: every tool of the tests, ready.
pub(crate) fn list() -> Result<ExitCode> {
    let missing = Missing::Install;
    require_c_compiler(missing)?;
    require_wasm_target()?;
    let browser = browser(missing)?;
    let kubernetes = Kubernetes::provide(missing)?;
    let rows = [
        ("python (moto)", python_environment("moto", &crate::emulator::requirements(), missing)?),
        ("ministack", crate::emulator::second(missing)?),
        ("wasm-opt", PathBuf::from(process::spelled(&wasm_opt(missing)?))),
        ("opa", opa(missing)?),
        ("etcd", kubernetes.etcd),
        ("kube-apiserver", kubernetes.api_server),
        ("argo (CRDs)", kubernetes.definitions),
        ("charts (values)", chart_values(missing)?),
        ("postgres", postgres(missing)?),
        ("chromium", browser.chromium),
        ("chromedriver", browser.driver),
        ("axe-core", axe(missing)?),
        ("oidc-provider", oidc_provider(missing)?.1),
        ("github", github(missing)?),
        ("terraform", terraform::program()?),
        ("cargo-machete", machete()?),
    ];
    for (name, path) in rows {
        println!("{name:<14} {}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}
