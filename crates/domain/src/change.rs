//! A change of metadata options: what it is for, the fields it sends, and how it went.

mod fields;
mod plan;
mod status;
mod way_back;

use serde::{Deserialize, Serialize};

use crate::instance::{HttpTokens, InstanceKey, MetadataOptions, OptionsState};
use crate::time::Timestamp;

pub(crate) use fields::setting_differences;
pub use fields::{Difference, differences, fields};
pub use plan::{Plan, Refusal, TakesEffect, changeable, plan_enforce, plan_restore};
pub use status::ChangeStatus;
pub use way_back::WayBack;

/// The hop limits that EC2 accepts (`HttpPutResponseHopLimit`, EC2 API reference).
pub const HOP_LIMITS: std::ops::RangeInclusive<u8> = 1..=64;

/// What a change is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Require tokens; the hop limit only when it is asked for.
    Enforce { hop_limit: Option<u8> },
    /// Put the fields that an earlier change sent back to their stored values.
    Restore { change_id: i64 },
}

/// The fields that ModifyInstanceMetadataOptions is sent. There is no field for the endpoint: a change of tokens must
/// never turn the metadata service on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Request {
    /// Always sent: EC2 does not promise to keep an omitted value.
    pub http_tokens: HttpTokens,
    pub http_put_response_hop_limit: Option<u8>,
}

/// A change as stored: the plan, who asked for it and why, and how it went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub id: i64,
    /// Chosen by whoever asked; the same key twice is the same change.
    pub idempotency_key: String,
    pub key: InstanceKey,
    pub purpose: Purpose,
    pub request: Request,
    /// All six fields as read just before the change.
    pub before: MetadataOptions,
    /// All six fields as read after it.
    pub after: Option<MetadataOptions>,
    pub status: ChangeStatus,
    pub actor: String,
    /// Where the actor called from; empty where nobody called.
    #[serde(default)]
    pub address: String,
    pub reason: String,
    pub policy_revision: String,
    pub aws_request_id: Option<String>,
    /// What went wrong and what to do next.
    pub error: Option<ChangeError>,
    pub requested_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A failed call, explained.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChangeError {
    /// The AWS error code, or our own word where AWS did not answer.
    pub code: String,
    /// What happened, to what.
    pub message: String,
    pub next_step: String,
}

/// What EC2 holds once `request` is applied on top of `before`: omitted fields keep their value.
pub fn expected(before: &MetadataOptions, request: &Request) -> MetadataOptions {
    MetadataOptions {
        state: Some(OptionsState::Applied),
        http_tokens: Some(request.http_tokens),
        http_put_response_hop_limit: request
            .http_put_response_hop_limit
            .or(before.http_put_response_hop_limit),
        ..*before
    }
}
