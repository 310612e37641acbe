//! The audit log: entries are appended and read, never changed.

use domain::audit::{AuditAction, AuditEntry, AuditFilter, NewAuditEntry};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

use crate::sql::{Counter, clean, clean_option, json, parsed, timestamp, to_json};
use crate::{Store, StoreError};

/// Keeps a search from matching across the end of one field and the start of the next.
const FIELD_SEPARATOR: &str = "\u{1f}";
const MAX_LIMIT: u32 = 1_000;

/// By name: with `*`, a statement that Postgres has prepared would fail once a newer version adds a column.
const COLUMNS: &str = "seq, at, actor, action, account, region, instance_id, change_id, reason, policy_revision, \
                       differences, aws_request_id, detail, address";

impl Store {
    /// Appends an entry and answers its sequence number.
    pub async fn append_audit(&self, entry: &NewAuditEntry) -> Result<i64, StoreError> {
        let mut tx = self.begin().await?;
        let seq = insert_audit(&mut tx, entry, entry.change_id).await?;
        tx.commit().await?;
        Ok(seq)
    }

    /// The entries that pass the filter, newest first. `since` is included, `until` is not.
    pub async fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, StoreError> {
        let conditions = Conditions::of(filter);
        let mut query = sqlx::query(AssertSqlSafe(conditions.sql()));
        for value in conditions.values {
            query = match value {
                Value::Text(text) => query.bind(text),
                Value::Number(number) => query.bind(number),
            };
        }
        let rows = query.bind(i64::from(filter.limit.clamp(1, MAX_LIMIT))).fetch_all(self.reader()).await?;
        rows.iter().map(audit_entry).collect()
    }
}

/// Appends an entry within a transaction; `change_id` stands for the entry's own.
pub(crate) async fn insert_audit(
    tx: &mut AnyConnection,
    entry: &NewAuditEntry,
    change_id: Option<i64>,
) -> Result<i64, StoreError> {
    let seq = Counter::Audit.next(&mut *tx).await?;
    sqlx::query(
        "INSERT INTO audit (seq, at, actor, action, account, region, instance_id, change_id, reason, policy_revision,
            differences, aws_request_id, detail, address, search_text)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    )
    .bind(seq)
    .bind(entry.at.as_millisecond())
    .bind(clean(&entry.actor))
    .bind(entry.action.as_str())
    .bind(clean(&entry.account))
    .bind(clean(&entry.region))
    .bind(clean(&entry.instance_id))
    .bind(change_id)
    .bind(clean(&entry.reason))
    .bind(clean(&entry.policy_revision))
    .bind(to_json("differences", &entry.differences)?)
    .bind(clean_option(entry.aws_request_id.as_deref()))
    .bind(clean(&entry.detail))
    .bind(clean(&entry.address))
    .bind(search_text(entry))
    .execute(tx)
    .await?;
    Ok(seq)
}

/// What a free-text filter looks at. Lower case is made here because the databases disagree beyond ASCII.
fn search_text(entry: &NewAuditEntry) -> String {
    let fields = [
        entry.actor.as_str(),
        &entry.address,
        &entry.reason,
        &entry.instance_id,
        &entry.account,
        entry.aws_request_id.as_deref().unwrap_or_default(),
        &entry.detail,
    ];
    clean(&fields.join(FIELD_SEPARATOR)).to_lowercase()
}

/// A pattern that matches `text` anywhere, taken literally.
fn containing(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for character in clean(text).to_lowercase().chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

/// A filter as SQL: only the conditions that are asked for, so that an index can serve them.
#[derive(Default)]
struct Conditions {
    clauses: Vec<String>,
    values: Vec<Value>,
}

#[derive(Debug, PartialEq)]
enum Value {
    Text(String),
    Number(i64),
}

impl Conditions {
    fn of(filter: &AuditFilter) -> Conditions {
        let AuditFilter { text, action, account, instance_id, since, until, before_seq, limit: _ } = filter;
        let mut conditions = Conditions::default();
        if !text.is_empty() {
            conditions.add("search_text LIKE $ ESCAPE '\\'", Value::Text(containing(text)));
        }
        if let Some(action) = action {
            conditions.add("action = $", Value::Text(action.as_str().to_owned()));
        }
        if !account.is_empty() {
            conditions.add("account = $", Value::Text(clean(account)));
        }
        if !instance_id.is_empty() {
            conditions.add("instance_id = $", Value::Text(clean(instance_id)));
        }
        if let Some(since) = since {
            conditions.add("at >= $", Value::Number(since.as_millisecond()));
        }
        if let Some(until) = until {
            conditions.add("at < $", Value::Number(until.as_millisecond()));
        }
        if let Some(before_seq) = before_seq {
            conditions.add("seq < $", Value::Number(*before_seq));
        }
        conditions
    }

    /// `clause` has one `$`, which becomes the placeholder of `value`.
    fn add(&mut self, clause: &str, value: Value) {
        self.values.push(value);
        self.clauses.push(clause.replace('$', &format!("${}", self.values.len())));
    }

    /// The statement; its last placeholder is the limit.
    fn sql(&self) -> String {
        let conditions = if self.clauses.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", self.clauses.join(" AND "))
        };
        format!("SELECT {COLUMNS} FROM audit{conditions} ORDER BY seq DESC LIMIT ${}", self.values.len() + 1)
    }
}

fn audit_entry(row: &AnyRow) -> Result<AuditEntry, StoreError> {
    Ok(AuditEntry {
        seq: row.try_get("seq")?,
        entry: NewAuditEntry {
            at: timestamp(row, "at")?,
            actor: row.try_get("actor")?,
            address: row.try_get("address")?,
            action: parsed(row, "action", AuditAction::parse)?,
            account: row.try_get("account")?,
            region: row.try_get("region")?,
            instance_id: row.try_get("instance_id")?,
            change_id: row.try_get("change_id")?,
            reason: row.try_get("reason")?,
            policy_revision: row.try_get("policy_revision")?,
            differences: json(row, "differences")?,
            aws_request_id: row.try_get("aws_request_id")?,
            detail: row.try_get("detail")?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_takes_wildcards_literally() {
        assert_eq!(containing(r"50%_\Ä"), r"%50\%\_\\ä%");
    }

    #[test]
    fn an_empty_filter_has_no_conditions() {
        let conditions = Conditions::of(&AuditFilter::default());
        assert!(conditions.sql().ends_with("FROM audit ORDER BY seq DESC LIMIT $1"), "{}", conditions.sql());
    }

    #[test]
    fn conditions_are_numbered_in_their_order() {
        let filter = AuditFilter {
            account: "111122223333".into(),
            action: Some(AuditAction::ChangeFailed),
            before_seq: Some(7),
            ..AuditFilter::default()
        };
        let conditions = Conditions::of(&filter);
        let expected =
            "FROM audit WHERE action = $1 AND account = $2 AND seq < $3 ORDER BY seq DESC LIMIT $4";
        assert!(conditions.sql().ends_with(expected), "{}", conditions.sql());
        let expected =
            [Value::Text("change-failed".into()), Value::Text("111122223333".into()), Value::Number(7)];
        assert_eq!(conditions.values, expected);
    }
}
