//! Who asks, and what of the fleet they see: every answer is made from a view that holds nothing else.

use std::sync::Arc;
use std::time::Duration;

use domain::access::{Access, Denied, Permission, Resource};
use domain::audit::{AuditAction, NewAuditEntry};
use domain::instance::SourceKey;
use domain::wire::SessionInfo;
use fleet::FleetView;
use jiff::{SignedDuration, Timestamp};
use store::StoredSession;
use tokio::sync::Mutex;

use super::{Services, internal};
use crate::api::ApiError;

/// How many limited views are kept: people of one team share one.
const KEPT: usize = 8;

/// How often an open stream asks whether its session still stands.
const SESSION_LOOK: Duration = Duration::from_secs(5);

/// Who asks, and what they may do.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The name that the audit log records.
    pub actor: String,
    /// Whoever that is, by whichever way they come: the same for a session and for a token, and nobody else's.
    pub principal: String,
    /// Where the request came from, for the audit log; empty for this machine.
    pub address: String,
    pub access: Access,
    /// Limits the access further, as a token's owner wanted: both have to allow.
    pub limit: Option<Access>,
    /// The session, where somebody signed in.
    pub signed_in: Option<SignedIn>,
}

/// Whose session it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    pub session_id: String,
    pub issuer: String,
    /// The issuer's stable name for the person.
    pub subject: String,
    /// The groups that the issuer named at sign-in.
    pub groups: Vec<String>,
    /// The session ends when it was not seen for this long.
    pub idle: SignedDuration,
}

impl SignedIn {
    /// Whether the session is among `sessions`, and was seen lately enough.
    fn stands(&self, sessions: &[StoredSession], now: Timestamp) -> bool {
        let own = sessions.iter().find(|session| session.id == self.session_id);
        own.is_some_and(|own| now.duration_since(own.last_seen_at) < self.idle)
    }
}

impl Caller {
    /// Whoever reaches a server that only this machine reaches.
    pub fn local(actor: String) -> Caller {
        Caller {
            principal: actor.clone(),
            actor,
            address: String::new(),
            access: Access::everything(),
            limit: None,
            signed_in: None,
        }
    }

    /// An audit entry of what the caller does, at this moment.
    pub(super) fn entry(&self, action: AuditAction) -> NewAuditEntry {
        NewAuditEntry {
            actor: self.actor.clone(),
            address: self.address.clone(),
            ..NewAuditEntry::of(action, Timestamp::now())
        }
    }

    fn each(&self) -> impl Iterator<Item = &Access> {
        std::iter::once(&self.access).chain(&self.limit)
    }

    pub(super) fn check(&self, permission: Permission, resource: &Resource<'_>) -> Result<(), Denied> {
        self.each().try_for_each(|access| access.check(permission, resource))
    }

    pub(super) fn allows(&self, permission: Permission, resource: &Resource<'_>) -> bool {
        self.each().all(|access| access.allows(permission, resource))
    }

    fn somewhere(&self, permission: Permission) -> bool {
        self.each().all(|access| access.somewhere(permission))
    }

    /// Whether `permission` is granted on all that there is.
    pub(super) fn everywhere(&self, permission: Permission) -> bool {
        self.each().all(|access| access.everywhere(permission))
    }
}

/// The views of people who see a part of the fleet.
#[derive(Debug, Default)]
pub struct ViewCache(Mutex<Vec<Limited>>);

#[derive(Debug)]
struct Limited {
    sources: Vec<SourceKey>,
    view: Arc<FleetView>,
}

/// A view with what tells it from others of the same revision.
#[derive(Clone, Debug)]
pub struct Seen {
    pub view: Arc<FleetView>,
    /// The sources that are seen; `None` for all of them.
    pub only: Option<Arc<[SourceKey]>>,
}

impl Services {
    /// The same services for another caller; nobody has not signed in.
    pub fn for_caller(&self, caller: Option<Arc<Caller>>) -> Services {
        Services { caller, ..self.clone() }
    }

    /// The caller.
    ///
    /// # Errors
    /// [`ApiError::Unauthenticated`] where nobody has signed in.
    pub fn caller(&self) -> Result<&Arc<Caller>, ApiError> {
        self.caller.as_ref().ok_or(ApiError::Unauthenticated)
    }

    /// Whether the caller has `permission` on anything at all; what is asked about is checked where it is known.
    pub fn permit(&self, permission: Permission) -> Result<(), ApiError> {
        if self.caller()?.somewhere(permission) {
            return self.possible(permission);
        }
        self.denied(permission, &Resource::Installation, None)
    }

    /// Whether the caller has `permission` on the instances of `source`. What they may not even see is unknown to them.
    pub(super) fn permit_source(&self, permission: Permission, source: &SourceKey) -> Result<(), ApiError> {
        let caller = self.caller()?;
        let view = self.fleet.view();
        let resource = resource(&view, source);
        if !caller.allows(Permission::View, &resource) {
            return Err(unknown_source(source));
        }
        if !caller.allows(permission, &resource) {
            return self.denied(permission, &resource, Some(source));
        }
        self.possible(permission)
    }

