//! Where changes are: facts from every source, kept by the store, and the answers that follow from them.

mod answers;
pub mod assets;
pub mod cdevents;
mod config;
mod derive;
pub mod ecr;
mod error;
mod follow;
pub mod git;
pub mod github;
pub mod gitops;
pub mod images;
mod intake;
pub mod kubernetes;
pub mod reader;
mod readers;
pub mod report;
mod services;
mod sources;
mod telling;
mod views;

use std::fmt::Display;
use std::sync::Arc;

use arc_swap::ArcSwap;
use domain::delivery::Source;
use jiff::Timestamp;
use store::Store;

pub use answers::MOST_CHANGES;
pub use config::{ClusterArn, DeliveryConfig, EnvironmentRules, GithubAuth, GithubConfig, Secret, Service};
pub use error::DeliveryError;
pub use follow::Followed;
use intake::Intake;
pub use readers::{AwsAccess, readers};
use services::Services;
use sources::Sources;
pub use views::{Everything, Sight};

/// The delivery console of one installation. Clones share everything.
#[derive(Clone, Debug)]
pub struct Delivery {
    store: Store,
    config: Arc<DeliveryConfig>,
    sources: Arc<Sources>,
    intake: Arc<Intake>,
    services: Arc<ArcSwap<Services>>,
    forks: Arc<github::ForkRuns>,
}

impl Delivery {
    pub fn new(store: Store, config: DeliveryConfig) -> Delivery {
        let intake = Arc::new(Intake::new(store.clone()));
        let services = Arc::new(ArcSwap::from_pointee(Services::configured(&config)));
        Delivery {
            store,
            config: Arc::new(config),
            sources: Arc::default(),
            intake,
            services,
            forks: Arc::default(),
        }
    }

    pub fn config(&self) -> &DeliveryConfig {
        &self.config
    }

    /// A source was read, whether or not it told anything new.
    pub fn answered(&self, source: Source, now: Timestamp) {
        self.sources.told(source, now);
    }

    /// What a source told could not be taken in, or it could not be read.
    pub fn failed(&self, source: Source, now: Timestamp, problem: &impl Display) {
        self.sources.failed(source, now, problem.to_string());
    }
}
