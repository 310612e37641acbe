//! Where a file sets the tag of a service, by the kind of file it is.

use domain::delivery::{ImageRef, Place};

use super::yaml::{KeyPath, Value, Yaml, is_garbled};

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub place: &'a Place,
    /// The Helm value: `image.tag`, `containers[0].tag`.
    pub key: &'a str,
    /// Whether the file is of this place alone, so that an Application in it needs no fitting name.
    pub specific: bool,
}

/// What a file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    pub found: Option<Located>,
    pub origin: Origin,
    /// It has parameters or images of its own. Those of an `.argocd-source` file stand in place of the Application's, not beside
    /// them: Argo CD merges the file as an RFC 7386 patch, by which lists are replaced.
    pub has_parameters: bool,
}

/// A tag in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Located {
    /// As it is written; `None` where the key is there and empty, which hides what is said by files of lower precedence.
    pub tag: Option<String>,
    /// Where it stands, as it is shown.
    pub key: String,
    /// Where it is written.
    pub at: KeyPath,
    pub within: Within,
    pub layer: Layer,
    /// Helm renders it as something else, for lack of quotes.
    pub garbled: bool,
}

/// What else the scalar holds that a tag is written in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Within {
    /// Nothing.
    Alone,
    /// `[old=]repository[:tag][@digest]`, as an Application lists it for Kustomize.
    Image(String),
    /// A digest stands where the tag would be, and outweighs one.
    Digest,
    /// A whole values file, as a text of an Application.
    Values,
}

/// What outweighs what, the strongest last (Argo CD, "Helm", Helm Value Precedence: parameters, then `valuesObject` and `values`,
/// then `valueFiles`). The images of Kustomize in an Application outweigh those of a kustomization in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Layer {
    File,
    Values,
    Parameters,
}

/// What kind of file it is; within a layer a later one outweighs (Argo CD, "Parameter Overrides": `.argocd-source` files are laid
/// over the Application).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    #[default]
    File,
    Application,
    Override,
}

/// The kind of a file as far as its name tells.
pub(crate) fn origin_by_name(path: &str) -> Origin {
    if file_name(path).starts_with(".argocd-source") { Origin::Override } else { Origin::File }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// What a file says of a tag.
///
/// # Errors
/// Why that cannot be told; it goes on from "… cannot be read: ".
pub(crate) fn locate(path: &str, contents: &[u8], wanted: Wanted<'_>) -> Result<Reading, String> {
    let text = std::str::from_utf8(contents).map_err(|_| "it is not UTF-8".to_owned())?;
    let yaml = Yaml::parse(text).map_err(|problem| {
        if text.contains("{{") {
            format!("it is a template, and those are not rendered ({problem})")
        } else {
            problem
        }
    })?;
    if origin_by_name(path) == Origin::Override {
        let reading = match yaml.documents().next() {
            Some(document) => in_source(document, wanted)?,
            None => Reading::default(),
        };
        return Ok(Reading { origin: Origin::Override, ..reading });
    }
    let is_argo = |document: &Value<'_>, wanted: &str| {
        let is = |key: &str, fits: &dyn Fn(&str) -> bool| {
            document.get(key).and_then(Value::text).is_some_and(fits)
        };
        is("kind", &|kind| kind == wanted) && is("apiVersion", &|version| version.starts_with("argoproj.io/"))
    };
    let applications: Vec<Value<'_>> =
        yaml.documents().filter(|document| is_argo(document, "Application")).collect();
    if !applications.is_empty() {
        let reading = in_applications(&applications, wanted)?;
        return Ok(Reading { origin: Origin::Application, ..reading });
    }
    if yaml.documents().any(|document| is_argo(&document, "ApplicationSet")) {
        return Err("it is an ApplicationSet, whose template is not rendered: name the files that its generator reads"
            .to_owned());
    }
    let kustomization = |document: &Value<'_>| {
        document.get("kind").and_then(Value::text) == Some("Kustomization")
            || matches!(file_name(path), "kustomization.yaml" | "kustomization.yml" | "Kustomization")
    };
    if let Some(document) = yaml.documents().find(kustomization) {
        let found = in_kustomization(document, wanted)?;
        return Ok(Reading { found, ..Reading::default() });
    }
    for document in yaml.documents() {
        if let Some(found) = in_values(document, wanted, Layer::File)? {
            return Ok(Reading { found: Some(found), ..Reading::default() });
        }
    }
    Ok(Reading::default())
}

