//! Who tells of changes, and when each was last heard of.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use domain::delivery::Source;
use jiff::Timestamp;

/// What is known of each source since this process began.
#[derive(Debug, Default)]
pub(crate) struct Sources(Mutex<BTreeMap<Source, Known>>);

/// What is known of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) last_told: Option<Timestamp>,
    /// When and why it was last refused, or last failed; later successes end it.
    pub(crate) problem: Option<(Timestamp, String)>,
}

impl Sources {
    /// A source told something that was taken in.
    pub(crate) fn told(&self, source: Source, now: Timestamp) {
        self.update(source, |known| *known = Known { last_told: Some(now), problem: None });
    }

    /// What a source told could not be taken in, or it could not be read.
    pub(crate) fn failed(&self, source: Source, now: Timestamp, problem: String) {
        self.update(source, |known| known.problem = Some((now, problem)));
    }

    pub(crate) fn known(&self) -> BTreeMap<Source, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn update(&self, source: Source, change: impl FnOnce(&mut Known)) {
        let mut sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(sources.entry(source).or_default());
    }
}
