//! A bundle on disk: its manifest, and whether every file is what the manifest says.

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use domain::release::{ReleaseFile, ReleaseId};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::error::BundleError;
use crate::layout;

const MANIFEST: &str = "manifest.json";

/// A bundle whose files were all found to be whole.
#[derive(Debug)]
pub struct Bundle {
    pub release: ReleaseId,
    /// What is uploaded, by path.
    pub(crate) files: Vec<BundleFile>,
}

/// A file with the bytes that are stored for it.
#[derive(Clone, Debug)]
pub(crate) struct BundleFile {
    pub(crate) file: ReleaseFile,
    /// Where the stored bytes lie.
    pub(crate) source: PathBuf,
    /// SHA-256 of the stored bytes.
    pub(crate) stored_sha256: [u8; 32],
}

#[derive(Deserialize)]
struct Manifest {
    release: String,
    files: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    path: String,
    sha256: String,
    bytes: u64,
    content_type: String,
    #[serde(default)]
    encodings: Vec<Encoding>,
}

#[derive(Deserialize)]
struct Encoding {
    encoding: String,
    path: String,
    sha256: String,
    bytes: u64,
}

impl Bundle {
    /// Reads the manifest in `directory` and hashes every file that it names.
    ///
    /// # Errors
    /// The first file that is missing, or is not what the manifest says.
    pub fn open(directory: &Path) -> Result<Bundle, BundleError> {
        let path = directory.join(MANIFEST);
        let malformed = |why: String| BundleError::Malformed { path: path.display().to_string(), why };
        let text = std::fs::read(&path).map_err(|error| BundleError::Unreadable {
            path: path.display().to_string(),
            why: error.to_string(),
        })?;
        let manifest: Manifest =
            serde_json::from_slice(&text).map_err(|error| malformed(error.to_string()))?;
        let release = ReleaseId::parse(&manifest.release).map_err(|error| malformed(error.to_string()))?;
        let package = layout::package(&release);
        let mut files = Vec::with_capacity(manifest.files.len());
        for entry in manifest.files {
            if !is_within(&entry.path)
                || (entry.path.starts_with("pkg/") && !entry.path.starts_with(&package))
            {
                return Err(malformed(format!("{:?} lies outside of the release {release}", entry.path)));
            }
            files.push(checked(directory, entry)?);
        }
        for needed in [layout::SHELL, layout::RELEASE_JSON] {
            if !files.iter().any(|one| one.file.path == needed) {
                return Err(malformed(format!("it names no {needed}")));
            }
        }
        Ok(Bundle { release, files })
    }

    /// What lies below the release, and never changes.
    pub(crate) fn package(&self) -> impl Iterator<Item = &BundleFile> {
        self.files.iter().filter(|one| one.file.path.starts_with("pkg/"))
    }

    /// What lies at the root of the site.
    pub(crate) fn root(&self) -> impl Iterator<Item = &BundleFile> {
        self.files.iter().filter(|one| !one.file.path.starts_with("pkg/"))
    }
}

/// The file, with the smallest form that browsers which run Wasm all accept.
fn checked(directory: &Path, entry: Entry) -> Result<BundleFile, BundleError> {
    let plain = hash(directory, &entry.path, &entry.sha256, entry.bytes)?;
    let mut found = BundleFile {
        source: directory.join(&entry.path),
        stored_sha256: plain,
        file: ReleaseFile {
            stored_bytes: entry.bytes,
            path: entry.path,
            sha256: entry.sha256,
            bytes: entry.bytes,
            content_type: entry.content_type,
            content_encoding: None,
        },
    };
    for encoding in entry.encodings {
        if !is_within(&encoding.path) {
            let why = "it lies outside of the bundle".into();
            return Err(BundleError::Corrupt { path: encoding.path, why });
        }
        let stored = hash(directory, &encoding.path, &encoding.sha256, encoding.bytes)?;
        // What the root holds is read by more than browsers, and is small: the CDN compresses it on its way.
        if encoding.encoding == "br" && found.file.path.starts_with("pkg/") {
            found.source = directory.join(&encoding.path);
            found.stored_sha256 = stored;
            found.file.stored_bytes = encoding.bytes;
            found.file.content_encoding = Some(encoding.encoding);
        }
    }
    Ok(found)
}

/// Hashes a file, a piece at a time: a bundle may be larger than memory.
fn hash(directory: &Path, path: &str, sha256: &str, bytes: u64) -> Result<[u8; 32], BundleError> {
    let corrupt = |why: String| BundleError::Corrupt { path: path.to_owned(), why };
    let mut file = File::open(directory.join(path)).map_err(|error| corrupt(error.to_string()))?;
    let mut hasher = Sha256::new();
    let mut piece = [0; 64 * 1024];
    let mut length = 0;
    loop {
        let read = file.read(&mut piece).map_err(|error| corrupt(error.to_string()))?;
        if read == 0 {
            break;
        }
        length += read as u64;
        hasher.update(&piece[..read]);
    }
    let hash: [u8; 32] = hasher.finalize().into();
    if length != bytes {
        return Err(corrupt(format!("it has {length} bytes, not {bytes}")));
    }
    if hex::encode(hash) != sha256 {
        return Err(corrupt("its content is another".into()));
    }
    Ok(hash)
}

