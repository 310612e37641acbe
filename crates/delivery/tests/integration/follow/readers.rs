//! Readers that fail, hang and panic, and processes that take over from each other.

use std::time::Duration;

use delivery::reader::Told;
use delivery::{Everything, Followed};
use domain::delivery::{Sighting, Source, Stage, Status};
use domain::wire::delivery::HealthView;
use jiff::{SignedDuration, Timestamp};

use super::scene::{deployment, pods};
use super::world::{
    Process, STALE_AFTER, World, at, commit_fact, image_fact, scripted, service, sha, skip, until,
};

/// How often another process's lease is asked for.
const RENEWAL: Duration = Duration::from_secs(20);
/// How often is looked for what nobody reads any more.
const FORGETTING: Duration = Duration::from_secs(60);
/// How long is waited after the first failure.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

fn runs(tag: &str, revision: u32) -> Vec<Sighting> {
    vec![pods("users", "dev", deployment("users", tag, revision, 450))]
}

async fn health(process: &Process, now: Timestamp) -> (HealthView, Option<HealthView>) {
    let cell = process.cell("users", "dev", now).await.unwrap();
    (cell.health, cell.last_health)
}

#[tokio::test]
async fn what_cannot_be_read_stays_and_grows_old() {
    let world = World::new();
    let process = world.process().await;
    process.record(vec![commit_fact(2), image_fact(2)]).await;
    let (hub, followed) = scripted("cluster/hub", Source::Kubernetes);
    let following = process.follow([followed]);
    hub.see(&runs("1.4.2", 2)).await;
    let now = Timestamp::now();
    assert_eq!(health(&process, now).await, (HealthView::Healthy, None));
    assert_eq!(process.source("cluster/hub").await.problem, None);

    hub.fail(&process, "The cluster refuses the token: renew it.", None).await;
    let shown = process.source("cluster/hub").await;
    assert!(shown.last_told.is_some_and(|at| at <= now), "{shown:?}");
    assert_eq!(process.store.sightings(&service("users")).await.unwrap().len(), 1);
    assert_eq!(health(&process, now).await, (HealthView::Healthy, None), "it was just seen");
    let later = now + STALE_AFTER + SignedDuration::from_secs(5);
    assert_eq!(health(&process, later).await, (HealthView::Unknown, Some(HealthView::Healthy)));
    // It does not become known by another failure.
    skip(FIRST_PAUSE, &[&process]).await;
    hub.fail(&process, "The cluster does not answer.", None).await;
    assert_eq!(health(&process, later).await.0, HealthView::Unknown);

    // Nor by what is read while a part is not: that is only said.
    skip(2 * FIRST_PAUSE, &[&process]).await;
    let problems = vec!["Pods may not be listed.".to_owned(), "Neither may ReplicaSets.".to_owned()];
    hub.tell(Told { sightings: Some(runs("1.4.2", 2)), problems, ..Told::default() }).await;
    let problem = process.source("cluster/hub").await.problem;
    assert_eq!(problem.as_deref(), Some("Pods may not be listed. Neither may ReplicaSets."));
    hub.see(&runs("1.4.2", 2)).await;
    assert_eq!(process.source("cluster/hub").await.problem, None);
    assert_eq!(health(&process, Timestamp::now()).await, (HealthView::Healthy, None));
    following.stop().await;
}

#[tokio::test]
async fn a_source_that_says_when_to_come_back_is_left_alone_until_then() {
    let world = World::new();
    let process = world.process().await;
    let other = world.process().await;
    let (github, followed) = scripted("github/acme/users", Source::Github);
    let (never, followed_elsewhere) = scripted("github/acme/users", Source::Github);
    let following = process.follow([followed]);
    github.asked().await;
    let waiting = other.follow([followed_elsewhere]);
    github.fail(&process, "The rate limit is reached.", Some(Duration::from_secs(3_000))).await;
    let (begun, second) = (Timestamp::now(), SignedDuration::from_secs(1));
    for _ in 0..5 {
        skip(Duration::from_secs(599), &[&process, &other]).await;
    }
    assert_eq!((github.reads(), never.reads()), (1, 0));
    // Meanwhile the lease is renewed: otherwise it would have run out a minute after it was taken.
    let (name, by_then) = ("delivery/github/acme/users", begun + SignedDuration::from_mins(1));
    let taken = other.store.acquire_lease(name, "another", by_then, second).await.unwrap();
    assert_eq!(taken, None);
    skip(Duration::from_secs(6), &[&process, &other]).await;
    until("it is asked again", async || github.reads() == 2).await;
    assert_eq!(never.reads(), 0);
    following.stop().await;
    waiting.stop().await;
}

