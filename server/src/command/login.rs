//! `tollgate login` and `tollgate logout`: lets the command line in at a server, by device authorization (RFC 8628).

use std::process::ExitCode;
use std::time::Duration;

use app::api;
use clap::Args;
use indicatif::ProgressBar;
use jiff::Timestamp;
use oauth2::basic::BasicClient;
use oauth2::{
    AuthType, ClientId, DeviceAuthorizationUrl, DeviceCodeErrorResponseType, RequestTokenError,
    StandardDeviceAuthorizationResponse, TokenResponse, TokenUrl,
};
use url::Url;

use super::CommandError;
use super::place::{PlaceFlags, server_url};
use crate::auth::transport::Transport;
use crate::auth::{AUTHORIZATION_PATH, COMMAND_LINE, TOKEN_PATH};
use crate::causes::causes;
use crate::client::{self, Client, at};
use crate::credentials::Credentials;
use crate::output::{note, print_text};

#[derive(Debug, Args)]
pub(crate) struct Login {
    /// What the page shows of this command line [default: tollgate on this machine's name]
    #[arg(long)]
    name: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Logout {}

impl Login {
    pub(crate) async fn run(self, place: &PlaceFlags) -> Result<ExitCode, CommandError> {
        let Some(named) = place.named() else {
            return Err(CommandError::usage(
                "Name the server to sign in at: tollgate login --server https://tollgate.example.com",
            ));
        };
        let server = server_url(named)?;
        let name = client::name(&server);
        let mut credentials = Credentials::read()?;
        let issuers = Client::new(server.clone(), None)?.call(api::ListIssuers {}).await?;
        let token = if issuers.is_empty() {
            None
        } else {
            Some(let_in(&server, self.name.unwrap_or_else(own_name)).await?)
        };
        let secret = token.as_ref().map(|(secret, _)| secret.clone());
        let who = Client::new(server, secret)?.call(api::SessionInfo {}).await?;
        credentials.log_in(&name, token)?;
        let roles = if who.roles.is_empty() { "no role yet".to_owned() } else { who.roles.join("; ") };
        print_text(&format!(
            "You are {} at {name}: {roles}.\nCommands work there from now on; with --local, in this process.",
            who.actor
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Logout {
    pub(crate) async fn run(self, place: &PlaceFlags) -> Result<ExitCode, CommandError> {
        let mut credentials = Credentials::read()?;
        let Some(server) = place.named().map(str::to_owned).or(credentials.server().map(str::to_owned))
        else {
            return Err(CommandError::usage(
                "There is no server to sign out from: commands work in process.",
            ));
        };
        let server = server_url(&server)?;
        let name = client::name(&server);
        let token = credentials.token(&name, Timestamp::now());
        // Forgotten here even where the server cannot be told.
        credentials.log_out(&name)?;
        if let Some(token) = token {
            let client = Client::new(server, Some(token))?;
            client.give_back_token().await.map_err(|error| {
                CommandError::failed(format!(
                    "{error}\nThis machine has forgotten the token, but the server still knows it: take it back on the page Tokens \
                     of {name}."
                ))
            })?;
        }
        print_text(&format!("Signed out from {name}. Commands work in this process from now on."))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Asks the server for a code, shows it, and waits until somebody has let this program in. Answers the token and when it expires.
async fn let_in(server: &Url, own_name: String) -> Result<(String, Option<Timestamp>), CommandError> {
    let transport = transport()?;
    let client = BasicClient::new(ClientId::new(COMMAND_LINE.into()))
        .set_auth_type(AuthType::RequestBody)
        .set_device_authorization_url(DeviceAuthorizationUrl::from_url(at(server, AUTHORIZATION_PATH)))
        .set_token_uri(TokenUrl::from_url(at(server, TOKEN_PATH)));
    let begun: StandardDeviceAuthorizationResponse = client
        .exchange_device_code()
        .add_extra_param("client_name", own_name)
        .request_async(&transport)
        .await
        .map_err(|error| failed(server, &error))?;
    let page = match begun.verification_uri_complete() {
        Some(complete) => complete.secret().clone(),
        None => begun.verification_uri().to_string(),
    };
    note(&format!("Open {page}\nand let this program in, if the page shows {}.", begun.user_code().secret()));
    let spinner = ProgressBar::new_spinner().with_message("Waiting for somebody to decide");
    spinner.enable_steady_tick(Duration::from_millis(100));
    let asked_at = Timestamp::now();
    let answer =
        client.exchange_device_access_token(&begun).request_async(&transport, tokio::time::sleep, None).await;
    spinner.finish_and_clear();
    let token = answer.map_err(|error| match &error {
        RequestTokenError::ServerResponse(told) => match told.error() {
            DeviceCodeErrorResponseType::AccessDenied => {
                CommandError::refused("Somebody refused this program. Nothing was kept.")
            }
            DeviceCodeErrorResponseType::ExpiredToken => CommandError::failed(
                "Nobody let this program in, and the code has expired. Run tollgate login again.",
            ),
            DeviceCodeErrorResponseType::AuthorizationPending
            | DeviceCodeErrorResponseType::SlowDown
            | DeviceCodeErrorResponseType::Basic(_) => failed(server, &error),
        },
        RequestTokenError::Request(_) | RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            failed(server, &error)
        }
    })?;
    let expires_at = token.expires_in().and_then(|lifetime| asked_at.checked_add(lifetime).ok());
    Ok((token.access_token().secret().clone(), expires_at))
}

fn transport() -> Result<Transport, CommandError> {
    Transport::new().map_err(|error| CommandError::failed(format!("No client can be made: {error}")))
}

fn failed(server: &Url, error: &dyn std::error::Error) -> CommandError {
    CommandError::failed(format!("{} lets nobody in: {}.", client::name(server), causes(error)))
}

/// What the page shows, so that somebody recognizes it: this machine's name.
fn own_name() -> String {
    let machine = std::fs::read_to_string("/etc/hostname").ok().or_else(|| std::env::var("HOSTNAME").ok());
    match machine.as_deref().map(str::trim).filter(|name| !name.is_empty()) {
        Some(machine) => format!("tollgate on {machine}"),
        None => "tollgate".into(),
    }
}
