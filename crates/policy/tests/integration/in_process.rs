//! The engine in this process: the default policies, directories, limits and what is refused when loading.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use domain::instance::Instance;
use domain::policy::PolicyOutcome;
use policy::{PolicyConfig, PolicyEngine, PolicyError, RegoEngine, RegoVersion};
use tempfile::TempDir;

use crate::corpus::{REGULATED_ACCOUNT, bad, corpus, good, now};

const DEMO_POLICY: &str =
    "package ec2\n\ndefault match = false\n\nmatch { input.MetadataOptions.HttpTokens == \"optional\" }\n";

fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = TempDir::new().unwrap();
    for (file, text) in files {
        let path = directory.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    directory
}

fn config(directory: &Path, query: &str) -> PolicyConfig {
    PolicyConfig { directory: Some(directory.to_owned()), query: query.to_owned(), ..PolicyConfig::default() }
}

fn load_error(files: &[(&str, &str)], query: &str) -> PolicyError {
    let directory = directory(files);
    RegoEngine::load(&config(directory.path(), query)).expect_err("the policy is refused")
}

async fn evaluate(engine: &dyn PolicyEngine, instances: &[Instance]) -> Vec<Arc<PolicyOutcome>> {
    let instances: Vec<&Instance> = instances.iter().collect();
    engine.evaluate(&instances, now()).await
}

fn rules(outcome: &PolicyOutcome) -> Vec<&str> {
    outcome.violations().iter().map(|violation| violation.rule.as_str()).collect()
}

#[tokio::test]
async fn the_default_policies_judge_an_instance() {
    let engine = RegoEngine::load(&PolicyConfig::default()).unwrap();
    let exempt = [("imds:exempt-owner", "ana"), ("imds:exempt-until", "2026-12-31")];
    let expired = [("imds:exempt-owner", "ana"), ("imds:exempt-until", "2026-01-31")];
    let outcomes =
        evaluate(&engine, &[good("i-1", &[]), bad("i-2", &[]), bad("i-3", &exempt), bad("i-4", &expired)])
            .await;
    assert_eq!(*outcomes[0], PolicyOutcome::Pass);
    assert_eq!(rules(&outcomes[1]), ["imdsv2-required"]);
    assert_eq!(*outcomes[2], PolicyOutcome::Pass);
    assert_eq!(rules(&outcomes[3]), ["imdsv2-required", "exemption"]);
    assert_eq!(engine.problem(), None);
    assert_eq!(engine.description(), "regorus (built in)");
}

#[tokio::test]
async fn an_exemption_ends_as_the_clock_moves() {
    let engine = RegoEngine::load(&PolicyConfig::default()).unwrap();
    let exempt = bad("i-1", &[("imds:exempt-owner", "ana"), ("imds:exempt-until", "2026-06-15")]);
    for (time, expected) in [
        ("2026-06-15T23:59:59Z", vec![]),
        ("2026-06-16T00:00:00Z", vec!["imdsv2-required", "exemption"]),
        ("2026-06-15T23:59:59Z", vec![]),
    ] {
        let outcomes = engine.evaluate(&[&exempt], time.parse().unwrap()).await;
        assert_eq!(rules(&outcomes[0]), expected, "{time}");
    }
}

#[tokio::test]
async fn regulated_accounts_are_configured() {
    let config =
        PolicyConfig { regulated_accounts: vec![REGULATED_ACCOUNT.to_owned()], ..PolicyConfig::default() };
    let engine = RegoEngine::load(&config).unwrap();
    let plain = RegoEngine::load(&PolicyConfig::default()).unwrap();
    assert_ne!(engine.revision(), plain.revision());
    let instances = corpus();
    let found = evaluate(&engine, &instances).await;
    let without = evaluate(&plain, &instances).await;
    let changed: Vec<&Instance> = instances
        .iter()
        .zip(found.iter().zip(&without))
        .filter(|(_, (a, b))| a != b)
        .map(|(i, _)| i)
        .collect();
    assert!(!changed.is_empty());
    assert!(changed.iter().all(|instance| &*instance.key.source.account == REGULATED_ACCOUNT));
}

#[tokio::test]
async fn what_did_not_change_is_not_evaluated_again_and_equal_outcomes_are_shared() {
    let engine = RegoEngine::load(&PolicyConfig::default()).unwrap();
    let instances = [bad("i-1", &[]), bad("i-2", &[])];
    let first = evaluate(&engine, &instances).await;
    let second = evaluate(&engine, &instances).await;
    assert!(Arc::ptr_eq(&first[0], &second[0]));
    assert!(Arc::ptr_eq(&first[0], &first[1]));
}

