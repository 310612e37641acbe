//! Which files may set the tag of which service in which environment, by the patterns of the configuration.

use std::collections::{BTreeMap, BTreeSet};

use domain::delivery::{EnvironmentName, Place, ServiceName};

use super::locate::Wanted;

/// A place with the files of it, in the order of their patterns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tracked {
    pub place: Place,
    pub key: String,
    pub files: Vec<Candidate>,
}

/// A file that may be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub path: String,
    /// The number of its pattern.
    pub pattern: usize,
    /// Whether it is of this place alone.
    pub specific: bool,
}

/// All places, and what is looked at for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub tracked: Vec<Tracked>,
    /// The numbers of the places that a path is of.
    pub by_path: BTreeMap<String, Vec<usize>>,
}

impl Layout {
    pub(crate) fn new(
        patterns: &[String],
        key: &str,
        services: &[ServiceName],
        environments: &[EnvironmentName],
    ) -> Layout {
        let names_both = |text: &str| {
            let names = |placeholder: &str| text.contains(placeholder) || key.contains(placeholder);
            (services.len() == 1 || names("{service}")) && (environments.len() == 1 || names("{environment}"))
        };
        let mut tracked = Vec::new();
        let mut by_path: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for service in services {
            for environment in environments {
                let fill = |text: &str| {
                    text.replace("{service}", service.as_str()).replace("{environment}", environment.as_str())
                };
                let mut files: Vec<Candidate> = Vec::new();
                for (pattern, text) in patterns.iter().enumerate() {
                    let path = normalized(&fill(text));
                    if !path.is_empty() && files.iter().all(|file| file.path != path) {
                        by_path.entry(path.clone()).or_default().push(tracked.len());
                        files.push(Candidate { path, pattern, specific: names_both(text) });
                    }
                }
                let place = Place { service: service.clone(), environment: environment.clone() };
                tracked.push(Tracked { place, key: fill(key), files });
            }
        }
        Layout { tracked, by_path }
    }

    /// Every path that is looked at.
    pub(crate) fn paths(&self) -> BTreeSet<String> {
        self.by_path.keys().cloned().collect()
    }
}

impl Tracked {
    pub(crate) fn wanted<'a>(&'a self, file: &Candidate) -> Wanted<'a> {
        Wanted { place: &self.place, key: &self.key, specific: file.specific }
    }

    /// What tells its desired tag apart from all others of the same repository.
    pub(crate) fn subject(&self, path: &str, key: &str) -> String {
        let shared = self.files.iter().any(|file| file.path == path && !file.specific);
        if shared {
            format!("{path}#{key}@{}/{}", self.place.service, self.place.environment)
        } else {
            format!("{path}#{key}")
        }
    }
}

/// A path as Git has it: from the root, without `.` in it.
fn normalized(path: &str) -> String {
    path.split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(patterns: &[&str], key: &str) -> Layout {
        let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        let services = ["users", "payments"].map(|name| ServiceName::parse(name).unwrap());
        let environments = ["dev", "prod"].map(|name| EnvironmentName::parse(name).unwrap());
        Layout::new(&patterns, key, &services, &environments)
    }

    #[test]
    fn patterns_name_a_file_for_each_place() {
        let layout =
            layout(&["./envs/{environment}/{service}/values.yaml", "/charts//{service}.yaml"], "image.tag");
        assert_eq!(layout.tracked.len(), 4);
        let prod = &layout.tracked[1];
        assert_eq!((prod.place.service.as_str(), prod.place.environment.as_str()), ("users", "prod"));
        let files: Vec<_> =
            prod.files.iter().map(|file| (file.path.as_str(), file.pattern, file.specific)).collect();
        assert_eq!(files, [("envs/prod/users/values.yaml", 0, true), ("charts/users.yaml", 1, false)]);
        assert_eq!(layout.by_path["charts/users.yaml"], [0, 1]);
        assert_eq!(
            prod.subject("envs/prod/users/values.yaml", "image.tag"),
            "envs/prod/users/values.yaml#image.tag"
        );
        assert_eq!(prod.subject("charts/users.yaml", "image.tag"), "charts/users.yaml#image.tag@users/prod");
    }

    #[test]
    fn the_key_may_name_the_place_too() {
        let layout = layout(&["envs/{environment}.yaml"], "{service}.image.tag");
        assert_eq!(layout.tracked[2].key, "payments.image.tag");
        assert!(layout.tracked[2].files[0].specific);
        let subjects: BTreeSet<_> =
            layout.tracked.iter().map(|one| one.subject(&one.files[0].path, &one.key)).collect();
        assert_eq!(subjects.len(), 4);
    }

    #[test]
    fn a_file_that_two_patterns_name_is_looked_at_once() {
        let layout = layout(&["{service}/values.yaml", "./{service}/values.yaml"], "image.tag");
        assert_eq!(layout.tracked[0].files.len(), 1);
    }
}
