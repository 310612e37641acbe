//! EKS clusters: where one is, and the token by which it knows an AWS identity.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::sts::AssumeRoleProvider;
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::HeaderValue;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::reader::ReadError;

/// Names the cluster in what is signed, so that a token of one is none of another.
const CLUSTER_HEADER: &str = "x-k8s-aws-id";
/// How long AWS lets the signature itself be used; the cluster takes the token for 15 minutes.
const SIGNATURE_LASTS: Duration = Duration::from_secs(60);
const TOKEN_LASTS: Duration = Duration::from_secs(10 * 60);
const SESSION: &str = "tollgate";

/// What an ARN of a cluster says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClusterArn {
    partition: String,
    region: String,
    pub name: String,
}

/// Where a cluster is.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub url: String,
    /// Of the authority that its certificate is signed by, as DER.
    pub authority: Vec<Vec<u8>>,
}

/// Makes tokens for a cluster, and keeps each as long as it is good.
#[derive(Clone)]
pub(super) struct Tokens {
    arn: ClusterArn,
    credentials: SharedCredentialsProvider,
    kept: Arc<Mutex<Option<(HeaderValue, Instant)>>>,
}

impl ClusterArn {
    /// Reads `arn:aws:eks:eu-central-1:111122223333:cluster/prod`.
    pub(super) fn parse(arn: &str) -> Result<ClusterArn, ReadError> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        match parts.as_slice() {
            ["arn", partition, "eks", region, _, cluster] if !region.is_empty() => {
                let name = cluster.strip_prefix("cluster/").filter(|name| !name.is_empty());
                name.map(|name| ClusterArn {
                    partition: (*partition).to_owned(),
                    region: (*region).to_owned(),
                    name: name.to_owned(),
                })
            }
            _ => None,
        }
        .ok_or_else(|| {
            ReadError::new(format!(
                "{arn} is no ARN of an EKS cluster: write arn:aws:eks:REGION:ACCOUNT:cluster/NAME"
            ))
        })
    }

    fn sts_host(&self) -> String {
        let suffix = if self.partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
        format!("sts.{}.{suffix}", self.region)
    }
}

/// The configuration that a cluster is asked for with: in its region, and as the role where one is named.
pub(super) async fn configuration(
    settings: &aws::Settings,
    arn: &ClusterArn,
    role: Option<&str>,
) -> SdkConfig {
    let settings = aws::Settings { region: Some(arn.region.clone()), ..settings.clone() };
    let config = aws::load(&settings).await;
    let Some(role) = role else { return config };
    let assumed = AssumeRoleProvider::builder(role)
        .session_name(SESSION)
        .region(Region::new(arn.region.clone()))
        .configure(&config)
        .build()
        .await;
    config.into_builder().credentials_provider(SharedCredentialsProvider::new(assumed)).build()
}

/// Where the cluster is.
pub(super) async fn describe(config: &SdkConfig, arn: &ClusterArn) -> Result<Endpoint, ReadError> {
    let call = aws_sdk_eks::Client::new(config).describe_cluster().name(&arn.name).send();
    let answer = call.await.map_err(|error| {
        let failure = aws::Failure::of(&error);
        ReadError::new(format!(
            "EKS does not describe the cluster {} in {}: {} ({}). Allow eks:DescribeCluster on it.",
            arn.name, arn.region, failure.message, failure.code
        ))
    })?;
    let cluster = answer.cluster();
    let url = cluster.and_then(|cluster| cluster.endpoint()).map(str::to_owned);
    let data = cluster.and_then(|cluster| cluster.certificate_authority()?.data());
    let (Some(url), Some(data)) = (url, data) else {
        let status = cluster.and_then(|cluster| cluster.status()).map_or("unknown", |status| status.as_str());
        return Err(ReadError::new(format!(
            "the cluster {} in {} has no endpoint yet: its status is {status}",
            arn.name, arn.region
        )));
    };
    let authority = STANDARD.decode(data).ok().map(|pem| certificates(&String::from_utf8_lossy(&pem)));
    match authority {
        Some(authority) if !authority.is_empty() => Ok(Endpoint { url, authority }),
        Some(_) | None => Err(ReadError::new(format!(
            "the certificate authority of the cluster {} in {} cannot be read",
            arn.name, arn.region
        ))),
    }
}