#[tokio::test]
async fn one_process_reads_and_another_takes_over() {
    let world = World::new();
    let (first, second) = (world.process().await, world.process().await);
    first.record(vec![commit_fact(2), image_fact(2), commit_fact(3), image_fact(3)]).await;
    let (here, followed_here) = scripted("cluster/hub", Source::Kubernetes);
    let (there, followed_there) = scripted("cluster/hub", Source::Kubernetes);
    let following_here = first.follow([followed_here]);
    here.see(&runs("1.4.2", 2)).await;
    let following_there = second.follow([followed_there]);
    skip(RENEWAL, &[&first, &second]).await;
    here.see(&runs("1.4.2", 2)).await;
    assert_eq!(there.reads(), 0);
    // Either shows what one of them sees.
    for process in [&first, &second] {
        let version = process.cell("users", "dev", Timestamp::now()).await.unwrap().version;
        assert_eq!(version.as_deref(), Some("1.4.2"));
    }

    // It hangs, which keeps nobody waiting.
    following_here.stop().await;
    let reads = here.reads();
    until("the other one reads", async || {
        skip(RENEWAL, &[&first, &second]).await;
        there.reads() > 0
    })
    .await;
    there.see(&runs("1.4.3", 3)).await;
    let version = first.cell("users", "dev", Timestamp::now()).await.unwrap().version;
    assert_eq!(version.as_deref(), Some("1.4.3"));
    assert_eq!(here.reads(), reads);
    following_there.stop().await;
}

#[tokio::test]
async fn what_is_read_after_the_lease_was_lost_is_not_kept() {
    let world = World::new();
    let process = world.process().await;
    process.record(vec![commit_fact(1), image_fact(1), commit_fact(2), image_fact(2)]).await;
    let (hub, followed) = scripted("cluster/hub", Source::Kubernetes);
    let following = process.follow([followed]);
    hub.see(&runs("1.4.2", 2)).await;
    // By another's clock it ran out long ago.
    let (store, name) = (&process.store, "delivery/cluster/hub");
    let hour = SignedDuration::from_hours(1);
    let taken = store.acquire_lease(name, "another", Timestamp::now() + hour, hour).await.unwrap();
    let newer = store.keep_reading(
        "cluster/hub",
        Source::Kubernetes,
        Some(&[]),
        None,
        Timestamp::now(),
        taken.as_ref().unwrap(),
    );
    newer.await.unwrap();
    hub.tell_on(Told { sightings: Some(runs("1.4.1", 1)), ..Told::default() });
    // Once it has the lease again it reads anew, and what it told before is forgotten.
    store.release_lease(&taken.unwrap()).await.unwrap();
    let reads = hub.reads();
    until("it reads again", async || {
        skip(RENEWAL, &[&process]).await;
        hub.reads() > reads
    })
    .await;
    assert_eq!(store.sightings(&service("users")).await.unwrap(), []);
    let problem = process.source("cluster/hub").await.problem;
    assert_eq!(problem, None, "that another one reads is no problem of the source");
    following.stop().await;
}

#[tokio::test]
async fn a_reader_that_panics_takes_nobody_with_it() {
    let world = World::new();
    let process = world.process().await;
    process.record(vec![commit_fact(2), image_fact(2)]).await;
    let (hub, followed) = scripted("cluster/hub", Source::Kubernetes);
    let (broken, followed_broken) = scripted("git/acme/gitops", Source::Git);
    let following = process.follow([followed_broken, followed]);
    broken.panic();
    let defect = Some("Reading it ended in a defect: see the server's log.");
    let shown = async || process.source("git/acme/gitops").await.problem.as_deref() == defect;
    until("the defect is shown", shown).await;
    hub.see(&runs("1.4.2", 2)).await;
    assert!(following.goes_on());
    assert_eq!(health(&process, Timestamp::now()).await.0, HealthView::Healthy);

    skip(FIRST_PAUSE, &[&process]).await;
    until("it is read again", async || broken.reads() == 2).await;
    broken.see(&[]).await;
    assert_eq!(process.source("git/acme/gitops").await.problem, None);
    following.stop().await;
}

