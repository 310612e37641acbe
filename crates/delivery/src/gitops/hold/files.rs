//! The Applications and ImageUpdaters that a repository holds.

use std::collections::BTreeMap;

use kube::core::DynamicObject;
use serde_json::Value;

use super::Who;
use crate::git::yaml::{KeyPath, Step, Yaml};
use crate::kubernetes::updater::{PREFIX, SeenUpdater};

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Files {
    applications: Vec<Object>,
    updaters: Vec<(Object, SeenUpdater)>,
    has_application_sets: bool,
}

/// A document of a file.
#[derive(Debug)]
pub(super) struct Object {
    pub path: String,
    pub document: usize,
    /// Empty where the file does not say.
    namespace: String,
    name: String,
    pub labels: BTreeMap<String, String>,
    /// Those of Image Updater.
    pub annotations: BTreeMap<String, String>,
    data: Value,
}

impl Files {
    /// # Errors
    /// A file that cannot be read and could hold an ImageUpdater, which may match anything.
    pub(super) fn read(files: &BTreeMap<String, String>) -> Result<Files, String> {
        let mut found = Files::default();
        for (path, text) in files.iter().filter(|(_, text)| text.contains("argoproj.io/")) {
            let unreadable = |problem: &str| {
                let matters = text.contains("ImageUpdater");
                matters.then(|| format!("{path} mentions an ImageUpdater and cannot be read: {problem}"))
            };
            let yaml = match Yaml::parse(text) {
                Ok(yaml) => yaml,
                Err(problem) => match unreadable(&problem) {
                    Some(problem) => return Err(problem),
                    None => continue,
                },
            };
            for (number, document) in yaml.documents().enumerate() {
                let text = |key| document.get(key).and_then(|value| value.text()).unwrap_or_default();
                let (version, kind) = (text("apiVersion"), text("kind"));
                let is_updater =
                    version.starts_with("argocd-image-updater.argoproj.io/") && kind == "ImageUpdater";
                let is_application = version.starts_with("argoproj.io/") && kind == "Application";
                found.has_application_sets |= version.starts_with("argoproj.io/") && kind == "ApplicationSet";
                if !is_updater && !is_application {
                    continue;
                }
                let object = document.to_json().and_then(|data| Object::of(path, number, data));
                match (object, is_updater) {
                    (Some(object), true) => {
                        let Some(updater) = object.updater() else {
                            return Err(format!("{path} holds an ImageUpdater that cannot be read"));
                        };
                        found.updaters.push((object, updater));
                    }
                    (Some(object), false) => found.applications.push(object),
                    (None, true) => return Err(format!("{path} holds an ImageUpdater that cannot be read")),
                    (None, false) => {}
                }
            }
        }
        Ok(found)
    }

    /// The Application; `None` where it stands in no file.
    pub(super) fn application(&self, who: Who<'_>) -> Result<Option<&Object>, String> {
        let fits = |object: &&Object| {
            object.name == who.application
                && same_namespace(&object.namespace, who.namespace.unwrap_or_default())
        };
        let mut found = self.applications.iter().filter(fits);
        match (found.next(), found.next()) {
            (Some(one), Some(other)) => Err(format!(
                "Application {} is written twice, in {} and in {}",
                who.application, one.path, other.path
            )),
            (found, _) => Ok(found),
        }
    }

    /// Those of the Application's namespace.
    pub(super) fn updaters(
        &self,
        who: Who<'_>,
        application: Option<&Object>,
    ) -> Vec<(&Object, &SeenUpdater)> {
        let own = application.map_or("", |application| application.namespace.as_str());
        let namespace = who.namespace.unwrap_or(own);
        let fits = |(_, updater): &&(Object, SeenUpdater)| same_namespace(&updater.namespace, namespace);
        self.updaters.iter().filter(fits).map(|(object, updater)| (object, updater)).collect()
    }

    /// What to call an Application that is in no file.
    pub(super) fn missing(&self, who: Who<'_>) -> String {
        let generated = if self.has_application_sets { " (an ApplicationSet may generate it)" } else { "" };
        format!("Application {}{generated}", who.application)
    }
}

/// A namespace that is not written is whichever a file is applied to.
fn same_namespace(one: &str, other: &str) -> bool {
    one.is_empty() || other.is_empty() || one == other
}

impl Object {
    /// `None` where it has no name, or one that is not written out.
    fn of(path: &str, document: usize, data: Value) -> Option<Object> {
        let text = |pointer: &str| data.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let texts = |pointer: &str| -> BTreeMap<String, String> {
            let entries = data.pointer(pointer).and_then(Value::as_object).into_iter().flatten();
            entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
        };
        let mut annotations = texts("/metadata/annotations");
        annotations.retain(|key, _| key.starts_with(PREFIX));
        Some(Object {
            path: path.to_owned(),
            document,
            namespace: text("/metadata/namespace").unwrap_or_default(),
            name: text("/metadata/name")?,
            labels: texts("/metadata/labels"),
            annotations,
            data,
        })
    }

    /// As the updater reads it.
    fn updater(&self) -> Option<SeenUpdater> {
        let mut data = self.data.clone();
        data.get_mut("metadata")?.as_object_mut()?.insert("namespace".into(), self.namespace.clone().into());
        SeenUpdater::of(serde_json::from_value::<DynamicObject>(data).ok()?)
    }

    /// What is written at a place of its document.
    pub(super) fn at(&self, path: &KeyPath) -> Option<&Value> {
        path.steps.iter().try_fold(&self.data, |value, step| match step {
            Step::Key(key) => value.get(key),
            Step::Index(index) => value.get(index),
        })
    }
}
