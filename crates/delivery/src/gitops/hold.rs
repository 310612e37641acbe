//! What keeps Image Updater from an image, in the form that it reads: annotations of the Application, or an ImageUpdater resource.

mod files;
mod settings;

use std::collections::BTreeMap;

use domain::delivery::{ServiceName, UpdaterMode};
pub use domain::gitops::{Before, Setting};

use self::files::{Files, Object};
use self::settings::{Settings, allowing_alone, escaped, ignoring_everything};
use super::edit::{Change, Content, KeyPath, Refusal};
use crate::kubernetes::updater::{Image, ImageAt, PREFIX, SeenUpdater, Steered, Subject, steered};

/// Whose image is held.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    pub service: &'a ServiceName,
    /// The name of the Application.
    pub application: &'a str,
    /// Its namespace, if it is known; it tells apart where a file does.
    pub namespace: Option<&'a str>,
    /// Its labels as they were seen, for an Application that is generated and stands in no file.
    pub labels: Option<&'a BTreeMap<String, String>>,
    /// What the updater was seen to read. Where the files say otherwise, nothing is certain.
    pub seen: Option<UpdaterMode>,
    /// Whether the cluster is read, has the Application, and has nothing that updates it.
    pub unseen: bool,
}

/// A hold, as changes of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub path: String,
    /// None where it is held already.
    pub changes: Vec<Change>,
    pub form: UpdaterMode,
    /// What [`release`] puts back.
    pub before: Vec<Before>,
}

/// Why there is no hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotHeld {
    /// Nothing updates the image as far as the files tell, so that there is nothing to hold; and why that is.
    #[error("{0}")]
    NotUpdated(String),
    #[error(transparent)]
    Refused(#[from] Refusal),
}

enum Why {
    NotUpdated(String),
    Unsafe(String),
}

impl From<String> for Why {
    fn from(problem: String) -> Why {
        Why::Unsafe(problem)
    }
}

/// What puts back what was before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    pub path: String,
    pub changes: Vec<Change>,
}

/// Holds the image of a service, apart from one tag where `bypass` names it. `files` are those of the repository that hold Applications
/// and ImageUpdaters, by path. What was ignored before stays so.
///
/// # Errors
/// Why neither form would take effect.
pub fn hold(files: &BTreeMap<String, String>, who: Who<'_>, bypass: Option<&str>) -> Result<Held, NotHeld> {
    let manual = manual(who, bypass);
    held(files, who, bypass).map_err(|why| match why {
        Why::NotUpdated(problem) => NotHeld::NotUpdated(problem),
        Why::Unsafe(problem) => NotHeld::Refused(Refusal { problem, manual }),
    })
}

/// Puts back what was before a hold.
///
/// # Errors
/// Where what was held is not found any more.
pub fn release(
    files: &BTreeMap<String, String>,
    who: Who<'_>,
    before: &[Before],
) -> Result<Released, Refusal> {
    let Who { application, .. } = who;
    let settings: Vec<String> = before.iter().map(Before::instruction).collect();
    let manual = format!("of Application {application}, {}", settings.join("; "));
    released(files, who, before).map_err(|problem| Refusal { problem, manual })
}

