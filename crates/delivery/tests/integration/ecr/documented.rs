//! Answers as AWS documents them, where the local clouds lack what matters: pages, scans, the archive.

use std::time::Duration;

use delivery::ecr::Registry;
use delivery::images;
use domain::delivery::{ChangeState, Detail, ImageState, ScanCounts};
use jiff::Timestamp;
use serde_json::{Value, json};
use wiremock::matchers::{body_partial_json, header};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::cloud::digest;
use super::{read, reader, settings};

const DESCRIBE_IMAGES: &str = "AmazonEC2ContainerRegistry_V20150921.DescribeImages";
const BATCH_GET_IMAGE: &str = "AmazonEC2ContainerRegistry_V20150921.BatchGetImage";

fn registry() -> Registry {
    Registry { account: "111122223333".into(), region: "eu-central-1".into() }
}

/// Answers what is asked about a repository, from its beginning or from a token.
async fn answer(server: &MockServer, asked: Value, answer: Value) {
    Mock::given(header("x-amz-target", DESCRIBE_IMAGES))
        .and(body_partial_json(asked))
        .respond_with(
            ResponseTemplate::new(200).set_body_raw(answer.to_string(), "application/x-amz-json-1.1"),
        )
        .mount(server)
        .await;
}

fn detail(number: u32) -> Value {
    json!({
        "registryId": "111122223333", "repositoryName": "team/users", "imageDigest": digest(&json!(number)),
        "imageTags": [format!("sha-{:07x}", 0xa00_0000 + number)], "imageSizeInBytes": 32_654,
        "imagePushedAt": 1_700_000_000.25 + f64::from(number),
        "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactMediaType": "application/vnd.oci.image.config.v1+json", "imageStatus": "ACTIVE",
    })
}

#[tokio::test]
async fn all_pages_are_read_and_the_newest_images_kept_whatever_their_status() {
    let server = MockServer::start().await;
    let first: Vec<Value> = (0..80).map(|number| detail(number * 2)).collect();
    let second: Vec<Value> = (0..80).map(|number| detail(number * 2 + 1)).collect();
    let asked = json!({
        "registryId": "111122223333", "repositoryName": "team/users", "maxResults": 1_000,
        "filter": { "tagStatus": "TAGGED", "imageStatus": "ANY" },
    });
    let mut rest = asked.clone();
    rest["nextToken"] = json!("second");
    // Of several that match, the first that was given answers.
    answer(&server, rest, json!({ "imageDetails": second })).await;
    answer(&server, asked, json!({ "imageDetails": first, "nextToken": "second" })).await;
    let mut reader = reader(&settings(&server.uri()), &registry(), &["team/users"]).await;
    let told = read(&mut reader).await;
    let mut pushed: Vec<i64> =
        told.images.iter().filter_map(|image| Some(image.pushed?.as_second())).collect();
    pushed.sort_unstable();
    assert_eq!(pushed, (1_700_000_060..1_700_000_160).collect::<Vec<i64>>());
    assert_eq!(told.images[0].pushed.expect("a time").subsec_millisecond(), 250);
}

/// What a scan finds and what becomes of an image later shows in the state of its change, there and back.
#[tokio::test]
async fn scans_and_the_archive_are_told_as_they_turn() {
    let with = |more: Value| {
        let mut detail = detail(1);
        let fields = more.as_object().expect("fields").clone();
        detail.as_object_mut().expect("an image").extend(fields);
        detail
    };
    let scanned = json!({
        "imageScanStatus": { "status": "COMPLETE", "description": "The scan was completed successfully." },
        "imageScanFindingsSummary": {
            "imageScanCompletedAt": 1_700_000_060, "vulnerabilitySourceUpdatedAt": 1_699_990_000,
            "findingSeverityCounts": { "CRITICAL": 1, "HIGH": 2, "UNDEFINED": 3, "GRAVE": 1 },
        },
    });
    let found = Some(ScanCounts { critical: 1, high: 2, other: 4, ..ScanCounts::default() });
    let mut archived = scanned.clone();
    archived["imageStatus"] = json!("ARCHIVED");
    archived["lastArchivedAt"] = json!(1_700_000_500);
    let mut activating = archived.clone();
    activating["imageStatus"] = json!("ACTIVATING");
    let mut restored = archived.clone();
    restored["imageStatus"] = json!("ACTIVE");
    restored["lastActivatedAt"] = json!(1_700_000_900);
    let mut unknown = restored.clone();
    unknown["imageStatus"] = json!("MELTED");
    let server = MockServer::start().await;
    let mut reader = reader(&settings(&server.uri()), &registry(), &["team/users"]).await;
    let mut state: Option<ChangeState> = None;
    let mut now = Timestamp::from_second(1_700_001_000).expect("a time");
    for (more, scan, image_state) in [
        (json!({ "imageScanStatus": { "status": "IN_PROGRESS" } }), None, Some(ImageState::Active)),
        (scanned.clone(), found, Some(ImageState::Active)),
        (archived.clone(), found, Some(ImageState::Archived)),
        (activating, found, Some(ImageState::Activating)),
        (restored, found, Some(ImageState::Active)),
        (archived, found, Some(ImageState::Archived)),
        (scanned, found, Some(ImageState::Active)),
        (unknown, found, None),
    ] {
        server.reset().await;
        answer(
            &server,
            json!({ "repositoryName": "team/users" }),
            json!({ "imageDetails": [with(more.clone())] }),
        )
        .await;
        now += Duration::from_secs(60);
        let told = delivery::reader::Reader::read(&mut reader, now).await.expect("the registry is read");
        let [image] = &told.images[..] else { panic!("{more}: {told:?}") };
        let commit = images::commits(image).pop().expect("a commit");
        let fact = images::fact(image, &commit, now);
        assert_eq!(fact.check(), Ok(()));
        assert_eq!(fact.finished, image.pushed);
        let state = state.get_or_insert_with(|| ChangeState::new(image.service.clone(), commit));
        assert!(state.absorb(&fact), "{more}");
        let timeline = domain::delivery::Timeline::of(state, &Default::default());
        let Some(Detail::Image(shown)) = &timeline.steps[2].detail else { panic!("{timeline:?}") };
        assert_eq!((shown.scan, shown.state), (scan, image_state), "{more}");
    }
}

