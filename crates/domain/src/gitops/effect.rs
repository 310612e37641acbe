//! Whether an operation that is merged is in effect: what was written counts only once whoever reads it has read it.

use crate::delivery::{
    Application, ArgoDeployed, CellHealth, ImageCheck, ImageRef, Images, Keeps, Place, Scene, UpdaterFacts,
    argo_deployed,
};

use super::{Ask, Operation};

/// Whether it is in effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    Yes,
    /// What it waits for.
    NotYet(String),
    /// What keeps it from being so until somebody does something.
    No(String),
}

/// What is seen of a place after the merge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlaceSeen {
    /// How the updater is set up for each of the service's images, as the cluster has it; none where no updater is seen there.
    pub updaters: Vec<UpdaterFacts>,
    /// Whether the cluster of the place is read at all.
    pub has_cluster: bool,
    /// Whether Argo CD has deployed the merged commit; `None` where no Application is seen.
    pub deployed: Option<ArgoDeployed>,
    /// The tag that the repository says since the commit, and the one that runs.
    pub desired: Option<String>,
    pub runs: Option<String>,
    pub health: Option<CellHealth>,
}

impl PlaceSeen {
    /// What a scene tells of a place, after `commit` was merged that is to bring `tag`. What runs by what was told is not in a scene.
    pub fn of(scene: &Scene<'_>, images: &impl Images, commit: &str, tag: Option<&str>) -> PlaceSeen {
        let has_tag = |image: &ImageRef| images.is_own(image) && image.tag.as_deref() == tag;
        let workloads: Vec<_> = scene
            .workloads
            .iter()
            .filter(|(_, workload)| workload.images.iter().any(|image| images.is_own(image)))
            .collect();
        let check = |application: &Application| {
            if !workloads.is_empty() {
                let run = workloads
                    .iter()
                    .all(|(_, workload)| workload.serves() && workload.images.iter().any(has_tag));
                return if run { ImageCheck::Runs } else { ImageCheck::Missing };
            }
            match application.images.iter().any(|image| images.is_own(image)) {
                true if application.images.iter().any(has_tag) => ImageCheck::Runs,
                true => ImageCheck::Missing,
                false => ImageCheck::NothingRuns,
            }
        };
        let contains =
            |revision: &str| scene.branches.iter().find_map(|branch| branch.contains(revision, commit));
        let deployed = scene
            .applications
            .iter()
            .map(|(_, application)| argo_deployed(&application.state, contains, check(application)));
        // Where several clusters run it, all of them have to.
        let deployed: Vec<ArgoDeployed> = deployed.collect();
        // What was read before the commit says nothing of what came after it.
        let holds_commit = |repository: &str| {
            let mut branches = scene.branches.iter().filter(|branch| branch.repository == repository);
            branches.any(|branch| branch.revisions.iter().any(|revision| revision == commit))
        };
        let mut desired = scene.desired.iter().filter(|(_, desired)| holds_commit(&desired.repository));
        let lacking = deployed.iter().find(|one| **one != ArgoDeployed::Deployed);
        PlaceSeen {
            updaters: scene.updaters.iter().map(|updater| (*updater).clone()).collect(),
            has_cluster: !scene.applications.is_empty(),
            deployed: lacking.or(deployed.first()).copied(),
            desired: desired.find_map(|(_, desired)| desired.tag.clone()),
            runs: None,
            health: None,
        }
    }
}

/// Whether an operation is in effect in every place that it concerns, or the first thing that it lacks.
pub fn effect<'a>(operation: &Operation, seen: impl Fn(&Place) -> Option<&'a PlaceSeen>) -> Effect {
    let mut waits = None;
    for place in operation.ask.places() {
        let lacks = match seen(&place) {
            Some(seen) => lacks(operation, &place, seen),
            None => Some(Lack::Waits("nothing is known of it yet".into())),
        };
        let name = |what: String| format!("{} in {}: {what}", place.service, place.environment);
        match lacks {
            None => {}
            Some(Lack::Blocked(why)) => return Effect::No(name(why)),
            Some(Lack::Waits(why)) => waits = waits.or(Some(name(why))),
        }
    }
    waits.map_or(Effect::Yes, Effect::NotYet)
}

