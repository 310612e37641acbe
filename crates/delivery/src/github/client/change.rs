//! What changes something on GitHub: each request is sent once. One that was not answered may have been carried out.

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

use super::{GithubClient, JSON, Keep, Request};
use crate::github::GithubError;

/// How long to wait where GraphQL refuses for a limit, and its headers did not say for how long.
const UNSAID: SignedDuration = SignedDuration::from_secs(60);

impl GithubClient {
    /// Makes something anew of a repository.
    ///
    /// # Errors
    /// As of [`GithubClient::get`]; of one that is [`GithubError::Unreachable`] it is not known whether it was carried out.
    pub async fn post<T: DeserializeOwned>(
        &self,
        repository: &str,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, GithubError> {
        self.change(Method::POST, repository, path, body).await
    }

    /// Sets something of a repository, or carries it out.
    ///
    /// # Errors
    /// As of [`GithubClient::post`].
    pub async fn put<T: DeserializeOwned>(
        &self,
        repository: &str,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, GithubError> {
        self.change(Method::PUT, repository, path, body).await
    }

    /// Changes a part of something of a repository.
    ///
    /// # Errors
    /// As of [`GithubClient::post`].
    pub async fn patch<T: DeserializeOwned>(
        &self,
        repository: &str,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, GithubError> {
        self.change(Method::PATCH, repository, path, body).await
    }

    /// Takes something of a repository away.
    ///
    /// # Errors
    /// As of [`GithubClient::post`].
    pub async fn delete(&self, repository: &str, path: &str) -> Result<(), GithubError> {
        let url = self.url(repository, path)?;
        let request = Request { method: Method::DELETE, ..Request::get(repository, url, JSON, Keep::No) };
        self.fetch(request).await.map(|_| ())
    }

    /// Carries out the mutation `name` with the credential for a repository, and answers what is asked of it in `answer`.
    ///
    /// # Errors
    /// As of [`GithubClient::post`]; [`GithubError::Failed`] with GitHub's kind of error.
    pub async fn mutate<T: DeserializeOwned>(
        &self,
        repository: &str,
        name: &str,
        input: &impl Serialize,
        answer: &str,
    ) -> Result<T, GithubError> {
        let kind = format!("{}{}Input", name[..1].to_ascii_uppercase(), &name[1..]);
        let query = format!("mutation($input: {kind}!) {{ {name}(input: $input) {{ {answer} }} }}");
        let body = json!({ "query": query, "variables": { "input": input } });
        let answer: Answered<T> = self.sent(Method::POST, repository, graphql(&self.0.api), &body).await?;
        let request = format!("GraphQL {name}");
        if let Some(error) = answer.errors.into_iter().next() {
            return Err(match error.kind.as_deref() {
                Some("RATE_LIMITED") => {
                    let now = Timestamp::now();
                    GithubError::Limited { request, until: now.saturating_add(UNSAID).unwrap_or(now) }
                }
                kind => GithubError::Failed {
                    request,
                    kind: kind.unwrap_or("without a kind").to_owned(),
                    message: domain::delivery::fitting(&error.message).unwrap_or_default(),
                },
            });
        }
        answer.data.and_then(|mut data| data.remove(name).flatten()).ok_or_else(|| GithubError::Unreadable {
            request,
            problem: "there is neither an outcome nor an error in it".to_owned(),
        })
    }

    async fn change<T: DeserializeOwned>(
        &self,
        method: Method,
        repository: &str,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, GithubError> {
        self.sent(method, repository, self.url(repository, path)?, body).await
    }

    async fn sent<T: DeserializeOwned>(
        &self,
        method: Method,
        repository: &str,
        url: Url,
        body: &impl Serialize,
    ) -> Result<T, GithubError> {
        let body = serde_json::to_vec(body).map_err(|error| {
            GithubError::Configuration(format!("what is to be sent to GitHub cannot be written: {error}"))
        })?;
        let request = Request { method, body: Some(body), ..Request::get(repository, url, JSON, Keep::No) };
        let label = request.label();
        let answer = self.fetch(request).await?;
        serde_json::from_slice(&answer.answer.body)
            .map_err(|error| GithubError::Unreadable { request: label, problem: error.to_string() })
    }
}

/// Where GraphQL is: beside the REST API (GitHub, "Forming calls with GraphQL").
fn graphql(api: &Url) -> Url {
    let mut url = api.clone();
    let path = api.path().trim_end_matches('/');
    url.set_path(&format!("{}/graphql", path.strip_suffix("/v3").unwrap_or(path)));
    url
}

#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Answered<T> {
    #[serde(default = "Option::default")]
    data: Option<std::collections::HashMap<String, Option<T>>>,
    #[serde(default)]
    errors: Vec<Problem>,
}

#[derive(Deserialize)]
struct Problem {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graphql_is_beside_the_rest_api() {
        let of = |api: &str| graphql(&Url::parse(api).unwrap()).to_string();
        assert_eq!(of("https://api.github.com"), "https://api.github.com/graphql");
        assert_eq!(of("https://github.example.com/api/v3/"), "https://github.example.com/api/graphql");
    }
}
