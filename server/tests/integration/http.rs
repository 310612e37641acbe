//! Files, headers, statuses and checks.

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::common::{Console, Emulator, setting};

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().expect("text"))
}

async fn console() -> (Emulator, Console) {
    let emulator = Emulator::start("none");
    let console = Console::start(&emulator, "").await;
    (emulator, console)
}

#[tokio::test]
async fn the_bundle_is_served_as_on_the_cdn() {
    let (_emulator, console) = console().await;
    for page in ["/", "/fleet", "/delivery/users/1.4.2", "/fleet/1/eu-west-1/i-1"] {
        let answer = console.get(page).await;
        assert_eq!(answer.status(), StatusCode::OK, "{page}");
        assert_eq!(text(answer.headers(), "content-type"), "text/html; charset=utf-8", "{page}");
        assert_eq!(text(answer.headers(), "cache-control"), "no-cache", "{page}");
    }
    let manifest = std::fs::read_to_string(format!("{}/manifest.json", setting("TOLLGATE_TEST_SITE")))
        .expect("the manifest");
    let manifest: Value = serde_json::from_str(&manifest).expect("JSON");
    let files = manifest["files"].as_array().expect("files");
    assert!(files.iter().any(|file| file["path"].as_str().is_some_and(|path| path.ends_with(".wasm"))));
    for file in files {
        let path = file["path"].as_str().expect("a path");
        let in_release = path.starts_with("pkg/");
        if path == "index.html" {
            continue;
        }
        let answer = console
            .client
            .get(format!("{}/{path}", console.url))
            .header("accept-encoding", "br")
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let sent = text(answer.headers(), "content-type").replace("; charset=utf-8", "");
        let expected = file["content_type"].as_str().expect("a type").replace("; charset=utf-8", "");
        assert_eq!(sent, expected, "{path}");
        let caching = if in_release { "public, max-age=31536000, immutable" } else { "no-cache" };
        assert_eq!(text(answer.headers(), "cache-control"), caching, "{path}");
    }
    let wasm = files
        .iter()
        .filter_map(|file| file["path"].as_str())
        .find(|path| path.ends_with(".wasm"))
        .expect("the Wasm");
    for (accepted, encoding) in
        [("br, gzip", "br"), ("gzip", "gzip"), ("br;q=0, gzip", "gzip"), ("identity", "")]
    {
        let answer = console
            .client
            .get(format!("{}/{wasm}", console.url))
            .header("accept-encoding", accepted)
            .send()
            .await
            .expect("an answer");
        assert_eq!(text(answer.headers(), "content-encoding"), encoding, "{accepted}");
        assert_eq!(text(answer.headers(), "vary"), "accept-encoding");
    }
    let etag = console.get(&format!("/{wasm}")).await.headers()["etag"].clone();
    let again = console
        .client
        .get(format!("{}/{wasm}", console.url))
        .header("if-none-match", etag)
        .send()
        .await
        .expect("an answer");
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn what_is_missing_is_404_and_never_the_shell() {
    let (_emulator, console) = console().await;
    for path in ["/pkg/gone/app.js", "/pkg/", "/pkg/index.html", "/api/nothing", "/api/", "/api/fleet"] {
        let answer = console.get(path).await;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.text().await.expect("a body");
        assert!(!body.contains("<html"), "{path}");
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        assert!(text(&headers, "cache-control").starts_with("no-store"), "{path}");
    }
}

#[tokio::test]
async fn every_answer_has_the_security_headers() {
    let (_emulator, console) = console().await;
    for path in ["/", "/api/version", "/api/nothing", "/pkg/gone", "/metrics"] {
        let headers = console.get(path).await.headers().clone();
        let policy = text(&headers, "content-security-policy");
        assert!(
            policy.contains("script-src 'self' 'wasm-unsafe-eval'") && !policy.contains("unsafe-inline"),
            "{path}"
        );
        assert!(
            policy.contains("frame-ancestors 'none'") && text(&headers, "x-frame-options") == "DENY",
            "{path}"
        );
        assert_eq!(text(&headers, "x-content-type-options"), "nosniff", "{path}");
        assert_eq!(text(&headers, "referrer-policy"), "no-referrer", "{path}");
        assert!(
            !text(&headers, "permissions-policy").is_empty() && !text(&headers, "x-request-id").is_empty(),
            "{path}"
        );
        assert!(
            !headers.contains_key("strict-transport-security"),
            "HSTS would lock a laptop's loopback out: {path}"
        );
    }
    let emulator = Emulator::start("none");
    let behind_tls = Console::start(&emulator, "[server]\nbehind_tls = true\n").await;
    assert!(text(behind_tls.get("/").await.headers(), "strict-transport-security").starts_with("max-age="));
}

#[tokio::test]
async fn another_name_is_answered_421_so_that_rebinding_fails() {
    let emulator = Emulator::start("none");
    let console = Console::start(&emulator, "[server]\nallowed_hosts = [\"tollgate.example.com\"]\n").await;
    for (host, expected) in [
        ("evil.example", StatusCode::MISDIRECTED_REQUEST),
        ("127.0.0.1.nip.io", StatusCode::MISDIRECTED_REQUEST),
        ("localhost", StatusCode::OK),
        ("tollgate.example.com", StatusCode::OK),
    ] {
        for path in ["/", "/api/version", "/api/health/live"] {
            let answer = console
                .client
                .get(format!("{}{path}", console.url))
                .header("host", host)
                .send()
                .await
                .expect("an answer");
            assert_eq!(answer.status(), expected, "{host} {path}");
        }
    }
}

#[tokio::test]
async fn a_post_from_another_origin_is_refused() {
    let (_emulator, console) = console().await;
    let post = |name: &'static str, value: String| {
        let request = console
            .client
            .post(format!("{}/api/fleet/selection", console.url))
            .json(&json!({ "q": "", "keys": [] }));
        request.header(name, value).send()
    };
    for (name, value) in [
        ("sec-fetch-site", "cross-site".to_owned()),
        ("sec-fetch-site", "same-site".to_owned()),
        ("origin", "http://evil.example".to_owned()),
        ("origin", "null".to_owned()),
    ] {
        let answer = post(name, value.clone()).await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{name}: {value}");
    }
    for (name, value) in [("sec-fetch-site", "same-origin".to_owned()), ("origin", console.url.clone())] {
        assert_eq!(post(name, value).await.expect("an answer").status(), StatusCode::OK, "{name}");
    }
}

#[tokio::test]
async fn an_error_has_its_own_status_and_is_never_html_or_a_redirect() {
    let (_emulator, console) = console().await;
    let answer = console
        .client
        .get(format!("{}/api/fleet/list?q=state:gone&sort=&offset=0&limit=10", console.url))
        .header("accept", "text/html")
        .header("referer", "http://localhost/")
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert_eq!(text(answer.headers(), "content-type"), "application/json");
    assert!(!answer.headers().contains_key("location"));
    let missing = console.get("/api/fleet/instance?account=1&region=eu-west-1&instance_id=i-1").await;
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    let wrong_method = console.post("/api/fleet/list", json!({})).await;
    assert_eq!(wrong_method.status(), StatusCode::METHOD_NOT_ALLOWED);
    let too_large =
        console.post("/api/fleet/selection", json!({ "q": "x".repeat(600_000), "keys": [] })).await;
    assert!(too_large.status().is_client_error(), "{}", too_large.status());
}
