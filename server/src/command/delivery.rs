//! `tollgate delivery`: where changes are, over the configured database or at a server.

use std::process::ExitCode;

use app::api;
use clap::{Args, Subcommand};
use delivery::reader::Checked;
use delivery::{Delivery, Everything};
use domain::delivery::{ChangeSummary, NextMove, StepStatus};
use domain::wire::delivery::{
    CellView, DoraView, DurationsView, EnvironmentView, MatrixView, PartView, StepView, TimelineView,
};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use store::Store;

use super::place::Place;
use super::{CommandError, INCOMPLETE};
use crate::client::Client;
use crate::output::{Output, print};
use crate::readers::read;

#[derive(Debug, Subcommand)]
pub(crate) enum DeliveryCommand {
    /// What runs where: every service in every environment
    Status(Status),
    /// Why a change is not in an environment yet, in a sentence; ends with 3 while it is not there
    Why(Why),
    /// Every stage of a change
    Timeline(Of),
    /// The latest changes, or those that a search means
    Changes(Changes),
    /// Deployment frequency, lead time, change failure rate and time to restore
    Dora(DoraOf),
    /// Try every source that is configured here, and say what is missing; ends with 1 where something is
    Check(Check),
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    #[arg(long, short, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Only this service
    service: Option<String>,
    #[arg(long, short, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Why {
    service: String,
    /// The commit, or its first digits
    commit: String,
    /// Only this environment
    environment: Option<String>,
    #[arg(long, short, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Of {
    service: String,
    /// The commit, or its first digits
    commit: String,
    #[arg(long, short, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Changes {
    /// A commit, #12 for a pull request, a tag, a digest, or a part of a name or title
    #[arg(default_value = "")]
    search: String,
    /// Only of this service
    #[arg(long, default_value = "")]
    service: String,
    /// At most this many, 1 to 200
    #[arg(long, default_value_t = 20)]
    limit: u32,
    #[arg(long, short, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct DoraOf {
    service: String,
    /// Over the last 7, 30 or 90 days
    #[arg(long, default_value_t = 30)]
    days: u32,
    #[arg(long, short, value_enum, default_value_t)]
    output: Output,
}

/// Deliveries in this process, or at a server.
enum Deliveries {
    Here(Delivery),
    Server(Client),
}

impl Deliveries {
    async fn open(place: Place) -> Result<Deliveries, CommandError> {
        Ok(match place {
            Place::Server(client) => Deliveries::Server(client),
            Place::Here(config) => {
                if config.delivery.is_empty() {
                    return Err(CommandError::usage(
                        "No service is followed: name them as [[services]] in tollgate.toml, or name a server with --server.",
                    ));
                }
                let store = Store::connect(&config.database_url).await?;
                Deliveries::Here(Delivery::new(store, config.delivery))
            }
        })
    }

    async fn matrix(&self) -> Result<MatrixView, CommandError> {
        Ok(match self {
            Deliveries::Here(delivery) => delivery.matrix_view(&Everything, Timestamp::now()).await?,
            Deliveries::Server(client) => client.call(api::DeliveryMatrix {}).await?,
        })
    }

    async fn timeline(&self, service: String, commit: String) -> Result<TimelineView, CommandError> {
        Ok(match self {
            Deliveries::Here(delivery) => {
                delivery.timeline_view(&Everything, &service, &commit, Timestamp::now()).await?
            }
            Deliveries::Server(client) => client.call(api::DeliveryTimeline { service, commit }).await?,
        })
    }

    async fn changes(
        &self,
        service: String,
        q: String,
        limit: u32,
    ) -> Result<Vec<ChangeSummary>, CommandError> {
        Ok(match self {
            Deliveries::Here(delivery) => delivery.changes_view(&Everything, &service, &q, limit).await?,
            Deliveries::Server(client) => client.call(api::DeliveryChanges { service, q, limit }).await?,
        })
    }

    async fn dora(&self, service: String, days: u32) -> Result<Vec<DoraView>, CommandError> {
        Ok(match self {
            Deliveries::Here(delivery) => {
                delivery.dora_view(&Everything, &service, days, Timestamp::now()).await?
            }
            Deliveries::Server(client) => client.call(api::DeliveryDora { service, days }).await?,
        })
    }
}

impl DeliveryCommand {
    pub(super) async fn run(self, place: Place) -> Result<ExitCode, CommandError> {
        match self {
            DeliveryCommand::Status(status) => status.run(&Deliveries::open(place).await?).await,
            DeliveryCommand::Why(why) => why.run(&Deliveries::open(place).await?).await,
            DeliveryCommand::Timeline(of) => of.run(&Deliveries::open(place).await?).await,
            DeliveryCommand::Changes(changes) => changes.run(&Deliveries::open(place).await?).await,
            DeliveryCommand::Dora(dora) => dora.run(&Deliveries::open(place).await?).await,
            DeliveryCommand::Check(check) => check.run(place).await,
        }
    }
}

