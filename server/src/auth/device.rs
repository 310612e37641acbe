//! How a program gets a token without a browser of its own: device authorization (RFC 8628), and revocation (RFC 7009).

use std::sync::Arc;

use app::api::services::{personal_token, secret};
use axum::extract::{Form, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Json, Router};
use domain::audit::{AuditAction, NewAuditEntry};
use domain::user_code::UserCode;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Approver, DeviceAnswer, DeviceDecision, DeviceLogin, NewDeviceLogin, NewToken, StoreError};

use super::gate::Address;
use super::{Auth, COMMAND_LINE};

pub(crate) const AUTHORIZATION_PATH: &str = "/api/auth/device";
pub(crate) const TOKEN_PATH: &str = "/api/auth/token";
pub(crate) const REVOCATION_PATH: &str = "/api/auth/revoke";

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// How long a program waits to be let in.
const PATIENCE: SignedDuration = SignedDuration::from_mins(10);
/// How long a program leaves between two questions (RFC 8628, §3.2).
const INTERVAL: SignedDuration = SignedDuration::from_secs(5);
/// What a program may be early by: its clock is not ours, and the way here is not always equally long.
const LENIENCE: SignedDuration = SignedDuration::from_secs(1);
/// How long the token of a program lives.
const TOKEN_LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 30);
/// What is kept of what a program says of itself.
const LONGEST_CLIENT: usize = 100;

/// The routes for programs.
pub(super) fn router() -> Router<Arc<Auth>> {
    Router::new()
        .route(AUTHORIZATION_PATH, post(begin))
        .route(TOKEN_PATH, post(token))
        .route(REVOCATION_PATH, post(revoke))
}

/// An error as OAuth says it (RFC 6749, §5.2; RFC 8628, §3.5).
#[derive(Clone, Copy)]
enum Problem {
    InvalidClient,
    UnsupportedGrantType,
    AuthorizationPending,
    SlowDown,
    AccessDenied,
    ExpiredToken,
    Unavailable,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, error, description) = match self {
            Problem::InvalidClient => {
                (StatusCode::UNAUTHORIZED, "invalid_client", "There is no such client here.")
            }
            Problem::UnsupportedGrantType => {
                (StatusCode::BAD_REQUEST, "unsupported_grant_type", "Only device codes are exchanged here.")
            }
            Problem::AuthorizationPending => {
                (StatusCode::BAD_REQUEST, "authorization_pending", "Nobody has decided yet.")
            }
            Problem::SlowDown => {
                (StatusCode::BAD_REQUEST, "slow_down", "Wait five seconds longer each time.")
            }
            Problem::AccessDenied => {
                (StatusCode::BAD_REQUEST, "access_denied", "Somebody refused the program.")
            }
            Problem::ExpiredToken => {
                (StatusCode::BAD_REQUEST, "expired_token", "The code has expired. Ask for another.")
            }
            Problem::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", "Try again in a moment.")
            }
        };
        (status, Json(serde_json::json!({ "error": error, "error_description": description })))
            .into_response()
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        tracing::error!(%error, "a program cannot be let in");
        Problem::Unavailable
    }
}

#[derive(Deserialize)]
struct Begin {
    client_id: String,
    /// What the program says of itself, such as where it runs; beyond the standard.
    #[serde(default)]
    client_name: String,
}

#[derive(Serialize)]
struct Begun {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: String,
    expires_in: i64,
    interval: i64,
}

async fn begin(
    State(auth): State<Arc<Auth>>,
    Extension(Address(address)): Extension<Address>,
    Form(asked): Form<Begin>,
) -> Result<Json<Begun>, Problem> {
    if asked.client_id != COMMAND_LINE {
        return Err(Problem::InvalidClient);
    }
    let device_code = secret::new();
    let now = Timestamp::now();
    let name: String = asked.client_name.chars().filter(|c| !c.is_control()).take(LONGEST_CLIENT).collect();
    let mut new = NewDeviceLogin {
        device_hash: secret::hash(&device_code),
        user_code: String::new(),
        client: if name.is_empty() { COMMAND_LINE.to_owned() } else { name },
        address: address.to_string(),
        created_at: now,
        expires_at: now + PATIENCE,
    };
    // Two programs that wait at once may draw the same code once in a very long while.
    loop {
        new.user_code = user_code();
        if auth.fleet.store().put_device_login(&new).await? {
            break;
        }
    }
    let page = |query: &str| auth.config.public_url.join(&format!("/device{query}")).map(String::from);
    let failed = |_| Problem::Unavailable;
    Ok(Json(Begun {
        verification_uri: page("").map_err(failed)?,
        verification_uri_complete: page(&format!("?user_code={}", new.user_code)).map_err(failed)?,
        device_code,
        user_code: new.user_code,
        expires_in: PATIENCE.as_secs(),
        interval: INTERVAL.as_secs(),
    }))
}

