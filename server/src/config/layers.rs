//! Reads one value from whichever layer says it, and remembers where it was said.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::Flags;
use super::file::{Entry, File, Table, Value};
use super::keys::{KEYS, Key};
use jiff::SignedDuration;

/// The file that is read where none is named.
const DEFAULT_FILE: &str = "tollgate.toml";
/// Tables that hold more than single values, and are read as a whole.
const TABLES: [&str; 12] = [
    "accounts",
    "clusters",
    "environments",
    "freeze_windows",
    "gitops",
    "grants",
    "headers",
    "issuers",
    "organization",
    "services",
    "webhooks",
    "workflows",
];
/// Variables of commands that work at a server.
const COMMAND_VARIABLES: [&str; 2] = ["TOLLGATE_SERVER", "TOLLGATE_TOKEN"];
/// Variables of this prefix are for tests and tools and are not configuration.
const FOREIGN_VARIABLES: [&str; 2] = ["TOLLGATE_TEST_", "TOLLGATE_CACHE_DIR"];

/// A mistake in the configuration: where it stands, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ConfigError(String);

impl ConfigError {
    pub(crate) fn new(message: String) -> ConfigError {
        ConfigError(message)
    }
}

/// Where a value was said.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Flag(&'static str),
    Variable(&'static str),
    File { path: PathBuf, line: u32 },
    Default,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Flag(flag) => write!(f, "--{flag}"),
            Place::Variable(variable) => write!(f, "{variable}"),
            Place::File { path, line } => write!(f, "{}:{line}", path.display()),
            Place::Default => write!(f, "default"),
        }
    }
}

/// A value as it was written.
enum Raw<'a> {
    /// From a flag, a variable or a default.
    Text(&'a str),
    Written(&'a Value),
}

impl Raw<'_> {
    /// What it is, for a message.
    fn kind(&self) -> String {
        match self {
            Raw::Text(text) => format!("{text:?}"),
            Raw::Written(value) => value.kind(),
        }
    }
}

/// All layers.
pub(crate) struct Layers {
    flags: Vec<(&'static str, String)>,
    variables: Vec<(String, String)>,
    file: Option<File>,
}

/// One table of the file.
pub(crate) struct Section<'a> {
    file: &'a File,
    name: &'static str,
    table: &'a Table,
    line: u32,
}

