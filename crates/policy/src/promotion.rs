//! Rego over a promotion: whether the nodes that the pods of an environment run on let a tag come there.

use std::time::Duration;

use domain::instance::Instance;
use jiff::Timestamp;
use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, Value};
use serde_json::{Value as Json, json};

use crate::config::PolicyConfig;
use crate::error::PolicyError;
use crate::input::{hour, input};
use crate::modules::{Module, PolicyText, revision_of};
use crate::rego::{CHECK_INTERVAL, engine_of};

/// The package that is asked.
const PACKAGE: &str = "package tollgate.promotion";
/// What refuses a promotion, and what leaves open whether something does.
const DENY: &str = "data.tollgate.promotion.deny";
const UNKNOWN: &str = "data.tollgate.promotion.unknown";
/// Nodes are many and the question is asked by a person who waits.
const LIMIT: Duration = Duration::from_secs(5);

/// What is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Promotion<'a> {
    pub service: &'a str,
    pub environment: &'a str,
    pub tag: &'a str,
    /// The name of the EKS cluster.
    pub cluster: &'a str,
    /// Its nodes.
    pub nodes: &'a [&'a Instance],
    /// Whether all of its nodes were read, and lately.
    pub known: bool,
}

/// What the policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    Allowed,
    /// Why it is refused.
    Denied(Vec<String>),
    /// Why that cannot be told, which refuses it too.
    Unknown(Vec<String>),
}

/// Decides on promotions. No failure ever becomes a pass.
pub struct PromotionGate {
    engine: Engine,
    revision: String,
}

impl PromotionGate {
    /// Reads the policy that the configuration names, in this process also where an OPA server judges instances. A directory without
    /// a package `tollgate.promotion` is judged by the built-in one.
    ///
    /// # Errors
    /// The policy cannot be read or compiled.
    pub fn load(config: &PolicyConfig) -> Result<PromotionGate, PolicyError> {
        let mut text = PolicyText::load(config)?;
        if !text.modules.iter().any(|module| module.text.lines().any(|line| line.trim() == PACKAGE)) {
            text.modules.push(Module::promotion());
        }
        let mut engine = engine_of(&text.modules, text.rego_version)?;
        for (file, data) in &text.data {
            engine
                .add_data(Value::from(data.clone()))
                .map_err(|error| PolicyError::Data { file: file.clone(), message: error.to_string() })?;
        }
        engine.set_execution_timer_config(ExecutionTimerConfig {
            limit: LIMIT,
            check_interval: CHECK_INTERVAL,
        });
        Ok(PromotionGate { engine, revision: revision_of(&[text.revision(), DENY.to_owned()]) })
    }

    /// Names the policy that judges.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// Whether the promotion may be.
    pub fn judge(&self, promotion: &Promotion<'_>, now: Timestamp) -> Judgement {
        let Promotion { service, environment, tag, cluster, nodes, known } = promotion;
        let nodes: Vec<Json> = nodes.iter().map(|node| input(node, now)).collect();
        let asked = json!({
            "service": service,
            "environment": environment,
            "tag": tag,
            "cluster": cluster,
            "nodes": nodes,
            "known": known,
            "now": hour(now).to_string(),
        });
        let mut engine = self.engine.clone();
        engine.set_input(Value::from(asked));
        let found =
            messages(&mut engine, DENY).and_then(|denied| Ok((denied, messages(&mut engine, UNKNOWN)?)));
        match found {
            Ok((denied, _)) if !denied.is_empty() => Judgement::Denied(denied),
            Ok((_, unknown)) if unknown.is_empty() => Judgement::Allowed,
            Ok((_, unknown)) => Judgement::Unknown(unknown),
            Err(problem) => Judgement::Unknown(vec![format!("The policy cannot be asked: {problem}.")]),
        }
    }
}

impl std::fmt::Debug for PromotionGate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PromotionGate({})", self.revision)
    }
}

