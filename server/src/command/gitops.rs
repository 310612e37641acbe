//! `tollgate gitops`: freezes, promotions, reverts and what decides about them, in this process or at a server.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use app::api;
use clap::{Args, Subcommand};
use delivery::Delivery;
use delivery::gitops::{Actor, Gitops, GitopsError, MOST_OPERATIONS};
use domain::delivery::{EnvironmentName, Place as At, ServiceName};
use domain::gitops::{Ask, Operation, OperationId, OperationStatus, Person, Plan, Return, StepKind};
use domain::wire::gitops::status_label;
use jiff::{SignedDuration, Timestamp};
use store::DecisionKind;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::place::Place;
use super::{CommandError, INCOMPLETE, local};
use crate::client::Client;
use crate::config::parse_duration;
use crate::gitops;
use crate::output::{Output, Spinner, note, print, print_text};

/// How often an operation is asked after.
const ASKED_AFTER: Duration = Duration::from_millis(500);
/// How long a command waits for the pull request where it is not told to wait for more.
const OPENING: Duration = Duration::from_secs(30);

#[derive(Debug, Subcommand)]
pub(crate) enum GitopsCommand {
    /// The operations, or one of them with all that it changes
    Status(Status),
    /// Keep new tags from services in an environment
    Freeze(Freeze),
    /// Let what was frozen or held change again
    Resume(Resume),
    /// Bring the tags of one environment to the next, in one commit
    Promote(Promote),
    /// Bring earlier tags back, and keep the updater from newer ones
    Revert(Revert),
    /// Agree with what somebody else asked for
    Approve(Approve),
    /// Have an operation merged
    Merge(Merge),
    /// Close an operation that is not merged
    Close(Close),
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// The operation; all of them without it
    id: Option<String>,
    #[arg(long, short, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Freeze {
    /// The services
    #[arg(required_unless_present = "all")]
    services: Vec<String>,
    /// All services
    #[arg(long, conflicts_with = "services")]
    all: bool,
    /// The environment; several with several flags
    #[arg(long, short, required = true, value_name = "ENVIRONMENT")]
    environment: Vec<String>,
    /// Ask for the resume after this long: 2h, 3d
    #[arg(long = "for", value_name = "DURATION")]
    lasts: Option<String>,
    /// The one tag that may come all the same
    #[arg(long, value_name = "TAG")]
    bypass: Option<String>,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub(crate) struct Resume {
    /// The services
    #[arg(required_unless_present = "all")]
    services: Vec<String>,
    /// All services
    #[arg(long, conflicts_with = "services")]
    all: bool,
    /// The environment; several with several flags
    #[arg(long, short, required = true, value_name = "ENVIRONMENT")]
    environment: Vec<String>,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub(crate) struct Promote {
    /// The services
    #[arg(required = true)]
    services: Vec<String>,
    /// Where the tags come from
    #[arg(long, value_name = "ENVIRONMENT")]
    from: String,
    /// Where they go
    #[arg(long, value_name = "ENVIRONMENT")]
    to: String,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub(crate) struct Revert {
    /// The services, each with its tag, users=1.4.1, or alone for the tag before
    #[arg(required = true)]
    services: Vec<String>,
    #[arg(long, short)]
    environment: String,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
struct How {
    /// Why, for those who meet it
    #[arg(long, short)]
    reason: String,
    /// Only show what it would do; ends with 4 where something speaks against it
    #[arg(long, conflicts_with_all = ["merge", "wait"])]
    dry_run: bool,
    /// Have it merged, once it may be
    #[arg(long)]
    merge: bool,
    /// Wait until it is in effect, for at most this long; ends with 3 while it is not
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "30m")]
    wait: Option<String>,
    #[arg(long, short, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Approve {
    id: String,
    #[arg(long, short, default_value = "")]
    reason: String,
    #[arg(long, short, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Merge {
    id: String,
    /// Wait until it is in effect, for at most this long; ends with 3 while it is not
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "30m")]
    wait: Option<String>,
    #[arg(long, short, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Close {
    id: String,
    #[arg(long, short)]
    reason: String,
    #[arg(long, short, value_enum, default_value_t)]
    output: Output,
}

