//! Reads one account-region: all pages of DescribeInstances, and the account's metadata defaults.

use std::sync::Arc;
use std::time::Duration;

use domain::instance::{Instance, Interner};
use domain::source::{MetadataDefaults, SourceError};

use crate::aws::RegionClients;
use crate::convert;
use crate::error::AwsError;

/// All that one read of an account-region gives.
#[derive(Debug)]
pub(crate) struct Collected {
    pub(crate) instances: Vec<Arc<Instance>>,
    pub(crate) defaults: Result<MetadataDefaults, SourceError>,
}

/// Reads the account-region within `limit`. A failure anywhere fails the whole: half a region would look like instances vanished.
pub(crate) async fn collect(
    clients: &RegionClients,
    page_size: u16,
    limit: Duration,
) -> Result<Collected, AwsError> {
    let read = async {
        let (instances, defaults) =
            tokio::join!(describe_all(clients, page_size), metadata_defaults(clients));
        Ok(Collected { instances: instances?, defaults: defaults.map_err(|error| error.to_source_error()) })
    };
    tokio::time::timeout(limit, read)
        .await
        .unwrap_or_else(|_| Err(AwsError::timed_out("ec2:DescribeInstances", limit)))
}

async fn describe_all(clients: &RegionClients, page_size: u16) -> Result<Vec<Arc<Instance>>, AwsError> {
    let mut interner = Interner::default();
    let mut instances = Vec::new();
    let mut next_token: Option<String> = None;
    loop {
        clients.describe_rate.take().await;
        let page = clients
            .ec2
            .describe_instances()
            // Explicit: an unpaginated, unfiltered call draws on a bucket of half the size.
            .max_results(page_size.into())
            // Instances that a service manages may be hidden otherwise, and they allow IMDSv1 as well as any.
            .include_managed_resources(true)
            .set_next_token(next_token.take())
            .send()
            .await
            .map_err(|error| AwsError::from_sdk("ec2:DescribeInstances", error))?;
        for sdk in page.reservations().iter().flat_map(|reservation| reservation.instances()) {
            match convert::instance(&clients.key, sdk, &mut interner) {
                Some(instance) => instances.push(Arc::new(instance)),
                None => {
                    return Err(AwsError::malformed(
                        "ec2:DescribeInstances",
                        format!(
                            "An instance of {} came without an id or a state that this version knows.",
                            clients.key
                        ),
                    ));
                }
            }
        }
        match page.next_token {
            Some(token) if !token.is_empty() => next_token = Some(token),
            _ => return Ok(instances),
        }
    }
}

/// The account's metadata defaults in the region.
pub(crate) async fn metadata_defaults(clients: &RegionClients) -> Result<MetadataDefaults, AwsError> {
    clients.describe_rate.take().await;
    let answer = clients
        .ec2
        .get_instance_metadata_defaults()
        .send()
        .await
        .map_err(|error| AwsError::from_sdk("ec2:GetInstanceMetadataDefaults", error))?;
    Ok(answer.account_level().map(convert::metadata_defaults).unwrap_or_default())
}

/// Reads one instance; `None` when EC2 does not know it.
pub(crate) async fn describe_one(
    clients: &RegionClients,
    instance_id: &str,
) -> Result<Option<(Instance, aws_sdk_ec2::types::Instance)>, AwsError> {
    clients.describe_rate.take().await;
    let answer = clients
        .ec2
        .describe_instances()
        .instance_ids(instance_id)
        .send()
        .await
        .map_err(|error| AwsError::from_sdk("ec2:DescribeInstances", error));
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) if error.is_gone() => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut interner = Interner::default();
    for sdk in
        answer.reservations.unwrap_or_default().into_iter().flat_map(|one| one.instances.unwrap_or_default())
    {
        if sdk.instance_id() == Some(instance_id) {
            let instance = convert::instance(&clients.key, &sdk, &mut interner).ok_or_else(|| {
                AwsError::malformed(
                    "ec2:DescribeInstances",
                    format!("{instance_id} came without a state that this version knows."),
                )
            })?;
            return Ok(Some((instance, sdk)));
        }
    }
    Ok(None)
}
