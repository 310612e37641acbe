//! What the server functions call: the service crates behind one type, which every request gets from the router's context.

mod access;
mod audit;
pub mod delivery;
mod devices;
mod gitops;
mod list;
mod releases;
mod report;
pub mod secret;
mod sessions;
mod tokens;

use std::sync::Arc;

pub use access::{Caller, Seen, SignedIn, ViewCache};
pub use audit::audit_filter;
pub use domain::access::Permission;
use domain::change::{Change, Plan, Refusal};
use domain::instance::{InstanceKey, SourceKey};
use domain::policy::PolicyOutcome;
use domain::query::Vocabulary;
use domain::wire::{InstanceDetail, Origin, PlanReport, SelectionPreview, SourceRow, UseReport};
use fleet::error::FleetError;
use fleet::{Fleet, Requester};
use leptos::prelude::use_context;
pub use list::ListCache;
pub use releases::Publishing;
pub use tokens::personal_token;

use super::ApiError;

/// How many entries of history and changes an instance's page shows.
const HISTORY_LIMIT: u32 = 50;
/// Why nothing is changed about what is only remembered.
const VANISHED: &str = "The instance is no longer listed by EC2.";

/// The server's services, shared by all requests, for one caller.
#[derive(Clone)]
pub struct Services {
    pub fleet: Arc<Fleet>,
    pub delivery: ::delivery::Delivery,
    pub gitops: ::delivery::gitops::Gitops,
    pub lists: Arc<ListCache>,
    pub views: Arc<ViewCache>,
    pub publishing: Arc<Publishing>,
    pub installation: Arc<Installation>,
    /// Nobody where nobody has signed in.
    pub caller: Option<Arc<Caller>>,
}

/// What this installation is and allows, whoever asks.
#[derive(Clone, Debug)]
pub struct Installation {
    /// Why nothing may be changed; `None` when changes are allowed.
    pub read_only: Option<String>,
    pub server_version: String,
    pub server_commit: String,
    /// The issuers at which people sign in; none where nobody has to.
    pub issuers: Vec<String>,
}

impl Services {
    /// The services, for a caller who has `permission` on something.
    ///
    /// # Errors
    /// [`ApiError::Unauthenticated`] for nobody, [`ApiError::Forbidden`] without the permission, and [`ApiError::Internal`]
    /// outside of the router.
    pub fn authorized(permission: Permission) -> Result<Services, ApiError> {
        let services = Services::anyone()?;
        services.permit(permission)?;
        Ok(services)
    }

    /// The services for whoever asks, signed in or not.
    ///
    /// # Errors
    /// [`ApiError::Internal`] outside of the router.
    pub fn anyone() -> Result<Services, ApiError> {
        use_context::<Services>().ok_or_else(|| {
            tracing::error!("a server function was called outside of the router's context");
            ApiError::Internal
        })
    }

    pub(super) async fn vocabulary(&self) -> Result<Vocabulary, ApiError> {
        Ok(self.view().await?.index.vocabulary())
    }

    pub(super) async fn detail(
        &self,
        account: &str,
        region: &str,
        instance_id: &str,
    ) -> Result<InstanceDetail, ApiError> {
        let key = self.visible(account, region, instance_id)?;
        let view = self.fleet.view();
        let store = self.fleet.store();
        let source = view.sources.get(&key.source).cloned().ok_or_else(|| unknown(&key))?;
        let changes = store.changes_of(&key, HISTORY_LIMIT).await.map_err(internal)?;
        let history = self.fleet.history(&key, HISTORY_LIMIT).await.map_err(api_error)?;
        let defaults = source.status.defaults.clone();
        let Some(row) = view.row(&key) else {
            let gone = store.vanished(&key).await.map_err(internal)?.ok_or_else(|| unknown(&key))?;
            let verdict = domain::verdict::judge(
                gone.instance.metadata_options.as_ref(),
                domain::verdict::Freshness::Stale,
            );
            return Ok(InstanceDetail {
                sentence: "No longer listed by EC2: this is how it was last seen.".into(),
                alias: source.status.alias.clone(),
                instance: gone.instance,
                verdict,
                policy: PolicyOutcome::NotEvaluated,
                source,
                defaults,
                changes,
                history,
                vanished: Some(gone.last_seen),
                enforce_disabled: Some(VANISHED.into()),
                restore_disabled: Some(VANISHED.into()),
            });
        };
        let not_allowed = self.change_denied(&key.source);
        let refused = |refusal: Option<Refusal>| {
            not_allowed.clone().or_else(|| refusal.map(|refusal| refusal.to_string()))
        };
        Ok(InstanceDetail {
            instance: row.instance.as_ref().clone(),
            alias: row.alias.to_string(),
            verdict: row.verdict,
            sentence: row.verdict.sentence(&row.instance),
            policy: row.policy.as_ref().clone(),
            source,
            defaults,
            changes,
            history,
            vanished: None,
            enforce_disabled: refused(self.fleet.enforce_refusal(&row.instance)),
            restore_disabled: refused(self.fleet.restore_refusal(&row.instance)),
        })
    }

    pub(super) async fn origins(
        &self,
        account: &str,
        region: &str,
        instance_id: &str,
    ) -> Result<Vec<Origin>, ApiError> {
        self.fleet.origins(&self.visible(account, region, instance_id)?).await.map_err(api_error)
    }

    pub(super) async fn raw(
        &self,
        account: &str,
        region: &str,
        instance_id: &str,
    ) -> Result<String, ApiError> {
        let raw = self.fleet.raw(&self.visible(account, region, instance_id)?).await.map_err(api_error)?;
        serde_json::to_string_pretty(&raw).map_err(internal)
    }

