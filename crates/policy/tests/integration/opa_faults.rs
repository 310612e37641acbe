//! Servers that fail in every way a server can: none of it is ever a pass, and none of it is kept.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use domain::instance::Instance;
use domain::policy::PolicyOutcome;
use policy::{OpaEngine, PolicyConfig, PolicyEngine, PolicyError, Token};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wiremock::matchers::{body_partial_json, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::corpus::{good, now};

const DATA: &str = "/v1/data/tollgate/imds/violations";

fn engine(url: &str, config: PolicyConfig) -> OpaEngine {
    OpaEngine::new(url, &config).unwrap()
}

async fn decide(engine: &OpaEngine) -> Arc<PolicyOutcome> {
    engine.evaluate(&[&good("i-1", &[])], now()).await.remove(0)
}

async fn outcome_of(response: ResponseTemplate) -> PolicyOutcome {
    let server = MockServer::start().await;
    Mock::given(method("POST")).and(path(DATA)).respond_with(response).mount(&server).await;
    let engine = engine(&server.uri(), PolicyConfig { timeout_ms: 500, ..PolicyConfig::default() });
    (*decide(&engine).await).clone()
}

async fn posts(server: &MockServer) -> usize {
    let requests = server.received_requests().await.unwrap();
    requests.iter().filter(|request| request.method.as_str() == "POST").count()
}

fn error_message(outcome: &PolicyOutcome) -> &str {
    match outcome {
        PolicyOutcome::Error { message } => message,
        other => panic!("{other:?}"),
    }
}

fn unreachable_message(outcome: &PolicyOutcome) -> &str {
    match outcome {
        PolicyOutcome::Unreachable { message } => message,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_answer_without_result_is_undefined() {
    assert_eq!(
        outcome_of(ResponseTemplate::new(200).set_body_json(json!({}))).await,
        PolicyOutcome::Undefined
    );
}

#[tokio::test]
async fn an_answer_that_is_no_answer_is_an_error() {
    for body in
        ["", "not json", "[]", "\"pass\"", r#"{"result": null}"#, r#"{"result": [1]}"#, r#"{"result": {}}"#]
    {
        let outcome = outcome_of(ResponseTemplate::new(200).set_body_string(body)).await;
        assert!(matches!(outcome, PolicyOutcome::Error { .. }), "{body}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_refusal_is_an_error_in_the_words_of_the_server() {
    let body = json!({
        "code": "internal_error",
        "message": "error(s) occurred while evaluating query",
        "errors": [{ "code": "eval_conflict_error", "message": "complete rules must not produce multiple outputs" }],
    });
    let outcome = outcome_of(ResponseTemplate::new(500).set_body_json(body)).await;
    assert_eq!(
        error_message(&outcome),
        "OPA answered 500: error(s) occurred while evaluating query: complete rules must not produce multiple outputs"
    );
    let outcome = outcome_of(ResponseTemplate::new(502).set_body_string("<html>bad gateway</html>")).await;
    assert_eq!(error_message(&outcome), "OPA answered 502: no explanation");
    let outcome = outcome_of(ResponseTemplate::new(401)).await;
    assert_eq!(error_message(&outcome), "OPA answered 401: no explanation; check policy.token");
    let outcome = outcome_of(ResponseTemplate::new(302).insert_header("location", "/elsewhere")).await;
    assert_eq!(error_message(&outcome), "OPA answered 302: no explanation");
    // An answer with another status of success is not the Data API's.
    let outcome = outcome_of(ResponseTemplate::new(204)).await;
    assert_eq!(error_message(&outcome), "OPA answered 204: no explanation");
}

#[tokio::test]
async fn a_slow_server_is_unreachable() {
    let slow =
        ResponseTemplate::new(200).set_body_json(json!({ "result": [] })).set_delay(Duration::from_secs(30));
    let outcome = outcome_of(slow).await;
    assert!(unreachable_message(&outcome).ends_with("did not answer within 500 ms"), "{outcome:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let engine = engine(&format!("http://{address}"), PolicyConfig::default());
    let outcome = decide(&engine).await;
    let message = unreachable_message(&outcome);
    assert!(message.starts_with(&format!("OPA at http://{address}/ cannot be reached: ")), "{message}");
    assert_eq!(engine.problem().as_deref(), Some(message));
}

#[tokio::test]
async fn a_server_that_falls_silent_is_not_waited_for_by_each_instance() {
    let server = MockServer::start().await;
    let silent = ResponseTemplate::new(200).set_delay(Duration::from_secs(30));
    Mock::given(method("POST")).respond_with(silent).mount(&server).await;
    let config = PolicyConfig { timeout_ms: 200, concurrency: 4, ..PolicyConfig::default() };
    let engine = engine(&server.uri(), config);
    let instances: Vec<Instance> = (0..500).map(|number| good(&format!("i-{number}"), &[])).collect();
    let outcomes = engine.evaluate(&instances.iter().collect::<Vec<_>>(), now()).await;
    assert!(outcomes.iter().all(|outcome| matches!(**outcome, PolicyOutcome::Unreachable { .. })));
    let asked = posts(&server).await;
    assert!(asked <= 16, "{asked}");
}

#[tokio::test]
async fn the_request_carries_the_input_and_the_token() {
    let server = MockServer::start().await;
    let input = json!({ "input": { "InstanceId": "i-1", "State": { "Name": "running" }, "now": "2026-06-15T10:00:00Z" } });
    Mock::given(method("POST"))
        .and(path(DATA))
        .and(header("authorization", "Bearer s3cret"))
        .and(header("content-type", "application/json"))
        .and(body_partial_json(input))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({ "result": [] })))
        .expect(1)
        .mount(&server)
        .await;
    let config = PolicyConfig { token: Some(Token::new("s3cret")), ..PolicyConfig::default() };
    assert_eq!(*decide(&engine(&server.uri(), config)).await, PolicyOutcome::Pass);
}

#[tokio::test]
async fn answers_are_kept_and_failures_are_asked_again() {
    let server = MockServer::start().await;
    let failing = ResponseTemplate::new(500);
    Mock::given(method("POST")).respond_with(failing).up_to_n_times(2).mount(&server).await;
    let passing = ResponseTemplate::new(200).set_body_json(json!({ "result": [] }));
    Mock::given(method("POST")).respond_with(passing).mount(&server).await;
    let engine = engine(&server.uri(), PolicyConfig::default());
    for (kind, asked) in [("error", 1), ("error", 2), ("pass", 3), ("pass", 3)] {
        assert_eq!(decide(&engine).await.kind(), kind);
        assert_eq!(posts(&server).await, asked);
    }
}

#[tokio::test]
async fn the_revision_follows_the_bundles_of_the_server() {
    let answer = |revision: &str| -> Value {
        json!({ "result": [], "provenance": { "version": "1.0.0", "bundles": { "imds": { "revision": revision } } } })
    };
    let server = MockServer::start().await;
    let asked = Mock::given(method("GET")).and(path(DATA)).and(query_param("provenance", "true"));
    asked
        .respond_with(ResponseTemplate::new(200).set_body_json(answer("one")))
        .up_to_n_times(2)
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .and(path(DATA))
        .respond_with(ResponseTemplate::new(200).set_body_json(answer("two")))
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({ "result": [] })))
        .mount(&server)
        .await;
    let engine = engine(&server.uri(), PolicyConfig::default());
    let mut revisions = Vec::new();
    for _ in 0..3 {
        engine.refresh().await;
        decide(&engine).await;
        revisions.push(engine.revision());
    }
    assert_eq!(revisions[0], revisions[1]);
    assert_ne!(revisions[1], revisions[2]);
    // The second time nothing had changed; the third time everything was asked again.
    assert_eq!(posts(&server).await, 2);
}

#[tokio::test]
async fn a_server_below_a_path_is_asked_below_it() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/opa/v1/data/a%20b/deny"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({ "result": false })))
        .expect(1)
        .mount(&server)
        .await;
    let config = PolicyConfig { query: r#"data["a b"].deny"#.to_owned(), ..PolicyConfig::default() };
    assert_eq!(*decide(&engine(&format!("{}/opa/", server.uri()), config)).await, PolicyOutcome::Pass);
}

/// Answers each request on a connection of its own, but closes the first `resets` data requests without an answer.
async fn resetting_server(mut resets: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let request = read_request(&mut connection).await.unwrap();
            if request.starts_with("POST") && resets > 0 {
                resets -= 1;
                continue;
            }
            let body = r#"{"result": []}"#;
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            connection.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
    });
    url
}

async fn read_request(connection: &mut TcpStream) -> io::Result<String> {
    let mut request = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        let read = connection.read(&mut buffer).await?;
        request.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&request);
        let length = text.lines().find_map(|line| {
            line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok()
        });
        let complete = text.split_once("\r\n\r\n").is_some_and(|(_, body)| body.len() >= length.unwrap_or(0));
        if read == 0 || complete {
            return Ok(text.into_owned());
        }
    }
}

