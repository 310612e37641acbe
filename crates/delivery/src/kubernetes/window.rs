//! Whether a project's sync windows let an Application be synced, as Argo CD decides it.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use domain::delivery::SyncWindow;
use globset::{Glob, GlobMatcher};
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::duration;
use super::json::Read as _;

/// How many beginnings and ends of windows are looked at for when a closed one opens. A window that is repeated before it ends has no
/// end that is worth finding.
const MOST_CHANGES: u32 = 200;

/// What windows are matched against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    pub name: &'a str,
    /// `spec.destination`
    pub server: Option<&'a str>,
    pub cluster: Option<&'a str>,
    pub namespace: Option<&'a str>,
}

/// A window of `spec.syncWindows`.
#[derive(Clone, Debug)]
pub(super) struct Window {
    kind: Kind,
    applications: Patterns,
    clusters: Patterns,
    namespaces: Patterns,
    all_of_them: bool,
    zone: TimeZone,
    /// `None` where it cannot be read: Argo CD syncs nothing then.
    times: Option<Times>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Allow,
    Deny,
    /// Neither word: it is taken for nothing.
    Other,
}

#[derive(Clone, Debug)]
struct Times {
    /// `None` where no date fits, such as the 30th of February: searching for one again would take long.
    begin: Option<Cron>,
    duration: SignedDuration,
}

/// Whether an Application may be synced automatically at a time, and if not, when it may.
pub(super) fn sync_window(windows: &[Window], target: Target<'_>, now: Timestamp) -> SyncWindow {
    let matching: Vec<&Window> = windows.iter().filter(|window| window.matches(target)).collect();
    if matching.is_empty() {
        return SyncWindow::Open;
    }
    let timed: Option<Vec<Timed<'_>>> = matching.iter().map(|window| Timed::of(window, now)).collect();
    let Some(timed) = timed else { return SyncWindow::Closed { until: None } };
    let Ok(now) = Timestamp::from_second(now.as_second()) else {
        return SyncWindow::Closed { until: None };
    };
    if is_open(&timed, now) {
        return SyncWindow::Open;
    }
    SyncWindow::Closed { until: opens(&timed, now) }
}

/// The windows of an AppProject.
pub(super) fn windows(project: &Value) -> Vec<Window> {
    project.items("/spec/syncWindows").iter().map(Window::of).collect()
}

fn is_open(windows: &[Timed<'_>], at: Timestamp) -> bool {
    let (mut denied, mut allowed, mut waits) = (false, false, false);
    for window in windows {
        match (window.kind, window.is_active(at)) {
            (Kind::Deny, active) => denied |= active,
            (Kind::Allow, true) => allowed = true,
            (Kind::Allow, false) => waits = true,
            (Kind::Other, _) => {}
        }
    }
    !denied && (allowed || !waits)
}

/// When windows that are closed open, if that is to be seen.
fn opens(windows: &[Timed<'_>], now: Timestamp) -> Option<Timestamp> {
    let mut at = now;
    for _ in 0..MOST_CHANGES {
        at = windows.iter().filter_map(|window| window.next_change(at)).min()?;
        // A window is neither active in the second that it begins in nor in the one that it ends in.
        let within = at.checked_add(SignedDuration::from_secs(1)).ok()?;
        if is_open(windows, within) {
            return Some(at);
        }
    }
    None
}

/// A window with the offset of its time zone. Argo CD takes today's for all times that it reckons with.
struct Timed<'a> {
    kind: Kind,
    times: &'a Times,
    offset: Offset,
}

impl Timed<'_> {
    fn of(window: &Window, now: Timestamp) -> Option<Timed<'_>> {
        let offset = window.zone.to_offset(now);
        Some(Timed { kind: window.kind, times: window.times.as_ref()?, offset })
    }

    fn is_active(&self, at: Timestamp) -> bool {
        let local = self.offset.to_datetime(at);
        let begun = local.checked_sub(self.times.duration).ok().and_then(|since| self.begins_after(since));
        begun.is_some_and(|begun| begun < local)
    }

    /// When it next begins or ends.
    fn next_change(&self, at: Timestamp) -> Option<Timestamp> {
        let local = self.offset.to_datetime(at);
        let begins = self.begins_after(local);
        let since = local.checked_sub(self.times.duration).ok()?;
        let ends = self.begins_after(since).and_then(|begun| begun.checked_add(self.times.duration).ok());
        self.offset.to_timestamp(begins.into_iter().chain(ends).min()?).ok()
    }

    fn begins_after(&self, local: DateTime) -> Option<DateTime> {
        self.times.begin.as_ref()?.find_next_occurrence(&local, false).ok()
    }
}