impl Check {
    async fn run(self, place: Place) -> Result<ExitCode, CommandError> {
        let Place::Here(config) = place else {
            return Err(CommandError::usage(
                "The sources are tried from here, by the configuration of here: leave the server out with --local.",
            ));
        };
        let readers = read(&config).await?;
        if readers.is_empty() {
            return Err(CommandError::usage(
                "No source is configured that is read: name [[clusters]], [[gitops]], an image of a service in ECR, or \
                 delivery.github_token in tollgate.toml.",
            ));
        }
        let checked = Delivery::check(readers).await;
        let tried: Vec<Tried<'_>> = checked
            .iter()
            .flat_map(|(reader, checks)| checks.iter().map(move |check| Tried::of(reader, check)))
            .collect();
        let rows = tried
            .iter()
            .map(|one| [one.source, one.tried, one.state(), one.said].map(str::to_owned).to_vec());
        print(self.output, &["source", "tried", "state", "said"], rows, &tried)?;
        let all = tried.iter().all(|one| one.works);
        Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// One thing that was tried.
#[derive(Serialize)]
struct Tried<'a> {
    source: &'a str,
    tried: &'a str,
    works: bool,
    said: &'a str,
}

impl<'a> Tried<'a> {
    fn of(source: &'a str, checked: &'a Checked) -> Tried<'a> {
        let (works, said) = match &checked.outcome {
            Ok(said) => (true, said),
            Err(said) => (false, said),
        };
        Tried { source, tried: &checked.what, works, said }
    }

    fn state(&self) -> &'static str {
        if self.works { "works" } else { "missing" }
    }
}

