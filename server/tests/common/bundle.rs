//! Small releases of the page.

use std::fs;

use serde_json::json;
use sha2::{Digest, Sha256};

/// A release of the page, as `cargo xtask bundle` writes it. `mark` makes one unlike another.
pub(crate) struct Bundle {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) release: String,
    pub(crate) shell: String,
}

pub(crate) fn sha256(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}

pub(crate) fn bundle(mark: &str) -> Bundle {
    bundle_with(mark, &[])
}

pub(crate) fn bundle_with(mark: &str, more: &[(&str, Vec<u8>)]) -> Bundle {
    let release = sha256(mark.as_bytes())[..16].to_owned();
    let directory = tempfile::tempdir().expect("a directory");
    let script = format!("pkg/{release}/app.js");
    let shell = format!("<!doctype html><script src=\"/{script}\"></script>");
    let told = json!({ "release": release, "api": 1 }).to_string();
    let mut files: Vec<(String, Vec<u8>, &str)> = vec![
        (script, format!("let mark = '{mark}'").into_bytes(), "text/javascript; charset=utf-8"),
        (format!("pkg/{release}/app_bg.wasm"), b"\0asm".to_vec(), "application/wasm"),
        ("index.html".into(), shell.clone().into_bytes(), "text/html; charset=utf-8"),
        ("release.json".into(), told.into_bytes(), "application/json"),
        ("favicon.svg".into(), format!("<svg>{mark}</svg>").into_bytes(), "image/svg+xml"),
    ];
    for (name, content) in more {
        files.push((format!("pkg/{release}/{name}"), content.clone(), "font/woff2"));
    }
    let mut entries = Vec::new();
    for (path, content, content_type) in files {
        let file = directory.path().join(&path);
        fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
        fs::write(&file, &content).expect("it is written");
        let mut entry = json!({
            "path": path, "sha256": sha256(&content), "bytes": content.len(), "content_type": content_type,
        });
        if path.ends_with(".js") {
            let packed = format!("br of {mark}").into_bytes();
            fs::write(directory.path().join(format!("{path}.br")), &packed).expect("it is written");
            entry["encodings"] = json!([
                { "encoding": "br", "path": format!("{path}.br"), "sha256": sha256(&packed), "bytes": packed.len() },
            ]);
        }
        entries.push(entry);
    }
    let manifest = json!({ "release": release, "files": entries });
    fs::write(directory.path().join("manifest.json"), manifest.to_string()).expect("it is written");
    Bundle { directory, release, shell }
}
