//! Fills a database with deliveries, for measuring: `delivery_load DATABASE_URL SERVICES DAYS`, five changes of each service a day
//! through four environments, with 45 facts each. Prints as JSON how many there are, and how long that took.

use std::error::Error;
use std::io::{Write, stdout};
use std::time::Instant;

use domain::delivery::{
    CiDetail, CommitDetail, CommitSha, Detail, EnvironmentName, Fact, ImageDetail, LiveDetail, RolloutDetail,
    ServiceName, Source, Stage, Status, SyncDetail,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use store::Store;

const ENVIRONMENTS: [&str; 4] = ["dev", "test", "staging", "prod"];
const JOBS: [&str; 8] = ["lint", "unit", "integration", "browser", "image", "scan", "sign", "docs"];
const CHANGES_A_DAY: u32 = 5;
/// As many changes as are told in one go.
const TOGETHER: usize = 50;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("the URL of a database is missing")?;
    let services: u32 = arguments.next().ok_or("the number of services is missing")?.parse()?;
    let days: u32 = arguments.next().ok_or("the number of days is missing")?.parse()?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(load(&url, services, days))
}

async fn load(url: &str, services: u32, days: u32) -> Result<(), Box<dyn Error>> {
    let store = Store::connect(url).await?;
    let (now, begun) = (Timestamp::now(), Instant::now());
    let (mut changes, mut facts) = (0_u64, 0_u64);
    for number in 0..services {
        let service = ServiceName::parse(&format!("service-{number}"))?;
        let all: Vec<u32> = (0..days * CHANGES_A_DAY).collect();
        for together in all.chunks(TOGETHER) {
            let mut told = Vec::new();
            for change in together {
                let age = i64::from(days * CHANGES_A_DAY - change) * 24 * 60 / i64::from(CHANGES_A_DAY);
                told.extend(facts_of(&service, number, *change, now - SignedDuration::from_mins(age))?);
            }
            changes += together.len() as u64;
            facts += store.record_facts(&told, now).await?.new;
        }
    }
    store.close().await;
    let seconds = begun.elapsed().as_secs_f64();
    writeln!(stdout(), "{}", json!({ "changes": changes, "facts": facts, "seconds": seconds }))?;
    Ok(())
}

fn facts_of(
    service: &ServiceName,
    number: u32,
    change: u32,
    begun: Timestamp,
) -> Result<Vec<Fact>, Box<dyn Error>> {
    let commit = CommitSha::parse(&format!("{:08x}{:032x}", number * 1_000_003 + change, change))?;
    let minute = |minutes: i64| begun + SignedDuration::from_mins(minutes);
    let tag = format!("1.{number}.{change}");
    let mut facts = Vec::new();
    let mut tell = |stage: Stage, part: &str, status: Status, from: i64, to: i64, detail: Option<Detail>| {
        let is_ci = stage == Stage::Ci && !part.is_empty();
        // The names above are environments.
        let environment = stage.is_of_environment().then(|| EnvironmentName::parse(part).ok()).flatten();
        facts.push(Fact {
            source: Source::CdEvents,
            source_id: format!("{service}/{change}/{}/{part}/{}", stage.as_str(), status.as_str()),
            service: service.clone(),
            environment,
            commit: commit.clone(),
            stage,
            job: is_ci.then(|| part.to_owned()),
            attempt: 1,
            status,
            started: Some(minute(from)),
            finished: status.is_final().then(|| minute(to)),
            observed: minute(to),
            link: Some(format!("https://ci.example.com/{service}/{change}")),
            detail,
        });
    };
    tell(
        Stage::Commit,
        "",
        Status::Succeeded,
        0,
        0,
        Some(Detail::Commit(CommitDetail {
            author: Some(format!("Author {}", change % 40)),
            title: Some(format!("Change {change} of what the service answers to a caller")),
            branch: Some("main".into()),
            committed: Some(begun),
            pull_request: Some(change),
        })),
    );
    for status in [Status::Waiting, Status::Running, Status::Succeeded] {
        tell(Stage::Ci, "", status, 1, 9, None);
    }
    for (position, job) in (0..).zip(JOBS) {
        for status in [Status::Running, Status::Succeeded] {
            let detail = CiDetail { workflow: Some("build".into()), ..CiDetail::default() };
            tell(Stage::Ci, job, status, 1, 2 + position, Some(Detail::Ci(detail)));
        }
    }
    tell(
        Stage::Image,
        "",
        Status::Succeeded,
        8,
        9,
        Some(Detail::Image(ImageDetail {
            tag: Some(tag.clone()),
            digest: Some(format!("sha256:{:064x}", u64::from(number) * 1_000_003 + u64::from(change))),
            ..ImageDetail::default()
        })),
    );
    for (position, environment) in (0..).zip(ENVIRONMENTS) {
        let at = 12 + position * 60;
        tell(Stage::Bump, environment, Status::Succeeded, at, at + 1, None);
        for status in [Status::Running, Status::Succeeded] {
            let sync =
                SyncDetail { application: Some(format!("{service}-{environment}")), ..SyncDetail::default() };
            tell(Stage::Sync, environment, status, at + 1, at + 2, Some(Detail::Sync(sync)));
            let rollout =
                RolloutDetail { workload: Some(format!("Deployment/{service}")), ..RolloutDetail::default() };
            tell(Stage::Rollout, environment, status, at + 2, at + 4, Some(Detail::Rollout(rollout)));
        }
        let live = Detail::Live(LiveDetail { version: Some(tag.clone()) });
        tell(Stage::Live, environment, Status::Succeeded, at + 4, at + 4, Some(live));
    }
    Ok(facts)
}
