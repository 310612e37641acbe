//! Which cluster is read, and how it is reached.

use std::path::PathBuf;
use std::time::Duration;

/// What the reader of one cluster is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    pub name: String,
    pub access: Access,
    /// Where Argo CD runs; `None` where it does not run in this cluster.
    pub argocd_namespace: Option<String>,
    /// Further namespaces that have Applications (Argo CD, "Applications in any namespace").
    pub application_namespaces: Vec<String>,
    /// Where workloads are looked for. Where none is named: in all, or if that is not allowed, where Applications deploy to.
    pub namespaces: Vec<String>,
    /// The server URLs and names by which an Argo CD elsewhere names this cluster.
    pub destinations: Vec<String>,
    /// URLs of the GitOps repositories: of an Application with several sources, the one from there holds the desired tag.
    pub repositories: Vec<String>,
    /// Argo CD's own page, for links.
    pub argocd_url: Option<String>,
    /// Image Updater's `--interval`.
    pub updater_interval: Duration,
    /// Whether workloads are told with the cluster's name, as several clusters are read.
    pub one_of_several: bool,
    pub pace: Pace,
}

/// How a cluster is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// By a kubeconfig: the one that kubectl would take, and its current context, unless they are named.
    Kubeconfig { path: Option<PathBuf>, context: Option<String> },
    /// By the service account of the pod that Tollgate runs in.
    InCluster,
    /// An EKS cluster, by its ARN and the identity that AWS knows, or a role that is assumed first.
    Eks { arn: String, role: Option<String> },
}

/// How long the reader waits for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// For the first list of everything.
    pub start: Duration,
    /// For something else than what was told last.
    pub quiet: Duration,
    /// After a change, for those that come with it.
    pub settle: Duration,
    /// For a watch that broke to be taken up again, before the cluster counts as not readable.
    pub tolerance: Duration,
    /// Before a resource that the cluster does not serve is looked for again.
    pub look_again: Duration,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            start: Duration::from_secs(45),
            quiet: Duration::from_secs(60),
            settle: Duration::from_millis(200),
            tolerance: Duration::from_secs(30),
            look_again: Duration::from_secs(180),
        }
    }
}

impl Cluster {
    /// A cluster without Argo CD.
    pub fn new(name: impl Into<String>, access: Access) -> Cluster {
        Cluster {
            name: name.into(),
            access,
            argocd_namespace: None,
            application_namespaces: Vec::new(),
            namespaces: Vec::new(),
            destinations: Vec::new(),
            repositories: Vec::new(),
            argocd_url: None,
            updater_interval: Duration::from_secs(120),
            one_of_several: false,
            pace: Pace::default(),
        }
    }
}
