//! What operations leave behind: which places are kept as they are, by whom and why.

use std::collections::BTreeMap;

use super::{Ask, Operation};
use crate::delivery::{Hold, HoldKind, Place};

/// The holds that stand, of each place, from all operations in any order. What is merged counts, in the order of the merges: a
/// freeze and a revert begin one, a resume ends those before it.
pub fn holds(operations: &[Operation]) -> BTreeMap<Place, Hold> {
    let mut merged: Vec<(&Operation, _)> = operations
        .iter()
        .filter(|operation| operation.status.is_merged())
        .filter_map(|operation| Some((operation, operation.merged.as_ref()?.at)))
        .collect();
    merged.sort_by_key(|(operation, at)| (*at, operation.id.clone()));
    let mut holds = BTreeMap::new();
    for (operation, at) in merged {
        for place in operation.ask.places() {
            let (kind, until) = match &operation.ask {
                Ask::Freeze { until, .. } => (HoldKind::Frozen, *until),
                Ask::Revert { .. } => (HoldKind::Held, None),
                Ask::Resume { .. } => {
                    holds.remove(&place);
                    continue;
                }
                Ask::Promote { .. } => continue,
            };
            // A revert whose updater could not or need not be held leaves nothing to resume.
            if operation.plan.holds(&place) != Some(true) && kind == HoldKind::Held {
                continue;
            }
            let hold = Hold {
                kind,
                by: operation.by.name.clone(),
                reason: operation.reason.clone(),
                since: at,
                until,
                pull_request: operation.pull_request.as_ref().and_then(|request| request.number),
            };
            holds.insert(place, hold);
        }
    }
    holds
}