/// Of several Applications, the one that is named after the place; else, in a file of the place alone, the first that says
/// anything.
fn in_applications(applications: &[Value<'_>], wanted: Wanted<'_>) -> Result<Reading, String> {
    let Place { service, environment } = wanted.place;
    let names = [format!("{service}-{environment}"), format!("{environment}-{service}"), service.to_string()];
    let named = names.iter().find_map(|name| {
        let is_it = |application: &&Value<'_>| {
            application.at(["metadata", "name"]).and_then(Value::text) == Some(name.as_str())
        };
        applications.iter().find(is_it)
    });
    if let Some(application) = named {
        return in_application(*application, wanted);
    }
    if !wanted.specific {
        return Ok(Reading::default());
    }
    for application in applications {
        let reading = in_application(*application, wanted)?;
        if reading.found.is_some() {
            return Ok(reading);
        }
    }
    Ok(Reading::default())
}

fn in_application(application: Value<'_>, wanted: Wanted<'_>) -> Result<Reading, String> {
    let Some(spec) = application.get("spec") else { return Ok(Reading::default()) };
    // Where there are `sources`, Argo CD leaves `source` out of account.
    let several: Vec<Value<'_>> = spec.get("sources").into_iter().flat_map(Value::items).collect();
    let sources = if several.is_empty() { spec.get("source").into_iter().collect() } else { several };
    let mut all = Reading::default();
    for source in sources {
        let reading = in_source(source, wanted)?;
        all.has_parameters |= reading.has_parameters;
        all.found = all.found.or(reading.found);
    }
    Ok(all)
}

/// A source of an Application, or what an `.argocd-source` file lays over it.
fn in_source(source: Value<'_>, wanted: Wanted<'_>) -> Result<Reading, String> {
    let parameters = source.at(["helm", "parameters"]).filter(|list| list.is_sequence());
    let images = source.at(["kustomize", "images"]).filter(|list| list.is_sequence());
    let mut found = None;
    if let Some(parameters) = parameters {
        found = in_parameters(parameters, wanted)?;
    }
    if let (None, Some(images)) = (&found, images) {
        let images = images.items().filter_map(named_image).collect();
        found = chosen(images, wanted)?.map(|image| Located {
            key: format!("kustomize.images[{}]", image.shown()),
            at: image.at,
            within: image.within,
            tag: image.tag,
            layer: Layer::Parameters,
            garbled: false,
        });
    }
    if found.is_none() {
        found = in_inline_values(source, wanted)?;
    }
    Ok(Reading { found, origin: Origin::File, has_parameters: parameters.is_some() || images.is_some() })
}

fn in_parameters(parameters: Value<'_>, wanted: Wanted<'_>) -> Result<Option<Located>, String> {
    // Argo CD hands them to Helm as `--set` and `--set-string`: the last of a name counts, and of both kinds the latter.
    let is_forced = |parameter: &Value<'_>| {
        ["forceString", "forcestring"]
            .into_iter()
            .any(|key| parameter.get(key).and_then(Value::text) == Some("true"))
    };
    let parameter = parameters
        .items()
        .filter(|parameter| parameter.get("name").and_then(Value::text) == Some(wanted.key))
        .max_by_key(is_forced);
    let Some(parameter) = parameter else { return Ok(None) };
    let value = parameter.get("value");
    Ok(Some(Located {
        tag: value.map(|value| scalar(value, wanted.key)).transpose()?.flatten(),
        key: wanted.key.to_owned(),
        at: value.map_or_else(|| parameter.path().key("value"), Value::path),
        within: Within::Alone,
        layer: Layer::Parameters,
        garbled: false,
    }))
}

/// `valuesObject`, and only where there is none, `values`.
fn in_inline_values(source: Value<'_>, wanted: Wanted<'_>) -> Result<Option<Located>, String> {
    if let Some(values) = source.at(["helm", "valuesObject"]).filter(|values| !values.is_null()) {
        return in_values(values, wanted, Layer::Values);
    }
    let Some(inline) = source.at(["helm", "values"]) else { return Ok(None) };
    let Some(text) = inline.text() else { return Ok(None) };
    let values = Yaml::parse(text).map_err(|problem| format!("helm.values: {problem}"))?;
    let found =
        values.documents().next().map_or(Ok(None), |document| in_values(document, wanted, Layer::Values))?;
    Ok(found.map(|located| Located { at: inline.path(), within: Within::Values, ..located }))
}

