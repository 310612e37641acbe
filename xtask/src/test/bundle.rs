//! The bundle: within its budget, and the same release when built again.

use std::collections::BTreeSet;
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
    print!("{}", site.table());
    count.check("the first view is within its budget", start.elapsed(), site.within_budget());

    let start = Instant::now();
    let root_files = same_root_files();
    count.check("the CDN knows the files at the root", start.elapsed(), root_files);

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
struct Paths {
    root_files: BTreeSet<String>,
}

/// A file at the root that the CDN's function does not know would be answered with the page.
fn same_root_files() -> Result<()> {
    let known = paths::root().join("infra/terraform/modules/cdn/paths.json");
    let text = fs::read(&known).with_context(|| format!("cannot read {}", known.display()))?;
    let Paths { root_files } = serde_json::from_slice(&text)?;
    let built = files_at_root(&paths::site())?;
    if built != root_files {
        bail!(
            "at the root of the bundle are {built:?}, and the CDN knows {root_files:?}; mend root_files in paths.json and \
             ROOT_FILES in viewer-request.js of infra/terraform/modules/cdn"
        );
    }
    Ok(())
}

fn files_at_root(site: &Path) -> Result<BTreeSet<String>> {
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(site).with_context(|| format!("cannot read {}", site.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // Siblings are other forms of the file whose name they extend, and the page itself is no file to the table.
        let is_sibling = [".br", ".gz"].iter().any(|extension| name.ends_with(extension));
        if entry.file_type()?.is_file() && !is_sibling && name != "index.html" {
            files.insert(name);
        }
    }
    Ok(files)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_file_and_the_page_are_no_files_of_the_root() {
        let site = tempfile::tempdir().unwrap();
        fs::create_dir_all(site.path().join("pkg/abc")).unwrap();
        for name in ["index.html", "index.html.br", "favicon.svg", "favicon.svg.gz", "pkg/abc/app.js"] {
            fs::write(site.path().join(name), "").unwrap();
        }
        assert_eq!(files_at_root(site.path()).unwrap(), BTreeSet::from(["favicon.svg".to_owned()]));
    }
}
