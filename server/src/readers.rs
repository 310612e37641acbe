//! The sources that deliveries are read from, as they are configured.

use std::collections::BTreeMap;

use delivery::ecr::Role;
use delivery::{AwsAccess, Followed};
use fleet::config::AccountSelection;

use crate::command::CommandError;
use crate::config::Config;

/// How AWS is asked for what is delivered: a registry of another account is read through the role that its instances are read through.
pub(crate) fn access(config: &Config) -> AwsAccess {
    let roles: BTreeMap<String, Role> = match &config.fleet.accounts {
        AccountSelection::Listed(accounts) => accounts
            .iter()
            .filter_map(|account| {
                let arn = account.reader_role_arn.clone()?;
                Some((account.id.to_string(), Role { arn, external_id: account.external_id.clone() }))
            })
            .collect(),
        AccountSelection::Caller | AccountSelection::Organization(_) => BTreeMap::new(),
    };
    AwsAccess { settings: config.publish.aws.clone(), roles }
}

/// A reader for each source that is configured.
///
/// # Errors
/// What of the configuration cannot be used.
pub(crate) async fn read(config: &Config) -> Result<Vec<Followed>, CommandError> {
    delivery::readers(&config.delivery, &access(config))
        .await
        .map_err(|error| CommandError::usage(error.to_string()))
}
