//! The server functions: each has an explicit endpoint, checks its permission first and answers a projection or an [`ApiError`].

pub mod error;
#[cfg(feature = "ssr")]
pub mod services;

use domain::audit::AuditEntry;
use domain::delivery::{ChangeSummary, Fact};
use domain::gitops::{self, Ask};
use domain::query::Vocabulary;
use domain::wire::delivery::{DoraView, MatrixView, Report, Reported, TimelineView};
// A server function's arguments become a type of its name, so that an answer of the same name is spelled with its module.
use domain::wire::{self, ListPage, PlanReport, SelectionPreview, SourceRow, UseReport};
pub use error::ApiError;
use leptos::prelude::*;
use leptos::server_fn::codec::{GetUrl, Json};

use crate::tree_json::TreeJson;

#[cfg(feature = "ssr")]
use services::{Permission, Services, audit_filter};

/// Who is asking and what this installation allows.
#[server(endpoint = "session/info", input = GetUrl, output = TreeJson)]
pub async fn session_info() -> Result<wire::SessionInfo, ApiError> {
    Services::anyone()?.session_info()
}

/// The issuers at which somebody can sign in; none where nobody has to. Asked before anybody has.
#[server(endpoint = "session/issuers", input = GetUrl, output = TreeJson)]
pub async fn list_issuers() -> Result<Vec<String>, ApiError> {
    Ok(Services::anyone()?.issuers())
}

/// The caller's own sessions, or everybody's for an administrator who asks for `all`.
#[server(endpoint = "session/list", input = GetUrl, output = TreeJson)]
pub async fn list_sessions(all: bool) -> Result<wire::SessionList, ApiError> {
    Services::anyone()?.sessions(all).await
}

/// Ends a session: one of the caller's own, or anybody's for an administrator.
#[server(endpoint = "session/end", input = Json, output = TreeJson)]
pub async fn end_session(id: String) -> Result<(), ApiError> {
    Services::anyone()?.end_session(&id).await
}

/// The caller's personal access tokens.
#[server(endpoint = "token/list", input = GetUrl, output = TreeJson)]
pub async fn list_tokens() -> Result<Vec<wire::TokenRow>, ApiError> {
    Services::anyone()?.tokens().await
}

/// Makes a token that lives `days` days and may do what the caller may, within `access` where it is given. Its secret is
/// answered this once.
#[server(endpoint = "token/make", input = Json, output = TreeJson)]
pub async fn make_token(
    name: String,
    days: u32,
    access: Option<domain::access::Access>,
) -> Result<wire::NewTokenSecret, ApiError> {
    Services::anyone()?.make_token(&name, days, access).await
}

/// Takes a token back: one of the caller's own, or anybody's for an administrator.
#[server(endpoint = "token/revoke", input = Json, output = TreeJson)]
pub async fn revoke_token(id: String) -> Result<(), ApiError> {
    Services::anyone()?.revoke_token(&id).await
}

/// The program that waits to be let in under a code that it shows.
#[server(endpoint = "device/show", input = GetUrl, output = TreeJson)]
pub async fn show_device(user_code: String) -> Result<wire::DeviceRow, ApiError> {
    Services::anyone()?.device(&user_code).await
}

/// Lets a program that waits in, to act for the caller, or refuses it.
#[server(endpoint = "device/decide", input = Json, output = TreeJson)]
pub async fn decide_device(user_code: String, approve: bool) -> Result<(), ApiError> {
    Services::anyone()?.decide_device(&user_code, approve).await
}

/// A window of the instances that match the query `q`, in the order `sort` (a column's name, with `-` for descending).
#[server(endpoint = "fleet/list", input = GetUrl, output = TreeJson)]
pub async fn list_instances(q: String, sort: String, offset: u32, limit: u32) -> Result<ListPage, ApiError> {
    Services::authorized(Permission::View)?.list(&q, &sort, offset, limit).await
}

/// The ids of all instances that match, in order, of one moment.
#[server(endpoint = "fleet/ids", input = GetUrl, output = TreeJson)]
pub async fn matching_ids(q: String, sort: String) -> Result<Vec<String>, ApiError> {
    Services::authorized(Permission::View)?.ids(&q, &sort).await
}

/// The values that complete a query: regions, accounts, types, tag keys.
#[server(endpoint = "fleet/vocabulary", input = GetUrl, output = TreeJson)]
pub async fn query_vocabulary() -> Result<Vocabulary, ApiError> {
    Services::authorized(Permission::View)?.vocabulary().await
}

/// Counts, sources, the trend over `days` days and what changed today.
#[server(endpoint = "fleet/overview", input = GetUrl, output = TreeJson)]
pub async fn overview(days: u32) -> Result<wire::Overview, ApiError> {
    Services::authorized(Permission::View)?.overview(days).await
}

