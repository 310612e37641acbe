//! A repository as an image updater and a release team leave it, with a console that operates on it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use delivery::git::{GitopsConfig, RepositoryAt};
use delivery::gitops::{Actor, Gitops, GitopsError, Surroundings};
use delivery::{AwsAccess, ClusterArn, Delivery, DeliveryConfig, EnvironmentRules, Service};
use domain::audit::{AuditAction, AuditFilter};
use domain::delivery::{
    CommitSha, Detail, EnvironmentName, EnvironmentOrder, Fact, ImageDetail, ImageState, LiveDetail, Place,
    ServiceName, Source, Stage, Status,
};
use domain::gitops::{Ask, Operation, OperationId, OperationStatus, Person, Verdict};
use jiff::{SignedDuration, Timestamp};
use store::{DecisionKind, Store};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::git::{BEGINNING, git};

/// How long a test waits for what has to happen.
const PATIENCE: Duration = Duration::from_secs(60);
pub(super) const SERVICES: [(&str, &str, &str); 3] =
    [("users", "1.5.0", "1.4.0"), ("payments", "2.1.0", "2.0.0"), ("cart", "0.9.0", "0.8.0")];

pub(super) struct World {
    directory: TempDir,
    pub(super) store: Store,
    pub(super) gitops: Gitops,
    pub(super) shutdown: CancellationToken,
}

/// A registry that has every image, and a policy that has nothing against anything.
struct Everything;

#[async_trait]
impl Surroundings for Everything {
    async fn image(&self, _: &ServiceName, tag: &str) -> Result<Option<(ImageState, String)>, String> {
        Ok(Some((ImageState::Active, format!("sha256:{tag}"))))
    }

    async fn policy(&self, _: &Place, _: &str, _: &ClusterArn, _: Timestamp) -> (Verdict, String) {
        (Verdict::Passed, "Nothing is against it.".into())
    }

    fn policy_revision(&self) -> String {
        "r1".into()
    }
}

pub(super) fn service(name: &str) -> ServiceName {
    ServiceName::parse(name).unwrap()
}

pub(super) fn place(name: &str, environment: &str) -> Place {
    Place { service: service(name), environment: EnvironmentName::parse(environment).unwrap() }
}

pub(super) fn actor(name: &str) -> Actor {
    Actor {
        person: Person { id: format!("issuer {name}"), name: name.into() },
        address: "203.0.113.7".into(),
    }
}

/// The Application of a service: in dev the updater follows its image, in prod people set the tag.
pub(super) fn application(name: &str, environment: &str) -> String {
    let updater = "argocd-image-updater.argoproj.io";
    let annotations = match environment {
        "dev" => format!(
            "  annotations:\n    {updater}/image-list: {name}=registry.example.com/{name}:~1\n    {updater}/write-back-method: git\n"
        ),
        _ => String::new(),
    };
    let tag = SERVICES.iter().find(|(one, ..)| *one == name).map_or("", |(.., tag)| tag);
    let parameters = match environment {
        "prod" => format!(
            "    helm:\n      parameters:\n        - name: image.tag\n          value: \"{tag}\" # set by the release team\n"
        ),
        _ => String::new(),
    };
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: {name}-{environment}\n{annotations}spec:\n  source:\n    \
         path: charts/{name}\n{parameters}"
    )
}

impl World {
    pub(super) async fn new() -> World {
        World::with(|_| {}).await
    }

    pub(super) async fn with_approval() -> World {
        World::with(|config| {
            config.rules = vec![EnvironmentRules {
                environment: EnvironmentName::parse("prod").unwrap(),
                approval: true,
                auto_merge: false,
                cluster: ClusterArn::parse("arn:aws:eks:eu-west-1:111111111111:cluster/prod"),
            }];
        })
        .await
    }

    async fn with(change: impl FnOnce(&mut DeliveryConfig)) -> World {
        let world = World::of(&files(), change).await;
        for (name, _, prod) in SERVICES {
            world.live(name, "prod", prod).await;
        }
        world.work();
        world.follows().await;
        world
    }

