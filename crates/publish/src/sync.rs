//! Any other directory to the bucket, such as the test reports of a pipeline: what differs by content, and nothing else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::stream::{self, StreamExt, TryStreamExt};
use globset::{Glob, GlobSet, GlobSetBuilder};
use jiff::Timestamp;
use md5::{Digest as _, Md5};
use serde::Serialize;
use sha2::{Digest, Sha256};
use walkdir::WalkDir;

use crate::bucket::{Condition, Content, Headers, Listed};
use crate::error::PublishError;
use crate::layout;
use crate::publisher::{AT_ONCE, Progress, Publisher};

/// More addresses than this are invalidated as one with a `*`, which counts as one (CloudFront pricing).
const INVALIDATED_SINGLY: usize = 8;

/// What is synchronized, and how.
#[derive(Clone, Debug, Default)]
pub struct SyncOptions {
    /// Goes before each file's path; without a slash at its start, with one at its end, or empty.
    pub prefix: String,
    /// Globs of the paths that count; all where empty.
    pub include: Vec<String>,
    /// Globs of those that do not.
    pub exclude: Vec<String>,
    /// Delete what lies below the prefix and is not in the directory.
    pub delete: bool,
    /// The most objects that are deleted; more is an error, and nothing is changed.
    pub max_delete: usize,
    /// Look at the headers of what did not change, and mend them.
    pub verify_headers: bool,
    /// Only say what would be done.
    pub dry_run: bool,
    /// The first whose glob fits a path decides its headers.
    pub rules: Vec<HeaderRule>,
}

/// With which headers some files are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderRule {
    /// A glob of paths below the directory.
    pub files: String,
    pub cache_control: Option<String>,
    pub content_type: Option<String>,
}

/// What is done with a file or an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SyncAct {
    Upload,
    MendHeaders,
    Delete,
}

impl SyncAct {
    pub fn as_str(self) -> &'static str {
        match self {
            SyncAct::Upload => "upload",
            SyncAct::MendHeaders => "mend-headers",
            SyncAct::Delete => "delete",
        }
    }
}

/// One step, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SyncStep {
    pub act: SyncAct,
    pub key: String,
    pub why: &'static str,
    pub bytes: u64,
}

/// A file of the directory.
struct Local {
    key: String,
    source: PathBuf,
    bytes: u64,
    md5: String,
    sha256: [u8; 32],
    headers: Headers,
}

/// The globs, ready to be asked.
struct Filter {
    include: Option<GlobSet>,
    exclude: GlobSet,
}

impl Filter {
    fn new(options: &SyncOptions) -> Result<Filter, PublishError> {
        let include = if options.include.is_empty() { None } else { Some(globs(&options.include)?) };
        Ok(Filter { include, exclude: globs(&options.exclude)? })
    }

    fn counts(&self, path: &str) -> bool {
        self.include.as_ref().is_none_or(|include| include.is_match(path)) && !self.exclude.is_match(path)
    }
}

impl Publisher {
    /// Makes what lies below the prefix as the directory is, and answers what was done, or would be.
    ///
    /// # Errors
    /// [`PublishError::Invalid`] for options that would delete too much, before anything is changed.
    pub async fn sync(
        &self,
        directory: &Path,
        options: &SyncOptions,
        progress: &dyn Progress,
    ) -> Result<Vec<SyncStep>, PublishError> {
        check(options)?;
        let filter = Filter::new(options)?;
        let local = read(directory, options, &filter)?;
        if options.delete && local.is_empty() {
            return Err(PublishError::Invalid(format!(
                "{} has no files that count: with --delete everything would be deleted. Leave --delete out, or look at the globs.",
                directory.display()
            )));
        }
        let there: BTreeMap<String, Listed> =
            self.bucket.list(&options.prefix).await?.into_iter().map(|one| (one.key.clone(), one)).collect();
        let steps = self.plan(&local, &there, options, &filter).await?;
        let deleted = steps.iter().filter(|step| step.act == SyncAct::Delete).count();
        if deleted > options.max_delete {
            return Err(PublishError::Invalid(format!(
                "{deleted} objects would be deleted, more than --max-delete {}. Look at them with --dry-run.",
                options.max_delete
            )));
        }
        if !options.dry_run {
            self.carry_out(&local, &steps, options, progress).await?;
        }
        Ok(steps)
    }

    async fn plan(
        &self,
        local: &[Local],
        there: &BTreeMap<String, Listed>,
        options: &SyncOptions,
        filter: &Filter,
    ) -> Result<Vec<SyncStep>, PublishError> {
        let looks = local.iter().map(|file| self.step(file, there.get(&file.key), options));
        let steps: Vec<Option<SyncStep>> = stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
        let mut steps: Vec<SyncStep> = steps.into_iter().flatten().collect();
        if options.delete {
            let kept: std::collections::BTreeSet<&str> = local.iter().map(|file| file.key.as_str()).collect();
            let surplus = there.values().filter(|object| {
                let path = object.key.strip_prefix(&options.prefix).unwrap_or(&object.key);
                !kept.contains(object.key.as_str()) && filter.counts(path)
            });
            steps.extend(surplus.map(|object| SyncStep {
                act: SyncAct::Delete,
                key: object.key.clone(),
                why: "is not in the directory",
                bytes: object.bytes,
            }));
        }
        Ok(steps)
    }

