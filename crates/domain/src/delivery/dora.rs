//! The four DORA metrics of a service in an environment, each with the facts that it was computed from.
//!
//! A metric is absent where there is nothing to compute it from: what is not known is never zero.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::delivery::{
    ChangeSummary, CommitSha, Deployment, EnvironmentName, EnvironmentSummary, Source, deployments,
};
use crate::time::Timestamp;

const SECONDS_A_DAY: i64 = 86_400;
/// How many values there have to be for a ninetieth percentile that is not just the greatest.
const MIN_FOR_P90: usize = 10;

/// What the metrics are computed by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoraRules {
    /// How many days back the window reaches: 7, 30 or 90.
    pub days: u32,
    /// The branch that is delivered: commits that are known to be on another have no lead time. `None` counts all.
    pub branch: Option<String>,
    /// For how long after a deployment a failure is that deployment's, in seconds.
    pub failure_window_seconds: i64,
}

/// The metrics over one window, which ends at `to`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dora {
    pub environment: EnvironmentName,
    pub from: Timestamp,
    pub to: Timestamp,
    pub frequency: Option<Frequency>,
    pub lead_time: Option<Durations>,
    pub failure_rate: Option<FailureRate>,
    pub time_to_restore: Option<Durations>,
    /// Deployments that failed and that nothing healthy came after yet.
    pub unrestored: Vec<Evidence>,
}

/// A deployment that a metric was computed from, or the first that a commit was part of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    pub commit: CommitSha,
    pub at: Timestamp,
    /// The fact that says so.
    pub source: Source,
    pub source_id: String,
}

/// Deployment frequency: how many deployments there were in the window, by the days of it that were watched.
///
/// A deployment is a switch of the environment to another commit. Putting an older commit back is none. The window counts from
/// the first deployment ever seen in the environment, where that is later than its beginning; before a whole day was watched
/// there is no frequency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frequency {
    pub per_day: f64,
    /// How much of the window was watched, in seconds.
    pub watched_seconds: i64,
    pub deployments: Vec<Evidence>,
}

/// Lead time for changes, or time to restore: how long each took, and what most took.
///
/// Lead time is from when a commit was committed to the first deployment that contains it: of each deployment in the window, the
/// commits that are newer than all deployed in the environment before, up to the deployed one. The first deployment ever seen
/// says nothing of how long its commits took, so it has none.
///
/// Time to restore is from when a failed deployment was first seen to fail (when it was deployed, where only its being put back
/// says that it failed) to when the environment was well again: the next deployment that did not fail, or the failed one's
/// own rollout succeeding, or its being told to be live, once more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Durations {
    /// The one in the middle, or halfway between the two that are, in seconds.
    pub median_seconds: i64,
    /// That nine of ten do not exceed (nearest rank), in seconds; absent for fewer than ten.
    pub p90_seconds: Option<i64>,
    /// Oldest first.
    pub samples: Vec<Sample>,
}

/// One value of a distribution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    pub seconds: i64,
    /// The commit that took so long, or the deployment that failed.
    pub of: Evidence,
}

/// Change failure rate: the share of the window's deployments that failed.
///
/// One failed if, within the failure window after it, an older commit was put back, a commit titled as its revert was
/// deployed, or, until the next deployment, its rollout failed or what it runs became degraded (a rollout or live fact that
/// failed). A deployment whose failure window is not over counts only if it has failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FailureRate {
    /// From 0 to 1.
    pub rate: f64,
    pub failed: Vec<Failure>,
    /// All that count, failed ones included.
    pub judged: Vec<Evidence>,
}

/// A deployment that failed, and what says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub deployment: Evidence,
    pub why: FailureKind,
    /// The failed fact, or the deployment that took its place.
    pub by: Evidence,
}

/// How a deployment failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// Its rollout failed, or what it runs became degraded.
    Degraded,
    /// An older commit was put back.
    RolledBack,
    /// A commit that reverts it was deployed.
    Reverted,
}

