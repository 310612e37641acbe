//! How Argo CD Image Updater is set up for an Application: by annotations of the Application, or by an ImageUpdater resource.

use std::collections::BTreeMap;

use domain::delivery::{ImageRef, ServiceName, UpdateStrategy, UpdaterFacts, UpdaterMode, glob_matches};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{DynamicObject, Selector, SelectorExt as _};
use serde_json::Value;

use super::argo::SeenApplication;
use super::json::Read as _;

pub(crate) const PREFIX: &str = "argocd-image-updater.argoproj.io/";
/// A regular expression that matches nothing, which is what the updater makes of an `allow-tags` that it cannot read.
const NOTHING: &str = r"[^\s\S]";

/// An ImageUpdater resource.
#[derive(Clone, Debug)]
pub(crate) struct SeenUpdater {
    /// Where its Applications are.
    pub namespace: String,
    pub name: String,
    last_checked: Option<Timestamp>,
    /// Most specific first.
    references: Vec<Reference>,
}

/// An entry of `spec.applicationRefs`.
#[derive(Clone, Debug)]
struct Reference {
    /// Its place in the list.
    number: usize,
    pattern: String,
    selector: Option<Selector>,
    use_annotations: bool,
    images: Vec<Image>,
    specificity: usize,
}

/// An image that is updated, with what counts for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    pub alias: String,
    /// What stands before its settings in an annotation's key, or its place in an entry's list.
    pub at: ImageAt,
    repository: String,
    constraint: Option<String>,
    pub update: Update,
}

/// Where an image is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ImageAt {
    Annotations(String),
    Entry(usize),
}

/// `commonUpdateSettings`. What is set takes the place of what is set further out, as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Update {
    strategy: Option<String>,
    allow_tags: Option<String>,
    pub ignore_tags: Option<Vec<String>>,
}

/// An Application, as far as it decides how its images are updated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub name: &'a str,
    pub labels: &'a BTreeMap<String, String>,
    pub annotations: &'a BTreeMap<String, String>,
}

/// What is read for an Application.
#[derive(Debug)]
pub(crate) struct Steered<'a> {
    pub mode: UpdaterMode,
    /// The resource that it matches and the number of the entry; `None` before 1.0.
    pub by: Option<(&'a SeenUpdater, usize)>,
    /// Resources that it matches, too, and that work against that one.
    pub others: Vec<&'a SeenUpdater>,
    pub images: Vec<Image>,
}

/// What is read for an Application, among the resources of its namespace. `None` where there are some and it matches none: from 1.0
/// on, annotations are not read where no resource says so.
pub(crate) fn steered<'a>(
    subject: Subject<'_>,
    updaters: impl Iterator<Item = &'a SeenUpdater>,
) -> Option<Steered<'a>> {
    let mut in_use = false;
    let mut matching: Vec<(&SeenUpdater, &Reference)> = Vec::new();
    for updater in updaters {
        in_use = true;
        matching.extend(updater.reference(subject).map(|reference| (updater, reference)));
    }
    // Several resources that match work against each other; the most specific is told.
    matching.sort_by_key(|(updater, reference)| (std::cmp::Reverse(reference.specificity), &updater.name));
    let mut matching = matching.into_iter();
    let Some((updater, reference)) = matching.next() else {
        let images = annotated(subject.annotations);
        let steered = Steered { mode: UpdaterMode::Annotations, by: None, others: Vec::new(), images };
        return (!in_use).then_some(steered);
    };
    let (mode, images) = if reference.use_annotations {
        (UpdaterMode::Annotations, annotated(subject.annotations))
    } else {
        (UpdaterMode::Resource, reference.images.clone())
    };
    let others = matching.map(|(other, _)| other).collect();
    Some(Steered { mode, by: Some((updater, reference.number)), others, images })
}

