//! Where the policy comes from and how it is asked, as the configuration file spells it.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

use crate::error::PolicyError;

/// The `[policy]` section. Everything has a default: without it the built-in rules are evaluated in process.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyConfig {
    /// A directory of `*.rego` files and an optional `data.json`, instead of the built-in rules.
    pub directory: Option<PathBuf>,
    /// An OPA server, instead of evaluation in process.
    pub url: Option<String>,
    /// The rule that is evaluated.
    pub query: String,
    /// The language version of the files in `directory`.
    pub rego_version: RegoVersion,
    /// Account ids that the rule on metadata tags looks at (`data.tollgate.config.regulated_accounts`).
    pub regulated_accounts: Vec<String>,
    /// How long one decision in process may take.
    pub decision_limit_ms: u64,
    /// How long an OPA server may take to answer.
    pub timeout_ms: u64,
    /// How many requests to an OPA server are under way at once.
    pub concurrency: usize,
    /// The bearer token that an OPA server asks for.
    pub token: Option<Token>,
}

impl PolicyConfig {
    pub const DEFAULT_QUERY: &str = "data.tollgate.imds.violations";

    /// The one source that is configured.
    pub fn source(&self) -> Result<PolicySource, PolicyError> {
        match (&self.directory, &self.url) {
            (None, None) => Ok(PolicySource::BuiltIn),
            (Some(directory), None) => Ok(PolicySource::Directory(directory.clone())),
            (None, Some(url)) => Ok(PolicySource::Opa(url.clone())),
            (Some(_), Some(_)) => Err(PolicyError::TwoSources),
        }
    }
}

impl Default for PolicyConfig {
    fn default() -> PolicyConfig {
        PolicyConfig {
            directory: None,
            url: None,
            query: PolicyConfig::DEFAULT_QUERY.to_owned(),
            rego_version: RegoVersion::V1,
            regulated_accounts: Vec::new(),
            decision_limit_ms: 50,
            timeout_ms: 2_000,
            concurrency: 16,
            token: None,
        }
    }
}

/// Where rules are evaluated and come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicySource {
    BuiltIn,
    Directory(PathBuf),
    Opa(String),
}

/// The two versions of the Rego language; `v0` has rules without `if` and `contains`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RegoVersion {
    V0,
    V1,
}

impl RegoVersion {
    pub(crate) fn other(self) -> RegoVersion {
        match self {
            RegoVersion::V0 => RegoVersion::V1,
            RegoVersion::V1 => RegoVersion::V0,
        }
    }
}

/// A secret that is never printed.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    pub fn new(secret: impl Into<String>) -> Token {
        Token(secret.into())
    }

    pub(crate) fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_never_printed() {
        let config = PolicyConfig { token: Some(Token::new("s3cret")), ..PolicyConfig::default() };
        assert!(!format!("{config:?}").contains("s3cret"));
    }

    #[test]
    fn two_sources_are_refused() {
        let config = PolicyConfig {
            directory: Some("policies".into()),
            url: Some("http://opa:8181".into()),
            ..PolicyConfig::default()
        };
        assert!(matches!(config.source(), Err(PolicyError::TwoSources)));
    }

    #[test]
    fn keys_are_spelled_as_documented_and_others_are_refused() {
        let config: PolicyConfig = serde_json::from_str(
            r#"{"directory": "rules", "query": "data.ec2.match", "rego_version": "v0", "regulated_accounts": ["1"],
                "decision_limit_ms": 5, "timeout_ms": 6, "concurrency": 7, "token": "t"}"#,
        )
        .unwrap();
        assert_eq!(config.rego_version, RegoVersion::V0);
        assert_eq!(config.source().unwrap(), PolicySource::Directory("rules".into()));
        assert!(serde_json::from_str::<PolicyConfig>(r#"{"path": "rules"}"#).is_err());
    }
}
