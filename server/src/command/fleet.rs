//! `tollgate fleet`: lists instances, shows and verifies one, and enforces IMDSv2 on one.

mod change;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use domain::change::fields;
use domain::instance::InstanceKey;
use domain::list::Sort;
use domain::query::Query;
use fleet::list_row;
use jiff::Timestamp;

use self::change::{Enforce, Restore};
use super::backend::{Backend, Purpose, Shown, listed};
use super::place::Place;
use super::{CommandError, INCOMPLETE};
use crate::output::{self, Output, note, print};
use crate::rows;

#[derive(Debug, Subcommand)]
pub(crate) enum FleetCommand {
    /// List the instances that match a query
    List(List),
    /// Show one instance with its verdict and policy results
    Show(One),
    /// Tell whether IMDSv1 is allowed on one instance, and whether it was used
    Verify(Verify),
    /// Require IMDSv2 on one instance
    Enforce(Enforce),
    /// Put back what an earlier change sent
    Restore(Restore),
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// The query, such as `verdict:allows-v1 state:running -tag:team=payments`
    #[arg(default_value = "")]
    query: Vec<String>,
    /// The column to sort by, with `-` before it for descending order
    #[arg(long, default_value = "name", allow_hyphen_values = true)]
    sort: String,
    /// Evaluate the policy too, where the query does not ask for it already
    #[arg(long)]
    policy: bool,
    #[arg(long, short, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct One {
    /// The instance id
    instance_id: String,
    /// The account, where the id is known in several
    #[arg(long)]
    account: Option<String>,
    #[arg(long, short, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    one: One,
    /// How many days to ask CloudWatch for, 1 to 63
    #[arg(long, default_value_t = 14)]
    days: u32,
}

impl FleetCommand {
    pub(super) async fn run(self, place: Place) -> Result<ExitCode, CommandError> {
        match self {
            FleetCommand::List(list) => list.run(place).await,
            FleetCommand::Show(one) => one.show(place).await,
            FleetCommand::Verify(verify) => verify.run(place).await,
            FleetCommand::Enforce(enforce) => enforce.run(place).await,
            FleetCommand::Restore(restore) => restore.run(place).await,
        }
    }
}

impl List {
    async fn run(self, place: Place) -> Result<ExitCode, CommandError> {
        let text = self.query.join(" ");
        // Mistakes are told before anything is asked of AWS or a server.
        let query = parse_query(&text)?;
        let sort = Sort::parse(&self.sort).map_err(CommandError::usage)?;
        let policy = self.policy || query.reads_policy();
        let backend = Backend::open(place, Purpose::Read { policy }).await?;
        match &backend {
            Backend::Here(fleet) => {
                fleet.refresh(policy).await?;
                let view = fleet.view();
                let rows = view.index.rows();
                let matches = view.index.select(&query, sort, Timestamp::now());
                // Made as they are printed: a fleet is not held twice.
                let listed = matches.iter().map(|position| list_row(&rows[*position as usize]));
                let cells = listed.clone().map(|row| rows::instance(&row));
                print(self.output, &rows::INSTANCE, cells, &output::List(listed))?;
            }
            Backend::Server(client) => {
                let listed = listed(client, &text, sort).await?;
                print(self.output, &rows::INSTANCE, listed.iter().map(rows::instance), &listed)?;
            }
        }
        incomplete(&backend).await
    }
}

/// The query, or where its mistake is.
pub(crate) fn parse_query(text: &str) -> Result<Query, CommandError> {
    Query::parse(text).map_err(|error| {
        let before = error.start as usize;
        let marked = (error.end.saturating_sub(error.start)).max(1) as usize;
        let hint =
            error.suggestion.map_or(String::new(), |suggestion| format!(" Did you mean {suggestion}?"));
        CommandError::usage(format!(
            "{}{hint}\n  {text}\n  {}{}",
            error.message,
            " ".repeat(before),
            "^".repeat(marked)
        ))
    })
}

