//! What each kind of edit does to the text, and what is refused.

mod generated;

use super::*;

/// Tags that YAML reads as something else, and some that it does not.
const TAGS: [&str; 22] = [
    "1.2.4",
    "v1.10",
    "1.10",
    "1e5",
    "0123",
    "0x1F",
    "0o17",
    "1_000",
    "on",
    "y",
    "No",
    "null",
    "true",
    "42",
    ".5",
    "2026-11-22",
    "12-30-00",
    "685230e5",
    "main-0123abc",
    "sha256-00ff",
    "_x",
    "1.2.3-rc.1",
];

fn path(key: &str) -> KeyPath {
    KeyPath::of_value(0, key).unwrap()
}

fn set(text: &str, key: &str, to: &str) -> Result<String, Refusal> {
    edit(text, &[Change::set(path(key), to)])
}

fn problem(text: &str, key: &str, to: &str) -> String {
    set(text, key, to).unwrap_err().problem
}

/// The documents as another parser reads them.
fn read(text: &str) -> Vec<yaml_serde::Value> {
    use serde::Deserialize as _;
    yaml_serde::Deserializer::from_str(text.trim_start_matches('\u{feff}'))
        .map(|document| yaml_serde::Value::deserialize(document).unwrap())
        .collect()
}

/// The value at a path, as another parser reads it.
fn at<'a>(documents: &'a mut [yaml_serde::Value], path: &KeyPath) -> Option<&'a mut yaml_serde::Value> {
    path.steps.iter().try_fold(documents.get_mut(path.document)?, |value, step| match step {
        Step::Key(key) => {
            value.as_mapping_mut()?.iter_mut().find(|(name, _)| spelled(name) == *key).map(|(_, value)| value)
        }
        Step::Index(index) => value.as_sequence_mut()?.get_mut(*index),
    })
}

/// A key as it is written; numbers and truth values are keys, too.
fn spelled(key: &yaml_serde::Value) -> String {
    match key {
        yaml_serde::Value::String(text) => text.clone(),
        other => yaml_serde::to_string(other).unwrap().trim().to_owned(),
    }
}

#[test]
fn a_scalar_keeps_its_quotes_where_the_tag_is_safe_in_them() {
    let cases = [
        ("tag: 1.2.3", "1.2.4", "tag: 1.2.4"),
        ("tag:   1.2.3   # bumped", "1.2.4", "tag:   1.2.4   # bumped"),
        ("tag: '1.2.3'", "1.2.4", "tag: '1.2.4'"),
        ("tag: \"1.2.3\"\r\n", "1.2.4", "tag: \"1.2.4\"\r\n"),
        ("tag: 1.2.3", "1.10", "tag: \"1.10\""),
        ("tag: 1.10", "1.10", "tag: \"1.10\""),
        ("tag: '1.10'", "1.11", "tag: '1.11'"),
        ("tag: v1", "on", "tag: \"on\""),
        ("tag: v1", "", "tag: \"\""),
        ("tag: v1", "it's", "tag: \"it's\""),
        ("tag: 'v1'", "it's", "tag: 'it''s'"),
        ("tag: \"v1\"", "a\\b\"c", "tag: \"a\\\\b\\\"c\""),
        ("tag: v1", "regexp:^1\\.4$", "tag: 'regexp:^1\\.4$'"),
        ("tag:", "1.2.4", "tag: 1.2.4"),
        ("tag: # none", "1.2.4", "tag: 1.2.4 # none"),
        ("tag: ~", "1.2.4", "tag: 1.2.4"),
        ("tag: &v 1.2.3", "1.2.4", "tag: &v 1.2.4"),
        ("\"tag\": 1.2.3", "1.2.4", "\"tag\": 1.2.4"),
        ("\u{feff}tag: 1.2.3", "1.2.4", "\u{feff}tag: 1.2.4"),
        ("{a: b, tag: 1.2.3, c: d}", "1.2.4", "{a: b, tag: 1.2.4, c: d}"),
        ("{a: b, tag: , c: d}", "1.2.4", "{a: b, tag: 1.2.4 , c: d}"),
        ("{\"a\": \"b\", \"tag\": \"x\"}", "1.2.4", "{\"a\": \"b\", \"tag\": \"1.2.4\"}"),
        ("{\n  \"tag\": 7\n}", "1.2.4", "{\n  \"tag\": \"1.2.4\"\n}"),
        ("a: &a {x: 1}\nb: *a\ntag: 1.2.3", "1.2.4", "a: &a {x: 1}\nb: *a\ntag: 1.2.4"),
        ("note: \"{{ .Values.x }}\" # {{\ntag: 1.2.3", "1.2.4", "note: \"{{ .Values.x }}\" # {{\ntag: 1.2.4"),
        ("tag:\t1.2.3", "1.2.4", "tag:\t1.2.4"),
    ];
    for (text, tag, expected) in cases {
        assert_eq!(set(text, "tag", tag).as_deref(), Ok(expected), "{text}");
    }
    for tag in TAGS {
        for text in [
            "a:\n  tag: 1.2.3 # c\n",
            "a: {tag: 1.2.3}",
            "a:\n  tag: '1'\r\n",
            "a: {tag: \"x\"}\n",
            "a:\n  tag:\n",
        ] {
            let edited = set(text, "a.tag", tag).unwrap();
            assert_eq!(read(&edited)[0]["a"]["tag"].as_str(), Some(tag), "{edited}");
        }
    }
}

