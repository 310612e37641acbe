//! The text of a policy: the built-in rules or the files of a directory, and the data beside them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::config::{PolicyConfig, PolicySource, RegoVersion};
use crate::error::PolicyError;

/// One Rego file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Module {
    /// Relative to the policy directory, with `/`.
    pub(crate) file: String,
    pub(crate) text: String,
}

/// Files and data that make up a policy.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PolicyText {
    /// Sorted by file.
    pub(crate) modules: Vec<Module>,
    /// Each with the file or setting that it comes from.
    pub(crate) data: Vec<(String, Value)>,
    pub(crate) rego_version: RegoVersion,
}

const BUILT_IN: &[(&str, &str)] = &[
    ("exemption.rego", include_str!("../../../infra/policy/exemption.rego")),
    ("hop_limit.rego", include_str!("../../../infra/policy/hop_limit.rego")),
    ("imdsv2_required.rego", include_str!("../../../infra/policy/imdsv2_required.rego")),
    ("instance.rego", include_str!("../../../infra/policy/instance.rego")),
    ("metadata_tags.rego", include_str!("../../../infra/policy/metadata_tags.rego")),
];

impl Module {
    /// The built-in rules about promotions.
    pub(crate) fn promotion() -> Module {
        let text = include_str!("../../../infra/policy/promotion.rego");
        Module { file: "promotion.rego".to_owned(), text: text.to_owned() }
    }
}

impl PolicyText {
    /// Reads what the configuration names.
    pub(crate) fn load(config: &PolicyConfig) -> Result<PolicyText, PolicyError> {
        let mut text = match config.source()? {
            PolicySource::Directory(directory) => read_directory(&directory, config.rego_version)?,
            PolicySource::BuiltIn | PolicySource::Opa(_) => PolicyText {
                modules: BUILT_IN
                    .iter()
                    .map(|&(file, text)| Module { file: file.to_owned(), text: text.to_owned() })
                    .collect(),
                data: Vec::new(),
                rego_version: RegoVersion::V1,
            },
        };
        if !config.regulated_accounts.is_empty() {
            let accounts =
                json!({ "tollgate": { "config": { "regulated_accounts": config.regulated_accounts } } });
            text.data.push(("policy.regulated_accounts".to_owned(), accounts));
        }
        Ok(text)
    }

    /// Names this text, data and language version.
    pub(crate) fn revision(&self) -> String {
        let mut parts = vec![format!("{:?}", self.rego_version)];
        parts.extend(self.modules.iter().flat_map(|module| [module.file.clone(), module.text.clone()]));
        parts.extend(self.data.iter().map(|(_, data)| data.to_string()));
        revision_of(&parts)
    }
}

/// The first half of a hash over parts, each with its length so that no two lists collide.
pub(crate) fn revision_of<T: AsRef<str>>(parts: &[T]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        let part = part.as_ref();
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn read_directory(directory: &Path, rego_version: RegoVersion) -> Result<PolicyText, PolicyError> {
    let mut modules = Vec::new();
    let mut data = Vec::new();
    for path in files_below(directory)? {
        let file = path.strip_prefix(directory).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        let is_test = file.ends_with("_test.rego");
        if file.ends_with(".rego") && !is_test {
            modules.push(Module { text: read(&path)?, file });
        } else if file == "data.json" {
            data.push((file.clone(), parse_data(&file, &read(&path)?)?));
        }
    }
    if modules.is_empty() {
        return Err(PolicyError::Empty { path: directory.to_owned() });
    }
    Ok(PolicyText { modules, data, rego_version })
}

/// All files, sorted; names that start with a dot are passed over, as mounted configuration has such copies of itself.
fn files_below(directory: &Path) -> Result<Vec<PathBuf>, PolicyError> {
    let failed = |source| PolicyError::Read { path: directory.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let path = entry.path();
        // Not the entry's own type: files of a mounted ConfigMap are links.
        let metadata =
            fs::metadata(&path).map_err(|source| PolicyError::Read { path: path.clone(), source })?;
        if metadata.is_file() {
            files.push(path);
        } else if metadata.is_dir() && !entry.file_type().map_err(failed)?.is_symlink() {
            files.extend(files_below(&path)?);
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<String, PolicyError> {
    fs::read_to_string(path).map_err(|source| PolicyError::Read { path: path.to_owned(), source })
}

fn parse_data(file: &str, text: &str) -> Result<Value, PolicyError> {
    let object: Map<String, Value> = serde_json::from_str(text)
        .map_err(|error| PolicyError::Data { file: file.to_owned(), message: error.to_string() })?;
    Ok(Value::Object(object))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_rules_are_all_files_of_their_directory() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/policy");
        let mut built_in = PolicyText::load(&PolicyConfig::default()).unwrap();
        // Those about promotions are asked by themselves.
        built_in.modules.push(Module::promotion());
        assert_eq!(built_in, read_directory(&directory, RegoVersion::V1).unwrap());
    }

    #[test]
    fn the_revision_follows_text_data_and_version() {
        let base = PolicyText {
            modules: vec![Module { file: "a.rego".into(), text: "package a".into() }],
            data: Vec::new(),
            rego_version: RegoVersion::V1,
        };
        let mut text = base.clone();
        text.modules[0].text.push('\n');
        let mut data = base.clone();
        data.data.push(("data.json".into(), json!({ "a": 1 })));
        let version = PolicyText { rego_version: RegoVersion::V0, ..base.clone() };
        let mut revisions: Vec<String> = [&base, &text, &data, &version].map(PolicyText::revision).into();
        assert_eq!(base.clone().revision(), base.revision());
        revisions.sort();
        revisions.dedup();
        assert_eq!(revisions.len(), 4);
    }
}
