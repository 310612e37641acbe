//! What a network and AWS do wrong while the fleet is read.

use std::time::Duration;

use domain::instance::SourceKey;
use domain::source::SourceState;

use crate::emulator::{Emulator, PROD, REGIONS};
use crate::proxy::{Fault, Proxy};

fn source() -> SourceKey {
    SourceKey::new(PROD, REGIONS[0])
}

#[tokio::test]
async fn a_burst_of_throttling_is_waited_out() {
    let emulator = Emulator::seeded("dev").await;
    emulator.fail(&source(), "DescribeInstances", "RequestLimitExceeded", 3).await;
    let fleet = emulator.read().await;
    assert_eq!(fleet.view().sources[&source()].state, SourceState::Live);
    let calls = emulator.control("calls", serde_json::json!({})).await;
    assert_eq!(calls[format!("{} ec2 DescribeInstances", source().to_string().replace('/', " "))], 4);
}

#[tokio::test]
async fn expired_credentials_are_told_as_such() {
    let emulator = Emulator::seeded("dev").await;
    emulator.fail(&source(), "DescribeInstances", "ExpiredToken", 100).await;
    let fleet = emulator.read().await;
    let view = fleet.view();
    let status = &view.sources[&source()].status;
    assert_eq!(status.error.as_ref().map(|error| error.code.as_str()), Some("ExpiredToken"));
    assert_eq!(view.sources[&source()].state, SourceState::Failed);
}

#[tokio::test]
async fn a_page_that_is_cut_in_the_middle_is_read_again() {
    let emulator = Emulator::seeded("dev").await;
    let proxy = Proxy::start(&emulator.url).await;
    proxy.break_next("DescribeInstances", REGIONS[0], Fault::CutInTheMiddle, 1);
    let mut config = emulator.config();
    config.endpoint_url = Some(proxy.url.clone());
    let fleet = emulator.fleet_with(config).await;
    fleet.refresh(false).await.expect("the fleet is read");
    assert_eq!(fleet.view().index.len() as usize, emulator.fleet().await.len());
}

#[tokio::test]
async fn an_answer_that_is_no_xml_fails_its_source_alone() {
    let emulator = Emulator::seeded("dev").await;
    let proxy = Proxy::start(&emulator.url).await;
    proxy.break_next("DescribeInstances", REGIONS[0], Fault::Malformed, 1_000);
    let mut config = emulator.config();
    config.endpoint_url = Some(proxy.url.clone());
    let fleet = emulator.fleet_with(config).await;
    fleet.refresh(false).await.expect("the other sources are read");
    let view = fleet.view();
    for source in view.sources.values() {
        let broken = &*source.status.key.region == REGIONS[0];
        assert_eq!(
            source.state,
            if broken { SourceState::Failed } else { SourceState::Live },
            "{}",
            source.status.key
        );
        assert_eq!(source.status.error.is_some(), broken);
    }
}

#[tokio::test]
async fn a_source_that_hangs_fails_within_its_limit_and_holds_up_nobody() {
    let emulator = Emulator::seeded("dev").await;
    let proxy = Proxy::start(&emulator.url).await;
    proxy.break_next("DescribeInstances", REGIONS[0], Fault::Slow(Duration::from_secs(600)), 1_000);
    let mut config = emulator.config();
    config.endpoint_url = Some(proxy.url.clone());
    config.source_timeout = Duration::from_secs(4);
    let fleet = emulator.fleet_with(config).await;
    fleet.refresh(false).await.expect("the other sources are read");
    let view = fleet.view();
    let hung = &view.sources[&source()];
    assert_eq!(hung.status.error.as_ref().map(|error| error.code.as_str()), Some("timeout"));
    assert_eq!(view.sources[&SourceKey::new(PROD, REGIONS[1])].state, SourceState::Live);
}

#[tokio::test]
async fn without_permission_for_the_defaults_the_instances_are_still_read() {
    let emulator = Emulator::seeded("dev").await;
    emulator.fail(&source(), "GetInstanceMetadataDefaults", "UnauthorizedOperation", 100).await;
    let fleet = emulator.read().await;
    let view = fleet.view();
    let source = &view.sources[&source()];
    assert_eq!(source.state, SourceState::Live);
    let error = source.status.defaults_error.as_ref().expect("what is missing is told");
    assert_eq!(error.missing_permission.as_deref(), Some("ec2:GetInstanceMetadataDefaults"));
}
