//! Facts from outside: GitHub's webhooks, which are let in by their signature, and CDEvents, by a token.

use app::api::ApiError;
use app::api::services::delivery::error as api_error;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use delivery::cdevents;
use delivery::github::WebhookError;
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use serde_json::json;

use super::{Services, api};
use crate::auth::Who;

/// GitHub sends 25 MB at most ("Webhook events and payloads"); what is read here is far smaller.
pub(super) const MAX_WEBHOOK: usize = 8 * 1024 * 1024;

pub(super) const GITHUB_PATH: &str = "/api/delivery/github";

pub(super) const EVENTS_PATH: &str = "/api/delivery/events";

pub(super) const REGISTRY_PATH: &str = "/api/delivery/registry";

/// Takes a CDEvent in (CloudEvents 1.0, "HTTP Protocol Binding"): structured, or binary with its attributes as headers.
pub(super) async fn events(
    State(services): State<Services>,
    Extension(Who(caller)): Extension<Who>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    let structured = media_type.eq_ignore_ascii_case(cdevents::STRUCTURED);
    if !structured && !headers.contains_key("ce-specversion") {
        let message = "This is no CloudEvent: send it as application/cloudevents+json, or with ce-specversion and its other attributes as headers.";
        return api::error(ApiError::BadRequest { message: message.into() });
    }
    let fact = match cdevents::fact(&body, structured, Timestamp::now()) {
        Ok(fact) => fact,
        Err(error) => return api::error(api_error(error)),
    };
    // What tells of no stage is taken, so that a sender need not know which do.
    taken(services.for_caller(caller).record_delivery(fact.into_iter().collect()).await)
}

/// Takes an event of ECR's in, as an API destination of EventBridge sends it (Amazon ECR, "Amazon ECR events and EventBridge").
pub(super) async fn registry(
    State(services): State<Services>,
    Extension(Who(caller)): Extension<Who>,
    body: Bytes,
) -> Response {
    let images = services.delivery.config().images();
    let facts = match services.delivery.ecr_facts(&images, &body, Timestamp::now()).await {
        Ok(facts) => facts,
        Err(error) => return api::error(api_error(error)),
    };
    taken(services.for_caller(caller).record_delivery(facts).await)
}

fn taken(outcome: Result<u32, ApiError>) -> Response {
    match outcome {
        Ok(new) => (StatusCode::ACCEPTED, Json(json!({ "new": new }))).into_response(),
        Err(error) => api::error(error),
    }
}

/// Takes a webhook of GitHub's in. It is answered once what it tells is kept.
pub(super) async fn github(State(services): State<Services>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (event, signature) = (header("x-github-event"), header("x-hub-signature-256"));
    match services.delivery.github_webhook(event, signature, &body, Timestamp::now()).await {
        Ok(recorded) => (StatusCode::ACCEPTED, Json(json!({ "new": recorded.new }))).into_response(),
        Err(WebhookError::NotConfigured) => {
            api::error(ApiError::NotFound { message: WebhookError::NotConfigured.to_string() })
        }
        Err(WebhookError::Signature) => {
            tracing::warn!(event, "a webhook with a wrong signature is refused");
            api::error(ApiError::Forbidden { message: WebhookError::Signature.to_string() })
        }
        Err(WebhookError::Delivery(error)) => api::error(api_error(error)),
    }
}
