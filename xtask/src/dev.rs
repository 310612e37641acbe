//! `cargo xtask dev`: from a fresh checkout to a running console in one command.

mod deliveries;
mod gitops;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;

use crate::emulator::{self, Seed};
use crate::process::{self, Held};
use crate::tools::{self, Missing};
use crate::{bundle, issuer};
use crate::{cargo, paths};

/// Set everything up and run Tollgate.
#[derive(clap::Args)]
pub(crate) struct Dev {
    /// Use your own AWS profile instead of the local AWS; nothing is changed there unless --allow-changes is given
    #[arg(long)]
    aws: bool,
    /// With --aws: let Tollgate change instances
    #[arg(long, requires = "aws")]
    allow_changes: bool,
    /// The port on 127.0.0.1
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// How large the fleet of the local AWS is
    #[arg(long, value_enum, default_value_t = Seed::Dev, conflicts_with = "aws")]
    seed: Seed,
    /// Sign in at a local issuer as viewer, operator, releaser, approver or administrator, with any password
    #[arg(long, conflicts_with = "aws")]
    login: bool,
}

impl Dev {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let start = Instant::now();
        let interrupted = process::interruption()?;
        check_machine(!self.aws)?;
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        TcpListener::bind(address)
            .with_context(|| format!("port {} is taken; choose another with --port", self.port))?;

        bundle::build(Missing::Name)?;
        let binary = cargo::build_binary("server", "tollgate", false)?;

        let directory = paths::output().join("dev");
        fs::create_dir_all(&directory)?;
        let mut running = Vec::new();
        let mut serve = Command::new(binary);
        serve
            .current_dir(paths::root())
            .args(["serve", "--listen", &address.to_string(), "--site"])
            .arg(paths::site())
            .env("TOLLGATE_DATABASE_URL", database_url(&directory, self.aws));
        if self.aws {
            if self.allow_changes {
                serve.env("TOLLGATE_CALLER_MAY_CHANGE", "true");
            } else {
                serve.arg("--read-only");
            }
            println!(
                "AWS: your own profile, {}",
                if self.allow_changes { "changes allowed" } else { "read only" }
            );
        } else {
            let local = emulator::start(self.seed, 0, Missing::Name)?;
            println!("AWS: local, {} instances at {}", local.instances, local.url);
            let file = directory.join("tollgate.toml");
            let repository = directory.join("gitops.git");
            gitops::seed(&repository, deliveries::desired(Timestamp::now()))?;
            println!("GitOps: a bare repository at {}", repository.display());
            let mut configuration = configuration(&local.url)
                + &deliveries::configuration()
                + &gitops::configuration(&repository);
            if self.login {
                let issuer = issuer::start(Missing::Name)?;
                configuration.push_str(&issuer.configuration(&format!("http://{address}")));
                running.push(issuer.process);
            }
            fs::write(&file, configuration)?;
            serve.arg("--config").arg(file);
            emulator::environment(&mut serve);
            running.push(local.process);
        }
        // The server comes first, so that it is also the first to end: a call under way still finds its AWS.
        running.insert(0, Held::start("tollgate", &serve)?);

        let mut said = false;
        loop {
            if interrupted.load(Ordering::SeqCst) {
                println!("\nstopping");
                return Ok(ExitCode::SUCCESS);
            }
            for process in &mut running {
                if let Some(status) = process.ended()? {
                    bail!("{} ended by itself ({status})", process.name());
                }
            }
            if !said && answers(address) {
                said = true;
                self.seed_deliveries(address)?;
                println!(
                    "\nTollgate is at http://{address}/ (ready after {:.0?}). Ctrl-C stops it.\n",
                    start.elapsed()
                );
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Dev {
    /// Fills the local console with deliveries, where whoever runs it may tell of them without a token.
    fn seed_deliveries(&self, address: SocketAddr) -> Result<()> {
        if self.aws {
            return Ok(());
        }
        if self.login {
            println!("Deliveries: those of an earlier run without --login; reporting needs a token now");
        } else if deliveries::seed(address)? {
            println!("Deliveries: some days of three services, told as CDEvents in place of a cluster");
        }
        Ok(())
    }
}

/// Everything that is missing is named at once, so that one trip to the package manager is enough.
fn check_machine(local: bool) -> Result<()> {
    let mut complaints = Vec::new();
    let checks = [
        tools::require_c_compiler(Missing::Name),
        tools::require_wasm_target(),
        tools::wasm_opt(Missing::Name).map(drop),
        if local { tools::require_python(Missing::Name).map(drop) } else { Ok(()) },
    ];
    for error in checks.into_iter().filter_map(Result::err) {
        complaints.push(format!("- {error:#}"));
    }
    if !complaints.is_empty() {
        bail!("this machine lacks something:\n{}", complaints.join("\n"));
    }
    Ok(())
}

/// The seeded fleet and the caller's own account must never meet in one history.
fn database_url(directory: &Path, aws: bool) -> String {
    let file: PathBuf = directory.join(if aws { "aws.db" } else { "tollgate.db" });
    format!("sqlite://{}", file.display())
}

/// The configuration for the local AWS: the two accounts that `infra/dev/seed.py` fills.
fn configuration(endpoint: &str) -> String {
    let account = |id: &str, alias: &str| {
        format!(
            "\n[[accounts]]\nid = \"{id}\"\nalias = \"{alias}\"\n\
             reader_role_arn = \"arn:aws:iam::{id}:role/tollgate-reader\"\n\
             writer_role_arn = \"arn:aws:iam::{id}:role/tollgate-writer\"\n"
        )
    };
    format!(
        "# Written by `cargo xtask dev`; every run writes it again.\n\
         regions = [\"eu-west-1\", \"us-east-1\", \"ap-south-1\"]\n\
         refresh_interval = \"30s\"\n\n\
         [aws]\nendpoint_url = \"{endpoint}\"\n\n\
         [policy]\nregulated_accounts = [\"111111111111\"]\n{}{}",
        account("111111111111", "prod"),
        account("222222222222", "sandbox")
    )
}

/// Whether the server answers its liveness check.
pub(crate) fn answers(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_millis(200))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        write!(stream, "GET /api/health/live HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        Ok(head.ends_with(b"200"))
    };
    ask().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_accounts_are_configured_with_both_roles() {
        let text = configuration("http://127.0.0.1:5000");
        assert_eq!(text.matches("[[accounts]]").count(), 2);
        assert!(text.contains("writer_role_arn = \"arn:aws:iam::222222222222:role/tollgate-writer\""));
        let accounts = text.find("[[accounts]]").unwrap();
        assert!(text.find("refresh_interval").unwrap() < accounts, "top-level keys come before the tables");
    }

    #[test]
    fn the_local_fleet_and_a_real_account_have_a_database_each() {
        let directory = Path::new("/tmp");
        assert_ne!(database_url(directory, true), database_url(directory, false));
    }
}
