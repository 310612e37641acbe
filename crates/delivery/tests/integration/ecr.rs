//! The reader of a registry through the real SDK: in two local clouds, which know no scans and no archive, and against answers as
//! AWS documents them where these lack what matters.

mod cloud;
mod documented;
mod events;
mod faults;
mod proxy;

use std::time::Duration;

use aws::Settings;
use delivery::ecr::{EcrConfig, EcrReader, ImageName, Registry, Role, ServiceImage};
use delivery::reader::{Reader, RegistryImage, Told};
use domain::delivery::ServiceName;
use jiff::Timestamp;
use serde_json::json;

use self::cloud::{Cloud, Kind, manifest, manifest_of_index};

const SHA: &str = "6113728f27ae82c7b1a177c8d03f9e96e0adf246";

fn settings(url: &str) -> Settings {
    Settings { endpoint_url: Some(url.to_owned()), ..Settings::default() }
}

/// The image of a service of the same name as the last part of the repository's.
fn image(registry: &Registry, repository: &str) -> ServiceImage {
    let Registry { account, region } = registry;
    let image = ImageName::parse(&format!("{account}.dkr.ecr.{region}.amazonaws.com/{repository}"));
    let service = repository.rsplit('/').next().expect("a name");
    ServiceImage {
        service: ServiceName::parse(service).expect("a name"),
        image: image.expect("an image in ECR"),
    }
}

async fn reader(settings: &Settings, registry: &Registry, repositories: &[&str]) -> EcrReader {
    let images = repositories.iter().map(|repository| image(registry, repository)).collect();
    let config = EcrConfig { registry: registry.clone(), images, role: None, poll: Duration::from_secs(60) };
    EcrReader::new(settings, config).await
}

async fn read(reader: &mut EcrReader) -> Told {
    reader.read(Timestamp::now()).await.expect("the registry is read")
}

/// The images by their tags.
fn tags(images: &[RegistryImage]) -> Vec<String> {
    let mut tags: Vec<String> = images.iter().map(|image| image.tags.join(" ")).collect();
    tags.sort();
    tags
}

/// Makes a test of each case for both clouds.
macro_rules! in_both_clouds {
    ($($case:ident),+ $(,)?) => {
        mod moto {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(&super::Cloud::start(super::Kind::Moto).await).await;
            })+
        }

        mod ministack {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(&super::Cloud::start(super::Kind::Ministack).await).await;
            })+
        }
    };
}

in_both_clouds!(
    images_are_told_once_and_again_when_their_tags_move,
    commits_and_platforms_are_read_from_manifests,
    a_repository_that_is_missing_does_not_silence_the_others,
    what_may_be_asked_is_checked,
);

async fn images_are_told_once_and_again_when_their_tags_move(cloud: &Cloud) {
    let repository = cloud.repository("team/users", false).await;
    let mut reader = reader(&settings(&cloud.url), &cloud.registry, &[&repository]).await;
    assert_eq!(read(&mut reader).await.images, [], "nothing was pushed yet");
    let one = cloud.push(&repository, &manifest("one", json!({})), &["sha-0000001", "1.4.1", "stable"]).await;
    let told = read(&mut reader).await;
    assert_eq!(told.problems, Vec::<String>::new());
    let [image] = &told.images[..] else { panic!("{told:?}") };
    assert_eq!(image.tags, ["1.4.1", "sha-0000001", "stable"]);
    assert_eq!(image.detail.digest.as_deref(), Some(one.as_str()));
    assert!(
        image
            .detail
            .repository
            .as_deref()
            .is_some_and(|name| name.ends_with(&format!(".amazonaws.com/{repository}")))
    );
    let pushed = image.pushed.expect("when it was pushed");
    assert!((Timestamp::now().as_second() - pushed.as_second()).abs() < 60, "{pushed}");
    assert_eq!((image.revision.as_deref(), image.since), (None, None));
    assert_eq!(read(&mut reader).await.images, [], "nothing changed");

    // The tag that moves is taken from the one and given to the other.
    cloud.push(&repository, &manifest("two", json!({})), &["sha-0000002", "stable"]).await;
    let told = read(&mut reader).await;
    assert_eq!(tags(&told.images), ["1.4.1 sha-0000001", "sha-0000002 stable"]);
    let moved = told.images.iter().find(|image| image.detail.digest.as_deref() == Some(one.as_str()));
    assert!(moved.expect("the first").since.is_some(), "it is not what it was");
    assert_eq!(read(&mut reader).await.images, []);

    // What nobody could deploy by a tag is not told.
    cloud.push(&repository, &manifest("three", json!({})), &[]).await;
    assert_eq!(read(&mut reader).await.images, []);

    // Where tags do not move, a second push of one is refused, and nothing is new.
    let immutable = cloud.repository("team/orders", true).await;
    let mut reader = self::reader(&settings(&cloud.url), &cloud.registry, &[&immutable]).await;
    cloud.push(&immutable, &manifest("one", json!({})), &["1.0.0"]).await;
    assert_eq!(tags(&read(&mut reader).await.images), ["1.0.0"]);
    assert!(cloud.try_push(&immutable, &manifest("two", json!({})), "1.0.0").await.is_err());
    assert_eq!(read(&mut reader).await.images, []);
}

