//! What goes wrong between facts and answers: what happened, to what, and what to do next.

use domain::delivery::{EnvironmentName, FactError, InvalidName, ServiceName};

/// An error of the delivery layer.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    #[error("{0}.")]
    Name(#[from] InvalidName),
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// What was told could not be kept.
    #[error("What was told cannot be kept: {0}. Send it again.")]
    NotKept(String),
    #[error("The fact cannot be taken: {0}.")]
    Fact(#[from] FactError),
    #[error(
        "There is no service {0} here. Add it to [[services]] in the configuration, or correct its name."
    )]
    UnknownService(ServiceName),
    #[error(
        "There is no environment {0} here. Add it to delivery.environments in the configuration, or correct its name."
    )]
    UnknownEnvironment(EnvironmentName),
    /// The request cannot be carried out as it was made.
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    NotFound(String),
}
