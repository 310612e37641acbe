//! Answers of the server as the browser reads them: parsed into a tree once, and read out from there. `serde_json` alone would
//! compile its parser into every type, with a way for each form that the type could have; that was an eighth of the Wasm.

use std::fmt;

use leptos::server_fn::codec::{JsonEncoding, Post};
use leptos::server_fn::{Bytes, ContentType, Decodes, Encodes, Format, FormatType};
use serde::Deserialize;
use serde::de::value::StringDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

/// The encoding of what server functions answer.
pub type TreeJson = Post<TreeEncoding>;

/// JSON as [`JsonEncoding`] writes it.
pub struct TreeEncoding;

impl ContentType for TreeEncoding {
    const CONTENT_TYPE: &'static str = JsonEncoding::CONTENT_TYPE;
}

impl FormatType for TreeEncoding {
    const FORMAT_TYPE: Format = JsonEncoding::FORMAT_TYPE;
}

impl<T: serde::Serialize> Encodes<T> for TreeEncoding {
    type Error = serde_json::Error;

    fn encode(output: &T) -> Result<Bytes, serde_json::Error> {
        JsonEncoding::encode(output)
    }
}

impl<T: DeserializeOwned> Decodes<T> for TreeEncoding {
    type Error = Mistake;

    fn decode(bytes: Bytes) -> Result<T, Mistake> {
        read(&bytes)
    }
}

/// Reads a value from JSON.
pub fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, Mistake> {
    T::deserialize(tree(json)?)
}

/// Whether it is JSON, of whatever form.
pub fn is_json(text: &[u8]) -> bool {
    tree(text).is_ok()
}

/// Apart from [`read`], so that it is compiled once and not once for each type.
fn tree(json: &[u8]) -> Result<Tree, Mistake> {
    serde_json::from_slice(json).map_err(|_| Mistake)
}

/// The answer is not of the expected form. Nobody is told more than that the page and the server differ, so that it carries no
/// text, and the text that serde would make of each mistake is not in the Wasm.
#[derive(Debug, PartialEq, Eq)]
pub struct Mistake;

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("The answer has an unexpected form.")
    }
}

impl std::error::Error for Mistake {}

impl de::Error for Mistake {
    fn custom<T: fmt::Display>(_: T) -> Mistake {
        Mistake
    }
}

/// A JSON value.
enum Tree {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Tree, D::Error> {
        deserializer.deserialize_any(Grower)
    }
}

struct Grower;

impl<'de> Visitor<'de> for Grower {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Unsigned(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Signed(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Tree::Map(map))
    }
}

