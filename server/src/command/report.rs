//! `tollgate report`: a pipeline tells of a stage that it has come to.

use std::process::ExitCode;

use app::api;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use delivery::{Delivery, report};
use domain::delivery::{
    AssetsDetail, BumpDetail, CommitDetail, CommitSha, Detail, EnvironmentName, ImageDetail,
    InvalidationDetail, LiveDetail, ServiceName, Stage, Status,
};
use domain::wire::delivery::{Report, Reported};
use jiff::Timestamp;
use store::Store;

use super::CommandError;
use super::place::Place;
use crate::output::{Output, print};

/// What a pipeline tells. In GitHub Actions the commit, the job, the attempt and the link are taken from its variables.
#[derive(Debug, Args)]
pub(crate) struct ReportCommand {
    #[arg(value_parser = PossibleValuesParser::new(Stage::ALL.map(Stage::as_str)).map(|text| stage(&text)))]
    stage: Stage,
    #[arg(long)]
    service: ServiceName,
    /// Where it happened; for bump, sync, rollout and live
    #[arg(long)]
    environment: Option<EnvironmentName>,
    /// The commit of the service, in full or its first 7 digits at least [default: $GITHUB_SHA]
    #[arg(long)]
    commit: Option<CommitSha>,
    #[arg(
        long,
        default_value = "succeeded",
        value_parser = PossibleValuesParser::new(Status::ALL.map(Status::as_str)).map(|text| status(&text))
    )]
    status: Status,
    /// The part of the stage, such as a job of CI [default for ci: $GITHUB_WORKFLOW / $GITHUB_JOB]
    #[arg(long)]
    job: Option<String>,
    /// Counts from 1 how often it was begun [default: $GITHUB_RUN_ATTEMPT, or 1]
    #[arg(long)]
    attempt: Option<u32>,
    /// When it began, such as 2026-11-21T12:00:00Z
    #[arg(long)]
    started: Option<Timestamp>,
    /// When it ended
    #[arg(long)]
    finished: Option<Timestamp>,
    /// Where somebody can look it up [default: the run on GitHub]
    #[arg(long)]
    link: Option<String>,
    /// The image's tag, the version that is live, or the tag that was written
    #[arg(long)]
    tag: Option<String>,
    /// The image's digest
    #[arg(long)]
    digest: Option<String>,
    /// The image's repository
    #[arg(long)]
    repository: Option<String>,
    /// The release of the static bundle
    #[arg(long)]
    release: Option<String>,
    /// The invalidation of the CDN
    #[arg(long)]
    invalidation: Option<String>,
    /// The pull request, by its number
    #[arg(long)]
    pull_request: Option<u32>,
    /// Who wrote the commit
    #[arg(long)]
    author: Option<String>,
    /// The first line of the commit's message
    #[arg(long)]
    title: Option<String>,
    /// The branch [default: $GITHUB_REF_NAME]
    #[arg(long)]
    branch: Option<String>,
    /// When it was committed
    #[arg(long)]
    committed: Option<Timestamp>,
    #[arg(long, short, value_enum, default_value_t)]
    output: Output,
}

fn stage(text: &str) -> Stage {
    // clap has refused every other word.
    Stage::parse(text).unwrap_or(Stage::Commit)
}

fn status(text: &str) -> Status {
    Status::parse(text).unwrap_or(Status::Unknown)
}

