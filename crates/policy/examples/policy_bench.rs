//! Prints as JSON how many decisions per second the default policies make over 10,000 instances.

use std::error::Error;
use std::io::{Write, stdout};
use std::time::Instant;

use domain::instance::{HttpTokens, Instance, MetadataOptions};
use domain::testing::{self, options};
use jiff::Timestamp;
use policy::{PolicyConfig, open};
use serde_json::json;

const INSTANCES: usize = 10_000;
const RUNS: usize = 5;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let fleet: Vec<Instance> = (0..INSTANCES).map(instance).collect();
    let fleet: Vec<&Instance> = fleet.iter().collect();
    let now: Timestamp = "2026-06-15T10:00:00Z".parse()?;

    // An engine of its own per run, so that nothing is answered from memory but where that is what is measured.
    let (mut first, mut again) = (Vec::new(), Vec::new());
    let mut failing = 0;
    for _ in 0..RUNS {
        let engine = open(&PolicyConfig::default())?;
        let started = Instant::now();
        let outcomes = engine.evaluate(&fleet, now).await;
        first.push(started.elapsed());
        failing = outcomes.iter().filter(|outcome| outcome.kind() == "fail").count();
        let started = Instant::now();
        engine.evaluate(&fleet, now).await;
        again.push(started.elapsed());
    }
    first.sort();
    again.sort();
    let (first, again) = (first[RUNS / 2].as_secs_f64(), again[RUNS / 2].as_secs_f64());
    let report = json!({
        "instances": INSTANCES,
        "failing": failing,
        "seconds": first,
        "decisions_per_second": (INSTANCES as f64 / first).round(),
        "seconds_unchanged": again,
    });
    writeln!(stdout(), "{report}")?;
    Ok(())
}

/// One of a mixed fleet: a third allows IMDSv1, some of it exempt, and every instance carries the usual tags.
fn instance(number: usize) -> Instance {
    let mut tags = vec![
        ("Name".to_owned(), format!("web-{number}")),
        ("aws:autoscaling:groupName".to_owned(), format!("web-{}", number % 50)),
        ("environment".to_owned(), ["production", "staging"][number % 2].to_owned()),
        ("team".to_owned(), format!("team-{}", number % 20)),
    ];
    if number.is_multiple_of(10) {
        tags.push(("imds:exempt-owner".to_owned(), "ana".to_owned()));
        tags.push(("imds:exempt-until".to_owned(), format!("2026-{:02}-01", 1 + number / 10 % 12)));
    }
    let http_tokens = if number.is_multiple_of(3) { HttpTokens::Optional } else { HttpTokens::Required };
    Instance {
        metadata_options: Some(MetadataOptions {
            http_put_response_hop_limit: Some(if number.is_multiple_of(17) { 3 } else { 2 }),
            ..options(http_tokens)
        }),
        launch_time: Timestamp::from_second(1_767_225_600 + i64::try_from(number).unwrap_or(0)).ok(),
        iam_instance_profile: Some("arn:aws:iam::111111111111:instance-profile/web".into()),
        tags: testing::tags(tags),
        ..testing::instance(&format!("i-{number:017x}"))
    }
}
