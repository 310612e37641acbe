//! The local AWS of `infra/dev/`: started with a seeded fleet, ended with this program.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde::Deserialize;

use crate::paths;
use crate::process::{self, Held};
use crate::tools::{self, Missing};

/// The account is read from the digits of the key; see `infra/dev/aws.py`.
pub(crate) const ACCESS_KEY: &str = "AKIA111111111111TOLL";
pub(crate) const SECRET_KEY: &str = "not-a-secret";

/// Variables with which an AWS client reaches the emulator and nothing else.
pub(crate) fn environment(command: &mut Command) -> &mut Command {
    for variable in [
        "AWS_PROFILE",
        "AWS_SESSION_TOKEN",
        "AWS_ENDPOINT_URL",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
    ] {
        command.env_remove(variable);
    }
    command
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
}

/// How large the fleet is.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Seed {
    /// 300 instances
    Dev,
    /// 1,500 instances, evenly over two accounts and three regions
    Large,
    None,
}

impl Seed {
    fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Large => "large",
            Self::None => "none",
        }
    }
}

pub(crate) fn requirements() -> PathBuf {
    paths::root().join("infra/dev/requirements.txt")
}

/// The program of a second local AWS, which tests start for themselves.
pub(crate) fn second(missing: Missing) -> Result<PathBuf> {
    let requirements = paths::root().join("infra/dev/second-aws.txt");
    let python = tools::python_environment("ministack", &requirements, missing)?;
    Ok(python.with_file_name("ministack"))
}

/// A running emulator.
pub(crate) struct Running {
    pub(crate) url: String,
    pub(crate) instances: u32,
    pub(crate) process: Held,
}

#[derive(Deserialize)]
struct Ready {
    url: String,
    instances: u32,
}

/// Starts it and waits until it answers; port 0 takes a free one.
pub(crate) fn start(seed: Seed, port: u16, missing: Missing) -> Result<Running> {
    let python = tools::python_environment("moto", &requirements(), missing)?;
    let mut command = Command::new(python);
    command.arg("-B").arg(paths::root().join("infra/dev/aws.py")).args([
        "--seed",
        seed.name(),
        "--port",
        &port.to_string(),
    ]);
    let mut process = Held::start_with("the local AWS", &command, Stdio::piped())?;
    let stdout = process.take_stdout().context("the local AWS has no output")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    if line.is_empty() {
        bail!("the local AWS did not start; `{}` says why", process::spelled(&command));
    }
    let ready: Ready = serde_json::from_str(&line).with_context(|| format!("the local AWS said {line:?}"))?;
    Ok(Running { url: ready.url, instances: ready.instances, process })
}

/// Run the local AWS alone.
#[derive(clap::Args)]
pub(crate) struct Emulator {
    #[arg(long, default_value_t = 0)]
    port: u16,
    #[arg(long, value_enum, default_value_t = Seed::Dev)]
    seed: Seed,
}

impl Emulator {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let interrupted = process::interruption()?;
        let mut running = start(self.seed, self.port, Missing::Name)?;
        println!("export AWS_ENDPOINT_URL={}", running.url);
        println!(
            "export AWS_ACCESS_KEY_ID={ACCESS_KEY} AWS_SECRET_ACCESS_KEY={SECRET_KEY} AWS_REGION=eu-west-1"
        );
        while !interrupted.load(Ordering::SeqCst) {
            if let Some(status) = running.process.ended()? {
                bail!("the local AWS ended by itself ({status})");
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        Ok(ExitCode::SUCCESS)
    }
}
