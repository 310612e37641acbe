//! What the commands ask of: the fleet in this process, or a server with one.

use std::sync::Arc;

use app::api;
use domain::change::{Change, Plan};
use domain::instance::{Instance, InstanceKey, SourceKey};
use domain::list::{FleetRow, Sort};
use domain::policy::PolicyOutcome;
use domain::source::SourceStatus;
use domain::verdict::Verdict;
use domain::wire::{ListRow, MAX_LIST_LIMIT, PlanReport, UseReport};
use fleet::{Fleet, Requester};

use super::place::Place;
use super::{CommandError, local};
use crate::client::Client;

/// The fleet in this process, or a server with one.
pub(super) enum Backend {
    Here(Arc<Fleet>),
    Server(Client),
}

/// What a command is going to do, which decides what it needs open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Reads AWS, and asks the policy too or not.
    Read {
        policy: bool,
    },
    Change,
}

/// An instance that was looked for, under the alias that its account has.
pub(super) struct Found {
    pub(super) key: InstanceKey,
    pub(super) alias: String,
}

/// An instance as it is shown.
pub(super) struct Shown {
    pub(super) instance: Instance,
    pub(super) alias: String,
    pub(super) verdict: Verdict,
    /// The verdict in a sentence with its reason.
    pub(super) sentence: String,
    pub(super) policy: PolicyOutcome,
    /// Why IMDSv2 cannot be enforced now; `None` when it can be planned.
    pub(super) enforce_disabled: Option<String>,
}

impl Backend {
    /// Opens the fleet of this process for `purpose`; a server decides by itself what its caller may do.
    pub(super) async fn open(place: Place, purpose: Purpose) -> Result<Backend, CommandError> {
        let config = match place {
            Place::Server(client) => return Ok(Backend::Server(client)),
            Place::Here(config) => config,
        };
        Ok(Backend::Here(match purpose {
            Purpose::Read { policy: true } => local::open_without_store(&config).await?,
            Purpose::Read { policy: false } => local::open_without_policy(&config).await?,
            Purpose::Change => local::open_for_changes(&config).await?,
        }))
    }

