//! What may be asked, who may approve, what comes next, what holds, and how it reads.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::delivery::tests::facts::{at, environment, order};
use crate::delivery::{
    ArgoDeployed, CellHealth, Health, Hold, HoldKind, ImageState, Place, ServiceName, UpdateStrategy,
    UpdaterFacts, UpdaterMode, tag_expression,
};
use crate::time::Timestamp;

fn service(name: &str) -> ServiceName {
    ServiceName::parse(name).unwrap()
}

fn place(name: &str, environment_name: &str) -> Place {
    Place { service: service(name), environment: environment(environment_name) }
}

fn freeze(places: &[Place], until: Option<Timestamp>) -> Ask {
    Ask::Freeze { places: places.iter().cloned().collect(), until, bypass: None }
}

fn promote(services: &[&str], from: &str, to: &str) -> Ask {
    Ask::Promote {
        services: services.iter().map(|name| service(name)).collect(),
        from: environment(from),
        to: environment(to),
    }
}

fn revert(name: &str, tag: Option<&str>) -> Ask {
    let returns = vec![Return { service: service(name), tag: tag.map(str::to_owned) }];
    Ask::Revert { environment: environment("prod"), returns }
}

fn step(place: Place, kind: StepKind, after: Option<&str>) -> Step {
    Step {
        place,
        kind,
        path: "envs/prod/users/values.yaml".into(),
        key: "image.tag".into(),
        before: Some("1.4.1".into()),
        after: after.map(str::to_owned),
        restores: Vec::new(),
        digest_before: None,
        digest: None,
    }
}

fn plan(steps: Vec<Step>) -> Plan {
    Plan {
        repository: "acme/gitops".into(),
        branch: "main".into(),
        base: "b0".into(),
        steps,
        files: Vec::new(),
        brought: Vec::new(),
        checks: Vec::new(),
        fingerprint: "f1".into(),
    }
}

/// Asked for by Ana at second 0.
fn operation(number: u8, ask: Ask, steps: Vec<Step>) -> Operation {
    Operation {
        id: OperationId::of([number, 0, 0, 0, 0, 0]),
        ask,
        by: person("ana"),
        reason: "the sale".into(),
        at: at(0),
        plan: plan(steps),
        needs_approval: false,
        merges_itself: false,
        given: Vec::new(),
        wanted: Vec::new(),
        closing: None,
        pull_request: None,
        merged: None,
        status: OperationStatus::Open,
        problem: None,
        updated: at(0),
        resumed_by: None,
    }
}

fn merged(mut operation: Operation, second: i64) -> Operation {
    operation.merged = Some(Merged { commit: "c1".into(), at: at(second) });
    operation.status = OperationStatus::Merged;
    operation
}

fn person(name: &str) -> Person {
    Person { id: format!("issuer {name}"), name: name.into() }
}

fn approval(by: &str, fingerprint: &str) -> Approval {
    Approval { by: person(by), at: at(1), fingerprint: fingerprint.into(), policy_revision: "r1".into() }
}

