//! What goes wrong on the way to the CDN: what happened, to what, and what to do next.

use aws::{Failure, Outcome};
use domain::release::Refusal;

/// Why nothing, or not everything, was published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error("{operation} on {resource}: {}: {}\n{}", failure.code, failure.message, next_step(operation, failure))]
    Aws {
        /// The permission that the call takes, such as `s3:PutObject`.
        operation: &'static str,
        /// The bucket and key, or the distribution.
        resource: String,
        failure: Failure,
    },
    /// Another push or rollback came first.
    #[error(
        "Another push won: {what} changed while this one was on its way. The page is the other's; look at it with `tollgate publish status`, and push again if this one should follow."
    )]
    Lost { what: String },
    /// It was decided on what is no longer so, or cannot be done now.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The bucket holds something that is not ours, or not whole.
    #[error("{resource} {problem}")]
    Unexpected { resource: String, problem: String },
    #[error("{0}")]
    Invalid(String),
}

/// Why a directory is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    #[error("{path} cannot be read: {why}. Build a bundle with `cargo xtask bundle`.")]
    Unreadable { path: String, why: String },
    #[error("{path} is no manifest of a bundle: {why}")]
    Malformed { path: String, why: String },
    #[error("{path} is not what manifest.json says: {why}. Build the bundle again; nothing was uploaded.")]
    Corrupt { path: String, why: String },
}

impl PublishError {
    /// What a person can do about it, where that is not part of what it says.
    pub fn next_step(&self) -> Option<String> {
        match self {
            PublishError::Aws { operation, failure, .. } => Some(next_step(operation, failure)),
            PublishError::Bundle(_)
            | PublishError::Lost { .. }
            | PublishError::Refused(_)
            | PublishError::Unexpected { .. }
            | PublishError::Invalid(_) => None,
        }
    }
}

/// What a person can do about a failed call (S3 and CloudFront API error codes).
fn next_step(operation: &str, failure: &Failure) -> String {
    match failure.outcome {
        Outcome::NoCredentials => {
            return "Renew the credentials (`aws sso login`, or the pipeline's role).".into();
        }
        Outcome::Unknown => {
            return "AWS did not answer. Check the connection and run the same again: it goes on where it was.".into();
        }
        Outcome::NotSent => {
            return "Nothing was sent. Check the names of the bucket and the distribution.".into();
        }
        Outcome::Answered => {}
    }
    match failure.code.as_str() {
        "NoSuchBucket" => "There is no such bucket: check --bucket or publish.bucket, and that it is of this account's partition.".into(),
        "AccessDenied" | "AccessDeniedException" | "AllAccessDisabled" => {
            format!("Allow {operation} to the role, and look for a bucket policy that denies it.")
        }
        "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
            "The bucket is in another region: set AWS_REGION to it.".into()
        }
        "RequestTimeTooSkewed" => "This machine's clock is wrong by more than 15 minutes: set it.".into(),
        "BadDigest" | "XAmzContentSHA256Mismatch" | "InvalidDigest" => {
            "The bytes changed on their way: run the same again.".into()
        }
        "NoSuchDistribution" => "There is no such distribution: check --distribution or publish.distribution.".into(),
        "TooManyInvalidationsInProgress" => {
            "Other invalidations are still under way: run the same again in some minutes, it asks for the same one.".into()
        }
        "ExpiredToken" | "ExpiredTokenException" | "InvalidAccessKeyId" | "SignatureDoesNotMatch" => {
            "Renew the credentials (`aws sso login`, or the pipeline's role).".into()
        }
        "SlowDown" | "ServiceUnavailable" | "InternalError" | "Throttling" => {
            "AWS is busy: run the same again in a minute, it goes on where it was.".into()
        }
        _ => format!("Look the code up among the errors of {operation}; the request id helps AWS Support."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_says_what_to_do() {
        let said = |code: &str| {
            let failure = Failure {
                code: code.into(),
                message: "told by AWS".into(),
                request_id: None,
                outcome: Outcome::Answered,
            };
            let resource = "s3://pages/index.html".into();
            PublishError::Aws { operation: "s3:PutObject", resource, failure }.to_string()
        };
        assert_eq!(
            said("AccessDenied"),
            "s3:PutObject on s3://pages/index.html: AccessDenied: told by AWS\n\
             Allow s3:PutObject to the role, and look for a bucket policy that denies it."
        );
        assert!(said("RequestTimeTooSkewed").contains("clock"));
        assert!(said("NoSuchBucket").contains("--bucket"));
        assert!(said("SomethingNew").contains("AWS Support"));
    }
}
