//! The DORA metrics as they are shown.

use serde::{Deserialize, Serialize};

use super::words;
use crate::delivery::{Dora, Durations, Evidence};
use crate::time::Timestamp;

/// The DORA metrics of one service in one environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DoraView {
    pub environment: String,
    pub from: Timestamp,
    pub to: Timestamp,
    /// Deployments a day; `None` where too little was watched.
    pub per_day: Option<f64>,
    pub deployments: Vec<EvidenceView>,
    pub lead_time: Option<DurationsView>,
    /// From 0 to 1; `None` where no deployment can be judged.
    pub failure_rate: Option<f64>,
    pub failed: Vec<EvidenceView>,
    pub time_to_restore: Option<DurationsView>,
    pub unrestored: Vec<EvidenceView>,
}

/// What most took, and each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DurationsView {
    pub median_seconds: i64,
    pub p90_seconds: Option<i64>,
    pub samples: Vec<EvidenceView>,
}

/// What a metric was computed from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceView {
    pub commit: String,
    pub at: Timestamp,
    /// `kubernetes/…`: the source and the id of the fact.
    pub fact: String,
    pub seconds: Option<i64>,
    /// How it failed, in words.
    pub text: Option<String>,
}

impl DoraView {
    /// The metrics with what they were computed from.
    pub fn of(dora: &Dora) -> DoraView {
        let all = |evidence: &[Evidence]| evidence.iter().map(EvidenceView::of).collect::<Vec<_>>();
        let failures = dora.failure_rate.iter().flat_map(|rate| &rate.failed).map(|failure| EvidenceView {
            text: Some(words::of_failure(failure.why, &failure.by)),
            ..EvidenceView::of(&failure.deployment)
        });
        DoraView {
            environment: dora.environment.to_string(),
            from: dora.from,
            to: dora.to,
            per_day: dora.frequency.as_ref().map(|frequency| frequency.per_day),
            deployments: dora.frequency.as_ref().map(|one| all(&one.deployments)).unwrap_or_default(),
            lead_time: dora.lead_time.as_ref().map(DurationsView::of),
            failure_rate: dora.failure_rate.as_ref().map(|rate| rate.rate),
            failed: failures.collect(),
            time_to_restore: dora.time_to_restore.as_ref().map(DurationsView::of),
            unrestored: all(&dora.unrestored),
        }
    }
}

impl DurationsView {
    fn of(durations: &Durations) -> DurationsView {
        let samples = durations
            .samples
            .iter()
            .map(|sample| EvidenceView { seconds: Some(sample.seconds), ..EvidenceView::of(&sample.of) });
        DurationsView {
            median_seconds: durations.median_seconds,
            p90_seconds: durations.p90_seconds,
            samples: samples.collect(),
        }
    }
}

impl EvidenceView {
    fn of(evidence: &Evidence) -> EvidenceView {
        EvidenceView {
            commit: evidence.commit.to_string(),
            at: evidence.at,
            fact: [evidence.source.as_str(), "/", &evidence.source_id].concat(),
            seconds: None,
            text: None,
        }
    }
}