#[tokio::test]
async fn a_policy_of_the_older_language_works_unchanged() {
    let directory = directory(&[("ec2.rego", DEMO_POLICY)]);
    let config = PolicyConfig { rego_version: RegoVersion::V0, ..config(directory.path(), "data.ec2.match") };
    let engine = RegoEngine::load(&config).unwrap();
    let outcomes = evaluate(&engine, &[good("i-1", &[]), bad("i-2", &[])]).await;
    assert_eq!(*outcomes[0], PolicyOutcome::Pass);
    assert_eq!(rules(&outcomes[1]), ["ec2.match"]);
    assert_eq!(engine.rules()[0].name, "ec2.match");

    let refused = PolicyConfig { rego_version: RegoVersion::V1, ..config };
    let message = RegoEngine::load(&refused).unwrap_err().to_string();
    assert!(message.starts_with("ec2.rego:5: ") && message.contains("policy.rego_version"), "{message}");
}

#[tokio::test]
async fn undefined_and_wrong_shapes_are_no_pass() {
    let text = "package p\n\nv := [] if input.State.Name == \"stopped\"\n\nw := \"fine\"\n\nx := 1 if input.now\n\nx := 2 if input.Region\n";
    let directory = directory(&[("p.rego", text)]);
    let decide = async |query: &str| {
        let engine = RegoEngine::load(&config(directory.path(), query)).unwrap();
        evaluate(&engine, &[good("i-1", &[])]).await.remove(0)
    };
    assert_eq!(*decide("data.p.v").await, PolicyOutcome::Undefined);
    match &*decide("data.p.w").await {
        PolicyOutcome::Error { message } => {
            assert_eq!(message, "data.p.w: expected a list of violations or a boolean, found a string");
        }
        other => panic!("{other:?}"),
    }
    match &*decide("data.p.x").await {
        PolicyOutcome::Error { message } => {
            assert!(message.starts_with("p.rego:") && !message.contains('\n'), "{message}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_policy_that_reads_what_is_not_kept_judges_nothing() {
    let text = "package p\n\nv contains 1 if input.SecurityGroups[_].GroupId == \"sg-1\"\n";
    let directory = directory(&[("p.rego", text)]);
    let engine = RegoEngine::load(&config(directory.path(), "data.p.v")).unwrap();
    let outcomes = evaluate(&engine, &[good("i-1", &[])]).await;
    assert_eq!(*outcomes[0], PolicyOutcome::UnsupportedInput { path: "input.SecurityGroups".into() });
    assert!(engine.problem().unwrap().contains("input.SecurityGroups"));
}

#[tokio::test]
async fn a_policy_cannot_reach_the_network_or_the_environment() {
    for (number, call) in ["http.send({\"url\": \"http://127.0.0.1\", \"method\": \"get\"})", "opa.runtime()"]
        .iter()
        .enumerate()
    {
        let text = format!("package p\n\nv contains 1 if {call}\n\nw contains 1 if not {call}\n");
        let directory = directory(&[("p.rego", &text)]);
        for query in ["data.p.v", "data.p.w"] {
            let engine = RegoEngine::load(&config(directory.path(), query)).unwrap();
            let outcomes = evaluate(&engine, &[good("i-1", &[])]).await;
            assert!(
                matches!(*outcomes[0], PolicyOutcome::Error { .. }),
                "{number} {query}: {:?}",
                outcomes[0]
            );
        }
    }
}

#[tokio::test]
async fn a_failed_evaluation_leaves_nothing_behind() {
    let text = r#"package p

broken := 1 if input.InstanceId == "i-1"

broken := 2 if input.InstanceId == "i-1"

v := [] if not broken with data.switch as true

v := [] if data.switch
"#;
    let directory = directory(&[("p.rego", text)]);
    let engine = RegoEngine::load(&config(directory.path(), "data.p.v")).unwrap();
    let outcomes = evaluate(&engine, &[good("i-1", &[]), good("i-2", &[])]).await;
    assert!(matches!(*outcomes[0], PolicyOutcome::Error { .. }), "{:?}", outcomes[0]);
    assert_eq!(*outcomes[1], PolicyOutcome::Pass);
}

#[tokio::test]
async fn an_expensive_decision_is_an_error_and_the_others_go_on() {
    let text = r#"package p

slow if {
	some tag in input.Tags
	tag.Key == "slow"
	some i in numbers.range(1, 3000)
	some j in numbers.range(1, 3000)
	i * j < 0
}

violations contains {"rule": "r", "severity": "low", "message": "m"} if slow

# A definition that answers does not make up for one that ran out of time.
answer(instance) := [] if instance

answer(_) := [] if slow

through_function := answer(input)
"#;
    let directory = directory(&[("p.rego", text)]);
    for query in ["data.p.violations", "data.p.through_function"] {
        let config = PolicyConfig { decision_limit_ms: 100, ..config(directory.path(), query) };
        let engine = RegoEngine::load(&config).unwrap();
        let instances = [good("i-1", &[]), good("i-2", &[("slow", "")]), good("i-3", &[])];
        let outcomes = evaluate(&engine, &instances).await;
        assert_eq!(*outcomes[0], PolicyOutcome::Pass, "{query}");
        assert_eq!(
            *outcomes[1],
            PolicyOutcome::Error { message: "the policy took longer than the limit of 100 ms".into() },
            "{query}"
        );
        assert_eq!(*outcomes[2], PolicyOutcome::Pass, "{query}");
    }
}

#[tokio::test]
async fn a_policy_that_is_always_too_slow_does_not_hold_the_batch() {
    let text = "package p\n\nv := [i | some i in numbers.range(1, 3000); some j in numbers.range(1, 3000); i * j < 0]\n";
    let directory = directory(&[("p.rego", text)]);
    let config = PolicyConfig { decision_limit_ms: 1, ..config(directory.path(), "data.p.v") };
    let engine = RegoEngine::load(&config).unwrap();
    let instances: Vec<Instance> = (0..2_000).map(|number| good(&format!("i-{number}"), &[])).collect();
    let outcomes = evaluate(&engine, &instances).await;
    let not_tried = outcomes
        .iter()
        .filter(|outcome| matches!(&***outcome, PolicyOutcome::Error { message } if message.starts_with("not evaluated")))
        .count();
    assert!(not_tried >= 1_500, "{not_tried}");
    assert!(outcomes.iter().all(|outcome| matches!(**outcome, PolicyOutcome::Error { .. })));
}

#[tokio::test]
async fn the_policies_in_the_documentation_work() {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/policy.md")).unwrap();
    let blocks: Vec<&str> =
        text.split("```rego\n").skip(1).map(|block| block.split("```").next().unwrap()).collect();
    let asked = [("data.ec2.match", RegoVersion::V0), ("data.example.violations", RegoVersion::V1)];
    assert_eq!(blocks.len(), asked.len());
    for (block, (query, rego_version)) in blocks.into_iter().zip(asked) {
        let directory = directory(&[("p.rego", block)]);
        let config = PolicyConfig { rego_version, ..config(directory.path(), query) };
        let engine = RegoEngine::load(&config).unwrap();
        let outcomes = evaluate(&engine, &[good("i-1", &[("team", "web")]), bad("i-2", &[])]).await;
        assert_eq!(*outcomes[0], PolicyOutcome::Pass, "{query}");
        assert_eq!(outcomes[1].kind(), "fail", "{query}");
        assert_eq!(engine.rules()[0].name, rules(&outcomes[1])[0]);
    }
}

#[test]
fn a_directory_is_read_with_its_data_and_without_tests() {
    let directory = directory(&[
        ("a/p.rego", "package p\n\nv := [] if data.limits.hops > 1\n"),
        ("p_test.rego", "this is not rego"),
        ("data.json", r#"{"limits": {"hops": 2}}"#),
        (".hidden/p.rego", "neither is this"),
        ("README.md", "nor this"),
    ]);
    let engine = RegoEngine::load(&config(directory.path(), "data.p.v")).unwrap();
    assert_eq!(engine.description(), "regorus (directory)");
    let rules = engine.rules();
    assert_eq!((rules[0].name.as_str(), rules[0].file.as_str()), ("p.v", "a/p.rego"));
    let before = engine.revision();
    fs::write(directory.path().join("data.json"), r#"{"limits": {"hops": 3}}"#).unwrap();
    assert_ne!(RegoEngine::load(&config(directory.path(), "data.p.v")).unwrap().revision(), before);
}

#[test]
fn what_is_wrong_with_a_policy_is_said_with_its_place() {
    let good = ("p.rego", "package p\n\nv := []\n");
    for (error, said) in [
        (load_error(&[("p.rego", "package p\n\nv := [\n")], "data.p.v"), "p.rego:"),
        (load_error(&[good], "data.p.w"), "names no rule of the policy; it has the package data.p"),
        (load_error(&[good], "data.p"), "names no rule"),
        (load_error(&[good], "p.v"), "not a path below data"),
        (load_error(&[("p_test.rego", "")], "data.p.v"), "holds no .rego file"),
        (load_error(&[good, ("data.json", "[]")], "data.p.v"), "data.json: "),
        (load_error(&[good, ("data.json", "{")], "data.p.v"), "data.json: "),
    ] {
        let message = error.to_string();
        assert!(message.contains(said) && !message.contains('\n'), "{message}");
    }
    let nowhere = RegoEngine::load(&config(Path::new("/nonexistent"), "data.p.v")).unwrap_err().to_string();
    assert!(nowhere.contains("cannot read the policy /nonexistent"), "{nowhere}");
}

#[test]
fn data_that_contradicts_the_configuration_is_refused() {
    let directory = directory(&[
        ("p.rego", "package p\n\nv := []\n"),
        ("data.json", r#"{"tollgate": {"config": {"regulated_accounts": ["1"]}}}"#),
    ]);
    let config =
        PolicyConfig { regulated_accounts: vec!["2".to_owned()], ..config(directory.path(), "data.p.v") };
    let message = RegoEngine::load(&config).unwrap_err().to_string();
    assert!(message.starts_with("policy.regulated_accounts: "), "{message}");
}
