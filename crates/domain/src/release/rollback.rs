//! Whether a release can be made live again, why not, and what doing it sends.

use super::{LIVE, Live, ReleaseId};
use crate::time::Timestamp;

/// Nothing makes a release live for longer, in seconds: at most ten minutes are waited for other invalidations. What was begun
/// before is not going on any more.
const LONGEST_ACTIVATION: i64 = 15 * 60;

/// Why a release is not made live again, in words for the one who asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("It is live already.")]
    Live,
    #[error("{by} is making {release} live. Wait until that has ended.")]
    UnderWay { release: ReleaseId, by: String },
    #[error("Its files were deleted. Push its commit again instead.")]
    Gone,
    #[error("It was not live before. Push its commit instead.")]
    NeverLive,
    /// It was decided on something that is no longer so.
    #[error("{} is live by now, and {seen} was when you decided. Look at it and decide again.", named(.found))]
    Outdated { seen: ReleaseId, found: Option<ReleaseId> },
}

impl Live {
    /// What is served, or was before what is under way.
    pub fn last(&self) -> Option<&ReleaseId> {
        self.history.last().map(|activation| &activation.release)
    }

    /// Whether something was begun that nobody carries on any more.
    pub fn is_interrupted(&self, now: Timestamp) -> bool {
        let begun = self.under_way.as_ref().map(|activation| activation.at);
        begun.is_some_and(|begun| now.as_second() - begun.as_second() > LONGEST_ACTIVATION)
    }

    /// Why `target` cannot be made live again; `None` where it can. `is_there` says whether its record is.
    pub fn rollback_refusal(&self, target: &ReleaseId, is_there: bool, now: Timestamp) -> Option<Refusal> {
        let was_live = self.history.iter().any(|activation| activation.release == *target);
        match &self.under_way {
            None if self.last() == Some(target) => return Some(Refusal::Live),
            None => {}
            // The same once more carries on what was begun, whether it failed a moment ago or goes on.
            Some(begun) if begun.release == *target => return (!is_there).then_some(Refusal::Gone),
            Some(begun) if !self.is_interrupted(now) => {
                return Some(Refusal::UnderWay { release: begun.release.clone(), by: begun.by.clone() });
            }
            Some(_) => {}
        }
        match (is_there, was_live) {
            (false, _) => Some(Refusal::Gone),
            (true, false) => Some(Refusal::NeverLive),
            (true, true) => None,
        }
    }

    /// Why what was decided while `seen` was live is not done; `None` while it is.
    pub fn outdated(&self, seen: &ReleaseId) -> Option<Refusal> {
        let found = self.last();
        (found != Some(seen)).then(|| Refusal::Outdated { seen: seen.clone(), found: found.cloned() })
    }
}

/// The addresses that the distribution may have kept an answer for, of the files at the root of the site.
pub fn invalidated<'a>(root: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    std::iter::once("/".to_owned()).chain(root.into_iter().map(|path| ["/", path].concat())).collect()
}

/// What making a release live again sends, call by call.
pub fn calls(bucket: &str, distribution: Option<&str>, root: &[String]) -> Vec<String> {
    let put = |key: &str| ["s3:PutObject s3://", bucket, "/", key].concat();
    let mut calls = vec![put(LIVE)];
    calls.extend(root.iter().map(|path| put(path)));
    if let Some(distribution) = distribution {
        let paths = invalidated(root.iter().map(String::as_str)).join(" ");
        calls.push(["cloudfront:CreateInvalidation ", distribution, " ", &paths].concat());
    }
    calls.push(put(LIVE));
    calls
}

fn named(release: &Option<ReleaseId>) -> &str {
    release.as_ref().map_or("nothing", ReleaseId::as_str)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{activation, id, live};
    use super::*;

    /// Some minutes after midnight of a day.
    fn at(day: i64, minutes: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + day * 86_400 + minutes * 60).expect("a time")
    }

    #[test]
    fn what_was_live_and_is_still_there_can_be_live_again() {
        let live = live(&[(1, 0), (2, 1), (3, 2)]);
        let refusal = |target: u8, is_there| live.rollback_refusal(&id(target), is_there, at(3, 0));
        assert_eq!(refusal(1, true), None);
        assert_eq!(refusal(2, true), None);
        assert_eq!(refusal(3, true), Some(Refusal::Live));
        assert_eq!(refusal(1, false), Some(Refusal::Gone));
        assert_eq!(refusal(4, true), Some(Refusal::NeverLive));
        assert_eq!(refusal(4, false), Some(Refusal::Gone));
        let nothing = Live::default();
        assert_eq!(nothing.rollback_refusal(&id(1), true, at(0, 0)), Some(Refusal::NeverLive));
    }

    #[test]
    fn what_is_under_way_is_waited_for_until_it_can_only_be_interrupted() {
        let mut begun = live(&[(1, 0), (2, 1)]);
        begun.begin(activation(3, 2));
        let refusal = |target: u8, now| begun.rollback_refusal(&id(target), true, now);
        let waits = Some(Refusal::UnderWay { release: id(3), by: "ci".into() });
        for target in [1, 2] {
            assert_eq!(refusal(target, at(2, 15)), waits, "{target}");
            assert_eq!(refusal(target, at(2, 16)), None, "nobody knows whether {target} is live");
        }
        assert_eq!(refusal(3, at(2, 0)), None, "the same carries it on");
        assert_eq!(begun.rollback_refusal(&id(3), false, at(2, 0)), Some(Refusal::Gone));
        assert_eq!(refusal(4, at(2, 16)), Some(Refusal::NeverLive));
        assert!(!live(&[(1, 0)]).is_interrupted(at(100, 0)), "nothing is under way");
    }

    #[test]
    fn what_was_decided_on_an_old_view_is_refused() {
        let live = live(&[(1, 0), (2, 1)]);
        assert_eq!(live.outdated(&id(2)), None);
        let told = live.outdated(&id(1)).map(|refusal| refusal.to_string());
        assert_eq!(
            told.as_deref(),
            Some(
                "0000000000000002 is live by now, and 0000000000000001 was when you decided. Look at it and decide again."
            )
        );
        let told = Live::default().outdated(&id(1)).map(|refusal| refusal.to_string());
        assert!(told.is_some_and(|told| told.starts_with("nothing is live by now")));
    }

    #[test]
    fn the_calls_are_those_of_an_activation() {
        let root = ["index.html".to_owned(), "release.json".to_owned()];
        assert_eq!(
            calls("pages", Some("E1"), &root),
            [
                "s3:PutObject s3://pages/releases/live.json",
                "s3:PutObject s3://pages/index.html",
                "s3:PutObject s3://pages/release.json",
                "cloudfront:CreateInvalidation E1 / /index.html /release.json",
                "s3:PutObject s3://pages/releases/live.json",
            ]
        );
        assert_eq!(calls("pages", None, &root).len(), 4);
    }
}
