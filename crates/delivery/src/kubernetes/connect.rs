//! Reaching a cluster: a client by each way of access.

use std::path::Path;

use http::Request;
use http::header::AUTHORIZATION;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tower::BoxError;

use super::config::{Access, Cluster};
use super::eks::{self, ClusterArn, Tokens};
use super::watch::root_cause;
use crate::reader::ReadError;

/// A client of the cluster.
pub(super) async fn client(cluster: &Cluster, aws: &aws::Settings) -> Result<Client, ReadError> {
    match &cluster.access {
        Access::Kubeconfig { path, context } => {
            let config = kubeconfig(cluster, path.as_deref(), context.clone()).await?;
            Client::try_from(config).map_err(|error| unusable(cluster, "kubeconfig", &error))
        }
        Access::InCluster => {
            let config = Config::incluster().map_err(|error| {
                ReadError::new(format!(
                    "the cluster {} is to be read from within, and this process has no service account in it: {error}. \
                     Run it in the cluster, or give a kubeconfig or the ARN of an EKS cluster.",
                    cluster.name
                ))
            })?;
            Client::try_from(config).map_err(|error| unusable(cluster, "service account", &error))
        }
        Access::Eks { arn, role } => {
            let arn = ClusterArn::parse(arn)?;
            let sdk = eks::configuration(aws, &arn, role.as_deref()).await;
            let endpoint = eks::describe(&sdk, &arn).await?;
            let tokens = Tokens::new(&sdk, arn)?;
            // Once here, so that missing credentials are told as such and not as a failed request.
            tokens.header().await?;
            let url = endpoint.url.parse().map_err(|_| {
                ReadError::new(format!(
                    "the endpoint of the EKS cluster {} is no URL: {}",
                    cluster.name, endpoint.url
                ))
            })?;
            let mut config = Config::new(url);
            config.root_cert = Some(endpoint.authority);
            let client = Client::try_from(config).map_err(|error| unusable(cluster, "endpoint", &error))?;
            Ok(with_token(client, tokens))
        }
    }
}

/// A client that shows a token which is good with each request.
fn with_token(client: Client, tokens: Tokens) -> Client {
    let namespace = client.default_namespace().to_owned();
    let send = move |mut request: Request<Body>| {
        let (client, tokens) = (client.clone(), tokens.clone());
        async move {
            request.headers_mut().insert(AUTHORIZATION, tokens.header().await?);
            client.send(request).await.map_err(BoxError::from)
        }
    };
    Client::new(tower::service_fn(send), namespace)
}

async fn kubeconfig(
    cluster: &Cluster,
    path: Option<&Path>,
    context: Option<String>,
) -> Result<Config, ReadError> {
    let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
    let config = match path {
        Some(path) => match Kubeconfig::read_from(path) {
            Ok(file) => Config::from_custom_kubeconfig(file, &options).await,
            Err(error) => Err(error),
        },
        None => Config::from_kubeconfig(&options).await,
    };
    config.map_err(|error| unusable(cluster, "kubeconfig", &error))
}

fn unusable(cluster: &Cluster, what: &str, error: &(dyn std::error::Error + 'static)) -> ReadError {
    let (outer, inner) = (error.to_string(), root_cause(error));
    let cause = if outer.contains(&inner) { outer } else { format!("{outer}: {inner}") };
    ReadError::new(format!("the {what} of the cluster {} cannot be used: {cause}", cluster.name))
}