#[test]
fn documents_and_items_are_counted() {
    let text = "tag: a\n---\n- tag: b\n- {tag: c}\n...\n---\ntag: d\n";
    let edited = edit(
        text,
        &[
            Change::set(KeyPath::root(1).index(1).key("tag"), "x"),
            Change::set(KeyPath::root(2).key("tag"), "w"),
            Change::set(KeyPath::root(1).index(0).key("tag"), "z"),
        ],
    );
    assert_eq!(edited.as_deref(), Ok("tag: a\n---\n- tag: z\n- {tag: x}\n...\n---\ntag: w\n"));
}

#[test]
fn what_is_not_certain_is_refused() {
    let cases = [
        ("a: &v 1\ntag: *v", "tag", "is an alias (*v) of what is written in line 1"),
        ("tag: &v 1\na: *v", "tag", "is anchored (&v) and read at other places too"),
        ("a: &v\n  tag: 1\nb: *v", "a.tag", "a is anchored (&v)"),
        ("a: &v\n  tag: 1\nb: *v", "b.tag", "b is an alias (*v)"),
        ("a: &v\n  tag: 1\nb:\n  <<: *v\n  x: 1", "b.tag", "merged"),
        ("tag: 1\ntag: 2", "tag", "more than once"),
        ("tag: |\n  1", "tag", "block scalar"),
        ("tag: >-\n  1", "tag", "block scalar"),
        ("tag: !!str 1", "tag", "has a tag"),
        ("tag: !!str", "tag", "has a tag"),
        ("tag: &a", "tag", "empty"),
        ("? tag\n", "tag", "empty"),
        ("tag: a\n  b", "tag", "several lines"),
        ("tag: 'a\n  b'", "tag", "several lines"),
        ("tag: '{{ .x }}'", "tag", "templated"),
        ("tag: {{ .x }}", "tag", "is no text"),
        ("{{ if .x }}\ntag: 1\n{{ end }}\n", "tag", "it is a template"),
        ("tag: [1]", "tag", "is no text"),
        ("a: text", "a.tag", "a is no mapping"),
        ("a: [1]", "a[1]", "has no item 1"),
        ("a: [&b 1, *b]", "a[1]", "is an alias"),
        ("text", "tag", "the document is no mapping"),
        ("", "tag", "no document 1"),
        ("a:\n\ttag: 1\n", "a.tag", "no YAML"),
    ];
    for (text, key, part) in cases {
        let problem = problem(text, key, "2");
        assert!(problem.contains(part), "{problem}: {text}");
    }
    for odd in ["a\nb", "a\u{85}b", "\u{0}", "{{ .x }}", "\u{2028}"] {
        assert!(set("tag: 1", "tag", odd).is_err(), "{odd:?}");
    }
    let refusal = edit_bytes(b"tag: \xff", &[Change::set(path("tag"), "1")]).unwrap_err();
    assert_eq!(refusal.problem, "it is not UTF-8");
}

