//! What several sources see of a service in an environment, and what is answered from all of it.

use std::time::Duration;

use delivery::GithubConfig;
use delivery::git::{GitReader, GitopsConfig, RepositoryAt};
use delivery::github::GithubClient;
use delivery::reader::{RegistryImage, Told};
use delivery::{Everything, Followed, Sight};
use domain::delivery::{
    BumpPullRequest, Checks, DeploymentState, EnvironmentName, ImageDetail, ImageRef, PodState,
    PullRequestState, Review, Seen, ServiceName, Sighting, Source, Stage, Status, StepStatus, SyncStatus,
    SyncWindow, Workload,
};
use domain::wire::delivery::HealthView;
use jiff::{SignedDuration, Timestamp};

use super::scene::{application, argo, branch, deployment, desired, of, pods, updater};
use super::world::{
    Following, Process, Script, World, at, commit_fact, environment, image_fact, scripted, service, sha,
    until,
};
use crate::git::Repository;

const ALL_THE_WAY: [(Stage, Status); 4] = [
    (Stage::Bump, Status::Succeeded),
    (Stage::Sync, Status::Succeeded),
    (Stage::Rollout, Status::Succeeded),
    (Stage::Live, Status::Succeeded),
];

/// A GitOps repository and a cluster that are followed.
struct Sources {
    process: Process,
    git: Script,
    hub: Script,
    following: Following,
    _world: World,
}

impl Sources {
    async fn new() -> Sources {
        let world = World::new();
        let process = world.process().await;
        let (git, followed_git) = scripted("git/acme/gitops", Source::Git);
        let (hub, followed_hub) = scripted("cluster/hub", Source::Kubernetes);
        let following = process.follow([followed_git, followed_hub]);
        Sources { process, git, hub, following, _world: world }
    }

    /// Commits with their images.
    async fn with_commits(numbers: &[u32]) -> Sources {
        let sources = Sources::new().await;
        let facts = numbers.iter().flat_map(|number| [commit_fact(*number), image_fact(*number)]);
        sources.process.record(facts.collect()).await;
        sources
    }
}

/// Tag 1.4.2 is live in dev since second 450, and 1.4.1 was before.
fn in_git() -> Vec<Sighting> {
    let changes = [("r4", "1.4.2", 400), ("r2", "1.4.1", 200)];
    vec![branch(&["r5", "r4", "r3", "r2", "r1"]), desired("users", "dev", &changes)]
}

fn in_hub() -> Vec<Sighting> {
    let application = application("users", "dev", &[("r3", 210), ("r4", 420), ("r5", 480)]);
    vec![argo("users", "dev", application), pods("users", "dev", deployment("users", "1.4.2", 2, 450))]
}

#[tokio::test]
async fn what_is_seen_becomes_the_way_of_a_change() {
    let Sources { process, git, hub, following, _world } = Sources::with_commits(&[1, 2]).await;
    git.see(&in_git()).await;
    hub.see(&in_hub()).await;

    let way = process.way(2, "dev", at(1_000)).await;
    let steps: Vec<_> =
        way.steps.iter().map(|step| (step.stage, step.status, step.started, step.finished)).collect();
    let done = StepStatus::Known(Status::Succeeded);
    assert_eq!(
        steps,
        [
            (Stage::Bump, done, None, Some(at(400))),
            (Stage::Sync, done, Some(at(415)), Some(at(420))),
            (Stage::Rollout, done, Some(at(425)), Some(at(450))),
            (Stage::Live, done, None, Some(at(450))),
        ]
    );
    assert_eq!(way.reason.unwrap().sentence, "It is live since 10:07 UTC.");
    // What was there before left the traces that Git and Argo CD keep.
    assert_eq!(process.stages(1).await, ALL_THE_WAY[..2]);

    let cell = process.cell("users", "dev", Timestamp::now()).await.unwrap();
    assert_eq!((cell.version.as_deref(), cell.since), (Some("1.4.2"), Some(at(450))));
    assert_eq!((cell.health, cell.commit), (HealthView::Healthy, Some(sha(2).to_string())));
    let elsewhere = process.cell("users", "prod", Timestamp::now()).await.unwrap();
    assert_eq!((elsewhere.version, elsewhere.health), (None, HealthView::Unknown));
    following.stop().await;
}

