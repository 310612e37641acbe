//! How far a change has come, by the names it is stored and shown under.

use serde::{Deserialize, Serialize};

/// How far a change has come. Long work is a row with a state, so that another process can take it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeStatus {
    /// Accepted and stored; the call has not been made.
    Requested,
    /// The call is being made; if the process dies here the outcome is looked up before anything is sent again.
    Calling,
    /// EC2 accepted the call; waiting for `applied`.
    Waiting,
    /// In effect, and all six fields are as planned.
    Applied,
    /// Accepted on a stopped instance; takes effect when it is started.
    AtNextStart,
    /// In effect, but a field other than planned changed too.
    AppliedDifferently,
    /// The instance was no longer as planned; nothing was sent.
    PlanOutdated,
    /// EC2 refused, or the instance is gone; nothing was changed.
    Failed,
}

impl ChangeStatus {
    pub const ALL: [ChangeStatus; 8] = [
        ChangeStatus::Requested,
        ChangeStatus::Calling,
        ChangeStatus::Waiting,
        ChangeStatus::Applied,
        ChangeStatus::AtNextStart,
        ChangeStatus::AppliedDifferently,
        ChangeStatus::PlanOutdated,
        ChangeStatus::Failed,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            ChangeStatus::Requested => "requested",
            ChangeStatus::Calling => "calling",
            ChangeStatus::Waiting => "waiting",
            ChangeStatus::Applied => "applied",
            ChangeStatus::AtNextStart => "at-next-start",
            ChangeStatus::AppliedDifferently => "applied-differently",
            ChangeStatus::PlanOutdated => "plan-outdated",
            ChangeStatus::Failed => "failed",
        }
    }

    pub fn parse(text: &str) -> Option<ChangeStatus> {
        ChangeStatus::ALL.into_iter().find(|status| status.as_str() == text)
    }

    pub fn is_final(self) -> bool {
        match self {
            ChangeStatus::Requested | ChangeStatus::Calling | ChangeStatus::Waiting => false,
            ChangeStatus::Applied
            | ChangeStatus::AtNextStart
            | ChangeStatus::AppliedDifferently
            | ChangeStatus::PlanOutdated
            | ChangeStatus::Failed => true,
        }
    }

    /// Whether EC2 took the change, so that it can be undone.
    pub fn changed_something(self) -> bool {
        matches!(
            self,
            ChangeStatus::Waiting
                | ChangeStatus::Applied
                | ChangeStatus::AtNextStart
                | ChangeStatus::AppliedDifferently
        )
    }

    pub fn label(self) -> &'static str {
        match self {
            ChangeStatus::Requested => "Requested",
            ChangeStatus::Calling => "Calling EC2",
            ChangeStatus::Waiting => "Waiting for applied",
            ChangeStatus::Applied => "Applied",
            ChangeStatus::AtNextStart => "At next start",
            ChangeStatus::AppliedDifferently => "Applied, with other differences",
            ChangeStatus::PlanOutdated => "Plan outdated",
            ChangeStatus::Failed => "Failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_round_trip_and_only_ends_are_final() {
        for status in ChangeStatus::ALL {
            assert_eq!(ChangeStatus::parse(status.as_str()), Some(status));
        }
        let open: Vec<ChangeStatus> =
            ChangeStatus::ALL.into_iter().filter(|status| !status.is_final()).collect();
        assert_eq!(open, [ChangeStatus::Requested, ChangeStatus::Calling, ChangeStatus::Waiting]);
    }
}
