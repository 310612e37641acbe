//! The way to an issuer's sign-in page and back, and signing out.

use std::sync::Arc;

use app::api::ApiError;
use app::api::services::secret;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use domain::access::Access;
use domain::audit::{AuditAction, NewAuditEntry};
use domain::change::Difference;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use store::{NewSession, SeenPerson, StoreError};
use url::Url;

use super::gate::{Address, Who};
use super::issuer::{Attempt, Identity, IssuerError};
use super::limits::per_address;
use super::{Auth, cookie, device};
use crate::http::api;

/// How long somebody may take at the issuer's sign-in page.
const PATIENCE: SignedDuration = SignedDuration::from_mins(10);
/// Where a sign-in ends that was not asked for by a page.
const FIRST_PAGE: &str = "/";
/// What is kept of a browser's description of itself.
const LONGEST_USER_AGENT: usize = 200;

/// The routes of sign-in.
pub(crate) fn router<S: Clone + Send + Sync + 'static>(auth: Arc<Auth>) -> Router<S> {
    let routes = Router::new()
        .route("/api/auth/login", get(login))
        .route(super::CALLBACK_PATH, get(callback))
        .route("/api/auth/logout", post(logout));
    per_address(routes)
        .merge(per_address(device::router()))
        .layer(middleware::from_fn_with_state(auth.clone(), for_people))
        .with_state(auth)
}

/// A refusal that a browser would show in the place of a page leads to the sign-in page, which says it in words.
async fn for_people(State(auth): State<Arc<Auth>>, request: Request, next: Next) -> Response {
    if !navigates(request.headers()) {
        return next.run(request).await;
    }
    // What cannot be read as a whole may still say where it was to lead.
    let query = request.uri().query().unwrap_or_default().as_bytes();
    let wanted = url::form_urlencoded::parse(query).find(|(name, _)| name == "return_to");
    let return_to = own_path(&auth.config.public_url, wanted.as_ref().map_or("", |(_, path)| path));
    let response = next.run(request).await;
    match response.status() {
        StatusCode::TOO_MANY_REQUESTS => back(Problem::TooMany, &return_to),
        StatusCode::BAD_REQUEST => back(Problem::Unusable, &return_to),
        _ => response,
    }
}

/// Whether a browser will show the answer as a page.
fn navigates(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match text("sec-fetch-mode") {
        Some(mode) => mode == "navigate",
        // An older browser.
        None => text("accept").is_some_and(|accept| accept.contains("text/html")),
    }
}

#[derive(Deserialize)]
struct Login {
    /// The only issuer, where there is one.
    #[serde(default)]
    issuer: String,
    #[serde(default)]
    return_to: String,
}

async fn login(State(auth): State<Arc<Auth>>, asked: Result<Query<Login>, QueryRejection>) -> Response {
    let Ok(Query(asked)) = asked else { return unusable("What to sign in for cannot be read.") };
    let issuer = match (asked.issuer.as_str(), &auth.issuers[..]) {
        ("", [only]) => Some(only),
        (name, _) => auth.issuer(name),
    };
    let Some(issuer) = issuer else { return unusable("There is no such issuer in the configuration.") };
    let browser = secret::new();
    let return_to = own_path(&auth.config.public_url, &asked.return_to);
    let (url, state, attempt) = match issuer.set_out(&return_to, secret::hash(&browser)).await {
        Ok(way) => way,
        Err(error) => return failed(&error, &return_to),
    };
    if let Err(error) = keep(&auth, &state, &attempt).await {
        tracing::error!(%error, "a sign-in cannot be stored");
        return back(Problem::Unavailable, &return_to);
    }
    redirect(url.as_str(), &[cookie::set(cookie::LOGIN, &browser, PATIENCE)])
}

/// Remembers a sign-in until its way back.
async fn keep(auth: &Auth, state: &str, attempt: &Attempt) -> Result<(), StoreError> {
    let kept = serde_json::to_string(attempt)
        .map_err(|error| StoreError::Unwritable { what: "a sign-in".into(), problem: error.to_string() })?;
    auth.fleet.store().put_login(&secret::hash(state), &kept, Timestamp::now() + PATIENCE).await
}

#[derive(Deserialize)]
struct Callback {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    error: String,
}

