//! An operation in words: the branch, the commit and the pull request.

use super::{Ask, AskKind, Operation, OperationId, Plan, Step, StepKind, Verdict};
use crate::delivery::Place;

/// How many services a title names.
const NAMED: usize = 3;

/// The branch of an operation. Its name holds the operation's, so that no two ever meet.
pub fn branch(kind: AskKind, id: &OperationId) -> String {
    format!("tollgate/{}-{id}", kind.as_str())
}

/// The title of the pull request, and the first line of the commit: `Promote users 1.4.2 and payments 2.0.1 to prod`.
pub fn title(ask: &Ask, plan: &Plan) -> String {
    let places = ask.places();
    let named = |place: &Place| match plan.tag(place) {
        Some(tag) => format!("{} {tag}", place.service),
        None => place.service.to_string(),
    };
    let mut names: Vec<String> = places.iter().take(NAMED).map(named).collect();
    names.dedup();
    let more = places.len() - places.len().min(NAMED);
    let last = match more {
        0 => names.pop(),
        more => Some(format!("{more} more")),
    };
    let names = match (names.is_empty(), last) {
        (true, last) => last.unwrap_or_default(),
        (false, last) => format!("{} and {}", names.join(", "), last.unwrap_or_default()),
    };
    let mut environments: Vec<&str> = places.iter().map(|place| place.environment.as_str()).collect();
    environments.sort_unstable();
    environments.dedup();
    let environments = environments.join(", ");
    match ask {
        Ask::Freeze { .. } => format!("Freeze {names} in {environments}"),
        Ask::Resume { .. } => format!("Resume {names} in {environments}"),
        Ask::Promote { .. } => format!("Promote {names} to {environments}"),
        Ask::Revert { .. } => format!("Revert {names} in {environments}"),
    }
}

/// The body of the pull request, in Markdown: why, what comes where, what was looked at. What people wrote stands in it as text.
pub fn body(operation: &Operation) -> String {
    let mut text = format!("{}\n\n", quoted(&operation.reason));
    text.push_str("| service | environment | what | from | to |\n|---|---|---|---|---|\n");
    for step in &operation.plan.steps {
        text.push_str(&row(step));
    }
    if !operation.plan.checks.is_empty() {
        text.push('\n');
        for check in &operation.plan.checks {
            let mark = match check.verdict {
                Verdict::Passed => "passed",
                Verdict::Warned => "**warned**",
                Verdict::Unknown | Verdict::Refused => "**refused**",
            };
            text.push_str(&format!(
                "- {} in {}, {}: {mark}. {}\n",
                check.place.service,
                check.place.environment,
                check.what,
                escaped(&check.message)
            ));
        }
    }
    text.push_str(&format!("\nRequested by {}, operation {}.\n", escaped(&operation.by.name), operation.id));
    text
}

fn row(step: &Step) -> String {
    let what = match step.kind {
        StepKind::Tag => "tag",
        StepKind::Hold(_) => "updater kept",
        StepKind::Release(_) => "updater let go",
    };
    let code = |value: Option<&String>| {
        value.map_or_else(String::new, |value| format!("`{}`", value.replace(['`', '|', '\n'], " ")))
    };
    let digest = step.digest.as_ref().map_or_else(String::new, |digest| format!(" ({})", escaped(digest)));
    format!(
        "| {} | {} | {what} | {} | {}{digest} |\n",
        step.place.service,
        step.place.environment,
        code(step.before.as_ref()),
        code(step.after.as_ref())
    )
}

/// A text as a quotation.
fn quoted(text: &str) -> String {
    text.trim().lines().map(|line| format!("> {}", escaped(line))).collect::<Vec<_>>().join("\n")
}

/// A text without a meaning in Markdown: no mention of people, no links, no HTML.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '!' => {
                safe.push('\\');
                safe.push(character);
            }
            // A mention would call people that have nothing to do with it.
            '@' => safe.push_str("@\u{200b}"),
            '\n' | '\r' => safe.push(' '),
            other => safe.push(other),
        }
    }
    safe
}
