//! What changed about instances between two reads, as entries to keep and as words to show.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::change::differences;
use domain::instance::{Instance, InstanceKey, Text};
use domain::wire::HistoryItem;
use jiff::Timestamp;
use store::{HistoryEntry, HistoryKind, ObservedState, VanishedInstance};

/// What one read of a source changed against the copy before.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    pub(crate) entries: Vec<HistoryEntry>,
    pub(crate) vanished: Vec<VanishedInstance>,
    /// Instances that had vanished and are listed again.
    pub(crate) returned: Vec<InstanceKey>,
}

/// Compares the copy before with the one read `at`, both of one source and sorted by id. `vanished_before` are the ids that
/// had vanished.
pub(crate) fn compare(
    before: &[Arc<Instance>],
    now: &[Arc<Instance>],
    vanished_before: &BTreeSet<Text>,
    at: Timestamp,
) -> Comparison {
    let mut comparison = Comparison::default();
    let mut record = |instance: &Instance, kind, was: Option<&Instance>, is: Option<&Instance>| {
        let (before, after) = (was.map(ObservedState::from), is.map(ObservedState::from));
        comparison.entries.push(HistoryEntry { key: instance.key.clone(), at, kind, before, after });
    };
    let find =
        |list: &[Arc<Instance>], id: &str| list.binary_search_by(|one| (*one.key.instance_id).cmp(id)).ok();
    for instance in now {
        match find(before, &instance.key.instance_id) {
            None if vanished_before.contains(&instance.key.instance_id) => {
                record(instance, HistoryKind::Returned, None, Some(instance));
                comparison.returned.push(instance.key.clone());
            }
            None => record(instance, HistoryKind::Appeared, None, Some(instance)),
            Some(position) => {
                let was = &before[position];
                if was.state != instance.state {
                    record(instance, HistoryKind::StateChanged, Some(was), Some(instance));
                }
                if was.metadata_options != instance.metadata_options {
                    record(instance, HistoryKind::OptionsChanged, Some(was), Some(instance));
                }
            }
        }
    }
    for was in before.iter().filter(|was| find(now, &was.key.instance_id).is_none()) {
        record(was, HistoryKind::Vanished, Some(was), None);
        comparison.vanished.push(VanishedInstance { last_seen: at, instance: was.as_ref().clone() });
    }
    comparison
}

/// The entry in words.
pub(crate) fn item(entry: &HistoryEntry) -> HistoryItem {
    let text = match (entry.kind, &entry.before, &entry.after) {
        (HistoryKind::OptionsChanged, Some(before), Some(after)) => {
            let moved = differences(
                &before.metadata_options.unwrap_or_default(),
                &after.metadata_options.unwrap_or_default(),
            );
            let parts: Vec<String> = moved
                .iter()
                .map(|difference| {
                    format!("{} {} → {}", difference.field, difference.before, difference.after)
                })
                .collect();
            parts.join(", ")
        }
        (HistoryKind::StateChanged, Some(before), Some(after)) => {
            format!("{} → {}", before.state.as_str(), after.state.as_str())
        }
        (HistoryKind::Appeared, _, Some(after)) => format!("first seen, {}", after.state.as_str()),
        (HistoryKind::Returned, _, Some(after)) => format!("listed again, {}", after.state.as_str()),
        (HistoryKind::Vanished, Some(before), _) => {
            format!("no longer listed, last seen {}", before.state.as_str())
        }
        (kind, _, _) => kind.as_str().replace('-', " "),
    };
    HistoryItem { key: entry.key.clone(), at: entry.at, kind: entry.kind.as_str().to_owned(), text }
}
