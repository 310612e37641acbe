//! What sessions and tokens have in common: both open something, are seen in use, and are taken back.

use jiff::Timestamp;

use crate::sql::clean;
use crate::{Store, StoreError};

impl Store {
    /// Records at `$1` that what has the id `$2` was used. `statement` never goes back: the clocks of two replicas differ.
    pub(crate) async fn touch(
        &self,
        statement: &'static str,
        id: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(statement).bind(now.as_millisecond()).bind(clean(id)).execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }

    /// Deletes what `statement` finds by `texts`, which are `$1` and so on, and answers how much that was.
    pub(crate) async fn take_back(&self, statement: &'static str, texts: &[&str]) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let query = texts.iter().fold(sqlx::query(statement), |query, text| query.bind(clean(text)));
        let deleted = query.execute(&mut *tx).await?.rows_affected();
        tx.commit().await?;
        Ok(deleted)
    }
}
