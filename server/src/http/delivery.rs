//! Facts from outside: GitHub's webhooks, which are let in by their signature.

use app::api::ApiError;
use app::api::services::delivery::error as api_error;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use delivery::github::WebhookError;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde_json::json;

use super::{Services, api};

/// GitHub sends 25 MB at most ("Webhook events and payloads"); what is read here is far smaller.
pub(super) const MAX_WEBHOOK: usize = 8 * 1024 * 1024;

pub(super) const GITHUB_PATH: &str = "/api/delivery/github";

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
