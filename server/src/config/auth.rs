//! The part of the configuration that says who may sign in, and as what.

use domain::access::{Grant, Resource, Role, Scope, WorkflowRule, is_mistake};
use fleet::config::{Account, AccountSelection};
use jiff::SignedDuration;
use std::time::Duration;
use url::Url;

use super::layers::{ConfigError, Layers, Section};
use crate::auth::{AuthConfig, GITHUB, GroupGrant, IssuerConfig, TrustedWorkflow};
use crate::urls::is_safe;

/// What a token has to carry: who it is about, and for people a name.
const DEFAULT_SCOPES: [&str; 2] = ["profile", "email"];
const DEFAULT_GROUPS_CLAIM: &str = "groups";

/// How people sign in; `None` where no issuer is configured.
pub(super) fn auth_config(
    layers: &Layers,
    accounts: &AccountSelection,
) -> Result<Option<AuthConfig>, ConfigError> {
    let sections = layers.sections("issuers")?;
    let public_url = layers.text("auth.public_url")?;
    if sections.is_empty() {
        if let Some(grant) = layers.sections("grants")?.first() {
            return Err(grant.error("group", "gives a role, but nobody can sign in: add [[issuers]]"));
        }
        if let Some(workflow) = layers.sections("workflows")?.first() {
            return Err(workflow.error("repository", "may report, but nobody can sign in: add [[issuers]]"));
        }
        return match public_url {
            Some(_) => {
                Err(layers.invalid("auth.public_url", "is set, but nobody can sign in: add [[issuers]]"))
            }
            None => Ok(None),
        };
    }
    let Some(public_url) = public_url else {
        return Err(sections[0].error(
            "name",
            "needs auth.public_url, the address under which browsers reach the console: issuers send them back there",
        ));
    };
    let mut issuers: Vec<IssuerConfig> = Vec::with_capacity(sections.len());
    for section in &sections {
        let issuer = issuer(layers, section)?;
        if issuers.iter().any(|known| known.name == issuer.name) {
            return Err(section.error("name", &format!("{:?} is taken by another issuer", issuer.name)));
        }
        issuers.push(issuer);
    }
    let grants = layers.sections("grants")?;
    let grants: Result<Vec<GroupGrant>, ConfigError> =
        grants.iter().map(|section| grant(section, &issuers, accounts)).collect();
    let grants = grants?;
    if grants.is_empty() {
        return Err(sections[0].error("name", "signs people in, but no group has a role: add [[grants]]"));
    }
    let idle =
        layers.duration("auth.session_idle", Duration::from_secs(300)..=Duration::from_secs(30 * 86_400))?;
    let lifetime = layers
        .duration("auth.session_lifetime", Duration::from_secs(300)..=Duration::from_secs(90 * 86_400))?;
    let public_url = own_url(layers, &public_url)?;
    let workflows = layers.sections("workflows")?;
    let workflows: Result<_, ConfigError> =
        workflows.iter().map(|section| workflow(section, &public_url)).collect();
    Ok(Some(AuthConfig {
        workflows: workflows?,
        public_url,
        issuers,
        grants,
        session_idle: SignedDuration::try_from(idle).unwrap_or(SignedDuration::MAX),
        session_lifetime: SignedDuration::try_from(lifetime).unwrap_or(SignedDuration::MAX),
    }))
}

/// Cookies and codes go over this address: TLS, or this machine.
fn own_url(layers: &Layers, text: &str) -> Result<Url, ConfigError> {
    let wrong = |problem: &str| layers.invalid("auth.public_url", problem);
    let url = Url::parse(text).map_err(|_| wrong("is not a URL such as https://tollgate.example.com"))?;
    if !is_safe(&url) {
        return Err(wrong("is not https: sign-in over plain HTTP can be read by everyone in between"));
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("has a path, and the console is served at the root of its name"));
    }
    Ok(url)
}

fn issuer(layers: &Layers, section: &Section<'_>) -> Result<IssuerConfig, ConfigError> {
    section.only(&[
        "name",
        "url",
        "client_id",
        "client_secret",
        "client_secret_variable",
        "scopes",
        "groups_claim",
        "logout_url",
    ])?;
    let url = section.required("url")?;
    check_issuer_url(section, "url", &url)?;
    let client_secret = match (section.text("client_secret")?, section.text("client_secret_variable")?) {
        (None, None) => None,
        (Some(secret), None) => Some(secret),
        (None, Some(variable)) => Some(layers.variable(&variable).ok_or_else(|| {
            section.error("client_secret_variable", &format!("names {variable}, which is not set"))
        })?),
        (Some(_), Some(_)) => {
            return Err(
                section.error("client_secret", "and client_secret_variable are both set: keep one of them")
            );
        }
    };
    let scopes = section.list("scopes")?;
    Ok(IssuerConfig {
        name: section.required("name")?,
        url,
        client_id: section.required("client_id")?,
        client_secret,
        scopes: if scopes.is_empty() { DEFAULT_SCOPES.map(str::to_owned).to_vec() } else { scopes },
        groups_claim: section.text("groups_claim")?.unwrap_or_else(|| DEFAULT_GROUPS_CLAIM.to_owned()),
        logout_url: section.text("logout_url")?,
    })
}

