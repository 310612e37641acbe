//! Facts about changes on their way, and the projections that follow from them in the same transaction: the state of each change,
//! and where each service stands.

mod prune;
mod read;

use std::collections::{BTreeMap, BTreeSet};

use domain::delivery::{ChangeState, ChangeSummary, CommitSha, Fact, ServiceName, Standing};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

use crate::event::insert_event;
use crate::sql::{Counter, clean, json, placeholders, to_json, unreadable};
use crate::{Store, StoreError};

/// The kind of the event that tells of changes on their way; its payload is a [`DeliveryEvent`].
pub const DELIVERY_EVENT: &str = "delivery";

/// How many rows one statement inserts: both databases take some tens of thousands of values at once.
const ROWS_PER_STATEMENT: usize = 500;

/// The shortest commit that is taken for one, in digits.
const SHORTEST_COMMIT: usize = 7;

/// What an event says: the services of which something new was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryEvent {
    pub services: BTreeSet<ServiceName>,
}

/// What came of facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// How many were not known before.
    pub new: u64,
    /// The changes of which they told something new.
    pub moved: BTreeSet<(ServiceName, CommitSha)>,
}

impl Store {
    /// Adds facts that were [checked](Fact::check), and brings up to date what follows from them. One that is known already, by its
    /// source and id, changes nothing. Whoever is told that this is done will find all of it.
    pub async fn record_facts(&self, facts: &[Fact], now: Timestamp) -> Result<Recorded, StoreError> {
        if facts.is_empty() {
            return Ok(Recorded::default());
        }
        let mut tx = self.begin().await?;
        // From here on others who record wait, so that each builds on the other's projections.
        let last = Counter::Fact.take(&mut tx, facts.len() as i64).await?;
        let first = last - facts.len() as i64 + 1;
        let mut facts: Vec<(i64, Fact)> = (first..).zip(facts.iter().cloned()).collect();
        for (_, fact) in &mut facts {
            complete_commit(&mut tx, fact).await?;
        }
        let mut recorded = Recorded::default();
        let mut by_change: BTreeMap<(ServiceName, CommitSha), Vec<(i64, Fact)>> = BTreeMap::new();
        for rows in facts.chunks(ROWS_PER_STATEMENT) {
            let inserted = insert(&mut tx, rows).await?;
            recorded.new += inserted.len() as u64;
            for (seq, fact) in rows.iter().filter(|(seq, _)| inserted.contains(seq)) {
                let change = (fact.service.clone(), fact.commit.clone());
                by_change.entry(change).or_default().push((*seq, fact.clone()));
            }
        }
        for ((service, commit), facts) in by_change {
            if absorb(&mut tx, &service, &commit, facts).await? {
                recorded.moved.insert((service, commit));
            }
        }
        let services: BTreeSet<ServiceName> =
            recorded.moved.iter().map(|(service, _)| service.clone()).collect();
        for service in &services {
            put_standing(&mut tx, service).await?;
        }
        if !services.is_empty() {
            let event = to_json("an event", &DeliveryEvent { services })?;
            insert_event(&mut tx, now, DELIVERY_EVENT, &event).await?;
        }
        tx.commit().await?;
        Ok(recorded)
    }
}

/// Gives a commit that was named by its first digits in full, where exactly one known commit of the service begins with them.
async fn complete_commit(tx: &mut AnyConnection, fact: &mut Fact) -> Result<(), StoreError> {
    if fact.commit.is_full() {
        return Ok(());
    }
    let known = beginning(tx, &fact.service, &fact.commit).await?;
    if let Some(full) = fact.commit.resolve(known.iter().filter(|commit| commit.is_full())) {
        fact.commit = full.clone();
    }
    Ok(())
}

/// The commits of a service that begin with these digits: a hundred of them, more than which nobody means one of.
async fn beginning(
    connection: &mut AnyConnection,
    service: &ServiceName,
    digits: &CommitSha,
) -> Result<Vec<CommitSha>, StoreError> {
    let rows = sqlx::query(
        "SELECT commit_sha FROM delivery_changes WHERE service = $1 AND commit_sha >= $2 AND commit_sha < $3
         ORDER BY commit_sha LIMIT 100",
    )
    .bind(service.as_str())
    .bind(digits.as_str())
    // Greater than every commit that begins with these digits: no digit comes after `f`.
    .bind(format!("{digits}g"))
    .fetch_all(connection)
    .await?;
    rows.iter().map(commit).collect()
}

/// Inserts facts, and answers the numbers of those that were not known.
async fn insert(tx: &mut AnyConnection, rows: &[(i64, Fact)]) -> Result<BTreeSet<i64>, StoreError> {
    let sql = format!(
        "INSERT INTO facts (seq, source, source_id, service, commit_sha, observed_at, body) VALUES {}
         ON CONFLICT (source, source_id) DO NOTHING RETURNING seq",
        placeholders(rows.len(), 7)
    );
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for (seq, fact) in rows {
        query = query
            .bind(*seq)
            .bind(fact.source.as_str())
            .bind(clean(&fact.source_id))
            .bind(fact.service.as_str())
            .bind(fact.commit.as_str())
            .bind(fact.observed.as_millisecond())
            .bind(clean(&to_json("a fact", fact)?));
    }
    let inserted = query.fetch_all(tx).await?;
    inserted.iter().map(|row| Ok(row.try_get("seq")?)).collect()
}