#[test]
fn what_cannot_be_is_not_asked_for() {
    let check = |ask: &Ask, reason: &str| {
        let known = |name: &ServiceName| ["users", "payments"].contains(&name.as_str());
        ask.check(&order(), known, reason, at(10)).map_err(|error| error.to_string())
    };
    let users = place("users", "prod");
    assert_eq!(check(&freeze(std::slice::from_ref(&users), Some(at(11))), "sale"), Ok(()));
    assert_eq!(check(&promote(&["users", "payments"], "staging", "prod"), "sale"), Ok(()));
    assert_eq!(check(&revert("users", Some("1.4.1")), "it crashes"), Ok(()));
    let long = "r".repeat(1_001);
    for (ask, reason, expected) in [
        (freeze(&[], None), "sale", "No service is named"),
        (freeze(std::slice::from_ref(&users), Some(at(10))), "sale", "has passed"),
        (freeze(std::slice::from_ref(&users), None), " \n", "A reason is missing"),
        (freeze(std::slice::from_ref(&users), None), &long, "longer than 1000 bytes"),
        (
            freeze(&[place("users", "qa")], None),
            "sale",
            "qa is no environment here: name one of dev, staging, prod",
        ),
        (freeze(&[place("cart", "prod")], None), "sale", "cart is not followed here"),
        (promote(&["users"], "dev", "prod"), "sale", "prod does not come right after dev"),
        (promote(&["users"], "prod", "staging"), "sale", "staging does not come right after prod"),
        (promote(&["users"], "qa", "prod"), "sale", "qa is no environment"),
        (promote(&[], "staging", "prod"), "sale", "No service"),
        (revert("users", Some("-x")), "sale", "no tag of an image"),
        (revert("users", Some(&"1".repeat(129))), "sale", "no tag of an image"),
        (revert("users", Some("1.4\n")), "sale", "no tag of an image"),
    ] {
        let error = check(&ask, reason).unwrap_err();
        assert!(error.contains(expected), "{ask:?}: {error}");
    }
    let twice = Ask::Revert {
        environment: environment("prod"),
        returns: vec![Return { service: service("users"), tag: None }; 2],
    };
    assert!(check(&twice, "sale").unwrap_err().contains("named twice"));
    let bypass = Ask::Freeze { places: BTreeSet::from([users]), until: None, bypass: Some("a b".into()) };
    assert!(check(&bypass, "sale").unwrap_err().contains("no tag"));
}

#[test]
fn an_operation_is_named_by_its_digits() {
    let id = OperationId::of([0, 1, 0xab, 0xff, 4, 5]);
    assert_eq!(id.as_str(), "0001abff0405");
    assert_eq!(OperationId::parse(id.as_str()), Ok(id));
    for text in ["", "0001abff040", "0001abff04055", "0001ABFF0405", "../../etc/pa"] {
        assert!(OperationId::parse(text).is_err(), "{text}");
    }
    assert!(serde_json::from_str::<OperationId>("\"../../etc/pa\"").is_err());
}

#[test]
fn nobody_approves_their_own_or_what_they_have_not_seen() {
    let mut one = operation(1, promote(&["users"], "staging", "prod"), Vec::new());
    one.needs_approval = true;
    assert_eq!(approval_refusal(&one, &person("ben"), "f1"), None);
    assert_eq!(approval_refusal(&one, &person("ana"), "f1"), Some(ApprovalRefusal::Own { by: "ana".into() }));
    assert_eq!(approval_refusal(&one, &person("ben"), "f0"), Some(ApprovalRefusal::Changed));
    assert!(!one.is_approved());
    let by_token = Person { name: "ana (token ci)".into(), ..person("ana") };
    assert!(matches!(approval_refusal(&one, &by_token, "f1"), Some(ApprovalRefusal::Own { .. })));
    // Whoever asked counts for nothing, whatever was written down, and an approval of another plan neither.
    one.given = vec![approval("ana", "f1"), approval("ben", "f0")];
    assert!(!one.is_approved());
    assert_eq!(approval_refusal(&one, &person("ben"), "f1"), None, "of the plan as it is now");
    one.given.push(approval("ben", "f1"));
    assert!(one.is_approved());
    assert_eq!(
        approval_refusal(&one, &person("ben"), "f1"),
        Some(ApprovalRefusal::Again { by: "ben".into() })
    );
    one.plan.fingerprint = "f2".into();
    assert!(!one.is_approved(), "a changed plan needs a new one");
    one.plan.checks = vec![Check {
        place: place("users", "prod"),
        what: "image".into(),
        verdict: Verdict::Unknown,
        message: "who knows".into(),
    }];
    assert!(matches!(approval_refusal(&one, &person("ben"), "f2"), Some(ApprovalRefusal::Refused { .. })));
    let over = approval_refusal(&merged(one, 5), &person("ben"), "f2");
    assert_eq!(over, Some(ApprovalRefusal::Over { state: "merged" }));
}