/// A process that ends between keeping what it saw and deriving what follows leaves that to the next one.
#[tokio::test]
async fn what_a_process_left_behind_is_derived_by_the_next() {
    let world = World::new();
    let process = world.process().await;
    process.record(vec![commit_fact(2), image_fact(2)]).await;
    let (store, now) = (&process.store, Timestamp::now());
    let lease = store.acquire_lease("delivery/cluster/hub", "gone", now, SignedDuration::ZERO).await;
    let (lease, seen) = (lease.unwrap().unwrap(), runs("1.4.2", 2));
    store.keep_reading("cluster/hub", Source::Kubernetes, Some(&seen), None, now, &lease).await.unwrap();
    let (hub, followed) = scripted("cluster/hub", Source::Kubernetes);
    let following = process.follow([followed]);
    hub.see(&seen).await;
    let whole = [(Stage::Rollout, Status::Succeeded), (Stage::Live, Status::Succeeded)];
    assert_eq!(process.stages(2).await, whole);
    following.stop().await;
}

/// A fact that cannot be taken is left out, and the rest is taken.
#[tokio::test]
async fn one_bad_fact_spoils_no_other() {
    let world = World::new();
    let process = world.process().await;
    let (github, followed) = scripted("github/acme/users", Source::Github);
    let following = process.follow([followed]);
    let mut stray = commit_fact(1);
    stray.service = service("strays");
    stray.source_id = "stray".into();
    let mut contradicts = commit_fact(2);
    contradicts.attempt = 0;
    github.tell(Told { facts: vec![stray, contradicts, commit_fact(3)], ..Told::default() }).await;
    let changes = process.delivery.changes_view(&Everything, "", "", 10).await.unwrap();
    assert_eq!(changes.iter().map(|change| change.commit.clone()).collect::<Vec<_>>(), [sha(3)]);
    following.stop().await;
}

/// What a reader saw that is not configured any more is forgotten, with the reader.
#[tokio::test]
async fn a_reader_that_is_configured_away_is_forgotten() {
    let world = World::new();
    let process = world.process().await;
    process.record(vec![commit_fact(2), image_fact(2)]).await;
    let (hub, followed) = scripted("cluster/hub", Source::Kubernetes);
    let following = process.follow([followed]);
    hub.see(&runs("1.4.2", 2)).await;
    following.stop().await;
    let following = process.follow(Vec::<Followed>::new());
    until("it is forgotten", async || process.store.readers().await.unwrap().is_empty()).await;
    assert_eq!(process.store.sightings(&service("users")).await.unwrap(), []);
    let cell = process.cell("users", "dev", at(1_000)).await.unwrap();
    assert_eq!(cell.version.as_deref(), Some("1.4.2"), "facts stay");
    following.stop().await;
}

/// While processes are replaced one by one, those that go read what the new ones do not know.
#[tokio::test]
async fn what_another_process_reads_is_not_forgotten_before_it_ends() {
    let world = World::new();
    let (old, new) = (world.process().await, world.process().await);
    old.record(vec![commit_fact(1), image_fact(1), commit_fact(2), image_fact(2)]).await;
    let (hub, followed) = scripted("cluster/hub", Source::Kubernetes);
    let goes = old.follow([followed]);
    hub.see(&runs("1.4.1", 1)).await;
    let (main, followed) = scripted("cluster/main", Source::Kubernetes);
    let comes = new.follow([followed]);
    main.see(&runs("1.4.2", 2)).await;
    skip(FORGETTING, &[&old, &new]).await;
    hub.see(&runs("1.4.1", 1)).await;
    let readers = async || {
        let seen = new.store.sightings(&service("users")).await.unwrap();
        seen.into_iter().map(|(reader, _)| reader).collect::<Vec<_>>()
    };
    assert_eq!(readers().await, ["cluster/hub", "cluster/main"]);
    let live = async || {
        let cell = new.cell("users", "dev", Timestamp::now()).await.unwrap();
        cell.version
    };
    assert_eq!(live().await.as_deref(), Some("1.4.1"), "they do not agree");
    // By the end it has told once more.
    goes.stop().await;
    until("it is forgotten", async || {
        skip(FORGETTING, &[&new]).await;
        readers().await == ["cluster/main"]
    })
    .await;
    until("what is left agrees", async || {
        skip(FORGETTING, &[&new]).await;
        live().await.as_deref() == Some("1.4.2")
    })
    .await;
    comes.stop().await;
}
