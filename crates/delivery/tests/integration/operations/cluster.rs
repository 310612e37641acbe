//! GitOps operations up to what becomes of them in a cluster, with an API server, Argo CD and its Image Updater.

mod argo;
mod updater;
mod world;

use domain::delivery::{EnvironmentName, UpdaterMode};
use domain::gitops::{Ask, Operation, OperationStatus, Return};
use store::DecisionKind;

use self::argo::Pods;
use self::updater::UPDATER;
use self::world::{ClusterWorld, image_updater};
use super::world::{actor, place, service};

const NONE: [&str; 0] = [];

fn freeze(name: &str, bypass: Option<&str>) -> Ask {
    Ask::Freeze { places: [place(name, "dev")].into(), until: None, bypass: bypass.map(str::to_owned) }
}

fn resume(name: &str) -> Ask {
    Ask::Resume { places: [place(name, "dev")].into() }
}

fn revert(name: &str, tag: Option<&str>) -> Ask {
    let returns = vec![Return { service: service(name), tag: tag.map(str::to_owned) }];
    Ask::Revert { environment: EnvironmentName::parse("dev").unwrap(), returns }
}

/// The file that an image of dev is steered by.
fn steering(mode: UpdaterMode) -> &'static str {
    match mode {
        UpdaterMode::Annotations => "envs/dev/users/application.yaml",
        UpdaterMode::Resource => "envs/dev/updaters.yaml",
    }
}

impl ClusterWorld {
    /// Asks for an operation and has it merged.
    async fn merged(&self, ask: Ask) -> Operation {
        let operation = self.world.ask(ask, "ana").await.unwrap();
        self.world.decide(&operation.id, DecisionKind::Merge, "ana").await.unwrap();
        self.world.until(&operation.id, |one| one.status.is_merged()).await
    }

    async fn effective(&self, operation: &Operation) {
        let effective = self.world.when(&operation.id, OperationStatus::Effective).await;
        assert_eq!(effective.problem, None);
    }
}

