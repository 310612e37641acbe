//! What the browser and the command line are told of deliveries.

use serde::{Deserialize, Serialize};

use crate::delivery::{Cell, CriticalPath, EnvironmentName, ServiceName, Source, Timeline};
use crate::time::Timestamp;

/// Every service in every environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryMatrix {
    /// In the order that changes pass through them.
    pub environments: Vec<EnvironmentName>,
    pub rows: Vec<MatrixRow>,
    pub sources: Vec<FactSource>,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatrixRow {
    pub service: ServiceName,
    /// Where it is built from, as `owner/name` on GitHub.
    pub repository: Option<String>,
    /// One for each environment, in their order.
    pub cells: Vec<Cell>,
}

/// Who tells of changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactSource {
    pub source: Source,
    /// When it last told something; `None` where it has not since the server began.
    pub last_told: Option<Timestamp>,
    /// Why the last that it told could not be taken in, or why it could not be read.
    pub problem: Option<String>,
}

/// The way of one change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeTimeline {
    pub timeline: Timeline,
    /// What it spent its time on; empty where no times are known.
    pub path: CriticalPath,
}
