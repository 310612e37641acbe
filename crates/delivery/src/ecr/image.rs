//! What ECR describes of an image, as it is told.

use aws_sdk_ecr::primitives::DateTime;
use aws_sdk_ecr::types;
use domain::delivery::{ImageDetail, ImageState, ScanCounts, ServiceName};
use jiff::Timestamp;

use super::manifest::{self, Manifest};
use super::name::{ImageName, Registry};
use crate::images;
use crate::reader::RegistryImage;

/// How many images of a repository are followed: those that were pushed last.
const FOLLOWED: usize = 100;

/// An image with its tags, as a repository lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) digest: String,
    /// Sorted: ECR lists them in no order.
    pub(super) tags: Vec<String>,
    pub(super) pushed: Option<Timestamp>,
    pub(super) scan: Option<ScanCounts>,
    pub(super) state: Option<ImageState>,
    /// When it was archived or restored, where it was.
    pub(super) state_since: Option<Timestamp>,
    pub(super) is_index: bool,
}

impl Listed {
    /// `None` for what is no image that could be deployed: without a tag, or attached to another image, such as its signature.
    pub(super) fn of(detail: &types::ImageDetail) -> Option<Listed> {
        let digest = detail.image_digest().filter(|digest| digest.starts_with("sha256:"))?;
        let mut tags: Vec<String> =
            detail.image_tags().iter().filter(|tag| !is_attachment(tag)).cloned().collect();
        if tags.is_empty() || detail.subject_manifest_digest().is_some() {
            return None;
        }
        tags.sort();
        let state = detail.image_status().and_then(state);
        let state_since = match state {
            Some(ImageState::Archived) => detail.last_archived_at(),
            Some(ImageState::Active) => detail.last_activated_at(),
            Some(ImageState::Activating) | None => None,
        };
        Some(Listed {
            digest: digest.to_owned(),
            tags,
            pushed: detail.image_pushed_at().and_then(time),
            scan: scan(detail),
            state,
            state_since: state_since.and_then(time),
            is_index: detail.image_manifest_media_type().is_some_and(manifest::is_index),
        })
    }

    /// Whether its manifest says what its tags do not.
    pub(super) fn asks_for_manifest(&self) -> bool {
        self.is_index || !self.names_commit()
    }

    /// Whether one of its tags names the commit that it was built from.
    pub(super) fn names_commit(&self) -> bool {
        self.tags.iter().any(|tag| images::commit_in_tag(tag).is_some())
    }

    /// The image as one of a service.
    pub(super) fn told(
        &self,
        registry: &Registry,
        name: &ImageName,
        service: &ServiceName,
        manifest: Option<&Manifest>,
    ) -> RegistryImage {
        let manifest = manifest.cloned().unwrap_or_default();
        RegistryImage {
            service: service.clone(),
            tags: self.tags.clone(),
            revision: manifest.revision,
            pushed: self.pushed,
            detail: ImageDetail {
                repository: Some(name.to_string()),
                tag: None,
                digest: Some(self.digest.clone()),
                scan: self.scan,
                state: self.state,
            },
            platform_digests: manifest.platforms,
            since: self.state_since,
            link: registry.link(&name.repository, &self.digest),
        }
    }
}

/// Keeps the images that were pushed last. ECR lists them in no order.
pub(super) fn keep_newest(images: &mut Vec<Listed>) {
    images.sort_by(|left, right| right.pushed.cmp(&left.pushed).then_with(|| left.digest.cmp(&right.digest)));
    images.truncate(FOLLOWED);
}

/// Whether a tag is that of a signature, an attestation or an SBOM: cosign names them by the digest of the image they belong to.
fn is_attachment(tag: &str) -> bool {
    let Some(rest) = tag.strip_prefix("sha256-") else { return false };
    rest.len() >= 64 && rest.bytes().take(64).all(|byte| byte.is_ascii_hexdigit())
}

pub(super) fn state(status: &types::ImageStatus) -> Option<ImageState> {
    match status {
        types::ImageStatus::Active => Some(ImageState::Active),
        types::ImageStatus::Archived => Some(ImageState::Archived),
        types::ImageStatus::Activating => Some(ImageState::Activating),
        _ => None,
    }
}

/// The findings of the last scan that was completed; without one the counts would say that there are none.
fn scan(detail: &types::ImageDetail) -> Option<ScanCounts> {
    let counts = detail.image_scan_findings_summary()?.finding_severity_counts();
    let completed = matches!(
        detail.image_scan_status().and_then(types::ImageScanStatus::status),
        Some(types::ScanStatus::Complete | types::ScanStatus::Active)
    );
    if counts.is_none() && !completed {
        return None;
    }
    let counts = counts.into_iter().flatten().map(|(severity, count)| (severity.as_str(), i64::from(*count)));
    Some(scan_counts(counts))
}

