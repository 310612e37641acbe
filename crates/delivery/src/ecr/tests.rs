//! A registry as it is read, round by round.

use domain::delivery::{ScanCounts, ServiceName};
use serde_json::{Value, json};

use super::*;

const HOST: &str = "111122223333.dkr.ecr.eu-central-1.amazonaws.com";
const DIGEST: &str = "sha256:0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa151f221d1e8de6817db93427";

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn of(service: &str, image: &str) -> ServiceImage {
    ServiceImage { service: ServiceName::parse(service).unwrap(), image: ImageName::parse(image).unwrap() }
}

fn images() -> Vec<ServiceImage> {
    vec![
        of("users", &format!("{HOST}/team/users")),
        of("worker", &format!("{HOST}/team/users")),
        of("orders", "111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/users"),
    ]
}

fn told(event: &Value) -> Vec<crate::reader::RegistryImage> {
    pushed(&images(), event.to_string().as_bytes(), now()).unwrap()
}

/// As ECR sends it.
fn push() -> Value {
    json!({
        "version": "0", "id": "13cde686-328b-6117-af20-0e5566167482", "detail-type": "ECR Image Action", "source": "aws.ecr",
        "account": "111122223333", "time": "2026-11-21T11:54:34Z", "region": "eu-central-1", "resources": [],
        "detail": {
            "result": "SUCCESS", "repository-name": "team/users", "image-digest": DIGEST, "action-type": "PUSH",
            "image-tag": "sha-abc1234", "manifest-media-type": "application/vnd.oci.image.manifest.v1+json",
        },
    })
}

fn scan() -> Value {
    json!({
        "version": "0", "id": "85fc3613-e913-7fc4-a80c-a3753e4aa9ae", "detail-type": "ECR Image Scan", "source": "aws.ecr",
        "account": "111122223333", "time": "2026-11-21T11:55:34Z", "region": "eu-central-1",
        "resources": ["arn:aws:ecr:eu-central-1:111122223333:repository/team/users"],
        "detail": {
            "scan-status": "COMPLETE", "repository-name": "team/users", "image-digest": DIGEST, "image-tags": ["sha-abc1234", "1.4.2"],
            "finding-severity-counts": { "CRITICAL": 1, "MEDIUM": 9, "UNDEFINED": 2 },
        },
    })
}

#[test]
fn a_push_is_told_of_each_service_with_that_image() {
    let images = told(&push());
    let services: Vec<&str> = images.iter().map(|image| image.service.as_str()).collect();
    assert_eq!(services, ["users", "worker"], "another region is another registry");
    let image = &images[0];
    assert_eq!(
        (&image.tags[..], image.detail.digest.as_deref()),
        (&["sha-abc1234".to_owned()][..], Some(DIGEST))
    );
    assert_eq!(
        image.detail.repository.as_deref(),
        Some("111122223333.dkr.ecr.eu-central-1.amazonaws.com/team/users")
    );
    let event: Timestamp = "2026-11-21T11:54:34Z".parse().unwrap();
    assert!(image.pushed.unwrap() < event, "what the registry says weighs more");
    assert!(image.link.as_deref().unwrap().contains(DIGEST));
    let mut replicated = push();
    replicated["detail-type"] = json!("ECR Replication Action");
    replicated["detail"]["action-type"] = json!("REPLICATE");
    assert_eq!(told(&replicated).len(), 2);
}

#[test]
fn a_scan_is_told_without_a_time_of_the_push() {
    let images = told(&scan());
    assert_eq!((images.len(), images[0].pushed), (2, None));
    let counts = ScanCounts { critical: 1, medium: 9, other: 2, ..ScanCounts::default() };
    assert_eq!(images[0].detail.scan, Some(counts));
    assert_eq!(images[0].tags, ["1.4.2", "sha-abc1234"]);
    let mut clean = scan();
    clean["detail"].as_object_mut().unwrap().remove("finding-severity-counts");
    assert_eq!(told(&clean)[0].detail.scan, Some(ScanCounts::default()));
}

#[test]
fn an_event_may_come_as_a_cloud_event() {
    let wrapped = json!({
        "specversion": "1.0", "id": "1", "type": "aws.ecr.event", "source": "aws.events", "data": push(),
    });
    assert_eq!(told(&wrapped), told(&push()));
    // As the input transformer in the documentation of Image Updater makes it.
    let transformed = |source: &str| {
        json!({
            "specversion": "1.0", "id": "13cde686", "type": "com.amazon.ecr.image.push", "source": source,
            "subject": "team/users:sha-abc1234", "time": "2026-11-21T11:54:34Z", "datacontenttype": "application/json",
            "data": {
                "repositoryName": "team/users", "imageDigest": DIGEST, "imageTag": "sha-abc1234", "registryId": "111122223333",
            },
        })
    };
    for source in [
        "urn:aws:ecr:eu-central-1:111122223333:repository/team/users",
        "arn:aws:ecr:eu-central-1:111122223333:repository/team/users",
    ] {
        assert_eq!(told(&transformed(source)), told(&push()), "{source}");
    }
    for source in ["", "urn:aws:s3:eu-central-1:111122223333:bucket", "https://example.com"] {
        let error = pushed(&images(), transformed(source).to_string().as_bytes(), now()).unwrap_err();
        assert!(error.to_string().starts_with("The event names no registry"), "{source}: {error}");
    }
}

#[test]
fn what_is_not_followed_is_left() {
    let with = |change: fn(&mut Value)| {
        let mut event = push();
        change(&mut event);
        event
    };
    for event in [
        with(|event| event["source"] = json!("aws.s3")),
        with(|event| event["detail-type"] = json!("ECR Scan Resource Change")),
        with(|event| event["account"] = json!("444455556666")),
        with(|event| event["region"] = json!("us-east-1")),
        with(|event| event["detail"]["repository-name"] = json!("team/other")),
        with(|event| event["detail"]["result"] = json!("FAILURE")),
        with(|event| event["detail"]["action-type"] = json!("DELETE")),
        with(|event| event["detail"]["image-tag"] = json!("")),
        with(|event| drop(event["detail"].as_object_mut().unwrap().remove("image-tag"))),
        json!({ "specversion": "1.0", "id": "1", "type": "dev.cdevents.ticket.created.0.1.0", "source": "x", "data": {} }),
    ] {
        assert_eq!(told(&event), [], "{event}");
    }
    let mut failed = scan();
    failed["detail"]["scan-status"] = json!("FAILED");
    assert_eq!(told(&failed), []);
}

#[test]
fn what_is_no_event_is_refused() {
    let mut broken = push();
    broken["detail"] = json!({});
    for body in ["", "{", "[]", "7", "null", "{}", "{\"specversion\": \"1.0\"}", &broken.to_string()] {
        let error = pushed(&images(), body.as_bytes(), now()).unwrap_err().to_string();
        assert!(error.starts_with("The event cannot be read: "), "{body}: {error}");
    }
}

#[test]
fn each_registry_takes_a_reader() {
    let regions: Vec<String> = registries(&images()).into_iter().map(|registry| registry.region).collect();
    assert_eq!(regions, ["eu-central-1", "eu-west-1"]);
}

#[test]
fn many_problems_are_one_line() {
    let problems: Vec<String> = (1..=5).map(|number| format!("Problem {number}.")).collect();
    assert_eq!(summary(&problems[..1]), "Problem 1.");
    assert_eq!(summary(&problems[..4]), "Problem 1. Problem 2. Problem 3. And another problem.");
    assert_eq!(summary(&problems), "Problem 1. Problem 2. Problem 3. And 2 more problems.");
}
