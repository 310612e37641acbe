//! Values files of Helm charts as they are published, for what edits such files.

use std::path::PathBuf;

use anyhow::Result;

use super::Missing;
use super::go::{Files, Named};

const CERT_MANAGER: &str = "github.com/cert-manager/cert-manager";
const DAPR: &str = "github.com/dapr/dapr";
const INGRESS_NGINX: &str = "k8s.io/ingress-nginx";
const ISTIO: &str = "istio.io/istio";
const KYVERNO: &str = "github.com/kyverno/kyverno";
const LOKI: &str = "github.com/grafana/loki/v3";

/// Written by hand, by different people: large and small, with comments of every kind.
const VALUES: Files = Files {
    name: "chart-values",
    module: "infra/dev/tools/charts",
    files: &[
        (CERT_MANAGER, "deploy/charts/cert-manager/values.yaml"),
        (CERT_MANAGER, "make/config/pebble/chart/values.yaml"),
        (CERT_MANAGER, "make/config/samplewebhook/chart/values.yaml"),
        (DAPR, "charts/dapr/charts/dapr_config/values.yaml"),
        (DAPR, "charts/dapr/charts/dapr_operator/values.yaml"),
        (DAPR, "charts/dapr/charts/dapr_placement/values.yaml"),
        (DAPR, "charts/dapr/charts/dapr_scheduler/values.yaml"),
        (DAPR, "charts/dapr/charts/dapr_sentry/values.yaml"),
        (DAPR, "charts/dapr/charts/dapr_sidecar_injector/values.yaml"),
        (DAPR, "charts/dapr/values.yaml"),
        (INGRESS_NGINX, "charts/ingress-nginx/values.yaml"),
        (INGRESS_NGINX, "hack/manifest-templates/provider/aws/nlb-with-tls-termination/values.yaml"),
        (INGRESS_NGINX, "hack/manifest-templates/provider/exoscale/values.yaml"),
        (INGRESS_NGINX, "test/e2e-image/namespace-overlays/topology/values.yaml"),
        (ISTIO, "manifests/addons/values-grafana.yaml"),
        (ISTIO, "manifests/addons/values-kiali.yaml"),
        (ISTIO, "manifests/addons/values-loki.yaml"),
        (ISTIO, "manifests/addons/values-prometheus.yaml"),
        (ISTIO, "manifests/charts/base/values.yaml"),
        (ISTIO, "manifests/charts/gateway/values.yaml"),
        (ISTIO, "manifests/charts/gateways/istio-egress/values.yaml"),
        (ISTIO, "manifests/charts/gateways/istio-ingress/values.yaml"),
        (ISTIO, "manifests/charts/istio-cni/values.yaml"),
        (ISTIO, "manifests/charts/istio-control/istio-discovery/values.yaml"),
        (ISTIO, "manifests/charts/ztunnel/values.yaml"),
        (ISTIO, "samples/ambient-argo/tag-chart/values.yaml"),
        (KYVERNO, "charts/kyverno-policies/values.yaml"),
        (KYVERNO, "charts/kyverno/charts/crds/values.yaml"),
        (KYVERNO, "charts/kyverno/charts/grafana/values.yaml"),
        (KYVERNO, "charts/kyverno/values.yaml"),
        (LOKI, "production/helm/loki/values.yaml"),
        (LOKI, "production/helm/meta-monitoring/values-chart-v3.yaml"),
        (LOKI, "production/helm/meta-monitoring/values.yaml"),
    ],
    named: Named::ByPath,
};

/// A directory of them.
pub(crate) fn values(missing: Missing) -> Result<PathBuf> {
    VALUES.fetch(missing)
}
