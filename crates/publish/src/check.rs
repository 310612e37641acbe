//! Looks at a published site as a browser does, through the CDN: what it is sent, as what, and for how long it may keep it.

use std::time::Duration;

use domain::release::ReleaseId;
use reqwest::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName,
};
use reqwest::{Client, StatusCode};
use serde::Deserialize;

use crate::error::PublishError;

/// How long one answer may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub what: String,
    /// What is wrong, where something is.
    pub problem: Option<String>,
}

/// What was answered, as far as it is looked at.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn is_html(&self) -> bool {
        self.header(CONTENT_TYPE).starts_with("text/html") || self.body.trim_start().starts_with("<!doctype")
    }
}

#[derive(Deserialize)]
struct Release {
    release: ReleaseId,
    api: u32,
}

#[derive(Deserialize)]
struct Version {
    api: u32,
}

/// Looks at the site at `url`, which ends without a slash.
///
/// # Errors
/// [`PublishError::Unexpected`] where it does not answer at all.
pub async fn check(url: &str) -> Result<Vec<Finding>, PublishError> {
    let url = url.trim_end_matches('/');
    let client = Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none()).build();
    let client = client.map_err(|error| PublishError::Invalid(error.to_string()))?;
    let read = async |path: &str| get(&client, url, path, "identity").await;
    let packed = async |path: &str| get(&client, url, path, "br").await;
    let mut findings = Vec::new();
    let mut found = |what: &str, problems: Vec<String>| {
        let problem = (!problems.is_empty()).then(|| problems.join("; "));
        findings.push(Finding { what: what.to_owned(), problem });
    };

    let shell = read("/").await?;
    found("/", shell_problems(&shell));
    let page = packed("/fleet").await?;
    found(
        "/fleet is the shell too",
        if page.status.is_success() && page.header(CONTENT_TYPE).starts_with("text/html") {
            Vec::new()
        } else {
            vec![format!("{} {}", page.status, page.header(CONTENT_TYPE))]
        },
    );
    let told = read("/release.json").await?;
    let release: Option<Release> = serde_json::from_str(&told.body).ok();
    found("/release.json", release_problems(&told, release.as_ref(), &shell));

    for path in assets(&shell.body) {
        found(&path, asset_problems(&path, &packed(&path).await?));
    }
    let missing = match &release {
        Some(release) => format!("/pkg/{}/no-such-file.js", release.release),
        None => "/pkg/0000000000000000/no-such-file.js".to_owned(),
    };
    found("a file that does not exist", missing_problems(&packed(&missing).await?));
    let hidden = packed("/releases/live.json").await?;
    found(
        "/releases is not served",
        if hidden.status.is_success() && !hidden.is_html() {
            vec!["it is: the bucket's bookkeeping is public".into()]
        } else {
            Vec::new()
        },
    );
    let version = read("/api/version").await?;
    found("/api/version", version_problems(&version, release.as_ref()));
    Ok(findings)
}

/// What is answered to a client that takes `encoding`; only the body of one that is not compressed says something.
async fn get(client: &Client, url: &str, path: &str, encoding: &str) -> Result<Answer, PublishError> {
    let answer = client.get(format!("{url}{path}")).header(ACCEPT_ENCODING, encoding).send().await;
    let answer = answer.map_err(|error| unreachable(url, &error))?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = answer.bytes().await.map_err(|error| unreachable(url, &error))?;
    Ok(Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
}

fn unreachable(url: &str, error: &reqwest::Error) -> PublishError {
    PublishError::Unexpected { resource: url.to_owned(), problem: format!("does not answer: {error}") }
}

fn shell_problems(shell: &Answer) -> Vec<String> {
    let mut problems = Vec::new();
    if shell.status != StatusCode::OK || !shell.is_html() {
        problems.push(format!("{} {:?} instead of the page", shell.status, shell.header(CONTENT_TYPE)));
    }
    if !shell.header(CACHE_CONTROL).contains("no-cache") {
        problems.push(format!(
            "cache-control is {:?} and not no-cache: a new release would not be seen",
            shell.header(CACHE_CONTROL)
        ));
    }
    let policy = shell.header(HeaderName::from_static("content-security-policy"));
    for needed in ["default-src 'none'", "script-src 'self' 'wasm-unsafe-eval'", "frame-ancestors 'none'"] {
        if !policy.contains(needed) {
            problems.push(format!("the content security policy lacks {needed}"));
        }
    }
    if shell.header(HeaderName::from_static("x-content-type-options")) != "nosniff" {
        problems.push("x-content-type-options is not nosniff".into());
    }
    problems
}

fn release_problems(told: &Answer, release: Option<&Release>, shell: &Answer) -> Vec<String> {
    let mut problems = Vec::new();
    match release {
        None => problems.push("it names no release".into()),
        Some(release) if !shell.body.contains(&format!("/pkg/{}/", release.release)) => {
            problems.push(format!("it names {}, and the page is of another release", release.release));
        }
        Some(_) => {}
    }
    if !told.header(CACHE_CONTROL).contains("no-cache") {
        problems.push(format!("cache-control is {:?} and not no-cache", told.header(CACHE_CONTROL)));
    }
    problems
}

/// What of the release the shell names.
fn assets(shell: &str) -> Vec<String> {
    let mut found: Vec<String> = shell
        .split('"')
        .filter(|text| text.starts_with("/pkg/") && !text.contains(char::is_whitespace))
        .map(str::to_owned)
        .collect();
    found.sort();
    found.dedup();
    found
}

fn asset_problems(path: &str, answer: &Answer) -> Vec<String> {
    let mut problems = Vec::new();
    if answer.status != StatusCode::OK {
        problems.push(answer.status.to_string());
    }
    let expected = match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("wasm") => "application/wasm",
        Some("js") => "text/javascript",
        Some("css") => "text/css",
        Some(_) | None => "",
    };
    if !answer.header(CONTENT_TYPE).starts_with(expected) {
        problems.push(format!("content-type is {:?} and not {expected}", answer.header(CONTENT_TYPE)));
    }
    if !expected.is_empty() && answer.header(CONTENT_ENCODING) != "br" {
        problems.push(format!("content-encoding is {:?} and not br", answer.header(CONTENT_ENCODING)));
    }
    if !answer.header(CACHE_CONTROL).contains("immutable") {
        problems.push(format!("cache-control is {:?} and not immutable", answer.header(CACHE_CONTROL)));
    }
    problems
}

fn missing_problems(answer: &Answer) -> Vec<String> {
    let mut problems = Vec::new();
    if answer.status != StatusCode::NOT_FOUND {
        problems.push(format!("{} and not 404", answer.status));
    }
    if answer.is_html() {
        problems.push(
            "it is answered with the page, which would be kept under the file's name for a year".into(),
        );
    }
    if !answer.header(CACHE_CONTROL).contains("no-store") {
        problems.push(format!("cache-control is {:?} and not no-store", answer.header(CACHE_CONTROL)));
    }
    problems
}

fn version_problems(answer: &Answer, release: Option<&Release>) -> Vec<String> {
    let version: Option<Version> = serde_json::from_str(&answer.body).ok();
    match (version, release) {
        (None, _) => vec![format!("{} {:?} and no version", answer.status, answer.header(CONTENT_TYPE))],
        (Some(version), Some(release)) if version.api != release.api => {
            vec![format!("the server speaks API {} and the page {}", version.api, release.api)]
        }
        (Some(_), _) => Vec::new(),
    }
}