    /// What is to be done with a file; nothing where it is there already.
    async fn step(
        &self,
        file: &Local,
        there: Option<&Listed>,
        options: &SyncOptions,
    ) -> Result<Option<SyncStep>, PublishError> {
        let step = |act, why| Ok(Some(SyncStep { act, key: file.key.clone(), why, bytes: file.bytes }));
        let Some(there) = there else { return step(SyncAct::Upload, "is new") };
        if there.bytes != file.bytes {
            return step(SyncAct::Upload, "has another size");
        }
        // The ETag of an object that was uploaded in one piece, without a key of KMS, is its MD5 (S3 API reference, `Object`).
        if there.etag != file.md5 {
            let is_md5 = there.etag.len() == 32 && there.etag.bytes().all(|byte| byte.is_ascii_hexdigit());
            let sha256 = if is_md5 { None } else { self.bucket.sha256(&file.key).await? };
            if sha256.as_deref() != Some(STANDARD.encode(file.sha256).as_str()) {
                return step(SyncAct::Upload, "has another content");
            }
        }
        if options.verify_headers {
            let found = self.bucket.head(&file.key).await?;
            if found.is_some_and(|(headers, _)| headers != file.headers) {
                return step(SyncAct::MendHeaders, "is served with other headers");
            }
        }
        Ok(None)
    }

    async fn carry_out(
        &self,
        local: &[Local],
        steps: &[SyncStep],
        options: &SyncOptions,
        progress: &dyn Progress,
    ) -> Result<(), PublishError> {
        let by_key: BTreeMap<&str, &Local> = local.iter().map(|file| (file.key.as_str(), file)).collect();
        let of = |act| steps.iter().filter(move |step| step.act == act);
        let uploads =
            of(SyncAct::Upload).filter_map(|step| by_key.get(step.key.as_str())).map(|file| async {
                let content = Content::File(&file.source, file.bytes);
                self.bucket
                    .put(&file.key, content, file.sha256, &file.headers, Condition::None)
                    .await
                    .map(drop)
            });
        progress.step("uploading");
        stream::iter(uploads).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        for file in of(SyncAct::MendHeaders).filter_map(|step| by_key.get(step.key.as_str())) {
            self.bucket.replace_headers(&file.key, &file.headers).await?;
        }
        // What a page still names goes last.
        let deleted: Vec<String> = of(SyncAct::Delete).map(|step| step.key.clone()).collect();
        self.bucket.delete(&deleted).await?;
        if let (Some(cdn), false) = (&self.cdn, steps.is_empty()) {
            let paths = if steps.len() > INVALIDATED_SINGLY {
                vec![format!("/{}*", options.prefix)]
            } else {
                steps.iter().map(|step| format!("/{}", step.key)).collect()
            };
            let reference = format!("sync-{}", Timestamp::now().as_nanosecond());
            cdn.invalidate(&paths, &reference, &|text| progress.step(text)).await?;
        }
        Ok(())
    }
}

/// Refuses what could delete more than is meant.
fn check(options: &SyncOptions) -> Result<(), PublishError> {
    let prefix = &options.prefix;
    if prefix.starts_with('/') || (!prefix.is_empty() && !prefix.ends_with('/')) || prefix.contains("//") {
        return Err(PublishError::Invalid(format!("The prefix {prefix:?} is not written like reports/.")));
    }
    if prefix.is_empty() && options.delete {
        return Err(PublishError::Invalid(
            "--delete needs a --prefix: without one everything in the bucket that is not in the directory would be deleted.".into(),
        ));
    }
    if prefix.starts_with("pkg/") || prefix.starts_with("releases/") {
        return Err(PublishError::Invalid(format!(
            "{prefix} is where releases of the page lie: choose another prefix."
        )));
    }
    Ok(())
}

