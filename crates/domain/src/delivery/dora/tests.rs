//! The metrics, and when there are none.

use super::*;
use crate::delivery::tests::facts::{at, commit, environment, fact, live, sha};
use crate::delivery::tests::properties::states;
use crate::delivery::{Detail, Fact, Stage, Status};

const HOUR: i64 = 3_600;
const DAY: i64 = SECONDS_A_DAY;

fn measure(facts: &[Fact], days: u32, now: i64) -> Dora {
    for fact in facts {
        assert_eq!(fact.check(), Ok(()), "{fact:?}");
    }
    let changes: Vec<ChangeSummary> = states(facts).iter().map(ChangeSummary::of).collect();
    let rules = DoraRules { days, branch: Some("main".into()), failure_window_seconds: 6 * HOUR };
    dora(&changes, &environment("prod"), &rules, at(now))
}

/// Commits 1 to `count`, an hour apart from 0 on.
fn commits(count: u32) -> Vec<Fact> {
    (1..=count).map(|number| commit(number, i64::from(number - 1) * HOUR)).collect()
}

fn with(mut facts: Vec<Fact>, more: impl IntoIterator<Item = Fact>) -> Vec<Fact> {
    facts.extend(more);
    facts
}

fn prod(number: u32, second: i64) -> Fact {
    live(number, "prod", second)
}

fn turn(number: u32, stage: Stage, status: Status, attempt: u32, second: i64) -> Fact {
    Fact {
        commit: sha(number),
        attempt,
        finished: Some(at(second)),
        observed: at(second),
        ..fact(stage, status)
    }
}

fn numbers(evidence: &[Evidence]) -> Vec<CommitSha> {
    evidence.iter().map(|one| one.commit.clone()).collect()
}

#[test]
fn what_is_not_known_is_not_zero() {
    let none = measure(&commits(3), 30, 10 * DAY);
    assert_eq!(
        (none.frequency, none.lead_time, none.failure_rate, none.time_to_restore),
        (None, None, None, None)
    );
    assert!(none.unrestored.is_empty());
    // One deployment, just seen.
    let first = measure(&with(commits(3), [prod(2, 3 * HOUR)]), 30, 5 * HOUR);
    assert_eq!(first.frequency, None, "not watched for a day");
    assert_eq!(first.lead_time, None, "the first deployment ever seen");
    assert_eq!(first.failure_rate, None, "it may still fail");
    // Watched, and nothing happened in the window: that is zero.
    let quiet = measure(&with(commits(3), [prod(2, 3 * HOUR)]), 7, 30 * DAY);
    assert_eq!(quiet.frequency.map(|frequency| frequency.per_day), Some(0.0));
    assert_eq!((quiet.lead_time, quiet.failure_rate), (None, None));
}

#[test]
fn deployments_are_counted_by_the_days_that_were_watched() {
    let facts = with(commits(4), [prod(1, DAY), prod(2, 2 * DAY), prod(1, 2 * DAY + HOUR), prod(3, 3 * DAY)]);
    let frequency = measure(&facts, 30, 5 * DAY).frequency.unwrap();
    assert_eq!(numbers(&frequency.deployments), [sha(1), sha(2), sha(3)], "putting 1 back is no deployment");
    assert_eq!((frequency.watched_seconds, frequency.per_day), (4 * DAY, 0.75));
    assert_eq!(frequency.deployments[1].source_id, format!("live-2-prod-{}", 2 * DAY));
    let frequency = measure(&facts, 2, 5 * DAY - 1).frequency.unwrap();
    assert_eq!((frequency.watched_seconds, numbers(&frequency.deployments)), (2 * DAY, vec![sha(3)]));
    assert_eq!(frequency.per_day, 0.5);
    // A clock that is ahead deploys nothing before its time.
    let frequency = measure(&facts, 30, 3 * DAY - 1).frequency.unwrap();
    assert_eq!(numbers(&frequency.deployments), [sha(1), sha(2)]);
    // The window leaves out its first second, so that the next window has it.
    let frequency = measure(&facts, 2, 5 * DAY).frequency.unwrap();
    assert_eq!(numbers(&frequency.deployments), []);
}

