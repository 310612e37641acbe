//! Sessions as their owners and administrators see them.

use domain::access::Permission;
use domain::audit::AuditAction;
use domain::wire::SessionRow;
use jiff::Timestamp;
use store::StoredSession;

use super::{Services, internal};
use crate::api::ApiError;

/// The most sessions in one answer.
const LIMIT: u32 = 1_000;

impl Services {
    pub(in crate::api) fn issuers(&self) -> Vec<String> {
        self.installation.issuers.clone()
    }

    /// The caller's own sessions, newest first, or everybody's.
    pub(in crate::api) async fn sessions(&self, all: bool) -> Result<Vec<SessionRow>, ApiError> {
        let caller = self.caller()?;
        let (store, now) = (self.fleet.store(), Timestamp::now());
        let sessions = if all {
            self.permit_installation(Permission::Administer)?;
            store.sessions(now, LIMIT).await.map_err(internal)?
        } else {
            match &caller.signed_in {
                Some(own) => store.sessions_of(&own.issuer, &own.subject, now).await.map_err(internal)?,
                None => Vec::new(),
            }
        };
        let current = caller.signed_in.as_ref().map(|own| own.session_id.as_str());
        Ok(sessions.into_iter().map(|session| row(session, current)).collect())
    }

    /// Ends a session. Whose it is must not be told to somebody else, so that another's is as unknown as none.
    pub(in crate::api) async fn end_session(&self, id: &str) -> Result<(), ApiError> {
        let caller = self.caller()?;
        let (store, now) = (self.fleet.store(), Timestamp::now());
        let own = match &caller.signed_in {
            Some(own) => store.sessions_of(&own.issuer, &own.subject, now).await.map_err(internal)?,
            None => Vec::new(),
        };
        let allowed = own.iter().any(|session| session.id == id)
            || self.permit_installation(Permission::Administer).is_ok();
        if !allowed || !store.end_session(id).await.map_err(internal)? {
            return Err(ApiError::NotFound {
                message: "There is no such session; it may have ended already.".into(),
            });
        }
        self.note(AuditAction::SessionRevoked, format!("session {id}")).await
    }
}

fn row(session: StoredSession, current: Option<&str>) -> SessionRow {
    SessionRow {
        current: current == Some(session.id.as_str()),
        id: session.id,
        name: session.name,
        issuer: session.issuer,
        address: session.address,
        user_agent: session.user_agent,
        created_at: session.created_at,
        last_seen_at: session.last_seen_at,
        expires_at: session.expires_at,
    }
}
