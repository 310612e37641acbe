//! What a policy reads, found in its syntax tree: paths of the input that are not kept would silently be undefined.
//!
//! Followed are references in every spelling, imports, local variables, iteration, patterns, `object.get`, rules and
//! functions that hand a part of the input on, within and between packages. Not followed are names that are only known
//! at evaluation (`input[name]`, `walk`, `json.filter`).

mod path;
mod resolve;
mod scope;
mod walk;

use std::collections::BTreeSet;

use regorus::unstable::{Module, NodeRef};

use self::resolve::Bindings;
use crate::place::{Place, Root};
use crate::query::Query;

pub(crate) use self::path::path_of;

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
                    let places = walk::places_read(module, &package, &mut bindings);
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

#[cfg(test)]
mod tests;