    /// What the caller sees of the fleet.
    pub async fn seen(&self) -> Result<Seen, ApiError> {
        let caller = self.caller()?;
        let whole = self.fleet.view();
        if caller.everywhere(Permission::View) {
            return Ok(Seen { view: whole, only: None });
        }
        let sources: Vec<SourceKey> = whole
            .sources
            .keys()
            .filter(|source| caller.allows(Permission::View, &resource(&whole, source)))
            .cloned()
            .collect();
        // Held while a view is built: whoever asks for the same one meanwhile waits for it.
        let mut kept = self.views.0.lock().await;
        kept.retain(|limited| limited.view.revision == whole.revision);
        if let Some(limited) = kept.iter().find(|limited| limited.sources == sources) {
            return Ok(Seen { view: limited.view.clone(), only: Some(sources.into()) });
        }
        let wanted = sources.clone();
        let built = tokio::task::spawn_blocking(move || whole.within(|status| wanted.contains(&status.key)));
        let view = Arc::new(built.await.map_err(internal)?);
        kept.truncate(KEPT - 1);
        kept.insert(0, Limited { sources: sources.clone(), view: view.clone() });
        Ok(Seen { view, only: Some(sources.into()) })
    }

    /// The view that the caller's lists are answered from.
    pub async fn view(&self) -> Result<Arc<FleetView>, ApiError> {
        Ok(self.seen().await?.view)
    }

    /// Whether the caller has `permission` on all that there is.
    pub(super) fn permit_installation(&self, permission: Permission) -> Result<(), ApiError> {
        if self.caller()?.everywhere(permission) {
            return self.possible(permission);
        }
        self.denied(permission, &Resource::Installation, None)
    }

    /// Why the caller may not change the instances of `source`, to be shown beside what is disabled; `None` when they may.
    pub(super) fn change_denied(&self, source: &SourceKey) -> Option<String> {
        let caller = self.caller().ok()?;
        let view = self.fleet.view();
        let denied = caller.check(Permission::Change, &resource(&view, source)).err();
        self.installation.read_only.clone().or(denied.map(|denied| denied.to_string()))
    }

    /// Why the caller may not have `permission` on all that there is, to be shown beside what is disabled; `None` when they may.
    pub(super) fn installation_denied(&self, permission: Permission) -> Option<String> {
        let denied = self.caller().ok()?.check(permission, &Resource::Installation).err();
        self.installation.read_only.clone().or(denied.map(|denied| denied.to_string()))
    }

    /// Whether the caller sees the instances of `source`.
    pub fn sees(&self, source: &SourceKey) -> bool {
        self.permit_source(Permission::View, source).is_ok()
    }

    /// Returns when the caller's session has ended, by whatever end; never for a caller without one. Looking is no use of
    /// the session: what waits here does not keep it from standing idle.
    pub fn session_ended(&self) -> impl Future<Output = ()> + Send + 'static {
        let store = self.fleet.store().clone();
        let own = self.caller.as_ref().and_then(|caller| caller.signed_in.clone());
        async move {
            let Some(own) = own else { return std::future::pending().await };
            loop {
                tokio::time::sleep(SESSION_LOOK).await;
                let now = Timestamp::now();
                match store.sessions_of(&own.issuer, &own.subject, now).await {
                    Ok(sessions) if own.stands(&sessions, now) => {}
                    Ok(_) => return,
                    // An outage of the store is no end of a session.
                    Err(error) => tracing::warn!(%error, "a session cannot be looked up"),
                }
            }
        }
    }

    pub(in crate::api) fn session_info(&self) -> Result<SessionInfo, ApiError> {
        let caller = self.caller()?;
        Ok(SessionInfo {
            actor: caller.actor.clone(),
            signed_in: caller.signed_in.is_some(),
            roles: caller.access.grants.iter().map(ToString::to_string).collect(),
            permissions: Permission::ALL
                .into_iter()
                .filter(|permission| caller.somewhere(*permission))
                .collect(),
            read_only: self.installation.read_only.clone(),
            server_version: self.installation.server_version.clone(),
            server_commit: self.installation.server_commit.clone(),
            api: domain::wire::API_VERSION,
        })
    }

    /// Writes down what the caller did.
    pub(super) async fn note(&self, action: AuditAction, detail: String) -> Result<(), ApiError> {
        let entry = NewAuditEntry { detail, ..self.caller()?.entry(action) };
        self.fleet.store().append_audit(&entry).await.map_err(internal).map(drop)
    }

    /// What this installation does for nobody.
    fn possible(&self, permission: Permission) -> Result<(), ApiError> {
        match (permission, &self.installation.read_only) {
            (Permission::Change | Permission::Release, Some(why)) => {
                Err(ApiError::Forbidden { message: why.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Refuses, and has it written to the audit log where it was more than a look.
    fn denied(
        &self,
        permission: Permission,
        resource: &Resource<'_>,
        source: Option<&SourceKey>,
    ) -> Result<(), ApiError> {
        let caller = self.caller()?;
        let Err(denied) = caller.check(permission, resource) else { return Ok(()) };
        if permission != Permission::View {
            let entry = NewAuditEntry {
                account: source.map_or(String::new(), |source| source.account.to_string()),
                region: source.map_or(String::new(), |source| source.region.to_string()),
                detail: format!("{}: {denied}", permission.as_str()),
                ..caller.entry(AuditAction::Denied)
            };
            let store = self.fleet.store().clone();
            // The answer does not wait for it, and is the same whether or not it can be written.
            tokio::spawn(async move {
                if let Err(error) = store.append_audit(&entry).await {
                    tracing::error!(%error, "a refusal cannot be written to the audit log");
                }
            });
        }
        Err(ApiError::Forbidden { message: denied.to_string() })
    }
}

/// The source as what is asked about, by the alias that the view knows it by.
fn resource<'a>(view: &'a FleetView, source: &'a SourceKey) -> Resource<'a> {
    let alias = view.sources.get(source).map_or("", |known| known.status.alias.as_str());
    Resource::Source { account: &source.account, alias, region: &source.region }
}

/// The same for what is not there and for what the caller may not see.
fn unknown_source(source: &SourceKey) -> ApiError {
    ApiError::NotFound {
        message: format!("{source} is not one of the accounts and regions that you see here."),
    }
}
