//! What an instance's metadata options mean: the verdict, in the order that keeps an unknown from ever being green.

use serde::{Deserialize, Serialize};

use crate::instance::{HttpTokens, Instance, InstanceState, MetadataOptions, OptionsState, Toggle};

/// Whether an instance can be reached over IMDSv1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Tokens are optional and the endpoint is on: a request without a token is answered.
    AllowsV1,
    /// Nothing can be said, and the reason why.
    Unknown(UnknownReason),
    /// A safe setting was requested and has not reached the instance yet.
    Pending,
    /// Tokens are required, and that is in effect.
    Enforced,
    /// The metadata endpoint is off, and that is in effect.
    EndpointDisabled,
}

/// Why nothing can be said about an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnknownReason {
    /// The account-region was last read too long ago.
    StaleSource,
    /// EC2 described the instance without its metadata options.
    NoMetadataOptions,
    /// `HttpTokens` is missing or has a value unknown to this version.
    HttpTokensMissing,
    /// `HttpEndpoint` is missing or has a value unknown to this version.
    HttpEndpointMissing,
    /// `State` is missing or has a value unknown to this version.
    StateMissing,
}

/// Whether what is known of an instance is recent enough to judge it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Freshness {
    Fresh,
    Stale,
}

/// Judges metadata options. Security Hub's EC2.8 and AWS Config's `ec2-imdsv2-check` look at `HttpTokens` alone; here a
/// disabled endpoint is safe too, and neither counts before `State` is `applied`.
pub fn judge(options: Option<&MetadataOptions>, freshness: Freshness) -> Verdict {
    if freshness == Freshness::Stale {
        return Verdict::Unknown(UnknownReason::StaleSource);
    }
    let Some(options) = options else {
        return Verdict::Unknown(UnknownReason::NoMetadataOptions);
    };
    let safe = match (options.http_endpoint, options.http_tokens) {
        (Some(Toggle::Disabled), _) => Verdict::EndpointDisabled,
        (_, Some(HttpTokens::Required)) => Verdict::Enforced,
        (Some(Toggle::Enabled), Some(HttpTokens::Optional)) => return Verdict::AllowsV1,
        (None, Some(HttpTokens::Optional)) => return Verdict::Unknown(UnknownReason::HttpEndpointMissing),
        (_, None) => return Verdict::Unknown(UnknownReason::HttpTokensMissing),
    };
    match options.state {
        Some(OptionsState::Applied) => safe,
        Some(OptionsState::Pending) => Verdict::Pending,
        None => Verdict::Unknown(UnknownReason::StateMissing),
    }
}

impl Verdict {
    /// One of each kind, in the order a list sorts them: what needs work first.
    pub const KINDS: [&'static str; 5] = ["allows-v1", "unknown", "pending", "enforced", "endpoint-disabled"];

    /// The name used in queries, URLs and exports.
    pub fn kind(self) -> &'static str {
        Verdict::KINDS[self.rank() as usize]
    }

    /// The position of the kind in [`Verdict::KINDS`].
    pub fn rank(self) -> u8 {
        match self {
            Verdict::AllowsV1 => 0,
            Verdict::Unknown(_) => 1,
            Verdict::Pending => 2,
            Verdict::Enforced => 3,
            Verdict::EndpointDisabled => 4,
        }
    }

    /// Whether the instance counts as safe. Pending and unknown never do.
    pub fn is_safe(self) -> bool {
        matches!(self, Verdict::Enforced | Verdict::EndpointDisabled)
    }

    /// The words a person reads in a list.
    pub fn label(self) -> &'static str {
        match self {
            Verdict::AllowsV1 => "Allows v1",
            Verdict::Unknown(_) => "Unknown",
            Verdict::Pending => "Required, pending",
            Verdict::Enforced => "v2 enforced",
            Verdict::EndpointDisabled => "Metadata off",
        }
    }

    /// The verdict in a sentence, with its reason. Of an instance that is gone or going for good only that is said: what
    /// its options allow is no longer a question, and nothing read later can change it.
    pub fn sentence(self, instance: &Instance) -> String {
        match instance.state {
            InstanceState::Terminated => {
                return "Terminated: it answers no metadata request, and is neither counted nor changed."
                    .into();
            }
            InstanceState::ShuttingDown => {
                return "Shutting down for good: it is neither counted nor changed any more.".into();
            }
            InstanceState::Pending
            | InstanceState::Running
            | InstanceState::Stopping
            | InstanceState::Stopped => {}
        }
        let next_start = instance.state.applies_at_next_start();
        match self {
            Verdict::AllowsV1 if next_start => {
                "Allows IMDSv1 once it is started: tokens are optional. A change takes effect at the next start.".into()
            }
            Verdict::AllowsV1 => {
                "Allows IMDSv1: tokens are optional and the metadata endpoint is on, so a request without a token is answered."
                    .into()
            }
            Verdict::Unknown(reason) => format!("Unknown: {}.", reason.explanation()),
            Verdict::Pending if next_start => {
                "A safe setting was requested while the instance is stopped; it takes effect at the next start.".into()
            }
            Verdict::Pending => "A safe setting was requested, and EC2 has not applied it yet.".into(),
            Verdict::Enforced => "IMDSv2 is enforced: every metadata request needs a token.".into(),
            Verdict::EndpointDisabled => "The metadata endpoint is off, so neither IMDSv1 nor IMDSv2 answers.".into(),
        }
    }
}

impl UnknownReason {
    pub fn explanation(self) -> &'static str {
        match self {
            UnknownReason::StaleSource => "the account and region were last read too long ago",
            UnknownReason::NoMetadataOptions => "EC2 described the instance without its metadata options",
            UnknownReason::HttpTokensMissing => "EC2 answered no HttpTokens that this version knows",
            UnknownReason::HttpEndpointMissing => "EC2 answered no HttpEndpoint that this version knows",
            UnknownReason::StateMissing => "EC2 did not say whether the options are applied",
        }
    }
}

#[cfg(test)]
mod tests;
