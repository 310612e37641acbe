//! GitHub: what it refuses, what it does by itself, and a connection that breaks at every request.

use delivery::GithubAuth;
use delivery::github::GithubClient;
use delivery::gitops::host::{GithubHost, Host, HostError, Opened, Proposal, RequestSeen};
use serde_json::{Value, json};

use super::{DEV, NAME, PROD, Scene};

impl Scene {
    async fn behave(&self, how: Value) {
        self.world().control("behave", how).await;
    }

    async fn rules(&self, rules: Value) {
        self.world().put(NAME, json!({"rules": rules})).await;
    }
}

/// Does something again and again, with the connection broken at its first request, its second, and so on, before the request is
/// carried out and, where it changes something, after: each time it is done again, and `check` looks at the outcome. `prepare` makes
/// a scene of its own for each.
async fn broken_everywhere<T>(
    name: &str,
    prepare: impl AsyncFn(&Scene) -> T,
    act: impl AsyncFn(&Scene, &T) -> Result<Opened, HostError>,
    check: impl AsyncFn(&Scene, &T, &Opened),
) {
    let scene = Scene::github(&format!("{name}-whole")).await;
    let prepared = prepare(&scene).await;
    scene.world().asked().await;
    let opened = act(&scene, &prepared).await.unwrap();
    let requests = scene.world().asked().await;
    check(&scene, &prepared, &opened).await;
    assert!(requests.iter().filter(|request| request.method != "GET").count() > 1, "{requests:?}");

    for (at, request) in (1..).zip(&requests) {
        for when in ["before", "after"] {
            if when == "after" && request.method == "GET" {
                continue;
            }
            let scene = Scene::github(&format!("{name}-{when}-{at}")).await;
            let prepared = prepare(&scene).await;
            scene.world().asked().await;
            scene.behave(json!({"breaks": {"at": at, "when": when}})).await;
            let first = act(&scene, &prepared).await;
            scene.behave(json!({"breaks": null})).await;
            assert!(scene.world().asked().await.len() >= at);
            let opened = match first {
                Err(HostError::Unreachable { message, .. }) => {
                    assert!(message.contains("was not answered"), "{message}");
                    act(&scene, &prepared).await.unwrap()
                }
                // What is beside the purpose may fail.
                outcome => outcome.unwrap(),
            };
            check(&scene, &prepared, &opened).await;
        }
    }
}

async fn one_pull(scene: &Scene, state: &str) -> Value {
    let mut pulls = scene.pulls().await;
    assert_eq!(pulls.len(), 1, "{pulls:?}");
    let pull = pulls.remove(0);
    assert_eq!(pull.get("state").and_then(Value::as_str).unwrap_or("open"), state);
    pull
}

async fn asking_proposal(scene: &Scene) -> Proposal {
    let reviewers = vec!["grace".into(), "acme/ops".into()];
    Proposal { reviewers, ..scene.proposal("03A", &[(PROD, "x: 1\n"), (DEV, "y: 2\n")]).await }
}

#[tokio::test]
async fn a_proposal_that_is_broken_off_anywhere_is_one_request() {
    broken_everywhere(
        "propose",
        asking_proposal,
        async |scene, proposal| scene.host.propose(proposal).await,
        async |scene, proposal, opened| {
            scene.holds(opened, proposal);
            let pull = one_pull(scene, "open").await;
            assert_eq!(opened.number, Some(1));
            assert_eq!(pull["labels"], json!([{"name": "tollgate"}]));
            assert_eq!(pull["requested_reviewers"], json!([{"login": "grace"}]));
            assert_eq!(pull["requested_teams"], json!([{"slug": "ops"}]));
            assert_eq!(opened.warnings, [""; 0]);
        },
    )
    .await;
}

#[tokio::test]
async fn a_plan_made_anew_that_is_broken_off_anywhere_is_the_same_request() {
    broken_everywhere(
        "replan",
        async |scene| {
            let opened = scene.host.propose(&asking_proposal(scene).await).await.unwrap();
            scene.push("main", PROD, "x: 0\nz: 1\n");
            let anew =
                Proposal { title: "Anew".into(), ..scene.replanned(&asking_proposal(scene).await).await };
            (opened, anew)
        },
        async |scene, (opened, anew)| scene.host.replan(opened, anew).await,
        async |scene, (first, anew), opened| {
            scene.holds(opened, anew);
            assert_eq!(opened.number, first.number);
            assert_eq!(one_pull(scene, "open").await["title"], "Anew");
            scene.host.merge(opened).await.unwrap();
        },
    )
    .await;
}

