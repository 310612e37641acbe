//! The fleet in this process, for commands that run without a server.

use std::sync::Arc;

use fleet::Fleet;
use policy::PolicyEngine;
use store::Store;

use super::CommandError;
use crate::config::Config;

/// The fleet over the configured database.
pub(super) async fn open(config: &Config) -> Result<Arc<Fleet>, CommandError> {
    Ok(Fleet::new(config.fleet.clone(), Store::connect(&config.database_url).await?, policy(config)?).await)
}

/// As [`open`], to make changes with. Where people sign in, what may be changed follows from who they are, and a process of
/// one's own would answer to nobody.
pub(super) async fn open_for_changes(config: &Config) -> Result<Arc<Fleet>, CommandError> {
    if config.auth.is_some() {
        return Err(CommandError::refused(
            "This configuration has people sign in: make changes in the console, or sign in here too with tollgate login --server, so \
             that your roles are known.",
        ));
    }
    open(config).await
}

/// The fleet without a database: for commands that only read AWS.
pub(super) async fn open_without_store(config: &Config) -> Result<Arc<Fleet>, CommandError> {
    Ok(Fleet::new(config.fleet.clone(), Store::unopened()?, policy(config)?).await)
}

/// The same, where the policy is not asked either.
pub(super) async fn open_without_policy(config: &Config) -> Result<Arc<Fleet>, CommandError> {
    Ok(Fleet::new(config.fleet.clone(), Store::unopened()?, Arc::new(policy::Unasked)).await)
}

fn policy(config: &Config) -> Result<Arc<dyn PolicyEngine>, CommandError> {
    policy::open(&config.policy).map_err(|error| CommandError::usage(error.to_string()))
}

/// The name under which a local operator's changes are recorded: nobody proved it, and the log says so.
pub(super) fn local_operator() -> String {
    let user = ["USER", "LOGNAME", "USERNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    match user.filter(|user| !user.is_empty()) {
        Some(user) => format!("local operator ({user})"),
        None => "local operator".into(),
    }
}