#[test]
fn what_comes_next_follows_from_how_far_it_is() {
    let users = place("users", "prod");
    let mut one = operation(1, freeze(std::slice::from_ref(&users), Some(at(100))), Vec::new());
    one.status = OperationStatus::Requested;
    assert_eq!(next_move(&one, at(1)), Move::Open);
    one.status = OperationStatus::Open;
    assert_eq!(next_move(&one, at(1)), Move::Watch, "somebody merges it");
    one.wanted = vec!["f0".into()];
    assert_eq!(next_move(&one, at(1)), Move::Watch, "another plan was wanted");
    one.wanted.push("f1".into());
    assert_eq!(next_move(&one, at(1)), Move::Merge);
    one.wanted.clear();
    one.merges_itself = true;
    assert_eq!(next_move(&one, at(1)), Move::Merge);
    one.needs_approval = true;
    assert_eq!(next_move(&one, at(1)), Move::Watch, "it waits for the approval");
    assert_eq!(next_move(&one, at(100)), Move::Watch, "what was never merged is not resumed");
    one.given = vec![approval("ben", "f1")];
    assert_eq!(next_move(&one, at(1)), Move::Merge);
    let mut one = merged(one, 5);
    assert_eq!(next_move(&one, at(6)), Move::Prove);
    one.status = OperationStatus::NotEffective;
    assert_eq!(next_move(&one, at(6)), Move::Prove, "it may become so");
    one.status = OperationStatus::Effective;
    assert_eq!(next_move(&one, at(99)), Move::Nothing);
    assert_eq!(next_move(&one, at(100)), Move::Resume);
    one.resumed_by = Some(OperationId::of([2; 6]));
    assert_eq!(next_move(&one, at(200)), Move::Nothing, "once");
    for status in [OperationStatus::Closed, OperationStatus::Failed] {
        one.status = status;
        one.resumed_by = None;
        assert_eq!(next_move(&one, at(200)), Move::Nothing, "{status:?}");
    }
    let mut unwanted = operation(4, freeze(std::slice::from_ref(&users), None), Vec::new());
    unwanted.closing = Some(Closing { by: person("ben"), reason: "no sale".into() });
    assert_eq!(next_move(&unwanted, at(1)), Move::Close);
    assert_eq!(next_move(&merged(unwanted, 5), at(6)), Move::Prove, "what is merged is not closed");
    let unlimited = merged(operation(3, freeze(&[users], None), Vec::new()), 5);
    assert_eq!(next_move(&unlimited, at(1_000_000)), Move::Prove);
}

fn updater(ignore: &[&str], allow: Option<String>) -> UpdaterFacts {
    UpdaterFacts {
        mode: UpdaterMode::Annotations,
        strategy: UpdateStrategy::Semver,
        constraint: None,
        ignore_tags: ignore.iter().map(|glob| (*glob).to_owned()).collect(),
        allow_tags: allow,
        tag_allowed: None,
        interval_seconds: 120,
        last_checked: None,
    }
}

