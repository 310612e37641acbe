//! Rego in this process: compiled once, shared by all cores, each decision bounded in time.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use domain::instance::Instance;
use domain::policy::PolicyOutcome;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, LimitError, Value};

use crate::analysis::Analysis;
use crate::cache::{Cache, Epoch};
use crate::config::{PolicyConfig, PolicySource, RegoVersion};
use crate::error::PolicyError;
use crate::input::{Fingerprints, hour, input};
use crate::modules::{Module, PolicyText, revision_of};
use crate::outcome::interpret;
use crate::query::Query;

use crate::{PolicyEngine, RuleInfo};

/// How many instances one blocking task works through.
const CHUNK: usize = 256;
/// After this many decisions of one batch ran into the limit, the rest of the batch is not tried: a policy that is slow
/// on every instance would otherwise occupy all cores for as long as the fleet is large.
const LIMIT_HITS: u32 = 200;
/// Steps of the interpreter between two looks at the clock.
pub(crate) const CHECK_INTERVAL: NonZeroU32 = NonZeroU32::new(64).expect("64 is not zero");

/// Evaluates the built-in rules or those of a directory.
#[derive(Debug)]
pub struct RegoEngine {
    compiled: Arc<Compiled>,
    cache: Cache,
    fingerprints: Fingerprints,
    revision: String,
    description: &'static str,
    rules: Vec<RuleInfo>,
    unsupported: Option<String>,
}

impl RegoEngine {
    /// Reads and compiles the policy.
    pub fn load(config: &PolicyConfig) -> Result<RegoEngine, PolicyError> {
        if config.decision_limit_ms == 0 {
            return Err(PolicyError::Zero { key: "decision_limit_ms" });
        }
        let query = Query::parse(&config.query)?;
        let text = PolicyText::load(config)?;
        let mut engine = engine_of(&text.modules, text.rego_version)?;
        for (file, data) in &text.data {
            engine.add_data(Value::from(data.clone())).map_err(|error| PolicyError::Data {
                file: file.clone(),
                message: last_line(&error.to_string()),
            })?;
        }
        // Compiling here finds what is wrong with the policy before the first instance, and is shared by every clone.
        engine
            .compile_with_entrypoint(&query.text().into())
            .map_err(|error| entry_point_error(&engine, &query, &error))?;
        let analysis = Analysis::of(&mut engine, &query);
        let limit = Duration::from_millis(config.decision_limit_ms);
        engine.set_execution_timer_config(ExecutionTimerConfig { limit, check_interval: CHECK_INTERVAL });
        let revision = revision_of(&[text.revision(), query.text().to_owned()]);
        Ok(RegoEngine {
            description: match config.source()? {
                PolicySource::Directory(_) => "regorus (directory)",
                PolicySource::BuiltIn | PolicySource::Opa(_) => "regorus (built in)",
            },
            rules: analysis.rules,
            unsupported: analysis.unsupported,
            compiled: Arc::new(Compiled { engine, query, limit }),
            cache: Cache::default(),
            fingerprints: Fingerprints::default(),
            revision,
        })
    }
}

