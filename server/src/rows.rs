//! Instances and audit entries as rows of a table or of CSV, the same on the terminal and in an export.

use domain::audit::AuditEntry;
use domain::wire::ListRow;

/// The columns of an instance.
pub(crate) const INSTANCE: [&str; 12] = [
    "account",
    "region",
    "instance_id",
    "name",
    "state",
    "type",
    "verdict",
    "http_tokens",
    "http_endpoint",
    "hop_limit",
    "policy",
    "launch_time",
];

/// An instance, in the order of [`INSTANCE`].
pub(crate) fn instance(row: &ListRow) -> Vec<String> {
    vec![
        row.alias.clone(),
        row.region.clone(),
        row.instance_id.clone(),
        row.name.clone(),
        row.state.as_str().into(),
        row.instance_type.clone(),
        row.verdict.kind().into(),
        row.http_tokens.map_or(String::new(), |tokens| tokens.as_str().into()),
        row.http_endpoint.map_or(String::new(), |endpoint| endpoint.as_str().into()),
        row.hop_limit.map_or(String::new(), |hops| hops.to_string()),
        row.policy.clone(),
        row.launch_time.map_or(String::new(), |time| time.to_string()),
    ]
}

/// The columns of an audit entry.
pub(crate) const AUDIT: [&str; 14] = [
    "seq",
    "at",
    "actor",
    "address",
    "action",
    "account",
    "region",
    "instance_id",
    "change_id",
    "reason",
    "differences",
    "policy_revision",
    "aws_request_id",
    "detail",
];

/// An audit entry, in the order of [`AUDIT`].
pub(crate) fn audit_entry(entry: &AuditEntry) -> Vec<String> {
    let AuditEntry { seq, entry } = entry;
    let differences: Vec<String> = entry
        .differences
        .iter()
        .map(|difference| format!("{} {} → {}", difference.field, difference.before, difference.after))
        .collect();
    vec![
        seq.to_string(),
        entry.at.to_string(),
        entry.actor.clone(),
        entry.address.clone(),
        entry.action.as_str().into(),
        entry.account.clone(),
        entry.region.clone(),
        entry.instance_id.clone(),
        entry.change_id.map_or(String::new(), |id| id.to_string()),
        entry.reason.clone(),
        differences.join("; "),
        entry.policy_revision.clone(),
        entry.aws_request_id.clone().unwrap_or_default(),
        entry.detail.replace('\n', " "),
    ]
}
