//! Some days of deliveries for the local console, told through its public endpoints as a pipeline would: three services over three
//! environments, of which one change is stuck, one failed and one was rolled back.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::http::Connection;

/// The services with what is told of them.
const SERVICES: [&str; 3] = ["users", "payments", "web"];
/// In the order that changes pass through them.
const ENVIRONMENTS: [&str; 3] = ["dev", "staging", "prod"];
/// One every this many hours, the last of them the newest.
const EVERY_HOURS: i64 = 7;
/// How many of each service.
const CHANGES: i64 = 18;

const AUTHORS: [&str; 4] = ["Ada Lovelace", "Grace Hopper", "Alan Turing", "Barbara Liskov"];
const TITLES: [&str; 9] = [
    "Keep sessions over a restart",
    "Pay in instalments",
    "Answer in the caller's language",
    "Bound the size of an upload",
    "Retry the ledger with back-off",
    "Show what was ordered before",
    "Drop the old export",
    "Read prices from the catalogue",
    "Say why a card was refused",
];

/// What the configuration of the local console names.
pub(super) fn configuration() -> String {
    // The story goes on for nobody: what was told stays what is known.
    let mut text = format!("\n[delivery]\nenvironments = {ENVIRONMENTS:?}\nstale_after = \"7d\"\n");
    for service in SERVICES {
        text.push_str(&format!("\n[[services]]\nname = \"{service}\"\nrepository = \"acme/{service}\"\n"));
    }
    text
}

/// Tells the story, unless deliveries are known already; answers whether it did.
pub(super) fn seed(address: SocketAddr) -> Result<bool> {
    let mut console = Connection::open(&address.to_string())?;
    let known = console.get("/api/delivery/changes?service=&q=&limit=1")?;
    if known.trim() != "[]" {
        return Ok(false);
    }
    // Whole seconds, as pipelines tell them.
    let now = Timestamp::from_second(Timestamp::now().as_second())?;
    for (position, service) in (0..).zip(SERVICES) {
        let mut teller = Teller { console: &mut console, service, position, now };
        for number in 0..CHANGES {
            teller.change(number)?;
        }
    }
    Ok(true)
}

/// A tag that the GitOps repository says, and since when.
pub(super) struct Desired {
    pub(super) service: &'static str,
    pub(super) environment: &'static str,
    pub(super) tag: String,
    pub(super) at: Timestamp,
}

/// The tag of each place at the end of the story.
pub(super) fn desired(now: Timestamp) -> Vec<Desired> {
    let mut all = Vec::new();
    for (position, service) in (0..).zip(SERVICES) {
        for (number_of_environment, environment) in (0..).zip(ENVIRONMENTS) {
            let says = |number: &i64| match fate(service, *number) {
                Fate::Reaches(environments) => environments > number_of_environment,
                // Its tag is there, whether or not its pods come up.
                Fate::Stuck => number_of_environment < 2,
                Fate::RolledBack => number_of_environment < 2,
                Fate::Fails => false,
            };
            let Some(number) = (0..CHANGES).rev().find(says) else { continue };
            let minutes = 10 + 90 * number_of_environment as i64;
            let at = begun(position, number, now) + SignedDuration::from_mins(minutes);
            all.push(Desired { service, environment, tag: tag(position, number), at });
        }
    }
    all
}

/// When a change was merged.
fn begun(position: i64, number: i64, now: Timestamp) -> Timestamp {
    now - SignedDuration::from_hours((CHANGES - number) * EVERY_HOURS - position)
}

fn tag(position: i64, number: i64) -> String {
    format!("1.{}.{number}", 4 + position)
}

fn fate(service: &str, number: i64) -> Fate {
    match (service, CHANGES - number) {
        ("users", 2) => Fate::Stuck,
        ("payments", 1) => Fate::Fails,
        ("web", 4) => Fate::RolledBack,
        (_, 1) => Fate::Reaches(1),
        (_, 2..=3) => Fate::Reaches(2),
        // Not everything is promoted.
        _ if number % 3 == 1 => Fate::Reaches(2),
        _ => Fate::Reaches(3),
    }
}

/// How a change of the story ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It reaches this many of the environments, first to last.
    Reaches(usize),
    /// Its tests fail.
    Fails,
    /// Its image cannot be pulled in staging.
    Stuck,
    /// It goes wrong in prod, and what was there before comes back.
    RolledBack,
}

