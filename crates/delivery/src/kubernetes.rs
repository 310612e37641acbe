//! One cluster as it is read: Argo CD's Applications and how Image Updater is set up for them, and the workloads that they become.
//!
//! Everything is watched through the Kubernetes API; Argo CD's own API is not used, so that no token of it is needed.

mod argo;
mod check;
mod config;
mod connect;
mod connection;
mod duration;
mod eks;
mod json;
mod kind;
mod placing;
pub(crate) mod updater;
mod view;
mod watch;
mod window;
mod workload;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::delivery::Sighting;
use jiff::Timestamp;
use kube::Client;
use kube::api::{Api, ListParams};
use kube::core::DynamicObject;
use tokio::sync::watch::{Receiver, Sender};
use tokio::time::{Instant, sleep_until};

pub use config::{Access, Cluster, Pace};
pub use kind::{Found, NEEDED, Need};
pub use placing::{Placing, place_of};

use self::argo::SeenApplication;
use self::connection::{Connection, Standing};
use self::kind::Kind;
use self::view::AllKnown;
use self::watch::{Why, Wrong, call};
use crate::reader::{Checked, ReadError, Reader, Told};

/// The Applications of all clusters. One is made for all readers, so that a cluster without an Argo CD of its own knows by those of
/// others which Application a workload is of. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Applications(Sender<AllKnown>);

/// Reads one cluster.
#[derive(Debug)]
pub struct ClusterReader {
    cluster: Arc<Cluster>,
    placing: Arc<Placing>,
    aws: aws::Settings,
    applications: Applications,
    known: Receiver<AllKnown>,
    connection: Option<Connection>,
    /// What was told last; `None` before anything was, and after a problem.
    told: Option<Vec<Sighting>>,
}

impl ClusterReader {
    /// `aws` is how EKS is asked; `applications` is shared by the readers of all clusters.
    pub fn new(
        cluster: Cluster,
        placing: Placing,
        aws: aws::Settings,
        applications: Applications,
    ) -> ClusterReader {
        ClusterReader {
            cluster: Arc::new(cluster),
            placing: Arc::new(placing),
            aws,
            known: applications.0.subscribe(),
            applications,
            connection: None,
            told: None,
        }
    }

    /// What is seen once it is something else than what was told, and else after a while.
    async fn seen(&mut self, now: Timestamp) -> Result<Vec<Sighting>, ReadError> {
        let begun = Instant::now();
        if self.connection.is_none() {
            self.connection = Some(self.connect().await?);
        }
        let ClusterReader { cluster, placing, applications, known, connection: slot, told, .. } = self;
        let Some(connection) = slot.as_mut() else { return Ok(Vec::new()) };
        let pace = cluster.pace;
        let last = begun + if told.is_none() { pace.start } else { pace.quiet };
        loop {
            connection.take_in();
            publish(applications, cluster, connection);
            let all_known = known.borrow_and_update().clone();
            connection.follow(&all_known);
            let over = Instant::now() >= last;
            let mut wake = last;
            match connection.standing(over) {
                Standing::Broken { error, reconnect } => {
                    if reconnect {
                        *slot = None;
                    }
                    return Err(error);
                }
                Standing::Incomplete => {}
                Standing::Complete => {
                    let at = now.saturating_add(begun.elapsed()).unwrap_or(now);
                    let sightings = connection.view.sightings(cluster, placing, &all_known, at);
                    let same = told.as_ref().is_some_and(|told| view::same(told, &sightings));
                    if !same || over {
                        return Ok(sightings);
                    }
                    if let Some(opens) = view::next_opening(&sightings) {
                        let until = Duration::try_from(opens.duration_since(at)).unwrap_or(Duration::ZERO);
                        wake = wake.min(Instant::now() + until + Duration::from_secs(1));
                    }
                }
            }
            wake = connection.next_judgement().map_or(wake, |judged| wake.min(judged));
            tokio::select! {
                () = connection.report() => tokio::time::sleep(pace.settle).await,
                // Whoever else reads holds a sender: it does not close.
                _ = known.changed() => {}
                () = sleep_until(wake) => {}
            }
        }
    }

