//! What was told of a repository, so that only what changed is told, and what was read of manifests, which never change.

use std::collections::BTreeMap;

use domain::delivery::ServiceName;
use jiff::{SignedDuration, Timestamp};

use super::image::Listed;
use super::manifest::Manifest;
use super::name::ImageName;
use crate::reader::RegistryImage;

/// How often all is told again: whoever was told may not have kept it.
const TOLD_AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// What is remembered of one repository.
#[derive(Debug, Default)]
pub(super) struct Memory {
    manifests: BTreeMap<String, Manifest>,
    told: BTreeMap<String, Known>,
    all_told: Option<Timestamp>,
}

/// An image as it was told last, and since when it is like that where it was told otherwise before.
#[derive(Debug)]
struct Known {
    listed: Listed,
    manifest: Option<Manifest>,
    since: Option<Timestamp>,
}

/// What was read of a repository.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) images: Vec<Listed>,
    /// Those that were read this time, by digest.
    pub(super) manifests: BTreeMap<String, Manifest>,
}

impl Memory {
    /// The digests of the images whose manifests say something that is not known yet.
    pub(super) fn unread<'a>(&self, images: &'a [Listed]) -> Vec<&'a str> {
        let unread =
            |image: &&Listed| image.asks_for_manifest() && !self.manifests.contains_key(&image.digest);
        images.iter().filter(unread).map(|image| image.digest.as_str()).collect()
    }

    /// What to tell of a reading, and remembers it as told.
    pub(super) fn tell(
        &mut self,
        name: &ImageName,
        services: &[ServiceName],
        reading: Reading,
        now: Timestamp,
    ) -> Vec<RegistryImage> {
        // A clock that was set back must not keep everything from being told for long.
        let recently = |at: Timestamp| at <= now && now.duration_since(at) < TOLD_AGAIN;
        let all = !self.all_told.is_some_and(recently);
        if all {
            self.all_told = Some(now);
        }
        self.manifests.extend(reading.manifests);
        let mut before = std::mem::take(&mut self.told);
        let mut images = Vec::new();
        for listed in reading.images {
            let manifest = self.manifests.get(&listed.digest).cloned();
            let known = before.remove(&listed.digest);
            let same =
                known.as_ref().is_some_and(|known| known.listed == listed && known.manifest == manifest);
            let since = match &known {
                Some(known) if same => known.since,
                Some(_) => Some(now),
                None => listed.state_since,
            };
            if all || !same {
                images.extend(services.iter().map(|service| RegistryImage {
                    since,
                    ..listed.told(&name.registry, name, service, manifest.as_ref())
                }));
            }
            self.told.insert(listed.digest.clone(), Known { listed, manifest, since });
        }
        let told = &self.told;
        self.manifests.retain(|digest, _| told.contains_key(digest));
        images
    }
}

#[cfg(test)]
mod tests {
    use domain::delivery::ImageState;

    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + minute * 60).unwrap()
    }

    fn name() -> ImageName {
        ImageName::parse("111122223333.dkr.ecr.eu-central-1.amazonaws.com/team/users").unwrap()
    }

    fn listed(digest: &str, tags: &[&str]) -> Listed {
        Listed {
            digest: digest.into(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            pushed: Some(at(0)),
            scan: None,
            state: Some(ImageState::Active),
            state_since: None,
            is_index: false,
        }
    }

    struct Told {
        memory: Memory,
        services: Vec<ServiceName>,
    }

    impl Told {
        fn new() -> Told {
            Told { memory: Memory::default(), services: vec![ServiceName::parse("users").unwrap()] }
        }

        fn tell(
            &mut self,
            minute: i64,
            images: &[Listed],
            manifests: &[(&str, Manifest)],
        ) -> Vec<RegistryImage> {
            let manifests =
                manifests.iter().map(|(digest, manifest)| ((*digest).to_owned(), manifest.clone()));
            let reading = Reading { images: images.to_vec(), manifests: manifests.collect() };
            self.memory.tell(&name(), &self.services, reading, at(minute))
        }
    }

    #[test]
    fn only_what_changed_is_told_and_all_of_it_every_hour() {
        let mut told = Told::new();
        let (one, two) = (listed("sha256:1", &["1.4.1"]), listed("sha256:2", &["1.4.2"]));
        assert_eq!(told.tell(0, &[one.clone(), two.clone()], &[]).len(), 2);
        assert_eq!(told.tell(1, &[two.clone(), one.clone()], &[]), []);
        let moved = listed("sha256:2", &["1.4.2", "stable"]);
        let news = told.tell(2, &[one.clone(), moved.clone()], &[]);
        assert_eq!(news.len(), 1);
        assert_eq!((news[0].tags.len(), news[0].since), (2, Some(at(2))));
        assert_eq!(told.tell(59, &[one.clone(), moved.clone()], &[]), []);
        let all = told.tell(60, &[one.clone(), moved.clone()], &[]);
        // What is told again is told as before.
        assert_eq!(all.iter().map(|image| image.since).collect::<Vec<_>>(), [None, Some(at(2))]);
        assert_eq!(told.tell(61, &[one, moved], &[]), []);
    }

    #[test]
    fn what_was_once_and_is_again_is_told_anew() {
        let mut told = Told::new();
        let active = listed("sha256:1", &["1.4.1"]);
        let archived = Listed { state: Some(ImageState::Archived), ..active.clone() };
        assert_eq!(told.tell(0, std::slice::from_ref(&active), &[])[0].since, None);
        assert_eq!(told.tell(1, &[archived], &[])[0].since, Some(at(1)));
        assert_eq!(told.tell(2, &[active], &[])[0].since, Some(at(2)));
        let restored = Listed { state_since: Some(at(-9)), ..listed("sha256:2", &["1.4.2"]) };
        assert_eq!(
            told.tell(3, &[restored], &[])[0].since,
            Some(at(-9)),
            "by the registry's clock where it says so"
        );
    }

    #[test]
    fn a_manifest_is_read_once_as_long_as_its_image_is_followed() {
        let mut told = Told::new();
        let images = [listed("sha256:1", &["latest"]), listed("sha256:2", &["sha-abc1234"])];
        assert_eq!(told.memory.unread(&images), ["sha256:1"]);
        assert_eq!(told.tell(0, &images, &[]).len(), 2);
        assert_eq!(told.memory.unread(&images), ["sha256:1"], "it could not be read");
        let manifest = Manifest { revision: Some("abc1234".into()), platforms: vec!["sha256:3".into()] };
        let news = told.tell(1, &images, &[("sha256:1", manifest)]);
        assert_eq!(news.len(), 1);
        assert_eq!(
            (news[0].revision.as_deref(), &news[0].platform_digests[..]),
            (Some("abc1234"), &["sha256:3".to_owned()][..])
        );
        assert_eq!(told.memory.unread(&images), Vec::<&str>::new());
        told.tell(2, &images[1..], &[]);
        assert_eq!(told.memory.unread(&images), ["sha256:1"], "nothing is kept of what is gone");
    }

    #[test]
    fn an_image_of_several_services_is_told_of_each() {
        let mut told = Told::new();
        told.services.push(ServiceName::parse("worker").unwrap());
        let images = told.tell(0, &[listed("sha256:1", &["1.4.1"])], &[]);
        let services: Vec<&str> = images.iter().map(|image| image.service.as_str()).collect();
        assert_eq!(services, ["users", "worker"]);
        let link = images[0].link.as_deref().unwrap();
        assert!(
            link.ends_with("/private/111122223333/team/users/_/image/sha256:1/details?region=eu-central-1"),
            "{link}"
        );
    }
}
