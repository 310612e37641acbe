//! The router: what answers which path, behind which checks.

pub(crate) mod api;
pub(crate) mod build;
mod delivery;
mod events;
mod export;
mod health;
mod metrics;
mod permissions;
mod security;
mod site;

use std::time::Duration;

use app::api::services::Services;
use axum::extract::{DefaultBodyLimit, FromRef};
use axum::routing::{any, get, post};
use axum::{Router, middleware};
use http::StatusCode;
pub(crate) use metrics::start as start_metrics;
use metrics_exporter_prometheus::PrometheusHandle;
pub(crate) use site::Site;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

use crate::auth::{self, Gate, Way};

/// The largest body: a selection of some thousand instances.
const MAX_BODY: usize = 512 * 1024;
/// Longer than a plan with its retries takes; the event stream is not bound by it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(90);

/// Where open pages are told what moved.
pub(crate) const EVENTS_PATH: &str = "/api/events";

/// What the router is made of.
pub(crate) struct Parts {
    pub(crate) services: Services,
    /// The bundle; without it only the API answers.
    pub(crate) site: Option<Site>,
    pub(crate) metrics: PrometheusHandle,
    pub(crate) allowed_hosts: Vec<String>,
    pub(crate) gate: Gate,
    pub(crate) behind_tls: bool,
    pub(crate) shutdown: CancellationToken,
}

/// What handlers get.
#[derive(Clone, FromRef)]
struct Shared {
    services: Services,
    metrics: PrometheusHandle,
    shutdown: CancellationToken,
}

pub(crate) fn router(parts: Parts) -> Router {
    let shared = Shared { services: parts.services, metrics: parts.metrics, shutdown: parts.shutdown };
    let hosts = security::Hosts::new(parts.allowed_hosts);
    let headers = security::Headers { behind_tls: parts.behind_tls };
    let sign_in = match &parts.gate.way {
        Way::Local(_) => Router::new(),
        Way::SignIn(auth) => auth::router(auth.clone()),
    };

    // Used by the browser's pages, and by pipelines.
    let api = Router::new()
        .route(delivery::EVENTS_PATH, post(delivery::events))
        .route(delivery::REGISTRY_PATH, post(delivery::registry))
        .route("/api/export/fleet.csv", get(export::fleet_csv))
        .route("/api/export/fleet.json", get(export::fleet_json))
        .route("/api/export/audit.csv", get(export::audit_csv))
        .route("/api/export/audit.json", get(export::audit_json))
        .route("/api/{*endpoint}", any(api::server_function))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, REQUEST_TIMEOUT));
    // Used by GitHub.
    let webhooks = Router::new()
        .route(delivery::GITHUB_PATH, post(delivery::github))
        .layer(DefaultBodyLimit::max(delivery::MAX_WEBHOOK))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, REQUEST_TIMEOUT));
    let events = Router::new().route(EVENTS_PATH, get(events::stream));

    // Used by orchestrators and monitoring.
    let operations = Router::new()
        .route("/api/health/live", get(health::live))
        .route("/api/health/ready", get(health::ready))
        .route("/api/version", get(health::version))
        .route("/metrics", get(metrics::render))
        .layer(middleware::from_fn(security::never_stored));

    // Only these ask who calls: operations answer orchestrators, and the static bundle is everybody's.
    let personal = api
        .merge(events)
        .merge(webhooks)
        .merge(sign_in)
        .layer(middleware::from_fn_with_state(shared.services.clone(), permissions::require))
        .layer(middleware::from_fn_with_state(parts.gate, auth::authenticate))
        // Outermost of these: an answer of any kind is the caller's own and is not kept on the way.
        .layer(middleware::from_fn(security::never_stored));
    let router = personal.merge(operations).with_state(shared);
    let router = match parts.site {
        Some(site) => router.fallback_service(site::router(site)),
        None => router.fallback(site::no_site),
    };
    router
        .layer(middleware::from_fn(metrics::count))
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn(security::check_origin))
        .layer(middleware::from_fn_with_state(headers, security::add_headers))
        .layer(middleware::from_fn_with_state(hosts, security::check_host))
        .layer(CatchPanicLayer::custom(api::panicked))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(TraceLayer::new_for_http().make_span_with(request_span))
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
}

/// The span of a request: its id, method and path. The query string may hold what people look for, and is left out.
fn request_span<B>(request: &http::Request<B>) -> tracing::Span {
    let id = request.headers().get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    tracing::info_span!("request", request.id = %id, request.method = %request.method(), request.path = request.uri().path())
}
