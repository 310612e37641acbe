//! A bucket and a distribution in one of two local clouds, and a proxy in front of one that fails as it is told.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use tokio::sync::Notify;

use crate::common::cloud::Cloud;
use crate::common::{Emulator, Running, free_port, setting};

/// Which local cloud: what one of them accepts that AWS does not, the other refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Moto,
    Ministack,
}

/// Keeps a local cloud running.
pub(super) enum Process {
    Moto(#[expect(dead_code, reason = "ends with the test")] Emulator),
    Ministack(#[expect(dead_code, reason = "ends with the test")] Running),
}

/// A local cloud with an empty bucket and a distribution.
pub(super) async fn start(kind: Kind) -> (Cloud, Process) {
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
    (Cloud::at(url).await, process)
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

    pub(super) async fn wait(&self) {
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
