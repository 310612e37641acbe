//! What a network, AWS and missing permissions do to a reader, and that nothing is lost by it.

use std::time::Duration;

use aws::Settings;
use delivery::ecr::{EcrConfig, EcrReader, Role};
use delivery::reader::Reader;
use jiff::Timestamp;
use serde_json::json;

use super::cloud::{Cloud, Kind, manifest};
use super::proxy::{Fault, Proxy};
use super::{image, read, reader, settings, tags};

/// Two repositories, each with an image, behind a proxy.
struct Site {
    cloud: Cloud,
    proxy: Proxy,
}

impl Site {
    async fn start() -> Site {
        let cloud = Cloud::start(Kind::Moto).await;
        for (name, tag) in [("team/users", "sha-0000001"), ("team/orders", "1.0.0")] {
            let repository = cloud.repository(name, false).await;
            cloud.push(&repository, &manifest(name, json!({})), &[tag]).await;
        }
        let proxy = Proxy::start(&cloud.url).await;
        Site { cloud, proxy }
    }

    /// With little patience, though with enough for a machine that has much to do.
    fn hasty(&self) -> Settings {
        Settings {
            attempt_timeout: Some(Duration::from_secs(4)),
            call_timeout: Some(Duration::from_secs(4)),
            ..settings(&self.proxy.url)
        }
    }
}

const BOTH: [&str; 2] = ["team/users", "team/orders"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passes_is_waited_out() {
    let site = Site::start().await;
    let mut reader = reader(&settings(&site.proxy.url), &site.cloud.registry, &BOTH).await;
    site.proxy.break_next("DescribeImages", "team/users", Fault::CutInTheMiddle, 1);
    site.proxy.break_next("DescribeImages", "team/orders", Fault::ServerError, 1);
    site.proxy.break_next("BatchGetImage", "team/orders", Fault::ServerError, 1);
    let told = read(&mut reader).await;
    assert_eq!((tags(&told.images), told.problems), (vec!["1.0.0".to_owned(), "sha-0000001".into()], vec![]));
    assert_eq!(site.proxy.left(), 0, "all was broken that was to be");
    site.cloud.fail("ecr", "DescribeImages", "ThrottlingException", 2).await;
    assert_eq!(read(&mut reader).await.images, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_does_not_answer_does_not_silence_the_others_and_comes_later() {
    let site = Site::start().await;
    let mut reader = reader(&site.hasty(), &site.cloud.registry, &BOTH).await;
    site.proxy.break_next("DescribeImages", "team/users", Fault::Slow(Duration::from_secs(60)), 100);
    let told = read(&mut reader).await;
    assert_eq!(tags(&told.images), ["1.0.0"]);
    let [problem] = &told.problems[..] else { panic!("{told:?}") };
    assert!(problem.contains("did not answer about team/users") && problem.contains("in time"), "{problem}");
    site.proxy.mend();
    let told = read(&mut reader).await;
    assert_eq!((tags(&told.images), told.problems), (vec!["sha-0000001".to_owned()], vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_cannot_be_read_fail_and_change_nothing() {
    let site = Site::start().await;
    let mut reader = reader(&settings(&site.proxy.url), &site.cloud.registry, &BOTH[..1]).await;
    assert_eq!(tags(&read(&mut reader).await.images), ["sha-0000001"]);
    site.proxy.break_next("DescribeImages", "", Fault::Malformed, 100);
    let error = reader.read(Timestamp::now()).await.expect_err("no page for people is a list of images");
    assert!(
        error.to_string().contains("team/users") && error.to_string().contains("cannot be read"),
        "{error}"
    );
    site.proxy.mend();
    site.cloud.push("team/users", &manifest("two", json!({})), &["sha-0000002"]).await;
    assert_eq!(tags(&read(&mut reader).await.images), ["sha-0000002"], "and what was told is still known");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_permission_is_named_and_costs_only_what_it_is_for() {
    let site = Site::start().await;
    let mut reader = reader(&settings(&site.cloud.url), &site.cloud.registry, &BOTH).await;
    site.cloud.fail("ecr", "BatchGetImage", "AccessDeniedException", 100).await;
    let told = read(&mut reader).await;
    assert_eq!(tags(&told.images), ["1.0.0", "sha-0000001"]);
    let region = &site.cloud.registry.region;
    let [problem] = &told.problems[..] else { panic!("{told:?}") };
    let denied =
        format!("ecr:BatchGetImage on arn:aws:ecr:{region}:111111111111:repository/team/orders is denied");
    assert!(problem.starts_with(&denied), "{problem}");
    let checked = reader.check().await;
    let outcomes: Vec<bool> = checked.iter().map(|one| one.outcome.is_ok()).collect();
    assert_eq!(outcomes, [true, false, true, false], "{checked:?}");

    site.cloud.fail("ecr", "DescribeImages", "AccessDeniedException", 100).await;
    let error = reader.read(Timestamp::now()).await.expect_err("nothing may be listed").to_string();
    for repository in BOTH {
        let denied = format!(
            "ecr:DescribeImages on arn:aws:ecr:{region}:111111111111:repository/{repository} is denied"
        );
        assert!(error.contains(&denied), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_may_not_be_assumed_is_named() {
    let cloud = Cloud::start(Kind::Moto).await;
    cloud.fail("sts", "AssumeRole", "AccessDenied", 100).await;
    let arn = "arn:aws:iam::111111111111:role/reader";
    let config = EcrConfig {
        registry: cloud.registry.clone(),
        images: vec![image(&cloud.registry, "team/users")],
        role: Some(Role { arn: arn.into(), external_id: None }),
        poll: Duration::from_secs(60),
    };
    let mut reader = EcrReader::new(&settings(&cloud.url), config).await;
    let error = reader.read(Timestamp::now()).await.expect_err("nobody may read").to_string();
    assert!(
        error.contains("cannot be read")
            && error.contains(&format!("the role {arn} exists and may be assumed")),
        "{error}"
    );
}