impl Tokens {
    pub(super) fn new(config: &SdkConfig, arn: ClusterArn) -> Result<Tokens, ReadError> {
        let credentials = config
            .credentials_provider()
            .ok_or_else(|| ReadError::new("no AWS credentials are configured for the EKS cluster"))?;
        Ok(Tokens { arn, credentials, kept: Arc::default() })
    }

    /// The value of the header `Authorization`.
    pub(super) async fn header(&self) -> Result<HeaderValue, ReadError> {
        let mut kept = self.kept.lock().await;
        if let Some((header, until)) = &*kept
            && Instant::now() < *until
        {
            return Ok(header.clone());
        }
        let credentials = self.credentials.provide_credentials().await.map_err(|error| {
            let cause = super::watch::root_cause(&error);
            ReadError::new(format!("no AWS credentials for the EKS cluster {}: {cause}", self.arn.name))
        })?;
        let token = token(&self.arn, &credentials, SystemTime::now())?;
        let mut header = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| ReadError::new("the token for the EKS cluster is no header"))?;
        header.set_sensitive(true);
        *kept = Some((header.clone(), Instant::now() + TOKEN_LASTS));
        Ok(header)
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("arn", &self.arn).finish_non_exhaustive()
    }
}

/// A token: a signed request for the caller's identity, which the cluster sends to AWS to learn who shows it.
fn token(arn: &ClusterArn, credentials: &Credentials, at: SystemTime) -> Result<String, ReadError> {
    let problem = |what: String| ReadError::new(format!("a token for the EKS cluster {}: {what}", arn.name));
    let url = format!("https://{}/?Action=GetCallerIdentity&Version=2011-06-15", arn.sts_host());
    let identity = credentials.clone().into();
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(SIGNATURE_LASTS);
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(&arn.region)
        .name("sts")
        .time(at)
        .settings(settings)
        .build()
        .map_err(|error| problem(error.to_string()))?;
    let headers = [(CLUSTER_HEADER, arn.name.as_str())];
    let request = SignableRequest::new("GET", &url, headers.into_iter(), SignableBody::Bytes(&[]))
        .map_err(|error| problem(error.to_string()))?;
    let (instructions, _) =
        sign(request, &parameters.into()).map_err(|error| problem(error.to_string()))?.into_parts();
    let mut signed = http::Request::get(&url).body(()).map_err(|error| problem(error.to_string()))?;
    instructions.apply_to_request_http1x(&mut signed);
    Ok(format!("k8s-aws-v1.{}", URL_SAFE_NO_PAD.encode(signed.uri().to_string())))
}

