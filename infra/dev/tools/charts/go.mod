// Projects with Helm charts of their own, whose values files the tests edit. Nothing of them is built: go.sum holds no more than what
// these modules themselves must hash to.
module tollgate.invalid/tools/charts

go 1.26.6

require (
	github.com/cert-manager/cert-manager v1.21.2
	github.com/dapr/dapr v1.14.0
	github.com/grafana/loki/v3 v3.7.8
	github.com/kyverno/kyverno v1.19.1
	istio.io/istio v0.0.0-20260827124520-eed52ebb66ad
	k8s.io/ingress-nginx v0.0.0-20240708192948-52c50467d67d
)
