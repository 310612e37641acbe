//! The names of images in private registries of Amazon ECR, and what follows from a registry's name.

use std::fmt;

/// What the hosts of registries end with, in all partitions of AWS.
const SUFFIXES: [&str; 9] = [
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "on.aws",
    "on.amazonwebservices.com.cn",
    "sc2s.sgov.gov",
    "c2s.ic.gov",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
];
/// What regions begin with, by partition, and the domain of its console. All others are in `aws`.
const PARTITIONS: [(&str, &str, Option<&str>); 7] = [
    ("cn-", "aws-cn", Some("amazonaws.cn")),
    ("us-gov-", "aws-us-gov", Some("amazonaws-us-gov.com")),
    ("us-iso-", "aws-iso", None),
    ("us-isob-", "aws-iso-b", None),
    ("eu-isoe-", "aws-iso-e", None),
    ("us-isof-", "aws-iso-f", None),
    ("eusc-", "aws-eusc", None),
];
const PUBLIC: &str = "public.ecr.aws";
const ACCOUNT_DIGITS: usize = 12;

/// A private registry: each account has one in each region. Hosts of several kinds (FIPS, dual stack) lead to the same one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Registry {
    pub account: String,
    pub region: String,
}

/// An image as the configuration names it, without a tag: `111122223333.dkr.ecr.eu-central-1.amazonaws.com/team/users`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageName {
    pub registry: Registry,
    /// The host as it was written, which is how manifests and pods name it too.
    pub host: String,
    /// `team/users`
    pub repository: String,
}

/// A name that is not one of an image in a private registry of ECR.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotEcr {
    #[error(
        "{0} is in the public gallery of ECR, which tells nobody what is pushed: name the image in the private registry, as in 111122223333.dkr.ecr.eu-central-1.amazonaws.com/team/users"
    )]
    Public(String),
    #[error(
        "{0} is not in a registry of ECR: its host is not of the form ACCOUNT.dkr.ecr.REGION.amazonaws.com"
    )]
    Elsewhere(String),
    #[error(
        "{0} names no repository: write it after the registry's host, without a tag, as in {1}/team/users"
    )]
    Repository(String, String),
}

impl ImageName {
    /// Reads a name; a tag or digest does not belong to it.
    ///
    /// # Errors
    /// Why it is not one of ECR's.
    pub fn parse(text: &str) -> Result<ImageName, NotEcr> {
        let text = text.trim();
        let (host, repository) = text.split_once('/').unwrap_or((text, ""));
        let host = host.to_ascii_lowercase();
        if host == PUBLIC {
            return Err(NotEcr::Public(text.to_owned()));
        }
        let registry = Registry::of_host(&host).ok_or_else(|| NotEcr::Elsewhere(text.to_owned()))?;
        if !is_repository(repository) {
            return Err(NotEcr::Repository(text.to_owned(), host));
        }
        Ok(ImageName { registry, host, repository: repository.to_owned() })
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.repository)
    }
}

impl Registry {
    /// The registry that a host leads to: `ACCOUNT.dkr.ecr.REGION.amazonaws.com`, with `ecr-fips` for FIPS, or dual stack
    /// `ACCOUNT.dkr-ecr.REGION.on.aws` (Amazon ECR user guide, "Registry authentication" and "Dual-stack endpoints").
    fn of_host(host: &str) -> Option<Registry> {
        let (account, rest) = host.split_once('.')?;
        if account.len() != ACCOUNT_DIGITS || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let kinds = ["dkr.ecr.", "dkr.ecr-fips.", "dkr-ecr.", "dkr-ecr-fips."];
        let rest = kinds.iter().find_map(|kind| rest.strip_prefix(kind))?;
        let (region, suffix) = rest.split_once('.')?;
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let known = !region.is_empty() && region.bytes().all(plain) && SUFFIXES.contains(&suffix);
        known.then(|| Registry { account: account.to_owned(), region: region.to_owned() })
    }

    /// The ARN of a repository, as policies name it.
    pub fn arn(&self, repository: &str) -> String {
        let (partition, _) = self.partition();
        format!("arn:{partition}:ecr:{}:{}:repository/{repository}", self.region, self.account)
    }

