//! Which facts are refused, which of several counts, and what a timeline makes of gaps.

use super::facts::{at, commit, environment, fact, job, order, sha, span};
use crate::delivery::*;

fn state(facts: &[Fact]) -> ChangeState {
    for fact in facts {
        assert_eq!(fact.check(), Ok(()), "{fact:?}");
    }
    ChangeState::of(facts).unwrap()
}

fn timeline(facts: &[Fact]) -> Timeline {
    Timeline::of(&state(facts), &order())
}

fn status(facts: &[Fact], stage: Stage) -> StepStatus {
    let prod = environment("prod");
    timeline(facts).step(stage, stage.is_of_environment().then_some(&prod)).unwrap().status
}

#[test]
fn facts_that_contradict_themselves_are_refused_with_what_to_do() {
    let good = fact(Stage::Ci, Status::Running);
    let refused = |fact: Fact| fact.checked().unwrap_err().to_string();
    assert_eq!(
        refused(Fact { environment: Some(environment("prod")), ..good.clone() }),
        "stage ci is of the change, before any environment: leave `environment` out"
    );
    assert_eq!(
        refused(Fact { environment: None, ..fact(Stage::Sync, Status::Running) }),
        "stage sync happens in each environment: name the one it happened in as `environment`"
    );
    assert_eq!(
        refused(span(Stage::Ci, Status::Failed, 2, 1)),
        "`finished` (2026-11-21T10:00:01Z) is before `started` (2026-11-21T10:00:02Z): send the times as the source has them, in UTC"
    );
    assert_eq!(
        refused(Fact { finished: Some(at(1)), ..good.clone() }),
        "status running has no end: leave `finished` out, or send the status it ended in: succeeded, failed, cancelled or skipped"
    );
    assert_eq!(
        refused(fact(Stage::Live, Status::Succeeded)),
        "a live fact that succeeded needs `finished`: when the environment began to serve the change"
    );
    assert_eq!(
        refused(Fact { started: Some(at(13_601)), ..good.clone() }),
        "`started` (2026-11-21T13:46:41Z) is more than an hour after the server's time: set the clock of whoever reports"
    );
    assert!(matches!(
        Fact { observed: at(0), ..commit(1, 3_601) }.checked(),
        Err(FactError::Ahead { field: "finished", .. })
    ));
    assert_eq!(
        refused(Fact { attempt: 0, ..good.clone() }),
        "`attempt` counts from 1: leave it out for the first"
    );
    assert_eq!(
        refused(Fact { source_id: " ".into(), ..good.clone() }),
        "`source_id` is empty: leave it out, or say what it is"
    );
    assert_eq!(
        refused(Fact { job: Some("x".repeat(251)), ..good.clone() }),
        "`job` has more than 250 bytes: shorten it"
    );
    for link in ["javascript:alert(1)", "https://", "https:///x", "http://a b", "ftp://a", "https://a\n"] {
        assert_eq!(
            Fact { link: Some(link.into()), ..good.clone() }.checked(),
            Err(FactError::Link),
            "{link}"
        );
    }
    let title = CommitDetail { title: Some("a\u{1b}[31m".into()), ..CommitDetail::default() };
    assert_eq!(
        refused(Fact { detail: Some(Detail::Commit(title)), ..good.clone() }),
        "the detail is one of stage commit, but the fact is of stage ci: send the detail of its stage"
    );
    let step = CiDetail { step: Some("a\u{1b}[31m".into()), ..CiDetail::default() };
    assert_eq!(
        refused(Fact { detail: Some(Detail::Ci(step)), ..good }),
        "`step` has a control character in it: send one line of text"
    );
    let image = ImageDetail { digest: Some("sha256:12".into()), ..ImageDetail::default() };
    let image = Fact { detail: Some(Detail::Image(image)), ..fact(Stage::Image, Status::Succeeded) };
    assert_eq!(refused(image), "`digest` has to be sha256: and 64 hexadecimal digits in lower case");
}

