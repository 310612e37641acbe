//! Sessions as their owners and administrators see them.

use domain::access::Permission;
use domain::audit::AuditAction;
use domain::wire::{SessionList, SessionRow};
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

    /// The caller's own sessions, last seen first, or everybody's, of which the first thousand are told.
    pub(in crate::api) async fn sessions(&self, all: bool) -> Result<SessionList, ApiError> {
        let caller = self.caller()?;
        let (store, now) = (self.fleet.store(), Timestamp::now());
        let mut sessions = if all {
            self.permit_installation(Permission::Administer)?;
            // One more than is told shows that there are more.
            store.sessions(now, LIMIT + 1).await.map_err(internal)?
        } else {
            match &caller.signed_in {
                Some(own) => store.sessions_of(&own.issuer, &own.subject, now).await.map_err(internal)?,
                None => Vec::new(),
            }
        };
        let more = sessions.len() > LIMIT as usize;
        sessions.truncate(LIMIT as usize);
        let current = caller.signed_in.as_ref().map(|own| own.session_id.as_str());
        let sessions = sessions.into_iter().map(|session| row(session, current)).collect();
        Ok(SessionList { sessions, more })
    }

    /// Ends a session: one of the caller's own, or anybody's for an administrator. Whose it is must not be told to somebody
    /// else, so that another's is as unknown as none; and since one that ended by itself is unknown too, to ask for it is no
    /// refusal that the audit log would have to tell.
    pub(in crate::api) async fn end_session(&self, id: &str) -> Result<(), ApiError> {
        let (caller, store) = (self.caller()?, self.fleet.store());
        let own_ended = match &caller.signed_in {
            Some(own) => store.end_own_session(id, &own.issuer, &own.subject).await.map_err(internal)?,
            None => false,
        };
        let ended = own_ended
            || (caller.everywhere(Permission::Administer)
                && store.end_session(id).await.map_err(internal)?);
        if !ended {
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
