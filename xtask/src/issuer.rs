//! The OpenID Connect provider of `infra/dev/`: started with one user for each role, ended with this program.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::paths;
use crate::process::{self, Held};
use crate::tools::{self, Missing};

/// A running provider.
pub(crate) struct Running {
    pub(crate) process: Held,
    ready: Ready,
}

#[derive(Deserialize)]
struct Ready {
    url: String,
    client_id: String,
    client_secret: String,
}

pub(crate) fn script() -> PathBuf {
    paths::root().join("infra/dev/issuer.mjs")
}

/// Starts it on a free port and waits until it listens.
pub(crate) fn start(missing: Missing) -> Result<Running> {
    let (node, package) = tools::oidc_provider(missing)?;
    let mut command = Command::new(node);
    command.arg(script()).arg(package);
    let mut process = Held::start_with("the local issuer", &command, Stdio::piped())?;
    let stdout = process.take_stdout().context("the local issuer has no output")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    if line.is_empty() {
        bail!("the local issuer did not start; `{}` says why", process::spelled(&command));
    }
    let ready = serde_json::from_str(&line).with_context(|| format!("the local issuer said {line:?}"))?;
    Ok(Running { process, ready })
}

impl Running {
    /// The configuration of a console at `public_url` at which the provider's users sign in.
    pub(crate) fn configuration(&self, public_url: &str) -> String {
        let Ready { url, client_id, client_secret } = &self.ready;
        let roles = ["viewer", "operator", "releaser", "approver", "administrator"];
        let grants: String = roles
            .iter()
            .map(|role| format!("\n[[grants]]\ngroup = \"{role}s\"\nrole = \"{role}\"\n"))
            .collect();
        format!(
            "\n[auth]\npublic_url = \"{public_url}\"\n\n[[issuers]]\nname = \"Local\"\nurl = \"{url}\"\n\
             client_id = \"{client_id}\"\nclient_secret = \"{client_secret}\"\n{grants}"
        )
    }
}
