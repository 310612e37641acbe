//! The Kubernetes API server of the tests: its programs, and the definitions of the kinds that it is given.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::Missing;
use super::go::{Files, Named, Tool};

const API_SERVER: Tool = Tool {
    name: "kube-apiserver",
    module: "infra/dev/tools/kubernetes",
    package: "k8s.io/kubernetes/cmd/kube-apiserver",
    version: Some("k8s.io/component-base/version.gitVersion"),
};

const ETCD: Tool = Tool {
    name: "etcd",
    module: "infra/dev/tools/etcd",
    package: "go.etcd.io/etcd/server/v3",
    version: None,
};

const ARGO_CD: &str = "github.com/argoproj/argo-cd/v3";
const IMAGE_UPDATER: &str = "github.com/argoproj-labs/argocd-image-updater";
const ROLLOUTS: &str = "github.com/argoproj/argo-rollouts";

/// As they are published: what the server lets through is what it lets through in a cluster.
const DEFINITIONS: Files = Files {
    name: "argo-definitions",
    module: "infra/dev/tools/argo",
    files: &[
        (ARGO_CD, "manifests/crds/application-crd.yaml"),
        (ARGO_CD, "manifests/crds/appproject-crd.yaml"),
        (IMAGE_UPDATER, "config/crd/bases/argocd-image-updater.argoproj.io_imageupdaters.yaml"),
        (ROLLOUTS, "manifests/crds/analysis-run-crd.yaml"),
        (ROLLOUTS, "manifests/crds/rollout-crd.yaml"),
    ],
    named: Named::AsItIs,
};

/// What a test starts a Kubernetes API server with.
pub(crate) struct Kubernetes {
    pub(crate) api_server: PathBuf,
    pub(crate) etcd: PathBuf,
    /// A directory of CustomResourceDefinitions.
    pub(crate) definitions: PathBuf,
}

impl Kubernetes {
    pub(crate) fn provide(missing: Missing) -> Result<Self> {
        Ok(Self {
            definitions: DEFINITIONS.fetch(missing)?,
            etcd: ETCD.build(missing)?,
            api_server: API_SERVER.build(missing)?,
        })
    }

    /// Tells the tests where they are.
    pub(crate) fn environment(&self, command: &mut Command) {
        command
            .env("TOLLGATE_TEST_KUBE_APISERVER", &self.api_server)
            .env("TOLLGATE_TEST_ETCD", &self.etcd)
            .env("TOLLGATE_TEST_CRDS", &self.definitions);
    }
}
