//! What GitOps operations ask of the rest of the console: images in registries, and what the policy says of the nodes under them.

use std::sync::Arc;

use async_trait::async_trait;
use delivery::ecr::EcrImages;
use delivery::gitops::{Gitops, Surroundings};
use delivery::{ClusterArn, Delivery};
use domain::delivery::{ImageState, Place, ServiceName};
use domain::gitops::Verdict;
use domain::instance::{Instance, SourceKey};
use domain::source::SourceState;
use fleet::Fleet;
use jiff::Timestamp;
use policy::{Judgement, Promotion, PromotionGate};

use crate::command::CommandError;
use crate::config::Config;
use crate::readers::access;

/// The console around its GitOps operations.
struct Around {
    images: EcrImages,
    fleet: Arc<Fleet>,
    gate: PromotionGate,
}

/// Operations on the repositories that are configured.
///
/// # Errors
/// What of the configuration cannot be used.
pub(crate) async fn open(
    delivery: &Delivery,
    config: &Config,
    fleet: Arc<Fleet>,
) -> Result<Gitops, CommandError> {
    let access = access(config);
    let images = EcrImages::new(&access.settings, delivery.config().images(), &access.roles).await;
    let gate = PromotionGate::load(&config.policy).map_err(|error| CommandError::usage(error.to_string()))?;
    Gitops::new(delivery.clone(), Arc::new(Around { images, fleet, gate }))
        .map_err(|error| CommandError::usage(error.to_string()))
}

#[async_trait]
impl Surroundings for Around {
    async fn image(&self, service: &ServiceName, tag: &str) -> Result<Option<(ImageState, String)>, String> {
        self.images.tagged(service, tag).await
    }

    async fn policy(
        &self,
        place: &Place,
        tag: &str,
        cluster: &ClusterArn,
        now: Timestamp,
    ) -> (Verdict, String) {
        let view = self.fleet.view();
        let source = SourceKey::new(cluster.account.as_str(), cluster.region.as_str());
        let known = view
            .sources
            .get(&source)
            .is_some_and(|source| matches!(source.state, SourceState::Live | SourceState::Failing));
        let rows = view.index.rows().iter();
        let nodes: Vec<&Instance> = rows
            .map(|row| row.instance.as_ref())
            .filter(|instance| instance.key.source == source && is_node(instance, &cluster.name))
            .collect();
        let promotion = Promotion {
            service: place.service.as_str(),
            environment: place.environment.as_str(),
            tag,
            cluster: &cluster.name,
            nodes: &nodes,
            known,
        };
        match self.gate.judge(&promotion, now) {
            Judgement::Allowed => (
                Verdict::Passed,
                format!(
                    "The policy has nothing against it on the {} nodes of {}.",
                    nodes.len(),
                    cluster.name
                ),
            ),
            Judgement::Denied(why) => (Verdict::Refused, why.join(" ")),
            Judgement::Unknown(why) => (Verdict::Unknown, why.join(" ")),
        }
    }

    fn policy_revision(&self) -> String {
        self.gate.revision().to_owned()
    }
}

/// Whether an instance is a node of an EKS cluster, by the tags that EKS and the nodes' groups give it (EKS user guide, "Tag your
/// resources"; Kubernetes, "cluster ownership tag").
fn is_node(instance: &Instance, cluster: &str) -> bool {
    let owned = format!("kubernetes.io/cluster/{cluster}");
    !instance.state.is_terminal()
        && instance
            .tags
            .iter()
            .any(|tag| *tag.key == *owned || (&*tag.key == "eks:cluster-name" && &*tag.value == cluster))
}
