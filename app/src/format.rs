//! Numbers and times as people read them; integers only, so that no float formatting is linked into the Wasm.

use domain::time::Timestamp;

/// The parts as one text; the formatting machinery of `format!` is not needed for that, nor wanted in the Wasm.
pub fn joined(parts: &[&str]) -> String {
    parts.concat()
}

/// A count with thousands separators: `12,418`.
pub fn count(number: impl Into<u64>) -> String {
    let digits = number.into().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count with its noun: `1 instance`, `1,204 instances`.
pub fn counted(number: u32, noun: &str) -> String {
    let mut text = count(number);
    text.push(' ');
    text.push_str(noun);
    if number != 1 {
        text.push('s');
    }
    text
}

/// A share in percent with one decimal, rounded down so that 100 % is only shown when nothing is left; a dash of nothing.
pub fn share(part: u32, whole: u32) -> String {
    if whole == 0 {
        return "–".into();
    }
    let permille = u64::from(part) * 1000 / u64::from(whole);
    let mut text = (permille / 10).to_string();
    if permille != 1000 {
        text.push('.');
        text.push_str(&(permille % 10).to_string());
    }
    text.push_str(" %");
    text
}

/// How long ago `at` was, in one unit: `14 s ago`; a time ahead reads `in 3 min`.
pub fn relative(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - at.as_second();
    let span = span(seconds.unsigned_abs());
    match seconds {
        i64::MIN..=-5 => joined(&["in ", &span]),
        -4..=4 => "just now".into(),
        5.. => joined(&[&span, " ago"]),
    }
}

/// A number of seconds in its largest whole unit.
pub fn span(seconds: u64) -> String {
    let (number, unit) = match seconds {
        0..60 => (seconds, " s"),
        60..3_600 => (seconds / 60, " min"),
        3_600..172_800 => (seconds / 3_600, " h"),
        _ => (seconds / 86_400, " d"),
    };
    joined(&[&count(number), unit])
}

/// A duration in its two greatest units, as sentences of the server have it: `1 m 20 s`, `2 m`, `3 d 4 h`.
pub fn duration(seconds: i64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, " d"), (3_600, " h"), (60, " m"), (1, " s")];
    let seconds = u64::try_from(seconds).unwrap_or(0);
    let first = UNITS.iter().position(|(size, _)| seconds >= *size).unwrap_or(UNITS.len() - 1);
    let (size, unit) = UNITS[first];
    let mut text = joined(&[&count(seconds / size), unit]);
    if let Some((smaller, unit)) = UNITS.get(first + 1)
        && seconds % size >= *smaller
    {
        text.push(' ');
        text.push_str(&(seconds % size / smaller).to_string());
        text.push_str(unit);
    }
    text
}

/// A duration of an operation: `340 ms`, `12.4 s`.
pub fn milliseconds(duration: u32) -> String {
    match duration {
        0..1_000 => joined(&[&duration.to_string(), " ms"]),
        1_000..60_000 => {
            joined(&[&(duration / 1_000).to_string(), ".", &(duration % 1_000 / 100).to_string(), " s"])
        }
        60_000.. => span(u64::from(duration / 1_000)),
    }
}

/// The absolute time to the second: `2026-11-21 10:20:06 UTC`.
pub fn absolute(at: Timestamp) -> String {
    let text = at.to_string();
    let seconds = text.get(..19).unwrap_or(&text);
    joined(&[&seconds.replace('T', " "), " UTC"])
}

/// The day of a time in UTC: `21 Nov`.
pub fn day(at: Timestamp) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let text = at.to_string();
    let month = text.get(5..7).and_then(|month| month.parse::<usize>().ok()).unwrap_or(1);
    let day = text.get(8..10).unwrap_or_default().trim_start_matches('0');
    joined(&[day, " ", MONTHS[(month + 11) % 12]])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a valid second")
    }

    #[test]
    fn counts_are_grouped_by_thousands() {
        for (number, text) in [
            (0_u32, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_418, "12,418"),
            (4_294_967_295, "4,294,967,295"),
        ] {
            assert_eq!(count(number), text);
        }
        assert_eq!(counted(1, "instance"), "1 instance");
        assert_eq!(counted(1_204, "instance"), "1,204 instances");
    }

    #[test]
    fn a_share_is_full_only_when_nothing_is_left() {
        assert_eq!(share(9_999, 10_000), "99.9 %");
        assert_eq!(share(10_000, 10_000), "100 %");
        assert_eq!(share(0, 3), "0.0 %");
        assert_eq!(share(0, 0), "–");
        assert_eq!(share(u32::MAX, u32::MAX), "100 %");
    }

    #[test]
    fn relative_times_use_one_unit() {
        let now = at(1_000_000);
        for (ago, text) in [
            (0, "just now"),
            (14, "14 s ago"),
            (59, "59 s ago"),
            (60, "1 min ago"),
            (3_599, "59 min ago"),
            (3_600, "1 h ago"),
            (172_800, "2 d ago"),
            (-180, "in 3 min"),
        ] {
            assert_eq!(relative(at(1_000_000 - ago), now), text);
        }
    }

    #[test]
    fn times_have_an_absolute_form() {
        let time: Timestamp = "2026-11-01T10:20:06.123Z".parse().expect("a timestamp");
        assert_eq!(absolute(time), "2026-11-01 10:20:06 UTC");
        assert_eq!(day(time), "1 Nov");
        assert_eq!(day("2026-01-31T00:00:00Z".parse().expect("a timestamp")), "31 Jan");
    }

    #[test]
    fn durations_have_two_units() {
        for (seconds, text) in [
            (-5, "0 s"),
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 m"),
            (80, "1 m 20 s"),
            (3_600, "1 h"),
            (3_659, "1 h"),
            (3_660, "1 h 1 m"),
            (90_061, "1 d 1 h"),
            (200 * 86_400, "200 d"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn durations_keep_one_decimal_of_a_second() {
        assert_eq!(milliseconds(340), "340 ms");
        assert_eq!(milliseconds(12_499), "12.4 s");
        assert_eq!(milliseconds(61_000), "1 min");
    }
}