    async fn connect(&self) -> Result<Connection, ReadError> {
        let client = self.client().await?;
        Connection::open(client, self.cluster.clone(), self.placing.clone()).await
    }

    async fn client(&self) -> Result<Client, ReadError> {
        // Credentials may be made by a program, or come from a service that does not answer.
        let limit = self.cluster.pace.start;
        let client = tokio::time::timeout(limit, connect::client(&self.cluster, &self.aws)).await;
        client.unwrap_or_else(|_| {
            Err(ReadError::new(format!(
                "no credentials for the cluster {} could be had within {} s",
                self.cluster.name,
                limit.as_secs()
            )))
        })
    }

    /// The namespaces of workloads to ask about: `None` for all.
    async fn checked_namespaces(&self, client: &Client) -> Option<BTreeSet<String>> {
        if !self.cluster.namespaces.is_empty() {
            return Some(self.cluster.namespaces.iter().cloned().collect());
        }
        if check::may_read_everywhere(client).await == Ok(true) {
            return None;
        }
        let mut known = self.known.borrow().clone();
        let mut view = view::View::default();
        for watch in check::argocd_watches(&self.cluster) {
            let (Kind::Application, Some(namespace), Some(resource)) =
                (watch.kind, &watch.namespace, watch.kind.custom())
            else {
                continue;
            };
            let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
            let parameters = ListParams::default();
            let listed = call("list", async { api.list(&parameters).await.map_err(Wrong::from) }).await;
            let seen = listed.into_iter().flat_map(|list| list.items);
            let seen = seen.filter_map(|object| SeenApplication::of(object, &self.cluster, &self.placing));
            let keyed = |one: SeenApplication| {
                ((one.namespace.clone(), one.name.clone()), kind::Object::Application(Box::new(one)))
            };
            view.list(&watch, seen.map(keyed).collect());
        }
        known.insert(self.cluster.name.clone(), Arc::new(view.known(&self.cluster)));
        let namespaces = view::namespaces(&self.cluster, &known);
        (!namespaces.is_empty()).then_some(namespaces)
    }
}

/// Lets the readers of other clusters know of the Applications.
fn publish(applications: &Applications, cluster: &Cluster, connection: &mut Connection) {
    if cluster.argocd_namespace.is_none() || !connection.lists(Kind::Application) {
        return;
    }
    let Some(known) = connection.view.news(cluster) else { return };
    applications.0.send_if_modified(|all| {
        let changed = all.get(&cluster.name).is_none_or(|before| **before != known);
        if changed {
            all.insert(cluster.name.clone(), Arc::new(known));
        }
        changed
    });
}

#[async_trait]
impl Reader for ClusterReader {
    async fn read(&mut self, now: Timestamp) -> Result<Told, ReadError> {
        match self.seen(now).await {
            Ok(sightings) => {
                self.told = Some(sightings.clone());
                Ok(Told { sightings: Some(sightings), ..Told::default() })
            }
            Err(error) => {
                // Once it can be read again that is told at once, though nothing may have changed.
                self.told = None;
                Err(error)
            }
        }
    }

    fn pause(&self) -> Duration {
        Duration::ZERO
    }

    async fn check(&mut self) -> Vec<Checked> {
        let what = format!("reach the cluster {}", self.cluster.name);
        let client = match self.client().await {
            Ok(client) => client,
            Err(error) => return vec![Checked { what, outcome: Err(error.message) }],
        };
        let asked = async { client.apiserver_version().await.map_err(Wrong::from) };
        let reached = match call("get", asked).await {
            Ok(version) => Checked { what, outcome: Ok(format!("Kubernetes {}", version.git_version)) },
            Err(problem) => {
                let hint = match problem.why {
                    Why::Unauthorized => ": give credentials that the cluster knows",
                    Why::Forbidden | Why::NotFound | Why::Gone | Why::Other => "",
                };
                return vec![Checked { what, outcome: Err(format!("{}{hint}", problem.message)) }];
            }
        };
        let namespaces = self.checked_namespaces(&client).await;
        let mut watches = check::argocd_watches(&self.cluster);
        watches.extend(check::workload_watches(namespaces.as_ref()));
        let mut checked = vec![reached];
        checked.extend(check::permissions(&client, &self.cluster, &watches).await);
        checked
    }
}
