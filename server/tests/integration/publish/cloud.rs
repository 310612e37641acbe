//! A bucket and a distribution in one of two local clouds, and a proxy in front of it that fails as it is told.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use tokio::sync::Notify;

use crate::common::{Emulator, Running, free_port, setting, until};

pub(super) const BUCKET: &str = "pages";

/// Which local cloud: what one of them accepts that AWS does not, the other refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Moto,
    Ministack,
}

/// A local cloud with an empty bucket and a distribution.
pub(super) struct Cloud {
    pub(super) url: String,
    pub(super) distribution: String,
    pub(super) client: reqwest::Client,
    _process: Process,
}

enum Process {
    Moto(#[expect(dead_code, reason = "ends with the test")] Emulator),
    Ministack(#[expect(dead_code, reason = "ends with the test")] Running),
}

impl Cloud {
    pub(super) async fn start(kind: Kind) -> Cloud {
        let client = reqwest::Client::new();
        let (url, process) = match kind {
            Kind::Moto => {
                let emulator = Emulator::start("none");
                (emulator.url.clone(), Process::Moto(emulator))
            }
            Kind::Ministack => {
                let port = free_port();
                let process = Command::new(setting("TOLLGATE_TEST_SECOND_AWS"))
                    .env("GATEWAY_PORT", port.to_string())
                    .env("BIND_HOST", "127.0.0.1")
                    .env("IOT_MTLS_ENABLED", "0")
                    .env("SFTP_ENABLED", "0")
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn()
                    .expect("the second cloud starts");
                (format!("http://127.0.0.1:{port}"), Process::Ministack(Running::new(process)))
            }
        };
        let mut cloud = Cloud { url, distribution: String::new(), client, _process: process };
        until("the cloud has a bucket", async || {
            let made = cloud.signed("PUT", &format!("/{BUCKET}"), "s3", "").await;
            made.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
        cloud.distribution = cloud.distribute().await;
        cloud
    }

    /// A distribution in front of the bucket.
    async fn distribute(&self) -> String {
        let body = format!(
            "<DistributionConfig xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\"><CallerReference>one</CallerReference>\
             <Comment/><Enabled>true</Enabled><Origins><Quantity>1</Quantity><Items><Origin><Id>s3</Id>\
             <DomainName>{BUCKET}.s3.amazonaws.com</DomainName><S3OriginConfig><OriginAccessIdentity/></S3OriginConfig></Origin></Items>\
             </Origins><DefaultCacheBehavior><TargetOriginId>s3</TargetOriginId><ViewerProtocolPolicy>redirect-to-https\
             </ViewerProtocolPolicy></DefaultCacheBehavior></DistributionConfig>"
        );
        let answer =
            self.signed("POST", "/2020-05-31/distribution", "cloudfront", &body).await.expect("an answer");
        let text = answer.text().await.expect("a body");
        let id = text.split_once("<Id>").and_then(|(_, rest)| rest.split_once("</Id>")).expect("an id");
        id.0.to_owned()
    }

    /// A request that says which service it is for, which is what the clouds look at; nobody checks the signature.
    async fn signed(
        &self,
        method: &str,
        path: &str,
        service: &str,
        body: &str,
    ) -> reqwest::Result<reqwest::Response> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let scope = format!("AKIA111111111111TOLL/20260101/us-east-1/{service}/aws4_request");
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature=none");
        self.client
            .request(method, format!("{}{path}", self.url))
            .header("authorization", authorization)
            .header("x-amz-date", "20260101T000000Z")
            .body(body.to_owned())
            .send()
            .await
    }

    /// An object as it is served: its status, headers and bytes.
    pub(super) async fn object(&self, key: &str) -> (StatusCode, http::HeaderMap, Vec<u8>) {
        let answer = self.signed("GET", &format!("/{BUCKET}/{key}"), "s3", "").await.expect("an answer");
        let (status, headers) = (answer.status(), answer.headers().clone());
        (status, headers, answer.bytes().await.expect("a body").to_vec())
    }

    /// Whether there is an object.
    pub(super) async fn has(&self, key: &str) -> bool {
        self.object(key).await.0.is_success()
    }

    /// Every key of the bucket.
    pub(super) async fn keys(&self) -> Vec<String> {
        let answer = self.signed("GET", &format!("/{BUCKET}?list-type=2&max-keys=1000"), "s3", "").await;
        let text = answer.expect("an answer").text().await.expect("a body");
        let keys =
            text.split("<Key>").skip(1).filter_map(|rest| Some(rest.split_once("</Key>")?.0.to_owned()));
        keys.collect()
    }

    /// Writes an object without any of our headers.
    pub(super) async fn overwrite(&self, key: &str, body: &str) {
        let answer = self.signed("PUT", &format!("/{BUCKET}/{key}"), "s3", body).await.expect("an answer");
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    /// How many invalidations were asked for.
    pub(super) async fn invalidations(&self) -> usize {
        let path = format!("/2020-05-31/distribution/{}/invalidation", self.distribution);
        let answer = self.signed("GET", &path, "cloudfront", "").await.expect("an answer");
        answer.text().await.expect("a body").matches("<InvalidationSummary>").count()
    }
}

/// What the proxy does with a request.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Pass,
    /// Ends the program before the request has reached the cloud, or after.
    Kill {
        answered: bool,
    },
    /// Breaks the connection.
    Break,
    /// Answers an error of S3.
    Refuse {
        status: u16,
        code: &'static str,
    },
    /// Lets it through after a while.
    Slow(Duration),
    /// Holds it until as many have come.
    Meet(Arc<Meeting>),
}

/// Where requests wait for each other.
#[derive(Debug)]
pub(super) struct Meeting {
    expected: usize,
    come: AtomicUsize,
    all: Notify,
}

impl Meeting {
    pub(super) fn of(expected: usize) -> Arc<Meeting> {
        Arc::new(Meeting { expected, come: AtomicUsize::new(0), all: Notify::new() })
    }

    async fn wait(&self) {
        let all = self.all.notified();
        if self.come.fetch_add(1, Ordering::SeqCst) + 1 >= self.expected {
            self.all.notify_waiters();
            return;
        }
        all.await;
    }
}

type Decide = Box<dyn Fn(usize, &Request) -> Act + Send + Sync>;

/// A proxy in front of a cloud. It is a program's whole network.
pub(super) struct Proxy {
    pub(super) url: String,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

struct Shared {
    target: String,
    client: reqwest::Client,
    decide: Decide,
    seen: Mutex<Vec<String>>,
    /// The program to end, once it runs.
    program: Mutex<Option<u32>>,
}

impl Proxy {
    /// `decide` is asked for each request with its number, which starts at 0.
    pub(super) async fn start(
        cloud: &Cloud,
        decide: impl Fn(usize, &Request) -> Act + Send + Sync + 'static,
    ) -> Proxy {
        let shared = Arc::new(Shared {
            target: cloud.url.clone(),
            client: cloud.client.clone(),
            decide: Box::new(decide),
            seen: Mutex::default(),
            program: Mutex::default(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = axum::Router::new().fallback(pass).with_state(shared.clone());
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("the proxy serves");
        });
        Proxy { url, shared, task }
    }

    /// The program that is ended.
    pub(super) fn watches(&self, process: u32) {
        *self.shared.program.lock().expect("a program") = Some(process);
    }

    /// What was asked, as `METHOD path`.
    pub(super) fn seen(&self) -> Vec<String> {
        self.shared.seen.lock().expect("requests").clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let number = {
        let mut seen = shared.seen.lock().expect("requests");
        seen.push(format!("{} {}", request.method(), request.uri().path()));
        seen.len() - 1
    };
    let act = (shared.decide)(number, &request);
    match &act {
        Act::Break => return broken(),
        Act::Kill { answered: false } => {
            shared.kill().await;
            return broken();
        }
        Act::Refuse { status, code } => {
            let body = format!("<Error><Code>{code}</Code><Message>told to the test</Message></Error>");
            let response = Response::builder().status(*status).header("content-type", "application/xml");
            return response.body(Body::from(body)).expect("a response");
        }
        Act::Slow(time) => tokio::time::sleep(*time).await,
        Act::Meet(meeting) => meeting.wait().await,
        Act::Pass | Act::Kill { answered: true } => {}
    }
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut forward = shared.client.request(parts.method, format!("{}{path}", shared.target)).body(body);
    for (name, value) in &parts.headers {
        if name != http::header::HOST && name != http::header::CONTENT_LENGTH {
            forward = forward.header(name, value);
        }
    }
    let answer = forward.send().await.expect("the cloud answers");
    if let Act::Kill { answered: true } = act {
        shared.kill().await;
        return broken();
    }
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        if name != http::header::TRANSFER_ENCODING {
            response = response.header(name, value);
        }
    }
    response.body(Body::from(answer.bytes().await.expect("a body"))).expect("a response")
}

/// An answer that ends in the middle.
fn broken() -> Response {
    let cut = futures::stream::iter([Ok("<"), Err(std::io::Error::other("cut off"))]);
    Response::builder().header("content-length", "1000").body(Body::from_stream(cut)).expect("a response")
}

impl Shared {
    /// Ends the program without a warning.
    async fn kill(&self) {
        let program = loop {
            if let Some(program) = *self.program.lock().expect("a program") {
                break program;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        let killed = Command::new("kill").args(["-KILL", &program.to_string()]).status();
        assert!(killed.is_ok_and(|status| status.success()), "the program was running");
    }
}
