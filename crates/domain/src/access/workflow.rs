//! What a run of a continuous integration workflow may do, by the claims of the token that it was given (GitHub Docs, "OpenID
//! Connect reference").

use super::scope::matches;
use super::{Access, Grant, Role, Scope};

/// Which runs may report, and on what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowRule {
    /// `owner/name`; `*` at the end stands for any rest, here and below. GitHub tells no two names apart by case.
    pub repository: String,
    /// The number of the repository, which a later one of the same name does not have.
    pub repository_id: Option<String>,
    /// The refs that may be run on, such as `refs/heads/main`; any where there is none.
    pub refs: Vec<String>,
    /// The environments of the repository that a job may run in, which GitHub protects; any, or none at all, where empty.
    pub environments: Vec<String>,
    /// The services that are reported on; all where empty.
    pub services: Vec<String>,
}

/// What a token says of the run that it was given to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkflowClaims {
    pub repository: String,
    pub repository_id: String,
    pub git_ref: String,
    /// Empty for a job that runs in none.
    pub environment: String,
    pub run_id: String,
}

impl WorkflowRule {
    /// Whether the rule speaks of the run.
    pub fn covers(&self, claims: &WorkflowClaims) -> bool {
        let any = |patterns: &[String], name: &str| {
            patterns.is_empty() || patterns.iter().any(|pattern| matches(pattern, name))
        };
        matches(&self.repository.to_ascii_lowercase(), &claims.repository.to_ascii_lowercase())
            && self.repository_id.as_ref().is_none_or(|id| *id == claims.repository_id)
            && any(&self.refs, &claims.git_ref)
            && any(&self.environments, &claims.environment)
    }
}

/// What a run may do: to report, as far as the rules that speak of it reach.
pub fn of_workflow(rules: &[WorkflowRule], claims: &WorkflowClaims) -> Access {
    let covering = rules.iter().filter(|rule| rule.covers(claims));
    let grant = |rule: &WorkflowRule| Grant {
        role: Role::Reporter,
        scope: Scope { services: rule.services.clone(), ..Scope::default() },
    };
    Access { grants: covering.map(grant).collect() }
}

#[cfg(test)]
mod tests {
    use super::super::{Permission, Resource};
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn rule() -> WorkflowRule {
        WorkflowRule {
            repository: "acme/shop".into(),
            repository_id: Some("7".into()),
            refs: names(&["refs/heads/main", "refs/tags/v*"]),
            environments: names(&["production"]),
            services: names(&["checkout"]),
        }
    }

    fn claims() -> WorkflowClaims {
        WorkflowClaims {
            repository: "acme/shop".into(),
            repository_id: "7".into(),
            git_ref: "refs/heads/main".into(),
            environment: "production".into(),
            run_id: "42".into(),
        }
    }

    #[test]
    fn every_claim_that_a_rule_names_has_to_fit() {
        assert!(rule().covers(&claims()));
        assert!(rule().covers(&WorkflowClaims { repository: "Acme/Shop".into(), ..claims() }));
        assert!(rule().covers(&WorkflowClaims { git_ref: "refs/tags/v1.2".into(), ..claims() }));
        for wrong in [
            WorkflowClaims { repository: "evil/shop".into(), ..claims() },
            WorkflowClaims { repository: "acme/shop2".into(), ..claims() },
            WorkflowClaims { repository: String::new(), ..claims() },
            WorkflowClaims { repository_id: "8".into(), ..claims() },
            WorkflowClaims { repository_id: String::new(), ..claims() },
            WorkflowClaims { git_ref: "refs/pull/7/merge".into(), ..claims() },
            WorkflowClaims { git_ref: "refs/heads/main2".into(), ..claims() },
            WorkflowClaims { git_ref: String::new(), ..claims() },
            WorkflowClaims { environment: "staging".into(), ..claims() },
            WorkflowClaims { environment: String::new(), ..claims() },
        ] {
            assert!(!rule().covers(&wrong), "{wrong:?}");
        }
        let organization = WorkflowRule { repository: "acme/*".into(), repository_id: None, ..rule() };
        assert!(organization.covers(&WorkflowClaims { repository: "acme/search".into(), ..claims() }));
        assert!(!organization.covers(&WorkflowClaims { repository: "acme2/search".into(), ..claims() }));
    }

    #[test]
    fn a_run_reports_on_its_services_and_does_nothing_else() {
        let access =
            of_workflow(&[rule(), WorkflowRule { repository: "acme/other".into(), ..rule() }], &claims());
        let service = |service| Resource::Delivery { environment: "prod", service };
        assert!(access.allows(Permission::Report, &service("checkout")));
        assert!(!access.allows(Permission::Report, &service("search")));
        for permission in Permission::ALL.into_iter().filter(|permission| *permission != Permission::Report) {
            assert!(!access.somewhere(permission), "{permission:?}");
        }
        let stranger = WorkflowClaims { repository: "evil/shop".into(), ..claims() };
        assert_eq!(of_workflow(&[rule()], &stranger), Access::default());
    }
}
