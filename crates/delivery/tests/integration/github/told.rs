//! What polling tells: the same facts as the webhooks, once.

use delivery::GithubConfig;
use delivery::github::GithubClient;
use domain::delivery::{Detail, Fact, Status};
use serde_json::json;

use super::stand_in::World;
use super::{
    ONE_COMMIT, SHOP, commit, commit_sha, console, followed, ids, job, now, one_commit, reader,
    reader_through, run, sha, short, signature, told,
};

/// Everything that is told of a repository, in final states, of which there is one webhook each.
async fn fill(world: &World) {
    let users = run(7, 3, "users", "completed", Some("failure"));
    let shared = run(8, 3, "shared", "completed", Some("success"));
    let mut again = run(9, 2, "payments", "completed", Some("startup_failure"));
    again["run_attempt"] = json!(2);
    let other = run(10, 2, "nightly", "completed", Some("success"));
    let jobs = [
        job(70, &users, "test (linux)", "completed", Some("failure")),
        job(71, &users, "deploy", "completed", Some("skipped")),
        job(80, &shared, "lint", "completed", Some("success")),
        job(100, &other, "fuzz", "completed", Some("success")),
    ];
    let statuses = [
        json!({ "id": 30, "deployment_id": 3, "state": "in_progress", "target_url": "https://shop.example.com" }),
        json!({ "id": 31, "deployment_id": 3, "state": "success", "target_url": "https://shop.example.com" }),
        json!({ "id": 40, "deployment_id": 4, "state": "failure", "target_url": "https://shop.example.com" }),
        json!({ "id": 50, "deployment_id": 5, "state": "success", "target_url": "https://shop.example.com" }),
    ];
    let at = |second: u32| format!("2026-11-21T11:00:{second:02}Z");
    let statuses: Vec<_> = statuses
        .into_iter()
        .zip(1..)
        .map(|(mut status, second)| {
            status["created_at"] = json!(at(second));
            status
        })
        .collect();
    let parts = json!({
        "branches": { "main": sha(3) },
        "commits": [commit(1, "Begin"), commit(2, "Merge pull request #41 from acme/topic\n\nMore"), commit(3, "Pay in instalments")],
        "runs": [users, shared, again, other], "jobs": jobs,
        "pulls": [{
            "number": 42, "title": "Pay in instalments", "merged_at": "2026-11-21T10:03:00Z", "merge_commit_sha": sha(3),
            "brought": [sha(1)],
        }],
        "deployments": [
            { "id": 3, "sha": sha(2), "environment": "Dev" },
            { "id": 4, "sha": sha(3), "environment": "prod" },
            { "id": 5, "sha": sha(3), "environment": "preview-7" },
        ],
        "statuses": statuses,
        "tags": [{ "name": "v1.4.2", "sha": sha(2) }, { "name": "nightly", "sha": sha(3) }, { "name": "users-2.0", "sha": sha(3) }],
    });
    world.put(SHOP, parts).await;
}

#[tokio::test]
async fn webhooks_and_polling_tell_the_same() {
    let world = World::new("same");
    fill(&world).await;
    let github = GithubConfig { deployments: true, ..world.config() };

    let by_webhook = console(followed(github.clone())).await;
    for (event, body) in world.webhooks(SHOP).await {
        by_webhook
            .github_webhook(&event, &signature(&body), body.as_bytes(), now())
            .await
            .expect("it is taken");
    }
    let by_polling = console(followed(github.clone())).await;
    let polled = told(&mut reader(github)).await;
    by_polling.record(polled.facts.clone(), now()).await.expect("they are taken");

    let mut all: Vec<Fact> = Vec::new();
    for service in &by_webhook.config().services {
        for number in [1, 2, 3] {
            let heard = by_webhook.facts(&service.name, &commit_sha(number)).await.expect("facts");
            let mut heard = heard;
            let mut seen = by_polling.facts(&service.name, &commit_sha(number)).await.expect("facts");
            heard.sort_by(|left, right| left.source_id.cmp(&right.source_id));
            seen.sort_by(|left, right| left.source_id.cmp(&right.source_id));
            assert_eq!(seen, heard, "{} {number}", service.name);
            all.extend(heard);
        }
    }
    let expected = [
        "deployment/30/payments",
        "deployment/30/users",
        "deployment/31/payments",
        "deployment/31/users",
        "deployment/40/payments",
        "deployment/40/users",
        "job/70/failure/users",
        "job/71/skipped/users",
        "job/80/success/payments",
        "pull/42/payments",
        "pull/42/users",
        "push/payments",
        "push/payments",
        "push/payments",
        "push/users",
        "push/users",
        "push/users",
        "run/7/1/failure/users",
        "run/8/1/success/payments",
        "run/9/2/startup_failure/payments",
    ];
    assert_eq!(short(&all), expected);
    // So that both together count once.
    let again = by_webhook.record(polled.facts, now()).await.expect("they are taken");
    assert_eq!(again.new, 0);
    world.asked().await;
}

