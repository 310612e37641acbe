//! The names of services and environments, the order of environments, and commits.

use serde::{Deserialize, Serialize};

use crate::instance::Text;

/// The longest name of a service or an environment, in characters (RFC 1123 labels, Kubernetes "Object Names and IDs").
const MAX_LABEL: usize = 63;

/// A text that names nothing here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    #[error(
        "{text:?} is no {what}: use at most 63 lower-case letters, digits and hyphens, with a letter or digit first and last"
    )]
    Label { what: &'static str, text: String },
    #[error("{text:?} is no commit: give its first 7 to 40 hexadecimal digits, in lower case")]
    Commit { text: String },
}

fn label(what: &'static str, text: &str) -> Result<Text, InvalidName> {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = text.bytes().next().is_some_and(inner) && text.bytes().next_back().is_some_and(inner);
    if ends && text.len() <= MAX_LABEL && text.bytes().all(|byte| inner(byte) || byte == b'-') {
        Ok(text.into())
    } else {
        Err(InvalidName::Label { what, text: shown(text) })
    }
}

/// As much of a refused text as fits an error message.
fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

/// What a text newtype has beside its own check.
macro_rules! name {
    ($name:ident) => {
        impl $name {
            /// The name as it is written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<$name, InvalidName> {
                $name::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.as_str().to_owned()
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<$name, InvalidName> {
                $name::parse(text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

/// The name of a service: what is built from one repository, or a part of one, and deployed as one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceName(Text);

impl ServiceName {
    /// # Errors
    /// Not an RFC 1123 label: 1 to 63 lower-case letters, digits and hyphens, with a letter or digit at both ends.
    pub fn parse(text: &str) -> Result<ServiceName, InvalidName> {
        label("service name", text).map(ServiceName)
    }
}

name!(ServiceName);

/// The name of an environment, such as `dev`, `staging`, `prod`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EnvironmentName(Text);

impl EnvironmentName {
    /// # Errors
    /// Not an RFC 1123 label, as for [`ServiceName::parse`].
    pub fn parse(text: &str) -> Result<EnvironmentName, InvalidName> {
        label("environment name", text).map(EnvironmentName)
    }
}

name!(EnvironmentName);

/// A commit by its SHA-1, in full or by its first digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommitSha(Text);

impl CommitSha {
    /// # Errors
    /// Not 7 to 40 hexadecimal digits in lower case.
    pub fn parse(text: &str) -> Result<CommitSha, InvalidName> {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if (7..=40).contains(&text.len()) && text.bytes().all(digit) {
            Ok(CommitSha(text.into()))
        } else {
            Err(InvalidName::Commit { text: shown(text) })
        }
    }

    /// The first 7 digits, as people quote commits.
    pub fn short(&self) -> &str {
        self.0.get(..7).unwrap_or(&self.0)
    }

    /// Whether all 40 digits are known.
    pub fn is_full(&self) -> bool {
        self.0.len() == 40
    }

    /// Whether both may name the same commit: one begins with the other.
    pub fn matches(&self, other: &CommitSha) -> bool {
        self.0.starts_with(other.as_str()) || other.0.starts_with(self.as_str())
    }

    /// The one commit among `known` that this names, in full or by its first digits; `None` where none or several are meant.
    pub fn resolve<'a>(&self, known: impl IntoIterator<Item = &'a CommitSha>) -> Option<&'a CommitSha> {
        let mut matching = known.into_iter().filter(|other| other.0.starts_with(self.as_str()));
        let first = matching.next()?;
        matching.all(|other| other == first).then_some(first)
    }
}

name!(CommitSha);

/// The environments of an installation in the order that changes pass through them: dev, staging, prod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<EnvironmentName>", into = "Vec<EnvironmentName>")]
pub struct EnvironmentOrder(Vec<EnvironmentName>);

/// An environment is listed twice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the environment {0} is listed twice: name each once, in the order that changes pass through them")]
pub struct RepeatedEnvironment(pub EnvironmentName);

impl EnvironmentOrder {
    /// # Errors
    /// An environment that is listed twice.
    pub fn new(names: Vec<EnvironmentName>) -> Result<EnvironmentOrder, RepeatedEnvironment> {
        for (position, name) in names.iter().enumerate() {
            if names[..position].contains(name) {
                return Err(RepeatedEnvironment(name.clone()));
            }
        }
        Ok(EnvironmentOrder(names))
    }

    /// The names, first environment first.
    pub fn names(&self) -> &[EnvironmentName] {
        &self.0
    }

    /// The environment that changes come from; `None` for the first one and for one that is not listed.
    pub fn before(&self, name: &EnvironmentName) -> Option<&EnvironmentName> {
        let position = self.0.iter().position(|other| other == name)?;
        self.0.get(position.checked_sub(1)?)
    }
}

impl TryFrom<Vec<EnvironmentName>> for EnvironmentOrder {
    type Error = RepeatedEnvironment;

    fn try_from(names: Vec<EnvironmentName>) -> Result<EnvironmentOrder, RepeatedEnvironment> {
        EnvironmentOrder::new(names)
    }
}

impl From<EnvironmentOrder> for Vec<EnvironmentName> {
    fn from(order: EnvironmentOrder) -> Vec<EnvironmentName> {
        order.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_labels() {
        for right in ["a", "users", "users-api-2", "0", &"a".repeat(63)] {
            assert_eq!(ServiceName::parse(right).unwrap().as_str(), right);
            assert!(EnvironmentName::parse(right).is_ok());
        }
        for wrong in ["", "-a", "a-", "A", "a_b", "a.b", "a/b", "ä", "a b", &"a".repeat(64)] {
            assert!(ServiceName::parse(wrong).is_err(), "{wrong}");
            assert!(EnvironmentName::parse(wrong).is_err(), "{wrong}");
        }
        let error = EnvironmentName::parse("Prod").unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"Prod\" is no environment name: use at most 63 lower-case letters, digits and hyphens, with a letter or digit first and last"
        );
    }

    #[test]
    fn a_commit_is_found_by_its_first_digits() {
        let sha = |text: &str| CommitSha::parse(text).unwrap();
        let (one, other) = (sha("abcdef0123"), sha("abcdef0999"));
        let known = [one.clone(), other.clone(), one.clone()];
        assert_eq!(sha("abcdef01").resolve(&known), Some(&one));
        assert_eq!(sha("abcdef0").resolve(&known), None, "several are meant");
        assert_eq!(sha("1234567").resolve(&known), None);
        assert_eq!(sha("abcdef01234").resolve(&known), None, "no known commit begins like that");
        assert!(one.matches(&sha("abcdef0")) && sha("abcdef0").matches(&one) && !one.matches(&other));
        assert_eq!(one.short(), "abcdef0");
        for wrong in ["", "abcdef", "ABCDEF0", "abcdefg", &"a".repeat(41)] {
            assert!(CommitSha::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn environments_are_ordered_and_listed_once() {
        let name = |text: &str| EnvironmentName::parse(text).unwrap();
        let order = EnvironmentOrder::new(vec![name("dev"), name("staging"), name("prod")]).unwrap();
        assert_eq!(order.before(&name("prod")), Some(&name("staging")));
        assert_eq!(order.before(&name("dev")), None);
        assert_eq!(order.before(&name("other")), None);
        assert_eq!(
            EnvironmentOrder::new(vec![name("dev"), name("dev")]),
            Err(RepeatedEnvironment(name("dev")))
        );
    }
}
