//! Constraints on versions in the syntax that Image Updater reads (Masterminds/semver 3), which is not Cargo's.

use super::version::{Identifier, Version, identifiers, number, pre_release};

/// A constraint: alternatives between `||`, of each of which all comparisons hold.
///
/// Pre-releases are only allowed by an alternative in which some comparison names one (`2.x-0`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint(Vec<Vec<Comparison>>);

/// A text that is no constraint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no version constraint: write one such as 1.x, ~1.26, ^2.1 or \">=1.2 <2\"")]
pub struct InvalidConstraint(pub String);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Comparison {
    operator: Operator,
    version: Version,
    /// How many of major, minor and patch were given.
    given: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Tilde,
    Caret,
}

impl Constraint {
    /// Reads a constraint. The empty one allows every release.
    ///
    /// # Errors
    /// The text is none.
    pub fn parse(text: &str) -> Result<Constraint, InvalidConstraint> {
        let alternatives = text.split("||").map(alternative).collect::<Option<Vec<_>>>();
        alternatives.map(Constraint).ok_or_else(|| InvalidConstraint(text.chars().take(100).collect()))
    }

    /// Whether a version is within the constraint.
    pub fn allows(&self, version: &Version) -> bool {
        self.0.iter().any(|comparisons| {
            let names_pre_release = comparisons.iter().any(|one| !one.version.pre.is_empty());
            (version.pre.is_empty() || names_pre_release) && comparisons.iter().all(|one| one.holds(version))
        })
    }
}

impl Comparison {
    fn holds(&self, version: &Version) -> bool {
        let bound = &self.version;
        match self.operator {
            Operator::Equal if self.given < 3 => self.is_within_tilde(version),
            Operator::Equal => version == bound,
            Operator::NotEqual if self.given < 3 => !self.shares_what_is_given(version, bound),
            Operator::NotEqual => version != bound,
            // `>1` is what comes after all of 1.
            Operator::Greater => version > bound && (self.given == 3 || !self.shares_numbers(version)),
            Operator::Less => version < bound,
            Operator::GreaterOrEqual => version >= bound,
            // `<=1` includes all of 1.
            Operator::LessOrEqual => version <= bound || (self.given < 3 && self.shares_numbers(version)),
            Operator::Tilde => self.is_within_tilde(version),
            Operator::Caret => self.is_within_caret(version),
        }
    }

    /// Whether major, minor and patch are the same, as far as they were given.
    fn shares_numbers(&self, version: &Version) -> bool {
        let pairs = [
            (version.major, self.version.major),
            (version.minor, self.version.minor),
            (version.patch, self.version.patch),
        ];
        pairs.iter().take(usize::from(self.given)).all(|(left, right)| left == right)
    }

    fn shares_what_is_given(&self, version: &Version, bound: &Version) -> bool {
        match self.given {
            2 => self.shares_numbers(version) && version.pre == bound.pre,
            _ => self.shares_numbers(version),
        }
    }

    /// At least the bound, and the same minor version, or the same major where no minor is given.
    fn is_within_tilde(&self, version: &Version) -> bool {
        let bound = &self.version;
        let everything = (bound.major, bound.minor, bound.patch) == (0, 0, 0) && matches!(self.given, 0 | 3);
        version >= bound
            && (everything
                || (version.major == bound.major && (version.minor == bound.minor || self.given == 1)))
    }

    /// At least the bound, and the same up to the first number that is not zero.
    fn is_within_caret(&self, version: &Version) -> bool {
        let bound = &self.version;
        if version < bound {
            return false;
        }
        match self.given {
            0 => true,
            1 => version.major == bound.major,
            _ if bound.major > 0 => version.major == bound.major,
            2 => (version.major, version.minor) == (bound.major, bound.minor),
            _ if bound.minor > 0 => (version.major, version.minor) == (bound.major, bound.minor),
            _ => (version.major, version.minor, version.patch) == (bound.major, bound.minor, bound.patch),
        }
    }
}

/// Comparisons between spaces or commas; `1.2 - 1.4` is `>=1.2 <=1.4`.
fn alternative(text: &str) -> Option<Vec<Comparison>> {
    let mut comparisons = Vec::new();
    let mut rest = text.trim();
    if rest.is_empty() {
        let version = Version { major: 0, minor: 0, patch: 0, pre: Vec::new() };
        return Some(vec![Comparison { operator: Operator::Equal, version, given: 0 }]);
    }
    while !rest.is_empty() {
        let (operator, after) = operator(rest)?;
        let (bound, after) = word(after.trim_start());
        let mut comparison = comparison(operator, bound)?;
        rest = after.trim_start();
        let range = rest.strip_prefix('-').filter(|upper| upper.starts_with(char::is_whitespace));
        if let Some(upper) = range.filter(|_| operator == Operator::Equal) {
            let (bound, after) = word(upper.trim_start());
            comparison.operator = Operator::GreaterOrEqual;
            comparisons.push(comparison);
            comparison = self::comparison(Operator::LessOrEqual, bound)?;
            rest = after.trim_start();
        }
        comparisons.push(comparison);
        if let Some(after) = rest.strip_prefix(',') {
            rest = after.trim_start();
            if rest.is_empty() {
                return None;
            }
        }
    }
    Some(comparisons)
}

fn word(text: &str) -> (&str, &str) {
    let end = text.find(|character: char| character == ',' || character.is_whitespace());
    text.split_at(end.unwrap_or(text.len()))
}

fn operator(text: &str) -> Option<(Operator, &str)> {
    const OPERATORS: [(&str, Operator); 11] = [
        ("!=", Operator::NotEqual),
        (">=", Operator::GreaterOrEqual),
        ("=>", Operator::GreaterOrEqual),
        ("<=", Operator::LessOrEqual),
        ("=<", Operator::LessOrEqual),
        ("~>", Operator::Tilde),
        ("=", Operator::Equal),
        (">", Operator::Greater),
        ("<", Operator::Less),
        ("~", Operator::Tilde),
        ("^", Operator::Caret),
    ];
    let found = OPERATORS.iter().find_map(|(sign, operator)| Some((*operator, text.strip_prefix(sign)?)));
    Some(found.unwrap_or((Operator::Equal, text)))
}

fn comparison(operator: Operator, text: &str) -> Option<Comparison> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let text = match text.split_once('+') {
        Some((text, build)) if identifiers(build) => text,
        Some(_) => return None,
        None => text,
    };
    let (numbers, pre): (&str, Vec<Identifier>) = match text.split_once('-') {
        Some((numbers, pre)) => (numbers, pre_release(pre)?),
        None => (text, Vec::new()),
    };
    let wild = |part: &str| matches!(part, "x" | "X" | "*");
    let mut given = Vec::new();
    let mut open = false;
    for part in numbers.split('.') {
        // What follows a wildcard counts for nothing.
        open |= wild(part);
        match number(part) {
            Some(number) if !open => given.push(number),
            None if !wild(part) => return None,
            Some(_) | None => {}
        }
    }
    if numbers.split('.').count() > 3 {
        return None;
    }
    let at = |position: usize| given.get(position).copied().unwrap_or(0);
    let version = Version { major: at(0), minor: at(1), patch: at(2), pre };
    Some(Comparison { operator, version, given: given.len() as u8 })
}
