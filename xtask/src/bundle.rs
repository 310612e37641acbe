//! `cargo xtask bundle`: what the browser loads, as one immutable release under `target/site/pkg/<release>/`.
//!
//! The release id is the hash of what lies there, so the same sources give the same id, from any checkout.

mod compress;
mod manifest;
mod script;
mod shell;
mod style;
mod wasm;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::paths;
use crate::tools::{self, Missing};

/// The first view, compressed: a hard limit.
const BUDGET: usize = 300 * 1024;

/// Build what the browser loads.
#[derive(clap::Args)]
pub(crate) struct Bundle {
    /// Do not use what earlier runs left behind, cargo's output excepted
    #[arg(long)]
    fresh: bool,
}

impl Bundle {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let site = if self.fresh { build_fresh(Missing::Name)? } else { build(Missing::Name)? };
        print!("{}", site.table());
        println!("release {} in {}", site.release, paths::site().display());
        site.within_budget()?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A built site.
pub(crate) struct Site {
    pub(crate) release: String,
    sizes: Vec<Size>,
    /// For each group of pages that is fetched by itself: its files.
    groups: BTreeMap<String, Vec<String>>,
}

struct Size {
    path: String,
    raw: usize,
    gzip: usize,
    brotli: usize,
    loaded: Loaded,
}

/// When a browser loads a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Loaded {
    /// With whatever page it opens.
    Always,
    /// With a page of the groups that need it.
    WithGroup,
    /// At another time, or not at all.
    Otherwise,
}

/// Builds into `target/site`, reusing each step whose input did not change.
pub(crate) fn build(missing: Missing) -> Result<Site> {
    build_in(&paths::output().join("bundle"), missing)
}

/// The same, with nothing reused but cargo's output.
pub(crate) fn build_fresh(missing: Missing) -> Result<Site> {
    let scratch = tempfile::tempdir_in(create(&paths::output())?)?;
    build_in(scratch.path(), missing)
}

fn build_in(work: &Path, missing: Missing) -> Result<Site> {
    tools::require_wasm_target()?;
    // Two at once would take each other's files away; the lock ends with the file.
    let lock = create(&paths::output())?.join("bundle.lock");
    let lock = fs::File::create(&lock).with_context(|| format!("cannot write {}", lock.display()))?;
    lock.lock().context("cannot wait for another build of the bundle")?;
    let root = paths::root();
    let frontend = wasm::build(&create(&work.join("wasm"))?, missing)?;

    let mut package = frontend.modules;
    for (name, text) in frontend.scripts {
        package.insert(name.clone(), script::minify(&name, &text)?.into_bytes());
    }
    for name in ["boot.js", "theme.js"] {
        let source = root.join("app/shell").join(name);
        let text =
            fs::read_to_string(&source).with_context(|| format!("cannot read {}", source.display()))?;
        package.insert(name.to_owned(), script::minify(name, &text)?.into_bytes());
    }
    package.insert("tollgate.css".to_owned(), style::bundle(&root.join("style"))?.into_bytes());
    let release = manifest::release_id(&package);
    let groups: BTreeMap<String, Vec<String>> = frontend
        .groups
        .into_iter()
        .map(|(group, chunks)| {
            (group, chunks.into_iter().map(|name| format!("pkg/{release}/{name}")).collect())
        })
        .collect();
    let wire = root.join("crates/domain/src/wire.rs");
    let api = fs::read_to_string(&wire)
        .map_err(anyhow::Error::from)
        .and_then(|text| manifest::api_version(&text))
        .with_context(|| format!("cannot read the API version from {}", wire.display()))?;

    let mut files: BTreeMap<String, Vec<u8>> =
        package.into_iter().map(|(name, content)| (format!("pkg/{release}/{name}"), content)).collect();
    files.insert(
        "index.html".to_owned(),
        shell::render(&root.join("app/shell/index.html"), &release)?.into_bytes(),
    );
    files.insert("release.json".to_owned(), manifest::release_json(&release, api)?);
    for (name, content) in public_files(&root.join("public"))? {
        if files.insert(name.clone(), content).is_some() {
            bail!("public/{name} would replace a generated file");
        }
    }

    let compressed = compress::all(&files, &create(&work.join("compressed"))?)?;
    let sizes = files
        .iter()
        .map(|(path, content)| Size {
            path: path.clone(),
            raw: content.len(),
            gzip: compressed.get(path).and_then(|both| both.gzip.as_ref()).map_or(content.len(), Vec::len),
            brotli: compressed
                .get(path)
                .and_then(|both| both.brotli.as_ref())
                .map_or(content.len(), Vec::len),
            loaded: if groups.values().flatten().any(|chunk| chunk == path) {
                Loaded::WithGroup
            } else if path == "index.html" || path.starts_with("pkg/") {
                Loaded::Always
            } else {
                Loaded::Otherwise
            },
        })
        .collect();
    let manifest = manifest::render(&release, &files, &compressed)?;
    for (path, both) in compressed {
        for (extension, content) in [("br", both.brotli), ("gz", both.gzip)] {
            if let Some(content) = content {
                files.insert(format!("{path}.{extension}"), content);
            }
        }
    }
    files.insert("manifest.json".to_owned(), manifest);
    replace(&paths::site(), &files)?;
    Ok(Site { release, sizes, groups })
}

impl Site {
    /// What a browser loads to show a page that is in no group.
    fn always(&self) -> usize {
        self.sizes.iter().filter(|size| size.loaded == Loaded::Always).map(|size| size.brotli).sum()
    }