/// Each row is what is seen beside what was there, and what a newer commit waits for by it.
#[tokio::test]
async fn what_a_newer_change_waits_for_is_read_from_what_is_seen() {
    let Sources { process, git, hub, following, _world } = Sources::with_commits(&[1, 2, 3]).await;
    git.see(&in_git()).await;
    hub.see(&in_hub()).await;
    let why = async |second| process.why(3, "dev", at(second)).await;
    assert_eq!(
        why(500).await,
        "The image is there; the pipeline has not written its tag to Git yet.",
        "nothing comes before dev, and no updater is seen"
    );

    let with = |mut base: Vec<Sighting>, more: Sighting| {
        base.push(more);
        base
    };
    hub.see(&with(in_hub(), updater("dev", None, 400))).await;
    assert_eq!(why(430).await, "The image updater looks for new tags in 1 m 30 s.");
    hub.see(&with(in_hub(), updater("dev", Some("~1.3"), 400))).await;
    assert_eq!(why(430).await, "Tag 1.4.3 does not match the image updater's constraint ~1.3.");

    let bump = BumpPullRequest {
        number: 8,
        link: None,
        tag: Some("1.4.3".into()),
        state: PullRequestState::Open,
        review: Review::Required,
        checks: Checks::Passing,
    };
    git.see(&with(in_git(), of("users", "dev", "pull/8", Seen::Bump(bump)))).await;
    assert_eq!(why(600).await, "Pull request #8, which sets the tag, waits for a review.");

    let changes = [("r6", "1.4.3", 800), ("r4", "1.4.2", 400), ("r2", "1.4.1", 200)];
    let revisions = branch(&["r6", "r5", "r4", "r3", "r2", "r1"]);
    git.see(&[revisions, desired("users", "dev", &changes)]).await;
    let mut waiting = application("users", "dev", &[("r3", 210), ("r4", 420), ("r5", 480)]);
    waiting.last_reconciled = Some(at(790));
    let old = || pods("users", "dev", deployment("users", "1.4.2", 2, 450));
    hub.see(&[argo("users", "dev", waiting.clone()), old()]).await;
    assert_eq!(why(820).await, "The tag is in Git; Argo CD polls the repository in 1 m 30 s.");
    assert_eq!(
        why(1_000).await,
        "The tag is in Git, but Argo CD has not seen that commit; it last compared at 10:13 UTC."
    );

    waiting.state.compared = vec!["r6".into()];
    waiting.state.sync_status = SyncStatus::OutOfSync;
    waiting.window = SyncWindow::Closed { until: Some(at(3_600)) };
    hub.see(&[argo("users", "dev", waiting), old()]).await;
    assert_eq!(why(820).await, "The sync window is closed until 11:00 UTC.");

    let crashing = Workload {
        state: DeploymentState { updated: 1, replicas: 4, available: 3, ..old_state() },
        pods: vec![PodState {
            name: "users-7".into(),
            reason: Some("CrashLoopBackOff".into()),
            ..PodState::default()
        }],
        finished: None,
        ..deployment("users", "1.4.3", 3, 880)
    };
    let synced = application("users", "dev", &[("r4", 420), ("r5", 480), ("r6", 830)]);
    hub.see(&[argo("users", "dev", synced), pods("users", "dev", crashing)]).await;
    assert_eq!(
        why(900).await,
        "The rollout is at 1 of 3: pod users-7 crashes over and over (CrashLoopBackOff). The old version still serves."
    );
    let in_progress = process.cell("users", "dev", at(900)).await.unwrap().in_progress.unwrap();
    assert_eq!((in_progress.commit, in_progress.stage), (sha(3).to_string(), Stage::Rollout));
    following.stop().await;
}

fn old_state() -> DeploymentState {
    deployment("users", "1.4.2", 2, 450).state
}

