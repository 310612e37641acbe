//! Which tags Argo CD Image Updater takes: its strategies, constraints and lists of tags to ignore.

mod constraint;
mod glob;
#[cfg(test)]
mod tests;
mod version;

use serde::{Deserialize, Serialize};

pub use constraint::{Constraint, InvalidConstraint};
pub use glob::glob_matches;
pub use version::Version;

/// How the updater finds the tag to deploy (Image Updater, "Update strategies").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpdateStrategy {
    /// The highest version that the constraint allows.
    Semver,
    /// The image that was built last.
    NewestBuild,
    /// The last tag by the alphabet.
    Alphabetical,
    /// The digest that one tag, the constraint, stands for at the time.
    Digest,
}

impl UpdateStrategy {
    /// Reads the configured word, or one of the old ones (`latest`, `name`); the default for none is `semver`.
    pub fn parse(text: &str) -> Option<UpdateStrategy> {
        Some(match text {
            "" | "semver" => UpdateStrategy::Semver,
            "newest-build" | "latest" => UpdateStrategy::NewestBuild,
            "alphabetical" | "name" => UpdateStrategy::Alphabetical,
            "digest" => UpdateStrategy::Digest,
            _ => return None,
        })
    }

    /// The configured word.
    pub fn as_str(self) -> &'static str {
        match self {
            UpdateStrategy::Semver => "semver",
            UpdateStrategy::NewestBuild => "newest-build",
            UpdateStrategy::Alphabetical => "alphabetical",
            UpdateStrategy::Digest => "digest",
        }
    }
}

/// What the updater makes of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagVerdict {
    /// It may be deployed, if none that comes after it may.
    Eligible,
    /// A pattern of `ignore-tags` matches it.
    Ignored { pattern: String },
    /// It is no version, so that the strategy `semver` passes over it.
    NotAVersion,
    /// The constraint does not allow it.
    OutsideConstraint { constraint: String },
    /// The constraint cannot be read, so that the updater reports an error and takes nothing.
    InvalidConstraint { constraint: String },
    /// The strategy `digest` follows one tag, and it is another, or none is configured.
    NotTheFollowedTag { followed: Option<String> },
}

/// What the updater makes of a tag (Image Updater, `GetNewestVersionFromTags` and `IsTagIgnored`). `allow-tags` is a regular
/// expression that has to be asked elsewhere.
pub fn judge_tag(
    tag: &str,
    strategy: UpdateStrategy,
    constraint: Option<&str>,
    ignore_tags: &[String],
) -> TagVerdict {
    if let Some(pattern) = ignore_tags.iter().find(|pattern| glob_matches(pattern, tag)) {
        return TagVerdict::Ignored { pattern: pattern.clone() };
    }
    let constraint = constraint.filter(|text| !text.is_empty());
    match strategy {
        UpdateStrategy::Semver => judge_version(tag, constraint),
        UpdateStrategy::Digest if constraint == Some(tag) => TagVerdict::Eligible,
        UpdateStrategy::Digest => TagVerdict::NotTheFollowedTag { followed: constraint.map(Into::into) },
        UpdateStrategy::NewestBuild | UpdateStrategy::Alphabetical => TagVerdict::Eligible,
    }
}

fn judge_version(tag: &str, constraint: Option<&str>) -> TagVerdict {
    let Some(version) = Version::parse(tag) else { return TagVerdict::NotAVersion };
    // Without a constraint, pre-releases are left out since 1.3, which is what an empty constraint says.
    let text = constraint.unwrap_or_default();
    match Constraint::parse(text) {
        Ok(parsed) if parsed.allows(&version) => TagVerdict::Eligible,
        Ok(_) => TagVerdict::OutsideConstraint { constraint: text.into() },
        Err(_) => TagVerdict::InvalidConstraint { constraint: text.into() },
    }
}
