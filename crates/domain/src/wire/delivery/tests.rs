//! What the pages are told, from facts.

use super::*;
use crate::delivery::tests::facts::{at, commit, environment, fact, job, live, order, service, sha, span};
use crate::delivery::tests::properties::states;
use crate::delivery::{
    BumpDetail, CellContext, ChangeSummary, Deadline, Detail, DoraRules, EnvironmentFacts, Fact, ImageDetail,
    Question, Reason, RolloutDetail, ScanCounts, Standing, WaitingPod, dora, why,
};

fn facts() -> Vec<Fact> {
    let image = ImageDetail {
        tag: Some("1.0.1".into()),
        scan: Some(ScanCounts { critical: 1, medium: 4, ..ScanCounts::default() }),
        ..ImageDetail::default()
    };
    let bump = BumpDetail {
        pull_request: Some(7),
        tag_before: Some("1.0.0".into()),
        tag_after: Some("1.0.1".into()),
        revision: None,
    };
    let waiting = WaitingPod { pod: "users-1".into(), reason: "ErrImagePull".into(), message: None };
    let rollout = RolloutDetail {
        updated: Some(2),
        desired: Some(5),
        waiting: Some(waiting),
        ..RolloutDetail::default()
    };
    let with = |detail, fact| Fact { detail: Some(detail), ..fact };
    vec![
        commit(1, 0),
        job("test", span(Stage::Ci, Status::Succeeded, 10, 90)),
        with(Detail::Image(image), span(Stage::Image, Status::Succeeded, 80, 100)),
        with(Detail::Bump(bump), span(Stage::Bump, Status::Succeeded, 110, 120)),
        with(Detail::Rollout(rollout), fact(Stage::Rollout, Status::Running)),
        live(1, "dev", 200),
    ]
}

#[test]
fn a_timeline_is_told_in_words() {
    let state = states(&facts()).remove(0);
    let view = TimelineView::of(&Timeline::of(&state, &order()));
    let texts: Vec<Option<&str>> = view.steps.iter().map(|step| step.text.as_deref()).collect();
    assert_eq!(texts, [Some("Change 1"), None, Some("1.0.1, 1 critical"), None, None]);
    assert_eq!(view.steps[1].parts.iter().map(|part| part.job.as_str()).collect::<Vec<_>>(), ["test"]);
    let prod = &view.environments[2];
    let texts: Vec<Option<&str>> = prod.steps.iter().map(|step| step.text.as_deref()).collect();
    assert_eq!(texts, [Some("#7, 1.0.0 to 1.0.1"), None, Some("2 of 5, ErrImagePull in users-1"), None]);
    assert_eq!(prod.steps[2].source.as_deref(), Some("Kubernetes"));
    assert!(!view.whole_release);
    assert_eq!(view.path.iter().map(|hop| hop.stage).collect::<Vec<_>>()[..2], [Stage::Commit, Stage::Ci]);
    let text = serde_json::to_string(&view).unwrap();
    assert_eq!(serde_json::from_str::<TimelineView>(&text).unwrap(), view);
}

#[test]
fn a_row_says_what_is_not_known() {
    let summaries: Vec<ChangeSummary> = states(&facts()).iter().map(ChangeSummary::of).collect();
    let context = CellContext { order: &order(), knowledge: &[], stale_after_seconds: 60, now: at(300) };
    let row =
        MatrixRow::of("users", None, Standing::of(&service(), &summaries).cells(&context).iter().map(Some));
    let dev = row.cells[0].as_ref().unwrap();
    assert_eq!((dev.version.as_deref(), dev.since), (Some("1.0.1"), Some(at(200))));
    assert_eq!(
        (dev.health, dev.last_health, dev.as_of),
        (HealthView::Unknown, Some(HealthView::Healthy), Some(at(200)))
    );
    assert_eq!(
        (row.cells[1].as_ref().unwrap().commit.as_deref(), row.cells[1].as_ref().unwrap().health),
        (None, HealthView::Unknown)
    );
    let on_its_way =
        row.cells[2].as_ref().unwrap().in_progress.as_ref().map(|mark| (mark.stage, mark.status));
    assert_eq!(on_its_way, Some((Stage::Rollout, Status::Running)));
    let text = serde_json::to_string(&row).unwrap();
    assert_eq!(serde_json::from_str::<MatrixRow>(&text).unwrap(), row);
}

#[test]
fn a_reason_is_told_with_its_sentence() {
    let states = states(&facts());
    let prod = environment("prod");
    let answer = why(&Question {
        state: states.first(),
        environment: &prod,
        order: &order(),
        history: &[],
        facts: &EnvironmentFacts::default(),
        now: at(300),
    });
    let view = ReasonView::of(&answer);
    assert_eq!(view.kind, "pod-stuck");
    assert_eq!(view.sentence, "The rollout is at 2 of 5: pod users-1 cannot pull its image (ErrImagePull).");
    assert_eq!((view.next_move, view.deadline, view.lasts), (NextMove::Person, None, false));
    assert_eq!(view.around_countdown, None);

    let deadline = Some(Deadline { at: at(380), kind: DeadlineKind::In });
    let polls = Answer { reason: Reason::UpdaterPolls, deadline, link: None, asked: at(300) };
    let view = ReasonView::of(&polls);
    let [before, after] = view.around_countdown.unwrap();
    assert_eq!(view.sentence, format!("{before}1 m 20 s{after}"));
    let lasts = Some(Deadline { at: at(380), kind: DeadlineKind::Until });
    assert_eq!(ReasonView::of(&Answer { deadline: lasts, ..polls }).around_countdown, None);
}

#[test]
fn metrics_lead_to_the_facts() {
    let day = 86_400;
    let all = [
        commit(1, 0),
        commit(2, 60),
        live(1, "prod", day),
        live(2, "prod", 2 * day),
        live(1, "prod", 2 * day + 60),
    ];
    let summaries: Vec<ChangeSummary> = states(&all).iter().map(ChangeSummary::of).collect();
    let rules = DoraRules { days: 7, branch: None, failure_window_seconds: 3_600 };
    let view = DoraView::of(&dora(&summaries, &environment("prod"), &rules, at(3 * day)));
    assert_eq!((view.per_day, view.failure_rate), (Some(1.0), Some(0.5)));
    assert_eq!(view.failed.len(), 1);
    assert_eq!(view.failed[0].fact, format!("kubernetes/live-2-prod-{}", 2 * day));
    assert_eq!(view.failed[0].text.as_deref(), Some("rolled back to 0000001"));
    let lead = view.lead_time.as_ref().unwrap();
    assert_eq!((lead.median_seconds, lead.samples[0].seconds), (2 * day - 60, Some(2 * day - 60)));
    assert_eq!(view.failed[0].commit, sha(2).to_string());
    let text = serde_json::to_string(&view).unwrap();
    assert_eq!(serde_json::from_str::<DoraView>(&text).unwrap(), view);
}
