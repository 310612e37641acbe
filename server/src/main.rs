//! The `tollgate` binary: reads the command line and the configuration, and hands over to the command.

mod assets;
mod auth;
mod causes;
mod client;
mod command;
mod config;
mod credentials;
mod gitops;
mod http;
mod output;
mod readers;
mod rows;
mod run_token;
mod urls;
mod webhook;

use std::process::ExitCode;

use clap::Parser;
use command::{Command, CommandError, PlaceFlags};
use config::Flags;
use tokio::runtime::Builder;

/// Finds the EC2 instances that allow IMDSv1, and moves them to IMDSv2.
#[derive(Debug, Parser)]
#[command(name = "tollgate", version = command::VERSION, max_term_width = 110)]
#[command(
    after_help = "Exit codes: 0 done; 1 failed; 2 wrong usage or configuration; 3 done, but something is unknown or incomplete; 4 refused."
)]
struct Arguments {
    #[command(flatten)]
    global: Global,
    #[command(flatten)]
    place: PlaceFlags,
    #[command(subcommand)]
    command: Command,
}

/// Flags of every command; each wins over its variable and the file.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Configuration")]
struct Global {
    /// The configuration file [default: tollgate.toml, where there is one]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<std::path::PathBuf>,
    /// The database, as sqlite:// or postgres:// URL
    #[arg(long, global = true, value_name = "URL", hide_env_values = true)]
    database_url: Option<String>,
    /// An API other than AWS itself
    #[arg(long, global = true, value_name = "URL")]
    endpoint_url: Option<String>,
    /// The profile of the AWS configuration
    #[arg(long, global = true, value_name = "NAME")]
    profile: Option<String>,
    /// Regions to read, separated by commas
    #[arg(long, global = true, value_name = "REGIONS")]
    region: Option<String>,
    /// Instances per page of DescribeInstances, 5 to 1000
    #[arg(long, global = true, value_name = "N")]
    page_size: Option<String>,
    /// Refuse every change
    #[arg(long, global = true)]
    read_only: bool,
}

impl Global {
    fn flags(&self) -> Flags {
        let named = [
            ("database_url", &self.database_url),
            ("aws.endpoint_url", &self.endpoint_url),
            ("aws.profile", &self.profile),
            ("regions", &self.region),
            ("page_size", &self.page_size),
        ];
        let mut values: Vec<_> =
            named.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))).collect();
        if self.read_only {
            values.push(("read_only", "true".into()));
        }
        Flags { file: self.config.clone(), values }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // A command that asks and prints needs little: each further thread would keep memory of its own.
    let mut runtime = if arguments.command.is_server() {
        Builder::new_multi_thread()
    } else {
        allocator::give_back_large_blocks();
        Builder::new_current_thread()
    };
    let runtime = match runtime.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return output::fail(&CommandError::failed(format!("The runtime cannot be started: {error}")));
        }
    };
    match runtime.block_on(arguments.command.run(arguments.global.flags(), arguments.place)) {
        Ok(code) => code,
        Err(error) => output::fail(&error),
    }
}
