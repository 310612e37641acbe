//! YAML as a tree whose scalars are as they are written: what a schema would make of `1.10` or `on` is not decided here.

mod path;
mod plain;

use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle, options};

pub use path::{KeyPath, Step};
pub(crate) use plain::{is_garbled, is_plainly_text};

/// How many merge keys are followed one after another; a mapping that merges itself would be followed for ever.
const MERGES: u8 = 8;

/// How large an object of Kubernetes may be; a few aliases of aliases would make a text of any size.
const MOST_JSON_NODES: usize = 100_000;

/// What a file may begin with.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The documents of one file.
#[derive(Debug)]
pub(crate) struct Yaml {
    nodes: Vec<Node>,
    documents: Vec<usize>,
}

/// A node, and where in the text it is written.
#[derive(Debug)]
struct Node {
    kind: Kind,
    /// From the quote or bracket that opens it to the one that closes it. A block collection has only its beginning.
    span: Range<usize>,
    /// Counted from one.
    line: usize,
    anchor: Option<String>,
    tagged: bool,
    /// How many aliases read it at other places.
    aliases: usize,
    /// The collection that it is written in.
    parent: Option<usize>,
}

#[derive(Debug)]
enum Kind {
    Scalar { text: String, style: ScalarStyle },
    Sequence { items: Vec<Part>, flow: bool },
    Mapping { pairs: Vec<(Part, Part)>, flow: bool },
}

/// A part of a collection. Collections hold the places of their parts in the tree, so that an alias costs no more than its anchor.
#[derive(Clone, Debug)]
struct Part {
    at: usize,
    /// Where the alias is written, of a part that is one.
    alias: Option<Range<usize>>,
}

/// A collection that is not closed yet.
struct Open {
    at: usize,
    /// A key that waits for its value.
    key: Option<Part>,
}

impl Yaml {
    /// Reads all documents.
    ///
    /// # Errors
    /// What is wrong, and in which line.
    pub(crate) fn parse(text: &str) -> Result<Yaml, String> {
        let mut yaml = Yaml { nodes: Vec::new(), documents: Vec::new() };
        let mut open: Vec<Open> = Vec::new();
        let mut anchors = HashMap::new();
        let rest = text.trim_start_matches(BYTE_ORDER_MARK);
        let before = text.len() - rest.len();
        let options = options! { emit_comments: false, emit_anchor_events: true };
        for event in Parser::new_from_str_with_options(rest, options) {
            let (event, span) = event.map_err(|error| {
                let line = error.marker().line();
                format!("it is no YAML: {}, line {line}", error.info())
            })?;
            match event {
                Event::Scalar(value, style, anchor, tag) => {
                    let kind = Kind::Scalar { text: value.into_owned(), style };
                    let at = yaml.add(Node::new(kind, range(span, before)?, span, tag.is_some()));
                    anchors.insert(anchor, at);
                    yaml.attach(&mut open, Part { at, alias: None });
                }
                Event::SequenceStart(style, anchor, tag) => {
                    let kind = Kind::Sequence { items: Vec::new(), flow: style == StructureStyle::Flow };
                    let at = yaml.add(Node::new(kind, range(span, before)?, span, tag.is_some()));
                    anchors.insert(anchor, at);
                    yaml.attach(&mut open, Part { at, alias: None });
                    open.push(Open { at, key: None });
                }
                Event::MappingStart(style, anchor, tag) => {
                    let kind = Kind::Mapping { pairs: Vec::new(), flow: style == StructureStyle::Flow };
                    let at = yaml.add(Node::new(kind, range(span, before)?, span, tag.is_some()));
                    anchors.insert(anchor, at);
                    yaml.attach(&mut open, Part { at, alias: None });
                    open.push(Open { at, key: None });
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    let end = range(span, before)?.end;
                    if let Some(closed) = open.pop() {
                        let node = &mut yaml.nodes[closed.at];
                        if node.is_flow() {
                            node.span.end = end;
                        }
                    }
                }
                Event::Anchor(anchor, name) => {
                    if let Some(at) = anchors.get(&anchor) {
                        yaml.nodes[*at].anchor = Some(name.into_owned());
                    }
                }
                Event::Alias(anchor) => {
                    let Some(at) = anchors.get(&anchor).copied() else {
                        return Err("it is no YAML: an alias without its anchor".to_owned());
                    };
                    yaml.nodes[at].aliases += 1;
                    yaml.attach(&mut open, Part { at, alias: Some(range(span, before)?) });
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
    fn attach(&mut self, open: &mut [Open], part: Part) {
        let Some(parent) = open.last_mut() else {
            self.documents.push(part.at);
            return;
        };
        if part.alias.is_none() {
            self.nodes[part.at].parent = Some(parent.at);
        }
        match &mut self.nodes[parent.at].kind {
            Kind::Sequence { items, .. } => items.push(part),
            Kind::Mapping { pairs, .. } => match parent.key.take() {
                Some(key) => pairs.push((key, part)),
                None => parent.key = Some(part),
            },
            Kind::Scalar { .. } => {}
        }
    }

    /// The root of each document.
    pub(crate) fn documents(&self) -> impl Iterator<Item = Value<'_>> {
        self.documents.iter().map(|at| Value { yaml: self, at: *at })
    }

    /// The value of a key, of the mapping itself before those that it merges. Of a key that is there twice the last counts, as
    /// for Helm.
    fn find(&self, mapping: usize, key: &str, merges: u8) -> Option<usize> {
        let Kind::Mapping { pairs, .. } = &self.nodes[mapping].kind else { return None };
        let is = |at: usize, wanted: &str| matches!(&self.nodes[at].kind, Kind::Scalar { text, .. } if text == wanted);
        if let Some((_, value)) = pairs.iter().rev().find(|(name, _)| is(name.at, key)) {
            return Some(value.at);
        }
        let merges = merges.checked_sub(1)?;
        let merged = pairs.iter().find(|(name, _)| self.nodes[name.at].is_merge_key())?.1.at;
        match &self.nodes[merged].kind {
            Kind::Sequence { items, .. } => items.iter().find_map(|item| self.find(item.at, key, merges)),
            Kind::Mapping { .. } => self.find(merged, key, merges),
            Kind::Scalar { .. } => None,
        }
    }
}

/// The bytes of a span in the whole text, of which the parser was not given what is `before`.
fn range(span: Span, before: usize) -> Result<Range<usize>, String> {
    match (span.start.byte_offset(), span.end.byte_offset()) {
        (Some(start), Some(end)) => Ok(start + before..end + before),
        _ => Err("where its parts stand is not known".to_owned()),
    }
}

impl Node {
    fn new(kind: Kind, span: Range<usize>, at: Span, tagged: bool) -> Node {
        Node { kind, span, line: at.start.line(), anchor: None, tagged, aliases: 0, parent: None }
    }

    fn is_flow(&self) -> bool {
        matches!(self.kind, Kind::Sequence { flow: true, .. } | Kind::Mapping { flow: true, .. })
    }

    fn is_merge_key(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, style: ScalarStyle::Plain } if text == "<<")
    }
}

/// A node with the tree that it stands in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value<'a> {
    yaml: &'a Yaml,
    at: usize,
}

