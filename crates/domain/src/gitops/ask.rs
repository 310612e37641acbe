//! What is asked for.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::audit::MAX_REASON;
use crate::delivery::{EnvironmentName, EnvironmentOrder, Place, ServiceName};
use crate::time::Timestamp;

/// The longest tag of an image (OCI distribution specification, "Pulling manifests").
const MAX_TAG: usize = 128;

/// An operation as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Ask {
    /// Nothing new may come to these places.
    Freeze {
        places: BTreeSet<Place>,
        /// When it is to be taken back by itself; `None` is when somebody does.
        #[serde(default)]
        until: Option<Timestamp>,
        /// The one tag that may come all the same.
        #[serde(default)]
        bypass: Option<String>,
    },
    /// What was frozen or held may change again.
    Resume { places: BTreeSet<Place> },
    /// The tags of one environment come to the next.
    Promote { services: BTreeSet<ServiceName>, from: EnvironmentName, to: EnvironmentName },
    /// Earlier tags come back, and the updater is kept from newer ones.
    Revert { environment: EnvironmentName, returns: Vec<Return> },
}

/// A service that goes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Return {
    pub service: ServiceName,
    /// The tag; `None` is the one that was there before the present one.
    #[serde(default)]
    pub tag: Option<String>,
}

/// The kinds of operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AskKind {
    Freeze,
    Resume,
    Promote,
    Revert,
}

impl AskKind {
    pub fn as_str(self) -> &'static str {
        match self {
            AskKind::Freeze => "freeze",
            AskKind::Resume => "resume",
            AskKind::Promote => "promote",
            AskKind::Revert => "revert",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            AskKind::Freeze => "Freeze",
            AskKind::Resume => "Resume",
            AskKind::Promote => "Promote",
            AskKind::Revert => "Revert",
        }
    }
}

/// Why something cannot be asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    #[error("No service is named: choose at least one.")]
    Nothing,
    #[error("{0} is no environment here: name one of {1}.")]
    UnknownEnvironment(EnvironmentName, String),
    #[error("{service} is not followed here: name one that `tollgate delivery status` shows.")]
    UnknownService { service: ServiceName },
    #[error("{to} does not come right after {from}: promote from one environment to the next.")]
    NotNeighbours { from: EnvironmentName, to: EnvironmentName },
    #[error("It would end at {until}, which has passed: name a later time.")]
    Past { until: Timestamp },
    #[error("{tag:?} is no tag of an image: letters, digits, `_`, `.` and `-`, at most {MAX_TAG}.")]
    Tag { tag: String },
    #[error("{service} is named twice.")]
    Twice { service: ServiceName },
    #[error("A reason is missing: say why, for those who meet it.")]
    NoReason,
    #[error("The reason is longer than {MAX_REASON} bytes.")]
    LongReason,
}

impl Ask {
    pub fn kind(&self) -> AskKind {
        match self {
            Ask::Freeze { .. } => AskKind::Freeze,
            Ask::Resume { .. } => AskKind::Resume,
            Ask::Promote { .. } => AskKind::Promote,
            Ask::Revert { .. } => AskKind::Revert,
        }
    }

    /// What it changes.
    pub fn places(&self) -> BTreeSet<Place> {
        match self {
            Ask::Freeze { places, .. } | Ask::Resume { places } => places.clone(),
            Ask::Promote { services, to, .. } => services
                .iter()
                .map(|service| Place { service: service.clone(), environment: to.clone() })
                .collect(),
            Ask::Revert { environment, returns } => returns
                .iter()
                .map(|one| Place { service: one.service.clone(), environment: environment.clone() })
                .collect(),
        }
    }

    /// Whether it can be asked for at all: of services and environments that there are, with a reason.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(
        &self,
        order: &EnvironmentOrder,
        is_service: impl Fn(&ServiceName) -> bool,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), AskError> {
        let places = self.places();
        if places.is_empty() {
            return Err(AskError::Nothing);
        }
        let environments = places.iter().map(|place| &place.environment);
        let source = match self {
            Ask::Promote { from, .. } => Some(from),
            Ask::Freeze { .. } | Ask::Resume { .. } | Ask::Revert { .. } => None,
        };
        for environment in environments.chain(source) {
            if !order.names().contains(environment) {
                let names: Vec<&str> = order.names().iter().map(EnvironmentName::as_str).collect();
                return Err(AskError::UnknownEnvironment(environment.clone(), names.join(", ")));
            }
        }
        if let Some(place) = places.iter().find(|place| !is_service(&place.service)) {
            return Err(AskError::UnknownService { service: place.service.clone() });
        }
        match self {
            Ask::Freeze { until, bypass, .. } => {
                if let Some(until) = until.filter(|until| *until <= now) {
                    return Err(AskError::Past { until });
                }
                bypass.as_deref().map_or(Ok(()), check_tag)?;
            }
            Ask::Promote { from, to, .. } => {
                let is_next = order.names().windows(2).any(|pair| pair == [from.clone(), to.clone()]);
                if !is_next {
                    return Err(AskError::NotNeighbours { from: from.clone(), to: to.clone() });
                }
            }
            Ask::Revert { returns, .. } => {
                for (number, one) in returns.iter().enumerate() {
                    one.tag.as_deref().map_or(Ok(()), check_tag)?;
                    if returns[..number].iter().any(|other| other.service == one.service) {
                        return Err(AskError::Twice { service: one.service.clone() });
                    }
                }
            }
            Ask::Resume { .. } => {}
        }
        match reason.trim() {
            "" => Err(AskError::NoReason),
            long if long.len() > MAX_REASON => Err(AskError::LongReason),
            _ => Ok(()),
        }
    }
}

/// Whether a text is a tag (OCI distribution specification: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`).
fn check_tag(tag: &str) -> Result<(), AskError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let begins = tag.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric() || first == b'_');
    if begins && tag.len() <= MAX_TAG && tag.bytes().all(fits) {
        Ok(())
    } else {
        Err(AskError::Tag { tag: tag.chars().take(MAX_TAG).collect() })
    }
}
