//! `tollgate audit`: the audit log of the configured database, or of a server.

use std::process::ExitCode;

use app::api;
use app::api::services::audit_filter;
use clap::Args;
use store::Store;

use super::CommandError;
use super::place::Place;
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
    pub(super) async fn run(self, place: Place) -> Result<ExitCode, CommandError> {
        let Audit { text, action, account, instance: instance_id, limit, output } = self;
        let before_seq = 0;
        let filter = audit_filter(&text, &action, &account, &instance_id, before_seq, limit);
        let filter = filter.map_err(|error| CommandError::usage(error.to_string()))?;
        let entries = match place {
            Place::Here(config) => Store::connect(&config.database_url).await?.audit(&filter).await?,
            Place::Server(client) => {
                client.call(api::ListAudit { text, action, account, instance_id, before_seq, limit }).await?
            }
        };
        print(output, &rows::AUDIT, entries.iter().map(rows::audit_entry), &entries)?;
        Ok(ExitCode::SUCCESS)
    }
}
