//! The part of the configuration that says what is delivered where, and who may tell of it.

use std::time::Duration;

use delivery::gitops::{FreezeWindow, LONGEST_WINDOW};
use delivery::{ClusterArn, DeliveryConfig, EnvironmentRules, GithubConfig, Secret, Service};
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
        environments: environments.clone(),
        services,
        github: GithubConfig { webhook_secret: webhook_secret.map(Secret::new), ..github },
        gitops,
        clusters,
        rules: rules(layers, &environments)?,
        freeze_windows: freeze_windows(layers, &environments)?,
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

fn rules(layers: &Layers, order: &EnvironmentOrder) -> Result<Vec<EnvironmentRules>, ConfigError> {
    let mut rules: Vec<EnvironmentRules> = Vec::new();
    for section in &layers.sections("environments")? {
        section.only(&["name", "approval", "auto_merge", "eks_cluster_arn"])?;
        let environment = environment(section, "name", &section.required("name")?, order)?;
        if rules.iter().any(|known| known.environment == environment) {
            return Err(section.error("name", &format!("{:?} is there twice", environment.as_str())));
        }
        rules.push(EnvironmentRules {
            environment,
            approval: section.boolean("approval")?,
            auto_merge: section.boolean("auto_merge")?,
            cluster: match section.text("eks_cluster_arn")? {
                None => None,
                Some(arn) => Some(ClusterArn::parse(&arn).ok_or_else(|| {
                    section.error("eks_cluster_arn", "is not written arn:aws:eks:REGION:ACCOUNT:cluster/NAME")
                })?),
            },
        });
    }
    Ok(rules)
}

fn freeze_windows(layers: &Layers, order: &EnvironmentOrder) -> Result<Vec<FreezeWindow>, ConfigError> {
    let mut windows = Vec::new();
    for section in &layers.sections("freeze_windows")? {
        section.only(&["name", "environments", "rule", "duration"])?;
        let names = section.list("environments")?;
        let environments: Result<Vec<_>, _> =
            names.iter().map(|name| environment(section, "environments", name, order)).collect();
        let environments = match environments? {
            none if none.is_empty() => order.names().to_vec(),
            some => some,
        };
        let lasts = section
            .duration("duration", Duration::from_secs(60)..=LONGEST_WINDOW.unsigned_abs())?
            .ok_or_else(|| section.error("duration", "is missing: for how long it is closed, such as 62h"))?;
        let window = FreezeWindow::new(
            section.required("name")?,
            environments,
            &section.required("rule")?,
            signed(lasts),
        );
        windows.push(window.map_err(|error| section.error("rule", &error.to_string()))?);
    }
    Ok(windows)
}

/// An environment that a section names.
fn environment(
    section: &Section<'_>,
    key: &'static str,
    name: &str,
    order: &EnvironmentOrder,
) -> Result<EnvironmentName, ConfigError> {
    let known = order.names().iter().find(|known| known.as_str() == name);
    known
        .cloned()
        .ok_or_else(|| section.error(key, &format!("names {name:?}, which delivery.environments does not")))
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
