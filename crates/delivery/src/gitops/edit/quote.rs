//! How a text is written as a scalar.

use granit_parser::ScalarStyle;

use crate::git::yaml::is_plainly_text;

/// What a text is written into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Around {
    Block,
    Flow,
    /// A flow collection whose keys are in double quotes, which is JSON as far as one can tell.
    Json,
}

/// A text in the style of the scalar that it takes the place of, or with the quotes that it needs.
pub(super) fn scalar(text: &str, style: ScalarStyle, around: Around) -> Result<String, String> {
    writable(text)?;
    let plain_does = is_plainly_text(text, around != Around::Block) && around != Around::Json;
    Ok(match style {
        ScalarStyle::SingleQuoted => single(text),
        ScalarStyle::Plain if plain_does => text.to_owned(),
        // Escapes are what double quotes are hard to read for.
        ScalarStyle::Plain if text.contains(['\\', '"']) && around != Around::Json => single(text),
        ScalarStyle::Plain | ScalarStyle::DoubleQuoted => double(text),
        ScalarStyle::Literal | ScalarStyle::Folded => return Err("it is a block scalar (| or >)".into()),
    })
}

/// A list, in flow style.
pub(super) fn list(texts: &[String]) -> Result<String, String> {
    let texts: Vec<String> = texts.iter().map(|text| item(text)).collect::<Result<_, _>>()?;
    Ok(format!("[{}]", texts.join(", ")))
}

pub(super) fn item(text: &str) -> Result<String, String> {
    scalar(text, ScalarStyle::DoubleQuoted, Around::Flow)
}

pub(super) fn key(text: &str, around: Around) -> Result<String, String> {
    scalar(text, ScalarStyle::Plain, around)
}

fn single(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn double(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// What stands on one line as it is, and is nothing to a template engine.
fn writable(text: &str) -> Result<(), String> {
    if text.chars().any(|character| {
        character.is_control()
            || matches!(character, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
    }) {
        return Err(format!("{text:?} has characters that are not written on one line"));
    }
    if text.contains("{{") {
        return Err(format!("{text:?} would be taken for a template"));
    }
    Ok(())
}
