//! GitOps operations from the question to the proof, on a repository on disk that the git program made.

/// With an API server, Argo CD and its Image Updater.
mod cluster;
mod killed;
mod world;

use domain::audit::AuditAction;
use domain::gitops::{Ask, OperationStatus, Return};
use store::DecisionKind;

use self::world::{World, place, service};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_services_are_promoted_in_one_commit() {
    let world = World::new().await;
    let ask = world.promotion(&["users", "payments", "cart"]);
    // One of them is not healthy where it comes from.
    world.live("users", "dev", "1.5.0").await;
    world.live("payments", "dev", "2.1.0").await;
    let plan = world.gitops.plan(&ask, "the sale", jiff::Timestamp::now()).await.unwrap();
    let refused: Vec<&str> = plan.refused().map(|check| check.place.service.as_str()).collect();
    assert_eq!(refused, ["cart"]);
    let refusal = world.ask(ask.clone(), "ana").await.unwrap_err().to_string();
    assert!(refusal.starts_with("cart in prod: Nobody tells"), "{refusal}");
    assert_eq!(world.git(&["rev-list", "--all", "--count"]), "1", "nothing was written");

    world.live("cart", "dev", "0.9.0").await;
    let operation = world.ask(ask, "ana").await.unwrap();
    assert_eq!(operation.plan.steps.len(), 3);
    let open = world.when(&operation.id, OperationStatus::Open).await;
    let branch = &open.pull_request.as_ref().unwrap().branch;
    let before = world.git(&["rev-parse", "main"]);
    assert_eq!(world.git(&["rev-list", "--count", &format!("main..{branch}")]), "1", "one commit");
    let changed = world.git(&["diff", "--name-only", "main", branch]);
    assert_eq!(changed.lines().count(), 3, "{changed}");
    assert_eq!(world.git(&["rev-parse", "main"]), before, "nobody has merged it");

    world.decide(&operation.id, DecisionKind::Merge, "ana").await.unwrap();
    world.when(&operation.id, OperationStatus::Merged).await;
    let merged = world.until(&operation.id, |one| one.problem.is_some()).await;
    assert_eq!(merged.problem.as_deref(), Some("cart in prod: 0.8.0 runs and not 0.9.0 yet"));
    let file = world.git(&["show", "main:envs/prod/users/application.yaml"]);
    assert!(file.contains("value: \"1.5.0\" # set by the release team"), "{file}");
    for (name, tag) in [("users", "1.5.0"), ("payments", "2.1.0"), ("cart", "0.9.0")] {
        world.live(name, "prod", tag).await;
    }
    let effective = world.when(&operation.id, OperationStatus::Effective).await;
    assert_eq!(effective.problem, None);
    let actions = world.audit().await;
    let expected = [
        AuditAction::OperationRequested,
        AuditAction::MergeRequested,
        AuditAction::OperationMerged,
        AuditAction::OperationEffective,
    ];
    assert_eq!(actions, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_person_has_to_agree_and_a_changed_plan_needs_it_anew() {
    let world = World::with_approval().await;
    world.live("users", "dev", "1.5.0").await;
    let operation = world.ask(world.promotion(&["users"]), "ana").await.unwrap();
    world.when(&operation.id, OperationStatus::Open).await;
    let own = world.decide(&operation.id, DecisionKind::Approve, "ana").await.unwrap_err();
    assert!(own.to_string().contains("somebody else has to approve"), "{own}");
    let early = world.decide(&operation.id, DecisionKind::Merge, "ana").await.unwrap_err();
    assert!(early.to_string().contains("approve it before"), "{early}");
    world.decide(&operation.id, DecisionKind::Approve, "ben").await.unwrap();

    // Somebody changes what it would replace: it is another change now.
    world.commit("envs/prod/users/application.yaml", |text| text.replace("1.4.0", "1.4.1"));
    world.decide(&operation.id, DecisionKind::Merge, "ana").await.unwrap();
    let changed = world.until(&operation.id, |one| one.plan.fingerprint != operation.plan.fingerprint).await;
    assert_eq!(changed.status, OperationStatus::Open);
    assert!(!changed.is_approved() && !changed.is_wanted());
    let stale = world
        .gitops
        .decide(
            &operation.id,
            DecisionKind::Approve,
            &world::actor("ben"),
            &operation.plan.fingerprint,
            "",
            jiff::Timestamp::now(),
        )
        .await;
    assert!(stale.unwrap_err().to_string().contains("has changed since"));
    world.decide(&operation.id, DecisionKind::Approve, "ben").await.unwrap();
    world.decide(&operation.id, DecisionKind::Merge, "ana").await.unwrap();
    world.when(&operation.id, OperationStatus::Merged).await;
    assert!(world.git(&["show", "main:envs/prod/users/application.yaml"]).contains("1.5.0"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_commit_meanwhile_stays() {
    let world = World::new().await;
    for (name, tag) in [("users", "1.5.0"), ("payments", "2.1.0")] {
        world.live(name, "dev", tag).await;
    }
    // Two at once on one branch, and a commit of somebody else.
    let users = world.ask(world.promotion(&["users"]), "ana").await.unwrap();
    let payments = world.ask(world.promotion(&["payments"]), "ben").await.unwrap();
    for operation in [&users, &payments] {
        world.when(&operation.id, OperationStatus::Open).await;
    }
    world.commit("README.md", |_| "other\n".into());
    world.decide(&users.id, DecisionKind::Merge, "ana").await.unwrap();
    world.decide(&payments.id, DecisionKind::Merge, "ben").await.unwrap();
    for operation in [&users, &payments] {
        world.when(&operation.id, OperationStatus::Merged).await;
    }
    assert_eq!(world.git(&["show", "main:README.md"]), "other");
    assert!(world.git(&["show", "main:envs/prod/users/application.yaml"]).contains("1.5.0"));
    assert!(world.git(&["show", "main:envs/prod/payments/application.yaml"]).contains("2.1.0"));
    assert_eq!(world.git(&["fsck", "--strict", "--no-dangling"]), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_freeze_ends_when_its_time_has_come() {
    let world = World::new().await;
    let now = jiff::Timestamp::now();
    let until = now + jiff::SignedDuration::from_secs(4);
    let ask = Ask::Freeze { places: [place("users", "dev")].into(), until: Some(until), bypass: None };
    let freeze = world.ask(ask.clone(), "ana").await.unwrap();
    world.decide(&freeze.id, DecisionKind::Merge, "ana").await.unwrap();
    world.when(&freeze.id, OperationStatus::Merged).await;
    let frozen = world.git(&["show", "main:envs/dev/users/application.yaml"]);
    assert!(frozen.contains("argocd-image-updater.argoproj.io/users.ignore-tags: \"*\"\n"), "{frozen}");
    let holds = world.gitops.delivery().holds().await.unwrap();
    assert_eq!(holds[&place("users", "dev")].reason, "the sale");
    let again = world.ask(ask, "ana").await.unwrap_err().to_string();
    assert!(again.contains("Nothing would change") || again.contains("has passed"), "{again}");

    let ended = world.until(&freeze.id, |one| one.resumed_by.is_some()).await;
    let resume = ended.resumed_by.unwrap();
    world.when(&resume, OperationStatus::Open).await;
    world.decide(&resume, DecisionKind::Merge, "ana").await.unwrap();
    world.when(&resume, OperationStatus::Merged).await;
    assert_eq!(
        world.git(&["show", "main:envs/dev/users/application.yaml"]),
        world::application("users", "dev").trim_end()
    );
    assert!(world.gitops.delivery().holds().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revert_pins_the_earlier_tag_and_holds_the_updater() {
    let world = World::new().await;
    world.commit("charts/users/.argocd-source-users-dev.yaml", |text| text.replace("1.5.0", "1.6.0"));
    world.follows().await;
    let returns = vec![Return { service: service("users"), tag: None }];
    let ask = Ask::Revert { environment: domain::delivery::EnvironmentName::parse("dev").unwrap(), returns };
    let revert = world.ask(ask, "ana").await.unwrap();
    assert_eq!(revert.plan.tag(&place("users", "dev")), Some("1.5.0"));
    assert_eq!(revert.plan.holds(&place("users", "dev")), Some(true));
    world.decide(&revert.id, DecisionKind::Merge, "ana").await.unwrap();
    world.when(&revert.id, OperationStatus::Merged).await;
    let source = world.git(&["show", "main:charts/users/.argocd-source-users-dev.yaml"]);
    assert!(source.contains("1.5.0"), "{source}");
    assert!(world.git(&["show", "main:envs/dev/users/application.yaml"]).contains("ignore-tags: \"*\""));
    assert_eq!(world.git(&["rev-list", "--count", "main"]), "3", "one commit for both");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_closed_is_not_merged_and_leaves_nothing() {
    let world = World::new().await;
    world.live("users", "dev", "1.5.0").await;
    let operation = world.ask(world.promotion(&["users"]), "ana").await.unwrap();
    let open = world.when(&operation.id, OperationStatus::Open).await;
    world.decide(&operation.id, DecisionKind::Close, "ben").await.unwrap();
    let closed = world.when(&operation.id, OperationStatus::Closed).await;
    assert_eq!(closed.problem.as_deref(), Some("ben: no need"));
    let branch = open.pull_request.unwrap().branch;
    assert_eq!(world.git(&["branch", "--list", &branch]), "");
    let late = world.decide(&operation.id, DecisionKind::Merge, "ana").await.unwrap_err();
    assert!(late.to_string().contains("closed already"), "{late}");
}
