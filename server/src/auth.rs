//! Who is asking: sign-in at an OpenID Connect issuer, sessions in the store, and what a caller may do here.

mod claims;
mod cookie;
mod device;
mod gate;
mod issuer;
mod limits;
mod routes;
pub(crate) mod transport;
mod workflow;

use std::sync::Arc;

use app::api::services::{Caller, SignedIn, secret};
use domain::access::{Access, Grant};
use domain::audit::{AuditAction, NewAuditEntry};
use fleet::Fleet;
use jiff::{SignedDuration, Timestamp};
use openidconnect::RedirectUrl;
use store::{StoreError, StoredSession, StoredToken};
use url::Url;

pub(crate) use self::gate::{Gate, Way, Who, authenticate};
pub(crate) use self::issuer::{Issuer, IssuerConfig, IssuerError};
use self::limits::{Limits, Person};
pub(crate) use self::routes::router;
pub(crate) use self::workflow::{GITHUB, TrustedWorkflow};

use self::transport::Transport;
use self::workflow::Workflows;

/// Where an issuer sends the browser back to.
const CALLBACK_PATH: &str = "/api/auth/callback";

/// The name of the command line as an OAuth client. It is public: it has no secret, and needs none.
pub(crate) const COMMAND_LINE: &str = "tollgate";
pub(crate) use self::device::{AUTHORIZATION_PATH, REVOCATION_PATH, TOKEN_PATH};

/// How exactly it is known when a token was last used: writing each time would make every read a write.
const TOKEN_TOUCH: SignedDuration = SignedDuration::from_mins(5);

/// How people sign in, and what their groups give them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct AuthConfig {
    /// Where browsers reach the console.
    pub(crate) public_url: Url,
    pub(crate) issuers: Vec<IssuerConfig>,
    pub(crate) grants: Vec<GroupGrant>,
    /// The runs of continuous integration that may report.
    pub(crate) workflows: Vec<TrustedWorkflow>,
    /// A session that is not used for this long ends.
    pub(crate) session_idle: SignedDuration,
    /// A session ends after this long, used or not.
    pub(crate) session_lifetime: SignedDuration,
}

/// What a group gives its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupGrant {
    pub(crate) group: String,
    /// The issuer whose group it is; any without one.
    pub(crate) issuer: Option<String>,
    pub(crate) grant: Grant,
}

impl std::fmt::Debug for AuthConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Issuers carry secrets.
        f.debug_struct("AuthConfig").field("public_url", &self.public_url.as_str()).finish_non_exhaustive()
    }
}

/// Authentication as it runs.
pub(crate) struct Auth {
    config: AuthConfig,
    issuers: Vec<Issuer>,
    workflows: Workflows,
    transport: Transport,
    fleet: Arc<Fleet>,
    limits: Limits,
}

impl Auth {
    /// Prepares the issuers; none of them is asked yet.
    pub(crate) fn new(config: AuthConfig, fleet: Arc<Fleet>) -> Result<Auth, String> {
        let redirect = config.public_url.join(CALLBACK_PATH).map_err(|error| error.to_string())?;
        let redirect = RedirectUrl::from_url(redirect);
        let issuers: Result<Vec<Issuer>, IssuerError> =
            config.issuers.iter().map(|issuer| Issuer::new(issuer.clone(), redirect.clone())).collect();
        Ok(Auth {
            issuers: issuers.map_err(|error| error.to_string())?,
            workflows: Workflows::new(&config.workflows),
            transport: Transport::new().map_err(|error| error.to_string())?,
            config,
            fleet,
            limits: Limits::new(),
        })
    }

    /// Asks every issuer for its discovery document.
    ///
    /// # Errors
    /// The first that cannot be used.
    pub(crate) async fn check(&self) -> Result<(), IssuerError> {
        for issuer in &self.issuers {
            issuer.discover().await?;
        }
        self.workflows.check(&self.transport).await
    }

    pub(crate) fn issuer_names(&self) -> Vec<String> {
        self.issuers.iter().map(|issuer| issuer.config.name.clone()).collect()
    }

    fn issuer(&self, name: &str) -> Option<&Issuer> {
        self.issuers.iter().find(|issuer| issuer.config.name == name)
    }

    /// What the groups of an issuer give together.
    fn access(&self, issuer: &str, groups: &[String]) -> Access {
        access(&self.config.grants, issuer, groups)
    }

