//! What a policy said of an instance. Undefined, failed and unreachable are verdicts of their own, none of them a pass.

use serde::{Deserialize, Serialize};

/// One rule that an instance breaks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Violation {
    /// The rule's name, stable enough to filter and count by.
    pub rule: String,
    pub severity: Severity,
    pub message: String,
    /// What to do about it; empty where the policy does not say.
    pub remediation: String,
}

/// How bad a violation is, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Critical,
    High,
    Medium,
    Low,
    Info,
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Critical => "critical",
            Severity::High => "high",
            Severity::Medium => "medium",
            Severity::Low => "low",
            Severity::Info => "info",
        }
    }

    pub fn parse(text: &str) -> Option<Severity> {
        [Severity::Critical, Severity::High, Severity::Medium, Severity::Low, Severity::Info]
            .into_iter()
            .find(|severity| severity.as_str() == text)
    }
}

/// The outcome of evaluating the policy on one instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyOutcome {
    /// The policy was evaluated and found nothing.
    Pass,
    /// The policy found these, worst first; never empty.
    Fail { violations: Vec<Violation> },
    /// The policy has no value for this input.
    Undefined,
    /// The policy reads a part of the input that is not provided.
    UnsupportedInput { path: String },
    /// Evaluation failed: a runtime error, the execution limit, or an answer of the wrong shape.
    Error { message: String },
    /// The policy server did not answer.
    Unreachable { message: String },
    /// Not evaluated yet.
    NotEvaluated,
}

impl PolicyOutcome {
    pub const KINDS: [&'static str; 7] =
        ["fail", "error", "unreachable", "undefined", "unsupported-input", "not-evaluated", "pass"];

    /// The name used in queries (`policy:fail`), URLs and exports.
    pub fn kind(&self) -> &'static str {
        PolicyOutcome::KINDS[self.rank() as usize]
    }

    /// The position of the kind in [`PolicyOutcome::KINDS`], which is the order of lists: what needs attention first.
    pub fn rank(&self) -> u8 {
        match self {
            PolicyOutcome::Fail { .. } => 0,
            PolicyOutcome::Error { .. } => 1,
            PolicyOutcome::Unreachable { .. } => 2,
            PolicyOutcome::Undefined => 3,
            PolicyOutcome::UnsupportedInput { .. } => 4,
            PolicyOutcome::NotEvaluated => 5,
            PolicyOutcome::Pass => 6,
        }
    }

    pub fn violations(&self) -> &[Violation] {
        match self {
            PolicyOutcome::Fail { violations } => violations,
            PolicyOutcome::Pass
            | PolicyOutcome::Undefined
            | PolicyOutcome::UnsupportedInput { .. }
            | PolicyOutcome::Error { .. }
            | PolicyOutcome::Unreachable { .. }
            | PolicyOutcome::NotEvaluated => &[],
        }
    }
}
