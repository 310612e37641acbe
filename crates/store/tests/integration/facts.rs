//! Facts and what follows from them: the same whatever their order, and never twice.

use domain::delivery::{
    ChangeState, ChangeSummary, CommitDetail, CommitSha, Detail, EnvironmentName, Fact, LiveDetail, Search,
    ServiceName, Source, Stage, Standing, Status,
};
use jiff::{SignedDuration, Timestamp};
use store::{DELIVERY_EVENT, DeliveryEvent, Retention, Store};

use crate::database::Database;
use crate::on_both_databases;

on_both_databases!(
    any_order_gives_what_the_fold_gives,
    a_fact_counts_once,
    a_commit_named_by_its_first_digits_is_found,
    many_who_record_at_once_lose_nothing,
    what_is_old_goes_and_what_runs_stays,
    changes_are_found,
);

pub(crate) const FOREVER: Retention = Retention {
    history: SignedDuration::MAX,
    audit: None,
    events: SignedDuration::MAX,
    vanished: SignedDuration::MAX,
    trend: SignedDuration::MAX,
    deliveries: SignedDuration::MAX,
    facts: SignedDuration::MAX,
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).expect("a time")
}

fn service(name: &str) -> ServiceName {
    ServiceName::parse(name).expect("a name")
}

fn sha(number: u32) -> CommitSha {
    CommitSha::parse(&format!("{number:08x}").repeat(5)).expect("a commit")
}

fn fact(of: &str, number: u32, stage: Stage, second: i64) -> Fact {
    let environment = stage.is_of_environment().then(|| EnvironmentName::parse("prod").expect("a name"));
    let detail = match stage {
        Stage::Commit => Some(Detail::Commit(CommitDetail {
            committed: Some(at(second)),
            author: Some("Ada".into()),
            ..CommitDetail::default()
        })),
        Stage::Live => Some(Detail::Live(LiveDetail { version: Some(format!("1.0.{number}")) })),
        _ => None,
    };
    Fact {
        source: Source::CdEvents,
        source_id: format!("{of}-{number}-{}-{second}", stage.as_str()),
        service: service(of),
        environment,
        commit: sha(number),
        stage,
        job: None,
        attempt: 1,
        status: Status::Succeeded,
        started: None,
        finished: Some(at(second)),
        observed: at(second),
        link: None,
        detail,
    }
}

/// Three changes of one service, of which the last is live, and one of another.
fn facts() -> Vec<Fact> {
    let mut facts = Vec::new();
    for number in 1..=3 {
        let begin = i64::from(number) * 100;
        for (later, stage) in (0..).zip([Stage::Commit, Stage::Ci, Stage::Image, Stage::Bump, Stage::Live]) {
            facts.push(fact("users", number, stage, begin + later));
        }
    }
    facts.push(fact("payments", 9, Stage::Commit, 50));
    facts
}

async fn standing(store: &Store, name: &str) -> Standing {
    let all = store.standings().await.expect("the standings");
    all.into_iter().find(|standing| standing.service == service(name)).expect("the service")
}

async fn any_order_gives_what_the_fold_gives(database: &Database) {
    let store = database.store().await;
    let facts = facts();
    let states: Vec<ChangeState> = (1..=3)
        .filter_map(|number| {
            ChangeState::of(
                facts.iter().filter(|fact| fact.commit == sha(number) && fact.service == service("users")),
            )
        })
        .collect();
    let summaries: Vec<ChangeSummary> = states.iter().map(ChangeSummary::of).collect();
    // Backwards, in uneven batches, with some delivered again.
    let mut shuffled: Vec<Fact> = facts.iter().rev().cloned().collect();
    shuffled.extend(facts[3..8].iter().cloned());
    for batch in shuffled.chunks(4) {
        store.record_facts(batch, at(1_000)).await.expect("they are recorded");
    }
    for state in &states {
        let stored = store.change_state(&service("users"), state.commit()).await.expect("the state");
        assert_eq!(stored.as_ref(), Some(state));
    }
    assert_eq!(standing(&store, "users").await, Standing::of(&service("users"), &summaries));
    let current = standing(&store, "users").await.environments[0].current.clone().expect("something runs");
    assert_eq!((current.commit, current.version.as_deref()), (sha(3), Some("1.0.3")));
    let recent = store.recent_changes(Some(&service("users")), 2).await.expect("changes");
    assert_eq!(recent.iter().map(|change| change.commit.clone()).collect::<Vec<_>>(), [sha(3), sha(2)]);
    assert_eq!(store.facts_of(&service("users"), &sha(1)).await.expect("facts").len(), 5);
}