#[async_trait]
impl PolicyEngine for RegoEngine {
    async fn evaluate(&self, instances: &[&Instance], now: Timestamp) -> Vec<Arc<PolicyOutcome>> {
        if let Some(path) = &self.unsupported {
            let outcome = Arc::new(PolicyOutcome::UnsupportedInput { path: path.clone() });
            return vec![outcome; instances.len()];
        }
        let epoch = Epoch { revision: self.revision.clone(), hour: hour(now) };
        let fingerprints: Vec<u128> =
            instances.iter().map(|instance| self.fingerprints.of(instance)).collect();
        let mut outcomes = self.cache.get(&epoch, &fingerprints);
        let missing: Vec<usize> = (0..instances.len()).filter(|&index| outcomes[index].is_none()).collect();

        let limit_hits = Arc::new(AtomicU32::new(0));
        let tasks = missing.chunks(CHUNK).map(<[usize]>::to_vec).map(|indices| {
            let (compiled, limit_hits) = (self.compiled.clone(), limit_hits.clone());
            // The blocking pool needs values of its own; an instance is mostly shared text.
            let chunk: Vec<Instance> = indices.iter().map(|&index| instances[index].clone()).collect();
            async move {
                let decided =
                    tokio::task::spawn_blocking(move || compiled.decide_all(&chunk, now, &limit_hits)).await;
                (indices, decided)
            }
        });
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut decided = stream::iter(tasks).buffer_unordered(cores);
        while let Some((indices, chunk)) = decided.next().await {
            let chunk = chunk.unwrap_or_else(|failure| {
                tracing::error!(%failure, "policy evaluation stopped");
                let message =
                    "the policy evaluation stopped unexpectedly; the server's log has the cause".to_owned();
                vec![PolicyOutcome::Error { message }; indices.len()]
            });
            for (index, outcome) in indices.into_iter().zip(chunk) {
                outcomes[index] = Some(self.cache.put(&epoch, fingerprints[index], outcome));
            }
        }
        outcomes
            .into_iter()
            .map(|outcome| outcome.unwrap_or_else(|| Arc::new(PolicyOutcome::NotEvaluated)))
            .collect()
    }

    async fn refresh(&self) {}

    fn revision(&self) -> String {
        self.revision.clone()
    }

    fn rules(&self) -> Vec<RuleInfo> {
        self.rules.clone()
    }

    fn query(&self) -> &str {
        self.compiled.query.text()
    }

    fn description(&self) -> String {
        self.description.to_owned()
    }

    fn problem(&self) -> Option<String> {
        self.unsupported.as_deref().map(unsupported_problem)
    }
}

/// What makes a whole policy unusable, in a sentence.
pub(crate) fn unsupported_problem(path: &str) -> String {
    format!(
        "The policy reads {path}, which is not part of the input that is kept; no instance is judged by it."
    )
}

/// Parses modules in the given version of the language.
pub(crate) fn engine_of(modules: &[Module], version: RegoVersion) -> Result<Engine, PolicyError> {
    let mut engine = Engine::new();
    engine.set_rego_v0(version == RegoVersion::V0);
    // As OPA does: a builtin that fails leaves its expression undefined.
    engine.set_strict_builtin_errors(false);
    // Otherwise a policy's print() would reach standard error.
    engine.set_gather_prints(true);
    for module in modules {
        engine.add_policy(module.file.clone(), module.text.clone()).map_err(|error| rego_error(&error))?;
    }
    Ok(engine)
}

#[derive(Debug)]
struct Compiled {
    engine: Engine,
    query: Query,
    limit: Duration,
}

impl Compiled {
    fn decide_all(
        &self,
        instances: &[Instance],
        now: Timestamp,
        limit_hits: &AtomicU32,
    ) -> Vec<PolicyOutcome> {
        // A clone shares the compiled policy and owns what evaluation writes to.
        let mut engine = self.engine.clone();
        instances
            .iter()
            .map(|instance| {
                if limit_hits.load(Ordering::Relaxed) >= LIMIT_HITS {
                    let message = format!(
                        "not evaluated: the policy took longer than {} ms on {LIMIT_HITS} other instances",
                        self.limit.as_millis()
                    );
                    return PolicyOutcome::Error { message };
                }
                let decided = match self.decide(&mut engine, instance, now) {
                    // A busy machine may have taken the processor away: once more before it is held against the policy.
                    Err(Failure::TimeLimit) => self.decide(&mut engine, instance, now),
                    decided => decided,
                };
                decided.unwrap_or_else(|failure| {
                    // What an evaluation leaves behind that stopped half way must not reach the next instance.
                    engine = self.engine.clone();
                    if matches!(failure, Failure::TimeLimit) {
                        limit_hits.fetch_add(1, Ordering::Relaxed);
                    }
                    PolicyOutcome::Error { message: failure.message(self.limit) }
                })
            })
            .collect()
    }

