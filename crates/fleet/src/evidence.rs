//! Asks CloudWatch whether IMDSv1 was used on one instance.

use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};
use domain::evidence::{Evidence, NoDataReason, by_day, conclude, window_start};
use domain::instance::{Instance, InstanceState};
use domain::verdict::Verdict;
use domain::wire::UseReport;
use jiff::Timestamp;

use crate::aws::RegionClients;
use crate::error::AwsError;

/// The longest window: hourly data points are kept for 455 days, 5-minute ones for 63 (CloudWatch user guide).
pub(crate) const MAX_DAYS: u32 = 63;

/// Hourly sums: fine enough to tell when the last call was, and 14 days of them are one answer.
const PERIOD_SECONDS: i32 = 3_600;

/// What CloudWatch says of `MetadataNoToken` over `days` days. A refusal is reported as no data, with the reason.
pub(crate) async fn verify(
    clients: &RegionClients,
    instance: &Instance,
    verdict: Verdict,
    days: u32,
    now: Timestamp,
) -> UseReport {
    let start = window_start(now, days);
    let (days, evidence) = match metadata_no_token(clients, &instance.key.instance_id, start, now).await {
        Ok(points) => {
            let days = by_day(start, days, &points);
            let evidence = conclude(&days, instance.state == InstanceState::Running);
            (days, evidence)
        }
        Err(error) => {
            let message =
                format!("CloudWatch answered {}: {} {}", error.code, error.message, error.next_step());
            (Vec::new(), Evidence::NoData { why: NoDataReason::Failed { message } })
        }
    };
    let sentence = evidence.sentence();
    UseReport { configuration: verdict.sentence(instance), evidence, sentence, days }
}

async fn metadata_no_token(
    clients: &RegionClients,
    instance_id: &str,
    start: Timestamp,
    end: Timestamp,
) -> Result<Vec<(Timestamp, f64)>, AwsError> {
    let metric = Metric::builder()
        .namespace("AWS/EC2")
        .metric_name("MetadataNoToken")
        .dimensions(Dimension::builder().name("InstanceId").value(instance_id).build())
        .build();
    let query = MetricDataQuery::builder()
        .id("no_token")
        .metric_stat(MetricStat::builder().metric(metric).period(PERIOD_SECONDS).stat("Sum").build())
        .build();
    let mut pages = clients
        .cloudwatch
        .get_metric_data()
        .metric_data_queries(query)
        .start_time(aws_smithy_types::DateTime::from_secs(start.as_second()))
        .end_time(aws_smithy_types::DateTime::from_secs(end.as_second()))
        .into_paginator()
        .send();
    let mut points = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| AwsError::from_sdk("cloudwatch:GetMetricData", error))?;
        for result in page.metric_data_results() {
            for (at, sum) in result.timestamps().iter().zip(result.values()) {
                if let Ok(at) = Timestamp::from_second(at.secs()) {
                    points.push((at, *sum));
                }
            }
        }
    }
    Ok(points)
}
