//! Adding and removing terms of a query that a person is writing, leaving the rest as it was spelled.

use super::parser::{Conjuncts, Parsed, parse};
use super::{Expr, Query, Term};

/// Whether `term` is one of the conditions that all of `text`'s matches fulfil.
pub fn has_term(text: &str, term: &str) -> bool {
    match (conjuncts(text), Query::parse(term)) {
        (Some(conjuncts), Ok(term)) => conjuncts.iter().any(|(expr, _)| expr == term.expr()),
        _ => false,
    }
}

/// `text` with `term` as one more condition, unless it is one already.
pub fn with_term(text: &str, term: &str) -> String {
    if has_term(text, term) { text.to_owned() } else { append(text, term) }
}

/// `text` without the condition `term`.
pub fn without_term(text: &str, term: &str) -> String {
    match Query::parse(term) {
        Ok(term) => without(text, |expr| expr == term.expr()),
        Err(_) => text.to_owned(),
    }
}

/// `text` with `term` when it lacks it, and else without.
pub fn toggle_term(text: &str, term: &str) -> String {
    if has_term(text, term) { without_term(text, term) } else { append(text, term) }
}

/// `text` with `term` in place of every other term of the same key, as one card of several replaces another.
pub fn with_facet(text: &str, term: &str) -> String {
    match Query::parse(term) {
        Ok(query) => append(&without(text, |expr| same_key(expr, query.expr())), term),
        Err(_) => text.to_owned(),
    }
}

/// The top-level conditions and where they stand; `None` where `text` is no query. Alternatives are one condition together.
fn conjuncts(text: &str) -> Option<Conjuncts> {
    let mut parsed = parse(text).ok()?;
    if parsed.alternatives.len() > 1 {
        let whole = 0..text.chars().count();
        return Some(vec![(Query::new(parsed.into_expr()).0, whole)]);
    }
    let conjuncts = parsed.alternatives.pop().unwrap_or_default();
    Some(conjuncts.into_iter().map(|(expr, span)| (expr.normalized(), span)).collect())
}

fn append(text: &str, term: &str) -> String {
    let kept = text.trim();
    if kept.is_empty() {
        return term.to_owned();
    }
    // A condition next to alternatives would bind to the last of them only.
    match parse(kept) {
        Ok(Parsed { alternatives }) if alternatives.len() > 1 => ["(", kept, ") ", term].concat(),
        _ => [kept, " ", term].concat(),
    }
}

fn without(text: &str, drop: impl Fn(&Expr) -> bool) -> String {
    let Some(conjuncts) = conjuncts(text) else {
        return text.to_owned();
    };
    if !conjuncts.iter().any(|(expr, _)| drop(expr)) {
        return text.to_owned();
    }
    let characters: Vec<char> = text.chars().collect();
    let kept: Vec<String> = conjuncts
        .into_iter()
        .filter(|(expr, _)| !drop(expr))
        .map(|(_, span)| characters[span].iter().collect())
        .collect();
    kept.join(" ")
}

fn same_key(left: &Expr, right: &Expr) -> bool {
    match (left, right) {
        (Expr::Term(left), Expr::Term(right)) => match (left, right) {
            (Term::Field { field: left, .. }, Term::Field { field: right, .. }) => left == right,
            (Term::Facet { facet: left, .. }, Term::Facet { facet: right, .. }) => left == right,
            (Term::TagIs { key: left, .. }, Term::TagIs { key: right, .. }) => left == right,
            (Term::Hop(_), Term::Hop(_)) | (Term::Age(_), Term::Age(_)) => true,
            _ => left == right,
        },
        // A negated term narrows further than the one that replaces its key would, so it is left alone.
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_is_added_once() {
        assert_eq!(with_term("", "verdict:safe"), "verdict:safe");
        assert_eq!(with_term("web  state:running ", "verdict:safe"), "web  state:running verdict:safe");
        assert_eq!(with_term("verdict:safe web", "verdict:enforced,endpoint-disabled"), "verdict:safe web");
        assert_eq!(with_term("a OR b", "hop:2"), "(a OR b) hop:2");
        assert_eq!(with_term("\"open", "hop:2"), "\"open hop:2", "what cannot be parsed is not thrown away");
    }

    #[test]
    fn a_term_is_removed_and_the_rest_keeps_its_spelling() {
        assert_eq!(without_term("STATE:running web -hop:2", "state:running"), "web -hop:2");
        assert_eq!(without_term("web  x", "y"), "web  x");
        assert_eq!(without_term("web", "web"), "");
        assert_eq!(without_term("a AND b", "a"), "b");
        assert_eq!(without_term("(a) b", "a"), "b");
    }

    #[test]
    fn toggling_twice_is_nothing() {
        let once = toggle_term("web", "region:eu-*");
        assert_eq!(once, "web region:eu-*");
        assert_eq!(toggle_term(&once, "region:eu-*"), "web");
    }

    #[test]
    fn a_facet_replaces_the_terms_of_its_key() {
        assert_eq!(with_facet("verdict:safe web", "verdict:unknown"), "web verdict:unknown");
        assert_eq!(with_facet("-verdict:safe", "verdict:unknown"), "-verdict:safe verdict:unknown");
        assert_eq!(with_facet("tag:a=1 tag:b=2", "tag:a=3"), "tag:b=2 tag:a=3");
    }
}
