//! One day of two services in one repository: commits, their CI with failures and second attempts, deployments, and one that is put
//! back, as GitHub or another CI tells them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::at;

pub(super) const SERVICES: [&str; 2] = ["users", "payments"];
pub(super) const ENVIRONMENTS: [&str; 3] = ["dev", "staging", "prod"];

const COMMITS: u64 = 6;
const SECONDS_BETWEEN_COMMITS: i64 = 3 * 3_600;
const JOBS: [&str; 3] = ["lint", "test (linux)", "image"];

/// When everything was told that is told of the day.
pub(super) fn end_of_day() -> Timestamp {
    at(24 * 3_600)
}

/// Who tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    Github,
    CdEvents,
}

/// A message as it is delivered.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Message {
    pub(super) sender: Sender,
    /// GitHub's name of it.
    pub(super) event: &'static str,
    pub(super) body: Value,
    /// When it is delivered.
    pub(super) at: Timestamp,
}

/// A day's messages, in the order in which they were sent.
pub(super) struct Day {
    pub(super) messages: Vec<Message>,
    pub(super) commits: Vec<String>,
}

impl Day {
    pub(super) fn of(sender: Sender, random: &mut Random) -> Day {
        let commits: Vec<String> =
            (1..=COMMITS).map(|number| format!("{:040x}", random.next() | number)).collect();
        let mut writer =
            Writer { sender, messages: Vec::new(), last_id: 0, abandoned: Some(commits[2].clone()) };
        for (number, commit) in commits.iter().enumerate() {
            let start = SECONDS_BETWEEN_COMMITS * number as i64 + random.below(600);
            writer.commit(commit, number as u32 + 1, start);
            for service in SERVICES {
                let built = writer.ci(service, commit, start + 10, random);
                writer.deployments(service, commit, built + 60, random);
            }
        }
        // What the last one brought is put back at the end of the day.
        let evening = SECONDS_BETWEEN_COMMITS * COMMITS as i64 + 3_600;
        for service in SERVICES {
            writer.live(service, &commits[0], "prod", evening, true);
        }
        writer.noise();
        writer.messages.sort_by_key(|message| message.at);
        Day { messages: writer.messages, commits }
    }

    /// All messages in another order, some of them again.
    pub(super) fn mixed_up(&self, random: &mut Random) -> Vec<Message> {
        let mut messages = self.messages.clone();
        for message in &self.messages {
            for _ in 0..[0, 0, 1, 2][random.below(4) as usize] {
                messages.push(message.clone());
            }
        }
        for position in (1..messages.len()).rev() {
            messages.swap(position, random.below(position as i64 + 1) as usize);
        }
        messages
    }
}

/// Numbers that are the same for the same seed (splitmix64).
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From zero to below the limit.
    fn below(&mut self, limit: i64) -> i64 {
        (self.next() % limit.unsigned_abs()) as i64
    }
}

/// How a part of CI ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Success,
    Failure,
    Skipped,
}

struct Writer {
    sender: Sender,
    messages: Vec<Message>,
    last_id: u64,
    /// The commit whose deployment to production is begun and never ends.
    abandoned: Option<String>,
}

impl Writer {
    fn id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    fn github(&mut self, event: &'static str, seconds: i64, mut body: Value) {
        body["repository"] = json!({ "full_name": "acme/shop" });
        self.messages.push(Message { sender: Sender::Github, event, body, at: at(seconds + 1) });
    }

    fn cdevent(&mut self, kind: &str, seconds: i64, subject: &str, content: Value, custom: Value) {
        let id = self.id();
        let body = json!({
            "context": {
                "version": "0.4.1", "id": id.to_string(), "source": "/ci", "type": format!("dev.cdevents.{kind}.0.2.0"),
                "timestamp": at(seconds),
            },
            "subject": { "id": subject, "content": content },
            "customData": custom,
        });
        self.messages.push(Message { sender: Sender::CdEvents, event: "", body, at: at(seconds + 1) });
    }

    fn commit(&mut self, commit: &str, number: u32, seconds: i64) {
        let title = format!("Change number {number} (#{})", 100 + number);
        match self.sender {
            Sender::Github => {
                let pushed = json!({
                    "id": commit, "message": title, "timestamp": at(seconds), "author": { "name": "Ada Lovelace" },
                    "url": format!("https://github.com/acme/shop/commit/{commit}"),
                });
                self.github("push", seconds, json!({ "ref": "refs/heads/main", "commits": [pushed] }));
                let pull_request = json!({
                    "number": 100 + number, "title": title, "merged": true, "merge_commit_sha": commit,
                    "html_url": format!("https://github.com/acme/shop/pull/{}", 100 + number),
                    "user": { "login": "ada" }, "base": { "ref": "main" },
                });
                self.github(
                    "pull_request",
                    seconds + 2,
                    json!({ "action": "closed", "pull_request": pull_request }),
                );
            }
            Sender::CdEvents => {
                for service in SERVICES {
                    let custom =
                        json!({ "service": service, "author": "Ada", "title": title, "branch": "main" });
                    self.cdevent("change.merged", seconds, commit, json!({}), custom);
                }
            }
        }
    }

    /// Runs the jobs, once more where one failed, and answers when they ended.
    fn ci(&mut self, service: &str, commit: &str, seconds: i64, random: &mut Random) -> i64 {
        let run = self.id();
        let mut start = seconds + random.below(30);
        for attempt in 1..=3 {
            let mut end = start;
            let mut failed = false;
            self.run(service, commit, (run, attempt), start, None);
            for job in JOBS {
                let job_id = self.id();
                let begins = end + 5 + random.below(60);
                let outcome = match (attempt, random.below(5)) {
                    (1 | 2, 0) => Outcome::Failure,
                    (_, 1) => Outcome::Skipped,
                    _ => Outcome::Success,
                };
                end = begins + 20 + random.below(300);
                self.job(service, commit, (job_id, attempt), job, (start, begins, end), outcome);
                failed |= outcome == Outcome::Failure;
            }
            let outcome = if failed { Outcome::Failure } else { Outcome::Success };
            self.run(service, commit, (run, attempt), start, Some((end + 3, outcome)));
            if !failed {
                return end;
            }
            start = end + 120;
        }
        start
    }

