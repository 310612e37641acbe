//! Outcomes of instances that have not changed, for one revision of the policy and one hour of its clock.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use domain::policy::PolicyOutcome;
use jiff::Timestamp;

/// Past this many entries the cache starts over: a fleet several times the size that is planned for.
const CAPACITY: usize = 500_000;

/// What all entries have in common; entries of an earlier epoch are dropped as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Epoch {
    pub(crate) revision: String,
    pub(crate) hour: Timestamp,
}

#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    epoch: Option<Epoch>,
    outcomes: HashMap<u128, Arc<PolicyOutcome>>,
    /// Equal outcomes are held once: most of a fleet breaks the same rules in the same words.
    distinct: HashSet<Arc<PolicyOutcome>>,
}

impl Cache {
    /// The known outcome of each fingerprint.
    pub(crate) fn get(&self, epoch: &Epoch, fingerprints: &[u128]) -> Vec<Option<Arc<PolicyOutcome>>> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.epoch.as_ref() != Some(epoch) {
            *entries = Entries { epoch: Some(epoch.clone()), ..Entries::default() };
        }
        fingerprints.iter().map(|fingerprint| entries.outcomes.get(fingerprint).cloned()).collect()
    }

    /// Keeps an outcome that would be found again, and returns the shared copy.
    pub(crate) fn put(&self, epoch: &Epoch, fingerprint: u128, outcome: PolicyOutcome) -> Arc<PolicyOutcome> {
        if !is_final(&outcome) {
            return Arc::new(outcome);
        }
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.epoch.as_ref() != Some(epoch) {
            // Another batch has moved on in the meantime.
            return Arc::new(outcome);
        }
        if entries.outcomes.len() >= CAPACITY {
            entries.outcomes = HashMap::new();
            entries.distinct = HashSet::new();
        }
        let outcome = match entries.distinct.get(&outcome) {
            Some(known) => known.clone(),
            None => {
                let outcome = Arc::new(outcome);
                entries.distinct.insert(outcome.clone());
                outcome
            }
        };
        entries.outcomes.insert(fingerprint, outcome.clone());
        outcome
    }
}

/// Whether asking again would answer the same; failures are asked again.
fn is_final(outcome: &PolicyOutcome) -> bool {
    match outcome {
        PolicyOutcome::Pass | PolicyOutcome::Fail { .. } | PolicyOutcome::Undefined => true,
        PolicyOutcome::UnsupportedInput { .. }
        | PolicyOutcome::Error { .. }
        | PolicyOutcome::Unreachable { .. }
        | PolicyOutcome::NotEvaluated => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(revision: &str) -> Epoch {
        Epoch { revision: revision.to_owned(), hour: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn equal_outcomes_are_shared() {
        let cache = Cache::default();
        cache.get(&epoch("a"), &[]);
        let first = cache.put(&epoch("a"), 1, PolicyOutcome::Pass);
        let second = cache.put(&epoch("a"), 2, PolicyOutcome::Pass);
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(cache.get(&epoch("a"), &[1, 3]), [Some(first), None]);
    }

    #[test]
    fn another_revision_or_hour_starts_over() {
        let cache = Cache::default();
        cache.get(&epoch("a"), &[]);
        cache.put(&epoch("a"), 1, PolicyOutcome::Pass);
        assert_eq!(cache.get(&epoch("b"), &[1]), [None]);
        let later = Epoch { hour: "2026-01-01T01:00:00Z".parse().unwrap(), ..epoch("b") };
        cache.put(&epoch("b"), 1, PolicyOutcome::Pass);
        assert_eq!(cache.get(&later, &[1]), [None]);
    }

    #[test]
    fn an_outcome_of_an_overtaken_batch_is_not_kept() {
        let cache = Cache::default();
        cache.get(&epoch("b"), &[]);
        cache.put(&epoch("a"), 1, PolicyOutcome::Pass);
        assert_eq!(cache.get(&epoch("b"), &[1]), [None]);
    }

    #[test]
    fn failures_are_not_kept() {
        let cache = Cache::default();
        cache.get(&epoch("a"), &[]);
        cache.put(&epoch("a"), 1, PolicyOutcome::Error { message: "x".into() });
        cache.put(&epoch("a"), 2, PolicyOutcome::Unreachable { message: "x".into() });
        assert_eq!(cache.get(&epoch("a"), &[1, 2]), [None, None]);
    }
}