#[tokio::test]
async fn an_answer_without_images_is_an_empty_repository() {
    let server = MockServer::start().await;
    for body in [json!({}), json!({ "imageDetails": null }), json!({ "imageDetails": [], "nextToken": null })]
    {
        server.reset().await;
        answer(&server, json!({}), body.clone()).await;
        let mut reader = reader(&settings(&server.uri()), &registry(), &["team/users"]).await;
        assert_eq!(read(&mut reader).await.images, [], "{body}");
    }
}

/// Manifests are read in small lots and once, and what cannot be read is tried again without keeping the rest.
#[tokio::test]
async fn manifests_are_read_in_lots() {
    const IMAGES: u32 = 45;
    let server = MockServer::start().await;
    let images: Vec<Value> = (0..IMAGES)
        .map(|number| {
            let mut detail = detail(number);
            detail["imageTags"] = json!([format!("1.4.{number}")]);
            detail
        })
        .collect();
    answer(&server, json!({}), json!({ "imageDetails": images })).await;
    let inaccessible = images[7]["imageDigest"].clone();
    let gone = images[8]["imageDigest"].clone();
    let manifests = move |request: &Request| {
        let asked: Value = request.body_json().expect("JSON");
        let asked = asked["imageIds"].as_array().expect("ids");
        assert!((1..=20).contains(&asked.len()), "{asked:?}");
        let (mut images, mut failures) = (Vec::new(), Vec::new());
        for id in asked {
            let digest = &id["imageDigest"];
            let code = [(&inaccessible, "ImageInaccessible"), (&gone, "ImageNotFound")];
            match code.into_iter().find(|(other, _)| *other == digest) {
                Some((_, code)) => {
                    failures
                        .push(json!({ "imageId": id, "failureCode": code, "failureReason": "It says so." }));
                }
                None => {
                    let manifest = json!({ "annotations": { "org.opencontainers.image.revision": digest } });
                    images.push(json!({ "imageId": id, "imageManifest": manifest.to_string() }));
                }
            }
        }
        let body = json!({ "images": images, "failures": failures }).to_string();
        ResponseTemplate::new(200).set_body_raw(body, "application/x-amz-json-1.1")
    };
    Mock::given(header("x-amz-target", BATCH_GET_IMAGE)).respond_with(manifests).mount(&server).await;
    let calls = async || {
        let requests = server.received_requests().await.expect("requests are recorded");
        requests.iter().filter(|request| request.headers["x-amz-target"] == BATCH_GET_IMAGE).count()
    };
    let mut reader = reader(&settings(&server.uri()), &registry(), &["team/users"]).await;
    let told = read(&mut reader).await;
    let annotated = told.images.iter().filter(|image| image.revision == image.detail.digest).count();
    assert_eq!((told.images.len(), annotated), (45, 43));
    let [problem] = &told.problems[..] else { panic!("{told:?}") };
    assert!(problem.contains("(ImageInaccessible): It says so."), "{problem}");
    assert_eq!(calls().await, 3);
    assert_eq!(read(&mut reader).await.images, []);
    assert_eq!(calls().await, 4, "only the two that are not known are asked for again");
}

/// An index that was pushed without its platforms, or whose platforms were deleted, is told as it is.
#[tokio::test]
async fn an_index_whose_platforms_are_gone_is_asked_for_once() {
    let server = MockServer::start().await;
    let (mut index, platform) = (detail(1), digest(&json!("platform")));
    index["imageTags"] = json!(["1.4.1"]);
    index["imageManifestMediaType"] = json!("application/vnd.oci.image.index.v1+json");
    let id = json!({ "imageDigest": index["imageDigest"] });
    answer(&server, json!({}), json!({ "imageDetails": [index] })).await;
    let manifest = json!({ "manifests": [{ "digest": platform }] }).to_string();
    let missing = json!({ "imageId": { "imageDigest": platform }, "failureCode": "ImageNotFound", "failureReason": "Gone." });
    for (asked, body) in [
        (id.clone(), json!({ "images": [{ "imageId": id, "imageManifest": manifest }] })),
        (json!({ "imageDigest": platform }), json!({ "failures": [missing] })),
    ] {
        Mock::given(header("x-amz-target", BATCH_GET_IMAGE))
            .and(body_partial_json(json!({ "imageIds": [asked] })))
            .respond_with(
                ResponseTemplate::new(200).set_body_raw(body.to_string(), "application/x-amz-json-1.1"),
            )
            .expect(1)
            .mount(&server)
            .await;
    }
    let mut reader = reader(&settings(&server.uri()), &registry(), &["team/users"]).await;
    let told = read(&mut reader).await;
    assert_eq!((told.problems, told.images.len()), (vec![], 1));
    assert_eq!((&told.images[0].revision, &told.images[0].platform_digests), (&None, &vec![platform]));
    assert_eq!(read(&mut reader).await.images, []);
    server.verify().await;
}