/// As after a crash in which it was lost that there is a request.
#[tokio::test]
async fn a_proposal_that_was_planned_anew_while_it_was_broken_off_is_one_request() {
    for at in 1..=8 {
        let scene = Scene::github(&format!("crash-{at}")).await;
        let proposal = asking_proposal(&scene).await;
        scene.behave(json!({"breaks": {"at": at, "when": "after"}})).await;
        scene.host.propose(&proposal).await.unwrap_err();
        scene.behave(json!({"breaks": null})).await;
        scene.push("main", PROD, "x: 0\nz: 1\n");
        let anew = scene.replanned(&proposal).await;
        let opened = scene.host.propose(&anew).await.unwrap();
        scene.holds(&opened, &anew);
        one_pull(&scene, "open").await;
        scene.world().asked().await;
    }
}

#[tokio::test]
async fn a_merge_that_is_broken_off_anywhere_is_one_merge() {
    broken_everywhere(
        "merge",
        async |scene| scene.host.propose(&asking_proposal(scene).await).await.unwrap(),
        async |scene, opened| scene.host.merge(opened).await.map(|_| opened.clone()),
        async |scene, opened, _| {
            one_pull(scene, "closed").await;
            assert_eq!(scene.git(&["rev-list", "--count", "--first-parent", "main"]), "2");
            // Where only its branch could not be taken away, the next time it is.
            scene.host.merge(opened).await.unwrap();
            assert_eq!(scene.branches(), ["main"]);
        },
    )
    .await;
}

#[tokio::test]
async fn a_request_that_is_closed_anywhere_is_closed_once() {
    broken_everywhere(
        "close",
        async |scene| scene.host.propose(&asking_proposal(scene).await).await.unwrap(),
        async |scene, opened| scene.host.close(opened, "It was taken back.").await.map(|()| opened.clone()),
        async |scene, opened, _| {
            scene.host.close(opened, "It was taken back.").await.unwrap();
            one_pull(scene, "closed").await;
            assert_eq!(scene.branches(), ["main"]);
            let state = scene.world().control("state", json!({"repository": NAME})).await;
            let comments = state["comments"].as_array().unwrap();
            assert_eq!(comments.len(), 1, "{comments:?}");
            assert!(comments[0]["body"].as_str().unwrap().starts_with("It was taken back.\n"));
        },
    )
    .await;
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    let scene = Scene::github("denied").await;
    let proposal = scene.proposal("03B", &[(PROD, "x: 1\n")]).await;
    let refused = async |denied: &str| {
        scene.behave(json!({"denied": [denied]})).await;
        match scene.host.propose(&proposal).await {
            Err(HostError::Refused(why)) => why,
            other => panic!("{other:?}"),
        }
    };
    let why = refused("contents:write").await;
    assert!(
        why.starts_with("Cannot make branch tollgate/promote-03B (acme/gitops on GitHub): ")
            && why.ends_with("the token needs the permission contents: write."),
        "{why}"
    );
    scene.git(&["branch", &proposal.branch, "main"]);
    let why = refused("contents:write").await;
    assert!(why.contains("commit to branch") && why.contains("contents: write"), "{why}");
    let why = refused("pull_requests:write").await;
    assert!(why.contains("open a pull request") && why.contains("pull_requests: write"), "{why}");
    // Without labels it is a request all the same.
    scene.behave(json!({"denied": ["issues:write"]})).await;
    let opened = scene.host.propose(&proposal).await.unwrap();
    assert!(opened.warnings[0].contains("put labels on pull request #1"), "{opened:?}");
    scene.behave(json!({"denied": []})).await;
    assert_eq!(scene.host.propose(&proposal).await.unwrap(), Opened { warnings: vec![], ..opened });
    scene.world().asked().await;
}

#[tokio::test]
async fn a_wrong_token_is_refused_and_an_app_is_let_in() {
    let scene = Scene::github("token").await;
    let host = |config| GithubHost::new(GithubClient::new(&config).unwrap(), NAME.into(), "main".into());
    let auth = GithubAuth::Token(delivery::Secret::new("stolen".into()));
    let stranger = host(delivery::GithubConfig { auth, ..scene.world().config() });
    let error = stranger.head().await.unwrap_err();
    assert!(
        matches!(&error, HostError::Refused(why) if why.contains("set a valid one") && !why.contains("stolen")),
        "{error:?}"
    );
    let app = host(scene.world().app());
    let proposal = scene.proposal("03C", &[(PROD, "x: 1\n")]).await;
    let opened = app.propose(&proposal).await.unwrap();
    scene.holds(&opened, &proposal);
    // Its token ends before its time: what is refused for it was not carried out, and is sent again.
    scene.world().control("tokens", json!({"good": []})).await;
    app.merge(&opened).await.unwrap();
    scene.world().asked().await;
}

