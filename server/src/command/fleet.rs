//! `tollgate fleet`: lists instances, shows and verifies one, and enforces IMDSv2 on one.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use domain::change::{Change, ChangeStatus, TakesEffect, WayBack, fields};
use domain::instance::InstanceKey;
use domain::list::{FleetRow, Sort};
use domain::query::Query;
use domain::wire::{PlanReport, Preflight};
use fleet::{Fleet, list_row};
use jiff::Timestamp;

use super::{CommandError, INCOMPLETE, local};
use crate::config::Config;
use crate::output::{self, Output, note, print, print_text};
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

#[derive(Debug, Args)]
pub(crate) struct Enforce {
    #[command(flatten)]
    one: One,
    /// Also set the hop limit, 1 to 64; it is left as it is otherwise
    #[arg(long)]
    hop_limit: Option<u8>,
    #[command(flatten)]
    confirm: Confirm,
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The number of the change to undo, as the audit log and the instance's page show it
    change_id: i64,
    #[command(flatten)]
    confirm: Confirm,
}

/// What every change needs.
#[derive(Debug, Args)]
struct Confirm {
    /// Why; kept in the audit log
    #[arg(long)]
    reason: Option<String>,
    /// Show the call and ask AWS with DryRun, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask before the change
    #[arg(long)]
    yes: bool,
}

impl FleetCommand {
    pub(crate) async fn run(self, config: Config) -> Result<ExitCode, CommandError> {
        match self {
            FleetCommand::List(list) => list.run(&config).await,
            FleetCommand::Show(one) => one.show(&config).await,
            FleetCommand::Verify(verify) => verify.run(&config).await,
            FleetCommand::Enforce(enforce) => enforce.run(&config).await,
            FleetCommand::Restore(restore) => restore.run(&config).await,
        }
    }
}

