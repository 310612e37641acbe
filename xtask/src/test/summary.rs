//! What came of the tests, part by part.

use std::fmt;
use std::time::Duration;

use anyhow::{Error, Result};

/// How many tests passed and failed.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Count {
    pub(super) passed: u32,
    pub(super) failed: u32,
    /// Tests that were there and were not run, which is a failure of the part: nothing is skipped silently.
    pub(super) ignored: u32,
}

impl Count {
    pub(super) fn add(&mut self, other: Count) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }

    /// Counts one check that is not a program of tests, and says how it went.
    pub(super) fn check(&mut self, name: &str, duration: Duration, result: Result<()>) {
        match result {
            Ok(()) => {
                self.passed += 1;
                println!("ok      {name:<40} {duration:>8.1?}");
            }
            Err(error) => {
                self.failed += 1;
                println!("FAILED  {name}\n{error:#}");
            }
        }
    }
}

/// One part of a suite.
pub(super) struct Part {
    pub(super) name: &'static str,
    /// The tests, or why they could not be run to the end.
    pub(super) outcome: Result<Count>,
    pub(super) duration: Duration,
}

impl Part {
    fn passed(&self) -> u32 {
        self.outcome.as_ref().map_or(0, |count| count.passed)
    }

    /// What could not be run counts as one failure, so that no sum looks clean.
    fn failed(&self) -> u32 {
        match &self.outcome {
            Ok(count) if count.failed == 0 && self.problem().is_some() => 1,
            Ok(count) => count.failed,
            Err(_) => 1,
        }
    }

    /// What is wrong with the part itself.
    pub(super) fn problem(&self) -> Option<String> {
        match &self.outcome {
            Err(error) => Some(format!("{} could not be run: {}", self.name, explained(error))),
            Ok(Count { passed: 0, failed: 0, .. }) => {
                Some(format!("{} ran no tests, which proves nothing", self.name))
            }
            Ok(Count { ignored, .. }) if *ignored != 0 => {
                Some(format!("{}: {ignored} tests are marked as ignored; run them or remove them", self.name))
            }
            Ok(_) => None,
        }
    }
}

fn explained(error: &Error) -> String {
    format!("{error:#}")
}

/// All parts of a run.
#[derive(Default)]
pub(super) struct Summary {
    parts: Vec<Part>,
}

impl Summary {
    pub(super) fn add(&mut self, part: Part) {
        self.parts.push(part);
    }

    pub(super) fn succeeded(&self) -> bool {
        !self.parts.is_empty() && self.parts.iter().all(|part| part.failed() == 0)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{:<14}{:>8}{:>8}{:>10}", "part", "passed", "failed", "time")?;
        for part in &self.parts {
            let seconds = part.duration.as_secs();
            let time = format!("{}:{:02}", seconds / 60, seconds % 60);
            writeln!(out, "{:<14}{:>8}{:>8}{time:>10}", part.name, part.passed(), part.failed())?;
        }
        for problem in self.parts.iter().filter_map(Part::problem) {
            writeln!(out, "{}", problem.lines().next().unwrap_or_default())?;
        }
        let sum = |count: fn(&Part) -> u32| self.parts.iter().map(count).sum::<u32>();
        write!(out, "\n{} passed, {} failed", sum(Part::passed), sum(Part::failed))
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    fn part(name: &'static str, outcome: Result<Count>) -> Part {
        Part { name, outcome, duration: Duration::from_secs(75) }
    }

    fn count(passed: u32, failed: u32, ignored: u32) -> Result<Count> {
        Ok(Count { passed, failed, ignored })
    }

    fn summary(parts: Vec<Part>) -> Summary {
        Summary { parts }
    }

    #[test]
    fn the_last_line_is_the_sum() {
        let summary = summary(vec![part("unit", count(40, 0, 0)), part("browser", count(2, 1, 0))]);
        let text = summary.to_string();
        assert_eq!(text.lines().last(), Some("42 passed, 1 failed"));
        assert!(text.contains("1:15"), "{text}");
        assert!(!summary.succeeded());
    }

    #[test]
    fn a_part_that_cannot_run_or_runs_nothing_fails() {
        for outcome in [Err(anyhow!("no postgres")), count(0, 0, 0), count(3, 0, 1)] {
            let summary = summary(vec![part("unit", count(1, 0, 0)), part("integration", outcome)]);
            assert!(!summary.succeeded());
            assert!(summary.to_string().ends_with(" passed, 1 failed"), "{summary}");
        }
    }

    #[test]
    fn a_clean_run_succeeds_and_an_empty_one_does_not() {
        assert!(summary(vec![part("unit", count(1, 0, 0))]).succeeded());
        assert!(!summary(Vec::new()).succeeded());
    }
}
