//! What CloudWatch says was used: `MetadataNoToken` over days, where no data is a state of its own and never quiet.

use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

const SECONDS_A_DAY: i64 = 86_400;

/// The evidence for IMDSv1 use on one instance (`AWS/EC2` `MetadataNoToken`, EC2 user guide).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// Calls without a token were answered.
    Used { count: f64, last_seen: Timestamp },
    /// Each day with data has zero calls; how many of the asked days have data.
    Quiet { days_with_data: u32, days_asked: u32 },
    /// There is nothing to conclude from.
    NoData { why: NoDataReason },
}

/// Why there is no data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoDataReason {
    /// CloudWatch has no data points for the instance in the window.
    NoDataPoints,
    /// The instance is not running, so it reports nothing.
    NotRunning,
    /// CloudWatch refused or did not answer.
    Failed { message: String },
}

/// `MetadataNoToken` of one day.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DayCount {
    /// The start of the day, UTC.
    pub day: Timestamp,
    /// The sum of calls; `None` where the day has no data points.
    pub count: Option<f64>,
    /// The last data point above zero in the day.
    pub last_seen: Option<Timestamp>,
}

/// The start of the day, UTC, `days` days of which end with the day of `now`.
pub fn window_start(now: Timestamp, days: u32) -> Timestamp {
    let today = now.as_second().div_euclid(SECONDS_A_DAY) * SECONDS_A_DAY;
    let start = today - (i64::from(days) - 1) * SECONDS_A_DAY;
    Timestamp::from_second(start).unwrap_or(now)
}

/// Sorts data points (`time`, `sum`) into `days` days from `start` on. A day without a point has no count.
pub fn by_day(start: Timestamp, days: u32, points: &[(Timestamp, f64)]) -> Vec<DayCount> {
    (0..i64::from(days))
        .filter_map(|number| {
            let first = start.as_second() + number * SECONDS_A_DAY;
            let within =
                points.iter().filter(|(at, _)| (first..first + SECONDS_A_DAY).contains(&at.as_second()));
            let count = within.clone().map(|(_, sum)| *sum).reduce(|left, right| left + right);
            let last_seen = within.filter(|(_, sum)| *sum > 0.0).map(|(at, _)| *at).max();
            Some(DayCount { day: Timestamp::from_second(first).ok()?, count, last_seen })
        })
        .collect()
}

/// Folds the days of a window, oldest first, into evidence. `running` tells whether the instance runs now.
pub fn conclude(days: &[DayCount], running: bool) -> Evidence {
    let count: f64 = days.iter().filter_map(|day| day.count).sum();
    let last_seen = days.iter().rev().find(|day| day.count.is_some_and(|count| count > 0.0));
    if let Some(day) = last_seen {
        return Evidence::Used { count, last_seen: day.last_seen.unwrap_or(day.day) };
    }
    let days_with_data = days.iter().filter(|day| day.count.is_some()).count() as u32;
    if days_with_data == 0 {
        let why = if running { NoDataReason::NoDataPoints } else { NoDataReason::NotRunning };
        return Evidence::NoData { why };
    }
    Evidence::Quiet { days_with_data, days_asked: days.len() as u32 }
}

impl Evidence {
    /// The evidence in a sentence.
    pub fn sentence(&self) -> String {
        match self {
            Evidence::Used { count, .. } => format!("IMDSv1 was used: {count:.0} calls without a token."),
            Evidence::Quiet { days_with_data, days_asked } if days_with_data == days_asked => {
                format!("Quiet: no call without a token on any of {days_asked} days.")
            }
            Evidence::Quiet { days_with_data, days_asked } => format!(
                "Quiet on the days with data: {days_with_data} of {days_asked}. The other days have no data, so they say nothing."
            ),
            Evidence::NoData { why } => match why {
                NoDataReason::NoDataPoints => {
                    "No data: CloudWatch has no MetadataNoToken data points for this instance in the window."
                        .into()
                }
                NoDataReason::NotRunning => {
                    "No data: the instance is not running and reports no metrics.".into()
                }
                NoDataReason::Failed { message } => format!("No data: {message}"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: i64, count: Option<f64>) -> DayCount {
        let day = Timestamp::from_second(number * 86_400).expect("a valid day");
        DayCount { day, count, last_seen: None }
    }

    #[test]
    fn no_data_is_never_quiet() {
        assert_eq!(
            conclude(&[day(1, None), day(2, None)], true),
            Evidence::NoData { why: NoDataReason::NoDataPoints }
        );
        assert_eq!(conclude(&[], false), Evidence::NoData { why: NoDataReason::NotRunning });
    }

    #[test]
    fn quiet_says_how_many_days_have_data() {
        assert_eq!(
            conclude(&[day(1, Some(0.0)), day(2, None), day(3, Some(0.0))], true),
            Evidence::Quiet { days_with_data: 2, days_asked: 3 }
        );
    }

    #[test]
    fn points_fall_into_their_days_and_empty_days_have_no_count() {
        let now = Timestamp::from_second(10 * SECONDS_A_DAY + 3_600).expect("a valid time");
        let start = window_start(now, 3);
        assert_eq!(start, day(8, None).day);
        let at = |second: i64| Timestamp::from_second(second).expect("a valid time");
        let points =
            [(at(8 * SECONDS_A_DAY), 0.0), (at(10 * SECONDS_A_DAY), 2.0), (at(10 * SECONDS_A_DAY + 60), 3.0)];
        let days = by_day(start, 3, &points);
        assert_eq!(days.iter().map(|day| day.count).collect::<Vec<_>>(), [Some(0.0), None, Some(5.0)]);
        assert_eq!(days[2].last_seen, Some(at(10 * SECONDS_A_DAY + 60)));
    }

    #[test]
    fn one_call_is_use() {
        let evidence = conclude(&[day(1, Some(3.0)), day(2, Some(0.0)), day(3, None)], true);
        assert_eq!(evidence, Evidence::Used { count: 3.0, last_seen: day(1, None).day });
    }
}