fn grant(
    section: &Section<'_>,
    issuers: &[IssuerConfig],
    accounts: &AccountSelection,
) -> Result<GroupGrant, ConfigError> {
    section.only(&["group", "issuer", "role", "accounts", "regions", "environments", "services"])?;
    let name = section.required("role")?;
    let role = Role::parse(&name).ok_or_else(|| {
        let known: Vec<&str> = Role::ALL.into_iter().map(Role::as_str).collect();
        section.error("role", &format!("is {name:?}, and there is no such role: {}", known.join(", ")))
    })?;
    let issuer = section.text("issuer")?;
    if let Some(wanted) = &issuer
        && !issuers.iter().any(|known| known.name == *wanted)
    {
        return Err(section.error("issuer", &format!("is {wanted:?}, and no issuer has that name")));
    }
    let scope = Scope {
        accounts: section.list("accounts")?,
        regions: section.list("regions")?,
        environments: section.list("environments")?,
        services: section.list("services")?,
    };
    for (key, patterns) in [
        ("accounts", &scope.accounts),
        ("regions", &scope.regions),
        ("environments", &scope.environments),
        ("services", &scope.services),
    ] {
        check_patterns(section, key, patterns)?;
    }
    if let AccountSelection::Listed(known) = accounts
        && let Some(pattern) =
            scope.accounts.iter().find(|pattern| !known.iter().any(|one| names(pattern, one)))
    {
        return Err(
            section.error("accounts", &format!("has {pattern:?}, which is no account of [[accounts]]"))
        );
    }
    Ok(GroupGrant { group: section.required("group")?, issuer, grant: Grant { role, scope } })
}

/// A rule of `[[workflows]]`.
fn workflow(section: &Section<'_>, public_url: &Url) -> Result<TrustedWorkflow, ConfigError> {
    section.only(&[
        "repository",
        "repository_id",
        "refs",
        "environments",
        "services",
        "audience",
        "issuer",
    ])?;
    let issuer = section.text("issuer")?.unwrap_or_else(|| GITHUB.to_owned());
    check_issuer_url(section, "issuer", &issuer)?;
    let rule = WorkflowRule {
        repository: section.required("repository")?,
        repository_id: section.text("repository_id")?,
        refs: section.list("refs")?,
        environments: section.list("environments")?,
        services: section.list("services")?,
    };
    let repository = std::slice::from_ref(&rule.repository);
    for (key, patterns) in [
        ("repository", repository),
        ("refs", &rule.refs),
        ("environments", &rule.environments),
        ("services", &rule.services),
    ] {
        check_patterns(section, key, patterns)?;
    }
    match rule.repository.split_once('/') {
        Some((owner, name)) if !owner.is_empty() && !owner.contains('*') && !name.is_empty() => {}
        _ => {
            return Err(
                section.error("repository", "is not written owner/name, or owner/* for all of an owner")
            );
        }
    }
    if rule.refs.is_empty() && rule.environments.is_empty() {
        return Err(section.error(
            "refs",
            "and environments are both empty, so that every branch could report: name refs/heads/main, or * to mean it",
        ));
    }
    let audience = section.text("audience")?;
    let audience = audience.unwrap_or_else(|| public_url.as_str().trim_end_matches('/').to_owned());
    Ok(TrustedWorkflow { issuer, audience, rule })
}

/// Keys that come over plain HTTP prove nothing.
fn check_issuer_url(section: &Section<'_>, key: &str, url: &str) -> Result<(), ConfigError> {
    match Url::parse(url) {
        Ok(parsed) if is_safe(&parsed) => Ok(()),
        Ok(_) => Err(section.error(key, "is not https: keys and tokens over plain HTTP prove nothing")),
        Err(_) => Err(section.error(key, "is not a URL such as https://login.example.com")),
    }
}

fn check_patterns(section: &Section<'_>, key: &str, patterns: &[String]) -> Result<(), ConfigError> {
    match patterns.iter().find(|pattern| is_mistake(pattern)) {
        None => Ok(()),
        Some(pattern) => {
            Err(section.error(key, &format!("has {pattern:?}, and * stands for any rest at the end only")))
        }
    }
}

/// Whether the pattern of a grant is the account's id or alias.
fn names(pattern: &str, account: &Account) -> bool {
    let scope = Scope { accounts: vec![pattern.to_owned()], ..Scope::default() };
    scope.covers(&Resource::Source { account: &account.id, alias: &account.alias, region: "" })
}
