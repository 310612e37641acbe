//! Semantic versions as tags have them: with a `v` before, and with parts left out.

use std::cmp::Ordering;

/// A version, ordered by precedence (Semantic Versioning 2.0.0, item 11), in which build metadata has no part.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    pub major: u64,
    pub minor: u64,
    pub patch: u64,
    /// The identifiers of the pre-release; empty for a release.
    pub pre: Vec<Identifier>,
}

/// A part of a pre-release. Numbers come before words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identifier {
    Number(u64),
    Word(String),
}

impl Version {
    /// Reads a tag as the updater does (Masterminds/semver 3, `NewVersion`): a `v` may stand before, minor and patch may be
    /// missing, leading zeros count for nothing. So a tag of digits alone is a major version. `None` for all that is no version.
    pub fn parse(text: &str) -> Option<Version> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let text = match text.split_once('+') {
            Some((text, build)) if identifiers(build) => text,
            Some(_) => return None,
            None => text,
        };
        let (numbers, pre) = match text.split_once('-') {
            Some((numbers, pre)) => (numbers, pre_release(pre)?),
            None => (text, Vec::new()),
        };
        let mut parts = numbers.split('.').map(number);
        let version = Version {
            major: parts.next()??,
            minor: parts.next().unwrap_or(Some(0))?,
            patch: parts.next().unwrap_or(Some(0))?,
            pre,
        };
        parts.next().is_none().then_some(version)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Version) -> Ordering {
        let numbers = |version: &Version| (version.major, version.minor, version.patch);
        numbers(self)
            .cmp(&numbers(other))
            // A release comes after its pre-releases.
            .then_with(|| self.pre.is_empty().cmp(&other.pre.is_empty()))
            .then_with(|| self.pre.cmp(&other.pre))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Version) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A number of digits alone: Rust would take a sign as well.
pub(super) fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Whether a text is identifiers between dots.
pub(super) fn identifiers(text: &str) -> bool {
    text.split('.').all(is_identifier)
}

/// The identifiers of a pre-release. Numbers have no leading zeros there.
pub(super) fn pre_release(text: &str) -> Option<Vec<Identifier>> {
    let one = |text: &str| {
        if !is_identifier(text) {
            return None;
        }
        match number(text) {
            Some(_) if text.len() > 1 && text.starts_with('0') => None,
            Some(number) => Some(Identifier::Number(number)),
            None => Some(Identifier::Word(text.into())),
        }
    };
    text.split('.').map(one).collect()
}