/// Takes new facts of one change into its state, and tells whether they said anything new.
async fn absorb(
    tx: &mut AnyConnection,
    service: &ServiceName,
    commit: &CommitSha,
    mut facts: Vec<(i64, Fact)>,
) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT state FROM delivery_changes WHERE service = $1 AND commit_sha = $2")
        .bind(service.as_str())
        .bind(commit.as_str())
        .fetch_optional(&mut *tx)
        .await?;
    let known: Option<ChangeState> = row.as_ref().map(|row| json(row, "state")).transpose()?;
    if known.is_none() && commit.is_full() {
        facts.extend(adopt(tx, service, commit).await?);
    }
    let mut state = known.unwrap_or_else(|| ChangeState::new(service.clone(), commit.clone()));
    let mut changed = false;
    for (_, fact) in &facts {
        changed |= state.absorb(fact);
    }
    if changed {
        let seq = facts.iter().map(|(seq, _)| *seq).max().unwrap_or_default();
        let told_at = facts.iter().map(|(_, fact)| fact.observed).max().unwrap_or_default();
        put_change(tx, &state, seq, told_at).await?;
    }
    Ok(changed)
}

/// Hands what was told of a commit by its first digits to the commit in full, now that that is known, and answers those facts.
async fn adopt(
    tx: &mut AnyConnection,
    service: &ServiceName,
    commit: &CommitSha,
) -> Result<Vec<(i64, Fact)>, StoreError> {
    let mut adopted = Vec::new();
    let full = commit.as_str();
    let prefixes: Vec<&str> = (SHORTEST_COMMIT..full.len()).map(|digits| &full[..digits]).collect();
    let sql = format!(
        "SELECT commit_sha FROM delivery_changes WHERE commit_sha IN {} AND service = ${}",
        placeholders(1, prefixes.len()),
        prefixes.len() + 1
    );
    let query =
        prefixes.into_iter().fold(sqlx::query(AssertSqlSafe(sql)), |query, prefix| query.bind(prefix));
    let query = query.bind(service.as_str());
    for row in query.fetch_all(&mut *tx).await? {
        let short: &str = row.try_get("commit_sha")?;
        let rows = sqlx::query(
            "UPDATE facts SET commit_sha = $1 WHERE service = $2 AND commit_sha = $3 RETURNING seq, commit_sha, body",
        )
        .bind(full)
        .bind(service.as_str())
        .bind(short)
        .fetch_all(&mut *tx)
        .await?;
        for row in &rows {
            adopted.push((row.try_get("seq")?, fact_from(row)?));
        }
        sqlx::query("DELETE FROM delivery_changes WHERE service = $1 AND commit_sha = $2")
            .bind(service.as_str())
            .bind(short)
            .execute(&mut *tx)
            .await?;
    }
    Ok(adopted)
}

async fn put_change(
    tx: &mut AnyConnection,
    state: &ChangeState,
    seq: i64,
    told_at: Timestamp,
) -> Result<(), StoreError> {
    let summary = ChangeSummary::of(state);
    sqlx::query(
        "INSERT INTO delivery_changes
            (service, commit_sha, committed_at, author, pull_request, tag, digest, fact_seq, told_at, state, summary)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         ON CONFLICT (service, commit_sha) DO UPDATE SET
            committed_at = excluded.committed_at, author = excluded.author, pull_request = excluded.pull_request,
            tag = excluded.tag, digest = excluded.digest, fact_seq = excluded.fact_seq,
            told_at = CASE WHEN excluded.told_at > delivery_changes.told_at THEN excluded.told_at
                           ELSE delivery_changes.told_at END,
            state = excluded.state, summary = excluded.summary",
    )
    .bind(state.service().as_str())
    .bind(state.commit().as_str())
    .bind(summary.committed.map(Timestamp::as_millisecond))
    .bind(summary.author.as_deref().map(clean))
    .bind(summary.pull_request.map(i64::from))
    .bind(summary.tag.as_deref().map(clean))
    .bind(summary.digest.as_deref().map(clean))
    .bind(seq)
    .bind(told_at.as_millisecond())
    .bind(clean(&to_json("the state of a change", state)?))
    .bind(clean(&to_json("a change in short", &summary)?))
    .execute(tx)
    .await?;
    Ok(())
}

async fn put_standing(tx: &mut AnyConnection, service: &ServiceName) -> Result<(), StoreError> {
    let changes = summaries(&mut *tx, service).await?;
    let standing = Standing::of(service, &changes);
    sqlx::query(
        "INSERT INTO delivery_standings (service, standing) VALUES ($1, $2)
         ON CONFLICT (service) DO UPDATE SET standing = excluded.standing",
    )
    .bind(service.as_str())
    .bind(clean(&to_json("where a service stands", &standing)?))
    .execute(tx)
    .await?;
    Ok(())
}

async fn summaries(
    connection: &mut AnyConnection,
    service: &ServiceName,
) -> Result<Vec<ChangeSummary>, StoreError> {
    let rows = sqlx::query("SELECT summary FROM delivery_changes WHERE service = $1")
        .bind(service.as_str())
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| json(row, "summary")).collect()
}

fn commit(row: &AnyRow) -> Result<CommitSha, StoreError> {
    let text: &str = row.try_get("commit_sha")?;
    CommitSha::parse(text).map_err(|error| unreadable("commit_sha", error))
}

/// A fact as it was told, with its commit as it is known by now.
fn fact_from(row: &AnyRow) -> Result<Fact, StoreError> {
    let mut fact: Fact = json(row, "body")?;
    fact.commit = commit(row)?;
    Ok(fact)
}