struct Teller<'a> {
    console: &'a mut Connection,
    service: &'a str,
    position: i64,
    now: Timestamp,
}

impl Teller<'_> {
    fn change(&mut self, number: i64) -> Result<()> {
        let commit = sha(self.service, number);
        let begun = begun(self.position, number, self.now);
        let minute = |minutes: i64| begun + SignedDuration::from_mins(minutes);
        let fate = fate(self.service, number);
        let title = TITLES[(number + self.position * 4) as usize % TITLES.len()];
        let author = AUTHORS[(number + self.position) as usize % AUTHORS.len()];
        let tag = tag(self.position, number);
        self.event(
            "change.merged",
            &commit,
            json!({}),
            minute(0),
            json!({
                "commit": commit, "author": author, "title": title, "branch": "main",
            }),
        )?;
        for (position, job) in (0..).zip(["lint", "test"]) {
            let failed = fate == Fate::Fails && job == "test";
            let outcome = if failed { "failure" } else { "success" };
            let content = json!({ "taskName": job, "outcome": outcome, "url": format!("https://ci.example.com/{}/{number}/{job}", self.service) });
            self.event(
                "taskrun.finished",
                job,
                content,
                minute(4 + position * 3),
                json!({
                    "commit": commit, "started": minute(1).to_string(),
                }),
            )?;
        }
        if fate == Fate::Fails {
            return Ok(());
        }
        let purl = format!(
            "pkg:oci/{}@sha256%3A{}?repository_url=registry.example.com%2F{}&tag={tag}",
            self.service,
            digest(&commit),
            self.service
        );
        self.event(
            "artifact.published",
            &purl,
            json!({}),
            minute(11),
            json!({
                "commit": commit, "started": minute(8).to_string(),
            }),
        )?;
        if self.service == "web" {
            self.event(
                "artifact.published",
                "bundle",
                json!({}),
                minute(10),
                json!({
                    "commit": commit, "release": &digest(&commit)[..16], "started": minute(9).to_string(),
                }),
            )?;
        }
        let reached = match fate {
            Fate::Reaches(environments) => environments,
            Fate::Stuck => 1,
            Fate::RolledBack => 3,
            Fate::Fails => 0,
        };
        for (position, environment) in (0..).zip(&ENVIRONMENTS[..reached]) {
            self.live(&commit, &tag, environment, minute(15 + position * 90))?;
        }
        match fate {
            Fate::Stuck => self.stuck(&commit, &tag, minute(105)),
            Fate::RolledBack => self.rolled_back(&commit, number, minute(15 + 2 * 90)),
            Fate::Reaches(_) | Fate::Fails => Ok(()),
        }
    }

    /// The stages in an environment, up to its serving the change at `at`.
    fn live(&mut self, commit: &str, tag: &str, environment: &str, at: Timestamp) -> Result<()> {
        let before = |minutes: i64| (at - SignedDuration::from_mins(minutes)).to_string();
        let stage = |stage: &str, started: String, finished: String, detail: Value| json!({ "stage": stage, "status": "succeeded", "started": started, "finished": finished, "detail": { stage: detail } });
        let stages = [
            stage("bump", before(5), before(4), json!({ "tag_after": tag })),
            stage(
                "sync",
                before(4),
                before(3),
                json!({ "application": format!("{}-{environment}", self.service), "sync_status": "synced", "health": "healthy" }),
            ),
            stage(
                "rollout",
                before(3),
                at.to_string(),
                json!({ "workload": format!("Deployment/{}", self.service), "desired": 3, "updated": 3, "available": 3 }),
            ),
        ];
        self.report(commit, environment, stages.into())?;
        let content = json!({ "environment": { "id": environment } });
        let service = self.service.to_owned();
        self.event("service.deployed", &service, content, at, json!({ "commit": commit, "tag": tag }))
    }

    fn stuck(&mut self, commit: &str, tag: &str, at: Timestamp) -> Result<()> {
        let (began, synced) = (at.to_string(), (at + SignedDuration::from_mins(1)).to_string());
        let waiting =
            json!({ "pod": format!("{}-7d4f8c9b5-x2x7q", self.service), "reason": "ImagePullBackOff" });
        let rollout = json!({
            "workload": format!("Deployment/{}", self.service), "desired": 5, "updated": 2, "available": 3,
            "waiting": waiting, "old_serves": true,
        });
        self.report(commit, "staging", vec![
            json!({ "stage": "bump", "status": "succeeded", "finished": began, "detail": { "bump": { "tag_after": tag } } }),
            json!({ "stage": "sync", "status": "succeeded", "started": began, "finished": synced, "detail": { "sync": { "health": "progressing" } } }),
            json!({ "stage": "rollout", "status": "running", "started": synced, "detail": { "rollout": rollout } }),
        ])
    }

    /// It breaks in prod an hour after it went live, and what was there before comes back.
    fn rolled_back(&mut self, commit: &str, number: i64, live: Timestamp) -> Result<()> {
        let broke = (live + SignedDuration::from_mins(40)).to_string();
        let detail =
            json!({ "rollout": { "workload": format!("Deployment/{}", self.service), "restarts": 14 } });
        let failed = json!({ "stage": "rollout", "status": "failed", "attempt": 2, "finished": broke, "detail": detail });
        self.report(commit, "prod", vec![failed])?;
        let before = (0..number).rev().find(|before| fate(self.service, *before) == Fate::Reaches(3));
        let before = before.context("nothing was live before")?;
        let (service, earlier) = (self.service.to_owned(), sha(self.service, before));
        let tag = tag(self.position, before);
        let content = json!({ "environment": { "id": "prod" } });
        let at = live + SignedDuration::from_mins(52);
        self.event(
            "service.rolledback",
            &service,
            content,
            at,
            json!({ "commit": earlier, "tag": tag, "attempt": 2 }),
        )
    }

    fn report(&mut self, commit: &str, environment: &str, mut reports: Vec<Value>) -> Result<()> {
        for report in &mut reports {
            report["service"] = json!(self.service);
            report["commit"] = json!(commit);
            report["environment"] = json!(environment);
        }
        let body = json!({ "reports": reports }).to_string();
        let answer = self.console.send("POST", "/api/delivery/report", &body)?;
        taken(&answer)
    }

    fn event(
        &mut self,
        kind: &str,
        subject: &str,
        content: Value,
        at: Timestamp,
        custom: Value,
    ) -> Result<()> {
        let mut custom = custom;
        custom["service"] = json!(self.service);
        let id = digest(&format!("{} {kind} {subject} {at} {custom}", self.service));
        let data = json!({
            "context": { "version": "0.4.1", "id": id, "source": "https://ci.example.com/", "type": format!("dev.cdevents.{kind}.0.2.0"), "timestamp": at.to_string() },
            "subject": { "id": subject, "source": "https://ci.example.com/", "content": content },
            "customData": custom,
        });
        let event = json!({ "specversion": "1.0", "id": id, "source": "https://ci.example.com/", "type": data["context"]["type"], "data": data });
        let answer = self.console.send_as(
            "application/cloudevents+json",
            "POST",
            "/api/delivery/events",
            &event.to_string(),
        )?;
        taken(&answer)
    }
}

