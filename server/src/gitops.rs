//! What GitOps operations ask of the rest of the console: images in registries, and what the policy says of the nodes under them.

use std::sync::Arc;

use async_trait::async_trait;
use delivery::ecr::EcrImages;
use delivery::gitops::{Gitops, Surroundings};
use delivery::{AwsAccess, ClusterArn, Delivery};
use domain::delivery::{ImageState, Place, ServiceName};
use domain::gitops::Verdict;
use fleet::Fleet;
use jiff::Timestamp;

use crate::command::CommandError;

/// The console around its GitOps operations.
struct Around {
    images: EcrImages,
    fleet: Arc<Fleet>,
}

/// Operations on the repositories that are configured.
///
/// # Errors
/// What of the configuration cannot be used.
pub(crate) async fn open(
    delivery: &Delivery,
    access: &AwsAccess,
    fleet: Arc<Fleet>,
) -> Result<Gitops, CommandError> {
    let images = EcrImages::new(&access.settings, delivery.config().images(), &access.roles).await;
    Gitops::new(delivery.clone(), Arc::new(Around { images, fleet }))
        .map_err(|error| CommandError::usage(error.to_string()))
}

#[async_trait]
impl Surroundings for Around {
    async fn image(&self, service: &ServiceName, tag: &str) -> Result<Option<(ImageState, String)>, String> {
        self.images.tagged(service, tag).await
    }

    async fn policy(&self, _: &Place, _: &str, cluster: &ClusterArn, _: Timestamp) -> (Verdict, String) {
        (Verdict::Unknown, format!("The nodes of {} are not known.", cluster.name))
    }

    fn policy_revision(&self) -> String {
        self.fleet.policy().revision()
    }
}