#[tokio::test]
async fn what_a_branch_is_protected_by_is_told() {
    let scene = Scene::github("protected").await;
    let proposal = scene.proposal("03D", &[(PROD, "x: 1\n")]).await;
    let opened = scene.host.propose(&proposal).await.unwrap();
    scene.rules(json!({"review": true})).await;
    let error = scene.host.merge(&opened).await.unwrap_err();
    assert!(
        matches!(&error, HostError::Refused(why) if why.contains("At least 1 approving review is required")),
        "{error:?}"
    );
    scene.rules(json!({"review": false, "up_to_date": true, "methods": ["squash"]})).await;
    scene.push("main", DEV, "y: 1\n");
    let error = scene.host.merge(&opened).await.unwrap_err();
    assert!(
        matches!(&error, HostError::Moved(why) if why.contains("on top of the newest commit")),
        "{error:?}"
    );
    let anew = scene.replanned(&proposal).await;
    let opened = scene.host.replan(&opened, &anew).await.unwrap();
    let merged = scene.host.merge(&opened).await.unwrap();
    assert_eq!(scene.git(&["rev-parse", "main^@"]), anew.base, "squashed");
    assert_eq!(scene.git(&["rev-parse", "main"]), merged.commit);
    scene.world().asked().await;
}

#[tokio::test]
async fn who_cannot_be_asked_is_a_warning() {
    let scene = Scene::github("reviewers").await;
    let reviewers = ["grace", "nobody", "acme/ops", "acme/none"].map(str::to_owned).to_vec();
    let proposal = Proposal { reviewers, ..scene.proposal("03E", &[(PROD, "x: 1\n")]).await };
    let opened = scene.host.propose(&proposal).await.unwrap();
    let [nobody, none] = &opened.warnings[..] else { panic!("{opened:?}") };
    assert!(nobody.contains("ask nobody to review") && nobody.contains("collaborator"), "{nobody}");
    assert!(none.contains("ask acme/none to review"), "{none}");
    assert_eq!(one_pull(&scene, "open").await["requested_reviewers"], json!([{"login": "grace"}]));
    scene.world().asked().await;
}

#[tokio::test]
async fn what_reviews_and_checks_say_is_seen() {
    let scene = Scene::github("seen").await;
    let proposal = scene.proposal("03F", &[(PROD, "x: 1\n")]).await;
    let opened = scene.host.propose(&proposal).await.unwrap();
    let review = json!({"number": 1, "id": 1, "user": {"login": "grace"}, "state": "APPROVED"});
    let check = json!({"id": 1, "head_sha": opened.head, "name": "lint", "status": "completed", "conclusion": "failure"});
    scene.world().put(NAME, json!({"reviews": [review], "check_runs": [check]})).await;
    let seen = scene.host.look(&opened).await.unwrap();
    let RequestSeen::Open { review, checks, .. } = seen else { panic!("{seen:?}") };
    assert_eq!(review, domain::delivery::Review::Approved);
    assert_eq!(checks, domain::delivery::Checks::Failing("lint".into()));
    scene.world().asked().await;
}

#[tokio::test]
async fn a_limit_is_told_with_its_end() {
    let scene = Scene::github("limit").await;
    let proposal = scene.proposal("03G", &[(PROD, "x: 1\n")]).await;
    scene.behave(json!({"limit": 100, "spent": 97})).await;
    let error = scene.host.propose(&proposal).await.unwrap_err();
    let HostError::Unreachable { retry_after, .. } = &error else { panic!("{error:?}") };
    assert!(retry_after.is_some_and(|wait| wait.as_secs() > 60), "{error:?}");
    scene.world().asked().await;
}

#[tokio::test]
async fn a_repository_that_was_renamed_is_found() {
    let scene = Scene::github("renamed").await;
    let proposal = scene.proposal("03H", &[(PROD, "x: 1\n")]).await;
    let opened = scene.host.propose(&proposal).await.unwrap();
    scene.world().control("rename", json!({"from": NAME, "to": "acme-inc/deploy"})).await;
    let again = scene.host.propose(&proposal).await.unwrap();
    assert_eq!((again.number, again.head), (opened.number, opened.head.clone()));
    assert_eq!(again.link.as_deref(), Some("https://github.com/acme-inc/deploy/pull/1"));
    scene.push("main", PROD, "x: 0\nz: 1\n");
    let anew = scene.replanned(&proposal).await;
    let opened = scene.host.replan(&opened, &anew).await.unwrap();
    scene.holds(&opened, &anew);
    scene.host.merge(&opened).await.unwrap();
    assert_eq!(scene.branches(), ["main"]);
    let other = scene.proposal("03I", &[(PROD, "x: 2\n")]).await;
    let opened = scene.host.propose(&other).await.unwrap();
    assert_eq!(opened.number, Some(2));
    scene.world().asked().await;
}
