//! Checks before a request is answered, and the headers of every answer.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, uri::Authority};

/// Scripts, styles and connections from the own origin only; `wasm-unsafe-eval` is what compiling Wasm needs. The static
/// shell has no inline script, style or handler, so nothing else has to be allowed.
pub(crate) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
     connect-src 'self'; img-src 'self' data:; font-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; \
     object-src 'none'; frame-ancestors 'none'";

const FIXED_HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

/// Two years, as the preload list asks.
const STRICT_TRANSPORT_SECURITY: &str = "max-age=63072000; includeSubDomains";

/// The names that the server answers to.
#[derive(Clone)]
pub(super) struct Hosts(Arc<[String]>);

impl Hosts {
    /// Loopback names, and `configured` ones.
    pub(super) fn new(configured: Vec<String>) -> Hosts {
        let loopback = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned);
        Hosts(
            loopback
                .into_iter()
                .chain(configured.into_iter().map(|host| host.to_ascii_lowercase()))
                .collect(),
        )
    }

    fn allows(&self, host: &str) -> bool {
        let Ok(authority) = host.parse::<Authority>() else { return false };
        let name = authority.host().to_ascii_lowercase();
        self.0.contains(&name)
    }
}

/// Answers 421 to a name that is not the server's: a page of another site whose name was pointed here (DNS rebinding) is
/// of another origin than the browser believes.
pub(super) async fn check_host(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    match host(&request) {
        Some(host) if hosts.allows(&host) => next.run(request).await,
        _ => {
            let message = "This server does not answer to that name. Add it to server.allowed_hosts.\n";
            (StatusCode::MISDIRECTED_REQUEST, [(header::CACHE_CONTROL, "no-store")], message).into_response()
        }
    }
}

/// Refuses what may change something unless it comes from our own pages or from no page at all.
pub(super) async fn check_origin(request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) || is_same_origin(&request) {
        return next.run(request).await;
    }
    super::api::error(app::api::ApiError::Forbidden {
        message: "The request comes from a page of another origin. Open the console itself.".into(),
    })
}

/// The headers of every answer. The CDN sends the same, from `infra/terraform/modules/cdn/headers.json`.
#[derive(Clone, Copy)]
pub(super) struct Headers {
    pub(super) behind_tls: bool,
}

impl Headers {
    fn all(self) -> impl Iterator<Item = (HeaderName, &'static str)> {
        let transport = (header::STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT_SECURITY);
        FIXED_HEADERS.into_iter().chain(self.behind_tls.then_some(transport))
    }
}

pub(super) async fn add_headers(State(config): State<Headers>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in config.all() {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Answers of the API are the caller's own: no cache on the way may keep or transform them.
pub(super) async fn never_stored(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform"));
    response
}

fn host(request: &Request) -> Option<String> {
    let header = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
    // HTTP/2 carries it in the URI.
    header.or_else(|| request.uri().authority().map(ToString::to_string))
}

fn is_same_origin(request: &Request) -> bool {
    let headers = request.headers();
    match text(headers, "sec-fetch-site") {
        // Every current browser says where a request comes from; `none` is a person's own navigation.
        Some(site) => site == "same-origin" || site == "none",
        None => match (text(headers, "origin"), host(request)) {
            (Some(origin), Some(host)) => {
                origin.split_once("://").is_some_and(|(_, authority)| authority == host)
            }
            (Some(_), None) => false,
            // Only programs that are no browsers send neither.
            (None, _) => true,
        },
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("invalid"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)]) -> Request {
        let mut request = Request::new(axum::body::Body::empty());
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
            request.headers_mut().insert(name, HeaderValue::from_str(value).expect("a header value"));
        }
        request
    }

    #[test]
    fn the_cdn_sends_the_same_headers() {
        let cdn: std::collections::BTreeMap<String, String> =
            serde_json::from_str(include_str!("../../../infra/terraform/modules/cdn/headers.json"))
                .expect("headers.json");
        let ours = Headers { behind_tls: true }
            .all()
            .map(|(name, value)| (name.as_str().to_owned(), value.to_owned()))
            .collect();
        assert_eq!(cdn, ours);
    }

    #[test]
    fn only_known_names_are_answered() {
        let hosts = Hosts::new(vec!["Tollgate.example.com".into()]);
        for known in ["localhost", "localhost:3000", "127.0.0.1:8080", "[::1]:3000", "tollgate.example.com"] {
            assert!(hosts.allows(known), "{known}");
        }
        for other in ["evil.example", "localhost.evil.example:3000", "127.0.0.1.nip.io", "", "a b"] {
            assert!(!hosts.allows(other), "{other}");
        }
    }

    #[test]
    fn another_origin_is_told_from_ours_and_from_programs() {
        let host = ("host", "localhost:3000");
        assert!(is_same_origin(&request(&[host])));
        assert!(is_same_origin(&request(&[host, ("origin", "http://localhost:3000")])));
        assert!(is_same_origin(&request(&[host, ("sec-fetch-site", "same-origin")])));
        for other in ["http://localhost:3001", "http://evil.example", "null"] {
            assert!(!is_same_origin(&request(&[host, ("origin", other)])), "{other}");
        }
        for site in ["cross-site", "same-site", "something new"] {
            assert!(!is_same_origin(&request(&[host, ("sec-fetch-site", site)])), "{site}");
        }
    }
}
