//! Which services are followed: those that are configured, and those that a cluster's labels name.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::delivery::{EnvironmentName, ServiceName};
use store::SeenHere;

use crate::config::{DeliveryConfig, Service};
use crate::{Delivery, DeliveryError};

/// What is followed: in the order of the configuration, then what was found, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Services(Vec<Service>);

impl Services {
    pub(crate) fn configured(config: &DeliveryConfig) -> Services {
        Services(config.services.clone())
    }

    /// Those that are configured, and those of which something is seen.
    fn with_seen(config: &DeliveryConfig, seen: &[SeenHere]) -> Services {
        let mut services = config.services.clone();
        let seen: BTreeSet<&ServiceName> = seen.iter().map(|one| &one.place.service).collect();
        for name in seen {
            if config.service(name).is_none() {
                services.push(Service::new(name.clone()));
            }
        }
        Services(services)
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Service> {
        self.0.iter()
    }

    pub fn get(&self, name: &ServiceName) -> Option<&Service> {
        self.0.iter().find(|service| service.name == *name)
    }
}

impl Delivery {
    /// What is followed now.
    pub fn services(&self) -> Arc<Services> {
        self.services.load_full()
    }

    /// Follows what is seen beside what is configured.
    pub(crate) fn discover(&self, seen: &[SeenHere]) -> Arc<Services> {
        let services = Services::with_seen(&self.config, seen);
        if *self.services.load_full() != services {
            self.services.store(Arc::new(services));
        }
        self.services.load_full()
    }

    /// Whether a service and an environment are among those that are followed: a typing mistake in a pipeline must not become a
    /// service of its own.
    pub(crate) fn followed(
        &self,
        service: &ServiceName,
        environment: Option<&EnvironmentName>,
    ) -> Result<(), DeliveryError> {
        if self.services().get(service).is_none() {
            return Err(DeliveryError::UnknownService(service.clone()));
        }
        match environment {
            Some(environment) if !self.config.environments.names().contains(environment) => {
                Err(DeliveryError::UnknownEnvironment(environment.clone()))
            }
            _ => Ok(()),
        }
    }
}
