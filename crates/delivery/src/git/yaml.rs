//! YAML as a tree whose scalars are as they are written: what a schema would make of `1.10` or `on` is not decided here.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, options};

/// How many merge keys are followed one after another; a mapping that merges itself would be followed for ever.
const MERGES: u8 = 8;

/// The documents of one file.
#[derive(Debug)]
pub(super) struct Yaml {
    nodes: Vec<Node>,
    documents: Vec<usize>,
}

/// A node. Collections hold the places of their parts in the tree, so that an alias costs no more than its anchor.
#[derive(Debug)]
enum Node {
    Scalar { text: String, plain: bool },
    Sequence(Vec<usize>),
    Mapping(Vec<(usize, usize)>),
}

/// A collection that is not closed yet.
struct Open {
    at: usize,
    /// A key that waits for its value.
    key: Option<usize>,
}

impl Yaml {
    /// Reads all documents.
    ///
    /// # Errors
    /// What is wrong, and in which line.
    pub(super) fn parse(text: &str) -> Result<Yaml, String> {
        let mut yaml = Yaml { nodes: Vec::new(), documents: Vec::new() };
        let mut open: Vec<Open> = Vec::new();
        let mut anchors = HashMap::new();
        let text = text.trim_start_matches('\u{feff}');
        for event in Parser::new_from_str_with_options(text, options! { emit_comments: false }) {
            let (event, _) = event.map_err(|error| {
                let line = error.marker().line();
                format!("it is no YAML: {}, line {line}", error.info())
            })?;
            match event {
                Event::Scalar(value, style, anchor, _) => {
                    let plain = style == ScalarStyle::Plain;
                    let at = yaml.add(Node::Scalar { text: value.into_owned(), plain });
                    anchors.insert(anchor, at);
                    yaml.attach(&mut open, at);
                }
                Event::SequenceStart(_, anchor, _) => {
                    let at = yaml.add(Node::Sequence(Vec::new()));
                    anchors.insert(anchor, at);
                    yaml.attach(&mut open, at);
                    open.push(Open { at, key: None });
                }
                Event::MappingStart(_, anchor, _) => {
                    let at = yaml.add(Node::Mapping(Vec::new()));
                    anchors.insert(anchor, at);
                    yaml.attach(&mut open, at);
                    open.push(Open { at, key: None });
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    open.pop();
                }
                Event::Alias(anchor) => {
                    let Some(at) = anchors.get(&anchor).copied() else {
                        return Err("it is no YAML: an alias without its anchor".to_owned());
                    };
                    yaml.attach(&mut open, at);
                }
                Event::UnresolvedAlias(name) => {
                    return Err(format!("it is no YAML: the alias *{name} has no anchor"));
                }
                // Where documents begin and end follows from their roots; comments are not asked for.
                _ => {}
            }
        }
        Ok(yaml)
    }

    fn add(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// Puts a node where it stands: into the innermost collection that is open, or as the root of a document.
    fn attach(&mut self, open: &mut [Open], node: usize) {
        let Some(parent) = open.last_mut() else {
            self.documents.push(node);
            return;
        };
        match &mut self.nodes[parent.at] {
            Node::Sequence(items) => items.push(node),
            Node::Mapping(pairs) => match parent.key.take() {
                Some(key) => pairs.push((key, node)),
                None => parent.key = Some(node),
            },
            Node::Scalar { .. } => {}
        }
    }

    /// The root of each document.
    pub(super) fn documents(&self) -> impl Iterator<Item = Value<'_>> {
        self.documents.iter().map(|at| Value { yaml: self, at: *at })
    }

    /// The value of a key, of the mapping itself before those that it merges. Of a key that is there twice the last counts, as
    /// for Helm.
    fn find(&self, mapping: usize, key: &str, merges: u8) -> Option<usize> {
        let Node::Mapping(pairs) = &self.nodes[mapping] else { return None };
        let is =
            |at: usize, wanted: &str| matches!(&self.nodes[at], Node::Scalar { text, .. } if text == wanted);
        if let Some((_, value)) = pairs.iter().rev().find(|(name, _)| is(*name, key)) {
            return Some(*value);
        }
        let merges = merges.checked_sub(1)?;
        let merged = pairs
            .iter()
            .find(
                |(name, _)| matches!(&self.nodes[*name], Node::Scalar { text, plain: true } if text == "<<"),
            )?
            .1;
        match &self.nodes[merged] {
            Node::Sequence(items) => items.iter().find_map(|item| self.find(*item, key, merges)),
            Node::Mapping(_) => self.find(merged, key, merges),
            Node::Scalar { .. } => None,
        }
    }
}

/// A node with the tree that it stands in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value<'a> {
    yaml: &'a Yaml,
    at: usize,
}

impl<'a> Value<'a> {
    fn node(self) -> &'a Node {
        &self.yaml.nodes[self.at]
    }

    pub(super) fn get(self, key: &str) -> Option<Value<'a>> {
        self.yaml.find(self.at, key, MERGES).map(|at| Value { at, ..self })
    }

    /// The value below keys that follow one another.
    pub(super) fn at<const N: usize>(self, keys: [&str; N]) -> Option<Value<'a>> {
        keys.into_iter().try_fold(self, Value::get)
    }

    /// The items of a sequence; none of anything else.
    pub(super) fn items(self) -> impl Iterator<Item = Value<'a>> {
        let items: &[usize] = if let Node::Sequence(items) = self.node() { items } else { &[] };
        items.iter().map(move |at| Value { at: *at, ..self })
    }

    pub(super) fn is_sequence(self) -> bool {
        matches!(self.node(), Node::Sequence(_))
    }

    /// Whether nothing is written, or one of YAML's words for it.
    pub(super) fn is_null(self) -> bool {
        match self.node() {
            Node::Scalar { text, plain: true } => {
                matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL")
            }
            Node::Scalar { .. } | Node::Sequence(_) | Node::Mapping(_) => false,
        }
    }

    /// Whether it is a scalar without quotes, which a schema may read as a number or a truth value.
    pub(super) fn is_plain(self) -> bool {
        matches!(self.node(), Node::Scalar { plain: true, .. })
    }

    /// A scalar as it is written, without its quotes.
    pub(super) fn text(self) -> Option<&'a str> {
        match self.node() {
            Node::Scalar { text, .. } => Some(text),
            Node::Sequence(_) | Node::Mapping(_) => None,
        }
    }
}