    fn run(
        &mut self,
        service: &str,
        commit: &str,
        (id, attempt): (u64, u32),
        start: i64,
        end: Option<(i64, Outcome)>,
    ) {
        let (now, status, conclusion) = match end {
            None => (start, "in_progress", None),
            Some((end, outcome)) => (end, "completed", Some(outcome)),
        };
        match self.sender {
            Sender::Github => {
                let run = json!({
                    "id": id, "name": service, "head_sha": commit, "head_branch": "main", "run_attempt": attempt,
                    "head_repository": { "full_name": "acme/shop" }, "event": "push", "status": status,
                    "conclusion": conclusion.map(Outcome::word), "run_started_at": at(start), "updated_at": at(now),
                    "html_url": format!("https://github.com/acme/shop/actions/runs/{id}/attempts/{attempt}"),
                });
                self.github("workflow_run", now, json!({ "action": status, "workflow_run": run }));
            }
            Sender::CdEvents => {
                let custom =
                    json!({ "service": service, "commit": commit, "attempt": attempt, "started": at(start) });
                let content = json!({ "outcome": conclusion.map(Outcome::word), "url": format!("https://ci.example.com/{id}") });
                let kind = if end.is_some() { "pipelinerun.finished" } else { "pipelinerun.started" };
                self.cdevent(kind, now, &id.to_string(), content, custom);
            }
        }
    }

    fn job(
        &mut self,
        service: &str,
        commit: &str,
        (id, attempt): (u64, u32),
        name: &str,
        (queued, begins, end): (i64, i64, i64),
        outcome: Outcome,
    ) {
        let states = [("queued", queued), ("in_progress", begins), ("completed", end)];
        for (status, now) in states {
            let is_over = status == "completed";
            match self.sender {
                Sender::Github => {
                    let conclusion = is_over.then(|| outcome.word());
                    let step = json!({ "name": "cargo test", "status": status, "conclusion": conclusion });
                    let job = json!({
                        "id": id, "name": name, "workflow_name": service, "head_sha": commit, "head_branch": "main",
                        "status": status, "conclusion": conclusion, "run_attempt": attempt, "started_at": at(begins.min(now)),
                        "completed_at": is_over.then(|| at(end)), "steps": [step],
                        "html_url": format!("https://github.com/acme/shop/actions/runs/1/job/{id}"),
                    });
                    self.github("workflow_job", now, json!({ "action": status, "workflow_job": job }));
                }
                Sender::CdEvents => {
                    let custom =
                        json!({ "service": service, "commit": commit, "attempt": attempt, "job": name });
                    let kind = match status {
                        "queued" => "testsuiterun.queued",
                        "in_progress" => "taskrun.started",
                        _ => "taskrun.finished",
                    };
                    let content = json!({ "outcome": is_over.then(|| outcome.word()), "taskName": name });
                    self.cdevent(kind, now, &id.to_string(), content, custom);
                }
            }
        }
    }

    fn deployments(&mut self, service: &str, commit: &str, seconds: i64, random: &mut Random) {
        let mut start = seconds;
        for environment in ENVIRONMENTS {
            if self.sender == Sender::Github {
                self.deployment(commit, environment, "queued", start);
                self.deployment(commit, environment, "in_progress", start + 20);
                if environment == "prod" && self.abandoned.as_deref() == Some(commit) {
                    return;
                }
                if random.below(4) == 0 {
                    self.deployment(commit, environment, "failure", start + 60);
                }
            }
            start += 120 + random.below(300);
            self.live(service, commit, environment, start, false);
        }
    }

    fn live(&mut self, service: &str, commit: &str, environment: &str, seconds: i64, again: bool) {
        match self.sender {
            // Of a repository with two services, each deployment is of both.
            Sender::Github => self.deployment(commit, environment, "success", seconds),
            Sender::CdEvents => {
                let kind = if again { "service.rolledback" } else { "service.deployed" };
                let content = json!({ "environment": { "id": environment } });
                let custom = json!({ "commit": commit, "tag": format!("1.0.0-{}", &commit[..7]) });
                self.cdevent(kind, seconds, service, content, custom);
            }
        }
    }

    fn deployment(&mut self, commit: &str, environment: &str, state: &str, seconds: i64) {
        let id = self.id();
        let body = json!({
            "deployment": { "sha": commit, "environment": environment, "ref": "main" },
            "deployment_status": {
                "id": id, "state": state, "created_at": at(seconds), "log_url": "", "target_url": "https://shop.example.com",
            },
        });
        self.github("deployment_status", seconds, body);
    }

    /// What says nothing of what is followed.
    fn noise(&mut self) {
        let other = "f".repeat(40);
        match self.sender {
            Sender::Github => {
                self.github("ping", 5, json!({ "zen": "Keep it logically awesome." }));
                let pushed = json!({ "id": other, "message": "Elsewhere", "timestamp": at(50) });
                self.github("push", 50, json!({ "ref": "refs/heads/topic", "commits": [pushed] }));
                self.deployment(&other, "preview-7", "success", 60);
            }
            Sender::CdEvents => self.cdevent("ticket.created", 70, "t", json!({}), json!({})),
        }
    }
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::Failure => "failure",
            Outcome::Skipped => "skipped",
        }
    }
}