#[test]
fn lead_time_is_that_of_commits_between_two_deployments() {
    // Years of commits before the first deployment have none.
    let facts = with(commits(6), [prod(3, 10 * HOUR), prod(5, 20 * HOUR)]);
    let lead = measure(&facts, 30, DAY).lead_time.unwrap();
    let told: Vec<_> =
        lead.samples.iter().map(|sample| (sample.of.commit.clone(), sample.seconds / HOUR)).collect();
    assert_eq!(told, [(sha(4), 17), (sha(5), 16)]);
    assert_eq!((lead.median_seconds, lead.p90_seconds), (16 * HOUR + HOUR / 2, None));
    // Put back and forward again: each commit only has the first time.
    let facts = with(facts, [prod(3, 21 * HOUR), prod(6, 22 * HOUR)]);
    let lead = measure(&facts, 30, DAY).lead_time.unwrap();
    let told: Vec<_> = lead.samples.iter().map(|sample| sample.of.commit.clone()).collect();
    assert_eq!(told, [sha(4), sha(5), sha(6)]);
    // The deployment before the window still bounds the first within.
    let lead = measure(&facts, 1, 20 * HOUR + DAY).lead_time.unwrap();
    assert_eq!(lead.samples.len(), 1);
    // Another branch's commits were not delivered.
    let mut facts = with(commits(6), [prod(3, 10 * HOUR), prod(5, 20 * HOUR)]);
    if let Some(Detail::Commit(detail)) = &mut facts[3].detail {
        detail.branch = Some("topic".into());
    }
    assert_eq!(measure(&facts, 30, DAY).lead_time.unwrap().samples.len(), 1);
}

#[test]
fn a_commit_of_unknown_age_has_no_lead_time() {
    let facts = with(commits(2), [prod(1, 10 * HOUR), prod(7, 20 * HOUR)]);
    assert_eq!(measure(&facts, 30, DAY).lead_time, None);
}

#[test]
fn medians_and_percentiles_are_of_the_nearest_rank() {
    let of = |seconds: &[i64]| {
        let evidence =
            Evidence { commit: sha(1), at: at(0), source: Source::Kubernetes, source_id: "1".into() };
        let sample = |seconds: &i64| Sample { seconds: *seconds, of: evidence.clone() };
        let durations = Durations::of(seconds.iter().map(sample).collect())?;
        Some((durations.median_seconds, durations.p90_seconds))
    };
    assert_eq!(of(&[]), None);
    assert_eq!(of(&[7]), Some((7, None)));
    assert_eq!(of(&[9, 1]), Some((5, None)));
    assert_eq!(of(&[9, 1, 2]), Some((2, None)));
    assert_eq!(of(&[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]), Some((5, Some(9))));
    assert_eq!(of(&(1..=11).collect::<Vec<_>>()), Some((6, Some(10))));
}

#[test]
fn deployments_that_were_put_back_reverted_or_degraded_failed() {
    let base = || with(commits(6), [prod(1, 10 * HOUR), prod(2, 20 * HOUR)]);
    let failed = |facts: Vec<Fact>| {
        let rate = measure(&facts, 30, 3 * DAY).failure_rate.unwrap();
        let failed: Vec<_> = rate.failed.into_iter().map(|one| (one.deployment.commit, one.why)).collect();
        (failed, rate.judged.len(), rate.rate)
    };
    assert_eq!(failed(base()), (vec![], 2, 0.0));
    let back = with(base(), [prod(1, 26 * HOUR)]);
    assert_eq!(failed(back), (vec![(sha(2), FailureKind::RolledBack)], 2, 0.5), "the rollback is not judged");
    let late = with(base(), [prod(1, 26 * HOUR + 1)]);
    assert_eq!(failed(late), (vec![], 2, 0.0), "after the failure window");
    for title in ["Revert \"Change 2\"", "Revert \"Change 2\" (#9)"] {
        let mut reverted = with(base(), [prod(3, 21 * HOUR)]);
        if let Some(Detail::Commit(detail)) = &mut reverted[2].detail {
            detail.title = Some(title.into());
        }
        assert_eq!(
            failed(reverted.clone()),
            (vec![(sha(2), FailureKind::Reverted)], 3, 1.0 / 3.0),
            "{title}"
        );
        if let Some(Detail::Commit(detail)) = &mut reverted[1].detail {
            detail.title = Some("Change 2 (#8)".into());
        }
        assert_eq!(failed(reverted).0.len(), 1, "{title}");
    }
    for stage in [Stage::Rollout, Stage::Live] {
        let degraded = with(base(), [turn(2, stage, Status::Failed, 1, 22 * HOUR)]);
        assert_eq!(failed(degraded), (vec![(sha(2), FailureKind::Degraded)], 2, 0.5), "{stage:?}");
    }
    let before = with(base(), [turn(2, Stage::Rollout, Status::Failed, 1, 19 * HOUR)]);
    assert_eq!(failed(before), (vec![], 2, 0.0), "it went live after all");
    let replaced = with(base(), [prod(3, 21 * HOUR), turn(2, Stage::Live, Status::Failed, 1, 22 * HOUR)]);
    assert_eq!(failed(replaced), (vec![], 3, 0.0), "something else runs");
    let sync = with(base(), [turn(2, Stage::Sync, Status::Failed, 1, 22 * HOUR)]);
    assert_eq!(failed(sync), (vec![], 2, 0.0), "what runs is not touched");
}

