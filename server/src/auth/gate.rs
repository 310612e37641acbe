//! Finds out who asks, before anything is answered.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use app::api::ApiError;
use app::api::services::Caller;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, header};
use ipnet::IpNet;
use store::StoreError;

use super::limits::Person;
use super::{Auth, cookie};
use crate::http::{EVENTS_PATH, api};

/// How callers are told apart.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) way: Way,
    /// Whose word about the caller's address is taken.
    pub(crate) trusted_proxies: Arc<[IpNet]>,
}

#[derive(Clone)]
pub(crate) enum Way {
    /// Nobody signs in: everyone who reaches the loopback address is this one.
    Local(Arc<Caller>),
    SignIn(Arc<Auth>),
}

/// Who asks; nobody who has not signed in.
#[derive(Clone, Debug)]
pub(crate) struct Who(pub(crate) Option<Arc<Caller>>);

/// Where the request comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address(pub(crate) IpAddr);

/// Notes who asks and from where, for what answers the request.
pub(crate) async fn authenticate(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    // Only in tests is a request without a connection.
    let peer = peer.unwrap_or(IpAddr::from([127, 0, 0, 1]));
    let address = caller_address(peer, request.headers(), &gate.trusted_proxies);
    let who = match &gate.way {
        Way::Local(caller) => Ok(Some(caller.clone())),
        Way::SignIn(auth) => signed_in(auth, request.uri().path(), request.headers(), address).await,
    };
    let who = match who {
        Ok(who) => who,
        Err(error) => return api::error(error),
    };
    request.extensions_mut().insert(Who(who));
    request.extensions_mut().insert(Address(address));
    next.run(request).await
}

async fn signed_in(
    auth: &Auth,
    path: &str,
    headers: &HeaderMap,
    address: IpAddr,
) -> Result<Option<Arc<Caller>>, ApiError> {
    let known = known(auth, path, headers, address).await?;
    auth.limits.change(path, address, known.as_ref().map(|(_, person)| person))?;
    Ok(known.map(|(caller, _)| Arc::new(caller)))
}

/// The caller, and who that is at the issuer.
async fn known(
    auth: &Auth,
    path: &str,
    headers: &HeaderMap,
    address: IpAddr,
) -> Result<Option<(Caller, Person)>, ApiError> {
    let from = address.to_string();
    // A program says who it is by itself; its request carries no cookie that another page could have it send.
    if let Some(secret) = bearer(headers) {
        auth.limits.may_try_token(address, Instant::now())?;
        let program = auth.program(secret, from).await.map_err(unavailable)?;
        if program.is_none() {
            auth.limits.wrong_token(address, Instant::now());
        }
        return Ok(program);
    }
    let Some(secret) = cookie::read(headers, cookie::SESSION) else { return Ok(None) };
    let Some(session) = auth.session(&secret).await.map_err(unavailable)? else { return Ok(None) };
    // A stream is opened again by the page whenever it breaks, which tells nothing of a person.
    if path != EVENTS_PATH {
        auth.keep_alive(&session).await.map_err(unavailable)?;
    }
    let person = Person { issuer: session.issuer.clone(), subject: session.subject.clone() };
    Ok(Some((auth.caller(session, from), person)))
}

fn unavailable(error: StoreError) -> ApiError {
    tracing::error!(%error, "a session or token cannot be looked up");
    ApiError::Unavailable { message: "Sessions cannot be read now. Try again in a moment.".into() }
}

/// The token of an `Authorization` header (RFC 6750, §2.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// The address that the nearest proxy which is not ours saw. Each proxy appends to `X-Forwarded-For` what it saw, so that only
/// the end of the list, as far as our own proxies wrote it, is true; what stands before it is the caller's invention.
fn caller_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_ours = |address: &IpAddr| trusted.iter().any(|range| range.contains(address));
    let mut address = peer.to_canonical();
    let lines: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok()).collect();
    let joined = lines.join(",");
    for told in joined.rsplit(',') {
        if !is_ours(&address) {
            break;
        }
        match told.trim().parse::<IpAddr>() {
            Ok(told) => address = told.to_canonical(),
            Err(_) => break,
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn seen(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_str(line).expect("a header value"));
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|range| range.parse().expect("a range")).collect();
        caller_address(peer.parse().expect("an address"), &headers, &trusted).to_string()
    }

    #[test]
    fn only_our_own_proxies_are_believed() {
        let ours = &["10.0.0.0/8"];
        assert_eq!(seen("203.0.113.9", &["198.51.100.1"], ours), "203.0.113.9", "a stranger's word");
        assert_eq!(seen("10.1.2.3", &[], ours), "10.1.2.3");
        assert_eq!(seen("10.1.2.3", &["198.51.100.1"], ours), "198.51.100.1");
        assert_eq!(seen("10.1.2.3", &["1.1.1.1, 198.51.100.1, 10.9.9.9"], ours), "198.51.100.1");
        assert_eq!(seen("10.1.2.3", &["1.1.1.1", "198.51.100.1"], ours), "198.51.100.1");
        assert_eq!(seen("10.1.2.3", &["198.51.100.1, unknown"], ours), "10.1.2.3");
        assert_eq!(seen("::ffff:10.1.2.3", &["198.51.100.1"], ours), "198.51.100.1");
        assert_eq!(seen("10.1.2.3", &["198.51.100.1"], &[]), "10.1.2.3");
    }
}
