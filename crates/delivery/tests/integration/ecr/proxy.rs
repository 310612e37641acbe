//! A proxy between the SDK and a cloud that breaks answers in the ways a network does.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What happens to an answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// Half of it arrives, then the connection ends.
    CutInTheMiddle,
    /// It arrives whole and is a page for people.
    Malformed,
    /// ECR says that it failed.
    ServerError,
    /// It arrives after this long.
    Slow(Duration),
}

struct Rule {
    /// The operation, as the SDK names it in `x-amz-target`.
    operation: String,
    /// A text in the request's body, such as the repository's name; empty for any.
    about: String,
    fault: Fault,
    times: u32,
}

/// A running proxy; ends with the test.
pub(super) struct Proxy {
    pub(super) url: String,
    rules: Arc<Mutex<Vec<Rule>>>,
}

impl Proxy {
    pub(super) async fn start(upstream: &str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let rules: Arc<Mutex<Vec<Rule>>> = Arc::default();
        let upstream = upstream.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let shared = rules.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (upstream, rules) = (upstream.clone(), shared.clone());
                tokio::spawn(async move {
                    // A client that went away is none of the proxy's business.
                    let _ = pass(client, &upstream, &rules).await;
                });
            }
        });
        Proxy { url, rules }
    }

    /// Breaks the next `times` answers to an operation about something.
    pub(super) fn break_next(&self, operation: &str, about: &str, fault: Fault, times: u32) {
        let rule = Rule { operation: operation.to_owned(), about: about.to_owned(), fault, times };
        self.rules.lock().expect("the rules").push(rule);
    }

    /// How many answers are still to be broken.
    pub(super) fn left(&self) -> u32 {
        self.rules.lock().expect("the rules").iter().map(|rule| rule.times).sum()
    }

    /// Breaks nothing any more.
    pub(super) fn mend(&self) {
        self.rules.lock().expect("the rules").clear();
    }
}

/// Passes one request on; the connection ends with its answer.
async fn pass(mut client: TcpStream, upstream: &str, rules: &Mutex<Vec<Rule>>) -> std::io::Result<()> {
    let (head, body) = read_request(&mut client).await?;
    let fault = matching(rules, &head, &body);
    let mut server = TcpStream::connect(upstream).await?;
    let lines = head
        .split("\r\n")
        .filter(|line| !line.is_empty() && !line.to_ascii_lowercase().starts_with("connection:"));
    let request: Vec<&str> = lines.chain(["Connection: close"]).collect();
    server.write_all(format!("{}\r\n\r\n", request.join("\r\n")).as_bytes()).await?;
    server.write_all(&body).await?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await?;
    match fault {
        None => client.write_all(&answer).await?,
        Some(Fault::CutInTheMiddle) => client.write_all(&answer[..answer.len() / 2]).await?,
        Some(Fault::Malformed) => {
            answer_with(&mut client, "200 OK", "<html><body>Sign in</body></html>").await?
        }
        Some(Fault::ServerError) => {
            let text = "{\"__type\": \"ServerException\", \"message\": \"As the test asked.\"}";
            answer_with(&mut client, "500 Internal Server Error", text).await?;
        }
        Some(Fault::Slow(delay)) => {
            tokio::time::sleep(delay).await;
            client.write_all(&answer).await?;
        }
    }
    client.shutdown().await
}

async fn answer_with(client: &mut TcpStream, status: &str, text: &str) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/x-amz-json-1.1\r\nConnection: close");
    client.write_all(format!("{head}\r\nContent-Length: {}\r\n\r\n{text}", text.len()).as_bytes()).await
}

async fn read_request(client: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 8_192];
    loop {
        let read = client.read(&mut chunk).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&chunk[..read]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok())
            .unwrap_or(0_usize);
        let body = &bytes[end + 4..];
        if body.len() >= length {
            return Ok((head, body.to_vec()));
        }
    }
}

fn matching(rules: &Mutex<Vec<Rule>>, head: &str, body: &[u8]) -> Option<Fault> {
    let body = String::from_utf8_lossy(body);
    let mut rules = rules.lock().expect("the rules");
    let rule = rules.iter_mut().find(|rule| {
        rule.times > 0 && head.contains(&format!(".{}\r\n", rule.operation)) && body.contains(&rule.about)
    })?;
    rule.times -= 1;
    Some(rule.fault)
}
