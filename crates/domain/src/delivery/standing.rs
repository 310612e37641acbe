//! Where a service stands: what the matrix needs of all its changes, whatever the time, so that it can be kept.

use serde::{Deserialize, Serialize};

use crate::delivery::summary::worst_of_last;
use crate::delivery::{
    ChangeSummary, CommitSha, Deployment, EnvironmentName, Reached, SeenHealth, ServiceName, Stage, Status,
    deployments,
};

/// What the matrix needs of one service. A function of its changes alone: recomputed when one of them differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    pub service: ServiceName,
    /// Every environment that a change of the service was seen in, by name.
    pub environments: Vec<EnvironmentStanding>,
}

/// Where a service stands in one environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentStanding {
    pub environment: EnvironmentName,
    /// What runs, and since when; `None` where nothing was ever seen to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<Deployment>,
    /// How many commits are newer than what runs; those that are known to be on another branch than it do not count. `None`
    /// where that cannot be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<u32>,
    /// How the environment was when it was last looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<SeenHealth>,
    /// The newest change that is on its way into the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_progress: Option<Mark>,
    /// The newest change that failed on its way into the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Mark>,
}

/// A change at a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub commit: CommitSha,
    pub stage: Stage,
    pub status: Status,
}

impl Standing {
    /// Where a service stands, by all its changes, in any order.
    pub fn of(service: &ServiceName, changes: &[ChangeSummary]) -> Standing {
        let mut names: Vec<&EnvironmentName> =
            changes.iter().flat_map(|change| &change.environments).map(|here| &here.environment).collect();
        names.sort_unstable();
        names.dedup();
        let environments = names.into_iter().map(|name| environment(changes, name)).collect();
        Standing { service: service.clone(), environments }
    }

    /// Where it stands in an environment; `None` where nothing of it was seen there.
    pub fn environment(&self, name: &EnvironmentName) -> Option<&EnvironmentStanding> {
        self.environments.iter().find(|here| here.environment == *name)
    }
}

fn environment(changes: &[ChangeSummary], name: &EnvironmentName) -> EnvironmentStanding {
    let current = deployments(changes, name).pop();
    let pending = |wanted: fn(Status) -> bool| newest_pending(changes, name, current.as_ref(), wanted);
    EnvironmentStanding {
        environment: name.clone(),
        behind: current.as_ref().and_then(|here| behind(changes, here)),
        seen: changes.iter().filter_map(|change| change.environment(name)?.health).max_by_key(worst_of_last),
        in_progress: pending(|status| {
            matches!(status, Status::Waiting | Status::Running | Status::Succeeded)
        }),
        failed: pending(|status| status == Status::Failed),
        current,
    }
}

fn behind(changes: &[ChangeSummary], here: &Deployment) -> Option<u32> {
    here.committed?;
    let delivered = changes
        .iter()
        .find(|change| change.commit == here.commit)
        .and_then(|change| change.branch.as_deref());
    let elsewhere = |change: &&ChangeSummary| match (delivered, change.branch.as_deref()) {
        (Some(delivered), Some(branch)) => delivered != branch,
        (None, _) | (_, None) => false,
    };
    let newer = changes.iter().filter(|change| change.is_newer_than(here) == Some(true));
    Some(newer.filter(|change| !elsewhere(change)).count() as u32)
}

/// The newest change other than the current one whose last stage here has a wanted status, and which is not done with: it is
/// newer than what runs, or was last told of after that went live. A change that has been live is only on its way again when
/// an earlier stage says so.
fn newest_pending(
    changes: &[ChangeSummary],
    name: &EnvironmentName,
    current: Option<&Deployment>,
    wanted: fn(Status) -> bool,
) -> Option<Mark> {
    let pending = |change: &ChangeSummary, reached: &Reached| {
        let arrived = reached.stage == Stage::Live && reached.status == Status::Succeeded;
        let done_with = current.is_some_and(|current| {
            change.commit == current.commit
                || (change.is_newer_than(current) != Some(true) && reached.at <= current.at)
        });
        wanted(reached.status) && !arrived && !done_with
    };
    let reached = changes.iter().filter_map(|change| Some((change, change.environment(name)?.reached?)));
    let newest = reached
        .filter(|(change, reached)| pending(change, reached))
        .max_by_key(|(change, _)| (change.committed, &change.commit));
    newest.map(|(change, reached)| Mark {
        commit: change.commit.clone(),
        stage: reached.stage,
        status: reached.status,
    })
}