async fn a_fact_counts_once(database: &Database) {
    let store = database.store().await;
    let facts = facts();
    let recorded = store.record_facts(&facts, at(1_000)).await.expect("they are recorded");
    assert_eq!((recorded.new, recorded.moved.len()), (16, 4));
    let seq = store.last_event_seq().await.expect("a number");
    let again = store.record_facts(&facts, at(1_001)).await.expect("they are recorded");
    assert_eq!((again.new, again.moved.len()), (0, 0));
    assert_eq!(store.last_event_seq().await.expect("a number"), seq, "nothing new is no event");
    let events = store.events_after(0, 10).await.expect("events");
    let event = events.iter().find(|event| event.kind == DELIVERY_EVENT).expect("an event");
    let event: DeliveryEvent = serde_json::from_str(&event.payload).expect("an event");
    assert_eq!(event.services.into_iter().collect::<Vec<_>>(), [service("payments"), service("users")]);
}

async fn a_commit_named_by_its_first_digits_is_found(database: &Database) {
    let store = database.store().await;
    let short = |mut fact: Fact, digits: usize| {
        fact.commit = CommitSha::parse(&fact.commit.as_str()[..digits]).expect("a commit");
        fact
    };
    // Before the commit is known in full, and after.
    let early = short(fact("users", 1, Stage::Image, 10), 7);
    store.record_facts(&[early], at(10)).await.expect("recorded");
    let alone = store.change_state(&service("users"), &CommitSha::parse("0000000").expect("a commit")).await;
    assert!(alone.expect("an answer").is_some());
    store.record_facts(&[fact("users", 1, Stage::Commit, 5)], at(11)).await.expect("recorded");
    store.record_facts(&[short(fact("users", 1, Stage::Live, 20), 12)], at(20)).await.expect("recorded");
    let summaries = store.change_summaries(&service("users")).await.expect("changes");
    assert_eq!(summaries.len(), 1, "{summaries:?}");
    let expected = [Stage::Commit, Stage::Image, Stage::Live].map(|stage| match stage {
        Stage::Commit => fact("users", 1, stage, 5),
        Stage::Image => fact("users", 1, stage, 10),
        _ => fact("users", 1, stage, 20),
    });
    let state = store.change_state(&service("users"), &sha(1)).await.expect("an answer");
    assert_eq!(state, ChangeState::of(&expected));
    assert_eq!(store.facts_of(&service("users"), &sha(1)).await.expect("facts").len(), 3);
}

async fn many_who_record_at_once_lose_nothing(database: &Database) {
    let store = database.store().await;
    let facts = facts();
    let mut tasks = tokio::task::JoinSet::new();
    for part in 0..4 {
        let store = store.clone();
        let mine: Vec<Fact> = facts.iter().skip(part).step_by(4).cloned().collect();
        tasks.spawn(async move {
            for fact in mine {
                store.record_facts(&[fact], at(1_000)).await.expect("it is recorded");
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("nobody fails");
    }
    let summaries = store.change_summaries(&service("users")).await.expect("changes");
    assert_eq!(standing(&store, "users").await, Standing::of(&service("users"), &summaries));
    assert_eq!(summaries.len(), 3);
    let of_three = facts.iter().filter(|fact| fact.commit == sha(3));
    let state = store.change_state(&service("users"), &sha(3)).await.expect("an answer");
    assert_eq!(state, ChangeState::of(of_three));
}

async fn what_is_old_goes_and_what_runs_stays(database: &Database) {
    let store = database.store().await;
    store.record_facts(&facts(), at(1_000)).await.expect("recorded");
    let retention = Retention { facts: SignedDuration::from_secs(60), ..FOREVER };
    // The first two are older than a minute and replaced; the third runs; the other service's was never live.
    let pruned = store.prune(at(1_000), &retention).await.expect("pruned");
    assert_eq!(pruned.facts, 5 + 5 + 1);
    let left = store.change_summaries(&service("users")).await.expect("changes");
    assert_eq!(left.iter().map(|change| change.commit.clone()).collect::<Vec<_>>(), [sha(3)]);
    assert_eq!(standing(&store, "users").await, Standing::of(&service("users"), &left));
    assert_eq!(store.facts_of(&service("users"), &sha(1)).await.expect("facts"), []);
    assert_eq!(store.prune(at(1_000), &retention).await.expect("pruned").facts, 0);
}

async fn changes_are_found(database: &Database) {
    let store = database.store().await;
    let mut told = facts();
    told[0].detail = Some(Detail::Commit(CommitDetail {
        author: Some("100% Ada_1".into()),
        title: Some("Pay in instalments".into()),
        pull_request: Some(42),
        ..CommitDetail::default()
    }));
    store.record_facts(&told, at(1_000)).await.expect("recorded");
    let found = async |typed: &str| {
        let search = Search::parse(typed).expect("a search");
        let changes = store.search_changes(&search, 10).await.expect("an answer");
        changes.into_iter().map(|change| change.commit).collect::<Vec<_>>()
    };
    assert_eq!(found("#42").await, [sha(1)]);
    assert_eq!(found("instal").await, [sha(1)]);
    assert_eq!(found("100% ada_1").await, [sha(1)]);
    assert_eq!(found("a%1").await, [], "no wildcard of whoever types");
    assert_eq!(found("1.0.2").await, [sha(2)], "a version that is live");
    assert_eq!(found(&sha(3).as_str()[..9]).await, [sha(3)]);
    assert_eq!(found("#43").await, []);
}