/// Operations in this process, or at a server.
enum Operations {
    Here { gitops: Box<Gitops>, actor: Actor, shutdown: CancellationToken, task: JoinHandle<()> },
    Server(Client),
}

impl Operations {
    async fn open(place: Place) -> Result<Operations, CommandError> {
        let config = match place {
            Place::Server(client) => return Ok(Operations::Server(client)),
            Place::Here(config) => config,
        };
        if config.delivery.gitops.is_empty() {
            return Err(CommandError::usage(
                "No GitOps repository is configured: name it as [[gitops]] in tollgate.toml, or name a server with --server.",
            ));
        }
        let fleet = local::open_for_changes(&config).await?;
        let delivery = Delivery::new(fleet.store().clone(), config.delivery.clone());
        let gitops = gitops::open(&delivery, &config, fleet).await?;
        let name = local::local_operator();
        let actor = Actor { person: Person { id: name.clone(), name }, address: String::new() };
        // Where a server works on the same database, whichever of both has the branch's lease does.
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(gitops.clone().work_until(shutdown.clone()));
        Ok(Operations::Here { gitops: Box::new(gitops), actor, shutdown, task })
    }

    /// Ends the step that is under way, and nothing after it: a server carries the rest on, or the next command.
    async fn end(self) {
        if let Operations::Here { shutdown, task, .. } = self {
            shutdown.cancel();
            if let Err(error) = task.await {
                note(&format!("Carrying operations on ended in a defect: {error}"));
            }
        }
    }

    async fn services(&self) -> Result<Vec<ServiceName>, CommandError> {
        Ok(match self {
            Operations::Here { gitops, .. } => {
                gitops.delivery().services().iter().map(|service| service.name.clone()).collect()
            }
            Operations::Server(client) => {
                let matrix = client.call(api::DeliveryMatrix {}).await?;
                matrix.rows.iter().filter_map(|row| ServiceName::parse(&row.service).ok()).collect()
            }
        })
    }

    async fn list(&self) -> Result<Vec<Operation>, CommandError> {
        Ok(match self {
            Operations::Here { gitops, .. } => gitops.operations(MOST_OPERATIONS).await?,
            Operations::Server(client) => {
                let board = client.call(api::PromotionBoard {}).await?;
                board.operations.into_iter().map(|view| view.operation).collect()
            }
        })
    }

    async fn operation(&self, id: &OperationId) -> Result<Operation, CommandError> {
        Ok(match self {
            Operations::Here { gitops, .. } => gitops.operation(id).await?,
            Operations::Server(client) => {
                client.call(api::GitopsOperation { id: id.to_string() }).await?.operation
            }
        })
    }

    async fn plan(&self, ask: Ask, reason: String) -> Result<Plan, CommandError> {
        Ok(match self {
            Operations::Here { gitops, .. } => gitops.plan(&ask, &reason, Timestamp::now()).await?,
            Operations::Server(client) => client.call(api::PlanOperation { ask, reason }).await?,
        })
    }

    async fn request(&self, ask: Ask, reason: String) -> Result<Operation, CommandError> {
        Ok(match self {
            Operations::Here { gitops, actor, .. } => {
                gitops.request(ask, actor, &reason, None, Timestamp::now()).await?
            }
            Operations::Server(client) => {
                client.call(api::RequestOperation { ask, reason, fingerprint: None }).await?.operation
            }
        })
    }

    async fn decide(
        &self,
        operation: &Operation,
        kind: DecisionKind,
        reason: String,
    ) -> Result<Operation, CommandError> {
        let (id, fingerprint) = (operation.id.to_string(), operation.plan.fingerprint.clone());
        Ok(match self {
            Operations::Here { gitops, actor, .. } => {
                gitops.decide(&operation.id, kind, actor, &fingerprint, &reason, Timestamp::now()).await?
            }
            Operations::Server(client) => {
                let view = match kind {
                    DecisionKind::Approve => {
                        client.call(api::ApproveOperation { id, fingerprint, reason }).await?
                    }
                    DecisionKind::Merge => client.call(api::MergeOperation { id, fingerprint }).await?,
                    DecisionKind::Close => client.call(api::CloseOperation { id, reason }).await?,
                };
                view.operation
            }
        })
    }

