//! Finds what is to be read: the accounts that are configured and the regions that are enabled in each.

use domain::instance::SourceKey;

use crate::aws::{AccountAccess, Aws};
use crate::config::{Account, AccountSelection, FleetConfig, Organization};
use crate::error::AwsError;

/// The region that stands for an account whose regions could not be listed.
pub(crate) const ANY_REGION: &str = "*";

/// One account-region to read, or an account of which only the error is known.
#[derive(Debug)]
pub(crate) struct Discovered {
    pub(crate) access: AccountAccess,
    pub(crate) regions: Result<Vec<String>, AwsError>,
}

impl Discovered {
    pub(crate) fn unreadable_key(&self) -> SourceKey {
        SourceKey::new(self.access.account.id.as_str(), ANY_REGION)
    }
}

/// The accounts to read.
pub(crate) async fn accounts(aws: &Aws, config: &FleetConfig) -> Result<Vec<Account>, AwsError> {
    match &config.accounts {
        AccountSelection::Listed(accounts) => Ok(accounts.clone()),
        AccountSelection::Caller => {
            let caller = caller(aws).await?;
            Ok(vec![Account {
                alias: caller.account.clone(),
                id: caller.account,
                reader_role_arn: None,
                writer_role_arn: None,
                external_id: None,
            }])
        }
        AccountSelection::Organization(organization) => {
            let caller = caller(aws).await?;
            organization_accounts(aws, organization, &caller.partition).await
        }
    }
}

/// The regions of each account. An account that cannot be read keeps its error; the others go on.
pub(crate) async fn regions(aws: &Aws, config: &FleetConfig, accounts: Vec<Account>) -> Vec<Discovered> {
    let lookups = accounts.into_iter().map(|account| async move {
        let access = aws.access(account).await;
        let regions = if config.regions.is_empty() {
            enabled_regions(&access).await
        } else {
            Ok(config.regions.clone())
        };
        Discovered { access, regions }
    });
    futures::future::join_all(lookups).await
}

struct Caller {
    account: String,
    /// `aws`, `aws-cn` or `aws-us-gov`.
    partition: String,
}

async fn caller(aws: &Aws) -> Result<Caller, AwsError> {
    let operation = "sts:GetCallerIdentity";
    let identity =
        aws.sts().get_caller_identity().send().await.map_err(|error| AwsError::from_sdk(operation, error))?;
    let account = identity
        .account()
        .ok_or_else(|| AwsError::malformed(operation, "The answer names no account.".into()))?
        .to_owned();
    let partition = identity.arn().and_then(|arn| arn.split(':').nth(1)).unwrap_or("aws").to_owned();
    Ok(Caller { account, partition })
}

async fn organization_accounts(
    aws: &Aws,
    organization: &Organization,
    partition: &str,
) -> Result<Vec<Account>, AwsError> {
    let client = aws.organizations();
    let mut pages = client.list_accounts().into_paginator().send();
    let mut accounts = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| AwsError::from_sdk("organizations:ListAccounts", error))?;
        for account in page.accounts() {
            let active = account.state().is_none_or(|state| state.as_str() == "ACTIVE");
            let Some(id) = account.id().filter(|_| active) else { continue };
            let role = |name: &str| format!("arn:{partition}:iam::{id}:role/{name}");
            accounts.push(Account {
                id: id.to_owned(),
                alias: account.name().unwrap_or(id).to_owned(),
                reader_role_arn: Some(role(&organization.reader_role_name)),
                writer_role_arn: organization.writer_role_name.as_deref().map(role),
                external_id: organization.external_id.clone(),
            });
        }
    }
    Ok(accounts)
}

async fn enabled_regions(access: &AccountAccess) -> Result<Vec<String>, AwsError> {
    let answer = access
        .ec2(None)
        .describe_regions()
        .send()
        .await
        .map_err(|error| AwsError::from_sdk("ec2:DescribeRegions", error))?;
    let mut regions: Vec<String> =
        answer.regions().iter().filter_map(|region| region.region_name().map(str::to_owned)).collect();
    regions.sort();
    Ok(regions)
}
