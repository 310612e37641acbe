//! What a failed call to ECR means, and what to do about it.

use aws::{Failure, Outcome};

use super::name::Registry;

/// A call to ECR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    DescribeImages,
    BatchGetImage,
}

impl Call {
    /// The permission that it takes.
    pub(super) fn permission(self) -> &'static str {
        match self {
            Call::DescribeImages => "ecr:DescribeImages",
            Call::BatchGetImage => "ecr:BatchGetImage",
        }
    }

    /// What is not known without it.
    fn loss(self) -> &'static str {
        match self {
            Call::DescribeImages => "what is pushed there is not seen",
            Call::BatchGetImage => {
                "the commits of images whose tags name none are not known, nor the platforms of an index"
            }
        }
    }
}

/// A repository in a registry, as problems name it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) registry: &'a Registry,
    pub(super) repository: &'a str,
    /// The role that is assumed for it.
    pub(super) role: Option<&'a str>,
}

/// What happened, to what, and what to do next.
pub(super) fn of(failure: &Failure, call: Call, place: Place<'_>) -> String {
    let Place { registry, repository, role } = place;
    let arn = registry.arn(repository);
    let (permission, loss) = (call.permission(), call.loss());
    let (code, message) = (&failure.code, failure.message.trim_end_matches('.'));
    match (failure.outcome, code.as_str()) {
        (_, "RepositoryNotFoundException") => format!(
            "The registry of {registry} has no repository {repository}: correct the image of the service, or create the repository."
        ),
        (_, "AccessDeniedException" | "AccessDenied") => {
            let whom = role
                .map_or_else(|| "the credentials of Tollgate".to_owned(), |role| format!("the role {role}"));
            format!(
                "{permission} on {arn} is denied, so that {loss}: allow it to {whom}. AWS says: {message}."
            )
        }
        (_, "ThrottlingException" | "Throttling" | "TooManyRequestsException" | "RequestLimitExceeded") => {
            format!(
                "ECR limits how often the registry of {registry} is asked ({code}), and {repository} could not be read: it is read again later; if this lasts, read it less often."
            )
        }
        (
            _,
            "ExpiredTokenException"
            | "ExpiredToken"
            | "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "InvalidSignatureException",
        ) => format!(
            "AWS does not take the credentials for the registry of {registry} ({code}): renew them. AWS says: {message}."
        ),
        (Outcome::NoCredentials, _) => match role {
            Some(role) => format!(
                "The registry of {registry} cannot be read: {message}. Check that the role {role} exists and may be assumed."
            ),
            None => format!(
                "The registry of {registry} cannot be read: {message}. Give Tollgate credentials of AWS, or the ARN of a role."
            ),
        },
        (Outcome::Unknown, "timeout") => format!(
            "ECR did not answer about {repository} in the registry of {registry} in time. It is asked again later."
        ),
        (Outcome::Unknown, "connection") => format!(
            "ECR in {} cannot be reached ({message}). Check the network's way there, and that the region exists.",
            registry.region
        ),
        (_, "response") => format!(
            "ECR's answer about {repository} in the registry of {registry} cannot be read ({message}). It is asked again later; something in between, such as a proxy, may have answered instead."
        ),
        (Outcome::Answered | Outcome::Unknown | Outcome::NotSent, _) => {
            format!(
                "ECR could not tell about {repository} in the registry of {registry} ({code}): {message}."
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: &str, outcome: Outcome, call: Call, role: Option<&str>) -> String {
        let registry = Registry { account: "111122223333".into(), region: "eu-central-1".into() };
        let failure =
            Failure { code: code.into(), message: "As AWS says.".into(), request_id: None, outcome };
        of(&failure, call, Place { registry: &registry, repository: "team/users", role })
    }

    #[test]
    fn a_denied_call_names_the_permission_the_repository_and_who_needs_it() {
        let denied = |call, role| said("AccessDeniedException", Outcome::Answered, call, role);
        let text = denied(Call::DescribeImages, None);
        assert!(
            text.starts_with(
                "ecr:DescribeImages on arn:aws:ecr:eu-central-1:111122223333:repository/team/users is denied"
            ),
            "{text}"
        );
        assert!(
            text.contains("the credentials of Tollgate") && text.ends_with("AWS says: As AWS says."),
            "{text}"
        );
        let text = denied(Call::BatchGetImage, Some("arn:aws:iam::111122223333:role/reader"));
        assert!(
            text.starts_with("ecr:BatchGetImage on ")
                && text.contains("the role arn:aws:iam::111122223333:role/reader"),
            "{text}"
        );
    }

    #[test]
    fn every_kind_of_failure_says_what_to_do() {
        for (code, outcome, says) in [
            (
                "RepositoryNotFoundException",
                Outcome::Answered,
                "has no repository team/users: correct the image",
            ),
            ("ThrottlingException", Outcome::Answered, "limits how often"),
            ("ExpiredTokenException", Outcome::Answered, "renew them"),
            ("credentials", Outcome::NoCredentials, "Give Tollgate credentials"),
            ("timeout", Outcome::Unknown, "in time"),
            ("connection", Outcome::Unknown, "Check the network's way"),
            ("response", Outcome::Unknown, "cannot be read"),
            ("response", Outcome::Answered, "cannot be read"),
            ("ServerException", Outcome::Answered, "(ServerException): As AWS says."),
            ("request", Outcome::NotSent, "(request): As AWS says."),
        ] {
            let text = said(code, outcome, Call::DescribeImages, None);
            assert!(text.contains(says) && text.contains("eu-central-1"), "{code}: {text}");
        }
        let text = said(
            "credentials",
            Outcome::NoCredentials,
            Call::DescribeImages,
            Some("arn:aws:iam::1:role/reader"),
        );
        assert!(text.contains("the role arn:aws:iam::1:role/reader exists"), "{text}");
    }
}
