//! The way back: an earlier release becomes live again, of which everything is still there.

use domain::release::{Activation, ReleaseId, Way};
use futures::future::try_join_all;
use futures::try_join;

use crate::error::PublishError;
use crate::layout;
use crate::publisher::{Progress, Publisher, RootFile, now};
use crate::status::Invalidation;

/// How a rollback is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RollbackOptions {
    /// The release; without it, the one before the live one.
    pub release: Option<ReleaseId>,
    /// What was live for whoever decided it. Where it is given, nothing is done when another release is live by now, or is being
    /// made live: what is written later is written over this very state only.
    pub seen: Option<ReleaseId>,
    /// Who has it done, and why.
    pub by: String,
    pub reason: String,
    /// Wait until the invalidation has reached every edge.
    pub wait: bool,
}

impl Publisher {
    /// Makes an earlier release live.
    ///
    /// # Errors
    /// [`PublishError::Invalid`] where there is none; [`PublishError::Refused`] where it was decided on what is no longer so;
    /// [`PublishError::Unexpected`] where part of it was deleted.
    pub async fn rollback(
        &self,
        options: RollbackOptions,
        progress: &dyn Progress,
    ) -> Result<(Activation, Option<Invalidation>), PublishError> {
        let RollbackOptions { release, seen, by, reason, wait } = options;
        let read = self.read_live().await?;
        if let Some(refusal) = seen.as_ref().and_then(|seen| read.live.outdated(seen)) {
            return Err(refusal.into());
        }
        let target = match release {
            Some(release) => release,
            None => match read.live.previous() {
                Some(previous) => previous.release.clone(),
                None => {
                    return Err(PublishError::Invalid(
                        "There is no release before the live one: name one of `tollgate publish status`."
                            .into(),
                    ));
                }
            },
        };
        let record = self.record(&target).await?;
        let refusal = read.live.rollback_refusal(&target, record.is_some(), now());
        if let (Some(refusal), Some(_)) = (refusal, &seen) {
            return Err(refusal.into());
        }
        if read.live.settled().is_some_and(|live| live.release == target) {
            return Err(PublishError::Invalid(format!("{target} is live already.")));
        }
        let Some(record) = record else {
            return Err(PublishError::Invalid(format!(
                "{target} was never uploaded in whole, or was pruned. `tollgate publish status` lists what is there."
            )));
        };
        let there = self.bucket.list(&layout::package(&target)).await?;
        let kept = layout::kept_root(&target);
        for file in record.files.iter().filter(|file| file.path.starts_with("pkg/")) {
            if !there.iter().any(|one| one.key == file.path && one.bytes == file.stored_bytes) {
                return Err(PublishError::Unexpected {
                    resource: self.bucket.url(&file.path),
                    problem:
                        "is gone or cut off: this release cannot be live again. Push its commit instead."
                            .into(),
                });
            }
        }
        let root = record.files.iter().filter(|file| !file.path.starts_with("pkg/")).map(|file| {
            let key = format!("{kept}{}", file.path);
            async move {
                let found = self.bucket.get(&key).await?.ok_or_else(|| PublishError::Unexpected {
                    resource: self.bucket.url(&key),
                    problem: "is gone: this release cannot be live again. Push its commit instead.".into(),
                })?;
                Ok::<RootFile, PublishError>(RootFile {
                    path: file.path.clone(),
                    content: found.body,
                    content_type: file.content_type.clone(),
                })
            }
        });
        let root = try_join_all(root).await?;
        let activation = Activation {
            release: target,
            way: Way::Rollback,
            origin: record.origin,
            by,
            reason,
            at: now(),
            attempt: 0,
            invalidation: None,
        };
        let (found, begun) = try_join!(self.found(&root), self.begin(read, activation))?;
        self.activate(begun, &root, found, wait, progress).await
    }
}
