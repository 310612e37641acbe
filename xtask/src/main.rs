//! Every automation of the project: `cargo xtask dev | test | bundle | bench | lint | tools`.

mod bench;
mod bundle;
mod cargo;
mod dev;
mod emulator;
mod http;
mod issuer;
mod lint;
mod paths;
mod process;
mod test;
mod tools;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The automation of Tollgate", max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Set everything up and run Tollgate against a local AWS with a seeded fleet
    Dev(dev::Dev),
    /// Run the tests; the last line is `N passed, N failed`
    Test(test::Test),
    /// Build what the browser loads into target/site
    Bundle(bundle::Bundle),
    /// Measure, beside the peers, and write target/bench/NAME.json
    Bench(bench::Bench),
    /// Formatting, clippy, rustdoc, unused dependencies and the rules of the house
    Lint,
    /// Fetch or build each tool that the tests need, and say where it is
    Tools,
    /// Run the local AWS alone, until Ctrl-C
    Emulator(emulator::Emulator),
    /// Run a command that ends when our standard input closes
    #[command(hide = true)]
    Hold(process::Hold),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Dev(dev) => dev.run(),
        Command::Test(test) => test.run(),
        Command::Bundle(bundle) => bundle.run(),
        Command::Bench(bench) => bench.run(),
        Command::Lint => lint::run(),
        Command::Tools => tools::list(),
        Command::Emulator(emulator) => emulator.run(),
        Command::Hold(hold) => hold.run(),
    }
}
