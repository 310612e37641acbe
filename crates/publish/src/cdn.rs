//! The distribution: invalidations, asked for once and waited for.

use std::time::Duration;

use aws::Failure;
use aws_sdk_cloudfront::Client;
use aws_sdk_cloudfront::error::BuildError;
use aws_sdk_cloudfront::types::{InvalidationBatch, Paths};
use jiff::{SignedDuration, Timestamp};

use crate::error::PublishError;
use crate::status::Invalidation;

/// How long an invalidation is asked for again while too many others are under way.
const PATIENCE: SignedDuration = SignedDuration::from_mins(10);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// CloudFront takes some seconds to some minutes.
const LOOK: Duration = Duration::from_secs(2);

/// A distribution.
#[derive(Clone, Debug)]
pub(crate) struct Cdn {
    client: Client,
    distribution: String,
}

impl Cdn {
    pub(crate) fn new(client: Client, distribution: String) -> Cdn {
        Cdn { client, distribution }
    }

    /// Has the distribution forget `paths`, and answers the invalidation. The same `caller_reference` again is the same
    /// invalidation (CloudFront API reference, `InvalidationBatch`).
    pub(crate) async fn invalidate(
        &self,
        paths: &[String],
        caller_reference: &str,
        told: &(dyn Fn(&str) + Sync),
    ) -> Result<Invalidation, PublishError> {
        let malformed = |error: BuildError| PublishError::Invalid(error.to_string());
        let count = i32::try_from(paths.len()).unwrap_or(i32::MAX);
        let paths =
            Paths::builder().quantity(count).set_items(Some(paths.to_vec())).build().map_err(malformed)?;
        let batch = InvalidationBatch::builder().paths(paths).caller_reference(caller_reference).build();
        let batch = batch.map_err(malformed)?;
        let begun = Timestamp::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let asked = self
                .client
                .create_invalidation()
                .distribution_id(&self.distribution)
                .invalidation_batch(batch.clone())
                .send()
                .await;
            let failure = match asked {
                Ok(answer) => {
                    let invalidation = answer.invalidation();
                    return Ok(Invalidation {
                        id: invalidation.map_or(String::new(), |one| one.id().to_owned()),
                        status: invalidation.map_or(String::new(), |one| one.status().to_owned()),
                    });
                }
                Err(error) => Failure::of(&error),
            };
            let may_wait = failure.code == "TooManyInvalidationsInProgress"
                && Timestamp::now().duration_since(begun) < PATIENCE;
            if !may_wait {
                return Err(self.failed("cloudfront:CreateInvalidation", failure));
            }
            told("waiting for other invalidations to end");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// An invalidation as it stands.
    pub(crate) async fn invalidation(&self, id: &str) -> Result<Invalidation, PublishError> {
        let answer = self.client.get_invalidation().distribution_id(&self.distribution).id(id).send().await;
        let answer =
            answer.map_err(|error| self.failed("cloudfront:GetInvalidation", Failure::of(&error)))?;
        let status = answer.invalidation().map_or(String::new(), |one| one.status().to_owned());
        Ok(Invalidation { id: id.to_owned(), status })
    }

    /// Waits until an invalidation has reached every edge.
    pub(crate) async fn wait(
        &self,
        mut invalidation: Invalidation,
        told: &(dyn Fn(&str) + Sync),
    ) -> Result<Invalidation, PublishError> {
        let begun = Timestamp::now();
        while !invalidation.is_completed() {
            let seconds = Timestamp::now().duration_since(begun).as_secs();
            told(&format!("invalidation {} {}, {seconds} s", invalidation.id, invalidation.status));
            tokio::time::sleep(LOOK).await;
            invalidation = self.invalidation(&invalidation.id).await?;
        }
        Ok(invalidation)
    }

    fn failed(&self, operation: &'static str, failure: Failure) -> PublishError {
        PublishError::Aws { operation, resource: format!("distribution {}", self.distribution), failure }
    }
}
