//! From a path to what is written there, as long as nothing else in the file reads it too.

use super::quote::Around;
use super::{KeyPath, Step};
use crate::git::yaml::{Form, Value, Written, Yaml};

/// What a path leads to.
pub(super) struct Target<'a> {
    /// The nodes from the root of the document on. The last is the value itself, or the one that the rest of the path is missing in.
    pub chain: Vec<Link<'a>>,
    /// The keys that are not there.
    pub missing: Vec<&'a str>,
}

/// A node on the way.
#[derive(Clone, Copy)]
pub(super) struct Link<'a> {
    pub value: Value<'a>,
    /// Of a value in a mapping.
    pub key: Option<Value<'a>>,
    pub around: Around,
}

impl<'a> Target<'a> {
    pub(super) fn of(yaml: &'a Yaml, at: &'a KeyPath) -> Result<Target<'a>, String> {
        let Some(root) = yaml.documents().nth(at.document) else {
            return Err(format!("it has no document {}", at.document + 1));
        };
        let mut chain = vec![Link { value: root, key: None, around: Around::Block }];
        for (number, step) in at.steps.iter().enumerate() {
            let here = chain[number].value;
            let shown =
                |steps: usize| KeyPath { steps: at.steps[..steps].to_vec(), ..at.clone() }.to_string();
            not_shared(here, &shown(number))?;
            let next = match (step, here.form()) {
                (Step::Key(key), Form::Mapping { .. }) => match in_mapping(here, key, &shown(number + 1))? {
                    Some(pair) => pair,
                    None => return Ok(Target { chain, missing: missing(&at.steps[number..])? }),
                },
                (Step::Key(_), _) if here.is_null() && !here.is_tagged() && number > 0 => {
                    return Ok(Target { chain, missing: missing(&at.steps[number..])? });
                }
                (Step::Index(index), Form::Sequence { .. }) => {
                    let Some(item) = here.parts().nth(*index) else {
                        return Err(format!("{} has no item {index}", shown(number)));
                    };
                    not_alias(&item, &shown(number + 1))?;
                    (None, item.value)
                }
                (Step::Key(_), _) => {
                    return Err(format!("{} is no mapping", shown_or_document(&shown(number))));
                }
                (Step::Index(_), _) => {
                    return Err(format!("{} is no list", shown_or_document(&shown(number))));
                }
            };
            let around = around(here, chain[number].around);
            chain.push(Link { key: next.0, value: next.1, around });
        }
        if let Some(last) = chain.last() {
            not_shared(last.value, &at.to_string())?;
        }
        Ok(Target { chain, missing: Vec::new() })
    }

    /// The value, or the one that something is missing in.
    pub(super) fn last(&self) -> Link<'a> {
        self.chain[self.chain.len() - 1]
    }

    /// What the last is a part of.
    pub(super) fn container(&self) -> Option<Link<'a>> {
        self.chain.len().checked_sub(2).map(|at| self.chain[at])
    }
}

/// The pair of a key; `None` where there is none.
fn in_mapping<'a>(
    mapping: Value<'a>,
    key: &str,
    shown: &str,
) -> Result<Option<(Option<Value<'a>>, Value<'a>)>, String> {
    let mut pairs = mapping.pairs().filter(|(name, _)| name.value.text() == Some(key));
    let Some((name, value)) = pairs.next() else {
        return match mapping.get(key) {
            Some(_) => Err(format!("{shown} comes from what is merged there (<<)")),
            None => Ok(None),
        };
    };
    if pairs.next().is_some() {
        return Err(format!("{shown} is there more than once"));
    }
    not_alias(&name, shown)?;
    not_alias(&value, shown)?;
    Ok(Some((Some(name.value), value.value)))
}

fn missing(steps: &[Step]) -> Result<Vec<&str>, String> {
    steps
        .iter()
        .map(|step| match step {
            Step::Key(key) => Ok(key.as_str()),
            Step::Index(index) => Err(format!("there is no list to have an item {index}")),
        })
        .collect()
}

fn not_alias(part: &Written<'_>, shown: &str) -> Result<(), String> {
    if part.alias.is_none() {
        return Ok(());
    }
    let anchor = part.value.anchor().unwrap_or_default();
    Err(format!("{shown} is an alias (*{anchor}) of what is written in line {}", part.value.line()))
}

fn not_shared(value: Value<'_>, shown: &str) -> Result<(), String> {
    if !value.is_aliased() {
        return Ok(());
    }
    let anchor = value.anchor().unwrap_or_default();
    Err(format!("{} is anchored (&{anchor}) and read at other places too", shown_or_document(shown)))
}

fn shown_or_document(shown: &str) -> &str {
    if shown.is_empty() { "the document" } else { shown }
}

/// What is around the parts of a collection.
pub(super) fn around(collection: Value<'_>, outside: Around) -> Around {
    let is_quoted = |key: Value<'_>| key.form() == Form::Scalar(granit_parser::ScalarStyle::DoubleQuoted);
    match collection.form() {
        Form::Mapping { flow: true } => match collection.pairs().next() {
            Some((key, _)) if is_quoted(key.value) => Around::Json,
            Some(_) => Around::Flow,
            None if outside == Around::Json => Around::Json,
            None => Around::Flow,
        },
        Form::Sequence { flow: true } if outside == Around::Json => Around::Json,
        Form::Sequence { flow: true } => Around::Flow,
        Form::Mapping { flow: false } | Form::Sequence { flow: false } | Form::Scalar(_) => outside,
    }
}
