//! What is read of deliveries' sources: what each reader sees now, how it is, and which commits images were built from.

use std::collections::{BTreeMap, BTreeSet};

use domain::delivery::{
    CommitSha, EnvironmentName, Health, Place, ReaderState, ServiceName, Sighting, Source,
};
use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

use crate::event::insert_event;
use crate::fact::{DELIVERY_EVENT, DeliveryEvent};
use crate::lease::check_fence;
use crate::sql::{clean, json, optional_json, optional_timestamp, placeholders, to_json, unreadable};
use crate::{Lease, Store, StoreError};

/// How many values one statement is given at most.
const VALUES_PER_STATEMENT: usize = 2_000;

/// How the part of a place that one reader sees is, without what it sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenHere {
    pub reader: String,
    pub place: Place,
    /// `None` of what has no health, such as a tag in Git.
    pub health: Option<Health>,
}

/// A name of an image of a service: a tag or a digest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageName {
    pub service: ServiceName,
    pub name: String,
    pub commit: CommitSha,
}

impl Store {
    /// Keeps that a reader has read, and what it sees now in place of what it saw before; without sightings that stays as it was.
    /// `problem` is what it could not read while it read the rest. Answers the places of which something else is seen.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] where another process reads by now: what it sees is newer.
    pub async fn keep_reading(
        &self,
        reader: &str,
        source: Source,
        sightings: Option<&[Sighting]>,
        problem: Option<&str>,
        now: Timestamp,
        lease: &Lease,
    ) -> Result<BTreeSet<Place>, StoreError> {
        let mut tx = self.begin().await?;
        check_fence(&mut tx, Some(lease)).await?;
        let otherwise =
            put_reader(&mut tx, reader, source, Look { at: now, succeeded: true, problem }).await?;
        let moved = match sightings {
            Some(sightings) => replace(&mut tx, reader, sightings).await?,
            None => BTreeSet::new(),
        };
        if otherwise || !moved.is_empty() {
            tell(&mut tx, now, moved.iter().map(|place| place.service.clone()).collect()).await?;
        }
        tx.commit().await?;
        Ok(moved)
    }

