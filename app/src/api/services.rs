//! What the server functions call: the service crates behind one type, which every request gets from the router's context.

mod list;

use std::sync::Arc;

use domain::audit::{AuditAction, AuditEntry, AuditFilter};
use domain::change::{Change, Plan};
use domain::instance::{InstanceKey, SourceKey};
use domain::policy::PolicyOutcome;
use domain::query::Vocabulary;
use domain::summary::{Summary, outcome_counts, rule_counts};
use domain::wire::{
    API_VERSION, InstanceDetail, Origin, Overview, PlanReport, PolicyReport, RuleRow, SelectionPreview,
    SessionInfo, SourceRow, TrendPoint, UseReport,
};
use fleet::Fleet;
use fleet::error::FleetError;
use jiff::{SignedDuration, Timestamp};
use leptos::prelude::use_context;
pub use list::ListCache;

use super::ApiError;

/// How many entries of history and changes an instance's page shows.
const HISTORY_LIMIT: u32 = 50;
/// How many changes of the day the overview shows.
const CHANGED_TODAY_LIMIT: u32 = 20;
/// The longest trend.
const MAX_TREND_DAYS: u32 = 730;

/// What a server function needs to be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    View,
    Change,
}

/// The server's services, shared by all requests.
#[derive(Clone)]
pub struct Services {
    pub fleet: Arc<Fleet>,
    pub lists: Arc<ListCache>,
    pub session: Arc<Session>,
}

/// Who acts, and as what build.
#[derive(Clone, Debug)]
pub struct Session {
    /// The name that the audit log records.
    pub actor: String,
    /// Why nothing may be changed; `None` when changes are allowed.
    pub read_only: Option<String>,
    pub server_version: String,
    pub server_commit: String,
}

impl Services {
    /// The services, for a caller who has `permission`.
    ///
    /// # Errors
    /// [`ApiError::Forbidden`] without the permission, and [`ApiError::Internal`] outside of the router.
    pub fn authorized(permission: Permission) -> Result<Services, ApiError> {
        let services = use_context::<Services>().ok_or_else(|| {
            tracing::error!("a server function was called outside of the router's context");
            ApiError::Internal
        })?;
        services.permit(permission)?;
        Ok(services)
    }

    /// Whether the caller has `permission`. Without authentication the caller is a local operator.
    pub fn permit(&self, permission: Permission) -> Result<(), ApiError> {
        match (permission, &self.session.read_only) {
            (Permission::View, _) | (Permission::Change, None) => Ok(()),
            (Permission::Change, Some(why)) => Err(ApiError::Forbidden { message: why.clone() }),
        }
    }

    pub(super) fn session_info(&self) -> SessionInfo {
        SessionInfo {
            actor: self.session.actor.clone(),
            read_only: self.session.read_only.clone(),
            server_version: self.session.server_version.clone(),
            server_commit: self.session.server_commit.clone(),
            api: API_VERSION,
        }
    }

    pub(super) fn vocabulary(&self) -> Vocabulary {
        self.fleet.view().index.vocabulary()
    }

    pub(super) async fn overview(&self, days: u32) -> Result<Overview, ApiError> {
        if !(1..=MAX_TREND_DAYS).contains(&days) {
            return Err(ApiError::BadRequest {
                message: format!("A trend covers 1 to {MAX_TREND_DAYS} days."),
            });
        }
        let view = self.fleet.view();
        let now = Timestamp::now();
        let since = now - SignedDuration::from_hours(24 * i64::from(days));
        let midnight = domain::evidence::window_start(now, 1);
        let points = self.fleet.store().trend_since(since).await.map_err(internal)?;
        Ok(Overview {
            summary: view.summary,
            sources: view.sources.values().cloned().collect(),
            trend: trend(points),
            changed_today: self
                .fleet
                .history_since(midnight, CHANGED_TODAY_LIMIT)
                .await
                .map_err(api_error)?,
            policy: outcome_counts(view.index.rows()),
            revision: view.revision,
            as_of: view.as_of,
        })
    }

