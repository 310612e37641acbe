//! What goes wrong between Tollgate and AWS or the store, explained: what happened, to what, and what to do next.

use aws::{Failure, Outcome};
use aws_sdk_ec2::operation::RequestId;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use domain::change::{ChangeError, Refusal};
use domain::source::SourceError;

/// An error of the fleet layer.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    #[error("{0}")]
    Aws(#[from] AwsError),
    #[error(transparent)]
    Store(#[from] store::StoreError),
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The instance, source or change that was asked for does not exist.
    #[error("{0}")]
    NotFound(String),
    /// A stored copy cannot be read or written.
    #[error("The stored copy of a source cannot be used: {0}")]
    Snapshot(String),
    /// The instance is not as the plan says, or another change is under way.
    #[error("{0}")]
    Conflict(String),
    /// The request cannot be carried out as it was made.
    #[error("{0}")]
    Invalid(String),
}

/// A failed AWS call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {code}: {message}")]
pub struct AwsError {
    /// The call, such as `ec2:DescribeInstances`.
    pub operation: &'static str,
    /// The AWS error code, or `timeout`, `connection`, `credentials`, `response` where AWS gave none.
    pub code: String,
    pub message: String,
    pub request_id: Option<String>,
    kind: Kind,
}

/// What an error means for what is to be done (EC2 API error codes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    DryRunPermitted,
    Unauthorized,
    Unsupported,
    Throttled,
    NotFound,
    WrongState,
    BadParameter,
    Credentials,
    RegionDisabled,
    /// Sent, and nobody knows whether it was carried out.
    UnknownOutcome,
    /// Never reached AWS.
    NotSent,
    Other,
}

