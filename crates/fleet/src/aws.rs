//! SDK clients per account, region and role; the writer role is only assumed by the client that makes a change.

use std::sync::Arc;

use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::{Region, SdkConfig};
use aws_smithy_runtime_api::client::interceptors::Intercept;
use domain::instance::SourceKey;

use crate::answer::each_answer;
use crate::config::{Account, FleetConfig};
use crate::rate::{DESCRIBE, MODIFY, TokenBucket};

/// The caller's own configuration, from which the accounts' are derived.
#[derive(Clone, Debug)]
pub(crate) struct Aws {
    base: SdkConfig,
}

/// One account with the credentials that read it.
#[derive(Clone, Debug)]
pub(crate) struct AccountAccess {
    pub(crate) account: Account,
    reader: SdkConfig,
}

/// The clients of one account-region, with the rate they share.
#[derive(Debug)]
pub(crate) struct RegionClients {
    pub(crate) key: SourceKey,
    pub(crate) ec2: aws_sdk_ec2::Client,
    pub(crate) cloudwatch: aws_sdk_cloudwatch::Client,
    pub(crate) describe_rate: TokenBucket,
    pub(crate) modify_rate: TokenBucket,
}

impl Aws {
    pub(crate) async fn load(config: &FleetConfig) -> Aws {
        let settings = aws::Settings {
            endpoint_url: config.endpoint_url.clone(),
            profile: config.profile.clone(),
            region: config.home_region.clone(),
            attempt_timeout: Some(config.call_timeout),
            call_timeout: Some(config.source_timeout),
        };
        let base = aws::load(&settings).await;
        Aws { base }
    }

    pub(crate) fn sts(&self) -> aws_sdk_sts::Client {
        aws_sdk_sts::Client::new(&self.base)
    }

    pub(crate) fn organizations(&self) -> aws_sdk_organizations::Client {
        aws_sdk_organizations::Client::new(&self.base)
    }

    /// The account as its reader.
    pub(crate) async fn access(&self, account: Account) -> AccountAccess {
        let reader = self.assume(account.reader_role_arn.as_deref(), account.external_id.as_deref()).await;
        AccountAccess { account, reader }
    }

    /// The client that makes changes in `region`: as the writer role, or with the caller's own credentials without one. It makes
    /// one attempt only, since whether a call may be repeated is decided by reading the instance again.
    pub(crate) async fn writer(&self, account: &Account, region: &str) -> aws_sdk_ec2::Client {
        let config = self.assume(account.writer_role_arn.as_deref(), account.external_id.as_deref()).await;
        let config = aws_sdk_ec2::config::Builder::from(&config)
            .region(Region::new(region.to_owned()))
            .retry_config(RetryConfig::disabled())
            .interceptor(whole_answers())
            .build();
        aws_sdk_ec2::Client::from_conf(config)
    }

    async fn assume(&self, role_arn: Option<&str>, external_id: Option<&str>) -> SdkConfig {
        let Some(role_arn) = role_arn else { return self.base.clone() };
        let mut provider =
            AssumeRoleProvider::builder(role_arn).configure(&self.base).session_name("tollgate");
        if let Some(external_id) = external_id {
            provider = provider.external_id(external_id);
        }
        let provider = provider.build().await;
        self.base
            .clone()
            .into_builder()
            .credentials_provider(aws_sdk_sts::config::SharedCredentialsProvider::new(provider))
            .build()
    }
}

impl AccountAccess {
    /// A reading client in `region`, without the rate limit of a [`RegionClients`]: for discovery.
    pub(crate) fn ec2(&self, region: Option<&str>) -> aws_sdk_ec2::Client {
        let mut config = aws_sdk_ec2::config::Builder::from(&self.reader).interceptor(whole_answers());
        if let Some(region) = region {
            config = config.region(Region::new(region.to_owned()));
        }
        aws_sdk_ec2::Client::from_conf(config.build())
    }

    /// The clients of `region`.
    pub(crate) fn region(&self, region: &str) -> Arc<RegionClients> {
        let config = self.reader.clone().into_builder().region(Region::new(region.to_owned())).build();
        Arc::new(RegionClients {
            key: SourceKey::new(self.account.id.as_str(), region),
            ec2: self.ec2(Some(region)),
            cloudwatch: aws_sdk_cloudwatch::Client::new(&config),
            describe_rate: TokenBucket::new(DESCRIBE),
            modify_rate: TokenBucket::new(MODIFY),
        })
    }
}

/// Refuses an answer that ends too early. The SDK reads a document whose end is missing as one with fewer instances, and a
/// fleet that seems to have vanished is worse than one that could not be read.
fn whole_answers() -> impl Intercept + 'static {
    // EC2's query API ends every answer with the close tag of `<Operation>Response`, or of `Response` for errors.
    each_answer("whole-answers", |body| match body.trim_ascii_end().ends_with(b"Response>") {
        true => Ok(()),
        false => Err("the answer ends before its end".into()),
    })
}
