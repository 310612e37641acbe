//! What the manifest of an image says of it: the commit, and of an index the digests of its platforms (OCI image specification 1.1,
//! "Image Manifest", "Image Index" and "Pre-Defined Annotation Keys").

use std::collections::BTreeMap;

use serde::Deserialize;

/// The media types that are asked for: without the index's, ECR answers with the manifest of a platform of its own choice.
pub(super) const MEDIA_TYPES: [&str; 4] = [
    "application/vnd.oci.image.manifest.v1+json",
    OCI_INDEX,
    "application/vnd.docker.distribution.manifest.v2+json",
    DOCKER_LIST,
];
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const REVISION: &str = "org.opencontainers.image.revision";
/// BuildKit keeps provenance and SBOMs as manifests beside those of the platforms.
const REFERENCE_TYPE: &str = "vnd.docker.reference.type";

/// What was read of a manifest; nothing, of one that cannot be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) revision: Option<String>,
    pub(super) platforms: Vec<String>,
}

/// Whether a media type is that of an index of several platforms.
pub(super) fn is_index(media_type: &str) -> bool {
    [OCI_INDEX, DOCKER_LIST].contains(&media_type)
}

#[derive(Deserialize)]
struct Document {
    /// `null` in what some builders write.
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

impl Manifest {
    /// Reads a manifest or an index.
    pub(super) fn parse(text: &str) -> Manifest {
        let Ok(document) = serde_json::from_str::<Document>(text) else { return Manifest::default() };
        let revision_of = |annotations: &Option<BTreeMap<String, String>>| {
            let revision = annotations.as_ref()?.get(REVISION)?.trim();
            (!revision.is_empty()).then(|| revision.to_owned())
        };
        let is_platform = |descriptor: &&Descriptor| {
            !descriptor
                .annotations
                .as_ref()
                .is_some_and(|annotations| annotations.contains_key(REFERENCE_TYPE))
        };
        let manifests = document.manifests.unwrap_or_default();
        let platforms: Vec<&Descriptor> = manifests.iter().filter(is_platform).collect();
        let revision = revision_of(&document.annotations)
            .or_else(|| platforms.iter().find_map(|platform| revision_of(&platform.annotations)));
        Manifest { revision, platforms: platforms.iter().map(|platform| platform.digest.clone()).collect() }
    }

    /// The platform whose own annotations may say what the index does not.
    pub(super) fn asks_for(&self) -> Option<&str> {
        self.platforms.first().map(String::as_str).filter(|_| self.revision.is_none())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SHA: &str = "6113728f27ae82c7b1a177c8d03f9e96e0adf246";

    fn parse(document: &serde_json::Value) -> Manifest {
        Manifest::parse(&document.to_string())
    }

    #[test]
    fn a_manifest_says_the_commit_in_its_annotations() {
        let document = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:c0", "size": 7023 },
            "layers": [], "annotations": { "org.opencontainers.image.revision": SHA, "org.opencontainers.image.version": "1.4.2" },
        });
        assert_eq!(parse(&document), Manifest { revision: Some(SHA.into()), platforms: Vec::new() });
    }

    #[test]
    fn an_index_has_platforms_and_says_the_commit_itself_or_by_them() {
        let platform = |digest: &str, annotations: serde_json::Value| {
            json!({
                "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 1,
                "platform": { "os": "linux", "architecture": "arm64" }, "annotations": annotations,
            })
        };
        let provenance = platform("sha256:p", json!({ "vnd.docker.reference.type": "attestation-manifest" }));
        let mut index = json!({
            "schemaVersion": 2, "mediaType": OCI_INDEX,
            "manifests": [platform("sha256:a", json!(null)), platform("sha256:b", json!({ REVISION: SHA })), provenance],
            "annotations": { REVISION: "0123abc" },
        });
        let platforms = vec!["sha256:a".to_owned(), "sha256:b".to_owned()];
        assert_eq!(
            parse(&index),
            Manifest { revision: Some("0123abc".into()), platforms: platforms.clone() }
        );
        index["annotations"] = json!({ REVISION: " " });
        assert_eq!(parse(&index), Manifest { revision: Some(SHA.into()), platforms });
        assert_eq!(parse(&index).asks_for(), None);
        index["manifests"][1]["annotations"] = json!({});
        assert_eq!(parse(&index).asks_for(), Some("sha256:a"));
    }

    #[test]
    fn what_cannot_be_read_says_nothing() {
        for text in [
            "",
            "{",
            "[]",
            "null",
            "{\"manifests\": 7}",
            "{\"annotations\": [1]}",
            "{\"manifests\": [{}]}",
            "{}",
        ] {
            assert_eq!(Manifest::parse(text), Manifest::default(), "{text}");
        }
        assert!(is_index(DOCKER_LIST) && !is_index(MEDIA_TYPES[0]));
    }
}
