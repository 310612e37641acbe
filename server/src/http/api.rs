//! The server functions: real statuses for their errors, and never HTML or a redirect.

use app::api::ApiError;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::{HeaderValue, Request, StatusCode, header};
use leptos::context::provide_context;

use super::Services;
use super::permissions::TABLE;
use crate::auth::Who;

/// The header by which the library marks an error.
const ERROR_HEADER: &str = "serverfnerror";
/// What whoever asked too often waits for, in seconds.
const RETRY_AFTER: &str = "60";
/// The longest error that is read back for its status.
const MAX_ERROR: usize = 64 * 1024;

/// Answers a server function.
pub(super) async fn server_function(
    State(services): State<Services>,
    Extension(Who(caller)): Extension<Who>,
    mut request: Request<Body>,
) -> Response {
    match TABLE.get(request.uri().path()) {
        Some(row) if row.method != *request.method() => {
            let told =
                ApiError::BadRequest { message: format!("This endpoint is called with {}.", row.method) };
            return (StatusCode::METHOD_NOT_ALLOWED, Json(told)).into_response();
        }
        Some(_) => {}
        // The table has answered already.
        None => return error(ApiError::Internal),
    }
    // A browser that accepts HTML would be answered by a redirect to where it came from.
    request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    request.headers_mut().remove(header::REFERER);
    let services = services.for_caller(caller);
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
pub(crate) fn error(error: ApiError) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let wait = (error == ApiError::TooMany).then_some([(header::RETRY_AFTER, RETRY_AFTER)]);
    (status, [(header::CACHE_CONTROL, "no-store")], wait, Json(error)).into_response()
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
