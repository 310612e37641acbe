//! `tollgate.toml` as a tree in which every key and value knows its line.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::layers::ConfigError;

/// The file, read.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) root: Table,
}

/// A table by key.
pub(super) type Table = BTreeMap<String, Entry>;

/// A key with its value.
#[derive(Debug)]
pub(super) struct Entry {
    /// Where the key stands.
    pub(super) line: u32,
    pub(super) value: Value,
}

#[derive(Debug)]
pub(super) enum Value {
    Text(String),
    /// As it was written.
    Integer(String),
    Boolean(bool),
    Array(Vec<Entry>),
    Table(Table),
    /// A type that no key has, by its name.
    Other(&'static str),
}

impl File {
    pub(super) fn read(path: PathBuf) -> Result<File, ConfigError> {
        let text = std::fs::read_to_string(&path).map_err(|error| {
            ConfigError::new(format!("{}: the file cannot be read: {error}", path.display()))
        })?;
        match DeTable::parse(&text) {
            Ok(table) => Ok(File { root: table_of(&text, table.get_ref()), path }),
            Err(error) => {
                let line = line_of(&text, error.span().map_or(0, |span| span.start));
                Err(ConfigError::new(format!("{}:{line}: {}", path.display(), error.message())))
            }
        }
    }

    /// The entry at a path of one or two keys.
    pub(super) fn entry(&self, path: &str) -> Option<&Entry> {
        match path.split_once('.') {
            None => self.root.get(path),
            Some((section, key)) => match &self.root.get(section)?.value {
                Value::Table(table) => table.get(key),
                _ => None,
            },
        }
    }
}

impl Value {
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What it is, for a message.
    pub(super) fn kind(&self) -> String {
        match self {
            Value::Text(text) => format!("{text:?}"),
            Value::Integer(number) => format!("the number {number}"),
            Value::Boolean(value) => value.to_string(),
            Value::Array(_) => "a list".into(),
            Value::Table(_) => "a table".into(),
            Value::Other(name) => format!("a {name}"),
        }
    }
}

fn table_of(text: &str, table: &DeTable<'_>) -> Table {
    table
        .iter()
        .map(|(key, value)| {
            let entry = Entry { line: line_of(text, key.span().start), value: value_of(text, value) };
            (key.get_ref().to_string(), entry)
        })
        .collect()
}

fn value_of(text: &str, value: &Spanned<DeValue<'_>>) -> Value {
    match value.get_ref() {
        DeValue::String(value) => Value::Text(value.to_string()),
        DeValue::Integer(number) => Value::Integer(number.as_str().to_owned()),
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Array(items) => Value::Array(
            items
                .iter()
                .map(|item| Entry { line: line_of(text, item.span().start), value: value_of(text, item) })
                .collect(),
        ),
        DeValue::Table(table) => Value::Table(table_of(text, table)),
        other @ (DeValue::Float(_) | DeValue::Datetime(_)) => Value::Other(other.type_str()),
    }
}

fn line_of(text: &str, offset: usize) -> u32 {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() as u32 + 1
}
