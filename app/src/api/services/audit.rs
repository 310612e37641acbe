//! The audit log: what a request may ask for, and its answer.

use domain::access::Permission;
use domain::audit::{AuditAction, AuditEntry, AuditFilter, NewAuditEntry};
use domain::instance::SourceKey;

use super::{Services, internal};
use crate::api::ApiError;

impl Services {
    /// The newest entries of the filter that the caller may see. Who sees a part of the fleet sees what happened to that part;
    /// sign-ins and the like are of the whole installation.
    pub async fn audit_entries(&self, mut filter: AuditFilter) -> Result<Vec<AuditEntry>, ApiError> {
        let everything = self.caller()?.everywhere(Permission::View);
        let wanted = filter.limit as usize;
        let mut entries = Vec::new();
        loop {
            let page = self.fleet.store().audit(&filter).await.map_err(internal)?;
            let is_last = page.len() < filter.limit as usize;
            filter.before_seq = page.last().map(|entry| entry.seq);
            entries.extend(page.into_iter().filter(|entry| everything || self.sees_entry(&entry.entry)));
            if is_last || entries.len() >= wanted {
                entries.truncate(wanted);
                return Ok(entries);
            }
            // What is left out is made up for, by pages that do not take one query for each few entries.
            filter.limit = LONGEST_PAGE;
        }
    }

    fn sees_entry(&self, entry: &NewAuditEntry) -> bool {
        !entry.account.is_empty() && self.sees(&SourceKey::new(entry.account.as_str(), entry.region.as_str()))
    }
}

/// The most entries in one answer.
const LONGEST_PAGE: u32 = 1_000;

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
    if !(1..=LONGEST_PAGE).contains(&limit) {
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
