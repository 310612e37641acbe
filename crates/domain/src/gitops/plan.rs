//! What an operation comes to in the repository.

use serde::{Deserialize, Serialize};

use super::Check;
use crate::delivery::Place;

/// Everything that one commit changes, made on one commit of the branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The repository as the configuration names it.
    pub repository: String,
    pub branch: String,
    /// The commit that it was made on.
    pub base: String,
    pub steps: Vec<Step>,
    pub files: Vec<FileDiff>,
    /// What was looked at before, and what was found.
    pub checks: Vec<Check>,
    /// SHA-256 in hexadecimal of what is written where: of the steps and of the changed lines, and not of the commit that it was made
    /// on, so that an approval holds over commits of others and never over another change.
    pub fingerprint: String,
}

/// One value that is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub place: Place,
    pub kind: StepKind,
    pub path: String,
    /// Where in the file: `image.tag`.
    pub key: String,
    pub before: Option<String>,
    /// `None` takes the key away.
    pub after: Option<String>,
    /// The digest that `after` names in the registry, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// What a value is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    /// The tag that the environment is to run.
    Tag,
    /// The updater is kept from new tags.
    Hold(Form),
    /// It may set them again.
    Release(Form),
}

/// By what the updater of an Application is steered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Annotations of the Application.
    Annotations,
    /// An `ImageUpdater` resource.
    Resource,
}

/// A file that is changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDiff {
    pub path: String,
    /// In the unified format, without the names of the file.
    pub diff: String,
}

impl Plan {
    /// Whether something found keeps it from being carried out.
    pub fn refused(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.verdict.refuses())
    }

    /// The tag that a place is to run after it.
    pub fn tag(&self, place: &Place) -> Option<&str> {
        self.steps
            .iter()
            .find(|step| step.place == *place && step.kind == StepKind::Tag)
            .and_then(|step| step.after.as_deref())
    }

    /// Whether the updater of a place is kept (`Some(true)`) or let go (`Some(false)`).
    pub fn holds(&self, place: &Place) -> Option<bool> {
        self.steps.iter().filter(|step| step.place == *place).find_map(|step| match step.kind {
            StepKind::Hold(_) => Some(true),
            StepKind::Release(_) => Some(false),
            StepKind::Tag => None,
        })
    }
}