impl Layers {
    pub(crate) fn read(
        flags: Flags,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Layers, ConfigError> {
        let variables: Vec<_> = variables.filter(|(name, _)| name.starts_with("TOLLGATE_")).collect();
        for (name, _) in &variables {
            let known = KEYS.iter().any(|key| key.variable == name)
                || COMMAND_VARIABLES.contains(&name.as_str())
                || FOREIGN_VARIABLES.iter().any(|prefix| name.starts_with(prefix));
            // Secrets may be kept in variables of any name, which the file then names.
            if !known && !name.starts_with("TOLLGATE_SECRET_") {
                let names = KEYS.iter().map(|key| key.variable);
                return Err(ConfigError(format!(
                    "{name}: there is no such variable{}",
                    suggestion(name, names)
                )));
            }
        }
        let file = match &flags.file {
            Some(path) => Some(File::read(path.clone())?),
            None if PathBuf::from(DEFAULT_FILE).exists() => Some(File::read(DEFAULT_FILE.into())?),
            None => None,
        };
        if let Some(file) = &file {
            check_keys(file, "", &file.root)?;
        }
        Ok(Layers { flags: flags.values, variables, file })
    }

    /// The text of `path`; `None` where it is not set, or set to nothing.
    pub(crate) fn text(&self, path: &'static str) -> Result<Option<String>, ConfigError> {
        self.convert(path, "text in quotes", |raw| match raw {
            Raw::Text(text) => Some((*text).to_owned()),
            Raw::Written(value) => value.as_text().map(str::to_owned),
        })
        .map(|text| text.filter(|text| !text.is_empty()))
    }

    /// The value of `path` in a type that parses itself.
    pub(crate) fn parsed<T: FromStr>(&self, path: &'static str, wanted: &str) -> Result<T, ConfigError> {
        let value = self.convert(path, wanted, |raw| match raw {
            Raw::Text(text) => text.parse().ok(),
            Raw::Written(value) => value.as_text()?.parse().ok(),
        })?;
        value.ok_or_else(|| ConfigError(format!("{path} is not set; it is {wanted}")))
    }

    pub(crate) fn boolean(&self, path: &'static str) -> Result<bool, ConfigError> {
        let value = self.convert(path, "true or false", |raw| match raw {
            Raw::Text(text) => text.parse().ok(),
            Raw::Written(Value::Boolean(value)) => Some(*value),
            Raw::Written(_) => None,
        })?;
        Ok(value.unwrap_or(false))
    }

    /// A list; from a flag or variable its items are separated by commas.
    pub(crate) fn list(&self, path: &'static str) -> Result<Vec<String>, ConfigError> {
        let list = self.convert(path, "a list of texts", |raw| match raw {
            Raw::Text(text) => Some(
                text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect(),
            ),
            Raw::Written(Value::Array(items)) => {
                items.iter().map(|item| item.value.as_text().map(str::to_owned)).collect()
            }
            Raw::Written(_) => None,
        })?;
        Ok(list.unwrap_or_default())
    }

    pub(crate) fn integer(&self, path: &'static str, range: RangeInclusive<u16>) -> Result<u16, ConfigError> {
        let wanted = format!("a whole number from {} to {}", range.start(), range.end());
        let value = self.convert(path, &wanted, |raw| {
            let number: u16 = match raw {
                Raw::Text(text) => text.parse().ok()?,
                Raw::Written(Value::Integer(number)) => number.parse().ok()?,
                Raw::Written(_) => return None,
            };
            range.contains(&number).then_some(number)
        })?;
        value.ok_or_else(|| ConfigError(format!("{path} is not set; it is {wanted}")))
    }

    pub(crate) fn duration(
        &self,
        path: &'static str,
        range: RangeInclusive<Duration>,
    ) -> Result<Duration, ConfigError> {
        let wanted = format!(
            "a duration such as 90s, 5m, 2h or 7d, from {}s to {}s",
            range.start().as_secs(),
            range.end().as_secs()
        );
        let value = self.convert(path, &wanted, |raw| {
            parse_duration(raw_text(raw)?).filter(|duration| range.contains(duration))
        })?;
        value.ok_or_else(|| ConfigError(format!("{path} is not set; it is {wanted}")))
    }

    pub(crate) fn optional_days(&self, path: &'static str) -> Result<Option<SignedDuration>, ConfigError> {
        self.convert(path, "a duration of at least a day, such as 365d", |raw| {
            let text = raw_text(raw)?;
            if text.is_empty() {
                return Some(None);
            }
            let duration =
                parse_duration(text).filter(|duration| *duration >= Duration::from_secs(86_400))?;
            SignedDuration::try_from(duration).ok().map(Some)
        })
        .map(Option::flatten)
    }

    pub(crate) fn days(&self, path: &'static str) -> Result<SignedDuration, ConfigError> {
        self.optional_days(path)?.ok_or_else(|| self.invalid(path, "is empty; it is a duration such as 365d"))
    }

    pub(crate) fn one_of<T: Copy>(&self, path: &'static str, known: &[(&str, T)]) -> Result<T, ConfigError> {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let wanted = format!("one of {}", names.join(", "));
        let value = self.convert(path, &wanted, |raw| {
            let text = raw_text(raw)?;
            known.iter().find(|(name, _)| *name == text).map(|(_, value)| *value)
        })?;
        value.ok_or_else(|| ConfigError(format!("{path} is not set; it is {wanted}")))
    }

    /// An error about the value of `path`, where it was said.
    pub(crate) fn invalid(&self, path: &'static str, problem: &str) -> ConfigError {
        let place = self.find(path).map_or(Place::Default, |(place, _)| place);
        ConfigError(format!("{place}: {path} {problem}"))
    }

    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        let ours = self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        ours.or_else(|| std::env::var(name).ok())
    }

    /// The tables of an array such as `[[accounts]]`.
    pub(crate) fn sections(&self, name: &'static str) -> Result<Vec<Section<'_>>, ConfigError> {
        let Some((file, entry)) = self.table_entry(name) else { return Ok(Vec::new()) };
        let misplaced = |item: &Entry| {
            ConfigError(format!("{}: {name} is written as [[{name}]] tables", place(file, item.line)))
        };
        let Value::Array(items) = &entry.value else { return Err(misplaced(entry)) };
        items
            .iter()
            .map(|item| match &item.value {
                Value::Table(table) => Ok(Section { file, name, table, line: item.line }),
                _ => Err(misplaced(item)),
            })
            .collect()
    }

    /// A table such as `[organization]`.
    pub(crate) fn section(&self, name: &'static str) -> Result<Option<Section<'_>>, ConfigError> {
        let Some((file, entry)) = self.table_entry(name) else { return Ok(None) };
        match &entry.value {
            Value::Table(table) => Ok(Some(Section { file, name, table, line: entry.line })),
            _ => Err(ConfigError(format!(
                "{}: {name} is written as a [{name}] table",
                place(file, entry.line)
            ))),
        }
    }

    fn table_entry(&self, name: &str) -> Option<(&File, &Entry)> {
        let file = self.file.as_ref()?;
        Some((file, file.root.get(name)?))
    }

    fn convert<T>(
        &self,
        path: &'static str,
        wanted: &str,
        convert: impl FnOnce(&Raw<'_>) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        let Some((place, raw)) = self.find(path) else { return Ok(None) };
        match convert(&raw) {
            Some(value) => Ok(Some(value)),
            None => Err(ConfigError(format!("{place}: {path} is {}; it must be {wanted}", raw.kind()))),
        }
    }

    /// The value of the highest layer that says it.
    fn find(&self, path: &'static str) -> Option<(Place, Raw<'_>)> {
        let key = KEYS.iter().find(|key| key.path == path)?;
        if let Some((_, value)) = self.flags.iter().find(|(known, _)| *known == path) {
            return Some((Place::Flag(key.flag.unwrap_or(key.path)), Raw::Text(value)));
        }
        if let Some((_, value)) = self.variables.iter().find(|(name, _)| name == key.variable) {
            return Some((Place::Variable(key.variable), Raw::Text(value)));
        }
        if let Some(file) = &self.file
            && let Some(entry) = file.entry(path)
        {
            return Some((place(file, entry.line), Raw::Written(&entry.value)));
        }
        (!key.default.is_empty()).then_some((Place::Default, Raw::Text(key.default)))
    }
}

/// Every key of the file is one that is read.
fn check_keys(file: &File, prefix: &str, table: &Table) -> Result<(), ConfigError> {
    for (name, entry) in table {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        if TABLES.contains(&path.as_str()) || KEYS.iter().any(|key| key.path == path) {
            continue;
        }
        let is_section = KEYS.iter().any(|key| key.path.starts_with(&format!("{path}.")));
        match &entry.value {
            Value::Table(inner) if is_section => check_keys(file, &path, inner)?,
            _ => {
                let known = KEYS.iter().map(|key: &Key| key.path).chain(TABLES);
                let place = place(file, entry.line);
                return Err(ConfigError(format!(
                    "{place}: there is no key {path}{}",
                    suggestion(&path, known)
                )));
            }
        }
    }
    Ok(())
}

fn place(file: &File, line: u32) -> Place {
    Place::File { path: file.path.clone(), line }
}

impl Section<'_> {
    /// Every key of the table is one of `known`.
    pub(crate) fn only(&self, known: &[&'static str]) -> Result<(), ConfigError> {
        match self.table.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, entry)) => Err(ConfigError(format!(
                "{}: there is no key {}.{name}{}",
                place(self.file, entry.line),
                self.name,
                suggestion(name, known.iter().copied())
            ))),
        }
    }

