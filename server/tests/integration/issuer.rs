//! An OpenID Connect issuer that signs whatever a test wants signed.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use openidconnect::core::{CoreEdDsaPrivateSigningKey, CoreJwsSigningAlgorithm};
use openidconnect::{JsonWebKeyId, PrivateSigningKey};
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

pub(crate) const CLIENT_ID: &str = "tollgate";

/// A running issuer.
pub(crate) struct FakeIssuer {
    server: MockServer,
    /// The keys that it publishes.
    published: Arc<Mutex<Value>>,
    /// What the token endpoint answers as `id_token`.
    token: Arc<Mutex<String>>,
    /// The forms that the token endpoint was sent.
    asked: Arc<Mutex<Vec<String>>>,
}

/// A key of an issuer.
pub(crate) struct Key {
    id: String,
    key: CoreEdDsaPrivateSigningKey,
}

impl Key {
    /// A new random key.
    pub(crate) fn new(id: &str) -> Key {
        // PKCS #8 of an Ed25519 key is this prefix and 32 random bytes (RFC 8410, §7).
        let mut der = vec![
            0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
        ];
        der.extend_from_slice(uuid::Uuid::new_v4().as_bytes());
        der.extend_from_slice(uuid::Uuid::new_v4().as_bytes());
        let pem =
            format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der));
        let key = CoreEdDsaPrivateSigningKey::from_ed25519_pem(&pem, Some(JsonWebKeyId::new(id.to_owned())));
        Key { id: id.to_owned(), key: key.expect("a key") }
    }

    pub(crate) fn public(&self) -> Value {
        serde_json::to_value(self.key.as_verification_key()).expect("a public key")
    }

    /// The claims as a token, signed.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = json!({ "alg": "EdDSA", "typ": "JWT", "kid": self.id });
        let signed = [part(&header), part(claims)].join(".");
        let signature =
            self.key.sign(&CoreJwsSigningAlgorithm::EdDsa, signed.as_bytes()).expect("a signature");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// One part of a token.
pub(crate) fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

impl FakeIssuer {
    pub(crate) async fn start(key: &Key) -> FakeIssuer {
        // Of its own, since one from the library's pool goes on listening.
        let server = MockServer::builder().start().await;
        let issuer = FakeIssuer {
            published: Arc::new(Mutex::new(json!({ "keys": [key.public()] }))),
            token: Arc::default(),
            asked: Arc::default(),
            server,
        };
        let url = issuer.url();
        let discovery = json!({
            "issuer": url,
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "jwks_uri": format!("{url}/keys"),
            "end_session_endpoint": format!("{url}/end"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            // More than is accepted: what an issuer lists must not decide.
            "id_token_signing_alg_values_supported": ["EdDSA", "HS256", "none"],
        });
        let answer = |at: &str, body: Box<dyn Fn(&Request) -> Value + Send + Sync>, verb: &str| {
            Mock::given(method(verb)).and(path(at)).respond_with(move |request: &Request| {
                ResponseTemplate::new(200).set_body_json(body(request))
            })
        };
        answer("/.well-known/openid-configuration", Box::new(move |_| discovery.clone()), "GET")
            .mount(&issuer.server)
            .await;
        let published = issuer.published.clone();
        answer("/keys", Box::new(move |_| published.lock().expect("keys").clone()), "GET")
            .mount(&issuer.server)
            .await;
        let (token, asked) = (issuer.token.clone(), issuer.asked.clone());
        let body = move |request: &Request| {
            asked.lock().expect("forms").push(String::from_utf8_lossy(&request.body).into_owned());
            let token = token.lock().expect("a token").clone();
            json!({ "access_token": "opaque", "token_type": "Bearer", "id_token": token })
        };
        answer("/token", Box::new(body), "POST").mount(&issuer.server).await;
        issuer
    }

    pub(crate) fn url(&self) -> String {
        self.server.uri()
    }

    /// What the next exchange of a code answers.
    pub(crate) fn answer(&self, token: String) {
        *self.token.lock().expect("a token") = token;
    }

    /// Publishes other keys from now on.
    pub(crate) fn publish(&self, keys: &[&Key]) {
        let keys: Vec<Value> = keys.iter().map(|key| key.public()).collect();
        *self.published.lock().expect("keys") = json!({ "keys": keys });
    }

    /// The last form that the token endpoint was sent.
    pub(crate) fn last_form(&self) -> String {
        self.asked.lock().expect("forms").last().cloned().unwrap_or_default()
    }

    /// The claims of a good token of a run of continuous integration.
    pub(crate) fn run_claims(&self) -> Value {
        let now = jiff::Timestamp::now().as_second();
        json!({
            "iss": self.url(), "aud": "https://tollgate.example.com", "sub": "repo:acme/shop:ref:refs/heads/main",
            "repository": "acme/shop", "repository_id": "7", "ref": "refs/heads/main", "run_id": "42",
            "iat": now, "nbf": now, "exp": now + 300,
        })
    }

    /// The claims of a good token.
    pub(crate) fn claims(&self, nonce: &str, groups: &[&str]) -> Value {
        let now = jiff::Timestamp::now().as_second();
        json!({
            "iss": self.url(), "aud": CLIENT_ID, "sub": "ada", "name": "Ada Lovelace", "nonce": nonce,
            "iat": now, "exp": now + 300, "groups": groups,
        })
    }
}
