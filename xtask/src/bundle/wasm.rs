//! The frontend as WebAssembly: compiled, bound to JavaScript, shrunk.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow};
use wasm_bindgen_cli_support::Bindgen;

use super::sha256;
use crate::tools::{self, Missing};
use crate::{cargo, paths, process};

/// What rustc's target emits and every browser with `light-dark()` knows.
const FEATURES: [&str; 7] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
    "--enable-simd",
];

/// The list of groups, which stays where it was built.
const GROUPS: &str = "groups.json";

/// What a page loads to run the frontend.
pub(super) struct Frontend {
    /// The main module and what was cut off from it, by file name.
    pub(super) modules: BTreeMap<String, Vec<u8>>,
    /// JavaScript, by its path: what binds the module to the browser, what fetches chunks, and what crates brought along.
    pub(super) scripts: BTreeMap<String, String>,
    /// For each group of pages that was cut off: the modules that it is fetched as.
    pub(super) groups: BTreeMap<String, Vec<String>>,
}

/// Builds the frontend. What wasm-bindgen and wasm-opt made of the same module before is taken from `memory`.
pub(super) fn build(memory: &Path, missing: Missing) -> Result<Frontend> {
    let compiled = fs::read(compile()?)?;
    let optimizer = tools::wasm_opt(missing)?;
    let optimizer_version = process::text(command_like(&optimizer).arg("--version"))?;
    let key = sha256(format!("{} {optimizer_version} {FEATURES:?}", sha256(&compiled)).as_bytes());
    let kept = memory.join(&key);
    if !kept.exists() {
        for entry in fs::read_dir(memory)? {
            fs::remove_dir_all(entry?.path())?;
        }
        let fresh = tempfile::tempdir_in(memory)?;
        cut_and_bind(&compiled, fresh.path())?;
        for module in files(fresh.path())?.into_iter().filter(|name| is_module(name)) {
            shrink(command_like(&optimizer), &fresh.path().join(module))?;
        }
        fs::rename(fresh.path(), &kept)?;
    }
    let mut frontend = Frontend {
        modules: BTreeMap::new(),
        scripts: BTreeMap::new(),
        groups: serde_json::from_slice(&fs::read(kept.join(GROUPS))?)?,
    };
    for name in files(&kept)? {
        let content = fs::read(kept.join(&name))?;
        if is_module(&name) {
            frontend.modules.insert(name, content);
        } else if name != GROUPS {
            frontend.scripts.insert(name, String::from_utf8(content)?);
        }
    }
    Ok(frontend)
}

fn is_module(name: &str) -> bool {
    name.ends_with(".wasm")
}

fn compile() -> Result<PathBuf> {
    let mut command = cargo::cargo();
    command
        .args([
            "build",
            "--package",
            "frontend",
            "--lib",
            "--target",
            "wasm32-unknown-unknown",
            "--profile",
            "wasm-release",
        ])
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", remapping()?)
        // Either would take the place of the flags of the target.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    cargo::build(&mut command)?
        .into_iter()
        .filter(|artefact| artefact.name == "frontend")
        .flat_map(|artefact| artefact.files)
        .find(|file| file.extension().is_some_and(|extension| extension == "wasm"))
        .context("cargo built no .wasm file from package `frontend`")
}

/// Flags that keep the directories of this machine out of the module: its bytes, and so the release, do not depend on them.
fn remapping() -> Result<OsString> {
    let metadata = cargo::Metadata::load()?;
    let rustc =
        |argument: &[&str]| process::text(Command::new("rustc").current_dir(paths::root()).args(argument));
    let sysroot = rustc(&["--print", "sysroot"])?;
    let commit = rustc(&["-vV"])?
        .lines()
        .find_map(|line| line.strip_prefix("commit-hash: ").map(str::to_owned))
        .unwrap_or_else(|| "unknown".to_owned());
    let cargo_home = match std::env::var_os("CARGO_HOME") {
        Some(home) => PathBuf::from(home),
        None => std::env::home_dir().context("neither CARGO_HOME nor HOME is set")?.join(".cargo"),
    };
    // The last that matches wins, so the narrower ones come later.
    let mut pairs = vec![
        (cargo_home.display().to_string(), "/cargo".to_owned()),
        (paths::root().display().to_string(), "/tollgate".to_owned()),
        (metadata.target_directory.display().to_string(), "/target".to_owned()),
        (format!("{sysroot}/lib/rustlib/src/rust"), format!("/rustc/{commit}")),
    ];
    // The registry's directory is named after its address.
    for kind in ["registry/src", "git/checkouts"] {
        for entry in fs::read_dir(cargo_home.join(kind)).into_iter().flatten().flatten() {
            pairs.push((entry.path().display().to_string(), format!("/cargo/{kind}")));
        }
    }
    let mut flags: Vec<String> =
        pairs.into_iter().map(|(from, to)| format!("--remap-path-prefix={from}={to}")).collect();
    // Views as trait objects: Leptos would otherwise make a type, and code, of each nesting of elements.
    flags.push("--cfg=erase_components".to_owned());
    // What a function refers to has to be known, for the module to be cut.
    flags.push("-Clink-arg=--emit-relocs".to_owned());
    Ok(flags.join(" ").into())
}

/// Cuts the module where a page is marked with `wasm_split`, and binds what is left of it to JavaScript. The chunks lie beside it,
/// with the script that fetches them and the list of groups.
fn cut_and_bind(compiled: &[u8], directory: &Path) -> Result<()> {
    let main = directory.join("main.wasm");
    let mut options = wasm_split_cli_support::Options::new(compiled);
    options.output_dir = directory;
    options.main_out_path = &main;
    options.link_name = "./chunks.js";
    options.main_module = "./tollgate.js";
    let cut = wasm_split_cli_support::transform(options)
        .map_err(|error| anyhow!("cannot cut the frontend into chunks: {error:?}"))?;
    let left = fs::read(&main).context("cutting the frontend left no main module")?;
    fs::remove_file(main)?;
    let groups: BTreeMap<String, Vec<String>> = cut
        .prefetch_map
        .into_iter()
        .map(|(group, chunks)| (group, chunks.into_iter().map(|chunk| chunk + ".wasm").collect()))
        .collect();
    fs::write(directory.join(GROUPS), serde_json::to_vec(&groups)?)?;
    bind(&left, directory)
}

fn bind(compiled: &[u8], directory: &Path) -> Result<()> {
    Bindgen::new()
        .input_bytes("tollgate", compiled.to_vec())
        .web(true)?
        .typescript(false)
        .omit_default_module_path(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        // The chunks take memory, table and stack from the main module under these names.
        .keep_lld_exports(true)
        .generate(directory)
        .context("wasm-bindgen cannot bind the frontend")
}

fn shrink(mut optimizer: Command, module: &Path) -> Result<()> {
    optimizer.args(["-Oz", "--strip-producers"]).args(FEATURES).arg(module).arg("-o").arg(module);
    process::output(&mut optimizer).map(drop)
}

fn command_like(command: &Command) -> Command {
    let mut copy = Command::new(command.get_program());
    copy.args(command.get_args());
    copy
}

/// The files below a directory, by their path in it.
fn files(directory: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut pending = vec![directory.to_path_buf()];
    while let Some(current) = pending.pop() {
        for entry in fs::read_dir(&current).with_context(|| format!("cannot read {}", current.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                pending.push(path);
            } else {
                found.push(path.strip_prefix(directory)?.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}