#[tokio::test]
async fn a_change_is_promoted_from_where_it_is_live() {
    let Sources { process, git, hub, following, _world } = Sources::with_commits(&[1, 2]).await;
    let mut tags = in_git();
    tags.push(desired("users", "prod", &[("r3", "1.4.1", 300)]));
    git.see(&tags).await;
    assert_eq!(
        process.why(2, "prod", at(1_000)).await,
        "It is not live in dev yet, from where it is promoted."
    );
    hub.see(&in_hub()).await;
    assert_eq!(
        process.why(2, "prod", at(1_000)).await,
        "It is live in dev and waits for somebody to promote it."
    );
    following.stop().await;
}

/// A repository that git made, and pods that run what it says.
#[tokio::test]
async fn a_tag_in_a_real_repository_is_followed_to_the_pods() {
    const FILE: &str = "envs/dev/users/values.yaml";
    let world = World::new();
    let process = world.process().await;
    process.record(vec![commit_fact(1), image_fact(1), commit_fact(2), image_fact(2)]).await;
    let mut repository = Repository::new();
    repository.clock = at(100).as_second();
    repository.put(FILE, "image: {tag: 1.4.1}\n", "First");
    let set = repository.put(FILE, "image: {tag: 1.4.2}\n", "Second");

    let config = GitopsConfig {
        name: "acme/gitops".into(),
        at: RepositoryAt::Local(repository.path()),
        branch: "main".into(),
        files: vec!["envs/{environment}/{service}/values.yaml".into()],
        applications: Vec::new(),
        labels: Vec::new(),
        reviewers: Vec::new(),
        tag_key: GitopsConfig::TAG_KEY.into(),
        poll: Duration::from_millis(100),
    };
    let github = GithubClient::new(&GithubConfig::default()).unwrap();
    let reader = GitReader::new(config, &github, &[service("users")], &[environment("dev")]);
    let git = Followed { name: "git/acme/gitops".into(), source: Source::Git, reader: Box::new(reader) };
    let (hub, followed_hub) = scripted("cluster/hub", Source::Kubernetes);
    let following = process.follow([git, followed_hub]);
    until("the tag is known", async || process.stages(2).await == ALL_THE_WAY[..1]).await;
    let application = application("users", "dev", &[(&set, 420)]);
    let workload = deployment("users", "1.4.2", 2, 450);
    hub.see(&[argo("users", "dev", application), pods("users", "dev", workload)]).await;
    assert_eq!(process.stages(2).await, ALL_THE_WAY);
    let way = process.way(2, "dev", at(1_000)).await;
    assert_eq!(way.steps[0].finished, Some(at(220)), "the committer's time");

    repository.clock = at(500).as_second();
    repository.put(FILE, "image: {tag: 1.4.1}\n", "Back again");
    let back = "The tag is in Git, but Argo CD has not seen that commit; it last compared at 10:08 UTC.";
    let polls = async || process.why(1, "dev", at(700)).await == back;
    until("that it goes back is seen", polls).await;
    following.stop().await;
}

#[tokio::test]
async fn a_version_that_becomes_known_later_is_told_then() {
    for way in ["a report", "a registry", "a digest", "a tag on GitHub"] {
        let Sources { process, git, hub, following, _world } = Sources::new().await;
        process.record(vec![commit_fact(2)]).await;
        let digest = format!("sha256:{}", "d".repeat(64));
        let mut in_hub = in_hub();
        if let (Seen::Workload(workload), "a digest") = (&mut in_hub[1].seen, way) {
            workload.images = vec![ImageRef::parse(&format!("r.io/users:moving@{digest}"))];
        }
        git.see(&in_git()).await;
        hub.see(&in_hub).await;
        assert_eq!(process.stages(2).await, [], "{way}: it may be of any commit");
        assert_eq!(process.cell("users", "dev", at(1_000)).await.unwrap().version, None, "{way}");

        match way {
            "a report" => {
                process.record(vec![image_fact(2)]).await;
                git.see(&in_git()).await;
                hub.see(&in_hub).await;
            }
            _ => {
                let detail = ImageDetail {
                    digest: (way != "a tag on GitHub").then(|| digest.clone()),
                    ..ImageDetail::default()
                };
                let image = RegistryImage {
                    service: service("users"),
                    tags: vec!["1.4.2".into()],
                    revision: Some(sha(2).to_string()),
                    pushed: Some(at(300)),
                    detail,
                    platform_digests: Vec::new(),
                    since: None,
                    link: None,
                };
                // Whoever reads the cluster has nothing new to tell.
                git.tell(Told { images: vec![image], sightings: Some(in_git()), ..Told::default() }).await;
            }
        }
        assert_eq!(process.stages(2).await, ALL_THE_WAY, "{way}");
        let version = process.cell("users", "dev", at(1_000)).await.unwrap().version;
        assert!(version.is_some_and(|version| version != sha(2).short()), "{way}");
        following.stop().await;
    }
}

