//! The part of the configuration that says what is delivered where, and who may tell of it.

use std::time::Duration;

use delivery::{DeliveryConfig, GithubConfig, Secret, Service};
use domain::delivery::{EnvironmentName, EnvironmentOrder, ServiceName};

use super::layers::{ConfigError, Layers, Section};
use super::{signed, sources};

/// The shortest secret that webhooks are signed with.
const SHORTEST_SECRET: usize = 16;

pub(super) fn delivery_config(layers: &Layers) -> Result<DeliveryConfig, ConfigError> {
    let sections = layers.sections("services")?;
    let environments = environments(layers)?;
    if let (Some(first), true) = (sections.first(), environments.names().is_empty()) {
        return Err(first.error(
            "name",
            "is followed, but into no environment: set delivery.environments to their names, in the order that changes pass through them",
        ));
    }
    let mut services: Vec<Service> = Vec::with_capacity(sections.len());
    for section in &sections {
        let service = service(section)?;
        if services.iter().any(|known| known.name == service.name) {
            return Err(
                section.error("name", &format!("{:?} is taken by another service", service.name.as_str()))
            );
        }
        services.push(service);
    }
    let webhook_secret = layers.text("delivery.github_webhook_secret")?;
    if webhook_secret.as_ref().is_some_and(|secret| secret.len() < SHORTEST_SECRET) {
        return Err(layers.invalid("delivery.github_webhook_secret", "is shorter than 16 characters"));
    }
    let stale_after =
        layers.duration("delivery.stale_after", Duration::from_secs(60)..=Duration::from_secs(7 * 86_400))?;
    let github = sources::github(layers)?;
    let gitops = sources::gitops(layers)?;
    let clusters = sources::clusters(layers, &github, &gitops)?;
    Ok(DeliveryConfig {
        environments,
        services,
        github: GithubConfig { webhook_secret: webhook_secret.map(Secret::new), ..github },
        gitops,
        clusters,
        placing: sources::placing(layers)?,
        registry_poll: layers.duration("delivery.registry_poll", sources::POLL)?,
        stale_after: signed(stale_after),
    })
}

fn environments(layers: &Layers) -> Result<EnvironmentOrder, ConfigError> {
    let wrong =
        |problem: String| layers.invalid("delivery.environments", &format!("cannot be used: {problem}"));
    let names = layers.list("delivery.environments")?;
    let names: Result<Vec<_>, _> = names.iter().map(|name| EnvironmentName::parse(name)).collect();
    let names = names.map_err(|error| wrong(error.to_string()))?;
    EnvironmentOrder::new(names).map_err(|error| wrong(error.to_string()))
}

fn service(section: &Section<'_>) -> Result<Service, ConfigError> {
    section.only(&["name", "repository", "image", "branch", "workflows"])?;
    let name = section.required("name")?;
    let name = ServiceName::parse(&name)
        .map_err(|error| section.error("name", &format!("cannot be used: {error}")))?;
    let repository = section.text("repository")?;
    if repository.as_ref().is_some_and(|text| !sources::is_full_name(text)) {
        return Err(section.error("repository", "is not written owner/name"));
    }
    Ok(Service {
        name,
        repository,
        image: section.text("image")?,
        branch: section.text("branch")?.unwrap_or_else(|| Service::BRANCH.to_owned()),
        workflows: section.list("workflows")?,
    })
}
