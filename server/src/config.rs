//! The configuration: flags over `TOLLGATE_*` variables over `tollgate.toml`, with each mistake told by its place and key.

mod auth;
mod delivery;
mod file;
mod keys;
mod layers;
mod sources;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ::delivery::DeliveryConfig;
use domain::delivery::ServiceName;
use fleet::config::{
    Account, AccountSelection, ChangesAllowed, DEFAULT_RETENTION, FleetConfig, Organization,
};
use ipnet::IpNet;
use jiff::SignedDuration;
#[cfg(test)]
use keys::KEYS;
pub(crate) use layers::{ConfigError, parse_duration};
use layers::{Layers, Section};
use policy::{PolicyConfig, RegoVersion, Token};
use publish::{Destination, HeaderRule};
use store::Retention;

use crate::auth::AuthConfig;

/// Everything the binary is told.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    /// The directory of the bundle; without one the server answers the API alone.
    pub(crate) site: Option<PathBuf>,
    /// Names besides the loopback ones that the server answers to.
    pub(crate) allowed_hosts: Vec<String>,
    /// TLS ends in front of the server, so browsers may be told to stay on it.
    pub(crate) behind_tls: bool,
    /// Whose word about a caller's address is taken.
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// How people sign in; without it only this machine may connect.
    pub(crate) auth: Option<AuthConfig>,
    pub(crate) log_format: LogFormat,
    pub(crate) database_url: String,
    pub(crate) fleet: FleetConfig,
    pub(crate) policy: PolicyConfig,
    pub(crate) webhooks: Vec<Webhook>,
    pub(crate) publish: PublishConfig,
    pub(crate) delivery: DeliveryConfig,
}

/// Where the page is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublishConfig {
    pub(crate) bucket: Option<String>,
    pub(crate) distribution: Option<String>,
    pub(crate) aws: aws::Settings,
    /// The service whose bundle it is; without one, deliveries are not told of it.
    pub(crate) service: Option<ServiceName>,
    /// With which headers `publish sync` has files served.
    pub(crate) rules: Vec<HeaderRule>,
}

impl PublishConfig {
    /// The bucket with its distribution, where one is named.
    pub(crate) fn destination(&self) -> Option<Destination> {
        Some(Destination { bucket: self.bucket.clone()?, distribution: self.distribution.clone() })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// A receiver of signed messages.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Webhook {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) secret: String,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook").field("name", &self.name).field("url", &self.url).finish_non_exhaustive()
    }
}

/// What the command line says of the configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags {
    /// The file that was named; `tollgate.toml` in the working directory is read where none was, if there is one.
    pub(crate) file: Option<PathBuf>,
    /// Values by key.
    pub(crate) values: Vec<(&'static str, String)>,
}

impl Flags {
    /// Whether the command line says nothing of the configuration.
    pub(crate) fn is_empty(&self) -> bool {
        self.file.is_none() && self.values.is_empty()
    }
}

impl Config {
    /// The configuration of this process.
    pub(crate) fn read(flags: Flags) -> Result<Config, ConfigError> {
        Config::load(flags, std::env::vars())
    }