    /// A repository with these files, whose console reads its sources; operations are carried on once [`World::work`] says so.
    pub(super) async fn of(
        files: &BTreeMap<String, String>,
        change: impl FnOnce(&mut DeliveryConfig),
    ) -> World {
        let directory = TempDir::new().unwrap();
        seed(directory.path(), files);
        let gitops = GitopsConfig {
            name: "acme/gitops".into(),
            at: RepositoryAt::Local(directory.path().join("gitops.git")),
            branch: "main".into(),
            files: [
                "envs/{environment}/{service}/application.yaml",
                "charts/{service}/.argocd-source-{service}-{environment}.yaml",
            ]
            .map(str::to_owned)
            .to_vec(),
            applications: [
                "envs/{environment}/{service}/application.yaml",
                "envs/{environment}/updaters.yaml",
            ]
            .map(str::to_owned)
            .to_vec(),
            labels: Vec::new(),
            reviewers: Vec::new(),
            tag_key: GitopsConfig::TAG_KEY.into(),
            poll: Duration::from_millis(200),
        };
        let names = ["dev", "prod"].map(|name| EnvironmentName::parse(name).unwrap());
        let mut config = DeliveryConfig {
            environments: EnvironmentOrder::new(names.to_vec()).unwrap(),
            services: SERVICES.map(|(name, ..)| Service::new(service(name))).to_vec(),
            gitops: vec![gitops],
            stale_after: SignedDuration::from_mins(15),
            ..DeliveryConfig::default()
        };
        change(&mut config);
        let url = format!("sqlite://{}", directory.path().join("tollgate.db").display());
        let store = Store::connect(&url).await.unwrap();
        let delivery = Delivery::new(store.clone(), config);
        let gitops = Gitops::new(delivery.clone(), Arc::new(Everything)).unwrap();
        let shutdown = CancellationToken::new();
        let readers = delivery::readers(delivery.config(), &AwsAccess::default()).await.unwrap();
        tokio::spawn({
            let shutdown = shutdown.clone();
            async move { delivery.follow_until(readers, shutdown).await }
        });
        World { directory, store, gitops, shutdown }
    }

    /// Carries operations on.
    pub(super) fn work(&self) {
        tokio::spawn(self.gitops.clone().work_until(self.shutdown.clone()));
    }

    /// Another process that carries operations on, with the same store.
    pub(super) fn another(&self) -> Gitops {
        let delivery = Delivery::new(self.store.clone(), self.gitops.delivery().config().clone());
        Gitops::new(delivery, Arc::new(Everything)).unwrap()
    }

    pub(super) fn bare(&self) -> PathBuf {
        self.directory.path().join("gitops.git")
    }

    /// Runs git in the repository, and answers what it prints.
    pub(super) fn git(&self, arguments: &[&str]) -> String {
        git(&self.bare(), BEGINNING, arguments)
    }

    /// Somebody else changes a file.
    pub(super) fn commit(&self, path: &str, change: impl FnOnce(String) -> String) {
        let clone = TempDir::new().unwrap();
        let run = |arguments: &[&str]| git(clone.path(), BEGINNING, arguments);
        run(&["clone", "--quiet", self.bare().to_str().unwrap(), "."]);
        let file = clone.path().join(path);
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        std::fs::write(&file, change(text)).unwrap();
        run(&["add", "--all"]);
        run(&["commit", "--quiet", "--message", "Change it"]);
        run(&["push", "--quiet", "origin", "main"]);
    }

    /// Waits until the reader has seen the newest commit.
    pub(super) async fn follows(&self) {
        let head = self.git(&["rev-parse", "main"]);
        until("the repository is read", async || {
            let seen = self.store.sightings(&service("users")).await.unwrap();
            seen.iter().any(|(_, sighting)| match &sighting.seen {
                domain::delivery::Seen::Branch(branch) => branch.revisions.first() == Some(&head),
                _ => false,
            })
        })
        .await;
    }

