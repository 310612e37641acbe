//! ECR's events on their way into the store, beside what the registry itself tells.

use delivery::ecr::{Registry, ServiceImage};
use delivery::reader::RegistryImage;
use delivery::{Delivery, DeliveryConfig, Service, images};
use domain::delivery::{
    CommitSha, EnvironmentName, EnvironmentOrder, ImageDetail, ImageState, ScanCounts, ServiceName, Status,
    StepStatus, Timeline,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use store::Store;

use super::image;

const SHA: &str = "6113728f27ae82c7b1a177c8d03f9e96e0adf246";
const DIGEST: &str = "sha256:0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa151f221d1e8de6817db93427";
const FOUND: ScanCounts = ScanCounts { critical: 1, high: 0, medium: 9, low: 0, other: 0 };

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + minute * 60).expect("a time")
}

/// A console that follows one service.
struct Console {
    delivery: Delivery,
    images: Vec<ServiceImage>,
}

impl Console {
    async fn open() -> Console {
        let registry = Registry { account: "111122223333".into(), region: "eu-central-1".into() };
        let images = vec![image(&registry, "team/users")];
        let service = Service::new(images[0].service.clone());
        let config = DeliveryConfig {
            environments: EnvironmentOrder::new(vec![EnvironmentName::parse("prod").expect("a name")])
                .expect("an order"),
            services: vec![service],
            stale_after: SignedDuration::from_hours(1),
            ..DeliveryConfig::default()
        };
        let store = Store::connect("sqlite::memory:").await.expect("a database");
        Console { delivery: Delivery::new(store, config), images }
    }

    /// Takes an event and answers how many facts were new.
    async fn event(&self, event: &Value, now: Timestamp) -> u64 {
        let taken = self.delivery.ecr_event(&self.images, event.to_string().as_bytes(), now).await;
        taken.expect("the event is taken").new
    }

    /// Records what the reader of the registry tells.
    async fn read(&self, detail: ImageDetail, now: Timestamp) {
        let image = RegistryImage {
            service: self.images[0].service.clone(),
            tags: vec![format!("sha-{SHA}"), "1.4.2".into()],
            revision: None,
            // A second before the event.
            pushed: Some(at(0) - SignedDuration::from_secs(1)),
            detail: ImageDetail { digest: Some(DIGEST.into()), ..detail },
            platform_digests: Vec::new(),
            since: None,
            link: None,
        };
        let fact = images::fact(&image, &commit(), now);
        self.delivery.record(vec![fact], now).await.expect("the fact is kept");
    }

    /// The image as it is shown, and when it was pushed.
    async fn shown(&self) -> (ImageDetail, Option<Timestamp>) {
        let service = ServiceName::parse("users").expect("a name");
        let state = self.delivery.state(&service, &commit()).await.expect("the change is known");
        let timeline = Timeline::of(&state, &self.delivery.config().environments);
        let release = timeline.release().expect("an image");
        assert_eq!(release.image.status, StepStatus::Known(Status::Succeeded));
        (release.image_detail().cloned().expect("a detail"), release.image.finished)
    }
}

fn commit() -> CommitSha {
    CommitSha::parse(SHA).expect("a commit")
}

fn push() -> Value {
    json!({
        "version": "0", "id": "13cde686", "detail-type": "ECR Image Action", "source": "aws.ecr", "account": "111122223333",
        "time": at(0), "region": "eu-central-1", "resources": [],
        "detail": {
            "result": "SUCCESS", "repository-name": "team/users", "image-digest": DIGEST, "action-type": "PUSH",
            "image-tag": format!("sha-{SHA}"),
        },
    })
}

fn scan() -> Value {
    json!({
        "version": "0", "id": "85fc3613", "detail-type": "ECR Image Scan", "source": "aws.ecr", "account": "111122223333",
        "time": at(3), "region": "eu-central-1", "resources": [],
        "detail": {
            "scan-status": "COMPLETE", "repository-name": "team/users", "image-digest": DIGEST,
            "image-tags": [format!("sha-{SHA}")], "finding-severity-counts": { "CRITICAL": 1, "MEDIUM": 9 },
        },
    })
}

#[tokio::test]
async fn a_push_and_its_scan_are_kept_once() {
    let console = Console::open().await;
    assert_eq!(
        console.event(&scan(), at(4)).await,
        0,
        "of an image that nobody knows, a scan says too little"
    );
    assert_eq!(console.event(&push(), at(5)).await, 1);
    assert_eq!(console.event(&push(), at(6)).await, 0);
    let (detail, pushed) = console.shown().await;
    assert_eq!((detail.tag, detail.scan), (Some(format!("sha-{SHA}")), None));
    assert_eq!(console.event(&scan(), at(7)).await, 1);
    assert_eq!(console.event(&scan(), at(8)).await, 0);
    let (detail, scanned) = console.shown().await;
    assert_eq!((detail.scan, scanned), (Some(FOUND), pushed), "it was pushed when it was pushed");
}

#[tokio::test]
async fn what_the_registry_says_stands_whatever_comes_first() {
    let known =
        || ImageDetail { scan: Some(FOUND), state: Some(ImageState::Archived), ..ImageDetail::default() };
    for event_first in [true, false] {
        let console = Console::open().await;
        if event_first {
            assert_eq!(console.event(&push(), at(1)).await, 1);
        }
        console.read(known(), at(2)).await;
        if !event_first {
            console.event(&push(), at(3)).await;
        }
        let (detail, pushed) = console.shown().await;
        assert_eq!(
            (detail.tag.as_deref(), detail.scan, detail.state),
            (Some("1.4.2"), Some(FOUND), Some(ImageState::Archived))
        );
        assert_eq!(pushed, Some(at(0) - SignedDuration::from_secs(1)), "event first: {event_first}");
    }
}

#[tokio::test]
async fn a_scan_keeps_what_is_known_of_the_image() {
    let console = Console::open().await;
    let archived = ImageDetail { state: Some(ImageState::Archived), ..ImageDetail::default() };
    console.read(archived, at(2)).await;
    assert_eq!(console.event(&scan(), at(4)).await, 1);
    let (detail, _) = console.shown().await;
    assert_eq!(
        (detail.tag.as_deref(), detail.scan, detail.state),
        (Some("1.4.2"), Some(FOUND), Some(ImageState::Archived))
    );
    // One of another image of the same commit says nothing of this one.
    let mut other = scan();
    other["detail"]["image-digest"] = json!(format!("sha256:{}", "c".repeat(64)));
    assert_eq!(console.event(&other, at(5)).await, 0);
}

#[tokio::test]
async fn an_event_that_cannot_be_read_shows_at_its_source() {
    let console = Console::open().await;
    let error = console.delivery.ecr_event(&console.images, b"{", at(1)).await.expect_err("no event");
    assert!(error.to_string().starts_with("The event cannot be read"), "{error}");
    let sources = console.delivery.sources().await.expect("they are read");
    let problems: Vec<&str> = sources.iter().filter_map(|source| source.problem.as_deref()).collect();
    assert_eq!(problems, [error.to_string()]);
}
