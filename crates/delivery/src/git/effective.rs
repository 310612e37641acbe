//! Which of the tags that several files set for one place counts.

use super::locate::{Layer, Located, Origin, Reading, Within, origin_by_name};
use super::yaml::KeyPath;

/// Which tag a place gets from all files of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effective {
    /// None of them is there.
    Missing,
    /// They are there, and set none.
    Unset {
        path: String,
        key: String,
    },
    Set(Found),
    Unreadable {
        path: String,
        key: String,
        problem: String,
    },
}

/// The tag that counts, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub path: String,
    pub key: String,
    pub tag: String,
    /// Where it is written, and in what.
    pub at: KeyPath,
    pub within: Within,
    /// Helm renders it as something else, for lack of quotes.
    pub garbled: bool,
    /// Where another tag is written that does not count.
    pub shadowed: Vec<String>,
}

/// What one of a place's files says: `None` where it is not there.
pub(crate) type FileReading = Option<Result<Reading, String>>;

/// Decides between a place's files, in the order in which the configuration names them: of two of the same kind the later counts,
/// as for Helm.
pub(crate) fn effective<'a>(
    key: &str,
    files: impl IntoIterator<Item = (&'a str, &'a FileReading)>,
) -> Effective {
    let files: Vec<(&str, &Result<Reading, String>)> =
        files.into_iter().filter_map(|(path, reading)| Some((path, reading.as_ref()?))).collect();
    let Some((last, _)) = files.last() else { return Effective::Missing };
    let unset = |path: &str| Effective::Unset { path: path.to_owned(), key: key.to_owned() };
    let replaced = files.iter().any(|(_, reading)| {
        reading.as_ref().is_ok_and(|reading| reading.origin == Origin::Override && reading.has_parameters)
    });
    let mut set: Vec<(Layer, Origin, &str, &Located)> = Vec::new();
    let mut hidden = Vec::new();
    for (path, reading) in &files {
        let Ok(Reading { found: Some(located), origin, .. }) = reading else { continue };
        let one = (located.layer, *origin, *path, located);
        match (located.layer, origin) {
            (Layer::Parameters, Origin::Application) if replaced => hidden.push(one),
            _ => set.push(one),
        }
    }
    // A stable sort: the later of equals stays the later.
    set.sort_by_key(|(layer, origin, ..)| (*layer, *origin));
    let strongest = set.pop();
    let problem = files.iter().find_map(|(path, reading)| Some((*path, reading.as_ref().err()?)));
    let hides = |path: &str| {
        // What cannot be read is without weight where something of more weight than it could have is set.
        strongest.is_some_and(|(layer, origin, ..)| {
            layer == Layer::Parameters
                && origin == Origin::Override
                && origin_by_name(path) != Origin::Override
        })
    };
    if let Some((path, problem)) = problem.filter(|(path, _)| !hides(path)) {
        let (path, key, problem) = (path.to_owned(), key.to_owned(), problem.clone());
        return Effective::Unreadable { path, key, problem };
    }
    let Some((.., path, located)) = strongest else { return unset(last) };
    let Some(tag) = &located.tag else {
        return Effective::Unset { path: path.to_owned(), key: located.key.clone() };
    };
    let shadowed = set
        .iter()
        .chain(&hidden)
        .filter(|(.., located)| located.tag.as_ref().is_some_and(|other| other != tag))
        .map(|(.., path, located)| format!("{path}#{}", located.key))
        .collect();
    let Located { key, at, within, garbled, .. } = located.clone();
    Effective::Set(Found { path: path.to_owned(), key, tag: tag.clone(), at, within, garbled, shadowed })
}

#[cfg(test)]
mod tests {
    use domain::delivery::{EnvironmentName, Place, ServiceName};

    use super::*;
    use crate::git::locate::{Wanted, locate};

    const APPLICATION: &str = "\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: users-dev}
spec: {source: {helm: {parameters: [{name: image.tag, value: 0.1.10}]}}}
";

