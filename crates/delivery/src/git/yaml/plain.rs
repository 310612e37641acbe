//! What schemas make of a scalar without quotes: Helm's (YAML 1.1, with its numbers as floating-point ones) and YAML 1.2's.

/// Whether Helm renders a text that stands without quotes otherwise than it is written: it reads numbers as floating-point ones, and
/// the truth values of YAML 1.1.
pub(crate) fn is_garbled(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let is_other_word = matches!(lower.as_str(), "yes" | "no" | "on" | "off" | "y" | "n");
    if is_other_word || (matches!(lower.as_str(), "true" | "false") && lower != text) {
        return true;
    }
    // From a million on the exponent is written.
    let as_written = text.parse::<u32>().is_ok_and(|number| number < 1_000_000 && number.to_string() == text);
    is_number(text) && !as_written
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text).replace('_', "");
    let radix = [("0x", 16), ("0o", 8), ("0b", 2)]
        .into_iter()
        .find_map(|(prefix, radix)| Some(u64::from_str_radix(digits.strip_prefix(prefix)?, radix).is_ok()));
    digits.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && radix.unwrap_or_else(|| digits.parse::<f64>().is_ok())
}

/// Whether every reader takes it for the text that it is where it stands without quotes. In doubt it is not.
pub(crate) fn is_plainly_text(text: &str, in_flow: bool) -> bool {
    let is_safe = |character: char| {
        character.is_ascii_alphanumeric()
            || matches!(character, '.' | '_' | '/' | '@' | '+' | '-' | ':')
            || (matches!(character, ' ' | ',' | '*') && !in_flow)
    };
    let Some(first) = text.chars().next() else { return false };
    if !text.chars().all(is_safe) || text.ends_with([':', ' ']) || text.contains(": ") || is_garbled(text) {
        return false;
    }
    if first.is_ascii_alphabetic() {
        let words = ["true", "false", "null", "nan", "inf", "infinity"];
        return !words.iter().any(|word| word.eq_ignore_ascii_case(text));
    }
    // What begins with a digit: no number however it is written, no date, and no number of base sixty.
    let lower = text.to_ascii_lowercase();
    first.is_ascii_digit()
        && !text.contains([' ', ',', '*'])
        && !is_number(&lower)
        && !["0x", "0o", "0b"].iter().any(|prefix| lower.starts_with(prefix))
        && !lower
            .trim_end_matches('l')
            .chars()
            .all(|character| character.is_ascii_digit() || matches!(character, '_' | ':' | '-' | '+'))
        && !is_base_sixty(&lower)
        && !begins_with_date(&lower)
}

fn is_base_sixty(text: &str) -> bool {
    text.contains(':')
        && text.chars().all(|character| character.is_ascii_digit() || matches!(character, ':' | '.' | '_'))
}

fn begins_with_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let mut digits = |least: usize, most: usize, whole: bool| {
        let part = parts.next().unwrap_or_default();
        let count = part.chars().take_while(char::is_ascii_digit).count();
        (least..=most).contains(&count) && (!whole || count == part.len())
    };
    digits(4, 4, true) && digits(1, 2, true) && digits(1, 2, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_any_reader_could_take_for_something_else_is_no_plain_text() {
        for text in [
            "",
            "1",
            "42",
            "1.10",
            "1.",
            ".5",
            "1e5",
            "1E5",
            "12e03",
            "0123",
            "0x1F",
            "0X1f",
            "0o17",
            "0b101",
            "1_000",
            "1__0",
            "+1",
            "-1",
            "on",
            "On",
            "OFF",
            "y",
            "N",
            "yes",
            "no",
            "true",
            "True",
            "false",
            "null",
            "Null",
            "NULL",
            "~",
            "nan",
            ".nan",
            "inf",
            ".inf",
            "-.INF",
            "Infinity",
            "12:30:00",
            "190:20:30.15",
            "1:2",
            "2026-11-22",
            "2026-1-2",
            "2026-11-22T10:00:00Z",
            "2026-11-22t10",
            "2001-12-14",
            "12345678",
            "123456e7",
            "9007199254740993",
            "<<",
            "=",
            "*",
            "*a",
            "&a",
            "!x",
            "@x",
            "`x",
            "-",
            "--",
            "?",
            "a:",
            "a b",
            "a#b",
            "{a}",
            "[a]",
            "a,b",
            "'a'",
            "\"a\"",
            "%a",
            "|",
            ">",
            "---",
            "...",
            "a\tb",
            "é",
            "10-5",
            "1,000",
            "1 000",
            "0x",
            "0b2",
            "_",
        ] {
            assert!(
                !is_plainly_text(text, true)
                    && (text == "a,b" || text == "a b" || !is_plainly_text(text, false)),
                "{text}"
            );
        }
        for text in [
            "1.2.3",
            "v1.10",
            "0.1.10",
            "685230e",
            "685230f1",
            "latest",
            "main-0123abc",
            "v1.2.3-rc.1",
            "2026.11.21",
            "2026.11.21-1",
            "sha256:00ff",
            "r.io/acme/users",
            "r.io:5000/users:1.2.3",
            "nano",
            "offline",
            "1.2-alpine",
            "3-slim",
            "20261122-1a",
            "users-dev",
        ] {
            assert!(is_plainly_text(text, true) && is_plainly_text(text, false), "{text}");
        }
    }
}