/// The findings by severity; a word that is not known counts among the others.
pub(super) fn scan_counts<'a>(counts: impl IntoIterator<Item = (&'a str, i64)>) -> ScanCounts {
    let mut scan = ScanCounts::default();
    for (severity, count) in counts {
        let field = match severity {
            "CRITICAL" => &mut scan.critical,
            "HIGH" => &mut scan.high,
            "MEDIUM" => &mut scan.medium,
            "LOW" => &mut scan.low,
            _ => &mut scan.other,
        };
        *field = field.saturating_add(u32::try_from(count.max(0)).unwrap_or(u32::MAX));
    }
    scan
}

fn time(time: &DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecr::types::{
        FindingSeverity, ImageDetail, ImageScanFindingsSummary, ImageScanStatus, ImageStatus, ScanStatus,
    };

    use super::*;

    const INDEX: &str = "application/vnd.oci.image.index.v1+json";

    fn detail() -> types::builders::ImageDetailBuilder {
        ImageDetail::builder()
            .image_digest(format!("sha256:{}", "a".repeat(64)))
            .image_tags("sha-abc1234")
            .image_tags("1.4.2")
            .image_pushed_at(DateTime::from_secs_and_nanos(1_700_000_000, 500_000_000))
    }

    #[test]
    fn what_ecr_describes_is_told() {
        let detail = detail()
            .image_manifest_media_type(INDEX)
            .image_scan_status(ImageScanStatus::builder().status(ScanStatus::Complete).build())
            .image_scan_findings_summary(
                ImageScanFindingsSummary::builder()
                    .finding_severity_counts(FindingSeverity::Critical, 1)
                    .finding_severity_counts(FindingSeverity::Informational, 4)
                    .finding_severity_counts(FindingSeverity::from("GRAVE"), 2)
                    .finding_severity_counts(FindingSeverity::Low, -1)
                    .build(),
            )
            .image_status(ImageStatus::Archived)
            .last_archived_at(DateTime::from_secs(1_700_000_100))
            .last_activated_at(DateTime::from_secs(1_700_000_050))
            .build();
        let listed = Listed::of(&detail).unwrap();
        assert_eq!(listed.tags, ["1.4.2", "sha-abc1234"]);
        assert_eq!(listed.pushed, Some(Timestamp::from_millisecond(1_700_000_000_500).unwrap()));
        assert_eq!(listed.scan, Some(ScanCounts { critical: 1, other: 6, ..ScanCounts::default() }));
        assert_eq!(listed.state, Some(ImageState::Archived));
        assert_eq!(listed.state_since, Some(Timestamp::from_second(1_700_000_100).unwrap()));
        assert!(listed.is_index && listed.asks_for_manifest());
    }

    #[test]
    fn what_is_not_said_is_not_known() {
        let listed = Listed::of(&detail().image_status(ImageStatus::from("MELTED")).build()).unwrap();
        assert_eq!((listed.scan, listed.state, listed.state_since), (None, None, None));
        assert!(!listed.is_index && !listed.asks_for_manifest());
        let scanned = |status: ScanStatus, summary: Option<ImageScanFindingsSummary>| {
            let status = ImageScanStatus::builder().status(status).build();
            let detail = detail().image_scan_status(status).set_image_scan_findings_summary(summary);
            Listed::of(&detail.build()).unwrap().scan
        };
        let empty = || Some(ImageScanFindingsSummary::builder().build());
        assert_eq!(scanned(ScanStatus::InProgress, empty()), None);
        assert_eq!(scanned(ScanStatus::Failed, None), None);
        assert_eq!(
            scanned(ScanStatus::Complete, empty()),
            Some(ScanCounts::default()),
            "scanned, and nothing found"
        );
    }

    #[test]
    fn what_cannot_be_deployed_is_left_out() {
        let digest = || format!("sha256:{}", "a".repeat(64));
        let untagged = ImageDetail::builder().image_digest(digest());
        let signature = ImageDetail::builder()
            .image_digest(digest())
            .image_tags(format!("sha256-{}.sig", "ab".repeat(32)));
        let referrer = detail().subject_manifest_digest(digest());
        let nameless = ImageDetail::builder().image_tags("1.4.2");
        for detail in [untagged, signature, referrer, nameless] {
            assert_eq!(Listed::of(&detail.build()), None);
        }
    }

    #[test]
    fn the_newest_are_kept() {
        let listed = |second: i64| {
            let detail = detail().image_digest(format!("sha256:{second:064}"));
            Listed::of(&detail.image_pushed_at(DateTime::from_secs(second)).build()).unwrap()
        };
        let mut images: Vec<Listed> = (0..150).map(|second| listed((second * 7) % 150)).collect();
        keep_newest(&mut images);
        let pushed: Vec<i64> = images.iter().map(|image| image.pushed.unwrap().as_second()).collect();
        assert_eq!(pushed, (50..150).rev().collect::<Vec<i64>>());
    }
}
