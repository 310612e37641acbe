//! A push: uploads what is missing, checks that it is all there, and makes it live.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use domain::release::{Activation, Origin, ReleaseFile, ReleaseRecord, Way};
use futures::stream::{self, StreamExt, TryStreamExt};
use futures::try_join;
use tokio::sync::Semaphore;

use crate::bucket::{Condition, Content, Headers, LARGEST_HELD, Listed, Written};
use crate::bundle::{Bundle, BundleFile};
use crate::error::PublishError;
use crate::layout;
use crate::publisher::{AT_ONCE, Progress, Publisher, RootFile, now};
use crate::status::Invalidation;

/// Uploads at the same time. Small files are bound by the way there and back, so that many go at once; each of
/// [`WEIGHT`] bytes counts as one more, which bounds what is held in memory at 48 MB.
const UPLOADS: usize = 256;
const WEIGHT: u64 = 192 * 1024;
/// Small uploads that do not wait until it is known what is there. An interrupted push that is run again sends as many once more.
const AHEAD: usize = 64;

/// How many small uploads a file counts as.
fn weight(bytes: u64) -> u32 {
    // A large file is read in parts, of which one is held.
    let held = bytes.min(LARGEST_HELD).div_ceil(WEIGHT).max(1);
    u32::try_from(held).unwrap_or(u32::MAX)
}

/// How a push is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PushOptions {
    pub origin: Origin,
    /// Who has it done.
    pub by: String,
    /// Look at the headers of every file, and mend them.
    pub verify_headers: bool,
    /// Wait until the invalidation has reached every edge.
    pub wait: bool,
}

/// What came of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The release was live already.
    Unchanged {
        activation: Activation,
        /// The files whose headers were mended.
        mended: Vec<String>,
    },
    Live {
        activation: Activation,
        uploaded: usize,
        mended: Vec<String>,
        invalidation: Option<Invalidation>,
    },
}

/// A file with the key that it is stored under.
struct Stored<'a> {
    key: String,
    file: &'a BundleFile,
}

impl Stored<'_> {
    fn headers(&self) -> Headers {
        Headers {
            content_type: self.file.file.content_type.clone(),
            content_encoding: self.file.file.content_encoding.clone(),
            cache_control: layout::cache_control(&self.key).to_owned(),
        }
    }

    fn is_among(&self, there: &BTreeMap<String, u64>) -> bool {
        there.get(&self.key) == Some(&self.file.file.stored_bytes)
    }
}

impl Publisher {
    /// Publishes a bundle. May be run again after it ended anywhere.
    ///
    /// # Errors
    /// [`PublishError::Lost`] where another push came first; what else went wrong, with the old release live unless the shell was
    /// written already.
    pub async fn push(
        &self,
        bundle: &Bundle,
        options: &PushOptions,
        progress: &dyn Progress,
    ) -> Result<Outcome, PublishError> {
        let read = self.read_live().await?;
        let stored = stored(bundle);
        if let Some(activation) = read.live.settled().filter(|live| live.release == bundle.release) {
            let mended = self.mend(&stored, options, progress).await?;
            return Ok(Outcome::Unchanged { activation: activation.clone(), mended });
        }
        let root: Vec<RootFile> = bundle.root().map(root_file).collect::<Result<_, PublishError>>()?;
        // What does not depend on each other goes together: a push of few files is made of the way there and back.
        let (uploaded, found) = try_join!(self.upload(bundle, &stored, progress), self.found(&root))?;
        let mended = self.mend(&stored, options, progress).await?;
        let activation = Activation {
            release: bundle.release.clone(),
            way: Way::Push,
            origin: options.origin.clone(),
            by: options.by.clone(),
            reason: String::new(),
            at: now(),
            attempt: 0,
            invalidation: None,
        };
        let (_, _, begun) = try_join!(
            self.check(bundle, &stored, uploaded),
            self.write_record(bundle, &options.origin),
            self.begin(read, activation)
        )?;
        let (activation, invalidation) = self.activate(begun, &root, found, options.wait, progress).await?;
        Ok(Outcome::Live { activation, uploaded, mended, invalidation })
    }