#[test]
fn a_refusal_says_what_to_do_by_hand() {
    let text = "a: &v 1\nimage:\n  tag: *v\n";
    let changes = [
        Change::set(path("image.tag"), "1.10"),
        Change::list(path("image.ignore"), &["*"]),
        Change::remove(path("a")),
    ];
    let refusal = edit(text, &changes).unwrap_err().in_file("dev/values.yaml");
    assert_eq!(
        refusal.to_string(),
        "dev/values.yaml cannot be edited safely: image.tag is an alias (*v) of what is written in line 1; by hand: in \
         dev/values.yaml, set image.tag (line 1) to \"1.10\"; set image.ignore (which is not there; below line 3) to [\"*\"]; \
         remove a (line 1)"
    );
}

#[test]
fn a_missing_key_goes_to_the_end_of_its_mapping() {
    let cases = [
        ("a:\n  b: 1\nz: 2\n", "a.tag", "a:\n  b: 1\n  tag: x\nz: 2\n"),
        ("a:\n    b: 1 # c\n\n# of z\nz: 2\n", "a.tag", "a:\n    b: 1 # c\n    tag: x\n\n# of z\nz: 2\n"),
        ("a:\n  b: 1", "a.tag", "a:\n  b: 1\n  tag: x"),
        ("a:\r\n  b: 1\r\n", "a.tag", "a:\r\n  b: 1\r\n  tag: x\r\n"),
        ("z: 1\r\na:\r\n  b: 1", "a.tag", "z: 1\r\na:\r\n  b: 1\r\n  tag: x"),
        ("a:\n- b: 1\n  c: 2\n- d: 3\n", "a[0].tag", "a:\n- b: 1\n  c: 2\n  tag: x\n- d: 3\n"),
        ("a:\n  b:\n    c: 1\nz: 2\n", "a.tag", "a:\n  b:\n    c: 1\n  tag: x\nz: 2\n"),
        (
            "a:\n  b:\n  - 1\n  - c: |\n      text\n\n\nz: 2\n",
            "a.tag",
            "a:\n  b:\n  - 1\n  - c: |\n      text\n  tag: x\n\n\nz: 2\n",
        ),
        ("a:\n  c: |+\n    text\n\nz: 2\n", "a.tag", "a:\n  c: |+\n    text\n\n  tag: x\nz: 2\n"),
        ("a:\n  b: 'x\n    y'\nz: 2\n", "a.tag", "a:\n  b: 'x\n    y'\n  tag: x\nz: 2\n"),
        ("a:\n  b: {c: [1,\n    2]}\nz: 2\n", "a.tag", "a:\n  b: {c: [1,\n    2]}\n  tag: x\nz: 2\n"),
        ("a:\n  b: # c\nz: 2\n", "a.tag", "a:\n  b: # c\n  tag: x\nz: 2\n"),
        ("x: &x 1\na:\n  b: *x\nz: 2\n", "a.tag", "x: &x 1\na:\n  b: *x\n  tag: x\nz: 2\n"),
        ("a: {b: 1}\n", "a.tag", "a: {b: 1, tag: x}\n"),
        ("a: { b: 1 } # c\n", "a.tag", "a: { b: 1, tag: x } # c\n"),
        ("a: {}\n", "a.tag", "a: {tag: x}\n"),
        ("a: {b: 1,}\n", "a.tag", "a: {b: 1, tag: x,}\n"),
        ("a: {\n  b: 1, # c\n  d: 2 # e\n}\n", "a.tag", "a: {\n  b: 1, # c\n  d: 2, tag: x # e\n}\n"),
        ("a: {b, c: }\n", "a.tag", "a: {b, c:, tag: x }\n"),
        ("{\"a\": {\"b\": 1}}", "a.tag", "{\"a\": {\"b\": 1, \"tag\": \"x\"}}"),
        ("{\"a\": {}}", "a.tag", "{\"a\": {\"tag\": \"x\"}}"),
        ("a:\nz: 2\n", "a.tag", "a:\n  tag: x\nz: 2\n"),
        ("a: ~\nz: 2\n", "a.tag", "a: {tag: x}\nz: 2\n"),
        ("m:\n    n: 1\na: # c\nz: 2\n", "a.b.tag", "m:\n    n: 1\na: # c\n    b:\n        tag: x\nz: 2\n"),
        ("a: {b: }\n", "a.b.tag", "a: {b: {tag: x} }\n"),
        ("a: 1\n", "b.c.tag", "a: 1\nb:\n  c:\n    tag: x\n"),
        ("a: 1\n...\n---\nb: 1\n", "tag", "a: 1\ntag: x\n...\n---\nb: 1\n"),
        (
            "base: &b {x: 1}\na:\n  <<: *b\n  c: 1\n",
            "a.tag",
            "base: &b {x: 1}\na:\n  <<: *b\n  c: 1\n  tag: x\n",
        ),
    ];
    for (text, key, expected) in cases {
        assert_eq!(set(text, key, "x").as_deref(), Ok(expected), "{text}");
    }
    let annotation = KeyPath::root(0).keys(["metadata", "annotations", "a.io/b.c"]);
    let text = "metadata:\n  name: users\nspec: {}\n";
    assert_eq!(
        edit(text, &[Change::set(annotation.clone(), "*")]).as_deref(),
        Ok("metadata:\n  name: users\n  annotations:\n    a.io/b.c: \"*\"\nspec: {}\n")
    );
    let two = [
        Change::set(annotation.clone(), "*"),
        Change::set(KeyPath::root(0).keys(["metadata", "annotations", "on"]), "1"),
    ];
    assert_eq!(
        edit(text, &two).as_deref(),
        Ok("metadata:\n  name: users\n  annotations:\n    a.io/b.c: \"*\"\n    \"on\": \"1\"\nspec: {}\n")
    );
    for (text, key) in [
        ("? a\n: 1\n", "tag"),
        ("a: |\n  text", "tag"),
        ("a:\n- >-\n  text", "tag"),
        ("a: &v\nb: 1\n", "a.tag"),
        ("a: 1\rb: 2\r", "tag"),
        ("a: &x {b: 1}\nc: *x\n", "a.tag"),
        ("a: [1]", "a.tag"),
    ] {
        assert!(set(text, key, "x").is_err(), "{text}");
    }
}

