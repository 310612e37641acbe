//! A client of GitHub's REST API that asks no more than it may: answers that did not change cost nothing, limits are kept, and the
//! token is shown to the configured server alone.

mod change;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use reqwest::header::{self, HeaderMap};
use reqwest::{Method, StatusCode, Url};
use serde::de::DeserializeOwned;

use super::auth::{Auth, Credential, Installation, InstallationToken};
use super::error::GithubError;
use super::kept::{Kept, KeptAnswer, Key};
pub use super::limits::Budget;
use super::transport::{Response, Transport, label, read};
use crate::config::GithubConfig;

/// A renamed repository is one redirect away.
const MOST_REDIRECTS: usize = 3;
const JSON: &str = "application/vnd.github+json";
const RAW: &str = "application/vnd.github.raw+json";

/// Asks GitHub. Clones share what they know: tokens, validators, limits.
#[derive(Clone)]
pub struct GithubClient(Arc<Inner>);

struct Inner {
    transport: Transport,
    api: Url,
    auth: Auth,
    kept: Kept,
    versions: AtomicU64,
}

/// What GitHub answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<T> {
    pub body: T,
    /// Whether it was sent anew; otherwise it is as it was when anybody last asked for it through this client.
    pub changed: bool,
    /// The same only of an answer that has not changed: whoever asks several times compares it with that of the answer that was
    /// taken in last, since others may have asked in between.
    pub version: u64,
    /// Whether there is another page.
    pub next: Option<NextPage>,
    /// What may still be asked, where GitHub says it.
    pub budget: Option<Budget>,
}

/// The address of another page, on the configured server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextPage(Url);

impl<T> Answer<T> {
    fn map<U>(self, change: impl FnOnce(T) -> U) -> Answer<U> {
        let Answer { body, changed, version, next, budget } = self;
        Answer { body: change(body), changed, version, next, budget }
    }
}

/// Whether an answer is kept with its validator.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Yes,
    /// What is asked for once.
    No,
}

/// One request that is answered with a page or less.
struct Request<'a> {
    method: Method,
    repository: &'a str,
    url: Url,
    accept: &'static str,
    keep: Keep,
    /// In JSON.
    body: Option<Vec<u8>>,
}

impl<'a> Request<'a> {
    fn get(repository: &'a str, url: Url, accept: &'static str, keep: Keep) -> Request<'a> {
        Request { method: Method::GET, repository, url, accept, keep, body: None }
    }

    fn label(&self) -> String {
        label(&self.method, &self.url)
    }
}

