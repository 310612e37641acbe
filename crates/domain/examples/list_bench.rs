//! Prints as JSON how long a fleet of 100,000 instances takes to index, and ten list queries to answer.

use std::error::Error;
use std::hint::black_box;
use std::io::{Write, stdout};
use std::sync::Arc;
use std::time::Instant;

use domain::instance::{HttpTokens, Instance, InstanceState, Interner, MetadataOptions, SourceKey, Toggle};
use domain::list::{FleetIndex, FleetRow, Sort};
use domain::policy::{PolicyOutcome, Severity, Violation};
use domain::query::Query;
use domain::testing::{self, options};
use domain::verdict::{Freshness, Verdict, judge};
use jiff::Timestamp;
use serde_json::json;

const INSTANCES: u32 = 100_000;
const ROUNDS: usize = 200;
const WINDOW: usize = 200;
const NOW: i64 = 1_780_000_000;

/// What people ask, each with the order it is asked in: the whole list, the cards and facets, text that is rare, frequent
/// and absent, tags, numbers, and a long combination.
const MIX: [(&str, &str); 10] = [
    ("", "verdict"),
    ("verdict:allows-v1 state:running", "name"),
    ("web-123-4", "name"),
    ("payments", "-launched"),
    ("\"no such text\"", "verdict"),
    ("tag:team=payments,search -tag:environment=production", "account"),
    ("region:eu-* type:m7g.*", "type"),
    ("hop:>1 age:>90d", "-hop"),
    ("policy:fail severity:critical,high", "policy"),
    ("(account:payments-* OR tag:owner=*platform*) tokens:optional -managed:yes web", "-launched"),
];

fn main() -> Result<(), Box<dyn Error>> {
    let rows = fleet();
    let now = Timestamp::from_second(NOW)?;
    let before = resident_kb();
    let started = Instant::now();
    let index = FleetIndex::build(rows);
    let build = started.elapsed();
    let grown = resident_kb().zip(before).map(|(after, before)| after.saturating_sub(before));

    let mut all = Vec::with_capacity(MIX.len() * ROUNDS);
    let mut queries = Vec::new();
    for (text, order) in MIX {
        let sort = Sort::parse(order)?;
        let mut matched = 0;
        let mut times = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            let started = Instant::now();
            let query = Query::parse(text)?;
            let positions = index.select(&query, sort, now);
            let window: Vec<&FleetRow> =
                positions.iter().take(WINDOW).map(|position| &index.rows()[*position as usize]).collect();
            black_box(window);
            times.push(started.elapsed().as_secs_f64() * 1e3);
            matched = positions.len();
        }
        all.extend_from_slice(&times);
        let (p50, p99) = percentiles(&mut times);
        queries
            .push(json!({ "query": text, "sort": order, "matched": matched, "p50_ms": p50, "p99_ms": p99 }));
    }
    let (p50, p99) = percentiles(&mut all);
    let report = json!({
        "instances": INSTANCES,
        "build_ms": rounded(build.as_secs_f64() * 1e3),
        "resident_growth_kb": grown,
        "p50_ms": p50,
        "p99_ms": p99,
        "queries": queries,
    });
    writeln!(stdout(), "{report:#}")?;
    Ok(())
}

fn percentiles(times: &mut [f64]) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    (rounded(times[times.len() / 2]), rounded(times[times.len() * 99 / 100]))
}

fn rounded(milliseconds: f64) -> f64 {
    (milliseconds * 1e3).round() / 1e3
}

/// The resident set, where the system tells.
fn resident_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.split_whitespace().next()?.parse().ok()
}

/// A mixed fleet over 20 accounts and 5 regions, with the tags that fleets carry, texts shared as the collector shares them.
fn fleet() -> Vec<FleetRow> {
    let mut interner = Interner::default();
    let pass = Arc::new(PolicyOutcome::Pass);
    let mut rows: Vec<FleetRow> = (0..INSTANCES)
        .map(|number| {
            let mut instance = instance(number);
            interner.share(&mut instance);
            let verdict = judge(instance.metadata_options.as_ref(), Freshness::Fresh);
            let policy = if verdict == Verdict::AllowsV1 { Arc::new(failing(number)) } else { pass.clone() };
            let alias = interner.text(&alias(number % 20));
            FleetRow { instance: Arc::new(instance), alias, verdict, policy }
        })
        .collect();
    // Rows come source by source, in no order within one.
    rows.sort_by(|left, right| left.instance.key.source.cmp(&right.instance.key.source));
    rows
}