    /// What a browser loads to show its first page, by the group that has the page.
    fn first_views(&self) -> impl Iterator<Item = (&str, usize)> {
        let always = self.always();
        let with = move |chunks: &[String]| {
            let needed = |size: &&Size| chunks.contains(&size.path);
            always + self.sizes.iter().filter(needed).map(|size| size.brotli).sum::<usize>()
        };
        let groups = self.groups.iter().map(move |(group, chunks)| (group.as_str(), with(chunks)));
        std::iter::once(("a page that is always there", always)).chain(groups)
    }

    pub(crate) fn within_budget(&self) -> Result<()> {
        for (group, bytes) in self.first_views() {
            if BUDGET < bytes {
                bail!(
                    "the first view of {group} weighs {} KB with brotli, over the budget of {} KB; look for a new dependency of `app`, or for pages that belong into a group of their own",
                    kilobytes(bytes),
                    BUDGET / 1024
                );
            }
        }
        Ok(())
    }

    pub(crate) fn table(&self) -> String {
        let mut text = format!("{:<44}{:>10}{:>10}{:>10}\n", "KB", "raw", "gzip", "brotli");
        for size in &self.sizes {
            text += &format!(
                "{:<44}{:>10}{:>10}{:>10}\n",
                size.path,
                kilobytes(size.raw),
                kilobytes(size.gzip),
                kilobytes(size.brotli)
            );
        }
        text += &format!("first view, of {} at most\n", BUDGET / 1024);
        for (group, bytes) in self.first_views() {
            text += &format!("  {group:<62}{:>10}\n", kilobytes(bytes));
        }
        text
    }
}

fn kilobytes(bytes: usize) -> String {
    let tenths = (bytes * 10).div_ceil(1024);
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn create(directory: &Path) -> Result<PathBuf> {
    fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    Ok(directory.to_path_buf())
}

fn sha256(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}

/// The files of `public/`, by their path under the root of the site.
fn public_files(directory: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    let mut pending = vec![directory.to_path_buf()];
    while let Some(current) = pending.pop() {
        if !current.exists() {
            continue;
        }
        for entry in fs::read_dir(&current).with_context(|| format!("cannot read {}", current.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                pending.push(path);
            } else {
                let name = path.strip_prefix(directory)?.to_string_lossy().replace('\\', "/");
                if !name.starts_with('.') {
                    found.push((name, fs::read(&path)?));
                }
            }
        }
    }
    Ok(found)
}

/// Swaps a directory for one with these files: whoever reads the site meanwhile sees the old one or the new one.
fn replace(directory: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    let parent = directory.parent().context("the site has no parent directory")?;
    let fresh = tempfile::Builder::new().prefix(".site-").tempdir_in(create(parent)?)?;
    for (path, content) in files {
        let file = fresh.path().join(path);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&file, content).with_context(|| format!("cannot write {}", file.display()))?;
    }
    // A temporary directory is private; the site is served by whoever may read it.
    fs::set_permissions(fresh.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    if directory.exists() {
        // Two directories cannot be renamed over each other; an exchange is one step.
        rustix_exchange(fresh.path(), directory)?;
    } else {
        fs::rename(fresh.path(), directory)?;
    }
    Ok(())
}

/// Exchanges two directories, in one step where the system has one.
fn rustix_exchange(fresh: &Path, directory: &Path) -> Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        if renameat_with(CWD, fresh, CWD, directory, RenameFlags::EXCHANGE).is_ok() {
            return Ok(());
        }
    }
    let old = fresh.with_extension("old");
    fs::rename(directory, &old)?;
    fs::rename(fresh, directory)?;
    fs::remove_dir_all(old)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_replaced_whole() {
        let parent = tempfile::tempdir().unwrap();
        let site = parent.path().join("site");
        let files = |name: &str| BTreeMap::from([(name.to_owned(), b"x".to_vec())]);
        replace(&site, &files("pkg/1/old.js")).unwrap();
        replace(&site, &files("pkg/2/new.js")).unwrap();
        assert!(site.join("pkg/2/new.js").exists());
        assert!(!site.join("pkg/1").exists());
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1, "nothing is left beside the site");
    }

    #[test]
    fn sizes_are_rounded_up() {
        assert_eq!(kilobytes(0), "0.0");
        assert_eq!(kilobytes(1), "0.1");
        assert_eq!(kilobytes(1024), "1.0");
        assert_eq!(kilobytes(1536), "1.5");
    }

    #[test]
    fn what_is_over_the_budget_fails() {
        let size = |path: &str, brotli, loaded| Size {
            path: path.into(),
            raw: brotli,
            gzip: brotli,
            brotli,
            loaded,
        };
        let site = |always, chunk, other| Site {
            release: String::new(),
            sizes: vec![
                size("pkg/main", always, Loaded::Always),
                size("pkg/chunk", chunk, Loaded::WithGroup),
                size("other", other, Loaded::Otherwise),
            ],
            groups: BTreeMap::from([("fleet".into(), vec!["pkg/chunk".into()])]),
        };
        assert!(site(BUDGET, 0, BUDGET).within_budget().is_ok());
        assert!(site(BUDGET + 1, 0, 0).within_budget().is_err());
        assert!(site(BUDGET / 2, BUDGET / 2, 0).within_budget().is_ok());
        let error = site(BUDGET, 1, 0).within_budget().unwrap_err().to_string();
        assert!(error.starts_with("the first view of fleet weighs"), "{error}");
    }
}
