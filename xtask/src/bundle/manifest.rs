//! What a release consists of: its id, the list of its files, and the type of each.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::compress::Compressed;
use super::sha256;

/// The types that a site holds. A file of any other type is a mistake: servers guess, and guess wrongly.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ContentType {
    Html,
    Script,
    Wasm,
    Style,
    Json,
    Svg,
    Text,
    WebManifest,
    Png,
    Icon,
    Woff2,
}

impl ContentType {
    pub(super) fn of(path: &str) -> Result<Self> {
        let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
        Ok(match extension {
            "html" => Self::Html,
            "js" => Self::Script,
            "wasm" => Self::Wasm,
            "css" => Self::Style,
            "json" => Self::Json,
            "svg" => Self::Svg,
            "txt" => Self::Text,
            "webmanifest" => Self::WebManifest,
            "png" => Self::Png,
            "ico" => Self::Icon,
            "woff2" => Self::Woff2,
            _ => bail!("no content type is known for `{path}`; add it to ContentType"),
        })
    }

    pub(super) fn header(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Script => "text/javascript; charset=utf-8",
            // Browsers compile while loading only if the type is exactly this.
            Self::Wasm => "application/wasm",
            Self::Style => "text/css; charset=utf-8",
            Self::Json => "application/json",
            Self::Svg => "image/svg+xml",
            Self::Text => "text/plain; charset=utf-8",
            Self::WebManifest => "application/manifest+json",
            Self::Png => "image/png",
            Self::Icon => "image/vnd.microsoft.icon",
            Self::Woff2 => "font/woff2",
        }
    }

    pub(super) fn compresses(self) -> bool {
        match self {
            Self::Html
            | Self::Script
            | Self::Wasm
            | Self::Style
            | Self::Json
            | Self::Svg
            | Self::Text
            | Self::WebManifest
            | Self::Icon => true,
            Self::Png | Self::Woff2 => false,
        }
    }
}

/// The id of a release: a hash over names and contents, in the order of the names, and over nothing else.
pub(super) fn release_id(package: &BTreeMap<String, Vec<u8>>) -> String {
    let mut list = String::new();
    for (path, content) in package {
        let _ = writeln!(list, "{path} {} {}", sha256(content), content.len());
    }
    let mut id = sha256(list.as_bytes());
    id.truncate(16);
    id
}

#[derive(Serialize)]
struct Release<'a> {
    release: &'a str,
    api: u32,
}

/// What a running page asks for, to learn that there is a newer one.
pub(super) fn release_json(release: &str, api: u32) -> Result<Vec<u8>> {
    Ok(serde_json::to_vec(&Release { release, api })?)
}

/// The version of the contract between page and server, read from the source that defines it: this program must build, and run,
/// without the crates that it builds.
pub(super) fn api_version(wire: &str) -> Result<u32> {
    wire.lines()
        .find_map(|line| line.strip_prefix("pub const API_VERSION: u32 = ")?.strip_suffix(';')?.parse().ok())
        .context("there is no line `pub const API_VERSION: u32 = …;`")
}

#[derive(Serialize)]
struct Manifest<'a> {
    release: &'a str,
    files: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    path: &'a str,
    sha256: String,
    bytes: usize,
    content_type: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    encodings: Vec<Encoding>,
}

#[derive(Serialize)]
struct Encoding {
    encoding: &'static str,
    path: String,
    sha256: String,
    bytes: usize,
}

/// `manifest.json`: every file of the site but itself.
pub(super) fn render(
    release: &str,
    files: &BTreeMap<String, Vec<u8>>,
    compressed: &BTreeMap<String, Compressed>,
) -> Result<Vec<u8>> {
    let mut entries = Vec::new();
    for (path, content) in files {
        let mut encodings = Vec::new();
        if let Some(both) = compressed.get(path) {
            for (encoding, extension, content) in [("br", "br", &both.brotli), ("gzip", "gz", &both.gzip)] {
                if let Some(content) = content {
                    encodings.push(Encoding {
                        encoding,
                        path: format!("{path}.{extension}"),
                        sha256: sha256(content),
                        bytes: content.len(),
                    });
                }
            }
        }
        entries.push(Entry {
            path,
            sha256: sha256(content),
            bytes: content.len(),
            content_type: ContentType::of(path)?.header(),
            encodings,
        });
    }
    let mut text = serde_json::to_vec_pretty(&Manifest { release, files: entries })?;
    text.push(b'\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(files: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        files.iter().map(|(name, content)| ((*name).to_owned(), content.as_bytes().to_vec())).collect()
    }

    #[test]
    fn the_release_follows_names_and_contents() {
        let id = release_id(&package(&[("a.js", "1"), ("b.css", "2")]));
        assert_eq!(id.len(), 16);
        assert_eq!(id, release_id(&package(&[("b.css", "2"), ("a.js", "1")])), "not their order");
        assert_ne!(id, release_id(&package(&[("a.js", "2"), ("b.css", "2")])));
        assert_ne!(id, release_id(&package(&[("c.js", "1"), ("b.css", "2")])));
        assert_ne!(id, release_id(&package(&[("a.js", "1")])));
    }

    #[test]
    fn the_api_version_is_read_from_its_definition() {
        assert_eq!(api_version("//! Wire.\n\npub const API_VERSION: u32 = 12;\n").unwrap(), 12);
        assert!(api_version("pub const OTHER: u32 = 12;").is_err());
    }

    #[test]
    fn an_unknown_type_is_an_error() {
        assert!(ContentType::of("fonts/a.ttf").is_err());
        assert!(ContentType::of("README").is_err());
        assert_eq!(ContentType::of("pkg/1.2/x.wasm").unwrap(), ContentType::Wasm);
    }

    #[test]
    fn the_manifest_names_each_file_with_its_encodings() {
        let files = package(&[("index.html", "<!doctype html>")]);
        let compressed =
            BTreeMap::from([("index.html".to_owned(), Compressed { brotli: Some(vec![1, 2]), gzip: None })]);
        let text = render("0123456789abcdef", &files, &compressed).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(value["release"], "0123456789abcdef");
        let entry = &value["files"][0];
        assert_eq!(entry["path"], "index.html");
        assert_eq!(entry["bytes"], 15);
        assert_eq!(entry["content_type"], "text/html; charset=utf-8");
        assert_eq!(entry["encodings"][0]["path"], "index.html.br");
        assert_eq!(entry["encodings"].as_array().unwrap().len(), 1);
    }
}
