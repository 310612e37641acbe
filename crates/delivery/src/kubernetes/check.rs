//! What reading a cluster needs, asked of the cluster itself.

use std::collections::BTreeSet;

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::Client;
use kube::api::{Api, PostParams};

use super::config::Cluster;
use super::kind::{Found, Kind, Need};
use super::watch::{Problem, WatchId, Wrong, call, is_served};
use crate::reader::Checked;

/// What decides whether workloads are read in all namespaces. Not every cluster has Rollouts.
pub(super) const EVERYWHERE: [Kind; 3] = [Kind::Deployment, Kind::ReplicaSet, Kind::Pod];

/// Whether the cluster lets whoever asks do one thing.
pub(super) async fn is_allowed(
    client: &Client,
    need: Need,
    verb: &str,
    namespace: Option<&str>,
) -> Result<bool, Problem> {
    let attributes = ResourceAttributes {
        group: Some(need.group.to_owned()),
        resource: Some(need.resource.to_owned()),
        name: need.name.map(str::to_owned),
        namespace: namespace.map(str::to_owned),
        verb: Some(verb.to_owned()),
        ..ResourceAttributes::default()
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() },
        ..SelfSubjectAccessReview::default()
    };
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let parameters = PostParams::default();
    let asked = async { reviews.create(&parameters, &review).await.map_err(Wrong::from) };
    let answer = call("create", asked).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

/// Whether workloads may be read in all namespaces.
pub(super) async fn may_read_everywhere(client: &Client) -> Result<bool, Problem> {
    for kind in EVERYWHERE {
        for verb in kind.need().verbs {
            if !is_allowed(client, kind.need(), verb, None).await? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Each verb on each kind in each namespace that is read.
pub(super) async fn permissions(
    client: &Client,
    cluster: &Cluster,
    watches: &BTreeSet<WatchId>,
) -> Vec<Checked> {
    let mut checked = Vec::new();
    for WatchId { kind, namespace } in watches {
        let need = kind.need();
        let found = place(namespace.as_deref());
        if let Some(resource) = kind.custom()
            && is_served(client, &resource).await == Some(false)
        {
            let what = format!("read {} {found} of the cluster {}", need.full_resource(), cluster.name);
            checked.push(Checked { what, outcome: Ok("the cluster does not have them".into()) });
            continue;
        }
        for verb in need.verbs {
            let what = format!("{verb} {} {found} of the cluster {}", describe(need), cluster.name);
            let outcome = match is_allowed(client, need, verb, namespace.as_deref()).await {
                Ok(true) => Ok("allowed".into()),
                Ok(false) => Err(missing(need, verb, namespace.as_deref())),
                Err(problem) => Err(problem.message),
            };
            checked.push(Checked { what, outcome });
        }
    }
    checked
}

/// What to do about a permission that is missing.
pub(super) fn missing(need: Need, verb: &str, namespace: Option<&str>) -> String {
    let role = match namespace {
        Some(namespace) => format!("a Role in the namespace {namespace}"),
        None => "a ClusterRole".to_owned(),
    };
    format!("not allowed: give Tollgate {role} with the verb {verb} on {}", need.full_resource())
}

pub(super) fn place(namespace: Option<&str>) -> String {
    match namespace {
        Some(namespace) => format!("in the namespace {namespace}"),
        None => "in all namespaces".to_owned(),
    }
}

/// The watches of what is with Argo CD.
pub(super) fn argocd_watches(cluster: &Cluster) -> BTreeSet<WatchId> {
    let Some(argocd) = &cluster.argocd_namespace else { return BTreeSet::new() };
    let with_applications = || std::iter::once(argocd).chain(&cluster.application_namespaces);
    let of = |kind: Kind| {
        let namespaces: Vec<&String> = match kind.need().found {
            Found::WithArgoCd => vec![argocd],
            Found::WithApplications => with_applications().collect(),
            Found::WithWorkloads => Vec::new(),
        };
        namespaces.into_iter().map(move |namespace| WatchId { kind, namespace: Some(namespace.clone()) })
    };
    Kind::ALL.into_iter().flat_map(of).collect()
}

/// The watches of workloads, in some namespaces or in all.
pub(super) fn workload_watches(namespaces: Option<&BTreeSet<String>>) -> BTreeSet<WatchId> {
    let kinds = Kind::ALL.into_iter().filter(|kind| kind.need().found == Found::WithWorkloads);
    let of = |kind: Kind| -> Vec<WatchId> {
        match namespaces {
            None => vec![WatchId { kind, namespace: None }],
            Some(namespaces) => {
                let id = |namespace: &String| WatchId { kind, namespace: Some(namespace.clone()) };
                namespaces.iter().map(id).collect()
            }
        }
    };
    kinds.flat_map(of).collect()
}

fn describe(need: Need) -> String {
    match need.name {
        Some(name) => format!("{} {name}", need.full_resource()),
        None => need.full_resource(),
    }
}
