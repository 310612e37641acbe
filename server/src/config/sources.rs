//! The part of the configuration that says where deliveries are read: GitHub, GitOps repositories, clusters.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use delivery::git::{GitopsConfig, RepositoryAt};
use delivery::kubernetes::{Access, Cluster, Placing};
use delivery::{GithubAuth, GithubConfig, Secret};

use super::layers::{ConfigError, Layers, Section};

/// How long to wait between two looks at a source that is polled.
pub(super) const POLL: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(86_400);
/// The same of a GitOps repository, which may be on this disk.
const GITOPS_POLL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);
/// The branch of a GitOps repository, where nothing else is said.
const BRANCH: &str = "main";

pub(super) fn github(layers: &Layers) -> Result<GithubConfig, ConfigError> {
    let token = layers.text("delivery.github_token")?;
    let app_id = layers.text("delivery.github_app_id")?;
    let auth = match (token, app_id) {
        (Some(_), Some(_)) => {
            return Err(layers.invalid(
                "delivery.github_app_id",
                "is set beside delivery.github_token: GitHub is asked as one of them",
            ));
        }
        (Some(token), None) => GithubAuth::Token(Secret::new(token)),
        (None, Some(id)) => GithubAuth::App {
            app_id: number(layers, "delivery.github_app_id", &id)?,
            private_key: Secret::new(layers.text("delivery.github_app_key")?.ok_or_else(|| {
                layers
                    .invalid("delivery.github_app_id", "needs delivery.github_app_key, the App's private key")
            })?),
            installation: layers
                .text("delivery.github_app_installation")?
                .map(|id| number(layers, "delivery.github_app_installation", &id))
                .transpose()?,
        },
        (None, None) => GithubAuth::None,
    };
    Ok(GithubConfig {
        webhook_secret: None,
        api_url: layers.text("delivery.github_api_url")?.unwrap_or_else(|| GithubConfig::API_URL.to_owned()),
        auth,
        poll_interval: layers.duration("delivery.github_poll", POLL)?,
        deployments: layers.boolean("delivery.github_deployments")?,
        report_deployments: layers.boolean("delivery.github_report_deployments")?,
    })
}

fn number(layers: &Layers, path: &'static str, text: &str) -> Result<u64, ConfigError> {
    text.parse().map_err(|_| layers.invalid(path, "is no number: it is on the App's page"))
}

pub(super) fn placing(layers: &Layers) -> Result<Placing, ConfigError> {
    let name_pattern = layers.text("delivery.application")?;
    let both = |pattern: &String| pattern.contains("{service}") && pattern.contains("{environment}");
    if name_pattern.as_ref().is_some_and(|pattern| !both(pattern)) {
        return Err(layers.invalid("delivery.application", "has to hold {service} and {environment}"));
    }
    Ok(Placing {
        service_label: layers.text("delivery.service_label")?,
        environment_label: layers.text("delivery.environment_label")?,
        name_pattern,
        ..Placing::default()
    })
}

pub(super) fn gitops(layers: &Layers) -> Result<Vec<GitopsConfig>, ConfigError> {
    let mut repositories: Vec<GitopsConfig> = Vec::new();
    for section in &layers.sections("gitops")? {
        let one = gitops_repository(section)?;
        if repositories.iter().any(|known| known.name == one.name) {
            return Err(section.error("name", &format!("{:?} is taken by another repository", one.name)));
        }
        repositories.push(one);
    }
    Ok(repositories)
}

fn gitops_repository(section: &Section<'_>) -> Result<GitopsConfig, ConfigError> {
    section.only(&[
        "name",
        "repository",
        "path",
        "branch",
        "files",
        "applications",
        "tag_key",
        "labels",
        "reviewers",
        "poll",
    ])?;
    let (repository, path) = (section.text("repository")?, section.text("path")?);
    let at = match (&repository, path) {
        (Some(repository), None) if is_full_name(repository) => RepositoryAt::Github(repository.clone()),
        (Some(_), None) => return Err(section.error("repository", "is not written owner/name")),
        (None, Some(path)) => RepositoryAt::Local(PathBuf::from(path)),
        (Some(_), Some(_)) => {
            return Err(section.error("path", "is set beside repository: it is one of them"));
        }
        (None, None) => {
            return Err(
                section.error("repository", "is missing: owner/name on GitHub, or path for one on disk")
            );
        }
    };
    let name = match section.text("name")?.or(repository) {
        Some(name) => name,
        None => return Err(section.error("name", "is missing: a repository on disk is shown by it")),
    };
    let files = section.list("files")?;
    if files.is_empty() {
        return Err(
            section.error("files", "is missing: the files that set tags, with {service} and {environment}")
        );
    }
    Ok(GitopsConfig {
        name,
        at,
        branch: section.text("branch")?.unwrap_or_else(|| BRANCH.to_owned()),
        files,
        applications: section.list("applications")?,
        labels: section.list("labels")?,
        reviewers: section.list("reviewers")?,
        tag_key: section.text("tag_key")?.unwrap_or_else(|| GitopsConfig::TAG_KEY.to_owned()),
        poll: section.duration("poll", GITOPS_POLL)?.unwrap_or(GitopsConfig::POLL),
    })
}

