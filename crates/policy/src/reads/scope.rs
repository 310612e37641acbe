//! The names that are declared where an expression stands, and the places that each may stand for.

use std::collections::HashMap;

use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt};

use crate::place::Place;

/// Names in scope with the places they may stand for; none for a name that stands for something else.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope(HashMap<String, Vec<Place>>);

impl Scope {
    pub(super) fn places(&self, name: &str) -> Option<&[Place]> {
        self.0.get(name).map(Vec::as_slice)
    }

    /// Lets `name` stand for `places`, whatever it stood for before.
    pub(super) fn declare(&mut self, name: &str, places: Vec<Place>) {
        self.0.insert(name.to_owned(), places);
    }

    /// Lets `name` stand for `places` unless it stands for something already.
    pub(super) fn unify(&mut self, name: &str, places: Vec<Place>) {
        self.0.entry(name.to_owned()).or_insert(places);
    }

    /// Hides what the names that a statement declares mean outside.
    pub(super) fn hide_declared(&mut self, statement: &LiteralStmt) {
        match &statement.literal {
            Literal::SomeVars { vars, .. } => vars.iter().for_each(|name| self.hide_name(name.text())),
            Literal::SomeIn { key, value, .. } => {
                key.iter().chain([value]).for_each(|pattern| self.hide(pattern));
            }
            Literal::Expr { expr, .. } => {
                if let Expr::AssignExpr { op: AssignOp::ColEq, lhs, .. } = expr.as_ref() {
                    self.hide(lhs);
                }
            }
            Literal::NotExpr { .. } | Literal::Every { .. } => {}
        }
    }

    /// Hides what the names of a pattern mean outside.
    pub(super) fn hide(&mut self, pattern: &Expr) {
        match pattern {
            Expr::Var { span, .. } if is_variable(span.text()) => self.hide_name(span.text()),
            Expr::Array { items, .. } => items.iter().for_each(|item| self.hide(item)),
            Expr::Object { fields, .. } => fields.iter().for_each(|(_, _, value)| self.hide(value)),
            _ => {}
        }
    }

    /// Hides what `name` means outside.
    pub(super) fn hide_name(&mut self, name: &str) {
        self.declare(name, Vec::new());
    }
}

/// Whether a pattern can bind the name: the documents always mean themselves, and `_` is nothing's name.
pub(super) fn is_variable(name: &str) -> bool {
    !matches!(name, "input" | "data" | "_")
}
