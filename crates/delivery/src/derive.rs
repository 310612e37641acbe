//! Which facts follow from what is seen: images are matched with the commits that they were built from.

use std::collections::{BTreeMap, BTreeSet};

use domain::delivery::{CommitSha, Fact, ImageRef, Images, Place, Scene, ServiceName, Sighting, Told};
use jiff::Timestamp;
use store::{ImageName, Recorded};

use crate::images::{self, commit_in_tag};
use crate::reader::RegistryImage;
use crate::{Delivery, DeliveryError};

/// What is known of a service's images.
pub(crate) struct KnownImages {
    by_name: BTreeMap<String, CommitSha>,
    service: ServiceName,
    /// Where they are, if that is configured.
    repository: Option<String>,
}

/// What follows from the sightings of a service.
pub(crate) struct Derived {
    pub(crate) facts: Vec<Fact>,
    /// Whether every tag that is seen is of a known commit: what is not may become known.
    pub(crate) all_known: bool,
}

/// What images told.
#[derive(Default)]
pub(crate) struct Named {
    pub(crate) facts: Vec<Fact>,
    /// Those of which a name was told.
    pub(crate) services: BTreeSet<ServiceName>,
}

impl Images for KnownImages {
    fn commit_of_tag(&self, tag: &str) -> Option<CommitSha> {
        self.by_name.get(tag).cloned().or_else(|| commit_in_tag(tag))
    }

    /// By its repository, else by the repository's last part.
    fn is_own(&self, image: &ImageRef) -> bool {
        match &self.repository {
            Some(repository) => *repository == image.repository,
            None => image.repository.rsplit('/').next() == Some(self.service.as_str()),
        }
    }

    fn commit_of(&self, image: &ImageRef) -> Option<CommitSha> {
        if !self.is_own(image) {
            return None;
        }
        let by_digest = image.digest.as_ref().and_then(|digest| self.by_name.get(digest)).cloned();
        by_digest.or_else(|| self.commit_of_tag(image.tag.as_deref()?))
    }
}

impl Delivery {
    /// Remembers what images are called, and answers the facts of those whose commits are known.
    pub(crate) async fn name_images(
        &self,
        images: &[RegistryImage],
        now: Timestamp,
    ) -> Result<Named, DeliveryError> {
        let mut named = Named::default();
        let mut names: BTreeSet<ImageName> = BTreeSet::new();
        let mut by_service: BTreeMap<&ServiceName, Vec<&RegistryImage>> = BTreeMap::new();
        for image in images {
            by_service.entry(&image.service).or_default().push(image);
        }
        for (service, images) in by_service {
            let asked = images.iter().flat_map(|image| image.names()).collect();
            let known = self.store.commits_of_images(service, &asked).await?;
            for image in images {
                let mut commits = images::commits(image);
                if commits.is_empty() {
                    commits.extend(image.names().find_map(|name| known.get(&name).cloned()));
                }
                // Two commits may have given the same image: it is called after the first.
                let Some(commit) = commits.first().cloned() else { continue };
                for name in image.names().filter(|name| known.get(name) != Some(&commit)) {
                    names.insert(ImageName { service: service.clone(), name, commit: commit.clone() });
                    named.services.insert(service.clone());
                }
                // A version of which only the commit is known is a name, and no image.
                if image.detail.digest.is_some() {
                    named.facts.extend(commits.iter().map(|commit| images::fact(image, commit, now)));
                }
            }
        }
        self.store.name_images(&names).await?;
        Ok(named)
    }

    /// Takes in what was told by itself: facts, and images with what follows from their names for what is seen.
    pub(crate) async fn take_in(
        &self,
        mut facts: Vec<Fact>,
        images: &[RegistryImage],
        now: Timestamp,
    ) -> Result<Recorded, DeliveryError> {
        let named = self.name_images(images, now).await?;
        facts.extend(named.facts);
        if !named.services.is_empty() {
            self.discover(&self.store.seen_here().await?);
            for service in &named.services {
                facts.extend(self.derive(service, now).await?.facts);
            }
        }
        self.record(facts, now).await
    }

    /// What is known of the images that are seen.
    pub(crate) async fn known_images(
        &self,
        service: &ServiceName,
        sightings: &[(String, Sighting)],
    ) -> Result<KnownImages, DeliveryError> {
        let mut names = BTreeSet::new();
        for (_, sighting) in sightings {
            sighting.seen.image_names(&mut names);
        }
        Ok(KnownImages {
            by_name: self.store.commits_of_images(service, &names).await?,
            service: service.clone(),
            repository: self.services().get(service).and_then(|service| service.image.clone()),
        })
    }

    /// The facts that follow from what is seen of a service, in the environments that are followed.
    pub(crate) async fn derive(
        &self,
        service: &ServiceName,
        now: Timestamp,
    ) -> Result<Derived, DeliveryError> {
        let sightings = self.store.sightings(service).await?;
        let images = self.known_images(service, &sightings).await?;
        let standing = self.store.standing(service).await?;
        let places: BTreeSet<&Place> =
            sightings.iter().filter_map(|(_, sighting)| sighting.place.as_ref()).collect();
        let mut derived = Derived { facts: Vec::new(), all_known: true };
        for place in places {
            if self.followed(service, Some(&place.environment)).is_err() {
                continue;
            }
            let current = standing
                .as_ref()
                .and_then(|standing| standing.environment(&place.environment)?.current.as_ref())
                .map(|current| (&current.commit, current.at));
            let scene =
                Scene::of(place, sightings.iter().map(|(reader, sighting)| (reader.as_str(), sighting)));
            derived.facts.extend(scene.facts(&images, &Told { place, current, now }));
            derived.all_known &= scene.all_known(&images);
        }
        Ok(derived)
    }
}
