//! The repository and its console, with a cluster that Argo CD and Image Updater work in.

use std::time::Duration;

use delivery::kubernetes::{Access, Cluster, Pace, Placing};
use domain::delivery::{
    CommitSha, Detail, Fact, ImageDetail, Place, Seen, Source, Stage, Status, UpdaterMode,
};
use jiff::Timestamp;
use tokio::task::JoinHandle;

use super::argo::Argo;
use super::updater::{UPDATER, Updater};
use crate::apiserver::ApiServer;
use crate::operations::world::{self, SERVICES, World, application, service, until};

pub(super) struct ClusterWorld {
    pub(super) world: World,
    pub(super) argo: Argo,
    pub(super) updater: Updater,
    pub(super) namespace: String,
    running: JoinHandle<()>,
}

/// An ImageUpdater of dev, as somebody wrote it.
pub(super) fn image_updater(name: &str, namespace: &str) -> String {
    let entries: String = SERVICES
        .iter()
        .map(|(service, ..)| {
            format!(
                "    - namePattern: {service}-dev\n      images:\n        # Everything that is pushed.\n        - alias: {service}\n          \
                 imageName: registry.example.com/{service}\n"
            )
        })
        .collect();
    format!(
        "apiVersion: {UPDATER}\nkind: ImageUpdater\nmetadata:\n  name: {name}\nspec:\n  namespace: {namespace}\n  commonUpdateSettings:\n    \
         updateStrategy: newest-build\n  writeBackConfig:\n    method: git\n  applicationRefs:\n{entries}"
    )
}

impl ClusterWorld {
    /// Where each image of dev is steered in the given form, and everything runs what the repository says.
    pub(super) async fn new(mode: UpdaterMode) -> ClusterWorld {
        let updaters = |namespace: &str| match mode {
            UpdaterMode::Annotations => String::new(),
            UpdaterMode::Resource => image_updater("shop", namespace),
        };
        ClusterWorld::with(updaters).await
    }

    /// With these ImageUpdaters in the repository.
    pub(super) async fn with(updaters: impl FnOnce(&str) -> String) -> ClusterWorld {
        let server = ApiServer::shared().await;
        let namespace = server.namespace("operations").await;
        let updaters = updaters(&namespace);
        let mut files = world::files();
        for (name, ..) in SERVICES {
            let path = |environment: &str| format!("envs/{environment}/{name}/application.yaml");
            for environment in ["dev", "prod"] {
                let annotated = environment == "dev" && updaters.is_empty();
                files.insert(path(environment), deployed(name, environment, annotated, &namespace));
            }
        }
        if !updaters.is_empty() {
            files.insert("envs/dev/updaters.yaml".into(), updaters);
        }
        let cluster = Cluster {
            argocd_namespace: Some(namespace.clone()),
            namespaces: vec![namespace.clone()],
            pace: Pace { settle: Duration::from_millis(50), ..Pace::default() },
            ..Cluster::new("eu", Access::Kubeconfig { path: Some(server.kubeconfig()), context: None })
        };
        let world = World::of(&files, |config| {
            config.placing =
                Placing { name_pattern: Some("{service}-{environment}".into()), ..Placing::default() };
            config.clusters = vec![cluster];
        })
        .await;
        let argo = Argo::new(server, &namespace, world.bare());
        let running = tokio::spawn(argo.clone().run());
        let updater = Updater { server, namespace: namespace.clone(), bare: world.bare() };
        let world = ClusterWorld { world, argo, updater, namespace, running };
        for (name, dev, prod) in SERVICES {
            world.built(name, dev).await;
            world.built(name, prod).await;
        }
        world.world.work();
        for (name, dev, prod) in SERVICES {
            world.runs(name, "dev", dev).await;
            world.runs(name, "prod", prod).await;
        }
        world
    }

