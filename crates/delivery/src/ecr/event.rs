//! ECR's events as Amazon EventBridge delivers them to an API destination (Amazon ECR user guide, "Amazon ECR events and
//! EventBridge"), as they are or wrapped as CloudEvents, as the input transformer of Argo CD Image Updater does.

use std::collections::BTreeMap;

use domain::delivery::ImageDetail;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::ServiceImage;
use super::image::scan_counts;
use super::name::Registry;
use crate::DeliveryError;
use crate::reader::RegistryImage;

/// EventBridge's time comes after the push, and has no fractions. What the registry itself says has to weigh more, and of two facts
/// of the same image the later does.
const BEFORE_EVENT: SignedDuration = SignedDuration::from_secs(5);

/// What CloudEvents of Image Updater's transformer begin with.
const TRANSFORMED: &str = "com.amazon.ecr.";

#[derive(Deserialize)]
struct Event {
    source: String,
    #[serde(rename = "detail-type")]
    detail_type: String,
    account: String,
    region: String,
    time: Option<Timestamp>,
    detail: Value,
}

/// `ECR Image Action` and `ECR Replication Action`.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Action {
    action_type: String,
    result: String,
    repository_name: String,
    /// Absent where the image was pushed by its digest alone.
    image_tag: Option<String>,
    image_digest: String,
}

/// `ECR Image Scan`.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Scan {
    scan_status: String,
    repository_name: String,
    image_digest: String,
    #[serde(default)]
    image_tags: Vec<String>,
    #[serde(default)]
    finding_severity_counts: BTreeMap<String, i64>,
}

/// A CloudEvent in structured mode.
#[derive(Deserialize)]
struct CloudEvent {
    #[serde(rename = "type")]
    kind: String,
    source: String,
    time: Option<Timestamp>,
    data: Value,
}

/// The data of a CloudEvent of Image Updater's transformer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Transformed {
    repository_name: String,
    image_tag: String,
    image_digest: String,
    registry_id: Option<String>,
}

/// The image that an event tells of, of each service that it is the image of; none for an event that tells of nothing that is
/// followed. An image that was scanned comes without `pushed`: the event does not say when that was.
///
/// # Errors
/// The body is no event of EventBridge's, nor a CloudEvent around one.
pub fn pushed(
    images: &[ServiceImage],
    body: &[u8],
    now: Timestamp,
) -> Result<Vec<RegistryImage>, DeliveryError> {
    let body: Value = serde_json::from_slice(body).map_err(unreadable)?;
    let is_wrapped = body.get("specversion").is_some();
    let seen = if is_wrapped {
        wrapped(serde_json::from_value(body).map_err(unreadable)?)?
    } else {
        seen(serde_json::from_value(body).map_err(unreadable)?)?
    };
    Ok(seen.map(|seen| seen.told(images, now)).unwrap_or_default())
}

fn unreadable(error: serde_json::Error) -> DeliveryError {
    DeliveryError::Invalid(format!(
        "The event cannot be read: {error}. Send ECR's events from EventBridge as they are, or as the data of a CloudEvent, as JSON."
    ))
}

/// What an event says.
struct Seen {
    registry: Registry,
    repository: String,
    detail: ImageDetail,
    tags: Vec<String>,
    /// Of a push.
    time: Option<Timestamp>,
    is_push: bool,
}

fn wrapped(event: CloudEvent) -> Result<Option<Seen>, DeliveryError> {
    if event.data.get("detail-type").is_some() {
        return seen(serde_json::from_value(event.data).map_err(unreadable)?);
    }
    if !event.kind.starts_with(TRANSFORMED) {
        return Ok(None);
    }
    let data: Transformed = serde_json::from_value(event.data).map_err(unreadable)?;
    let registry = registry_of_source(&event.source, data.registry_id).ok_or_else(|| {
        DeliveryError::Invalid(
            "The event names no registry: its source has to be urn:aws:ecr:REGION:ACCOUNT:repository/NAME."
                .into(),
        )
    })?;
    Ok(Some(Seen {
        registry,
        repository: data.repository_name,
        detail: ImageDetail { digest: Some(data.image_digest), ..ImageDetail::default() },
        tags: vec![data.image_tag],
        time: event.time,
        is_push: true,
    }))
}

/// `urn:aws:ecr:REGION:ACCOUNT:repository/NAME`, or the same as an ARN.
fn registry_of_source(source: &str, account: Option<String>) -> Option<Registry> {
    let mut parts = source.split(':');
    let (scheme, _, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, named) = (parts.next()?, parts.next()?);
    let is_ecr = ["urn", "arn"].contains(&scheme) && service == "ecr" && !region.is_empty();
    is_ecr
        .then(|| Registry { region: region.to_owned(), account: account.unwrap_or_else(|| named.to_owned()) })
}

fn seen(event: Event) -> Result<Option<Seen>, DeliveryError> {
    if event.source != "aws.ecr" {
        return Ok(None);
    }
    let registry = Registry { account: event.account, region: event.region };
    match event.detail_type.as_str() {
        "ECR Image Action" | "ECR Replication Action" => {
            let action: Action = serde_json::from_value(event.detail).map_err(unreadable)?;
            let arrived = ["PUSH", "REPLICATE"].contains(&action.action_type.as_str());
            let tag = action.image_tag.filter(|tag| !tag.is_empty());
            let (true, "SUCCESS", Some(tag)) = (arrived, action.result.as_str(), tag) else {
                return Ok(None);
            };
            Ok(Some(Seen {
                registry,
                repository: action.repository_name,
                detail: ImageDetail { digest: Some(action.image_digest), ..ImageDetail::default() },
                tags: vec![tag],
                time: event.time,
                is_push: true,
            }))
        }
        "ECR Image Scan" => {
            let scan: Scan = serde_json::from_value(event.detail).map_err(unreadable)?;
            if scan.scan_status != "COMPLETE" {
                return Ok(None);
            }
            let counts =
                scan.finding_severity_counts.iter().map(|(severity, count)| (severity.as_str(), *count));
            Ok(Some(Seen {
                registry,
                repository: scan.repository_name,
                detail: ImageDetail {
                    digest: Some(scan.image_digest),
                    scan: Some(scan_counts(counts)),
                    ..ImageDetail::default()
                },
                tags: scan.image_tags,
                time: event.time,
                is_push: false,
            }))
        }
        // Deleted images, caches that were filled, and whatever else the rule lets through.
        _ => Ok(None),
    }
}

impl Seen {
    fn told(self, images: &[ServiceImage], now: Timestamp) -> Vec<RegistryImage> {
        let mut tags = self.tags;
        tags.sort();
        let digest = self.detail.digest.as_deref().unwrap_or_default();
        let link = self.registry.link(&self.repository, digest);
        let time = self.time.unwrap_or(now);
        let is_it = |image: &&ServiceImage| {
            image.image.registry == self.registry && image.image.repository == self.repository
        };
        let told = |image: &ServiceImage| RegistryImage {
            service: image.service.clone(),
            tags: tags.clone(),
            revision: None,
            pushed: self.is_push.then(|| time.checked_sub(BEFORE_EVENT).unwrap_or(time)),
            detail: ImageDetail { repository: Some(image.image.to_string()), ..self.detail.clone() },
            platform_digests: Vec::new(),
            // A scan that finds what an earlier one found is told anew, should there have been another in between.
            since: (!self.is_push).then_some(time),
            link: link.clone(),
        };
        images.iter().filter(is_it).map(told).collect()
    }
}
