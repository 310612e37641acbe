//! A place of one service, and which facts follow as it is delivered to.

use super::*;
use crate::delivery::tests::facts::{at, environment, order, service, sha};
use crate::delivery::{
    ApplicationState, ChangeState, CommitSha, Detail, EnvironmentKnowledge, Fact, Health, Operation,
    OperationPhase, PodState, PullRequestState, Source, Stage, Status, SyncStatus, SyncWindow, Synced, Told,
};
use crate::time::Timestamp;

struct Built;

/// Tags `1.1` and so on are of the commits by their last number.
impl Images for Built {
    fn commit_of_tag(&self, tag: &str) -> Option<CommitSha> {
        Some(sha(tag.strip_prefix("1.")?.parse().ok()?))
    }

    fn is_own(&self, image: &ImageRef) -> bool {
        image.repository == "r.io/users"
    }

    fn commit_of(&self, image: &ImageRef) -> Option<CommitSha> {
        self.is_own(image).then(|| self.commit_of_tag(image.tag.as_deref()?)).flatten()
    }
}

fn place() -> Place {
    Place { service: service(), environment: environment("prod") }
}

fn change(revision: &str, tag: &str, second: i64) -> TagChange {
    TagChange {
        revision: revision.into(),
        tag: tag.into(),
        before: None,
        at: at(second),
        author: None,
        pull_request: Some(7),
        link: None,
    }
}

/// The repository's branch, newest first, on which `r2` set tag 1.1 and `r4` tag 1.2.
fn git() -> (Branch, DesiredTag) {
    let branch = Branch {
        repository: "acme/gitops".into(),
        name: "main".into(),
        revisions: ["r5", "r4", "r3", "r2", "r1"].map(str::to_owned).into(),
    };
    let desired = DesiredTag {
        repository: "acme/gitops".into(),
        branch: "main".into(),
        path: "envs/prod/users/values.yaml".into(),
        key: "image.tag".into(),
        tag: Some("1.2".into()),
        changes: vec![change("r4", "1.2", 400), change("r2", "1.1", 200)],
    };
    (branch, desired)
}

fn application(revision: &str) -> Application {
    Application {
        name: "argocd/users-prod".into(),
        link: Some("https://argocd.example.com/applications/argocd/users-prod".into()),
        repository: Some("https://github.com/acme/gitops".into()),
        target_revision: Some("main".into()),
        path: Some("envs/prod/users".into()),
        state: ApplicationState {
            sync_status: SyncStatus::Synced,
            health: Health::Healthy,
            phase: Some(OperationPhase::Succeeded),
            compared: vec![revision.into()],
            applied: vec![revision.into()],
            source: 0,
        },
        health_since: Some(at(460)),
        health_message: None,
        auto_sync: true,
        window: SyncWindow::Open,
        conditions: Vec::new(),
        last_reconciled: Some(at(500)),
        poll_seconds: 120,
        jitter_seconds: 60,
        images: vec![ImageRef::parse("r.io/users:1.2"), ImageRef::parse("r.io/proxy:9")],
        operation: None,
        history: vec![
            synced(0, "r3", 210),
            // Of another service.
            synced(1, "r4", 420),
            synced(2, "r5", 480),
        ],
    }
}

fn synced(id: u32, revision: &str, second: i64) -> Synced {
    Synced { id, revision: Some(revision.into()), started: Some(at(second - 5)), deployed: at(second) }
}

fn workload(tag: &str, available: u32) -> Workload {
    Workload {
        name: "Deployment/users".into(),
        images: vec![ImageRef::parse(&format!("r.io/users:{tag}")), ImageRef::parse("r.io/proxy:9")],
        running: Vec::new(),
        revision: 2,
        state: crate::delivery::DeploymentState {
            generation: 3,
            observed_generation: 3,
            desired: 3,
            replicas: 3,
            updated: 3,
            available,
            minimum_available: available > 1,
            ..Default::default()
        },
        pods: Vec::new(),
        started: Some(at(425)),
        finished: (available == 3).then(|| at(450)),
        available_since: Some(at(100)),
    }
}

fn scene_facts(seen: &[Seen], current: Option<(&CommitSha, Timestamp)>) -> Vec<Fact> {
    let sightings = sightings(seen);
    let scene = Scene::of(&place(), sightings.iter().map(|one| ("hub", one)));
    scene.facts(&Built, &Told { place: &place(), current, now: at(1_000) })
}

fn sightings(seen: &[Seen]) -> Vec<Sighting> {
    let sighting = |(number, seen): (usize, &Seen)| Sighting {
        subject: number.to_string(),
        place: (!matches!(seen, Seen::Branch(_))).then(place),
        seen: seen.clone(),
    };
    seen.iter().enumerate().map(sighting).collect()
}