    /// A pipeline tells of an image.
    pub(super) async fn built(&self, name: &str, tag: &str) {
        let digits: String = tag.chars().filter(char::is_ascii_digit).collect();
        let image = ImageDetail { tag: Some(tag.into()), ..ImageDetail::default() };
        let now = Timestamp::now();
        let fact = Fact {
            service: service(name),
            environment: None,
            commit: CommitSha::parse(&format!("{digits:0>40}")).unwrap(),
            stage: Stage::Image,
            job: None,
            attempt: 1,
            status: Status::Succeeded,
            started: None,
            finished: Some(now),
            observed: now,
            source: Source::CdEvents,
            source_id: format!("{name}/{tag}"),
            link: None,
            detail: Some(Detail::Image(image)),
        };
        self.world.gitops.delivery().record(vec![fact], now).await.unwrap();
    }

    /// Waits until a tag is seen to run, and well.
    pub(super) async fn runs(&self, name: &str, environment: &str, tag: &str) {
        until(&format!("{name} runs {tag} in {environment}"), async || {
            let cell = self.cell(name, environment).await;
            let runs = cell.current.as_ref().and_then(|current| current.version.as_deref());
            runs == Some(tag) && cell.health.as_str() == "healthy"
        })
        .await;
    }

    /// The updater finds another tag of a service, and dev comes to run it.
    pub(super) async fn updated(&self, name: &str, tag: &str) {
        self.built(name, tag).await;
        assert_eq!(self.updater.look(name, &[tag]).await, [format!("{name}-dev {tag}")]);
    }

    /// Waits until an environment is seen to be so.
    pub(super) async fn is(&self, name: &str, environment: &str, health: &str) {
        until(&format!("{name} is {health} in {environment}"), async || {
            self.cell(name, environment).await.health.as_str() == health
        })
        .await;
    }

    async fn cell(&self, name: &str, environment: &str) -> domain::delivery::Cell {
        let rows = self.world.gitops.delivery().matrix(Timestamp::now()).await.unwrap();
        let mut cells = rows.into_iter().flat_map(|(_, cells)| cells);
        let is_it = |cell: &domain::delivery::Cell| {
            cell.service.as_str() == name && cell.environment.as_str() == environment
        };
        cells.find(is_it).unwrap()
    }

    /// Waits until what the cluster shows of updaters is as wanted.
    pub(super) async fn updaters_seen(&self, place: &Place, wanted: impl Fn(&[UpdaterMode]) -> bool) {
        until("the updaters of the cluster are read", async || {
            let seen = self.world.store.sightings(&place.service).await.unwrap();
            let modes: Vec<UpdaterMode> = seen
                .iter()
                .filter(|(_, sighting)| sighting.place.as_ref() == Some(place))
                .filter_map(|(_, sighting)| match &sighting.seen {
                    Seen::Updater(updater) => Some(updater.mode),
                    _ => None,
                })
                .collect();
            wanted(&modes)
        })
        .await;
    }

    /// A file as it is on the branch.
    pub(super) fn file(&self, path: &str) -> String {
        self.world.git(&["show", &format!("main:{path}")])
    }
}

impl Drop for ClusterWorld {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// An Application that Argo CD takes.
fn deployed(name: &str, environment: &str, annotated: bool, namespace: &str) -> String {
    let mut text = application(name, environment)
        .replace(":~1\n", "\n")
        .replace(
            "spec:\n  source:\n",
            &format!(
                "spec:\n  project: default # of all\n  destination: {{server: https://kubernetes.default.svc, namespace: {namespace}}}\n  \
                 source:\n    repoURL: https://git.example.com/gitops.git\n    targetRevision: main\n"
            ),
        );
    if annotated {
        let strategy = format!("    argocd-image-updater.argoproj.io/{name}.update-strategy: newest-build\n");
        text = text.replace("spec:\n", &format!("{strategy}spec:\n"));
    } else if environment == "dev" {
        let begin = text.find("  annotations:").unwrap();
        let end = text.find("spec:").unwrap();
        text.replace_range(begin..end, "");
    }
    text
}