/// The files that count, hashed.
fn read(directory: &Path, options: &SyncOptions, filter: &Filter) -> Result<Vec<Local>, PublishError> {
    let unreadable = |path: &Path, why: String| PublishError::Unexpected {
        resource: path.display().to_string(),
        problem: format!("cannot be read: {why}"),
    };
    let rules: Result<Vec<(GlobSet, &HeaderRule)>, PublishError> =
        options.rules.iter().map(|rule| Ok((globs(std::slice::from_ref(&rule.files))?, rule))).collect();
    let rules = rules?;
    let mut files = Vec::new();
    for entry in WalkDir::new(directory).sort_by_file_name() {
        let entry = entry.map_err(|error| unreadable(directory, error.to_string()))?;
        if !entry.file_type().is_file() {
            continue;
        }
        let source = entry.into_path();
        let path = source.strip_prefix(directory).unwrap_or(&source);
        let Some(path) = path.to_str().map(|path| path.replace(std::path::MAIN_SEPARATOR, "/")) else {
            return Err(unreadable(&source, "its name is not UTF-8".into()));
        };
        if !filter.counts(&path) {
            continue;
        }
        let content = std::fs::read(&source).map_err(|error| unreadable(&source, error.to_string()))?;
        files.push(Local {
            key: format!("{}{path}", options.prefix),
            bytes: content.len() as u64,
            md5: hex::encode(Md5::digest(&content)),
            sha256: Sha256::digest(&content).into(),
            headers: headers(&path, &rules),
            source,
        });
    }
    Ok(files)
}

/// The headers of a file: as the first rule that fits says, and for the rest as its name suggests.
fn headers(path: &str, rules: &[(GlobSet, &HeaderRule)]) -> Headers {
    let rule = rules.iter().find(|(files, _)| files.is_match(path)).map(|(_, rule)| *rule);
    let content_type = rule.and_then(|rule| rule.content_type.clone()).unwrap_or_else(|| content_type(path));
    let cache_control = rule.and_then(|rule| rule.cache_control.clone());
    Headers {
        content_type,
        content_encoding: None,
        cache_control: cache_control.unwrap_or_else(|| layout::REVALIDATED.to_owned()),
    }
}

fn content_type(path: &str) -> String {
    let guessed = mime_guess::from_path(path).first_or_octet_stream();
    let is_text =
        guessed.type_() == "text" || matches!(guessed.subtype().as_str(), "javascript" | "json" | "xml");
    if is_text { format!("{guessed}; charset=utf-8") } else { guessed.to_string() }
}

fn globs(patterns: &[String]) -> Result<GlobSet, PublishError> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let glob = Glob::new(pattern)
            .map_err(|error| PublishError::Invalid(format!("{pattern:?} is no glob: {}", error.kind())))?;
        set.add(glob);
    }
    set.build().map_err(|error| PublishError::Invalid(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(prefix: &str, delete: bool) -> SyncOptions {
        SyncOptions { prefix: prefix.into(), delete, ..SyncOptions::default() }
    }

    #[test]
    fn what_could_delete_too_much_is_refused() {
        assert!(check(&options("reports/", true)).is_ok());
        assert!(check(&options("", false)).is_ok());
        for (prefix, delete) in [
            ("", true),
            ("/", false),
            ("reports", false),
            ("/reports/", false),
            ("a//", false),
            ("pkg/", false),
            ("releases/x/", true),
        ] {
            assert!(check(&options(prefix, delete)).is_err(), "{prefix:?} {delete}");
        }
    }

    #[test]
    fn headers_follow_the_first_rule_that_fits() {
        let rule = |files: &str, cache_control: Option<&str>, content_type: Option<&str>| HeaderRule {
            files: files.into(),
            cache_control: cache_control.map(str::to_owned),
            content_type: content_type.map(str::to_owned),
        };
        let rules = [
            rule("**/*.html", Some("max-age=60"), None),
            rule("data/**", None, Some("text/csv; charset=utf-8")),
            rule("**", Some("no-store"), None),
        ];
        let rules: Vec<(GlobSet, &HeaderRule)> = rules
            .iter()
            .map(|rule| (globs(std::slice::from_ref(&rule.files)).expect("a glob"), rule))
            .collect();
        let of = |path: &str| {
            let headers = headers(path, &rules);
            (headers.content_type, headers.cache_control)
        };
        let pair = |left: &str, right: &str| (left.to_owned(), right.to_owned());
        assert_eq!(of("index.html"), pair("text/html; charset=utf-8", "max-age=60"));
        assert_eq!(of("data/a.unknown"), pair("text/csv; charset=utf-8", "no-cache"));
        assert_eq!(of("app.wasm"), pair("application/wasm", "no-store"));
        assert_eq!(of("font.woff2"), pair("font/woff2", "no-store"));
        assert_eq!(of("app.js"), pair("text/javascript; charset=utf-8", "no-store"));
        assert_eq!(of("no-extension"), pair("application/octet-stream", "no-store"));
    }

    #[test]
    fn a_path_counts_when_it_is_included_and_not_excluded() {
        let filter = Filter::new(&SyncOptions {
            include: vec!["**/*.html".into(), "assets/**".into()],
            exclude: vec!["**/draft*".into()],
            ..SyncOptions::default()
        })
        .expect("globs");
        for (path, counts) in [
            ("index.html", true),
            ("a/b.html", true),
            ("assets/x.png", true),
            ("x.png", false),
            ("a/draft.html", false),
        ] {
            assert_eq!(filter.counts(path), counts, "{path}");
        }
        assert!(globs(&["a[".to_owned()]).is_err());
    }
}