fn user_code() -> String {
    loop {
        // Of a random UUID, all bytes but these two are random throughout.
        let bytes = *uuid::Uuid::new_v4().as_bytes();
        let random: Vec<u8> =
            (0..).zip(bytes).filter(|(at, _)| ![6, 8].contains(at)).map(|(_, byte)| byte).collect();
        if let Some(code) = UserCode::from_random(&random) {
            return code.to_string();
        }
    }
}

#[derive(Deserialize)]
struct Exchange {
    client_id: String,
    grant_type: String,
    #[serde(default)]
    device_code: String,
}

#[derive(Serialize)]
struct Token {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
}

async fn token(State(auth): State<Arc<Auth>>, Form(asked): Form<Exchange>) -> Result<Json<Token>, Problem> {
    if asked.client_id != COMMAND_LINE {
        return Err(Problem::InvalidClient);
    }
    if asked.grant_type != GRANT_TYPE {
        return Err(Problem::UnsupportedGrantType);
    }
    let device_hash = secret::hash(&asked.device_code);
    let store = auth.fleet.store();
    match store.ask_device_login(&device_hash, INTERVAL - LENIENCE, Timestamp::now()).await? {
        DeviceAnswer::Unknown => Err(Problem::ExpiredToken),
        DeviceAnswer::TooSoon => Err(Problem::SlowDown),
        DeviceAnswer::Pending => Err(Problem::AuthorizationPending),
        DeviceAnswer::Decided { decision: DeviceDecision::Refused, .. } => Err(Problem::AccessDenied),
        DeviceAnswer::Decided { decision: DeviceDecision::Approved(approver), login } => {
            Ok(Json(make_token(&auth, login, approver).await?))
        }
    }
}

/// A personal access token of the person who let the program in: listed and taken back as any other.
async fn make_token(auth: &Auth, login: DeviceLogin, approver: Approver) -> Result<Token, StoreError> {
    let secret = personal_token();
    let now = Timestamp::now();
    let new = NewToken {
        token_hash: secret::hash(&secret),
        issuer: approver.issuer,
        subject: approver.subject,
        owner_name: approver.name,
        groups: approver.groups,
        name: login.client,
        access: None,
        created_at: now,
        expires_at: now + TOKEN_LIFETIME,
    };
    let id = auth.fleet.store().create_token(&new).await?;
    let entry = NewAuditEntry {
        actor: new.owner_name,
        address: login.address,
        detail: format!("{} ({id}), until {}", new.name, new.expires_at),
        ..NewAuditEntry::of(AuditAction::TokenMade, now)
    };
    auth.fleet.store().append_audit(&entry).await?;
    Ok(Token { access_token: secret, token_type: "Bearer", expires_in: TOKEN_LIFETIME.as_secs() })
}

#[derive(Deserialize)]
struct Revoke {
    token: String,
}

/// Takes back the token that is sent: whoever has it may. A token that is not known is as good as taken back (RFC 7009, §2.2).
async fn revoke(
    State(auth): State<Arc<Auth>>,
    Extension(Address(address)): Extension<Address>,
    Form(asked): Form<Revoke>,
) -> Result<StatusCode, Problem> {
    let store = auth.fleet.store();
    let now = Timestamp::now();
    if let Some(token) = store.token(&secret::hash(&asked.token), now).await?
        && store.revoke_any_token(&token.id).await?
    {
        let entry = NewAuditEntry {
            actor: token.owner_name,
            address: address.to_string(),
            detail: format!("{} ({}), by itself", token.name, token.id),
            ..NewAuditEntry::of(AuditAction::TokenRevoked, now)
        };
        store.append_audit(&entry).await?;
    }
    Ok(StatusCode::OK)
}
