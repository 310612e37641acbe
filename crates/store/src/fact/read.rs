//! What is asked of facts and of what follows from them.

use domain::delivery::{ChangeState, ChangeSummary, CommitSha, Fact, Search, ServiceName, Standing};
use sqlx::AssertSqlSafe;

use super::{beginning, fact_from, summaries};
use crate::sql::{clean, json};
use crate::{Store, StoreError};

impl Store {
    /// Where each service stands, by name.
    pub async fn standings(&self) -> Result<Vec<Standing>, StoreError> {
        let rows = sqlx::query("SELECT standing FROM delivery_standings ORDER BY service")
            .fetch_all(self.reader())
            .await?;
        rows.iter().map(|row| json(row, "standing")).collect()
    }

    /// Where one service stands; `None` where nothing was told of it.
    pub async fn standing(&self, service: &ServiceName) -> Result<Option<Standing>, StoreError> {
        let row = sqlx::query("SELECT standing FROM delivery_standings WHERE service = $1")
            .bind(service.as_str())
            .fetch_optional(self.reader())
            .await?;
        row.as_ref().map(|row| json(row, "standing")).transpose()
    }

    /// What is known of a change; `None` where nothing is.
    pub async fn change_state(
        &self,
        service: &ServiceName,
        commit: &CommitSha,
    ) -> Result<Option<ChangeState>, StoreError> {
        let row = sqlx::query("SELECT state FROM delivery_changes WHERE service = $1 AND commit_sha = $2")
            .bind(service.as_str())
            .bind(commit.as_str())
            .fetch_optional(self.reader())
            .await?;
        row.as_ref().map(|row| json(row, "state")).transpose()
    }

    /// The facts of a change, in the order in which they were told.
    pub async fn facts_of(&self, service: &ServiceName, commit: &CommitSha) -> Result<Vec<Fact>, StoreError> {
        let rows = sqlx::query(
            "SELECT commit_sha, body FROM facts WHERE service = $1 AND commit_sha = $2 ORDER BY seq",
        )
        .bind(service.as_str())
        .bind(commit.as_str())
        .fetch_all(self.reader())
        .await?;
        rows.iter().map(fact_from).collect()
    }

    /// The changes of which something new was told last, of one service or of all, latest first.
    pub async fn recent_changes(
        &self,
        service: Option<&ServiceName>,
        limit: u32,
    ) -> Result<Vec<ChangeSummary>, StoreError> {
        let rows = match service {
            Some(service) => {
                // By the time of the commit: what is told late of an old one does not make it new.
                sqlx::query(
                    "SELECT summary FROM delivery_changes WHERE service = $1
                     ORDER BY committed_at IS NULL DESC, committed_at DESC, commit_sha DESC LIMIT $2",
                )
                .bind(service.as_str())
                .bind(i64::from(limit))
                .fetch_all(self.reader())
                .await?
            }
            None => {
                sqlx::query("SELECT summary FROM delivery_changes ORDER BY fact_seq DESC LIMIT $1")
                    .bind(i64::from(limit))
                    .fetch_all(self.reader())
                    .await?
            }
        };
        rows.iter().map(|row| json(row, "summary")).collect()
    }

    /// The changes that a search means, newest first.
    pub async fn search_changes(
        &self,
        search: &Search,
        limit: u32,
    ) -> Result<Vec<ChangeSummary>, StoreError> {
        let text_of = "LOWER(summary) LIKE $1 ESCAPE '\\'";
        let (condition, value) = match search {
            Search::PullRequest(number) => ("pull_request = CAST($1 AS BIGINT)", number.to_string()),
            Search::Digest(prefix) => ("digest LIKE $1 ESCAPE '\\'", pattern("", prefix)),
            // No digit comes after `f`.
            Search::Commit(digits) => ("commit_sha >= $1 AND commit_sha < $1 || 'g'", digits.clone()),
            Search::Text(text) => (text_of, pattern("%", text)),
        };
        let found = self.summaries_that(condition, &value, search, limit).await?;
        match search {
            // What may be the digits of a commit may be a word or a tag as well.
            Search::Commit(text) if found.is_empty() => {
                self.summaries_that(text_of, &pattern("%", text), search, limit).await
            }
            _ => Ok(found),
        }
    }

    async fn summaries_that(
        &self,
        condition: &str,
        value: &str,
        search: &Search,
        limit: u32,
    ) -> Result<Vec<ChangeSummary>, StoreError> {
        let sql = format!(
            "SELECT summary FROM delivery_changes WHERE {condition} ORDER BY committed_at DESC, commit_sha LIMIT $2"
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(clean(value))
            // A row may hold the text where it is not looked for.
            .bind(i64::from(limit) * 4)
            .fetch_all(self.reader())
            .await?;
        let found: Vec<ChangeSummary> =
            rows.iter().map(|row| json(row, "summary")).collect::<Result<_, _>>()?;
        Ok(found.into_iter().filter(|change| search.matches(change)).take(limit as usize).collect())
    }

    /// The commits of a service that begin with these digits; of very many, some.
    pub async fn commits_that_begin(
        &self,
        service: &ServiceName,
        digits: &CommitSha,
    ) -> Result<Vec<CommitSha>, StoreError> {
        let mut connection = self.reader().acquire().await?;
        beginning(&mut connection, service, digits).await
    }

    /// All changes of a service in short, in no order.
    pub async fn change_summaries(&self, service: &ServiceName) -> Result<Vec<ChangeSummary>, StoreError> {
        let mut connection = self.reader().acquire().await?;
        summaries(&mut connection, service).await
    }
}

/// What `LIKE` finds a text by, with what stands before it; what follows does not matter.
fn pattern(before: &str, text: &str) -> String {
    let mut pattern = String::from(before);
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}
