//! `cargo xtask bench NAME`: ours and the peers in turn on the same work, as a table and as `target/bench/NAME.json`.

mod console;
mod delivery;
mod fleet;
mod measure;
mod page;
mod publish;
mod report;
mod s3;
mod stub;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;

/// Measure, beside the peers.
#[derive(clap::Args)]
pub(crate) struct Bench {
    #[arg(value_enum)]
    name: Name,
    /// Within a minute: the larger page only, and no peer that would have to be installed first
    #[arg(long)]
    quick: bool,
    /// Measure this program instead of a release build
    #[arg(long)]
    binary: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Name {
    /// Listing 10,000 instances, list queries over 100,000, and policy decisions
    Fleet,
    /// The matrix and timelines over 90 days of 200 services
    Delivery,
    /// Uploading 500 small files and a bundle, and uploading nothing
    Publish,
}

impl Bench {
    pub(crate) fn run(self) -> Result<ExitCode> {
        match self.name {
            Name::Fleet => fleet::run(self.quick, self.binary)?,
            Name::Delivery => delivery::run(self.quick, self.binary)?,
            Name::Publish => publish::run(self.quick, self.binary)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