async fn callback(
    State(auth): State<Arc<Auth>>,
    Extension(Address(address)): Extension<Address>,
    told: Result<Query<Callback>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let Ok(Query(told)) = told else { return unusable("What the issuer sent back cannot be read.") };
    let address = address.to_string();
    // The state is good for one attempt, whatever comes of it.
    let kept = match auth.fleet.store().take_login(&secret::hash(&told.state), Timestamp::now()).await {
        Ok(kept) => kept,
        Err(error) => {
            tracing::error!(%error, "a sign-in cannot be looked up");
            return back(Problem::Unavailable, FIRST_PAGE);
        }
    };
    let attempt: Option<Attempt> = kept.and_then(|kept| serde_json::from_str(&kept).ok());
    // Somebody else's way back would sign this browser in as them.
    let browser = cookie::read(&headers, cookie::LOGIN).map(|secret| secret::hash(&secret));
    let attempt = attempt.filter(|attempt| browser.as_deref() == Some(attempt.browser_hash.as_str()));
    let Some(attempt) = attempt else {
        note(
            &auth,
            AuditAction::SignInFailed,
            "",
            &address,
            "The sign-in was not begun in this browser, or too long ago.",
        )
        .await;
        return back(Problem::Expired, FIRST_PAGE);
    };
    if !told.error.is_empty() || told.code.is_empty() {
        let why = format!("{} answered {:?}.", attempt.issuer, told.error);
        note(&auth, AuditAction::SignInFailed, "", &address, &why).await;
        return back(Problem::Refused, &attempt.return_to);
    }
    let Some(issuer) = auth.issuer(&attempt.issuer) else {
        return back(Problem::Expired, &attempt.return_to);
    };
    let return_to = attempt.return_to.clone();
    match issuer.come_back(told.code, attempt).await {
        Err(error) => {
            note(&auth, AuditAction::SignInFailed, "", &address, &error.to_string()).await;
            failed(&error, &return_to)
        }
        Ok(identity) => match begin(&auth, &identity, &address, &headers).await {
            Ok(secret) => {
                let session = cookie::set(cookie::SESSION, &secret, auth.config.session_lifetime);
                redirect(&return_to, &[session, cookie::clear(cookie::LOGIN)])
            }
            Err(error) => {
                tracing::error!(%error, "a session cannot be stored");
                back(Problem::Unavailable, &return_to)
            }
        },
    }
}

/// Begins a session and answers its secret.
async fn begin(
    auth: &Auth,
    identity: &Identity,
    address: &str,
    headers: &HeaderMap,
) -> Result<String, StoreError> {
    let secret = secret::new();
    let now = Timestamp::now();
    let user_agent =
        headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let session = NewSession {
        token_hash: secret::hash(&secret),
        issuer: identity.issuer.clone(),
        subject: identity.subject.clone(),
        name: identity.name.clone(),
        groups: identity.groups.clone(),
        address: address.to_owned(),
        user_agent: user_agent.chars().take(LONGEST_USER_AGENT).collect(),
        created_at: now,
        expires_at: now + auth.config.session_lifetime,
    };
    auth.fleet.store().create_session(&session).await?;
    let access = auth.access(&identity.issuer, &identity.groups);
    let roles: Vec<&str> = access.grants.iter().map(|grant| grant.role.as_str()).collect();
    let detail = format!(
        "{} ({}), roles: {}",
        identity.issuer,
        identity.subject,
        if roles.is_empty() { "none".to_owned() } else { roles.join(", ") }
    );
    note(auth, AuditAction::SignIn, &identity.name, address, &detail).await;
    note_access(auth, identity, address, &access).await;
    Ok(secret)
}

/// Writes down what somebody's groups give them where it is not what it was at the sign-in before: because the groups are
/// others by now, or because the configuration is. As with [`note`], the sign-in counts in any case.
async fn note_access(auth: &Auth, identity: &Identity, address: &str, access: &Access) {
    let person = SeenPerson {
        issuer: identity.issuer.clone(),
        subject: identity.subject.clone(),
        access: access.to_string(),
        seen_at: Timestamp::now(),
    };
    let entry = |before: &str| NewAuditEntry {
        actor: identity.name.clone(),
        address: address.to_owned(),
        differences: vec![Difference {
            field: "access".into(),
            before: before.to_owned(),
            after: person.access.clone(),
        }],
        detail: format!("{} ({})", identity.issuer, identity.subject),
        ..NewAuditEntry::of(AuditAction::RoleChanged, person.seen_at)
    };
    if let Err(error) = auth.fleet.store().record_access(&person, entry).await {
        tracing::error!(%error, "what somebody's groups give cannot be compared with the sign-in before");
    }
}

/// Ends the session here, and answers where the browser goes to end it at the issuer too.
async fn logout(State(auth): State<Arc<Auth>>, Extension(Who(who)): Extension<Who>) -> Response {
    let mut next = auth.config.public_url.clone();
    if let Some(caller) = &who
        && let Some(signed_in) = &caller.signed_in
    {
        if let Err(error) = auth.fleet.store().end_session(&signed_in.session_id).await {
            tracing::error!(%error, "a session cannot be ended");
            return api::error(ApiError::Unavailable {
                message: "The session cannot be ended now. Try again in a moment.".into(),
            });
        }
        note(&auth, AuditAction::SignOut, &caller.actor, &caller.address, &signed_in.issuer).await;
        if let Some(issuer) = auth.issuer(&signed_in.issuer)
            && let Some(url) = issuer.logout(&auth.config.public_url).await
        {
            next = url;
        }
    }
    let mut response = Json(serde_json::json!({ "url": next })).into_response();
    response.headers_mut().append(header::SET_COOKIE, cookie::clear(cookie::SESSION));
    response
}

