//! The query language of lists: parsed here for the server, the command line and the search field alike (grammar in docs/query.md).

mod complete;
mod display;
mod edit;
mod error;
mod key;
mod lexer;
mod parser;
mod pattern;
#[cfg(test)]
mod tests;

pub use complete::{Completion, Known, KnownTag, Vocabulary, complete};
pub use edit::{has_term, toggle_term, with_facet, with_term, without_term};
pub use error::QueryError;
pub use key::{Facet, Field, KEYS, Key, KeyInfo, ValueSet};
pub use pattern::Pattern;
pub(crate) use pattern::{Folded, fold, fold_into};

/// The longest query, in characters.
pub const MAX_CHARS: usize = 2_000;
/// How deep parentheses and negations may nest.
pub const MAX_DEPTH: usize = 32;
/// The most pieces of free text, each of which reads through the texts of the whole fleet.
pub const MAX_TEXTS: usize = 32;

/// A parsed query. The empty query matches everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Query(Expr);

/// What a query asks for; conjunctions and disjunctions have at least two members, except the empty query at the root.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Expr {
    All(Vec<Expr>),
    Any(Vec<Expr>),
    Not(Box<Expr>),
    Term(Term),
}

/// One condition on an instance. Several values in one term are alternatives.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Term {
    /// Any of these occurs in one of the searched texts.
    Text(Vec<Pattern>),
    Field {
        field: Field,
        values: Vec<Pattern>,
    },
    Facet {
        facet: Facet,
        values: ValueSet,
    },
    /// A tag with one of these keys exists.
    TagExists(Vec<Pattern>),
    TagIs {
        key: Pattern,
        values: Vec<Pattern>,
    },
    Hop(Vec<HopTest>),
    Age(Vec<AgeTest>),
}

/// A comparison with the hop limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HopTest {
    pub comparison: Comparison,
    pub hop_limit: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

/// A comparison with the time since launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AgeTest {
    pub than: Than,
    pub amount: u32,
    pub unit: AgeUnit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Than {
    Older,
    Younger,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AgeUnit {
    Minutes,
    Hours,
    Days,
    Weeks,
}

impl Query {
    /// Parses a query.
    ///
    /// # Errors
    /// [`QueryError`] points at the characters that are wrong.
    pub fn parse(text: &str) -> Result<Query, QueryError> {
        parser::parse(text).map(|parsed| Query::new(parsed.into_expr()))
    }

    /// The query that matches everything.
    pub fn everything() -> Query {
        Query(Expr::All(Vec::new()))
    }

    pub fn is_everything(&self) -> bool {
        matches!(&self.0, Expr::All(members) if members.is_empty())
    }

    pub fn expr(&self) -> &Expr {
        &self.0
    }

    /// Whether an answer depends on what the policy said.
    pub fn reads_policy(&self) -> bool {
        self.0.reads_policy()
    }

    fn new(expr: Expr) -> Query {
        Query(expr.normalized())
    }
}

impl Default for Query {
    fn default() -> Query {
        Query::everything()
    }
}

impl std::str::FromStr for Query {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Query, QueryError> {
        Query::parse(text)
    }
}

impl Expr {
    fn reads_policy(&self) -> bool {
        match self {
            Expr::All(members) | Expr::Any(members) => members.iter().any(Expr::reads_policy),
            Expr::Not(inner) => inner.reads_policy(),
            Expr::Term(Term::Facet { facet, .. }) => matches!(facet, Facet::Policy | Facet::Severity),
            Expr::Term(Term::Field { field, .. }) => *field == Field::Rule,
            Expr::Term(
                Term::Text(_) | Term::TagExists(_) | Term::TagIs { .. } | Term::Hop(_) | Term::Age(_),
            ) => false,
        }
    }

    /// Nested conjunctions and disjunctions become one, and a double negation nothing, so that equal queries compare equal.
    fn normalized(self) -> Expr {
        match self {
            Expr::Term(_) => self,
            Expr::Not(inner) => match inner.normalized() {
                Expr::Not(positive) => *positive,
                negated => Expr::Not(Box::new(negated)),
            },
            Expr::All(members) => joined(members, Expr::All, |member| match member {
                Expr::All(inner) => Ok(inner),
                other => Err(other),
            }),
            Expr::Any(members) => joined(members, Expr::Any, |member| match member {
                Expr::Any(inner) => Ok(inner),
                other => Err(other),
            }),
        }
    }
}

/// Joins the normalized members: one that is joined alike, and so gives up its own members, is replaced by them, and a
/// single one stands for itself.
fn joined(
    members: Vec<Expr>,
    join: fn(Vec<Expr>) -> Expr,
    members_of: fn(Expr) -> Result<Vec<Expr>, Expr>,
) -> Expr {
    let mut flat = Vec::with_capacity(members.len());
    for member in members {
        match members_of(member.normalized()) {
            Ok(inner) => flat.extend(inner),
            Err(other) => flat.push(other),
        }
    }
    if flat.len() == 1 { flat.remove(0) } else { join(flat) }
}

impl Comparison {
    pub fn holds<T: Ord>(self, left: T, right: T) -> bool {
        match self {
            Comparison::Less => left < right,
            Comparison::LessOrEqual => left <= right,
            Comparison::Equal => left == right,
            Comparison::GreaterOrEqual => left >= right,
            Comparison::Greater => left > right,
        }
    }
}

impl AgeUnit {
    pub fn seconds(self) -> i64 {
        match self {
            AgeUnit::Minutes => 60,
            AgeUnit::Hours => 3_600,
            AgeUnit::Days => 86_400,
            AgeUnit::Weeks => 604_800,
        }
    }
}

impl AgeTest {
    /// Whether something of `age_seconds` is older, or younger, than the test says.
    pub fn holds(self, age_seconds: i64) -> bool {
        let limit = i64::from(self.amount) * self.unit.seconds();
        match self.than {
            Than::Older => age_seconds > limit,
            Than::Younger => age_seconds < limit,
        }
    }
}