    pub(crate) fn text(&self, key: &str) -> Result<Option<String>, ConfigError> {
        let Some(entry) = self.table.get(key) else { return Ok(None) };
        match entry.value.as_text() {
            Some(text) if !text.trim().is_empty() => Ok(Some(text.to_owned())),
            _ => {
                let kind = entry.value.kind();
                Err(self.error(key, &format!("is {kind}; it must be text in quotes that is not empty")))
            }
        }
    }

    /// A list of texts; empty where it is not said.
    pub(crate) fn list(&self, key: &str) -> Result<Vec<String>, ConfigError> {
        let Some(entry) = self.table.get(key) else { return Ok(Vec::new()) };
        let texts = match &entry.value {
            Value::Array(items) => items
                .iter()
                .map(|item| item.value.as_text().filter(|text| !text.trim().is_empty()).map(str::to_owned))
                .collect::<Option<Vec<String>>>(),
            _ => None,
        };
        texts
            .filter(|texts| !texts.is_empty())
            .ok_or_else(|| self.error(key, "must be a list of texts in quotes that is not empty"))
    }

    /// `None` where it is not set.
    pub(crate) fn duration(
        &self,
        key: &str,
        range: RangeInclusive<Duration>,
    ) -> Result<Option<Duration>, ConfigError> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let duration = parse_duration(&text).filter(|duration| range.contains(duration));
        let wanted = || {
            let (least, most) = (range.start().as_secs(), range.end().as_secs());
            self.error(key, &format!("must be a duration such as 90s, 5m or 2h, from {least}s to {most}s"))
        };
        duration.ok_or_else(wanted).map(Some)
    }

    /// Whether it is set to true.
    pub(crate) fn boolean(&self, key: &str) -> Result<bool, ConfigError> {
        match self.table.get(key).map(|entry| &entry.value) {
            None => Ok(false),
            Some(Value::Boolean(value)) => Ok(*value),
            Some(_) => Err(self.error(key, "must be true or false")),
        }
    }

    pub(crate) fn required(&self, key: &str) -> Result<String, ConfigError> {
        self.text(key)?.ok_or_else(|| self.error(key, "is missing"))
    }

    /// An error about one key, at its line or at the table's where it is missing.
    pub(crate) fn error(&self, key: &str, problem: &str) -> ConfigError {
        let line = self.table.get(key).map_or(self.line, |entry| entry.line);
        let path = if key == self.name { key.to_owned() } else { format!("{}.{key}", self.name) };
        ConfigError(format!("{}: {path} {problem}", place(self.file, line)))
    }
}

fn raw_text<'a>(raw: &'a Raw<'a>) -> Option<&'a str> {
    match raw {
        Raw::Text(text) => Some(text),
        Raw::Written(value) => value.as_text(),
    }
}

/// A whole number with a unit: `s`, `m`, `h` or `d`.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    number.checked_mul(seconds).map(Duration::from_secs)
}

/// The nearest known name, where one is near.
fn suggestion<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let nearest = known.map(|known| (strsim::damerau_levenshtein(name, known), known)).min();
    match nearest {
        Some((distance, known)) if distance <= 3.max(name.len() / 4) => format!("; did you mean {known}?"),
        _ => String::new(),
    }
}