    /// Keeps why a reader could not read. What it saw stays, and grows old.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] where another process reads by now.
    pub async fn keep_problem(
        &self,
        reader: &str,
        source: Source,
        problem: &str,
        now: Timestamp,
        lease: &Lease,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        check_fence(&mut tx, Some(lease)).await?;
        let look = Look { at: now, succeeded: false, problem: Some(problem) };
        if put_reader(&mut tx, reader, source, look).await? {
            tell(&mut tx, now, BTreeSet::new()).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Every reader that has read or tried to, by name.
    pub async fn readers(&self) -> Result<Vec<ReaderState>, StoreError> {
        let rows = sqlx::query(
            "SELECT name, source, last_success_at, problem, problem_at FROM delivery_readers ORDER BY name",
        )
        .fetch_all(self.reader())
        .await?;
        rows.iter().map(reader_state).collect()
    }

    /// Forgets a reader that is not configured any more, with what it saw: nobody will say when it is gone.
    /// Answers the places of which it saw something.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] where another process reads by now.
    pub async fn forget_reader(
        &self,
        reader: &str,
        now: Timestamp,
        lease: &Lease,
    ) -> Result<BTreeSet<Place>, StoreError> {
        let mut tx = self.begin().await?;
        check_fence(&mut tx, Some(lease)).await?;
        let moved = replace(&mut tx, reader, &[]).await?;
        sqlx::query("DELETE FROM delivery_readers WHERE name = $1")
            .bind(clean(reader))
            .execute(&mut *tx)
            .await?;
        tell(&mut tx, now, moved.iter().map(|place| place.service.clone()).collect()).await?;
        tx.commit().await?;
        Ok(moved)
    }

    /// What is seen of a service now, and what concerns several, each with its reader's name.
    pub async fn sightings(&self, service: &ServiceName) -> Result<Vec<(String, Sighting)>, StoreError> {
        let rows = sqlx::query(
            "SELECT reader, body FROM delivery_sightings WHERE service = $1 OR service IS NULL
             ORDER BY reader, subject",
        )
        .bind(service.as_str())
        .fetch_all(self.reader())
        .await?;
        rows.iter().map(|row| Ok((row.try_get("reader")?, json(row, "body")?))).collect()
    }

    /// What readers of one kind see now, of all places: those whose names begin with `prefix`.
    pub async fn sightings_by(&self, prefix: &str) -> Result<Vec<Sighting>, StoreError> {
        let rows = sqlx::query(
            "SELECT body FROM delivery_sightings WHERE substr(reader, 1, $1) = $2 AND service IS NOT NULL
             ORDER BY reader, subject",
        )
        .bind(i64::try_from(prefix.chars().count()).unwrap_or(i64::MAX))
        .bind(clean(prefix))
        .fetch_all(self.reader())
        .await?;
        rows.iter().map(|row| json(row, "body")).collect()
    }

    /// Who sees something of which place, and how it is.
    pub async fn seen_here(&self) -> Result<Vec<SeenHere>, StoreError> {
        let rows = sqlx::query(
            "SELECT reader, service, environment, health FROM delivery_sightings
             WHERE service IS NOT NULL AND environment IS NOT NULL",
        )
        .fetch_all(self.reader())
        .await?;
        rows.iter().map(seen_here).collect()
    }

    /// Remembers names of images.
    pub async fn name_images(&self, names: &BTreeSet<ImageName>) -> Result<(), StoreError> {
        if names.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        // In the set's order, so that two who write the same names never wait for each other.
        for ImageName { service, name, commit } in names {
            sqlx::query(
                "INSERT INTO delivery_image_names (service, name, commit_sha) VALUES ($1, $2, $3)
                 ON CONFLICT (service, name) DO UPDATE SET commit_sha = excluded.commit_sha",
            )
            .bind(service.as_str())
            .bind(clean(name))
            .bind(commit.as_str())
            .execute(&mut *tx)
            .await?;
        }
        Ok(tx.commit().await?)
    }

    /// The commits of those of the names, tags or digests, that are known: as the registry or a repository said, or else as was told
    /// with an image's fact.
    pub async fn commits_of_images(
        &self,
        service: &ServiceName,
        names: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, CommitSha>, StoreError> {
        let mut found = BTreeMap::new();
        let names: Vec<&String> = names.iter().collect();
        for names in names.chunks(VALUES_PER_STATEMENT) {
            let list = placeholders(1, names.len());
            let last = names.len() + 1;
            // What was named is taken last, so that it is what stays.
            for sql in [
                format!(
                    "SELECT tag AS name, commit_sha FROM delivery_changes WHERE tag IN {list} AND service = ${last} ORDER BY fact_seq"
                ),
                format!(
                    "SELECT digest AS name, commit_sha FROM delivery_changes WHERE digest IN {list} AND service = ${last} ORDER BY fact_seq"
                ),
                format!(
                    "SELECT name, commit_sha FROM delivery_image_names WHERE name IN {list} AND service = ${last}"
                ),
            ] {
                let query = names
                    .iter()
                    .fold(sqlx::query(AssertSqlSafe(sql)), |query, name| query.bind(name.as_str()));
                for row in query.bind(service.as_str()).fetch_all(self.reader()).await? {
                    let commit: &str = row.try_get("commit_sha")?;
                    let commit = CommitSha::parse(commit).map_err(|error| unreadable("commit_sha", error))?;
                    found.insert(row.try_get("name")?, commit);
                }
            }
        }
        Ok(found)
    }
}

/// What came of reading.
struct Look<'a> {
    at: Timestamp,
    succeeded: bool,
    problem: Option<&'a str>,
}

/// Writes down how a reader is, and tells whether it is otherwise than before.
async fn put_reader(
    tx: &mut AnyConnection,
    reader: &str,
    source: Source,
    look: Look<'_>,
) -> Result<bool, StoreError> {
    let Look { at, succeeded, problem } = look;
    let before: Option<AnyRow> = sqlx::query("SELECT problem FROM delivery_readers WHERE name = $1")
        .bind(clean(reader))
        .fetch_optional(&mut *tx)
        .await?;
    let before: Option<Option<String>> = before.map(|row| row.try_get("problem")).transpose()?;
    let success = succeeded.then(|| at.as_millisecond());
    sqlx::query(
        "INSERT INTO delivery_readers (name, source, last_success_at, problem, problem_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (name) DO UPDATE SET
            source = excluded.source,
            last_success_at = COALESCE(excluded.last_success_at, delivery_readers.last_success_at),
            problem = excluded.problem,
            problem_at = CASE WHEN excluded.problem IS NULL THEN NULL
                              ELSE COALESCE(delivery_readers.problem_at, excluded.problem_at) END",
    )
    .bind(clean(reader))
    .bind(source.as_str())
    .bind(success)
    .bind(problem.map(clean))
    .bind(problem.map(|_| at.as_millisecond()))
    .execute(tx)
    .await?;
    Ok(before != Some(problem.map(clean)))
}

/// A sighting as it is kept.
struct Kept {
    place: Option<Place>,
    body: String,
}

/// Puts what is seen in the place of what was, and answers the places where that is news.
async fn replace(
    tx: &mut AnyConnection,
    reader: &str,
    sightings: &[Sighting],
) -> Result<BTreeSet<Place>, StoreError> {
    let rows =
        sqlx::query("SELECT subject, service, environment, body FROM delivery_sightings WHERE reader = $1")
            .bind(clean(reader))
            .fetch_all(&mut *tx)
            .await?;
    let mut before: BTreeMap<String, Kept> = BTreeMap::new();
    for row in &rows {
        let (service, environment): (Option<&str>, Option<&str>) =
            (row.try_get("service")?, row.try_get("environment")?);
        let place = service.zip(environment).map(place).transpose()?;
        before.insert(row.try_get("subject")?, Kept { place, body: row.try_get("body")? });
    }
    let mut moved = BTreeSet::new();
    for sighting in sightings {
        let body = clean(&to_json("what is seen", sighting)?);
        let known = before.remove(&clean(&sighting.subject));
        // Most are as they were, which is seen without reading them.
        if known.as_ref().is_some_and(|known| known.body == body) {
            continue;
        }
        // One that another version kept, and that cannot be read, was something else.
        let read = known.as_ref().and_then(|known| serde_json::from_str::<Sighting>(&known.body).ok());
        if read.is_none_or(|known| sighting.is_news_after(&known)) {
            moved.extend(sighting.place.clone());
            moved.extend(known.and_then(|known| known.place));
        }
        put(tx, reader, sighting, body).await?;
    }
    for (subject, gone) in before {
        moved.extend(gone.place);
        sqlx::query("DELETE FROM delivery_sightings WHERE reader = $1 AND subject = $2")
            .bind(clean(reader))
            .bind(subject)
            .execute(&mut *tx)
            .await?;
    }
    Ok(moved)
}

async fn put(
    tx: &mut AnyConnection,
    reader: &str,
    sighting: &Sighting,
    body: String,
) -> Result<(), StoreError> {
    let health = sighting.seen.health().map(|health| to_json("a health", &health)).transpose()?;
    sqlx::query(
        "INSERT INTO delivery_sightings (reader, subject, service, environment, health, body)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (reader, subject) DO UPDATE SET
            service = excluded.service, environment = excluded.environment,
            health = excluded.health, body = excluded.body",
    )
    .bind(clean(reader))
    .bind(clean(&sighting.subject))
    .bind(sighting.place.as_ref().map(|place| place.service.as_str().to_owned()))
    .bind(sighting.place.as_ref().map(|place| place.environment.as_str().to_owned()))
    .bind(health)
    .bind(body)
    .execute(tx)
    .await?;
    Ok(())
}

async fn tell(
    tx: &mut AnyConnection,
    now: Timestamp,
    services: BTreeSet<ServiceName>,
) -> Result<(), StoreError> {
    let event = to_json("an event", &DeliveryEvent { services })?;
    insert_event(tx, now, DELIVERY_EVENT, &event).await?;
    Ok(())
}

fn reader_state(row: &AnyRow) -> Result<ReaderState, StoreError> {
    let source: &str = row.try_get("source")?;
    let problem: Option<String> = row.try_get("problem")?;
    Ok(ReaderState {
        name: row.try_get("name")?,
        source: Source::parse(source).ok_or_else(|| unreadable("source", "there is no such source"))?,
        last_success: optional_timestamp(row, "last_success_at")?,
        problem: optional_timestamp(row, "problem_at")?.zip(problem),
    })
}

fn seen_here(row: &AnyRow) -> Result<SeenHere, StoreError> {
    Ok(SeenHere {
        reader: row.try_get("reader")?,
        place: place((row.try_get("service")?, row.try_get("environment")?))?,
        health: optional_json(row, "health")?,
    })
}

fn place((service, environment): (&str, &str)) -> Result<Place, StoreError> {
    Ok(Place {
        service: ServiceName::parse(service).map_err(|error| unreadable("service", error))?,
        environment: EnvironmentName::parse(environment).map_err(|error| unreadable("environment", error))?,
    })
}