    pub(super) async fn detail(
        &self,
        account: &str,
        region: &str,
        instance_id: &str,
    ) -> Result<InstanceDetail, ApiError> {
        let key = key(account, region, instance_id)?;
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
                enforce_disabled: Some("The instance is no longer listed by EC2.".into()),
            });
        };
        let read_only = self.session.read_only.clone();
        let refusal = self.fleet.enforce_refusal(&row.instance).map(|refusal| refusal.to_string());
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
            enforce_disabled: read_only.or(refusal),
        })
    }

    pub(super) async fn origins(
        &self,
        account: &str,
        region: &str,
        instance_id: &str,
    ) -> Result<Vec<Origin>, ApiError> {
        self.fleet.origins(&key(account, region, instance_id)?).await.map_err(api_error)
    }

    pub(super) async fn raw(
        &self,
        account: &str,
        region: &str,
        instance_id: &str,
    ) -> Result<String, ApiError> {
        let raw = self.fleet.raw(&key(account, region, instance_id)?).await.map_err(api_error)?;
        serde_json::to_string_pretty(&raw).map_err(internal)
    }

    pub(super) async fn verify(
        &self,
        account: &str,
        region: &str,
        instance_id: &str,
        days: u32,
    ) -> Result<UseReport, ApiError> {
        self.fleet.verify(&key(account, region, instance_id)?, days).await.map_err(api_error)
    }

    pub(super) async fn plan_enforce(
        &self,
        account: &str,
        region: &str,
        instance_id: &str,
        hop_limit: Option<u8>,
    ) -> Result<PlanReport, ApiError> {
        self.fleet.plan_enforce(&key(account, region, instance_id)?, hop_limit).await.map_err(api_error)
    }

    pub(super) async fn plan_restore(&self, change_id: i64) -> Result<PlanReport, ApiError> {
        self.fleet.plan_restore(change_id).await.map_err(api_error)
    }

    pub(super) async fn apply(
        &self,
        plan: Plan,
        reason: &str,
        idempotency_key: &str,
    ) -> Result<Change, ApiError> {
        self.fleet.apply(plan, &self.session.actor, reason, idempotency_key).await.map_err(api_error)
    }

    pub(super) async fn change(&self, id: i64) -> Result<Change, ApiError> {
        self.fleet.change(id).await.map_err(api_error)
    }

    pub(super) fn preview(&self, q: &str, keys: &[String]) -> Result<SelectionPreview, ApiError> {
        let view = self.fleet.view();
        if keys.is_empty() {
            let matches = self.select(&view, q, "name")?;
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

    pub(super) fn sources(&self) -> Vec<SourceRow> {
        self.fleet.view().sources.values().cloned().collect()
    }

    pub(super) fn policy_report(&self) -> PolicyReport {
        let view = self.fleet.view();
        let policy = self.fleet.policy();
        let failing = rule_counts(view.index.rows());
        let mut rules: Vec<RuleRow> = policy
            .rules()
            .into_iter()
            .map(|rule| RuleRow {
                failing: failing.get(&rule.name).map_or(0, |count| count.instances),
                name: rule.name,
                title: rule.title,
                description: rule.description,
                severity: rule.severity,
                file: rule.file,
                text: rule.text,
            })
            .collect();
        // A rule that only the answers name, as with an OPA server whose text is elsewhere.
        for (name, count) in failing {
            if !rules.iter().any(|rule| rule.name == name) {
                rules.push(RuleRow {
                    name,
                    title: String::new(),
                    description: String::new(),
                    severity: count.by_severity.keys().next().copied(),
                    file: String::new(),
                    text: String::new(),
                    failing: count.instances,
                });
            }
        }
        PolicyReport {
            engine: policy.description(),
            revision: policy.revision(),
            query: policy.query().to_owned(),
            problem: policy.problem(),
            rules,
            outcomes: outcome_counts(view.index.rows()),
        }
    }

    pub(super) async fn audit(
        &self,
        text: &str,
        action: &str,
        account: &str,
        instance_id: &str,
        before_seq: i64,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, ApiError> {
        let filter = audit_filter(text, action, account, instance_id, before_seq, limit)?;
        self.fleet.store().audit(&filter).await.map_err(internal)
    }
}

/// The filter for the audit log; `before_seq` 0 and empty texts mean any.
pub fn audit_filter(
    text: &str,
    action: &str,
    account: &str,
    instance_id: &str,
    before_seq: i64,
    limit: u32,
) -> Result<AuditFilter, ApiError> {
    let action = match action {
        "" => None,
        name => Some(AuditAction::parse(name).ok_or_else(|| {
            let known: Vec<&str> = AuditAction::ALL.into_iter().map(AuditAction::as_str).collect();
            ApiError::BadRequest {
                message: format!("{name:?} is no audit action; there are {}.", known.join(", ")),
            }
        })?),
    };
    if !(1..=1_000).contains(&limit) {
        return Err(ApiError::BadRequest {
            message: "A page of the audit log has 1 to 1,000 entries.".into(),
        });
    }
    Ok(AuditFilter {
        text: text.to_owned(),
        action,
        account: account.to_owned(),
        instance_id: instance_id.to_owned(),
        since: None,
        until: None,
        before_seq: (before_seq > 0).then_some(before_seq),
        limit,
    })
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

/// The counts of all sources at each hour. A source without a point in an hour keeps its last: an hour without a read is
/// no hour without instances.
fn trend(points: Vec<store::TrendPoint>) -> Vec<TrendPoint> {
    let mut last: std::collections::BTreeMap<SourceKey, Summary> = std::collections::BTreeMap::new();
    let mut trend: Vec<TrendPoint> = Vec::new();
    for point in points {
        let Ok(summary) = serde_json::from_str::<Summary>(&point.counts) else { continue };
        last.insert(point.key, summary);
        let summed = last.values().copied().fold(Summary::default(), Summary::plus);
        match trend.last_mut() {
            Some(newest) if newest.at == point.hour => newest.summary = summed,
            _ => trend.push(TrendPoint { at: point.hour, summary: summed }),
        }
    }
    trend
}
