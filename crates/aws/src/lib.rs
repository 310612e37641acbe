//! What every caller of AWS shares: where its clients get their configuration, and what a failed call says.

mod failure;

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};

pub use failure::{Failure, Outcome};

/// Attempts at a call, the first included; with adaptive mode the SDK also lowers its rate when it is throttled.
const ATTEMPTS: u32 = 6;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_BACKOFF: Duration = Duration::from_secs(10);
/// Where neither the configuration nor the credential chain names a region: global services are asked there.
const DEFAULT_REGION: &str = "us-east-1";

/// What the caller's own configuration says beyond the credential chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// An API other than AWS itself.
    pub endpoint_url: Option<String>,
    /// A profile of the AWS configuration.
    pub profile: Option<String>,
    pub region: Option<String>,
    /// The longest attempt at a call, and the longest call with its retries.
    pub attempt_timeout: Option<Duration>,
    pub call_timeout: Option<Duration>,
}

/// The configuration that clients are made from, with the default credential chain.
pub async fn load(settings: &Settings) -> SdkConfig {
    let mut timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT);
    timeouts.set_operation_attempt_timeout(settings.attempt_timeout);
    timeouts.set_operation_timeout(settings.call_timeout);
    let retry = RetryConfig::adaptive().with_max_attempts(ATTEMPTS).with_max_backoff(MAX_BACKOFF);
    let mut loader =
        aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts.build()).retry_config(retry);
    if let Some(endpoint_url) = &settings.endpoint_url {
        loader = loader.endpoint_url(endpoint_url);
    }
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    let config = loader.load().await;
    if config.region().is_some() {
        return config;
    }
    config.into_builder().region(Region::new(DEFAULT_REGION)).build()
}