impl Status {
    async fn run(self, deliveries: &Deliveries) -> Result<ExitCode, CommandError> {
        let mut matrix = deliveries.matrix().await?;
        if let Some(service) = &self.service {
            matrix.rows.retain(|row| row.service == *service);
            if matrix.rows.is_empty() {
                return Err(CommandError::failed(format!("There is no service {service} here.")));
            }
        }
        let now = Timestamp::now();
        let rows = matrix.rows.iter().flat_map(|row| {
            let cells = matrix.environments.iter().zip(&row.cells);
            cells.filter_map(move |(environment, cell)| {
                Some(status_row(&row.service, environment, cell.as_ref()?, now))
            })
        });
        let header = ["service", "environment", "version", "commit", "for", "health", "behind", "remarks"];
        print(self.output, &header, rows, &matrix)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn status_row(service: &str, environment: &str, cell: &CellView, now: Timestamp) -> Vec<String> {
    let mut remarks: Vec<String> = Vec::new();
    if let Some(before) = &cell.ahead_of {
        remarks.push(format!("ahead of {before}"));
    }
    for (mark, word) in [(&cell.in_progress, "on its way"), (&cell.failed, "failed")] {
        if let Some(mark) = mark {
            remarks.push(format!(
                "{} {word}: {} {}",
                short(&mark.commit),
                mark.stage.label(),
                mark.status.as_str()
            ));
        }
    }
    remarks.extend(cell.holds.iter().map(|hold| format!("held by {}: {}", hold.by, hold.reason)));
    let health = match (cell.last_health, cell.as_of) {
        (Some(last), Some(as_of)) => {
            format!("unknown ({} {} ago)", last.label().to_lowercase(), age(as_of, now))
        }
        _ => cell.health.label().to_lowercase(),
    };
    vec![
        service.to_owned(),
        environment.to_owned(),
        cell.version.clone().unwrap_or_default(),
        cell.commit.as_deref().map(short).unwrap_or_default().to_owned(),
        cell.since.map(|since| age(since, now)).unwrap_or_default(),
        health,
        cell.behind.map(|behind| behind.to_string()).unwrap_or_default(),
        remarks.join("; "),
    ]
}

impl Why {
    async fn run(self, deliveries: &Deliveries) -> Result<ExitCode, CommandError> {
        let timeline = deliveries.timeline(self.service, self.commit).await?;
        let asked =
            |one: &&EnvironmentView| self.environment.as_ref().is_none_or(|name| one.environment == *name);
        let environments: Vec<&EnvironmentView> = timeline.environments.iter().filter(asked).collect();
        if let (true, Some(name)) = (environments.is_empty(), &self.environment) {
            return Err(CommandError::failed(format!("There is no environment {name} here.")));
        }
        let reasons = environments.iter().filter_map(|one| Some((&one.environment, one.reason.as_ref()?)));
        let reasons: Vec<_> = reasons.collect();
        let rows = reasons.iter().map(|(environment, reason)| {
            vec![
                (*environment).clone(),
                reason.kind.clone(),
                reason.sentence.clone(),
                reason.link.clone().unwrap_or_default(),
            ]
        });
        let json: Vec<_> = reasons
            .iter()
            .map(|(environment, reason)| serde_json::json!({ "environment": environment, "reason": reason }))
            .collect();
        print(self.output, &["environment", "reason", "sentence", "link"], rows, &json)?;
        let there = reasons.iter().all(|(_, reason)| reason.next_move == NextMove::Done);
        Ok(if there { ExitCode::SUCCESS } else { ExitCode::from(INCOMPLETE) })
    }
}

impl Of {
    async fn run(self, deliveries: &Deliveries) -> Result<ExitCode, CommandError> {
        let timeline = deliveries.timeline(self.service, self.commit).await?;
        let now = Timestamp::now();
        let of_change = timeline.steps.iter().map(|step| ("", step));
        let elsewhere = timeline
            .environments
            .iter()
            .flat_map(|one| one.steps.iter().map(|step| (one.environment.as_str(), step)));
        let rows =
            of_change.chain(elsewhere).flat_map(|(environment, step)| step_rows(environment, step, now));
        let header = ["environment", "stage", "job", "status", "started", "took", "source", "what", "link"];
        print(self.output, &header, rows, &timeline)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A stage, and below it its parts.
fn step_rows(environment: &str, step: &StepView, now: Timestamp) -> Vec<Vec<String>> {
    let status = match step.status {
        StepStatus::NotReached => "",
        other => other.as_str(),
    };
    let row = |job: &str,
               status: &str,
               times: (Option<Timestamp>, Option<Timestamp>),
               text: &Option<String>,
               link: &Option<String>| {
        vec![
            environment.to_owned(),
            step.stage.as_str().to_owned(),
            job.to_owned(),
            status.to_owned(),
            times.0.map(|at| at.to_string()).unwrap_or_default(),
            took(times.0, times.1, status, now),
            step.source.clone().unwrap_or_default(),
            text.clone().unwrap_or_default(),
            link.clone().unwrap_or_default(),
        ]
    };
    let whole = row("", status, (step.started, step.finished), &step.text, &step.link);
    let part = |part: &PartView| {
        row(&part.job, part.status.as_str(), (part.started, part.finished), &part.text, &part.link)
    };
    std::iter::once(whole).chain(step.parts.iter().map(part)).collect()
}

fn took(started: Option<Timestamp>, finished: Option<Timestamp>, status: &str, now: Timestamp) -> String {
    match (started, finished) {
        (Some(started), Some(finished)) => age(started, finished),
        (Some(started), None) if status == "running" => format!("{} so far", age(started, now)),
        _ => String::new(),
    }
}

impl Changes {
    async fn run(self, deliveries: &Deliveries) -> Result<ExitCode, CommandError> {
        let changes = deliveries.changes(self.service, self.search, self.limit).await?;
        let rows = changes.iter().map(|change| {
            let reached = change.environments.iter().filter_map(|one| {
                let reached = one.reached?;
                Some(format!("{}: {} {}", one.environment, reached.stage.as_str(), reached.status.as_str()))
            });
            vec![
                change.service.to_string(),
                change.commit.short().to_owned(),
                change.committed.map(|at| at.to_string()).unwrap_or_default(),
                change.author.clone().unwrap_or_default(),
                change.pull_request.map(|number| format!("#{number}")).unwrap_or_default(),
                change.tag.clone().unwrap_or_default(),
                change.title.clone().unwrap_or_default(),
                reached.collect::<Vec<_>>().join(", "),
            ]
        });
        let header = ["service", "commit", "committed", "author", "pull request", "tag", "title", "reached"];
        print(self.output, &header, rows, &changes)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl DoraOf {
    async fn run(self, deliveries: &Deliveries) -> Result<ExitCode, CommandError> {
        let measured = deliveries.dora(self.service, self.days).await?;
        let unknown = || "not enough is known".to_owned();
        let median = |durations: &Option<DurationsView>| {
            let median = durations.as_ref().map(|one| spoken(one.median_seconds));
            median.unwrap_or_else(unknown)
        };
        let rows = measured.iter().map(|dora| {
            vec![
                dora.environment.clone(),
                dora.per_day.map_or_else(unknown, |per_day| format!("{per_day:.2} a day")),
                median(&dora.lead_time),
                dora.failure_rate.map_or_else(unknown, |rate| format!("{:.0} %", rate * 100.0)),
                median(&dora.time_to_restore),
            ]
        });
        let header = [
            "environment",
            "deployment frequency",
            "lead time (median)",
            "change failure rate",
            "time to restore (median)",
        ];
        print(self.output, &header, rows, &measured)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn short(commit: &str) -> &str {
    commit.get(..7).unwrap_or(commit)
}

/// The time between two moments, in the two largest units.
fn age(from: Timestamp, to: Timestamp) -> String {
    spoken(to.duration_since(from).max(SignedDuration::ZERO).as_secs())
}

/// A duration in its two largest units.
fn spoken(seconds: i64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_in_their_two_largest_units() {
        for (seconds, text) in
            [(0, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (3_660, "1 h 1 min"), (90_000, "1 d 1 h")]
        {
            assert_eq!(spoken(seconds), text);
        }
    }
}
