//! The releases of the page: read for many at once, and rolled back for one who says why.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::access::Permission;
use domain::audit::{AuditAction, MAX_REASON, NewAuditEntry};
use domain::change::Difference;
use domain::release::{Activation, Live, ReleaseId, Uploaded, rows};
use domain::wire::{ActivationRow, InvalidationState, ReleaseBoard, Releases, RolledBack, UnderWayRow};
use jiff::Timestamp;
use publish::{Destination, Invalidation, Listing, PublishError, Publisher, Quiet, RollbackOptions};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::{Caller, Services, internal};
use crate::api::ApiError;

/// How long an answer is kept, so that a page that many have open asks AWS as often as one.
const KEPT_FOR: Duration = Duration::from_secs(3);
/// How long a rollback is waited for. It takes some seconds, unless other invalidations have to end first.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most releases in one answer.
const LIMIT: usize = 200;

/// Where the page is published, if that is configured.
#[derive(Debug, Default)]
pub struct Publishing(Option<Arc<Site>>);

/// A bucket with what was read of it.
#[derive(Debug)]
struct Site {
    publisher: Publisher,
    destination: Destination,
    /// Held while it is read: whoever asks meanwhile waits for the same answer.
    known: Mutex<Known>,
    /// Held while a release is rolled back to.
    busy: Arc<Mutex<()>>,
}

#[derive(Debug, Default)]
struct Known {
    /// A failure is kept as well: those who wait must not each wait for another one.
    last: Option<(Instant, Result<Arc<ReleaseBoard>, ApiError>)>,
    /// Releases by their record's ETag, while that is the same.
    uploaded: BTreeMap<ReleaseId, (String, Uploaded)>,
}

/// A rollback that was asked for.
struct Rollback {
    caller: Arc<Caller>,
    release: ReleaseId,
    /// What was live for the caller.
    seen: ReleaseId,
    reason: String,
}

impl Publishing {
    /// The releases that `publisher` finds at `destination`.
    pub fn at(publisher: Publisher, destination: Destination) -> Publishing {
        let site = Site { publisher, destination, known: Mutex::default(), busy: Arc::default() };
        Publishing(Some(Arc::new(site)))
    }
}

impl Services {
    pub(in crate::api) async fn releases(&self) -> Result<Releases, ApiError> {
        let Some(site) = &self.publishing.0 else { return Ok(Releases::NotConfigured) };
        let denied = self.installation_denied(Permission::Release);
        let board = ReleaseBoard { denied, ..site.board().await?.as_ref().clone() };
        Ok(Releases::Known(Box::new(board)))
    }

    /// Makes `release` live again, for somebody who saw `seen` live. The releases are those of the whole installation, so that a
    /// grant with limits does not reach them.
    pub(in crate::api) async fn roll_back(
        &self,
        release: &str,
        seen: &str,
        reason: &str,
    ) -> Result<RolledBack, ApiError> {
        self.permit_installation(Permission::Release)?;
        let Some(site) = self.publishing.0.clone() else {
            return Err(ApiError::Conflict {
                message: "This server does not know where the page is published: set publish.bucket in its configuration."
                    .into(),
            });
        };
        let reason = reason.trim();
        if reason.is_empty() || reason.len() > MAX_REASON {
            return Err(ApiError::BadRequest {
                message: format!("A rollback needs a reason of 1 to {MAX_REASON} characters."),
            });
        }
        let named = |text: &str| {
            ReleaseId::parse(text).map_err(|error| ApiError::BadRequest { message: error.to_string() })
        };
        let rollback = Rollback {
            caller: self.caller()?.clone(),
            release: named(release)?,
            seen: named(seen)?,
            reason: reason.to_owned(),
        };
        let Ok(held) = site.busy.clone().try_lock_owned() else {
            return Err(ApiError::Conflict {
                message: "This server is rolling back already. Wait until that has ended.".into(),
            });
        };
        let store = self.fleet.store().clone();
        let requested = rollback.entry(AuditAction::RollbackRequested, rollback.told(&site.destination));
        store.append_audit(&requested).await.map_err(internal)?;

        let goes_on =
            RolledBack { release: rollback.release.clone(), from: rollback.seen.clone(), invalidation: None };
        // On its own: half of a rollback would be left when whoever asked goes away.
        let task = tokio::spawn(async move {
            let done = site.publisher.rollback(rollback.options(), &Quiet).await;
            site.known.lock().await.last = None;
            if let Err(error) = store.append_audit(&rollback.outcome(&site.destination, &done)).await {
                tracing::error!(%error, "what came of a rollback cannot be written to the audit log");
            }
            drop(held);
            let (_, invalidation) = done.map_err(api_error)?;
            let invalidation = Some(invalidation.map_or(InvalidationState::None, state));
            Ok(RolledBack { release: rollback.release, from: rollback.seen, invalidation })
        });
        match timeout(PATIENCE, task).await {
            Ok(ended) => ended.map_err(internal)?,
            Err(_) => Ok(goes_on),
        }
    }
}

impl Rollback {
    fn options(&self) -> RollbackOptions {
        RollbackOptions {
            release: Some(self.release.clone()),
            seen: Some(self.seen.clone()),
            by: self.caller.actor.clone(),
            reason: self.reason.clone(),
            wait: false,
        }
    }

