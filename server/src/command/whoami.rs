//! `tollgate whoami`: who the command line is, where it works, and what it may do there.

use std::process::ExitCode;

use app::api;
use clap::Args;

use super::place::Place;
use super::{CommandError, local};
use crate::output::{Output, print};

#[derive(Debug, Args)]
pub(crate) struct Whoami {
    #[arg(long, short, value_enum, default_value_t)]
    output: Output,
}

impl Whoami {
    pub(super) async fn run(self, place: Place) -> Result<ExitCode, CommandError> {
        let (server, actor, roles, permissions) = match place {
            Place::Here(config) => {
                let roles = if config.auth.is_some() {
                    "reading only: people sign in at the server"
                } else {
                    "everything"
                };
                (
                    "none: in this process".to_owned(),
                    local::local_operator(),
                    vec![roles.to_owned()],
                    Vec::new(),
                )
            }
            Place::Server(client) => {
                let info = client.call(api::SessionInfo {}).await?;
                (client.server_name(), info.actor, info.roles, info.permissions)
            }
        };
        let permissions: Vec<&str> = permissions.iter().map(|permission| permission.as_str()).collect();
        let json = serde_json::json!({ "server": server, "actor": actor, "roles": roles, "permissions": permissions });
        let rows = [
            ("server", server),
            ("actor", actor),
            ("roles", roles.join("; ")),
            ("permissions", permissions.join(", ")),
        ];
        let rows = rows.into_iter().map(|(field, value)| vec![field.to_owned(), value]);
        print(self.output, &["field", "value"], rows, &json)?;
        Ok(ExitCode::SUCCESS)
    }
}
