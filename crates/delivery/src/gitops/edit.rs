//! Edits of YAML files that change the bytes of what was asked for and no others, or are refused.

mod lines;
mod list;
mod manual;
mod quote;
mod resolve;
mod shape;
mod splice;

use serde::{Deserialize, Serialize};

pub use domain::gitops::Content;

pub use crate::git::yaml::{KeyPath, Step};

use crate::git::yaml::Yaml;
use shape::Shapes;

/// A change of one value in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub at: KeyPath,
    /// What is to stand there; `None` where the key is to be gone.
    pub to: Option<Content>,
}

/// Why a file is left as it is, and what to do instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; by hand: {manual}")]
pub struct Refusal {
    /// What makes it unsafe.
    pub problem: String,
    /// The change for a person to make: which key in which line is to have which value.
    pub manual: String,
}

impl Refusal {
    /// Says which file it is about.
    #[must_use]
    pub fn in_file(self, path: &str) -> Refusal {
        Refusal {
            problem: format!("{path} cannot be edited safely: {}", self.problem),
            manual: format!("in {path}, {}", self.manual),
        }
    }
}

impl Change {
    pub fn set(at: KeyPath, text: &str) -> Change {
        Change { at, to: Some(Content::Text(text.to_owned())) }
    }

    pub fn list(at: KeyPath, texts: &[&str]) -> Change {
        Change { at, to: Some(Content::List(texts.iter().map(|text| (*text).to_owned()).collect())) }
    }

    pub fn remove(at: KeyPath) -> Change {
        Change { at, to: None }
    }
}

/// A file with these changes, made one after another. What was read before and after is compared, and any difference but those
/// changes refuses all of them.
///
/// # Errors
/// Why that is not certain to go well.
pub fn edit(text: &str, changes: &[Change]) -> Result<String, Refusal> {
    edited(text, changes).map_err(|problem| Refusal { problem, manual: manual::patch(text, changes) })
}

/// A file as it was committed.
///
/// # Errors
/// As of [`edit`], and where it is not UTF-8.
pub fn edit_bytes(contents: &[u8], changes: &[Change]) -> Result<String, Refusal> {
    match std::str::from_utf8(contents) {
        Ok(text) => edit(text, changes),
        Err(_) => Err(Refusal { problem: "it is not UTF-8".into(), manual: manual::patch("", changes) }),
    }
}

fn edited(text: &str, changes: &[Change]) -> Result<String, String> {
    let mut yaml = parse(text)?;
    let mut expected = Shapes::of(&yaml);
    let mut result = text.to_owned();
    for change in changes {
        result = splice::changed(&result, &yaml, change)?;
        expected.change(change)?;
        yaml = parse(&result).map_err(|problem| format!("it would be broken by the edit: {problem}"))?;
    }
    expected.require(&Shapes::of(&yaml))?;
    Ok(result)
}

fn parse(text: &str) -> Result<Yaml, String> {
    Yaml::parse(text).map_err(|problem| {
        if text.contains("{{") { format!("it is a template ({problem})") } else { problem }
    })
}

#[cfg(test)]
mod tests;
