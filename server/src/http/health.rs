//! Whether the server lives, whether it is worth asking, and what it is.

use axum::Json;
use axum::extract::State;
use domain::wire::API_VERSION;
use http::StatusCode;
use serde_json::{Value, json};

use super::{Services, build};
use crate::command::VERSION;

/// The process answers.
pub(super) async fn live() -> &'static str {
    "live\n"
}

/// The database answers, and every source was tried once.
pub(super) async fn ready(State(services): State<Services>) -> (StatusCode, Json<Value>) {
    let database = services.fleet.store().ping().await.is_ok();
    let fleet = services.fleet.is_ready();
    let status = if database && fleet { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": database && fleet, "database": database, "fleet": fleet })))
}

/// The server's version; the browser compares `api` with its own.
pub(super) async fn version() -> Json<Value> {
    let built =
        build::COMMIT_TIME.parse().ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    Json(json!({ "version": VERSION, "commit": build::COMMIT, "built": built, "api": API_VERSION }))
}