/// Each form is asked for where the type says it, so that the other forms of the type are not compiled.
impl<'de> Deserializer<'de> for Tree {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self {
            Tree::Null => visitor.visit_unit(),
            Tree::Bool(value) => visitor.visit_bool(value),
            Tree::Unsigned(_) | Tree::Signed(_) | Tree::Float(_) => self.deserialize_f64(visitor),
            Tree::Text(_) => self.deserialize_string(visitor),
            Tree::List(_) => self.deserialize_seq(visitor),
            Tree::Map(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        let Tree::Bool(value) = self else { return Err(Mistake) };
        visitor.visit_bool(value)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        let Tree::Unsigned(value) = self else { return Err(Mistake) };
        visitor.visit_u64(value)
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self {
            Tree::Signed(value) => visitor.visit_i64(value),
            _ => self.deserialize_u64(visitor),
        }
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self {
            Tree::Float(value) => visitor.visit_f64(value),
            _ => self.deserialize_i64(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        let Tree::Text(value) = self else { return Err(Mistake) };
        visitor.visit_string(value)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.deserialize_string(visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        let Tree::Null = self else { return Err(Mistake) };
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self {
            Tree::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        let Tree::List(list) = self else { return Err(Mistake) };
        visitor.visit_seq(Items(list.into_iter()))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Mistake> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        let Tree::Map(map) = self else { return Err(Mistake) };
        visitor.visit_map(Entries { entries: map.into_iter(), value: Tree::Null })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        let variant = match self {
            Tree::Text(name) => Variant(name, Tree::Null),
            Tree::Map(mut map) => match (map.pop(), map.is_empty()) {
                (Some((name, content)), true) => Variant(name, content),
                (Some(_), false) | (None, _) => return Err(Mistake),
            },
            _ => return Err(Mistake),
        };
        visitor.visit_enum(variant)
    }

    forward_to_deserialize_any! { i8 i16 i128 u128 f32 char bytes byte_buf unit_struct identifier }
}

struct Items(std::vec::IntoIter<Tree>);

impl<'de> de::SeqAccess<'de> for Items {
    type Error = Mistake;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Mistake> {
        self.0.next().map(|item| seed.deserialize(item)).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

struct Entries {
    entries: std::vec::IntoIter<(String, Tree)>,
    /// What the key that was read last stands for.
    value: Tree,
}

impl<'de> de::MapAccess<'de> for Entries {
    type Error = Mistake;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Mistake> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        self.value = value;
        seed.deserialize(text(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mistake> {
        seed.deserialize(std::mem::replace(&mut self.value, Tree::Null))
    }
}

/// The name of an enum's variant, and what it holds.
struct Variant(String, Tree);

impl<'de> de::EnumAccess<'de> for Variant {
    type Error = Mistake;
    type Variant = Tree;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Tree), Mistake> {
        Ok((seed.deserialize(text(self.0))?, self.1))
    }
}

impl<'de> de::VariantAccess<'de> for Tree {
    type Error = Mistake;

    fn unit_variant(self) -> Result<(), Mistake> {
        if matches!(self, Tree::Null) { Ok(()) } else { Err(Mistake) }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Mistake> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Mistake> {
        self.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        self.deserialize_map(visitor)
    }
}

/// A name as the deserializer of itself.
fn text(name: String) -> StringDeserializer<Mistake> {
    name.into_deserializer()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Serialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Form {
        Unit,
        Newtype(u8),
        Tuple(i64, String),
        Struct { share: f64 },
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Id(String);

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Row {
        id: Id,
        forms: Vec<Form>,
        pair: (bool, u64),
        counts: BTreeMap<String, i32>,
        absent: Option<String>,
        present: Option<Box<Row>>,
        nothing: (),
    }

    fn row(present: Option<Box<Row>>) -> Row {
        Row {
            id: Id("i-é\u{1F600}\"".into()),
            forms: vec![
                Form::Unit,
                Form::Newtype(255),
                Form::Tuple(i64::MIN, "b".into()),
                Form::Struct { share: -0.5 },
                Form::Struct { share: 2.0 },
            ],
            pair: (true, u64::MAX),
            counts: BTreeMap::from([("a".into(), -1), ("b".into(), 1)]),
            absent: None,
            present,
            nothing: (),
        }
    }

    #[test]
    fn each_form_reads_as_it_was_written() {
        let row = row(Some(Box::new(row(None))));
        let written = TreeEncoding::encode(&row).expect("JSON");
        assert_eq!(TreeEncoding::decode(written), Ok(row));
    }

    #[test]
    fn whole_numbers_are_fractions_too_and_unknown_fields_are_passed_over() {
        let read = read::<Form>(br#" { "struct" : { "new": [1, {"x": null}], "share": 3 } } "#);
        assert_eq!(read, Ok(Form::Struct { share: 3.0 }));
    }

    #[test]
    fn another_form_is_a_mistake() {
        let forms = [
            json!("gas"),
            json!({}),
            json!({ "unit": null, "newtype": 1 }),
            json!({ "unit": 1 }),
            json!({ "newtype": 256 }),
            json!({ "newtype": "1" }),
            json!({ "tuple": [1] }),
            json!({ "struct": {} }),
            json!({ "struct": [0.5] }),
            json!({ "struct": { "share": null } }),
            json!(null),
            json!(7),
        ];
        for form in forms {
            assert_eq!(read::<Form>(form.to_string().as_bytes()), Err(Mistake), "{form}");
        }
        for text in ["", "{", "\"unit\" \"unit\""] {
            assert_eq!(read::<Form>(text.as_bytes()), Err(Mistake), "{text}");
        }
    }
}