#[test]
fn a_reported_fact_is_read_with_what_it_leaves_out() {
    let text = r#"{"source":"report","source_id":"1","service":"users","environment":"prod","commit":"abcdef0",
        "stage":"rollout","status":"running","observed":"2026-11-21T10:00:00Z","detail":{"rollout":{"updated":2}}}"#;
    let fact: Fact = serde_json::from_str(text).unwrap();
    assert_eq!(fact.attempt, 1);
    let detail = RolloutDetail { updated: Some(2), ..RolloutDetail::default() };
    assert_eq!(fact.clone().checked().unwrap().detail, Some(Detail::Rollout(detail)));
    let wrong = text.replace("\"users\"", "\"Users\"");
    let error = serde_json::from_str::<Fact>(&wrong).unwrap_err().to_string();
    assert!(error.contains("lower-case letters"), "{error}");
}

#[test]
fn a_running_attempt_outweighs_one_that_failed_before() {
    let failed = span(Stage::Ci, Status::Failed, 0, 60);
    let again =
        Fact { attempt: 2, started: Some(at(50)), observed: at(50), ..fact(Stage::Ci, Status::Running) };
    let facts = [again.clone(), failed.clone()];
    assert_eq!(status(&facts, Stage::Ci), StepStatus::Known(Status::Running));
    let step = &timeline(&facts).steps[1];
    assert_eq!((step.started, step.finished), (Some(at(50)), None), "the times are those of the attempt");
    assert_eq!(step.seconds(at(80)), Some(30));
    assert_eq!(step.age_seconds(at(80)), Some(30));
    // Told late that the first attempt ran: it ended.
    let late = Fact { observed: at(100), ..fact(Stage::Ci, Status::Running) };
    assert_eq!(status(&[failed, late], Stage::Ci), StepStatus::Known(Status::Failed));
}

#[test]
fn the_last_attempt_counts_whoever_tells_of_it() {
    let failed = span(Stage::Ci, Status::Failed, 0, 60);
    let again = Fact { source: Source::Report, attempt: 2, ..fact(Stage::Ci, Status::Running) };
    assert_eq!(status(&[failed, again], Stage::Ci), StepStatus::Known(Status::Running));
}

#[test]
fn a_state_does_not_grow_with_attempts_and_repetitions() {
    let mut state = state(&[fact(Stage::Ci, Status::Waiting)]);
    for attempt in 1..30 {
        for second in 0..30 {
            let source_id = format!("{attempt}-{second}");
            state.absorb(&Fact {
                attempt,
                source_id,
                observed: at(second),
                ..fact(Stage::Ci, Status::Running)
            });
        }
    }
    let kept: Vec<usize> = state.parts().map(|(_, observations)| observations.len()).collect();
    assert_eq!(kept, [1]);
}

#[test]
fn facts_that_only_differ_in_their_id_are_told_apart_alike() {
    let named = |source_id: &str| Fact { source_id: source_id.into(), ..fact(Stage::Ci, Status::Running) };
    let state = state(&[named("a"), named("b")]);
    assert_eq!(state, super::model::state(&[named("b"), named("a")]));
    let kept: Vec<&str> =
        state.parts().flat_map(|(_, kept)| kept).map(|one| one.source_id.as_str()).collect();
    assert_eq!(kept, ["b"]);
}

#[test]
fn an_attempt_began_when_that_was_first_told() {
    let begun = Fact { started: Some(at(5)), observed: at(5), ..fact(Stage::Ci, Status::Running) };
    let step = timeline(&[span(Stage::Ci, Status::Succeeded, 8, 60), begun]).steps.remove(1);
    assert_eq!((step.started, step.seconds(at(99))), (Some(at(5)), Some(55)));
}

#[test]
fn what_was_told_on_the_way_is_not_forgotten_at_the_end() {
    let workflow = CiDetail { workflow: Some("release".into()), ..CiDetail::default() };
    let running = |source_id: &str, second| Fact {
        source_id: source_id.into(),
        observed: at(second),
        ..fact(Stage::Ci, Status::Running)
    };
    let begun = Fact { started: Some(at(5)), ..running("1", 5) };
    let linked = Fact { link: Some("https://ci.example.com/1".into()), ..running("2", 8) };
    let detailed = Fact { detail: Some(Detail::Ci(workflow)), ..running("3", 9) };
    let ended = Fact { finished: Some(at(60)), ..fact(Stage::Ci, Status::Succeeded) };
    let step = timeline(&[ended, detailed, linked, begun]).steps.remove(1);
    assert_eq!((step.started, step.finished), (Some(at(5)), Some(at(60))));
    assert_eq!(step.link.as_deref(), Some("https://ci.example.com/1"));
    assert!(matches!(step.detail, Some(Detail::Ci(detail)) if detail.workflow.is_some()));
}

