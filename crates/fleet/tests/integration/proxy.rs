//! A proxy between the SDK and the emulator that breaks answers in the ways a network does.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// What happens to an answer.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Half of it arrives, then the connection ends.
    CutInTheMiddle,
    /// It arrives whole and is no XML.
    Malformed,
    /// It arrives after this long.
    Slow(Duration),
    /// It is carried out and never answered.
    Lost,
    /// It is kept on the way until the test lets it go.
    Held(Arc<Hold>),
}

/// Answers that are kept on the way.
#[derive(Debug)]
pub(crate) struct Hold {
    kept: Semaphore,
    released: Semaphore,
}

impl Hold {
    pub(crate) fn new() -> Arc<Hold> {
        Arc::new(Hold { kept: Semaphore::new(0), released: Semaphore::new(0) })
    }

    /// Returns when `answers` more were given and are kept.
    pub(crate) async fn kept(&self, answers: u32) {
        self.kept.acquire_many(answers).await.expect("the proxy runs").forget();
    }

    /// Lets all answers go.
    pub(crate) fn release(&self) {
        self.released.close();
    }
}

struct Rule {
    /// A text in the request's body, such as `Action=DescribeInstances`.
    body: String,
    /// A region in the signature; empty for any.
    region: String,
    fault: Fault,
    times: u32,
}

/// A running proxy; ends with the test.
pub(crate) struct Proxy {
    pub(crate) url: String,
    rules: Arc<Mutex<Vec<Rule>>>,
}

impl Proxy {
    pub(crate) async fn start(upstream: &str) -> Proxy {
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

    /// Breaks the next `times` answers to requests of `action` in `region` (empty for any).
    pub(crate) fn break_next(&self, action: &str, region: &str, fault: Fault, times: u32) {
        let rule = Rule { body: format!("Action={action}&"), region: region.to_owned(), fault, times };
        self.rules.lock().expect("the rules").push(rule);
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
            let text = "<DescribeInstancesResponse><reservationSet><item></reservationSet>";
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nConnection: close";
            client
                .write_all(format!("{head}\r\nContent-Length: {}\r\n\r\n{text}", text.len()).as_bytes())
                .await?;
        }
        Some(Fault::Slow(delay)) => {
            tokio::time::sleep(delay).await;
            client.write_all(&answer).await?;
        }
        Some(Fault::Lost) => {}
        Some(Fault::Held(hold)) => {
            hold.kept.add_permits(1);
            // Closed when it is released.
            let _ = hold.released.acquire().await;
            client.write_all(&answer).await?;
        }
    }
    client.shutdown().await
}

/// The head as text and the body as it is: CloudWatch's is binary.
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
        rule.times > 0
            && body.contains(&rule.body)
            && (rule.region.is_empty() || head.contains(&format!("/{}/", rule.region)))
    })?;
    rule.times -= 1;
    Some(rule.fault.clone())
}
