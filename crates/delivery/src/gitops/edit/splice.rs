//! Which bytes a change takes.

use granit_parser::ScalarStyle;

use super::lines::{self, Splice, spliced};
use super::quote::{self, Around};
use super::resolve::{Link, Target, around};
use super::{Change, Content, KeyPath, list};
use crate::git::yaml::{Form, Value, Yaml};

/// How much further a mapping is indented than what it is in, where the file has no example.
const INDENTATION: usize = 2;

/// The text with a change.
pub(super) fn changed(text: &str, yaml: &Yaml, Change { at, to }: &Change) -> Result<String, String> {
    match to {
        Some(Content::Text(wanted)) => set_text(text, yaml, at, wanted),
        Some(Content::List(wanted)) => list::set(text, yaml, at, wanted),
        None => removed(text, yaml, at),
    }
}

pub(super) fn set_text(text: &str, yaml: &Yaml, at: &KeyPath, wanted: &str) -> Result<String, String> {
    let target = Target::of(yaml, at)?;
    if !target.missing.is_empty() {
        return insert(text, yaml, &target, &Content::Text(wanted.to_owned()));
    }
    let last = target.last();
    let Form::Scalar(style) = last.value.form() else {
        return Err(format!("{at} is no text"));
    };
    if last.value.text() == Some(wanted) && style != ScalarStyle::Plain {
        return Ok(text.to_owned());
    }
    replace_scalar(text, at, last, &quote::scalar(wanted, style, last.around)?)
}

/// The bytes of a scalar, where that is all there is to it.
pub(super) fn replace_scalar(text: &str, at: &KeyPath, link: Link<'_>, with: &str) -> Result<String, String> {
    let Link { value, key, .. } = link;
    if value.is_tagged() {
        return Err(format!("{at} has a tag (!…)"));
    }
    if matches!(value.form(), Form::Scalar(ScalarStyle::Literal | ScalarStyle::Folded)) {
        return Err(format!("{at} is a block scalar (| or >)"));
    }
    let span = value.span();
    let raw = &text[span.clone()];
    if raw.contains(['\n', '\r']) {
        return Err(format!("{at} goes over several lines"));
    }
    if raw.contains("{{") {
        return Err(format!("{at} is templated"));
    }
    if !raw.is_empty() {
        return Ok(spliced(text, vec![Splice { range: span, with: with.to_owned() }]));
    }
    let colon = key.and_then(|key| lines::after_colon(text, key.span().end));
    match colon {
        Some(colon) if value.anchor().is_none() => {
            Ok(spliced(text, vec![Splice::insert(colon, format!(" {with}"))]))
        }
        _ => Err(format!("{at} is empty, and where a value would go is not certain")),
    }
}

/// What is missing, into the mapping that it is missing in.
pub(super) fn insert(
    text: &str,
    yaml: &Yaml,
    target: &Target<'_>,
    content: &Content,
) -> Result<String, String> {
    lines::only_usual_endings(text)?;
    let into = target.last();
    match into.value.form() {
        Form::Mapping { flow: true } => into_flow(text, into, &target.missing, content),
        Form::Mapping { flow: false } => into_block(text, yaml, into.value, &target.missing, content),
        Form::Scalar(_) => into_nothing(text, yaml, into, &target.missing, content),
        Form::Sequence { .. } => Err("a list has no keys".into()),
    }
}

fn into_flow(text: &str, into: Link<'_>, missing: &[&str], content: &Content) -> Result<String, String> {
    let pair = flow_pair(missing, content, around(into.value, into.around))?;
    let splice = match into.value.pairs().last() {
        Some((key, value)) => Splice::insert(lines::pair_end(text, &key, &value), format!(", {pair}")),
        None => Splice::insert(into.value.span().start + 1, pair),
    };
    Ok(spliced(text, vec![splice]))
}

fn flow_pair(missing: &[&str], content: &Content, around: Around) -> Result<String, String> {
    let [key, rest @ ..] = missing else { return flow_content(content, around) };
    let value = if rest.is_empty() {
        flow_content(content, around)?
    } else {
        format!("{{{}}}", flow_pair(rest, content, around)?)
    };
    Ok(format!("{}: {value}", quote::key(key, around)?))
}

fn flow_content(content: &Content, around: Around) -> Result<String, String> {
    match content {
        Content::Text(text) => quote::scalar(text, ScalarStyle::Plain, around),
        Content::List(texts) => quote::list(texts),
    }
}

fn into_block(
    text: &str,
    yaml: &Yaml,
    mapping: Value<'_>,
    missing: &[&str],
    content: &Content,
) -> Result<String, String> {
    let column = mapping.pairs().find_map(|(key, _)| key_column(text, key.value));
    let (Some(column), Some((key, value))) = (column, mapping.pairs().last()) else {
        return Err(format!("how the mapping in line {} is indented is not certain", mapping.line()));
    };
    let end = lines::pair_end(text, &key, &value);
    if lines::ends_open(text, value.value) {
        // A line break behind it would be one of the text.
        return Err("it ends in a block scalar (| or >) without a line break".into());
    }
    insert_lines(text, yaml, end, column, missing, content)
}

/// Below a key that has no value yet.
fn into_nothing(
    text: &str,
    yaml: &Yaml,
    into: Link<'_>,
    missing: &[&str],
    content: &Content,
) -> Result<String, String> {
    let Link { value, key, around } = into;
    if !value.span().is_empty() || around != Around::Block {
        let mapping = format!(
            "{{{}}}",
            flow_pair(missing, content, if around == Around::Json { around } else { Around::Flow })?
        );
        return replace_scalar(text, &value.path(), into, &mapping);
    }
    let place = key.and_then(|key| Some((key_column(text, key)?, lines::after_colon(text, key.span().end)?)));
    let Some((column, colon)) = place.filter(|_| value.anchor().is_none()) else {
        return Err(format!("{} is empty, and where a value would go is not certain", value.path()));
    };
    insert_lines(text, yaml, colon, column + indentation(text, yaml), missing, content)
}

