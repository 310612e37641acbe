//! How often GitHub lets itself be asked, by what its answers say of it (GitHub, "Rate limits for the REST API").

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;

/// Who is counted. A GitHub App is counted for each installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Payer {
    Anonymous,
    Token,
    App,
    Installation(u64),
}

/// What is left of the requests that may be made until `reset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    pub limit: u32,
    pub remaining: u32,
    pub reset: Timestamp,
}

impl Budget {
    /// Whether less than a tenth is left, which is kept for what cannot wait.
    pub fn is_low(self) -> bool {
        u64::from(self.remaining) * 10 < u64::from(self.limit)
    }
}

/// The least that is waited for a limit that does not say how long it lasts.
const SHORTEST_WAIT: SignedDuration = SignedDuration::from_secs(60);
/// The longest wait that is believed, so that an odd header does not silence us for good.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(2);

/// Until when each payer has to wait.
#[derive(Debug, Default)]
pub(super) struct Limits(Mutex<HashMap<Payer, Limit>>);

#[derive(Clone, Copy, Debug)]
struct Limit {
    until: Timestamp,
    /// How often in a row a limit was met that did not say how long it lasts.
    strikes: u32,
}

impl Limits {
    /// Until when a payer has to wait, where it has to.
    pub(super) fn until(&self, payer: Payer, now: Timestamp) -> Option<Timestamp> {
        let limits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        limits.get(&payer).map(|limit| limit.until).filter(|until| *until > now)
    }

    /// Takes in what an answer says, and tells until when to wait where the answer is a refusal for that reason.
    pub(super) fn observe(
        &self,
        payer: Payer,
        status: StatusCode,
        headers: &HeaderMap,
        message: &str,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let mut limits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let strikes = limits.get(&payer).map_or(0, |limit| limit.strikes);
        match met(status, headers, message, now) {
            Some(Met::Until(until)) => {
                limits.insert(payer, Limit { until, strikes });
                Some(until)
            }
            Some(Met::Unsaid) => {
                let wait = SHORTEST_WAIT.saturating_mul(1 << strikes.min(6)).min(LONGEST_WAIT);
                let until = now.saturating_add(wait).unwrap_or(Timestamp::MAX);
                limits.insert(payer, Limit { until, strikes: strikes.saturating_add(1) });
                Some(until)
            }
            None => {
                // An answer that was under way when the limit was met does not end it.
                if limits.get(&payer).is_some_and(|limit| limit.until <= now) {
                    limits.remove(&payer);
                }
                // The last one that was allowed: the next would be refused, and count against us.
                if let Some(spent) = budget(headers, now).filter(|budget| budget.remaining == 0) {
                    limits.insert(payer, Limit { until: spent.reset, strikes: 0 });
                }
                None
            }
        }
    }
}

/// A limit that was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Met {
    Until(Timestamp),
    Unsaid,
}

fn met(status: StatusCode, headers: &HeaderMap, message: &str, now: Timestamp) -> Option<Met> {
    if status != StatusCode::FORBIDDEN && status != StatusCode::TOO_MANY_REQUESTS {
        return None;
    }
    if let Some(seconds) = number(headers, "retry-after") {
        return Some(Met::Until(after(now, SignedDuration::from_secs(seconds))));
    }
    if let Some(spent) = budget(headers, now).filter(|budget| budget.remaining == 0) {
        return Some(Met::Until(spent.reset));
    }
    // A 403 for want of a permission says nothing of limits.
    let message = message.to_ascii_lowercase();
    let is_limit = status == StatusCode::TOO_MANY_REQUESTS
        || message.contains("secondary rate limit")
        || message.contains("abuse detection")
        || message.contains("api rate limit exceeded");
    is_limit.then_some(Met::Unsaid)
}

/// What is left, by the headers of an answer; an installation of GitHub Enterprise Server without limits says nothing.
pub(super) fn budget(headers: &HeaderMap, now: Timestamp) -> Option<Budget> {
    let limit = u32::try_from(number(headers, "x-ratelimit-limit")?).ok()?;
    let remaining = u32::try_from(number(headers, "x-ratelimit-remaining")?).ok()?;
    let reset = Timestamp::from_second(number(headers, "x-ratelimit-reset")?).ok()?;
    // By GitHub's clock, where it says what that shows: ours may be off.
    let theirs = headers.get("date").and_then(|date| date.to_str().ok()).and_then(|date| {
        jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(date).ok()
    });
    Some(Budget { limit, remaining, reset: after(now, reset.duration_since(theirs.unwrap_or(now))) })
}