    pub(super) async fn verify(
        &self,
        account: &str,
        region: &str,
        instance_id: &str,
        days: u32,
    ) -> Result<UseReport, ApiError> {
        self.fleet.verify(&self.visible(account, region, instance_id)?, days).await.map_err(api_error)
    }

    pub(super) async fn plan_enforce(
        &self,
        account: &str,
        region: &str,
        instance_id: &str,
        hop_limit: Option<u8>,
    ) -> Result<PlanReport, ApiError> {
        let key = key(account, region, instance_id)?;
        self.permit_source(Permission::Change, &key.source)?;
        self.fleet.plan_enforce(&key, hop_limit).await.map_err(api_error)
    }

    pub(super) async fn plan_restore(&self, change_id: i64) -> Result<PlanReport, ApiError> {
        let change = self.change(change_id).await?;
        self.permit_source(Permission::Change, &change.key.source)?;
        self.fleet.plan_restore(change_id).await.map_err(api_error)
    }

    pub(super) async fn apply(
        &self,
        plan: Plan,
        reason: &str,
        idempotency_key: &str,
    ) -> Result<Change, ApiError> {
        self.permit_source(Permission::Change, &plan.key.source)?;
        let caller = self.caller()?;
        let requester = Requester { actor: &caller.actor, address: &caller.address };
        self.fleet.apply(plan, requester, reason, idempotency_key).await.map_err(api_error)
    }

    pub(super) async fn change(&self, id: i64) -> Result<Change, ApiError> {
        let missing = || ApiError::NotFound { message: format!("There is no change {id}.") };
        let change = match self.fleet.change(id).await {
            Ok(change) => change,
            Err(FleetError::NotFound(_)) => return Err(missing()),
            Err(error) => return Err(api_error(error)),
        };
        if self.sees(&change.key.source) { Ok(change) } else { Err(missing()) }
    }

    pub(super) async fn preview(&self, q: &str, keys: &[String]) -> Result<SelectionPreview, ApiError> {
        let seen = self.seen().await?;
        let view = &seen.view;
        if keys.is_empty() {
            let matches = self.select(&seen, q, "name")?;
            let rows = view.index.rows();
            return Ok(self
                .fleet
                .preview(matches.iter().map(|position| rows[*position as usize].instance.as_ref())));
        }
        let mut instances = Vec::with_capacity(keys.len());
        for text in keys {
            let parts: Vec<&str> = text.splitn(3, '/').collect();
            let [account, region, instance_id] = parts[..] else {
                return Err(ApiError::BadRequest {
                    message: format!("{text:?} is not account/region/instance."),
                });
            };
            let key = key(account, region, instance_id)?;
            instances.push(view.row(&key).ok_or_else(|| unknown(&key))?.instance.clone());
        }
        Ok(self.fleet.preview(instances.iter().map(Arc::as_ref)))
    }

    pub(super) async fn sources(&self) -> Result<Vec<SourceRow>, ApiError> {
        Ok(self.view().await?.sources.values().cloned().collect())
    }

    /// The key of an instance that the caller may see.
    fn visible(&self, account: &str, region: &str, instance_id: &str) -> Result<InstanceKey, ApiError> {
        let key = key(account, region, instance_id)?;
        if self.sees(&key.source) { Ok(key) } else { Err(unknown(&key)) }
    }
}

/// The error for the browser: what happened and what to do, and nothing that is only for the log.
pub fn api_error(error: FleetError) -> ApiError {
    match error {
        FleetError::Aws(error) => {
            ApiError::Upstream { next_step: error.next_step(), code: error.code, message: error.message }
        }
        FleetError::Refused(refusal) => ApiError::Conflict { message: refusal.to_string() },
        FleetError::NotFound(message) => ApiError::NotFound { message },
        FleetError::Invalid(message) => ApiError::BadRequest { message },
        FleetError::Conflict(message) => ApiError::Conflict { message },
        FleetError::Store(error) => internal(error),
        FleetError::Snapshot(error) => internal(error),
    }
}

/// An error whose details are for the log only.
fn internal(error: impl std::fmt::Display + 'static) -> ApiError {
    let store = (&error as &dyn std::any::Any).downcast_ref::<store::StoreError>();
    if store.is_some_and(store::StoreError::is_conflict) {
        return ApiError::Conflict { message: error.to_string() };
    }
    tracing::error!(%error, "a request failed");
    match store {
        Some(store) if store.is_unavailable() || store.is_busy() => ApiError::Unavailable {
            message: "The database does not answer. What is shown may be out of date; try again in a moment."
                .into(),
        },
        _ => ApiError::Internal,
    }
}

/// The key of an instance from a request, with each part checked for its form.
fn key(account: &str, region: &str, instance_id: &str) -> Result<InstanceKey, ApiError> {
    let form = |text: &str, most: usize| {
        !text.is_empty() && text.len() <= most && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    if !form(account, 32) || !form(region, 32) || !form(instance_id, 64) {
        return Err(ApiError::BadRequest {
            message:
                "An instance is named by its account, region and id, each of letters, digits and hyphens."
                    .into(),
        });
    }
    Ok(InstanceKey { source: SourceKey::new(account, region), instance_id: instance_id.into() })
}

fn unknown(key: &InstanceKey) -> ApiError {
    ApiError::NotFound {
        message: format!(
            "{} is not known in {}, now or in the history that is kept.",
            key.instance_id, key.source
        ),
    }
}
