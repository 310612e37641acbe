//! The commands: each is a thin layer over the same crates that the server functions use.

mod audit;
mod backend;
mod delivery;
mod fleet;
mod gitops;
mod healthcheck;
mod local;
mod login;
mod place;
mod publish;
mod report;
mod serve;
mod whoami;

use std::process::ExitCode;

use app::api::ApiError;
use clap::Subcommand;

pub(crate) use self::place::PlaceFlags;
use crate::client::ClientError;
use crate::config::{Config, ConfigError, Flags};
use crate::credentials::CredentialsError;
use crate::run_token::RunTokenError;

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
    /// Show where changes are, and why one is not there yet
    #[command(subcommand)]
    Delivery(delivery::DeliveryCommand),
    /// Freeze, promote, resume and revert by pull request
    #[command(subcommand)]
    Gitops(gitops::GitopsCommand),
    /// Tell of a stage that a pipeline has come to
    Report(Box<report::ReportCommand>),
    /// Put the page on a CDN, look at what is there, and go back
    #[command(subcommand)]
    Publish(publish::PublishCommand),
    /// Sign in at a server, where commands work from then on
    Login(login::Login),
    /// Forget the server and take the token back
    Logout(login::Logout),
    /// Show who you are, where commands work and what you may do there
    Whoami(whoami::Whoami),
    /// Ask a running server whether it is ready; for containers
    Healthcheck(healthcheck::Healthcheck),
}

impl Command {
    /// Whether the command answers others until it is told to end, instead of doing one thing.
    pub(crate) fn is_server(&self) -> bool {
        match self {
            Command::Serve(_) => true,
            Command::Fleet(_)
            | Command::Audit(_)
            | Command::Delivery(_)
            | Command::Gitops(_)
            | Command::Report(_)
            | Command::Publish(_)
            | Command::Whoami(_)
            | Command::Login(_)
            | Command::Logout(_)
            | Command::Healthcheck(_) => false,
        }
    }

    pub(crate) async fn run(self, mut flags: Flags, place: PlaceFlags) -> Result<ExitCode, CommandError> {
        match self {
            Command::Serve(serve) => {
                serve.add_flags(&mut flags);
                serve.run(Config::read(flags)?).await
            }
            Command::Healthcheck(healthcheck) => healthcheck.run(Config::read(flags)?).await,
            Command::Fleet(fleet) => fleet.run(place.place(flags).await?).await,
            Command::Audit(audit) => audit.run(place.place(flags).await?).await,
            Command::Delivery(delivery) => delivery.run(place.place(flags).await?).await,
            Command::Gitops(gitops) => gitops.run(place.place(flags).await?).await,
            Command::Report(report) => report.run(place.place(flags).await?).await,
            Command::Publish(publish) => {
                publish.add_flags(&mut flags);
                publish.run(Config::read(flags)?).await
            }
            Command::Whoami(whoami) => whoami.run(place.place(flags).await?).await,
            Command::Login(login) => login.run(&place).await,
            Command::Logout(logout) => logout.run(&place).await,
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

impl From<::delivery::DeliveryError> for CommandError {
    fn from(error: ::delivery::DeliveryError) -> CommandError {
        use ::delivery::DeliveryError;
        match &error {
            DeliveryError::Fact(_)
            | DeliveryError::Name(_)
            | DeliveryError::UnknownService(_)
            | DeliveryError::UnknownEnvironment(_)
            | DeliveryError::Invalid(_) => CommandError::usage(error.to_string()),
            DeliveryError::Store(_) | DeliveryError::NotKept(_) | DeliveryError::NotFound(_) => {
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

impl From<ConfigError> for CommandError {
    fn from(error: ConfigError) -> CommandError {
        CommandError::usage(error.to_string())
    }
}

impl From<CredentialsError> for CommandError {
    fn from(error: CredentialsError) -> CommandError {
        CommandError::failed(error.to_string())
    }
}

impl From<RunTokenError> for CommandError {
    fn from(error: RunTokenError) -> CommandError {
        CommandError::failed(error.to_string())
    }
}

impl From<ClientError> for CommandError {
    fn from(error: ClientError) -> CommandError {
        let message = error.to_string();
        match error {
            ClientError::Unreachable { .. } | ClientError::Incompatible { .. } => {
                CommandError::failed(message)
            }
            ClientError::Unauthenticated { .. } => CommandError::refused(message),
            ClientError::Refused(refused) => match refused {
                ApiError::BadRequest { .. } | ApiError::BadQuery { .. } => CommandError::usage(message),
                ApiError::Forbidden { .. } | ApiError::Conflict { .. } | ApiError::Unauthenticated => {
                    CommandError::refused(message)
                }
                ApiError::Upstream { code, message, next_step } => {
                    CommandError::failed(format!("{code}: {message}\n{next_step}"))
                }
                ApiError::NotFound { .. }
                | ApiError::TooMany
                | ApiError::Unavailable { .. }
                | ApiError::Internal
                | ApiError::Offline
                | ApiError::Incompatible => CommandError::failed(message),
            },
        }
    }
}

impl From<::publish::PublishError> for CommandError {
    fn from(error: ::publish::PublishError) -> CommandError {
        use ::publish::PublishError;
        match &error {
            PublishError::Invalid(_) => CommandError::usage(error.to_string()),
            PublishError::Lost { .. } | PublishError::Refused(_) => CommandError::refused(error.to_string()),
            PublishError::Bundle(_) | PublishError::Aws { .. } | PublishError::Unexpected { .. } => {
                CommandError::failed(error.to_string())
            }
        }
    }
}
