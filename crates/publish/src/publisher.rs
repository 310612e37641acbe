//! A bucket with its distribution, and what every command does with them: read which release is live, and change that.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use domain::release::{Activation, Live, ReleaseId, ReleaseRecord, invalidated};
use futures::future::try_join_all;
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::bucket::{Bucket, Condition, Content, Found, Headers, Written};
use crate::cdn::Cdn;
use crate::error::PublishError;
use crate::layout;
use crate::status::Invalidation;

/// Requests to the bucket at the same time.
pub(crate) const AT_ONCE: usize = 16;

/// Where a site is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    pub bucket: String,
    /// The CloudFront distribution in front of it; without one nothing is invalidated.
    pub distribution: Option<String>,
}

/// What is told while something goes on.
pub trait Progress: Sync {
    /// What is done now; said once per step.
    fn step(&self, text: &str);
    /// How far an upload has come.
    fn uploaded(&self, files: usize, of: usize);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug)]
pub struct Quiet;

impl Progress for Quiet {
    fn step(&self, _: &str) {}

    fn uploaded(&self, _: usize, _: usize) {}
}

/// Publishes to one destination.
#[derive(Clone, Debug)]
pub struct Publisher {
    pub(crate) bucket: Bucket,
    pub(crate) cdn: Option<Cdn>,
}

/// Which release is live, as it was read.
pub(crate) struct ReadLive {
    pub(crate) live: Live,
    /// `None` where nothing was ever published.
    pub(crate) etag: Option<String>,
}

/// What was written down of a release that is about to become live.
pub(crate) struct Begun {
    live: Live,
    /// The ETag of what was written.
    claim: String,
}

/// A file that a release puts at the root of the site.
pub(crate) struct RootFile {
    pub(crate) path: String,
    pub(crate) content: Vec<u8>,
    pub(crate) content_type: String,
}

impl Publisher {
    pub fn new(config: &SdkConfig, destination: Destination) -> Publisher {
        // An API other than AWS itself knows no names of buckets in its host.
        let s3 = aws_sdk_s3::config::Builder::from(config).force_path_style(config.endpoint_url().is_some());
        let bucket = Bucket::new(aws_sdk_s3::Client::from_conf(s3.build()), destination.bucket);
        let cdn = destination.distribution.map(|one| Cdn::new(aws_sdk_cloudfront::Client::new(config), one));
        Publisher { bucket, cdn }
    }

    /// Which release is live.
    pub(crate) async fn read_live(&self) -> Result<ReadLive, PublishError> {
        let Some(found) = self.bucket.get(layout::LIVE).await? else {
            return Ok(ReadLive { live: Live::default(), etag: None });
        };
        Ok(ReadLive { live: self.parsed(layout::LIVE, &found.body)?, etag: Some(found.etag) })
    }

    /// The record of a release; `None` where it was never uploaded in whole.
    pub(crate) async fn record(&self, release: &ReleaseId) -> Result<Option<ReleaseRecord>, PublishError> {
        let key = layout::record(release);
        let Some(found) = self.bucket.get(&key).await? else { return Ok(None) };
        self.parsed(&key, &found.body).map(Some)
    }

    /// Every release that was uploaded in whole, with the ETag of its record.
    pub(crate) async fn recorded(&self) -> Result<BTreeMap<ReleaseId, String>, PublishError> {
        let listed = self.bucket.list("releases/").await?;
        let named = listed.into_iter().filter_map(|object| {
            let name = object.key.strip_prefix("releases/")?.strip_suffix(".json")?;
            Some((ReleaseId::parse(name).ok()?, object.etag))
        });
        Ok(named.collect())
    }

    /// The records of all releases, newest first.
    pub(crate) async fn records(&self) -> Result<Vec<ReleaseRecord>, PublishError> {
        let recorded = self.recorded().await?;
        self.records_of(recorded.into_keys().collect()).await
    }

    /// The records of those of `releases` that there is one of, newest first.
    pub async fn records_of(&self, releases: Vec<ReleaseId>) -> Result<Vec<ReleaseRecord>, PublishError> {
        let records = stream::iter(releases).map(|release| async move { self.record(&release).await });
        let records: Vec<Option<ReleaseRecord>> = records.buffer_unordered(AT_ONCE).try_collect().await?;
        let mut records: Vec<ReleaseRecord> = records.into_iter().flatten().collect();
        records.sort_by(|left, right| right.at.cmp(&left.at).then_with(|| left.release.cmp(&right.release)));
        Ok(records)
    }

    /// What lies at the root of the site now, for each file of `root`.
    pub(crate) async fn found(&self, root: &[RootFile]) -> Result<Vec<Option<Found>>, PublishError> {
        try_join_all(root.iter().map(|file| self.bucket.get(&file.path))).await
    }

    /// Writes down that a release is about to become live. Of several that are on their way, the one that began last wins, and the
    /// others are told so.
    pub(crate) async fn begin(&self, read: ReadLive, activation: Activation) -> Result<Begun, PublishError> {
        let ReadLive { mut live, etag } = read;
        live.begin(activation);
        let claim = self.write_live(&live, etag.as_deref()).await?;
        Ok(Begun { live, claim })
    }

