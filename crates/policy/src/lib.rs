//! Rego policies on instances: evaluated in process, or asked of an OPA server, behind one trait.

mod analysis;
mod cache;
mod config;
mod error;
mod input;
mod modules;
mod opa;
mod opa_api;
mod outcome;
mod place;
mod promotion;
mod query;
mod reads;
mod rego;
mod unasked;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use domain::instance::Instance;
use domain::policy::{PolicyOutcome, Severity};
use jiff::Timestamp;

pub use crate::config::{PolicyConfig, PolicySource, RegoVersion, Token};
pub use crate::error::PolicyError;
pub use crate::input::{KEPT_PATHS, input};
pub use crate::opa::OpaEngine;
pub use crate::promotion::{Judgement, Promotion, PromotionGate};
pub use crate::rego::RegoEngine;
pub use crate::unasked::Unasked;

/// What decides on instances. No engine ever turns a failure into a pass.
#[async_trait]
pub trait PolicyEngine: fmt::Debug + Send + Sync {
    /// One outcome per instance, in their order. Policies see `now` as the full hour before it; what did not change
    /// since an earlier call, under the same revision and within the same hour, is not evaluated again.
    async fn evaluate(&self, instances: &[&Instance], now: Timestamp) -> Vec<Arc<PolicyOutcome>>;

    /// Learns about a changed policy and checks that the engine answers; [`PolicyEngine::evaluate`] does so by itself.
    async fn refresh(&self);

    /// Names the policy, its data and the way it is asked: two outcomes compare when their revisions are equal.
    fn revision(&self) -> String;

    /// The rules of the active policy, as far as they are known.
    fn rules(&self) -> Vec<RuleInfo>;

    /// The path that is asked, such as `data.tollgate.imds.violations`.
    fn query(&self) -> &str;

    /// What evaluates, for a person: `regorus (built in)`, `OPA at http://opa:8181`.
    fn description(&self) -> String;

    /// What is wrong with the engine as a whole; `None` when it answers and reads only what is provided.
    fn problem(&self) -> Option<String>;
}

/// One rule of a policy, from its annotations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleInfo {
    /// The `rule` of the violations it finds.
    pub name: String,
    pub title: String,
    pub description: String,
    pub severity: Option<Severity>,
    /// The file, relative to the policy directory, or the policy's id on the OPA server.
    pub file: String,
    /// The whole text of the file.
    pub text: String,
}

/// Makes the engine that the configuration asks for. An OPA server need not be up yet.
pub fn open(config: &PolicyConfig) -> Result<Arc<dyn PolicyEngine>, PolicyError> {
    match config.source()? {
        PolicySource::BuiltIn | PolicySource::Directory(_) => Ok(Arc::new(RegoEngine::load(config)?)),
        PolicySource::Opa(url) => Ok(Arc::new(OpaEngine::new(&url, config)?)),
    }
}
