//! Amazon ECR as a source: the images in one registry, read in rounds, and its events, as EventBridge delivers them.

mod api;
mod event;
mod image;
mod intake;
mod manifest;
mod memory;
mod name;
mod problem;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use domain::delivery::{ImageState, ServiceName};
use futures::future::join_all;
use jiff::Timestamp;

use self::api::{Api, Outcome};
use self::memory::Memory;
use crate::reader::{Checked, ReadError, Reader, Told};

pub use event::pushed;
pub use name::{ImageName, NotEcr, Registry};

/// Repositories that are read at the same time. ECR allows many more calls a second, but they are shared by all of an account.
const AT_ONCE: usize = 4;
/// As many problems as one line can hold.
const NAMED_PROBLEMS: usize = 3;

/// The image of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceImage {
    pub service: ServiceName,
    pub image: ImageName,
}

/// The registries that images are in, each of which takes a reader.
pub fn registries(images: &[ServiceImage]) -> BTreeSet<Registry> {
    images.iter().map(|image| image.image.registry.clone()).collect()
}

/// What one reader reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EcrConfig {
    pub registry: Registry,
    /// Those in other registries are left out.
    pub images: Vec<ServiceImage>,
    /// What is assumed to read it, where the credentials are another account's.
    pub role: Option<Role>,
    /// How long to wait between two rounds.
    pub poll: Duration,
}

/// A role that is assumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    pub arn: String,
    pub external_id: Option<String>,
}

/// Reads a registry.
#[derive(Debug)]
pub struct EcrReader {
    api: Api,
    poll: Duration,
    repositories: Vec<Repository>,
}

/// A repository that is read, with whose image is in it.
#[derive(Debug)]
struct Repository {
    name: ImageName,
    services: Vec<ServiceName>,
    memory: Memory,
}

impl EcrReader {
    /// A reader of `config.registry`. The region is the registry's, whichever `settings` name.
    pub async fn new(settings: &aws::Settings, config: EcrConfig) -> EcrReader {
        let mut repositories: BTreeMap<ImageName, Vec<ServiceName>> = BTreeMap::new();
        for image in config.images.iter().filter(|image| image.image.registry == config.registry) {
            repositories.entry(image.image.clone()).or_default().push(image.service.clone());
        }
        let repositories = repositories.into_iter().map(|(name, services)| Repository {
            name,
            services,
            memory: Memory::default(),
        });
        EcrReader {
            repositories: repositories.collect(),
            api: Api::new(settings, config.registry, config.role).await,
            poll: config.poll,
        }
    }
}

/// Looks up single images of services, as they are now.
#[derive(Debug, Default)]
pub struct EcrImages {
    apis: BTreeMap<Registry, Api>,
    images: Vec<ServiceImage>,
}

impl EcrImages {
    /// A look into the registries that the images are in, each through the role of its account where one is named.
    pub async fn new(
        settings: &aws::Settings,
        images: Vec<ServiceImage>,
        roles: &BTreeMap<String, Role>,
    ) -> EcrImages {
        let mut apis = BTreeMap::new();
        for registry in registries(&images) {
            let role = roles.get(&registry.account).cloned();
            apis.insert(registry.clone(), Api::new(settings, registry, role).await);
        }
        EcrImages { apis, images }
    }

    /// The image of a tag, its state and its digest; `None` where the registry has none.
    ///
    /// # Errors
    /// Why no registry tells.
    pub async fn tagged(
        &self,
        service: &ServiceName,
        tag: &str,
    ) -> Result<Option<(ImageState, String)>, String> {
        let image = self.images.iter().find(|image| image.service == *service);
        let found = image.and_then(|image| Some((&image.image, self.apis.get(&image.image.registry)?)));
        let Some((name, api)) = found else {
            return Err(format!("no registry of {service} is configured; name its image in [[services]]."));
        };
        api.tagged(&name.repository, tag).await
    }
}

#[async_trait]
impl Reader for EcrReader {
    async fn read(&mut self, now: Timestamp) -> Result<Told, ReadError> {
        let mut outcomes: Vec<Outcome> = Vec::new();
        for repositories in self.repositories.chunks(AT_ONCE) {
            let reads = repositories.iter().map(|one| self.api.read(&one.name.repository, &one.memory));
            outcomes.extend(join_all(reads).await);
        }
        // Nothing is awaited from here on: what is remembered as told is told.
        let mut told = Told::default();
        let mut failed = 0;
        for (repository, outcome) in self.repositories.iter_mut().zip(outcomes) {
            told.problems.extend(outcome.problems);
            match outcome.reading {
                Some(reading) => {
                    let Repository { name, services, memory } = repository;
                    told.images.extend(memory.tell(name, services, reading, now));
                }
                None => failed += 1,
            }
        }
        let mut seen = BTreeSet::new();
        told.problems.retain(|problem| seen.insert(problem.clone()));
        if failed > 0 && failed == self.repositories.len() {
            return Err(ReadError::new(summary(&told.problems)));
        }
        Ok(told)
    }

    fn pause(&self) -> Duration {
        self.poll
    }

    async fn check(&mut self) -> Vec<Checked> {
        let mut checked = Vec::new();
        for Repository { name, .. } in &self.repositories {
            checked.extend(self.api.check(name).await);
        }
        checked
    }
}

/// Several problems as one line.
fn summary(problems: &[String]) -> String {
    let mut text = problems.iter().take(NAMED_PROBLEMS).cloned().collect::<Vec<String>>().join(" ");
    match problems.len().saturating_sub(NAMED_PROBLEMS) {
        0 => {}
        1 => text.push_str(" And another problem."),
        more => text.push_str(&format!(" And {more} more problems.")),
    }
    text
}
