//! What a policy reads, found in its syntax tree: paths of the input that are not kept would silently be undefined.
//!
//! Followed are references in every spelling, imports, local variables, iteration, patterns, `object.get`, rules and
//! functions that hand a part of the input on, within and between packages. Not followed are names that are only known
//! at evaluation (`input[name]`, `walk`, `json.filter`).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use regorus::unstable::{
    AssignOp, Expr, Import, Literal, LiteralStmt, Module, NodeRef, Query as Body, Rule, RuleHead, Span,
};

use crate::place::{Place, Root, Step};
use crate::query::Query;

/// How often what rules and functions hand on is propagated; each round follows one more call.
const ROUNDS: usize = 16;

/// The first path, in the order of their names, that the rule reads or may read and that is not kept, as far as needed to
/// see that: `input.SecurityGroups` rather than what is read of it.
pub(crate) fn unsupported_read(modules: &[NodeRef<Module>], query: &Query) -> Option<String> {
    Reads::of(modules)
        .reachable_from(query.components())
        .flat_map(|module| &module.places)
        .filter(|place| place.root == Root::Input && !place.is_kept_input())
        .map(Place::to_string)
        .min()
}

/// The modules that may take part in the answer to `query`, by the position in which they were added.
pub(crate) fn reachable_modules(modules: &[NodeRef<Module>], query: &Query) -> Vec<usize> {
    Reads::of(modules).reachable_from(query.components()).map(|module| module.position).collect()
}

/// Names in scope with the places they may stand for; none for a name that stands for something else.
type Scope = HashMap<String, Vec<Place>>;

/// What rules, functions and their parameters may stand for, by path; a parameter is one more component with its number.
type Bindings = BTreeMap<Vec<String>, BTreeSet<Place>>;

struct Reads {
    modules: Vec<ModuleReads>,
}

struct ModuleReads {
    position: usize,
    package: Vec<String>,
    places: BTreeSet<Place>,
}

impl Reads {
    fn of(modules: &[NodeRef<Module>]) -> Reads {
        let mut bindings = Bindings::new();
        let mut read = Vec::new();
        for _ in 0..ROUNDS {
            let before = bindings.clone();
            read = modules
                .iter()
                .enumerate()
                .map(|(position, module)| {
                    let package = path_of(&module.package.refr).unwrap_or_default();
                    let mut walk =
                        Walk { package: &package, bindings: &mut bindings, places: BTreeSet::new() };
                    walk.module(module);
                    let places = walk.places;
                    ModuleReads { position, package, places }
                })
                .collect();
            if bindings == before {
                break;
            }
        }
        Reads { modules: read }
    }

    /// Follows the references between packages; one that is only known at evaluation may lead anywhere below it.
    fn reachable_from(&self, query: &[String]) -> impl Iterator<Item = &ModuleReads> {
        let touches =
            |package: &[String], keys: &[&str]| package.iter().zip(keys).all(|(name, key)| name == key);
        let query: Vec<&str> = query.iter().map(String::as_str).collect();
        let mut reached: Vec<bool> =
            self.modules.iter().map(|module| touches(&module.package, &query)).collect();
        loop {
            let before = reached.clone();
            let refs: Vec<Vec<&str>> = (self.modules.iter().zip(&before))
                .filter(|(_, reached)| **reached)
                .flat_map(|(module, _)| &module.places)
                .filter(|place| place.root == Root::Data)
                .map(Place::keys)
                .collect();
            for (module, reached) in self.modules.iter().zip(&mut reached) {
                *reached |= refs.iter().any(|keys| touches(&module.package, keys));
            }
            if reached == before {
                break;
            }
        }
        self.modules.iter().zip(reached).filter_map(|(module, reached)| reached.then_some(module))
    }
}

/// The names of a path that consists of constants, such as that of a package.
pub(crate) fn path_of(expr: &Expr) -> Option<Vec<String>> {
    match expr {
        Expr::Var { value, .. } => Some(vec![value.as_string().ok()?.to_string()]),
        Expr::RefDot { refr, field, .. } => {
            let mut path = path_of(refr)?;
            path.push(field.1.as_string().ok()?.to_string());
            Some(path)
        }
        Expr::RefBrack { refr, index, .. } => {
            let mut path = path_of(refr)?;
            match step_of(index) {
                Step::Key(key) => path.push(key),
                Step::Index | Step::Any => return None,
            }
            Some(path)
        }
        _ => None,
    }
}