fn in_values(values: Value<'_>, wanted: Wanted<'_>, layer: Layer) -> Result<Option<Located>, String> {
    let Some(value) = at_key(values, wanted.key) else { return Ok(None) };
    let tag = scalar(value, wanted.key)?;
    let garbled = value.is_plain() && tag.as_deref().is_some_and(is_garbled);
    let (key, at) = (wanted.key.to_owned(), value.path());
    Ok(Some(Located { tag, key, at, within: Within::Alone, layer, garbled }))
}

/// The value of a key in the way of Image Updater, so that both mean the same: as a dotted path, whose segments may end in the
/// place in a list, and where that leads nowhere as one key that is written with its dots.
fn at_key<'a>(values: Value<'a>, key: &str) -> Option<Value<'a>> {
    let dotted = KeyPath::of_value(0, key);
    dotted.and_then(|path| values.along(&path.steps)).or_else(|| values.get(key))
}

/// What is written; `None` where it is empty.
fn scalar(value: Value<'_>, key: &str) -> Result<Option<String>, String> {
    if value.is_null() {
        return Ok(None);
    }
    let Some(text) = value.text() else { return Err(format!("{key} is no text there")) };
    if text.contains("{{") {
        return Err(format!("{key} is templated there"));
    }
    let text = text.trim();
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

fn in_kustomization(document: Value<'_>, wanted: Wanted<'_>) -> Result<Option<Located>, String> {
    let mut images = Vec::new();
    for image in document.get("images").into_iter().flat_map(Value::items) {
        let text =
            |key: &str| image.get(key).map(|value| scalar(value, key)).transpose().map(Option::flatten);
        let (name, new_name) = (text("name")?, text("newName")?);
        let names: Vec<String> = [name, new_name].into_iter().flatten().collect();
        let (tag, digest) = (text("newTag")?, text("digest")?);
        let (written, within) =
            if digest.is_some() { ("digest", Within::Digest) } else { ("newTag", Within::Alone) };
        let tag = tag.or(digest);
        if tag.is_some() && !names.is_empty() {
            let at = image.get(written).map_or_else(|| image.path().key(written), Value::path);
            images.push(NamedImage { names, tag, at, within });
        }
    }
    Ok(chosen(images, wanted)?.map(|image| Located {
        key: format!("images[{}].newTag", image.shown()),
        at: image.at,
        within: image.within,
        tag: image.tag,
        layer: Layer::File,
        garbled: false,
    }))
}

/// An image that Kustomize sets.
struct NamedImage {
    /// What the manifests call it, and what it becomes.
    names: Vec<String>,
    tag: Option<String>,
    at: KeyPath,
    within: Within,
}

impl NamedImage {
    fn shown(&self) -> &str {
        self.names.first().map_or("", String::as_str)
    }
}

/// `[old=]repository[:tag][@digest]`, as an Application lists it.
fn named_image(value: Value<'_>) -> Option<NamedImage> {
    let text = value.text()?;
    let (old, new) = text.split_once('=').map_or((None, text), |(old, new)| (Some(old), new));
    let image = ImageRef::parse(new.trim());
    let names = old.map(|old| old.trim().to_owned()).into_iter().chain([image.repository]).collect();
    let within = if image.digest.is_some() { Within::Digest } else { Within::Image(text.to_owned()) };
    Some(NamedImage { names, tag: image.tag.or(image.digest), at: value.path(), within })
}

/// The image of the service: the one whose name ends in the service's, else the only one there is.
fn chosen(mut images: Vec<NamedImage>, wanted: Wanted<'_>) -> Result<Option<NamedImage>, String> {
    let service = wanted.place.service.as_str();
    let is_own = |image: &NamedImage| image.names.iter().any(|name| file_name(name) == service);
    let at = match images.iter().position(is_own) {
        Some(at) => at,
        None if images.is_empty() => return Ok(None),
        None if images.len() == 1 => 0,
        None => return Err(format!("it sets several images, and none of them is named {service}")),
    };
    Ok(Some(images.swap_remove(at)))
}

#[cfg(test)]
mod tests;