/// How the updater is set up for the image of an Application's service, by its alias. `updaters` are those of the Application's
/// namespace.
pub(super) fn updater_facts<'a>(
    application: &SeenApplication,
    service: &ServiceName,
    updaters: impl Iterator<Item = &'a SeenUpdater>,
    interval_seconds: u32,
) -> Vec<(String, UpdaterFacts)> {
    let SeenApplication { name, labels, annotations, .. } = application;
    let Some(steered) = steered(Subject { name, labels, annotations }, updaters) else { return Vec::new() };
    let Steered { mode, by, images, .. } = steered;
    let last_checked = by.and_then(|(updater, _)| updater.last_checked);
    let (own, others): (Vec<Image>, Vec<Image>) = images.into_iter().partition(|image| image.is_of(service));
    // All, where names tell none apart.
    let of_service = if own.is_empty() { others } else { own };
    of_service
        .into_iter()
        .map(|image| (image.alias.clone(), facts(image, mode, last_checked, interval_seconds)))
        .collect()
}

fn facts(
    image: Image,
    mode: UpdaterMode,
    last_checked: Option<Timestamp>,
    interval_seconds: u32,
) -> UpdaterFacts {
    let word = image.update.strategy.as_deref().unwrap_or_default().to_lowercase();
    UpdaterFacts {
        mode,
        // An unknown word is taken for the default.
        strategy: UpdateStrategy::parse(&word).unwrap_or(UpdateStrategy::Semver),
        constraint: image.constraint,
        allow_tags: image.update.allowed(),
        ignore_tags: image.update.ignore_tags.unwrap_or_default(),
        tag_allowed: None,
        interval_seconds,
        last_checked,
    }
}

/// The regular expression of `allow-tags`; `None` where all are allowed.
fn allowed(text: &str) -> Option<String> {
    if text.is_empty() || text.eq_ignore_ascii_case("any") {
        return None;
    }
    match text.split_once(':') {
        Some((word, expression)) if word.eq_ignore_ascii_case("regexp") => Some(expression.to_owned()),
        _ => Some(NOTHING.to_owned()),
    }
}

impl SeenUpdater {
    pub(crate) fn of(object: DynamicObject) -> Option<SeenUpdater> {
        let DynamicObject { metadata, data, .. } = object;
        let common = Update::of(data.pointer("/spec/commonUpdateSettings"));
        let entries = data.items("/spec/applicationRefs").iter();
        let mut references: Vec<Reference> =
            entries.enumerate().filter_map(|(number, entry)| Reference::of(number, entry, &common)).collect();
        references.sort_by_key(|reference| std::cmp::Reverse(reference.specificity));
        Some(SeenUpdater {
            // In 1.0 a resource named the namespace of its Applications; since, it is its own.
            namespace: data.owned("/spec/namespace").or(metadata.namespace)?,
            name: metadata.name?,
            last_checked: data.time("/status/lastCheckedAt"),
            references,
        })
    }

    fn reference(&self, application: Subject<'_>) -> Option<&Reference> {
        self.references.iter().find(|reference| {
            glob_matches(&reference.pattern, application.name)
                && reference.selector.as_ref().is_none_or(|selector| selector.matches(application.labels))
        })
    }
}

impl Reference {
    /// `None` where its selector cannot be read, which then selects nothing.
    fn of(number: usize, entry: &Value, common: &Update) -> Option<Reference> {
        let pattern = entry.owned("/namePattern")?;
        let labels = entry.pointer("/labelSelectors").filter(|selector| !selector.is_null());
        let selector = match labels {
            None => None,
            Some(labels) => {
                let labels: LabelSelector = serde_json::from_value(labels.clone()).ok()?;
                Some(Selector::try_from(labels).ok()?)
            }
        };
        let common = common.under(Update::of(entry.pointer("/commonUpdateSettings")));
        let images = entry.items("/images").iter().enumerate().filter_map(|(number, image)| {
            let settings = common.under(Update::of(image.pointer("/commonUpdateSettings")));
            let alias = image.text("/alias").unwrap_or_default();
            Some(Image::of(alias, image.text("/imageName")?, ImageAt::Entry(number), settings))
        });
        Some(Reference {
            number,
            specificity: specificity(&pattern, labels),
            images: images.collect(),
            use_annotations: entry.flag("/useAnnotations").unwrap_or(false),
            pattern,
            selector,
        })
    }
}