#[tokio::test]
async fn version_tags_tell_what_they_were_built_from() {
    let world = World::new("tags");
    fill(&world).await;
    let mut reader = reader(world.config());
    let mut images: Vec<_> = told(&mut reader)
        .await
        .images
        .into_iter()
        .map(|image| (image.service.to_string(), image.tags.join(" "), image.revision))
        .collect();
    images.sort();
    let image = |service: &str, tags: &str, number| (service.to_owned(), tags.to_owned(), Some(sha(number)));
    let expected = [
        image("payments", "v1.4.2 1.4.2", 2),
        image("users", "users-2.0 2.0", 3),
        image("users", "v1.4.2 1.4.2", 2),
    ];
    assert_eq!(images, expected);
    // A new one is told, and what was told before is not.
    world.put(SHOP, json!({ "tags": [{ "name": "v1.4.3", "sha": sha(3) }] })).await;
    let images = told(&mut reader).await.images;
    assert_eq!(images.len(), 2);
    assert!(images.iter().all(|image| image.tags == ["v1.4.3", "1.4.3"]));
    world.asked().await;
}

#[tokio::test]
async fn a_run_is_followed_to_its_end() {
    let world = World::new("followed");
    one_commit(&world).await;
    let mut reader = reader(world.config());
    assert_eq!(short(&told(&mut reader).await.facts), ONE_COMMIT);

    let mut build = run(8, 1, "users", "in_progress", None);
    build["updated_at"] = json!("2026-11-21T11:00:00Z");
    let test = job(80, &build, "test", "in_progress", None);
    world.put(SHOP, json!({ "runs": [build], "jobs": [test] })).await;
    let facts = told(&mut reader).await.facts;
    assert_eq!(ids(&facts), ["job/80/in_progress/users", "run/8/1/in_progress/users"]);
    assert_eq!(facts.iter().find(|fact| fact.job.is_some()).map(|fact| fact.status), Some(Status::Running));

    // A job ends before its run, which does not change with it.
    let test = job(80, &build, "test", "completed", Some("failure"));
    world.put(SHOP, json!({ "jobs": [test] })).await;
    let facts = told(&mut reader).await.facts;
    assert_eq!(ids(&facts), ["job/80/failure/users"]);
    let Some(Detail::Ci(detail)) = &facts[0].detail else { panic!("{facts:?}") };
    assert_eq!(detail.step.as_deref(), Some("cargo test"));

    // Others have pushed it off the first page when it ends.
    let others: Vec<_> = (100..140).map(|id| run(id, 1, "nightly", "completed", Some("success"))).collect();
    world.put(SHOP, json!({ "runs": others })).await;
    assert_eq!(told(&mut reader).await.facts, []);
    let ended = run(8, 1, "users", "completed", Some("failure"));
    let second = job(81, &build, "report", "completed", Some("success"));
    world.put(SHOP, json!({ "runs": [ended], "jobs": [second] })).await;
    let facts = told(&mut reader).await.facts;
    let expected = ["job/80/failure/users", "job/81/success/users", "run/8/1/failure/users"];
    assert_eq!(ids(&facts), expected);

    // It is run again: the same run, another attempt.
    let mut again = run(8, 1, "users", "completed", Some("success"));
    again["run_attempt"] = json!(2);
    again["updated_at"] = json!("2026-11-21T11:30:00Z");
    world
        .put(
            SHOP,
            json!({ "runs": [again], "jobs": [job(82, &again, "test", "completed", Some("success"))] }),
        )
        .await;
    for id in 100..140 {
        world.control("remove", json!({ "repository": SHOP, "part": "runs", "id": id })).await;
    }
    let facts = told(&mut reader).await.facts;
    assert_eq!(ids(&facts), ["job/82/success/users", "run/8/2/success/users"]);
    assert!(facts.iter().all(|fact| fact.attempt == 2));
    assert_eq!(told(&mut reader).await.facts, []);
    world.asked().await;
}

