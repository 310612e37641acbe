//! `tollgate publish`: the page's bundle to S3 and CloudFront, what is there, and the way back.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::{Args, Subcommand};
use domain::release::{FileChange, NoRelease, Origin, ReleaseId};
use jiff::{SignedDuration, Timestamp};
use publish::{
    Bundle, Finding, Invalidation, Outcome, Progress, PruneOptions, Publisher, PushOptions, RollbackOptions,
    Status, SyncOptions,
};

use super::{CommandError, local};
use crate::config::{Config, Flags};
use crate::output::{Output, Spinner, note, print, print_text};

#[derive(Debug, Subcommand)]
pub(crate) enum PublishCommand {
    /// Upload a bundle and make it live; run again, it goes on where it was
    Push(Push),
    /// Show which release is live, and which are there
    Status(ShowStatus),
    /// Make an earlier release live again
    Rollback(Rollback),
    /// Show which files differ between two releases
    Diff(Diff),
    /// Delete releases that nobody loads any more
    Prune(Prune),
    /// Make what lies below a prefix as a directory is: test reports, or other files beside the page
    Sync(Sync),
    /// Look at a published site as a browser does
    ServeCheck(ServeCheck),
}

/// Where the page is published.
#[derive(Debug, Args)]
pub(crate) struct To {
    /// The bucket
    #[arg(long)]
    bucket: Option<String>,
    /// The id of the CloudFront distribution in front of it; without one nothing is invalidated
    #[arg(long)]
    distribution: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Push {
    /// The directory of the bundle, with its manifest.json
    directory: PathBuf,
    #[command(flatten)]
    to: To,
    /// The commit that the bundle was built from [default: GITHUB_SHA, or that of the working directory]
    #[arg(long)]
    commit: Option<String>,
    /// [default: GITHUB_REF_NAME, or that of the working directory]
    #[arg(long)]
    branch: Option<String>,
    /// Who made the commit [default: GITHUB_ACTOR, or as the commit says]
    #[arg(long)]
    author: Option<String>,
    /// Look at the headers of every file too, and mend them
    #[arg(long)]
    verify_headers: bool,
    /// Wait until every edge of the CDN shows the release
    #[arg(long)]
    wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ShowStatus {
    #[command(flatten)]
    to: To,
    #[arg(long, short, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// The release [default: the one before the live one]
    release: Option<String>,
    #[command(flatten)]
    to: To,
    /// Why, for those who look at the releases later
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
    /// Wait until every edge of the CDN shows the release
    #[arg(long)]
    wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Diff {
    before: String,
    after: String,
    #[command(flatten)]
    to: To,
    #[arg(long, short, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Prune {
    #[command(flatten)]
    to: To,
    /// The newest releases that stay in any case
    #[arg(long, default_value_t = 10)]
    keep: usize,
    /// How many days a tab may stay open and still load parts of its release
    #[arg(long, default_value_t = 30, value_name = "DAYS")]
    older_than: u32,
    /// The most objects to delete; nothing is deleted when it would be more
    #[arg(long, default_value_t = 1_000)]
    max_delete: usize,
    /// Delete them; without it they are only shown
    #[arg(long)]
    yes: bool,
    #[arg(long, short, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Sync {
    directory: PathBuf,
    #[command(flatten)]
    to: To,
    /// Goes before each path, such as reports/
    #[arg(long, default_value = "")]
    prefix: String,
    /// Only these paths, as globs
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
    /// Not these paths
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Delete what lies below the prefix and is not in the directory
    #[arg(long)]
    delete: bool,
    /// The most objects to delete; nothing is changed when it would be more
    #[arg(long, default_value_t = 256)]
    max_delete: usize,
    /// Look at the headers of what did not change too, and mend them
    #[arg(long)]
    verify_headers: bool,
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[arg(long, short, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct ServeCheck {
    /// The address of the site, such as <https://tollgate.example.com>
    url: String,
    #[arg(long, short, value_enum, default_value_t)]
    output: Output,
}

impl PublishCommand {
    pub(super) fn add_flags(&self, flags: &mut Flags) {
        let to = match self {
            PublishCommand::Push(push) => &push.to,
            PublishCommand::Status(status) => &status.to,
            PublishCommand::Rollback(rollback) => &rollback.to,
            PublishCommand::Diff(diff) => &diff.to,
            PublishCommand::Prune(prune) => &prune.to,
            PublishCommand::Sync(sync) => &sync.to,
            PublishCommand::ServeCheck(_) => return,
        };
        let named = [("publish.bucket", &to.bucket), ("publish.distribution", &to.distribution)];
        flags.values.extend(named.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))));
    }

    pub(super) async fn run(self, config: Config) -> Result<ExitCode, CommandError> {
        match self {
            PublishCommand::Push(push) => push.run(&config).await,
            PublishCommand::Status(status) => status.run(&config).await,
            PublishCommand::Rollback(rollback) => rollback.run(&config).await,
            PublishCommand::Diff(diff) => diff.run(&config).await,
            PublishCommand::Prune(prune) => prune.run(&config).await,
            PublishCommand::Sync(sync) => sync.run(&config).await,
            PublishCommand::ServeCheck(check) => check.run().await,
        }
    }
}

impl Push {
    async fn run(self, config: &Config) -> Result<ExitCode, CommandError> {
        // Before anything is asked of AWS.
        let bundle =
            Bundle::open(&self.directory).map_err(|error| CommandError::failed(error.to_string()))?;
        let publisher = publisher(config).await?;
        let options = PushOptions {
            origin: self.origin(),
            by: operator(),
            verify_headers: self.verify_headers,
            wait: self.wait,
        };
        let progress = Spinner::new();
        let outcome = publisher.push(&bundle, &options, &progress).await;
        progress.end();
        match outcome? {
            Outcome::Unchanged { activation, mended } => {
                told_mended(&mended);
                print_text(&format!(
                    "{} is live already, since {} ({}). Nothing was uploaded.",
                    activation.release, activation.at, activation.origin.commit
                ))?;
            }
            Outcome::Live { activation, uploaded, mended, invalidation } => {
                told_mended(&mended);
                let files = if uploaded == 1 { "file" } else { "files" };
                print_text(&format!(
                    "{} is live: {uploaded} {files} uploaded{}.",
                    activation.release,
                    invalidation_text(invalidation.as_ref())
                ))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Where the bundle comes from: as it was said, as the pipeline says, or as the repository of the working directory says.
    fn origin(&self) -> Origin {
        let known = |said: &Option<String>, variable: &str, git: &[&str]| {
            let said = said.clone().or_else(|| std::env::var(variable).ok()).filter(|text| !text.is_empty());
            said.or_else(|| from_git(git)).unwrap_or_else(|| "unknown".into())
        };
        Origin {
            commit: known(&self.commit, "GITHUB_SHA", &["rev-parse", "HEAD"]),
            branch: known(&self.branch, "GITHUB_REF_NAME", &["rev-parse", "--abbrev-ref", "HEAD"]),
            author: known(&self.author, "GITHUB_ACTOR", &["log", "-1", "--format=%an"]),
        }
    }
}

impl ShowStatus {
    async fn run(self, config: &Config) -> Result<ExitCode, CommandError> {
        let Status { live, releases, invalidation } = publisher(config).await?.status().await?;
        if let Some(begun) = &live.under_way {
            note(&format!(
                "tollgate: {} by {} at {} was begun and not finished: run it again, or push another release.",
                begun.way.as_str(),
                begun.by,
                begun.at
            ));
        }
        let current = live.settled().map(|activation| &activation.release);
        let rows = releases.iter().map(|record| {
            let last = live.history.iter().rev().find(|activation| activation.release == record.release);
            vec![
                if Some(&record.release) == current { "live".into() } else { String::new() },
                record.release.to_string(),
                record.origin.commit.clone(),
                record.origin.branch.clone(),
                record.origin.author.clone(),
                record.at.to_string(),
                last.map_or(String::new(), |activation| activation.at.to_string()),
                last.map_or(String::new(), |activation| {
                    format!("{} by {}", activation.way.as_str(), activation.by)
                }),
                record.files.len().to_string(),
                record.stored_bytes().to_string(),
            ]
        });
        let header = [
            "",
            "release",
            "commit",
            "branch",
            "author",
            "uploaded",
            "live_since",
            "made_live",
            "files",
            "bytes",
        ];
        let asked = invalidation.as_ref().map(|one| (&one.id, &one.status));
        let json = serde_json::json!({ "live": live, "releases": releases, "invalidation": asked });
        print(self.output, &header, rows, &json)?;
        if let (Output::Table, Some(one)) = (self.output, &invalidation) {
            print_text(&format!("\ninvalidation {}: {}", one.id, one.status))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Rollback {
    async fn run(self, config: &Config) -> Result<ExitCode, CommandError> {
        let release = self.release.as_deref().map(ReleaseId::parse).transpose().map_err(no_release)?;
        let publisher = publisher(config).await?;
        let progress = Spinner::new();
        let options =
            RollbackOptions { release, seen: None, by: operator(), reason: self.reason, wait: self.wait };
        let done = publisher.rollback(options, &progress).await;
        progress.end();
        let (activation, invalidation) = done?;
        print_text(&format!(
            "{} of {} is live again{}.",
            activation.release,
            activation.origin.commit,
            invalidation_text(invalidation.as_ref())
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Diff {
    async fn run(self, config: &Config) -> Result<ExitCode, CommandError> {
        let before = ReleaseId::parse(&self.before).map_err(no_release)?;
        let after = ReleaseId::parse(&self.after).map_err(no_release)?;
        let changes = publisher(config).await?.diff(&before, &after).await?;
        let rows = changes.iter().map(|(path, change)| {
            let (what, old, new) = match change {
                FileChange::Added { bytes } => ("added", String::new(), bytes.to_string()),
                FileChange::Removed { bytes } => ("removed", bytes.to_string(), String::new()),
                FileChange::Changed { before, after } => ("changed", before.to_string(), after.to_string()),
            };
            vec![what.to_owned(), path.clone(), old, new]
        });
        print(self.output, &["change", "path", "bytes_before", "bytes_after"], rows, &changes)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Prune {
    async fn run(self, config: &Config) -> Result<ExitCode, CommandError> {
        let options = PruneOptions {
            keep: self.keep,
            older_than: SignedDuration::from_hours(24 * i64::from(self.older_than)),
            max_delete: self.max_delete,
            dry_run: !self.yes,
        };
        let publisher = publisher(config).await?;
        let progress = Spinner::new();
        let pruned = publisher.prune(options, Timestamp::now(), &progress).await;
        progress.end();
        let pruned = pruned?;
        let rows = pruned.iter().map(|one| {
            vec![
                one.record.release.to_string(),
                one.record.at.to_string(),
                one.objects.to_string(),
                one.record.stored_bytes().to_string(),
            ]
        });
        let records: Vec<_> = pruned.iter().map(|one| &one.record).collect();
        print(self.output, &["release", "uploaded", "objects", "bytes"], rows, &records)?;
        if options.dry_run && !pruned.is_empty() {
            note("Nothing was deleted: this is what --yes would delete.");
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Sync {
    async fn run(self, config: &Config) -> Result<ExitCode, CommandError> {
        let options = SyncOptions {
            prefix: self.prefix,
            include: self.include,
            exclude: self.exclude,
            delete: self.delete,
            max_delete: self.max_delete,
            verify_headers: self.verify_headers,
            dry_run: self.dry_run,
            rules: config.publish.rules.clone(),
        };
        let publisher = publisher(config).await?;
        let progress = Spinner::new();
        let steps = publisher.sync(&self.directory, &options, &progress).await;
        progress.end();
        let steps = steps?;
        let rows = steps.iter().map(|step| {
            vec![step.act.as_str().to_owned(), step.key.clone(), step.why.to_owned(), step.bytes.to_string()]
        });
        print(self.output, &["action", "key", "why", "bytes"], rows, &steps)?;
        if options.dry_run && !steps.is_empty() {
            note("Nothing was changed: this is what would be done without --dry-run.");
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl ServeCheck {
    async fn run(self) -> Result<ExitCode, CommandError> {
        let findings = publish::check(&self.url).await?;
        let rows = findings.iter().map(|Finding { what, problem }| {
            let result = if problem.is_some() { "wrong" } else { "ok" };
            vec![result.to_owned(), what.clone(), problem.clone().unwrap_or_default()]
        });
        let json: Vec<_> = findings
            .iter()
            .map(|finding| serde_json::json!({ "what": finding.what, "problem": finding.problem }))
            .collect();
        print(self.output, &["result", "what", "problem"], rows, &json)?;
        let wrong = findings.iter().any(|finding| finding.problem.is_some());
        Ok(if wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

async fn publisher(config: &Config) -> Result<Publisher, CommandError> {
    let Some(destination) = config.publish.destination() else {
        return Err(CommandError::usage(
            "Name the bucket: --bucket, or publish.bucket in the configuration.",
        ));
    };
    Ok(Publisher::new(&aws::load(&config.publish.aws).await, destination))
}

/// Who has it done: the pipeline's actor with its run, or whoever runs the command line.
fn operator() -> String {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    match (variable("GITHUB_ACTOR"), variable("GITHUB_RUN_ID")) {
        (Some(actor), Some(run)) => format!("{actor} (run {run})"),
        (Some(actor), None) => actor,
        (None, _) => local::local_operator(),
    }
}

fn from_git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

fn told_mended(mended: &[String]) {
    for key in mended {
        note(&format!("mended the headers of {key}"));
    }
}

fn invalidation_text(invalidation: Option<&Invalidation>) -> String {
    invalidation.map_or(String::new(), |one| format!(", invalidation {} {}", one.id, one.status))
}

fn no_release(error: NoRelease) -> CommandError {
    CommandError::usage(error.to_string())
}

impl Progress for Spinner {
    fn step(&self, text: &str) {
        self.says(text);
    }

    fn uploaded(&self, files: usize, of: usize) {
        self.says(&format!("uploaded {files} of {of} files"));
    }
}