fn everything() -> Vec<Seen> {
    let (branch, desired) = git();
    vec![
        Seen::Branch(branch),
        Seen::DesiredTag(desired),
        Seen::Application(application("r5").into()),
        Seen::Workload(workload("1.2", 3)),
    ]
}

fn of(facts: &[Fact], stage: Stage) -> Vec<(u32, Status, Option<Timestamp>)> {
    let number = |fact: &Fact| u32::from_str_radix(&fact.commit.as_str()[..7], 16).unwrap();
    let mut found: Vec<_> = facts
        .iter()
        .filter(|fact| fact.stage == stage)
        .map(|fact| (number(fact), fact.status, fact.finished))
        .collect();
    found.sort();
    found
}

#[test]
fn the_whole_way_is_told_from_tag_to_pods() {
    let facts = scene_facts(&everything(), None);
    let succeeded = |number, second| (number, Status::Succeeded, Some(at(second)));
    assert_eq!(of(&facts, Stage::Bump), [succeeded(1, 200), succeeded(2, 400)]);
    // r5 is of another service: what it synced of this one was there.
    assert_eq!(of(&facts, Stage::Sync), [succeeded(1, 210), succeeded(2, 420)]);
    assert_eq!(of(&facts, Stage::Rollout), [succeeded(2, 450)]);
    assert_eq!(of(&facts, Stage::Live), [succeeded(2, 450)]);
    assert_eq!(scene_facts(&everything(), None), facts, "told again they are the same");
    let mine: Vec<Fact> = facts.into_iter().filter(|fact| fact.commit == sha(2)).collect();
    assert!(ChangeState::of(&mine).is_some());
}

#[test]
fn a_sync_that_runs_or_failed_is_of_the_tag_that_its_revision_holds() {
    let (branch, desired) = git();
    let mut application = application("r3");
    application.history.truncate(1);
    let operation = |phase, finished| Operation {
        phase: Some(phase),
        started: Some(at(430)),
        finished,
        message: Some("one or more objects failed to apply\nand why".into()),
        revision: Some("r5".into()),
        hook: None,
    };
    let mut told = |phase, finished| {
        application.operation = Some(operation(phase, finished));
        let seen = [
            Seen::Branch(branch.clone()),
            Seen::DesiredTag(desired.clone()),
            Seen::Application(application.clone().into()),
        ];
        scene_facts(&seen, None)
    };
    let running = told(OperationPhase::Running, None);
    assert_eq!(of(&running, Stage::Sync)[1], (2, Status::Running, None));
    let failed = told(OperationPhase::Failed, Some(at(440)));
    assert_eq!(of(&failed, Stage::Sync)[1], (2, Status::Failed, Some(at(440))));
    assert_eq!(of(&failed, Stage::Live), [], "what runs is not what the application says it wants");
    let succeeded_but_old = told(OperationPhase::Succeeded, Some(at(440)));
    assert_eq!(of(&succeeded_but_old, Stage::Sync).len(), 1);
}

#[test]
fn nothing_is_live_before_all_of_it_is() {
    let (branch, desired) = git();
    let base = [Seen::Branch(branch), Seen::DesiredTag(desired)];
    let with = |application: Option<Application>, workloads: &[Workload]| {
        let mut seen = base.to_vec();
        seen.extend(application.map(|one| Seen::Application(one.into())));
        seen.extend(workloads.iter().cloned().map(Seen::Workload));
        of(&scene_facts(&seen, None), Stage::Live)
    };
    let other = Workload { name: "Deployment/worker".into(), ..workload("1.1", 3) };
    assert_eq!(with(None, &[workload("1.2", 3), other]), [], "another workload runs something else");
    assert_eq!(with(None, &[workload("1.2", 2)]), [], "the rollout goes on");
    let mut degraded = application("r5");
    degraded.state.health = Health::Degraded;
    assert_eq!(with(Some(degraded), &[workload("1.2", 3)]), []);
    let mut behind = application("r3");
    behind.state.sync_status = SyncStatus::OutOfSync;
    assert_eq!(with(Some(behind), &[workload("1.2", 3)]), [], "the revision does not hold the tag");
    let side_cars = Workload { images: vec![ImageRef::parse("r.io/proxy:9")], ..workload("1.2", 3) };
    assert_eq!(with(None, &[side_cars]), [], "nothing of the service runs");
    assert_eq!(
        with(Some(application("r5")), &[]),
        [(2, Status::Succeeded, Some(at(460)))],
        "by Argo CD alone"
    );
}

