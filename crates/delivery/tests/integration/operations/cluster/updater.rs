//! An Image Updater that looks when a test says so. What it obeys, it reads from the API server and not from the repository.

use std::path::PathBuf;

use kube::api::{Api, ApiResource, DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use serde_json::Value;
use tempfile::TempDir;

use super::argo::ARGO;
use crate::apiserver::ApiServer;
use crate::git::{BEGINNING, git};

pub(super) const UPDATER: &str = "argocd-image-updater.argoproj.io/v1alpha1";

pub(super) struct Updater {
    pub(super) server: &'static ApiServer,
    pub(super) namespace: String,
    pub(super) bare: PathBuf,
}

/// What counts for an image of an Application.
#[derive(Debug)]
struct Image {
    repository: String,
    strategy: Strategy,
    ignored: Vec<String>,
    allowed: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strategy {
    Semver,
    NewestBuild,
}

impl Updater {
    /// Looks once, with these tags in the registry, newest last. Answers what it committed, as `users-dev 1.6.0`.
    pub(super) async fn look(&self, service: &str, tags: &[&str]) -> Vec<String> {
        let updaters = self.list(UPDATER, "ImageUpdater").await;
        let mut committed = Vec::new();
        for application in self.list(ARGO, "Application").await {
            let name = application.metadata.name.clone().unwrap();
            // With any resource there is a version that reads no annotations of its own accord.
            let images = match updaters.as_slice() {
                [] => annotated(&application),
                some => some.iter().flat_map(|updater| of_resource(updater, &name)).collect(),
            };
            let live =
                application.data["status"]["summary"]["images"].as_array().cloned().unwrap_or_default();
            for image in images.iter().filter(|image| image.repository.ends_with(&format!("/{service}"))) {
                let Some(tag) = image.newest(tags) else { continue };
                let current = format!("{}:{tag}", image.repository);
                if live.iter().all(|one| one.as_str() != Some(&current)) && self.write(&application, tag) {
                    committed.push(format!("{name} {tag}"));
                }
            }
        }
        committed
    }

    async fn list(&self, api_version: &str, kind: &str) -> Vec<DynamicObject> {
        let (group, version) = api_version.split_once('/').unwrap();
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.server.client().await, &self.namespace, &resource);
        api.list(&ListParams::default()).await.unwrap().items
    }

    /// Commits a tag, on whatever others have pushed; answers whether that changed anything.
    fn write(&self, application: &DynamicObject, tag: &str) -> bool {
        let name = application.metadata.name.as_ref().unwrap();
        let path = application.data["spec"]["source"]["path"].as_str().unwrap();
        loop {
            let clone = TempDir::new().unwrap();
            let run = |arguments: &[&str]| git(clone.path(), BEGINNING + 600, arguments);
            run(&["clone", "--quiet", self.bare.to_str().unwrap(), "."]);
            let file = clone.path().join(path).join(format!(".argocd-source-{name}.yaml"));
            let text = format!(
                "helm:\n  parameters:\n  - name: image.tag\n    value: {tag}\n    forcestring: true\n"
            );
            std::fs::write(file, text).unwrap();
            run(&["add", "--all"]);
            if run(&["status", "--porcelain"]).is_empty() {
                return false;
            }
            run(&["commit", "--quiet", "--message", &format!("build: automatic update of {name}")]);
            let pushed = std::process::Command::new("git")
                .args(["push", "--quiet", "origin", "main"])
                .current_dir(clone.path())
                .output()
                .unwrap();
            if pushed.status.success() {
                return true;
            }
            let said = String::from_utf8_lossy(&pushed.stderr);
            // Somebody was quicker: once more from where they are.
            assert!(said.contains("[rejected]") || said.contains("cannot lock ref"), "{said}");
        }
    }
}

fn annotated(application: &DynamicObject) -> Vec<Image> {
    let annotations = application.metadata.annotations.clone().unwrap_or_default();
    let value = |key: &str| annotations.get(&format!("argocd-image-updater.argoproj.io/{key}")).cloned();
    let list = value("image-list").unwrap_or_default();
    let images = list.split(',').filter_map(|image| image.split_once('='));
    let image = |(alias, image): (&str, &str)| {
        let ignored = value(&format!("{alias}.ignore-tags")).unwrap_or_default();
        Image {
            repository: image.split(':').next().unwrap().to_owned(),
            strategy: Strategy::of(value(&format!("{alias}.update-strategy")).as_deref()),
            ignored: ignored.split(',').map(|glob| glob.trim().to_owned()).collect(),
            allowed: value(&format!("{alias}.allow-tags")),
        }
    };
    images.map(image).collect()
}

/// The images of the first entry that names the Application.
fn of_resource(updater: &DynamicObject, application: &str) -> Vec<Image> {
    let spec = &updater.data["spec"];
    let entries = spec["applicationRefs"].as_array().unwrap();
    let names = |pattern: &str| match pattern.split_once('*') {
        Some((before, after)) => application.starts_with(before) && application.ends_with(after),
        None => pattern == application,
    };
    let Some(entry) = entries.iter().find(|entry| names(entry["namePattern"].as_str().unwrap())) else {
        return Vec::new();
    };
    let image = |image: &Value| {
        let levels = [image, entry, spec].map(|level| &level["commonUpdateSettings"]);
        let set = |key: &str| levels.iter().map(|level| &level[key]).find(|value| !value.is_null());
        let ignored = set("ignoreTags").and_then(Value::as_array).cloned().unwrap_or_default();
        Image {
            repository: image["imageName"].as_str().unwrap().to_owned(),
            strategy: Strategy::of(set("updateStrategy").and_then(Value::as_str)),
            ignored: ignored.iter().map(|glob| glob.as_str().unwrap().to_owned()).collect(),
            allowed: set("allowTags").and_then(Value::as_str).map(str::to_owned),
        }
    };
    entry["images"].as_array().unwrap().iter().map(image).collect()
}

impl Strategy {
    fn of(word: Option<&str>) -> Strategy {
        match word {
            None | Some("semver") => Strategy::Semver,
            Some("newest-build") => Strategy::NewestBuild,
            Some(other) => panic!("{other}"),
        }
    }
}

impl Image {
    fn newest<'a>(&self, tags: &[&'a str]) -> Option<&'a str> {
        let matches = |glob: &str, tag: &str| match glob.split_once('*') {
            Some((before, after)) => tag.starts_with(before) && tag.ends_with(after),
            None => glob == tag,
        };
        let is_semver = |tag: &str| tag.split('.').filter(|part| part.parse::<u32>().is_ok()).count() == 3;
        let fits = |tag: &&&str| {
            self.allowed.as_deref().is_none_or(|expression| is_literally(expression, tag))
                && !self.ignored.iter().any(|glob| matches(glob, tag))
                && (self.strategy == Strategy::NewestBuild || is_semver(tag))
        };
        tags.iter().rev().find(fits).copied()
    }
}

/// Of regular expressions this reads those that match one text.
fn is_literally(allowed: &str, tag: &str) -> bool {
    let literal = allowed.strip_prefix("regexp:^").and_then(|rest| rest.strip_suffix('$'));
    let literal = literal.unwrap_or_else(|| panic!("{allowed} is no literal"));
    literal.replace('\\', "") == tag
}