/// By which of several entries that match one counts (Image Updater, `calculateSpecificity`).
fn specificity(pattern: &str, selector: Option<&Value>) -> usize {
    let exact = if pattern.contains(['*', '?', '[', ']']) { 0 } else { 1_000_000 };
    let mut literals = 0;
    let mut rest = pattern;
    while let Some(character) = rest.chars().next() {
        let class = rest.strip_prefix('[').and_then(|class| class.split_once(']'));
        rest = class.map_or(&rest[character.len_utf8()..], |(_, after)| after);
        literals += usize::from(class.is_none() && !matches!(character, '*' | '?')) * character.len_utf8();
    }
    let selected = selector.map_or(0, |selector| {
        let labels =
            selector.pointer("/matchLabels").and_then(Value::as_object).map_or(0, serde_json::Map::len);
        10_000 + 100 * (labels + selector.items("/matchExpressions").len())
    });
    exact + literals + selected
}

impl Update {
    fn of(settings: Option<&Value>) -> Update {
        let Some(settings) = settings else { return Update::default() };
        let list = settings.pointer("/ignoreTags").filter(|list| list.is_array());
        Update {
            strategy: settings.owned("/updateStrategy"),
            allow_tags: settings.owned("/allowTags"),
            ignore_tags: list.map(|_| settings.texts("/ignoreTags")),
        }
    }

    pub(crate) fn strategy(&self) -> Option<&str> {
        self.strategy.as_deref()
    }

    /// The regular expression of what is allowed; `None` where everything is.
    pub(crate) fn allowed(&self) -> Option<String> {
        self.allow_tags.as_deref().and_then(allowed)
    }

    /// These, unless what is further in sets them.
    fn under(&self, inner: Update) -> Update {
        Update {
            strategy: inner.strategy.or_else(|| self.strategy.clone()),
            allow_tags: inner.allow_tags.or_else(|| self.allow_tags.clone()),
            ignore_tags: inner.ignore_tags.or_else(|| self.ignore_tags.clone()),
        }
    }
}

impl Image {
    fn of(alias: &str, name: &str, at: ImageAt, update: Update) -> Image {
        let image = ImageRef::parse(name);
        let last = image.repository.rsplit('/').next().unwrap_or_default();
        let alias = if alias.is_empty() { last } else { alias };
        Image {
            alias: alias.to_owned(),
            constraint: image.tag.filter(|tag| !tag.is_empty()),
            repository: image.repository,
            at,
            update,
        }
    }

    /// By alias or by the last part of the repository.
    pub(crate) fn is_of(&self, service: &ServiceName) -> bool {
        let last = self.repository.rsplit('/').next().unwrap_or_default();
        self.alias == service.as_str() || last == service.as_str()
    }
}

/// The images of an Application's annotations.
fn annotated(annotations: &BTreeMap<String, String>) -> Vec<Image> {
    let value = |key: &str| annotations.get(&format!("{PREFIX}{key}")).map(|text| text.trim().to_owned());
    let settings = |prefix: &str| {
        let given = |key: &str| value(&format!("{prefix}{key}")).filter(|text| !text.is_empty());
        let tags = |text: String| {
            let tags = text.split(',').map(|tag| tag.trim().to_owned());
            tags.filter(|tag| !tag.is_empty()).collect()
        };
        Update {
            strategy: given("update-strategy"),
            allow_tags: given("allow-tags"),
            ignore_tags: value(&format!("{prefix}ignore-tags")).map(tags),
        }
    };
    let common = settings("");
    let list = value("image-list").unwrap_or_default();
    let images = list.split(',').map(str::trim).filter(|image| !image.is_empty());
    let image = |image: &str| {
        let (alias, name) = image.split_once('=').unwrap_or(("", image));
        let (alias, name) = (alias.trim(), name.trim());
        (!name.is_empty()).then_some(())?;
        // Without an alias the image's own name stands in the keys, and a slash is none of an annotation's.
        let key = if alias.is_empty() { path(&ImageRef::parse(name).repository) } else { alias.to_owned() };
        let key = key.replace('/', "_");
        let own = settings(&format!("{key}."));
        Some(Image::of(alias, name, ImageAt::Annotations(key), common.under(own)))
    };
    images.filter_map(image).collect()
}

/// A repository without its registry.
fn path(repository: &str) -> String {
    match repository.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => path.to_owned(),
        _ => repository.to_owned(),
    }
}

#[cfg(test)]
mod tests;
