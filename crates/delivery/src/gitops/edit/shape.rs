//! What a file says, down to its styles, so that two versions of it can be held against each other.

use granit_parser::ScalarStyle;

use super::{Change, Content, KeyPath, Step};
use crate::git::yaml::{Form, Value, Written, Yaml, is_plainly_text};

/// The documents of a file, as they are or as they are to be.
#[derive(Debug)]
pub(super) struct Shapes(Vec<Shape>);

/// A node. What is `None` may be whatever does for what was asked.
#[derive(Clone, Debug, PartialEq)]
enum Shape {
    Scalar {
        text: String,
        style: Option<ScalarStyle>,
        own: Own,
    },
    Sequence {
        items: Vec<Shape>,
        flow: Option<bool>,
        own: Own,
    },
    Mapping {
        pairs: Vec<(Shape, Shape)>,
        flow: Option<bool>,
        own: Own,
    },
    /// What it is an alias of.
    Alias(KeyPath),
}

/// What stands before a node.
#[derive(Clone, Debug, Default, PartialEq)]
struct Own {
    anchor: Option<String>,
    tagged: bool,
}

impl Shapes {
    pub(super) fn of(yaml: &Yaml) -> Shapes {
        Shapes(yaml.documents().map(Shape::of).collect())
    }

    /// What it is to be after a change.
    pub(super) fn change(&mut self, Change { at, to }: &Change) -> Result<(), String> {
        let Some(root) = self.0.get_mut(at.document) else {
            return Err(format!("it has no document {}", at.document + 1));
        };
        root.change(&at.steps, to.as_ref()).ok_or_else(|| format!("nothing can stand at {at}"))
    }

    /// Nothing but what is to be.
    pub(super) fn require(&self, found: &Shapes) -> Result<(), String> {
        let same = self.0.len() == found.0.len();
        if same && self.0.iter().zip(&found.0).all(|(expected, found)| expected.fits(found)) {
            return Ok(());
        }
        Err("the edit would change more than what was asked for".into())
    }
}

impl Shape {
    fn of(value: Value<'_>) -> Shape {
        let own = Own { anchor: value.anchor().map(str::to_owned), tagged: value.is_tagged() };
        match value.form() {
            Form::Scalar(style) => {
                let text = value.text().unwrap_or_default().to_owned();
                Shape::Scalar { text, style: Some(style), own }
            }
            Form::Sequence { flow } => {
                Shape::Sequence { items: value.parts().map(Shape::written).collect(), flow: Some(flow), own }
            }
            Form::Mapping { flow } => {
                let pairs = value.pairs().map(|(key, value)| (Shape::written(key), Shape::written(value)));
                Shape::Mapping { pairs: pairs.collect(), flow: Some(flow), own }
            }
        }
    }

    fn written(part: Written<'_>) -> Shape {
        if part.alias.is_some() { Shape::Alias(part.value.path()) } else { Shape::of(part.value) }
    }

    /// A text that was asked for.
    fn text(text: &str) -> Shape {
        Shape::Scalar { text: text.to_owned(), style: None, own: Own::default() }
    }

    fn is_null(&self) -> bool {
        matches!(
            self,
            Shape::Scalar { text, style: Some(ScalarStyle::Plain), .. }
                if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL")
        )
    }

    fn own(&self) -> Own {
        match self {
            Shape::Scalar { own, .. } | Shape::Sequence { own, .. } | Shape::Mapping { own, .. } => {
                own.clone()
            }
            Shape::Alias(_) => Own::default(),
        }
    }

    /// `None` where the steps lead nowhere.
    fn change(&mut self, steps: &[Step], to: Option<&Content>) -> Option<()> {
        let [step, rest @ ..] = steps else {
            self.become_content(to?);
            return Some(());
        };
        if self.is_null() {
            // From nothing is nothing removed, and what a key goes into becomes a mapping.
            if to.is_none() {
                return Some(());
            }
            *self = Shape::Mapping { pairs: Vec::new(), flow: None, own: self.own() };
        }
        match (step, self) {
            (Step::Index(index), Shape::Sequence { items, .. }) => items.get_mut(*index)?.change(rest, to),
            (Step::Key(key), Shape::Mapping { pairs, flow, .. }) => {
                let is_key = |shape: &Shape| matches!(shape, Shape::Scalar { text, .. } if text == key);
                let at = pairs.iter().position(|(name, _)| is_key(name));
                match (at, to) {
                    (Some(at), None) if rest.is_empty() => {
                        pairs.remove(at);
                        if pairs.is_empty() {
                            *flow = Some(true);
                        }
                        Some(())
                    }
                    (Some(at), _) => pairs[at].1.change(rest, to),
                    (None, None) => Some(()),
                    (None, Some(_)) => {
                        let nothing = Shape::Scalar {
                            text: String::new(),
                            style: Some(ScalarStyle::Plain),
                            own: Own::default(),
                        };
                        pairs.push((Shape::text(key), nothing));
                        pairs.last_mut()?.1.change(rest, to)
                    }
                }
            }
            _ => None,
        }
    }

    fn become_content(&mut self, content: &Content) {
        let own = self.own();
        match (content, self) {
            (Content::Text(wanted), Shape::Scalar { text, style: Some(style), .. })
                if text == wanted && *style != ScalarStyle::Plain => {}
            (Content::Text(text), this) => *this = Shape::Scalar { text: text.clone(), style: None, own },
            // What stays of a list is as it was.
            (Content::List(texts), Shape::Sequence { items, .. }) => {
                items.truncate(texts.len());
                for (number, wanted) in texts.iter().enumerate() {
                    match items.get_mut(number) {
                        Some(Shape::Scalar { text, .. }) if text == wanted => {}
                        Some(item) => item.become_content(&Content::Text(wanted.clone())),
                        None => items.push(Shape::text(wanted)),
                    }
                }
            }
            (Content::List(texts), this) => {
                let items = texts.iter().map(|text| Shape::text(text)).collect();
                *this = Shape::Sequence { items, flow: Some(true), own };
            }
        }
    }

    /// Whether what was found is what was expected.
    fn fits(&self, found: &Shape) -> bool {
        match (self, found) {
            (
                Shape::Scalar { text, style: None, own },
                Shape::Scalar { text: is, style: Some(style), own: has },
            ) => {
                let stays_text = match style {
                    ScalarStyle::Plain => is_plainly_text(is, false),
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => true,
                    ScalarStyle::Literal | ScalarStyle::Folded => false,
                };
                text == is && stays_text && own == has
            }
            (Shape::Sequence { items, flow, own }, Shape::Sequence { items: are, flow: is, own: has }) => {
                (flow.is_none() || flow == is)
                    && own == has
                    && items.len() == are.len()
                    && items.iter().zip(are).all(|(expected, found)| expected.fits(found))
            }
            (Shape::Mapping { pairs, flow, own }, Shape::Mapping { pairs: are, flow: is, own: has }) => {
                (flow.is_none() || flow == is)
                    && own == has
                    && pairs.len() == are.len()
                    && pairs
                        .iter()
                        .zip(are)
                        .all(|((key, value), (found_key, found))| key.fits(found_key) && value.fits(found))
            }
            (expected, found) => expected == found,
        }
    }
}