const TEAMS: [&str; 12] = [
    "payments",
    "search",
    "platform",
    "identity",
    "ledger",
    "mobile",
    "risk",
    "data",
    "growth",
    "support",
    "logistics",
    "catalog",
];
const REGIONS: [&str; 5] = ["eu-west-1", "eu-central-1", "us-east-1", "us-west-2", "ap-southeast-2"];
const TYPES: [&str; 8] = [
    "m7g.large",
    "m7g.xlarge",
    "m6i.large",
    "c7g.2xlarge",
    "t3.micro",
    "t3.medium",
    "r6i.4xlarge",
    "i4i.large",
];

fn alias(account: u32) -> String {
    let team = TEAMS[account as usize % TEAMS.len()];
    format!("{team}-{}", ["prod", "staging"][account as usize / TEAMS.len() % 2])
}

/// Spreads numbers, so that no two values of an instance go in step.
fn spread(number: u32, salt: u32) -> usize {
    (number.wrapping_add(salt).wrapping_mul(2_654_435_761) >> 8) as usize
}

fn instance(number: u32) -> Instance {
    let pick = |values: &[&str], salt| values[spread(number, salt) % values.len()].to_owned();
    let account = format!("{:012}", 111_111_111_111u64 + u64::from(number % 20));
    let region = pick(&REGIONS, 1);
    let team = pick(&TEAMS, 2);
    let group = format!("{}-{}", ["web", "worker", "batch"][spread(number, 3) % 3], spread(number, 4) % 500);
    let owner = format!("{team}-team-{}@example.com", spread(number, 5) % 7);
    let tags = testing::tags([
        ("Name", format!("{group}-{number}")),
        ("aws:autoscaling:groupName", group),
        ("aws:ec2launchtemplate:id", format!("lt-{:017x}", spread(number, 6) % 800)),
        ("aws:ec2launchtemplate:version", (spread(number, 7) % 30).to_string()),
        ("cost center", format!("cc-{}", spread(number, 8) % 60)),
        ("environment", pick(&["production", "staging", "development"], 9)),
        ("owner", owner),
        ("team", team),
    ]);
    let zone = format!("{region}{}", ["a", "b", "c"][spread(number, 10) % 3]);
    let id = format!("i-{:017x}", u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 4);
    let http_tokens =
        if spread(number, 11).is_multiple_of(3) { HttpTokens::Optional } else { HttpTokens::Required };
    Instance {
        metadata_options: Some(MetadataOptions {
            http_put_response_hop_limit: Some([1, 1, 2, 2, 2, 3][spread(number, 12) % 6]),
            http_endpoint: Some(if spread(number, 13).is_multiple_of(50) {
                Toggle::Disabled
            } else {
                Toggle::Enabled
            }),
            ..options(http_tokens)
        }),
        state: InstanceState::ALL[[1, 1, 1, 1, 1, 5, 5, 3][spread(number, 14) % 8]],
        instance_type: pick(&TYPES, 15).into(),
        availability_zone: Some(zone.into()),
        vpc_id: Some(format!("vpc-{:017x}", spread(number, 16) % 200).into()),
        image_id: Some(format!("ami-{:017x}", spread(number, 17) % 300).into()),
        launch_time: Timestamp::from_second(NOW - spread(number, 18) as i64 % 40_000_000).ok(),
        iam_instance_profile: Some(
            format!("arn:aws:iam::{account}:instance-profile/service-{}", spread(number, 19) % 40).into(),
        ),
        operator: (spread(number, 20).is_multiple_of(20)).then(|| "eks.amazonaws.com".into()),
        tags,
        ..testing::instance_in(SourceKey::new(account, region), &id)
    }
}

fn failing(number: u32) -> PolicyOutcome {
    let severity = [Severity::Critical, Severity::High, Severity::Medium][spread(number, 21) % 3];
    PolicyOutcome::Fail {
        violations: vec![Violation {
            rule: "imdsv2-required".into(),
            severity,
            message: "The instance answers IMDSv1.".into(),
            remediation: "Require tokens.".into(),
        }],
    }
}