#[test]
fn what_one_source_leaves_out_another_adds() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let reported = ImageDetail { tag: Some("1.2.3".into()), ..ImageDetail::default() };
    let listed = ImageDetail {
        digest: Some(digest.clone()),
        state: Some(ImageState::Active),
        ..ImageDetail::default()
    };
    let begun = Fact {
        source: Source::Report,
        started: Some(at(10)),
        link: Some("https://ci.example.com/1".into()),
        ..fact(Stage::Image, Status::Running)
    };
    let ended = Fact {
        source: Source::Report,
        finished: Some(at(40)),
        observed: at(40),
        detail: Some(Detail::Image(reported)),
        ..fact(Stage::Image, Status::Succeeded)
    };
    let in_registry = Fact {
        finished: Some(at(38)),
        detail: Some(Detail::Image(listed)),
        ..fact(Stage::Image, Status::Succeeded)
    };
    let timeline = timeline(&[in_registry, ended, begun]);
    let release = timeline.release().unwrap();
    assert_eq!(release.image.seconds(at(99)), Some(30));
    assert_eq!(release.image.link.as_deref(), Some("https://ci.example.com/1"));
    let image = release.image_detail().unwrap();
    assert_eq!((image.tag.as_deref(), image.digest.as_deref()), (Some("1.2.3"), Some(digest.as_str())));
    assert!(!release.is_whole(), "the bundle is not there");
}

#[test]
fn an_old_message_is_not_taken_over() {
    let sync = |message: Option<&str>, health| SyncDetail {
        application: Some("users-prod".into()),
        message: message.map(Into::into),
        health,
        ..SyncDetail::default()
    };
    let failed = Fact {
        detail: Some(Detail::Sync(sync(Some("boom"), Some(Health::Degraded)))),
        ..span(Stage::Sync, Status::Failed, 0, 10)
    };
    let succeeded = Fact {
        source: Source::Report,
        attempt: 2,
        detail: Some(Detail::Sync(SyncDetail::default())),
        ..span(Stage::Sync, Status::Succeeded, 20, 30)
    };
    let timeline = timeline(&[failed, succeeded]);
    let step = timeline.step(Stage::Sync, Some(&environment("prod"))).unwrap();
    assert_eq!(step.detail, Some(Detail::Sync(sync(None, None))));
}

#[test]
fn what_was_passed_unseen_is_told_from_what_is_not_reached() {
    let facts = [fact(Stage::Sync, Status::Running)];
    assert_eq!(status(&facts, Stage::Commit), StepStatus::Unseen);
    assert_eq!(status(&facts, Stage::Image), StepStatus::Unseen);
    assert_eq!(status(&facts, Stage::Bump), StepStatus::Unseen);
    assert_eq!(status(&facts, Stage::Assets), StepStatus::NotReached);
    assert_eq!(status(&facts, Stage::Rollout), StepStatus::NotReached);
    let timeline = timeline(&facts);
    let staging = timeline.step(Stage::Bump, Some(&environment("staging"))).unwrap();
    assert_eq!(staging.status, StepStatus::NotReached);
    assert_eq!(status(&[fact(Stage::Sync, Status::Unknown)], Stage::Bump), StepStatus::NotReached);
}

