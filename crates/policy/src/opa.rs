//! An OPA server over its Data API: asked per instance, never trusted with a pass that it did not give.

use std::error::Error as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use domain::instance::Instance;
use domain::policy::PolicyOutcome;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, Method, StatusCode, Url, redirect};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::analysis::Analysis;
use crate::cache::{Cache, Epoch};
use crate::config::{PolicyConfig, RegoVersion};
use crate::error::PolicyError;
use crate::input::{Fingerprints, hour, input};
use crate::modules::{Module, revision_of};
use crate::opa_api::{Answer, Policies, Refusal};
use crate::outcome::interpret;
use crate::query::Query;
use crate::rego::{engine_of, unsupported_problem};
use crate::{PolicyEngine, RuleInfo};

/// How long what is known of the server's policy is believed.
const POLL_INTERVAL: Duration = Duration::from_secs(10);
/// The same while the server does not answer: long enough that account-regions do not each wait for it in turn.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);

/// Asks an OPA server.
#[derive(Debug)]
pub struct OpaEngine {
    client: Client,
    server: Url,
    query: Query,
    rego_version: RegoVersion,
    timeout: Duration,
    concurrency: usize,
    cache: Cache,
    fingerprints: Fingerprints,
    known: RwLock<Known>,
    /// Held while the server is polled, so that batches that start together poll once.
    polled: Mutex<Option<Instant>>,
}

/// What the last poll found.
#[derive(Clone, Debug, Default)]
struct Known {
    revision: String,
    rules: Vec<RuleInfo>,
    unsupported: Option<String>,
    unreachable: Option<String>,
}

