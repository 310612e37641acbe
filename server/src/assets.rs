//! Follows the releases of the static bundle, and tells deliveries of them.

use std::collections::BTreeSet;
use std::time::Duration;

use delivery::{Delivery, assets};
use domain::delivery::{Fact, ServiceName, Source};
use domain::release::Live;
use jiff::Timestamp;
use publish::{PublishError, Publisher};
use tokio_util::sync::CancellationToken;

/// How often the bucket is looked at: one request, and one for the invalidation.
const CALM: Duration = Duration::from_secs(60);
/// How often while something is under way.
const BUSY: Duration = Duration::from_secs(5);

/// Tells of `service`'s releases until `shutdown`.
pub(crate) async fn follow_until(
    delivery: Delivery,
    publisher: Publisher,
    service: ServiceName,
    shutdown: CancellationToken,
) {
    // What this process has told; another one that tells it again changes nothing.
    let mut told: BTreeSet<String> = BTreeSet::new();
    loop {
        let now = Timestamp::now();
        let wait = match read(&publisher).await {
            Ok((live, completed)) => {
                let mut facts = assets::facts(&service, &live, completed, now);
                facts.retain(|fact| !told.contains(&fact.source_id));
                tell(&delivery, facts, &mut told, now).await;
                if live.under_way.is_some() || completed == Some(false) { BUSY } else { CALM }
            }
            Err(error) => {
                tracing::warn!(%error, "the releases cannot be read; trying again");
                delivery.failed(Source::Assets, now, &error);
                CALM
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// What is live, and whether its invalidation has ended; `None` where there is none or CloudFront does not say.
async fn read(publisher: &Publisher) -> Result<(Live, Option<bool>), PublishError> {
    let live = publisher.listing().await?.live;
    let invalidation = publisher.invalidation_of(&live).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "an invalidation cannot be read");
        None
    });
    Ok((live, invalidation.map(|invalidation| invalidation.is_completed())))
}

async fn tell(delivery: &Delivery, facts: Vec<Fact>, told: &mut BTreeSet<String>, now: Timestamp) {
    let ids: Vec<String> = facts.iter().map(|fact| fact.source_id.clone()).collect();
    match delivery.record(facts, now).await {
        Ok(_) => {
            delivery.answered(Source::Assets, now);
            told.extend(ids);
        }
        Err(error) => {
            tracing::error!(%error, "what is known of the releases cannot be kept; trying again");
            delivery.failed(Source::Assets, now, &error);
        }
    }
}