fn after(now: Timestamp, wait: SignedDuration) -> Timestamp {
    now.saturating_add(wait.clamp(SignedDuration::from_secs(1), LONGEST_WAIT)).unwrap_or(Timestamp::MAX)
}

fn number(headers: &HeaderMap, name: &str) -> Option<i64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    const FORBIDDEN: StatusCode = StatusCode::FORBIDDEN;

    #[test]
    fn a_limit_lasts_as_long_as_github_says() {
        let limits = Limits::default();
        let spent = headers(&[
            ("x-ratelimit-limit", "5000"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1700000600"),
        ]);
        let until = limits.observe(Payer::Token, FORBIDDEN, &spent, "API rate limit exceeded", at(0));
        assert_eq!(until, Some(at(600)));
        assert_eq!(limits.until(Payer::Token, at(599)), Some(at(600)));
        assert_eq!(limits.until(Payer::Token, at(600)), None);
        // Another installation has its own.
        assert_eq!(limits.until(Payer::Installation(1), at(0)), None);
        let later = headers(&[("retry-after", "7")]);
        let until = limits.observe(Payer::App, StatusCode::TOO_MANY_REQUESTS, &later, "", at(0));
        assert_eq!(until, Some(at(7)));
    }

    #[test]
    fn a_limit_that_does_not_say_how_long_is_waited_for_longer_each_time() {
        let limits = Limits::default();
        let message = "You have exceeded a secondary rate limit.";
        let wait = |now| limits.observe(Payer::Token, FORBIDDEN, &HeaderMap::new(), message, at(now));
        assert_eq!((wait(0), wait(60), wait(180)), (Some(at(60)), Some(at(180)), Some(at(420))));
        // One that was under way does not end it; one after it does.
        limits.observe(Payer::Token, StatusCode::OK, &HeaderMap::new(), "", at(419));
        assert_eq!(limits.until(Payer::Token, at(419)), Some(at(420)));
        limits.observe(Payer::Token, StatusCode::OK, &HeaderMap::new(), "", at(420));
        let again = limits.observe(Payer::Token, FORBIDDEN, &HeaderMap::new(), message, at(500));
        assert_eq!(again, Some(at(560)));
    }

    #[test]
    fn a_missing_permission_is_no_limit() {
        let limits = Limits::default();
        let some = headers(&[
            ("x-ratelimit-limit", "5000"),
            ("x-ratelimit-remaining", "12"),
            ("x-ratelimit-reset", "1700000600"),
        ]);
        let message = "Resource not accessible by integration";
        assert_eq!(limits.observe(Payer::Token, FORBIDDEN, &some, message, at(0)), None);
        assert_eq!(limits.until(Payer::Token, at(0)), None);
    }

    #[test]
    fn the_last_request_that_is_allowed_is_the_last_that_is_made() {
        let limits = Limits::default();
        let last = headers(&[
            ("x-ratelimit-limit", "60"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1700000600"),
        ]);
        assert_eq!(limits.observe(Payer::Anonymous, StatusCode::OK, &last, "", at(0)), None);
        assert_eq!(limits.until(Payer::Anonymous, at(1)), Some(at(600)));
    }

    #[test]
    fn a_reset_is_read_by_githubs_clock() {
        // Ours is 100 seconds ahead.
        let told = headers(&[
            ("x-ratelimit-limit", "60"),
            ("x-ratelimit-remaining", "3"),
            ("x-ratelimit-reset", "1700000600"),
            ("date", "Tue, 14 Nov 2023 22:13:20 GMT"),
        ]);
        let budget = budget(&told, at(100)).unwrap();
        assert_eq!(budget.reset, at(700));
        assert!(budget.is_low());
        assert!(!Budget { remaining: 6, ..budget }.is_low());
    }
}
