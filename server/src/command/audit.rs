//! `tollgate audit`: the audit log of the configured database.

use std::process::ExitCode;

use clap::Args;
use store::Store;

use super::CommandError;
use crate::config::Config;
use crate::output::{Output, print};
use crate::rows;

#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// Only entries that contain this text
    #[arg(default_value = "")]
    text: String,
    /// Only entries of this action, such as change-applied
    #[arg(long, default_value = "")]
    action: String,
    /// Only entries of this account
    #[arg(long, default_value = "")]
    account: String,
    /// Only entries of this instance
    #[arg(long, default_value = "")]
    instance: String,
    /// At most this many, 1 to 1000
    #[arg(long, default_value_t = 100)]
    limit: u32,
    #[arg(long, short, value_enum, default_value_t)]
    output: Output,
}

impl Audit {
    pub(crate) async fn run(self, config: Config) -> Result<ExitCode, CommandError> {
        let filter = app::api::services::audit_filter(
            &self.text,
            &self.action,
            &self.account,
            &self.instance,
            0,
            self.limit,
        )
        .map_err(|error| CommandError::usage(error.to_string()))?;
        let store = Store::connect(&config.database_url).await?;
        let entries = store.audit(&filter).await?;
        print(self.output, &rows::AUDIT, entries.iter().map(rows::audit_entry), &entries)?;
        Ok(ExitCode::SUCCESS)
    }
}
