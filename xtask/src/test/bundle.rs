//! The bundle: within its budget, and the same release when built again.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::scratch;
use super::summary::Count;
use crate::tools::Missing;
use crate::{bundle, cargo, lint, paths, process};

/// With `elsewhere` the second build starts from nothing, in another directory.
pub(super) fn test(elsewhere: bool) -> Result<Count> {
    let mut count = Count::default();
    let start = Instant::now();
    let site = bundle::build(Missing::Install)?;
    println!("{}", site.table());
    count.check("the first view is within its budget", start.elapsed(), site.within_budget());

    let start = Instant::now();
    let again = bundle::build_fresh(Missing::Install).and_then(|again| same(&site.release, &again.release));
    count.check("built again, it is the same release", start.elapsed(), again);

    if elsewhere {
        let start = Instant::now();
        let other = build_elsewhere().and_then(|other| same(&site.release, &other));
        count.check("built in another directory, it is the same", start.elapsed(), other);
    }
    Ok(count)
}

fn same(one: &str, other: &str) -> Result<()> {
    if one != other {
        bail!("the release was {one} and is now {other}: something other than the sources goes into it");
    }
    Ok(())
}

#[derive(Deserialize)]
struct Release {
    release: String,
}

fn build_elsewhere() -> Result<String> {
    let checkout = scratch("checkout")?;
    let root = checkout.path().join("a-longer-name-than-the-first");
    copy_sources(&root)?;
    process::run(
        cargo::cargo()
            .current_dir(&root)
            .env("CARGO_TARGET_DIR", checkout.path().join("cargo"))
            .env("TOLLGATE_CACHE_DIR", paths::tools().parent().context("the tool cache has no parent")?)
            .args(["run", "--quiet", "--package", "xtask", "--", "bundle"]),
    )?;
    let text = fs::read(root.join("target/site/release.json"))?;
    Ok(serde_json::from_slice::<Release>(&text)?.release)
}

fn copy_sources(root: &Path) -> Result<()> {
    for path in lint::tracked(&[])? {
        let target = root.join(&path);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::copy(paths::root().join(&path), &target).with_context(|| format!("cannot copy {path}"))?;
    }
    Ok(())
}
