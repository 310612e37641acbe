//! Walks one module, collecting what it reads and what it hands on.

use std::collections::BTreeSet;

use regorus::unstable::{
    AssignOp, Expr, Import, Literal, LiteralStmt, Module, NodeRef, Query as Body, Rule, RuleHead,
};

use super::path::{path_of, step_of};
use super::resolve::{Bindings, Resolver};
use super::scope::{Scope, is_variable};
use crate::place::{Place, Root, Step};

/// The places that a module of `package` reads; what it hands on is added to `bindings`.
pub(super) fn places_read(module: &Module, package: &[String], bindings: &mut Bindings) -> BTreeSet<Place> {
    let mut walk = Walk { resolver: Resolver::new(package, bindings), places: BTreeSet::new() };
    walk.module(module);
    walk.places
}

struct Walk<'a> {
    resolver: Resolver<'a>,
    places: BTreeSet<Place>,
}

impl Walk<'_> {
    fn module(&mut self, module: &Module) {
        let mut scope = Scope::default();
        for import in &module.imports {
            self.import(import, &mut scope);
        }
        for rule in &module.policy {
            self.rule(rule, &scope);
        }
    }

    fn import(&mut self, import: &Import, scope: &mut Scope) {
        let places = self.resolver.resolve(&import.refr, &Scope::default());
        let name = match &import.r#as {
            Some(name) => Some(name.text().to_owned()),
            None => path_of(&import.refr).and_then(|path| path.last().cloned()),
        };
        // `import rego.v1` and `import future.keywords.in` name no document.
        let is_document =
            path_of(&import.refr).is_some_and(|path| matches!(path[0].as_str(), "input" | "data"));
        if let (Some(name), true) = (name, is_document) {
            self.places.extend(places.iter().cloned());
            scope.declare(&name, places);
        }
    }

    fn rule(&mut self, rule: &Rule, module_scope: &Scope) {
        match rule {
            Rule::Default { value, .. } => self.visit(value, module_scope),
            Rule::Spec { head, bodies, .. } => {
                let mut scope = module_scope.clone();
                let (refr, value) = match head {
                    RuleHead::Compr { refr, assign, .. } => {
                        (refr, assign.as_ref().map(|assign| &assign.value))
                    }
                    RuleHead::Set { refr, key, .. } => (refr, key.as_ref()),
                    RuleHead::Func { refr, args, assign, .. } => {
                        self.parameters(refr, args, &mut scope);
                        (refr, assign.as_ref().map(|assign| &assign.value))
                    }
                };
                let is_collection = matches!(head, RuleHead::Set { .. });
                if bodies.is_empty() {
                    self.head(refr, value, is_collection, &scope);
                }
                for body in bodies {
                    let mut scope = scope.clone();
                    self.body(&body.query, &mut scope);
                    // An `else` has a value of its own.
                    let value = body.assign.as_ref().map(|assign| &assign.value).or(value);
                    self.head(refr, value, is_collection, &scope);
                }
            }
        }
    }

    /// Gives each parameter what the calls that were seen pass for it.
    fn parameters(&mut self, function: &Expr, args: &[NodeRef<Expr>], scope: &mut Scope) {
        for (number, arg) in args.iter().enumerate() {
            scope.hide(arg);
            let passed = self.resolver.passed(function, number);
            self.bind(arg, passed, true, scope);
        }
    }

    fn head(
        &mut self,
        refr: &NodeRef<Expr>,
        value: Option<&NodeRef<Expr>>,
        is_collection: bool,
        scope: &Scope,
    ) {
        // `tags[tag.Key] := …` reads what stands in the brackets.
        let mut named = refr;
        let mut is_collection = is_collection;
        while let Expr::RefBrack { refr, index, .. } = named.as_ref() {
            self.visit(index, scope);
            is_collection = true;
            named = refr;
        }
        let Some(value) = value else { return };
        self.visit(value, scope);
        if !is_collection {
            let places = self.resolver.resolve(value, scope);
            self.resolver.hand_on(named, places);
        }
    }

    fn body(&mut self, body: &Body, scope: &mut Scope) {
        for statement in &body.stmts {
            scope.hide_declared(statement);
        }
        // Statements may stand in any order, so that a name may be bound below its use.
        for _ in 0..2 {
            for statement in &body.stmts {
                self.declare(statement, scope);
            }
        }
        for statement in &body.stmts {
            self.statement(statement, scope);
        }
    }

    fn declare(&mut self, statement: &LiteralStmt, scope: &mut Scope) {
        match &statement.literal {
            Literal::SomeIn { value, collection, .. } => {
                let elements = self.elements(collection, scope);
                self.bind(value, elements, true, scope);
            }
            Literal::Expr { expr, .. } => {
                if let Expr::AssignExpr { op, lhs, rhs, .. } = expr.as_ref() {
                    let is_declaration = *op == AssignOp::ColEq;
                    let places = self.resolver.resolve(rhs, scope);
                    self.bind(lhs, places, is_declaration, scope);
                    if !is_declaration {
                        let places = self.resolver.resolve(lhs, scope);
                        self.bind(rhs, places, false, scope);
                    }
                }
            }
            Literal::SomeVars { .. } | Literal::NotExpr { .. } | Literal::Every { .. } => {}
        }
    }

    /// Binds the names of a pattern to the parts of what it is matched with; the parts that it names are reads.
    fn bind(&mut self, pattern: &Expr, places: Vec<Place>, is_declaration: bool, scope: &mut Scope) {
        match pattern {
            Expr::Var { span, .. } => match span.text() {
                name if places.is_empty() || !is_variable(name) => {}
                name if is_declaration => scope.declare(name, places),
                name => scope.unify(name, places),
            },
            Expr::Object { fields, .. } => {
                for (_, key, value) in fields {
                    let parts: Vec<Place> = places.iter().map(|place| place.then(step_of(key))).collect();
                    self.places.extend(parts.iter().cloned());
                    self.bind(value, parts, is_declaration, scope);
                }
            }
            Expr::Array { items, .. } => {
                for item in items {
                    let parts = places.iter().map(|place| place.then(Step::Index)).collect();
                    self.bind(item, parts, is_declaration, scope);
                }
            }
            _ => {}
        }
    }

    fn elements(&self, collection: &Expr, scope: &Scope) -> Vec<Place> {
        self.resolver.resolve(collection, scope).iter().map(|place| place.then(Step::Any)).collect()
    }

    fn statement(&mut self, statement: &LiteralStmt, scope: &Scope) {
        let replaces_input =
            statement.with_mods.iter().any(|with| path_of(&with.refr).is_some_and(|path| path[0] == "input"));
        for with in &statement.with_mods {
            self.visit(&with.r#as, scope);
        }
        let before = replaces_input.then(|| self.places.clone());
        match &statement.literal {
            Literal::SomeVars { .. } => {}
            Literal::SomeIn { key, value, collection, .. } => {
                for expr in key.iter().chain([value, collection]) {
                    self.visit(expr, scope);
                }
            }
            Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => self.visit(expr, scope),
            Literal::Every { key, value, domain, query, .. } => {
                self.visit(domain, scope);
                let mut inner = scope.clone();
                if let Some(key) = key {
                    inner.hide_name(key.text());
                }
                inner.declare(value.text(), self.elements(domain, scope));
                self.body(query, &mut inner);
            }
        }
        // What the statement reads is the replacement; what it refers to in `data` is still used.
        if let Some(mut before) = before {
            before.extend(self.places.iter().filter(|place| place.root == Root::Data).cloned());
            self.places = before;
        }
    }

    /// Records what an expression reads.
    fn visit(&mut self, expr: &Expr, scope: &Scope) {
        let places = self.resolver.resolve(expr, scope);
        self.places.extend(places);
        match expr {
            Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. }
            | Expr::Var { .. } => {}
            Expr::Array { items, .. } | Expr::Set { items, .. } => {
                items.iter().for_each(|item| self.visit(item, scope));
            }
            Expr::Object { fields, .. } => {
                for (_, key, value) in fields {
                    self.visit(key, scope);
                    self.visit(value, scope);
                }
            }
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                let mut inner = scope.clone();
                self.body(query, &mut inner);
                self.visit(term, &inner);
            }
            Expr::ObjectCompr { key, value, query, .. } => {
                let mut inner = scope.clone();
                self.body(query, &mut inner);
                self.visit(key, &inner);
                self.visit(value, &inner);
            }
            Expr::Call { fcn, params, .. } => {
                params.iter().for_each(|param| self.visit(param, scope));
                self.resolver.pass(fcn, params, scope);
            }
            Expr::UnaryExpr { expr, .. } => self.visit(expr, scope),
            // The reference as a whole was resolved above; its beginning is visited for what stands in its brackets.
            Expr::RefDot { refr, .. } => self.visit(refr, scope),
            Expr::RefBrack { refr, index, .. } => {
                self.visit(refr, scope);
                self.visit(index, scope);
            }
            Expr::BinExpr { lhs, rhs, .. }
            | Expr::BoolExpr { lhs, rhs, .. }
            | Expr::ArithExpr { lhs, rhs, .. }
            | Expr::AssignExpr { lhs, rhs, .. } => {
                self.visit(lhs, scope);
                self.visit(rhs, scope);
            }
            Expr::Membership { key, value, collection, .. } => {
                for expr in key.iter().chain([value, collection]) {
                    self.visit(expr, scope);
                }
            }
        }
    }
}
