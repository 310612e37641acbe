//! How often one may ask: every limiter of the server, by address and by person. Each process counts for itself.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use app::api::{self, ApiError};
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use leptos::server_fn::ServerFn;

use super::gate::Address;
use crate::http::api::error;

/// Requests a minute from one address to routes that are asked before it is known who asks. The address may be a whole
/// office's, and a sign-in takes two.
const ROUTES_BY_ADDRESS: NonZeroU32 = NonZeroU32::new(60).expect("not zero");
/// Changes of tokens and sessions a minute: more than anybody makes by hand.
const CHANGES_BY_PERSON: NonZeroU32 = NonZeroU32::new(20).expect("not zero");
const CHANGES_BY_ADDRESS: NonZeroU32 = NonZeroU32::new(60).expect("not zero");
/// Wrong tokens a minute from one address, before it has to wait.
const WRONG_TOKENS: NonZeroU32 = NonZeroU32::new(20).expect("not zero");
/// How long an address waits then. By the end of it each limiter of so many a minute starts anew.
const WAIT: Duration = Duration::from_secs(60);
/// After how many requests those are forgotten who have not asked for a while.
const SWEEP: u32 = 1_000;

/// The server functions that change how somebody is known.
const CHANGES: [&str; 5] = [
    api::MakeToken::PATH,
    api::RevokeToken::PATH,
    api::EndSession::PATH,
    // Both, since who looks codes up guesses them too.
    api::ShowDevice::PATH,
    api::DecideDevice::PATH,
];

/// Who somebody is at their issuer, by the name that stays the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Person {
    pub(super) issuer: String,
    pub(super) subject: String,
}

impl Person {
    /// The one text that is theirs. Neither part holds a line break: issuers are URLs, and what has one is no subject here.
    pub(super) fn principal(&self) -> String {
        format!("{}\n{}", self.issuer, self.subject)
    }
}

/// The routes, which together answer one address only so often.
pub(super) fn per_address<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    routes.layer(middleware::from_fn_with_state(Arc::new(Limiter::new(ROUTES_BY_ADDRESS)), in_turn))
}

/// What is limited wherever it is asked for.
pub(super) struct Limits {
    changes_by_address: Limiter<IpAddr>,
    changes_by_person: Limiter<Person>,
    wrong_tokens: Limiter<IpAddr>,
    /// Addresses whose tokens are not looked at, and until when.
    waiting: Mutex<HashMap<IpAddr, Instant>>,
}

impl Limits {
    pub(super) fn new() -> Limits {
        Limits {
            changes_by_address: Limiter::new(CHANGES_BY_ADDRESS),
            changes_by_person: Limiter::new(CHANGES_BY_PERSON),
            wrong_tokens: Limiter::new(WRONG_TOKENS),
            waiting: Mutex::default(),
        }
    }

    /// Counts a request to `path` where that changes how somebody is known.
    ///
    /// # Errors
    /// [`ApiError::TooMany`] for an address or a person with too many of them.
    pub(super) fn change(
        &self,
        path: &str,
        address: IpAddr,
        person: Option<&Person>,
    ) -> Result<(), ApiError> {
        if !CHANGES.contains(&path) {
            return Ok(());
        }
        self.changes_by_address.take(&network(address))?;
        person.map_or(Ok(()), |person| self.changes_by_person.take(person))
    }

    /// Whether a token from the address is looked at now. It is asked before each look: an address that has to wait must not
    /// learn from the answer whether it has guessed one.
    ///
    /// # Errors
    /// [`ApiError::TooMany`] after too many wrong ones.
    pub(super) fn may_try_token(&self, address: IpAddr, now: Instant) -> Result<(), ApiError> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match waiting.get(&network(address)) {
            Some(until) if now < *until => Err(ApiError::TooMany),
            Some(_) | None => Ok(()),
        }
    }

    /// Counts a token that is none, has expired or was taken back.
    pub(super) fn wrong_token(&self, address: IpAddr, now: Instant) {
        let address = network(address);
        if self.wrong_tokens.take(&address).is_err() {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.retain(|_, until| now < *until);
            waiting.insert(address, now + WAIT);
        }
    }
}

/// So many a minute for each of `K`.
struct Limiter<K: Hash + Eq + Clone> {
    limiter: DefaultKeyedRateLimiter<K>,
    asked: AtomicU32,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    fn new(per_minute: NonZeroU32) -> Limiter<K> {
        Limiter { limiter: RateLimiter::keyed(Quota::per_minute(per_minute)), asked: AtomicU32::new(0) }
    }

    fn take(&self, key: &K) -> Result<(), ApiError> {
        // Else whoever comes under ever new names would have all of them remembered.
        if self.asked.fetch_add(1, Ordering::Relaxed) % SWEEP == SWEEP - 1 {
            self.limiter.retain_recent();
        }
        self.limiter.check_key(key).map_err(|_| ApiError::TooMany)
    }
}

async fn in_turn(State(limiter): State<Arc<Limiter<IpAddr>>>, request: Request, next: Next) -> Response {
    let address = request.extensions().get::<Address>().copied();
    match address.map_or(Ok(()), |Address(address)| limiter.take(&network(address))) {
        Ok(()) => next.run(request).await,
        Err(refused) => error(refused),
    }
}

/// What counts as one address: of IPv6 the first 64 bits, since whoever has one has all that begin with them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFICE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 9));
    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));

    fn person(subject: &str) -> Person {
        Person { issuer: "Test".into(), subject: subject.into() }
    }

    #[test]
    fn a_person_is_limited_wherever_they_are_and_an_address_whoever_it_is() {
        let limits = Limits::new();
        let [make, ..] = CHANGES;
        let ada = person("ada");
        let allowed = |addresses: [IpAddr; 2]| {
            (0..60).filter(|n| limits.change(make, addresses[n % 2], Some(&ada)).is_ok()).count()
        };
        assert_eq!(allowed([OFFICE, HOME]), 20);
        assert_eq!(limits.change(make, HOME, Some(&person("bob"))), Ok(()));
        let more = (0..60).filter(|n| limits.change(make, OFFICE, Some(&person(&n.to_string()))).is_ok());
        assert_eq!(more.count(), 30, "what was refused to a person counts for the address too");
        assert_eq!(limits.change(make, OFFICE, None), Err(ApiError::TooMany));
        assert_eq!(limits.change("/api/fleet/list", OFFICE, Some(&ada)), Ok(()), "everything else goes on");
    }

    #[test]
    fn an_address_with_too_many_wrong_tokens_waits() {
        let (limits, now) = (Limits::new(), Instant::now());
        for _ in 0..20 {
            limits.wrong_token(OFFICE, now);
            assert_eq!(limits.may_try_token(OFFICE, now), Ok(()));
        }
        limits.wrong_token(OFFICE, now);
        assert_eq!(limits.may_try_token(OFFICE, now), Err(ApiError::TooMany));
        assert_eq!(limits.may_try_token(HOME, now), Ok(()));
        let later = now + WAIT;
        assert_eq!(limits.may_try_token(OFFICE, later - Duration::from_millis(1)), Err(ApiError::TooMany));
        assert_eq!(limits.may_try_token(OFFICE, later), Ok(()));
    }

    #[test]
    fn neighbours_of_one_network_are_one_address() {
        let same = |one: &str, other: &str| {
            let parse = |text: &str| network(text.parse().expect("an address"));
            parse(one) == parse(other)
        };
        assert!(same("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"));
        assert!(!same("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(!same("203.0.113.9", "203.0.113.10"));
        assert!(same("203.0.113.9", "::ffff:203.0.113.9"));
    }
}