/// Lines for the keys that are missing, below the line that ends here.
fn insert_lines(
    text: &str,
    yaml: &Yaml,
    end: usize,
    column: usize,
    missing: &[&str],
    content: &Content,
) -> Result<String, String> {
    if !lines::only_comment_follows(text, end) {
        let line = text[..end].matches('\n').count() + 1;
        return Err(format!("what follows in line {line} is not certain"));
    }
    let unit = indentation(text, yaml);
    let mut added = Vec::new();
    for (depth, key) in missing.iter().enumerate() {
        let indent = " ".repeat(column + depth * unit);
        let value = if depth + 1 == missing.len() {
            format!(" {}", flow_content(content, Around::Block)?)
        } else {
            String::new()
        };
        added.push(format!("{indent}{}:{value}", quote::key(key, Around::Block)?));
    }
    let ending = lines::ending(text, end);
    let added = added.join(ending);
    let at = lines::end(text, end);
    // A file that ends without a line break goes on to.
    let added =
        if text[..at].ends_with('\n') { format!("{added}{ending}") } else { format!("{ending}{added}") };
    Ok(spliced(text, vec![Splice::insert(at, added)]))
}

/// The column of a key, where it is not one of `? key`.
fn key_column(text: &str, key: Value<'_>) -> Option<usize> {
    lines::column(text, key.span().start)
}

/// By how much the file indents a mapping in a mapping.
fn indentation(text: &str, yaml: &Yaml) -> usize {
    let mut open: Vec<Value<'_>> = yaml.documents().collect();
    while let Some(value) = open.pop() {
        for (key, part) in value.pairs().filter(|(_, part)| part.alias.is_none()) {
            let inner =
                part.value.pairs().next().filter(|_| part.value.form() == Form::Mapping { flow: false });
            let columns = inner
                .and_then(|(inner, _)| Some((key_column(text, key.value)?, key_column(text, inner.value)?)));
            if let Some(more) =
                columns.and_then(|(outer, inner)| inner.checked_sub(outer)).filter(|more| *more > 0)
            {
                return more;
            }
            open.push(part.value);
        }
    }
    INDENTATION
}

fn removed(text: &str, yaml: &Yaml, at: &KeyPath) -> Result<String, String> {
    let target = Target::of(yaml, at)?;
    if !target.missing.is_empty() {
        return Ok(text.to_owned());
    }
    lines::only_usual_endings(text)?;
    let (Some(container), Some(key)) = (target.container(), target.last().key) else {
        return Err(format!("{at} is no key of a mapping"));
    };
    let pairs: Vec<_> = container.value.pairs().collect();
    let Some(number) = pairs.iter().position(|(name, _)| name.alias.is_none() && name.value == key) else {
        return Err(format!("{at} is no key of a mapping"));
    };
    let ends: Vec<usize> = pairs.iter().map(|(key, value)| lines::pair_end(text, key, value)).collect();
    let start = key.span().start;
    let following = pairs.get(number + 1).map(|(next, _)| next.value.span().start);
    if matches!(container.value.form(), Form::Mapping { flow: true }) {
        let end = ends[number];
        let range = match (number.checked_sub(1), following) {
            (Some(before), _) => ends[before]..end,
            (None, Some(next)) => start..next,
            (None, None) => start..end,
        };
        let between = [&text[range.start..start.max(range.start)], &text[end..range.end.max(end)]];
        if text[range.clone()].contains('\n') || between.iter().any(|between| between.contains('#')) {
            return Err(format!("{at} shares its lines with others"));
        }
        let splice = Splice::delete(range);
        return Ok(spliced(text, vec![splice]));
    }
    if !lines::only_comment_follows(text, ends[number]) {
        return Err(format!("{at} shares its lines with others"));
    }
    let line = lines::start(text, start);
    let alone = text[line..start].bytes().all(|byte| byte == b' ');
    let whole_lines = Splice::delete(line..lines::end(text, ends[number]));
    match (pairs.len(), container.key) {
        (1, Some(parent)) if alone => {
            // Without its only key the mapping stays one.
            let colon = lines::after_colon(text, parent.span().end)
                .filter(|colon| lines::only_comment_follows(text, *colon))
                .ok_or_else(|| format!("{at} is the only key of its mapping"))?;
            Ok(spliced(text, vec![Splice::insert(colon, " {}".into()), whole_lines]))
        }
        (1, _) => Err(format!("{at} is the only key of its mapping")),
        _ if alone => Ok(without_last_break(text, whole_lines)),
        // Behind the dash of a list: the next key takes its place.
        _ => match following {
            Some(next) if !text[start..next].contains('#') => {
                Ok(spliced(text, vec![Splice::delete(start..next)]))
            }
            _ => Err(format!("{at} shares its lines with others")),
        },
    }
}

/// Without these lines. A file that ends without a line break goes on to.
pub(super) fn without_last_break(text: &str, lines: Splice) -> String {
    let ends_bare = lines.range.end == text.len() && !text.ends_with('\n');
    let mut result = spliced(text, vec![lines]);
    if ends_bare && result.ends_with('\n') {
        result.pop();
        if result.ends_with('\r') {
            result.pop();
        }
    }
    result
}
