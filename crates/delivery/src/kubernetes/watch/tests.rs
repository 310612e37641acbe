//! Following a list through answers that a server may give, on a clock that runs ahead.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use futures::stream;
use http::{Request, Response};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, Receiver};

use super::super::argo::Settings;
use super::*;

/// What a server answers to one request.
enum Answer {
    /// A status and a body.
    Of(u16, Value),
    /// These events, and nothing after them.
    Events(Vec<Value>),
    /// These events, and then the end of the watch.
    Ended(Vec<Value>),
    /// Nothing.
    Never,
}

type Reports = Receiver<(WatchId, Report)>;
type Asked = Arc<Mutex<Vec<String>>>;

/// What a watch says of a server that gives these answers, and what the server was asked.
fn follow(answers: Vec<Answer>) -> (Reports, Asked) {
    let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = asked.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        log.lock().unwrap().push(request.uri().to_string());
        let answer = answers.lock().unwrap().pop_front().unwrap_or(Answer::Never);
        async move {
            let (status, body) = match answer {
                Answer::Of(status, body) => (status, reqwest::Body::from(body.to_string())),
                Answer::Events(events) => {
                    let nothing = stream::pending::<Result<String, std::io::Error>>();
                    (200, reqwest::Body::wrap_stream(lines(events).chain(nothing)))
                }
                Answer::Ended(events) => (200, reqwest::Body::wrap_stream(lines(events))),
                Answer::Never => std::future::pending().await,
            };
            Response::builder().status(status).body(body)
        }
    });
    let client = Client::new(service, "default");
    let (to, from) = mpsc::channel(64);
    let follow = Follow {
        id: WatchId { kind: Kind::Settings, namespace: Some("argocd".into()) },
        api: Api::<ConfigMap>::namespaced(client.clone(), "argocd"),
        client,
        name: Some("argocd-cm"),
        look_again: Duration::from_secs(180),
        to,
    };
    tokio::spawn(follow.run(|map| Some(Object::Settings(Settings::of(&map)))));
    (from, asked)
}

fn lines(events: Vec<Value>) -> impl futures::Stream<Item = Result<String, std::io::Error>> {
    stream::iter(events.into_iter().map(|event| Ok(format!("{event}\n"))))
}

fn map(name: &str, version: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "argocd", "resourceVersion": version},
    })
}

fn list(version: &str, token: &str, items: Vec<Value>) -> Answer {
    let metadata = json!({"resourceVersion": version, "continue": token});
    Answer::Of(
        200,
        json!({"apiVersion": "v1", "kind": "ConfigMapList", "metadata": metadata, "items": items}),
    )
}

fn event(kind: &str, object: Value) -> Value {
    json!({"type": kind, "object": object})
}

fn refusal(code: u16) -> Value {
    json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "message": "no", "reason": "No", "code": code})
}

async fn next(from: &mut Reports) -> String {
    let names = |keys: Vec<&Key>| keys.iter().map(|key| key.1.as_str()).collect::<Vec<&str>>().join(" ");
    match from.recv().await.unwrap().1 {
        Report::Listed(objects) => format!("listed {}", names(objects.iter().map(|(key, _)| key).collect())),
        Report::Seen(key, _) => format!("seen {}", key.1),
        Report::Gone(key) => format!("gone {}", key.1),
        Report::Following => "following".into(),
        Report::NotServed => "not served".into(),
        Report::Failed(problem) => format!("{} {:?}: {}", problem.verb, problem.why, problem.message),
    }
}

async fn all<const N: usize>(from: &mut Reports) -> [String; N] {
    let mut said = std::array::from_fn(|_| String::new());
    for one in &mut said {
        *one = next(from).await;
    }
    said
}

