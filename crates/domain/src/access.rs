//! Who may do what: roles, the grants that give them within a scope, and the one table that decides. What no grant allows is
//! denied.

mod scope;
#[cfg(test)]
mod tests;
mod workflow;

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::scope::{Resource, Scope, is_mistake};
pub use self::workflow::{WorkflowClaims, WorkflowRule, of_workflow};

/// What somebody is in this installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks at what is in the scope.
    Viewer,
    /// Changes metadata options.
    Operator,
    /// Freezes, promotes and reverts.
    Releaser,
    /// Approves what others ask for.
    Approver,
    /// Tells what continuous integration did; sees nothing.
    Reporter,
    /// Does all of it; without limits also manages sessions, tokens and settings.
    Administrator,
}

/// What a request needs to be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// Reading.
    View,
    /// Changing metadata options, and planning to.
    Change,
    /// Freezing, promoting, resuming and reverting.
    Release,
    /// Approving what somebody else asked for.
    Approve,
    /// Telling what continuous integration did.
    Report,
    /// Settings, and other people's sessions and tokens.
    Administer,
}

/// A role within a scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    pub role: Role,
    pub scope: Scope,
}

/// What somebody may do: each of the grants by itself, since a role reaches no further than its own scope.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    pub grants: Vec<Grant>,
}

/// Why something is denied, in words for the one who asked. They speak of the asker's own grants alone, so that they do not
/// tell what exists beyond them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error("You have no role in this installation. Ask an administrator for one.")]
    Nobody,
    /// No role that is held includes it.
    #[error(
        "This needs the role {}; you have {}. Ask an administrator for it.",
        listed(.needed.roles(), " or "),
        listed(.held, ", ")
    )]
    Role { needed: Permission, held: Vec<Role> },
    /// These grants include it, each elsewhere.
    #[error("Your roles do not reach this: you are {}. Ask an administrator for more.", listed(.limited, "; "))]
    Scope { limited: Vec<Grant> },
}

impl Role {
    pub const ALL: [Role; 6] =
        [Role::Viewer, Role::Operator, Role::Releaser, Role::Approver, Role::Reporter, Role::Administrator];

    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Releaser => "releaser",
            Role::Approver => "approver",
            Role::Reporter => "reporter",
            Role::Administrator => "administrator",
        }
    }

    pub fn parse(text: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// The table. Each role of people also views what it works on.
    pub const fn permits(self, permission: Permission) -> bool {
        match (self, permission) {
            (Role::Administrator, _)
            | (Role::Viewer | Role::Operator | Role::Releaser | Role::Approver, Permission::View)
            | (Role::Operator, Permission::Change)
            | (Role::Releaser, Permission::Release)
            | (Role::Approver, Permission::Approve)
            | (Role::Reporter, Permission::Report) => true,
            (
                Role::Viewer | Role::Operator | Role::Releaser | Role::Approver | Role::Reporter,
                Permission::View
                | Permission::Change
                | Permission::Release
                | Permission::Approve
                | Permission::Report
                | Permission::Administer,
            ) => false,
        }
    }
}

impl Permission {
    pub const ALL: [Permission; 6] = [
        Permission::View,
        Permission::Change,
        Permission::Release,
        Permission::Approve,
        Permission::Report,
        Permission::Administer,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Permission::View => "view",
            Permission::Change => "change",
            Permission::Release => "release",
            Permission::Approve => "approve",
            Permission::Report => "report",
            Permission::Administer => "administer",
        }
    }

    /// The roles that include it.
    pub fn roles(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| role.permits(self))
    }
}

impl Access {
    /// Everything everywhere: what whoever runs the command line on the server's own machine has.
    pub fn everything() -> Access {
        Access { grants: vec![Grant { role: Role::Administrator, scope: Scope::default() }] }
    }

    /// Whether `permission` is granted on `resource`.
    ///
    /// # Errors
    /// Why not; of several reasons the one that is nearest to being allowed.
    pub fn check(&self, permission: Permission, resource: &Resource<'_>) -> Result<(), Denied> {
        if self.allows(permission, resource) {
            return Ok(());
        }
        if self.grants.is_empty() {
            return Err(Denied::Nobody);
        }
        let mut limited: Vec<Grant> = Vec::new();
        for grant in self.with(permission) {
            // Two groups may give the same.
            if !limited.contains(grant) {
                limited.push(grant.clone());
            }
        }
        if limited.is_empty() {
            return Err(Denied::Role { needed: permission, held: self.roles() });
        }
        Err(Denied::Scope { limited })
    }

    /// As [`Access::check`], where only the answer counts.
    pub fn allows(&self, permission: Permission, resource: &Resource<'_>) -> bool {
        self.with(permission).any(|grant| grant.scope.covers(resource))
    }

    /// Whether `permission` is granted on anything at all: what decides whether a page or a button makes sense.
    pub fn somewhere(&self, permission: Permission) -> bool {
        self.with(permission).next().is_some()
    }

    /// Whether `permission` is granted on all that there is, so that nothing has to be filtered.
    pub fn everywhere(&self, permission: Permission) -> bool {
        self.allows(permission, &Resource::Installation)
    }

    /// The roles that are held somewhere, each once, in the order of [`Role::ALL`].
    pub fn roles(&self) -> Vec<Role> {
        Role::ALL.into_iter().filter(|role| self.grants.iter().any(|grant| grant.role == *role)).collect()
    }

    fn with(&self, permission: Permission) -> impl Iterator<Item = &Grant> {
        self.grants.iter().filter(move |grant| grant.role.permits(permission))
    }
}

fn listed<T: fmt::Display>(items: impl IntoIterator<Item = T>, separator: &str) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    items.join(separator)
}

/// `operator for account prod; viewer for everything`: the same words for the same grants, in whatever order a
/// configuration gives them and however often.
impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let grants: BTreeSet<String> = self.grants.iter().map(ToString::to_string).collect();
        if grants.is_empty() {
            return f.write_str("nothing");
        }
        f.write_str(&listed(grants, "; "))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {}", self.role, self.scope)
    }
}
