//! A part of `input` or `data`, as far as its path is known without evaluation.

use std::fmt;

use crate::input::KEPT_PATHS;

/// Longer paths are cut: none that is kept has more steps.
const MAX_STEPS: usize = 12;

/// A document and the steps below it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) root: Root,
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Root {
    Input,
    Data,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Key(String),
    /// An element of an array.
    Index,
    /// A key or an element that is only known at evaluation.
    Any,
}

impl Place {
    pub(crate) fn of(root: Root) -> Place {
        Place { root, steps: Vec::new() }
    }

    pub(crate) fn then(&self, step: Step) -> Place {
        let mut steps = self.steps.clone();
        if steps.len() < MAX_STEPS {
            steps.push(step);
        }
        Place { root: self.root, steps }
    }

    /// The keys up to the first step that is not known.
    pub(crate) fn keys(&self) -> Vec<&str> {
        self.steps
            .iter()
            .map_while(|step| match step {
                Step::Key(key) => Some(key.as_str()),
                Step::Index | Step::Any => None,
            })
            .collect()
    }

    /// Whether the place, or something below it, is part of the input that policies are given.
    pub(crate) fn is_kept_input(&self) -> bool {
        KEPT_PATHS.iter().any(|path| {
            let mut kept = path.split('.').flat_map(|name| match name.strip_suffix("[]") {
                Some(name) => vec![Some(name), None],
                None => vec![Some(name)],
            });
            self.steps.iter().all(|step| match (step, kept.next()) {
                (_, None) => false,
                (Step::Key(key), Some(name)) => name == Some(key.as_str()),
                (Step::Index, Some(name)) => name.is_none(),
                (Step::Any, Some(_)) => true,
            })
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.root {
            Root::Input => "input",
            Root::Data => "data",
        })?;
        self.steps.iter().try_for_each(|step| match step {
            Step::Key(key) if key.chars().all(|char| char.is_ascii_alphanumeric() || char == '_') => {
                write!(f, ".{key}")
            }
            Step::Key(key) => write!(f, "[{key:?}]"),
            Step::Index | Step::Any => f.write_str("[_]"),
        })
    }
}
