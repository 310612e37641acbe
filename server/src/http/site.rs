//! The bundle on this server: the same files, types and caching as on the CDN. One table decides what a path is.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use sha2::{Digest, Sha256};

use app::api::ApiError;

/// The file that every page of the console starts from.
const SHELL: &str = "index.html";
/// Where the files of a release are. Their path holds their release, so they never change.
const RELEASE_FILES: &str = "pkg/";

/// The bundle, in memory: a few megabytes, and no request waits for a disk.
#[derive(Clone)]
pub(crate) struct Site(Arc<BTreeMap<String, Asset>>);

/// One file with what it is sent as.
struct Asset {
    kind: AssetKind,
    etag: HeaderValue,
    plain: Bytes,
    brotli: Option<Bytes>,
    gzip: Option<Bytes>,
}

/// What a file is, by its extension. A guess of the browser's would stop Wasm from being compiled while it streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AssetKind {
    Html,
    Script,
    Wasm,
    Style,
    Svg,
    Png,
    Icon,
    Font,
    Json,
    Text,
}

impl AssetKind {
    fn of(path: &str) -> Option<AssetKind> {
        Some(match path.rsplit_once('.')?.1 {
            "html" => AssetKind::Html,
            "js" => AssetKind::Script,
            "wasm" => AssetKind::Wasm,
            "css" => AssetKind::Style,
            "svg" => AssetKind::Svg,
            "png" => AssetKind::Png,
            "ico" => AssetKind::Icon,
            "woff2" => AssetKind::Font,
            "json" | "webmanifest" => AssetKind::Json,
            "txt" => AssetKind::Text,
            _ => return None,
        })
    }

    fn content_type(self) -> &'static str {
        match self {
            AssetKind::Html => "text/html; charset=utf-8",
            AssetKind::Script => "text/javascript; charset=utf-8",
            AssetKind::Wasm => "application/wasm",
            AssetKind::Style => "text/css; charset=utf-8",
            AssetKind::Svg => "image/svg+xml",
            AssetKind::Png => "image/png",
            AssetKind::Icon => "image/x-icon",
            AssetKind::Font => "font/woff2",
            AssetKind::Json => "application/json",
            AssetKind::Text => "text/plain; charset=utf-8",
        }
    }
}

/// What a path asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target<'a> {
    /// A file of a release: there, or 404. Never the shell: it would be kept under the file's name for a year.
    ReleaseFile(&'a str),
    /// A file at the root, such as the icon.
    RootFile(&'a str),
    /// A page of the console; its path may hold dots, as in `/delivery/users/1.4.2`.
    Page,
    /// The API, which never answers HTML.
    Api,
}

fn target<'a>(path: &'a str, is_root_file: impl Fn(&str) -> bool) -> Target<'a> {
    let path = path.trim_start_matches('/');
    if path == "api" || path.starts_with("api/") {
        Target::Api
    } else if path.starts_with(RELEASE_FILES) {
        Target::ReleaseFile(path)
    } else if path != SHELL && is_root_file(path) {
        Target::RootFile(path)
    } else {
        Target::Page
    }
}

impl Site {
    /// Reads the bundle.
    ///
    /// # Errors
    /// A sentence that says what is missing and how to build it.
    pub(crate) fn open(directory: &Path) -> Result<Site, String> {
        let mut files = BTreeMap::new();
        let build = "Build one with `cargo xtask bundle`.";
        read(directory, directory, &mut files).map_err(|error| {
            format!("The bundle in {} cannot be read: {error}. {build}", directory.display())
        })?;
        if !files.contains_key(SHELL) {
            return Err(format!("There is no bundle in {}. {build}", directory.display()));
        }
        let paths: Vec<String> = files.keys().cloned().collect();
        let mut assets = BTreeMap::new();
        for path in paths {
            let Some(kind) = AssetKind::of(&path) else { continue };
            let Some(plain) = files.get(&path).cloned() else { continue };
            let digest = Sha256::digest(&plain);
            let etag = HeaderValue::from_str(&format!("\"{}\"", hex::encode(&digest[..16])))
                .map_err(|error| format!("The file {path} has no usable name: {error}."))?;
            let sibling = |extension: &str| files.get(&format!("{path}.{extension}")).cloned();
            let (brotli, gzip) = (sibling("br"), sibling("gz"));
            assets.insert(path, Asset { kind, etag, plain, brotli, gzip });
        }
        Ok(Site(Arc::new(assets)))
    }