    /// Reads the configuration.
    ///
    /// # Errors
    /// The first mistake: a file that cannot be read, an unknown key, or a value of the wrong type or out of range.
    pub(crate) fn load(
        flags: Flags,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Config, ConfigError> {
        let layers = Layers::read(flags, variables)?;
        let webhooks = webhooks(&layers)?;
        let mut fleet = fleet_config(&layers)?;
        fleet.alert_targets = webhooks.iter().map(|webhook| webhook.name.clone()).collect();
        let delivery = delivery::delivery_config(&layers)?;
        let config = Config {
            listen: layers.parsed("server.listen", "an address and port such as 127.0.0.1:3000")?,
            site: layers.text("server.site")?.map(PathBuf::from),
            allowed_hosts: layers.list("server.allowed_hosts")?,
            behind_tls: layers.boolean("server.behind_tls")?,
            trusted_proxies: trusted_proxies(&layers)?,
            auth: auth::auth_config(&layers, &fleet.accounts)?,
            log_format: layers
                .one_of("server.log_format", &[("text", LogFormat::Text), ("json", LogFormat::Json)])?,
            database_url: layers.text("database_url")?.map_or_else(default_database_url, Ok)?,
            fleet,
            policy: policy_config(&layers)?,
            publish: PublishConfig {
                bucket: layers.text("publish.bucket")?,
                distribution: layers.text("publish.distribution")?,
                aws: aws::Settings {
                    endpoint_url: layers.text("aws.endpoint_url")?,
                    profile: layers.text("aws.profile")?,
                    ..aws::Settings::default()
                },
                service: published_service(&layers, &delivery)?,
                rules: header_rules(&layers)?,
            },
            delivery,
            webhooks,
        };
        Ok(config)
    }
}

fn published_service(layers: &Layers, delivery: &DeliveryConfig) -> Result<Option<ServiceName>, ConfigError> {
    let Some(name) = layers.text("publish.service")? else { return Ok(None) };
    let followed = delivery.services.iter().map(|service| &service.name).find(|known| known.as_str() == name);
    let followed = followed.cloned().ok_or_else(|| {
        layers.invalid("publish.service", &format!("names {name:?}, which is none of [[services]]"))
    })?;
    Ok(Some(followed))
}

fn header_rules(layers: &Layers) -> Result<Vec<HeaderRule>, ConfigError> {
    let rule = |section: &Section<'_>| {
        section.only(&["files", "cache_control", "content_type"])?;
        Ok(HeaderRule {
            files: section.required("files")?,
            cache_control: section.text("cache_control")?,
            content_type: section.text("content_type")?,
        })
    };
    layers.sections("headers")?.iter().map(rule).collect()
}

fn trusted_proxies(layers: &Layers) -> Result<Vec<IpNet>, ConfigError> {
    let range = |text: &String| {
        let address = || text.parse::<std::net::IpAddr>().map(IpNet::from);
        text.parse::<IpNet>().or_else(|_| address()).map_err(|_| {
            let problem = format!("has {text:?}, which is no range of addresses such as 10.0.0.0/8");
            layers.invalid("server.trusted_proxies", &problem)
        })
    };
    layers.list("server.trusted_proxies")?.iter().map(range).collect()
}

fn fleet_config(layers: &Layers) -> Result<FleetConfig, ConfigError> {
    let refresh_interval =
        layers.duration("refresh_interval", Duration::from_secs(5)..=Duration::from_secs(86_400))?;
    let stale_after =
        layers.duration("stale_after", Duration::from_secs(10)..=Duration::from_secs(7 * 86_400))?;
    if stale_after < refresh_interval {
        return Err(
            layers.invalid("stale_after", "is shorter than refresh_interval, so every copy would be stale")
        );
    }
    let changes = if layers.boolean("read_only")? {
        ChangesAllowed::Never("This installation is read-only (read_only in its configuration).".into())
    } else if layers.boolean("aws.caller_may_change")? {
        ChangesAllowed::WithCallerCredentials
    } else {
        ChangesAllowed::WithWriterRole
    };
    Ok(FleetConfig {
        endpoint_url: layers.text("aws.endpoint_url")?,
        profile: layers.text("aws.profile")?,
        home_region: layers.text("aws.home_region")?,
        accounts: accounts(layers)?,
        regions: layers.list("regions")?,
        refresh_interval,
        stale_after: signed(stale_after),
        page_size: layers.integer("page_size", 5..=1_000)?,
        concurrency: layers.integer("concurrency", 1..=64)?,
        source_timeout: layers
            .duration("source_timeout", Duration::from_secs(1)..=Duration::from_secs(3_600))?,
        call_timeout: layers.duration("call_timeout", Duration::from_secs(1)..=Duration::from_secs(300))?,
        changes,
        retention: Retention {
            history: layers.days("retention.history")?,
            audit: layers.optional_days("retention.audit")?,
            facts: layers.days("retention.facts")?,
            ..DEFAULT_RETENTION
        },
        alert_targets: Vec::new(),
    })
}

