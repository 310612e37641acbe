//! `cargo xtask test`: everything that the tests need, the tests, and a summary whose last line is `N passed, N failed`.

mod bundle;
mod cdn;
mod libtest;
mod policy;
pub(crate) mod postgres;
mod summary;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use self::summary::{Count, Part, Summary};
use crate::emulator::{self, Seed};
use crate::tools::{self, Missing};
use crate::{cargo, issuer, lint, paths};

/// Run the tests.
#[derive(clap::Args)]
pub(crate) struct Test {
    #[arg(value_enum, default_value_t = Suite::Default)]
    suite: Suite,
    /// Only these parts of the suite
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Kind>,
    /// Only the tests of this package, in the parts that are cargo's
    #[arg(long)]
    package: Option<String>,
    /// Handed to the test programs: a filter, or `--nocapture`
    #[arg(last = true)]
    arguments: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// The inner loop: no servers, no bundle
    Unit,
    /// What continuous integration runs
    Default,
    /// Default, with the long forms of what it holds a short form of
    Full,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Kind {
    Lint,
    Unit,
    Policy,
    Cdn,
    Bundle,
    Integration,
    Browser,
}

impl Suite {
    /// In this order: what is quick to fail comes first.
    fn parts(self) -> &'static [Kind] {
        match self {
            Self::Unit => &[Kind::Unit],
            Self::Default | Self::Full => &[
                Kind::Lint,
                Kind::Unit,
                Kind::Policy,
                Kind::Cdn,
                Kind::Bundle,
                Kind::Integration,
                Kind::Browser,
            ],
        }
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Lint => "lint",
            Self::Unit => "unit",
            Self::Policy => "policy",
            Self::Cdn => "cdn",
            Self::Bundle => "bundle",
            Self::Integration => "integration",
            Self::Browser => "browser",
        }
    }
}

