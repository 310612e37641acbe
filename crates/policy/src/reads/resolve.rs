//! The places that an expression may stand for, by itself or through the rules and functions it names.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, NodeRef};

use super::path::{path_of, step_of};
use super::scope::Scope;
use crate::place::{Place, Root, Step};

/// What rules, functions and their parameters may stand for, by path; a parameter is one more component with its number.
pub(super) type Bindings = BTreeMap<Vec<String>, BTreeSet<Place>>;

/// Resolves the expressions of one package, and notes what its rules and calls hand on.
pub(super) struct Resolver<'a> {
    package: &'a [String],
    bindings: &'a mut Bindings,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(package: &'a [String], bindings: &'a mut Bindings) -> Resolver<'a> {
        Resolver { package, bindings }
    }

    /// The places that an expression may stand for; none if it is computed.
    pub(super) fn resolve(&self, expr: &Expr, scope: &Scope) -> Vec<Place> {
        let below = |refr: &Expr, step: Step| {
            let places = self.resolve(refr, scope);
            places.iter().flat_map(|place| self.follow(place.then(step.clone()))).collect()
        };
        match expr {
            Expr::Var { span, .. } => self.resolve_name(span.text(), scope),
            Expr::RefDot { refr, field, .. } => match field.1.as_string() {
                Ok(key) => below(refr, Step::Key(key.to_string())),
                Err(_) => below(refr, Step::Any),
            },
            Expr::RefBrack { refr, index, .. } => below(refr, step_of(index)),
            Expr::Call { fcn, params, .. } => self.resolve_call(fcn, params, scope),
            _ => Vec::new(),
        }
    }

    /// Notes what the rule or function named in the head of a rule hands on.
    pub(super) fn hand_on(&mut self, named: &Expr, places: Vec<Place>) {
        if let Some(path) = self.rule_path(named)
            && !places.is_empty()
        {
            self.bindings.entry(path).or_default().extend(places);
        }
    }

    /// Notes what a call passes to each parameter of a function of the policy.
    pub(super) fn pass(&mut self, function: &Expr, params: &[NodeRef<Expr>], scope: &Scope) {
        for path in self.called(function, scope) {
            for (number, param) in params.iter().enumerate() {
                let places = self.resolve(param, scope);
                if !places.is_empty() {
                    self.bindings.entry(parameter(&path, number)).or_default().extend(places);
                }
            }
        }
    }

    /// What the calls that were seen pass for a parameter of the function named in the head of a rule.
    pub(super) fn passed(&self, named: &Expr, number: usize) -> Vec<Place> {
        let path = self.rule_path(named);
        let places = path.and_then(|path| self.bindings.get(&parameter(&path, number)));
        places.into_iter().flatten().cloned().collect()
    }

    fn rule_path(&self, refr: &Expr) -> Option<Vec<String>> {
        Some([self.package, &path_of(refr)?].concat())
    }

    /// The path of the function that a call names: one of this package, or one named through `data` or an import.
    fn called(&self, function: &Expr, scope: &Scope) -> Vec<Vec<String>> {
        let Some(path) = path_of(function) else { return Vec::new() };
        let rest = path[1..].iter().cloned();
        match (path[0].as_str(), scope.places(&path[0])) {
            ("data", _) => vec![rest.collect()],
            (_, Some(places)) => places
                .iter()
                .filter(|place| place.root == Root::Data)
                .map(|place| place.keys().into_iter().map(str::to_owned).chain(rest.clone()).collect())
                .collect(),
            (_, None) => vec![[self.package, &path].concat()],
        }
    }

    fn resolve_name(&self, name: &str, scope: &Scope) -> Vec<Place> {
        match scope.places(name) {
            Some(places) => places.to_vec(),
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
        if let [object, key, default] = params
            && path_of(function).is_some_and(|path| path == ["object", "get"])
        {
            let steps: Vec<Step> = match key.as_ref() {
                Expr::Array { items, .. } => items.iter().map(|item| step_of(item)).collect(),
                key => vec![step_of(key)],
            };
            let mut places = self.resolve(default, scope);
            places.extend(
                self.resolve(object, scope)
                    .into_iter()
                    .map(|place| steps.iter().cloned().fold(place, |place, step| place.then(step))),
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

fn parameter(function: &[String], number: usize) -> Vec<String> {
    function.iter().cloned().chain([format!("\u{0}{number}")]).collect()
}
