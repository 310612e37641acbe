//! Generated files: whatever is around a scalar, an edit changes its bytes alone and reading gives what was asked for.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;

const CASES: u32 = 3000;

/// A scalar that was written, and where.
#[derive(Clone, Debug)]
struct Scalar {
    path: KeyPath,
    bytes: Range<usize>,
    /// Whether nothing else reads it, and it stands on one line.
    own: bool,
}

/// Writes a file, by choices that are given.
struct Writer {
    choices: Vec<u8>,
    next: usize,
    text: String,
    line_breaks: u8,
    scalars: Vec<Scalar>,
    /// The mappings that a key can be added to.
    mappings: Vec<KeyPath>,
    anchors: usize,
    /// Anchors of this document, with the number of their scalars.
    anchored: Vec<(String, usize)>,
    keys: usize,
}

const PLAIN: [&str; 18] = [
    "1.2.3",
    "1.10",
    "true",
    "on",
    "0123",
    "v1",
    "a b c",
    "http://x/y",
    "1e5",
    "~",
    "null",
    "é ü",
    "-1",
    "x:y",
    "a#b",
    "2026-11-22",
    "{{x}}",
    "it's",
];
const NAMES: [&str; 6] = ["image", "tag", "name", "a.b/c", "version", "x"];

impl Writer {
    fn of(choices: Vec<u8>) -> Writer {
        let mut writer = Writer {
            choices,
            next: 0,
            text: String::new(),
            line_breaks: 0,
            scalars: Vec::new(),
            mappings: Vec::new(),
            anchors: 0,
            anchored: Vec::new(),
            keys: 0,
        };
        writer.file();
        writer
    }

    fn choose(&mut self, most: u8) -> u8 {
        self.next += 1;
        let (round, at) = (self.next / self.choices.len(), self.next % self.choices.len());
        self.choices[at].wrapping_add((round as u8).wrapping_mul(37)) % most
    }

    fn file(&mut self) {
        self.line_breaks = self.choose(4);
        if self.choose(6) == 0 {
            self.text.push('\u{feff}');
        }
        let documents = usize::from(self.choose(3)) + 1;
        for document in 0..documents {
            self.anchored.clear();
            if document == 0 && self.choose(3) == 0 {
                self.text += "# a comment: {{ .x }}\n";
            }
            if document > 0 || self.choose(2) == 0 {
                self.text += "---\n";
            }
            self.mapping(0, 0, KeyPath::root(document));
            if document + 1 < documents && self.choose(5) == 0 {
                self.text += "...\n";
            }
        }
        let end = self.text.trim_end_matches(['\r', '\n']).len();
        // Behind a block scalar a line break is part of the text.
        if self.choose(4) == 0 && !self.text[..end].ends_with("text: 1") {
            self.text.truncate(end);
        }
    }

    fn end_line(&mut self) {
        match self.choose(8) {
            0 => self.text += " # c: '",
            1 => self.text += "   ",
            _ => {}
        }
        let crlf = self.line_breaks == 1 || (self.line_breaks == 2 && self.choose(2) == 0);
        self.text += if crlf { "\r\n" } else { "\n" };
    }

    fn between(&mut self) {
        match self.choose(7) {
            0 => self.text += "\n",
            1 => {
                let indent = usize::from(self.choose(5));
                self.text += &" ".repeat(indent);
                self.text += "# tag: 9.9.9\n";
            }
            _ => {}
        }
    }

    fn name(&mut self) -> String {
        self.keys += 1;
        let name = NAMES[usize::from(self.choose(NAMES.len() as u8))];
        format!("{name}{}", self.keys)
    }

    fn mapping(&mut self, indent: usize, depth: u8, path: KeyPath) {
        self.mappings.push(path.clone());
        for number in 0..=self.choose(4) {
            if number > 0 || !self.text.ends_with("- ") {
                self.between();
                self.text += &" ".repeat(indent);
            }
            let name = self.name();
            let key = match self.choose(5) {
                0 => format!("\"{name}\":"),
                1 => format!("{name} :"),
                _ => format!("{name}:"),
            };
            self.text += &key;
            self.value(indent, depth, path.clone().key(&name));
        }
    }

