//! GitOps operations as rows, with what people decided about them, never separated from their audit entries.

use domain::audit::NewAuditEntry;
use domain::gitops::{Approval, Closing, Operation, OperationId, OperationStatus, Person};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

use crate::audit::insert_audit;
use crate::event::insert_event;
use crate::lease::check_fence;
use crate::sql::{clean, json, placeholders, timestamp, to_json};
use crate::{Lease, Store, StoreError};

/// The kind of the event that each step of an operation appends; its payload is a [`GitopsEvent`].
pub const GITOPS_EVENT: &str = "gitops";

/// What an event says about an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitopsEvent {
    pub id: OperationId,
    pub status: OperationStatus,
}

/// What somebody decided about an operation, having seen one plan of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub operation: OperationId,
    pub kind: DecisionKind,
    pub by: Person,
    pub at: Timestamp,
    pub fingerprint: String,
    pub policy_revision: String,
    pub reason: String,
}

/// What can be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecisionKind {
    Approve,
    Merge,
    Close,
}

impl DecisionKind {
    const ALL: [DecisionKind; 3] = [DecisionKind::Approve, DecisionKind::Merge, DecisionKind::Close];

    fn as_str(self) -> &'static str {
        match self {
            DecisionKind::Approve => "approve",
            DecisionKind::Merge => "merge",
            DecisionKind::Close => "close",
        }
    }
}