#[tokio::test]
async fn who_shares_a_client_misses_nothing_that_others_asked_for() {
    let world = World::new("shared");
    one_commit(&world).await;
    let client = GithubClient::new(&world.config()).expect("a client");
    let mut one = reader_through(client.clone(), world.config());
    let mut other = reader_through(client, world.config());
    for reader in [&mut one, &mut other] {
        assert_eq!(short(&told(reader).await.facts), ONE_COMMIT);
    }
    let more = json!({
        "branches": { "main": sha(2) }, "commits": [commit(2, "Pay (#43)")],
        "runs": [run(8, 2, "users", "queued", None)], "tags": [{ "name": "v1.0.1", "sha": sha(2) }],
    });
    world.put(SHOP, more).await;
    for reader in [&mut one, &mut other] {
        let polled = told(reader).await;
        assert_eq!(short(&polled.facts), ["push/payments", "push/users", "run/8/1/queued/users"]);
        assert_eq!(polled.images.len(), 2);
    }
    for reader in [&mut one, &mut other] {
        assert_eq!(told(reader).await.facts, []);
    }
    world.asked().await;
}

#[tokio::test]
async fn a_run_that_waits_names_who_has_to_approve() {
    let world = World::new("waits");
    one_commit(&world).await;
    let build = run(8, 1, "users", "waiting", None);
    let deploy = job(80, &build, "deploy", "waiting", None);
    let pending = json!([{
        "environment": { "name": "prod" },
        "reviewers": [{ "type": "User", "reviewer": { "login": "grace", "type": "User" } }],
    }]);
    world.put(SHOP, json!({ "runs": [build], "jobs": [deploy], "pending": { "8": pending } })).await;
    let mut reader = reader(world.config());
    let facts = told(&mut reader).await.facts;
    let waiting = facts.iter().find(|fact| fact.source_id == "run/8/1/waiting:prod/users");
    let Some(Detail::Ci(detail)) = waiting.and_then(|fact| fact.detail.as_ref()) else { panic!("{facts:?}") };
    assert_eq!((detail.step.as_deref(), detail.needs_approval), (Some("prod (grace)"), true));
    assert!(ids(&facts).contains(&"job/80/waiting/users"));
    assert_eq!(told(&mut reader).await.facts, []);
    world.asked().await;
}

#[tokio::test]
async fn what_a_fork_builds_is_not_taken() {
    let world = World::new("fork");
    one_commit(&world).await;
    let mut fork = run(8, 66, "users", "completed", Some("success"));
    fork["head_repository"] = json!("mallory/shop");
    fork["event"] = json!("pull_request");
    world
        .put(SHOP, json!({ "runs": [fork], "jobs": [job(80, &fork, "test", "completed", Some("success"))] }))
        .await;
    let polled = told(&mut reader(world.config())).await;
    assert_eq!(short(&polled.facts), ONE_COMMIT);
    // A webhook's job does not say so, but comes after its run.
    let console = console(followed(world.config())).await;
    for (event, body) in world.webhooks(SHOP).await {
        console.github_webhook(&event, &signature(&body), body.as_bytes(), now()).await.expect("it is taken");
    }
    let users = &console.config().services[0].name;
    assert!(console.facts(users, &commit_sha(66)).await.map_or(true, |facts| facts.is_empty()));
    let own = console.facts(users, &commit_sha(1)).await.expect("facts");
    assert_eq!(short(&own), ["job/70/success/users", "push/users", "run/7/1/success/users"]);
    world.asked().await;
}

#[tokio::test]
async fn many_commits_are_read_to_where_they_are_known() {
    let world = World::new("many");
    let commits: Vec<_> = (1..=300).map(|number| commit(number, &format!("Change (#{number})"))).collect();
    world.put(SHOP, json!({ "branches": { "main": sha(300) }, "commits": commits })).await;
    let mut reader = reader(world.config());
    let facts = told(&mut reader).await.facts;
    assert_eq!(facts.len(), 2 * 120);
    world.asked().await;
    let commits: Vec<_> = (301..=340).map(|number| commit(number, &format!("Change (#{number})"))).collect();
    world.put(SHOP, json!({ "branches": { "main": sha(340) }, "commits": commits })).await;
    let facts = told(&mut reader).await.facts;
    assert_eq!(facts.len(), 2 * 40);
    let pages = world.asked().await.iter().filter(|asked| asked.path.contains("/commits?")).count();
    assert_eq!(pages, 2);
}

#[tokio::test]
async fn a_repository_without_a_commit_tells_nothing() {
    let world = World::new("empty");
    world.put(SHOP, json!({})).await;
    let polled = told(&mut reader(world.config())).await;
    assert_eq!((polled.facts.len(), polled.images.len()), (0, 0));
    assert!(polled.sightings.is_none());
    world.asked().await;
}
