//! A cluster that is reached: its watches, how each stands, and what they have shown so far.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::Api;
use kube::core::DynamicObject;
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::argo::{SeenApplication, Settings};
use super::check::{self, EVERYWHERE};
use super::config::Cluster;
use super::kind::{Kind, Object};
use super::placing::Placing;
use super::updater::SeenUpdater;
use super::view::{self, AllKnown, View};
use super::watch::{Follow, Problem, Report, WatchId, Why};
use super::window;
use super::workload::{SeenPod, SeenReplicaSet, SeenWorkload};
use crate::reader::ReadError;

/// Reports that wait to be taken in; a watch that has more waits.
const WAITING: usize = 1_024;

/// A cluster that is reached.
pub(super) struct Connection {
    pub view: View,
    cluster: Arc<Cluster>,
    placing: Arc<Placing>,
    client: Client,
    /// Whether workloads are read in all namespaces.
    everywhere: bool,
    /// Whether there is nowhere to look for workloads.
    nowhere: bool,
    watches: BTreeMap<WatchId, Watch>,
    reports: mpsc::Receiver<(WatchId, Report)>,
    to: mpsc::Sender<(WatchId, Report)>,
    /// The report that was waited for.
    next: Option<(WatchId, Report)>,
}

/// What can be said of a cluster as a whole.
pub(super) enum Standing {
    /// Everything was listed and is followed, or was until a moment ago.
    Complete,
    /// Something was not listed yet.
    Incomplete,
    Broken {
        error: ReadError,
        /// Whether another client may help.
        reconnect: bool,
    },
}

struct Watch {
    listed: bool,
    state: State,
    _task: AbortOnDropHandle<()>,
}

enum State {
    Starting,
    Following,
    NotServed,
    Failed { since: Instant, problem: Problem, told: bool },
}

impl Connection {
    pub(super) async fn open(
        client: Client,
        cluster: Arc<Cluster>,
        placing: Arc<Placing>,
    ) -> Result<Connection, ReadError> {
        let everywhere = if cluster.namespaces.is_empty() {
            let asked = check::may_read_everywhere(&client).await;
            asked.map_err(|problem| {
                ReadError::new(format!("the cluster {} cannot be asked: {}", cluster.name, problem.message))
            })?
        } else {
            false
        };
        let (to, reports) = mpsc::channel(WAITING);
        Ok(Connection {
            view: View::default(),
            cluster,
            placing,
            client,
            everywhere,
            nowhere: false,
            watches: BTreeMap::new(),
            reports,
            to,
            next: None,
        })
    }

    /// Begins to follow what is wanted, and ends to follow what is not any more.
    pub(super) fn follow(&mut self, known: &AllKnown) {
        let mut wanted = check::argocd_watches(&self.cluster);
        if self.everywhere {
            wanted.extend(check::workload_watches(None));
        } else {
            let mut namespaces: BTreeSet<String> = self.cluster.namespaces.iter().cloned().collect();
            if namespaces.is_empty() {
                namespaces = view::namespaces(&self.cluster, known);
            }
            self.nowhere = namespaces.is_empty();
            wanted.extend(check::workload_watches(Some(&namespaces)));
        }
        let view = &mut self.view;
        self.watches.retain(|id, _| {
            let kept = wanted.contains(id);
            if !kept {
                view.forget(id);
            }
            kept
        });
        for id in wanted {
            if !self.watches.contains_key(&id) {
                let task = AbortOnDropHandle::new(self.spawn(&id));
                self.watches.insert(id, Watch { listed: false, state: State::Starting, _task: task });
            }
        }
    }

    /// Waits until there is something to take in.
    pub(super) async fn report(&mut self) {
        // It does not close: this end holds a sender, too.
        self.next = self.reports.recv().await;
    }

