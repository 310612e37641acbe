//! What is seen of a cluster, and the sightings that follow from it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::delivery::{Application, ImageRef, Place, Seen, Sighting, SyncWindow, Workload};
use jiff::Timestamp;

use super::argo::{Destination, SeenApplication, Settings};
use super::config::Cluster;
use super::kind::{Kind, Object};
use super::placing::{Placing, place_of};
use super::updater::{SeenUpdater, updater_facts};
use super::watch::{Key, WatchId};
use super::window::{Window, sync_window};
use super::workload::{SeenPod, SeenReplicaSet, SeenWorkload};

/// How an Argo CD names the cluster that it runs in.
const OWN_CLUSTER: [&str; 2] = ["https://kubernetes.default.svc", "in-cluster"];

/// An Application as far as another cluster's reader has to know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// As it marks what it manages.
    tracking_name: String,
    /// The label that may hold that name.
    instance_label: String,
    place: Option<Place>,
    destination: Destination,
    workloads: BTreeSet<Key3>,
}

/// Kind, namespace and name.
type Key3 = (String, String, String);

/// The Applications of all Argo CDs, by the cluster that each runs in.
pub(super) type AllKnown = BTreeMap<String, Arc<Vec<Known>>>;

/// All objects that count.
#[derive(Debug, Default)]
pub(super) struct View {
    objects: BTreeMap<Kind, BTreeMap<Key, Object>>,
    /// Whether what others have to know has changed since it was asked for.
    news: bool,
}

impl View {
    /// Takes the place of all that a watch listed before.
    pub(super) fn list(&mut self, watch: &WatchId, listed: Vec<(Key, Object)>) {
        self.forget(watch);
        self.objects.entry(watch.kind).or_default().extend(listed);
    }

    pub(super) fn put(&mut self, kind: Kind, key: Key, object: Object) {
        self.note(kind);
        self.objects.entry(kind).or_default().insert(key, object);
    }

    pub(super) fn remove(&mut self, kind: Kind, key: &Key) {
        self.note(kind);
        if let Some(objects) = self.objects.get_mut(&kind) {
            objects.remove(key);
        }
    }

    pub(super) fn forget(&mut self, watch: &WatchId) {
        self.note(watch.kind);
        if let Some(objects) = self.objects.get_mut(&watch.kind) {
            objects.retain(|(namespace, _), _| watch.namespace.as_ref().is_some_and(|of| of != namespace));
        }
    }

    fn note(&mut self, kind: Kind) {
        self.news |= matches!(kind, Kind::Application | Kind::Settings);
    }

    /// As [`View::known`], if that may have changed since it was asked for.
    pub(super) fn news(&mut self, cluster: &Cluster) -> Option<Vec<Known>> {
        std::mem::take(&mut self.news).then(|| self.known(cluster))
    }

    /// The Applications, for the readers of the clusters that they deploy to.
    pub(super) fn known(&self, cluster: &Cluster) -> Vec<Known> {
        let Some(argocd_namespace) = &cluster.argocd_namespace else { return Vec::new() };
        let instance_label = self.settings().instance_label;
        let known = |application: &SeenApplication| Known {
            tracking_name: application.tracking_name(argocd_namespace),
            instance_label: instance_label.clone(),
            place: application.place.clone(),
            destination: application.destination.clone(),
            workloads: application.workloads.clone(),
        };
        self.applications().map(known).collect()
    }

    /// Everything that there is to tell.
    pub(super) fn sightings(
        &self,
        cluster: &Cluster,
        placing: &Placing,
        known: &AllKnown,
        now: Timestamp,
    ) -> Vec<Sighting> {
        let mut sightings = Vec::new();
        let interval_seconds = u32::try_from(cluster.updater_interval.as_secs()).unwrap_or(u32::MAX);
        for application in self.applications() {
            let full = format!("{}/{}", application.namespace, application.name);
            if let Some(place) = &application.place {
                let updaters = self.updaters().filter(|updater| updater.namespace == application.namespace);
                let facts = updater_facts(application, &place.service, updaters, interval_seconds);
                sightings.extend(facts.into_iter().map(|(alias, facts)| Sighting {
                    subject: format!("updater/{full}/{alias}"),
                    place: Some(place.clone()),
                    seen: Seen::Updater(facts),
                }));
            }
            sightings.push(Sighting {
                subject: full,
                place: application.place.clone(),
                seen: Seen::Application(Box::new(self.application(application, cluster, now))),
            });
        }
        sightings.retain(|sighting| sighting.place.is_some());
        sightings.extend(self.workloads_told(cluster, placing, known));
        sightings
    }

