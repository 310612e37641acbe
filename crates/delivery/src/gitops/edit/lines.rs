//! The lines of a text: where they begin and end, how far they are indented, and what ends them.

use std::ops::Range;

use crate::git::yaml::{Form, Value, Written};

/// Bytes that take the place of others.
#[derive(Clone, Debug)]
pub(super) struct Splice {
    pub range: Range<usize>,
    pub with: String,
}

impl Splice {
    pub(super) fn insert(at: usize, with: String) -> Splice {
        Splice { range: at..at, with }
    }

    pub(super) fn delete(range: Range<usize>) -> Splice {
        Splice { range, with: String::new() }
    }
}

/// All of them at once; they do not overlap.
pub(super) fn spliced(text: &str, mut splices: Vec<Splice>) -> String {
    splices.sort_by_key(|splice| std::cmp::Reverse(splice.range.start));
    let mut text = text.to_owned();
    for splice in splices {
        text.replace_range(splice.range, &splice.with);
    }
    text
}

/// The beginning of the line, behind a byte order mark.
pub(super) fn start(text: &str, at: usize) -> usize {
    text[..at]
        .rfind('\n')
        .map_or_else(|| text.len() - text.trim_start_matches('\u{feff}').len(), |end| end + 1)
}

/// The beginning of the next line, or the end of the text.
pub(super) fn end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |length| at + length + 1)
}

/// What ends the line, or would if there were a next one.
pub(super) fn ending(text: &str, at: usize) -> &'static str {
    let line = &text[start(text, at)..end(text, at)];
    let line = if line.ends_with('\n') { line } else { &text[..text.find('\n').map_or(0, |end| end + 1)] };
    if line.ends_with("\r\n") { "\r\n" } else { "\n" }
}

/// How far a key or an item is indented, where nothing but spaces and the dashes of lists stand before it.
pub(super) fn column(text: &str, at: usize) -> Option<usize> {
    let before = &text[start(text, at)..at];
    let dashes = before.trim_end_matches(' ').split(' ').all(|part| part.is_empty() || part == "-");
    dashes.then_some(before.len())
}

/// Whether nothing but a comment follows on the line.
pub(super) fn only_comment_follows(text: &str, at: usize) -> bool {
    let rest = &text[at..end(text, at)];
    let content = rest.trim_start_matches([' ', '\t']);
    content.trim().is_empty() || (content.starts_with('#') && content.len() < rest.len())
}

/// YAML ends lines by a carriage return alone, too, and nothing here does.
pub(super) fn only_usual_endings(text: &str) -> Result<(), String> {
    let odd = text.replace("\r\n", "\n").contains('\r');
    if odd { Err("it has lines that end in a carriage return alone".into()) } else { Ok(()) }
}

/// The end of what is written of a pair.
pub(super) fn pair_end(text: &str, key: &Written<'_>, value: &Written<'_>) -> usize {
    let key_end = written_end(text, key);
    // The value of a key without one is before the colon, as far as the parser is concerned.
    match after_colon(text, key_end) {
        Some(colon) => written_end(text, value).max(colon),
        None => written_end(text, value).max(key_end),
    }
}

/// The end of what is written of a node.
fn written_end(text: &str, written: &Written<'_>) -> usize {
    match &written.alias {
        Some(alias) => alias.end,
        None => value_end(text, written.value),
    }
}

fn value_end(text: &str, value: Value<'_>) -> usize {
    use granit_parser::ScalarStyle::{Folded, Literal};
    match value.form() {
        Form::Scalar(Literal | Folded) => {
            let span = value.span();
            let lines = &text[span.clone()];
            // Blank lines at its end are none of the text, unless it keeps them.
            let keeps = value.text().is_some_and(|text| text.ends_with("\n\n"));
            let length = if keeps { lines.rfind('\n') } else { Some(lines.trim_end().len()) };
            span.start + length.unwrap_or(lines.len())
        }
        Form::Mapping { flow: false } => {
            value.pairs().last().map_or(value.span().end, |(key, value)| pair_end(text, &key, &value))
        }
        Form::Sequence { flow: false } => {
            value.parts().last().map_or(value.span().end, |item| written_end(text, &item))
        }
        Form::Scalar(_) | Form::Mapping { flow: true } | Form::Sequence { flow: true } => value.span().end,
    }
}

/// Whether the last that is written of a value is a block scalar that the text ends in without a line break.
pub(super) fn ends_open(text: &str, value: Value<'_>) -> bool {
    use granit_parser::ScalarStyle::{Folded, Literal};
    let last = match value.form() {
        Form::Scalar(Literal | Folded) => {
            return end(text, value_end(text, value)) == text.len() && !text.ends_with('\n');
        }
        Form::Mapping { flow: false } => value.pairs().last().map(|(_, value)| value),
        Form::Sequence { flow: false } => value.parts().last(),
        Form::Scalar(_) | Form::Mapping { flow: true } | Form::Sequence { flow: true } => None,
    };
    last.is_some_and(|last| last.alias.is_none() && ends_open(text, last.value))
}

/// Behind the colon of the key that ends here.
pub(super) fn after_colon(text: &str, key_end: usize) -> Option<usize> {
    let rest = &text[key_end..];
    let colon = rest.trim_start_matches([' ', '\t']);
    colon.starts_with(':').then(|| key_end + rest.len() - colon.len() + 1)
}
