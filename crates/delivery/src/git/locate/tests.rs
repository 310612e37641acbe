//! Where a tag stands in each kind of file, and what cannot be read.

use domain::delivery::{EnvironmentName, ServiceName};
use proptest::prelude::*;

use super::*;

fn place() -> Place {
    Place {
        service: ServiceName::parse("users").unwrap(),
        environment: EnvironmentName::parse("dev").unwrap(),
    }
}

fn read_with(path: &str, text: &str, key: &str, specific: bool) -> Result<Reading, String> {
    locate(path, text.as_bytes(), Wanted { place: &place(), key, specific })
}

fn read(path: &str, text: &str) -> Result<Reading, String> {
    read_with(path, text, "image.tag", true)
}

/// The tag in a file, without what else is told of it.
fn tag_in(path: &str, text: &str) -> Option<String> {
    read(path, text).unwrap().found.and_then(|located| located.tag)
}

fn values(text: &str) -> Option<String> {
    tag_in("values.yaml", text)
}

#[test]
fn values_have_their_tag_wherever_yaml_lets_it_be_written() {
    let cases = [
        "image:\n  tag: 1.2.3\n",
        "# comment\nimage:   # of the chart\n    repository: r.io/users\n\n    tag:   1.2.3   # bumped by CI\n",
        "image:\r\n  repository: users\r\n  tag: 1.2.3\r\n",
        "\u{feff}image:\n  tag: 1.2.3\n",
        "image: {repository: users, tag: 1.2.3}\n",
        "{\"image\": {\"tag\": \"1.2.3\"}}",
        "image:\n  tag: '1.2.3'\n",
        "image:\n  \"tag\": \"1.2.3\"\n",
        "image:\n  tag: |\n    1.2.3\n",
        "image:\n  tag: >-\n    1.2.3\n",
        "image:\n  tag: !!str 1.2.3\n",
        "image:\n  ? tag\n  : 1.2.3\n",
        "image:\n  tag: &version 1.2.3\nother: *version\n",
        "version: &version 1.2.3\nimage:\n  tag: *version\n",
        "base: &base\n  tag: 1.2.3\nimage:\n  <<: *base\n  repository: users\n",
        "a: &a {tag: 1.2.3}\nb: &b {repository: users, tag: 9}\nimage:\n  <<: [*a, *b]\n",
        "base: &base\n  tag: 9\nimage:\n  <<: *base\n  tag: 1.2.3\n",
        "image:\n  tag: 1.2.2\n  tag: 1.2.3\n",
        "---\nreplicas: 2\n---\nimage:\n  tag: 1.2.3\n",
        "image.tag: 1.2.3\n",
        "image: users\nimage.tag: 1.2.3\n",
    ];
    for text in cases {
        assert_eq!(values(text).as_deref(), Some("1.2.3"), "{text}");
    }
}

#[test]
fn a_dotted_path_goes_before_a_key_with_dots() {
    assert_eq!(values("image.tag: a\nimage:\n  tag: b\n").as_deref(), Some("b"));
}

#[test]
fn tags_come_out_as_they_are_written() {
    let tags = [
        "1.10",
        "1e5",
        "0123",
        "0o17",
        "0x1F",
        "on",
        "off",
        "yes",
        "no",
        "y",
        "n",
        "true",
        "False",
        "2026-11-21",
        "12:30:45",
        "1_000",
        ".5",
        "1.",
        "+1",
        "-0",
        ".inf",
        ".NaN",
        "0b101",
        "685230e",
        "9007199254740993",
        "00000000000000000001",
        "v1.2.3-rc.1+build",
        "2026.11.21-1",
        "main-0123abc",
        "1.2@sha256:00ff",
    ];
    for tag in tags {
        for text in [
            format!("image:\n  tag: {tag}\n"),
            format!("image:\n  tag: '{tag}'\n"),
            format!("image:\n  tag: \"{tag}\" # quoted\n"),
            format!("image: {{tag: {tag}}}\n"),
        ] {
            assert_eq!(values(&text).as_deref(), Some(tag), "{text}");
        }
    }
    // In quotes these are texts, too.
    for tag in ["null", "~"] {
        assert_eq!(values(&format!("image: {{tag: '{tag}'}}")).as_deref(), Some(tag));
    }
}