#[test]
fn a_freeze_is_in_effect_where_the_cluster_says_so() {
    let users = place("users", "prod");
    let hold = StepKind::Hold(UpdaterMode::Annotations);
    let one =
        operation(1, freeze(std::slice::from_ref(&users), None), vec![step(users.clone(), hold, Some("*"))]);
    let seen = |updater: Option<UpdaterFacts>| PlaceSeen {
        updaters: updater.into_iter().collect(),
        has_cluster: true,
        ..PlaceSeen::default()
    };
    let effect_of = |operation: &Operation, seen: PlaceSeen| effect(operation, |_| Some(&seen));
    let waits = |operation: &Operation, seen: PlaceSeen| match effect_of(operation, seen) {
        Effect::NotYet(why) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(effect_of(&one, seen(Some(updater(&["*"], None)))), Effect::Yes);
    let not = waits(&one, seen(Some(updater(&["*-rc"], None))));
    assert_eq!(not, "users in prod: the updater is not kept from new tags in the cluster yet");
    assert!(waits(&one, seen(None)).contains("no updater of its image"));
    let both = PlaceSeen { updaters: vec![updater(&["*"], None), updater(&[], None)], ..seen(None) };
    assert!(waits(&one, both).contains("not kept"), "one of two images is not");
    assert!(
        waits(&one, PlaceSeen::default()).contains("no cluster is read"),
        "what nobody sees is not proven"
    );
    assert_eq!(effect(&one, |_| None), Effect::NotYet("users in prod: nothing is known of it yet".into()));

    let bypass =
        Ask::Freeze { places: BTreeSet::from([users.clone()]), until: None, bypass: Some("1.4.2".into()) };
    let through = operation(2, bypass, vec![step(users.clone(), hold, Some(r"regexp:^1\.4\.2$"))]);
    assert_eq!(effect_of(&through, seen(Some(updater(&[], Some(tag_expression("1.4.2")))))), Effect::Yes);
    assert!(waits(&through, seen(Some(updater(&["*"], None)))).contains("every tag"));
    assert!(waits(&through, seen(Some(updater(&[], Some(tag_expression("1.4.3")))))).contains("1.4.3"));
    assert!(waits(&through, seen(Some(updater(&[], Some("^1.4.2$".into()))))).contains("not kept"));

    let release = StepKind::Release(UpdaterMode::Annotations);
    let resumed = operation(
        3,
        Ask::Resume { places: BTreeSet::from([users.clone()]) },
        vec![step(users, release, None)],
    );
    assert_eq!(effect_of(&resumed, seen(Some(updater(&[], None)))), Effect::Yes);
    assert!(waits(&resumed, seen(Some(updater(&["*"], None)))).contains("still kept"));
}

#[test]
fn a_promotion_is_in_effect_where_its_tag_runs() {
    let users = place("users", "prod");
    let one = operation(
        1,
        promote(&["users"], "staging", "prod"),
        vec![step(users.clone(), StepKind::Tag, Some("1.4.2"))],
    );
    let deployed = |deployed| PlaceSeen {
        deployed: Some(deployed),
        desired: Some("1.4.2".into()),
        has_cluster: true,
        ..PlaceSeen::default()
    };
    let of = |seen: &PlaceSeen| effect(&one, |_| Some(seen));
    assert_eq!(of(&deployed(ArgoDeployed::Deployed)), Effect::Yes);
    for (state, expected) in [
        (ArgoDeployed::NotSeen, "not seen the commit"),
        (ArgoDeployed::OutOfSync, "not applied"),
        (ArgoDeployed::Operation(None), "applies"),
        (ArgoDeployed::NotHealthy(Health::Progressing), "it is applied, and progressing"),
        (ArgoDeployed::ImageMissing, "no pod runs 1.4.2"),
        (ArgoDeployed::Unknown, "nobody tells"),
    ] {
        let Effect::NotYet(why) = of(&deployed(state)) else { panic!("{state:?}") };
        assert!(why.contains(expected), "{why}");
    }
    let overtaken = PlaceSeen { desired: Some("1.5.0".into()), ..deployed(ArgoDeployed::Deployed) };
    assert!(matches!(of(&overtaken), Effect::No(why) if why.contains("says 1.5.0 by now")));
    let told = |runs: &str, health| PlaceSeen { runs: Some(runs.into()), health, ..PlaceSeen::default() };
    assert_eq!(of(&told("1.4.2", Some(CellHealth::Healthy))), Effect::Yes, "as CI told it");
    assert!(matches!(of(&told("1.4.2", Some(CellHealth::Degraded))), Effect::NotYet(_)));
    assert!(matches!(of(&told("1.4.1", None)), Effect::NotYet(why) if why.contains("1.4.1 runs")));
}

fn found() -> Found {
    Found {
        place: place("users", "prod"),
        tag: "1.4.2".into(),
        source: Some(PromotionSource {
            environment: environment("staging"),
            health: CellHealth::Healthy,
            desired: Some("1.4.2".into()),
            runs: Some("1.4.2".into()),
            in_progress: false,
        }),
        image: Ok(Some(ImageState::Active)),
        bundle: Some(true),
        holds: Vec::new(),
        window: None,
        policy: Some((Verdict::Passed, "All nodes require tokens.".into())),
    }
}

#[test]
fn what_would_fail_or_be_regretted_is_refused_before() {
    assert!(preflight(&found()).iter().all(|check| check.verdict == Verdict::Passed));
    let source = |change: fn(&mut PromotionSource)| {
        let mut found = found();
        change(found.source.as_mut().unwrap());
        found
    };
    let with = |change: fn(&mut Found)| {
        let mut found = found();
        change(&mut found);
        found
    };
    let unknown = CellHealth::Unknown { last: None, as_of: None };
    for (case, what, verdict, expected) in [
        (
            source(|one| one.health = CellHealth::Degraded),
            "source environment",
            Verdict::Refused,
            "staging is degraded",
        ),
        (
            source(|one| one.health = CellHealth::Progressing),
            "source environment",
            Verdict::Refused,
            "middle of a rollout",
        ),
        (
            source(|one| one.health = CellHealth::Missing),
            "source environment",
            Verdict::Refused,
            "Nothing of it runs",
        ),
        (
            source(|one| one.runs = Some("1.4.1".into())),
            "source environment",
            Verdict::Refused,
            "says 1.4.2 and runs 1.4.1",
        ),
        (
            source(|one| one.runs = None),
            "source environment",
            Verdict::Unknown,
            "not known what staging runs",
        ),
        (source(|one| one.in_progress = true), "source environment", Verdict::Warned, "newer change"),
        (with(|one| one.image = Ok(None)), "image", Verdict::Refused, "expired or was never pushed"),
        (with(|one| one.image = Ok(Some(ImageState::Archived))), "image", Verdict::Refused, "restore it"),
        (
            with(|one| one.image = Ok(Some(ImageState::Activating))),
            "image",
            Verdict::Refused,
            "being restored",
        ),
        (with(|one| one.image = Err("No registry is read.".into())), "image", Verdict::Warned, "No registry"),
        (with(|one| one.bundle = Some(false)), "bundle", Verdict::Refused, "not published"),
        (
            with(|one| one.window = Some(("winter".into(), Some(at(0))))),
            "calendar",
            Verdict::Refused,
            "closed for changes until",
        ),
        (
            with(|one| one.policy = Some((Verdict::Unknown, "No node is known.".into()))),
            "policy",
            Verdict::Unknown,
            "No node",
        ),
        (
            with(|one| {
                one.holds = vec![Hold {
                    kind: HoldKind::Held,
                    by: "ana".into(),
                    reason: "it crashed".into(),
                    since: at(0),
                    until: None,
                    pull_request: None,
                }]
            }),
            "hold",
            Verdict::Refused,
            "held by ana because: it crashed",
        ),
    ] {
        let checks = preflight(&case);
        let check = checks.iter().find(|check| check.what == what).unwrap();
        assert_eq!(check.verdict, verdict, "{}", check.message);
        assert!(check.message.contains(expected), "{}", check.message);
        let others = checks.iter().filter(|other| *other != check);
        assert!(others.into_iter().all(|other| other.verdict == Verdict::Passed), "{checks:?}");
    }
    let mut silent = found();
    silent.source.as_mut().unwrap().health = unknown;
    assert_eq!(preflight(&silent)[0].verdict, Verdict::Unknown);
    assert!(Verdict::Unknown.refuses() && Verdict::Refused.refuses());
    assert!(!Verdict::Warned.refuses() && !Verdict::Passed.refuses());
}

#[test]
fn what_was_merged_last_decides_what_is_kept() {
    let users = place("users", "prod");
    let hold = || vec![step(users.clone(), StepKind::Hold(UpdaterMode::Resource), Some("*"))];
    let frozen = merged(operation(1, freeze(std::slice::from_ref(&users), Some(at(100))), hold()), 10);
    let resumed =
        merged(operation(2, Ask::Resume { places: BTreeSet::from([users.clone()]) }, Vec::new()), 20);
    let held = merged(operation(3, revert("users", Some("1.4.1")), hold()), 30);
    let kinds = |operations: &[&Operation]| {
        let operations: Vec<Operation> = operations.iter().copied().cloned().collect();
        holds(&operations).get(&users).map(|hold| (hold.kind, hold.until))
    };
    let until = Some(at(100));
    assert_eq!(kinds(&[&frozen]), Some((HoldKind::Frozen, until)));
    assert_eq!(kinds(&[&resumed, &frozen]), None);
    assert_eq!(kinds(&[&held, &resumed, &frozen]), Some((HoldKind::Held, None)));
    let mut open = frozen.clone();
    open.status = OperationStatus::Open;
    assert_eq!(kinds(&[&open]), None, "nothing is kept before the merge");
    let unheld = merged(operation(4, revert("users", Some("1.4.1")), Vec::new()), 30);
    assert_eq!(kinds(&[&unheld]), None, "there is no updater to keep");
}

proptest! {
    #[test]
    fn holds_follow_from_the_merges_in_any_order(moves in proptest::collection::vec((0_u8..3, 0_i64..50), 0..12), turn in 0_usize..12) {
        let users = place("users", "prod");
        let mut operations: Vec<Operation> = moves.iter().zip(0_u8..).map(|((kind, second), number)| {
            let ask = match kind {
                0 => freeze(std::slice::from_ref(&users), None),
                1 => Ask::Resume { places: BTreeSet::from([users.clone()]) },
                _ => promote(&["users"], "staging", "prod"),
            };
            merged(operation(number, ask, Vec::new()), *second)
        }).collect();
        let before: BTreeMap<Place, Hold> = holds(&operations);
        if !operations.is_empty() {
            let middle = turn % operations.len();
            operations.rotate_left(middle);
        }
        prop_assert_eq!(before, holds(&operations));
    }
}

#[test]
fn it_reads_as_what_it_does() {
    let steps =
        ["users", "payments"].map(|name| step(place(name, "prod"), StepKind::Tag, Some("1.4.2"))).to_vec();
    let mut one = operation(1, promote(&["users", "payments"], "staging", "prod"), steps);
    assert_eq!(title(&one.ask, &one.plan), "Promote payments 1.4.2 and users 1.4.2 to prod");
    assert_eq!(branch(one.ask.kind(), &one.id), "tollgate/promote-010000000000");
    let names: Vec<Place> = ["a", "b", "c", "d", "e"].map(|name| place(name, "prod")).to_vec();
    assert_eq!(title(&freeze(&names, None), &plan(Vec::new())), "Freeze a, b, c and 2 more in prod");
    assert_eq!(title(&freeze(&names[..1], None), &plan(Vec::new())), "Freeze a in prod");
    let both = [place("a", "dev"), place("a", "prod")];
    assert_eq!(title(&freeze(&both, None), &plan(Vec::new())), "Freeze a in dev, prod");
    one.reason = "see <b>@everybody</b>\n[x](http://x)".into();
    one.by.name = "ana\n# x".into();
    let text = body(&one);
    assert!(text.starts_with("> see &lt;b&gt;@\u{200b}everybody&lt;/b&gt;\n> \\[x\\](http://x)\n"), "{text}");
    assert!(text.ends_with("\nRequested by ana \\# x, operation 010000000000.\n"), "{text}");
    assert!(text.contains("| users | prod | tag | `1.4.1` | `1.4.2` |"), "{text}");
}