fn step_of(index: &Expr) -> Step {
    match index {
        Expr::String { value, .. } | Expr::RawString { value, .. } => {
            value.as_string().map_or(Step::Any, |key| Step::Key(key.to_string()))
        }
        Expr::Number { .. } => Step::Index,
        _ => Step::Any,
    }
}

/// Walks one module, collecting what it reads and what it hands on.
struct Walk<'a> {
    package: &'a [String],
    bindings: &'a mut Bindings,
    places: BTreeSet<Place>,
}

impl Walk<'_> {
    fn module(&mut self, module: &Module) {
        let mut scope = Scope::new();
        for import in &module.imports {
            self.import(import, &mut scope);
        }
        for rule in &module.policy {
            self.rule(rule, &scope);
        }
    }

    fn import(&mut self, import: &Import, scope: &mut Scope) {
        let places = self.resolve(&import.refr, &Scope::new());
        let name = match &import.r#as {
            Some(name) => Some(name.text().to_owned()),
            None => path_of(&import.refr).and_then(|path| path.last().cloned()),
        };
        // `import rego.v1` and `import future.keywords.in` name no document.
        let is_document =
            path_of(&import.refr).is_some_and(|path| matches!(path[0].as_str(), "input" | "data"));
        if let (Some(name), true) = (name, is_document) {
            self.places.extend(places.iter().cloned());
            scope.insert(name, places);
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
        let path = self.rule_path(function);
        for (number, arg) in args.iter().enumerate() {
            hide(arg, scope);
            let passed = path.as_ref().and_then(|path| self.bindings.get(&parameter(path, number)));
            let passed = passed.map(|places| places.iter().cloned().collect()).unwrap_or_default();
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
        let Some(path) = self.rule_path(named) else { return };
        let places = self.resolve(value, scope);
        if !places.is_empty() && !is_collection {
            self.bindings.entry(path).or_default().extend(places);
        }
    }

    fn rule_path(&self, refr: &Expr) -> Option<Vec<String>> {
        Some(self.package.iter().cloned().chain(path_of(refr)?).collect())
    }

    fn body(&mut self, body: &Body, scope: &mut Scope) {
        for statement in &body.stmts {
            hide_declared(statement, scope);
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
                    let places = self.resolve(rhs, scope);
                    self.bind(lhs, places, is_declaration, scope);
                    if !is_declaration {
                        let places = self.resolve(lhs, scope);
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
                "input" | "data" | "_" => {}
                _ if places.is_empty() => {}
                name if is_declaration => {
                    scope.insert(name.to_owned(), places);
                }
                name => {
                    scope.entry(name.to_owned()).or_insert(places);
                }
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

    fn elements(&mut self, collection: &Expr, scope: &Scope) -> Vec<Place> {
        self.resolve(collection, scope).iter().map(|place| place.then(Step::Any)).collect()
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
                    inner.insert(key.text().to_owned(), Vec::new());
                }
                inner.insert(value.text().to_owned(), self.elements(domain, scope));
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
        let places = self.resolve(expr, scope);
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
                self.pass(fcn, params, scope);
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

    /// Notes what a call passes to each parameter of a function of the policy.
    fn pass(&mut self, function: &Expr, params: &[NodeRef<Expr>], scope: &Scope) {
        for path in self.called(function, scope) {
            for (number, param) in params.iter().enumerate() {
                let places = self.resolve(param, scope);
                if !places.is_empty() {
                    self.bindings.entry(parameter(&path, number)).or_default().extend(places);
                }
            }
        }
    }

    /// The path of the function that a call names: one of this package, or one named through `data` or an import.
    fn called(&self, function: &Expr, scope: &Scope) -> Vec<Vec<String>> {
        let Some(path) = path_of(function) else { return Vec::new() };
        let rest = path[1..].iter().cloned();
        match (path[0].as_str(), scope.get(&path[0])) {
            ("data", _) => vec![rest.collect()],
            (_, Some(places)) => places
                .iter()
                .filter(|place| place.root == Root::Data)
                .map(|place| place.keys().into_iter().map(str::to_owned).chain(rest.clone()).collect())
                .collect(),
            (_, None) => vec![self.package.iter().cloned().chain(path).collect()],
        }
    }

    /// The places that an expression may stand for; none if it is computed.
    fn resolve(&self, expr: &Expr, scope: &Scope) -> Vec<Place> {
        let below = |refr: &Expr, step: Step| {
            let places = self.resolve(refr, scope);
            places.iter().flat_map(|place| self.follow(place.then(step.clone()))).collect()
        };
        match expr {
            Expr::Var { span, .. } => self.resolve_name(span, scope),
            Expr::RefDot { refr, field, .. } => match field.1.as_string() {
                Ok(key) => below(refr, Step::Key(key.to_string())),
                Err(_) => below(refr, Step::Any),
            },
            Expr::RefBrack { refr, index, .. } => below(refr, step_of(index)),
            Expr::Call { fcn, params, .. } => self.resolve_call(fcn, params, scope),
            _ => Vec::new(),
        }
    }

    fn resolve_name(&self, name: &Span, scope: &Scope) -> Vec<Place> {
        let name = name.text();
        match scope.get(name) {
            Some(places) => places.clone(),
            None => match name {
                "input" => vec![Place::of(Root::Input)],
                "data" => vec![Place::of(Root::Data)],
                _ => {
                    let keys = self.package.iter().cloned().chain([name.to_owned()]);
                    self.follow(Place { root: Root::Data, steps: keys.map(Step::Key).collect() })
                }
            },
        }
    }

    /// A place in `data` that is a rule of the policy also is what the rule hands on.
    fn follow(&self, place: Place) -> Vec<Place> {
        let mut places = Vec::new();
        if place.root == Root::Data && place.keys().len() == place.steps.len() {
            let keys: Vec<String> = place.keys().into_iter().map(str::to_owned).collect();
            places.extend(self.bindings.get(&keys).into_iter().flatten().cloned());
        }
        places.push(place);
        places
    }

    fn resolve_call(&self, function: &Expr, params: &[NodeRef<Expr>], scope: &Scope) -> Vec<Place> {
        if let (Some(["object", "get"]), [object, key, default]) =
            (path_of(function).as_deref().map(names).as_deref(), params)
        {
            let steps: Vec<Step> = match key.as_ref() {
                Expr::Array { items, .. } => items.iter().map(|item| step_of(item)).collect(),
                key => vec![step_of(key)],
            };
            let mut places = self.resolve(default, scope);
            places.extend(
                self.resolve(object, scope)
                    .into_iter()
                    .map(|place| steps.iter().cloned().fold(place, |p, s| p.then(s))),
            );
            return places;
        }
        self.called(function, scope)
            .iter()
            .filter_map(|path| self.bindings.get(path))
            .flatten()
            .cloned()
            .collect()
    }
}

/// Hides what the names that a statement declares mean outside.
fn hide_declared(statement: &LiteralStmt, scope: &mut Scope) {
    match &statement.literal {
        Literal::SomeVars { vars, .. } => {
            scope.extend(vars.iter().map(|name| (name.text().to_owned(), Vec::new())));
        }
        Literal::SomeIn { key, value, .. } => {
            key.iter().chain([value]).for_each(|pattern| hide(pattern, scope));
        }
        Literal::Expr { expr, .. } => {
            if let Expr::AssignExpr { op: AssignOp::ColEq, lhs, .. } = expr.as_ref() {
                hide(lhs, scope);
            }
        }
        Literal::NotExpr { .. } | Literal::Every { .. } => {}
    }
}

fn hide(pattern: &Expr, scope: &mut Scope) {
    match pattern {
        Expr::Var { span, .. } if !matches!(span.text(), "input" | "data" | "_") => {
            scope.insert(span.text().to_owned(), Vec::new());
        }
        Expr::Array { items, .. } => items.iter().for_each(|item| hide(item, scope)),
        Expr::Object { fields, .. } => fields.iter().for_each(|(_, _, value)| hide(value, scope)),
        _ => {}
    }
}

fn names(path: &[String]) -> Vec<&str> {
    path.iter().map(String::as_str).collect()
}

fn parameter(function: &[String], number: usize) -> Vec<String> {
    function.iter().cloned().chain([format!("\u{0}{number}")]).collect()
}

#[cfg(test)]
mod tests;
