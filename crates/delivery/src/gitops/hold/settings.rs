//! The settings of an image that hold it: where they are written, what they are, and what they are to be.

use domain::delivery::{UpdaterMode, glob_matches};

use super::Setting;
use super::files::Object;
use crate::gitops::edit::{Content, KeyPath};
use crate::kubernetes::updater::{Image, ImageAt, PREFIX};

/// What is ignored where everything is.
pub(super) const EVERYTHING: &str = "*";

/// The settings of one image in its file.
pub(super) struct Settings<'a> {
    pub object: &'a Object,
    at: &'a ImageAt,
    /// The mapping that they are in.
    pub mapping: KeyPath,
}

impl<'a> Settings<'a> {
    /// Where the settings of an image are: `entry` is the number of the one that counts, of a resource.
    pub(super) fn of(object: &'a Object, entry: usize, at: &'a ImageAt) -> Settings<'a> {
        let root = KeyPath::root(object.document);
        let mapping = match at {
            ImageAt::Annotations(_) => root.keys(["metadata", "annotations"]),
            ImageAt::Entry(image) => root
                .keys(["spec", "applicationRefs"])
                .index(entry)
                .key("images")
                .index(*image)
                .key("commonUpdateSettings"),
        };
        Settings { object, at, mapping }
    }

    fn key(&self, setting: Setting) -> String {
        match self.at {
            ImageAt::Annotations(key) => format!("{PREFIX}{key}.{}", setting.name(UpdaterMode::Annotations)),
            ImageAt::Entry(_) => setting.name(UpdaterMode::Resource).to_owned(),
        }
    }

    /// The strategy that is set further out, where the image has no settings of its own: with the first one, the API server fills in
    /// the strategy that the definition takes for a default, and that would count.
    pub(super) fn strategy_to_keep(&self, image: &Image) -> Option<Content> {
        match self.at {
            ImageAt::Entry(_) if self.object.at(&self.mapping).is_none_or(serde_json::Value::is_null) => {
                image.update.strategy().map(|strategy| Content::Text(strategy.to_owned()))
            }
            ImageAt::Entry(_) | ImageAt::Annotations(_) => None,
        }
    }

    pub(super) fn path(&self, setting: Setting) -> KeyPath {
        self.mapping.clone().key(&self.key(setting))
    }

    /// What is written there.
    pub(super) fn value(&self, setting: Setting, form: UpdaterMode) -> Result<Option<Content>, String> {
        let path = self.path(setting);
        let value = match self.object.at(&path) {
            None | Some(serde_json::Value::Null) => return Ok(None),
            Some(value) => value,
        };
        let is_list = form == UpdaterMode::Resource && setting == Setting::IgnoreTags;
        let content = match value {
            serde_json::Value::Array(items) if is_list => {
                let texts: Option<Vec<String>> =
                    items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
                texts.map(Content::List)
            }
            serde_json::Value::String(text) if !is_list => Some(Content::Text(text.clone())),
            _ => None,
        };
        let wanted = if is_list { "list of texts" } else { "text" };
        content.map(Some).ok_or_else(|| format!("{path} of {} is no {wanted}", self.object.path))
    }
}

/// What was ignored before, and everything; `None` where everything is already.
pub(super) fn ignoring_everything(
    settings: &Settings<'_>,
    form: UpdaterMode,
) -> Result<Option<Content>, String> {
    Ok(match settings.value(Setting::IgnoreTags, form)? {
        Some(Content::List(tags)) if tags.iter().any(|tag| tag == EVERYTHING) => None,
        Some(Content::List(tags)) => {
            Some(Content::List(tags.into_iter().chain([EVERYTHING.to_owned()]).collect()))
        }
        Some(Content::Text(tags)) if tags.split(',').any(|tag| tag.trim() == EVERYTHING) => None,
        Some(Content::Text(tags)) if !tags.trim().is_empty() => {
            Some(Content::Text(format!("{}, {EVERYTHING}", tags.trim_end().trim_end_matches(','))))
        }
        Some(Content::Text(_)) | None => Some(match form {
            UpdaterMode::Annotations => Content::Text(EVERYTHING.to_owned()),
            UpdaterMode::Resource => Content::List(vec![EVERYTHING.to_owned()]),
        }),
    })
}

/// One tag and nothing else, where nothing else decides.
pub(super) fn allowing_alone(image: &Image, tag: &str) -> Result<Option<Content>, String> {
    let alias = &image.alias;
    if let Some(allowed) = image.update.allowed() {
        return Err(format!(
            "of {alias} only tags that match {allowed} are allowed already, and what lets {tag} through would take the place of that"
        ));
    }
    let ignored = image.update.ignore_tags.iter().flatten().find(|glob| glob_matches(glob, tag));
    if let Some(glob) = ignored {
        return Err(format!(
            "{tag} of {alias} is ignored already ({glob}), and what is ignored is not let through"
        ));
    }
    Ok(Some(Content::Text(format!("regexp:^{}$", escaped(tag)))))
}

/// A text as a regular expression of itself alone, for Go.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        if r"\.+*?()|[]{}^$".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}
