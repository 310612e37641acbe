//! What a server function can answer instead of its result; carries nothing internal.

use leptos::server_fn::Bytes;
use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use serde::{Deserialize, Serialize};

use crate::tree_json::{self, TreeEncoding};

/// The error of every server function. Each variant has one HTTP status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum ApiError {
    /// 400: an argument cannot be used.
    #[error("{message}")]
    BadRequest { message: String },
    /// 400: the query is not in the query language; the span counts characters.
    #[error("{message}")]
    BadQuery { message: String, start: u32, end: u32, suggestion: Option<String> },
    /// 401: nobody has signed in, or the session has ended.
    #[error("Sign in to go on.")]
    Unauthenticated,
    /// 403: not allowed, or not possible in this installation.
    #[error("{message}")]
    Forbidden { message: String },
    /// 404: there is no such thing.
    #[error("{message}")]
    NotFound { message: String },
    /// 409: it is not as it was shown, or something else is under way.
    #[error("{message}")]
    Conflict { message: String },
    /// 429: asked too often.
    #[error("Too many requests. Wait a minute.")]
    TooMany,
    /// 502: AWS or the policy server refused or failed.
    #[error("{message}")]
    Upstream { code: String, message: String, next_step: String },
    /// 503: a dependency of the server does not answer.
    #[error("{message}")]
    Unavailable { message: String },
    /// 500: a defect; the details are in the server's log under the request id.
    #[error("The server failed. Its log has the details.")]
    Internal,
    /// The browser could not reach the server.
    #[error("The server cannot be reached. Check the connection; the page tries again by itself.")]
    Offline,
    /// The page and the server do not understand each other.
    #[error("This page is older or newer than the server. Reload it.")]
    Incompatible,
}

impl ApiError {
    /// The HTTP status that the variant is sent with.
    pub fn status(&self) -> u16 {
        match self {
            ApiError::BadRequest { .. } | ApiError::BadQuery { .. } => 400,
            ApiError::Unauthenticated => 401,
            ApiError::Forbidden { .. } => 403,
            ApiError::NotFound { .. } => 404,
            ApiError::Conflict { .. } => 409,
            ApiError::TooMany => 429,
            ApiError::Internal | ApiError::Offline | ApiError::Incompatible => 500,
            ApiError::Upstream { .. } => 502,
            ApiError::Unavailable { .. } => 503,
        }
    }
}

impl FromServerFnError for ApiError {
    type Encoder = TreeEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> ApiError {
        match error {
            ServerFnErrorErr::Args(message) | ServerFnErrorErr::MissingArg(message) => {
                ApiError::BadRequest { message: format!("The request's arguments cannot be read: {message}") }
            }
            ServerFnErrorErr::Request(_) => ApiError::Offline,
            ServerFnErrorErr::Deserialization(_) if cfg!(target_arch = "wasm32") => ApiError::Incompatible,
            ServerFnErrorErr::Deserialization(message) => {
                ApiError::BadRequest { message: format!("The request's body cannot be read: {message}") }
            }
            ServerFnErrorErr::Registration(_) => ApiError::Incompatible,
            ServerFnErrorErr::UnsupportedRequestMethod(_)
            | ServerFnErrorErr::MiddlewareError(_)
            | ServerFnErrorErr::ServerError(_)
            | ServerFnErrorErr::Serialization(_)
            | ServerFnErrorErr::Response(_) => ApiError::Internal,
        }
    }

    /// Reads the body of an answer with an error status. One that is not even JSON is not the server's: what stands before it says
    /// that it cannot reach it, as while another version is rolled out.
    fn de(body: Bytes) -> ApiError {
        match tree_json::read(&body) {
            Ok(error) => error,
            Err(_) if tree_json::is_json(&body) => ApiError::Incompatible,
            Err(_) => ApiError::Offline,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_another_version_is_told_from_one_that_is_not_the_servers() {
        let read = |body: &[u8]| ApiError::de(Bytes::copy_from_slice(body));
        let ours = ApiError::Conflict { message: "It has changed.".into() };
        assert_eq!(ApiError::de(ours.ser()), ours);
        assert_eq!(read(br#"{"of-tomorrow":{"message":"It is late."}}"#), ApiError::Incompatible);
        assert_eq!(read(b"<html><h1>502 Bad Gateway</h1></html>"), ApiError::Offline);
        assert_eq!(read(b""), ApiError::Offline);
    }
}