#[test]
fn a_young_deployment_is_judged_only_if_it_failed() {
    let facts = with(commits(6), [prod(1, 10 * HOUR), prod(2, 20 * HOUR)]);
    let rate = measure(&facts, 30, 25 * HOUR).failure_rate.unwrap();
    assert_eq!((numbers(&rate.judged), rate.rate), (vec![sha(1)], 0.0));
    let facts = with(facts, [turn(2, Stage::Rollout, Status::Failed, 1, 21 * HOUR)]);
    let rate = measure(&facts, 30, 25 * HOUR).failure_rate.unwrap();
    assert_eq!((numbers(&rate.judged), rate.rate), (vec![sha(1), sha(2)], 0.5));
}

#[test]
fn restoring_ends_with_the_next_that_is_healthy() {
    let restored = |facts: Vec<Fact>| {
        let measured = measure(&facts, 30, 3 * DAY);
        let samples = measured.time_to_restore.map(|durations| durations.samples).unwrap_or_default();
        let seconds: Vec<i64> = samples.iter().map(|sample| sample.seconds).collect();
        (seconds, numbers(&measured.unrestored))
    };
    let base = || with(commits(6), [prod(1, 10 * HOUR), prod(2, 20 * HOUR)]);
    assert_eq!(restored(base()), (vec![], vec![]));
    // Only its being put back says that it failed.
    assert_eq!(restored(with(base(), [prod(1, 22 * HOUR)])), (vec![2 * HOUR], vec![]));
    let rolled_out = turn(2, Stage::Rollout, Status::Succeeded, 1, 20 * HOUR - 1);
    let degraded = || with(base(), [rolled_out.clone(), turn(2, Stage::Live, Status::Failed, 1, 21 * HOUR)]);
    assert_eq!(restored(degraded()), (vec![], vec![sha(2)]));
    assert_eq!(restored(with(degraded(), [prod(1, 22 * HOUR)])), (vec![HOUR], vec![]));
    // What came next failed as well.
    let again =
        [prod(3, 22 * HOUR), turn(3, Stage::Rollout, Status::Failed, 1, 23 * HOUR), prod(4, 24 * HOUR)];
    assert_eq!(restored(with(degraded(), again)), (vec![3 * HOUR, HOUR], vec![]));
    // It came round by itself, and failed and came round again, all in one attempt.
    let flapping = [
        turn(2, Stage::Live, Status::Failed, 1, 24 * HOUR),
        turn(2, Stage::Rollout, Status::Succeeded, 1, 22 * HOUR),
        turn(2, Stage::Rollout, Status::Succeeded, 1, 25 * HOUR),
    ];
    assert_eq!(restored(with(degraded(), flapping)), (vec![HOUR], vec![]));
    assert_eq!(restored(with(degraded(), [prod(2, 21 * HOUR + 60)])), (vec![60], vec![]));
    let again = turn(2, Stage::Rollout, Status::Succeeded, 2, 23 * HOUR);
    assert_eq!(restored(with(degraded(), [again, prod(3, 30 * HOUR)])), (vec![2 * HOUR], vec![]));
}
