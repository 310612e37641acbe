//! The way to an issuer, or to a server of ours, for the libraries of OAuth, which bring none that we share.

use std::time::Duration;

use futures::future::BoxFuture;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};

/// How long the other side may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest answer that is read: key sets and tokens are a few kilobytes.
const LONGEST_ANSWER: usize = 1024 * 1024;

/// A client that follows no redirects, which would lead it to addresses inside the network.
pub(crate) struct Transport(reqwest::Client);

impl Transport {
    pub(crate) fn new() -> reqwest::Result<Transport> {
        let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(TIMEOUT);
        builder.build().map(Transport)
    }

    /// The JSON at an address.
    pub(super) async fn get_json<T: serde::de::DeserializeOwned>(
        &self,
        url: &str,
    ) -> Result<T, TransportError> {
        let request = http::Request::get(url).body(Vec::new())?;
        let answer = self.send(request).await?;
        if !answer.status().is_success() {
            return Err(TransportError::Status(answer.status()));
        }
        Ok(serde_json::from_slice(answer.body())?)
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let (parts, body) = request.into_parts();
        let url = parts.uri.to_string();
        let mut answer = self.0.request(parts.method, url).headers(parts.headers).body(body).send().await?;
        let mut response = http::Response::builder().status(answer.status());
        for (name, value) in answer.headers() {
            response = response.header(name, value);
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST_ANSWER {
                return Err(TransportError::TooLong);
            }
        }
        Ok(response.body(body)?)
    }
}

impl<'c> AsyncHttpClient<'c> for Transport {
    type Error = TransportError;
    type Future = BoxFuture<'c, Result<HttpResponse, TransportError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

/// What the way there or back does wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransportError {
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error(transparent)]
    Malformed(#[from] http::Error),
    #[error("{0}")]
    Status(http::StatusCode),
    #[error("the answer is not what was expected: {0}")]
    Unexpected(#[from] serde_json::Error),
    #[error("the answer is longer than {LONGEST_ANSWER} bytes")]
    TooLong,
}
