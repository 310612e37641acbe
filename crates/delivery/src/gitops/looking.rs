//! What is looked at before a tag comes somewhere: the environments, the registry, the bundle, the calendar, the policy.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use domain::delivery::{Cell, ImageState, Place, ServiceName, Stage, Status};
use domain::gitops::{Ask, Brought, Found, PromotionSource, Verdict, brought};
use jiff::Timestamp;

use super::operations::{Gitops, GitopsError};
use crate::ClusterArn;
use crate::images::commit_in_tag;

/// What else is asked before a tag comes somewhere.
#[async_trait]
pub trait Surroundings: Send + Sync {
    /// The image of a tag in its registry, with its digest; `None` where it is not there, and `Err` with the reason where no registry
    /// tells.
    async fn image(&self, service: &ServiceName, tag: &str) -> Result<Option<(ImageState, String)>, String>;

    /// What the policy says of a promotion to a place whose pods run on the nodes of a cluster.
    async fn policy(
        &self,
        place: &Place,
        tag: &str,
        cluster: &ClusterArn,
        now: Timestamp,
    ) -> (Verdict, String);

    /// Under which policy that was said.
    fn policy_revision(&self) -> String;
}

impl Gitops {
    pub(super) async fn cells(&self, now: Timestamp) -> Result<BTreeMap<Place, Cell>, GitopsError> {
        let rows = self.delivery.matrix(now).await?;
        let cells = rows.into_iter().flat_map(|(_, cells)| cells);
        Ok(cells
            .map(|cell| {
                let place = Place { service: cell.service.clone(), environment: cell.environment.clone() };
                (place, cell)
            })
            .collect())
    }

    /// Everything that a check needs of a tag that is to come to a place, and the image's digest.
    pub(super) async fn found(
        &self,
        ask: &Ask,
        place: &Place,
        tag: &str,
        cells: &BTreeMap<Place, Cell>,
        now: Timestamp,
    ) -> Result<(Found, Option<String>), GitopsError> {
        let source = match ask {
            Ask::Promote { from, .. } => {
                let at = Place { service: place.service.clone(), environment: from.clone() };
                cells.get(&at).map(|cell| PromotionSource {
                    environment: from.clone(),
                    health: cell.health,
                    desired: Some(tag.to_owned()),
                    runs: cell.current.as_ref().and_then(|current| current.version.clone()),
                    in_progress: cell.in_progress.is_some(),
                })
            }
            Ask::Freeze { .. } | Ask::Resume { .. } | Ask::Revert { .. } => None,
        };
        let (image, digest) = match self.around.image(&place.service, tag).await {
            Ok(Some((state, digest))) => (Ok(Some(state)), Some(digest)),
            Ok(None) => (Ok(None), None),
            Err(why) => (Err(why), None),
        };
        let rules = self.delivery.config.rules(&place.environment);
        let is_promotion = matches!(ask, Ask::Promote { .. });
        let policy = match rules.cluster.filter(|_| is_promotion) {
            Some(cluster) => Some(self.around.policy(place, tag, &cluster, now).await),
            None => None,
        };
        // A place that is held may go back further.
        let in_force = match is_promotion {
            true => cells.get(place).map(|cell| cell.holds.clone()).unwrap_or_default(),
            false => Vec::new(),
        };
        let found = Found {
            place: place.clone(),
            tag: tag.to_owned(),
            source,
            image,
            bundle: self.bundle(&place.service, tag).await?,
            holds: in_force,
            window: self.delivery.config.closed(&place.environment, now).filter(|_| is_promotion),
            policy,
        };
        Ok((found, digest))
    }

    /// The commits between two tags of a service, where both are of known commits.
    pub(super) async fn brought(
        &self,
        place: &Place,
        before: &str,
        after: &str,
    ) -> Result<Option<Brought>, GitopsError> {
        let service = &place.service;
        let names = BTreeSet::from([before.to_owned(), after.to_owned()]);
        let known = self.delivery.store.commits_of_images(service, &names).await?;
        let changes = self.delivery.store.change_summaries(service).await?;
        let commit = |tag: &str| {
            let built = || {
                let change = changes.iter().find(|change| change.tag.as_deref() == Some(tag));
                change.map(|change| change.commit.clone())
            };
            known.get(tag).cloned().or_else(|| commit_in_tag(tag)).or_else(built)
        };
        let found = commit(before).zip(commit(after));
        Ok(found.and_then(|(before, after)| brought(place, &changes, &before, &after)))
    }

    /// Whether the bundle of a tag's commit was published; `None` where the service has none, or the commit is not known.
    async fn bundle(&self, service: &ServiceName, tag: &str) -> Result<Option<bool>, GitopsError> {
        let names = BTreeSet::from([tag.to_owned()]);
        let known = self.delivery.store.commits_of_images(service, &names).await?;
        let commit = known.get(tag).cloned().or_else(|| commit_in_tag(tag));
        let Some(commit) = commit else { return Ok(None) };
        let facts = self.delivery.store.facts_of(service, &commit).await?;
        let mut assets = facts.iter().filter(|fact| fact.stage == Stage::Assets).peekable();
        let any = assets.peek().is_some();
        Ok(any.then(|| assets.any(|fact| fact.status == Status::Succeeded)))
    }
}