/// One instance with policy results, history and changes. Vanished instances are answered from history.
#[server(endpoint = "fleet/instance", input = GetUrl, output = TreeJson)]
pub async fn instance_detail(
    account: String,
    region: String,
    instance_id: String,
) -> Result<wire::InstanceDetail, ApiError> {
    Services::authorized(Permission::View)?.detail(&account, &region, &instance_id).await
}

/// Where the instance's metadata setting came from, as far as AWS tells; asks AWS.
#[server(endpoint = "fleet/origins", input = GetUrl, output = TreeJson)]
pub async fn instance_origins(
    account: String,
    region: String,
    instance_id: String,
) -> Result<Vec<wire::Origin>, ApiError> {
    Services::authorized(Permission::View)?.origins(&account, &region, &instance_id).await
}

/// The instance as EC2 describes it now, as JSON in the shape of DescribeInstances.
#[server(endpoint = "fleet/raw", input = GetUrl, output = TreeJson)]
pub async fn instance_raw(account: String, region: String, instance_id: String) -> Result<String, ApiError> {
    Services::authorized(Permission::View)?.raw(&account, &region, &instance_id).await
}

/// What CloudWatch says of the use of IMDSv1 over the last `days` days.
#[server(endpoint = "fleet/verify", input = GetUrl, output = TreeJson)]
pub async fn verify_use(
    account: String,
    region: String,
    instance_id: String,
    days: u32,
) -> Result<UseReport, ApiError> {
    Services::authorized(Permission::View)?.verify(&account, &region, &instance_id, days).await
}

/// Reads the instance again, plans requiring tokens on it and asks AWS with `DryRun`. Changes nothing.
#[server(endpoint = "fleet/plan-enforce", input = Json, output = TreeJson)]
pub async fn plan_enforce(
    account: String,
    region: String,
    instance_id: String,
    hop_limit: Option<u8>,
) -> Result<PlanReport, ApiError> {
    Services::authorized(Permission::Change)?.plan_enforce(&account, &region, &instance_id, hop_limit).await
}

/// Reads the instance again, plans putting back what change `change_id` sent and asks AWS with `DryRun`. Changes nothing.
#[server(endpoint = "fleet/plan-restore", input = Json, output = TreeJson)]
pub async fn plan_restore(change_id: i64) -> Result<PlanReport, ApiError> {
    Services::authorized(Permission::Change)?.plan_restore(change_id).await
}

/// Makes the planned change. The same `idempotency_key` twice is the same change. `plan` must be as it was shown; when the
/// instance differs from it by now, nothing is sent and the change ends as `plan-outdated`.
#[server(endpoint = "fleet/apply", input = Json, output = TreeJson)]
pub async fn apply_plan(
    plan: domain::change::Plan,
    reason: String,
    idempotency_key: String,
) -> Result<domain::change::Change, ApiError> {
    Services::authorized(Permission::Change)?.apply(plan, &reason, &idempotency_key).await
}

/// A change as it stands.
#[server(endpoint = "fleet/change", input = GetUrl, output = TreeJson)]
pub async fn change(id: i64) -> Result<domain::change::Change, ApiError> {
    Services::authorized(Permission::View)?.change(id).await
}

/// What enforcing IMDSv2 would do to a selection: instance keys as `account/region/id`, or all that match `q` when there are none.
#[server(endpoint = "fleet/selection", input = Json, output = TreeJson)]
pub async fn preview_selection(q: String, keys: Vec<String>) -> Result<SelectionPreview, ApiError> {
    Services::authorized(Permission::View)?.preview(&q, &keys).await
}

/// Every account-region as a source.
#[server(endpoint = "accounts/list", input = GetUrl, output = TreeJson)]
pub async fn list_sources() -> Result<Vec<SourceRow>, ApiError> {
    Services::authorized(Permission::View)?.sources().await
}

/// The active policy: its rules, their text and how many instances each fails.
#[server(endpoint = "policy/report", input = GetUrl, output = TreeJson)]
pub async fn policy_report() -> Result<wire::PolicyReport, ApiError> {
    Services::authorized(Permission::View)?.policy_report().await
}

/// Entries of the audit log, newest first; `before_seq` 0 starts at the newest. `action` empty means any.
#[server(endpoint = "audit/list", input = GetUrl, output = TreeJson)]
pub async fn list_audit(
    text: String,
    action: String,
    account: String,
    instance_id: String,
    before_seq: i64,
    limit: u32,
) -> Result<Vec<AuditEntry>, ApiError> {
    let services = Services::authorized(Permission::View)?;
    services.audit_entries(audit_filter(&text, &action, &account, &instance_id, before_seq, limit)?).await
}

/// The releases of the page: what is live, what was, and what could be again.
#[server(endpoint = "release/list", input = GetUrl, output = TreeJson)]
pub async fn list_releases() -> Result<wire::Releases, ApiError> {
    Services::authorized(Permission::View)?.releases().await
}

