//! Prometheus metrics: requests as they come, and the fleet as it is when it is asked for.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use jiff::Timestamp;
use metrics::{counter, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::Services;

/// From half a millisecond to a minute: a list is answered in a few, a plan waits for AWS.
const SECONDS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 5.0, 20.0, 60.0];

/// Installs the recorder of the process.
pub(crate) fn start() -> Result<PrometheusHandle, String> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(|error| format!("Metrics cannot be recorded: {error}"))
}

/// Counts and times a request by its route, never by its path: ids in labels would grow without bound.
pub(super) async fn count(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().as_str().to_owned();
    let route = route(&request);
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    counter!("tollgate_http_requests_total", "method" => method.clone(), "route" => route.clone(), "status" => status)
        .increment(1);
    histogram!("tollgate_http_request_duration_seconds", "method" => method, "route" => route)
        .record(started.elapsed().as_secs_f64());
    response
}

fn route(request: &Request) -> String {
    match request.extensions().get::<MatchedPath>() {
        // The endpoints of server functions are a closed set, and worth telling apart.
        Some(matched) if matched.as_str() == "/api/{*endpoint}" => {
            super::permissions::known_path(request.uri().path()).into()
        }
        Some(matched) => matched.as_str().to_owned(),
        None => "site".into(),
    }
}

/// Everything in Prometheus' text format.
pub(super) async fn render(
    State(services): State<Services>,
    State(handle): State<PrometheusHandle>,
) -> String {
    let view = services.fleet.view();
    let summary = view.summary;
    let by_verdict = [
        ("enforced", summary.enforced),
        ("endpoint-disabled", summary.endpoint_disabled),
        ("pending", summary.pending),
        ("allows-v1", summary.allows_v1),
        ("unknown", summary.unknown),
    ];
    for (verdict, count) in by_verdict {
        gauge!("tollgate_fleet_instances", "verdict" => verdict).set(f64::from(count));
    }
    let now = Timestamp::now();
    for source in view.sources.values() {
        let key = &source.status.key;
        let labels = [("account", key.account.to_string()), ("region", key.region.to_string())];
        gauge!("tollgate_source_failing", &labels).set(if source.status.error.is_some() { 1.0 } else { 0.0 });
        if let Some(read) = source.status.last_success {
            gauge!("tollgate_source_age_seconds", &labels).set(now.duration_since(read).as_secs_f64());
        }
    }
    handle.render()
}
