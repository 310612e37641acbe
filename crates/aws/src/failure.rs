//! A failed call, as far as it is the same for every service.

use std::error::Error;
use std::fmt;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId;

/// What a call ended in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The AWS error code, or `timeout`, `connection`, `credentials`, `response` where AWS gave none.
    pub code: String,
    pub message: String,
    pub request_id: Option<String>,
    pub outcome: Outcome,
}

/// Whether AWS did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// AWS answered with an error.
    Answered,
    /// Sent, and nobody knows whether it was carried out.
    Unknown,
    /// No credentials could be had.
    NoCredentials,
    /// Never reached AWS.
    NotSent,
}

impl Failure {
    /// What an SDK call ended in.
    pub fn of<E, R>(error: &SdkError<E, R>) -> Failure
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
        R: fmt::Debug + Send + Sync + 'static,
        SdkError<E, R>: RequestId,
    {
        let (code, message, outcome): (&str, String, Outcome) = match error {
            SdkError::ServiceError(service) => {
                let message = service.err().message().unwrap_or("AWS gave no message.");
                (service.err().code().unwrap_or("response"), message.to_owned(), Outcome::Answered)
            }
            SdkError::TimeoutError(_) => ("timeout", "AWS did not answer in time.".into(), Outcome::Unknown),
            SdkError::DispatchFailure(failure) => {
                let root = root_cause(error);
                if mentions_credentials(error) {
                    ("credentials", format!("No credentials could be had: {root}"), Outcome::NoCredentials)
                } else if failure.is_timeout() {
                    ("timeout", root, Outcome::Unknown)
                } else {
                    ("connection", root, Outcome::Unknown)
                }
            }
            SdkError::ResponseError(_) => ("response", root_cause(error), Outcome::Unknown),
            SdkError::ConstructionFailure(_) => ("request", root_cause(error), Outcome::NotSent),
            _ => ("unknown", root_cause(error), Outcome::Unknown),
        };
        Failure { code: code.to_owned(), message, request_id: error.request_id().map(str::to_owned), outcome }
    }
}

/// Whether any cause speaks of credentials: the SDK reports a failed provider as a dispatch failure like any other.
fn mentions_credentials(error: &dyn Error) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.to_string().contains("credential") {
            return true;
        }
        next = error.source();
    }
    false
}

/// The innermost cause: the outer ones only say that a request failed.
fn root_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