fn held(files: &BTreeMap<String, String>, who: Who<'_>, bypass: Option<&str>) -> Result<Held, Why> {
    let files = Files::read(files)?;
    let application = files.application(who)?;
    let updaters = files.updaters(who, application);
    let Some(steered) = steering(who, application, &updaters) else {
        return Err(Why::NotUpdated(format!(
            "there are ImageUpdaters ({}), and none matches Application {}: nothing updates it, and its annotations are not read",
            names(updaters.iter().map(|(_, updater)| *updater)),
            who.application
        )));
    };
    certain(who, &steered)?;
    if steered.mode == UpdaterMode::Annotations && application.is_none() {
        return Err(Why::Unsafe(format!("{} is in none of the files", files.missing(who))));
    }
    let images = of_service(&steered, who)?;
    if who.unseen {
        return Err(Why::Unsafe(format!(
            "no updater is seen that reads {} for Application {} in the cluster, and what nobody reads has no effect: see how Image \
             Updater is set up there",
            form(steered.mode),
            who.application
        )));
    }
    let mut held = Held { path: String::new(), changes: Vec::new(), form: steered.mode, before: Vec::new() };
    for image in &images {
        let object = match (&image.at, steered.by) {
            (ImageAt::Annotations(_), _) => application,
            (ImageAt::Entry(_), Some((updater, _))) => {
                updaters.iter().find(|(_, other)| std::ptr::eq(*other, updater)).map(|(object, _)| *object)
            }
            (ImageAt::Entry(_), None) => None,
        };
        let Some(object) = object else {
            return Err(Why::Unsafe(format!("{} is in none of the files", files.missing(who))));
        };
        let entry = steered.by.map_or(0, |(_, entry)| entry);
        held.path.clone_from(&object.path);
        let settings = Settings::of(object, entry, &image.at);
        let (setting, to) = match bypass {
            None => (Setting::IgnoreTags, ignoring_everything(&settings, steered.mode)?),
            Some(tag) => (Setting::AllowTags, allowing_alone(image, tag)?),
        };
        let alias = match &image.at {
            ImageAt::Annotations(key) => key.clone(),
            ImageAt::Entry(_) => image.alias.clone(),
        };
        let was = settings.value(setting, steered.mode)?;
        held.before.push(Before { form: steered.mode, alias, setting, was });
        if let Some(to) = to {
            held.changes.push(Change { at: settings.path(setting), to: Some(to) });
        }
        if let (Some(_), Some(strategy)) = (bypass, settings.strategy_to_keep(image)) {
            let alias = image.alias.clone();
            let setting = Setting::UpdateStrategy;
            held.before.push(Before { form: steered.mode, alias, setting, was: None });
            held.changes.push(Change { at: settings.path(setting), to: Some(strategy) });
        }
    }
    Ok(held)
}

/// What is read for the Application, as far as the files tell.
fn steering<'a>(
    who: Who<'_>,
    application: Option<&Object>,
    updaters: &[(&'a Object, &'a SeenUpdater)],
) -> Option<Steered<'a>> {
    let none = BTreeMap::new();
    let (labels, annotations) = match application {
        Some(application) => (&application.labels, &application.annotations),
        None => (who.labels.unwrap_or(&none), &none),
    };
    let subject = Subject { name: who.application, labels, annotations };
    steered(subject, updaters.iter().map(|(_, updater)| *updater))
}

/// Whether what is in the files is what takes effect.
fn certain(who: Who<'_>, steered: &Steered<'_>) -> Result<(), String> {
    if let (Some((updater, _)), false) = (steered.by, steered.others.is_empty()) {
        let others = names(steered.others.iter().copied());
        return Err(format!(
            "several ImageUpdaters match Application {} ({}, {others}) and work against each other: leave one",
            who.application, updater.name
        ));
    }
    match who.seen {
        Some(seen) if seen != steered.mode => Err(format!(
            "the updater was seen to read {} for Application {}, and the files say {}",
            form(seen),
            who.application,
            form(steered.mode)
        )),
        Some(_) | None => Ok(()),
    }
}

fn form(mode: UpdaterMode) -> &'static str {
    match mode {
        UpdaterMode::Annotations => "its annotations",
        UpdaterMode::Resource => "an ImageUpdater",
    }
}

