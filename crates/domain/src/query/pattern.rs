//! Text with `*` wildcards, and how it is matched.

/// Literal parts with a wildcard between each two: `a*b` is `["a", "b"]`, `*a*` is `["", "a", ""]`.
///
/// Kept as typed; upper and lower case match each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern {
    parts: Vec<String>,
}

impl Pattern {
    /// A pattern without wildcards.
    pub fn literal(text: impl Into<String>) -> Pattern {
        Pattern { parts: vec![text.into()] }
    }

    /// A pattern from the literal parts around its wildcards; adjacent wildcards are one.
    pub fn from_parts(parts: Vec<String>) -> Pattern {
        let last = parts.len().saturating_sub(1);
        let mut kept: Vec<String> = Vec::with_capacity(parts.len());
        for (position, part) in parts.into_iter().enumerate() {
            if position == 0 || position == last || !part.is_empty() {
                kept.push(part);
            }
        }
        if kept.is_empty() {
            kept.push(String::new());
        }
        Pattern { parts: kept }
    }

    pub fn parts(&self) -> &[String] {
        &self.parts
    }

    /// The text, when there is no wildcard in it.
    pub fn as_literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [text] => Some(text),
            _ => None,
        }
    }

    pub(crate) fn folded(&self) -> Folded {
        Folded { parts: self.parts.iter().map(|part| fold(part)).collect() }
    }
}

/// A pattern in lower case, ready to be matched with texts in lower case.
#[derive(Debug)]
pub(crate) struct Folded {
    parts: Vec<String>,
}

impl Folded {
    pub(crate) fn as_literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [text] => Some(text),
            _ => None,
        }
    }

    /// What each matching text begins with.
    pub(crate) fn prefix(&self) -> &str {
        &self.parts[0]
    }

    /// The parts that have to occur; none for a bare wildcard.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(String::as_str).filter(|part| !part.is_empty())
    }

    /// Whether the whole of `text` is as the pattern says.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let (first, rest) = (&self.parts[0], &self.parts[1..]);
        let Some((last, middle)) = rest.split_last() else {
            return first == text;
        };
        let Some(mut remaining) = text.strip_prefix(first.as_str()) else {
            return false;
        };
        for part in middle {
            let Some(position) = remaining.find(part.as_str()) else {
                return false;
            };
            remaining = &remaining[position + part.len()..];
        }
        remaining.ends_with(last.as_str())
    }

    /// Whether the parts occur in `text`, in order.
    pub(crate) fn occurs_in(&self, text: &str) -> bool {
        let mut remaining = text;
        for piece in self.pieces() {
            let Some(position) = remaining.find(piece) else {
                return false;
            };
            remaining = &remaining[position + piece.len()..];
        }
        true
    }
}

/// Lower case, character by character: what a character becomes must not depend on its neighbours, or a part of a word
/// would fold differently than the word.
pub(crate) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    fold_into(text, &mut folded);
    folded
}

pub(crate) fn fold_into(text: &str, folded: &mut String) {
    if text.is_ascii() {
        let start = folded.len();
        folded.push_str(text);
        if let Some(added) = folded.get_mut(start..) {
            added.make_ascii_lowercase();
        }
    } else {
        folded.extend(text.chars().flat_map(char::to_lowercase));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(parts: &[&str], text: &str) -> bool {
        let parts = parts.iter().map(|part| (*part).to_owned()).collect();
        Pattern::from_parts(parts).folded().matches(text)
    }

    #[test]
    fn wildcards_match_from_end_to_end() {
        assert!(matches(&["eu-west-1"], "eu-west-1"));
        assert!(!matches(&["eu-west"], "eu-west-1"));
        assert!(matches(&["eu-", ""], "eu-west-1"));
        assert!(matches(&["", "west", ""], "eu-west-1"));
        assert!(matches(&["M7g.", ""], "m7g.large"));
        assert!(matches(&["", ""], ""));
        assert!(matches(&["a", "b", "c"], "a--b--c"));
        assert!(!matches(&["ab", "ba"], "aba"), "the parts around a wildcard do not overlap");
    }

    #[test]
    fn adjacent_wildcards_are_one() {
        let doubled = Pattern::from_parts(vec!["a".into(), String::new(), "b".into()]);
        assert_eq!(doubled, Pattern::from_parts(vec!["a".into(), "b".into()]));
        let bare = Pattern::from_parts(vec![String::new(), String::new(), String::new()]);
        assert_eq!(bare.parts(), ["", ""]);
    }

    #[test]
    fn folding_does_not_depend_on_neighbours() {
        assert_eq!(fold("ΑΣ"), [fold("Α"), fold("Σ")].concat());
        assert_eq!(fold("Straße WEB"), "straße web");
    }
}