impl OpaEngine {
    /// Sets up the client; the server is first asked when there is something to decide.
    pub fn new(url: &str, config: &PolicyConfig) -> Result<OpaEngine, PolicyError> {
        let query = Query::parse(&config.query)?;
        let server = parse_server(url)?;
        for (key, value) in [("timeout_ms", config.timeout_ms == 0), ("concurrency", config.concurrency == 0)]
        {
            if value {
                return Err(PolicyError::Zero { key });
            }
        }
        let timeout = Duration::from_millis(config.timeout_ms);
        let mut headers = HeaderMap::new();
        if let Some(token) = &config.token {
            let mut value = HeaderValue::try_from(format!("Bearer {}", token.secret()))
                .map_err(|_| PolicyError::Token)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let client = Client::builder()
            .default_headers(headers)
            .timeout(timeout)
            .pool_max_idle_per_host(config.concurrency)
            // The token is for this server alone.
            .redirect(redirect::Policy::none())
            .build()
            .map_err(PolicyError::Client)?;
        let known = Known { revision: revision_of(&[server.as_str(), query.text()]), ..Known::default() };
        Ok(OpaEngine {
            client,
            server,
            query,
            rego_version: config.rego_version,
            timeout,
            concurrency: config.concurrency,
            cache: Cache::default(),
            fingerprints: Fingerprints::default(),
            known: RwLock::new(known),
            polled: Mutex::new(None),
        })
    }

    fn known(&self) -> Known {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Polls the server unless that was done a moment ago.
    async fn refresh_if_due(&self) {
        let mut polled = self.polled.lock().await;
        let interval = if self.known().unreachable.is_none() { POLL_INTERVAL } else { RETRY_INTERVAL };
        if polled.is_none_or(|at| at.elapsed() >= interval) {
            self.poll().await;
            *polled = Some(Instant::now());
        }
    }

    async fn poll(&self) {
        let known = match self.describe().await {
            Ok(known) => known,
            Err(message) => Known { unreachable: Some(message), ..self.known() },
        };
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
    }

    /// Asks for the policies and the revisions of their bundles. A server that does not show them to us still decides.
    async fn describe(&self) -> Result<Known, String> {
        let mut parts = vec![self.server.to_string(), self.query.text().to_owned()];
        let answer =
            self.send(Method::GET, self.data_url(true), None).await.map_err(|failure| failure.message())?;
        if let Ok(Answer { provenance: Some(provenance), .. }) = serde_json::from_slice(&answer.body) {
            parts.extend(
                provenance.bundles.into_iter().map(|(name, bundle)| format!("{name}={}", bundle.revision)),
            );
        }
        let answer = self
            .send(Method::GET, self.url(["v1", "policies"]), None)
            .await
            .map_err(|failure| failure.message())?;
        let modules = match serde_json::from_slice::<Policies>(&answer.body) {
            Ok(policies) if answer.status == StatusCode::OK => policies.modules(),
            Ok(_) | Err(_) => Vec::new(),
        };
        parts.extend(modules.iter().flat_map(|module| [module.file.clone(), module.text.clone()]));
        let analysis = self.analyse(&modules);
        Ok(Known {
            revision: revision_of(&parts),
            rules: analysis.rules,
            unsupported: analysis.unsupported,
            unreachable: None,
        })
    }

    /// A policy that only OPA understands is not analysed; OPA decides on it all the same.
    fn analyse(&self, modules: &[Module]) -> Analysis {
        [self.rego_version, self.rego_version.other()]
            .into_iter()
            .find_map(|version| engine_of(modules, version).ok())
            .map(|mut engine| Analysis::of(&mut engine, &self.query))
            .unwrap_or_else(|| {
                tracing::warn!("the policies of the OPA server cannot be read here; what they read of the input is not checked");
                Analysis::default()
            })
    }

    async fn decide(&self, instance: &Instance, now: Timestamp) -> PolicyOutcome {
        let body = json!({ "input": input(instance, now) });
        match self.send(Method::POST, self.data_url(false), Some(&body)).await {
            Ok(answer) => self.read(&answer),
            Err(failure) => PolicyOutcome::Unreachable { message: failure.message() },
        }
    }

    fn read(&self, answer: &Raw) -> PolicyOutcome {
        if answer.status != StatusCode::OK {
            return PolicyOutcome::Error { message: self.refusal(answer) };
        }
        match serde_json::from_slice::<Answer>(&answer.body) {
            Ok(Answer { result: Some(result), .. }) => interpret(&self.query, &result),
            Ok(Answer { result: None, .. }) => PolicyOutcome::Undefined,
            Err(error) => PolicyOutcome::Error { message: format!("OPA's answer cannot be read: {error}") },
        }
    }

    fn refusal(&self, answer: &Raw) -> String {
        let status = answer.status.as_u16();
        let said = match serde_json::from_slice::<Refusal>(&answer.body) {
            Ok(refusal) => refusal.text(),
            Err(_) => "no explanation".to_owned(),
        };
        let next = match answer.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "; check policy.token",
            _ => "",
        };
        format!("OPA answered {status}: {said}{next}")
    }

    /// Sends a request, and once more if the connection was closed under it: OPA's answers change nothing.
    async fn send(&self, method: Method, url: Url, body: Option<&Value>) -> Result<Raw, Failure> {
        let once = async || {
            let mut request = self.client.request(method.clone(), url.clone());
            if let Some(body) = body {
                request = request.json(body);
            }
            let response = request.send().await?;
            let status = response.status();
            Ok(Raw { status, body: response.bytes().await?.to_vec() })
        };
        let result = match once().await {
            Err(error) if was_reset(&error) => once().await,
            result => result,
        };
        result.map_err(|error: reqwest::Error| Failure {
            timeout: self.timeout,
            server: self.server.clone(),
            error,
        })
    }

    fn data_url(&self, provenance: bool) -> Url {
        let components = self.query.components().iter().map(String::as_str);
        let mut url = self.url(["v1", "data"].into_iter().chain(components));
        if provenance {
            url.query_pairs_mut().append_pair("provenance", "true");
        }
        url
    }

    fn url<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> Url {
        let mut url = self.server.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }
}

#[async_trait]
impl PolicyEngine for OpaEngine {
    async fn evaluate(&self, instances: &[&Instance], now: Timestamp) -> Vec<Arc<PolicyOutcome>> {
        self.refresh_if_due().await;
        let known = self.known();
        let for_all = |outcome: PolicyOutcome| {
            let outcome = Arc::new(outcome);
            vec![outcome; instances.len()]
        };
        if let Some(message) = known.unreachable {
            return for_all(PolicyOutcome::Unreachable { message });
        }
        if let Some(path) = known.unsupported {
            return for_all(PolicyOutcome::UnsupportedInput { path });
        }

        let epoch = Epoch { revision: known.revision, hour: hour(now) };
        let fingerprints: Vec<u128> =
            instances.iter().map(|instance| self.fingerprints.of(instance)).collect();
        let mut outcomes = self.cache.get(&epoch, &fingerprints);
        let missing: Vec<usize> = (0..instances.len()).filter(|&index| outcomes[index].is_none()).collect();
        let silence = Silence::default();
        let answers = missing.into_iter().map(|index| {
            let silence = &silence;
            async move {
                let outcome = match silence.broken() {
                    Some(message) => PolicyOutcome::Unreachable { message },
                    None => self.decide(instances[index], now).await,
                };
                silence.note(&outcome, self.concurrency);
                (index, outcome)
            }
        });
        let mut answers = stream::iter(answers).buffer_unordered(self.concurrency);
        while let Some((index, outcome)) = answers.next().await {
            outcomes[index] = Some(self.cache.put(&epoch, fingerprints[index], outcome));
        }
        outcomes
            .into_iter()
            .map(|outcome| outcome.unwrap_or_else(|| Arc::new(PolicyOutcome::NotEvaluated)))
            .collect()
    }