    fn application(&self, application: &SeenApplication, cluster: &Cluster, now: Timestamp) -> Application {
        let settings = self.settings();
        let namespace = cluster.argocd_namespace.clone().unwrap_or_default();
        let project = self.objects.get(&Kind::Project);
        let windows: &[Window] =
            match project.and_then(|all| all.get(&(namespace, application.project.clone()))) {
                Some(Object::Project(windows)) => windows,
                _ => &[],
            };
        Application {
            window: sync_window(windows, application.target(), now),
            poll_seconds: settings.poll_seconds,
            jitter_seconds: settings.jitter_seconds,
            ..application.shown.clone()
        }
    }

    fn workloads_told(&self, cluster: &Cluster, placing: &Placing, known: &AllKnown) -> Vec<Sighting> {
        let here = Here::of(cluster, known);
        let placed: Vec<(&SeenWorkload, Place)> = self
            .workloads()
            .filter_map(|workload| Some((workload, here.place(workload, placing)?)))
            .collect();
        let sets = self.replica_sets_by_owner();
        let pods = self.pods_by_owner();
        let mut names: BTreeMap<(&Place, &str, &str), u32> = BTreeMap::new();
        for (workload, place) in &placed {
            *names.entry((place, workload.kind.as_str(), workload.name.as_str())).or_default() += 1;
        }
        let told = |(workload, place): &(&SeenWorkload, Place)| {
            let kind = workload.kind.as_str();
            let (namespace, name) = (&workload.namespace, &workload.name);
            let alone = names.get(&(place, kind, name.as_str())).is_none_or(|count| *count == 1);
            let short = if alone { format!("{kind}/{name}") } else { format!("{kind}/{namespace}/{name}") };
            let short = if cluster.one_of_several { format!("{}/{short}", cluster.name) } else { short };
            Sighting {
                subject: format!("{kind}/{namespace}/{name}"),
                place: Some(place.clone()),
                seen: Seen::Workload(assemble(workload, short, &sets, &pods)),
            }
        };
        placed.iter().map(told).collect()
    }

    fn all(&self, kind: Kind) -> impl Iterator<Item = &Object> {
        self.objects.get(&kind).into_iter().flat_map(BTreeMap::values)
    }

    fn applications(&self) -> impl Iterator<Item = &SeenApplication> {
        self.all(Kind::Application).filter_map(|object| match object {
            Object::Application(application) => Some(&**application),
            _ => None,
        })
    }

    fn updaters(&self) -> impl Iterator<Item = &SeenUpdater> {
        self.all(Kind::Updater).filter_map(|object| match object {
            Object::Updater(updater) => Some(&**updater),
            _ => None,
        })
    }

    fn settings(&self) -> Settings {
        let settings = self.all(Kind::Settings).find_map(|object| match object {
            Object::Settings(settings) => Some(settings.clone()),
            _ => None,
        });
        settings.unwrap_or_default()
    }

    fn workloads(&self) -> impl Iterator<Item = &SeenWorkload> {
        self.all(Kind::Deployment).chain(self.all(Kind::Rollout)).filter_map(|object| match object {
            Object::Workload(workload) => Some(&**workload),
            _ => None,
        })
    }

    fn replica_sets_by_owner(&self) -> BTreeMap<&str, Vec<&SeenReplicaSet>> {
        let mut by_owner: BTreeMap<&str, Vec<&SeenReplicaSet>> = BTreeMap::new();
        for object in self.all(Kind::ReplicaSet) {
            if let Object::ReplicaSet(set) = object {
                by_owner.entry(&set.owner).or_default().push(set);
            }
        }
        by_owner
    }

    fn pods_by_owner(&self) -> BTreeMap<&str, Vec<&SeenPod>> {
        let mut by_owner: BTreeMap<&str, Vec<&SeenPod>> = BTreeMap::new();
        for object in self.all(Kind::Pod) {
            if let Object::Pod(pod) = object {
                by_owner.entry(&pod.owner).or_default().push(pod);
            }
        }
        by_owner
    }
}

/// The namespaces that Applications of a place deploy to in a cluster.
pub(super) fn namespaces(cluster: &Cluster, known: &AllKnown) -> BTreeSet<String> {
    let here = deployed_here(cluster, known).into_iter().filter(|known| known.place.is_some());
    let of = |known: &Known| {
        let named = known.workloads.iter().map(|(_, namespace, _)| namespace.clone());
        known.destination.namespace.clone().into_iter().chain(named).collect::<Vec<String>>()
    };
    here.flat_map(of).collect()
}

fn deployed_here<'a>(cluster: &Cluster, known: &'a AllKnown) -> Vec<&'a Known> {
    let same =
        |one: &str, other: &str| one.trim_end_matches('/').eq_ignore_ascii_case(other.trim_end_matches('/'));
    let here = |argocd_at: &str, destination: &Destination| {
        let named = [&destination.server, &destination.name].into_iter().flatten();
        let own: &[&str] = if argocd_at == cluster.name { &OWN_CLUSTER } else { &[] };
        let mut named = named.into_iter();
        named.any(|text| {
            own.iter().any(|one| same(one, text)) || cluster.destinations.iter().any(|one| same(one, text))
        })
    };
    let of = |(argocd_at, applications): (&'a String, &'a Arc<Vec<Known>>)| {
        applications.iter().filter(|known| here(argocd_at, &known.destination)).collect::<Vec<&Known>>()
    };
    known.iter().flat_map(of).collect()
}