/// The texts in a rule's set. A rule that is not there, or that answers something else, is an error: nothing said is no pass.
fn messages(engine: &mut Engine, rule: &str) -> Result<Vec<String>, String> {
    let value = engine.eval_rule(rule.to_owned()).map_err(|error| error.to_string())?;
    drop(engine.take_prints());
    let Value::Set(found) = value else { return Err(format!("{rule} answers no set of messages")) };
    let text = |value: &Value| match value {
        Value::String(text) => Ok(text.to_string()),
        _ => Err(format!("{rule} holds something else than texts")),
    };
    found.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use domain::instance::HttpTokens;
    use domain::testing;

    use super::*;

    fn judged(gate: &PromotionGate, nodes: &[&Instance], known: bool) -> Judgement {
        let promotion =
            Promotion { service: "users", environment: "prod", tag: "1.4.2", cluster: "prod", nodes, known };
        gate.judge(&promotion, "2026-06-15T10:20:00Z".parse().unwrap())
    }

    fn node(tokens: HttpTokens) -> Instance {
        Instance { metadata_options: Some(testing::options(tokens)), ..testing::instance("i-1") }
    }

    #[test]
    fn nodes_that_answer_imdsv1_refuse_a_promotion() {
        let gate = PromotionGate::load(&PolicyConfig::default()).unwrap();
        let (good, bad) = (node(HttpTokens::Required), node(HttpTokens::Optional));
        assert_eq!(judged(&gate, &[&good], true), Judgement::Allowed);
        let Judgement::Denied(why) = judged(&gate, &[&good, &bad], true) else { panic!("it is let pass") };
        assert!(why[0].starts_with("Node i-1 of prod answers IMDSv1"), "{why:?}");
        let tags = testing::tags([("imds:exempt-owner", "ana"), ("imds:exempt-until", "2026-06-15")]);
        let exempted = Instance { tags, ..bad.clone() };
        assert_eq!(judged(&gate, &[&exempted], true), Judgement::Allowed);
        assert!(
            matches!(judged(&gate, &[&exempted, &bad], false), Judgement::Denied(_)),
            "what is known is enough"
        );
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let gate = PromotionGate::load(&PolicyConfig::default()).unwrap();
        let good = node(HttpTokens::Required);
        for (nodes, known) in [(&[&good][..], false), (&[], true), (&[], false)] {
            assert!(matches!(judged(&gate, nodes, known), Judgement::Unknown(_)), "{known}");
        }
    }

    #[test]
    fn a_directory_may_have_its_own_and_never_lets_pass_by_saying_nothing() {
        let gate = |text: &str| {
            let directory = tempfile::tempdir().unwrap();
            std::fs::write(directory.path().join("own.rego"), text).unwrap();
            let config =
                PolicyConfig { directory: Some(directory.path().to_owned()), ..PolicyConfig::default() };
            PromotionGate::load(&config)
        };
        let good = node(HttpTokens::Required);
        let bad = node(HttpTokens::Optional);
        let own = "package tollgate.promotion\ndeny contains \"not on Fridays\" if input.tag == \"1.4.2\"\nunknown := set()\n";
        assert_eq!(
            judged(&gate(own).unwrap(), &[&good], true),
            Judgement::Denied(vec!["not on Fridays".into()])
        );
        let silent = gate("package tollgate.promotion\nsomething := 1\n").unwrap();
        assert!(matches!(judged(&silent, &[&good], true), Judgement::Unknown(_)));
        let odd = gate("package tollgate.promotion\ndeny := true\nunknown := set()\n").unwrap();
        assert!(matches!(judged(&odd, &[&good], true), Judgement::Unknown(_)));
        // One without a word on promotions is judged by the built-in rule.
        let other = gate("package acme\ndeny contains \"x\" if false\n").unwrap();
        assert_eq!(judged(&other, &[&good], true), Judgement::Allowed);
        assert!(matches!(judged(&other, &[&bad], true), Judgement::Denied(_)));
        assert_ne!(silent.revision(), odd.revision());
    }
}
