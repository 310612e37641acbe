//! What is known of a policy without evaluating it: input that it reads in vain, and its rules for the policy page.

use domain::policy::Severity;
use regorus::Engine;
use regorus::unstable::{Module, Rule, RuleHead};
use serde::Deserialize;

use crate::RuleInfo;
use crate::query::Query;
use crate::reads::{path_of, reachable_modules, unsupported_read};

#[derive(Debug, Default)]
pub(crate) struct Analysis {
    /// A path that is read and not kept, such as `input.SecurityGroups`.
    pub(crate) unsupported: Option<String>,
    pub(crate) rules: Vec<RuleInfo>,
}

impl Analysis {
    pub(crate) fn of(engine: &mut Engine, query: &Query) -> Analysis {
        let mut modules = engine.get_modules().clone();
        // Rules about promotions are asked by themselves, with an input of their own.
        modules.retain(|module| !is_about_promotions(module));
        let reachable = reachable_modules(&modules, query);
        Analysis {
            unsupported: unsupported_read(&modules, query),
            rules: reachable.iter().flat_map(|&position| rules_of(&modules[position], query)).collect(),
        }
    }
}

/// Whether a module is of the package that judges promotions, or tests it.
fn is_about_promotions(module: &Module) -> bool {
    let package = path_of(&module.package.refr).unwrap_or_default();
    matches!(
        package.iter().map(String::as_str).collect::<Vec<_>>()[..],
        ["tollgate", "promotion" | "promotion_test"]
    )
}

/// The annotated rules of a file; without annotations, the rule that is asked stands for the file that defines it.
fn rules_of(module: &Module, query: &Query) -> Vec<RuleInfo> {
    let source = &module.package.span.source;
    let info = |name: String, annotations: Annotations| RuleInfo {
        title: if annotations.title.is_empty() { name.clone() } else { annotations.title },
        name,
        description: annotations.description,
        severity: annotations.custom.severity,
        file: source.get_path().clone(),
        text: source.get_contents().clone(),
    };
    let package = path_of(&module.package.refr).unwrap_or_default();
    let defined: Vec<(u32, Vec<String>)> = module
        .policy
        .iter()
        .filter_map(|rule| Some((rule.span().line, [package.clone(), rule_name(rule)?].concat())))
        .collect();

    let mut rules: Vec<RuleInfo> = annotation_blocks(source.get_contents())
        .into_iter()
        .filter_map(|(next_line, annotations)| {
            let (_, path) = defined.iter().find(|(line, _)| *line == next_line)?;
            let name = annotations.custom.rule.clone().unwrap_or_else(|| path.join("."));
            Some(info(name, annotations))
        })
        .collect();
    if rules.is_empty() && defined.iter().any(|(_, path)| path == query.components()) {
        rules.push(info(query.rule_name(), Annotations::default()));
    }
    rules
}

fn rule_name(rule: &Rule) -> Option<Vec<String>> {
    match rule {
        Rule::Default { refr, .. } => path_of(refr),
        Rule::Spec { head: RuleHead::Compr { refr, .. } | RuleHead::Set { refr, .. }, .. } => path_of(refr),
        // A function is asked by other rules only.
        Rule::Spec { head: RuleHead::Func { .. }, .. } => None,
    }
}

/// What is read of a `# METADATA` comment.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Annotations {
    title: String,
    description: String,
    custom: Custom,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Custom {
    rule: Option<String>,
    severity: Option<Severity>,
}

/// Each block of annotations with the number of the line below it, where what it annotates begins.
fn annotation_blocks(text: &str) -> Vec<(u32, Annotations)> {
    let mut blocks = Vec::new();
    let mut lines = (1u32..).zip(text.lines());
    while let Some((_, line)) = lines.next() {
        if line.trim_end() != "# METADATA" {
            continue;
        }
        let mut yaml = String::new();
        for (number, line) in lines.by_ref() {
            let Some(comment) = line.strip_prefix('#') else {
                // Annotations of other tools may hold what is not read here, and are passed over.
                if let Ok(annotations) = yaml_serde::from_str(&yaml) {
                    blocks.push((number, annotations));
                }
                break;
            };
            yaml.push_str(comment.strip_prefix(' ').unwrap_or(comment));
            yaml.push('\n');
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use crate::config::RegoVersion;
    use crate::modules::{Module, PolicyText};
    use crate::rego::engine_of;
    use crate::{PolicyConfig, RuleInfo};

    use super::*;

    fn analyse(modules: &[(&str, &str)], version: RegoVersion, query: &str) -> Vec<RuleInfo> {
        let modules: Vec<Module> = modules
            .iter()
            .map(|(file, text)| Module { file: (*file).to_owned(), text: (*text).to_owned() })
            .collect();
        let mut engine = engine_of(&modules, version).unwrap();
        Analysis::of(&mut engine, &Query::parse(query).unwrap()).rules
    }

    #[test]
    fn the_built_in_rules_describe_themselves() {
        let text = PolicyText::load(&PolicyConfig::default()).unwrap();
        let mut engine = engine_of(&text.modules, text.rego_version).unwrap();
        let query = Query::parse(PolicyConfig::DEFAULT_QUERY).unwrap();
        let analysis = Analysis::of(&mut engine, &query);
        assert_eq!(analysis.unsupported, None);
        let rules: Vec<_> = analysis.rules.iter().map(|rule| (rule.name.as_str(), rule.severity)).collect();
        assert_eq!(
            rules,
            [
                ("exemption", Some(Severity::Medium)),
                ("hop-limit", Some(Severity::Medium)),
                ("imdsv2-required", Some(Severity::High)),
                ("metadata-tags", Some(Severity::Low)),
            ]
        );
        for rule in &analysis.rules {
            assert!(!rule.title.is_empty() && !rule.description.is_empty(), "{} is not described", rule.name);
            // What the annotations promise is what the rule answers with.
            assert!(rule.text.contains(&format!(r#""rule": "{}""#, rule.name)), "{}", rule.name);
            let severity = rule.severity.map(Severity::as_str).unwrap_or_default();
            assert!(rule.text.contains(&format!(r#""severity": "{severity}""#)), "{}", rule.name);
        }
    }

    #[test]
    fn a_policy_without_annotations_is_one_rule() {
        let text = "package ec2\n\ndefault match = false\n\nmatch { input.MetadataOptions.HttpTokens == \"optional\" }\n";
        let other = ("k8s.rego", "package k8s\n\ndeny { input.request.object }\n");
        let rules = analyse(&[("ec2.rego", text), other], RegoVersion::V0, "data.ec2.match");
        assert_eq!(rules.len(), 1);
        assert_eq!(
            (rules[0].name.as_str(), rules[0].file.as_str(), rules[0].severity),
            ("ec2.match", "ec2.rego", None)
        );
    }

    #[test]
    fn annotations_that_are_not_understood_are_passed_over() {
        let text = "package p\n\n# METADATA\n# title: [\nv := 1\n\n# METADATA\n# title: Two\nw := 2\n# METADATA\n# title: nothing\n";
        let rules = analyse(&[("p.rego", text)], RegoVersion::V1, "data.p.v");
        let rules: Vec<_> = rules.iter().map(|rule| (rule.name.as_str(), rule.title.as_str())).collect();
        assert_eq!(rules, [("p.w", "Two")]);
    }
}