    fn told(&self, destination: &Destination) -> String {
        format!("{} in place of {}, in s3://{}", self.release, self.seen, destination.bucket)
    }

    fn entry(&self, action: AuditAction, detail: String) -> NewAuditEntry {
        let (before, after) = (self.seen.to_string(), self.release.to_string());
        NewAuditEntry {
            reason: self.reason.clone(),
            differences: vec![Difference { field: "release".into(), before, after }],
            detail,
            ..self.caller.entry(action)
        }
    }

    fn outcome(
        &self,
        destination: &Destination,
        done: &Result<(Activation, Option<Invalidation>), PublishError>,
    ) -> NewAuditEntry {
        let told = self.told(destination);
        match done {
            Ok((_, Some(Invalidation { id, status }))) => {
                self.entry(AuditAction::RolledBack, format!("{told}, invalidation {id} {status}"))
            }
            Ok((_, None)) => self.entry(AuditAction::RolledBack, told),
            Err(error) => self.entry(AuditAction::RollbackFailed, format!("{told}: {error}")),
        }
    }
}

impl Site {
    async fn board(&self) -> Result<Arc<ReleaseBoard>, ApiError> {
        let mut known = self.known.lock().await;
        if let Some((at, answer)) = &known.last
            && at.elapsed() < KEPT_FOR
        {
            return answer.clone();
        }
        let answer = self.read(&mut known.uploaded).await.map(Arc::new).map_err(api_error);
        known.last = Some((Instant::now(), answer.clone()));
        answer
    }

    async fn read(
        &self,
        known: &mut BTreeMap<ReleaseId, (String, Uploaded)>,
    ) -> Result<ReleaseBoard, PublishError> {
        let Listing { live, recorded } = self.publisher.listing().await?;
        known.retain(|release, (etag, _)| recorded.get(release) == Some(etag));
        let new = recorded.keys().filter(|release| !known.contains_key(release)).cloned().collect();
        let (records, invalidation) =
            tokio::join!(self.publisher.records_of(new), self.publisher.invalidation_of(&live));
        for record in records? {
            if let Some(etag) = recorded.get(&record.release) {
                let uploaded = Uploaded::from(&record);
                known.insert(record.release, (etag.clone(), uploaded));
            }
        }
        let uploaded = known.iter().map(|(release, (_, uploaded))| (release.clone(), uploaded.clone()));
        Ok(self.told(&live, &uploaded.collect(), invalidation, Timestamp::now()))
    }

    fn told(
        &self,
        live: &Live,
        uploaded: &BTreeMap<ReleaseId, Uploaded>,
        invalidation: Result<Option<Invalidation>, PublishError>,
        now: Timestamp,
    ) -> ReleaseBoard {
        let Destination { bucket, distribution } = self.destination.clone();
        let mut rows = rows(live, uploaded, now);
        let left_off = rows.len().saturating_sub(LIMIT);
        rows.truncate(LIMIT);
        let invalidation = match invalidation {
            Ok(found) => found.map_or(InvalidationState::None, state),
            // The bucket alone tells what is live: a CDN that does not answer leaves open when it is seen.
            Err(error) => {
                let asked = live.history.last().and_then(|activation| activation.invalidation.clone());
                InvalidationState::Unknown {
                    id: asked.unwrap_or_default(),
                    why: api_error(error).to_string(),
                }
            }
        };
        ReleaseBoard {
            bucket,
            distribution,
            live: live.last().cloned(),
            under_way: live.under_way.as_ref().map(|begun| UnderWayRow {
                release: begun.release.clone(),
                activated: ActivationRow::from(begun),
                interrupted: live.is_interrupted(now),
            }),
            invalidation,
            rows,
            left_off: u32::try_from(left_off).unwrap_or(u32::MAX),
            denied: None,
        }
    }
}

fn state(invalidation: Invalidation) -> InvalidationState {
    let is_completed = invalidation.is_completed();
    let id = invalidation.id;
    if is_completed { InvalidationState::Completed { id } } else { InvalidationState::InProgress { id } }
}

/// The error for the browser. What AWS says names roles and hosts, which is for the log only.
fn api_error(error: PublishError) -> ApiError {
    match &error {
        PublishError::Aws { operation, resource, failure } => {
            tracing::warn!(%error, "the bucket or the CDN failed");
            ApiError::Upstream {
                code: failure.code.clone(),
                message: format!("{operation} on {resource} failed."),
                next_step: error.next_step().unwrap_or_default(),
            }
        }
        PublishError::Unexpected { .. } => ApiError::Upstream {
            code: "Not as expected".into(),
            message: format!("{}.", error.to_string().trim_end_matches('.')),
            next_step: String::new(),
        },
        PublishError::Lost { .. } => ApiError::Conflict {
            message: "Another push or rollback came in between, and the page is the other's. Look at it and decide again."
                .into(),
        },
        PublishError::Refused(_) | PublishError::Invalid(_) => ApiError::Conflict { message: error.to_string() },
        PublishError::Bundle(_) => internal(error),
    }
}