    /// Waits until an operation is where it is waited for, or time is over, and says on the way what it waits for.
    async fn wait(
        &self,
        id: &OperationId,
        patience: Duration,
        is_there: impl Fn(&Operation) -> bool,
    ) -> Result<Operation, CommandError> {
        let (begun, spinner) = (Instant::now(), Spinner::new());
        let found = loop {
            let operation = match self.operation(id).await {
                Ok(operation) => operation,
                // A server that is replaced meanwhile is there again soon.
                Err(error) if begun.elapsed() < patience && error.code == 1 => {
                    spinner.says(&error.message);
                    tokio::time::sleep(ASKED_AFTER).await;
                    continue;
                }
                Err(error) => break Err(error),
            };
            if is_there(&operation) || begun.elapsed() >= patience {
                break Ok(operation);
            }
            let problem =
                operation.problem.as_deref().map_or_else(String::new, |problem| format!(": {problem}"));
            spinner.says(&format!("{}{problem}", status_label(&operation)));
            tokio::time::sleep(ASKED_AFTER).await;
        };
        spinner.end();
        found
    }
}

impl GitopsCommand {
    pub(super) async fn run(self, place: Place) -> Result<ExitCode, CommandError> {
        let operations = Operations::open(place).await?;
        let ended = self.run_at(&operations).await;
        operations.end().await;
        ended
    }

    async fn run_at(self, operations: &Operations) -> Result<ExitCode, CommandError> {
        match self {
            GitopsCommand::Status(status) => status.run(operations).await,
            GitopsCommand::Freeze(freeze) => freeze.run(operations).await,
            GitopsCommand::Resume(Resume { services, all, environment, how }) => {
                let places = places(operations, &services, all, &environment).await?;
                how.run(operations, Ask::Resume { places }).await
            }
            GitopsCommand::Promote(Promote { services, from, to, how }) => {
                let services: Result<BTreeSet<ServiceName>, CommandError> =
                    services.iter().map(|name| service(name)).collect();
                let ask = Ask::Promote {
                    services: services?,
                    from: environment_name(&from)?,
                    to: environment_name(&to)?,
                };
                how.run(operations, ask).await
            }
            GitopsCommand::Revert(Revert { services, environment, how }) => {
                let returns: Result<Vec<Return>, CommandError> = services
                    .iter()
                    .map(|text| {
                        let (name, tag) = text
                            .split_once('=')
                            .map_or((text.as_str(), None), |(name, tag)| (name, Some(tag)));
                        Ok(Return { service: service(name)?, tag: tag.map(str::to_owned) })
                    })
                    .collect();
                let ask = Ask::Revert { environment: environment_name(&environment)?, returns: returns? };
                how.run(operations, ask).await
            }
            GitopsCommand::Approve(Approve { id, reason, output }) => {
                decide(operations, &id, DecisionKind::Approve, reason, output).await
            }
            GitopsCommand::Close(Close { id, reason, output }) => {
                let closed = decide(operations, &id, DecisionKind::Close, reason, output).await?;
                let is_over = |operation: &Operation| !operation.status.is_open();
                operations.wait(&operation_id(&id)?, OPENING, is_over).await?;
                Ok(closed)
            }
            GitopsCommand::Merge(Merge { id, wait, output }) => {
                let patience = wait.as_deref().map(duration).transpose()?;
                let operation = operations.operation(&operation_id(&id)?).await?;
                let asked = operations.decide(&operation, DecisionKind::Merge, String::new()).await?;
                follow(operations, asked, true, patience, output).await
            }
        }
    }
}

