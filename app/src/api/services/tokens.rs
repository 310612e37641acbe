//! Personal access tokens: for programs that act for somebody, with no more than that person may do.

use std::ops::RangeInclusive;

use domain::access::{Access, Permission};
use domain::audit::AuditAction;
use domain::wire::{NewTokenSecret, TokenRow};
use jiff::{SignedDuration, Timestamp};
use store::{NewToken, StoredToken};

use super::{Services, SignedIn, internal, secret};
use crate::api::ApiError;

/// What every token begins with, so that one that was published by mistake is found by what looks for such.
const PREFIX: &str = "tollgate_pat_";
/// How many days a token may live.
const DAYS: RangeInclusive<u32> = 1..=366;
const LONGEST_NAME: usize = 100;

impl Services {
    pub(in crate::api) async fn tokens(&self) -> Result<Vec<TokenRow>, ApiError> {
        let own = self.session()?;
        let tokens = self.fleet.store().tokens_of(&own.issuer, &own.subject).await.map_err(internal)?;
        Ok(tokens.into_iter().map(row).collect())
    }

    /// Makes a token of the caller's and answers its secret, which nobody can show again.
    pub(in crate::api) async fn make_token(
        &self,
        name: &str,
        days: u32,
        access: Option<Access>,
    ) -> Result<NewTokenSecret, ApiError> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > LONGEST_NAME {
            return Err(ApiError::BadRequest {
                message: format!(
                    "A token has a name of 1 to {LONGEST_NAME} characters, by which it is known again."
                ),
            });
        }
        if !DAYS.contains(&days) {
            return Err(ApiError::BadRequest {
                message: format!("A token lives {} to {} days.", DAYS.start(), DAYS.end()),
            });
        }
        let grants = access.iter().flat_map(|access| &access.grants);
        if let Some(pattern) = grants.filter_map(|grant| grant.scope.mistake()).next() {
            return Err(ApiError::BadRequest {
                message: format!(
                    "{pattern:?} names nothing: * stands for any rest at the end of a name only."
                ),
            });
        }
        let (own, caller, now) = (self.session()?, self.caller()?, Timestamp::now());
        let secret = personal_token();
        let token = NewToken {
            token_hash: secret::hash(&secret),
            issuer: own.issuer.clone(),
            subject: own.subject.clone(),
            owner_name: caller.actor.clone(),
            groups: own.groups.clone(),
            name: name.to_owned(),
            access,
            created_at: now,
            expires_at: now + SignedDuration::from_hours(24 * i64::from(days)),
        };
        let id = self.fleet.store().create_token(&token).await.map_err(internal)?;
        self.note(AuditAction::TokenMade, format!("{name} ({id}), until {}", token.expires_at)).await?;
        Ok(NewTokenSecret { id, secret, expires_at: token.expires_at })
    }

    /// Takes a token back: one of the caller's own, or anybody's for an administrator. What is unknown is told as in
    /// [`Services::end_session`].
    pub(in crate::api) async fn revoke_token(&self, id: &str) -> Result<(), ApiError> {
        let own = self.session()?;
        let store = self.fleet.store();
        let revoked = store.revoke_token(id, &own.issuer, &own.subject).await.map_err(internal)?
            || (self.caller()?.everywhere(Permission::Administer)
                && store.revoke_any_token(id).await.map_err(internal)?);
        if !revoked {
            return Err(ApiError::NotFound {
                message: "There is no such token; it may be gone already.".into(),
            });
        }
        self.note(AuditAction::TokenRevoked, id.to_owned()).await
    }

    /// The caller's own session: a token makes no tokens, and a local operator needs none.
    pub(super) fn session(&self) -> Result<&SignedIn, ApiError> {
        self.caller()?.signed_in.as_ref().ok_or_else(|| ApiError::Forbidden {
            message: "Tokens are made and taken back, and programs let in, by people who have signed in."
                .into(),
        })
    }
}

/// A new token, as its owner keeps it.
pub fn personal_token() -> String {
    format!("{PREFIX}{}", secret::new())
}

fn row(token: StoredToken) -> TokenRow {
    let limits = token.access.map(|access| access.grants.iter().map(ToString::to_string).collect());
    TokenRow {
        id: token.id,
        name: token.name,
        limits: limits.unwrap_or_default(),
        created_at: token.created_at,
        last_used_at: token.last_used_at,
        expires_at: token.expires_at,
    }
}