fn policy_config(layers: &Layers) -> Result<PolicyConfig, ConfigError> {
    let directory = layers.text("policy.directory")?.map(PathBuf::from);
    let url = layers.text("policy.url")?;
    if directory.is_some() && url.is_some() {
        return Err(
            layers.invalid("policy.url", "cannot be combined with policy.directory: keep one of the two")
        );
    }
    let timeout = layers.duration("policy.timeout", Duration::from_secs(1)..=Duration::from_secs(60))?;
    Ok(PolicyConfig {
        directory,
        url,
        query: layers.text("policy.query")?.unwrap_or_else(|| PolicyConfig::DEFAULT_QUERY.to_owned()),
        rego_version: layers
            .one_of("policy.rego_version", &[("v1", RegoVersion::V1), ("v0", RegoVersion::V0)])?,
        regulated_accounts: layers.list("policy.regulated_accounts")?,
        timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
        concurrency: layers.integer("policy.concurrency", 1..=256)?.into(),
        token: layers.text("policy.token")?.map(Token::new),
        ..PolicyConfig::default()
    })
}

fn accounts(layers: &Layers) -> Result<AccountSelection, ConfigError> {
    let listed = layers.sections("accounts")?;
    let organization = layers.section("organization")?;
    if let (Some(_), Some(organization)) = (listed.first(), &organization) {
        return Err(
            organization.error("organization", "cannot be combined with [[accounts]]: keep one of the two")
        );
    }
    if let Some(section) = organization {
        section.only(&["reader_role_name", "writer_role_name", "external_id"])?;
        return Ok(AccountSelection::Organization(Organization {
            reader_role_name: section.required("reader_role_name")?,
            writer_role_name: section.text("writer_role_name")?,
            external_id: section.text("external_id")?,
        }));
    }
    if listed.is_empty() {
        return Ok(AccountSelection::Caller);
    }
    let mut accounts: Vec<Account> = Vec::with_capacity(listed.len());
    for section in listed {
        let account = account(&section)?;
        if accounts.iter().any(|known| known.id == account.id) {
            return Err(section.error("id", &format!("names account {} twice", account.id)));
        }
        accounts.push(account);
    }
    Ok(AccountSelection::Listed(accounts))
}

fn account(section: &Section<'_>) -> Result<Account, ConfigError> {
    section.only(&["id", "alias", "reader_role_arn", "writer_role_arn", "external_id"])?;
    let id = section.required("id")?;
    if id.len() != 12 || !id.chars().all(|digit| digit.is_ascii_digit()) {
        return Err(section.error("id", "is not a 12-digit account id in quotes"));
    }
    for key in ["reader_role_arn", "writer_role_arn"] {
        if let Some(arn) = section.text(key)?
            && !(arn.starts_with("arn:") && arn.contains(":role/"))
        {
            return Err(section.error(
                key,
                "is not the ARN of a role, such as arn:aws:iam::111111111111:role/tollgate-reader",
            ));
        }
    }
    Ok(Account {
        alias: section.text("alias")?.unwrap_or_else(|| id.clone()),
        reader_role_arn: section.text("reader_role_arn")?,
        writer_role_arn: section.text("writer_role_arn")?,
        external_id: section.text("external_id")?,
        id,
    })
}

fn webhooks(layers: &Layers) -> Result<Vec<Webhook>, ConfigError> {
    let mut webhooks = Vec::new();
    for section in layers.sections("webhooks")? {
        section.only(&["name", "url", "secret", "secret_variable"])?;
        let url = section.required("url")?;
        if !url.starts_with("https://") && !url.starts_with("http://") {
            return Err(section.error("url", "is not an http or https URL"));
        }
        let secret = match (section.text("secret")?, section.text("secret_variable")?) {
            (Some(secret), None) => secret,
            (None, Some(variable)) => layers.variable(&variable).ok_or_else(|| {
                section.error("secret_variable", &format!("names {variable}, which is not set"))
            })?,
            _ => return Err(section.error("secret", "or secret_variable is needed, and only one of them")),
        };
        if secret.len() < 16 {
            return Err(section.error("secret", "is shorter than 16 characters"));
        }
        webhooks.push(Webhook { name: section.required("name")?, url, secret });
    }
    Ok(webhooks)
}

fn signed(duration: Duration) -> SignedDuration {
    // The ranges above keep every duration far below what a signed one can hold.
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

/// A file below the user's data directory.
fn default_database_url() -> Result<String, ConfigError> {
    let data = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share")));
    match data {
        Some(data) => Ok(format!("sqlite://{}", data.join("tollgate/tollgate.db").display())),
        None => Err(ConfigError::new(
            "database_url is not set, and neither XDG_DATA_HOME nor HOME says where a database may be kept"
                .into(),
        )),
    }
}

#[cfg(test)]
mod tests;