    fn decide(
        &self,
        engine: &mut Engine,
        instance: &Instance,
        now: Timestamp,
    ) -> Result<PolicyOutcome, Failure> {
        engine.set_input(Value::from(input(instance, now)));
        let started = Instant::now();
        let value = engine.eval_rule(self.query.text().to_owned());
        // The interpreter may drop an error inside a function that another definition answers; the time is then over
        // all the same, and what was found may lack a violation.
        let too_long = started.elapsed() > self.limit;
        // Kept until they are taken, and nobody reads them.
        drop(engine.take_prints());
        match value {
            Err(error) => Err(Failure::of(&error)),
            Ok(_) if too_long => Err(Failure::TimeLimit),
            Ok(Value::Undefined) => Ok(PolicyOutcome::Undefined),
            Ok(Value::Set(violations)) if violations.is_empty() => Ok(PolicyOutcome::Pass),
            Ok(value) => {
                let value =
                    serde_json::to_value(&value).map_err(|error| Failure::Other(error.to_string()))?;
                Ok(interpret(&self.query, &value))
            }
        }
    }
}

enum Failure {
    TimeLimit,
    Other(String),
}

impl Failure {
    fn of(error: &anyhow::Error) -> Failure {
        let is_limit = error.chain().any(|cause| {
            matches!(cause.downcast_ref::<LimitError>(), Some(LimitError::TimeLimitExceeded { .. }))
        });
        // An error that crosses a function of the policy keeps its words only.
        if is_limit || error.to_string().contains("execution exceeded time limit") {
            return Failure::TimeLimit;
        }
        let (location, message) = located(&error.to_string());
        Failure::Other(match location {
            Some(location) => format!("{location}: {message}"),
            None => message,
        })
    }

    fn message(self, limit: Duration) -> String {
        match self {
            Failure::TimeLimit => {
                format!("the policy took longer than the limit of {} ms", limit.as_millis())
            }
            Failure::Other(message) => message,
        }
    }
}

fn rego_error(error: &anyhow::Error) -> PolicyError {
    let (location, message) = located(&error.to_string());
    PolicyError::Rego { location: location.unwrap_or_else(|| "the policy".to_owned()), message }
}

fn entry_point_error(engine: &Engine, query: &Query, error: &anyhow::Error) -> PolicyError {
    if !error.to_string().contains("not a valid rule path") {
        return rego_error(error);
    }
    let mut packages = engine.get_packages().unwrap_or_default();
    packages.sort();
    packages.dedup();
    let known = match packages.as_slice() {
        [] => "no package".to_owned(),
        [package] => format!("the package {package}"),
        packages => format!("the packages {}", packages.join(", ")),
    };
    PolicyError::QueryUnknown { query: query.text().to_owned(), known }
}

/// Takes the place (`file:line`) and the message out of the drawing that the interpreter makes of an error.
fn located(text: &str) -> (Option<String>, String) {
    let location = text.lines().find_map(|line| line.trim().strip_prefix("--> ")).map(|place| {
        // The column is of no use without the drawing.
        place.rsplit_once(':').map_or(place, |(file_and_line, _column)| file_and_line).to_owned()
    });
    (location, last_line(text))
}

fn last_line(text: &str) -> String {
    let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("unknown error").trim();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiled_policy_is_shared_between_threads() {
        fn assert_send_and_sync<T: Send + Sync>() {}
        assert_send_and_sync::<Engine>();
        assert_send_and_sync::<RegoEngine>();
    }

    #[test]
    fn an_error_is_one_line_with_its_place() {
        let text = "\n--> rules/a.rego:3:14\n  |\n3 | v contains x { }\n  |              ^\nerror: `if` keyword is required";
        assert_eq!(located(text), (Some("rules/a.rego:3".to_owned()), "`if` keyword is required".to_owned()));
        assert_eq!(located("not a valid rule path"), (None, "not a valid rule path".to_owned()));
        assert_eq!(located(""), (None, "unknown error".to_owned()));
    }
}