/// Whether a path of a manifest stays below the bundle's directory.
fn is_within(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::{Value, json};

    use super::*;

    const RELEASE: &str = "0123456789abcdef";

    fn sha256(content: &[u8]) -> String {
        hex::encode(Sha256::digest(content))
    }

    /// A bundle of these files; scripts have a compressed form.
    fn bundle(files: &[(&str, &str)]) -> (tempfile::TempDir, Value) {
        let directory = tempfile::tempdir().expect("a directory");
        let write = |path: &str, content: &[u8]| {
            let file = directory.path().join(path);
            fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
            fs::write(file, content).expect("it is written");
        };
        let entries: Vec<Value> = files
            .iter()
            .map(|(path, content)| {
                write(path, content.as_bytes());
                let mut entry = json!({
                    "path": path, "sha256": sha256(content.as_bytes()), "bytes": content.len(), "content_type": "text/plain",
                });
                if path.ends_with(".js") || path.ends_with(".html") {
                    write(&format!("{path}.br"), b"br");
                    entry["encodings"] = json!([
                        { "encoding": "br", "path": format!("{path}.br"), "sha256": sha256(b"br"), "bytes": 2 },
                    ]);
                }
                entry
            })
            .collect();
        let manifest = json!({ "release": RELEASE, "files": entries });
        write(MANIFEST, manifest.to_string().as_bytes());
        (directory, manifest)
    }

    fn good() -> (tempfile::TempDir, Value) {
        bundle(&[
            ("index.html", "<!doctype html>"),
            ("release.json", "{}"),
            ("pkg/0123456789abcdef/app.js", "let a = 1"),
            ("pkg/0123456789abcdef/font.woff2", "font"),
        ])
    }

    #[test]
    fn files_are_stored_in_their_smallest_form_below_the_release() {
        let (directory, _) = good();
        let bundle = Bundle::open(directory.path()).expect("a bundle");
        assert_eq!(bundle.release.as_str(), RELEASE);
        let stored: Vec<(&str, Option<&str>, u64, u64)> = bundle
            .files
            .iter()
            .map(|one| {
                let file = &one.file;
                (file.path.as_str(), file.content_encoding.as_deref(), file.bytes, file.stored_bytes)
            })
            .collect();
        assert_eq!(
            stored,
            [
                ("index.html", None, 15, 15),
                ("release.json", None, 2, 2),
                ("pkg/0123456789abcdef/app.js", Some("br"), 9, 2),
                ("pkg/0123456789abcdef/font.woff2", None, 4, 4),
            ]
        );
        assert_eq!((bundle.package().count(), bundle.root().count()), (2, 2));
    }

    #[test]
    fn what_is_not_as_the_manifest_says_is_named() {
        let broken = |path: &str, content: Option<&str>| {
            let (directory, _) = good();
            let file = directory.path().join(path);
            match content {
                Some(content) => fs::write(file, content).expect("it is written"),
                None => fs::remove_file(file).expect("it is removed"),
            }
            Bundle::open(directory.path()).expect_err("it is not whole").to_string()
        };
        let script = "pkg/0123456789abcdef/app.js";
        assert!(broken(script, Some("let b = 1")).contains("its content is another"));
        assert!(broken(script, Some("let a = 11")).contains("10 bytes, not 9"));
        assert!(broken(script, None).contains("app.js is not what manifest.json says"));
        assert!(broken(&format!("{script}.br"), Some("xx")).contains("app.js.br"));
        assert!(broken(MANIFEST, None).contains("cargo xtask bundle"));
        assert!(broken(MANIFEST, Some("{}")).contains("is no manifest"));
    }

    #[test]
    fn a_manifest_reaches_no_file_outside_of_its_release() {
        let (directory, good) = good();
        for path in
            ["../secret", "/etc/passwd", "", "pkg/fedcba9876543210/app.js", "pkg/0123456789abcdef/../../x"]
        {
            let mut manifest = good.clone();
            manifest["files"][2]["path"] = json!(path);
            fs::write(directory.path().join(MANIFEST), manifest.to_string()).expect("it is written");
            let told = Bundle::open(directory.path()).expect_err(path).to_string();
            assert!(told.contains("outside of the release"), "{path}: {told}");
        }
        let mut manifest = good.clone();
        manifest["release"] = json!("../..");
        fs::write(directory.path().join(MANIFEST), manifest.to_string()).expect("it is written");
        assert!(
            Bundle::open(directory.path()).expect_err("no release").to_string().contains("is no release")
        );
        let (directory, _) = bundle(&[("index.html", "x")]);
        assert!(Bundle::open(directory.path()).expect_err("no release").to_string().contains("release.json"));
    }
}
