//! What polling costs: nothing where nothing happened, and as little as may be where little is left.

use std::sync::Arc;
use std::time::Duration;

use delivery::github::{GithubClient, GithubError, with_query};
use delivery::reader::Reader;
use delivery::{GithubAuth, GithubConfig};
use serde_json::{Value, json};

use super::stand_in::{Asked, World};
use super::{ONE_COMMIT, SHOP, commit, job, one_commit, reader, refused, run, sha, short, told};

fn statuses(asked: &[Asked]) -> Vec<u16> {
    asked.iter().map(|asked| asked.status).collect()
}

#[tokio::test]
async fn a_round_in_which_nothing_happened_costs_nothing() {
    let world = World::new("quiet");
    one_commit(&world).await;
    let build = run(8, 1, "users", "in_progress", None);
    world.put(SHOP, json!({ "runs": [build], "jobs": [job(80, &build, "test", "in_progress", None)] })).await;
    let mut reader = reader(GithubConfig { deployments: true, ..world.config() });
    told(&mut reader).await;
    let first = world.asked().await;
    assert!(statuses(&first).iter().all(|status| *status == 200), "{first:#?}");
    let second_round = told(&mut reader).await;
    assert_eq!((second_round.facts.len(), second_round.images.len()), (0, 0));
    let second = world.asked().await;
    // Runs, the jobs of the one that goes on, commits, tags, deployments.
    assert_eq!(statuses(&second), [304; 5], "{second:#?}");
}

#[tokio::test]
async fn a_token_that_ends_is_renewed_and_costs_everything_once() {
    let world = World::new("renewed");
    one_commit(&world).await;
    let mut reader = reader(world.app());
    assert_eq!(short(&told(&mut reader).await.facts), ONE_COMMIT);
    let first = world.asked().await;
    assert_eq!(first[0].path, "/repos/acme/shop/installation");
    assert_eq!((first[1].method.as_str(), first[1].status), ("POST", 201));
    told(&mut reader).await;
    assert!(statuses(&world.asked().await).iter().all(|status| *status == 304));

    // Before its time, as when the installation's permissions change.
    world.control("tokens", json!({ "good": [] })).await;
    world.put(SHOP, json!({ "tags": [{ "name": "v1.0.1", "sha": sha(1) }] })).await;
    let polled = told(&mut reader).await;
    assert_eq!(polled.images.len(), 2);
    let asked = world.asked().await;
    assert_eq!(statuses(&asked)[..2], [401, 201], "{asked:#?}");
    assert!(statuses(&asked)[2..].iter().all(|status| *status == 200), "{asked:#?}");
    let tokens: Vec<_> = asked[2..].iter().map(|asked| asked.token.clone()).collect();
    assert!(tokens.iter().all(|token| token.as_deref() == Some("Bearer ghs_42_2")), "{tokens:?}");
    told(&mut reader).await;
    assert!(statuses(&world.asked().await).iter().all(|status| *status == 304));

    // One that ends within five minutes is renewed before it is used.
    world.control("behave", json!({ "lasts": 240 })).await;
    world.control("tokens", json!({ "good": [] })).await;
    told(&mut reader).await;
    world.asked().await;
    told(&mut reader).await;
    let asked = world.asked().await;
    assert_eq!((asked[0].method.as_str(), asked[0].status), ("POST", 201));
}

#[tokio::test]
async fn an_app_that_is_not_installed_or_not_ours_says_so() {
    let world = World::new("not-installed");
    one_commit(&world).await;
    world.control("behave", json!({ "installed": false })).await;
    let error = refused(&mut reader(world.app())).await;
    assert_eq!(
        error.message,
        "the GitHub App is not installed on acme/shop: install it there, or correct the repository's name"
    );
    let GithubConfig { auth: GithubAuth::App { private_key, .. }, .. } = world.app() else {
        panic!("an App")
    };
    let auth = GithubAuth::App { app_id: 1, private_key, installation: None };
    let error = refused(&mut reader(GithubConfig { auth, ..world.config() })).await;
    assert!(error.message.contains("/installation was answered 401"), "{error}");
    let auth =
        GithubAuth::App { app_id: 1, private_key: delivery::Secret::new("x".into()), installation: None };
    let error = GithubClient::new(&GithubConfig { auth, ..world.config() }).expect_err("no key");
    assert!(error.to_string().contains("PEM"), "{error}");
    world.asked().await;
}

