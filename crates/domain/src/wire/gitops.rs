//! What the promotions page shows: the way of each service through the environments, what can move, and the operations.

use serde::{Deserialize, Serialize};

use crate::gitops::{Operation, OperationStatus};
use crate::time::Timestamp;
use crate::wire::delivery::CellView;

/// Everything of the promotions page, for one caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromotionBoard {
    /// In their order.
    pub environments: Vec<EnvironmentRow>,
    /// By name.
    pub services: Vec<PromotionRow>,
    /// Newest first.
    pub operations: Vec<OperationView>,
    /// Why nothing can be asked for at all; `None` where something can.
    pub disabled: Option<String>,
}

/// An environment, with how it is changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentRow {
    pub name: String,
    pub approval: bool,
    pub auto_merge: bool,
    /// The window of the calendar that it is closed by, with its end.
    pub closed: Option<(String, Option<Timestamp>)>,
}

/// A service on its way through the environments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromotionRow {
    pub service: String,
    /// One for each environment; `None` for one that the caller does not see this service in.
    pub places: Vec<Option<PlaceView>>,
}

/// A service in an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceView {
    pub cell: CellView,
    /// The tag that the repository says; `None` where no repository does.
    pub desired: Option<String>,
    /// Whether the caller may change it.
    pub may_release: bool,
    /// Whether another tag than here is wanted in the environment before, which could come here.
    pub can_receive: bool,
}

/// An operation, with what the caller may do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationView {
    pub operation: Operation,
    /// Why the caller cannot approve it; `None` where they can.
    pub approve_disabled: Option<String>,
    /// Why the caller cannot have it merged; `None` where they can.
    pub merge_disabled: Option<String>,
    /// Why the caller cannot close it; `None` where they can.
    pub close_disabled: Option<String>,
}

impl PromotionRow {
    /// Which tags could come one environment further: what is wanted before and is not wanted here, and what is not held.
    pub fn mark_receivers(&mut self) {
        let desired: Vec<Option<String>> =
            self.places.iter().map(|place| place.as_ref().and_then(|place| place.desired.clone())).collect();
        for (place, before) in self.places.iter_mut().skip(1).zip(&desired) {
            if let Some(place) = place {
                place.can_receive =
                    before.is_some() && *before != place.desired && place.cell.holds.is_empty();
            }
        }
    }
}

/// How an operation stands, in a word for people.
pub fn status_label(operation: &Operation) -> &'static str {
    match operation.status {
        OperationStatus::Requested => "Requested",
        OperationStatus::Open if operation.needs_approval && !operation.is_approved() => "Waits for approval",
        OperationStatus::Open if operation.is_wanted() => "Merging",
        OperationStatus::Open => "Open",
        OperationStatus::Merged => "Merged, not in effect yet",
        OperationStatus::Effective => "In effect",
        OperationStatus::NotEffective => "Not in effect",
        OperationStatus::Closed => "Closed",
        OperationStatus::Failed => "Failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::{Hold, HoldKind};
    use crate::wire::delivery::HealthView;

    fn place(desired: Option<&str>, is_held: bool) -> Option<PlaceView> {
        let hold = Hold {
            kind: HoldKind::Frozen,
            by: "ana".into(),
            reason: "sale".into(),
            since: Timestamp::UNIX_EPOCH,
            until: None,
            pull_request: None,
        };
        let cell = CellView {
            version: None,
            commit: None,
            since: None,
            health: HealthView::Unknown,
            last_health: None,
            as_of: None,
            behind: None,
            ahead_of: None,
            in_progress: None,
            failed: None,
            holds: is_held.then_some(hold).into_iter().collect(),
        };
        Some(PlaceView { cell, desired: desired.map(str::to_owned), may_release: true, can_receive: false })
    }

    #[test]
    fn what_differs_from_the_environment_before_can_come() {
        let receives = |places: Vec<Option<PlaceView>>| {
            let mut row = PromotionRow { service: "users".into(), places };
            row.mark_receivers();
            row.places
                .iter()
                .map(|place| place.as_ref().is_some_and(|place| place.can_receive))
                .collect::<Vec<_>>()
        };
        assert_eq!(receives(vec![place(Some("2"), false), place(Some("1"), false)]), [false, true]);
        assert_eq!(receives(vec![place(Some("2"), false), place(Some("2"), false)]), [false, false]);
        assert_eq!(receives(vec![place(Some("2"), false), place(Some("1"), true)]), [false, false]);
        assert_eq!(receives(vec![place(None, false), place(Some("1"), false)]), [false, false]);
        assert_eq!(
            receives(vec![None, place(Some("1"), false), place(Some("0"), false)]),
            [false, false, true]
        );
        assert_eq!(receives(vec![place(Some("2"), false), None]), [false, false]);
    }
}
