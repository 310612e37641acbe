//! Values files of published charts: a tag that is set in one is set, and nothing else is changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use delivery::gitops::edit::{Change, KeyPath, Step, edit};
use serde::Deserialize as _;
use yaml_serde::Value;

/// Tags that are read as something else where they stand without quotes, and one that is not.
const TAGS: [&str; 6] = ["1.10", "1e5", "0123", "on", "2026-11-22", "v1.2.3-rc.1"];
/// Of what else is in a file, each of so many.
const OTHERS: usize = 40;

/// The files by their names.
fn charts() -> BTreeMap<String, String> {
    let directory = std::env::var_os("TOLLGATE_TEST_CHARTS").map(PathBuf::from).unwrap_or_else(|| {
        panic!(
            "TOLLGATE_TEST_CHARTS is not set: run `cargo xtask test --only integration --package delivery`"
        )
    });
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| {
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(path).unwrap())
        })
        .collect()
}

/// As another parser reads it.
fn read(text: &str) -> Vec<Value> {
    yaml_serde::Deserializer::from_str(text).map(|document| Value::deserialize(document).unwrap()).collect()
}

/// Every value in it, with its place.
fn places(documents: &[Value]) -> Vec<(KeyPath, &Value)> {
    let mut open: Vec<(KeyPath, &Value)> =
        documents.iter().enumerate().map(|(number, document)| (KeyPath::root(number), document)).collect();
    let mut found = Vec::new();
    while let Some((path, value)) = open.pop() {
        match value {
            Value::Mapping(pairs) => {
                let parts =
                    pairs.iter().filter_map(|(key, value)| Some((path.clone().key(key.as_str()?), value)));
                open.extend(parts);
            }
            Value::Sequence(items) => {
                open.extend(
                    items.iter().enumerate().map(|(number, item)| (path.clone().index(number), item)),
                );
            }
            _ => {}
        }
        found.push((path, value));
    }
    found
}

fn at<'a>(documents: &'a mut [Value], path: &KeyPath) -> &'a mut Value {
    path.steps.iter().fold(&mut documents[path.document], |value, step| match step {
        Step::Key(key) => value.as_mapping_mut().unwrap().get_mut(key.as_str()).unwrap(),
        Step::Index(index) => &mut value.as_sequence_mut().unwrap()[*index],
    })
}

fn is_scalar(value: &Value) -> bool {
    !matches!(value, Value::Mapping(_) | Value::Sequence(_))
}

/// Whether it is what sets an image's version.
fn is_tag(path: &KeyPath) -> bool {
    let Some(Step::Key(key)) = path.steps.last() else { return false };
    let key = key.to_lowercase();
    key.ends_with("tag") || key.ends_with("version")
}

/// The lines that differ, on both sides.
fn different<'a>(before: &'a str, after: &'a str) -> (Vec<&'a str>, Vec<&'a str>) {
    let (before, after): (Vec<&str>, Vec<&str>) = (before.split('\n').collect(), after.split('\n').collect());
    let start = before.iter().zip(&after).take_while(|(before, after)| before == after).count();
    let (before, after) = (&before[start..], &after[start..]);
    let end =
        before.iter().rev().zip(after.iter().rev()).take_while(|(before, after)| before == after).count();
    (before[..before.len() - end].to_vec(), after[..after.len() - end].to_vec())
}

/// Whether one line holds all of the other, apart from one stretch of it.
fn differs_in_one_stretch(longer: &str, shorter: &str) -> bool {
    let start = longer.bytes().zip(shorter.bytes()).take_while(|(longer, shorter)| longer == shorter).count();
    longer.as_bytes().ends_with(&shorter.as_bytes()[start..])
}

#[test]
fn a_tag_of_a_published_chart_is_set_and_nothing_else() {
    let charts = charts();
    let (mut edited, mut tags, mut refused) = (0, 0, Vec::new());
    for (name, text) in &charts {
        let documents = read(text);
        let all = places(&documents);
        let others = all.iter().filter(|(path, value)| is_scalar(value) && !is_tag(path)).step_by(OTHERS);
        let wanted = all
            .iter()
            .filter(|(path, value)| is_scalar(value) && is_tag(path))
            .flat_map(|place| TAGS.map(|tag| (place, tag)))
            .chain(others.zip(TAGS.into_iter().cycle()));
        for ((path, _), tag) in wanted {
            let result = match edit(text, &[Change::set(path.clone(), tag)]) {
                Ok(result) => result,
                Err(refusal) => {
                    refused.push(format!("{name}: {path}: {refusal}"));
                    continue;
                }
            };
            edited += 1;
            tags += usize::from(is_tag(path));
            let (before, after) = different(text, &result);
            assert!(
                before.len() <= 1 && before.len() == after.len(),
                "{name}: {path}: {before:?} to {after:?}"
            );
            let behind = |lines: &[&str]| {
                lines.first().and_then(|line| line.find(" #").map(|at| line[at..].to_owned()))
            };
            assert_eq!(behind(&before), behind(&after), "{name}: {path}: the comment changed");
            let mut expected = documents.clone();
            *at(&mut expected, path) = Value::String(tag.to_owned());
            assert!(expected == read(&result), "{name}: {path} to {tag} is read otherwise");
        }
    }
    assert!(
        charts.len() >= 30 && edited >= 400 && tags >= 300,
        "{} files, {edited} edits, {tags} of tags",
        charts.len()
    );
    assert!(refused.len() * 30 <= edited, "{} of {edited} refused:\n{}", refused.len(), refused.join("\n"));
    let known = ["is templated", "is a block scalar", "goes over several lines"];
    let unexpected = |refusal: &&String| !known.iter().any(|problem| refusal.contains(problem));
    assert_eq!(refused.iter().find(unexpected), None);
}

#[test]
fn a_key_that_is_added_to_a_published_chart_comes_off_again() {
    let charts = charts();
    let (mut added, mut refused) = (0, Vec::new());
    for (name, text) in &charts {
        let documents = read(text);
        let all = places(&documents);
        let mappings = all.iter().filter(|(_, value)| value.is_mapping());
        for (path, _) in mappings.step_by(10) {
            let key = path.clone().key("added.io/key");
            let result = match edit(text, &[Change::list(key.clone(), &["*"])]) {
                Ok(result) => result,
                Err(refusal) => {
                    refused.push(format!("{name}: {path}: {refusal}"));
                    continue;
                }
            };
            added += 1;
            let (before, after) = different(text, &result);
            let kept = match (before.as_slice(), after.as_slice()) {
                ([], [_]) => true,
                // Into braces.
                ([before], [after]) => differs_in_one_stretch(after, before),
                // Below a key that had nothing.
                _ => false,
            };
            assert!(kept, "{name}: {path}: {before:?} to {after:?}");
            let mut expected = documents.clone();
            let mapping = at(&mut expected, path).as_mapping_mut().unwrap();
            mapping.insert("added.io/key".into(), Value::Sequence(vec!["*".into()]));
            assert!(expected == read(&result), "{name}: {path} is read otherwise");
            assert_eq!(edit(&result, &[Change::remove(key)]).as_ref(), Ok(text), "{name}: {path}");
        }
    }
    assert!(added >= 100, "{added} added");
    assert!(refused.len() * 50 <= added, "{} of {added} refused:\n{}", refused.len(), refused.join("\n"));
}
