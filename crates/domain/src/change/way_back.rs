//! Whether a change could be taken back, told before it is made.

use serde::{Deserialize, Serialize};

use super::Request;
use crate::instance::{HttpTokens, MetadataOptions};
use crate::source::MetadataDefaults;

/// Whether the stored options could be put back after the change.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WayBack {
    Open,
    Blocked { why: String },
    Unknown { why: String },
}

impl WayBack {
    /// The way back to `before` once `request` is sent. `defaults` are the account's in that region, where they are known.
    pub(super) fn to(
        before: &MetadataOptions,
        request: &Request,
        defaults: Option<&MetadataDefaults>,
    ) -> WayBack {
        let stored = [
            ("http_tokens", before.http_tokens.is_some()),
            (
                "http_put_response_hop_limit",
                request.http_put_response_hop_limit.is_none() || before.http_put_response_hop_limit.is_some(),
            ),
        ];
        if let Some((field, _)) = stored.iter().find(|(_, known)| !known) {
            return WayBack::Blocked {
                why: format!("EC2 did not say what {field} is now, so there is no value to put back."),
            };
        }
        if before.http_tokens != Some(HttpTokens::Optional) {
            return WayBack::Open;
        }
        match defaults {
            Some(defaults) if defaults.tokens_enforced() => WayBack::Blocked {
                why: "The account enforces HttpTokensEnforced in this region: EC2 answers UnsupportedOperation to http_tokens = optional."
                    .into(),
            },
            Some(defaults) if defaults.managed_by.as_deref() == Some("declarative-policy") => WayBack::Unknown {
                why: "A declarative policy manages the account's metadata defaults and may refuse http_tokens = optional.".into(),
            },
            Some(_) => WayBack::Open,
            None => WayBack::Unknown { why: "The account's metadata defaults could not be read.".into() },
        }
    }
}
