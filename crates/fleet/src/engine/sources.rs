//! Which account-regions there are: looked up at AWS, kept in the state with a client for each.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::instance::SourceKey;
use jiff::Timestamp;

use super::{Fleet, State};
use crate::aws::RegionClients;
use crate::discover::{self, Discovered};
use crate::error::{AwsError, FleetError};

impl Fleet {
    /// Looks up accounts and regions. What is no longer there leaves the view.
    pub(super) async fn discover(&self) -> Result<(), AwsError> {
        let accounts = discover::accounts(&self.aws, &self.config).await?;
        let discovered = discover::regions(&self.aws, &self.config, accounts).await;
        let now = Timestamp::now();
        {
            let mut state = self.state();
            let mut clients = BTreeMap::new();
            let mut keys = Vec::new();
            state.accounts.clear();
            for found in discovered {
                self.take_discovered(&mut state, found, now, &mut clients, &mut keys);
            }
            state.sources.retain(|key, _| keys.contains(key));
            state.clients = clients;
        }
        self.publish().await;
        Ok(())
    }

    fn take_discovered(
        &self,
        state: &mut State,
        found: Discovered,
        now: Timestamp,
        clients: &mut BTreeMap<SourceKey, Arc<RegionClients>>,
        keys: &mut Vec<SourceKey>,
    ) {
        let account = found.access.account.clone();
        let disabled = self.changes_disabled(&account);
        match &found.regions {
            Ok(regions) => {
                for region in regions {
                    let key = SourceKey::new(account.id.as_str(), region.as_str());
                    // Clients are kept: with them go their connections and what is left of their rate.
                    let known = state.clients.get(&key).cloned();
                    clients.insert(key.clone(), known.unwrap_or_else(|| found.access.region(region)));
                    state.source(&key, &account.alias).status.changes_disabled = disabled.clone();
                    keys.push(key);
                }
            }
            Err(error) => {
                let known: Vec<SourceKey> =
                    state.clients.keys().filter(|key| *key.account == *account.id).cloned().collect();
                if known.is_empty() {
                    let key = found.unreadable_key();
                    let data = state.source(&key, &account.alias);
                    data.status.last_attempt = Some(now);
                    data.status.error = Some(error.to_source_error());
                    keys.push(key);
                }
                // Regions that were known are read on: listing them may fail where reading them does not.
                for key in known {
                    if let Some(client) = state.clients.get(&key) {
                        clients.insert(key.clone(), client.clone());
                    }
                    keys.push(key);
                }
            }
        }
        state.accounts.insert(account.id.clone(), account);
    }

    /// Finds the sources without reading them: for a command that names its instance by a change.
    pub async fn find_sources(&self) -> Result<(), FleetError> {
        Ok(self.discover().await?)
    }
}