#[tokio::test]
async fn the_same_seen_again_is_nothing_new() {
    let Sources { process, git, hub, following, _world } = Sources::with_commits(&[1, 2]).await;
    let look = |seconds: i64| {
        let mut seen = in_hub();
        if let Seen::Application(application) = &mut seen[0].seen {
            application.last_reconciled = Some(at(seconds));
        }
        seen.push(updater("dev", None, seconds));
        seen
    };
    git.see(&in_git()).await;
    hub.see(&look(500)).await;
    let facts = async || {
        let all = process.delivery.facts_view(&Everything, "users", sha(2).as_str()).await.unwrap();
        (all.len(), process.store.last_event_seq().await.unwrap())
    };
    let before = facts().await;
    git.see(&in_git()).await;
    hub.see(&look(500)).await;
    hub.see(&look(900)).await;
    assert_eq!(facts().await, before);
    let seen = process.store.sightings(&service("users")).await.unwrap();
    assert!(
        look(900).iter().all(|looked| seen.iter().any(|(_, sighting)| sighting == looked)),
        "when somebody last looked is known all the same: {seen:?}"
    );

    // What this counts moves where something is new.
    let mut moved = look(900);
    moved[1] = pods("users", "dev", deployment("users", "1.4.2", 3, 950));
    hub.see(&moved).await;
    let after = facts().await;
    assert!(after.0 > before.0 && after.1 > before.1, "{before:?} {after:?}");
    following.stop().await;
}

#[tokio::test]
async fn services_that_are_only_seen_are_followed_too() {
    let world = World::new();
    let process = world.process().await;
    let (hub, followed) = scripted("cluster/hub", Source::Kubernetes);
    let following = process.follow([followed]);
    hub.see(&[
        pods("carts", "dev", deployment("carts", "0123abc", 2, 450)),
        pods("carts", "lab", deployment("carts", "0123abc", 2, 450)),
        pods("toys", "lab", deployment("toys", "0123abc", 2, 450)),
    ])
    .await;
    let matrix = process.delivery.matrix_view(&Everything, Timestamp::now()).await.unwrap();
    assert_eq!(matrix.environments, ["dev", "prod"], "what is not configured is no environment");
    let cell = process.cell("carts", "dev", Timestamp::now()).await.unwrap();
    assert_eq!((cell.version.as_deref(), cell.health), (Some("0123abc"), HealthView::Healthy));
    assert_eq!(process.cell("carts", "prod", Timestamp::now()).await.unwrap().version, None);

    // Another process finds it where it is asked for it, and takes reports of it.
    let other = world.process().await;
    let timeline = other.delivery.timeline_view(&Everything, "carts", "0123abc", at(1_000)).await.unwrap();
    assert_eq!(timeline.environments[0].reason.as_ref().unwrap().kind, "already-live");
    let reporter = world.process().await;
    let mut reported = image_fact(1);
    reported.service = service("carts");
    reporter.record(vec![reported.clone()]).await;
    reported.service = service("cards");
    reporter.delivery.record(vec![reported], Timestamp::now()).await.unwrap_err();

    let configured = async |process: &Process| {
        let matrix = process.delivery.matrix_view(&Everything, Timestamp::now()).await.unwrap();
        matrix.rows.into_iter().map(|row| row.service).collect::<Vec<_>>()
    };
    assert_eq!(configured(&process).await, ["users", "carts", "toys"]);
    hub.see(&[]).await;
    following.stop().await;
    let restarted = world.process().await;
    let (_hub, followed) = scripted("cluster/hub", Source::Kubernetes);
    let following = restarted.follow([followed]);
    assert_eq!(configured(&restarted).await, ["users"]);
    restarted.delivery.timeline_view(&Everything, "carts", "0123abc", at(1_000)).await.unwrap_err();
    following.stop().await;
}