async fn freezes_and_resumes(mode: UpdaterMode) {
    let world = ClusterWorld::new(mode).await;
    let before = world.file(steering(mode));
    assert_eq!(world.updater.look("users", &["1.5.0", "1.6.0"]).await, ["users-dev 1.6.0"]);
    world.built("users", "1.6.0").await;
    world.runs("users", "dev", "1.6.0").await;

    world.argo.stop();
    let frozen = world.merged(freeze("users", None)).await;
    let waiting = world.world.until(&frozen.id, |one| one.problem.is_some()).await;
    assert_eq!(waiting.status, OperationStatus::Merged);
    let problem = "users in dev: the updater is not kept from new tags in the cluster yet";
    assert_eq!(waiting.problem.as_deref(), Some(problem));
    // What is merged and not synced keeps nobody.
    assert_eq!(world.updater.look("users", &["1.6.0", "1.7.0"]).await, ["users-dev 1.7.0"]);
    world.built("users", "1.7.0").await;

    world.argo.go_on();
    world.effective(&frozen).await;
    world.runs("users", "dev", "1.7.0").await;
    assert_eq!(world.updater.look("users", &["1.7.0", "1.8.0"]).await, NONE);
    // Others are not frozen with it.
    assert_eq!(world.updater.look("payments", &["2.1.0", "2.2.0"]).await, ["payments-dev 2.2.0"]);

    let resumed = world.merged(resume("users")).await;
    assert_eq!(world.file(steering(mode)), before);
    world.effective(&resumed).await;
    assert_eq!(world.updater.look("users", &["1.7.0", "1.8.0"]).await, ["users-dev 1.8.0"]);
    world.built("users", "1.8.0").await;
    world.runs("users", "dev", "1.8.0").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_freeze_counts_once_the_cluster_has_it_in_annotations() {
    freezes_and_resumes(UpdaterMode::Annotations).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_freeze_counts_once_the_cluster_has_it_in_a_resource() {
    freezes_and_resumes(UpdaterMode::Resource).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_freeze_that_two_updaters_would_not_obey_is_refused() {
    let world = ClusterWorld::with(|namespace| {
        format!("{}---\n{}", image_updater("shop", namespace), image_updater("again", namespace))
    })
    .await;
    let refused = world.world.ask(freeze("users", None), "ana").await.unwrap_err().to_string();
    assert!(refused.contains("several ImageUpdaters match Application users-dev"), "{refused}");
    assert_eq!(world.world.git(&["rev-list", "--all", "--count"]), "1", "nothing was written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_freeze_where_nobody_would_read_it_is_refused() {
    let world = ClusterWorld::new(UpdaterMode::Annotations).await;
    let users = place("users", "dev");
    world.updaters_seen(&users, |modes| modes == [UpdaterMode::Annotations]).await;
    // Somebody sets up a version of the updater that reads resources, and the repository does not say so.
    let metadata = format!("metadata:\n  namespace: {}\n", world.namespace);
    let by_hand = image_updater("by-hand", &world.namespace).replace("metadata:\n", &metadata);
    world.updater.server.apply(&by_hand).await;
    world.updaters_seen(&users, |modes| modes == [UpdaterMode::Resource]).await;
    let refused = world.world.ask(freeze("users", None), "ana").await.unwrap_err().to_string();
    assert!(refused.contains("was seen to read an ImageUpdater for Application users-dev"), "{refused}");

    let others = by_hand.replace("namePattern: users-dev", "namePattern: others-dev");
    world.updater.server.delete(UPDATER, "ImageUpdater", &world.namespace, "by-hand").await;
    world.updater.server.apply(&others).await;
    world.updaters_seen(&users, <[UpdaterMode]>::is_empty).await;
    let refused = world.world.ask(freeze("users", None), "ana").await.unwrap_err().to_string();
    assert!(refused.contains("no updater is seen that reads"), "{refused}");
    assert_eq!(world.world.git(&["rev-list", "--all", "--count"]), "1", "nothing was written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promotion_is_in_effect_when_all_of_it_runs_and_is_healthy() {
    let world = ClusterWorld::new(UpdaterMode::Annotations).await;
    world.argo.pods("cart-dev", Pods::Fail);
    let tags = [("users", "1.6.0"), ("payments", "2.2.0"), ("cart", "0.9.1")];
    for (name, tag) in tags {
        world.updated(name, tag).await;
    }
    world.runs("users", "dev", "1.6.0").await;
    world.runs("payments", "dev", "2.2.0").await;
    world.is("cart", "dev", "degraded").await;
    let ask = world.world.promotion(&["users", "payments", "cart"]);
    let plan = world.world.gitops.plan(&ask, "the sale", jiff::Timestamp::now()).await.unwrap();
    let refused: Vec<&str> = plan.refused().map(|check| check.place.service.as_str()).collect();
    assert_eq!(refused, ["cart"]);
    let refused = world.world.ask(ask.clone(), "ana").await.unwrap_err().to_string();
    assert!(refused.starts_with("cart in prod: dev is degraded"), "{refused}");
    world.argo.pods("cart-dev", Pods::ComeUp);
    world.is("cart", "dev", "progressing").await;
    let refused = world.world.ask(ask.clone(), "ana").await.unwrap_err().to_string();
    assert!(refused.starts_with("cart in prod: dev is in the middle of a rollout"), "{refused}");
    world.argo.pods("cart-dev", Pods::Serve);
    world.runs("cart", "dev", "0.9.1").await;

    world.argo.stop();
    let promoted = world.merged(ask).await;
    let commit = promoted.merged.as_ref().unwrap().commit.clone();
    let changed = world.world.git(&["show", "--format=", "--name-only", &commit]);
    assert_eq!(changed.lines().count(), 3, "{changed}");
    let says = async |problem: &str| {
        let one = world.world.until(&promoted.id, |one| one.problem.as_deref() == Some(problem)).await;
        assert_eq!(one.status, OperationStatus::Merged);
    };
    says("cart in prod: Argo CD has not seen the commit yet").await;
    world.argo.pods("cart-prod", Pods::ComeUp);
    world.argo.pods("payments-prod", Pods::Fail);
    world.argo.go_on();
    says("cart in prod: it is applied, and progressing").await;
    world.argo.pods("cart-prod", Pods::Serve);
    says("payments in prod: it is applied, and degraded").await;
    world.argo.pods("payments-prod", Pods::Serve);
    world.effective(&promoted).await;
    for (name, tag) in tags {
        world.runs(name, "prod", tag).await;
    }
}

async fn reverts_and_goes_on(mode: UpdaterMode) {
    let world = ClusterWorld::new(mode).await;
    let before = world.file(steering(mode));
    world.updated("users", "1.6.0").await;
    world.runs("users", "dev", "1.6.0").await;
    world.world.follows().await;

    let reverted = world.merged(revert("users", None)).await;
    world.effective(&reverted).await;
    world.runs("users", "dev", "1.5.0").await;
    let offered = ["1.5.0", "1.6.0", "1.7.0"];
    assert_eq!(world.updater.look("users", &offered).await, NONE);
    let holds = world.world.gitops.delivery().holds().await.unwrap();
    assert_eq!(holds[&place("users", "dev")].by, "ana");

    let resumed = world.merged(resume("users")).await;
    world.effective(&resumed).await;
    assert_eq!(world.file(steering(mode)), before);
    assert_eq!(world.updater.look("users", &offered).await, ["users-dev 1.7.0"]);
    world.built("users", "1.7.0").await;
    world.runs("users", "dev", "1.7.0").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revert_sticks_with_annotations() {
    reverts_and_goes_on(UpdaterMode::Annotations).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revert_sticks_with_a_resource() {
    reverts_and_goes_on(UpdaterMode::Resource).await;
}

async fn lets_one_tag_through(mode: UpdaterMode) {
    let world = ClusterWorld::new(mode).await;
    let before = world.file(steering(mode));
    let frozen = world.merged(freeze("users", Some("hotfix-1"))).await;
    world.effective(&frozen).await;
    assert_eq!(world.updater.look("users", &["1.5.0", "1.6.0"]).await, NONE);
    let pushed = ["1.5.0", "hotfix-1", "1.6.0"];
    assert_eq!(world.updater.look("users", &pushed).await, ["users-dev hotfix-1"]);
    world.built("users", "hotfix-1").await;
    world.runs("users", "dev", "hotfix-1").await;
    assert_eq!(world.updater.look("users", &pushed).await, NONE);

    // It does not help, and what was there before comes back, with a hold of its own.
    world.world.follows().await;
    let reverted = world.merged(revert("users", Some("1.5.0"))).await;
    world.effective(&reverted).await;
    assert_eq!(world.updater.look("users", &pushed).await, NONE);
    let resumed = world.merged(resume("users")).await;
    assert_eq!(world.file(steering(mode)), before);
    world.effective(&resumed).await;
    assert_eq!(world.updater.look("users", &pushed).await, ["users-dev 1.6.0"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_freeze_lets_one_tag_through_in_annotations() {
    lets_one_tag_through(UpdaterMode::Annotations).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_freeze_lets_one_tag_through_in_a_resource() {
    lets_one_tag_through(UpdaterMode::Resource).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_promote_at_once_and_lose_nothing() {
    let world = ClusterWorld::new(UpdaterMode::Annotations).await;
    let other = world.world.another();
    tokio::spawn(other.clone().work_until(world.world.shutdown.clone()));
    let now = jiff::Timestamp::now();
    let mut asked = Vec::new();
    for (gitops, name) in [(&world.world.gitops, "users"), (&other, "payments"), (&other, "cart")] {
        let ask = world.world.promotion(&[name]);
        let operation = gitops.request(ask, &actor("ana"), "the sale", None, now).await.unwrap();
        let seen = &operation.plan.fingerprint;
        gitops.decide(&operation.id, DecisionKind::Merge, &actor("ana"), seen, "", now).await.unwrap();
        asked.push(operation);
    }
    // The updater commits to the same branch meanwhile.
    world.updated("users", "1.6.0").await;
    world.updated("cart", "0.9.1").await;
    for operation in &asked {
        world.effective(operation).await;
    }
    for (name, tag) in [("users", "1.5.0"), ("payments", "2.1.0"), ("cart", "0.9.0")] {
        let file = world.file(&format!("envs/prod/{name}/application.yaml"));
        assert!(file.contains(&format!("value: \"{tag}\"")), "{file}");
    }
    assert_eq!(world.world.git(&["rev-list", "--count", "main"]), "6", "each commit once");
    assert_eq!(world.world.git(&["branch", "--list"]).trim_start_matches("* "), "main");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promotion_that_somebody_commits_over_is_not_in_effect() {
    let world = ClusterWorld::new(UpdaterMode::Annotations).await;
    world.argo.stop();
    let promoted = world.merged(world.world.promotion(&["users"])).await;
    world.world.commit("envs/prod/users/application.yaml", |text| text.replace("1.5.0", "1.4.2"));
    let problem =
        "users in prod: the repository says 1.4.2 by now and not 1.5.0: another commit came after it";
    let over = world.world.when(&promoted.id, OperationStatus::NotEffective).await;
    assert_eq!(over.problem.as_deref(), Some(problem));
    world.built("users", "1.4.2").await;
    world.argo.go_on();
    world.runs("users", "prod", "1.4.2").await;
    let over = world.world.gitops.operation(&promoted.id).await.unwrap();
    assert_eq!((over.status, over.problem.as_deref()), (OperationStatus::NotEffective, Some(problem)));
}
