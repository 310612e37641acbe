//! The readers that the configuration asks for.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::delivery::Source;

use crate::config::DeliveryConfig;
use crate::ecr::{self, EcrConfig, EcrReader, ImageName, ServiceImage};
use crate::git::GitReader;
use crate::github::{GithubClient, GithubError, GithubReader};
use crate::kubernetes::{Applications, ClusterReader, Placing};
use crate::{Followed, GithubAuth};

/// How AWS is asked, and as whom.
#[derive(Clone, Debug, Default)]
pub struct AwsAccess {
    pub settings: aws::Settings,
    /// The roles of accounts that are not the caller's, by account.
    pub roles: BTreeMap<String, ecr::Role>,
}

/// A reader for each cluster, GitOps repository and registry that is configured, and for each service's repository on GitHub where
/// somebody is named to ask as: what is public would be read at 60 requests an hour.
///
/// # Errors
/// GitHub's address, token or key cannot be used.
pub async fn readers(config: &DeliveryConfig, access: &AwsAccess) -> Result<Vec<Followed>, GithubError> {
    let github = GithubClient::new(&config.github)?;
    let services: Vec<_> = config.services.iter().map(|service| service.name.clone()).collect();
    let environments = config.environments.names();
    let mut readers = Vec::new();
    if !matches!(config.github.auth, GithubAuth::None) {
        let mut repositories: Vec<&String> =
            config.services.iter().filter_map(|service| service.repository.as_ref()).collect();
        repositories.sort_unstable();
        repositories.dedup_by(|one, other| one.eq_ignore_ascii_case(other));
        let shared = Arc::new(config.clone());
        readers.extend(repositories.into_iter().map(|repository| Followed {
            name: github_reader(repository),
            source: Source::Github,
            reader: Box::new(GithubReader::new(github.clone(), shared.clone(), repository.clone())),
        }));
    }
    readers.extend(config.gitops.iter().map(|gitops| Followed {
        name: format!("git/{}", gitops.name),
        source: Source::Git,
        reader: Box::new(GitReader::new(gitops.clone(), &github, &services, environments)),
    }));
    let images: Vec<ServiceImage> = config.images();
    for registry in ecr::registries(&images) {
        let role = access.roles.get(&registry.account).cloned();
        let read = EcrConfig {
            registry: registry.clone(),
            images: images.clone(),
            role,
            poll: config.registry_poll,
        };
        readers.push(Followed {
            name: format!("ecr/{}/{}", registry.account, registry.region),
            source: Source::Ecr,
            reader: Box::new(EcrReader::new(&access.settings, read).await),
        });
    }
    let applications = Applications::default();
    let placing = Placing { services, environments: environments.to_vec(), ..config.placing.clone() };
    readers.extend(config.clusters.iter().map(|cluster| Followed {
        name: format!("cluster/{}", cluster.name),
        source: Source::Kubernetes,
        reader: Box::new(ClusterReader::new(
            cluster.clone(),
            placing.clone(),
            access.settings.clone(),
            applications.clone(),
        )),
    }));
    Ok(readers)
}

/// What the reader of a repository on GitHub is called.
pub(crate) fn github_reader(repository: &str) -> String {
    format!("github/{repository}")
}

impl DeliveryConfig {
    /// The images that are in ECR.
    pub fn images(&self) -> Vec<ServiceImage> {
        let image = |service: &crate::Service| {
            let image = ImageName::parse(service.image.as_deref()?).ok()?;
            Some(ServiceImage { service: service.name.clone(), image })
        };
        self.services.iter().filter_map(image).collect()
    }
}
