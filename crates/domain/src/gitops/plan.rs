//! What an operation comes to in the repository.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Brought, Check};
use crate::delivery::{Place, UpdaterMode};

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
    /// The commits that come or go with each tag, where they are known.
    #[serde(default)]
    pub brought: Vec<Brought>,
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
    /// What a hold took the place of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restores: Vec<Before>,
    /// The digests that `before` and `after` name in the registry, where they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest_before: Option<String>,
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
    Hold(UpdaterMode),
    /// It may set them again.
    Release(UpdaterMode),
}

/// What a setting of an image was before it was held: what a resume puts back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    pub form: UpdaterMode,
    /// The image's alias, as it stands in an annotation's key or in the resource.
    pub alias: String,
    pub setting: Setting,
    pub was: Option<Content>,
}

/// By what an image is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Setting {
    IgnoreTags,
    /// Everything but one tag: what is ignored are globs, which cannot say that.
    AllowTags,
    /// How the newest tag is told, kept as it is where a hold would change it.
    UpdateStrategy,
}

/// What is written in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// It stays a text for whoever reads the file, whatever it looks like.
    Text(String),
    /// Of such texts.
    List(Vec<String>),
}

impl Before {
    /// What a person does to put it back.
    pub fn instruction(&self) -> String {
        let Before { form, alias, setting, was } = self;
        let name = setting.name(*form);
        match was {
            Some(Content::Text(text)) => format!("set {name} of {alias} back to {text:?}"),
            Some(Content::List(texts)) => format!("set {name} of {alias} back to {texts:?}"),
            None => format!("remove {name} of {alias}"),
        }
    }
}

impl Setting {
    /// Its name where the updater reads it.
    pub fn name(self, form: UpdaterMode) -> &'static str {
        match (self, form) {
            (Setting::IgnoreTags, UpdaterMode::Annotations) => "ignore-tags",
            (Setting::AllowTags, UpdaterMode::Annotations) => "allow-tags",
            (Setting::IgnoreTags, UpdaterMode::Resource) => "ignoreTags",
            (Setting::AllowTags, UpdaterMode::Resource) => "allowTags",
            (Setting::UpdateStrategy, UpdaterMode::Annotations) => "update-strategy",
            (Setting::UpdateStrategy, UpdaterMode::Resource) => "updateStrategy",
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Content::Text(text) => f.write_str(text),
            Content::List(texts) => f.write_str(&texts.join(", ")),
        }
    }
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