/// The Applications that deploy to a cluster, by the name in what they manage.
struct Here<'a> {
    by_name: BTreeMap<&'a str, Vec<&'a Known>>,
    /// The labels that such a name may be in.
    labels: BTreeSet<&'a str>,
}

impl<'a> Here<'a> {
    fn of(cluster: &Cluster, known: &'a AllKnown) -> Here<'a> {
        let mut here = Here { by_name: BTreeMap::new(), labels: BTreeSet::new() };
        for known in deployed_here(cluster, known) {
            here.by_name.entry(&known.tracking_name).or_default().push(known);
            here.labels.insert(&known.instance_label);
        }
        here
    }

    fn named(&self, name: &str) -> impl Iterator<Item = &'a Known> {
        self.by_name.get(name).into_iter().flatten().copied()
    }

    /// The place of a workload: of the Application that manages it, or where no Application is known to deploy to the cluster, by
    /// the Application's name in it and its own labels.
    fn place(&self, workload: &SeenWorkload, placing: &Placing) -> Option<Place> {
        if self.by_name.is_empty() {
            let name = workload.tracked_by.as_deref().unwrap_or(&workload.name);
            return place_of(placing, name, &workload.labels);
        }
        if let Some(name) = &workload.tracked_by {
            return self.named(name).next()?.place.clone();
        }
        // Charts set the same label to the name of their release: what Argo CD lists as the Application's own decides.
        let own = (workload.kind.as_str().to_owned(), workload.namespace.clone(), workload.name.clone());
        let labelled = self.labels.iter().filter_map(|label| {
            let mut named = self.named(workload.labels.get(*label)?);
            named.find(|known| {
                known.instance_label == *label
                    && (known.workloads.is_empty() || known.workloads.contains(&own))
            })
        });
        labelled.into_iter().next()?.place.clone()
    }
}

fn assemble(
    workload: &SeenWorkload,
    name: String,
    sets: &BTreeMap<&str, Vec<&SeenReplicaSet>>,
    pods: &BTreeMap<&str, Vec<&SeenPod>>,
) -> Workload {
    let own = sets.get(workload.uid.as_str()).map_or(&[][..], Vec::as_slice);
    let newest = workload.newest(own);
    let new_pods = newest.and_then(|set| pods.get(set.uid.as_str())).map_or(&[][..], Vec::as_slice);
    let running: BTreeSet<ImageRef> = new_pods.iter().flat_map(|pod| pod.running.iter().cloned()).collect();
    // A Rollout may take its template from a Deployment.
    let images = match newest {
        Some(set) if workload.images.is_empty() => &set.images,
        Some(_) | None => &workload.images,
    };
    // Right after an update the condition still speaks of the ReplicaSet before.
    let observed = workload.state.observed_generation >= workload.state.generation;
    let of_newest = match (&workload.completed, newest) {
        (Some(completed), Some(newest)) => *completed == newest.name,
        (Some(_), None) => false,
        (None, _) => true,
    };
    Workload {
        name,
        images: images.iter().map(|image| ImageRef::parse(image)).collect(),
        running: running.into_iter().collect(),
        revision: workload.revision,
        state: workload.state.clone(),
        pods: new_pods.iter().map(|pod| pod.state.clone()).collect(),
        started: newest.filter(|set| !set.reused).and_then(|set| set.made),
        finished: workload.complete_since.filter(|_| observed && of_newest),
        available_since: workload.available_since,
    }
}

/// Whether two readings say the same, leaving out what moves with every look of a controller.
pub(super) fn same(one: &[Sighting], other: &[Sighting]) -> bool {
    // Most are the same altogether, which is quicker to see.
    let same = |(one, other): (&Sighting, &Sighting)| one == other || !one.is_news_after(other);
    one.len() == other.len() && one.iter().zip(other).all(same)
}

/// When a closed window opens: then what is seen is something else without anything having happened.
pub(super) fn next_opening(sightings: &[Sighting]) -> Option<Timestamp> {
    let opening = |sighting: &Sighting| match &sighting.seen {
        Seen::Application(application) => match application.window {
            SyncWindow::Closed { until } => until,
            SyncWindow::Open => None,
        },
        Seen::Branch(_) | Seen::DesiredTag(_) | Seen::Bump(_) | Seen::Updater(_) | Seen::Workload(_) => None,
    };
    sightings.iter().filter_map(opening).min()
}

#[cfg(test)]
mod tests;
