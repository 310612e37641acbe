//! One OpenID Connect issuer: its discovery document and keys, the way to its sign-in page, and what its answer proves.

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType, CoreGenderClaim,
    CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, IdTokenFields, IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier,
    ProviderMetadataWithLogout, RedirectUrl, Scope, StandardErrorResponse, StandardTokenResponse,
    TokenResponse,
};
use serde::{Deserialize, Serialize};
use tokio::sync::RwLock;
use url::Url;

use super::claims::{OtherClaims, SignedToken, careful};
use super::transport::Transport;
use crate::causes::causes;

/// An issuer as the configuration names it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct IssuerConfig {
    /// What people see on the sign-in page, and what grants and the audit log name it by.
    pub(crate) name: String,
    /// The issuer identifier; its discovery document is below it.
    pub(crate) url: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: Option<String>,
    pub(crate) scopes: Vec<String>,
    /// The claim of the ID token that lists the groups.
    pub(crate) groups_claim: String,
    /// Where signing out goes, for issuers that have no `end_session_endpoint`: `{client_id}` and `{return_to}` are filled in.
    pub(crate) logout_url: Option<String>,
}

/// Who an issuer says somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) issuer: String,
    /// The issuer's own, stable name for the person.
    pub(crate) subject: String,
    /// For people: the name, or the e-mail address, or the subject.
    pub(crate) name: String,
    pub(crate) groups: Vec<String>,
}

/// What is remembered between the way to the sign-in page and the way back.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Attempt {
    pub(crate) issuer: String,
    pub(crate) return_to: String,
    /// The hash of the cookie that only the browser that set out has.
    pub(crate) browser_hash: String,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
}

/// Why nobody could be signed in. The message is for the log and for an administrator.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IssuerError {
    #[error("{issuer} cannot be reached: {why}. Check the issuer's url and the network.")]
    Unreachable { issuer: String, why: String },
    #[error(
        "{issuer} did not accept the code: {why}. Check client_id, client_secret and the registered redirect URI."
    )]
    Refused { issuer: String, why: String },
    #[error("The token of {issuer} is not valid: {why}.")]
    Invalid { issuer: String, why: String },
    #[error(
        "{issuer} left the groups out of the token because there are too many (its groups overage). Let it send only the groups \
         that are assigned to the application."
    )]
    TooManyGroups { issuer: String },
}

type TokenFields = IdTokenFields<
    OtherClaims,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type OidcClient = Client<
    OtherClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<TokenFields, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// An issuer, with what was discovered about it.
pub(crate) struct Issuer {
    pub(crate) config: IssuerConfig,
    redirect: RedirectUrl,
    http: Transport,
    /// Discovered when it is first needed, and again when a token is signed with a key that is not known.
    discovered: RwLock<Option<ProviderMetadataWithLogout>>,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issuer")
            .field("name", &self.config.name)
            .field("url", &self.config.url)
            .finish_non_exhaustive()
    }
}

impl Issuer {
    pub(crate) fn new(config: IssuerConfig, redirect: RedirectUrl) -> Result<Issuer, IssuerError> {
        let http = Transport::new().map_err(|error| IssuerError::Unreachable {
            issuer: config.name.clone(),
            why: error.to_string(),
        })?;
        Ok(Issuer { config, redirect, http, discovered: RwLock::default() })
    }

    /// Reads the discovery document and the keys.
    pub(crate) async fn discover(&self) -> Result<ProviderMetadataWithLogout, IssuerError> {
        let unreachable = |why: String| IssuerError::Unreachable { issuer: self.config.name.clone(), why };
        let url = IssuerUrl::new(self.config.url.clone()).map_err(|error| unreachable(error.to_string()))?;
        let metadata = ProviderMetadataWithLogout::discover_async(url, &self.http)
            .await
            .map_err(|error| unreachable(causes(&error)))?;
        *self.discovered.write().await = Some(metadata.clone());
        Ok(metadata)
    }

    async fn discovered(&self) -> Result<ProviderMetadataWithLogout, IssuerError> {
        if let Some(known) = self.discovered.read().await.clone() {
            return Ok(known);
        }
        self.discover().await
    }