impl AwsError {
    /// Wraps what an SDK call ended in.
    pub fn from_sdk<E, R>(operation: &'static str, error: SdkError<E, R>) -> AwsError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
        SdkError<E, R>: RequestId,
    {
        let Failure { code, message, request_id, outcome } = Failure::of(&error);
        let kind = match outcome {
            Outcome::Answered => kind_of(&code),
            Outcome::Unknown => Kind::UnknownOutcome,
            Outcome::NoCredentials => Kind::Credentials,
            Outcome::NotSent => Kind::NotSent,
        };
        AwsError { operation, code, message, request_id, kind }
    }

    /// A source that took longer than its limit, retries included.
    pub(crate) fn timed_out(operation: &'static str, limit: std::time::Duration) -> AwsError {
        AwsError {
            operation,
            code: "timeout".into(),
            message: format!("AWS did not answer within {} s, retries included.", limit.as_secs()),
            request_id: None,
            kind: Kind::UnknownOutcome,
        }
    }

    /// A call that the configuration did not let out.
    pub(crate) fn not_sent(operation: &'static str, message: String) -> AwsError {
        AwsError { operation, code: "configuration".into(), message, request_id: None, kind: Kind::NotSent }
    }

    /// An answer that lacks what it must hold.
    pub(crate) fn malformed(operation: &'static str, message: String) -> AwsError {
        AwsError { operation, code: "response".into(), message, request_id: None, kind: Kind::Other }
    }

    /// `DryRun` was answered with "would have succeeded".
    pub fn is_dry_run_permitted(&self) -> bool {
        self.kind == Kind::DryRunPermitted
    }

    pub fn is_throttled(&self) -> bool {
        self.kind == Kind::Throttled
    }

    /// The instance is not there any more.
    pub fn is_gone(&self) -> bool {
        self.kind == Kind::NotFound
    }

    /// The call may or may not have been carried out, so it is looked up before anything is sent again.
    pub fn is_outcome_unknown(&self) -> bool {
        self.kind == Kind::UnknownOutcome
    }

    /// What a person can do about it.
    pub fn next_step(&self) -> String {
        let action = self.operation;
        match self.kind {
            Kind::DryRunPermitted => "Nothing: the call is permitted.".into(),
            Kind::Unauthorized => format!(
                "Allow {action} to the role, and look for a service control policy or a declarative policy that denies it; \
                 `aws sts decode-authorization-message` explains an encoded message."
            ),
            Kind::Unsupported => "The account's HttpTokensEnforced setting refuses this in the region. Turn it off in the account's \
                 metadata defaults first, or leave tokens required."
                .into(),
            Kind::Throttled => "Nothing was changed. The account's rate limit in this region is used up, perhaps by other tools; \
                 try again in a minute."
                .into(),
            Kind::NotFound => "The instance is gone, or the id belongs to another account or region. Refresh the list.".into(),
            Kind::WrongState => "The instance is starting, stopping or being terminated. Wait until its state settles, then plan again.".into(),
            Kind::BadParameter => "Plan the change again: EC2 does not accept these values for this instance.".into(),
            Kind::Credentials => "Renew the credentials (`aws sso login`, or the pod's or instance's role) and check that the role may be assumed.".into(),
            Kind::RegionDisabled => "Enable the region in the account, or leave it out of `regions`.".into(),
            Kind::UnknownOutcome => "AWS did not answer. The instance is read again before anything is repeated; check the connection and the AWS status page.".into(),
            Kind::NotSent => "Nothing was sent. Check the configuration of the account and region.".into(),
            Kind::Other => format!("Look the code up among the errors of {action}; the request id helps AWS Support."),
        }
    }

    /// The error as a source's status keeps it.
    pub fn to_source_error(&self) -> SourceError {
        let missing_permission = (self.kind == Kind::Unauthorized).then(|| self.operation.to_owned());
        SourceError { code: self.code.clone(), message: self.message.clone(), missing_permission }
    }

    /// The error as a change keeps it.
    pub fn to_change_error(&self, instance_id: &str) -> ChangeError {
        ChangeError {
            code: self.code.clone(),
            message: format!("{} on {instance_id}: {}", self.operation, self.message),
            next_step: self.next_step(),
        }
    }
}

/// The meaning of an AWS error code (EC2 API error codes; common errors of the query APIs).
fn kind_of(code: &str) -> Kind {
    match code {
        "DryRunOperation" => Kind::DryRunPermitted,
        "UnauthorizedOperation" | "AccessDenied" | "AccessDeniedException" => Kind::Unauthorized,
        "UnsupportedOperation" => Kind::Unsupported,
        "RequestLimitExceeded"
        | "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "TooManyRequestsException" => Kind::Throttled,
        "InvalidInstanceID.NotFound" | "InvalidInstanceID.Malformed" => Kind::NotFound,
        "IncorrectInstanceState" | "IncorrectState" => Kind::WrongState,
        "AuthFailure"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch" => Kind::Credentials,
        "OptInRequired" => Kind::RegionDisabled,
        "InternalError" | "InternalFailure" | "Unavailable" | "ServiceUnavailable" => Kind::UnknownOutcome,
        _ if code.starts_with("InvalidParameter") || code == "MissingParameter" => Kind::BadParameter,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str) -> AwsError {
        AwsError {
            operation: "ec2:ModifyInstanceMetadataOptions",
            code: code.into(),
            message: String::new(),
            request_id: None,
            kind: kind_of(code),
        }
    }

    #[test]
    fn each_documented_code_has_its_own_next_step() {
        let codes = [
            "DryRunOperation",
            "UnauthorizedOperation",
            "UnsupportedOperation",
            "RequestLimitExceeded",
            "InvalidInstanceID.NotFound",
            "IncorrectInstanceState",
            "InvalidParameterValue",
            "ExpiredToken",
            "OptInRequired",
            "InternalError",
        ];
        let mut steps: Vec<_> = codes.iter().map(|code| error(code).next_step()).collect();
        steps.sort();
        steps.dedup();
        assert_eq!(steps.len(), codes.len());
    }

    #[test]
    fn unauthorized_names_the_missing_permission() {
        let source = error("UnauthorizedOperation").to_source_error();
        assert_eq!(source.missing_permission.as_deref(), Some("ec2:ModifyInstanceMetadataOptions"));
        assert_eq!(error("ExpiredToken").to_source_error().missing_permission, None);
    }

    #[test]
    fn an_outcome_is_only_unknown_where_aws_may_have_acted() {
        assert!(error("InternalError").is_outcome_unknown());
        assert!(!error("RequestLimitExceeded").is_outcome_unknown());
        assert!(!error("UnauthorizedOperation").is_outcome_unknown());
    }
}
