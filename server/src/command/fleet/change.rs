//! `tollgate fleet enforce` and `restore`: shows the plan, asks, makes the change and waits for it.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use domain::change::{Change, ChangeStatus, TakesEffect, WayBack, fields};
use domain::wire::{PlanReport, Preflight};

use super::One;
use crate::command::backend::{Backend, Purpose};
use crate::command::place::Place;
use crate::command::{CommandError, INCOMPLETE};
use crate::output::{note, print_text};

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

impl Enforce {
    pub(super) async fn run(self, place: Place) -> Result<ExitCode, CommandError> {
        let backend = Backend::open(place, Purpose::Change).await?;
        let key = self.one.find(&backend, false).await?;
        let report = backend.plan_enforce(&key, self.hop_limit).await?;
        change(&backend, report, &self.confirm).await
    }
}

impl Restore {
    pub(super) async fn run(self, place: Place) -> Result<ExitCode, CommandError> {
        let backend = Backend::open(place, Purpose::Change).await?;
        let report = backend.plan_restore(self.change_id).await?;
        change(&backend, report, &self.confirm).await
    }
}

/// Shows the plan, asks, makes the change and waits for it.
async fn change(backend: &Backend, report: PlanReport, confirm: &Confirm) -> Result<ExitCode, CommandError> {
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
    let change = backend.apply(report.plan, reason, &key).await?;
    let change = wait(backend, change).await?;
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
async fn wait(backend: &Backend, mut change: Change) -> Result<Change, CommandError> {
    const LOOK: Duration = Duration::from_millis(300);
    const PATIENCE: Duration = Duration::from_secs(200);
    let spinner = indicatif::ProgressBar::new_spinner();
    spinner.enable_steady_tick(Duration::from_millis(100));
    let started = std::time::Instant::now();
    while !change.status.is_final() && started.elapsed() < PATIENCE {
        spinner.set_message(format!("{} {}", change.key.instance_id, change.status.label()));
        tokio::time::sleep(LOOK).await;
        change = backend.change(change.id).await?;
    }
    spinner.finish_and_clear();
    Ok(change)
}