    async fn refresh(&self) {
        let mut polled = self.polled.lock().await;
        self.poll().await;
        *polled = Some(Instant::now());
    }

    fn revision(&self) -> String {
        self.known().revision
    }

    fn rules(&self) -> Vec<RuleInfo> {
        self.known().rules
    }

    fn query(&self) -> &str {
        self.query.text()
    }

    fn description(&self) -> String {
        format!("OPA at {}", self.server)
    }

    fn problem(&self) -> Option<String> {
        let known = self.known();
        known.unreachable.or_else(|| known.unsupported.as_deref().map(unsupported_problem))
    }
}

/// Notices that a server has stopped answering in the middle of a batch, so that the batch does not wait for a timeout
/// per instance.
#[derive(Debug, Default)]
struct Silence {
    in_a_row: AtomicU32,
    message: RwLock<Option<String>>,
}

impl Silence {
    fn broken(&self) -> Option<String> {
        self.message.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, outcome: &PolicyOutcome, concurrency: usize) {
        let PolicyOutcome::Unreachable { message } = outcome else {
            self.in_a_row.store(0, Ordering::Relaxed);
            return;
        };
        let in_a_row = self.in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
        if usize::try_from(in_a_row).is_ok_and(|in_a_row| in_a_row >= 2 * concurrency) {
            *self.message.write().unwrap_or_else(PoisonError::into_inner) = Some(message.clone());
        }
    }
}

#[derive(Debug)]
struct Raw {
    status: StatusCode,
    body: Vec<u8>,
}

#[derive(Debug)]
struct Failure {
    timeout: Duration,
    server: Url,
    error: reqwest::Error,
}

impl Failure {
    fn message(&self) -> String {
        let server = &self.server;
        if self.error.is_timeout() {
            return format!("OPA at {server} did not answer within {} ms", self.timeout.as_millis());
        }
        let mut cause: &dyn std::error::Error = &self.error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        format!("OPA at {server} cannot be reached: {cause}")
    }
}

/// Whether the connection went away after it was there, which an idle one may do at any time.
fn was_reset(error: &reqwest::Error) -> bool {
    error.source().is_some()
        && (error.is_request() || error.is_body())
        && !error.is_connect()
        && !error.is_timeout()
}

fn parse_server(url: &str) -> Result<Url, PolicyError> {
    let error = |message: &str| PolicyError::Url { url: url.to_owned(), message: message.to_owned() };
    let server = Url::parse(url).map_err(|cause| error(&cause.to_string()))?;
    if !matches!(server.scheme(), "http" | "https") {
        return Err(error("it has to start with http:// or https://"));
    }
    if !server.username().is_empty() || server.password().is_some() {
        // Not repeated in the message, which ends up in logs.
        return Err(PolicyError::Url {
            url: server.host_str().unwrap_or_default().to_owned(),
            message: "it holds credentials; put a token into policy.token instead".to_owned(),
        });
    }
    if server.query().is_some() || server.fragment().is_some() {
        return Err(error("it has to be the server's address, without `?` and `#`"));
    }
    Ok(server)
}
