//! Another tag where a tag stands.

pub(crate) use crate::git::locate::Within;

use super::edit::{Change, KeyPath, Refusal};

/// The change that sets a tag where one was found: at a place, and within what is written there.
///
/// # Errors
/// Why a tag alone cannot be set there.
pub(crate) fn pin(at: &KeyPath, within: &Within, key: &str, tag: &str) -> Result<Change, Refusal> {
    let refused = |problem: String| Refusal { problem, manual: format!("set {key} to {tag:?} at {at}") };
    match within {
        Within::Alone => Ok(Change::set(at.clone(), tag)),
        Within::Image(image) => Ok(Change::set(at.clone(), &with_tag(image, tag))),
        Within::Digest => Err(refused(format!("{at} is a digest, which outweighs a tag"))),
        Within::Values => {
            Err(refused(format!("{at} is a whole values file as a text, of which no part is edited")))
        }
    }
}

/// `[old=]repository[:tag]` with another tag.
fn with_tag(image: &str, tag: &str) -> String {
    let name =
        image.rfind('/').map_or(0, |slash| slash + 1).max(image.find('=').map_or(0, |equals| equals + 1));
    let end = image[name..].find(':').map_or(image.trim_end().len(), |colon| name + colon);
    format!("{}:{tag}", &image[..end])
}

#[cfg(test)]
mod tests {
    use domain::delivery::{EnvironmentName, Place, ServiceName};

    use super::*;
    use crate::git::locate::{Located, Wanted, locate};
    use crate::gitops::edit::edit;

    fn found(path: &str, text: &str) -> Located {
        let place = Place {
            service: ServiceName::parse("users").unwrap(),
            environment: EnvironmentName::parse("dev").unwrap(),
        };
        let wanted = Wanted { place: &place, key: "image.tag", specific: true };
        locate(path, text.as_bytes(), wanted).unwrap().found.unwrap()
    }

    fn pinned(path: &str, text: &str) -> Result<String, Refusal> {
        let Located { at, within, key, .. } = found(path, text);
        edit(text, &[pin(&at, &within, &key, "1.10")?])
    }

    /// An Application with this as its source.
    fn application(source: &str) -> String {
        format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: users-dev}}\nspec:\n  source: {source}\n"
        )
    }

    #[test]
    fn what_is_read_is_what_is_written() {
        let cases = [
            ("values.yaml", "image:\n  tag: 1.2.3 # c\n".to_owned(), "1.2.3", "\"1.10\""),
            ("values.yaml", "image.tag: '1.2.3'\n".to_owned(), "1.2.3", "1.10"),
            ("values.yaml", "a: 1\n---\nimage: {tag: \"1.2.3\"}\n".to_owned(), "1.2.3", "1.10"),
            (
                "a.yaml",
                application("{helm: {parameters: [{name: x, value: y}, {name: image.tag, value: '1.2.3'}]}}"),
                "1.2.3",
                "1.10",
            ),
            ("a.yaml", application("{helm: {valuesObject: {image: {tag: '1.2.3'}}}}"), "1.2.3", "1.10"),
            (
                "a.yaml",
                application("{kustomize: {images: ['x:1', 'r.io:5000/acme/users:1.2.3']}}"),
                "1.2.3",
                "1.10",
            ),
            ("a.yaml", application("{kustomize: {images: [\"users=r.io/users:1.2.3\"]}}"), "1.2.3", "1.10"),
            (
                "c/.argocd-source-users-dev.yaml",
                "helm:\n  parameters:\n  - name: image.tag\n    value: 1.2.3\n    forcestring: true\n"
                    .to_owned(),
                "1.2.3",
                "\"1.10\"",
            ),
            (
                "kustomization.yaml",
                "images:\n- name: users\n  newTag: 1.2.3\n".to_owned(),
                "1.2.3",
                "\"1.10\"",
            ),
        ];
        for (path, text, from, to) in cases {
            assert_eq!(pinned(path, &text).unwrap(), text.replace(from, to), "{text}");
        }
        let bare = "helm:\n  parameters:\n  - name: image.tag\n";
        assert_eq!(
            pinned(".argocd-source-users-dev.yaml", bare).unwrap(),
            format!("{bare}    value: \"1.10\"\n")
        );
        assert_eq!(with_tag("localhost:5000/users", "2"), "localhost:5000/users:2");
        assert_eq!(with_tag("users=users", "2"), "users=users:2");
    }

    #[test]
    fn what_is_no_tag_of_its_own_is_refused() {
        let cases = [
            ("a.yaml", application("{helm: {values: \"image: {tag: 1.2.3}\"}}"), "whole values file"),
            (
                "a.yaml",
                application("\n    helm:\n      values: |\n        image:\n          tag: 1.2.3"),
                "whole values file",
            ),
            ("a.yaml", application("{kustomize: {images: ['r.io/users@sha256:00ff']}}"), "digest"),
            (
                "kustomization.yaml",
                "images: [{name: users, newTag: '1', digest: 'sha256:00ff'}]".to_owned(),
                "digest",
            ),
            ("values.yaml", "version: &v 1\nimage: {tag: *v}\nother: *v\n".to_owned(), "anchored (&v)"),
        ];
        for (path, text, part) in cases {
            let refusal = pinned(path, &text).unwrap_err();
            assert!(refusal.problem.contains(part), "{refusal}");
            assert!(refusal.manual.contains("to \"1.10\""), "{refusal}");
        }
    }
}
