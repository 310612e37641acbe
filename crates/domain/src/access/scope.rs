//! What a grant reaches: accounts and regions for instances, environments and services for deliveries.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Limits of a grant; an empty list limits nothing. A grant without limits reaches everything. One that limits accounts or
/// regions reaches instances, one that limits environments or services reaches deliveries; what it does not speak of, it
/// does not reach.
///
/// A limit that this version does not know is an error rather than passed over: the grant would reach further than it was
/// meant to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scope {
    /// Ids or aliases; `*` at the end stands for any rest, here and below.
    pub accounts: Vec<String>,
    pub regions: Vec<String>,
    pub environments: Vec<String>,
    pub services: Vec<String>,
}

/// What is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource<'a> {
    /// Instances of an account in a region.
    Source { account: &'a str, alias: &'a str, region: &'a str },
    /// A service in an environment.
    Delivery { environment: &'a str, service: &'a str },
    /// All of it: settings, other people's sessions.
    Installation,
}

impl Scope {
    pub fn is_unlimited(&self) -> bool {
        !self.limits_instances() && !self.limits_deliveries()
    }

    pub fn covers(&self, resource: &Resource<'_>) -> bool {
        if self.is_unlimited() {
            return true;
        }
        match *resource {
            Resource::Source { account, alias, region } => {
                self.limits_instances()
                    && reaches(&self.accounts, &[account, alias])
                    && reaches(&self.regions, &[region])
            }
            Resource::Delivery { environment, service } => {
                self.limits_deliveries()
                    && reaches(&self.environments, &[environment])
                    && reaches(&self.services, &[service])
            }
            Resource::Installation => false,
        }
    }

    /// A pattern that reaches nothing whatever there is: an empty one, and one with `*` before its end.
    pub fn mistake(&self) -> Option<&str> {
        let lists = [&self.accounts, &self.regions, &self.environments, &self.services];
        lists.into_iter().flatten().map(String::as_str).find(|pattern| is_mistake(pattern))
    }

    fn limits_instances(&self) -> bool {
        !(self.accounts.is_empty() && self.regions.is_empty())
    }

    fn limits_deliveries(&self) -> bool {
        !(self.environments.is_empty() && self.services.is_empty())
    }
}

/// Whether one of the patterns is one of the names. What has no name is reached by no pattern: an empty text in a
/// configuration must not stand for every account without an alias.
fn reaches(patterns: &[String], names: &[&str]) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| names.iter().any(|name| matches(pattern, name)))
}

/// Whether a pattern reaches nothing whatever there is.
pub fn is_mistake(pattern: &str) -> bool {
    pattern.is_empty() || pattern.strip_suffix('*').unwrap_or(pattern).contains('*')
}

/// Whether the pattern is the name, or its start where `*` stands for the rest. An empty name is none.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    !name.is_empty()
        && match pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == pattern,
        }
}

/// `account prod in regions eu-*, us-*`: what is in one phrase has to hold at once, phrases joined by `and` add up.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_unlimited() {
            return f.write_str("everything");
        }
        phrase(f, ("account", &self.accounts), ("region", &self.regions))?;
        if self.limits_instances() && self.limits_deliveries() {
            f.write_str(" and ")?;
        }
        phrase(f, ("service", &self.services), ("environment", &self.environments))
    }
}

fn phrase(f: &mut fmt::Formatter<'_>, what: (&str, &[String]), within: (&str, &[String])) -> fmt::Result {
    let mut joint = "";
    for (noun, names) in [what, within] {
        if names.is_empty() {
            continue;
        }
        let plural = if names.len() > 1 { "s" } else { "" };
        write!(f, "{joint}{noun}{plural} {}", names.join(", "))?;
        joint = " in ";
    }
    Ok(())
}
