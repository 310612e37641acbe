//! Collects the values that completion offers, bounded so that they fit into a page's first requests.

use std::cmp::Reverse;

use super::dictionary::{Indexed, TagKey};
use super::{FleetIndex, FleetRow};
use crate::query::{Field, Known, KnownTag, Vocabulary};

/// The most values of one kind.
const MAX_VALUES: usize = 400;
/// A tag with more values than this is not completed: its values name instances, not groups of them.
const MAX_TAG_VALUES: usize = 30;
/// The most tag keys whose values are offered.
const MAX_VALUED_TAGS: usize = 40;

pub(super) fn collect(index: &FleetIndex) -> Vocabulary {
    let field = |field, spelled: fn(&FleetRow) -> &str| known(index, Indexed::Field(field), spelled);
    let mut accounts = known(index, Indexed::Alias, |row| &row.alias);
    for account in &mut accounts {
        account.detail = account_id(index, &account.value);
    }
    Vocabulary {
        regions: field(Field::Region, |row| &row.instance.key.source.region),
        accounts,
        instance_types: field(Field::InstanceType, |row| &row.instance.instance_type),
        tags: tags(index),
        rules: rules(index),
    }
}

/// Each distinct text, spelled as its first row spells it.
fn known(index: &FleetIndex, indexed: Indexed, spelled: impl Fn(&FleetRow) -> &str) -> Vec<Known> {
    let value = |entry| {
        let rows = index.dictionary.rows(entry);
        let value = spelled(&index.rows[*rows.first()? as usize]).to_owned();
        Some(Known { value, detail: String::new(), instances: rows.len() as u32 })
    };
    frequent(index.dictionary.entries(indexed).filter_map(value).collect())
}

fn rules(index: &FleetIndex) -> Vec<Known> {
    let value = |entry| {
        let rows = index.dictionary.rows(entry);
        let violations = index.rows[*rows.first()? as usize].policy.violations();
        let folded = index.dictionary.text(entry);
        let violation = violations.iter().find(|violation| crate::query::fold(&violation.rule) == folded)?;
        Some(Known { value: violation.rule.clone(), detail: String::new(), instances: rows.len() as u32 })
    };
    frequent(index.dictionary.entries(Indexed::Field(Field::Rule)).filter_map(value).collect())
}

/// The id behind an alias; empty where the alias is the id, or names several accounts.
fn account_id(index: &FleetIndex, alias: &str) -> String {
    let mut ids: Vec<&str> = index
        .dictionary
        .equal_to(Indexed::Alias, &crate::query::fold(alias))
        .iter()
        .map(|row| &*index.rows[*row as usize].instance.key.source.account)
        .collect();
    ids.dedup();
    match ids.as_slice() {
        [id] if *id != alias => (*id).to_owned(),
        _ => String::new(),
    }
}

fn tags(index: &FleetIndex) -> Vec<KnownTag> {
    let mut tags: Vec<(&TagKey, KnownTag)> =
        index.dictionary.tag_keys().iter().filter_map(|key| Some((key, known_tag(index, key)?))).collect();
    tags.sort_by_key(|(_, tag)| Reverse(tag.instances));
    tags.truncate(MAX_VALUES);
    let few = |key: &TagKey| key.entries.len() <= MAX_TAG_VALUES;
    for (key, tag) in tags.iter_mut().filter(|(key, _)| few(key)).take(MAX_VALUED_TAGS) {
        let values = key.entries.clone().filter_map(|entry| tag_value(index, key, entry)).collect();
        tag.values = frequent(values);
    }
    tags.into_iter().map(|(_, tag)| tag).collect()
}

fn known_tag(index: &FleetIndex, key: &TagKey) -> Option<KnownTag> {
    let instances = key.entries.clone().map(|entry| index.dictionary.rows(entry).len() as u32).sum();
    let row = *index.dictionary.rows(key.entries.start).first()?;
    let tags = &index.rows[row as usize].instance.tags;
    let tag = tags.iter().find(|tag| crate::query::fold(&tag.key) == key.key)?;
    Some(KnownTag { key: tag.key.to_string(), instances, values: Vec::new() })
}

fn tag_value(index: &FleetIndex, key: &TagKey, entry: u32) -> Option<Known> {
    let rows = index.dictionary.rows(entry);
    let tags = &index.rows[*rows.first()? as usize].instance.tags;
    let folded = &index.dictionary.text(entry)[key.key.len() + 1..];
    let spelled = |tag: &&crate::instance::Tag| {
        crate::query::fold(&tag.key) == key.key && crate::query::fold(&tag.value) == folded
    };
    let value = tags.iter().find(spelled)?.value.to_string();
    Some(Known { value, detail: String::new(), instances: rows.len() as u32 })
}

/// The most frequent first; equally frequent ones stay in the order of their texts.
fn frequent(mut values: Vec<Known>) -> Vec<Known> {
    values.sort_by_key(|known| Reverse(known.instances));
    values.truncate(MAX_VALUES);
    values
}