/// Two are the same where they are the same place of one tree.
impl PartialEq for Value<'_> {
    fn eq(&self, other: &Value<'_>) -> bool {
        std::ptr::eq(self.yaml, other.yaml) && self.at == other.at
    }
}

/// A part of a collection as it is written there: itself, or an alias of what is written elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct Written<'a> {
    pub value: Value<'a>,
    /// Where the alias is written.
    pub alias: Option<Range<usize>>,
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Scalar(ScalarStyle),
    Sequence { flow: bool },
    Mapping { flow: bool },
}

impl<'a> Value<'a> {
    fn node(self) -> &'a Node {
        &self.yaml.nodes[self.at]
    }

    fn written(self, part: &Part) -> Written<'a> {
        Written { value: Value { at: part.at, ..self }, alias: part.alias.clone() }
    }

    pub(crate) fn get(self, key: &str) -> Option<Value<'a>> {
        self.yaml.find(self.at, key, MERGES).map(|at| Value { at, ..self })
    }

    /// The value below keys that follow one another.
    pub(crate) fn at<const N: usize>(self, keys: [&str; N]) -> Option<Value<'a>> {
        keys.into_iter().try_fold(self, Value::get)
    }

    /// The value that steps lead to, also through aliases and what is merged.
    pub(crate) fn along(self, steps: &[Step]) -> Option<Value<'a>> {
        steps.iter().try_fold(self, |value, step| match step {
            Step::Key(key) => value.get(key),
            Step::Index(index) => value.items().nth(*index),
        })
    }

    /// The items of a sequence; none of anything else.
    pub(crate) fn items(self) -> impl Iterator<Item = Value<'a>> {
        self.parts().map(|part| part.value)
    }

    /// The items of a sequence with how they are written.
    pub(crate) fn parts(self) -> impl Iterator<Item = Written<'a>> {
        let items: &[Part] = if let Kind::Sequence { items, .. } = &self.node().kind { items } else { &[] };
        items.iter().map(move |part| self.written(part))
    }

    /// The keys and values of a mapping itself; none of anything else.
    pub(crate) fn pairs(self) -> impl Iterator<Item = (Written<'a>, Written<'a>)> {
        let pairs: &[(Part, Part)] =
            if let Kind::Mapping { pairs, .. } = &self.node().kind { pairs } else { &[] };
        pairs.iter().map(move |(key, value)| (self.written(key), self.written(value)))
    }

    pub(crate) fn is_sequence(self) -> bool {
        matches!(self.form(), Form::Sequence { .. })
    }

    /// Whether nothing is written, or one of YAML's words for it.
    pub(crate) fn is_null(self) -> bool {
        self.is_plain() && matches!(self.text(), Some("" | "~" | "null" | "Null" | "NULL"))
    }

    /// Whether it is a scalar without quotes, which a schema may read as a number or a truth value.
    pub(crate) fn is_plain(self) -> bool {
        self.form() == Form::Scalar(ScalarStyle::Plain)
    }

    /// A scalar as it is written, without its quotes.
    pub(crate) fn text(self) -> Option<&'a str> {
        match &self.node().kind {
            Kind::Scalar { text, .. } => Some(text),
            Kind::Sequence { .. } | Kind::Mapping { .. } => None,
        }
    }

    pub(crate) fn form(self) -> Form {
        match &self.node().kind {
            Kind::Scalar { style, .. } => Form::Scalar(*style),
            Kind::Sequence { flow, .. } => Form::Sequence { flow: *flow },
            Kind::Mapping { flow, .. } => Form::Mapping { flow: *flow },
        }
    }

    /// The bytes of a scalar with its quotes or of a flow collection with its brackets. Of a block collection the beginning alone.
    pub(crate) fn span(self) -> Range<usize> {
        self.node().span.clone()
    }

    /// Counted from one.
    pub(crate) fn line(self) -> usize {
        self.node().line
    }

    pub(crate) fn anchor(self) -> Option<&'a str> {
        self.node().anchor.as_deref()
    }

    /// Whether it is read at other places than the one where it is written.
    pub(crate) fn is_aliased(self) -> bool {
        self.node().aliases > 0
    }

    pub(crate) fn is_tagged(self) -> bool {
        self.node().tagged
    }

    /// As JSON, in the way of Kubernetes as far as texts, lists, mappings and truth values go; numbers stay as they are written. `None`
    /// where something is merged, or aliases make it larger than is taken.
    pub(crate) fn to_json(self) -> Option<serde_json::Value> {
        let mut left = MOST_JSON_NODES;
        self.json_within(&mut left)
    }

    fn json_within(self, left: &mut usize) -> Option<serde_json::Value> {
        *left = left.checked_sub(1)?;
        Some(match &self.node().kind {
            Kind::Scalar { .. } if self.is_null() => serde_json::Value::Null,
            Kind::Scalar { text, style: ScalarStyle::Plain } if !self.is_tagged() => {
                match text.to_ascii_lowercase().as_str() {
                    "true" | "yes" | "on" | "y" => true.into(),
                    "false" | "no" | "off" | "n" => false.into(),
                    _ => text.as_str().into(),
                }
            }
            Kind::Scalar { text, .. } => text.as_str().into(),
            Kind::Sequence { .. } => {
                self.items().map(|item| item.json_within(left)).collect::<Option<Vec<_>>>()?.into()
            }
            Kind::Mapping { .. } => {
                let mut object = serde_json::Map::new();
                for (key, value) in self.pairs() {
                    if key.value.node().is_merge_key() {
                        return None;
                    }
                    object.insert(key.value.text()?.to_owned(), value.value.json_within(left)?);
                }
                object.into()
            }
        })
    }

    /// Where it is written.
    pub(crate) fn path(self) -> KeyPath {
        let mut steps = Vec::new();
        let mut root = self;
        while let Some(at) = root.node().parent {
            let parent = Value { at, ..root };
            steps.push(parent.step_to(root.at));
            root = parent;
        }
        steps.reverse();
        let document = self.yaml.documents.iter().position(|at| *at == root.at).unwrap_or_default();
        KeyPath { document, steps }
    }

    /// The step from a collection to a part of it. One that is a key itself is stepped to as what it is the key of.
    fn step_to(self, at: usize) -> Step {
        let item = self.parts().position(|part| part.alias.is_none() && part.value.at == at);
        if let Some(item) = item {
            return Step::Index(item);
        }
        let own = |part: &Written<'_>| part.alias.is_none() && part.value.at == at;
        let key = self.pairs().find(|(key, value)| own(value) || own(key)).map(|(key, _)| key.value);
        Step::Key(key.and_then(Value::text).unwrap_or_default().to_owned())
    }
}
