//! Reading: pages, accounts, regions, roles, and what a failed source leaves.

use std::collections::BTreeSet;

use domain::instance::SourceKey;
use domain::source::SourceState;
use domain::verdict::Verdict;
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::emulator::{Emulator, PROD, REGIONS, SANDBOX, until};

#[tokio::test]
async fn pages_of_two_accounts_and_three_regions_are_read_whole() {
    let emulator = Emulator::seeded("large").await;
    let mut config = emulator.config();
    config.page_size = 100;
    let fleet = emulator.fleet_with(config).await;
    fleet.refresh(false).await.expect("the fleet is read");

    let view = fleet.view();
    let held = emulator.fleet().await;
    assert!(held.len() >= 1_000, "the seed is large enough to page: {}", held.len());
    let read: BTreeSet<String> = view.index.rows().iter().map(|row| row.instance.key.to_string()).collect();
    let expected: BTreeSet<String> = held
        .iter()
        .map(|one| {
            let text = |field: &str| one[field].as_str().expect("text");
            format!("{}/{}/{}", text("account"), text("region"), text("instance_id"))
        })
        .collect();
    assert_eq!(read, expected);
    assert_eq!(view.sources.len(), 6);
    assert!(view.sources.values().all(|source| source.state == SourceState::Live));

    // 250 instances a region in pages of 100 are three calls, each as the role of its own account.
    let calls = emulator.control("calls", serde_json::json!({})).await;
    for account in [PROD, SANDBOX] {
        for region in REGIONS {
            let key = format!("{account} {region} ec2 DescribeInstances");
            assert_eq!(calls[&key], 3, "{key} in {calls}");
        }
    }
}

#[tokio::test]
async fn all_six_fields_and_the_rest_are_kept() {
    let emulator = Emulator::seeded("dev").await;
    let fleet = emulator.read().await;
    let view = fleet.view();
    let all = emulator.fleet().await;
    for row in view.index.rows() {
        let held = all.iter().find(|one| one["instance_id"] == *row.instance.key.instance_id);
        let held = &held.expect("what was read is in the emulator")["metadata_options"];
        let options = row.instance.metadata_options.expect("the emulator answers the options");
        let text = |field: &str| held[field].as_str().map(str::to_owned);
        assert_eq!(options.http_tokens.map(|value| value.as_str().to_owned()), text("HttpTokens"));
        assert_eq!(options.http_endpoint.map(|value| value.as_str().to_owned()), text("HttpEndpoint"));
        assert_eq!(
            options.http_protocol_ipv6.map(|value| value.as_str().to_owned()),
            text("HttpProtocolIpv6")
        );
        assert_eq!(
            options.instance_metadata_tags.map(|value| value.as_str().to_owned()),
            text("InstanceMetadataTags")
        );
        assert_eq!(
            options.http_put_response_hop_limit.map(u64::from),
            held["HttpPutResponseHopLimit"].as_u64()
        );
        assert!(options.state.is_some());
        assert!(row.instance.launch_time.is_some() && row.instance.name().is_some(), "{}", row.instance.key);
    }
    let verdicts: BTreeSet<&str> = view.index.rows().iter().map(|row| row.verdict.kind()).collect();
    assert!(
        verdicts.contains("allows-v1")
            && verdicts.contains("enforced")
            && verdicts.contains("endpoint-disabled")
    );
    assert!(
        view.index.rows().iter().any(|row| row.instance.is_managed()),
        "the seed has an instance that a service manages"
    );
}

#[tokio::test]
async fn a_failed_region_keeps_its_last_good_copy_and_the_others_go_on() {
    let emulator = Emulator::seeded("dev").await;
    let fleet = emulator.read().await;
    let before = fleet.view();
    let broken = SourceKey::new(SANDBOX, "us-east-1");
    let known = before.sources[&broken].summary.total;
    assert!(known > 0);

    emulator.fail(&broken, "DescribeInstances", "UnauthorizedOperation", 100).await;
    fleet.refresh(true).await.expect("the other sources are read");

    let view = fleet.view();
    let source = &view.sources[&broken];
    assert_eq!(source.state, SourceState::Failing);
    let error = source.status.error.as_ref().expect("the error is kept");
    assert_eq!(error.code, "UnauthorizedOperation");
    assert_eq!(error.missing_permission.as_deref(), Some("ec2:DescribeInstances"));
    assert_eq!(source.summary.total, known, "the last good copy stays");
    assert_eq!(source.status.last_success, before.sources[&broken].status.last_success);
    let others = view.sources.values().filter(|other| other.status.key != broken);
    assert!(others.into_iter().all(|other| other.state == SourceState::Live));
}

#[tokio::test]
async fn a_copy_that_is_too_old_is_unknown_and_counts_against_the_share() {
    let emulator = Emulator::seeded("dev").await;
    let mut config = emulator.config();
    config.stale_after = SignedDuration::ZERO;
    let fleet = emulator.fleet_with(config).await;
    fleet.refresh(false).await.expect("the fleet is read");
    let view = fleet.view();
    assert!(view.index.rows().iter().all(|row| matches!(row.verdict, Verdict::Unknown(_))));
    assert_eq!(view.summary.unknown, view.summary.total);
    assert_eq!(view.summary.share_enforced(), Some(0.0));
}

#[tokio::test]
async fn a_restart_shows_the_last_good_copy_before_anything_is_read() {
    let emulator = Emulator::seeded("dev").await;
    let directory = tempfile::tempdir().expect("a directory");
    let url = format!("sqlite://{}", directory.path().join("tollgate.db").display());
    let total = {
        let store = store::Store::connect(&url).await.expect("a database");
        let fleet = emulator.fleet_over(emulator.config(), store).await;
        let stop = CancellationToken::new();
        let running = tokio::spawn(fleet.clone().run(stop.clone()));
        until("every source is read", async || fleet.is_ready() && fleet.view().sources.len() == 6).await;
        stop.cancel();
        running.await.expect("the fleet stops");
        fleet.store().close().await;
        fleet.view().index.len()
    };

    // AWS refuses everything now; the second process has only what the first stored.
    emulator.control("fail", serde_json::json!({ "code": "UnauthorizedOperation", "service": "ec2" })).await;
    let store = store::Store::connect(&url).await.expect("the same database");
    let fleet = emulator.fleet_over(emulator.config(), store).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(fleet.clone().run(stop.clone()));
    until("the stored copy is shown", async || fleet.view().index.len() == total).await;
    stop.cancel();
    running.await.expect("the fleet stops");
}