    /// Takes in all that was reported.
    pub(super) fn take_in(&mut self) {
        while let Some((id, report)) = self.next.take().or_else(|| self.reports.try_recv().ok()) {
            let Some(watch) = self.watches.get_mut(&id) else { continue };
            match report {
                Report::Listed(objects) => {
                    watch.listed = true;
                    self.view.list(&id, objects);
                }
                Report::Seen(key, object) => self.view.put(id.kind, key, object),
                Report::Gone(key) => self.view.remove(id.kind, &key),
                Report::Following => watch.state = State::Following,
                Report::NotServed => {
                    watch.state = State::NotServed;
                    self.view.forget(&id);
                }
                Report::Failed(problem) => {
                    tracing::debug!(cluster = self.cluster.name, kind = ?id.kind, message = problem.message, "watch failed");
                    let (since, told) = match &watch.state {
                        State::Failed { since, problem: before, told } => {
                            (*since, *told && before.why == problem.why)
                        }
                        State::Starting | State::Following | State::NotServed => (Instant::now(), false),
                    };
                    watch.state = State::Failed { since, problem, told };
                }
            }
        }
    }

    /// Whether all of a kind was listed.
    pub(super) fn lists(&self, kind: Kind) -> bool {
        let mut of_kind = self.watches.iter().filter(|(id, _)| id.kind == kind).peekable();
        of_kind.peek().is_some()
            && of_kind.all(|(_, watch)| watch.listed || matches!(watch.state, State::NotServed))
    }

    /// How the whole stands. When the time to wait is `over`, what is incomplete is broken.
    pub(super) fn standing(&mut self, over: bool) -> Standing {
        let tolerance = self.cluster.pace.tolerance;
        let is_failed = |watch: &Watch| matches!(watch.state, State::Failed { .. });
        let all_failed = !self.watches.is_empty() && self.watches.values().all(is_failed);
        for (id, watch) in &mut self.watches {
            let State::Failed { since, problem, told } = &mut watch.state else { continue };
            let judged = match problem.why {
                // What was told already is told again only after a while.
                Why::Unauthorized | Why::Forbidden => !*told || over,
                Why::NotFound | Why::Gone | Why::Other => {
                    since.elapsed() >= tolerance || over && !watch.listed
                }
            };
            if judged {
                *told = true;
                let reconnect = match problem.why {
                    Why::Unauthorized => true,
                    // It was asked for before all namespaces were read, and may still be allowed in some.
                    Why::Forbidden => id.namespace.is_none() && EVERYWHERE.contains(&id.kind),
                    Why::NotFound | Why::Gone | Why::Other => all_failed,
                };
                return Standing::Broken { error: broken(&self.cluster, id, problem), reconnect };
            }
        }
        let settled = |watch: &Watch| match watch.state {
            State::Following | State::Failed { .. } => watch.listed,
            State::NotServed => true,
            State::Starting => false,
        };
        let failing = self.watches.values().any(
            |watch| matches!(&watch.state, State::Failed { problem, .. } if problem.why == Why::Forbidden),
        );
        let unsettled = self.watches.iter().find(|(_, watch)| !settled(watch));
        let nowhere = self.nowhere && self.cluster.argocd_namespace.is_none();
        match unsettled {
            None if !failing && !nowhere => Standing::Complete,
            None if nowhere && over => {
                Standing::Broken { error: nowhere_to_look(&self.cluster), reconnect: true }
            }
            Some((id, _)) if over => {
                Standing::Broken { error: not_listed(&self.cluster, id), reconnect: true }
            }
            None | Some(_) => Standing::Incomplete,
        }
    }

    /// When a watch that failed will have been failing for too long.
    pub(super) fn next_judgement(&self) -> Option<Instant> {
        let judged = |watch: &Watch| match &watch.state {
            State::Failed { since, problem, .. } => match problem.why {
                Why::Unauthorized | Why::Forbidden => None,
                Why::NotFound | Why::Gone | Why::Other => Some(*since + self.cluster.pace.tolerance),
            },
            State::Starting | State::Following | State::NotServed => None,
        };
        // Not at once, where it is past: what was judged waits for the next report.
        self.watches
            .values()
            .filter_map(judged)
            .min()
            .map(|at| at.max(Instant::now() + Duration::from_millis(50)))
    }