    /// The instances with an id, in whichever accounts and regions.
    pub(super) async fn find_id(&self, instance_id: &str, policy: bool) -> Result<Vec<Found>, CommandError> {
        match self {
            Backend::Here(fleet) => {
                fleet.refresh(policy).await?;
                let view = fleet.view();
                let rows = view.index.find_id(instance_id);
                let found =
                    |row: &FleetRow| Found { key: row.instance.key.clone(), alias: row.alias.to_string() };
                Ok(rows.map(found).collect())
            }
            Backend::Server(client) => {
                // Anything else is no id, and might mean something in the query language.
                if !instance_id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
                    return Ok(Vec::new());
                }
                let rows = listed(client, &format!("id:{instance_id}"), Sort::default()).await?;
                let found = |row: ListRow| Found {
                    key: InstanceKey {
                        source: SourceKey { account: row.account.into(), region: row.region.into() },
                        instance_id: row.instance_id.into(),
                    },
                    alias: row.alias,
                };
                Ok(rows.into_iter().filter(|row| row.instance_id == instance_id).map(found).collect())
            }
        }
    }

    /// One instance with its verdict and policy results.
    pub(super) async fn show(&self, key: &InstanceKey) -> Result<Shown, CommandError> {
        match self {
            Backend::Here(fleet) => {
                let view = fleet.view();
                let row = view
                    .row(key)
                    .ok_or_else(|| CommandError::failed(format!("{key} vanished while it was read.")))?;
                Ok(Shown {
                    instance: row.instance.as_ref().clone(),
                    alias: row.alias.to_string(),
                    verdict: row.verdict,
                    sentence: row.verdict.sentence(&row.instance),
                    policy: row.policy.as_ref().clone(),
                    enforce_disabled: fleet.enforce_refusal(&row.instance).map(|refusal| refusal.to_string()),
                })
            }
            Backend::Server(client) => {
                let (account, region, instance_id) = parts(key);
                let detail = client.call(api::InstanceDetail { account, region, instance_id }).await?;
                Ok(Shown {
                    instance: detail.instance,
                    alias: detail.alias,
                    verdict: detail.verdict,
                    sentence: detail.sentence,
                    policy: detail.policy,
                    enforce_disabled: detail.enforce_disabled,
                })
            }
        }
    }

    /// Whether IMDSv1 was used on an instance over the last `days` days.
    pub(super) async fn verify(&self, key: &InstanceKey, days: u32) -> Result<UseReport, CommandError> {
        match self {
            Backend::Here(fleet) => Ok(fleet.verify(key, days).await?),
            Backend::Server(client) => {
                let (account, region, instance_id) = parts(key);
                Ok(client.call(api::VerifyUse { account, region, instance_id, days }).await?)
            }
        }
    }

    pub(super) async fn plan_enforce(
        &self,
        key: &InstanceKey,
        hop_limit: Option<u8>,
    ) -> Result<PlanReport, CommandError> {
        match self {
            Backend::Here(fleet) => Ok(fleet.plan_enforce(key, hop_limit).await?),
            Backend::Server(client) => {
                let (account, region, instance_id) = parts(key);
                Ok(client.call(api::PlanEnforce { account, region, instance_id, hop_limit }).await?)
            }
        }
    }

    pub(super) async fn plan_restore(&self, change_id: i64) -> Result<PlanReport, CommandError> {
        match self {
            Backend::Here(fleet) => {
                fleet.find_sources().await?;
                Ok(fleet.plan_restore(change_id).await?)
            }
            Backend::Server(client) => Ok(client.call(api::PlanRestore { change_id }).await?),
        }
    }

    /// Makes the planned change. The same `idempotency_key` twice is the same change.
    pub(super) async fn apply(
        &self,
        plan: Plan,
        reason: &str,
        idempotency_key: &str,
    ) -> Result<Change, CommandError> {
        match self {
            Backend::Here(fleet) => Ok(fleet
                .apply(plan, Requester::local(&local::local_operator()), reason, idempotency_key)
                .await?),
            Backend::Server(client) => {
                let (reason, idempotency_key) = (reason.to_owned(), idempotency_key.to_owned());
                Ok(client.call(api::ApplyPlan { plan, reason, idempotency_key }).await?)
            }
        }
    }

    /// A change as it stands.
    pub(super) async fn change(&self, id: i64) -> Result<Change, CommandError> {
        match self {
            Backend::Here(fleet) => Ok(fleet.change(id).await?),
            Backend::Server(client) => Ok(client.call(api::Change { id }).await?),
        }
    }

    /// The sources that could not be read: what was listed is not the whole fleet then.
    pub(super) async fn unread(&self) -> Result<Vec<SourceStatus>, CommandError> {
        let sources: Vec<SourceStatus> = match self {
            Backend::Here(fleet) => {
                fleet.view().sources.values().map(|source| source.status.clone()).collect()
            }
            Backend::Server(client) => {
                client.call(api::ListSources {}).await?.into_iter().map(|source| source.status).collect()
            }
        };
        Ok(sources.into_iter().filter(|source| source.error.is_some()).collect())
    }
}

/// All instances of a server that match, window by window. When the server has read the fleet again in between, windows of
/// different moments would miss some instances and have others twice: it begins again then.
pub(super) async fn listed(client: &Client, q: &str, sort: Sort) -> Result<Vec<ListRow>, CommandError> {
    /// A fleet that changes while it is listed is listed as it is in the end.
    const ATTEMPTS: usize = 5;
    let window = async |offset| {
        let (q, sort) = (q.to_owned(), sort.to_string());
        client.call(api::ListInstances { q, sort, offset, limit: MAX_LIST_LIMIT }).await
    };
    let mut rows = Vec::new();
    for _ in 0..ATTEMPTS {
        let first = window(0).await?;
        let (revision, matched) = (first.revision, first.matched);
        rows = first.rows;
        let mut same = true;
        while same && (rows.len() as u32) < matched {
            let next = window(rows.len() as u32).await?;
            same = next.revision == revision && !next.rows.is_empty();
            rows.extend(next.rows);
        }
        if same {
            return Ok(rows);
        }
    }
    Ok(rows)
}

fn parts(key: &InstanceKey) -> (String, String, String) {
    (key.source.account.to_string(), key.source.region.to_string(), key.instance_id.to_string())
}