/// What a place lacks.
enum Lack {
    Waits(String),
    Blocked(String),
}

fn lacks(operation: &Operation, place: &Place, seen: &PlaceSeen) -> Option<Lack> {
    let plan = &operation.plan;
    let bypass = match &operation.ask {
        Ask::Freeze { bypass, .. } => bypass.as_deref(),
        Ask::Resume { .. } | Ask::Promote { .. } | Ask::Revert { .. } => None,
    };
    plan.tag(place)
        .and_then(|tag| lacks_tag(tag, seen))
        .or_else(|| plan.holds(place).and_then(|held| lacks_hold(held, bypass, seen)))
}

fn lacks_tag(tag: &str, seen: &PlaceSeen) -> Option<Lack> {
    if seen.desired.as_deref().is_some_and(|desired| desired != tag) {
        let desired = seen.desired.as_deref().unwrap_or_default();
        return Some(Lack::Blocked(format!(
            "the repository says {desired} by now and not {tag}: another commit came after it"
        )));
    }
    match seen.deployed {
        Some(ArgoDeployed::Deployed) => None,
        Some(ArgoDeployed::NotSeen) => Some(Lack::Waits("Argo CD has not seen the commit yet".into())),
        Some(ArgoDeployed::OutOfSync) => Some(Lack::Waits("Argo CD has not applied the commit yet".into())),
        Some(ArgoDeployed::Operation(_)) => Some(Lack::Waits("Argo CD applies the commit".into())),
        Some(ArgoDeployed::NotHealthy(health)) => {
            Some(Lack::Waits(format!("it is applied, and {}", health.as_str().to_lowercase())))
        }
        Some(ArgoDeployed::ImageMissing) => Some(Lack::Waits(format!("no pod runs {tag} yet"))),
        // What others tell of what runs is all that there is.
        Some(ArgoDeployed::Unknown) | None => match &seen.runs {
            Some(runs) if runs == tag => match seen.health {
                Some(CellHealth::Degraded) => Some(Lack::Waits(format!("{tag} runs, and is degraded"))),
                _ => None,
            },
            Some(runs) => Some(Lack::Waits(format!("{runs} runs and not {tag} yet"))),
            None => Some(Lack::Waits(format!("nobody tells whether {tag} runs"))),
        },
    }
}

fn lacks_hold(held: bool, bypass: Option<&str>, seen: &PlaceSeen) -> Option<Lack> {
    if seen.updaters.is_empty() {
        return Some(Lack::Waits(if seen.has_cluster {
            "no updater of its image is seen in the cluster".into()
        } else {
            "no cluster is read that would tell whether the updater obeys".into()
        }));
    }
    seen.updaters.iter().find_map(|updater| disobeys(held, bypass, updater))
}

fn disobeys(held: bool, bypass: Option<&str>, updater: &UpdaterFacts) -> Option<Lack> {
    let what = match (held, updater.keeps_from()) {
        (true, Keeps::Everything) if bypass.is_none() => return None,
        (true, Keeps::AllBut(tag)) if bypass == Some(tag.as_str()) => return None,
        (false, Keeps::Nothing) => return None,
        (true, Keeps::Nothing) => "the updater is not kept from new tags in the cluster yet".into(),
        (true, Keeps::Everything) => "the updater is kept from every tag in the cluster".into(),
        (true, Keeps::AllBut(tag)) => format!("the updater may set {tag} in the cluster"),
        (false, Keeps::Everything | Keeps::AllBut(_)) => {
            "the updater is still kept from new tags in the cluster".into()
        }
    };
    Some(Lack::Waits(what))
}
