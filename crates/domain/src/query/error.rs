//! What is wrong with a query, at which characters, and what would be right.

/// A mistake in a query. The span counts characters, not bytes, so that a browser can mark it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    pub start: u32,
    /// Behind the last wrong character; equal to `start` where something is missing.
    pub end: u32,
    /// What is wrong and what is expected instead.
    pub message: String,
    /// What to put in place of the span.
    pub suggestion: Option<String>,
}

impl QueryError {
    pub(super) fn new(span: std::ops::Range<usize>, message: impl Into<String>) -> QueryError {
        QueryError {
            start: span.start as u32,
            end: span.end as u32,
            message: message.into(),
            suggestion: None,
        }
    }

    pub(super) fn suggest(self, suggestion: Option<impl Into<String>>) -> QueryError {
        QueryError { suggestion: suggestion.map(Into::into), ..self }
    }
}

/// The candidate that `word` was most likely meant to be: one it begins, or one at most two edits away.
pub(super) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<u8> = word.bytes().map(|byte| byte.to_ascii_lowercase()).collect();
    // Any two short words are two edits apart, so a suggestion for them would be noise.
    let allowed = match word.len() {
        0 | 1 => 0,
        2..=4 => 1,
        _ => 2,
    };
    candidates
        .filter_map(|candidate| {
            let begins = word.len() >= 2 && candidate.as_bytes().starts_with(&word);
            let distance = if begins { 0 } else { edits(&word, candidate.as_bytes()) };
            (begins || (allowed > 0 && distance <= allowed)).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours.
fn edits(left: &[u8], right: &[u8]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=right.len()).collect();
    for (row, &byte) in left.iter().enumerate() {
        let mut current = Vec::with_capacity(right.len() + 1);
        current.push(row + 1);
        for (column, &other) in right.iter().enumerate() {
            let substituted = previous[column] + usize::from(byte != other);
            let mut best = substituted.min(previous[column + 1] + 1).min(current[column] + 1);
            if row > 0 && column > 0 && byte == right[column - 1] && left[row - 1] == other {
                best = best.min(before[column - 1] + 1);
            }
            current.push(best);
        }
        before = std::mem::replace(&mut previous, current);
    }
    previous[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised_and_noise_is_not() {
        let keys = ["state", "severity", "tag", "type", "tokens"];
        let near = |word: &str| nearest(word, keys.into_iter());
        assert_eq!(near("sate"), Some("state"));
        assert_eq!(near("satte"), Some("state"));
        assert_eq!(near("tok"), Some("tokens"));
        assert_eq!(near("TPYE"), Some("type"));
        assert_eq!(near("arn"), None);
        assert_eq!(near("x"), None);
        assert_eq!(near(""), None);
    }
}
