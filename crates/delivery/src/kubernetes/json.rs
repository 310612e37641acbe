//! Reading objects whose schema is somebody else's: what is absent, null or of another type is not there.

use domain::delivery::MAX_TEXT_BYTES;
use jiff::Timestamp;
use serde_json::Value;

/// Reads below a value by JSON pointer.
pub(super) trait Read {
    /// A text that is not empty.
    fn text(&self, pointer: &str) -> Option<&str>;
    fn flag(&self, pointer: &str) -> Option<bool>;
    /// A number, or a text that is one.
    fn number(&self, pointer: &str) -> Option<i64>;
    fn time(&self, pointer: &str) -> Option<Timestamp>;
    fn items(&self, pointer: &str) -> &[Value];

    fn count(&self, pointer: &str) -> Option<u32> {
        u32::try_from(self.number(pointer)?).ok()
    }

    fn owned(&self, pointer: &str) -> Option<String> {
        self.text(pointer).map(str::to_owned)
    }

    /// The texts of a list.
    fn texts(&self, pointer: &str) -> Vec<String> {
        self.items(pointer).iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }
}

impl Read for Value {
    fn text(&self, pointer: &str) -> Option<&str> {
        self.pointer(pointer)?.as_str().filter(|text| !text.is_empty())
    }

    fn flag(&self, pointer: &str) -> Option<bool> {
        self.pointer(pointer)?.as_bool()
    }

    fn number(&self, pointer: &str) -> Option<i64> {
        let value = self.pointer(pointer)?;
        value.as_i64().or_else(|| value.as_str()?.parse().ok())
    }

    fn time(&self, pointer: &str) -> Option<Timestamp> {
        self.text(pointer)?.parse().ok()
    }

    fn items(&self, pointer: &str) -> &[Value] {
        self.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
}

/// A message as a detail takes it: its lines stay, other control characters go, and it is cut to the longest that is taken.
pub(super) fn message(text: &str) -> Option<String> {
    let kept = |character: &char| !character.is_control() || matches!(character, '\n' | '\t');
    let mut message: String = text.chars().filter(kept).collect();
    let mut end = message.len().min(MAX_TEXT_BYTES as usize);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    message.truncate(end);
    let message = message.trim();
    (!message.is_empty()).then(|| message.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_odd_is_not_there() {
        let value = json!({"a": {"b": "x", "empty": "", "n": "7", "m": 8, "no": null, "at": "yesterday"}});
        assert_eq!(value.text("/a/b"), Some("x"));
        assert_eq!((value.text("/a/empty"), value.text("/a/n/x"), value.text("/a/m")), (None, None, None));
        assert_eq!(
            (value.number("/a/n"), value.number("/a/m"), value.number("/a/b")),
            (Some(7), Some(8), None)
        );
        assert_eq!((value.count("/a/m"), value.flag("/a/b"), value.time("/a/at")), (Some(8), None, None));
        assert!(value.items("/a/no").is_empty() && value.texts("/a/b").is_empty());
    }

    #[test]
    fn messages_keep_their_lines_and_fit() {
        assert_eq!(message("one\ntwo\u{7}\n").as_deref(), Some("one\ntwo"));
        assert_eq!(message(" \n"), None);
        let long = message(&"ä".repeat(1_000)).unwrap();
        assert_eq!(long.len(), MAX_TEXT_BYTES as usize);
    }
}
