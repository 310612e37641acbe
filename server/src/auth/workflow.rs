//! Tokens that continuous integration is given for each run, so that a pipeline keeps no secret (GitHub Docs, "OpenID Connect").

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::access::{Access, WorkflowClaims, WorkflowRule, of_workflow};
use openidconnect::core::{CoreIdTokenVerifier, CoreJsonWebKeySet};
use openidconnect::{ClientId, IssuerUrl, JsonWebKeySetUrl, Nonce};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use super::claims::{SignedToken, careful};
use super::issuer::IssuerError;
use super::transport::Transport;
use crate::causes::causes;

/// GitHub's own issuer; a GitHub Enterprise Server has another.
pub(crate) const GITHUB: &str = "https://token.actions.githubusercontent.com";

/// How long keys are believed to be all that there are. A token with another key has them read again, which whoever sends
/// made-up tokens must not be able to have done at will.
const KEYS_READ_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// A rule with what a token has to say of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TrustedWorkflow {
    pub(crate) issuer: String,
    /// For whom the token has to be meant.
    pub(crate) audience: String,
    pub(crate) rule: WorkflowRule,
}

/// A run that proved what it is.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) issuer: String,
    pub(super) claims: WorkflowClaims,
    /// Nothing where no rule speaks of it.
    pub(super) access: Access,
}

impl Run {
    /// As the audit log names it.
    pub(super) fn name(&self) -> String {
        let WorkflowClaims { repository, git_ref, run_id, .. } = &self.claims;
        format!("{repository} at {git_ref} (run {run_id})")
    }
}

/// The issuers of runs' tokens.
pub(super) struct Workflows {
    issuers: Vec<WorkflowIssuer>,
}

struct WorkflowIssuer {
    url: String,
    /// The rules by the audience that they ask for.
    rules: BTreeMap<String, Vec<WorkflowRule>>,
    keys: Mutex<Option<Keys>>,
}

#[derive(Clone)]
struct Keys {
    set: CoreJsonWebKeySet,
    read: Instant,
}

/// What of the discovery document is needed: an issuer of runs' tokens has no sign-in page.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: JsonWebKeySetUrl,
}

impl Workflows {
    pub(super) fn new(trusted: &[TrustedWorkflow]) -> Workflows {
        let mut issuers: Vec<WorkflowIssuer> = Vec::new();
        for TrustedWorkflow { issuer, audience, rule } in trusted {
            let position = issuers.iter().position(|known| known.url == *issuer).unwrap_or_else(|| {
                issuers.push(WorkflowIssuer {
                    url: issuer.clone(),
                    rules: BTreeMap::new(),
                    keys: Mutex::default(),
                });
                issuers.len() - 1
            });
            issuers[position].rules.entry(audience.clone()).or_default().push(rule.clone());
        }
        Workflows { issuers }
    }

    /// Asks every issuer for its keys.
    ///
    /// # Errors
    /// The first that cannot be used.
    pub(super) async fn check(&self, transport: &Transport) -> Result<(), IssuerError> {
        for issuer in &self.issuers {
            issuer.read_keys(transport).await?;
        }
        Ok(())
    }

    /// The run that a token was given to; `None` for what is no such token.
    ///
    /// # Errors
    /// Why a token of one of the issuers is not accepted.
    pub(super) async fn run(&self, transport: &Transport, token: &str) -> Result<Option<Run>, IssuerError> {
        let Some(issuer) = said_issuer(token) else { return Ok(None) };
        match self.issuers.iter().find(|known| known.url == issuer) {
            Some(issuer) => issuer.run(transport, token).await.map(Some),
            None => Ok(None),
        }
    }
}

impl WorkflowIssuer {
    async fn run(&self, transport: &Transport, token: &str) -> Result<Run, IssuerError> {
        let signed = SignedToken::from_str(token).map_err(|error| self.invalid(error.to_string()))?;
        let keys = self.keys(transport, None).await?;
        match self.verified(&signed, &keys) {
            // The issuer may have changed its keys since they were read.
            Err(error) => {
                let newer = self.keys(transport, Some(keys.read)).await?;
                if newer.read == keys.read { Err(error) } else { self.verified(&signed, &newer) }
            }
            run => run,
        }
    }

    /// The keys; others than those of `tried`, where it is time to read them again.
    async fn keys(&self, transport: &Transport, tried: Option<Instant>) -> Result<Keys, IssuerError> {
        let known = self.keys.lock().await.clone();
        match known {
            Some(keys) if tried != Some(keys.read) || keys.read.elapsed() < KEYS_READ_AGAIN_AFTER => Ok(keys),
            _ => self.read_keys(transport).await,
        }
    }

    async fn read_keys(&self, transport: &Transport) -> Result<Keys, IssuerError> {
        let unreachable = |why: String| IssuerError::Unreachable { issuer: self.url.clone(), why };
        let url = format!("{}/.well-known/openid-configuration", self.url.trim_end_matches('/'));
        let discovery: Discovery =
            transport.get_json(&url).await.map_err(|error| unreachable(causes(&error)))?;
        if discovery.issuer != self.url {
            return Err(unreachable(format!("it calls itself {}", discovery.issuer)));
        }
        let set = CoreJsonWebKeySet::fetch_async(&discovery.jwks_uri, transport);
        let set = set.await.map_err(|error| unreachable(causes(&error)))?;
        let keys = Keys { set, read: Instant::now() };
        *self.keys.lock().await = Some(keys.clone());
        Ok(keys)
    }

    /// Checks signature, issuer, audience and times; for each audience that some rule asks for.
    fn verified(&self, token: &SignedToken, keys: &Keys) -> Result<Run, IssuerError> {
        let issuer = IssuerUrl::new(self.url.clone()).map_err(|error| self.invalid(error.to_string()))?;
        let mut refused = self.invalid("no rule speaks of its issuer".into());
        for (audience, rules) in &self.rules {
            let verifier = CoreIdTokenVerifier::new_public_client(
                ClientId::new(audience.clone()),
                issuer.clone(),
                keys.set.clone(),
            );
            // A run's token answers no question of ours, so that it has no nonce.
            let no_nonce = |_: Option<&Nonce>| Ok(());
            match token.claims(&careful(verifier), no_nonce) {
                Ok(claims) => {
                    let claims = workflow_claims(&claims.additional_claims().claims);
                    return Ok(Run { issuer: self.url.clone(), access: of_workflow(rules, &claims), claims });
                }
                Err(error) => refused = self.invalid(causes(&error)),
            }
        }
        Err(refused)
    }

    fn invalid(&self, why: String) -> IssuerError {
        IssuerError::Invalid { issuer: self.url.clone(), why }
    }
}

fn workflow_claims(claims: &Map<String, Value>) -> WorkflowClaims {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    WorkflowClaims {
        repository: text("repository"),
        repository_id: text("repository_id"),
        git_ref: text("ref"),
        environment: text("environment"),
        run_id: text("run_id"),
    }
}

/// The issuer that a token names, before anything of it is believed: it only says whose keys to look at.
fn said_issuer(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Said {
        iss: String,
    }
    /// GitHub's tokens have about 2 KB.
    const LONGEST: usize = 16 * 1024;
    if token.len() > LONGEST {
        return None;
    }
    let payload = token.split('.').nth(1)?;
    let said: Said = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    Some(said.iss)
}
