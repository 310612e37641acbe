//! One request to GitHub and its answer, within time, size and the limits that GitHub sets.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{self, HeaderMap};
use reqwest::{Method, StatusCode, Url, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

use super::auth::Credential;
use super::error::GithubError;
use super::limits::{Budget, Limits, budget};

const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest answer that is read.
const LONGEST_ANSWER: usize = 20 << 20;
/// GitHub takes a hundred at once from everybody who shares the token.
const MOST_AT_ONCE: usize = 16;

/// The way to GitHub.
pub(super) struct Transport {
    http: reqwest::Client,
    limits: Limits,
    turns: Semaphore,
}

/// An answer before it is read.
pub(super) struct Response {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) budget: Option<Budget>,
}

impl Transport {
    pub(super) fn new() -> Result<Transport, GithubError> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("tollgate/", env!("CARGO_PKG_VERSION")))
            .timeout(TIMEOUT)
            // The token is for the configured server alone: redirects are followed by hand.
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|error| {
                GithubError::Configuration(format!("no connection can be set up: {}", chain(&error)))
            })?;
        Ok(Transport { http, limits: Limits::default(), turns: Semaphore::new(MOST_AT_ONCE) })
    }

    /// Sends one request. All statuses that are no refusal are answered, 304 and redirects among them.
    pub(super) async fn send(
        &self,
        method: Method,
        url: &Url,
        credential: &Credential,
        accept: &'static str,
        etag: Option<&str>,
        body: Option<&[u8]>,
    ) -> Result<Response, GithubError> {
        let request = || label(&method, url);
        // Never closed; and who waits here waits for what answers within the timeout.
        let _turn = self.turns.acquire().await.ok();
        if let Some(until) = self.limits.until(credential.payer, Timestamp::now()) {
            return Err(GithubError::Limited { request: request(), until });
        }
        let mut sent = self
            .http
            .request(method.clone(), url.clone())
            .header(header::ACCEPT, accept)
            .header("x-github-api-version", "2022-11-28");
        if let Some(authorization) = credential.header() {
            sent = sent.header(header::AUTHORIZATION, authorization.clone());
        }
        if let Some(etag) = etag {
            sent = sent.header(header::IF_NONE_MATCH, etag);
        }
        if let Some(body) = body {
            sent = sent.header(header::CONTENT_TYPE, "application/json").body(body.to_owned());
        }
        let unreachable = |error: reqwest::Error| GithubError::Unreachable {
            request: request(),
            problem: match error.is_timeout() {
                true => format!("not within {} seconds", TIMEOUT.as_secs()),
                false => chain(&error.without_url()),
            },
        };
        let mut answer = sent.send().await.map_err(unreachable)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > LONGEST_ANSWER {
                let problem = format!("it is longer than {} MB", LONGEST_ANSWER >> 20);
                return Err(GithubError::Unreadable { request: request(), problem });
            }
            body.extend_from_slice(&chunk);
        }
        let now = Timestamp::now();
        let message = match status.is_client_error() || status.is_server_error() {
            true => message(&body),
            false => String::new(),
        };
        if let Some(until) = self.limits.observe(credential.payer, status, &headers, &message, now) {
            return Err(GithubError::Limited { request: request(), until });
        }
        if status.is_client_error() || status.is_server_error() {
            return Err(GithubError::Refused {
                request: request(),
                status: status.as_u16(),
                advice: advice(status, &headers),
                message,
            });
        }
        let budget = budget(&headers, now);
        Ok(Response { status, headers, body, budget })
    }
}

/// GitHub's words of an error.
#[derive(Deserialize)]
struct Said {
    message: String,
    /// What is wrong with each part of a request; some are texts, and of others the words are missing.
    #[serde(default)]
    errors: serde_json::Value,
}

impl Said {
    fn told(self) -> String {
        let errors = self.errors.as_array().into_iter().flatten();
        let more: Vec<&str> =
            errors.filter_map(|error| error.as_str().or_else(|| error.get("message")?.as_str())).collect();
        match more.is_empty() {
            true => self.message,
            false => format!("{}: {}", self.message, more.join(", ")),
        }
    }
}

fn message(body: &[u8]) -> String {
    let said = serde_json::from_slice::<Said>(body).ok().map(Said::told);
    // A proxy between us and GitHub answers a page.
    said.and_then(|message| domain::delivery::fitting(&message))
        .unwrap_or_else(|| "no explanation".to_owned())
}

/// What to do about a refusal.
fn advice(status: StatusCode, headers: &HeaderMap) -> Option<String> {
    let needed = headers.get("x-accepted-github-permissions").and_then(|needed| needed.to_str().ok());
    match (status, needed.filter(|needed| !needed.is_empty())) {
        (StatusCode::UNAUTHORIZED, _) => Some("the token or key is not accepted: set a valid one".into()),
        (StatusCode::FORBIDDEN, Some(needed)) => {
            Some(format!("the token needs the permission {}", needed.replace('=', ": ")))
        }
        (StatusCode::NOT_FOUND, Some(needed)) => Some(format!(
            "it is not there, or the token must not see it, which needs {}",
            needed.replace('=', ": ")
        )),
        _ => None,
    }
}

pub(super) fn read<T: DeserializeOwned>(method: &Method, url: &Url, body: &[u8]) -> Result<T, GithubError> {
    serde_json::from_slice(body)
        .map_err(|error| GithubError::Unreadable { request: label(method, url), problem: error.to_string() })
}

/// A request as errors name it.
pub(super) fn label(method: &Method, url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{method} {}?{query}", url.path()),
        None => format!("{method} {}", url.path()),
    }
}

/// An error with its causes, which say more than it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