#[test]
fn what_helm_would_render_otherwise_is_seen() {
    let garbled = |text: &str| read("values.yaml", text).unwrap().found.unwrap().garbled;
    let without_quotes = |tag: &str| garbled(&format!("image: {{tag: {tag}}}"));
    for tag in [
        "1.10", "1.0", "1e5", "0123", "0x1F", "0o17", "0b101", "1_000", "on", "No", "y", "True", "12345678",
        "-0", "+1", ".5",
    ] {
        assert!(without_quotes(tag), "{tag}");
        assert!(!garbled(&format!("image: {{tag: '{tag}'}}")), "{tag}");
    }
    for tag in [
        "1.2.3",
        "v1.10",
        "42",
        "999999",
        "true",
        "685230e",
        "0xyz",
        "latest",
        "nan",
        "inf",
        "2026-11-21",
        "1-2",
        "0",
    ] {
        assert!(!without_quotes(tag), "{tag}");
    }
}

#[test]
fn what_is_empty_sets_none() {
    for text in [
        "image:\n  tag:\n",
        "image:\n  tag: ''\n",
        "image: {tag: null}",
        "image: {tag: ~}",
        "image: {tag: ' '}",
    ] {
        let found = read("values.yaml", text).unwrap().found.unwrap();
        assert_eq!((found.tag, found.key.as_str()), (None, "image.tag"), "{text}");
    }
    for text in ["", "\n# nothing\n", "image: users\n", "image:\n", "- image\n", "text", "---\n---\n"] {
        assert_eq!(read("values.yaml", text), Ok(Reading::default()), "{text}");
    }
}

#[test]
fn a_path_goes_through_lists() {
    let text =
        "containers:\n- {name: proxy, tag: a}\n- name: users\n  image:\n    tag: b\nmatrix: [[a, c]]\n";
    let tag =
        |key: &str| read_with("values.yaml", text, key, true).unwrap().found.and_then(|found| found.tag);
    assert_eq!(tag("containers[1].image.tag").as_deref(), Some("b"));
    assert_eq!(tag("containers[0].tag").as_deref(), Some("a"));
    assert_eq!(tag("matrix[0][1]").as_deref(), Some("c"));
    for key in
        ["containers[2].tag", "containers[x].tag", "containers[0.tag", "containers.tag", "[0].tag", "", "."]
    {
        assert_eq!(tag(key), None, "{key}");
    }
}

#[test]
fn what_cannot_be_read_says_why() {
    let cases = [
        ("image:\n  tag: {{ .Values.tag }}\n", "no text there"),
        ("image:\n  tag: \"{{ .Values.tag }}\"\n", "templated"),
        ("{{- if .Values.on }}\nimage:\n  tag: 1\n{{- end }}\n", "it is a template"),
        ("image:\n  tag: [1, 2]\n", "no text there"),
        ("image:\n\ttag: 1\n", "line 2"),
        ("image: *missing\n", "no YAML"),
        ("image: {tag: 1\n", "no YAML"),
        (
            "image: &image\n  <<: *image\n  repository: users\n---\nkind: ApplicationSet\napiVersion: argoproj.io/v1alpha1\n",
            "ApplicationSet",
        ),
    ];
    for (text, part) in cases {
        let problem = read("values.yaml", text).unwrap_err();
        assert!(problem.contains(part), "{problem}: {text}");
    }
    let wanted = Wanted { place: &place(), key: "image.tag", specific: true };
    assert_eq!(locate("values.yaml", b"image: \xff", wanted).unwrap_err(), "it is not UTF-8");
}

#[test]
fn what_merges_itself_ends() {
    assert_eq!(values("image: &image\n  <<: *image\n  repository: users\n"), None);
    assert_eq!(values("image: &image\n  <<: [*image, *image]\n"), None);
}

/// The Application of the service in production, as it is deployed with parameters.
const APPLICATION: &str = "\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: users-dev
  namespace: argocd
spec:
  project: dev
  source:
    repoURL: git@github.com:acme/gitops.git
    path: helm-charts/users
    helm:
      parameters:
        - name: image.repository
          value: r.io/users
        - name: image.tag # bumped
          value: \"0.1.10\"
";

#[test]
fn an_application_sets_it_by_a_parameter() {
    let reading = read("envs/dev/users/application.yaml", APPLICATION).unwrap();
    let located = Located {
        tag: Some("0.1.10".into()),
        key: "image.tag".into(),
        at: KeyPath::root(0).keys(["spec", "source", "helm", "parameters"]).index(1).key("value"),
        within: Within::Alone,
        layer: Layer::Parameters,
        garbled: false,
    };
    assert_eq!(reading, Reading { found: Some(located), origin: Origin::Application, has_parameters: true });
}

