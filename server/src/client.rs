//! A server of ours over HTTP, with its server functions: what the command line uses where it does not work in process.

use std::time::Duration;

use app::api::ApiError;
use http::{Method, StatusCode};
use leptos::server_fn::{Protocol, ServerFn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::auth::REVOCATION_PATH;
use crate::causes::causes;
use crate::urls::is_safe;

/// Longer than the server takes for the longest request.
const TIMEOUT: Duration = Duration::from_secs(100);

/// A server with the token that it knows the caller by.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    server: Url,
    token: Option<String>,
}

/// Why a server did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("{server} does not answer: {why}. Check the address and the network.")]
    Unreachable { server: String, why: String },
    #[error("{server} does not know you, or no longer. Sign in: tollgate login --server {server}")]
    Unauthenticated { server: String },
    #[error("{0}")]
    Refused(ApiError),
    #[error(
        "{server} answers {status} and nothing that this version understands. Is it a Tollgate of the same version?"
    )]
    Incompatible { server: String, status: StatusCode },
}

/// The address of a server as somebody typed it. A token goes there: over TLS, or on this machine.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn server_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text)
        .map_err(|_| format!("{text:?} is not the URL of a server, such as https://tollgate.example.com"))?;
    if !is_safe(&url) {
        return Err(format!("{text} is not https: everyone in between could read the token"));
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(format!("{text} has a path: the console is served at the root of its name"));
    }
    Ok(url)
}

impl Client {
    /// # Errors
    /// When no TLS can be set up.
    pub(crate) fn new(server: Url, token: Option<String>) -> Result<Client, ClientError> {
        // Tokens are for this server alone, wherever it may point to.
        let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(TIMEOUT);
        let http = builder
            .build()
            .map_err(|error| ClientError::Unreachable { server: name(&server), why: error.to_string() })?;
        Ok(Client { http, server, token })
    }

    pub(crate) fn server_name(&self) -> String {
        name(&self.server)
    }

    /// Calls a server function with its arguments.
    pub(crate) async fn call<F>(&self, function: F) -> Result<F::Output, ClientError>
    where
        F: ServerFn<Error = ApiError> + Serialize,
        F::Output: DeserializeOwned,
    {
        let url = at(&self.server, F::PATH);
        let request = match F::Protocol::METHOD {
            Method::GET => self.http.get(url).query(&function),
            method => self.http.request(method, url).json(&function),
        };
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(|error| self.unreachable(&error))?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|_| self.incompatible(status));
        }
        Err(match serde_json::from_slice(&body) {
            Ok(ApiError::Unauthenticated) => ClientError::Unauthenticated { server: name(&self.server) },
            Ok(error) => ClientError::Refused(error),
            Err(_) => self.incompatible(status),
        })
    }

    /// Has the server forget the token (RFC 7009).
    pub(crate) async fn give_back_token(&self) -> Result<(), ClientError> {
        let request = self.http.post(at(&self.server, REVOCATION_PATH)).form(&[("token", &self.token)]);
        let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        if status.is_success() { Ok(()) } else { Err(self.incompatible(status)) }
    }

    fn unreachable(&self, error: &reqwest::Error) -> ClientError {
        ClientError::Unreachable { server: name(&self.server), why: causes(error) }
    }

    fn incompatible(&self, status: StatusCode) -> ClientError {
        ClientError::Incompatible { server: name(&self.server), status }
    }
}

/// The address of a path of the server.
pub(crate) fn at(server: &Url, path: &str) -> Url {
    let mut url = server.clone();
    url.set_path(path);
    url
}

/// The server as people write it: without the slash that a URL ends with.
pub(crate) fn name(server: &Url) -> String {
    server.as_str().trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_over_tls_or_stays_on_this_machine() {
        for good in [
            "https://tollgate.example.com",
            "https://tollgate.example.com:8443/",
            "http://localhost:3000",
            "http://127.0.0.1:3000",
            "http://[::1]:3000",
        ] {
            assert_eq!(name(&server_url(good).expect("a server")), good.trim_end_matches('/'));
        }
        for (wrong, why) in [
            ("tollgate.example.com", "is not the URL"),
            ("", "is not the URL"),
            ("http://tollgate.example.com", "is not https"),
            ("http://127.0.0.1.example.com", "is not https"),
            ("ftp://localhost", "is not https"),
            ("https://example.com/tollgate", "has a path"),
            ("https://example.com/?a=b", "has a path"),
        ] {
            let told = server_url(wrong).expect_err(wrong);
            assert!(told.contains(why), "{wrong}: {told}");
        }
    }
}
