//! The real page, and other releases of it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::common::bundle::{Bundle, sha256};
use crate::common::setting;

/// The page that was built.
pub(crate) fn directory() -> PathBuf {
    setting("TOLLGATE_TEST_SITE").into()
}

/// The name of the release that was built.
pub(crate) fn release() -> String {
    manifest()["release"].as_str().expect("a release").to_owned()
}

/// Another release of the same page: `mark` stands beside its name, and it speaks the version `api` to the server.
pub(crate) fn another(mark: &str, api: u32) -> Bundle {
    let (site, mut manifest, built) = (directory(), manifest(), release());
    let release = sha256(format!("{built} {mark}").as_bytes())[..16].to_owned();
    let renamed = |text: &str| text.replace(&built, &release);
    let copy = tempfile::tempdir().expect("a directory");
    let mut shell = String::new();
    manifest["release"] = json!(release);
    for entry in manifest["files"].as_array_mut().expect("files") {
        let path = entry["path"].as_str().expect("a path").to_owned();
        let content = fs::read(site.join(&path)).expect("a file of the site");
        let text = || String::from_utf8(content.clone()).expect("text");
        let changed = match path.rsplit('/').next() {
            Some("tollgate.css") => {
                Some(format!("{}\n.brand span::after {{ content: \" {mark}\" }}\n", text()))
            }
            Some("index.html") => {
                shell = renamed(&text());
                Some(shell.clone())
            }
            Some("release.json") => Some(json!({ "release": release, "api": api }).to_string()),
            _ => None,
        };
        entry["path"] = json!(renamed(&path));
        match changed {
            Some(changed) => {
                entry["sha256"] = json!(sha256(changed.as_bytes()));
                entry["bytes"] = json!(changed.len());
                // What is published need not be compressed.
                entry.as_object_mut().expect("a file").remove("encodings");
                write(copy.path(), &renamed(&path), changed.as_bytes());
            }
            None => {
                write(copy.path(), &renamed(&path), &content);
                for encoding in entry["encodings"].as_array_mut().into_iter().flatten() {
                    let path = encoding["path"].as_str().expect("a path").to_owned();
                    let content = fs::read(site.join(&path)).expect("a file of the site");
                    write(copy.path(), &renamed(&path), &content);
                    encoding["path"] = json!(renamed(&path));
                }
            }
        }
    }
    write(copy.path(), "manifest.json", manifest.to_string().as_bytes());
    Bundle { directory: copy, release, shell }
}

fn manifest() -> Value {
    let text = fs::read_to_string(directory().join("manifest.json")).expect("a manifest");
    serde_json::from_str(&text).expect("JSON")
}

fn write(directory: &Path, path: &str, content: &[u8]) {
    let file = directory.join(path);
    fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
    fs::write(file, content).expect("it is written");
}