    fn value(&mut self, indent: usize, depth: u8, path: KeyPath) {
        let deeper = indent + 1 + usize::from(self.choose(4));
        match self.choose(if depth < 3 { 13 } else { 9 }) {
            0 => self.end_line(),
            1 => {
                let header = ["|", ">-", "|+"][usize::from(self.choose(3))];
                self.text += &format!(" {header}\n{}text: 1\n", " ".repeat(deeper));
                self.text += if header == "|+" { "\n" } else { "" };
                self.scalars.push(Scalar { path, bytes: 0..0, own: false });
            }
            2 => {
                self.anchors += 1;
                let name = format!("v{}", self.anchors);
                self.text += &format!(" &{name} ");
                self.scalar(path, false);
                self.anchored.push((name, self.scalars.len() - 1));
                self.end_line();
            }
            3 if !self.anchored.is_empty() => {
                let which = usize::from(self.choose(self.anchored.len() as u8));
                let (name, scalar) = self.anchored[which].clone();
                self.scalars[scalar].own = false;
                self.text += &format!(" *{name}\n");
                self.scalars.push(Scalar { path, bytes: 0..0, own: false });
            }
            4 => {
                self.text += " ";
                self.flow(2, path);
                self.end_line();
            }
            9 => {
                self.end_line();
                self.mapping(deeper, depth + 1, path);
            }
            10 => {
                self.end_line();
                for item in 0..=usize::from(self.choose(3)) {
                    self.text += &format!("{}- ", " ".repeat(deeper));
                    self.scalar(path.clone().index(item), false);
                    self.end_line();
                }
            }
            11 | 12 => {
                let dash = indent + usize::from(self.choose(2)) * 2;
                self.end_line();
                for item in 0..=usize::from(self.choose(2)) {
                    self.text += &format!("{}- ", " ".repeat(dash));
                    self.mapping(dash + 2, depth + 1, path.clone().index(item));
                }
            }
            _ => {
                let gap = if self.choose(4) == 0 { "   " } else { " " };
                self.text += gap;
                self.scalar(path, false);
                self.end_line();
            }
        }
    }

    fn scalar(&mut self, path: KeyPath, in_flow: bool) {
        let plain = PLAIN[usize::from(self.choose(PLAIN.len() as u8))];
        let start = self.text.len();
        match self.choose(4) {
            0 => self.text += &format!("'{}'", plain.replace('\'', "''")),
            1 => self.text += &format!("\"{plain} \\\"\\u00e9\""),
            _ if plain.contains('{') || (in_flow && plain == "x:y") => self.text += "'x'",
            _ => self.text += plain,
        }
        let own = !self.text[start..].contains("{{");
        self.scalars.push(Scalar { path, bytes: start..self.text.len(), own });
    }

    fn separate(&mut self, number: u8, several_lines: bool) {
        if number > 0 {
            self.text += ",";
        }
        if several_lines {
            self.text += "\n                      ";
        } else if number > 0 || self.choose(3) == 0 {
            self.text += " ";
        }
    }

    fn flow(&mut self, depth: u8, path: KeyPath) {
        let several_lines = self.choose(4) == 0;
        if self.choose(3) == 0 {
            self.text += "[";
            for item in 0..self.choose(4) {
                self.separate(item, several_lines);
                self.scalar(path.clone().index(usize::from(item)), true);
            }
            self.text += "]";
            return;
        }
        self.mappings.push(path.clone());
        self.text += "{";
        for number in 0..self.choose(4) {
            self.separate(number, several_lines);
            let name = self.name();
            self.text += &format!("{name}: ");
            if depth > 0 && self.choose(4) == 0 {
                self.flow(depth - 1, path.clone().key(&name));
            } else {
                self.scalar(path.clone().key(&name), true);
            }
        }
        let close = if self.choose(3) == 0 { " }" } else { "}" };
        self.text += close;
    }
}