#[test]
fn pods_that_are_lost_after_the_rollout_are_a_failure_and_then_a_recovery() {
    let lost = Workload {
        finished: Some(at(450)),
        available_since: Some(at(600)),
        pods: vec![PodState {
            name: "users-1".into(),
            reason: Some("CrashLoopBackOff".into()),
            ..PodState::default()
        }],
        ..workload("1.2", 1)
    };
    let facts = scene_facts(&[Seen::Workload(lost)], None);
    assert_eq!(of(&facts, Stage::Rollout), [(2, Status::Failed, Some(at(600)))]);
    assert!(matches!(&facts[0].detail, Some(Detail::Rollout(detail)) if detail.waiting.is_some()));
    let back = Workload { available_since: Some(at(700)), ..workload("1.2", 3) };
    let facts = scene_facts(&[Seen::Workload(back)], None);
    assert_eq!(of(&facts, Stage::Rollout), [(2, Status::Succeeded, Some(at(700)))]);
    // One of three is replaced, and two serve.
    let moved = Workload { finished: Some(at(450)), ..workload("1.2", 2) };
    let facts = scene_facts(&[Seen::Workload(moved)], None);
    assert_eq!(of(&facts, Stage::Rollout), []);
    assert_eq!(of(&facts, Stage::Live), [(2, Status::Succeeded, Some(at(450)))]);
}

#[test]
fn a_template_that_comes_back_is_live_since_now() {
    let back = [Seen::Workload(Workload { revision: 3, ..workload("1.1", 3) })];
    let live = |current: u32, second| of(&scene_facts(&back, Some((&sha(current), at(second)))), Stage::Live);
    assert_eq!(live(2, 900), [(1, Status::Succeeded, Some(at(1_000)))]);
    assert_eq!(live(1, 450), [(1, Status::Succeeded, Some(at(450)))]);
    // Each revision of a Deployment goes live by itself; the same one seen again is the same fact.
    let id = |seen: &[Seen]| {
        scene_facts(seen, None).into_iter().find(|fact| fact.stage == Stage::Live).unwrap().source_id
    };
    let first = [Seen::Workload(workload("1.1", 3))];
    assert_ne!(id(&back), id(&first));
}

#[test]
fn what_a_change_waits_for_is_read_from_what_is_seen() {
    let mut seen = everything();
    let mut bump = BumpPullRequest {
        number: 8,
        link: None,
        tag: Some("1.3".into()),
        state: PullRequestState::Open,
        review: crate::delivery::Review::Required,
        checks: crate::delivery::Checks::Passing,
    };
    seen.push(Seen::Bump(bump.clone()));
    bump = BumpPullRequest { number: 9, tag: Some("1.4".into()), ..bump };
    seen.push(Seen::Bump(bump));
    let sightings = sightings(&seen);
    let scene = Scene::of(&place(), sightings.iter().map(|one| ("hub", one)));
    let reader = |source, second| ReaderState {
        name: "hub".into(),
        source,
        last_success: Some(at(second)),
        problem: Some((at(second + 5), "it is down".into())),
    };
    let readers = [reader(Source::ArgoCd, 900), reader(Source::Kubernetes, 800), reader(Source::Git, 10)];
    let readers: Vec<&ReaderState> = readers.iter().collect();
    let asked: Vec<(Source, &ReaderState)> = readers.iter().map(|one| (one.source, *one)).collect();
    let prod = environment("prod");
    let order = order();
    let facts = |number: u32, tag: &str| {
        let about = About {
            commit: &sha(number),
            tag: Some(tag),
            environment: &prod,
            order: &order,
            readers: &asked,
            stale_after_seconds: 900,
        };
        scene.environment_facts(&about, &Built)
    };
    let live = facts(2, "1.2");
    assert_eq!(live.automation, crate::delivery::Automation::Promotion);
    assert_eq!(live.argo.unwrap().sees_commit, Some(true));
    assert_eq!((live.rollout.unwrap().available, live.bump), (Some(3), None));
    let next = facts(3, "1.3");
    assert_eq!((next.bump.unwrap().number, next.rollout), (8, None), "the newer one sets another tag");
    assert_eq!(next.argo.unwrap().sees_commit, None);
    assert_eq!(next.sources.len(), 3);
    let seen: Vec<_> =
        sightings.iter().zip([2, 2, 0, 1, 2, 2]).map(|(one, at)| (one.seen.health(), readers[at])).collect();
    let knowledge = EnvironmentKnowledge::of(&prod, &seen);
    assert_eq!((knowledge.health, knowledge.known_at), (Some(Health::Healthy), Some(at(800))));
}

#[test]
fn that_somebody_looked_again_is_no_news() {
    let before = sightings(&everything());
    let looked = |second| {
        let application = Application { last_reconciled: Some(at(second)), ..application("r5") };
        Sighting { seen: Seen::Application(application.into()), ..before[2].clone() }
    };
    assert!(!looked(900).is_news_after(&before[2]));
    let moved = Sighting { seen: Seen::Application(application("r4").into()), ..before[2].clone() };
    assert!(moved.is_news_after(&before[2]));
}
