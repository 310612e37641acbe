//! What an OPA server answers, as far as it is read.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::modules::Module;

/// `POST /v1/data/…`: without a result the document is undefined.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    // Told apart from a result that is null.
    #[serde(default, deserialize_with = "present")]
    pub(crate) result: Option<Value>,
    pub(crate) provenance: Option<Provenance>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[derive(Debug, Deserialize)]
pub(crate) struct Provenance {
    #[serde(default)]
    pub(crate) bundles: BTreeMap<String, BundleProvenance>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct BundleProvenance {
    #[serde(default)]
    pub(crate) revision: String,
}

/// `GET /v1/policies`.
#[derive(Debug, Deserialize)]
pub(crate) struct Policies {
    #[serde(default)]
    pub(crate) result: Vec<ServedPolicy>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ServedPolicy {
    id: String,
    #[serde(default)]
    raw: String,
}

impl Policies {
    pub(crate) fn modules(self) -> Vec<Module> {
        let mut modules: Vec<Module> = self
            .result
            .into_iter()
            .filter(|policy| !policy.id.ends_with("_test.rego"))
            .map(|policy| Module { file: policy.id, text: policy.raw })
            .collect();
        modules.sort_by(|a, b| a.file.cmp(&b.file));
        modules
    }
}

/// What OPA says when it does not answer 200.
#[derive(Debug, Deserialize)]
pub(crate) struct Refusal {
    message: String,
    #[serde(default)]
    errors: Vec<RefusalDetail>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RefusalDetail {
    message: String,
}

impl Refusal {
    pub(crate) fn text(self) -> String {
        match self.errors.into_iter().next() {
            Some(detail) => format!("{}: {}", self.message, detail.message),
            None => self.message,
        }
    }
}