async fn commits_and_platforms_are_read_from_manifests(cloud: &Cloud) {
    let repository = cloud.repository("team/users", false).await;
    let annotations = json!({ "org.opencontainers.image.revision": SHA });
    cloud.push(&repository, &manifest("annotated", annotations.clone()), &["1.4.1"]).await;
    cloud.push(&repository, &manifest("silent", json!({})), &["1.4.0"]).await;
    // The commit that a tag names is not looked for elsewhere.
    cloud.push(&repository, &manifest("tagged", annotations.clone()), &["sha-abc1234"]).await;
    // Of an index, its platforms are read, and the commit where the platform alone has it.
    let arm = cloud.push(&repository, &manifest("arm64", annotations), &[]).await;
    let amd = cloud.push(&repository, &manifest("amd64", json!({})), &[]).await;
    cloud.push(&repository, &manifest_of_index(&[&arm, &amd]), &["1.5.0"]).await;
    cloud.push(&repository, &manifest_of_index(&[&amd]), &["sha-def5678"]).await;

    let mut reader = reader(&settings(&cloud.url), &cloud.registry, &[&repository]).await;
    let told = read(&mut reader).await;
    assert_eq!(told.problems, Vec::<String>::new());
    let of = |tag: &str| {
        let image = told.images.iter().find(|image| image.tags == [tag]);
        let image = image.unwrap_or_else(|| panic!("{tag} is not in {told:?}"));
        (image.revision.as_deref(), image.platform_digests.clone())
    };
    assert_eq!(of("1.4.1"), (Some(SHA), vec![]));
    assert_eq!(of("1.4.0"), (None, vec![]));
    assert_eq!(of("sha-abc1234"), (None, vec![]));
    assert_eq!(of("1.5.0"), (Some(SHA), vec![arm, amd.clone()]));
    assert_eq!(of("sha-def5678"), (None, vec![amd]));
    assert_eq!(read(&mut reader).await.images, []);
}

async fn a_repository_that_is_missing_does_not_silence_the_others(cloud: &Cloud) {
    let repository = cloud.repository("team/users", false).await;
    cloud.push(&repository, &manifest("one", json!({})), &["sha-0000001"]).await;
    let mut reader = reader(&settings(&cloud.url), &cloud.registry, &[&repository, "team/nobody"]).await;
    let told = read(&mut reader).await;
    assert_eq!(tags(&told.images), ["sha-0000001"]);
    let [problem] = &told.problems[..] else { panic!("{told:?}") };
    assert!(problem.contains("has no repository team/nobody: correct the image"), "{problem}");

    let mut alone = self::reader(&settings(&cloud.url), &cloud.registry, &["team/nobody"]).await;
    let error = alone.read(Timestamp::now()).await.expect_err("there is nothing to read");
    assert!(error.to_string().contains("has no repository team/nobody"), "{error}");
}

async fn what_may_be_asked_is_checked(cloud: &Cloud) {
    let (full, empty) =
        (cloud.repository("team/users", false).await, cloud.repository("team/empty", false).await);
    cloud.push(&full, &manifest("one", json!({})), &["sha-0000001"]).await;
    let mut reader = reader(&settings(&cloud.url), &cloud.registry, &[&full, &empty, "team/nobody"]).await;
    let checked = reader.check().await;
    let Registry { account, region } = &cloud.registry;
    for (repository, described, read) in [
        (full.as_str(), Ok("allowed"), Ok("allowed")),
        (&empty, Ok("allowed; there is no image yet"), Ok("allowed")),
        ("team/nobody", Err("has no repository"), Err("has no repository")),
    ] {
        let host = format!("{account}.dkr.ecr.{region}.amazonaws.com");
        for (permission, expected) in [("ecr:DescribeImages", described), ("ecr:BatchGetImage", read)] {
            let what = format!("{permission} on {host}/{repository}");
            let found =
                checked.iter().find(|one| one.what == what).unwrap_or_else(|| panic!("{what}: {checked:?}"));
            match (&found.outcome, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{what}"),
                (Err(found), Err(expected)) => assert!(found.contains(expected), "{what}: {found}"),
                (found, _) => panic!("{what}: {found:?}"),
            }
        }
    }
    assert_eq!(checked.len(), 6);
}

/// A registry of another account is read as a role of that account.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_is_assumed_for_another_account() {
    let cloud = Cloud::start(Kind::Moto).await;
    let other = Registry { account: "222222222222".into(), region: cloud.registry.region.clone() };
    let role =
        Role { arn: "arn:aws:iam::222222222222:role/reader".into(), external_id: Some("tollgate".into()) };
    let there = cloud.in_account("222222222222").await;
    let repository = there.repository("team/users", false).await;
    there.push(&repository, &manifest("one", json!({})), &["sha-0000001"]).await;

    let images = vec![image(&other, &repository), image(&cloud.registry, &repository)];
    let config =
        EcrConfig { registry: other.clone(), images, role: Some(role), poll: Duration::from_secs(60) };
    let mut assumed = EcrReader::new(&settings(&cloud.url), config).await;
    assert_eq!(tags(&read(&mut assumed).await.images), ["sha-0000001"]);
    // With one's own credentials there is nothing.
    let mut own = reader(&settings(&cloud.url), &other, &[&repository]).await;
    assert!(own.read(Timestamp::now()).await.is_err());
}