#[test]
fn the_last_parameter_counts_and_a_forced_one_more() {
    let with = |parameters: &str| {
        tag_in("a.yaml", &APPLICATION.replace("        - name: image.repository\n", parameters))
    };
    let first =
        "        - {name: image.tag, value: forced, forceString: true}\n        - name: image.repository\n";
    assert_eq!(with(first).as_deref(), Some("forced"));
    let first = "        - {name: image.tag, value: first}\n        - name: image.repository\n";
    assert_eq!(with(first).as_deref(), Some("0.1.10"));
}

/// An Application with this as its source.
fn application(name: &str, source: &str) -> String {
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}}}\nspec:\n  source: {source}\n"
    )
}

#[test]
fn an_application_sets_it_by_values() {
    let cases = [
        ("{helm: {valuesObject: {image: {tag: 1.10}}}}", Some("1.10")),
        ("{helm: {values: \"image: {tag: 1.10}\"}}", Some("1.10")),
        // `values` is left out of account beside `valuesObject`.
        ("{helm: {values: \"image: {tag: 2}\", valuesObject: {image: {tag: 1}}}}", Some("1")),
        ("{helm: {values: \"image: {tag: 2}\", valuesObject: {replicas: 1}}}", None),
        ("{helm: {values: \"image: {tag: 2}\", parameters: [{name: image.tag, value: '3'}]}}", Some("3")),
        ("{helm: {values: \"image: {tag: 2}\", parameters: [{name: other, value: '3'}]}}", Some("2")),
        ("{helm: {values: ''}}", None),
        ("{kustomize: {images: ['r.io/users:1.10']}}", Some("1.10")),
        ("{kustomize: {images: ['r.io/proxy:1', 'users=r.io/other:2']}}", Some("2")),
        ("{kustomize: {images: ['localhost:5000/users@sha256:00ff']}}", Some("sha256:00ff")),
        ("{path: charts/users}", None),
    ];
    for (source, tag) in cases {
        assert_eq!(tag_in("a.yaml", &application("users-dev", source)).as_deref(), tag, "{source}");
    }
    let broken = read("a.yaml", &application("users-dev", "{helm: {values: '{a: '}}")).unwrap_err();
    assert!(broken.starts_with("helm.values: it is no YAML"), "{broken}");
    let several =
        read("a.yaml", &application("users-dev", "{kustomize: {images: ['a:1', 'b:2']}}")).unwrap_err();
    assert!(several.contains("none of them is named users"), "{several}");
}

#[test]
fn of_several_sources_the_one_that_has_it_counts() {
    let text = "\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: users-dev}
spec:
  source: {helm: {parameters: [{name: image.tag, value: 'unused'}]}}
  sources:
  - repoURL: https://github.com/acme/values
    ref: values
  - chart: users
    helm: {valueFiles: ['$values/users.yaml'], parameters: [{name: image.tag, value: '4'}]}
";
    assert_eq!(tag_in("a.yaml", text).as_deref(), Some("4"));
}

#[test]
fn of_several_applications_the_named_one_counts() {
    let one = |name: &str, tag: &str| {
        application(name, &format!("{{helm: {{parameters: [{{name: image.tag, value: '{tag}'}}]}}}}"))
    };
    let file = |parts: &[String]| parts.join("---\n");
    let both = file(&[one("users-prod", "1"), one("users-dev", "2")]);
    assert_eq!(tag_in("apps.yaml", &both).as_deref(), Some("2"));
    assert_eq!(tag_in("apps.yaml", &file(&[one("x", "1"), one("users", "3")])).as_deref(), Some("3"));
    // One of another name counts only in a file that is of this place alone.
    let foreign = file(&[one("x", "1"), one("y", "2")]);
    assert_eq!(tag_in("apps.yaml", &foreign).as_deref(), Some("1"));
    assert_eq!(read_with("apps.yaml", &foreign, "image.tag", false).unwrap().found, None);
}

#[test]
fn the_file_that_the_updater_writes_is_read() {
    let path = "helm-charts/users/.argocd-source-users-dev.yaml";
    let text = "helm:\n  parameters:\n  - name: image.name\n    value: r.io/users\n    forcestring: true\n  - name: image.tag\n    value: 0.1.10\n    forcestring: true\n";
    let located = Located {
        tag: Some("0.1.10".into()),
        key: "image.tag".into(),
        at: KeyPath::root(0).keys(["helm", "parameters"]).index(1).key("value"),
        within: Within::Alone,
        layer: Layer::Parameters,
        garbled: false,
    };
    let reading = Reading { found: Some(located), origin: Origin::Override, has_parameters: true };
    assert_eq!(read(path, text), Ok(reading));
    assert_eq!(tag_in(path, "kustomize:\n  images:\n  - r.io/users:0.1.10\n").as_deref(), Some("0.1.10"));
    assert_eq!(read(path, "").unwrap().origin, Origin::Override);
}