fn runner() -> TestRunner {
    TestRunner::new(ProptestConfig { failure_persistence: None, cases: CASES, ..ProptestConfig::default() })
}

fn choices() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 20..200)
}

fn tag() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(TAGS.to_vec()).prop_map(str::to_owned),
        "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,20}",
        "[0-9.eExo_:+-]{1,8}",
        "[ -~]{0,12}".prop_filter("no template", |text| !text.contains("{{")),
    ]
}

#[test]
fn an_edit_changes_the_bytes_of_its_scalar_alone() {
    let (edited, shared) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let outcome = runner().run(&(choices(), any::<prop::sample::Index>(), tag()), |(choices, which, tag)| {
        let Writer { text, scalars, .. } = Writer::of(choices);
        prop_assume!(!scalars.is_empty());
        let Scalar { path, bytes, own } = which.get(&scalars);
        let result = edit(&text, &[Change::set(path.clone(), &tag)]);
        if !own {
            shared.fetch_add(1, Relaxed);
            prop_assert!(result.is_err(), "{path} of\n{text}");
            return Ok(());
        }
        let result = result.map_err(|refusal| TestCaseError::fail(format!("{refusal}\n{text}")))?;
        edited.fetch_add(1, Relaxed);
        prop_assert!(result.starts_with(&text[..bytes.start]), "{path} in\n{text}\nis\n{result}");
        prop_assert!(result.ends_with(&text[bytes.end..]), "{path} in\n{text}\nis\n{result}");
        prop_assert!(result.len() >= bytes.start + text.len() - bytes.end);
        let mut expected = read(&text);
        *at(&mut expected, path).unwrap() = yaml_serde::Value::String(tag);
        prop_assert_eq!(expected, read(&result), "{} in\n{}\nis\n{}", path, text, result);
        Ok(())
    });
    outcome.unwrap();
    // What can be edited is, and what cannot is among what was tried.
    let (edited, shared) = (edited.into_inner(), shared.into_inner());
    assert!(edited > 2000 && shared > 200, "{edited} edited, {shared} refused");
}

#[test]
fn a_key_that_is_added_is_all_that_changes_and_comes_off_again() {
    let added = AtomicUsize::new(0);
    let outcome = runner().run(
        &(choices(), any::<prop::sample::Index>(), tag(), any::<bool>()),
        |(choices, which, tag, list)| {
            let Writer { text, mappings, .. } = Writer::of(choices);
            let into = which.get(&mappings);
            let key = into.clone().key("added.io/key");
            let change =
                if list { Change::list(key.clone(), &[&tag]) } else { Change::set(key.clone(), &tag) };
            let result = edit(&text, &[change])
                .map_err(|refusal| TestCaseError::fail(format!("{refusal}\n{text}")))?;
            added.fetch_add(1, Relaxed);
            let same = text.bytes().zip(result.bytes()).take_while(|(before, after)| before == after).count();
            let more = result.len() - text.len();
            prop_assert_eq!(
                &text.as_bytes()[same..],
                &result.as_bytes()[same + more..],
                "{}\nis\n{}",
                text,
                result
            );
            let mut expected = read(&text);
            let value = yaml_serde::Value::String(tag);
            let value = if list { yaml_serde::Value::Sequence(vec![value]) } else { value };
            let mapping = at(&mut expected, into).unwrap().as_mapping_mut().unwrap();
            mapping.insert(yaml_serde::Value::String("added.io/key".into()), value);
            prop_assert_eq!(expected, read(&result), "{} in\n{}\nis\n{}", key, text, result);
            let back = edit(&result, &[Change::remove(key)]);
            prop_assert_eq!(back.as_deref(), Ok(text.as_str()));
            Ok(())
        },
    );
    outcome.unwrap();
    assert!(added.into_inner() >= CASES as usize);
}
