//! What stands between browsers and a console that was published: the API from the server, everything else from the bucket.
//!
//! It reads a path as the CDN's function does, and answers what is stored with the headers that it was stored with.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;

use crate::common::cloud::Cloud;

const PATHS: &str = include_str!("../../../infra/terraform/modules/cdn/paths.json");
const HEADERS: &str = include_str!("../../../infra/terraform/modules/cdn/headers.json");
const SHELL: &str = "index.html";

/// A distribution of the test's own, which ends with it.
pub(crate) struct Distribution {
    pub(crate) url: String,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

struct Shared {
    cloud: Cloud,
    client: reqwest::Client,
    root_files: Vec<String>,
    /// What the CDN adds to each answer from the bucket.
    headers: HeaderMap,
    steered: Mutex<Steered>,
    /// What was answered from the bucket, by its key.
    answered: Mutex<Vec<(String, StatusCode)>>,
}

/// What a test changes about it.
struct Steered {
    console: String,
    /// Files whose key holds this are refused.
    refused: Option<String>,
    /// The page as this edge keeps it, whatever is in the bucket by now.
    kept_shell: Option<Stored>,
}

type Stored = (StatusCode, HeaderMap, Vec<u8>);

#[derive(Deserialize)]
struct Paths {
    root_files: Vec<String>,
}

impl Distribution {
    /// In front of the console at `console` and of the bucket.
    pub(crate) async fn start(cloud: &Cloud, console: &str) -> Distribution {
        let paths: Paths = serde_json::from_str(PATHS).expect("paths.json");
        let headers: std::collections::HashMap<String, String> =
            serde_json::from_str(HEADERS).expect("headers.json");
        let shared = Arc::new(Shared {
            cloud: cloud.clone(),
            // A connection that is kept would be that of a console which ended.
            client: reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .pool_max_idle_per_host(0)
                .build()
                .expect("a client"),
            root_files: paths.root_files,
            headers: HeaderMap::try_from(&headers).expect("headers"),
            steered: Mutex::new(Steered { console: console.to_owned(), refused: None, kept_shell: None }),
            answered: Mutex::default(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(answer).with_state(shared.clone());
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("the distribution serves");
        });
        Distribution { url, shared, task }
    }

    /// Has another console answer the API from now on.
    pub(crate) fn leads_to(&self, console: &str) {
        console.clone_into(&mut self.steered().console);
    }

    /// Answers 503 for files whose key holds `part`, and for none without one.
    pub(crate) fn refuses(&self, part: Option<&str>) {
        self.steered().refused = part.map(str::to_owned);
    }

    /// Keeps the page as it is now, as an edge does that an invalidation has not reached; or no longer does.
    pub(crate) async fn keeps_the_shell(&self, keeps: bool) {
        let kept = if keeps { Some(self.shared.cloud.object(SHELL).await) } else { None };
        self.steered().kept_shell = kept;
    }

    /// The statuses of what was answered for keys that hold `part`, in order.
    pub(crate) fn answered(&self, part: &str) -> Vec<StatusCode> {
        let answered = self.shared.answered.lock().expect("answers");
        answered.iter().filter(|(key, _)| key.contains(part)).map(|(_, status)| *status).collect()
    }

    /// How often the page was loaded.
    pub(crate) fn loads(&self) -> usize {
        self.answered(SHELL).len()
    }

    fn steered(&self) -> std::sync::MutexGuard<'_, Steered> {
        self.shared.steered.lock().expect("what is steered")
    }
}

impl Drop for Distribution {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a path asks for.
#[derive(Debug, PartialEq, Eq)]
enum Target<'a> {
    Api,
    /// An object of the bucket, by its key.
    Object(&'a str),
}

fn target<'a>(path: &'a str, root_files: &[String]) -> Target<'a> {
    let path = path.trim_start_matches('/');
    if path == "api" || path.starts_with("api/") {
        Target::Api
    } else if path.starts_with("pkg/") || root_files.iter().any(|file| file == path) {
        Target::Object(path)
    } else {
        Target::Object(SHELL)
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    match target(request.uri().path(), &shared.root_files) {
        Target::Api => pass(&shared, request).await,
        Target::Object(key) => {
            let response = shared.object(key, request.headers()).await;
            let answered = (key.to_owned(), response.status());
            shared.answered.lock().expect("answers").push(answered);
            response
        }
    }
}

impl Shared {
    async fn object(&self, key: &str, asked: &HeaderMap) -> Response {
        let kept = {
            let steered = self.steered.lock().expect("what is steered");
            if steered.refused.as_ref().is_some_and(|part| key.contains(part)) {
                return failed(StatusCode::SERVICE_UNAVAILABLE);
            }
            steered.kept_shell.clone().filter(|_| key == SHELL)
        };
        let (status, stored, body) = match kept {
            Some(kept) => kept,
            None => self.cloud.object(key).await,
        };
        let known = stored.get(header::ETAG).is_some()
            && asked.get(header::IF_NONE_MATCH) == stored.get(header::ETAG);
        let mut response = match status {
            StatusCode::OK if known => StatusCode::NOT_MODIFIED.into_response(),
            StatusCode::OK => Body::from(body).into_response(),
            // No browser may keep that a file is missing.
            missing => failed(missing),
        };
        if status == StatusCode::OK {
            for name in [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::CACHE_CONTROL, header::ETAG]
            {
                if let Some(value) = stored.get(&name) {
                    response.headers_mut().insert(name, value.clone());
                }
            }
        }
        response.headers_mut().extend(self.headers.clone());
        response
    }
}

fn failed(status: StatusCode) -> Response {
    let no_store = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    (status, [no_store], status.to_string()).into_response()
}

/// Asks the console, and passes its answer on as it comes: a stream of events has no end.
async fn pass(shared: &Shared, request: Request) -> Response {
    /// Of one connection alone.
    const HOP_BY_HOP: [HeaderName; 2] = [header::CONNECTION, header::TRANSFER_ENCODING];

    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let url = format!("{}{path}", shared.steered.lock().expect("what is steered").console);
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        return failed(StatusCode::BAD_REQUEST);
    };
    // The host is that of the distribution: the console compares it with the origin of what is posted.
    let asked = shared.client.request(parts.method, url).headers(parts.headers).body(body);
    let Ok(answer) = asked.send().await else { return failed(StatusCode::BAD_GATEWAY) };
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    HOP_BY_HOP.iter().for_each(|name| drop(headers.remove(name)));
    let mut response = Body::from_stream(answer.bytes_stream()).into_response();
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

#[test]
fn a_path_is_the_same_here_and_on_the_cdn() {
    #[derive(Deserialize)]
    struct Cases {
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        path: String,
        file: Option<String>,
    }

    let paths: Paths = serde_json::from_str(PATHS).expect("paths.json");
    let Cases { cases } = serde_json::from_str(PATHS).expect("paths.json");
    assert!(!cases.is_empty());
    for Case { path, file } in &cases {
        let expected = file.as_ref().map_or(Target::Api, |file| Target::Object(file.trim_start_matches('/')));
        assert_eq!(target(path, &paths.root_files), expected, "{path}");
    }
}
