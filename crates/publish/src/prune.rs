//! Deletes releases that nobody loads any more.

use domain::release::{ReleaseId, ReleaseRecord, prunable};
use jiff::{SignedDuration, Timestamp};

use crate::error::PublishError;
use crate::layout;
use crate::publisher::{Progress, Publisher};

/// What is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PruneOptions {
    /// The newest releases that stay.
    pub keep: usize,
    /// For how long a tab may stay open and still load parts of its release.
    pub older_than: SignedDuration,
    /// The most objects that are deleted; more is an error, and nothing is deleted.
    pub max_delete: usize,
    /// Only say what would be deleted.
    pub dry_run: bool,
}

/// A release that was deleted, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruned {
    pub record: ReleaseRecord,
    pub objects: usize,
}

impl Publisher {
    /// Deletes old releases, oldest first; each release's record goes last, so that an interrupted run is taken up again.
    ///
    /// # Errors
    /// [`PublishError::Invalid`] where it would be more than `max_delete`.
    pub async fn prune(
        &self,
        options: PruneOptions,
        now: Timestamp,
        progress: &dyn Progress,
    ) -> Result<Vec<Pruned>, PublishError> {
        let read = self.read_live().await?;
        let records = self.records().await?;
        let since = now.checked_sub(options.older_than).unwrap_or(Timestamp::MIN);
        let mut found = Vec::new();
        let mut total = 0;
        for record in prunable(&records, &read.live, options.keep, since) {
            let keys = self.keys_of(&record.release).await?;
            total += keys.len();
            found.push((record, keys));
        }
        if total > options.max_delete {
            return Err(PublishError::Invalid(format!(
                "{} releases with {total} objects would be deleted, more than --max-delete {}. Look at them with --dry-run.",
                found.len(),
                options.max_delete
            )));
        }
        let mut pruned = Vec::with_capacity(found.len());
        for (record, keys) in found {
            if !options.dry_run {
                progress.step(&format!("deleting {}", record.release));
                let (last, first): (Vec<String>, Vec<String>) =
                    keys.iter().cloned().partition(|key| *key == layout::record(&record.release));
                self.bucket.delete(&first).await?;
                self.bucket.delete(&last).await?;
            }
            pruned.push(Pruned { record: record.clone(), objects: keys.len() });
        }
        Ok(pruned)
    }

    /// Everything of a release. Its name is checked by its type, so that no prefix can be empty or somebody else's.
    async fn keys_of(&self, release: &ReleaseId) -> Result<Vec<String>, PublishError> {
        let mut keys = Vec::new();
        for prefix in [layout::package(release), layout::kept_root(release)] {
            keys.extend(self.bucket.list(&prefix).await?.into_iter().map(|object| object.key));
        }
        keys.push(layout::record(release));
        Ok(keys)
    }
}
