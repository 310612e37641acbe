//! CloudWatch's evidence: used, quiet, and the ways of having no data.

use std::collections::BTreeSet;

use domain::evidence::{Evidence, NoDataReason};
use domain::instance::InstanceState;

use crate::emulator::Emulator;

#[tokio::test]
async fn the_three_kinds_of_evidence_are_told_apart() {
    let emulator = Emulator::seeded("dev").await;
    let fleet = emulator.read().await;
    let view = fleet.view();
    let mut seen = BTreeSet::new();
    for row in view.index.rows().iter().filter(|row| row.verdict.kind() == "allows-v1") {
        let report = fleet.verify(&row.instance.key, 14).await.expect("CloudWatch answers");
        match report.evidence {
            Evidence::Used { count, .. } => {
                assert!(count > 0.0);
                assert!(report.days.iter().any(|day| day.count.is_some_and(|count| count > 0.0)));
                // A plan says first what would break.
                if let Ok(planned) = fleet.plan_enforce(&row.instance.key, None).await {
                    assert!(
                        planned.plan.notes[0].contains("refused once tokens are required"),
                        "{:?}",
                        planned.plan.notes
                    );
                }
                seen.insert("used");
            }
            Evidence::Quiet { days_with_data, days_asked } => {
                assert_eq!((days_asked, report.days.len()), (14, 14));
                assert_eq!(
                    report.days.iter().filter(|day| day.count.is_some()).count() as u32,
                    days_with_data
                );
                assert!(days_with_data > 0);
                seen.insert("quiet");
            }
            Evidence::NoData { why } => {
                let running = row.instance.state == InstanceState::Running;
                assert_eq!(why, if running { NoDataReason::NoDataPoints } else { NoDataReason::NotRunning });
                seen.insert("no data");
            }
        }
    }
    assert_eq!(seen, BTreeSet::from(["no data", "quiet", "used"]));
}

#[tokio::test]
async fn a_refusal_is_no_data_and_says_which_permission_is_missing() {
    let emulator = Emulator::seeded("dev").await;
    let fleet = emulator.read().await;
    let view = fleet.view();
    let key = &view.index.rows()[0].instance.key;
    emulator
        .control("fail", serde_json::json!({ "service": "cloudwatch", "code": "AccessDenied", "times": 100 }))
        .await;
    let report = fleet.verify(key, 14).await.expect("a refusal is an answer");
    let Evidence::NoData { why: NoDataReason::Failed { message } } = report.evidence else {
        panic!("a refusal must not pass for {:?}", report.evidence);
    };
    assert!(message.contains("cloudwatch:GetMetricData"), "{message}");
}

#[tokio::test]
async fn a_window_out_of_range_is_refused() {
    let emulator = Emulator::seeded("dev").await;
    let fleet = emulator.read().await;
    let key = fleet.view().index.rows()[0].instance.key.clone();
    for days in [0, 64] {
        assert!(fleet.verify(&key, days).await.is_err());
    }
}
