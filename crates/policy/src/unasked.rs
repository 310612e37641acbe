//! No policy: for a command whose question has nothing to do with one, and which should not wait for it to be compiled.

use std::sync::Arc;

use async_trait::async_trait;
use domain::instance::Instance;
use domain::policy::PolicyOutcome;
use jiff::Timestamp;

use crate::{PolicyEngine, RuleInfo};

/// Evaluates nothing, which every outcome says.
#[derive(Debug)]
pub struct Unasked;

#[async_trait]
impl PolicyEngine for Unasked {
    async fn evaluate(&self, instances: &[&Instance], _now: Timestamp) -> Vec<Arc<PolicyOutcome>> {
        let not_evaluated = Arc::new(PolicyOutcome::NotEvaluated);
        vec![not_evaluated; instances.len()]
    }

    async fn refresh(&self) {}

    fn revision(&self) -> String {
        String::new()
    }

    fn rules(&self) -> Vec<RuleInfo> {
        Vec::new()
    }

    fn query(&self) -> &str {
        ""
    }

    fn description(&self) -> String {
        "no policy".into()
    }

    fn problem(&self) -> Option<String> {
        None
    }
}
