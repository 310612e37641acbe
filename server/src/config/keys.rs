//! Every key that has one value: its variable, its flag, its default and what it is for. The example file, the README's table
//! and the messages all follow this list.

/// One key of the configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// The path in `tollgate.toml`.
    pub(crate) path: &'static str,
    pub(crate) variable: &'static str,
    /// The long flag, where there is one.
    pub(crate) flag: Option<&'static str>,
    /// What is assumed where nothing is said; empty for none.
    pub(crate) default: &'static str,
    #[cfg_attr(not(test), expect(dead_code, reason = "the README's table is held to it"))]
    pub(crate) about: &'static str,
}

const fn key(
    path: &'static str,
    variable: &'static str,
    flag: Option<&'static str>,
    default: &'static str,
    about: &'static str,
) -> Key {
    Key { path, variable, flag, default, about }
}

pub(crate) const KEYS: &[Key] = &[
    key("server.listen", "TOLLGATE_LISTEN", Some("listen"), "127.0.0.1:3000", "address and port"),
    key("server.site", "TOLLGATE_SITE", Some("site"), "", "directory of the bundle"),
    key(
        "server.allowed_hosts",
        "TOLLGATE_ALLOWED_HOSTS",
        None,
        "",
        "names the server answers to besides loopback",
    ),
    key(
        "server.behind_tls",
        "TOLLGATE_BEHIND_TLS",
        None,
        "false",
        "TLS ends in front of the server: send HSTS",
    ),
    key(
        "server.trusted_proxies",
        "TOLLGATE_TRUSTED_PROXIES",
        None,
        "",
        "address ranges whose X-Forwarded-For is believed",
    ),
    key("server.log_format", "TOLLGATE_LOG_FORMAT", None, "text", "text or json"),
    key("auth.public_url", "TOLLGATE_PUBLIC_URL", None, "", "where browsers reach the console"),
    key(
        "auth.session_idle",
        "TOLLGATE_SESSION_IDLE",
        None,
        "12h",
        "a session that is not used for this long ends",
    ),
    key("auth.session_lifetime", "TOLLGATE_SESSION_LIFETIME", None, "7d", "a session ends after this long"),
    key("database_url", "TOLLGATE_DATABASE_URL", Some("database-url"), "", "sqlite:// or postgres:// URL"),
    key("read_only", "TOLLGATE_READ_ONLY", Some("read-only"), "false", "refuse every change"),
    key("regions", "TOLLGATE_REGIONS", Some("region"), "", "regions to read; all enabled ones where empty"),
    key("refresh_interval", "TOLLGATE_REFRESH_INTERVAL", None, "5m", "time between two reads of a source"),
    key("stale_after", "TOLLGATE_STALE_AFTER", None, "20m", "age at which a copy is no longer judged"),
    key(
        "page_size",
        "TOLLGATE_PAGE_SIZE",
        Some("page-size"),
        "250",
        "MaxResults of DescribeInstances, 5 to 1000",
    ),
    key("concurrency", "TOLLGATE_CONCURRENCY", None, "8", "sources read at the same time"),
    key(
        "source_timeout",
        "TOLLGATE_SOURCE_TIMEOUT",
        None,
        "2m",
        "longest read of one source, retries included",
    ),
    key("call_timeout", "TOLLGATE_CALL_TIMEOUT", None, "20s", "longest attempt at one AWS call"),
    key(
        "aws.endpoint_url",
        "TOLLGATE_ENDPOINT_URL",
        Some("endpoint-url"),
        "",
        "an API other than AWS itself",
    ),
    key("aws.profile", "TOLLGATE_PROFILE", Some("profile"), "", "profile of the AWS configuration"),
    key("aws.home_region", "TOLLGATE_HOME_REGION", None, "", "where STS and Organizations are asked"),
    key(
        "aws.caller_may_change",
        "TOLLGATE_CALLER_MAY_CHANGE",
        None,
        "false",
        "allow changes with the caller's own credentials",
    ),
    key("policy.directory", "TOLLGATE_POLICY_DIRECTORY", None, "", "Rego files instead of the built-in ones"),
    key("policy.url", "TOLLGATE_POLICY_URL", None, "", "an OPA server instead of evaluation in process"),
    key("policy.token", "TOLLGATE_POLICY_TOKEN", None, "", "bearer token for the OPA server"),
    key(
        "policy.query",
        "TOLLGATE_POLICY_QUERY",
        None,
        "data.tollgate.imds.violations",
        "the document that decides",
    ),
    key("policy.rego_version", "TOLLGATE_POLICY_REGO_VERSION", None, "v1", "v1 or v0"),
    key("policy.timeout", "TOLLGATE_POLICY_TIMEOUT", None, "2s", "longest answer of the OPA server"),
    key(
        "policy.concurrency",
        "TOLLGATE_POLICY_CONCURRENCY",
        None,
        "16",
        "questions to the OPA server at the same time",
    ),
    key(
        "policy.regulated_accounts",
        "TOLLGATE_POLICY_REGULATED_ACCOUNTS",
        None,
        "",
        "account ids in which instance metadata tags are restricted",
    ),
    key(
        "retention.history",
        "TOLLGATE_RETENTION_HISTORY",
        None,
        "365d",
        "how long the history of instances is kept",
    ),
    key(
        "retention.facts",
        "TOLLGATE_RETENTION_FACTS",
        None,
        "400d",
        "how long changes are kept of which nothing is told any more",
    ),
    key(
        "retention.audit",
        "TOLLGATE_RETENTION_AUDIT",
        None,
        "",
        "how long the audit log is kept; for good where empty",
    ),
    key(
        "delivery.environments",
        "TOLLGATE_DELIVERY_ENVIRONMENTS",
        None,
        "",
        "environments, in the order that changes pass through them",
    ),
    key(
        "delivery.stale_after",
        "TOLLGATE_DELIVERY_STALE_AFTER",
        None,
        "15m",
        "age at which what was seen of an environment no longer counts",
    ),
    key(
        "delivery.github_webhook_secret",
        "TOLLGATE_DELIVERY_GITHUB_WEBHOOK_SECRET",
        None,
        "",
        "what GitHub signs its webhooks with",
    ),
    key(
        "publish.bucket",
        "TOLLGATE_PUBLISH_BUCKET",
        Some("bucket"),
        "",
        "bucket that the page is published to",
    ),
    key(
        "publish.distribution",
        "TOLLGATE_PUBLISH_DISTRIBUTION",
        Some("distribution"),
        "",
        "CloudFront distribution in front of the bucket",
    ),
    key(
        "publish.service",
        "TOLLGATE_PUBLISH_SERVICE",
        None,
        "",
        "service whose static bundle it is, for its timeline",
    ),
];