    /// Where the AWS console shows an image; `None` in partitions whose console is reached in other ways.
    pub fn link(&self, repository: &str, digest: &str) -> Option<String> {
        let Registry { account, region } = self;
        let domain = self.partition().1?;
        Some(format!(
            "https://{region}.console.{domain}/ecr/repositories/private/{account}/{repository}/_/image/{digest}/details?region={region}"
        ))
    }

    /// The partition of the region, and the domain of its console.
    fn partition(&self) -> (&'static str, Option<&'static str>) {
        let found = PARTITIONS.iter().find(|(prefix, ..)| self.region.starts_with(prefix));
        found.map_or(("aws", Some("aws.amazon.com")), |(_, partition, console)| (*partition, *console))
    }
}

impl fmt::Display for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.account, self.region)
    }
}

/// Whether it is the name of a repository (ECR API reference, `CreateRepository`).
fn is_repository(text: &str) -> bool {
    let end = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    let part =
        |part: &str| end(part.bytes().next()) && end(part.bytes().next_back()) && part.bytes().all(inner);
    (2..=256).contains(&text.len()) && text.split('/').all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_private_registries_are_read_from_every_kind_of_host() {
        for (text, account, region, repository) in [
            (
                "111122223333.dkr.ecr.eu-central-1.amazonaws.com/team/users",
                "111122223333",
                "eu-central-1",
                "team/users",
            ),
            ("111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn/users", "111122223333", "cn-north-1", "users"),
            (
                "111122223333.dkr.ecr-fips.us-gov-west-1.amazonaws.com/a/b/c",
                "111122223333",
                "us-gov-west-1",
                "a/b/c",
            ),
            ("111122223333.dkr-ecr.us-west-2.on.aws/users", "111122223333", "us-west-2", "users"),
            (" 111122223333.DKR.ecr.eu-west-1.amazonaws.com/users ", "111122223333", "eu-west-1", "users"),
        ] {
            let name = ImageName::parse(text).unwrap();
            let read =
                (name.registry.account.as_str(), name.registry.region.as_str(), name.repository.as_str());
            assert_eq!(read, (account, region, repository), "{text}");
        }
        let text = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/team/users";
        assert_eq!(ImageName::parse(text).unwrap().to_string(), text);
    }

    #[test]
    fn other_names_say_what_to_write_instead() {
        let host = "111122223333.dkr.ecr.eu-central-1.amazonaws.com";
        for (text, says) in [
            ("public.ecr.aws/nginx/nginx", "public gallery"),
            ("users", "not in a registry of ECR"),
            ("docker.io/library/nginx", "not in a registry of ECR"),
            ("ghcr.io/acme/users", "not in a registry of ECR"),
            ("11112222333.dkr.ecr.eu-central-1.amazonaws.com/users", "not in a registry of ECR"),
            (
                "111122223333.dkr.ecr.eu-central-1.amazonaws.com.evil.example/users",
                "not in a registry of ECR",
            ),
            ("111122223333.dkr.ecr..amazonaws.com/users", "not in a registry of ECR"),
            (host, "names no repository"),
            (&format!("{host}/"), "names no repository"),
            (&format!("{host}/users:1.4.2"), "without a tag"),
            (&format!("{host}/Users"), "names no repository"),
            ("", "not in a registry of ECR"),
        ] {
            let error = ImageName::parse(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_looked_up_is_in_the_partition_of_the_region() {
        for (region, arn, link) in [
            ("eu-central-1", "arn:aws:", Some("https://eu-central-1.console.aws.amazon.com/ecr/")),
            ("cn-north-1", "arn:aws-cn:", Some("https://cn-north-1.console.amazonaws.cn/ecr/")),
            (
                "us-gov-west-1",
                "arn:aws-us-gov:",
                Some("https://us-gov-west-1.console.amazonaws-us-gov.com/ecr/"),
            ),
            ("us-isob-east-1", "arn:aws-iso-b:", None),
            ("eusc-de-east-1", "arn:aws-eusc:", None),
        ] {
            let registry = Registry { account: "111122223333".into(), region: region.into() };
            let found = registry.arn("users");
            assert!(found.starts_with(arn) && found.ends_with(":111122223333:repository/users"), "{found}");
            let found = registry.link("team/users", "sha256:0123");
            assert_eq!(found.is_some(), link.is_some(), "{region}");
            assert!(found.unwrap_or_default().starts_with(link.unwrap_or_default()), "{region}");
        }
    }
}
