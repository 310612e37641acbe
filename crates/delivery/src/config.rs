//! What is delivered: services, the environments that changes pass through, and who may tell of them.

use std::fmt;

use domain::delivery::{EnvironmentOrder, ServiceName};
use jiff::SignedDuration;

/// What the console follows; without services it follows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryConfig {
    /// In the order that changes pass through them.
    pub environments: EnvironmentOrder,
    pub services: Vec<Service>,
    pub github: GithubConfig,
    /// After how long what was last seen of an environment no longer counts.
    pub stale_after: SignedDuration,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    pub name: ServiceName,
    /// The repository on GitHub that it is built from, as `owner/name`.
    pub repository: Option<String>,
    /// The repository of its image, with the registry's host; any whose last part is the service's name where none is named.
    pub image: Option<String>,
    /// The branch that is delivered.
    pub branch: String,
    /// The names of the workflows that are its own, in a repository that has several services; all of them where there are none.
    pub workflows: Vec<String>,
}

/// GitHub as a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GithubConfig {
    /// What webhooks are signed with; without one they are refused.
    pub webhook_secret: Option<Secret>,
}

/// A text that is in no log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: String) -> Secret {
        Secret(text)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl DeliveryConfig {
    /// Whether anything is followed.
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    pub fn service(&self, name: &ServiceName) -> Option<&Service> {
        self.services.iter().find(|service| service.name == *name)
    }
}
