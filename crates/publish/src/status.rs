//! What is live, what was, and what could be again.

use std::collections::BTreeMap;

use domain::release::{FileChange, Live, ReleaseId, ReleaseRecord, diff};

use crate::error::PublishError;
use crate::publisher::Publisher;

/// An invalidation as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalidation {
    pub id: String,
    /// `InProgress` or `Completed`.
    pub status: String,
}

impl Invalidation {
    pub fn is_completed(&self) -> bool {
        self.status.eq_ignore_ascii_case("completed")
    }
}

/// What is live, with all that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub live: Live,
    /// Every release that was uploaded in whole, newest first.
    pub releases: Vec<ReleaseRecord>,
    /// The live release's invalidation, where there is one and CloudFront still knows it.
    pub invalidation: Option<Invalidation>,
}

impl Publisher {
    /// Which release is live, and which are there.
    pub async fn status(&self) -> Result<Status, PublishError> {
        let (read, releases) = futures::try_join!(self.read_live(), self.records())?;
        let asked = read.live.history.last().and_then(|live| live.invalidation.clone());
        let invalidation = match (&self.cdn, asked) {
            (Some(cdn), Some(id)) => Some(cdn.invalidation(&id).await?),
            (None, _) | (_, None) => None,
        };
        Ok(Status { live: read.live, releases, invalidation })
    }

    /// What changes from one release to another.
    pub async fn diff(
        &self,
        before: &ReleaseId,
        after: &ReleaseId,
    ) -> Result<BTreeMap<String, FileChange>, PublishError> {
        let known = |record: Option<ReleaseRecord>, release: &ReleaseId| {
            record.ok_or_else(|| {
                PublishError::Invalid(format!(
                    "There is no record of {release}. `tollgate publish status` lists what is there."
                ))
            })
        };
        let (old, new) = futures::try_join!(self.record(before), self.record(after))?;
        Ok(diff(&known(old, before)?, &known(new, after)?))
    }
}
