//! When environments are closed for changes, by a calendar: RFC 5545 recurrence rules with their time zone.

use std::fmt;

use domain::delivery::EnvironmentName;
use jiff::{SignedDuration, Timestamp};
use rrule::{RRuleSet, Tz};

/// The longest window: what is closed for longer is frozen, by somebody who says why.
pub const LONGEST_WINDOW: SignedDuration = SignedDuration::from_hours(24 * 31);
/// How many beginnings of one window are looked at: one a minute of the longest would be as many.
const MOST_BEGINNINGS: u16 = u16::MAX;

/// A window in which an environment is closed.
#[derive(Clone, PartialEq)]
pub struct FreezeWindow {
    pub name: String,
    pub environments: Vec<EnvironmentName>,
    /// When it begins.
    begins: RRuleSet,
    lasts: SignedDuration,
}

// No part of a rule is a number that is not one.
impl Eq for FreezeWindow {}

/// Why a window cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWindow {
    #[error(
        "is no recurrence rule as of RFC 5545, such as \"DTSTART;TZID=Europe/Berlin:20261120T180000\\nRRULE:FREQ=WEEKLY;BYDAY=FR\": {0}"
    )]
    Rule(String),
    #[error("lasts no time, or longer than 31 days: freeze what is closed for longer")]
    Duration,
}

impl FreezeWindow {
    /// A window that begins by a rule, `DTSTART` and `RRULE` in lines of their own, and lasts for a while from then on.
    ///
    /// # Errors
    /// The rule cannot be read, or it lasts too long.
    pub fn new(
        name: String,
        environments: Vec<EnvironmentName>,
        rule: &str,
        lasts: SignedDuration,
    ) -> Result<FreezeWindow, InvalidWindow> {
        if lasts <= SignedDuration::ZERO || lasts > LONGEST_WINDOW {
            return Err(InvalidWindow::Duration);
        }
        let begins: RRuleSet =
            rule.trim().parse().map_err(|error: rrule::RRuleError| InvalidWindow::Rule(error.to_string()))?;
        if begins.get_rrule().is_empty() && begins.get_rdate().is_empty() {
            return Err(InvalidWindow::Rule("it has no RRULE".into()));
        }
        Ok(FreezeWindow { name, environments, begins, lasts })
    }

    /// Until when it is closed, where it is closed at `now`.
    pub fn closed_until(&self, now: Timestamp) -> Option<Timestamp> {
        // A window that began when it would end now is over.
        let earliest = now.checked_sub(self.lasts).ok()?.checked_add(SignedDuration::from_secs(1)).ok()?;
        let begins = self.begins.clone().after(time(earliest)?).before(time(now)?);
        let last = begins.all(MOST_BEGINNINGS).dates.into_iter().max()?;
        let began = Timestamp::from_second(last.timestamp()).ok()?;
        began.checked_add(self.lasts).ok()
    }
}

impl fmt::Debug for FreezeWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FreezeWindow({} {}, {})", self.name, self.begins, self.lasts)
    }
}

fn time(at: Timestamp) -> Option<chrono::DateTime<Tz>> {
    let utc = chrono::DateTime::from_timestamp(at.as_second(), 0)?;
    Some(utc.with_timezone(&Tz::UTC))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(rule: &str, hours: i64) -> Result<FreezeWindow, InvalidWindow> {
        FreezeWindow::new("weekend".into(), Vec::new(), rule, SignedDuration::from_hours(hours))
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn it_is_closed_from_its_beginning_to_its_end() {
        // Fridays at 18:00 in Berlin, to Monday at 8:00.
        let rule = "DTSTART;TZID=Europe/Berlin:20260102T180000\nRRULE:FREQ=WEEKLY;BYDAY=FR";
        let weekend = window(rule, 62).unwrap();
        let monday = Some(at("2026-11-23T07:00:00Z"));
        for (now, until) in [
            ("2026-11-20T16:59:59Z", None),
            ("2026-11-20T17:00:00Z", monday),
            ("2026-11-22T12:00:00Z", monday),
            ("2026-11-23T06:59:59Z", monday),
            ("2026-11-23T07:00:00Z", None),
            // In summer an hour earlier.
            ("2026-07-03T15:59:59Z", None),
            ("2026-07-03T16:00:00Z", Some(at("2026-07-06T06:00:00Z"))),
            ("2026-01-01T12:00:00Z", None),
        ] {
            assert_eq!(weekend.closed_until(at(now)), until, "{now}");
        }
    }

    #[test]
    fn of_overlapping_beginnings_the_last_ends_it() {
        let daily = window("DTSTART:20261101T000000Z\nRRULE:FREQ=DAILY;UNTIL=20261103T000000Z", 36).unwrap();
        assert_eq!(daily.closed_until(at("2026-11-02T06:00:00Z")), Some(at("2026-11-03T12:00:00Z")));
        assert_eq!(daily.closed_until(at("2026-11-04T12:00:00Z")), None);
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for rule in [
            "",
            "RRULE:FREQ=WEEKLY",
            "every friday",
            "DTSTART:20261101T000000Z",
            "DTSTART:20261101T000000Z\nRRULE:FREQ=OFTEN",
        ] {
            assert!(matches!(window(rule, 1), Err(InvalidWindow::Rule(_))), "{rule}");
        }
        let rule = "DTSTART:20261101T000000Z\nRRULE:FREQ=DAILY";
        assert_eq!(window(rule, 0), Err(InvalidWindow::Duration));
        assert_eq!(window(rule, 24 * 32), Err(InvalidWindow::Duration));
    }
}