impl ReportCommand {
    pub(super) async fn run(self, place: Place) -> Result<ExitCode, CommandError> {
        let output = self.output;
        let report = self.report(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))?;
        let Reported { new } = match place {
            Place::Server(client) => client.call(api::DeliveryReport { reports: vec![report] }).await?,
            Place::Here(config) => {
                let delivery = Delivery::new(Store::connect(&config.database_url).await?, config.delivery);
                let now = Timestamp::now();
                let recorded = delivery.record(vec![report::fact(report, now)?], now).await?;
                Reported { new: u32::try_from(recorded.new).unwrap_or(u32::MAX) }
            }
        };
        let told = if new == 0 { "known already" } else { "taken" };
        print(
            output,
            &["report"],
            std::iter::once(vec![told.to_owned()]),
            &serde_json::json!({ "new": new }),
        )?;
        Ok(ExitCode::SUCCESS)
    }

    /// The report, with what GitHub Actions tells by its variables ("Default environment variables") where nothing else is said.
    fn report(self, variable: impl Fn(&str) -> Option<String>) -> Result<Report, CommandError> {
        let commit = match self.commit.clone() {
            Some(commit) => commit,
            None => {
                let sha = variable("GITHUB_SHA").ok_or_else(|| {
                    CommandError::usage("Name the commit with --commit: GITHUB_SHA is not set, so this is no run of GitHub Actions.")
                })?;
                CommitSha::parse(&sha)
                    .map_err(|error| CommandError::usage(format!("GITHUB_SHA: {error}.")))?
            }
        };
        let job = self.job.clone().or_else(|| match self.stage {
            Stage::Ci => Some(format!("{} / {}", variable("GITHUB_WORKFLOW")?, variable("GITHUB_JOB")?)),
            _ => None,
        });
        let run = || {
            let (server, repository) = (variable("GITHUB_SERVER_URL")?, variable("GITHUB_REPOSITORY")?);
            Some(format!("{server}/{repository}/actions/runs/{}", variable("GITHUB_RUN_ID")?))
        };
        Ok(Report {
            detail: self.detail(&variable)?,
            link: self.link.or_else(run),
            attempt: self.attempt.or_else(|| variable("GITHUB_RUN_ATTEMPT")?.parse().ok()),
            service: self.service,
            environment: self.environment,
            commit,
            stage: self.stage,
            job,
            status: self.status,
            started: self.started,
            finished: self.finished,
        })
    }

    /// What the stage carries, of what was said. What belongs to another stage is a mistake: it would be lost.
    fn detail(&self, variable: impl Fn(&str) -> Option<String>) -> Result<Option<Detail>, CommandError> {
        let given = [
            ("--tag", self.tag.is_some(), [Stage::Image, Stage::Bump, Stage::Live].as_slice()),
            ("--digest", self.digest.is_some(), &[Stage::Image]),
            ("--repository", self.repository.is_some(), &[Stage::Image]),
            ("--release", self.release.is_some(), &[Stage::Assets]),
            ("--invalidation", self.invalidation.is_some(), &[Stage::Invalidation]),
            ("--pull-request", self.pull_request.is_some(), &[Stage::Commit, Stage::Bump]),
            ("--author", self.author.is_some(), &[Stage::Commit]),
            ("--title", self.title.is_some(), &[Stage::Commit]),
            ("--branch", self.branch.is_some(), &[Stage::Commit]),
            ("--committed", self.committed.is_some(), &[Stage::Commit]),
        ];
        if let Some((flag, _, stages)) =
            given.iter().find(|(_, given, stages)| *given && !stages.contains(&self.stage))
        {
            let stages: Vec<&str> = stages.iter().map(|stage| stage.as_str()).collect();
            return Err(CommandError::usage(format!(
                "{flag} says nothing of stage {}: it is of {}.",
                self.stage.as_str(),
                stages.join(", ")
            )));
        }
        let said = given.iter().any(|(_, given, _)| *given);
        Ok(match self.stage {
            Stage::Commit => Some(Detail::Commit(CommitDetail {
                author: self.author.clone().or_else(|| variable("GITHUB_ACTOR")),
                title: self.title.clone(),
                branch: self.branch.clone().or_else(|| variable("GITHUB_REF_NAME")),
                committed: self.committed,
                pull_request: self.pull_request,
            })),
            Stage::Image if said => Some(Detail::Image(ImageDetail {
                repository: self.repository.clone(),
                tag: self.tag.clone(),
                digest: self.digest.clone(),
                ..ImageDetail::default()
            })),
            Stage::Assets if said => Some(Detail::Assets(AssetsDetail { release: self.release.clone() })),
            Stage::Invalidation if said => {
                Some(Detail::Invalidation(InvalidationDetail { id: self.invalidation.clone() }))
            }
            Stage::Bump if said => Some(Detail::Bump(BumpDetail {
                pull_request: self.pull_request,
                tag_after: self.tag.clone(),
                ..BumpDetail::default()
            })),
            Stage::Live if said => Some(Detail::Live(LiveDetail { version: self.tag.clone() })),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        report: ReportCommand,
    }

    fn read(line: &str, variables: &[(&str, &str)]) -> Result<Report, String> {
        let words = std::iter::once("report").chain(line.split(' '));
        let parsed = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        let variable = |name: &str| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        parsed.report.report(variable).map_err(|error| error.message)
    }

    const RUN: [(&str, &str); 9] = [
        ("GITHUB_SHA", "6113728f27ae82c7b1a177c8d03f9e96e0adf246"),
        ("GITHUB_WORKFLOW", "users"),
        ("GITHUB_JOB", "image"),
        ("GITHUB_RUN_ATTEMPT", "2"),
        ("GITHUB_SERVER_URL", "https://github.com"),
        ("GITHUB_REPOSITORY", "acme/shop"),
        ("GITHUB_RUN_ID", "7"),
        ("GITHUB_REF_NAME", "main"),
        ("GITHUB_ACTOR", "ada"),
    ];

    #[test]
    fn a_run_of_github_actions_tells_the_rest_by_its_variables() {
        let report = read("image --service users --tag 1.4.2", &RUN).unwrap();
        assert_eq!(report.commit.short(), "6113728");
        assert_eq!((report.attempt, report.job.as_deref()), (Some(2), None));
        assert_eq!(report.link.as_deref(), Some("https://github.com/acme/shop/actions/runs/7"));
        let Some(Detail::Image(image)) = &report.detail else { panic!("{report:?}") };
        assert_eq!(image.tag.as_deref(), Some("1.4.2"));
        let report = read("ci --service users --status running", &RUN).unwrap();
        assert_eq!((report.job.as_deref(), report.status), (Some("users / image"), Status::Running));
        let report = read("commit --service users --title Pay", &RUN).unwrap();
        let Some(Detail::Commit(commit)) = &report.detail else { panic!("{report:?}") };
        assert_eq!((commit.author.as_deref(), commit.branch.as_deref()), (Some("ada"), Some("main")));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let error = |line: &str| read(line, &[]).unwrap_err();
        assert!(error("image --service users").starts_with("Name the commit with --commit"));
        assert!(error("imag --service users").contains("possible values: commit, ci, image"));
        assert!(error("image --service Users --commit 6113728").contains("is no service name"));
        assert!(error("image --service users --commit xyz").contains("is no commit"));
        assert_eq!(
            error("sync --service users --commit 6113728 --environment prod --digest sha256:1"),
            "--digest says nothing of stage sync: it is of image."
        );
    }
}