    fn read(path: &str, text: &str) -> Result<Reading, String> {
        let place = Place {
            service: ServiceName::parse("users").unwrap(),
            environment: EnvironmentName::parse("dev").unwrap(),
        };
        locate(path, text.as_bytes(), Wanted { place: &place, key: "image.tag", specific: true })
    }

    /// The decision between files that are given with their contents, in their order.
    fn decided(files: &[(&str, Option<&str>)]) -> Effective {
        let readings: Vec<(&str, FileReading)> =
            files.iter().map(|(path, text)| (*path, text.map(|text| read(path, text)))).collect();
        effective("image.tag", readings.iter().map(|(path, reading)| (*path, reading)))
    }

    const OVERRIDE: &str = "charts/.argocd-source-users-dev.yaml";

    fn counts(files: &[(&str, Option<&str>)]) -> (String, String, Vec<String>) {
        match decided(files) {
            Effective::Set(found) => (found.path, found.tag, found.shadowed),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn parameters_outweigh_values_and_the_updater_the_application() {
        let low = ("values.yaml", Some("image: {tag: low}"));
        let updater = (OVERRIDE, Some("helm: {parameters: [{name: image.tag, value: high}]}"));
        let application = ("app.yaml", Some(APPLICATION));
        for files in [[low, application, updater], [updater, application, low]] {
            let (path, tag, shadowed) = counts(&files);
            assert_eq!((path.as_str(), tag.as_str(), shadowed.len()), (OVERRIDE, "high", 2));
        }
        let (path, tag, shadowed) = counts(&[application, low, (OVERRIDE, None)]);
        assert_eq!(
            (path.as_str(), tag.as_str(), shadowed),
            ("app.yaml", "0.1.10", vec!["values.yaml#image.tag".into()])
        );
    }

    #[test]
    fn of_two_values_files_the_later_counts() {
        let (base, own) = (("base.yaml", Some("image: {tag: a}")), ("dev.yaml", Some("image: {tag: b}")));
        assert_eq!(counts(&[base, own]).1, "b");
        assert_eq!(counts(&[own, base]).1, "a");
        assert_eq!(counts(&[base, ("dev.yaml", Some("replicas: 2"))]).1, "a");
        assert_eq!(counts(&[base, ("dev.yaml", Some("image: {tag: a}"))]).2, Vec::<String>::new());
        // An empty one hides the other.
        let unset = Effective::Unset { path: "dev.yaml".into(), key: "image.tag".into() };
        assert_eq!(decided(&[base, ("dev.yaml", Some("image: {tag: ''}"))]), unset);
    }

    #[test]
    fn what_the_updater_writes_stands_in_place_of_all_parameters() {
        let other = (OVERRIDE, Some("helm: {parameters: [{name: other, value: x}]}"));
        let low = ("values.yaml", Some("image: {tag: low}"));
        assert_eq!(counts(&[low, ("app.yaml", Some(APPLICATION)), other]).1, "low");
        let empty = (OVERRIDE, Some(""));
        assert_eq!(counts(&[low, ("app.yaml", Some(APPLICATION)), empty]).1, "0.1.10");
    }

    #[test]
    fn what_cannot_be_read_is_never_passed_over_for_something_weaker() {
        let broken = ("dev.yaml", Some("image: {tag: "));
        let low = ("values.yaml", Some("image: {tag: low}"));
        assert!(matches!(decided(&[low, broken]), Effective::Unreadable { path, .. } if path == "dev.yaml"));
        assert!(matches!(decided(&[broken, low]), Effective::Unreadable { .. }));
        let updater = (OVERRIDE, Some("helm: {parameters: [{name: image.tag, value: high}]}"));
        assert_eq!(counts(&[low, broken, updater]).1, "high");
        assert!(matches!(decided(&[low, (OVERRIDE, Some("{"))]), Effective::Unreadable { .. }));
    }

    #[test]
    fn without_files_there_is_nothing() {
        assert_eq!(decided(&[("a", None), (OVERRIDE, None)]), Effective::Missing);
        let unset = Effective::Unset { path: "values.yaml".into(), key: "image.tag".into() };
        assert_eq!(decided(&[("values.yaml", Some("replicas: 2")), (OVERRIDE, None)]), unset);
    }
}