fn names<'a>(updaters: impl Iterator<Item = &'a SeenUpdater>) -> String {
    updaters.map(|updater| updater.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Those that are named as the service, else the only one there is.
fn of_service(steered: &Steered<'_>, who: Who<'_>) -> Result<Vec<Image>, Why> {
    let Who { service, application, .. } = who;
    let own: Vec<Image> = steered.images.iter().filter(|image| image.is_of(service)).cloned().collect();
    match (own.is_empty(), steered.images.as_slice()) {
        (false, _) => Ok(own),
        (true, [only]) => Ok(vec![only.clone()]),
        (true, []) => Err(Why::NotUpdated(format!("Application {application} has no image that is updated"))),
        (true, images) => {
            let aliases: Vec<&str> = images.iter().map(|image| image.alias.as_str()).collect();
            Err(Why::NotUpdated(format!(
                "no image of {service} is among those that are updated for Application {application} ({})",
                aliases.join(", ")
            )))
        }
    }
}

fn manual(who: Who<'_>, bypass: Option<&str>) -> String {
    let Who { service, application, .. } = who;
    let (annotation, resource) = match bypass {
        None => ("ignore-tags: \"*\"".to_owned(), "ignoreTags: [\"*\"]".to_owned()),
        Some(tag) => {
            let expression = format!("regexp:^{}$", escaped(tag));
            (format!("allow-tags: '{expression}'"), format!("allowTags: '{expression}'"))
        }
    };
    format!(
        "of Application {application}, set the annotation {PREFIX}{service}.{annotation}, or where one ImageUpdater matches it, \
         {resource} in commonUpdateSettings of the image of {service} in the entry that counts"
    )
}

fn released(files: &BTreeMap<String, String>, who: Who<'_>, before: &[Before]) -> Result<Released, String> {
    let files = Files::read(files)?;
    let application = files.application(who)?;
    let updaters = files.updaters(who, application);
    let steered = steering(who, application, &updaters);
    let mut path = String::new();
    let mut restored: Vec<(Settings<'_>, Setting, Option<Content>)> = Vec::new();
    let entries: Vec<(String, ImageAt)> = steered
        .iter()
        .filter(|steered| steered.mode == UpdaterMode::Resource)
        .flat_map(|steered| &steered.images)
        .map(|image| (image.alias.clone(), image.at.clone()))
        .collect();
    let keys: Vec<ImageAt> = before.iter().map(|before| ImageAt::Annotations(before.alias.clone())).collect();
    for (before, key) in before.iter().zip(&keys) {
        let found = match before.form {
            UpdaterMode::Annotations => application.map(|application| Settings::of(application, 0, key)),
            UpdaterMode::Resource => {
                let by = steered.as_ref().and_then(|steered| steered.by);
                let image = entries.iter().find(|(alias, _)| *alias == before.alias);
                by.zip(image).and_then(|((updater, entry), (_, at))| {
                    let (object, _) = updaters.iter().find(|(_, other)| std::ptr::eq(*other, updater))?;
                    Some(Settings::of(object, entry, at))
                })
            }
        };
        let Some(found) = found else {
            return Err(format!(
                "what held {} of Application {} is in none of the files any more",
                before.alias, who.application
            ));
        };
        path.clone_from(&found.object.path);
        restored.push((found, before.setting, before.was.clone()));
    }
    Ok(Released { path, changes: restoring(restored) })
}

/// The changes that put settings back. A mapping that is left without any goes with them: it was made for them, and none says the same.
fn restoring(restored: Vec<(Settings<'_>, Setting, Option<Content>)>) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    let gone = |mapping: &KeyPath| -> usize {
        let removed = |(settings, setting, was): &&(Settings<'_>, Setting, Option<Content>)| {
            was.is_none()
                && settings.mapping == *mapping
                && settings.object.at(&settings.path(*setting)).is_some()
        };
        restored.iter().filter(removed).count()
    };
    for (settings, setting, was) in &restored {
        let all = settings.object.at(&settings.mapping).and_then(serde_json::Value::as_object);
        let emptied = was.is_none() && all.is_some_and(|all| all.len() == gone(&settings.mapping));
        let at = if emptied { settings.mapping.clone() } else { settings.path(*setting) };
        let change = Change { at, to: was.clone() };
        if !changes.contains(&change) {
            changes.push(change);
        }
    }
    changes
}

#[cfg(test)]
mod tests;