impl Status {
    async fn run(self, operations: &Operations) -> Result<ExitCode, CommandError> {
        if let Some(id) = &self.id {
            let operation = operations.operation(&operation_id(id)?).await?;
            show(&operation, self.output)?;
            return Ok(ExitCode::SUCCESS);
        }
        let all = operations.list().await?;
        let rows = all.iter().map(|operation| {
            let places: Vec<String> = operation
                .ask
                .places()
                .iter()
                .map(|place| format!("{}/{}", place.service, place.environment))
                .collect();
            vec![
                operation.id.to_string(),
                operation.ask.kind().as_str().to_owned(),
                places.join(" "),
                status_label(operation).to_owned(),
                operation.by.name.clone(),
                operation.at.to_string(),
                request_name(operation),
                operation.problem.clone().unwrap_or_default(),
            ]
        });
        let header = ["operation", "kind", "places", "status", "by", "at", "request", "problem"];
        print(self.output, &header, rows, &all)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Freeze {
    async fn run(self, operations: &Operations) -> Result<ExitCode, CommandError> {
        let places = places(operations, &self.services, self.all, &self.environment).await?;
        let lasts = self.lasts.as_deref().map(duration).transpose()?;
        let until = lasts.map(|lasts| SignedDuration::try_from(lasts).unwrap_or(SignedDuration::MAX));
        let until = until
            .map(|lasts| Timestamp::now().checked_add(lasts))
            .transpose()
            .map_err(|_| CommandError::usage("--for is longer than time is counted."))?;
        self.how.run(operations, Ask::Freeze { places, until, bypass: self.bypass }).await
    }
}

impl How {
    async fn run(self, operations: &Operations, ask: Ask) -> Result<ExitCode, CommandError> {
        let patience = self.wait.as_deref().map(duration).transpose()?;
        if self.dry_run {
            let plan = operations.plan(ask, self.reason).await?;
            show_plan(&plan, self.output)?;
            let is_refused = plan.refused().next().is_some();
            return Ok(if is_refused { ExitCode::from(REFUSED) } else { ExitCode::SUCCESS });
        }
        let mut operation = operations.request(ask, self.reason).await?;
        note(&format!("{} {} is requested.", operation.ask.kind().label(), operation.id));
        if self.merge {
            operation = operations
                .wait(&operation.id, OPENING, |one| one.status != OperationStatus::Requested)
                .await?;
            if operation.is_approved() {
                operation = operations.decide(&operation, DecisionKind::Merge, String::new()).await?;
            } else {
                note("Somebody else has to approve it; merge it after that.");
            }
        }
        follow(operations, operation, self.merge, patience, self.output).await
    }
}

/// The exit code of what is refused.
const REFUSED: u8 = 4;

/// Waits as long as was asked for, and shows how far it has come.
async fn follow(
    operations: &Operations,
    operation: Operation,
    merges: bool,
    patience: Option<Duration>,
    output: Output,
) -> Result<ExitCode, CommandError> {
    let merges = merges && operation.is_approved();
    let reached = match patience {
        Some(patience) => operations.wait(&operation.id, patience, |one| one.status.is_final()).await?,
        None => {
            let is_there = |one: &Operation| match one.status {
                OperationStatus::Requested => one.problem.is_some(),
                OperationStatus::Open => !merges || one.problem.is_some(),
                _ => true,
            };
            operations.wait(&operation.id, OPENING, is_there).await?
        }
    };
    show(&reached, output)?;
    Ok(match (reached.status, patience) {
        (OperationStatus::Effective, _) => ExitCode::SUCCESS,
        (OperationStatus::Closed | OperationStatus::Failed, _) => ExitCode::FAILURE,
        (_, Some(_)) => ExitCode::from(INCOMPLETE),
        (OperationStatus::Requested, None) => ExitCode::from(INCOMPLETE),
        (OperationStatus::Open, None) if merges => ExitCode::from(INCOMPLETE),
        (_, None) => ExitCode::SUCCESS,
    })
}

async fn decide(
    operations: &Operations,
    id: &str,
    kind: DecisionKind,
    reason: String,
    output: Output,
) -> Result<ExitCode, CommandError> {
    let operation = operations.operation(&operation_id(id)?).await?;
    let decided = operations.decide(&operation, kind, reason).await?;
    show(&decided, output)?;
    Ok(ExitCode::SUCCESS)
}

fn show(operation: &Operation, output: Output) -> Result<(), CommandError> {
    if output != Output::Table {
        return print(output, &STEPS, steps(&operation.plan), operation);
    }
    let request = request_name(operation);
    let request = if request.is_empty() { String::new() } else { format!(", {request}") };
    let mut text = format!(
        "{} {}: {}{request}\nasked for by {}: {}",
        operation.ask.kind().label(),
        operation.id,
        status_label(operation),
        operation.by.name,
        operation.reason
    );
    if let Some(problem) = &operation.problem {
        text.push_str(&format!("\n{problem}"));
    }
    print_text(&format!("{text}\n"))?;
    show_plan(&operation.plan, output)
}

const STEPS: [&str; 7] = ["service", "environment", "what", "from", "to", "file", "key"];

fn steps(plan: &Plan) -> impl Iterator<Item = Vec<String>> + Clone {
    plan.steps.iter().map(|step| {
        let what = match step.kind {
            StepKind::Tag => "tag",
            StepKind::Hold(_) => "hold the updater",
            StepKind::Release(_) => "release the updater",
        };
        vec![
            step.place.service.to_string(),
            step.place.environment.to_string(),
            what.to_owned(),
            step.before.clone().unwrap_or_default(),
            step.after.clone().unwrap_or_default(),
            step.path.clone(),
            step.key.clone(),
        ]
    })
}

fn show_plan(plan: &Plan, output: Output) -> Result<(), CommandError> {
    print(output, &STEPS, steps(plan), plan)?;
    if output != Output::Table {
        return Ok(());
    }
    for check in &plan.checks {
        let At { service, environment } = &check.place;
        print_text(&format!(
            "{}: {service} in {environment}, {}: {}",
            check.verdict.as_str(),
            check.what,
            check.message
        ))?;
    }
    for brought in &plan.brought {
        let At { service, environment } = &brought.place;
        let mut text = format!("\n{service} in {environment}: {}", brought.headline());
        for commit in &brought.commits {
            let short: String = commit.commit.as_str().chars().take(7).collect();
            let title = commit.title.as_deref().unwrap_or_default();
            let author = commit.author.as_deref().unwrap_or("unknown");
            text.push_str(&format!("\n  {short} {title} ({author})"));
        }
        if brought.more > 0 {
            text.push_str(&format!("\n  and {} more", brought.more));
        }
        print_text(&text)?;
    }
    for file in &plan.files {
        print_text(&format!("\n{}\n{}", file.path, file.diff.trim_end()))?;
    }
    Ok(())
}

/// The pull request in a few characters, or the branch where the repository has none.
fn request_name(operation: &Operation) -> String {
    match &operation.pull_request {
        None => String::new(),
        Some(request) => match (&request.link, request.number) {
            (Some(link), _) => link.clone(),
            (None, Some(number)) => format!("#{number}"),
            (None, None) => request.branch.clone(),
        },
    }
}

async fn places(
    operations: &Operations,
    services: &[String],
    all: bool,
    environments: &[String],
) -> Result<BTreeSet<At>, CommandError> {
    let services = match all {
        true => operations.services().await?,
        false => services.iter().map(|name| service(name)).collect::<Result<_, _>>()?,
    };
    let mut places = BTreeSet::new();
    for environment in environments {
        let environment = environment_name(environment)?;
        places.extend(
            services.iter().map(|service| At { service: service.clone(), environment: environment.clone() }),
        );
    }
    Ok(places)
}

fn service(text: &str) -> Result<ServiceName, CommandError> {
    ServiceName::parse(text).map_err(|error| CommandError::usage(format!("{error}.")))
}

fn environment_name(text: &str) -> Result<EnvironmentName, CommandError> {
    EnvironmentName::parse(text).map_err(|error| CommandError::usage(format!("{error}.")))
}

fn operation_id(text: &str) -> Result<OperationId, CommandError> {
    OperationId::parse(text).map_err(|error| CommandError::usage(error.to_string()))
}

fn duration(text: &str) -> Result<Duration, CommandError> {
    parse_duration(text).ok_or_else(|| {
        CommandError::usage(format!("{text:?} is no duration: a number with s, m, h or d, such as 30m."))
    })
}

impl From<GitopsError> for CommandError {
    fn from(error: GitopsError) -> CommandError {
        match error {
            GitopsError::Invalid(message) => CommandError::usage(message),
            GitopsError::Refused(message) => CommandError::refused(message),
            GitopsError::NotFound(_) | GitopsError::Host(_) => CommandError::failed(error.to_string()),
            GitopsError::Delivery(error) => error.into(),
        }
    }
}