impl List {
    async fn run(self, config: &Config) -> Result<ExitCode, CommandError> {
        let text = self.query.join(" ");
        // Mistakes are told before anything is asked of AWS.
        let query = parse_query(&text)?;
        let sort = Sort::parse(&self.sort).map_err(CommandError::usage)?;
        let with_policy = self.policy || query.reads_policy();
        let fleet = if with_policy {
            local::open_without_store(config).await?
        } else {
            local::open_without_policy(config).await?
        };
        fleet.refresh(with_policy).await?;
        let view = fleet.view();
        let rows = view.index.rows();
        let matches = view.index.select(&query, sort, Timestamp::now());
        let listed = matches.iter().map(|position| list_row(&rows[*position as usize]));
        let cells = listed.clone().map(|row| rows::instance(&row));
        print(self.output, &rows::INSTANCE, cells, &output::List(listed))?;
        incomplete(&fleet)
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
fn incomplete(fleet: &Fleet) -> Result<ExitCode, CommandError> {
    let view = fleet.view();
    let mut code = ExitCode::SUCCESS;
    for source in view.sources.values() {
        if let Some(error) = &source.status.error {
            note(&format!(
                "tollgate: {} could not be read: {}: {}",
                source.status.key, error.code, error.message
            ));
            code = ExitCode::from(INCOMPLETE);
        }
    }
    Ok(code)
}

impl One {
    /// Reads the fleet and finds the instance in it.
    async fn find(&self, fleet: &Arc<Fleet>, with_policy: bool) -> Result<InstanceKey, CommandError> {
        fleet.refresh(with_policy).await?;
        let view = fleet.view();
        let found: Vec<&FleetRow> = view
            .index
            .find_id(&self.instance_id)
            .filter(|row| {
                self.account.as_deref().is_none_or(|account| {
                    *row.instance.key.source.account == *account || *row.alias == *account
                })
            })
            .collect();
        match found[..] {
            [row] => Ok(row.instance.key.clone()),
            [] => {
                incomplete(fleet)?;
                Err(CommandError::failed(format!(
                    "{} is not in any account and region that was read. Check the id, `--region` and the configured accounts.",
                    self.instance_id
                )))
            }
            _ => Err(CommandError::usage(format!(
                "{} is known in several accounts: {}. Name one with --account.",
                self.instance_id,
                found.iter().map(|row| row.instance.key.source.to_string()).collect::<Vec<_>>().join(", ")
            ))),
        }
    }

    async fn show(self, config: &Config) -> Result<ExitCode, CommandError> {
        let fleet = local::open_without_store(config).await?;
        let key = self.find(&fleet, true).await?;
        let view = fleet.view();
        let row = view
            .row(&key)
            .ok_or_else(|| CommandError::failed(format!("{key} vanished while it was read.")))?;
        let instance = &row.instance;
        let options = instance.metadata_options.unwrap_or_default();
        let mut rows: Vec<Vec<String>> = vec![
            vec!["instance_id".into(), instance.key.instance_id.to_string()],
            vec!["name".into(), instance.name().unwrap_or_default().into()],
            vec!["account".into(), format!("{} ({})", row.alias, instance.key.source.account)],
            vec!["region".into(), instance.key.source.region.to_string()],
            vec!["state".into(), instance.state.as_str().into()],
            vec!["type".into(), instance.instance_type.to_string()],
            vec!["verdict".into(), row.verdict.sentence(instance)],
        ];
        rows.extend(fields(&options).into_iter().map(|(field, value)| vec![field.into(), value]));
        rows.push(vec!["policy".into(), row.policy.kind().into()]);
        for violation in row.policy.violations() {
            rows.push(vec![
                violation.rule.clone(),
                format!("{}: {} {}", violation.severity.as_str(), violation.message, violation.remediation),
            ]);
        }
        if let Some(refusal) = fleet.enforce_refusal(instance) {
            rows.push(vec!["enforce".into(), refusal.to_string()]);
        }
        let json = serde_json::json!({ "instance": instance.as_ref(), "verdict": row.verdict, "policy": row.policy.as_ref() });
        print(self.output, &["field", "value"], rows.into_iter(), &json)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Verify {
    async fn run(self, config: &Config) -> Result<ExitCode, CommandError> {
        let fleet = local::open_without_store(config).await?;
        let key = self.one.find(&fleet, false).await?;
        let report = fleet.verify(&key, self.days).await?;
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

impl Enforce {
    async fn run(self, config: &Config) -> Result<ExitCode, CommandError> {
        let fleet = local::open_for_changes(config).await?;
        let key = self.one.find(&fleet, false).await?;
        let report = fleet.plan_enforce(&key, self.hop_limit).await?;
        change(&fleet, report, &self.confirm).await
    }
}

impl Restore {
    async fn run(self, config: &Config) -> Result<ExitCode, CommandError> {
        let fleet = local::open_for_changes(config).await?;
        fleet.find_sources().await?;
        let report = fleet.plan_restore(self.change_id).await?;
        change(&fleet, report, &self.confirm).await
    }
}

/// Shows the plan, asks, makes the change and waits for it.
async fn change(fleet: &Arc<Fleet>, report: PlanReport, confirm: &Confirm) -> Result<ExitCode, CommandError> {
    print_text(&plan_text(&report))?;
    if let Preflight::Refused { code, message, next_step } = &report.preflight {
        return Err(CommandError::refused(format!(
            "AWS would refuse the call: {code}: {message}\n{next_step}"
        )));
    }
    if confirm.dry_run {
        return Ok(ExitCode::SUCCESS);
    }
    let Some(reason) = confirm.reason.as_deref() else {
        return Err(CommandError::usage("A change needs --reason: it is kept in the audit log."));
    };
    if !confirm.yes && !asked()? {
        return Err(CommandError::refused("Nothing was changed."));
    }
    let key = uuid::Uuid::new_v4().to_string();
    let change = fleet.apply(report.plan, &local::local_operator(), reason, &key).await?;
    let change = wait(fleet, change).await?;
    let mut text = format!("{} (change {}).", change.status.label(), change.id);
    if let Some(error) = &change.error {
        text = format!("{text}\n{}\n{}", error.message, error.next_step);
    }
    match change.status {
        ChangeStatus::Applied | ChangeStatus::AtNextStart => {
            print_text(&format!("{text}\nUndo it with: tollgate fleet restore {}", change.id))?;
            Ok(ExitCode::SUCCESS)
        }
        ChangeStatus::AppliedDifferently => {
            print_text(&text)?;
            Ok(ExitCode::from(INCOMPLETE))
        }
        ChangeStatus::Requested | ChangeStatus::Calling | ChangeStatus::Waiting => {
            print_text(&format!(
                "{text}\nEC2 has not applied it yet; `tollgate serve` or the next look at the instance tells."
            ))?;
            Ok(ExitCode::from(INCOMPLETE))
        }
        ChangeStatus::PlanOutdated | ChangeStatus::Failed => Err(CommandError::failed(text)),
    }
}

/// The plan as a person reads it before saying yes.
fn plan_text(report: &PlanReport) -> String {
    let plan = &report.plan;
    let mut lines = vec![plan.call.clone(), String::new()];
    for ((field, before), (_, after)) in fields(&plan.before).into_iter().zip(fields(&plan.after)) {
        let mark = if before == after { "  " } else { "→ " };
        let value = if before == after { before } else { format!("{before} → {after}") };
        lines.push(format!("{mark}{field:<28} {value}"));
    }
    lines.push(String::new());
    lines.push(match plan.takes_effect {
        TakesEffect::Now => "Takes effect now.".into(),
        TakesEffect::AtNextStart => "Takes effect at the next start: the instance is stopped.".into(),
    });
    lines.push(match &plan.way_back {
        WayBack::Open => "The way back is open.".into(),
        WayBack::Blocked { why } => format!("There is no way back: {why}"),
        WayBack::Unknown { why } => format!("Whether there is a way back is not known: {why}"),
    });
    lines.extend(plan.notes.iter().cloned());
    if report.preflight == Preflight::Permitted {
        lines.push("AWS answered DryRun: the call is permitted.".into());
    }
    lines.join("\n")
}

fn asked() -> Result<bool, CommandError> {
    use std::io::{BufRead, IsTerminal};
    if !std::io::stdin().is_terminal() {
        return Err(CommandError::usage("Nobody can be asked here: confirm with --yes."));
    }
    note("Make this change? Type yes:");
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|error| CommandError::failed(format!("The answer cannot be read: {error}")))?;
    Ok(answer.trim() == "yes")
}

/// Waits for the change to become final, with a spinner on a terminal.
async fn wait(fleet: &Arc<Fleet>, mut change: Change) -> Result<Change, CommandError> {
    const LOOK: Duration = Duration::from_millis(300);
    const PATIENCE: Duration = Duration::from_secs(200);
    let spinner = indicatif::ProgressBar::new_spinner();
    spinner.enable_steady_tick(Duration::from_millis(100));
    let started = std::time::Instant::now();
    while !change.status.is_final() && started.elapsed() < PATIENCE {
        spinner.set_message(format!("{} {}", change.key.instance_id, change.status.label()));
        tokio::time::sleep(LOOK).await;
        change = fleet.change(change.id).await?;
    }
    spinner.finish_and_clear();
    Ok(change)
}