    /// Uploads what is missing, and answers how many files that were. The first few go while it is still asked what is there: of a
    /// new release that is nothing, and what is there is not written again.
    async fn upload(
        &self,
        bundle: &Bundle,
        stored: &[Stored<'_>],
        progress: &dyn Progress,
    ) -> Result<usize, PublishError> {
        let room = Semaphore::new(UPLOADS);
        let done = AtomicUsize::new(0);
        let (ahead, later): (Vec<_>, Vec<_>) = stored
            .iter()
            .enumerate()
            .partition(|(number, one)| *number < AHEAD && weight(one.file.file.stored_bytes) == 1);
        let first = stream::iter(ahead).map(|(_, one)| {
            let (room, done) = (&room, &done);
            async move {
                let written = self.upload_one(one, Condition::Missing, room).await?;
                if written == Written::Refused {
                    return Ok(Some(one));
                }
                progress.uploaded(done.fetch_add(1, Ordering::Relaxed) + 1, stored.len());
                Ok::<_, PublishError>(None)
            }
        });
        let (there, refused) =
            try_join!(self.there(bundle), first.buffer_unordered(AHEAD).try_collect::<Vec<_>>())?;
        let left = refused.into_iter().flatten().chain(later.into_iter().map(|(_, one)| one));
        let missing: Vec<&Stored<'_>> = left.filter(|one| !one.is_among(&there)).collect();
        let of = done.load(Ordering::Relaxed) + missing.len();
        let uploads = missing.into_iter().map(|one| {
            let (room, done, there) = (&room, &done, &there);
            async move {
                // A file of another size cannot be ours: the release's name says what it consists of.
                let condition =
                    if there.contains_key(one.key.as_str()) { Condition::None } else { Condition::Missing };
                // Refused where another push of the same release uploaded it meanwhile, which is as good.
                self.upload_one(one, condition, room).await?;
                progress.uploaded(done.fetch_add(1, Ordering::Relaxed) + 1, of);
                Ok::<(), PublishError>(())
            }
        });
        stream::iter(uploads).buffer_unordered(UPLOADS).try_collect::<()>().await?;
        Ok(of)
    }

    async fn upload_one(
        &self,
        one: &Stored<'_>,
        condition: Condition<'_>,
        room: &Semaphore,
    ) -> Result<Written, PublishError> {
        let BundleFile { file, source, stored_sha256 } = one.file;
        let _held = room.acquire_many(weight(file.stored_bytes)).await;
        let content = Content::File(source, file.stored_bytes);
        self.bucket.put(&one.key, content, *stored_sha256, &one.headers(), condition).await
    }

    /// That everything is there with its size after something was uploaded. Only then does the shell name it.
    async fn check(
        &self,
        bundle: &Bundle,
        stored: &[Stored<'_>],
        uploaded: usize,
    ) -> Result<(), PublishError> {
        if uploaded == 0 {
            return Ok(());
        }
        let there = self.there(bundle).await?;
        match stored.iter().find(|one| !one.is_among(&there)) {
            None => Ok(()),
            Some(one) => Err(PublishError::Unexpected {
                resource: self.bucket.url(&one.key),
                problem: format!(
                    "is not there with its {} bytes after it was uploaded. Nothing was made live.",
                    one.file.file.stored_bytes
                ),
            }),
        }
    }

    /// The sizes of what is there of the release.
    async fn there(&self, bundle: &Bundle) -> Result<BTreeMap<String, u64>, PublishError> {
        let (package, root) = (layout::package(&bundle.release), layout::kept_root(&bundle.release));
        let (package, root) = try_join!(self.bucket.list(&package), self.bucket.list(&root))?;
        Ok(package.into_iter().chain(root).map(|Listed { key, bytes, .. }| (key, bytes)).collect())
    }

    async fn write_record(&self, bundle: &Bundle, origin: &Origin) -> Result<(), PublishError> {
        let files: Vec<ReleaseFile> = bundle.files.iter().map(|one| one.file.clone()).collect();
        let record =
            ReleaseRecord { release: bundle.release.clone(), origin: origin.clone(), at: now(), files };
        // The first upload of a release is the one that is told of.
        self.put_json(&layout::record(&bundle.release), &record, Condition::Missing).await.map(drop)
    }

    /// Mends the headers that are not as they should be, where that was asked for, and answers the files that had such.
    async fn mend(
        &self,
        stored: &[Stored<'_>],
        options: &PushOptions,
        progress: &dyn Progress,
    ) -> Result<Vec<String>, PublishError> {
        if !options.verify_headers {
            return Ok(Vec::new());
        }
        progress.step("looking at the headers of every file");
        let looks = stored.iter().map(|one| async move {
            let wanted = one.headers();
            match self.bucket.head(&one.key).await? {
                Some((headers, bytes)) if bytes == one.file.file.stored_bytes => {
                    if headers == wanted {
                        return Ok(None);
                    }
                    self.bucket.replace_headers(&one.key, &wanted).await?;
                    Ok(Some(one.key.clone()))
                }
                Some(_) | None => Err(PublishError::Unexpected {
                    resource: self.bucket.url(&one.key),
                    problem: "is gone or cut off, though its release is recorded as whole. Delete the record beside it and push \
                              again."
                        .into(),
                }),
            }
        });
        let mended: Vec<Option<String>> = stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
        Ok(mended.into_iter().flatten().collect())
    }
}

/// Every file with its key: what lies at the root is kept below the release's record, for the way back.
fn stored(bundle: &Bundle) -> Vec<Stored<'_>> {
    let kept = layout::kept_root(&bundle.release);
    let package = bundle.package().map(|file| Stored { key: file.file.path.clone(), file });
    let root = bundle.root().map(|file| Stored { key: format!("{kept}{}", file.file.path), file });
    package.chain(root).collect()
}

fn root_file(one: &BundleFile) -> Result<RootFile, PublishError> {
    let content = std::fs::read(&one.source).map_err(|error| PublishError::Unexpected {
        resource: one.source.display().to_string(),
        problem: format!("cannot be read: {error}"),
    })?;
    Ok(RootFile { path: one.file.path.clone(), content, content_type: one.file.content_type.clone() })
}