    fn answer(&self, request: &Request) -> Response {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")]).into_response();
        }
        let is_root_file = |path: &str| !path.contains('/') && self.0.contains_key(path);
        let (path, cache_control) = match target(request.uri().path(), is_root_file) {
            Target::Api => {
                return super::api::error(ApiError::NotFound {
                    message: "There is no such endpoint in this version.".into(),
                });
            }
            Target::ReleaseFile(path) => (path, "public, max-age=31536000, immutable"),
            // Revalidated each time: the shell and `release.json` say which release is live.
            Target::RootFile(path) => (path, "no-cache"),
            Target::Page => (SHELL, "no-cache"),
        };
        match self.0.get(path) {
            Some(asset) => asset.answer(request.headers(), cache_control),
            None => {
                (StatusCode::NOT_FOUND, [(header::CACHE_CONTROL, "no-store")], "There is no such file.\n")
                    .into_response()
            }
        }
    }
}

impl Asset {
    fn answer(&self, headers: &HeaderMap, cache_control: &'static str) -> Response {
        let (body, encoding) = self.encoded(headers);
        let known =
            headers.get(header::IF_NONE_MATCH).and_then(|etags| etags.to_str().ok()).is_some_and(|etags| {
                self.etag.to_str().is_ok_and(|ours| {
                    etags.split(',').any(|etag| etag.trim().trim_start_matches("W/") == ours)
                })
            });
        let mut response =
            if known { StatusCode::NOT_MODIFIED.into_response() } else { Response::new(Body::from(body)) };
        let answered = response.headers_mut();
        answered.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind.content_type()));
        answered.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache_control));
        answered.insert(header::ETAG, self.etag.clone());
        answered.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if let Some(encoding) = encoding
            && !known
        {
            answered.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        response
    }

    /// The smallest form that the client takes.
    fn encoded(&self, headers: &HeaderMap) -> (Bytes, Option<&'static str>) {
        let accepted =
            headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
        for (name, body) in [("br", &self.brotli), ("gzip", &self.gzip)] {
            if let Some(body) = body
                && accepts(accepted, name)
            {
                return (body.clone(), Some(name));
            }
        }
        (self.plain.clone(), None)
    }
}

/// Whether `Accept-Encoding` takes `name` (RFC 9110, 12.5.3): named and not with a weight of zero.
fn accepts(accepted: &str, name: &str) -> bool {
    accepted.split(',').any(|one| {
        let mut parts = one.split(';').map(str::trim);
        parts.next().is_some_and(|encoding| encoding.eq_ignore_ascii_case(name))
            && !parts.any(|weight| weight.strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0)))
    })
}

/// The routes of the bundle: everything that no other route takes.
pub(super) fn router(site: Site) -> Router {
    Router::new()
        .fallback(|State(site): State<Site>, request: Request| async move { site.answer(&request) })
        .with_state(site)
}

/// What a page gets from a server that has no bundle.
pub(super) async fn no_site(request: Request) -> Response {
    match target(request.uri().path(), |_| false) {
        Target::Api => super::api::error(ApiError::NotFound { message: "There is no such endpoint in this version.".into() }),
        Target::ReleaseFile(_) | Target::RootFile(_) | Target::Page => (
            StatusCode::NOT_FOUND,
            [(header::CACHE_CONTROL, "no-store")],
            "This server answers the API alone. Start it with --site DIRECTORY to serve the console as well.\n",
        )
            .into_response(),
    }
}

fn read(root: &Path, directory: &Path, files: &mut BTreeMap<String, Bytes>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            read(root, &path, files)?;
        } else if let Ok(relative) = path.strip_prefix(root) {
            let name = relative.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/");
            files.insert(name, std::fs::read(&path)?.into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the CDN's function is held to as well.
    #[derive(serde::Deserialize)]
    struct Paths {
        root_files: Vec<String>,
        cases: Vec<Case>,
    }

    #[derive(serde::Deserialize)]
    struct Case {
        path: String,
        is: String,
        file: Option<String>,
    }

    #[test]
    fn a_path_is_the_same_here_and_on_the_cdn() {
        let paths: Paths =
            serde_json::from_str(include_str!("../../../infra/terraform/modules/cdn/paths.json"))
                .expect("paths.json");
        let is_root_file = |path: &str| path == SHELL || paths.root_files.iter().any(|file| file == path);
        for Case { path, is, file } in &paths.cases {
            let (kind, served) = match target(path, is_root_file) {
                Target::ReleaseFile(file) => ("release_file", Some(file)),
                Target::RootFile(file) => ("root_file", Some(file)),
                Target::Page => ("page", Some(SHELL)),
                Target::Api => ("api", None),
            };
            assert_eq!((kind, served.map(|file| format!("/{file}"))), (is.as_str(), file.clone()), "{path}");
        }
        for kind in ["release_file", "root_file", "page", "api"] {
            assert!(paths.cases.iter().any(|case| case.is == kind), "no case is a {kind}");
        }
    }

    #[test]
    fn encodings_are_taken_by_name_and_weight() {
        assert!(accepts("gzip, deflate, br", "br"));
        assert!(accepts("br;q=0.5", "br"));
        assert!(!accepts("br;q=0, gzip", "br"));
        assert!(!accepts("brr", "br"));
        assert!(!accepts("", "gzip"));
    }
}
