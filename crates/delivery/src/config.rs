//! What is delivered: services, the environments that changes pass through, and who may tell of them.

use std::fmt;
use std::time::Duration;

use domain::delivery::{EnvironmentName, EnvironmentOrder, ServiceName};
use jiff::{SignedDuration, Timestamp};

use crate::git::GitopsConfig;
use crate::gitops::FreezeWindow;
use crate::kubernetes::{Cluster, Placing};

/// What the console follows; without services it follows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryConfig {
    /// In the order that changes pass through them.
    pub environments: EnvironmentOrder,
    pub services: Vec<Service>,
    pub github: GithubConfig,
    /// The repositories that desired tags live in.
    pub gitops: Vec<GitopsConfig>,
    pub clusters: Vec<Cluster>,
    /// By what Applications and workloads are told to be of a service in an environment; services and environments are filled in.
    pub placing: Placing,
    /// How environments are changed; those that are not named here by anybody, and by nobody but those who may release.
    pub rules: Vec<EnvironmentRules>,
    /// When environments are closed for changes.
    pub freeze_windows: Vec<FreezeWindow>,
    /// How long to wait between two looks at a registry.
    pub registry_poll: Duration,
    /// After how long what was last seen of an environment no longer counts.
    pub stale_after: SignedDuration,
}

/// How an environment is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentRules {
    pub environment: EnvironmentName,
    /// Whether somebody else than who asks has to agree.
    pub approval: bool,
    /// Whether what may be merged is, without somebody saying so.
    pub auto_merge: bool,
    /// The EKS cluster whose nodes the policy looks at before something is promoted into the environment; without one it is not asked.
    pub cluster: Option<ClusterArn>,
}

/// The name of an EKS cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterArn {
    pub account: String,
    pub region: String,
    pub name: String,
}

impl ClusterArn {
    /// Reads `arn:aws:eks:REGION:ACCOUNT:cluster/NAME`, of any partition; `None` of anything else.
    pub fn parse(text: &str) -> Option<ClusterArn> {
        let [arn, _, service, region, account, resource] = text.split(':').collect::<Vec<_>>()[..] else {
            return None;
        };
        let name =
            resource.strip_prefix("cluster/").filter(|name| !name.is_empty() && !name.contains('/'))?;
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        (arn == "arn" && service == "eks" && is_account && !region.is_empty()).then(|| ClusterArn {
            account: account.into(),
            region: region.into(),
            name: name.into(),
        })
    }
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

impl Service {
    /// A service of which nothing is known but its name.
    pub fn new(name: ServiceName) -> Service {
        Service {
            name,
            repository: None,
            image: None,
            branch: Service::BRANCH.to_owned(),
            workflows: Vec::new(),
        }
    }

    /// The branch that is delivered, where nothing else is said.
    pub const BRANCH: &str = "main";
}

/// GitHub as a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GithubConfig {
    /// What webhooks are signed with; without one they are refused.
    pub webhook_secret: Option<Secret>,
    /// Where the REST API is; of GitHub Enterprise Server `https://HOST/api/v3`.
    pub api_url: String,
    pub auth: GithubAuth,
    /// How long to wait between two looks at a repository. Webhooks tell sooner; polling finds what they missed.
    pub poll_interval: Duration,
    /// Whether deployments on GitHub are polled as what an environment serves. GitHub makes one for every job that names an
    /// environment, be it only for an approval, so that this is asked for rather than assumed.
    pub deployments: bool,
    /// Whether GitHub is told, as deployments, where commits are live.
    pub report_deployments: bool,
}

/// As whom the API is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum GithubAuth {
    /// As nobody: public repositories alone, 60 requests an hour.
    #[default]
    None,
    /// By a personal access token.
    Token(Secret),
    /// As a GitHub App.
    App {
        app_id: u64,
        /// In PEM, as GitHub hands it out.
        private_key: Secret,
        /// Where there is but one; otherwise each repository is asked for its own.
        installation: Option<u64>,
    },
}

impl GithubConfig {
    /// The address of the API of github.com.
    pub const API_URL: &str = "https://api.github.com";
    /// How long to wait between two looks at a repository, where nothing else is said.
    pub const POLL_INTERVAL: Duration = Duration::from_secs(300);
}

impl Default for GithubConfig {
    fn default() -> GithubConfig {
        GithubConfig {
            webhook_secret: None,
            api_url: GithubConfig::API_URL.to_owned(),
            auth: GithubAuth::None,
            poll_interval: GithubConfig::POLL_INTERVAL,
            deployments: false,
            report_deployments: false,
        }
    }
}

/// A text that is in no log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: String) -> Secret {
        Secret(text)
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
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

    /// How an environment is changed.
    pub fn rules(&self, environment: &EnvironmentName) -> EnvironmentRules {
        let named = self.rules.iter().find(|rules| rules.environment == *environment);
        named.cloned().unwrap_or_else(|| EnvironmentRules {
            environment: environment.clone(),
            approval: false,
            auto_merge: false,
            cluster: None,
        })
    }

    /// The window that an environment is closed by now, with its end.
    pub fn closed(
        &self,
        environment: &EnvironmentName,
        now: Timestamp,
    ) -> Option<(String, Option<Timestamp>)> {
        let closed = self.freeze_windows.iter().filter(|window| window.environments.contains(environment));
        closed
            .filter_map(|window| Some((window.name.clone(), Some(window.closed_until(now)?))))
            .max_by_key(|(_, end)| *end)
    }

    pub fn service(&self, name: &ServiceName) -> Option<&Service> {
        self.services.iter().find(|service| service.name == *name)
    }
}