impl Test {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let mut summary = Summary::default();
        for &kind in self.suite.parts() {
            if !self.only.is_empty() && !self.only.contains(&kind) {
                continue;
            }
            println!("\n== {} ==", kind.name());
            let start = Instant::now();
            let outcome = self.part(kind);
            let part = Part { name: kind.name(), outcome, duration: start.elapsed() };
            if let Some(problem) = part.problem() {
                println!("{problem}");
            }
            summary.add(part);
        }
        println!("\n{summary}");
        Ok(if summary.succeeded() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn part(&self, kind: Kind) -> Result<Count> {
        match kind {
            Kind::Lint => lints(),
            Kind::Unit => self.unit(),
            Kind::Policy => policy::test(),
            Kind::Cdn => cdn::test(),
            Kind::Bundle => bundle::test(self.suite == Suite::Full),
            Kind::Integration => self.integration(),
            Kind::Browser => self.browser(),
        }
    }

    fn unit(&self) -> Result<Count> {
        tools::require_c_compiler(Missing::Install)?;
        let mut command = cargo::cargo();
        command.args(["test", "--no-fail-fast"]);
        match &self.package {
            // Cargo refuses to test the library of a package that has none, unless the whole workspace is asked for.
            Some(package) if !cargo::Metadata::load()?.has_library(package) => {
                command.args(["--bins", "--package", package])
            }
            Some(package) => command.args(["--lib", "--bins", "--package", package]),
            None => command.args(["--lib", "--bins", "--workspace"]),
        };
        let mut count = self.cargo_test(command)?;
        if self.package.as_ref().is_none_or(|package| package == "app") {
            // The pages are compiled for the browser only, apart from the server functions' bodies.
            let mut pages = cargo::cargo();
            pages.args(["test", "--no-fail-fast", "--package", "app", "--features", "csr", "--lib"]);
            count.add(self.cargo_test(pages)?);
        }
        Ok(count)
    }

    fn integration(&self) -> Result<Count> {
        let mut command = self.named_tests("integration")?;
        tools::Kubernetes::provide(Missing::Install)?.environment(&mut command);
        let database = postgres::start(Missing::Install)?;
        let python = tools::python_environment("moto", &emulator::requirements(), Missing::Install)?;
        let aws = emulator::start(Seed::Large, 0, Missing::Install)?;
        let github = tools::github(Missing::Install)?;
        emulator::environment(&mut command)
            .env("TOLLGATE_TEST_AWS_ENDPOINT", &aws.url)
            .env("TOLLGATE_TEST_AWS_PYTHON", python)
            .env("TOLLGATE_TEST_AWS_SCRIPT", paths::root().join("infra/dev/aws.py"))
            .env("TOLLGATE_TEST_SECOND_AWS", emulator::second(Missing::Install)?)
            .env("TOLLGATE_TEST_POSTGRES_URL", database.url())
            .env("TOLLGATE_TEST_OPA_BIN", tools::opa(Missing::Install)?)
            .env("TOLLGATE_TEST_NODE", tools::node(Missing::Install)?)
            .env("TOLLGATE_TEST_GITHUB_SCRIPT", paths::root().join("infra/dev/github.mjs"))
            .env("TOLLGATE_TEST_GITHUB_WEBHOOKS", tools::github_webhooks(&github))
            .env("TOLLGATE_TEST_GITHUB_MODULES", github)
            .env("TOLLGATE_TEST_CHARTS", tools::chart_values(Missing::Install)?)
            .env("TOLLGATE_TEST_SITE", self.site()?);
        self.cargo_test(command)
    }

    fn browser(&self) -> Result<Count> {
        let mut command = self.named_tests("browser")?;
        tools::Kubernetes::provide(Missing::Install)?.environment(&mut command);
        let browser = tools::browser(Missing::Install)?;
        let python = tools::python_environment("moto", &emulator::requirements(), Missing::Install)?;
        let aws = emulator::start(Seed::Dev, 0, Missing::Install)?;
        let (node, provider) = tools::oidc_provider(Missing::Install)?;
        let screenshots = paths::output().join("screenshots");
        fs::create_dir_all(&screenshots)?;
        emulator::environment(&mut command)
            .env("TOLLGATE_TEST_AWS_ENDPOINT", &aws.url)
            .env("TOLLGATE_TEST_AWS_PYTHON", python)
            .env("TOLLGATE_TEST_AWS_SCRIPT", paths::root().join("infra/dev/aws.py"))
            .env("TOLLGATE_TEST_SITE", self.site()?)
            .env("TOLLGATE_TEST_CHROMIUM", browser.chromium)
            .env("TOLLGATE_TEST_CHROMEDRIVER", browser.driver)
            .env("TOLLGATE_TEST_NODE", node)
            .env("TOLLGATE_TEST_ISSUER_SCRIPT", issuer::script())
            .env("TOLLGATE_TEST_OIDC_PROVIDER", provider)
            .env("TOLLGATE_TEST_AXE_JS", tools::axe(Missing::Install)?)
            .env("TOLLGATE_TEST_SCREENSHOTS", screenshots);
        self.cargo_test(command)
    }

    /// The bundle that servers under test serve; built here too, for the part may be run alone.
    fn site(&self) -> Result<PathBuf> {
        crate::bundle::build(Missing::Install).context("the tests need the bundle")?;
        Ok(paths::site())
    }

    /// `cargo test` of the test target with this name, in each package that has one.
    fn named_tests(&self, test: &str) -> Result<Command> {
        let metadata = cargo::Metadata::load()?;
        let packages = metadata.packages_with_test(test);
        let mut command = cargo::cargo();
        command.args(["test", "--no-fail-fast", "--test", test]);
        match &self.package {
            Some(wanted) if packages.contains(&wanted.as_str()) => command.args(["--package", wanted]),
            None if !packages.is_empty() => command.arg("--workspace"),
            Some(_) | None => bail!("no package has a test target named `{test}`"),
        };
        Ok(command)
    }

    fn cargo_test(&self, mut command: Command) -> Result<Count> {
        command.arg("--").args(&self.arguments);
        libtest::run(&mut command)
    }
}

fn lints() -> Result<Count> {
    let mut count = Count::default();
    for check in &lint::CHECKS {
        let start = Instant::now();
        let result = check.run();
        count.check(check.name, start.elapsed(), result);
    }
    Ok(count)
}

/// A directory for what a part leaves behind while it runs.
fn scratch(name: &str) -> Result<tempfile::TempDir> {
    let parent = std::env::temp_dir();
    tempfile::Builder::new()
        .prefix(&format!("tollgate-{name}-"))
        .tempdir_in(&parent)
        .with_context(|| format!("cannot create a directory in {}", parent.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_suite_holds_every_kind() {
        for kind in Kind::value_variants() {
            assert!(Suite::Default.parts().contains(kind), "{kind:?}");
        }
        assert_eq!(Suite::Unit.parts(), [Kind::Unit]);
    }
}