/// Why nobody is signed in, as the sign-in page explains it.
#[derive(Clone, Copy)]
enum Problem {
    Expired,
    Refused,
    Unreachable,
    Unavailable,
    TooMany,
    Unusable,
}

/// What is asked for cannot be done, as a program is told; a browser that navigates is led on by [`for_people`].
fn unusable(message: &str) -> Response {
    api::error(ApiError::BadRequest { message: message.into() })
}

fn failed(error: &IssuerError, return_to: &str) -> Response {
    tracing::warn!(%error, "nobody is signed in");
    match error {
        IssuerError::Unreachable { .. } => back(Problem::Unreachable, return_to),
        IssuerError::Refused { .. } | IssuerError::Invalid { .. } | IssuerError::TooManyGroups { .. } => {
            back(Problem::Refused, return_to)
        }
    }
}

/// Back to the sign-in page, which leads to `return_to` at the next try: the address bar is at `/api/`, which shows nobody
/// anything.
fn back(problem: Problem, return_to: &str) -> Response {
    let name = match problem {
        Problem::Expired => "expired",
        Problem::Refused => "refused",
        Problem::Unreachable => "unreachable",
        Problem::Unavailable => "unavailable",
        Problem::TooMany => "too-many",
        Problem::Unusable => "unusable",
    };
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("problem", name);
    if return_to != FIRST_PAGE {
        query.append_pair("return_to", return_to);
    }
    redirect(&format!("/sign-in?{}", query.finish()), &[cookie::clear(cookie::LOGIN)])
}

fn redirect(to: &str, cookies: &[HeaderValue]) -> Response {
    let Ok(location) = HeaderValue::from_str(to) else { return api::error(ApiError::Internal) };
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response();
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie.clone());
    }
    response
}

/// The path of one of our pages, or of the first: a sign-in must not end on somebody else's page, nor inside the API.
fn own_path(public_url: &Url, wanted: &str) -> String {
    let page = public_url.join(wanted).ok().filter(|url| {
        wanted.starts_with('/') && url.origin() == public_url.origin() && !url.path().starts_with("/api")
    });
    match page {
        Some(url) => url[url::Position::BeforePath..].to_owned(),
        None => FIRST_PAGE.to_owned(),
    }
}

/// Writes the audit entry. Where it cannot be written the sign-in still counts: nobody could reach the console to mend it.
async fn note(auth: &Auth, action: AuditAction, actor: &str, address: &str, detail: &str) {
    let entry = NewAuditEntry {
        actor: actor.to_owned(),
        address: address.to_owned(),
        detail: detail.to_owned(),
        ..NewAuditEntry::of(action, Timestamp::now())
    };
    if let Err(error) = auth.fleet.store().append_audit(&entry).await {
        tracing::error!(%error, action = action.as_str(), "an audit entry cannot be written");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_that_navigates_is_told_from_a_program() {
        let asked = |pairs: &[(&'static str, &'static str)]| {
            let pairs = pairs.iter().map(|(name, value)| {
                (header::HeaderName::from_static(name), HeaderValue::from_static(value))
            });
            navigates(&pairs.collect())
        };
        assert!(asked(&[("sec-fetch-mode", "navigate"), ("accept", "*/*")]));
        assert!(asked(&[("accept", "text/html,application/xhtml+xml;q=0.9")]));
        assert!(!asked(&[("sec-fetch-mode", "cors"), ("accept", "text/html")]));
        assert!(!asked(&[("accept", "*/*")]));
        assert!(!asked(&[]));
    }

    #[test]
    fn a_sign_in_ends_on_one_of_our_own_pages() {
        let ours = Url::parse("https://tollgate.example.com/").expect("a URL");
        for path in ["/fleet?q=state%3Arunning", "/", "/audit#newest"] {
            assert_eq!(own_path(&ours, path), path);
        }
        for other in [
            "",
            "fleet",
            "//evil.example/",
            "/\\evil.example",
            "https://evil.example/",
            "javascript:alert(1)",
            "/api/auth/logout",
            "/\t/evil.example",
            "http://tollgate.example.com/",
        ] {
            let path = own_path(&ours, other);
            assert!(
                path.starts_with('/') && !path.starts_with("//") && !path.starts_with("/api"),
                "{other} → {path}"
            );
            assert!(!path.contains("evil") || path.starts_with("/evil"), "{other} → {path}");
        }
    }
}
