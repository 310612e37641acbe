//! A PostgreSQL for one run: a fresh cluster on a loopback port, without sockets and without care for its disk.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::scratch;
use crate::process::{self, Held};
use crate::tools::{self, Missing};

/// A running database; dropped, it is ended and removed.
pub(crate) struct Postgres {
    port: u16,
    // In this order: the server ends before its files go.
    _server: Held,
    _directory: TempDir,
}

impl Postgres {
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }
}

pub(crate) fn start(missing: Missing) -> Result<Postgres> {
    let programs = tools::postgres(missing)?;
    let directory = scratch("postgres")?;
    let account = account()?;
    if let Some(account) = &account {
        process::output(Command::new("chown").arg(account).arg(directory.path()))?;
    }
    let data = directory.path().join("data");
    process::output(
        command(&programs, "initdb", account.as_deref(), directory.path())
            .args([
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
                "--pgdata",
            ])
            .arg(&data),
    )?;
    let port = process::free_port()?;
    let mut server = command(&programs, "postgres", account.as_deref(), directory.path());
    server.arg("-D").arg(&data).args(["-p", &port.to_string()]);
    for setting in [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "max_connections=200",
        "fsync=off",
        "synchronous_commit=off",
        "full_page_writes=off",
        "log_min_messages=fatal",
        "log_min_error_statement=panic",
    ] {
        server.args(["-c", setting]);
    }
    let mut held = Held::start("PostgreSQL", &server)?;
    let mut ended = None;
    let ready = process::wait_until(Duration::from_secs(30), || {
        ended = held.ended().ok().flatten();
        ended.is_some() || accepts(&programs, port)
    });
    if let Some(status) = ended {
        bail!("PostgreSQL ended while starting ({status})");
    }
    if !ready {
        bail!("PostgreSQL did not accept connections within 30 s");
    }
    Ok(Postgres { port, _server: held, _directory: directory })
}

fn accepts(programs: &Path, port: u16) -> bool {
    let tool = programs.join("pg_isready");
    let tool = if process::is_executable(&tool) { tool } else { PathBuf::from("pg_isready") };
    Command::new(tool)
        .args(["--quiet", "--username=postgres", "--host=127.0.0.1", &format!("--port={port}")])
        .stdin(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The account to run under: PostgreSQL refuses root. `None` is our own.
fn account() -> Result<Option<String>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    ["postgres", "nobody"]
        .into_iter()
        .find(|name| process::output(Command::new("id").args(["-u", name])).is_ok())
        .map(|name| Some(name.to_owned()))
        .context("PostgreSQL refuses to run as root, and there is neither an account `postgres` nor `nobody`")
}

fn command(programs: &Path, program: &str, account: Option<&str>, directory: &Path) -> Command {
    let program = programs.join(program);
    let mut command = match account {
        None => Command::new(program),
        Some(account) => {
            let mut command = Command::new("setpriv");
            command.arg(format!("--reuid={account}")).arg("--regid").arg(group(account));
            command.arg("--clear-groups").arg("--").arg(program);
            command
        }
    };
    // The checkout may be closed to that account.
    command.current_dir(directory);
    command
}

fn group(account: &str) -> String {
    process::text(Command::new("id").args(["-g", account])).unwrap_or_else(|_| account.to_owned())
}
