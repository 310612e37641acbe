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

/// What is live, with the names alone of what is there: two requests, however many releases there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    pub live: Live,
    /// Every release that was uploaded in whole, with what its record is told from another by.
    pub recorded: BTreeMap<ReleaseId, String>,
}

impl Publisher {
    /// Which release is live, and which are there.
    pub async fn status(&self) -> Result<Status, PublishError> {
        let (read, releases) = futures::try_join!(self.read_live(), self.records())?;
        let invalidation = self.invalidation_of(&read.live).await?;
        Ok(Status { live: read.live, releases, invalidation })
    }

    /// As [`Publisher::status`], for who knows the records already.
    pub async fn listing(&self) -> Result<Listing, PublishError> {
        let (read, recorded) = futures::try_join!(self.read_live(), self.recorded())?;
        Ok(Listing { live: read.live, recorded })
    }

    /// The live release's invalidation as it stands; `None` where none was asked for.
    pub async fn invalidation_of(&self, live: &Live) -> Result<Option<Invalidation>, PublishError> {
        let asked = live.history.last().and_then(|live| live.invalidation.as_deref());
        match (&self.cdn, asked) {
            (Some(cdn), Some(id)) => cdn.invalidation(id).await.map(Some),
            (None, _) | (_, None) => Ok(None),
        }
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
