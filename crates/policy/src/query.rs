//! The path of the rule that is asked: `data.ec2.match` or `data.graph["a b"].deny`.

use crate::error::PolicyError;

/// A path below `data`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    text: String,
    /// The components after `data`; at least one.
    components: Vec<String>,
}

impl Query {
    pub(crate) fn parse(text: &str) -> Result<Query, PolicyError> {
        let error =
            |message: &str| PolicyError::QuerySyntax { query: text.to_owned(), message: message.to_owned() };
        let mut rest = text.strip_prefix("data").ok_or_else(|| error("it does not start with `data`"))?;
        let mut components = Vec::new();
        while !rest.is_empty() {
            let (component, after) = if let Some(dotted) = rest.strip_prefix('.') {
                let end = dotted.find(['.', '[']).unwrap_or(dotted.len());
                let (name, after) = dotted.split_at(end);
                if !is_identifier(name) {
                    return Err(error("each name after a dot consists of letters, digits and `_`"));
                }
                (name, after)
            } else if let Some(quoted) = rest.strip_prefix("[\"") {
                quoted.split_once("\"]").ok_or_else(|| error("a `[\"` is not closed"))?
            } else {
                return Err(error("a name is followed by `.` or `[\"`"));
            };
            if component.is_empty() || component.contains(['"', '\\']) {
                return Err(error("a name is empty or holds a quote"));
            }
            components.push(component.to_owned());
            rest = after;
        }
        if components.is_empty() {
            return Err(error("it names no rule"));
        }
        Ok(Query { text: text.to_owned(), components })
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn components(&self) -> &[String] {
        &self.components
    }

    /// The name of a rule that answers with a boolean: the path without `data`.
    pub(crate) fn rule_name(&self) -> String {
        self.components.join(".")
    }
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_and_brackets_name_the_same_components() {
        let query = Query::parse(r#"data.graph["1.0 x"].deny"#).unwrap();
        assert_eq!(query.components(), ["graph", "1.0 x", "deny"]);
        assert_eq!(Query::parse("data.ec2.match").unwrap().rule_name(), "ec2.match");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "data",
            "input.x",
            "datax.y",
            "data.",
            "data..x",
            "data.a b",
            "data.a[0]",
            r#"data["x"#,
            "data.a/b",
        ] {
            assert!(Query::parse(text).is_err(), "{text}");
        }
    }
}
