//! A timestamp that knows its seconds and how RFC 3339 writes them in UTC; nothing of zones and calendars.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const SECONDS_A_DAY: i64 = 86_400;
/// 9999-12-31T23:59:59Z, the last second that four digits of a year can name.
const LAST: i64 = 253_402_300_799;
/// 0000-01-01T00:00:00Z.
const FIRST: i64 = -62_167_219_200;

/// A point in time between the years 0 and 9999, to the nanosecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp {
    second: i64,
    nanosecond: u32,
}

/// The time between two timestamps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SignedDuration {
    second: i64,
    nanosecond: u32,
}

/// The time is outside the years 0 to 9999, or not written as `2026-11-21T10:20:06Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time in UTC such as 2026-11-21T10:20:06Z")]
pub struct NotATime;

impl Timestamp {
    /// # Errors
    /// Outside the years 0 to 9999.
    pub fn from_second(second: i64) -> Result<Timestamp, NotATime> {
        if !(FIRST..=LAST).contains(&second) {
            return Err(NotATime);
        }
        Ok(Timestamp { second, nanosecond: 0 })
    }

    pub fn as_second(self) -> i64 {
        self.second
    }

    pub fn duration_since(self, earlier: Timestamp) -> SignedDuration {
        let borrow = i64::from(self.nanosecond < earlier.nanosecond);
        SignedDuration {
            second: self.second - earlier.second - borrow,
            nanosecond: self.nanosecond + 1_000_000_000 * u32::from(borrow == 1) - earlier.nanosecond,
        }
    }

    fn parse(text: &str) -> Option<Timestamp> {
        let bytes = text.strip_suffix('Z')?.as_bytes();
        let number = |start: usize, digits: usize| -> Option<i64> {
            bytes.get(start..start + digits)?.iter().try_fold(0, |number, byte| {
                byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0'))
            })
        };
        let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
        if separators.iter().any(|(at, separator)| bytes.get(*at) != Some(separator)) {
            return None;
        }
        let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
        let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let nanosecond = match bytes.get(19) {
            None => 0,
            Some(b'.') => {
                let digits = bytes.len() - 20;
                if !(1..=9).contains(&digits) {
                    return None;
                }
                number(20, digits)? * 10_i64.pow(9 - digits as u32)
            }
            Some(_) => return None,
        };
        let second = days(year, month, day) * SECONDS_A_DAY + hour * 3_600 + minute * 60 + second;
        Some(Timestamp { second, nanosecond: nanosecond as u32 })
    }
}

impl std::str::FromStr for Timestamp {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Timestamp, NotATime> {
        Timestamp::parse(text).ok_or(NotATime)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date(self.second.div_euclid(SECONDS_A_DAY));
        let second = self.second.rem_euclid(SECONDS_A_DAY);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if self.nanosecond > 0 {
            let digits = format!("{:09}", self.nanosecond);
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Timestamp::parse(&text).ok_or_else(|| D::Error::custom(NotATime))
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, counted in eras of 400 years that begin in March, so that the
/// leap day is the last of its year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    year.div_euclid(400) * 146_097 + day_of_era - 719_468
}

/// The inverse of [`days`].
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = (march_month + 2) % 12 + 1;
    let year = days.div_euclid(146_097) * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn reads_and_writes_what_jiff_does(second in FIRST..=LAST, nanosecond in prop_oneof![Just(0), 0..1_000_000_000_i32]) {
            let theirs = jiff::Timestamp::new(second, nanosecond).expect("a valid time");
            let text = theirs.to_string();
            let ours: Timestamp = text.parse().expect("jiff writes RFC 3339");
            prop_assert_eq!(ours.to_string(), text);
            // Jiff counts the nanoseconds before 1970 backwards.
            prop_assert_eq!(i128::from(ours.second) * 1_000_000_000 + i128::from(ours.nanosecond), theirs.as_nanosecond());
        }

        #[test]
        fn differences_are_those_of_jiff(one in 0..LAST, other in 0..LAST, nanosecond in 0..1_000_000_000_i32) {
            let theirs = jiff::Timestamp::new(one, nanosecond).expect("a valid time")
                .duration_since(jiff::Timestamp::from_second(other).expect("a valid time"));
            let ours = Timestamp { second: one, nanosecond: nanosecond as u32 }
                .duration_since(Timestamp::from_second(other).expect("a valid time"));
            let sum = i128::from(ours.second) * 1_000_000_000 + i128::from(ours.nanosecond);
            prop_assert_eq!(sum, theirs.as_nanos());
        }
    }

    #[test]
    fn what_is_not_a_time_is_refused() {
        for text in [
            "",
            "Z",
            "2026-11-21",
            "2026-11-21T10:20:06",
            "2026-13-21T10:20:06Z",
            "2026-11-21T10:20:06.Z",
            "2026-11-21T10:20:06+01:00",
            "2026-11-21T10:20:0éZ",
        ] {
            assert_eq!(text.parse::<Timestamp>(), Err(NotATime), "{text}");
        }
    }
}