impl Window {
    fn of(window: &Value) -> Window {
        Window {
            kind: match window.text("/kind") {
                Some("allow") => Kind::Allow,
                Some("deny") => Kind::Deny,
                _ => Kind::Other,
            },
            applications: Patterns::of(window, "/applications"),
            clusters: Patterns::of(window, "/clusters"),
            namespaces: Patterns::of(window, "/namespaces"),
            all_of_them: window.flag("/andOperator").unwrap_or(false),
            zone: window.text("/timeZone").and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC),
            times: times(window),
        }
    }

    fn matches(&self, target: Target<'_>) -> bool {
        let given = [
            self.applications.match_one([Some(target.name)]),
            self.clusters.match_one([target.cluster, target.server]),
            self.namespaces.match_one([target.namespace]),
        ];
        let mut given = given.into_iter().flatten().peekable();
        if self.all_of_them {
            given.peek().is_some() && given.all(|matches| matches)
        } else {
            given.any(|matches| matches)
        }
    }
}

/// Globs, any of which is to match.
#[derive(Clone, Debug)]
struct Patterns(Vec<Option<GlobMatcher>>);

impl Patterns {
    /// A glob that cannot be read matches nothing.
    fn of(window: &Value, pointer: &str) -> Patterns {
        let globs = window.texts(pointer);
        Patterns(globs.iter().map(|glob| Glob::new(glob).ok().map(|glob| glob.compile_matcher())).collect())
    }

    /// Whether a glob matches one of the texts; `None` where there are no globs.
    fn match_one<const N: usize>(&self, texts: [Option<&str>; N]) -> Option<bool> {
        let matches = |glob: &GlobMatcher| {
            texts.into_iter().flatten().any(|text| !text.is_empty() && glob.is_match(text))
        };
        (!self.0.is_empty()).then(|| self.0.iter().flatten().any(matches))
    }
}

fn times(window: &Value) -> Option<Times> {
    let schedule = window.text("/schedule")?;
    if !is_schedule(schedule) {
        return None;
    }
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        // `0/15` is read as `0-59/15`.
        .sloppy_ranges(true)
        .build();
    let begin = parser.parse(&schedule.replace('?', "*")).ok()?;
    let duration = SignedDuration::try_from(duration::parse(window.text("/duration")?)?).ok()?;
    let begins = begin.find_next_occurrence(&jiff::civil::datetime(2026, 1, 1, 0, 0, 0, 0), true).is_ok();
    Some(Times { begin: begins.then_some(begin), duration })
}