#[test]
fn the_worst_job_decides_until_the_whole_has_ended() {
    let lint = job("lint", span(Stage::Ci, Status::Failed, 0, 20));
    let test = job("test", span(Stage::Ci, Status::Succeeded, 0, 90));
    let build = job("build", Fact { started: Some(at(5)), ..fact(Stage::Ci, Status::Running) });
    let facts = [lint.clone(), test.clone(), build];
    assert_eq!(status(&facts, Stage::Ci), StepStatus::Known(Status::Failed));
    let step = &timeline(&facts).steps[1];
    assert_eq!((step.parts.len(), step.started, step.finished), (3, Some(at(0)), None));
    // The workflow was allowed to go on without lint.
    let whole = span(Stage::Ci, Status::Succeeded, 0, 100);
    assert_eq!(
        status(&[lint.clone(), test.clone(), whole.clone()], Stage::Ci),
        StepStatus::Known(Status::Succeeded)
    );
    let again = Fact { attempt: 2, ..job("lint", fact(Stage::Ci, Status::Waiting)) };
    assert_eq!(status(&[lint, again, test, whole], Stage::Ci), StepStatus::Known(Status::Waiting));
}

#[test]
fn the_critical_path_goes_through_what_ended_last() {
    let prod = environment("prod");
    let mut facts = vec![
        commit(1, 0),
        job("lint", span(Stage::Ci, Status::Succeeded, 10, 40)),
        job("build", span(Stage::Ci, Status::Succeeded, 10, 200)),
        job("docs", span(Stage::Ci, Status::Skipped, 10, 900)),
        Fact { finished: Some(at(210)), ..fact(Stage::Image, Status::Succeeded) },
        span(Stage::Assets, Status::Succeeded, 200, 260),
        span(Stage::Bump, Status::Succeeded, 300, 330),
        Fact { started: Some(at(400)), observed: at(410), ..fact(Stage::Rollout, Status::Running) },
    ];
    let names = |path: &CriticalPath| -> Vec<(Stage, Option<String>, i64)> {
        path.hops.iter().map(|hop| (hop.stage, hop.job.clone(), hop.waited_seconds)).collect()
    };
    let path = timeline(&facts).critical_path(None);
    assert_eq!(
        names(&path),
        [
            (Stage::Commit, None, 0),
            (Stage::Ci, Some("build".into()), 10),
            (Stage::Image, None, 10),
            (Stage::Bump, None, 90),
            (Stage::Rollout, None, 70),
        ],
        "nothing is known of the sync"
    );
    assert_eq!(path.total_seconds(at(500)), Some(500));
    assert_eq!(path.hops[4].seconds(at(500)), 100);
    assert_eq!(timeline(&facts).critical_path(Some(&prod)), path);
    let elsewhere = timeline(&facts).critical_path(Some(&environment("dev")));
    assert_eq!(elsewhere.hops.last().map(|hop| hop.stage), Some(Stage::Assets));
    facts.push(span(Stage::Rollout, Status::Succeeded, 400, 450));
    assert_eq!(timeline(&facts).critical_path(None).total_seconds(at(9_999)), Some(450));
    assert_eq!(timeline(&[fact(Stage::Ci, Status::Unknown)]).critical_path(None), CriticalPath::default());
}

#[test]
fn the_critical_path_stays_in_its_environment() {
    let elsewhere =
        Fact { environment: Some(environment("dev")), ..span(Stage::Sync, Status::Succeeded, 300, 390) };
    let facts = [
        commit(1, 0),
        span(Stage::Sync, Status::Succeeded, 100, 120),
        elsewhere,
        span(Stage::Rollout, Status::Succeeded, 130, 400),
    ];
    let path = timeline(&facts).critical_path(None);
    assert_eq!(
        path.hops.iter().map(|hop| hop.finished).collect::<Vec<_>>(),
        [Some(at(0)), Some(at(120)), Some(at(400))]
    );
}

#[test]
fn a_change_may_go_live_several_times() {
    let live = |second| super::facts::live(1, "prod", second);
    let state = state(&[live(50), live(10), live(50)]);
    let times: Vec<_> = state.lives(&environment("prod")).map(|(at, _)| at).collect();
    assert_eq!(times, [at(10), at(50)]);
    assert_eq!(state.lives(&environment("dev")).count(), 0);
}

#[test]
fn facts_of_another_change_say_nothing() {
    let mut state = state(&[fact(Stage::Ci, Status::Running)]);
    assert!(!state.absorb(&Fact { commit: sha(2), ..fact(Stage::Ci, Status::Failed) }));
    assert!(!state.merge(&ChangeState::new(state.service().clone(), sha(2))));
    assert!(state.absorb(&fact(Stage::Ci, Status::Failed)));
}