/// Makes an earlier release of the page live again, unless another than `seen` is live by now.
#[server(endpoint = "release/rollback", input = Json, output = TreeJson)]
pub async fn roll_back(release: String, seen: String, reason: String) -> Result<wire::RolledBack, ApiError> {
    Services::authorized(Permission::Release)?.roll_back(&release, &seen, &reason).await
}

/// Every service in every environment: what runs, how well, and how far behind.
#[server(endpoint = "delivery/matrix", input = GetUrl, output = TreeJson)]
pub async fn delivery_matrix() -> Result<MatrixView, ApiError> {
    Services::authorized(Permission::View)?.delivery_matrix().await
}

/// The way of one change, and why it is not in each of the environments yet. The commit may be named by its first digits.
#[server(endpoint = "delivery/timeline", input = GetUrl, output = TreeJson)]
pub async fn delivery_timeline(service: String, commit: String) -> Result<TimelineView, ApiError> {
    Services::authorized(Permission::View)?.delivery_timeline(&service, &commit).await
}

/// The latest changes, of one service or of all where it is empty; those that `q` means, where that is not: a commit, `#` and the
/// number of a pull request, a tag, a digest, a part of a name or title.
#[server(endpoint = "delivery/changes", input = GetUrl, output = TreeJson)]
pub async fn delivery_changes(
    service: String,
    q: String,
    limit: u32,
) -> Result<Vec<ChangeSummary>, ApiError> {
    Services::authorized(Permission::View)?.delivery_changes(&service, &q, limit).await
}

/// All that was told of one change, in the order in which it was.
#[server(endpoint = "delivery/facts", input = GetUrl, output = TreeJson)]
pub async fn delivery_facts(service: String, commit: String) -> Result<Vec<Fact>, ApiError> {
    Services::authorized(Permission::View)?.delivery_facts(&service, &commit).await
}

/// The DORA metrics of a service in each environment, over the last 7, 30 or 90 days.
#[server(endpoint = "delivery/dora", input = GetUrl, output = TreeJson)]
pub async fn delivery_dora(service: String, days: u32) -> Result<Vec<DoraView>, ApiError> {
    Services::authorized(Permission::View)?.delivery_dora(&service, days).await
}

/// Takes in what a pipeline tells of its stages: all of it, or nothing. The same report again changes nothing.
#[server(endpoint = "delivery/report", input = Json, output = TreeJson)]
pub async fn delivery_report(reports: Vec<Report>) -> Result<Reported, ApiError> {
    Services::authorized(Permission::Report)?.delivery_report(reports).await
}

/// The way of each service through the environments, what can move, what is held, and the operations.
#[server(endpoint = "gitops/board", input = GetUrl, output = TreeJson)]
pub async fn promotion_board() -> Result<wire::gitops::PromotionBoard, ApiError> {
    Services::authorized(Permission::View)?.promotion_board().await
}

/// One operation, by its name.
#[server(endpoint = "gitops/operation", input = GetUrl, output = TreeJson)]
pub async fn gitops_operation(id: String) -> Result<wire::gitops::OperationView, ApiError> {
    Services::authorized(Permission::View)?.operation(&id).await
}

/// What an operation would do now: each value, the files' differences, and what speaks against it. Nothing is written.
#[server(endpoint = "gitops/plan", input = Json, output = TreeJson)]
pub async fn plan_operation(ask: Ask, reason: String) -> Result<gitops::Plan, ApiError> {
    Services::authorized(Permission::Release)?.plan_operation(ask, &reason).await
}

/// Asks for an operation; with `fingerprint`, only for the plan that was looked at.
#[server(endpoint = "gitops/request", input = Json, output = TreeJson)]
pub async fn request_operation(
    ask: Ask,
    reason: String,
    fingerprint: Option<String>,
) -> Result<wire::gitops::OperationView, ApiError> {
    Services::authorized(Permission::Release)?.request_operation(ask, &reason, fingerprint.as_deref()).await
}

/// Agrees with the plan of an operation that somebody else asked for, as it was looked at.
#[server(endpoint = "gitops/approve", input = Json, output = TreeJson)]
pub async fn approve_operation(
    id: String,
    fingerprint: String,
    reason: String,
) -> Result<wire::gitops::OperationView, ApiError> {
    Services::authorized(Permission::Approve)?.approve_operation(&id, &fingerprint, &reason).await
}

/// Has an operation merged, as it was looked at.
#[server(endpoint = "gitops/merge", input = Json, output = TreeJson)]
pub async fn merge_operation(
    id: String,
    fingerprint: String,
) -> Result<wire::gitops::OperationView, ApiError> {
    Services::authorized(Permission::Release)?.merge_operation(&id, &fingerprint).await
}

/// Closes an operation that is not merged.
#[server(endpoint = "gitops/close", input = Json, output = TreeJson)]
pub async fn close_operation(id: String, reason: String) -> Result<wire::gitops::OperationView, ApiError> {
    Services::authorized(Permission::Release)?.close_operation(&id, &reason).await
}