/// Whether a schedule is one to Argo CD, which knows fewer words than others: no nicknames, no `L`, `W` or `#`, and Sunday is 0 alone.
fn is_schedule(text: &str) -> bool {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    let fields: Vec<&str> = text.split_whitespace().collect();
    let word = |position: usize, word: &str| {
        let number: Option<u32> = word.parse().ok();
        match position {
            3 => number.is_some() || MONTHS.contains(&word.to_ascii_lowercase().as_str()),
            4 => number.is_some_and(|day| day < 7) || DAYS.contains(&word.to_ascii_lowercase().as_str()),
            _ => number.is_some(),
        }
    };
    let range = |position: usize, range: &str| {
        let (range, step) = range.split_once('/').map_or((range, None), |(range, step)| (range, Some(step)));
        let stepped = step.is_none_or(|step| step.parse::<u32>().is_ok_and(|step| step > 0));
        stepped && (matches!(range, "*" | "?") || range.splitn(2, '-').all(|end| word(position, end)))
    };
    fields.len() == 5
        && fields.iter().enumerate().all(|(position, field)| field.split(',').all(|one| range(position, one)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const USERS: Target<'_> = Target {
        name: "users-prod",
        server: Some("https://kubernetes.default.svc"),
        cluster: Some("in-cluster"),
        namespace: Some("shop"),
    };

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn asked(windows_of: Value, now: &str) -> String {
        let windows = windows(&json!({"spec": {"syncWindows": windows_of}}));
        match sync_window(&windows, USERS, at(now)) {
            SyncWindow::Open => "open".into(),
            SyncWindow::Closed { until: None } => "closed".into(),
            SyncWindow::Closed { until: Some(until) } => until.to_string(),
        }
    }

    fn window(kind: &str, schedule: &str, duration: &str) -> Value {
        json!({"kind": kind, "schedule": schedule, "duration": duration, "applications": ["*"]})
    }

    #[test]
    fn a_deny_window_closes_until_it_ends() {
        let deny = || json!([window("deny", "0 22 * * *", "8h")]);
        // A Saturday evening.
        assert_eq!(asked(deny(), "2026-11-21T21:59:59Z"), "open");
        assert_eq!(asked(deny(), "2026-11-21T22:00:01Z"), "2026-11-22T06:00:00Z");
        assert_eq!(asked(deny(), "2026-11-22T05:59:59.5Z"), "2026-11-22T06:00:00Z");
        assert_eq!(asked(deny(), "2026-11-22T06:00:01Z"), "open");
    }

    #[test]
    fn an_allow_window_closes_until_it_begins() {
        let allow = || json!([window("allow", "0 9 * * 1-5", "1h")]);
        assert_eq!(asked(allow(), "2026-11-21T12:00:00Z"), "2026-11-23T09:00:00Z", "on Monday");
        assert_eq!(asked(allow(), "2026-11-23T09:30:00Z"), "open");
        assert_eq!(asked(allow(), "2026-11-23T10:00:01Z"), "2026-11-24T09:00:00Z");
    }

    #[test]
    fn deny_wins_and_one_active_allow_is_enough() {
        let both = json!([window("allow", "0 9 * * *", "4h"), window("deny", "0 10 * * *", "1h")]);
        assert_eq!(asked(both.clone(), "2026-11-23T09:30:00Z"), "open");
        assert_eq!(asked(both.clone(), "2026-11-23T10:30:00Z"), "2026-11-23T11:00:00Z");
        assert_eq!(asked(both, "2026-11-23T13:30:00Z"), "2026-11-24T09:00:00Z");
        let allows = json!([window("allow", "0 9 * * *", "1h"), window("allow", "0 10 * * *", "1h")]);
        assert_eq!(asked(allows, "2026-11-23T10:30:00Z"), "open");
        // Denied past the end of what is allowed: it opens on the day after.
        let past = json!([window("allow", "0 9 * * *", "1h"), window("deny", "30 9 * * *", "2h")]);
        assert_eq!(asked(past, "2026-11-23T09:45:00Z"), "2026-11-24T09:00:00Z");
    }

    #[test]
    fn a_window_that_never_ends_has_no_end() {
        assert_eq!(asked(json!([window("deny", "* * * * *", "24h")]), "2026-11-23T09:45:00Z"), "closed");
        assert_eq!(asked(json!([window("allow", "0 0 30 2 *", "24h")]), "2026-11-23T09:45:00Z"), "closed");
    }

    #[test]
    fn times_are_of_the_zone_with_the_offset_of_today() {
        let berlin = |schedule: &str| {
            let mut window = window("deny", schedule, "1h");
            window["timeZone"] = "Europe/Berlin".into();
            json!([window])
        };
        assert_eq!(asked(berlin("0 9 * * *"), "2026-11-23T08:30:00Z"), "2026-11-23T09:00:00Z", "winter");
        assert_eq!(asked(berlin("0 9 * * *"), "2026-07-23T07:30:00Z"), "2026-07-23T08:00:00Z", "summer");
        let mut nowhere = window("deny", "0 9 * * *", "1h");
        nowhere["timeZone"] = "Mars/Olympus".into();
        assert_eq!(asked(json!([nowhere]), "2026-11-23T09:30:00Z"), "2026-11-23T10:00:00Z", "UTC");
    }

    #[test]
    fn schedules_are_read_as_argo_cd_reads_them() {
        // Day of month or day of week, where both are limited.
        let either = || json!([window("deny", "0 0 1 * 1", "24h")]);
        assert_ne!(asked(either(), "2026-11-23T12:00:00Z"), "open", "a Monday");
        assert_ne!(asked(either(), "2026-12-01T12:00:00Z"), "open", "a first");
        assert_eq!(asked(either(), "2026-11-24T12:00:00Z"), "open");
        for odd in [
            "@daily",
            "0 0 L * *",
            "0 0 * * 7",
            "0 0 * *",
            "0 0 0 * * *",
            "0 0 * * 1#2",
            "61 0 * * *",
            "*/0 * * * *",
        ] {
            assert_eq!(asked(json!([window("deny", odd, "1h")]), "2026-11-23T12:00:00Z"), "closed", "{odd}");
        }
        for read in ["0/15 * * * *", "*/5 0-6 ? JAN-mar mon,Fri", "0 22 1,15 * *"] {
            assert_ne!(
                asked(json!([window("deny", read, "1m")]), "2026-11-23T12:00:00Z"),
                "closed",
                "{read}"
            );
        }
        assert_eq!(asked(json!([window("deny", "0 0 * * *", "1d")]), "2026-11-23T12:00:00Z"), "closed");
        assert_eq!(asked(json!([{"kind": "deny", "applications": ["*"]}]), "2026-11-23T12:00:00Z"), "closed");
        assert_eq!(asked(json!([window("maybe", "* * * * *", "1h")]), "2026-11-23T12:00:00Z"), "open");
    }

    #[test]
    fn windows_are_of_the_applications_that_they_match() {
        let matches = |selection: Value| {
            let mut window = window("deny", "* * * * *", "1h");
            let fields = window.as_object_mut().unwrap();
            fields.remove("applications");
            fields.extend(selection.as_object().unwrap().clone());
            asked(json!([window]), "2026-11-23T12:00:00Z") != "open"
        };
        assert!(matches(json!({"applications": ["pay-*", "users-*"]})));
        assert!(!matches(json!({"applications": ["pay-*"]})));
        assert!(matches(json!({"clusters": ["https://kubernetes.*"]})));
        assert!(matches(json!({"clusters": ["in-cluster"]})));
        assert!(matches(json!({"namespaces": ["shop"], "applications": ["pay-*"]})), "either");
        assert!(!matches(json!({"namespaces": ["shop"], "applications": ["pay-*"], "andOperator": true})));
        assert!(matches(json!({"namespaces": ["shop"], "applications": ["users-*"], "andOperator": true})));
        assert!(!matches(json!({"namespaces": [], "andOperator": true})));
        assert!(!matches(json!({})));
        assert!(!matches(json!({"applications": ["users-[prod"]})));
    }
}