/// The metrics of one service in one environment over the window that ends at `now`.
pub fn dora(
    changes: &[ChangeSummary],
    environment: &EnvironmentName,
    rules: &DoraRules,
    now: Timestamp,
) -> Dora {
    let start = now.as_second().saturating_sub(i64::from(rules.days) * SECONDS_A_DAY);
    let from = Timestamp::from_second(start).unwrap_or(now);
    let mut history = deployments(changes, environment);
    history.retain(|deployment| deployment.at <= now);
    let context = Context { changes, environment, rules, from, now, history: &history };
    let failures: Vec<Option<Failure>> =
        (0..history.len()).map(|position| context.failure(position)).collect();
    let (time_to_restore, unrestored) = context.restores(&failures);
    Dora {
        environment: environment.clone(),
        from,
        to: now,
        frequency: context.frequency(),
        lead_time: context.lead_times(),
        failure_rate: context.failure_rate(&failures),
        time_to_restore,
        unrestored,
    }
}

struct Context<'a> {
    changes: &'a [ChangeSummary],
    environment: &'a EnvironmentName,
    rules: &'a DoraRules,
    from: Timestamp,
    now: Timestamp,
    /// Up to now, oldest first.
    history: &'a [Deployment],
}

impl Context<'_> {
    /// The deployments of the window that are no rollbacks, with their positions in the history.
    fn forward(&self) -> impl Iterator<Item = (usize, &Deployment)> {
        let within = self.history.iter().enumerate().filter(|(_, one)| one.at > self.from);
        within.filter(|(position, _)| !self.puts_back(*position))
    }

    /// Whether a deployment put an older commit back.
    fn puts_back(&self, position: usize) -> bool {
        let before = position.checked_sub(1).and_then(|before| self.history.get(before));
        let pair = before.zip(self.history.get(position));
        pair.is_some_and(|(before, here)| before.is_newer_than(here) == Some(true))
    }

    fn frequency(&self) -> Option<Frequency> {
        let since = self.history.first()?.at.max(self.from);
        let watched_seconds = self.now.as_second() - since.as_second();
        let deployments: Vec<Evidence> = self.forward().map(|(_, one)| Evidence::of(one)).collect();
        (watched_seconds >= SECONDS_A_DAY).then(|| Frequency {
            per_day: deployments.len() as f64 * SECONDS_A_DAY as f64 / watched_seconds as f64,
            watched_seconds,
            deployments,
        })
    }

    fn lead_times(&self) -> Option<Durations> {
        let mut order: Vec<(Timestamp, &ChangeSummary)> = self
            .changes
            .iter()
            .filter(|change| self.is_delivered(change))
            .filter_map(|change| Some((change.committed?, change)))
            .collect();
        order.sort_by_key(|(committed, change)| (*committed, &change.commit));
        // The newest commit that was deployed so far.
        let mut newest: Option<(Timestamp, &CommitSha)> = None;
        let mut samples = Vec::new();
        for deployment in self.history {
            let Some(committed) = deployment.committed else { continue };
            let here = (committed, &deployment.commit);
            if let Some(newest) = newest
                && deployment.at > self.from
            {
                let brought = order.iter().filter(|(committed, change)| {
                    let place = (*committed, &change.commit);
                    place > newest && place <= here
                });
                samples.extend(brought.map(|(committed, change)| Sample {
                    seconds: (deployment.at.as_second() - committed.as_second()).max(0),
                    of: Evidence { commit: change.commit.clone(), ..Evidence::of(deployment) },
                }));
            }
            newest = newest.max(Some(here));
        }
        Durations::of(samples)
    }

    fn is_delivered(&self, change: &ChangeSummary) -> bool {
        match (&self.rules.branch, &change.branch) {
            (Some(delivered), Some(branch)) => delivered == branch,
            (None, _) | (_, None) => true,
        }
    }

    fn change(&self, commit: &CommitSha) -> Option<&ChangeSummary> {
        self.changes.iter().find(|change| change.commit == *commit)
    }

    fn ends(&self, deployment: &Deployment) -> i64 {
        deployment.at.as_second().saturating_add(self.rules.failure_window_seconds)
    }

    /// How the deployment at a position failed, if it did: the first of what says so.
    fn failure(&self, position: usize) -> Option<Failure> {
        let deployment = self.history.get(position)?;
        let end = self.ends(deployment);
        let next = self.history.get(position + 1);
        let failures = self.here(deployment).into_iter().flat_map(|here| &here.failures);
        let degraded = failures.into_iter().find(|turn| {
            turn.at >= deployment.at
                && turn.at.as_second() <= end
                && next.is_none_or(|next| turn.at < next.at)
        });
        let failure = |why, by| Some(Failure { deployment: Evidence::of(deployment), why, by });
        if let Some(turn) = degraded {
            let by = Evidence {
                commit: deployment.commit.clone(),
                at: turn.at,
                source: turn.source,
                source_id: turn.source_id.clone(),
            };
            return failure(FailureKind::Degraded, by);
        }
        let next = next.filter(|next| next.at.as_second() <= end)?;
        if self.puts_back(position + 1) {
            return failure(FailureKind::RolledBack, Evidence::of(next));
        }
        let after = self.history.iter().skip(position + 1).take_while(|later| later.at.as_second() <= end);
        let revert = after.into_iter().find(|later| self.reverts(later, deployment))?;
        failure(FailureKind::Reverted, Evidence::of(revert))
    }

    fn here(&self, deployment: &Deployment) -> Option<&EnvironmentSummary> {
        self.change(&deployment.commit)?.environment(self.environment)
    }

    /// Whether a commit is titled as the revert of another, as `git revert` and GitHub title them: with or without the number
    /// of the pull request that brought the other.
    fn reverts(&self, later: &Deployment, earlier: &Deployment) -> bool {
        let title = |deployment: &Deployment| {
            self.change(&deployment.commit).and_then(|change| change.title.as_deref())
        };
        let (Some(later), Some(earlier)) = (title(later), title(earlier)) else { return false };
        let Some(quoted) = later.strip_prefix("Revert \"").and_then(|rest| rest.rsplit_once('"')) else {
            return false;
        };
        quoted.0 == earlier || earlier.rsplit_once(" (#").is_some_and(|(bare, _)| quoted.0 == bare)
    }

    fn failure_rate(&self, failures: &[Option<Failure>]) -> Option<FailureRate> {
        let (mut failed, mut judged) = (Vec::new(), Vec::new());
        for (position, deployment) in self.forward() {
            let failure = failures.get(position).and_then(Option::as_ref);
            if failure.is_some() || self.ends(deployment) <= self.now.as_second() {
                judged.push(Evidence::of(deployment));
                failed.extend(failure.cloned());
            }
        }
        (!judged.is_empty()).then(|| FailureRate {
            rate: failed.len() as f64 / judged.len() as f64,
            failed,
            judged,
        })
    }

    /// How long the window's failed deployments took to restore, and those that are not restored.
    fn restores(&self, failures: &[Option<Failure>]) -> (Option<Durations>, Vec<Evidence>) {
        let (mut samples, mut unrestored) = (Vec::new(), Vec::new());
        for (position, deployment) in self.forward() {
            let Some(failure) = failures.get(position).and_then(Option::as_ref) else { continue };
            let began = match failure.why {
                FailureKind::Degraded => failure.by.at,
                FailureKind::RolledBack | FailureKind::Reverted => deployment.at,
            };
            let later = self.history.iter().zip(failures).skip(position + 1);
            let next_healthy = later
                .filter(|(later, failure)| failure.is_none() && later.at >= began)
                .map(|(later, _)| later.at)
                .next();
            let here = self.here(deployment);
            let rolled_out = here.into_iter().flat_map(|here| &here.recoveries).map(|turn| turn.at);
            let live_again = here.into_iter().flat_map(|here| &here.lives).map(|live| live.at);
            let recovered = rolled_out.chain(live_again).filter(|at| *at > began && *at <= self.now).min();
            let of = Evidence::of(deployment);
            match next_healthy.into_iter().chain(recovered).min() {
                Some(restored) => {
                    samples.push(Sample { seconds: restored.as_second() - began.as_second(), of });
                }
                None => unrestored.push(of),
            }
        }
        (Durations::of(samples), unrestored)
    }
}

impl Evidence {
    fn of(deployment: &Deployment) -> Evidence {
        Evidence {
            commit: deployment.commit.clone(),
            at: deployment.at,
            source: deployment.source,
            source_id: deployment.source_id.clone(),
        }
    }
}

impl Durations {
    fn of(samples: Vec<Sample>) -> Option<Durations> {
        let mut seconds: Vec<i64> = samples.iter().map(|sample| sample.seconds).collect();
        seconds.sort_unstable();
        let middle = seconds.len() / 2;
        let upper = *seconds.get(middle)?;
        let lower = if seconds.len().is_multiple_of(2) { *seconds.get(middle - 1)? } else { upper };
        let rank = (seconds.len() * 9).div_ceil(10);
        let p90 = seconds.get(rank - 1).copied().filter(|_| seconds.len() >= MIN_FOR_P90);
        Some(Durations { median_seconds: lower + (upper - lower) / 2, p90_seconds: p90, samples })
    }
}