    fn spawn(&self, id: &WatchId) -> tokio::task::JoinHandle<()> {
        match id.kind {
            Kind::Application => {
                let (cluster, placing) = (self.cluster.clone(), self.placing.clone());
                self.spawn_custom(id, move |object| {
                    let seen = SeenApplication::of(object, &cluster, &placing)?;
                    Some(Object::Application(Box::new(seen)))
                })
            }
            Kind::Project => {
                self.spawn_custom(id, |object| Some(Object::Project(window::windows(&object.data))))
            }
            Kind::Updater => {
                self.spawn_custom(id, |object| Some(Object::Updater(Box::new(SeenUpdater::of(object)?))))
            }
            Kind::Rollout => self.spawn_custom(id, |object| {
                Some(Object::Workload(Box::new(SeenWorkload::of_rollout(object)?)))
            }),
            Kind::Settings => {
                self.spawn_core(id, |map: ConfigMap| Some(Object::Settings(Settings::of(&map))))
            }
            Kind::Deployment => self.spawn_core(id, |deployment: Deployment| {
                Some(Object::Workload(Box::new(SeenWorkload::of_deployment(deployment)?)))
            }),
            Kind::ReplicaSet => self.spawn_core(id, |set: ReplicaSet| {
                Some(Object::ReplicaSet(Box::new(SeenReplicaSet::of(set)?)))
            }),
            Kind::Pod => self.spawn_core(id, |pod: Pod| Some(Object::Pod(Box::new(SeenPod::of(pod)?)))),
        }
    }

    fn spawn_custom(
        &self,
        id: &WatchId,
        project: impl Fn(DynamicObject) -> Option<Object> + Send + Sync + 'static,
    ) -> tokio::task::JoinHandle<()> {
        let Some(resource) = id.kind.custom() else { return tokio::spawn(async {}) };
        let api = match &id.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        };
        self.spawn_follow(id, api, project)
    }

    fn spawn_core<K>(
        &self,
        id: &WatchId,
        project: impl Fn(K) -> Option<Object> + Send + Sync + 'static,
    ) -> tokio::task::JoinHandle<()>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + fmt::Debug
            + DeserializeOwned
            + Send
            + 'static,
    {
        let api = match &id.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        };
        self.spawn_follow(id, api, project)
    }

    fn spawn_follow<K>(
        &self,
        id: &WatchId,
        api: Api<K>,
        project: impl Fn(K) -> Option<Object> + Send + Sync + 'static,
    ) -> tokio::task::JoinHandle<()>
    where
        K: Resource + Clone + fmt::Debug + DeserializeOwned + Send + 'static,
    {
        let follow = Follow {
            id: id.clone(),
            api,
            client: self.client.clone(),
            name: id.kind.need().name,
            look_again: self.cluster.pace.look_again,
            to: self.to.clone(),
        };
        tokio::spawn(follow.run(project))
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("cluster", &self.cluster.name).finish_non_exhaustive()
    }
}

fn broken(cluster: &Cluster, id: &WatchId, problem: &Problem) -> ReadError {
    let need = id.kind.need();
    let (verb, resource) = (problem.verb, need.full_resource());
    let (place, name) = (check::place(id.namespace.as_deref()), &cluster.name);
    ReadError::new(match problem.why {
        Why::Unauthorized => {
            format!("the cluster {name} does not accept the credentials: renew or replace them")
        }
        Why::Forbidden => {
            let missing = check::missing(need, verb, id.namespace.as_deref());
            format!("{verb} {resource} {place} of the cluster {name}: {missing}")
        }
        Why::NotFound | Why::Gone | Why::Other => {
            format!("{verb} {resource} {place} of the cluster {name}: {}", problem.message)
        }
    })
}

fn not_listed(cluster: &Cluster, id: &WatchId) -> ReadError {
    ReadError::new(format!(
        "{} {} of the cluster {} were not listed within {} s",
        id.kind.need().full_resource(),
        check::place(id.namespace.as_deref()),
        cluster.name,
        cluster.pace.start.as_secs()
    ))
}

fn nowhere_to_look(cluster: &Cluster) -> ReadError {
    ReadError::new(format!(
        "workloads of the cluster {} may not be read in all namespaces, and no Application is known to deploy to it: name its \
         namespaces, or allow to list and watch deployments, replicasets and pods in all",
        cluster.name
    ))
}