    /// Makes a release live whose files are all there: writes the shell, which is what makes it live, then the rest of the root,
    /// asks for the invalidation, and writes down that it is done. `found` is what was at the root before.
    pub(crate) async fn activate(
        &self,
        begun: Begun,
        root: &[RootFile],
        found: Vec<Option<Found>>,
        wait: bool,
        progress: &dyn Progress,
    ) -> Result<(Activation, Option<Invalidation>), PublishError> {
        let Begun { mut live, claim } = begun;
        let (shells, rest): (Vec<_>, Vec<_>) =
            root.iter().zip(found).partition(|(file, _)| file.path == layout::SHELL);
        progress.step(&format!("making {} live", self.bucket.url(layout::SHELL)));
        for (file, found) in shells {
            self.write_root(file, found, &claim).await?;
        }
        try_join_all(rest.into_iter().map(|(file, found)| self.write_root(file, found, &claim))).await?;

        let invalidation = match (&self.cdn, &live.under_way) {
            (Some(cdn), Some(activation)) => {
                progress.step("invalidating the shell");
                let told = |text: &str| progress.step(text);
                let paths = invalidated(root.iter().map(|file| file.path.as_str()));
                let asked = cdn.invalidate(&paths, &activation.caller_reference(), &told).await?;
                Some(asked)
            }
            (None, _) | (_, None) => None,
        };
        live.finish(invalidation.as_ref().map(|asked| asked.id.clone()));
        self.write_live(&live, Some(&claim)).await?;
        let invalidation = match (&self.cdn, invalidation) {
            (Some(cdn), Some(asked)) if wait => Some(cdn.wait(asked, &|text| progress.step(text)).await?),
            (_, asked) => asked,
        };
        let activation = live.history.last().cloned().ok_or_else(|| PublishError::Unexpected {
            resource: self.bucket.url(layout::LIVE),
            problem: "has no history after a release became live".into(),
        })?;
        Ok((activation, invalidation))
    }

    /// Writes a root file over the one that was found. Where that was changed since, by a push that had begun before, this one
    /// has to come after it, as long as `claim`, the ETag of what was written about it, says that none has begun after this one.
    async fn write_root(
        &self,
        file: &RootFile,
        mut found: Option<Found>,
        claim: &str,
    ) -> Result<(), PublishError> {
        /// As often as others may come in between.
        const ATTEMPTS: usize = 5;
        let headers = Headers {
            content_type: file.content_type.clone(),
            content_encoding: None,
            cache_control: layout::cache_control(&file.path).to_owned(),
        };
        for _ in 0..ATTEMPTS {
            // An interrupted run may have come this far.
            if found.as_ref().is_some_and(|found| found.body == file.content) {
                return Ok(());
            }
            let condition = Condition::as_found(found.as_ref().map(|found| found.etag.as_str()));
            if let Written::Done { .. } =
                self.put_bytes(&file.path, &file.content, &headers, condition).await?
            {
                return Ok(());
            }
            if self.read_live().await?.etag.as_deref() != Some(claim) {
                break;
            }
            found = self.bucket.get(&file.path).await?;
        }
        Err(PublishError::Lost { what: self.bucket.url(&file.path) })
    }

    /// Writes which release is live, where it is as it was read, and answers its new ETag.
    async fn write_live(&self, live: &Live, etag: Option<&str>) -> Result<String, PublishError> {
        match self.put_json(layout::LIVE, live, Condition::as_found(etag)).await? {
            Written::Done { etag } => Ok(etag),
            Written::Refused => Err(PublishError::Lost { what: self.bucket.url(layout::LIVE) }),
        }
    }

    pub(crate) async fn put_json(
        &self,
        key: &str,
        value: &impl Serialize,
        condition: Condition<'_>,
    ) -> Result<Written, PublishError> {
        let body =
            serde_json::to_vec_pretty(value).map_err(|error| PublishError::Invalid(error.to_string()))?;
        let headers = Headers {
            content_type: "application/json".into(),
            content_encoding: None,
            cache_control: layout::NOT_SERVED.into(),
        };
        self.put_bytes(key, &body, &headers, condition).await
    }

    async fn put_bytes(
        &self,
        key: &str,
        bytes: &[u8],
        headers: &Headers,
        condition: Condition<'_>,
    ) -> Result<Written, PublishError> {
        let sha256 = Sha256::digest(bytes).into();
        self.bucket.put(key, Content::Bytes(bytes), sha256, headers, condition).await
    }

    fn parsed<T: DeserializeOwned>(&self, key: &str, body: &[u8]) -> Result<T, PublishError> {
        serde_json::from_slice(body).map_err(|error| PublishError::Unexpected {
            resource: self.bucket.url(key),
            problem: format!("was not written by this version: {error}"),
        })
    }
}

/// The moment that is written down: to the millisecond, which is exact enough to tell two pushes apart.
pub(crate) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}
