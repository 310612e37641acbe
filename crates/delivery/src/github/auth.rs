//! As whom the API is asked: as nobody, by a token, or as a GitHub App, whose installations have tokens that last an hour (GitHub,
//! "Authenticating as a GitHub App installation").

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::header::HeaderValue;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use super::error::GithubError;
use super::limits::Payer;
use crate::config::{GithubAuth, Secret};

/// How long before its end a token is renewed, so that none ends on the way.
const RENEWED_BEFORE: SignedDuration = SignedDuration::from_mins(5);
/// GitHub takes no longer one than ten minutes; its clock may be behind ours.
const SIGNED_FOR: SignedDuration = SignedDuration::from_mins(9);
/// GitHub's clock may be behind ours.
const SIGNED_BEFORE: SignedDuration = SignedDuration::from_secs(60);

/// The configured way.
pub(super) enum Auth {
    Anonymous,
    Token(Credential),
    App(App),
}

/// What a request shows.
#[derive(Clone)]
pub(super) struct Credential {
    pub(super) payer: Payer,
    /// Tells tokens apart without naming them.
    pub(super) fingerprint: [u8; 8],
    header: Option<HeaderValue>,
}

impl Credential {
    pub(super) fn anonymous() -> Credential {
        Credential { payer: Payer::Anonymous, fingerprint: [0; 8], header: None }
    }

    fn bearer(payer: Payer, token: &str) -> Option<Credential> {
        let mut header = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
        header.set_sensitive(true);
        let mut fingerprint = [0; 8];
        fingerprint.copy_from_slice(&Sha256::digest(token.as_bytes())[..8]);
        Some(Credential { payer, fingerprint, header: Some(header) })
    }

    pub(super) fn header(&self) -> Option<&HeaderValue> {
        self.header.as_ref()
    }
}

/// A GitHub App.
pub(super) struct App {
    id: u64,
    key: EncodingKey,
    pub(super) fixed: Option<u64>,
    /// Locked while a token is asked for, so that it is asked for once.
    pub(super) known: Mutex<Known>,
}

/// What an App has learned.
#[derive(Default)]
pub(super) struct Known {
    /// By the repository's name in lower case.
    pub(super) installations: HashMap<String, u64>,
    tokens: HashMap<u64, (Credential, Timestamp)>,
}

/// The answer of `GET /repos/{owner}/{repo}/installation`.
#[derive(Deserialize)]
pub(super) struct Installation {
    pub(super) id: u64,
}

/// The answer of `POST /app/installations/{installation_id}/access_tokens`.
#[derive(Deserialize)]
pub(super) struct InstallationToken {
    token: String,
    expires_at: Timestamp,
}

#[derive(Serialize)]
struct Claims {
    iat: i64,
    exp: i64,
    iss: String,
}

impl Auth {
    pub(super) fn new(auth: &GithubAuth) -> Result<Auth, GithubError> {
        match auth {
            GithubAuth::None => Ok(Auth::Anonymous),
            GithubAuth::Token(token) => {
                let credential = Credential::bearer(Payer::Token, token.expose().trim());
                credential.map(Auth::Token).ok_or_else(|| {
                    GithubError::Configuration(
                        "GitHub's token has characters in it that no token has: set it to the token alone"
                            .into(),
                    )
                })
            }
            GithubAuth::App { app_id, private_key, installation } => Ok(Auth::App(App {
                id: *app_id,
                key: encoding_key(private_key)?,
                fixed: *installation,
                known: Mutex::default(),
            })),
        }
    }
}

fn encoding_key(private_key: &Secret) -> Result<EncodingKey, GithubError> {
    // The library's words are of the file's structure, never its content, but they help nobody.
    EncodingKey::from_rsa_pem(private_key.as_bytes()).map_err(|_| {
        GithubError::Configuration(
            "the private key of the GitHub App cannot be read: set it to the whole PEM file that GitHub made, with its first and last line"
                .into(),
        )
    })
}

impl App {
    /// What the App shows for itself, to be given a token.
    pub(super) fn signed(&self, now: Timestamp) -> Result<Credential, GithubError> {
        let second = |at: Result<Timestamp, jiff::Error>| at.unwrap_or(now).as_second();
        let claims = Claims {
            iat: second(now.checked_sub(SIGNED_BEFORE)),
            exp: second(now.checked_add(SIGNED_FOR)),
            iss: self.id.to_string(),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &self.key)
            .ok()
            .and_then(|token| Credential::bearer(Payer::App, &token))
            .ok_or_else(|| {
                GithubError::Configuration(
                    "nothing can be signed with the private key of the GitHub App: make a new one, and set it".into(),
                )
            })
    }
}

impl Known {
    /// The installation's token, unless it ends soon.
    pub(super) fn token(&self, installation: u64, now: Timestamp) -> Option<Credential> {
        let (credential, expires) = self.tokens.get(&installation)?;
        let fresh = now.checked_add(RENEWED_BEFORE).is_ok_and(|then| then < *expires);
        fresh.then(|| credential.clone())
    }

    /// Takes a new token in; `None` where it is none.
    pub(super) fn learn(&mut self, installation: u64, token: &InstallationToken) -> Option<Credential> {
        let credential = Credential::bearer(Payer::Installation(installation), &token.token)?;
        self.tokens.insert(installation, (credential.clone(), token.expires_at));
        Some(credential)
    }

    /// Forgets a token that was refused, unless it was renewed by somebody else meanwhile.
    pub(super) fn forget(&mut self, refused: &Credential) {
        self.tokens.retain(|_, (credential, _)| credential.fingerprint != refused.fingerprint);
    }

    /// Forgets an installation that is not there any more.
    pub(super) fn forget_installation(&mut self, gone: u64) {
        self.installations.retain(|_, installation| *installation != gone);
        self.tokens.remove(&gone);
    }
}
