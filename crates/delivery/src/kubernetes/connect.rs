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
            made(config, cluster, "kubeconfig").await
        }
        Access::InCluster => {
            let config = Config::incluster().map_err(|error| {
                ReadError::new(format!(
                    "the cluster {} is to be read from within, and this process has no service account in it: {error}. \
                     Run it in the cluster, or give a kubeconfig or the ARN of an EKS cluster.",
                    cluster.name
                ))
            })?;
            made(config, cluster, "service account").await
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
            Ok(with_token(made(config, cluster, "endpoint").await?, tokens))
        }
    }
}

/// Makes a client where it may block: a kubeconfig may name a program that makes the credentials.
async fn made(config: Config, cluster: &Cluster, what: &str) -> Result<Client, ReadError> {
    match tokio::task::spawn_blocking(move || Client::try_from(config)).await {
        Ok(Ok(client)) => Ok(client),
        Ok(Err(error)) => Err(unusable(cluster, what, &error)),
        Err(error) => Err(unusable(cluster, what, &error)),
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

#[cfg(test)]
mod tests {
    use aws_config::SdkConfig;
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use serde_json::json;
    use wiremock::matchers::{header_regex, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;

    #[tokio::test]
    async fn each_request_shows_the_token() {
        let cluster = MockServer::start().await;
        let version = json!({
            "major": "1", "minor": "33", "gitVersion": "v1.33.1-eks", "gitCommit": "", "gitTreeState": "", "buildDate": "",
            "goVersion": "", "compiler": "", "platform": "",
        });
        Mock::given(path("/version"))
            .and(header_regex("authorization", "^Bearer k8s-aws-v1\\.[A-Za-z0-9_-]+$"))
            .respond_with(ResponseTemplate::new(200).set_body_json(version))
            .expect(2)
            .mount(&cluster)
            .await;
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
        let sdk =
            SdkConfig::builder().credentials_provider(SharedCredentialsProvider::new(credentials)).build();
        let arn = ClusterArn::parse("arn:aws:eks:eu-central-1:111122223333:cluster/prod").unwrap();
        let client = Client::try_from(Config::new(cluster.uri().parse().unwrap())).unwrap();
        let client = with_token(client, Tokens::new(&sdk, arn).unwrap());
        for _ in 0..2 {
            assert_eq!(client.apiserver_version().await.unwrap().git_version, "v1.33.1-eks");
        }
    }

    #[tokio::test]
    async fn what_is_wrong_with_an_access_is_told() {
        let told = async |access| {
            let cluster = Cluster::new("eu", access);
            client(&cluster, &aws::Settings::default())
                .await
                .err()
                .map(|error| error.message)
                .unwrap_or_default()
        };
        assert!(told(Access::InCluster).await.contains("no service account"));
        let arn = told(Access::Eks { arn: "prod".into(), role: None }).await;
        assert!(arn.starts_with("prod is no ARN"), "{arn}");
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("kubeconfig");
        std::fs::write(&file, "contexts: []\n").unwrap();
        let context = Access::Kubeconfig { path: Some(file), context: Some("elsewhere".into()) };
        let context = told(context).await;
        assert!(
            context.contains("the kubeconfig of the cluster eu") && context.contains("elsewhere"),
            "{context}"
        );
    }
}