/// Names the sources that could not be read; the list is not the whole fleet then.
async fn incomplete(backend: &Backend) -> Result<ExitCode, CommandError> {
    let mut code = ExitCode::SUCCESS;
    for source in backend.unread().await? {
        if let Some(error) = &source.error {
            note(&format!("tollgate: {} could not be read: {}: {}", source.key, error.code, error.message));
            code = ExitCode::from(INCOMPLETE);
        }
    }
    Ok(code)
}

impl One {
    /// Finds the one instance that is meant.
    async fn find(&self, backend: &Backend, policy: bool) -> Result<InstanceKey, CommandError> {
        let mut found = backend.find_id(&self.instance_id, policy).await?;
        if let Some(account) = self.account.as_deref() {
            found.retain(|one| *one.key.source.account == *account || one.alias == account);
        }
        match &found[..] {
            [one] => Ok(one.key.clone()),
            [] => {
                incomplete(backend).await?;
                let next_step = match backend {
                    Backend::Here(_) => "Check the id, `--region` and the configured accounts.",
                    Backend::Server(_) => "Check the id, and whether your roles reach its account.",
                };
                Err(CommandError::failed(format!(
                    "{} is not in any account and region that was read. {next_step}",
                    self.instance_id
                )))
            }
            several => Err(CommandError::usage(format!(
                "{} is known in several accounts: {}. Name one with --account.",
                self.instance_id,
                several.iter().map(|one| one.key.source.to_string()).collect::<Vec<_>>().join(", ")
            ))),
        }
    }

    async fn show(self, place: Place) -> Result<ExitCode, CommandError> {
        let backend = Backend::open(place, Purpose::Read { policy: true }).await?;
        let key = self.find(&backend, true).await?;
        let Shown { instance, alias, verdict, sentence, policy, enforce_disabled } =
            backend.show(&key).await?;
        let options = instance.metadata_options.unwrap_or_default();
        let mut rows: Vec<Vec<String>> = vec![
            vec!["instance_id".into(), instance.key.instance_id.to_string()],
            vec!["name".into(), instance.name().unwrap_or_default().into()],
            vec!["account".into(), format!("{alias} ({})", instance.key.source.account)],
            vec!["region".into(), instance.key.source.region.to_string()],
            vec!["state".into(), instance.state.as_str().into()],
            vec!["type".into(), instance.instance_type.to_string()],
            vec!["verdict".into(), sentence],
        ];
        rows.extend(fields(&options).into_iter().map(|(field, value)| vec![field.into(), value]));
        rows.push(vec!["policy".into(), policy.kind().into()]);
        for violation in policy.violations() {
            rows.push(vec![
                violation.rule.clone(),
                format!("{}: {} {}", violation.severity.as_str(), violation.message, violation.remediation),
            ]);
        }
        if let Some(why) = enforce_disabled {
            rows.push(vec!["enforce".into(), why]);
        }
        let json = serde_json::json!({ "instance": instance, "verdict": verdict, "policy": policy });
        print(self.output, &["field", "value"], rows.into_iter(), &json)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Verify {
    async fn run(self, place: Place) -> Result<ExitCode, CommandError> {
        let backend = Backend::open(place, Purpose::Read { policy: false }).await?;
        let key = self.one.find(&backend, false).await?;
        let report = backend.verify(&key, self.days).await?;
        let mut rows = vec![
            vec!["configuration".into(), report.configuration.clone()],
            vec!["evidence".into(), report.sentence.clone()],
        ];
        rows.extend(report.days.iter().map(|day| {
            let count = day
                .count
                .map_or_else(|| "no data".into(), |count| format!("{count:.0} calls without a token"));
            vec![day.day.to_string(), count]
        }));
        print(self.one.output, &["field", "value"], rows.into_iter(), &report)?;
        Ok(match report.evidence {
            domain::evidence::Evidence::NoData { .. } => ExitCode::from(INCOMPLETE),
            domain::evidence::Evidence::Used { .. } | domain::evidence::Evidence::Quiet { .. } => {
                ExitCode::SUCCESS
            }
        })
    }
}
