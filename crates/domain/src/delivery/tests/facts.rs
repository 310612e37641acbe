//! The facts that the tests of this module start from, and any facts.

use proptest::prelude::*;

use crate::delivery::{
    BumpDetail, CommitDetail, CommitSha, Detail, EnvironmentName, EnvironmentOrder, Fact, Health,
    ImageDetail, LiveDetail, RolloutDetail, ServiceName, Source, Stage, Status, SyncDetail,
};
use crate::time::Timestamp;

/// Seconds after 2026-11-21T10:00:00Z.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_255_200 + second).unwrap()
}

pub(crate) fn sha(number: u32) -> CommitSha {
    CommitSha::parse(&format!("{number:07x}{:033x}", 0)).unwrap()
}

pub(crate) fn service() -> ServiceName {
    ServiceName::parse("users").unwrap()
}

pub(crate) fn environment(name: &str) -> EnvironmentName {
    EnvironmentName::parse(name).unwrap()
}

/// dev, staging, prod.
pub(crate) fn order() -> EnvironmentOrder {
    EnvironmentOrder::new(["dev", "staging", "prod"].map(environment).to_vec()).unwrap()
}

/// A fact of commit 1 without times, in prod where the stage is of an environment.
pub(crate) fn fact(stage: Stage, status: Status) -> Fact {
    let source = match stage {
        Stage::Commit | Stage::Ci => Source::Github,
        Stage::Image => Source::Ecr,
        Stage::Assets | Stage::Invalidation => Source::Assets,
        Stage::Bump => Source::Git,
        Stage::Sync => Source::ArgoCd,
        Stage::Rollout | Stage::Live => Source::Kubernetes,
    };
    Fact {
        source,
        source_id: format!("{}-{}", stage.as_str(), status.as_str()),
        service: service(),
        environment: stage.is_of_environment().then(|| environment("prod")),
        commit: sha(1),
        stage,
        job: None,
        attempt: 1,
        status,
        started: None,
        finished: None,
        observed: at(10_000),
        link: None,
        detail: None,
    }
}

/// One that ran, observed when it ended.
pub(crate) fn span(stage: Stage, status: Status, started: i64, finished: i64) -> Fact {
    let times = (Some(at(started)), Some(at(finished)));
    Fact { started: times.0, finished: times.1, observed: at(finished), ..fact(stage, status) }
}

/// As told by the job's name.
pub(crate) fn job(name: &str, fact: Fact) -> Fact {
    let source_id = format!("{name}-{}", fact.source_id);
    Fact { job: Some(name.into()), source_id, ..fact }
}

/// The commit itself, committed at a second.
pub(crate) fn commit(number: u32, committed: i64) -> Fact {
    let detail = CommitDetail {
        author: Some("Ada Lovelace".into()),
        title: Some(format!("Change {number}")),
        branch: Some("main".into()),
        committed: Some(at(committed)),
        pull_request: Some(100 + number),
    };
    let observed = at(committed);
    Fact {
        commit: sha(number),
        source_id: format!("commit-{number}"),
        finished: Some(observed),
        observed,
        detail: Some(Detail::Commit(detail)),
        ..fact(Stage::Commit, Status::Succeeded)
    }
}

/// A commit that went live in an environment.
pub(crate) fn live(number: u32, name: &str, second: i64) -> Fact {
    Fact {
        commit: sha(number),
        environment: Some(environment(name)),
        source_id: format!("live-{number}-{name}-{second}"),
        finished: Some(at(second)),
        observed: at(second),
        detail: Some(Detail::Live(LiveDetail { version: Some(format!("1.0.{number}")) })),
        ..fact(Stage::Live, Status::Succeeded)
    }
}

fn detail(stage: Stage, number: u32) -> Detail {
    let text = Some(format!("text {number}"));
    match stage {
        Stage::Commit => Detail::Commit(CommitDetail {
            title: text,
            committed: (number != 0).then(|| at(i64::from(number))),
            ..CommitDetail::default()
        }),
        Stage::Image => Detail::Image(ImageDetail { tag: text, ..ImageDetail::default() }),
        Stage::Bump => Detail::Bump(BumpDetail { pull_request: Some(number), ..BumpDetail::default() }),
        Stage::Sync => {
            let health = [Health::Healthy, Health::Progressing, Health::Degraded, Health::Missing];
            let health = health.get(number as usize).copied();
            Detail::Sync(SyncDetail { message: text, health, ..SyncDetail::default() })
        }
        Stage::Rollout => {
            Detail::Rollout(RolloutDetail { updated: Some(number), ..RolloutDetail::default() })
        }
        Stage::Live => Detail::Live(LiveDetail { version: text }),
        Stage::Ci => Detail::Ci(crate::delivery::CiDetail { workflow: text, ..Default::default() }),
        Stage::Assets => Detail::Assets(crate::delivery::AssetsDetail { release: text }),
        Stage::Invalidation => Detail::Invalidation(crate::delivery::InvalidationDetail { id: text }),
    }
}

/// Any fact of three commits, two environments, two jobs and few times, so that they often meet.
pub(crate) fn any_fact() -> impl Strategy<Value = Fact> {
    let who = (1..4_u32, prop::sample::select(&Stage::ALL[..]), prop::sample::select(vec!["dev", "prod"]));
    let how = (
        prop::option::of(prop::sample::select(vec!["a", "b"])),
        1..3_u32,
        prop::sample::select(&Status::ALL[..]),
        prop::sample::select(&Source::ALL[..]),
    );
    let when = (prop::option::of(0..6_i64), prop::option::of(0..6_i64), 0..8_i64);
    let more = (prop::option::of(0..4_u32), prop::option::of(0..3_u32), 0..3_u32);
    (who, how, when, more).prop_map(
        |(
            (number, stage, name),
            (job, attempt, status, source),
            (started, length, observed),
            (said, link, id),
        )| {
            let finished = length.map(|length| at(started.unwrap_or(0) + length));
            let fact = Fact {
                source,
                source_id: format!("id-{id}"),
                commit: sha(number),
                environment: stage.is_of_environment().then(|| environment(name)),
                job: job.map(Into::into),
                attempt,
                started: started.map(at),
                finished: finished.filter(|_| status.is_final()),
                observed: at(observed),
                link: link.map(|number| format!("https://example.com/{number}")),
                detail: said.map(|number| detail(stage, number)),
                ..fact(stage, status)
            };
            let lacks_time = stage == Stage::Live && status == Status::Succeeded && fact.finished.is_none();
            Fact {
                finished: if lacks_time {
                    Some(fact.started.unwrap_or(fact.observed))
                } else {
                    fact.finished
                },
                ..fact
            }
        },
    )
}
