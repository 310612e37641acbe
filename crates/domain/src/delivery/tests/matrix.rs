//! What the matrix shows, and what it does not claim.

use super::facts::{at, commit, environment, fact, live, order, service, sha};
use super::properties::states;
use crate::delivery::*;
use crate::time::Timestamp;

const STALE_AFTER: i64 = 600;

fn summaries(facts: &[Fact]) -> Vec<ChangeSummary> {
    for fact in facts {
        assert_eq!(fact.check(), Ok(()), "{fact:?}");
    }
    states(facts).iter().map(ChangeSummary::of).collect()
}

/// The environments were all read at a second.
fn known(second: i64) -> Vec<EnvironmentKnowledge> {
    let known_at = Some(at(second));
    let of = |environment| EnvironmentKnowledge { environment, known_at, health: None, holds: Vec::new() };
    ["dev", "staging", "prod"].map(environment).map(of).to_vec()
}

fn row(facts: &[Fact], knowledge: &[EnvironmentKnowledge], now: Timestamp) -> Vec<Cell> {
    let context = CellContext { order: &order(), knowledge, stale_after_seconds: STALE_AFTER, now };
    Standing::of(&service(), &summaries(facts)).cells(&context)
}

fn versions(row: &[Cell]) -> Vec<Option<&str>> {
    row.iter().map(|cell| cell.current.as_ref()?.version.as_deref()).collect()
}

/// Rolled out at a second, and so seen to be healthy.
fn healthy(number: u32, name: &str, second: i64) -> Vec<Fact> {
    let rollout = Fact {
        commit: sha(number),
        environment: Some(environment(name)),
        finished: Some(at(second)),
        observed: at(second),
        ..fact(Stage::Rollout, Status::Succeeded)
    };
    vec![rollout, live(number, name, second)]
}

#[test]
fn versions_drift_and_age_are_told_by_environment() {
    let mut facts: Vec<Fact> = (1..=4).map(|number| commit(number, i64::from(number) * 100)).collect();
    facts.extend(healthy(3, "dev", 350));
    facts.extend(healthy(2, "staging", 260));
    facts.extend(healthy(1, "prod", 160));
    let now = at(500);
    let row = row(&facts, &known(490), now);
    assert_eq!(versions(&row), [Some("1.0.3"), Some("1.0.2"), Some("1.0.1")]);
    assert_eq!(row.iter().map(|cell| cell.behind).collect::<Vec<_>>(), [Some(1), Some(2), Some(3)]);
    assert_eq!(
        row.iter().map(|cell| cell.age_seconds(now)).collect::<Vec<_>>(),
        [Some(150), Some(240), Some(340)]
    );
    assert!(row.iter().all(|cell| cell.health == CellHealth::Healthy && cell.ahead_of.is_none()));
}

#[test]
fn commits_of_other_branches_are_not_newer() {
    let mut facts = vec![commit(1, 100), commit(2, 200)];
    if let Some(Detail::Commit(detail)) = &mut facts[1].detail {
        detail.branch = Some("topic".into());
    }
    facts.push(live(1, "dev", 150));
    assert_eq!(row(&facts, &known(150), at(160))[0].behind, Some(0));
}

#[test]
fn an_unknown_commit_is_neither_behind_nor_ahead() {
    let facts = [live(7, "staging", 100), live(1, "dev", 90), commit(1, 50)];
    let row = row(&facts, &known(100), at(110));
    assert_eq!((row[1].behind, row[1].ahead_of.clone()), (None, None));
}

#[test]
fn an_environment_ahead_of_its_source_is_told() {
    let facts =
        [commit(1, 10), commit(2, 20), live(1, "staging", 50), live(2, "prod", 60), live(1, "dev", 40)];
    let row = row(&facts, &known(100), at(110));
    assert_eq!(row[1].ahead_of, None);
    assert_eq!(row[2].ahead_of, Some(environment("staging")));
    // Nothing runs in the environment before: ahead only if that is known.
    let facts = [commit(1, 10), live(1, "staging", 50)];
    assert_eq!(super::matrix::row(&facts, &known(100), at(110))[1].ahead_of, Some(environment("dev")));
    assert_eq!(super::matrix::row(&facts, &[], at(110))[1].ahead_of, None);
}

#[test]
fn old_knowledge_is_never_green() {
    let facts = healthy(1, "dev", 100);
    let health = |known: &[EnvironmentKnowledge], now| row(&facts, known, at(now))[0].health;
    assert_eq!(health(&known(5_000), 5_600), CellHealth::Healthy, "read again, and nothing was new");
    let stale = CellHealth::Unknown { last: Some(Health::Healthy), as_of: Some(at(5_000)) };
    assert_eq!(health(&known(5_000), 5_601), stale);
    assert_eq!(health(&[], 700), CellHealth::Healthy);
    let stale = CellHealth::Unknown { last: Some(Health::Healthy), as_of: Some(at(100)) };
    assert_eq!(health(&[], 701), stale);
    // Known to run, but nothing says how.
    let facts = [fact(Stage::Bump, Status::Succeeded)];
    assert_eq!(row(&facts, &known(0), at(9))[2].health, CellHealth::Missing);
    assert_eq!(row(&facts, &[], at(9))[2].health, CellHealth::Unknown { last: None, as_of: None });
}

