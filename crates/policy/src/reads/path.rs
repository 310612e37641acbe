//! Paths and their steps as the syntax tree spells them.

use regorus::unstable::Expr;

use crate::place::Step;

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

/// The step that stands in the brackets of a reference, or that a pattern names.
pub(super) fn step_of(index: &Expr) -> Step {
    match index {
        Expr::String { value, .. } | Expr::RawString { value, .. } => {
            value.as_string().map_or(Step::Any, |key| Step::Key(key.to_string()))
        }
        Expr::Number { .. } => Step::Index,
        _ => Step::Any,
    }
}
