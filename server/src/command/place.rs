//! Where a command works: in this process, with AWS credentials and a configuration of its own, or at a server, with a token.

use jiff::Timestamp;
use url::Url;

use super::CommandError;
use crate::client::{self, Client};
use crate::config::{Config, Flags};
use crate::credentials::{Credentials, CredentialsError};
use crate::run_token::run_token;

/// Where a command works.
pub(crate) enum Place {
    Here(Box<Config>),
    Server(Client),
}

/// What the command line says of the place.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct PlaceFlags {
    /// Work at a server instead of in this process [default: the server of `tollgate login`]
    #[arg(long, global = true, value_name = "URL", env = "TOLLGATE_SERVER")]
    pub(crate) server: Option<String>,
    /// Work in this process, whatever server is set
    #[arg(long, global = true)]
    local: bool,
}

impl PlaceFlags {
    /// Where to work. `flags` are those of the configuration, which a server has of its own.
    pub(super) async fn place(&self, flags: Flags) -> Result<Place, CommandError> {
        if self.local {
            return Ok(Place::Here(Box::new(Config::read(flags)?)));
        }
        let credentials = Credentials::read();
        let named = self.named();
        let kept = credentials.as_ref().ok().and_then(|credentials| credentials.server().map(str::to_owned));
        let Some(server) = named.map(str::to_owned).or(kept) else {
            // Credentials that cannot be read may name a server: working elsewhere would be a surprise.
            return match credentials {
                Err(error @ CredentialsError::Unreadable { .. }) => Err(error.into()),
                _ => Ok(Place::Here(Box::new(Config::read(flags)?))),
            };
        };
        let server = server_url(&server)?;
        if !flags.is_empty() {
            return Err(CommandError::usage(format!(
                "This command works at {}, which has a configuration of its own. Leave the flags of the configuration out, or \
                 work in this process with --local.",
                client::name(&server)
            )));
        }
        let name = client::name(&server);
        let kept = credentials.ok().and_then(|kept| kept.token(&name, Timestamp::now()));
        let token = match variable("TOLLGATE_TOKEN").or(kept) {
            Some(token) => Some(token),
            None => run_token(&name, variable).await?,
        };
        Ok(Place::Server(Client::new(server, token)?))
    }

    /// The server that was named; an empty variable names none.
    pub(super) fn named(&self) -> Option<&str> {
        self.server.as_deref().filter(|server| !server.is_empty())
    }
}

/// What a variable is set to; one that is set to nothing is not set.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The address of a server as somebody typed it.
pub(super) fn server_url(text: &str) -> Result<Url, CommandError> {
    client::server_url(text).map_err(CommandError::usage)
}