impl Store {
    /// Stores a new operation with its audit entry and event. One of the same name that is there already stays as it is, and the
    /// answer is `false`.
    pub async fn request_operation(
        &self,
        operation: &Operation,
        audit: &NewAuditEntry,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let inserted = sqlx::query(
            "INSERT INTO gitops_operations (id, kind, repository, branch, status, is_pending, requested_at, body)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING",
        )
        .bind(operation.id.as_str())
        .bind(operation.ask.kind().as_str())
        .bind(clean(&operation.plan.repository))
        .bind(clean(&operation.plan.branch))
        .bind(operation.status.as_str())
        .bind(i64::from(operation.is_pending()))
        .bind(operation.at.as_millisecond())
        .bind(body(operation)?)
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if inserted == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        append_trail(&mut tx, operation, operation.at, Some(audit)).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Writes how far an operation has come, with its event and, where one is given, its audit entry. What was decided meanwhile
    /// stays.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] where another process works on its branch by now.
    pub async fn update_operation(
        &self,
        operation: &Operation,
        now: Timestamp,
        lease: &Lease,
        audit: Option<&NewAuditEntry>,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        check_fence(&mut tx, Some(lease)).await?;
        let updated =
            sqlx::query("UPDATE gitops_operations SET status = $1, is_pending = $2, body = $3 WHERE id = $4")
                .bind(operation.status.as_str())
                .bind(i64::from(operation.is_pending()))
                .bind(body(operation)?)
                .bind(operation.id.as_str())
                .execute(&mut *tx)
                .await?
                .rows_affected();
        if updated == 0 {
            tx.rollback().await?;
            return Err(not_found(&operation.id));
        }
        append_trail(&mut tx, operation, now, audit).await?;
        Ok(tx.commit().await?)
    }

    /// Keeps a decision with its audit entry. The same one once more is kept once, and the answer is `false`.
    pub async fn decide_operation(
        &self,
        decision: &Decision,
        audit: &NewAuditEntry,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let operation =
            one(&mut tx, &decision.operation).await?.ok_or_else(|| not_found(&decision.operation))?;
        let inserted = sqlx::query(
            "INSERT INTO gitops_decisions (operation, kind, decided_by, decided_by_name, fingerprint, at,
                policy_revision, reason)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (operation, kind, decided_by, fingerprint) DO NOTHING",
        )
        .bind(decision.operation.as_str())
        .bind(decision.kind.as_str())
        .bind(clean(&decision.by.id))
        .bind(clean(&decision.by.name))
        .bind(clean(&decision.fingerprint))
        .bind(decision.at.as_millisecond())
        .bind(clean(&decision.policy_revision))
        .bind(clean(&decision.reason))
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if inserted == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        append_trail(&mut tx, &operation, decision.at, Some(audit)).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// An operation with what was decided about it.
    pub async fn operation(&self, id: &OperationId) -> Result<Option<Operation>, StoreError> {
        let rows = sqlx::query("SELECT body FROM gitops_operations WHERE id = $1")
            .bind(id.as_str())
            .fetch_all(self.reader())
            .await?;
        Ok(self.decided(&rows).await?.pop())
    }

    /// The latest operations, newest first.
    pub async fn operations(&self, limit: u32) -> Result<Vec<Operation>, StoreError> {
        let rows =
            sqlx::query("SELECT body FROM gitops_operations ORDER BY requested_at DESC, id DESC LIMIT $1")
                .bind(i64::from(limit))
                .fetch_all(self.reader())
                .await?;
        self.decided(&rows).await
    }

    /// Those that something is to be done about, oldest first.
    pub async fn pending_operations(&self) -> Result<Vec<Operation>, StoreError> {
        let rows =
            sqlx::query("SELECT body FROM gitops_operations WHERE is_pending = 1 ORDER BY requested_at, id")
                .fetch_all(self.reader())
                .await?;
        self.decided(&rows).await
    }

    /// Those that are on their branch and begin or end a hold. Decisions about them are left out: nothing depends on them any more.
    pub async fn holding_operations(&self) -> Result<Vec<Operation>, StoreError> {
        let rows = sqlx::query(
            "SELECT body FROM gitops_operations
             WHERE kind IN ('freeze', 'resume', 'revert') AND status IN ('merged', 'effective', 'not-effective')
             ORDER BY requested_at, id",
        )
        .fetch_all(self.reader())
        .await?;
        rows.iter().map(|row| json(row, "body")).collect()
    }

    /// The operations of the rows, each with what was decided about it.
    async fn decided(&self, rows: &[AnyRow]) -> Result<Vec<Operation>, StoreError> {
        let mut operations: Vec<Operation> =
            rows.iter().map(|row| json(row, "body")).collect::<Result<_, StoreError>>()?;
        for some in operations.chunks_mut(AT_ONCE) {
            // The text is made of numbers alone.
            let sql = format!(
                "SELECT operation, kind, decided_by, decided_by_name, fingerprint, at, policy_revision, reason
                 FROM gitops_decisions WHERE operation IN {} ORDER BY at, decided_by",
                placeholders(1, some.len())
            );
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for operation in some.iter() {
                query = query.bind(operation.id.as_str().to_owned());
            }
            for row in &query.fetch_all(self.reader()).await? {
                let id: String = row.try_get("operation")?;
                if let Some(operation) = some.iter_mut().find(|operation| operation.id.as_str() == id) {
                    take(operation, row)?;
                }
            }
        }
        Ok(operations)
    }
}

/// Of how many operations the decisions are read at once.
const AT_ONCE: usize = 500;

/// Takes a decision into its operation.
fn take(operation: &mut Operation, row: &AnyRow) -> Result<(), StoreError> {
    let kind: String = row.try_get("kind")?;
    let by = Person { id: row.try_get("decided_by")?, name: row.try_get("decided_by_name")? };
    let fingerprint: String = row.try_get("fingerprint")?;
    let kind = DecisionKind::ALL.into_iter().find(|known| known.as_str() == kind);
    match kind {
        Some(DecisionKind::Approve) => operation.given.push(Approval {
            by,
            at: timestamp(row, "at")?,
            fingerprint,
            policy_revision: row.try_get("policy_revision")?,
        }),
        Some(DecisionKind::Merge) => operation.wanted.push(fingerprint),
        Some(DecisionKind::Close) => {
            operation.closing.get_or_insert(Closing { by, reason: row.try_get("reason")? });
        }
        // Of a newer version.
        None => {}
    }
    Ok(())
}

/// The operation without what was decided about it, which has rows of its own.
fn body(operation: &Operation) -> Result<String, StoreError> {
    let bare = Operation { given: Vec::new(), wanted: Vec::new(), closing: None, ..operation.clone() };
    to_json("an operation", &bare)
}

async fn one(tx: &mut AnyConnection, id: &OperationId) -> Result<Option<Operation>, StoreError> {
    let row = sqlx::query("SELECT body FROM gitops_operations WHERE id = $1")
        .bind(id.as_str())
        .fetch_optional(tx)
        .await?;
    row.as_ref().map(|row| json(row, "body")).transpose()
}

/// The audit entry and the event of a step, within the transaction that makes it.
async fn append_trail(
    tx: &mut AnyConnection,
    operation: &Operation,
    at: Timestamp,
    audit: Option<&NewAuditEntry>,
) -> Result<(), StoreError> {
    if let Some(audit) = audit {
        insert_audit(&mut *tx, audit, None).await?;
    }
    let event = GitopsEvent { id: operation.id.clone(), status: operation.status };
    insert_event(tx, at, GITOPS_EVENT, &to_json("an event", &event)?).await?;
    Ok(())
}

fn not_found(id: &OperationId) -> StoreError {
    StoreError::NotFound { what: format!("operation {id}") }
}