/// Whoever sees one environment.
struct Only(&'static str);

impl Sight for Only {
    fn sees(&self, _: &ServiceName, environment: &EnvironmentName) -> bool {
        environment.as_str() == self.0
    }
}

#[tokio::test]
async fn who_sees_one_environment_is_told_nothing_of_others() {
    let world = World::new();
    let process = world.process().await;
    process.record(vec![commit_fact(1), image_fact(1), commit_fact(2), image_fact(2)]).await;
    let (git, followed_git) = scripted("git/acme/gitops", Source::Git);
    let (dev, followed_dev) = scripted("cluster/dev", Source::Kubernetes);
    let (prod, followed_prod) = scripted("cluster/prod", Source::Kubernetes);
    let following = process.follow([followed_git, followed_dev, followed_prod]);
    let mut tags = in_git();
    tags.push(desired("users", "prod", &[("r3", "1.4.1", 300)]));
    let told = |sightings, problem: &str| Told {
        sightings: Some(sightings),
        problems: vec![problem.to_owned()],
        ..Told::default()
    };
    git.tell(told(tags, "envs/dev/payments/values.yaml is not YAML.")).await;
    dev.tell(told(in_hub(), "Pods in dev-payments may not be listed.")).await;
    let of_prod = pods("users", "prod", deployment("users", "1.4.1", 1, 350));
    prod.tell(told(vec![of_prod], "Pods in prod-payments may not be listed.")).await;

    let later = Timestamp::now() + SignedDuration::from_hours(2);
    for now in [at(1_000), later] {
        let matrix = process.delivery.matrix_view(&Only("prod"), now).await.unwrap();
        let timeline =
            process.delivery.timeline_view(&Only("prod"), "users", sha(2).as_str(), now).await.unwrap();
        assert_eq!(timeline.environments.len(), 1);
        let readers: Vec<_> = matrix.sources.iter().filter_map(|source| source.reader.as_deref()).collect();
        assert_eq!(readers, ["cluster/prod", "git/acme/gitops"]);
        assert!(matrix.sources.iter().all(|source| source.reader.is_none() || source.problem.is_some()));
        let shown = format!("{matrix:?} {timeline:?}");
        assert!(!shown.contains("payments") && !shown.contains("dev"), "{shown}");
    }
    let all = process.delivery.matrix_view(&Everything, at(1_000)).await.unwrap();
    let problems: Vec<_> = all.sources.iter().filter_map(|source| source.problem.as_deref()).collect();
    assert_eq!(problems.len(), 3);
    assert!(problems.iter().all(|problem| problem.contains("payments")), "{problems:?}");
    following.stop().await;
}

/// What one repository does not answer says nothing of places that stand in another.
#[tokio::test]
async fn a_repository_that_is_down_is_not_blamed_for_what_stands_in_another() {
    let world = World::new();
    let process = world.process().await;
    process.record(vec![commit_fact(1), image_fact(1)]).await;
    let read = async |name: &str, sightings: &[Sighting], second| {
        let (store, hour) = (&process.store, SignedDuration::from_hours(1));
        let lease = store.acquire_lease(name, "a process", at(second), hour).await.unwrap().unwrap();
        store.keep_reading(name, Source::Git, Some(sightings), None, at(second), &lease).await.unwrap();
    };
    read("git/acme/other", &[branch(&["x1"])], 0).await;
    read("git/acme/gitops", &[branch(&["r1"]), desired("users", "dev", &[])], 500).await;
    assert_eq!(
        process.why(1, "dev", at(1_000)).await,
        "The image is there; the pipeline has not written its tag to Git yet."
    );
    assert_eq!(
        process.why(1, "dev", at(2_000)).await,
        "Unknown: the GitOps repository has not answered since 10:08 UTC."
    );
}
