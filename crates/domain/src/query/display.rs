//! The canonical spelling of a query: parsing it gives the same query.

use std::fmt::{self, Display, Formatter, Write};

use super::key::{Facet, ValueSet};
use super::{AgeTest, AgeUnit, Comparison, Expr, HopTest, Pattern, Query, Term, Than};

impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_expr(f, self.expr(), Level::Alternative)
    }
}

/// How tightly what surrounds an expression binds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Alternative,
    Conjunct,
    Operand,
}

fn write_expr(f: &mut Formatter<'_>, expr: &Expr, level: Level) -> fmt::Result {
    let (members, separator, own) = match expr {
        Expr::Term(term) => return write!(f, "{term}"),
        Expr::Not(inner) => {
            f.write_char('-')?;
            return write_expr(f, inner, Level::Operand);
        }
        Expr::All(members) => (members, " ", Level::Conjunct),
        Expr::Any(members) => (members, " OR ", Level::Alternative),
    };
    let group = level > own;
    if group {
        f.write_char('(')?;
    }
    let inner = if own == Level::Alternative { Level::Conjunct } else { Level::Operand };
    for (position, member) in members.iter().enumerate() {
        if position > 0 {
            f.write_str(separator)?;
        }
        write_expr(f, member, inner)?;
    }
    if group {
        f.write_char(')')?;
    }
    Ok(())
}

impl Display for Term {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Term::Text(values) => write_list(f, values, |f, value| write_pattern(f, value, Place::Text)),
            Term::Field { field, values } => {
                write!(f, "{}:", field.name())?;
                write_list(f, values, |f, value| write_pattern(f, value, Place::Value))
            }
            Term::Facet { facet, values } => {
                write!(f, "{}:", facet.name())?;
                write_values(f, *facet, *values)
            }
            Term::TagExists(keys) => {
                f.write_str("tag:")?;
                write_list(f, keys, |f, key| write_pattern(f, key, Place::TagKey))
            }
            Term::TagIs { key, values } => {
                f.write_str("tag:")?;
                write_pattern(f, key, Place::TagKey)?;
                f.write_char('=')?;
                write_list(f, values, |f, value| write_pattern(f, value, Place::Value))
            }
            Term::Hop(tests) => {
                f.write_str("hop:")?;
                write_list(f, tests, |f, test| write_hop(f, *test))
            }
            Term::Age(tests) => {
                f.write_str("age:")?;
                write_list(f, tests, |f, test| write_age(f, *test))
            }
        }
    }
}

fn write_list<T>(
    f: &mut Formatter<'_>,
    values: &[T],
    write: impl Fn(&mut Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (position, value) in values.iter().enumerate() {
        if position > 0 {
            f.write_char(',')?;
        }
        write(f, value)?;
    }
    Ok(())
}

fn write_values(f: &mut Formatter<'_>, facet: Facet, values: ValueSet) -> fmt::Result {
    let mut first = true;
    for (position, name) in facet.values().iter().enumerate() {
        if values.contains(position as u8) {
            if !first {
                f.write_char(',')?;
            }
            f.write_str(name)?;
            first = false;
        }
    }
    Ok(())
}

fn write_hop(f: &mut Formatter<'_>, test: HopTest) -> fmt::Result {
    let sign = match test.comparison {
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
        Comparison::Equal => "",
        Comparison::GreaterOrEqual => ">=",
        Comparison::Greater => ">",
    };
    write!(f, "{sign}{}", test.hop_limit)
}

fn write_age(f: &mut Formatter<'_>, test: AgeTest) -> fmt::Result {
    let sign = match test.than {
        Than::Older => '>',
        Than::Younger => '<',
    };
    let unit = match test.unit {
        AgeUnit::Minutes => 'm',
        AgeUnit::Hours => 'h',
        AgeUnit::Days => 'd',
        AgeUnit::Weeks => 'w',
    };
    write!(f, "{sign}{}{unit}", test.amount)
}

/// Where a pattern stands, which decides what has to be quoted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Text,
    Value,
    TagKey,
}

fn write_pattern(f: &mut Formatter<'_>, pattern: &Pattern, place: Place) -> fmt::Result {
    if pattern.as_literal() == Some("") {
        return f.write_str("\"\"");
    }
    for (position, part) in pattern.parts().iter().enumerate() {
        if position > 0 {
            f.write_char('*')?;
        }
        f.write_str(&quoted_where_needed(part, place))?;
    }
    Ok(())
}

/// `text` as it has to be written to stand for itself.
pub(super) fn quoted_where_needed(text: &str, place: Place) -> String {
    let special = |character: char| match character {
        '"' | '(' | ')' | ',' | '*' => true,
        ':' => place == Place::Text,
        '=' => place == Place::TagKey,
        _ => character.is_whitespace(),
    };
    let operator = place == Place::Text && (text.starts_with('-') || matches!(text, "OR" | "AND" | "NOT"));
    if !operator && !text.contains(special) {
        return text.to_owned();
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}
