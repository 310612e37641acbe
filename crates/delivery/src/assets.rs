//! The releases of the static bundle as facts: what was published of a commit, and whether the CDN has forgotten what was before.

use domain::delivery::{
    AssetsDetail, CommitSha, Detail, Fact, InvalidationDetail, ServiceName, Source, Stage, Status,
};
use domain::release::{Activation, Live, Way};
use jiff::Timestamp;

/// The facts of what is live, was, and is being made live. `completed` tells whether the invalidation of the live release has
/// ended; `None` where that is not known. CloudFront does not say when one ended, so that it counts from when it was seen.
///
/// A release that was not built from a commit that can be read says nothing of a change.
pub fn facts(service: &ServiceName, live: &Live, completed: Option<bool>, now: Timestamp) -> Vec<Fact> {
    let mut facts = Vec::new();
    for (position, activation) in live.history.iter().enumerate() {
        let is_live = position + 1 == live.history.len();
        let Some(fact) = fact(service, activation, now) else { continue };
        // A rollback publishes nothing: the files of the release are there.
        if activation.way == Way::Push {
            facts.push(Fact {
                status: Status::Succeeded,
                finished: Some(activation.at),
                ..assets(activation, "live", fact.clone())
            });
        }
        if let (Some(id), true, Some(completed)) = (&activation.invalidation, is_live, completed) {
            let status = if completed { Status::Succeeded } else { Status::Running };
            facts.push(Fact {
                source_id: format!("invalidation/{id}/{}", status.as_str()),
                stage: Stage::Invalidation,
                attempt: activation.attempt.max(1),
                status,
                started: Some(activation.at),
                finished: completed.then_some(now),
                detail: Some(Detail::Invalidation(InvalidationDetail { id: Some(id.clone()) })),
                ..fact
            });
        }
    }
    let begun = live.under_way.as_ref().filter(|activation| activation.way == Way::Push);
    if let Some((activation, fact)) = begun.and_then(|begun| Some((begun, fact(service, begun, now)?))) {
        facts.push(Fact {
            status: Status::Running,
            started: Some(activation.at),
            ..assets(activation, "under-way", fact)
        });
    }
    facts
}

fn assets(activation: &Activation, word: &str, fact: Fact) -> Fact {
    Fact {
        source_id: format!("release/{}/{word}", activation.caller_reference()),
        attempt: activation.attempt.max(1),
        detail: Some(Detail::Assets(AssetsDetail { release: Some(activation.release.to_string()) })),
        ..fact
    }
}

fn fact(service: &ServiceName, activation: &Activation, now: Timestamp) -> Option<Fact> {
    let commit = CommitSha::parse(&activation.origin.commit).ok()?;
    Some(Fact::about((Source::Assets, String::new()), service, commit, Stage::Assets, now))
}

#[cfg(test)]
mod tests {
    use domain::delivery::{ChangeState, EnvironmentOrder, StepStatus, Timeline};
    use domain::release::{Origin, ReleaseId};

    use super::*;

    const SHA: &str = "6113728f27ae82c7b1a177c8d03f9e96e0adf246";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn activation(release: u32, way: Way, second: i64) -> Activation {
        Activation {
            release: ReleaseId::parse(&format!("{release:016x}")).unwrap(),
            way,
            origin: Origin { commit: SHA.into(), branch: "main".into(), author: "Ada".into() },
            by: "ci".into(),
            at: at(second),
            attempt: 1,
            invalidation: Some(format!("I{second}")),
            reason: String::new(),
        }
    }

    fn told(live: &Live, completed: Option<bool>) -> Vec<(Stage, Status)> {
        let service = ServiceName::parse("console").unwrap();
        let facts = facts(&service, live, completed, at(100));
        for fact in &facts {
            assert_eq!(fact.check(), Ok(()), "{fact:?}");
        }
        facts.into_iter().map(|fact| (fact.stage, fact.status)).collect()
    }

    #[test]
    fn what_is_published_is_told_with_its_invalidation() {
        let mut live = Live { history: vec![activation(1, Way::Push, 10)], under_way: None };
        assert_eq!(
            told(&live, Some(false)),
            [(Stage::Assets, Status::Succeeded), (Stage::Invalidation, Status::Running)]
        );
        assert_eq!(
            told(&live, Some(true)),
            [(Stage::Assets, Status::Succeeded), (Stage::Invalidation, Status::Succeeded)]
        );
        assert_eq!(told(&live, None), [(Stage::Assets, Status::Succeeded)]);
        live.under_way = Some(activation(2, Way::Push, 50));
        assert_eq!(told(&live, None), [(Stage::Assets, Status::Succeeded), (Stage::Assets, Status::Running)]);
    }

    #[test]
    fn a_rollback_publishes_nothing_and_a_release_of_no_commit_is_of_no_change() {
        let mut live = Live { history: vec![activation(1, Way::Rollback, 10)], under_way: None };
        assert_eq!(told(&live, Some(true)), [(Stage::Invalidation, Status::Succeeded)]);
        live.history[0].origin.commit = "unknown".into();
        assert_eq!(told(&live, Some(true)), []);
    }

    #[test]
    fn both_stages_are_in_the_timeline_of_the_commit() {
        let live = Live { history: vec![activation(1, Way::Push, 10)], under_way: None };
        let service = ServiceName::parse("console").unwrap();
        let state = ChangeState::of(&facts(&service, &live, Some(true), at(100))).unwrap();
        let timeline = Timeline::of(&state, &EnvironmentOrder::default());
        for stage in [Stage::Assets, Stage::Invalidation] {
            let step = timeline.step(stage, None).unwrap();
            assert_eq!(step.status, StepStatus::Known(Status::Succeeded), "{stage:?}");
        }
    }
}