/// Whether a text is `owner/name`.
pub(super) fn is_full_name(text: &str) -> bool {
    text.split_once('/')
        .is_some_and(|(owner, name)| !owner.is_empty() && !name.is_empty() && !name.contains('/'))
}

pub(super) fn clusters(
    layers: &Layers,
    github: &GithubConfig,
    gitops: &[GitopsConfig],
) -> Result<Vec<Cluster>, ConfigError> {
    let sections = layers.sections("clusters")?;
    let repositories: Vec<String> = gitops.iter().map(|one| url(github, one)).collect();
    let mut clusters: Vec<Cluster> = Vec::new();
    for section in &sections {
        let name = section.required("name")?;
        if clusters.iter().any(|known| known.name == name) {
            return Err(section.error("name", &format!("{name:?} is taken by another cluster")));
        }
        clusters.push(Cluster {
            one_of_several: sections.len() > 1,
            repositories: repositories.clone(),
            ..cluster(section, name)?
        });
    }
    Ok(clusters)
}

fn cluster(section: &Section<'_>, name: String) -> Result<Cluster, ConfigError> {
    section.only(&[
        "name",
        "context",
        "kubeconfig",
        "in_cluster",
        "eks_cluster_arn",
        "role_arn",
        "argocd_namespace",
        "argocd_url",
        "application_namespaces",
        "namespaces",
        "destinations",
        "updater_interval",
    ])?;
    let of_cluster = Cluster::new(name, access(section)?);
    Ok(Cluster {
        argocd_namespace: section.text("argocd_namespace")?,
        application_namespaces: section.list("application_namespaces")?,
        namespaces: section.list("namespaces")?,
        destinations: section.list("destinations")?,
        argocd_url: section.text("argocd_url")?,
        updater_interval: section.duration("updater_interval", POLL)?.unwrap_or(of_cluster.updater_interval),
        ..of_cluster
    })
}

fn access(section: &Section<'_>) -> Result<Access, ConfigError> {
    let (context, path) = (section.text("context")?, section.text("kubeconfig")?.map(PathBuf::from));
    let (arn, role) = (section.text("eks_cluster_arn")?, section.text("role_arn")?);
    let in_cluster = section.boolean("in_cluster")?;
    match (arn, in_cluster, context.is_some() || path.is_some()) {
        (Some(arn), false, false) if arn.starts_with("arn:") => Ok(Access::Eks { arn, role }),
        (Some(_), false, false) => Err(section.error("eks_cluster_arn", "is no ARN")),
        (None, _, _) if role.is_some() => {
            Err(section.error("role_arn", "is assumed for an EKS cluster: name it by eks_cluster_arn"))
        }
        (None, true, false) => Ok(Access::InCluster),
        (None, false, _) => Ok(Access::Kubeconfig { path, context }),
        (Some(_), true, _) | (Some(_), _, true) | (None, true, true) => Err(section.error(
            "name",
            "is reached in more than one way: choose one of context with kubeconfig, in_cluster and eks_cluster_arn",
        )),
    }
}

/// Where a GitOps repository is, as Applications name it.
fn url(github: &GithubConfig, gitops: &GitopsConfig) -> String {
    let api = github.api_url.as_str();
    let enterprise = api.strip_suffix("/api/v3").or(api.strip_suffix("/api/v3/"));
    let host = enterprise.unwrap_or("https://github.com");
    match &gitops.at {
        RepositoryAt::Github(name) => format!("{host}/{name}"),
        RepositoryAt::Local(path) => format!("file://{}", path.display()),
    }
}