#[tokio::test(start_paused = true)]
async fn a_list_comes_in_pages_and_is_followed() {
    let (mut from, asked) = follow(vec![
        list("", "more", vec![map("a", "1")]),
        list("5", "", vec![map("b", "2")]),
        Answer::Events(vec![
            event("ADDED", map("c", "6")),
            event("MODIFIED", map("a", "7")),
            event("DELETED", map("b", "8")),
        ]),
    ]);
    assert_eq!(all(&mut from).await, ["listed a b", "following", "seen c", "seen a", "gone b"]);
    let asked = asked.lock().unwrap();
    assert!(asked[0].contains("fieldSelector=metadata.name%3Dargocd-cm") && asked[0].contains("limit=500"));
    assert!(asked[1].contains("continue=more"));
    assert!(asked[2].contains("watch=true") && asked[2].contains("resourceVersion=5"), "{asked:?}");
    assert!(asked[2].contains("allowWatchBookmarks=true"));
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_goes_on_from_its_last_bookmark() {
    let bookmark = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"resourceVersion": "42"}});
    let (mut from, asked) = follow(vec![
        list("5", "", vec![]),
        Answer::Ended(vec![event("BOOKMARK", bookmark)]),
        Answer::Events(vec![]),
    ]);
    assert_eq!(all(&mut from).await, ["listed ", "following", "following"]);
    assert!(asked.lock().unwrap()[2].contains("resourceVersion=42"));
}

#[tokio::test(start_paused = true)]
async fn what_is_too_old_is_listed_anew() {
    let (mut from, _) = follow(vec![
        list("5", "", vec![map("a", "1")]),
        Answer::Events(vec![event("ERROR", refusal(410))]),
        list("9", "", vec![map("b", "8")]),
        Answer::Of(410, refusal(410)),
        list("11", "", vec![]),
        Answer::Events(vec![]),
    ]);
    let said: [String; 5] = all(&mut from).await;
    assert_eq!(said, ["listed a", "following", "listed b", "listed ", "following"]);
}

#[tokio::test(start_paused = true)]
async fn silence_is_a_dead_watch() {
    let (mut from, asked) = follow(vec![
        list("5", "", vec![]),
        Answer::Events(vec![event("ADDED", map("a", "6"))]),
        Answer::Events(vec![]),
    ]);
    assert_eq!(all(&mut from).await, ["listed ", "following", "seen a"]);
    let quiet = Instant::now();
    assert_eq!(next(&mut from).await, "watch Other: nothing came for 360 s, not even a bookmark");
    assert_eq!(quiet.elapsed().as_secs(), 360);
    assert_eq!(next(&mut from).await, "following");
    assert!(asked.lock().unwrap()[2].contains("resourceVersion=6"));
}

#[tokio::test(start_paused = true)]
async fn every_call_has_an_end() {
    let (mut from, _) = follow(vec![Answer::Never, list("5", "", vec![]), Answer::Never]);
    let said: [String; 3] = all(&mut from).await;
    assert_eq!(said, ["list Other: no answer within 30 s", "listed ", "watch Other: no answer within 30 s"]);
}

#[tokio::test(start_paused = true)]
async fn refusals_and_garbage_are_told_and_tried_again() {
    let (mut from, _) = follow(vec![
        Answer::Of(403, refusal(403)),
        Answer::Of(401, refusal(401)),
        Answer::Of(500, json!("<html>")),
        Answer::Of(200, json!({"items": "none"})),
        Answer::Of(200, json!({"metadata": {}, "items": []})),
        list("5", "", vec![]),
        Answer::Of(403, refusal(403)),
        Answer::Events(vec![event("ERROR", refusal(500))]),
        list("7", "", vec![]),
        Answer::Events(vec![]),
    ]);
    assert_eq!(next(&mut from).await, "list Forbidden: no");
    assert_eq!(next(&mut from).await, "list Unauthorized: the cluster does not accept the credentials");
    assert!(next(&mut from).await.starts_with("list Other: HTTP 500"));
    assert!(next(&mut from).await.starts_with("list Other: "));
    assert_eq!(all(&mut from).await, ["listed ", "list Other: the list came without a resource version"]);
    assert_eq!(all(&mut from).await, ["listed ", "watch Forbidden: no", "following"]);
    assert_eq!(all(&mut from).await, ["watch Other: HTTP 500: no", "listed ", "following"]);
}
