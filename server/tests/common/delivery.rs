//! Two services over three environments, and what pipelines and GitHub tell of them.

use hmac::{Hmac, Mac};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::Sha256;

use super::Console;

/// What GitHub signs with.
pub(crate) const SECRET: &str = "0123456789abcdef0123";

/// The configuration of both services.
pub(crate) fn followed() -> String {
    format!(
        "delivery = {{ environments = [\"dev\", \"staging\", \"prod\"], github_webhook_secret = \"{SECRET}\" }}\n\
         services = [{{ name = \"checkout\", repository = \"acme/checkout\" }}, {{ name = \"users\" }}]\n"
    )
}

/// The commit of a number.
pub(crate) fn sha(number: u32) -> String {
    format!("{number:07x}{}", "0".repeat(33))
}

/// So many minutes ago.
pub(crate) fn ago(minutes: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_mins(minutes)
}

/// A stage of a change in the form of a report.
pub(crate) fn stage(service: &str, number: u32, stage: &str, status: &str, more: Value) -> Value {
    let mut report = json!({ "service": service, "commit": sha(number), "stage": stage, "status": status });
    if let (Some(report), Some(more)) = (report.as_object_mut(), more.as_object()) {
        report.extend(more.clone());
    }
    report
}

/// That a commit was pushed.
pub(crate) fn commit(service: &str, number: u32, title: &str, minutes: i64) -> Value {
    let detail = json!({
        "title": title, "author": "Ada Lovelace", "branch": "main", "committed": ago(minutes),
        "pull_request": 100 + number,
    });
    stage(
        service,
        number,
        "commit",
        "succeeded",
        json!({ "finished": ago(minutes), "detail": { "commit": detail } }),
    )
}

/// That a change went live.
pub(crate) fn live(service: &str, number: u32, environment: &str, version: &str, minutes: i64) -> Value {
    let more = json!({
        "environment": environment, "finished": ago(minutes), "detail": { "live": { "version": version } },
    });
    stage(service, number, "live", "succeeded", more)
}

/// A webhook of GitHub's as it is sent, signed with `secret`.
pub(crate) async fn webhook(console: &Console, event: &str, body: &str, secret: &str) -> reqwest::Response {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key");
    mac.update(body.as_bytes());
    console
        .client
        .post(format!("{}/api/delivery/github", console.url))
        .header("content-type", "application/json")
        .header("x-github-event", event)
        .header("x-hub-signature-256", format!("sha256={}", hex::encode(mac.finalize().into_bytes())))
        .body(body.to_owned())
        .send()
        .await
        .expect("the console answers")
}

/// A push of one commit to the main branch of checkout.
pub(crate) fn push(number: u32, title: &str, minutes: i64) -> Value {
    json!({
        "ref": "refs/heads/main",
        "repository": { "full_name": "acme/checkout" },
        "commits": [{
            "id": sha(number), "message": title, "timestamp": ago(minutes),
            "url": format!("https://github.com/acme/checkout/commit/{}", sha(number)),
            "author": { "name": "Grace Hopper" },
        }],
    })
}

/// A job of CI that runs since some minutes.
pub(crate) fn running_job(number: u32, minutes: i64) -> Value {
    json!({
        "action": "in_progress",
        "repository": { "full_name": "acme/checkout" },
        "workflow_job": {
            "id": 7, "name": "test", "workflow_name": "build", "head_sha": sha(number), "head_branch": "main",
            "status": "in_progress", "conclusion": null, "run_attempt": 1, "started_at": ago(minutes),
            "completed_at": null, "html_url": "https://github.com/acme/checkout/actions/runs/1/job/7",
            "steps": [{ "name": "cargo test", "status": "in_progress", "conclusion": null }],
        },
    })
}

/// A few days of both services: one change everywhere, one that is stuck on its way to staging, one that was put back.
pub(crate) fn history() -> Vec<Value> {
    const HOUR: i64 = 60;
    const DAY: i64 = 24 * HOUR;
    let span = |from: i64, to: i64| json!({ "started": ago(from), "finished": ago(to) });
    let with = |mut more: Value, name: &str, value: Value| {
        more[name] = value;
        more
    };
    let job = |name: &str, from: i64, to: i64| {
        let link = format!("https://github.com/acme/checkout/actions/runs/3/job/{name}");
        with(with(span(from, to), "job", json!(name)), "link", json!(link))
    };
    let digest = format!("sha256:{}", "ab".repeat(32));
    let image = json!({ "image": {
        "repository": "acme/checkout", "tag": "1.6.0", "digest": digest, "scan": { "high": 2 },
    } });
    let waiting = json!({ "rollout": {
        "workload": "Deployment/checkout", "desired": 5, "updated": 2, "old_serves": true,
        "waiting": { "pod": "checkout-7d9f-x2x", "reason": "ErrImagePull" },
    } });
    let bump = json!({ "bump": { "pull_request": 9, "tag_before": "1.5.0", "tag_after": "1.6.0" } });
    let at_staging = |from: i64, to: i64| with(span(from, to), "environment", json!("staging"));
    vec![
        commit("checkout", 1, "Take payments in two currencies", 6 * DAY),
        live("checkout", 1, "dev", "1.4.0", 6 * DAY - HOUR),
        live("checkout", 1, "staging", "1.4.0", 5 * DAY),
        live("checkout", 1, "prod", "1.4.0", 4 * DAY),
        commit("checkout", 2, "Round amounts half to even", 3 * DAY),
        live("checkout", 2, "dev", "1.5.0", 3 * DAY - 20),
        live("checkout", 2, "staging", "1.5.0", 2 * DAY),
        live("checkout", 2, "prod", "1.5.0", 30 * HOUR),
        live("checkout", 1, "prod", "1.4.0", 29 * HOUR),
        commit("checkout", 3, "Show the sum before paying", 5 * HOUR),
        stage("checkout", 3, "ci", "succeeded", job("build", 299, 292)),
        stage("checkout", 3, "ci", "succeeded", job("test", 298, 285)),
        stage("checkout", 3, "image", "succeeded", with(span(284, 282), "detail", image)),
        stage(
            "checkout",
            3,
            "assets",
            "succeeded",
            with(span(284, 283), "detail", json!({ "assets": { "release": "7f30c1aa" } })),
        ),
        stage(
            "checkout",
            3,
            "invalidation",
            "succeeded",
            with(span(283, 281), "detail", json!({ "invalidation": { "id": "I2EXAMPLE" } })),
        ),
        live("checkout", 3, "dev", "1.6.0", 4 * HOUR),
        stage("checkout", 3, "bump", "succeeded", with(at_staging(60, 55), "detail", bump)),
        stage("checkout", 3, "sync", "succeeded", at_staging(54, 53)),
        stage(
            "checkout",
            3,
            "rollout",
            "running",
            json!({ "environment": "staging", "started": ago(53), "detail": waiting }),
        ),
        commit("users", 11, "Forget who asked to be forgotten", 26 * HOUR),
        live("users", 11, "dev", "0.7.3", 25 * HOUR),
        stage(
            "users",
            11,
            "rollout",
            "failed",
            with(
                at_staging(24 * HOUR, 23 * HOUR),
                "link",
                json!("https://argocd.example.com/applications/users"),
            ),
        ),
    ]
}