#[test]
fn a_key_is_removed_with_its_lines() {
    let cases = [
        ("a:\n  b: 1\n  tag: x # c\nz: 2\n", "a:\n  b: 1\nz: 2\n"),
        ("a:\n  tag: x\n  b: 1\n", "a:\n  b: 1\n"),
        ("a:\n  tag:\n    c: 1\n    # in it\n    d: 2\n\n  b: 1\n", "a:\n\n  b: 1\n"),
        ("a:\n  b: 1\n  tag: |\n    text\n", "a:\n  b: 1\n"),
        ("a:\r\n  b: 1\r\n  tag: x", "a:\r\n  b: 1"),
        ("a: {b: 1, tag: x}\n", "a: {b: 1}\n"),
        ("a: {tag: x, b: 1}\n", "a: {b: 1}\n"),
        ("a: { tag: x }\n", "a: {  }\n"),
        ("a:\n  tag: x\nz: 2\n", "a: {}\nz: 2\n"),
        ("a: # c\n  tag: x\nz: 2\n", "a: {} # c\nz: 2\n"),
        ("a:\n  b: 1\n", "a:\n  b: 1\n"),
        ("b: 1\n", "b: 1\n"),
        ("a:\n", "a:\n"),
    ];
    for (text, expected) in cases {
        assert_eq!(edit(text, &[Change::remove(path("a.tag"))]).as_deref(), Ok(expected), "{text}");
    }
    let item = |text: &str| edit(text, &[Change::remove(path("a[0].tag"))]);
    assert_eq!(item("a:\n- tag: x\n  b: 1\n").as_deref(), Ok("a:\n- b: 1\n"));
    for text in [
        "a:\n- tag: x\n",
        "a:\n- tag: x # c\n  b: 1\n",
        "a: [{b: 1,\n  tag: x}]",
        "a: [{b: 1, # c\n  tag: x}]",
    ] {
        assert!(item(text).is_err(), "{text}");
    }
    for text in [
        "a:\n  tag: &x 1\n  b: 1\nz: *x\n",
        "a:\n  b: 1\n  tag: {c: &x 1}\nz: *x\n",
        "a: &v\n  tag: x\n",
        "tag: x\n",
    ] {
        let root = if text.starts_with("tag") { "tag" } else { "a.tag" };
        assert!(edit(text, &[Change::remove(path(root))]).is_err(), "{text}");
    }
}