#[tokio::test]
async fn a_connection_that_is_closed_is_tried_once_more() {
    let once = engine(&resetting_server(1).await, PolicyConfig::default());
    assert_eq!(*decide(&once).await, PolicyOutcome::Pass);
    let twice = engine(&resetting_server(2).await, PolicyConfig::default());
    let outcome = decide(&twice).await;
    assert!(unreachable_message(&outcome).contains("cannot be reached"), "{outcome:?}");
}

#[test]
fn an_address_that_cannot_work_is_refused() {
    for (url, said) in [
        ("opa:8181", "http://"),
        ("ftp://opa", "http://"),
        ("", "policy.url"),
        ("http://user:hunter2@opa:8181", "policy.token"),
        ("http://opa:8181/?x=1", "without `?`"),
    ] {
        let message = OpaEngine::new(url, &PolicyConfig::default()).unwrap_err().to_string();
        assert!(message.contains(said) && !message.contains("hunter2"), "{message}");
    }
    let broken = PolicyConfig { token: Some(Token::new("two\nlines")), ..PolicyConfig::default() };
    assert!(matches!(OpaEngine::new("http://opa", &broken), Err(PolicyError::Token)));
    let none = PolicyConfig { concurrency: 0, ..PolicyConfig::default() };
    assert!(matches!(OpaEngine::new("http://opa", &none), Err(PolicyError::Zero { key: "concurrency" })));
}
