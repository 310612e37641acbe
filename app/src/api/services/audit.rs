//! The audit log: what a request may ask for, and its answer.

use domain::audit::{AuditAction, AuditEntry, AuditFilter};

use super::{Services, internal};
use crate::api::ApiError;

impl Services {
    pub(in crate::api) async fn audit(
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