#[test]
fn what_stays_of_a_list_is_left_as_it_is_written() {
    let list = |text: &str, wanted: &[&str]| edit(text, &[Change::list(path("a.ignore"), wanted)]);
    let cases: [(&str, &[&str], &str); 12] = [
        ("a:\n  b: 1\n", &["*"], "a:\n  b: 1\n  ignore: [\"*\"]\n"),
        ("a: {b: 1}\n", &["*"], "a: {b: 1, ignore: [\"*\"]}\n"),
        ("a:\n  ignore:\n", &["*"], "a:\n  ignore: [\"*\"]\n"),
        ("a:\n  ignore: []\n", &["*"], "a:\n  ignore: [\"*\"]\n"),
        ("a:\n  ignore: [x, 'y' ] # c\n", &["x", "y", "*"], "a:\n  ignore: [x, 'y', \"*\" ] # c\n"),
        ("a:\n  ignore: [x, \"*\"] # c\n", &["x"], "a:\n  ignore: [x] # c\n"),
        ("a:\n  ignore: [\"*\"]\n", &[], "a:\n  ignore: []\n"),
        ("a:\n  ignore: [x, y]\n", &["*"], "a:\n  ignore: [\"*\"]\n"),
        (
            "a:\n  ignore:\n  - x # c\n  - y\n  z: 1\n",
            &["x", "y", "*"],
            "a:\n  ignore:\n  - x # c\n  - y\n  - \"*\"\n  z: 1\n",
        ),
        ("a:\r\n  ignore:\r\n    -  x", &["x", "*"], "a:\r\n  ignore:\r\n    -  x\r\n    -  \"*\""),
        ("a:\n  ignore:\n  - x\n  - \"*\"\n", &["x"], "a:\n  ignore:\n  - x\n"),
        ("a:\n  ignore: '*'\n", &["*"], "a:\n  ignore: [\"*\"]\n"),
    ];
    for (text, wanted, expected) in cases {
        assert_eq!(list(text, wanted).as_deref(), Ok(expected), "{text}");
    }
    let refused: [(&str, &[&str]); 6] = [
        ("a:\n  ignore:\n  - x\n", &[]),
        ("a:\n  ignore:\n  - x\n  # c\n  - y\n  - z\n", &[]),
        ("a:\n  ignore:\n  - x\n  - y\n  # c\n  - z\n", &["x"]),
        ("a:\n  ignore: {x: 1}\n", &["x"]),
        ("b: &b x\na:\n  ignore: [*b]\n", &["x", "*"]),
        ("a:\n  ignore: [[x]]\n", &["*"]),
    ];
    for (text, wanted) in refused {
        assert!(list(text, wanted).is_err(), "{text}");
    }
}
