//! The sentence and the countdown of every reason, at 10:20 on commit 1 on its way to prod.

mod before;
mod cluster;
mod git;

use crate::delivery::tests::facts::{at, commit, environment, fact, order, sha, span};
use crate::delivery::tests::properties::states;
use crate::delivery::*;

/// 10:20 UTC.
const NOW: i64 = 1_200;

/// What is known, what has to be said of it, and which second of the clock is counted down to.
struct Case {
    facts: Vec<Fact>,
    known: EnvironmentFacts,
    kind: &'static str,
    sentence: &'static str,
    deadline: Option<i64>,
}

fn case(facts: Vec<Fact>, known: EnvironmentFacts, kind: &'static str, sentence: &'static str) -> Case {
    Case { facts, known, kind, sentence, deadline: None }
}

fn until(second: i64, case: Case) -> Case {
    Case { deadline: Some(second), ..case }
}

fn answer(facts: &[Fact], known: &EnvironmentFacts, now: i64) -> Answer {
    for fact in facts {
        assert_eq!(fact.check(), Ok(()), "{fact:?}");
    }
    let states = states(facts);
    let summaries: Vec<ChangeSummary> = states.iter().map(ChangeSummary::of).collect();
    let prod = environment("prod");
    why(&Question {
        state: states.iter().find(|state| *state.commit() == sha(1)),
        environment: &prod,
        order: &order(),
        history: &deployments(&summaries, &prod),
        facts: known,
        now: at(now),
    })
}

fn hold_all(cases: Vec<Case>) {
    for case in cases {
        let answer = answer(&case.facts, &case.known, NOW);
        assert_eq!(answer.to_string(), case.sentence);
        assert_eq!(answer.deadline.map(|deadline| deadline.at), case.deadline.map(at), "{}", case.sentence);
        assert_eq!(answer.reason.kind(), case.kind, "{}", case.sentence);
        let told = serde_json::to_string(&answer).unwrap();
        assert_eq!(serde_json::from_str::<Answer>(&told).unwrap(), answer);
        assert!(told.contains(case.kind), "{told}");
    }
}

fn nothing() -> EnvironmentFacts {
    EnvironmentFacts::default()
}

fn committed() -> Fact {
    commit(1, 0)
}

fn ci(status: Status) -> Fact {
    if status.is_final() { span(Stage::Ci, status, 10, 300) } else { fact(Stage::Ci, status) }
}

fn image(status: Status, detail: ImageDetail) -> Fact {
    let finished = status.is_final().then(|| at(1_100));
    Fact { finished, detail: Some(Detail::Image(detail)), observed: at(1_100), ..fact(Stage::Image, status) }
}

/// Committed, built and pushed at 10:18:20 as a tag.
fn built(tag: &str) -> Vec<Fact> {
    let detail = ImageDetail { tag: Some(tag.into()), ..ImageDetail::default() };
    vec![committed(), ci(Status::Succeeded), image(Status::Succeeded, detail)]
}

fn with(mut facts: Vec<Fact>, more: impl IntoIterator<Item = Fact>) -> Vec<Fact> {
    facts.extend(more);
    facts
}

fn updater() -> UpdaterFacts {
    UpdaterFacts {
        mode: UpdaterMode::Resource,
        strategy: UpdateStrategy::Semver,
        constraint: Some("1.x".into()),
        ignore_tags: Vec::new(),
        allow_tags: None,
        tag_allowed: None,
        interval_seconds: 120,
        last_checked: Some(at(1_160)),
    }
}

fn updated_by(updater: UpdaterFacts) -> EnvironmentFacts {
    EnvironmentFacts { automation: Automation::Updater(updater), ..nothing() }
}

fn source(source: Source, last_success: Option<i64>, error: Option<&str>) -> SourceFacts {
    let error = error.map(Into::into);
    SourceFacts { source, last_success: last_success.map(at), error, stale_after_seconds: 300 }
}

fn argo() -> ArgoFacts {
    ArgoFacts {
        link: Some("https://argocd.example.com/applications/users-prod".into()),
        poll_seconds: 120,
        jitter_seconds: 60,
        last_reconciled: Some(at(1_200)),
        sees_commit: None,
        sync_status: Some(SyncStatus::OutOfSync),
        auto_sync: true,
        window: SyncWindow::Open,
        conditions: Vec::new(),
        health: None,
        health_message: None,
    }
}

fn synced_by(argo: ArgoFacts) -> EnvironmentFacts {
    EnvironmentFacts { argo: Some(argo), ..nothing() }
}

#[test]
fn durations_are_told_in_their_two_greatest_units() {
    let cases = [
        (-5, "0 s"),
        (0, "0 s"),
        (45, "45 s"),
        (80, "1 m 20 s"),
        (120, "2 m"),
        (3_605, "1 h"),
        (18_600, "5 h 10 m"),
        (86_400 * 3 + 3_600 * 4 + 59, "3 d 4 h"),
    ];
    for (seconds, text) in cases {
        assert_eq!(super::sentence::duration(seconds), text);
    }
}

#[test]
fn a_deadline_that_has_passed_is_not_counted_down_to() {
    let known = updated_by(updater());
    assert_eq!(
        answer(&built("1.2.3"), &known, 1_279).to_string(),
        "The image updater looks for new tags in 1 s."
    );
    let late = answer(&built("1.2.3"), &known, 1_280);
    assert_eq!((late.to_string().as_str(), late.deadline), ("The image updater looks for new tags.", None));
}

#[test]
fn a_reason_alone_names_the_day() {
    let live =
        answer(&with(built("1.2.3"), [crate::delivery::tests::facts::live(1, "prod", 600)]), &nothing(), NOW);
    assert_eq!(live.reason.to_string(), "It is live since 2026-11-21 10:10 UTC");
    let tomorrow = Answer { asked: at(86_400), ..live };
    assert_eq!(tomorrow.to_string(), "It is live since 2026-11-21 10:10 UTC.");
}

#[test]
fn long_messages_are_cut_to_their_first_line() {
    let message = format!("{}.\nsecond line", "é".repeat(300));
    let reason = Reason::SyncFailed { message: Some(message) };
    assert_eq!(reason.to_string(), format!("The sync failed: {}…", "é".repeat(200)));
}

#[test]
fn answers_lead_to_where_they_can_be_looked_up() {
    let fact =
        Fact { link: Some("https://github.com/acme/users/actions/runs/1".into()), ..ci(Status::Running) };
    let running = answer(&[committed(), fact], &nothing(), NOW);
    assert_eq!(running.link.as_deref(), Some("https://github.com/acme/users/actions/runs/1"));
    assert_eq!(running.reason.next_move(), NextMove::Machine);
    let bumped = with(built("1.2.3"), [span(Stage::Bump, Status::Succeeded, 1_150, 1_160)]);
    let polls = answer(&bumped, &synced_by(argo()), NOW);
    assert_eq!(polls.link, argo().link);
}
