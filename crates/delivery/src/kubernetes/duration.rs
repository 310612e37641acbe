//! Durations as Go writes them: `120s`, `1h30m`, `1.5h`.

use std::time::Duration;

/// Reads a duration (Go, `time.ParseDuration`) that is not negative.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let text = text.strip_prefix('+').unwrap_or(text);
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let unit_at = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (amount, after) = rest.split_at(unit_at);
        let amount: f64 = amount.parse().ok()?;
        let end = after.find(|character: char| character.is_ascii_digit() || character == '.');
        let (unit, after) = after.split_at(end.unwrap_or(after.len()));
        let seconds = match unit {
            "h" => 3_600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" | "μs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        total = total.checked_add(Duration::try_from_secs_f64(amount * seconds).ok()?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

/// Whole seconds of a duration; `None` where it cannot be read.
pub(super) fn seconds(text: &str) -> Option<u32> {
    u32::try_from(parse(text.trim())?.as_secs()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        let cases = [
            ("120s", Some(120)),
            ("3m", Some(180)),
            ("1h30m", Some(5_400)),
            ("1.5h", Some(5_400)),
            ("500ms", Some(0)),
            ("0", Some(0)),
            ("0s", Some(0)),
            (" 60s ", Some(60)),
            ("", None),
            ("60", None),
            ("1d", None),
            ("-1s", None),
            ("s", None),
            ("1..5s", None),
        ];
        for (text, expected) in cases {
            assert_eq!(seconds(text), expected, "{text:?}");
        }
    }
}