/// The certificates of a PEM text.
fn certificates(pem: &str) -> Vec<Vec<u8>> {
    let blocks = pem.split("-----BEGIN CERTIFICATE-----").skip(1);
    let certificate = |block: &str| {
        let (body, _) = block.split_once("-----END CERTIFICATE-----")?;
        STANDARD.decode(body.split_whitespace().collect::<String>()).ok()
    };
    blocks.filter_map(certificate).collect()
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const ARN: &str = "arn:aws:eks:eu-central-1:111122223333:cluster/prod";

    #[test]
    fn an_arn_names_region_and_cluster() {
        let arn = ClusterArn::parse(ARN).unwrap();
        assert_eq!((arn.region.as_str(), arn.name.as_str()), ("eu-central-1", "prod"));
        assert_eq!(arn.sts_host(), "sts.eu-central-1.amazonaws.com");
        let china = ClusterArn::parse("arn:aws-cn:eks:cn-north-1:111122223333:cluster/prod").unwrap();
        assert_eq!(china.sts_host(), "sts.cn-north-1.amazonaws.com.cn");
        for odd in
            ["prod", "arn:aws:ecs:eu-central-1:1:cluster/prod", "arn:aws:eks:eu-central-1:1:cluster/", ""]
        {
            let error = ClusterArn::parse(odd).unwrap_err();
            assert!(error.message.contains("cluster/NAME"), "{error}");
        }
    }

    #[test]
    fn certificates_are_taken_out_of_their_text() {
        let pem = "-----BEGIN CERTIFICATE-----\nAQID\nBA==\n-----END CERTIFICATE-----\n\
                   -----BEGIN CERTIFICATE-----\nBQ==\n-----END CERTIFICATE-----\n";
        assert_eq!(certificates(pem), [vec![1, 2, 3, 4], vec![5]]);
        assert!(certificates("nothing").is_empty());
    }

    /// The signature was computed by botocore for the same request.
    #[test]
    fn a_token_is_a_signed_request_for_the_identity() {
        let credentials =
            Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG", Some("session".into()), None, "test");
        let at = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let token = token(&ClusterArn::parse(ARN).unwrap(), &credentials, at).unwrap();
        let url = URL_SAFE_NO_PAD.decode(token.strip_prefix("k8s-aws-v1.").unwrap()).unwrap();
        let url = url::Url::parse(&String::from_utf8(url).unwrap()).unwrap();
        assert_eq!(url.host_str(), Some("sts.eu-central-1.amazonaws.com"));
        let query = |name: &str| url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
        assert_eq!(query("Action"), "GetCallerIdentity");
        assert_eq!(query("X-Amz-Expires"), "60");
        assert_eq!(query("X-Amz-SignedHeaders"), "host;x-k8s-aws-id");
        assert_eq!(query("X-Amz-Security-Token"), "session");
        assert_eq!(query("X-Amz-Credential"), "AKIDEXAMPLE/20231114/eu-central-1/sts/aws4_request");
        assert_eq!(query("X-Amz-Signature"), SIGNATURE);
    }

    const SIGNATURE: &str = "306bca35c39bf389ef90ff667bc7b388821f4bbd709d5c6ccac6fc0d5ac32963";

    fn configuration(url: &str) -> SdkConfig {
        let credentials = Credentials::new("AKIDEXAMPLE", "very-secret", None, None, "test");
        SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .endpoint_url(url)
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build()
    }

    async fn described(status: u16, body: serde_json::Value) -> Result<Endpoint, ReadError> {
        let eks = wiremock::MockServer::start().await;
        wiremock::Mock::given(wiremock::matchers::path("/clusters/prod"))
            .respond_with(wiremock::ResponseTemplate::new(status).set_body_json(body))
            .mount(&eks)
            .await;
        describe(&configuration(&eks.uri()), &ClusterArn::parse(ARN).unwrap()).await
    }

    #[tokio::test]
    async fn a_cluster_is_described_or_it_is_said_why_not() {
        let pem = "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n";
        let cluster = |authority: &str| {
            serde_json::json!({"cluster": {
                "name": "prod", "endpoint": "https://prod.eks.example.com", "status": "ACTIVE",
                "certificateAuthority": {"data": STANDARD.encode(authority)},
            }})
        };
        let endpoint = described(200, cluster(pem)).await.unwrap();
        assert_eq!(endpoint.url, "https://prod.eks.example.com");
        assert_eq!(endpoint.authority, [vec![1, 2, 3]]);
        let problem = |answer: Result<Endpoint, ReadError>| answer.unwrap_err().message;
        assert!(problem(described(200, cluster("x")).await).contains("authority"));
        let creating = serde_json::json!({"cluster": {"name": "prod", "status": "CREATING"}});
        assert!(problem(described(200, creating).await).contains("its status is CREATING"));
        let denied = serde_json::json!({"__type": "AccessDeniedException", "message": "not authorized"});
        let denied = problem(described(403, denied).await);
        assert!(denied.contains("not authorized") && denied.contains("eks:DescribeCluster"), "{denied}");
    }

    #[tokio::test]
    async fn a_token_is_kept_and_shown_to_nobody() {
        let credentials = Credentials::new("AKIDEXAMPLE", "very-secret", None, None, "test");
        let config =
            SdkConfig::builder().credentials_provider(SharedCredentialsProvider::new(credentials)).build();
        let tokens = Tokens::new(&config, ClusterArn::parse(ARN).unwrap()).unwrap();
        let header = tokens.header().await.unwrap();
        assert_eq!(tokens.header().await.unwrap(), header);
        for shown in [format!("{tokens:?}"), format!("{header:?}")] {
            assert!(!shown.contains("secret") && !shown.contains("k8s-aws-v1"), "{shown}");
        }
    }
}
