//! Sends queued messages to the configured receivers, signed, and again until they are taken or given up.

use std::sync::Arc;
use std::time::Duration;

use fleet::Fleet;
use hmac::{Hmac, Mac};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;
use store::Delivery;
use tokio_util::sync::CancellationToken;

use crate::config::Webhook;

/// `sha256=<hex>` over the timestamp, a dot and the body, in the form that GitHub's webhooks have made common.
const SIGNATURE_HEADER: &str = "x-tollgate-signature-256";
const TIMESTAMP_HEADER: &str = "x-tollgate-timestamp";

const LOOK_INTERVAL: Duration = Duration::from_secs(5);
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a message that is being sent is not taken up by another replica.
const CLAIM: SignedDuration = SignedDuration::from_secs(60);
const AT_ONCE: u32 = 20;
/// With waits that double from 10 seconds: about 3 hours.
const ATTEMPTS: u32 = 10;

/// Sends what is queued until `shutdown`.
pub(crate) async fn send_until(fleet: Arc<Fleet>, webhooks: Vec<Webhook>, shutdown: CancellationToken) {
    if webhooks.is_empty() {
        return;
    }
    let client = match reqwest::Client::builder()
        .timeout(SEND_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
    {
        Ok(client) => client,
        Err(error) => return tracing::error!(%error, "no client can be made; webhooks are not sent"),
    };
    loop {
        match fleet.store().due_deliveries(Timestamp::now(), CLAIM, AT_ONCE).await {
            Ok(due) => {
                for delivery in due {
                    deliver(&fleet, &client, &webhooks, delivery).await;
                }
            }
            Err(error) => tracing::error!(%error, "queued messages cannot be read; trying again"),
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(LOOK_INTERVAL) => {}
        }
    }
}

async fn deliver(fleet: &Fleet, client: &reqwest::Client, webhooks: &[Webhook], delivery: Delivery) {
    let now = Timestamp::now();
    let sent = match webhooks.iter().find(|webhook| webhook.name == delivery.target) {
        None => Err("the receiver is no longer configured".to_owned()),
        Some(webhook) => send(client, webhook, &delivery, now).await,
    };
    let stored = match sent {
        Ok(()) => fleet.store().mark_delivered(delivery.id, Timestamp::now()).await,
        Err(error) => {
            tracing::warn!(webhook.name = %delivery.target, delivery.id, delivery.attempts, %error, "a message was not taken");
            let again = (delivery.attempts < ATTEMPTS).then(|| now + wait(delivery.attempts));
            fleet.store().mark_failed(delivery.id, &error, again).await
        }
    };
    if let Err(error) = stored {
        tracing::error!(delivery.id, %error, "what became of a message cannot be stored; it may be sent twice");
    }
}

async fn send(
    client: &reqwest::Client,
    webhook: &Webhook,
    delivery: &Delivery,
    now: Timestamp,
) -> Result<(), String> {
    let timestamp = now.as_second().to_string();
    let answer = client
        .post(&webhook.url)
        .header("content-type", "application/json")
        .header("x-tollgate-event", &delivery.kind)
        .header("x-tollgate-delivery", delivery.id.to_string())
        .header(TIMESTAMP_HEADER, &timestamp)
        .header(SIGNATURE_HEADER, signature(&webhook.secret, &timestamp, &delivery.body)?)
        .body(delivery.body.clone())
        .send()
        .await
        .map_err(|error| error.without_url().to_string())?;
    if answer.status().is_success() {
        Ok(())
    } else {
        Err(format!("the receiver answered {}", answer.status()))
    }
}

/// The signature covers the timestamp, so that a receiver can refuse a message that is sent again later by somebody else.
fn signature(secret: &str, timestamp: &str, body: &str) -> Result<String, String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(|error| error.to_string())?;
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    Ok(format!("sha256={}", hex::encode(mac.finalize().into_bytes())))
}

fn wait(attempts: u32) -> SignedDuration {
    SignedDuration::from_secs(10 * 2_i64.pow(attempts.saturating_sub(1).min(12)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_hmac_sha256_over_timestamp_and_body() {
        // As `printf '1700000000.{}' | openssl dgst -sha256 -hmac 0123456789abcdef` answers.
        let expected = "sha256=e4f8e2ecae2295b2ddb2f0b5584c8275e226c0ebe9b3b819e70156bb67122e3e";
        assert_eq!(signature("0123456789abcdef", "1700000000", "{}").expect("a signature"), expected);
    }

    #[test]
    fn waits_double() {
        assert_eq!(wait(1).as_secs(), 10);
        assert_eq!(wait(4).as_secs(), 80);
    }
}