/// Fails where the console refused what it was told.
fn taken(answer: &str) -> Result<()> {
    match serde_json::from_str::<Value>(answer) {
        Ok(answer) if answer["new"].is_u64() => Ok(()),
        _ => bail!("the console refused a part of its deliveries: {answer}"),
    }
}

fn sha(service: &str, number: i64) -> String {
    digest(&format!("{service} {number}"))[..40].to_owned()
}

fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_names_what_the_story_tells_of() {
        let text = configuration();
        assert!(text.contains("environments = [\"dev\", \"staging\", \"prod\"]"), "{text}");
        assert_eq!(text.matches("[[services]]").count(), SERVICES.len());
    }

    #[test]
    fn every_place_has_a_tag_and_what_is_promoted_is_not_newer_than_where_it_comes_from() {
        let desired = desired(Timestamp::from_second(1_795_255_200).unwrap());
        assert_eq!(desired.len(), SERVICES.len() * ENVIRONMENTS.len());
        for places in desired.chunks(ENVIRONMENTS.len()) {
            let numbers: Vec<i64> =
                places.iter().filter_map(|one| one.tag.rsplit('.').next()?.parse().ok()).collect();
            assert!(numbers.is_sorted_by(|before, after| before >= after), "{numbers:?}");
        }
    }

    #[test]
    fn commits_are_forty_digits_and_differ() {
        let commits: std::collections::BTreeSet<String> = SERVICES
            .iter()
            .flat_map(|service| (0..CHANGES).map(move |number| sha(service, number)))
            .collect();
        assert_eq!(commits.len(), SERVICES.len() * CHANGES as usize);
        assert!(commits.iter().all(|commit| commit.len() == 40));
    }
}