#[test]
fn a_kustomization_sets_it_by_its_images() {
    let own =
        "images:\n- name: proxy\n  newTag: a\n- name: users\n  newName: r.io/users\n  newTag: 1.10 # {}\n";
    let found = read("envs/dev/kustomization.yaml", own).unwrap().found.unwrap();
    assert_eq!((found.tag.as_deref(), found.key.as_str()), (Some("1.10"), "images[users].newTag"));
    assert_eq!(found.layer, Layer::File);
    let cases = [
        (
            "images: [{name: app, newName: r.io/acme/users, newTag: '1'}, {name: proxy, newTag: '2'}]",
            Some("1"),
        ),
        ("images: [{name: app, newTag: '1'}]", Some("1")),
        ("images: [{name: users, digest: 'sha256:00ff'}]", Some("sha256:00ff")),
        ("images: [{name: users, newName: r.io/users}]", None),
        ("resources: [deployment.yaml]", None),
    ];
    for (text, tag) in cases {
        assert_eq!(tag_in("kustomization.yml", text).as_deref(), tag, "{text}");
        assert_eq!(tag_in("k.yaml", &format!("kind: Kustomization\n{text}")).as_deref(), tag, "{text}");
    }
    let several =
        read("kustomization.yaml", "images: [{name: a, newTag: '1'}, {name: b, newTag: '2'}]").unwrap_err();
    assert!(several.contains("several images"), "{several}");
}

proptest! {
    /// Whatever tag an image can have (OCI distribution, "Pulling manifests"), in whatever style and among whatever else.
    #[test]
    fn every_tag_comes_out_as_it_is_written(
        tag in "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}",
        style in 0..5_usize,
        before in prop::collection::vec(("[a-z]{1,8}", "[a-z0-9 ]{0,12}"), 0..4),
        comment in "[ -~]{0,20}",
        crlf: bool,
        documents in 0..3_usize,
    ) {
        // YAML's own words for nothing are texts in quotes alone.
        let is_null = matches!(tag.as_str(), "null" | "Null" | "NULL");
        let mut text = "# a document\nother: 1\n---\n".repeat(documents);
        for (key, value) in before.iter().filter(|(key, _)| key != "image") {
            text += &format!("{key}: '{value}' # {comment}\n");
        }
        text += &match style {
            0 => format!("image:\n  repository: r.io/users\n  tag: {tag} # {comment}\n"),
            1 => format!("image:\n    tag:   '{tag}'\n"),
            2 => format!("image: {{repository: \"a b\", tag: \"{tag}\"}} # {comment}\n"),
            3 => format!("image: {{\n  tag: {tag}\n}}\n"),
            _ => format!("tags: &tag {tag}\nimage:\n  tag: *tag\n"),
        };
        text += &format!("last: x # {comment}\n");
        if crlf {
            text = text.replace('\n', "\r\n");
        }
        let expected = (!is_null || style == 1 || style == 2).then_some(tag);
        prop_assert_eq!(values(&text), expected, "{}", text);
    }

    /// Whatever stands in a file of whatever name: it is told or it is said why not.
    #[test]
    fn nothing_in_a_file_does_harm(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "image", "tag", ":", ": ", "- ", "\n", "  ", "\t", "{", "}", "[", "]", ",", "&a ", "*a", "<<", "!!str ", "'", "\"",
                "|", ">", "#", "---\n", "...\n", "%YAML 1.2\n", "?", "{{ .x }}", "é", "\u{feff}", "\r\n", "1.10",
                "apiVersion: argoproj.io/v1alpha1\nkind: Application\n", "spec:\n  source:\n    helm:\n", "parameters", "images",
            ]),
            0..40,
        ),
        path in prop::sample::select(vec!["values.yaml", "kustomization.yaml", ".argocd-source-users-dev.yaml"]),
    ) {
        let text = pieces.concat();
        for key in ["image.tag", "image", "images[0].tag", "", "."] {
            if let Ok(Reading { found: Some(Located { tag: Some(tag), .. }), .. }) = read_with(path, &text, key, true) {
                prop_assert!(!tag.is_empty() && tag.trim() == tag);
            }
        }
    }
}
