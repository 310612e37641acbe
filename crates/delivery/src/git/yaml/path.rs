//! The place of a value in a file: the document, and the keys and numbers that lead to it.

use std::fmt::{Display, Formatter, Result};

use serde::{Deserialize, Serialize};

/// Where in a file a value stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeyPath {
    /// Counted from zero.
    pub document: usize,
    pub steps: Vec<Step>,
}

/// From a collection to one of its parts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    Key(String),
    /// Counted from zero.
    Index(usize),
}

impl KeyPath {
    /// The root of a document.
    pub fn root(document: usize) -> KeyPath {
        KeyPath { document, steps: Vec::new() }
    }

    #[must_use]
    pub fn key(mut self, key: &str) -> KeyPath {
        self.steps.push(Step::Key(key.to_owned()));
        self
    }

    #[must_use]
    pub fn keys<const N: usize>(self, keys: [&str; N]) -> KeyPath {
        keys.into_iter().fold(self, KeyPath::key)
    }

    #[must_use]
    pub fn index(mut self, index: usize) -> KeyPath {
        self.steps.push(Step::Index(index));
        self
    }

    /// A Helm value by its dotted path, whose segments may end in the place in a list: `containers[0].image.tag`. `None` where it
    /// is no such path.
    pub fn of_value(document: usize, key: &str) -> Option<KeyPath> {
        let mut path = KeyPath::root(document);
        for segment in key.split('.') {
            let (name, mut indices) = segment.split_at(segment.find('[').unwrap_or(segment.len()));
            // Only a list within a list has an index alone.
            if !name.is_empty() || indices.is_empty() {
                path = path.key(name);
            }
            while !indices.is_empty() {
                let (index, more) = indices.strip_prefix('[')?.split_once(']')?;
                path = path.index(index.parse().ok()?);
                indices = more;
            }
        }
        Some(path)
    }
}

/// Dotted, in the way of Helm; the document is told apart only where it is not the first.
impl Display for KeyPath {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        for (number, step) in self.steps.iter().enumerate() {
            match step {
                Step::Key(key) => {
                    if number > 0 {
                        formatter.write_str(".")?;
                    }
                    if key.is_empty() || key.contains(['.', '[', ']', '"', ' ']) {
                        write!(formatter, "{key:?}")?;
                    } else {
                        formatter.write_str(key)?;
                    }
                }
                Step::Index(index) => write!(formatter, "[{index}]")?,
            }
        }
        if self.document > 0 {
            write!(formatter, " in document {}", self.document + 1)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_written_as_helm_has_them() {
        let path = KeyPath::of_value(0, "containers[0].image.tag").unwrap();
        assert_eq!(path, KeyPath::root(0).key("containers").index(0).keys(["image", "tag"]));
        assert_eq!(path.to_string(), "containers[0].image.tag");
        assert_eq!(KeyPath::of_value(0, "matrix[0][1]").unwrap().to_string(), "matrix[0][1]");
        assert_eq!(KeyPath::of_value(0, "[1].tag").unwrap().to_string(), "[1].tag");
        for odd in ["a[x]", "a[0", "a[0]b"] {
            assert_eq!(KeyPath::of_value(0, odd), None, "{odd}");
        }
        let annotation = KeyPath::root(1).keys(["metadata", "annotations", "a.io/b.c"]);
        assert_eq!(annotation.to_string(), "metadata.annotations.\"a.io/b.c\" in document 2");
    }
}
