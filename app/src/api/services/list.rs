//! Answers the fleet list from the view, and keeps the last answers: a page that scrolls asks for many windows of one query.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use domain::instance::SourceKey;
use domain::list::Sort;
use domain::query::Query;
use domain::wire::{ListPage, MAX_IDS, MAX_LIST_LIMIT};
use jiff::Timestamp;

use super::{Seen, Services};
use crate::api::ApiError;

/// How many results are kept. One of 100,000 instances is 400 KB.
const KEPT: usize = 64;

/// The positions that matched recent queries, for one revision of the view.
#[derive(Debug, Default)]
pub struct ListCache(Mutex<VecDeque<Kept>>);

#[derive(Debug)]
struct Kept {
    revision: i64,
    /// The sources that the view holds; `None` for all.
    only: Option<Arc<[SourceKey]>>,
    query: String,
    sort: Sort,
    matches: Arc<Vec<u32>>,
}

impl ListCache {
    fn get(&self, seen: &Seen, query: &str, sort: Sort) -> Option<Arc<Vec<u32>>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().find(|one| {
            one.revision == seen.view.revision
                && one.sort == sort
                && one.query == query
                && one.only == seen.only
        })?;
        Some(found.matches.clone())
    }

    fn put(&self, entry: Kept) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Results of an older view would hold memory for nothing.
        kept.retain(|one| one.revision == entry.revision);
        kept.truncate(KEPT - 1);
        kept.push_front(entry);
    }
}

impl Services {
    /// A window of the instances that match.
    pub(in crate::api) async fn list(
        &self,
        q: &str,
        sort: &str,
        offset: u32,
        limit: u32,
    ) -> Result<ListPage, ApiError> {
        if !(1..=MAX_LIST_LIMIT).contains(&limit) {
            return Err(ApiError::BadRequest {
                message: format!("A window has 1 to {MAX_LIST_LIMIT} rows."),
            });
        }
        let seen = self.seen().await?;
        let view = &seen.view;
        let matches = self.select(&seen, q, sort)?;
        let rows = view.index.rows();
        let window = matches.iter().skip(offset as usize).take(limit as usize);
        Ok(ListPage {
            total: view.index.len(),
            matched: matches.len() as u32,
            offset,
            rows: window.map(|position| fleet::list_row(&rows[*position as usize])).collect(),
            revision: view.revision,
            as_of: view.as_of,
        })
    }

    /// The ids of all that match. One answer from one view: windows that are asked for one after the other are of different moments
    /// in a fleet that is read all the time, and of different replicas.
    pub(in crate::api) async fn ids(&self, q: &str, sort: &str) -> Result<Vec<String>, ApiError> {
        let seen = self.seen().await?;
        let matches = self.select(&seen, q, sort)?;
        if matches.len() > MAX_IDS as usize {
            return Err(ApiError::BadRequest {
                message: format!("More than {MAX_IDS} instances match: export them instead."),
            });
        }
        let rows = seen.view.index.rows();
        let id = |position: &u32| rows[*position as usize].instance.key.instance_id.to_string();
        Ok(matches.iter().map(id).collect())
    }

    /// The positions of all that match, in order.
    pub fn select(&self, seen: &Seen, q: &str, sort: &str) -> Result<Arc<Vec<u32>>, ApiError> {
        let query = Query::parse(q).map_err(|error| ApiError::BadQuery {
            start: error.start,
            end: error.end,
            suggestion: error.suggestion.clone(),
            message: error.message,
        })?;
        let sort = if sort.is_empty() { Ok(Sort::default()) } else { Sort::parse(sort) };
        let sort = sort.map_err(|message| ApiError::BadRequest { message })?;
        if let Some(matches) = self.lists.get(seen, q, sort) {
            return Ok(matches);
        }
        let matches = Arc::new(seen.view.index.select(&query, sort, Timestamp::now()));
        self.lists.put(Kept {
            revision: seen.view.revision,
            only: seen.only.clone(),
            query: q.to_owned(),
            sort,
            matches: matches.clone(),
        });
        Ok(matches)
    }
}
