//! What the answer of a policy means: a list of violations, a boolean, or nothing that can be trusted.

use domain::policy::{PolicyOutcome, Severity, Violation};
use serde_json::Value;

use crate::query::Query;

/// Reads the value of the rule that was asked. A list holds violations; `true` says that the instance matches the
/// condition that the rule looks for; any other shape is an error, never a pass.
pub(crate) fn interpret(query: &Query, value: &Value) -> PolicyOutcome {
    match value {
        Value::Bool(false) => PolicyOutcome::Pass,
        Value::Bool(true) => PolicyOutcome::Fail { violations: vec![condition_holds(query)] },
        Value::Array(items) => {
            match items
                .iter()
                .enumerate()
                .map(|(index, item)| violation(index, item))
                .collect::<Result<Vec<_>, _>>()
            {
                Ok(violations) if violations.is_empty() => PolicyOutcome::Pass,
                Ok(mut violations) => {
                    violations.sort_by(|a, b| (a.severity, a).cmp(&(b.severity, b)));
                    PolicyOutcome::Fail { violations }
                }
                Err(message) => PolicyOutcome::Error { message: format!("{}: {message}", query.text()) },
            }
        }
        Value::Null | Value::Number(_) | Value::String(_) | Value::Object(_) => PolicyOutcome::Error {
            message: format!(
                "{}: expected a list of violations or a boolean, found {}",
                query.text(),
                type_name(value)
            ),
        },
    }
}

fn condition_holds(query: &Query) -> Violation {
    let rule = query.rule_name();
    Violation {
        message: format!("The condition {rule} holds for this instance."),
        rule,
        severity: Severity::High,
        remediation: String::new(),
    }
}

fn violation(index: usize, item: &Value) -> Result<Violation, String> {
    let Value::Object(fields) = item else {
        return Err(format!("violation {} is {}, not an object", index + 1, type_name(item)));
    };
    let text = |name: &str| match fields.get(name) {
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => {
            Err(format!("violation {}: `{name}` is {}, not a string", index + 1, type_name(other)))
        }
        None => Ok(None),
    };
    let required = |name: &str| {
        text(name)?
            .filter(|text| !text.trim().is_empty())
            .ok_or_else(|| format!("violation {} has no `{name}`", index + 1))
    };
    let severity = required("severity")?;
    Ok(Violation {
        rule: required("rule")?,
        severity: Severity::parse(&severity).ok_or_else(|| {
            format!(
                "violation {}: severity `{severity}` is none of critical, high, medium, low, info",
                index + 1
            )
        })?,
        message: required("message")?,
        remediation: text("remediation")?.unwrap_or_default(),
    })
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> PolicyOutcome {
        interpret(&Query::parse("data.p.violations").unwrap(), &value)
    }

    #[test]
    fn an_empty_list_passes() {
        assert_eq!(read(json!([])), PolicyOutcome::Pass);
    }

    #[test]
    fn violations_are_sorted_worst_first() {
        let outcome = read(json!([
            { "rule": "b", "severity": "low", "message": "m" },
            { "rule": "c", "severity": "critical", "message": "m", "remediation": "r" },
            { "rule": "a", "severity": "low", "message": "m" },
        ]));
        let rules: Vec<_> = outcome.violations().iter().map(|violation| violation.rule.as_str()).collect();
        assert_eq!(rules, ["c", "a", "b"]);
        assert_eq!(outcome.violations()[0].remediation, "r");
    }

    #[test]
    fn a_boolean_says_whether_the_condition_holds() {
        assert_eq!(read(json!(false)), PolicyOutcome::Pass);
        assert_eq!(read(json!(true)).violations()[0].rule, "p.violations");
    }

    #[test]
    fn any_other_shape_is_an_error() {
        for (value, said) in [
            (json!(null), "found null"),
            (json!(1), "found a number"),
            (json!("no"), "found a string"),
            (json!({}), "found an object"),
            (json!(["text"]), "violation 1 is a string"),
            (json!([{ "severity": "low", "message": "m" }]), "has no `rule`"),
            (json!([{ "rule": " ", "severity": "low", "message": "m" }]), "has no `rule`"),
            (json!([{ "rule": "r", "message": "m" }]), "has no `severity`"),
            (json!([{ "rule": "r", "severity": "HIGH", "message": "m" }]), "severity `HIGH`"),
            (json!([{ "rule": "r", "severity": "low" }]), "has no `message`"),
            (json!([{ "rule": "r", "severity": "low", "message": 1 }]), "`message` is a number"),
            (
                json!([{ "rule": "r", "severity": "low", "message": "m", "remediation": [] }]),
                "`remediation` is an array",
            ),
            (json!([[]]), "violation 1 is an array"),
        ] {
            match read(value.clone()) {
                PolicyOutcome::Error { message } => assert!(message.contains(said), "{message}"),
                other => panic!("{value} was read as {other:?}"),
            }
        }
    }
}
