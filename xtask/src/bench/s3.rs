//! An S3 of fixed cost: a bucket in memory over HTTP with kept connections, which takes the same time for each request.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use md5::{Digest, Md5};

/// What S3 takes for a small object within a region, about.
const COST: Duration = Duration::from_millis(20);
/// Later than any file that is uploaded, so that whoever compares times finds nothing to do.
const MODIFIED: &str = "Tue, 01 Jan 2030 00:00:00 GMT";
const LISTED: &str = "2030-01-01T00:00:00.000Z";

type Objects = Arc<Mutex<BTreeMap<String, Object>>>;

#[derive(Clone)]
struct Object {
    body: Arc<Vec<u8>>,
    etag: String,
    /// Headers that are stored with it and sent again.
    headers: Vec<(String, String)>,
}

struct Request {
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

/// Starts a stub, which ends with this program, and answers its URL.
pub(super) fn start() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").context("cannot bind a port on 127.0.0.1")?;
    let url = format!("http://{}", listener.local_addr()?);
    let objects = Objects::default();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let objects = Arc::clone(&objects);
            // A client that goes away in the middle is its own affair.
            thread::spawn(move || serve(stream, &objects).ok());
        }
    });
    Ok(url)
}

fn serve(stream: TcpStream, objects: &Objects) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    while let Some(request) = read_request(&mut reader, &mut stream)? {
        thread::sleep(COST);
        let (status, headers, body) = answer(&request, objects);
        let mut head =
            format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nx-amz-request-id: bench\r\n", body.len());
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        stream.write_all(head.as_bytes())?;
        stream.write_all(b"\r\n")?;
        if request.method != "HEAD" {
            stream.write_all(&body)?;
        }
    }
    Ok(())
}

type Answer = (&'static str, Vec<(String, String)>, Arc<Vec<u8>>);

fn answer(request: &Request, objects: &Objects) -> Answer {
    let mut objects = objects.lock().unwrap_or_else(PoisonError::into_inner);
    // Path style: the bucket is the first segment, and stays part of the key here.
    let key = request.path.trim_start_matches('/');
    let is_bucket = key.split_once('/').is_none_or(|(_, rest)| rest.is_empty());
    match request.method.as_str() {
        "PUT" if is_bucket => ("200 OK", Vec::new(), Arc::default()),
        "PUT" => {
            if refused(request, objects.get(key)) {
                return error("412 Precondition Failed", "PreconditionFailed");
            }
            let etag = format!("\"{}\"", hex::encode(Md5::digest(&request.body)));
            let kept = ["content-type", "content-encoding", "cache-control"];
            let headers = request
                .headers
                .iter()
                .filter(|(name, _)| kept.contains(&name.as_str()) || name.starts_with("x-amz-meta-"))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            let object = Object { body: Arc::new(request.body.clone()), etag: etag.clone(), headers };
            objects.insert(key.to_owned(), object);
            ("200 OK", vec![("ETag".into(), etag)], Arc::default())
        }
        "GET" | "HEAD" if is_bucket => ("200 OK", xml(), Arc::new(list(request, &objects).into_bytes())),
        "GET" | "HEAD" => match objects.get(key) {
            None => error("404 Not Found", "NoSuchKey"),
            Some(object) => {
                let mut headers = object.headers.clone();
                headers.extend([
                    ("ETag".to_owned(), object.etag.clone()),
                    ("Last-Modified".to_owned(), MODIFIED.to_owned()),
                ]);
                ("200 OK", headers, Arc::clone(&object.body))
            }
        },
        _ => error("501 Not Implemented", "NotImplemented"),
    }
}

/// Whether a conditional write finds another object than it expects.
fn refused(request: &Request, there: Option<&Object>) -> bool {
    let exists = request.headers.contains_key("if-none-match") && there.is_some();
    let differs = request.headers.get("if-match").is_some_and(|etag| {
        there.is_none_or(|object| object.etag.trim_matches('"') != etag.trim_matches('"'))
    });
    exists || differs
}

/// A whole listing: no client here has more than a thousand objects.
fn list(request: &Request, objects: &BTreeMap<String, Object>) -> String {
    let bucket = format!("{}/", request.path.trim_matches('/'));
    let prefix = request.query.get("prefix").map_or("", String::as_str);
    let contents: String = objects
        .iter()
        .filter_map(|(key, object)| Some((key.strip_prefix(&bucket)?, object)))
        .filter(|(key, _)| key.starts_with(prefix))
        .map(|(key, object)| {
            format!(
                "<Contents><Key>{key}</Key><LastModified>{LISTED}</LastModified><ETag>{}</ETag><Size>{}</Size>\
                 <StorageClass>STANDARD</StorageClass></Contents>",
                object.etag.replace('"', "&quot;"),
                object.body.len()
            )
        })
        .collect();
    let count = contents.matches("<Contents>").count();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
         <Name>bench</Name><Prefix>{prefix}</Prefix><KeyCount>{count}</KeyCount><MaxKeys>1000</MaxKeys>\
         <IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"
    )
}

fn error(status: &'static str, code: &str) -> Answer {
    let body = format!("<Error><Code>{code}</Code><Message>The stub says so.</Message></Error>");
    (status, xml(), Arc::new(body.into_bytes()))
}

fn xml() -> Vec<(String, String)> {
    vec![("Content-Type".to_owned(), "application/xml".to_owned())]
}

/// The next request; `None` when the client has closed the connection.
fn read_request(reader: &mut impl BufRead, stream: &mut TcpStream) -> Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let method = words.next().unwrap_or_default().to_owned();
    let target = words.next().unwrap_or_default().to_owned();
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let text = line.trim_end();
        if text.is_empty() {
            break;
        }
        if let Some((name, value)) = text.split_once(':') {
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    if headers.get("expect").is_some_and(|expected| expected.eq_ignore_ascii_case("100-continue")) {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let length = headers.get("content-length").map_or(Ok(0), |length| length.parse());
    let mut body = vec![0; length.context("a Content-Length is not a number")?];
    reader.read_exact(&mut body)?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let decoded = |text: &str| url::form_urlencoded::parse(text.as_bytes()).into_owned().collect();
    let path = url::form_urlencoded::parse(format!("p={}", path.replace('+', "%2B")).as_bytes())
        .next()
        .map_or(String::new(), |(_, path)| path.into_owned());
    Ok(Some(Request { method, path, query: decoded(query), headers, body }))
}
