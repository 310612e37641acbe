//! What can be wrong with a policy before any instance is looked at.

use std::path::PathBuf;

/// Why a policy cannot be used; each message says where, what and what to do next.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    #[error("policy.directory and policy.url are both set; keep the one that should decide")]
    TwoSources,

    #[error("cannot read the policy {path}: {source}; check policy.directory and its permissions")]
    Read { path: PathBuf, source: std::io::Error },

    #[error(
        "{path} holds no .rego file besides tests; put a policy there or remove policy.directory to use the built-in rules"
    )]
    Empty { path: PathBuf },

    #[error(
        "{location}: {message}; correct the policy, or set policy.rego_version if it is written for the other version of Rego"
    )]
    Rego { location: String, message: String },

    #[error("{file}: {message}; the file has to hold one JSON object that contradicts no other data")]
    Data { file: String, message: String },

    #[error(
        "policy.query `{query}` is not a path below data, such as data.tollgate.imds.violations: {message}"
    )]
    QuerySyntax { query: String, message: String },

    #[error("policy.query `{query}` names no rule of the policy; it has {known}")]
    QueryUnknown { query: String, known: String },

    #[error("policy.url `{url}` cannot be used: {message}")]
    Url { url: String, message: String },

    #[error("policy.token holds characters that no HTTP header may carry; check that it has no line break")]
    Token,

    #[error("policy.{key} has to be at least 1")]
    Zero { key: &'static str },

    #[error("cannot set up the HTTP client for the OPA server: {0}")]
    Client(#[source] reqwest::Error),
}