#[test]
fn health_is_that_of_the_environment_as_last_seen() {
    let mut facts = healthy(1, "prod", 100);
    let sync = |health, second| Fact {
        commit: sha(2),
        observed: at(second),
        detail: Some(Detail::Sync(SyncDetail { health: Some(health), ..SyncDetail::default() })),
        ..fact(Stage::Sync, Status::Running)
    };
    facts.push(sync(Health::Progressing, 200));
    assert_eq!(row(&facts, &[], at(210))[2].health, CellHealth::Progressing);
    facts.push(sync(Health::Degraded, 300));
    assert_eq!(row(&facts, &[], at(310))[2].health, CellHealth::Degraded);
    facts.push(sync(Health::Unknown, 400));
    let unknown = CellHealth::Unknown { last: Some(Health::Unknown), as_of: Some(at(400)) };
    assert_eq!(row(&facts, &[], at(410))[2].health, unknown);
}

#[test]
fn what_is_on_its_way_and_what_failed_on_it_are_marked() {
    let of =
        |number: u32, second: i64, fact: Fact| Fact { commit: sha(number), observed: at(second), ..fact };
    let mut facts = vec![commit(1, 10), commit(2, 20), commit(3, 30), commit(4, 40)];
    facts.extend(healthy(2, "prod", 100));
    facts.push(of(3, 120, fact(Stage::Rollout, Status::Failed)));
    facts.push(of(4, 130, fact(Stage::Bump, Status::Waiting)));
    // Superseded while it was on its way, and not told of since.
    facts.push(of(1, 90, fact(Stage::Sync, Status::Running)));
    let cell = row(&facts, &known(140), at(150)).remove(2);
    assert_eq!(cell.failed, Some(Mark { commit: sha(3), stage: Stage::Rollout, status: Status::Failed }));
    assert_eq!(cell.in_progress, Some(Mark { commit: sha(4), stage: Stage::Bump, status: Status::Waiting }));
    // On its way back, where it was before.
    let facts =
        [&facts[..6], &[live(1, "prod", 50), of(1, 160, fact(Stage::Sync, Status::Running))]].concat();
    let cell = row(&facts, &known(140), at(150)).remove(2);
    assert_eq!(cell.in_progress, Some(Mark { commit: sha(1), stage: Stage::Sync, status: Status::Running }));
}

#[test]
fn a_change_that_was_put_back_is_not_on_its_way() {
    let mut facts = vec![commit(1, 10), commit(2, 20)];
    for (number, second) in [(1, 100), (2, 200), (1, 300)] {
        facts.extend(healthy(number, "prod", second));
    }
    let cell = row(&facts, &known(310), at(320)).remove(2);
    assert_eq!(cell.current.map(|current| current.commit), Some(sha(1)));
    assert_eq!((cell.in_progress, cell.failed, cell.behind), (None, None, Some(1)));
}

#[test]
fn deployments_are_told_once_for_each_time_another_was_between() {
    let mut facts = vec![
        live(1, "prod", 100),
        live(2, "prod", 200),
        live(1, "prod", 300),
        live(2, "prod", 400),
        live(1, "dev", 50),
    ];
    // Another source sees the same switch, later and without a version.
    facts.push(Fact { source: Source::ArgoCd, detail: None, ..live(2, "prod", 230) });
    let told = deployments(&summaries(&facts), &environment("prod"));
    let told: Vec<_> = told.iter().map(|one| (one.commit.clone(), one.at, one.source)).collect();
    let by = Source::Kubernetes;
    assert_eq!(
        told,
        [(sha(1), at(100), by), (sha(2), at(200), by), (sha(1), at(300), by), (sha(2), at(400), by)]
    );
}

#[test]
fn only_holds_in_force_are_shown() {
    let hold = |until| Hold {
        kind: HoldKind::Frozen,
        by: "ada".into(),
        reason: "sale".into(),
        since: at(10),
        until,
        pull_request: Some(12),
    };
    let mut knowledge = known(100);
    knowledge[2].holds = vec![hold(None), hold(Some(at(50))), hold(Some(at(51)))];
    assert_eq!(row(&[], &knowledge, at(50))[2].holds.len(), 2);
    assert_eq!(row(&[], &knowledge, at(9))[2].holds.len(), 0);
}
