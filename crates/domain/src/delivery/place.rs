//! What all sightings of a service in an environment say together: which facts follow, and what a change waits for there.

mod facts;
mod knowledge;
#[cfg(test)]
mod tests;

use crate::delivery::{
    Application, Branch, BumpPullRequest, CommitSha, DesiredTag, ImageRef, Place, Seen, Sighting, TagChange,
    UpdaterFacts, Workload,
};

pub use facts::Told;
pub use knowledge::{About, ReaderState};

/// Everything that is seen of a service in an environment, each with the name of the reader that sees it.
#[derive(Clone, Debug, Default)]
pub struct Scene<'a> {
    pub desired: Vec<(&'a str, &'a DesiredTag)>,
    pub branches: Vec<&'a Branch>,
    pub bumps: Vec<&'a BumpPullRequest>,
    pub updaters: Vec<&'a UpdaterFacts>,
    pub applications: Vec<(&'a str, &'a Application)>,
    pub workloads: Vec<(&'a str, &'a Workload)>,
}

impl<'a> Scene<'a> {
    /// What concerns the place of all sightings, each with its reader's name; branches concern every place.
    pub fn of(place: &Place, sightings: impl IntoIterator<Item = (&'a str, &'a Sighting)>) -> Scene<'a> {
        let mut scene = Scene::default();
        for (reader, sighting) in sightings {
            if sighting.place.as_ref().is_some_and(|other| other != place) {
                continue;
            }
            match &sighting.seen {
                Seen::Branch(branch) => scene.branches.push(branch),
                Seen::DesiredTag(desired) => scene.desired.push((reader, desired)),
                Seen::Bump(bump) => scene.bumps.push(bump),
                Seen::Updater(updater) => scene.updaters.push(updater),
                Seen::Application(application) => scene.applications.push((reader, application)),
                Seen::Workload(workload) => scene.workloads.push((reader, workload)),
            }
        }
        scene
    }

    /// Whether the commits are known of all the service's images and tags that are seen here.
    pub fn all_known(&self, images: &impl Images) -> bool {
        let of_workloads = self.workloads.iter().flat_map(|(_, workload)| &workload.images);
        let mut seen = self.applications.iter().flat_map(|(_, one)| &one.images).chain(of_workloads);
        let mut changes = self.desired.iter().flat_map(|(_, desired)| &desired.changes);
        seen.all(|image| !images.is_own(image) || images.commit_of(image).is_some())
            && changes.all(|change| images.commit_of_tag(&change.tag).is_some())
    }

    fn branch(&self, desired: &DesiredTag) -> Option<&'a Branch> {
        let is_it =
            |branch: &&&Branch| branch.repository == desired.repository && branch.name == desired.branch;
        self.branches.iter().find(is_it).copied()
    }

    /// What set the tag that a revision of the GitOps repository holds: the newest change that it contains. `None` where no
    /// repository is read, or the revision is older than what was read.
    fn change_at(&self, revision: &str) -> Option<&'a TagChange> {
        self.desired.iter().find_map(|(_, desired)| {
            let branch = self.branch(desired)?;
            desired.changes.iter().find(|change| branch.contains(revision, &change.revision) == Some(true))
        })
    }

    /// Whether a revision contains a change of the tag; `None` where that is not known.
    fn contains(&self, revision: &str, change: &TagChange) -> Option<bool> {
        let branches = self.desired.iter().filter(|(_, desired)| desired.changes.contains(change));
        branches.filter_map(|(_, desired)| self.branch(desired)?.contains(revision, &change.revision)).next()
    }
}

/// Which commits images were built from, as far as is known.
pub trait Images {
    /// The commit of a tag of the service.
    fn commit_of_tag(&self, tag: &str) -> Option<CommitSha>;

    /// Whether an image is the service's, rather than a side-car's.
    fn is_own(&self, image: &ImageRef) -> bool;

    /// The commit of an image that is the service's own; `None` for others, and where it is not known.
    fn commit_of(&self, image: &ImageRef) -> Option<CommitSha>;
}
