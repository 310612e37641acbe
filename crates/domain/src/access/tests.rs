//! The table and the scopes, in all their combinations.

use super::*;

fn grant(role: Role, scope: Scope) -> Grant {
    Grant { role, scope }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

const PROD: Resource<'_> = Resource::Source { account: "111111111111", alias: "prod", region: "eu-west-1" };
const DEV: Resource<'_> = Resource::Source { account: "222222222222", alias: "dev", region: "eu-west-1" };
const DELIVERY: Resource<'_> = Resource::Delivery { environment: "prod", service: "checkout" };

#[test]
fn the_table_is_this_one() {
    let table: Vec<String> = Role::ALL
        .into_iter()
        .map(|role| {
            let permitted: Vec<&str> = Permission::ALL
                .into_iter()
                .filter(|permission| role.permits(*permission))
                .map(Permission::as_str)
                .collect();
            format!("{role}: {}", permitted.join(" "))
        })
        .collect();
    assert_eq!(
        table,
        [
            "viewer: view",
            "operator: view change",
            "releaser: view release",
            "approver: view approve",
            "reporter: report",
            "administrator: view change release approve report administer",
        ]
    );
}

#[test]
fn nobody_may_do_anything() {
    for permission in Permission::ALL {
        assert_eq!(Access::default().check(permission, &PROD), Err(Denied::Nobody));
    }
}

#[test]
fn an_operator_of_one_account_is_none_of_another() {
    for limit in [&["prod"][..], &["111111111111"], &["pro*"], &["other", "prod"]] {
        let scope = Scope { accounts: names(limit), ..Scope::default() };
        let access = Access { grants: vec![grant(Role::Operator, scope)] };
        assert_eq!(access.check(Permission::Change, &PROD), Ok(()), "{limit:?}");
        assert!(matches!(access.check(Permission::Change, &DEV), Err(Denied::Scope { .. })), "{limit:?}");
        assert!(matches!(access.check(Permission::Release, &PROD), Err(Denied::Role { .. })), "{limit:?}");
        assert!(!access.allows(Permission::View, &DELIVERY), "accounts say nothing of deliveries");
        assert!(!access.everywhere(Permission::View));
    }
}

#[test]
fn all_limits_of_a_grant_have_to_hold_and_one_grant_is_enough() {
    let both = Scope { accounts: names(&["prod"]), regions: names(&["us-*"]), ..Scope::default() };
    let mut access = Access { grants: vec![grant(Role::Operator, both)] };
    assert!(!access.allows(Permission::Change, &PROD));
    let region = Scope { regions: names(&["eu-*"]), ..Scope::default() };
    access.grants.push(grant(Role::Viewer, region.clone()));
    assert!(access.allows(Permission::View, &PROD) && access.allows(Permission::View, &DEV));
    assert!(
        !access.allows(Permission::Change, &PROD),
        "a role of one grant does not take the scope of another"
    );
    access.grants.push(grant(Role::Operator, region));
    assert!(access.allows(Permission::Change, &PROD));
}

#[test]
fn deliveries_are_limited_by_environment_and_service() {
    let scope = Scope { environments: names(&["prod"]), services: names(&["check*"]), ..Scope::default() };
    let access = Access { grants: vec![grant(Role::Releaser, scope)] };
    assert!(access.allows(Permission::Release, &DELIVERY));
    let other = Resource::Delivery { environment: "prod", service: "search" };
    assert!(!access.allows(Permission::Release, &other));
    assert!(!access.allows(Permission::View, &PROD), "environments say nothing of instances");
    assert!(!access.allows(Permission::View, &Resource::Installation));
}

#[test]
fn a_denial_says_what_is_held_and_what_is_needed() {
    let prod = Scope { accounts: names(&["prod"]), ..Scope::default() };
    let europe = Scope { regions: names(&["eu-central-*"]), ..Scope::default() };
    let access = Access {
        grants: vec![
            grant(Role::Operator, prod.clone()),
            grant(Role::Viewer, Scope::default()),
            grant(Role::Operator, europe),
            grant(Role::Operator, prod),
        ],
    };
    let denied = |access: &Access, permission| access.check(permission, &DEV).unwrap_err().to_string();
    assert_eq!(
        denied(&access, Permission::Administer),
        "This needs the role administrator; you have viewer, operator. Ask an administrator for it."
    );
    assert_eq!(
        denied(&access, Permission::Release),
        "This needs the role releaser or administrator; you have viewer, operator. Ask an administrator for it."
    );
    assert_eq!(
        denied(&access, Permission::Change),
        "Your roles do not reach this: you are operator for account prod; operator for region eu-central-*. \
         Ask an administrator for more."
    );
    assert_eq!(
        denied(&Access::default(), Permission::View),
        "You have no role in this installation. Ask an administrator for one."
    );
}

#[test]
fn a_scope_is_shown_as_it_is_meant() {
    let scope = |accounts: &[&str], regions: &[&str], environments: &[&str], services: &[&str]| {
        Scope {
            accounts: names(accounts),
            regions: names(regions),
            environments: names(environments),
            services: names(services),
        }
        .to_string()
    };
    assert_eq!(scope(&[], &[], &[], &[]), "everything");
    assert_eq!(scope(&["prod"], &[], &[], &[]), "account prod");
    assert_eq!(scope(&[], &["eu-*", "us-*"], &[], &[]), "regions eu-*, us-*");
    assert_eq!(scope(&["dev", "prod"], &["eu-*"], &[], &[]), "accounts dev, prod in region eu-*");
    assert_eq!(scope(&[], &[], &["prod"], &["search"]), "service search in environment prod");
    assert_eq!(scope(&["prod"], &[], &["prod"], &[]), "account prod and environment prod");
}

#[test]
fn a_limit_of_both_kinds_reaches_both() {
    let scope = Scope { accounts: names(&["prod"]), environments: names(&["prod"]), ..Scope::default() };
    assert!(scope.covers(&PROD) && scope.covers(&DELIVERY));
    assert!(!scope.covers(&DEV) && !scope.covers(&Resource::Installation));
}

#[test]
fn patterns_are_taken_as_they_are_written() {
    let reached = |account: &str, alias: &str, pattern: &str| {
        let scope = Scope { accounts: names(&[pattern]), ..Scope::default() };
        scope.covers(&Resource::Source { account, alias, region: "eu-west-1" })
    };
    assert!(reached("1", "prod", "*"));
    assert!(reached("1", "prod", "prod*"));
    assert!(!reached("1", "prod", "Prod") && !reached("1", "prod", "pro") && !reached("1", "prod", "prod-*"));
    // Only the end is open.
    assert!(!reached("1", "prod", "*prod") && !reached("1", "prod", "p*d"));
    // An empty pattern is a mistake, not a name.
    assert!(!reached("1", "", "") && !reached("1", "prod", ""));
    assert!(reached("1", "", "1"));
}

#[test]
fn a_pattern_that_reaches_nothing_is_a_mistake() {
    let mistake = |pattern: &str| {
        let scope = Scope { regions: names(&["eu-*", pattern]), ..Scope::default() };
        scope.mistake().map(str::to_owned)
    };
    for fine in ["prod", "prod-*", "*"] {
        assert_eq!(mistake(fine), None, "{fine}");
    }
    for wrong in ["", "*-prod", "p*d", "prod**"] {
        assert_eq!(mistake(wrong).as_deref(), Some(wrong));
    }
}

#[test]
fn a_pattern_that_reaches_every_account_is_still_a_limit() {
    let scope = Scope { accounts: names(&["*"]), ..Scope::default() };
    let access = Access { grants: vec![grant(Role::Administrator, scope)] };
    assert!(access.allows(Permission::Administer, &PROD));
    assert!(!access.allows(Permission::Administer, &Resource::Installation));
    assert!(access.somewhere(Permission::Administer) && !access.everywhere(Permission::Administer));
}

#[test]
fn a_limit_of_a_later_version_is_not_passed_over() {
    let later = r#"{"grants":[{"role":"operator","scope":{"accounts":["prod"],"namespaces":["web"]}}]}"#;
    assert!(serde_json::from_str::<Access>(later).is_err());
    // One that an earlier version did not know limits nothing.
    let earlier = r#"{"grants":[{"role":"operator","scope":{"accounts":["prod"]}}]}"#;
    let access: Access = serde_json::from_str(earlier).unwrap();
    assert!(access.allows(Permission::Change, &PROD) && !access.allows(Permission::Change, &DEV));
    // A grant without a scope is no grant without limits.
    assert!(serde_json::from_str::<Access>(r#"{"grants":[{"role":"operator"}]}"#).is_err());
}

#[test]
fn everything_is_everything() {
    for permission in Permission::ALL {
        for resource in [PROD, DEV, DELIVERY, Resource::Installation] {
            assert!(Access::everything().allows(permission, &resource));
        }
    }
}

#[test]
fn roles_round_trip_through_their_names() {
    for role in Role::ALL {
        assert_eq!(Role::parse(role.as_str()), Some(role));
        assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
    }
    for permission in Permission::ALL {
        assert_eq!(serde_json::to_value(permission).unwrap(), permission.as_str());
    }
    assert_eq!(Role::parse("root"), None);
}

#[test]
fn the_same_grants_have_the_same_words() {
    let prod = grant(Role::Operator, Scope { accounts: names(&["prod"]), ..Scope::default() });
    let all = grant(Role::Viewer, Scope::default());
    let words = |grants: &[&Grant]| Access { grants: grants.iter().copied().cloned().collect() }.to_string();
    assert_eq!(words(&[&prod, &all]), "operator for account prod; viewer for everything");
    assert_eq!(words(&[&all, &prod, &all]), words(&[&prod, &all]));
    assert_ne!(words(&[&all]), words(&[&prod]));
    assert_eq!(words(&[]), "nothing");
}
