//! The same changes, as a person is told to make them.

use super::{Change, Content, KeyPath};
use crate::git::yaml::Yaml;

/// Which keys in which lines are to have which values.
pub(super) fn patch(text: &str, changes: &[Change]) -> String {
    let yaml = Yaml::parse(text).ok();
    let changes: Vec<String> = changes.iter().map(|change| instruction(yaml.as_ref(), change)).collect();
    changes.join("; ")
}

fn instruction(yaml: Option<&Yaml>, Change { at, to }: &Change) -> String {
    let line = match yaml.and_then(|yaml| line(yaml, at)) {
        Some((line, true)) => format!(" (line {line})"),
        Some((line, false)) => format!(" (which is not there; below line {line})"),
        None => String::new(),
    };
    match to {
        Some(Content::Text(text)) => format!("set {at}{line} to {text:?}"),
        Some(Content::List(texts)) => format!("set {at}{line} to {texts:?}"),
        None => format!("remove {at}{line}"),
    }
}

/// The line of what a path leads to, and whether it leads to its end.
fn line(yaml: &Yaml, at: &KeyPath) -> Option<(usize, bool)> {
    let root = yaml.documents().nth(at.document)?;
    (0..=at.steps.len())
        .rev()
        .find_map(|steps| Some((root.along(&at.steps[..steps])?.line(), steps == at.steps.len())))
}
