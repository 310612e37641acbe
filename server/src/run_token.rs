//! The token that a job of GitHub Actions is given for itself, so that a pipeline keeps no secret (GitHub Docs, "OpenID Connect
//! reference", "Methods for requesting the OIDC token").

use std::time::Duration;

use serde::Deserialize;
use url::Url;

use crate::causes::causes;

/// How long GitHub may take to answer.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Why a job has no token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunTokenError {
    #[error(
        "GitHub gave this job no token for {server}: {why}. The job needs the permission id-token: write."
    )]
    Refused { server: String, why: String },
}

/// A token for `server`; `None` outside of a job that may ask for one.
pub(crate) async fn run_token(
    server: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<String>, RunTokenError> {
    let (Some(url), Some(bearer)) =
        (variable("ACTIONS_ID_TOKEN_REQUEST_URL"), variable("ACTIONS_ID_TOKEN_REQUEST_TOKEN"))
    else {
        return Ok(None);
    };
    request(server, &url, &bearer)
        .await
        .map(Some)
        .map_err(|why| RunTokenError::Refused { server: server.to_owned(), why })
}

async fn request(server: &str, url: &str, bearer: &str) -> Result<String, String> {
    #[derive(Deserialize)]
    struct Answer {
        value: String,
    }
    let told = |error: reqwest::Error| causes(&error);
    let mut url = Url::parse(url).map_err(|error| error.to_string())?;
    url.query_pairs_mut().append_pair("audience", server);
    let client = reqwest::Client::builder().timeout(TIMEOUT).build().map_err(told)?;
    let answer = client.get(url).bearer_auth(bearer).send().await.map_err(told)?;
    let answer: Answer = answer.error_for_status().map_err(told)?.json().await.map_err(told)?;
    Ok(answer.value)
}
