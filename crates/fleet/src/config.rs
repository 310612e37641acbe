//! What the fleet is told: which accounts and regions, as whom, how often, and whether anything may be changed.

use std::time::Duration;

use jiff::SignedDuration;
use store::Retention;

/// A year of history, and the audit log for good.
pub const DEFAULT_RETENTION: Retention = Retention {
    history: SignedDuration::from_hours(365 * 24),
    audit: None,
    events: SignedDuration::from_hours(7 * 24),
    vanished: SignedDuration::from_hours(90 * 24),
    trend: SignedDuration::from_hours(2 * 365 * 24),
    deliveries: SignedDuration::from_hours(30 * 24),
    facts: SignedDuration::from_hours(400 * 24),
};

/// The settings of the fleet; the server and the command line fill it from flags, variables and the file.
#[derive(Clone, Debug)]
pub struct FleetConfig {
    /// Where the API is, when it is not AWS itself: an emulator or a private endpoint.
    pub endpoint_url: Option<String>,
    /// The profile of the caller's AWS configuration; the default chain without one.
    pub profile: Option<String>,
    /// Where STS and Organizations are asked.
    pub home_region: Option<String>,
    pub accounts: AccountSelection,
    /// Empty means all regions that are enabled in the account.
    pub regions: Vec<String>,
    pub refresh_interval: Duration,
    /// How long a copy may be judged; older ones make their instances `unknown`.
    pub stale_after: SignedDuration,
    /// `MaxResults` of DescribeInstances: 5 to 1,000 (EC2 API reference).
    pub page_size: u16,
    /// How many account-regions are read at the same time.
    pub concurrency: u16,
    /// How long one account-region may take, retries included.
    pub source_timeout: Duration,
    /// How long one attempt at one call may take.
    pub call_timeout: Duration,
    pub changes: ChangesAllowed,
    /// The names of the receivers that are told of new IMDSv1 instances and stale sources.
    pub alert_targets: Vec<String>,
    /// How long history and audit are kept.
    pub retention: Retention,
}

/// Whether metadata options may be changed at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangesAllowed {
    /// By each account's writer role.
    WithWriterRole,
    /// Also by the caller's own credentials, where an account is read with them.
    WithCallerCredentials,
    /// Nowhere, and why.
    Never(String),
}

/// Which accounts are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountSelection {
    /// The one that the caller's credentials belong to.
    Caller,
    Listed(Vec<Account>),
    /// Each active account of the organization, through roles of the same name in each.
    Organization(Organization),
}

/// One account and how it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// 12 digits.
    pub id: String,
    /// The id where no alias is given.
    pub alias: String,
    /// The caller's own credentials without one.
    pub reader_role_arn: Option<String>,
    /// Assumed only while a change runs.
    pub writer_role_arn: Option<String>,
    pub external_id: Option<String>,
}

/// The roles through which the accounts of an organization are reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    pub reader_role_name: String,
    pub writer_role_name: Option<String>,
    pub external_id: Option<String>,
}

impl Default for FleetConfig {
    fn default() -> FleetConfig {
        FleetConfig {
            endpoint_url: None,
            profile: None,
            home_region: None,
            accounts: AccountSelection::Caller,
            regions: Vec::new(),
            refresh_interval: Duration::from_secs(300),
            stale_after: SignedDuration::from_mins(20),
            page_size: 250,
            concurrency: 8,
            source_timeout: Duration::from_secs(120),
            call_timeout: Duration::from_secs(20),
            changes: ChangesAllowed::WithWriterRole,
            alert_targets: Vec::new(),
            retention: DEFAULT_RETENTION,
        }
    }
}
