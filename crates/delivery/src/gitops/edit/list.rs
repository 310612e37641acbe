//! Lists of texts: what stays of one is left as it is written.

use std::ops::Range;

use super::lines::{self, Splice, spliced};
use super::resolve::Target;
use super::{Content, KeyPath, parse, quote, splice};
use crate::git::yaml::{Form, Value, Written, Yaml};

pub(super) fn set(text: &str, yaml: &Yaml, at: &KeyPath, wanted: &[String]) -> Result<String, String> {
    let target = Target::of(yaml, at)?;
    if !target.missing.is_empty() {
        return splice::insert(text, yaml, &target, &Content::List(wanted.to_vec()));
    }
    let last = target.last();
    let flow = match last.value.form() {
        Form::Scalar(_) => return splice::replace_scalar(text, at, last, &quote::list(wanted)?),
        Form::Mapping { .. } => return Err(format!("{at} is no list")),
        Form::Sequence { flow } => flow,
    };
    let items: Vec<Item<'_>> =
        last.value.parts().map(|part| Item::of(&part, at)).collect::<Result<_, _>>()?;
    let different = items.iter().zip(wanted).position(|(item, wanted)| item.text != wanted);
    if let Some(index) = different {
        let text = splice::set_text(text, yaml, &at.clone().index(index), &wanted[index])?;
        return set(&text, &parse(&text)?, at, wanted);
    }
    lines::only_usual_endings(text)?;
    match (wanted.get(items.len()..), flow) {
        (Some([]), _) => Ok(text.to_owned()),
        (Some(more), true) => append_to_flow(text, last.value, &items, more),
        (Some(more), false) => append_to_block(text, at, &items, more),
        (None, true) => truncate_flow(text, at, last.value, &items, wanted.len()),
        (None, false) => truncate_block(text, at, &items, wanted.len()),
    }
}

/// A text of a list.
struct Item<'a> {
    text: &'a str,
    span: Range<usize>,
}

impl<'a> Item<'a> {
    fn of(part: &Written<'a>, at: &KeyPath) -> Result<Item<'a>, String> {
        let Written { value, alias } = part;
        match value.text() {
            Some(text) if alias.is_none() && !value.is_aliased() && !value.span().is_empty() => {
                Ok(Item { text, span: value.span() })
            }
            _ => Err(format!("{at} has items that are no texts of its own")),
        }
    }
}

fn append_to_flow(
    text: &str,
    list: Value<'_>,
    items: &[Item<'_>],
    more: &[String],
) -> Result<String, String> {
    let more: Vec<String> = more.iter().map(|text| quote::item(text)).collect::<Result<_, _>>()?;
    let more = more.join(", ");
    let splice = match items.last() {
        Some(last) => Splice::insert(last.span.end, format!(", {more}")),
        None => Splice::insert(list.span().start + 1, more),
    };
    Ok(spliced(text, vec![splice]))
}

fn append_to_block(text: &str, at: &KeyPath, items: &[Item<'_>], more: &[String]) -> Result<String, String> {
    let Some(last) = items.last().filter(|last| has_own_line(text, last)) else {
        return Err(format!("how {at} is indented is not certain"));
    };
    let start = lines::start(text, last.span.start);
    let dash = &text[start..last.span.start];
    let (ending, end) = (lines::ending(text, last.span.end), lines::end(text, last.span.end));
    let has_break = text[..end].ends_with('\n');
    let mut added = String::new();
    for item in more {
        let item = format!("{dash}{}", quote::item(item)?);
        added += &if has_break { format!("{item}{ending}") } else { format!("{ending}{item}") };
    }
    Ok(spliced(text, vec![Splice::insert(end, added)]))
}

fn truncate_flow(
    text: &str,
    at: &KeyPath,
    list: Value<'_>,
    items: &[Item<'_>],
    keep: usize,
) -> Result<String, String> {
    let last = items.last().map_or(list.span().end - 1, |last| last.span.end);
    let range = match keep.checked_sub(1) {
        Some(kept) => items[kept].span.end..last,
        None => list.span().start + 1..list.span().end - 1,
    };
    if text[range.clone()].contains(['\n', '#']) {
        return Err(format!("{at} goes over several lines"));
    }
    Ok(spliced(text, vec![Splice::delete(range)]))
}

fn truncate_block(text: &str, at: &KeyPath, items: &[Item<'_>], keep: usize) -> Result<String, String> {
    let gone = &items[keep..];
    let ([first, ..], [.., last]) = (gone, gone) else { return Ok(text.to_owned()) };
    let range = lines::start(text, first.span.start)..lines::end(text, last.span.end);
    let own_lines = gone.iter().all(|item| has_own_line(text, item));
    let no_others = text[range.clone()].lines().count() == gone.len();
    if keep == 0 || !own_lines || !no_others {
        return Err(format!("{at} has other lines between its items, or would have no items left"));
    }
    Ok(splice::without_last_break(text, Splice::delete(range)))
}

/// Whether an item is all there is on its line, behind one dash.
fn has_own_line(text: &str, item: &Item<'_>) -> bool {
    let dash = text[lines::start(text, item.span.start)..item.span.start].trim_matches(' ');
    dash == "-" && !text[item.span.clone()].contains('\n') && lines::only_comment_follows(text, item.span.end)
}