impl GithubClient {
    /// # Errors
    /// [`GithubError::Configuration`]: an address, a token or a key that cannot be used.
    pub fn new(config: &GithubConfig) -> Result<GithubClient, GithubError> {
        let api = Url::parse(config.api_url.trim_end_matches('/'))
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.query().is_none())
            .ok_or_else(|| {
                GithubError::Configuration(format!(
                    "{:?} is not the address of GitHub's API: write https://api.github.com or https://HOST/api/v3",
                    config.api_url
                ))
            })?;
        let (transport, auth) = (Transport::new()?, Auth::new(&config.auth)?);
        Ok(GithubClient(Arc::new(Inner {
            transport,
            api,
            auth,
            kept: Kept::default(),
            versions: AtomicU64::default(),
        })))
    }

    /// Asks for something of a repository (`acme/shop`): `path_and_query` is what comes after it, such as
    /// `/actions/runs?branch=main`, or nothing for the repository itself.
    ///
    /// # Errors
    /// [`GithubError`]; a limit is told at once and never waited for.
    pub async fn get<T: DeserializeOwned>(
        &self,
        repository: &str,
        path_and_query: &str,
    ) -> Result<Answer<T>, GithubError> {
        self.get_json(repository, self.url(repository, path_and_query)?, Keep::Yes).await
    }

    /// As [`GithubClient::get`], of what will not be asked for again: its answer is not kept.
    ///
    /// # Errors
    /// As of [`GithubClient::get`].
    pub async fn get_once<T: DeserializeOwned>(
        &self,
        repository: &str,
        path_and_query: &str,
    ) -> Result<Answer<T>, GithubError> {
        self.get_json(repository, self.url(repository, path_and_query)?, Keep::No).await
    }

    /// The page after one that was answered.
    ///
    /// # Errors
    /// As of [`GithubClient::get`].
    pub async fn next<T: DeserializeOwned>(
        &self,
        repository: &str,
        page: &NextPage,
    ) -> Result<Answer<T>, GithubError> {
        self.get_json(repository, page.0.clone(), Keep::Yes).await
    }

    /// As [`GithubClient::next`], of a page that will not be asked for again.
    ///
    /// # Errors
    /// As of [`GithubClient::get`].
    pub async fn next_once<T: DeserializeOwned>(
        &self,
        repository: &str,
        page: &NextPage,
    ) -> Result<Answer<T>, GithubError> {
        self.get_json(repository, page.0.clone(), Keep::No).await
    }

    /// As [`GithubClient::get`], all pages of it, but no more than `most`. `changed` where any did; `next` where there are more.
    ///
    /// # Errors
    /// As of [`GithubClient::get`].
    pub async fn pages<T: DeserializeOwned>(
        &self,
        repository: &str,
        path_and_query: &str,
        most: usize,
    ) -> Result<Answer<Vec<T>>, GithubError> {
        let first = self.get::<T>(repository, path_and_query).await?;
        let mut all = first.map(|page| vec![page]);
        while all.body.len() < most {
            let Some(page) = all.next.take() else { break };
            let answer = self.next::<T>(repository, &page).await?;
            all.body.push(answer.body);
            all.changed |= answer.changed;
            // They grow.
            all.version = all.version.max(answer.version);
            all.next = answer.next;
            all.budget = answer.budget;
        }
        Ok(all)
    }

    /// A file as it is (`/contents/PATH?ref=…`), rather than in the JSON that wraps smaller ones.
    ///
    /// # Errors
    /// As of [`GithubClient::get`].
    pub async fn get_raw(
        &self,
        repository: &str,
        path_and_query: &str,
    ) -> Result<Answer<Vec<u8>>, GithubError> {
        let url = self.url(repository, path_and_query)?;
        let answer = self.fetch(Request::get(repository, url, RAW, Keep::Yes)).await?;
        Ok(answer.answer.map(|body| body.to_vec()))
    }

    async fn get_json<T: DeserializeOwned>(
        &self,
        repository: &str,
        url: Url,
        keep: Keep,
    ) -> Result<Answer<T>, GithubError> {
        let request = Request::get(repository, url, JSON, keep);
        let label = request.label();
        let answer = self.fetch(request).await?;
        match serde_json::from_slice(&answer.answer.body) {
            Ok(body) => Ok(answer.answer.map(|_| body)),
            Err(error) => {
                // Else the server would go on telling that it has not changed.
                if let Some(key) = &answer.key {
                    self.0.kept.remove(key);
                }
                Err(GithubError::Unreadable { request: label, problem: error.to_string() })
            }
        }
    }

    fn url(&self, repository: &str, path_and_query: &str) -> Result<Url, GithubError> {
        let text =
            format!("{}/repos/{repository}{path_and_query}", self.0.api.as_str().trim_end_matches('/'));
        Url::parse(&text).map_err(|error| {
            GithubError::Configuration(format!("{text} is no address of GitHub's API: {error}"))
        })
    }

    async fn fetch(&self, request: Request<'_>) -> Result<Fetched, GithubError> {
        let mut renewed = false;
        loop {
            let credential = self.credential(request.repository).await?;
            match self.conditional(&credential, &request).await {
                Err(error) if error.status() == Some(401) && !renewed => {
                    // A token may end before its time. One that was configured is not renewed.
                    let Auth::App(app) = &self.0.auth else { return Err(error) };
                    app.known.lock().await.forget(&credential);
                    renewed = true;
                }
                outcome => return outcome,
            }
        }
    }

    async fn conditional(
        &self,
        credential: &Credential,
        request: &Request<'_>,
    ) -> Result<Fetched, GithubError> {
        let key =
            Key { fingerprint: credential.fingerprint, url: request.url.to_string(), accept: request.accept };
        let kept = match request.keep {
            Keep::Yes => self.0.kept.get(&key),
            Keep::No => None,
        };
        let etag = kept.as_ref().map(|kept| kept.etag.as_str());
        let response = self.redirected(credential, request, etag).await?;
        let next = |headers: &HeaderMap| next_page(headers, &self.0.api);
        if response.status == StatusCode::NOT_MODIFIED {
            let kept = kept.ok_or_else(|| GithubError::Unreadable {
                request: request.label(),
                problem: "it says that nothing has changed since it was never asked".into(),
            })?;
            let answer = Answer {
                body: kept.body,
                changed: false,
                version: kept.version,
                next: kept.next.and_then(|next| Url::parse(&next).ok()).map(NextPage),
                budget: response.budget,
            };
            return Ok(Fetched { answer, key: Some(key) });
        }
        let body: Arc<[u8]> = response.body.into();
        let next = next(&response.headers);
        let version = self.0.versions.fetch_add(1, Ordering::Relaxed);
        let etag = response.headers.get(header::ETAG).and_then(|etag| etag.to_str().ok());
        let key = match (etag, request.keep) {
            (Some(etag), Keep::Yes) => {
                let next = next.as_ref().map(|next| next.0.to_string());
                let answer = KeptAnswer { etag: etag.to_owned(), version, body: body.clone(), next };
                self.0.kept.put(key.clone(), answer);
                Some(key)
            }
            (None, _) | (_, Keep::No) => None,
        };
        let answer = Answer { body, changed: true, version, next, budget: response.budget };
        Ok(Fetched { answer, key })
    }

    /// Follows the redirects of a renamed repository, within the server.
    async fn redirected(
        &self,
        credential: &Credential,
        request: &Request<'_>,
        etag: Option<&str>,
    ) -> Result<Response, GithubError> {
        let mut url = request.url.clone();
        for _ in 0..=MOST_REDIRECTS {
            let (method, body) = (request.method.clone(), request.body.as_deref());
            let response =
                self.0.transport.send(method, &url, credential, request.accept, etag, body).await?;
            // 304 is of the same class, and what is not asked but sent is sent again by some of them alone.
            let is_redirect = match response.status.as_u16() {
                301 | 302 => request.method == Method::GET,
                status => matches!(status, 307 | 308),
            };
            let location = response.headers.get(header::LOCATION).and_then(|location| location.to_str().ok());
            let (Some(location), true) = (location, is_redirect) else { return Ok(response) };
            let elsewhere = || GithubError::Elsewhere {
                request: label(&request.method, &url),
                location: location.to_owned(),
            };
            let target = url.join(location).map_err(|_| elsewhere())?;
            if target.origin() != self.0.api.origin() {
                return Err(elsewhere());
            }
            tracing::debug!(
                from = url.path(),
                to = target.path(),
                "GitHub sends us on: the repository was renamed"
            );
            url = target;
        }
        Err(GithubError::Unreadable {
            request: request.label(),
            problem: format!("it sends us on more than {MOST_REDIRECTS} times"),
        })
    }

    async fn credential(&self, repository: &str) -> Result<Credential, GithubError> {
        let app = match &self.0.auth {
            Auth::Anonymous => return Ok(Credential::anonymous()),
            Auth::Token(credential) => return Ok(credential.clone()),
            Auth::App(app) => app,
        };
        let now = Timestamp::now();
        let mut known = app.known.lock().await;
        let name = repository.to_ascii_lowercase();
        let installation = match app.fixed.or_else(|| known.installations.get(&name).copied()) {
            Some(installation) => installation,
            None => {
                let url = self.url(repository, "/installation")?;
                let request = Request::get(repository, url, JSON, Keep::No);
                let answer =
                    self.conditional(&app.signed(now)?, &request).await.map_err(|error| {
                        match error.status() {
                            Some(404) => GithubError::NotInstalled { repository: repository.to_owned() },
                            _ => error,
                        }
                    })?;
                let found: Installation = read(&Method::GET, &request.url, &answer.answer.body)?;
                known.installations.insert(name, found.id);
                found.id
            }
        };
        if let Some(credential) = known.token(installation, now) {
            return Ok(credential);
        }
        let path = format!(
            "{}/app/installations/{installation}/access_tokens",
            self.0.api.as_str().trim_end_matches('/')
        );
        let url = Url::parse(&path).map_err(|error| GithubError::Configuration(error.to_string()))?;
        let answer = self
            .0
            .transport
            .send(Method::POST, &url, &app.signed(now)?, JSON, None, None)
            .await
            .inspect_err(|error| {
                // Installed anew, it has another number.
                if error.status() == Some(404) {
                    known.forget_installation(installation);
                }
            })?;
        let token: InstallationToken = read(&Method::POST, &url, &answer.body)?;
        known.learn(installation, &token).ok_or_else(|| GithubError::Unreadable {
            request: label(&Method::POST, &url),
            problem: "the token in it has characters that no token has".into(),
        })
    }
}

impl fmt::Debug for GithubClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GithubClient").field("api", &self.0.api.as_str()).finish_non_exhaustive()
    }
}

/// A path with a query, with what has to be escaped in it escaped.
pub fn with_query(path: &str, pairs: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("{path}?{query}")
}

/// An answer, from GitHub or from what was kept of it.
struct Fetched {
    answer: Answer<Arc<[u8]>>,
    /// Under which it is kept.
    key: Option<Key>,
}

/// The page that follows, by the header `Link` (RFC 8288), unless it is on another server.
fn next_page(headers: &HeaderMap, api: &Url) -> Option<NextPage> {
    let links = headers.get(header::LINK)?.to_str().ok()?;
    let next = links.split(',').find_map(|link| {
        let (address, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        parameters.split(';').any(|parameter| parameter.trim() == "rel=\"next\"").then_some(address)
    })?;
    let url = Url::parse(next).ok()?;
    (url.origin() == api.origin()).then_some(NextPage(url))
}
