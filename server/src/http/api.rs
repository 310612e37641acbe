//! The server functions: one list of them, real statuses for their errors, and never HTML or a redirect.

use std::sync::LazyLock;

use app::api::{self, ApiError};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, Request, StatusCode, header};
use leptos::context::provide_context;
use leptos::server_fn::axum::{register_explicit, server_fn_paths};

use super::Services;

/// The header by which the library marks an error.
const ERROR_HEADER: &str = "serverfnerror";
/// The longest error that is read back for its status.
const MAX_ERROR: usize = 64 * 1024;

/// Registers every server function. What the linker sees no use of would be left out of the binary otherwise.
static ENDPOINTS: LazyLock<Vec<(&'static str, Method)>> = LazyLock::new(|| {
    register_explicit::<api::SessionInfo>();
    register_explicit::<api::ListInstances>();
    register_explicit::<api::QueryVocabulary>();
    register_explicit::<api::Overview>();
    register_explicit::<api::InstanceDetail>();
    register_explicit::<api::InstanceOrigins>();
    register_explicit::<api::InstanceRaw>();
    register_explicit::<api::VerifyUse>();
    register_explicit::<api::PlanEnforce>();
    register_explicit::<api::PlanRestore>();
    register_explicit::<api::ApplyPlan>();
    register_explicit::<api::Change>();
    register_explicit::<api::PreviewSelection>();
    register_explicit::<api::ListSources>();
    register_explicit::<api::PolicyReport>();
    register_explicit::<api::ListAudit>();
    server_fn_paths().collect()
});

/// Answers a server function.
pub(super) async fn server_function(
    State(services): State<Services>,
    mut request: Request<Body>,
) -> Response {
    let path = request.uri().path();
    match ENDPOINTS.iter().find(|(known, _)| *known == path) {
        None => {
            return error(ApiError::NotFound {
                message: "There is no such endpoint in this version.".into(),
            });
        }
        Some((_, method)) if method != request.method() => {
            let told = ApiError::BadRequest { message: format!("This endpoint is called with {method}.") };
            return (StatusCode::METHOD_NOT_ALLOWED, Json(told)).into_response();
        }
        Some(_) => {}
    }
    // A browser that accepts HTML would be answered by a redirect to where it came from.
    request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    request.headers_mut().remove(header::REFERER);
    let context = move || provide_context(services.clone());
    let response = leptos_axum::handle_server_fns_with_context(context, request).await.into_response();
    with_status(response).await
}

/// Any panic in a handler.
pub(super) fn panicked(_: Box<dyn std::any::Any + Send + 'static>) -> Response {
    tracing::error!("a handler panicked; the request is answered with 500");
    error(ApiError::Internal)
}

/// An error as an answer, which no cache may keep.
pub(super) fn error(error: ApiError) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CACHE_CONTROL, "no-store")], Json(error)).into_response()
}

/// The library answers every error with 500; the error itself knows better.
async fn with_status(response: Response) -> Response {
    if !response.headers().contains_key(ERROR_HEADER) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_ERROR).await else { return error(ApiError::Internal) };
    let status = serde_json::from_slice::<ApiError>(&body).map_or(500, |error| error.status());
    parts.status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Response::from_parts(parts, Body::from(body))
}

/// The path, where it is an endpoint's.
pub(super) fn known_path(path: &str) -> &'static str {
    ENDPOINTS.iter().find(|(known, _)| *known == path).map_or("unknown", |(known, _)| known)
}
