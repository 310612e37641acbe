//! What a pipeline tells by itself, a stage at a time.

use domain::delivery::{Fact, Source, Stage, Status};
use domain::wire::delivery::Report;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::DeliveryError;

/// The fact that a report tells. Its id is what it says: the same report again is the same fact, whatever sends it again.
///
/// # Errors
/// What cannot be written as JSON, which is nothing that a report can hold.
pub fn fact(report: Report, now: Timestamp) -> Result<Fact, DeliveryError> {
    let said = serde_json::to_vec(&report)
        .map_err(|error| DeliveryError::Invalid(format!("The report cannot be read: {error}.")))?;
    // A report without times happens when it is told; what is live has to say since when.
    let finished = report
        .finished
        .or_else(|| (report.stage == Stage::Live && report.status == Status::Succeeded).then_some(now));
    Ok(Fact {
        source: Source::Report,
        source_id: hex::encode(Sha256::digest(&said)),
        service: report.service,
        environment: report.environment,
        commit: report.commit,
        stage: report.stage,
        job: report.job,
        attempt: report.attempt.unwrap_or(1),
        status: report.status,
        started: report.started,
        finished,
        observed: now,
        link: report.link,
        detail: report.detail,
    })
}