    pub(super) fn promotion(&self, services: &[&str]) -> Ask {
        Ask::Promote {
            services: services.iter().map(|name| service(name)).collect(),
            from: EnvironmentName::parse("dev").unwrap(),
            to: EnvironmentName::parse("prod").unwrap(),
        }
    }

    pub(super) async fn ask(&self, ask: Ask, by: &str) -> Result<Operation, GitopsError> {
        self.gitops.request(ask, &actor(by), "the sale", None, Timestamp::now()).await
    }

    /// Decides on the plan as it is now.
    pub(super) async fn decide(
        &self,
        id: &OperationId,
        kind: DecisionKind,
        by: &str,
    ) -> Result<Operation, GitopsError> {
        let fingerprint = self.gitops.operation(id).await.unwrap().plan.fingerprint;
        self.gitops.decide(id, kind, &actor(by), &fingerprint, "no need", Timestamp::now()).await
    }

    pub(super) async fn when(&self, id: &OperationId, status: OperationStatus) -> Operation {
        self.until(id, |operation| operation.status == status).await
    }

    pub(super) async fn until(&self, id: &OperationId, holds: impl Fn(&Operation) -> bool) -> Operation {
        let begun = Instant::now();
        loop {
            let operation = self.gitops.operation(id).await.unwrap();
            if holds(&operation) {
                return operation;
            }
            assert!(begun.elapsed() < PATIENCE, "{:?}: {:?}", operation.status, operation.problem);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A pipeline tells that a tag runs.
    pub(super) async fn live(&self, name: &str, environment: &str, tag: &str) {
        live(self.gitops.delivery(), name, environment, tag).await;
    }

    /// What was written down about operations, oldest first.
    pub(super) async fn audit(&self) -> Vec<AuditAction> {
        let entries = self.store.audit(&AuditFilter { limit: 100, ..AuditFilter::default() }).await.unwrap();
        entries.into_iter().rev().map(|entry| entry.entry.action).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// What is in the repository at first.
pub(super) fn files() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for (name, dev, _) in SERVICES {
        for environment in ["dev", "prod"] {
            files.insert(
                format!("envs/{environment}/{name}/application.yaml"),
                application(name, environment),
            );
        }
        let source =
            format!("helm:\n  parameters:\n  - name: image.tag\n    value: {dev}\n    forcestring: true\n");
        files.insert(format!("charts/{name}/.argocd-source-{name}-dev.yaml"), source);
    }
    files
}

/// The repository with its first commit.
fn seed(directory: &Path, files: &BTreeMap<String, String>) {
    let work = directory.join("seed");
    for (path, text) in files {
        let file = work.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    let run = |arguments: &[&str]| git(&work, BEGINNING, arguments);
    run(&["init", "--quiet", "--initial-branch=main"]);
    run(&["add", "--all"]);
    run(&["commit", "--quiet", "--message", "Begin"]);
    git(directory, BEGINNING, &["clone", "--quiet", "--bare", "seed", "gitops.git"]);
}

async fn live(delivery: &Delivery, name: &str, environment: &str, tag: &str) {
    let now = Timestamp::now();
    // Each tag is of a commit of its own.
    let digits: String = tag.chars().filter(char::is_ascii_digit).collect();
    let commit = CommitSha::parse(&format!("{digits:0>40}")).unwrap();
    let fact = |stage, environment: Option<&str>, detail| Fact {
        service: service(name),
        environment: environment.map(|name| EnvironmentName::parse(name).unwrap()),
        commit: commit.clone(),
        stage,
        job: None,
        attempt: 1,
        status: Status::Succeeded,
        started: None,
        finished: Some(now),
        observed: now,
        source: Source::CdEvents,
        source_id: format!("{name}/{environment:?}/{tag}/{stage:?}"),
        link: None,
        detail: Some(detail),
    };
    let image = ImageDetail { tag: Some(tag.into()), ..ImageDetail::default() };
    let live = LiveDetail { version: Some(tag.into()) };
    let facts = vec![
        fact(Stage::Image, None, Detail::Image(image)),
        fact(Stage::Live, Some(environment), Detail::Live(live)),
    ];
    delivery.record(facts, now).await.unwrap();
}

pub(super) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
