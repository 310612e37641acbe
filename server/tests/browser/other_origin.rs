//! Pages of other origins in a browser that is signed in: what they post changes nothing and is refused.
//!
//! Ports make an origin and not a site: a page on another port of 127.0.0.1 is sent our cookie, so that only our own look at
//! where a request comes from stands in its way. `localhost` is another site.

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use serde_json::{Value, json};

use crate::sign_in::{Guarded, v1_instance};
use crate::tab::Tab;

const PAGE: &str = "<!doctype html><title>Another</title><p>Another page";

/// A server with one page; answers its port.
async fn another_server() -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let router = Router::new().fallback(get(async || Html(PAGE)));
    tokio::spawn(async move { axum::serve(listener, router).await.expect("the page is served") });
    port
}

/// What could be done to the console by one who is signed in, each as a path and the body that would do it.
async fn harm(tab: &Tab, instance: &str) -> [(&'static str, Value); 3] {
    let parts: Vec<&str> = instance.split('/').collect();
    let subject =
        json!({ "account": parts[2], "region": parts[3], "instance_id": parts[4], "hop_limit": null });
    let (status, report) = tab.post("/api/fleet/plan-enforce", &subject).await;
    assert_eq!(status, 200, "{report}");
    let apply = json!({ "plan": report["plan"], "reason": "another page's", "idempotency_key": "another" });
    let sessions = tab.get("/api/session/list?all=false").await;
    [
        ("/api/fleet/apply", apply),
        ("/api/session/end", json!({ "id": sessions["sessions"][0]["id"] })),
        ("/api/auth/logout", json!({})),
    ]
}

/// Posts by script, as a page may to any address without being allowed to read the answer; answers what the browser says of it.
async fn fetched(tab: &Tab, url: &str, body: &Value) -> Vec<String> {
    tab.log().await;
    let text = Value::String(body.to_string());
    let script = format!(
        "const answer = await fetch('{url}', {{ method: 'POST', mode: 'no-cors', credentials: 'include', body: {text} }});
         return answer.type;"
    );
    assert_eq!(tab.evaluate_async(&script).await, "opaque");
    tab.log().await
}

/// Posts by a form whose one field makes the body JSON, and answers the document that comes of it.
async fn submitted(tab: &Tab, url: &str, body: &Value) -> String {
    let body = body.to_string();
    // A form sends `name=value`: the equals sign ends up in a field that nobody reads.
    let name = match body.strip_suffix('}').expect("an object") {
        "{" => "{\"ignored\":\"".to_owned(),
        start => format!("{start},\"ignored\":\""),
    };
    let script = format!(
        "const form = document.createElement('form'); form.method = 'post'; form.enctype = 'text/plain'; form.action = '{url}';
         const field = document.createElement('input'); field.name = {}; field.value = '\"}}';
         form.append(field); document.body.append(form); form.submit();",
        Value::String(name)
    );
    tab.evaluate(&script).await;
    tab.wait("the form's answer", async || !tab.text().await.contains("Another page")).await;
    tab.text().await
}

/// Tries everything from a page of another port of `host`; `signed_in` is whether the browser sends our cookie from there.
async fn is_refused_from(host: &str, signed_in: bool) {
    let guarded = Guarded::start().await;
    let instance = v1_instance(&guarded.emulator).await;
    let tab = guarded.sign_in("operator", "Otto Operator", &instance).await;
    let harm = harm(&tab, &instance).await;
    let before = guarded.emulator.fleet().await;
    let other = format!("http://{host}:{}/", another_server().await);

    tab.go(&other).await;
    tab.log().await;
    let console = &guarded.console.url;
    // Reading is not refused by origin: the answer tells whether the cookie was sent.
    let read = format!(
        "const answer = await fetch('{console}/api/session/info', {{ mode: 'no-cors', credentials: 'include' }}); return answer.type;"
    );
    assert_eq!(tab.evaluate_async(&read).await, "opaque");
    let told = tab.log().await;
    assert_eq!(told.iter().any(|line| line.contains("401")), !signed_in, "{told:#?}");

    for (path, body) in &harm {
        let url = format!("{console}{path}");
        let told = fetched(&tab, &url, body).await;
        assert!(told.iter().any(|line| line.contains(path) && line.contains("403")), "{path}: {told:#?}");
        let with_json = format!(
            "try {{ await fetch('{url}', {{ method: 'POST', credentials: 'include', \
             headers: {{ 'content-type': 'application/json' }}, body: '{{}}' }}); return 'sent'; }} catch {{ return 'kept'; }}"
        );
        assert_eq!(tab.evaluate_async(&with_json).await, "kept", "{path}: another page may send JSON");
        let answer = submitted(&tab, &url, body).await;
        assert!(answer.contains("The request comes from a page of another origin."), "{path}: {answer}");
        tab.go(&other).await;
    }

    assert_eq!(guarded.emulator.fleet().await, before, "no instance is another than before");
    tab.go(&format!("{console}/audit")).await;
    tab.sees("Otto Operator").await;
    tab.sees("Sign-in").await;
    let log = tab.get("/api/audit/list?text=&action=&account=&instance_id=&before_seq=0&limit=100").await;
    let entries: Vec<&Value> =
        log.as_array().expect("entries").iter().map(|one| &one["entry"]["action"]).collect();
    assert_eq!(entries, ["sign-in"]);
    // The same from the console's own page does what it says, so that it was the origin that was refused.
    for (path, body) in &harm {
        let (status, answer) = tab.post(path, body).await;
        assert_eq!(status, 200, "{path}: {answer}");
    }
    tab.close().await;
}

#[tokio::test]
async fn a_page_of_the_same_site_changes_nothing_though_the_browser_sends_it_our_cookie() {
    is_refused_from("127.0.0.1", true).await;
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing() {
    is_refused_from("localhost", false).await;
}
