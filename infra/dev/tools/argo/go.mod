// Argo CD, its Image Updater and Argo Rollouts, whose definitions of their kinds the tests' Kubernetes API server is given. Nothing
// of them is built: go.sum holds no more than what these modules themselves must hash to.
module tollgate.invalid/tools/argo

go 1.26.3

require (
	github.com/argoproj-labs/argocd-image-updater v1.0.0
	github.com/argoproj/argo-cd/v3 v3.5.7
	github.com/argoproj/argo-rollouts v1.10.1
)
