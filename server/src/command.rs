//! The commands: each is a thin layer over the same crates that the server functions use.

mod audit;
mod fleet;
mod healthcheck;
mod local;
mod serve;

use std::process::ExitCode;

use clap::Subcommand;
use tokio::runtime::Builder;

use crate::config::{Config, Flags};

/// The version, with the commit where the build knows it.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Something is unknown or incomplete, such as a region that could not be read.
pub(crate) const INCOMPLETE: u8 = 3;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the console
    Serve(serve::Serve),
    /// List instances, look at one, change one
    #[command(subcommand)]
    Fleet(fleet::FleetCommand),
    /// Show the audit log
    Audit(audit::Audit),
    /// Ask a running server whether it is ready; for containers
    Healthcheck(healthcheck::Healthcheck),
}

impl Command {
    /// Adds the flags of the command itself to those of the configuration.
    pub(crate) fn add_flags(&self, flags: &mut Flags) {
        match self {
            Command::Serve(serve) => serve.add_flags(flags),
            Command::Fleet(_) | Command::Audit(_) | Command::Healthcheck(_) => {}
        }
    }

    /// What the command runs on: a server on all cores; a command that asks AWS and prints on one thread, since each further
    /// one would keep memory of its own.
    pub(crate) fn runtime(&self) -> Builder {
        match self {
            Command::Serve(_) => Builder::new_multi_thread(),
            Command::Fleet(_) | Command::Audit(_) | Command::Healthcheck(_) => Builder::new_current_thread(),
        }
    }

    pub(crate) async fn run(self, config: Config) -> Result<ExitCode, CommandError> {
        match self {
            Command::Serve(serve) => serve.run(config).await,
            Command::Fleet(fleet) => fleet.run(config).await,
            Command::Audit(audit) => audit.run(config).await,
            Command::Healthcheck(healthcheck) => healthcheck.run(config).await,
        }
    }
}

/// Why a command did not do what was asked, with its exit code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct CommandError {
    pub(crate) message: String,
    pub(crate) code: u8,
}

impl CommandError {
    pub(crate) fn failed(message: impl Into<String>) -> CommandError {
        CommandError { message: message.into(), code: 1 }
    }

    pub(crate) fn usage(message: impl Into<String>) -> CommandError {
        CommandError { message: message.into(), code: 2 }
    }

    /// The request was understood and is refused: by AWS, by the rules, or by the person asked.
    pub(crate) fn refused(message: impl Into<String>) -> CommandError {
        CommandError { message: message.into(), code: 4 }
    }
}

impl From<::fleet::error::FleetError> for CommandError {
    fn from(error: ::fleet::error::FleetError) -> CommandError {
        use ::fleet::error::FleetError;
        match &error {
            FleetError::Aws(aws) => CommandError::failed(format!("{error}\n{}", aws.next_step())),
            FleetError::Refused(_) | FleetError::Conflict(_) => CommandError::refused(error.to_string()),
            FleetError::Invalid(_) => CommandError::usage(error.to_string()),
            FleetError::Store(_) | FleetError::NotFound(_) | FleetError::Snapshot(_) => {
                CommandError::failed(error.to_string())
            }
        }
    }
}

impl From<store::StoreError> for CommandError {
    fn from(error: store::StoreError) -> CommandError {
        CommandError::failed(error.to_string())
    }
}
