//! GitHub as a source: its webhooks (GitHub REST documentation, "Webhook events and payloads"), and its API, which is polled.

mod auth;
mod client;
mod deployment;
mod error;
mod event;
mod facts;
mod kept;
mod limits;
mod payload;
mod poll;
#[cfg(test)]
mod tests;
mod transport;

pub use client::{Answer, Budget, GithubClient, NextPage, with_query};
pub use deployment::{DeploymentReport, DeploymentState};
pub use error::GithubError;
pub(crate) use event::ForkRuns;
pub use poll::GithubReader;

pub(crate) use facts::pull_request_of;
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use sha2::Sha256;
use store::Recorded;

use crate::config::Secret;
use crate::{Delivery, DeliveryError};

/// What is wrong with a message that says it comes from GitHub.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    #[error("Webhooks are not taken here: delivery.github_webhook_secret is not set.")]
    NotConfigured,
    #[error(
        "The signature does not fit: set the webhook's secret to the one of delivery.github_webhook_secret."
    )]
    Signature,
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
}

impl Delivery {
    /// Takes a webhook in: `event` from `X-GitHub-Event`, `signature` from `X-Hub-Signature-256`. The same message again changes
    /// nothing. Events that say nothing of a service that is followed are taken and left.
    ///
    /// # Errors
    /// [`WebhookError`]; a message that is not signed as agreed is not read.
    pub async fn github_webhook(
        &self,
        event: &str,
        signature: &str,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Recorded, WebhookError> {
        let secret = self.config().github.webhook_secret.as_ref().ok_or(WebhookError::NotConfigured)?;
        if !is_signed(secret, signature, body) {
            return Err(WebhookError::Signature);
        }
        let heard = event::heard(self.config(), &self.forks, event, body, now).inspect_err(|error| {
            self.failed(domain::delivery::Source::Github, now, error);
        })?;
        Ok(self.take_in(heard.facts, &heard.images, now).await?)
    }
}

/// A text of no more characters than GitHub takes.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most.saturating_sub(1)) {
        Some((end, last)) if end + last.len_utf8() < text.len() => format!("{}…", &text[..end]),
        _ => text.to_owned(),
    }
}

/// Whether the body was signed with the secret (GitHub, "Validating webhook deliveries"); compared in constant time.
fn is_signed(secret: &Secret, signature: &str, body: &[u8]) -> bool {
    let Some(given) = signature.strip_prefix("sha256=").and_then(|digits| hex::decode(digits).ok()) else {
        return false;
    };
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return false };
    mac.update(body);
    mac.verify_slice(&given).is_ok()
}