    /// The session that a cookie's secret opens; `None` when there is none or it has ended.
    async fn session(&self, secret: &str) -> Result<Option<StoredSession>, StoreError> {
        self.fleet.store().session(&secret::hash(secret), Timestamp::now(), self.config.session_idle).await
    }

    /// Keeps a session that is used from ending for idleness.
    async fn keep_alive(&self, session: &StoredSession) -> Result<(), StoreError> {
        let now = Timestamp::now();
        // Writing on each request would make every read a write; a fraction of the idle time is exact enough.
        if now.duration_since(session.last_seen_at) > self.config.session_idle / 20 {
            self.fleet.store().touch_session(&session.id, now).await?;
        }
        Ok(())
    }

    /// The token that a program sent; `None` when there is none or it has expired.
    async fn token(&self, secret: &str) -> Result<Option<StoredToken>, StoreError> {
        let now = Timestamp::now();
        let store = self.fleet.store();
        let Some(token) = store.token(&secret::hash(secret), now).await? else { return Ok(None) };
        if token.last_used_at.is_none_or(|used| now.duration_since(used) > TOKEN_TOUCH) {
            store.touch_token(&token.id, now).await?;
        }
        Ok(Some(token))
    }

    /// Who a program says it is by a token: somebody's personal one, or the one of a run of continuous integration.
    async fn program(&self, token: &str, address: String) -> Result<Option<(Caller, Person)>, StoreError> {
        if let Some(token) = self.token(token).await? {
            let person = Person { issuer: token.issuer.clone(), subject: token.subject.clone() };
            return Ok(Some((self.owner_of(token, address), person)));
        }
        let run = match self.workflows.run(&self.transport, token).await {
            Ok(Some(run)) => run,
            Ok(None) => return Ok(None),
            Err(error) => {
                tracing::warn!(%error, "the token of a run is not accepted");
                return Ok(None);
            }
        };
        let actor = run.name();
        if run.access.grants.is_empty() {
            // It proved what it is, so that this is somebody's mistake rather than a stranger's try.
            let entry = NewAuditEntry {
                actor,
                address,
                detail: format!(
                    "No rule of [[workflows]] speaks of it: environment {:?}.",
                    run.claims.environment
                ),
                ..NewAuditEntry::of(AuditAction::SignInFailed, Timestamp::now())
            };
            self.fleet.store().append_audit(&entry).await?;
            return Ok(None);
        }
        // A run has no name that stays the same; its repository has.
        let person = Person { issuer: run.issuer, subject: run.claims.repository };
        let principal = person.principal();
        Ok(Some((
            Caller { actor, principal, address, access: run.access, limit: None, signed_in: None },
            person,
        )))
    }

    fn owner_of(&self, token: StoredToken, address: String) -> Caller {
        Caller {
            access: self.access(&token.issuer, &token.groups),
            limit: token.access,
            actor: format!("{} (token {})", token.owner_name, token.name),
            principal: Person { issuer: token.issuer, subject: token.subject }.principal(),
            address,
            signed_in: None,
        }
    }

    fn caller(&self, session: StoredSession, address: String) -> Caller {
        Caller {
            access: self.access(&session.issuer, &session.groups),
            limit: None,
            actor: session.name,
            principal: Person { issuer: session.issuer.clone(), subject: session.subject.clone() }
                .principal(),
            address,
            signed_in: Some(SignedIn {
                session_id: session.id,
                issuer: session.issuer,
                subject: session.subject,
                groups: session.groups,
                idle: self.config.session_idle,
            }),
        }
    }
}

fn access(grants: &[GroupGrant], issuer: &str, groups: &[String]) -> Access {
    let grants = grants
        .iter()
        .filter(|grant| grant.issuer.as_deref().is_none_or(|only| only == issuer))
        .filter(|grant| groups.contains(&grant.group))
        .map(|grant| grant.grant.clone())
        .collect();
    Access { grants }
}

#[cfg(test)]
mod tests {
    use domain::access::{Permission, Resource, Role, Scope};

    use super::*;

    #[test]
    fn a_group_counts_for_its_own_issuer_only() {
        let grants = [GroupGrant {
            group: "platform".into(),
            issuer: Some("Okta".into()),
            grant: Grant { role: Role::Operator, scope: Scope::default() },
        }];
        let groups = ["platform".to_owned()];
        let allowed = |issuer: &str, groups: &[String]| {
            access(&grants, issuer, groups).allows(Permission::Change, &Resource::Installation)
        };
        assert!(allowed("Okta", &groups));
        assert!(!allowed("Dex", &groups));
        assert!(!allowed("Okta", &[]));
    }
}
