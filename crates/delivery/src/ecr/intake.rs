//! ECR's events on their way into the store.

use domain::delivery::{CommitSha, EnvironmentOrder, Fact, Source, Timeline};
use jiff::Timestamp;
use store::Recorded;

use super::{ServiceImage, pushed};
use crate::reader::RegistryImage;
use crate::{Delivery, DeliveryError, images};

impl Delivery {
    /// Takes an event of EventBridge's in; the same event again changes nothing. Events that say nothing of an image that is
    /// followed are taken and left.
    ///
    /// # Errors
    /// The body is no event, or what it tells cannot be kept.
    pub async fn ecr_event(
        &self,
        images: &[ServiceImage],
        body: &[u8],
        now: Timestamp,
    ) -> Result<Recorded, DeliveryError> {
        let facts = self
            .ecr_facts(images, body, now)
            .await
            .inspect_err(|error| self.failed(Source::Ecr, now, error))?;
        self.record(facts, now).await
    }

    /// The facts of an event, for whoever asks first whether its sender may tell them.
    ///
    /// # Errors
    /// The body is no event, or the store fails.
    pub async fn ecr_facts(
        &self,
        images: &[ServiceImage],
        body: &[u8],
        now: Timestamp,
    ) -> Result<Vec<Fact>, DeliveryError> {
        let mut facts = Vec::new();
        for image in pushed(images, body, now)? {
            for commit in images::commits(&image) {
                let Some(image) = self.completed(image.clone(), &commit).await? else { continue };
                let fact = images::fact(&image, &commit, now);
                match fact.check() {
                    Ok(()) => facts.push(fact),
                    Err(error) => tracing::warn!(%error, "a fact of ECR's is left out"),
                }
            }
        }
        Ok(facts)
    }

    /// An image of an event, with what is known of it that an event does not say. `None` for a scan of an image of which nothing
    /// else is known: whoever reads the registry tells it whole.
    async fn completed(
        &self,
        mut image: RegistryImage,
        commit: &CommitSha,
    ) -> Result<Option<RegistryImage>, DeliveryError> {
        let state = match self.state(&image.service, commit).await {
            Ok(state) => state,
            Err(DeliveryError::NotFound(_)) => return Ok(image.pushed.is_some().then_some(image)),
            Err(error) => return Err(error),
        };
        let timeline = Timeline::of(&state, &EnvironmentOrder::default());
        let known = timeline.release().and_then(|release| Some((release.image, release.image_detail()?)));
        let Some((step, known)) = known.filter(|(_, known)| known.digest == image.detail.digest) else {
            return Ok(image.pushed.is_some().then_some(image));
        };
        image.detail.scan = image.detail.scan.or(known.scan);
        image.detail.state = image.detail.state.or(known.state);
        if image.pushed.is_none() {
            image.pushed = step.finished;
            image.tags.extend(known.tag.clone());
        }
        Ok(Some(image))
    }
}