    /// The address of the sign-in page, the state that comes back from it, and what has to be remembered until then.
    pub(crate) async fn set_out(
        &self,
        return_to: &str,
        browser_hash: String,
    ) -> Result<(Url, String, Attempt), IssuerError> {
        let client = self.client(self.discovered().await?);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .set_pkce_challenge(challenge);
        for scope in &self.config.scopes {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        let (url, state, nonce) = request.url();
        let attempt = Attempt {
            issuer: self.config.name.clone(),
            return_to: return_to.to_owned(),
            browser_hash,
            nonce,
            verifier,
        };
        Ok((url, state.into_secret(), attempt))
    }

    /// Exchanges the code that came back, and checks the token: signature, issuer, audience, nonce and times.
    pub(crate) async fn come_back(&self, code: String, attempt: Attempt) -> Result<Identity, IssuerError> {
        let refused = |why: String| IssuerError::Refused { issuer: self.config.name.clone(), why };
        let client = self.client(self.discovered().await?);
        let response = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| refused(error.to_string()))?
            .set_pkce_verifier(attempt.verifier)
            .request_async(&self.http)
            .await
            .map_err(|error| refused(causes(&error)))?;
        let Some(token) = response.id_token() else {
            return Err(refused("the answer has no ID token".into()));
        };
        match self.identity(&client, token, &attempt.nonce) {
            // The issuer may have changed its keys since they were read.
            Err(IssuerError::Invalid { .. }) => {
                let client = self.client(self.discover().await?);
                self.identity(&client, token, &attempt.nonce)
            }
            identity => identity,
        }
    }

    /// Where the browser goes to sign out at the issuer too; `None` where there is no such place.
    pub(crate) async fn logout(&self, return_to: &Url) -> Option<Url> {
        if let Some(template) = &self.config.logout_url {
            let filled = template
                .replace("{client_id}", &encoded(&self.config.client_id))
                .replace("{return_to}", &encoded(return_to.as_str()));
            return Url::parse(&filled).ok();
        }
        let metadata = self.discovered().await.ok()?;
        let mut url = metadata.additional_metadata().end_session_endpoint.as_ref()?.url().clone();
        url.query_pairs_mut()
            .append_pair("client_id", &self.config.client_id)
            .append_pair("post_logout_redirect_uri", return_to.as_str());
        Some(url)
    }

    fn client(&self, metadata: ProviderMetadataWithLogout) -> OidcClient {
        let secret = self.config.client_secret.clone().map(ClientSecret::new);
        Client::from_provider_metadata(metadata, ClientId::new(self.config.client_id.clone()), secret)
            .set_redirect_uri(self.redirect.clone())
    }

    fn identity(
        &self,
        client: &OidcClient,
        token: &SignedToken,
        nonce: &Nonce,
    ) -> Result<Identity, IssuerError> {
        let invalid = |why: String| IssuerError::Invalid { issuer: self.config.name.clone(), why };
        let verifier = careful(client.id_token_verifier());
        let claims = token.claims(&verifier, nonce).map_err(|error| invalid(causes(&error)))?;
        let subject = claims.subject().to_string();
        let name = claims
            .name()
            .and_then(|name| name.get(None))
            .map(|name| name.to_string())
            .or_else(|| claims.email().map(|email| email.to_string()))
            .or_else(|| claims.preferred_username().map(|name| name.to_string()))
            .unwrap_or_else(|| subject.clone());
        let groups =
            groups(&claims.additional_claims().claims, &self.config.groups_claim).map_err(|problem| {
                match problem {
                    Groups::TooMany => IssuerError::TooManyGroups { issuer: self.config.name.clone() },
                    Groups::Malformed => {
                        invalid(format!("its claim {} is no list of texts", self.config.groups_claim))
                    }
                }
            })?;
        Ok(Identity { issuer: self.config.name.clone(), subject, name, groups })
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Groups {
    TooMany,
    Malformed,
}

/// The groups in `claim`: a list of texts, or one text. A token without the claim has none.
fn groups(claims: &serde_json::Map<String, serde_json::Value>, claim: &str) -> Result<Vec<String>, Groups> {
    use serde_json::Value;
    match claims.get(claim) {
        Some(Value::String(one)) => Ok(vec![one.clone()]),
        Some(Value::Array(all)) => {
            all.iter().map(|group| group.as_str().map(str::to_owned).ok_or(Groups::Malformed)).collect()
        }
        Some(_) => Err(Groups::Malformed),
        // Entra ID names the claims that it left out here.
        None if claims.get("_claim_names").is_some_and(|names| names.get(claim).is_some()) => {
            Err(Groups::TooMany)
        }
        None => Ok(Vec::new()),
    }
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(claims: serde_json::Value) -> Result<Vec<String>, Groups> {
        groups(claims.as_object().expect("an object"), "groups")
    }

    #[test]
    fn groups_are_read_from_a_list_or_one_text() {
        assert_eq!(of(json!({ "groups": ["a", "b"] })), Ok(vec!["a".into(), "b".into()]));
        assert_eq!(of(json!({ "groups": "a" })), Ok(vec!["a".into()]));
        assert_eq!(of(json!({})), Ok(Vec::new()));
        assert_eq!(of(json!({ "groups": [1] })), Err(Groups::Malformed));
        assert_eq!(of(json!({ "groups": { "a": true } })), Err(Groups::Malformed));
    }

    #[test]
    fn groups_that_were_left_out_are_no_empty_list() {
        let claims = json!({ "_claim_names": { "groups": "src1" }, "_claim_sources": { "src1": {} } });
        assert_eq!(of(claims), Err(Groups::TooMany));
    }
}
