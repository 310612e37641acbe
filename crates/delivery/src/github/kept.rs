//! Answers with their validators: one that did not change since costs nothing of what GitHub allows (GitHub, "Best practices for
//! using the REST API", conditional requests).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How much is kept at most, in bytes.
const MOST_BYTES: usize = 64 << 20;

/// Which answer: validators are of a token, so that one that was renewed begins anew.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) fingerprint: [u8; 8],
    pub(super) url: String,
    pub(super) accept: &'static str,
}

/// An answer as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeptAnswer {
    pub(super) etag: String,
    pub(super) version: u64,
    pub(super) body: Arc<[u8]>,
    /// Where the next page is, which a 304 does not say.
    pub(super) next: Option<String>,
}

/// The answers that were used last.
#[derive(Debug)]
pub(super) struct Kept {
    most_bytes: usize,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    by_key: HashMap<Key, (u64, KeptAnswer)>,
    bytes: usize,
    uses: u64,
}

impl Default for Kept {
    fn default() -> Kept {
        Kept { most_bytes: MOST_BYTES, entries: Mutex::default() }
    }
}

impl Kept {
    pub(super) fn get(&self, key: &Key) -> Option<KeptAnswer> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.uses += 1;
        let now = entries.uses;
        let (used, answer) = entries.by_key.get_mut(key)?;
        *used = now;
        Some(answer.clone())
    }

    pub(super) fn put(&self, key: Key, answer: KeptAnswer) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.uses += 1;
        let now = entries.uses;
        entries.remove(&key);
        entries.bytes += size(&key, &answer);
        entries.by_key.insert(key, (now, answer));
        while entries.bytes > self.most_bytes {
            let oldest = entries.by_key.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { break };
            entries.remove(&oldest);
        }
    }

    pub(super) fn remove(&self, key: &Key) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

impl Entries {
    fn remove(&mut self, key: &Key) {
        if let Some((_, answer)) = self.by_key.remove(key) {
            self.bytes -= size(key, &answer);
        }
    }
}

fn size(key: &Key, answer: &KeptAnswer) -> usize {
    key.url.len() + answer.body.len() + answer.etag.len() + answer.next.as_ref().map_or(0, String::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(fingerprint: u8, url: &str) -> Key {
        Key { fingerprint: [fingerprint; 8], url: url.into(), accept: "json" }
    }

    fn answer(length: usize) -> KeptAnswer {
        KeptAnswer { etag: String::new(), version: 0, body: vec![0; length].into(), next: None }
    }

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let kept = Kept { most_bytes: 10, ..Kept::default() };
        kept.put(key(0, "a"), answer(3));
        kept.put(key(0, "b"), answer(3));
        assert!(kept.get(&key(0, "a")).is_some());
        kept.put(key(0, "c"), answer(3));
        assert_eq!(["a", "b", "c"].map(|url| kept.get(&key(0, url)).is_some()), [true, false, true]);
        // One that is larger than all that may be kept is not kept, and what was replaced is not counted.
        kept.put(key(0, "a"), answer(30));
        assert_eq!(kept.get(&key(0, "a")), None);
        kept.put(key(0, "a"), answer(9));
        kept.put(key(0, "a"), answer(9));
        assert!(kept.get(&key(0, "a")).is_some());
        kept.remove(&key(0, "a"));
        assert_eq!(kept.entries.lock().unwrap().bytes, 0);
    }

    #[test]
    fn answers_are_of_a_token() {
        let kept = Kept::default();
        kept.put(key(1, "a"), answer(1));
        assert_eq!(kept.get(&key(2, "a")), None);
    }
}