#[tokio::test]
async fn a_limit_is_told_at_once_and_nothing_is_asked_before_it_ends() {
    let world = World::new("limited");
    one_commit(&world).await;
    world.control("behave", json!({ "spent": 5000 })).await;
    let mut reader = reader(world.config());
    let error = refused(&mut reader).await;
    let wait = error.retry_after.expect("a time to wait");
    assert!(error.message.starts_with("GitHub limits how often it is asked"), "{error}");
    assert!(wait > Duration::ZERO);
    assert_eq!(statuses(&world.asked().await), [403]);
    refused(&mut reader).await;
    assert_eq!(statuses(&world.asked().await), [0; 0]);
}

#[tokio::test]
async fn a_secondary_limit_is_waited_for_a_minute() {
    let world = World::new("secondary");
    one_commit(&world).await;
    world.control("behave", json!({ "fault": "secondary" })).await;
    let client = GithubClient::new(&world.config()).expect("a client");
    let error = client.get::<Value>(SHOP, "").await.expect_err("it is refused");
    let wait = error.retry_after(jiff::Timestamp::now()).expect("a time to wait");
    assert!((55..=60).contains(&wait.as_secs()), "{wait:?}");
    // Another that shares what the client knows does not ask either.
    let error = client.clone().get::<Value>(SHOP, "/tags").await.expect_err("it is refused");
    assert!(matches!(error, GithubError::Limited { .. }), "{error}");
    assert_eq!(world.asked().await.len(), 1);
}

#[tokio::test]
async fn where_little_is_left_only_the_runs_are_read() {
    let world = World::new("low");
    one_commit(&world).await;
    world.control("behave", json!({ "limit": 100, "spent": 95 })).await;
    let mut reader = reader(world.config());
    assert_eq!(short(&told(&mut reader).await.facts), ["run/7/1/success/users"]);
    let asked = world.asked().await;
    assert_eq!(asked.len(), 1, "{asked:#?}");
    assert!(asked[0].path.starts_with("/repos/acme/shop/actions/runs?"));
    // What was left out is read once there is more.
    world.control("behave", json!({ "spent": 0 })).await;
    let rest = told(&mut reader).await;
    assert_eq!(short(&rest.facts), ["job/70/success/users", "push/payments", "push/users"]);
    assert_eq!(rest.images.len(), 2);
}

#[tokio::test]
async fn a_renamed_repository_is_followed_and_check_says_so() {
    let world = World::new("renamed");
    one_commit(&world).await;
    world.control("rename", json!({ "from": SHOP, "to": "acme/store" })).await;
    let mut reader = reader(world.config());
    assert_eq!(short(&told(&mut reader).await.facts), ONE_COMMIT);
    let checked = reader.check().await;
    let problem = checked[0].outcome.as_ref().expect_err("it was renamed");
    assert!(problem.contains("renamed to acme/store"), "{problem}");
    world.asked().await;
}

#[tokio::test]
async fn pages_are_followed_and_files_are_read_as_they_are() {
    let world = World::new("pages");
    let commits: Vec<_> = (1..=7).map(|number| commit(number, "Change")).collect();
    let text = "image:\n  tag: \"1.0\" # here\n";
    world
        .put(
            SHOP,
            json!({
                "branches": { "main": sha(7) }, "commits": commits,
                "files": [{ "path": "envs/dev/values.yaml", "content": text }],
            }),
        )
        .await;
    let client =
        GithubClient::new(&GithubConfig { api_url: format!("{}/", world.api_url()), ..world.config() });
    let client = Arc::new(client.expect("a client"));
    let path = with_query("/commits", &[("sha", "main"), ("per_page", "3")]);
    let sizes = |pages: &[Vec<Value>]| pages.iter().map(Vec::len).collect::<Vec<_>>();
    let all = client.pages::<Vec<Value>>(SHOP, &path, 10).await.expect("pages");
    assert_eq!((sizes(&all.body), all.changed, all.next), (vec![3, 3, 1], true, None));
    let again = client.pages::<Vec<Value>>(SHOP, &path, 10).await.expect("pages");
    assert_eq!((again.body == all.body, again.changed), (true, false));
    let some = client.pages::<Vec<Value>>(SHOP, &path, 2).await.expect("pages");
    assert_eq!((sizes(&some.body), some.next.is_some()), (vec![3, 3], true));

    let path = with_query("/contents/envs/dev/values.yaml", &[("ref", "main")]);
    let file = client.get_raw(SHOP, &path).await.expect("a file");
    assert_eq!((file.body.as_slice(), file.changed), (text.as_bytes(), true));
    assert!(!client.get_raw(SHOP, &path).await.expect("a file").changed);
    // The same address in JSON is another answer.
    let wrapped = client.get::<Value>(SHOP, &path).await.expect("a file");
    assert_eq!((wrapped.body["encoding"].as_str(), wrapped.changed), (Some("base64"), true));
    world.asked().await;
}
