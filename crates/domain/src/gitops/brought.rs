//! The commits that a tag brings, or takes back.

use serde::{Deserialize, Serialize};

use crate::delivery::{ChangeSummary, CommitSha, Place, is_newer};
use crate::time::Timestamp;

/// How many commits are named.
const NAMED: usize = 20;

/// What comes to a place with a tag, or goes from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brought {
    pub place: Place,
    /// Whether they go: the tag is of an earlier commit than the present one.
    pub goes_back: bool,
    /// Newest first.
    pub commits: Vec<BroughtCommit>,
    /// How many more there are.
    pub more: u32,
}

/// A commit that comes or goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BroughtCommit {
    pub commit: CommitSha,
    pub title: Option<String>,
    pub author: Option<String>,
    pub pull_request: Option<u32>,
    pub committed: Option<Timestamp>,
}

/// The commits of a service between the one that is at a place and the one that is to come, the newer of both among them; those that
/// are known to be on another branch than it do not count. `None` where the time of either is not known.
pub fn brought(
    place: &Place,
    changes: &[ChangeSummary],
    before: &CommitSha,
    after: &CommitSha,
) -> Option<Brought> {
    let known = |commit: &CommitSha| changes.iter().find(|change| change.commit == *commit);
    let (before, after) = (known(before)?, known(after)?);
    let key = |change: &'_ ChangeSummary| (change.committed, change.commit.clone());
    let comes_after = |one: &ChangeSummary, other: &ChangeSummary| {
        is_newer((one.committed, &one.commit), (other.committed, &other.commit))
    };
    let goes_back = comes_after(before, after)?;
    let (older, newer) = if goes_back { (after, before) } else { (before, after) };
    let mut between: Vec<&ChangeSummary> = changes
        .iter()
        .filter(|change| {
            comes_after(change, older) == Some(true) && comes_after(change, newer) == Some(false)
        })
        .filter(|change| {
            let branches = change.branch.as_ref().zip(newer.branch.as_ref());
            branches.is_none_or(|(one, other)| one == other)
        })
        .collect();
    between.sort_by_key(|change| std::cmp::Reverse(key(change)));
    let more = u32::try_from(between.len().saturating_sub(NAMED)).unwrap_or(u32::MAX);
    let commits = between.into_iter().take(NAMED).map(|change| BroughtCommit {
        commit: change.commit.clone(),
        title: change.title.clone(),
        author: change.author.clone(),
        pull_request: change.pull_request,
        committed: change.committed,
    });
    Some(Brought { place: place.clone(), goes_back, commits: commits.collect(), more })
}

impl Brought {
    /// What it is, in a few words: "3 commits come", "1 commit goes".
    pub fn headline(&self) -> String {
        let count = self.commits.len() + self.more as usize;
        let noun = if count == 1 { "commit" } else { "commits" };
        let verb = match (self.goes_back, count) {
            (true, 1) => "goes",
            (true, _) => "go",
            (false, 1) => "comes",
            (false, _) => "come",
        };
        format!("{count} {noun} {verb}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::tests::facts::{at, environment, service, sha};

    fn change(number: u32, branch: &str) -> ChangeSummary {
        ChangeSummary {
            service: service(),
            commit: sha(number),
            committed: Some(at(i64::from(number))),
            author: None,
            title: Some(format!("Change {number}")),
            branch: Some(branch.into()),
            pull_request: None,
            tag: None,
            digest: None,
            environments: Vec::new(),
        }
    }

    #[test]
    fn what_is_between_two_tags_comes_or_goes() {
        let place = Place { service: service(), environment: environment("prod") };
        let mut changes: Vec<ChangeSummary> = (1..=5).map(|number| change(number, "main")).collect();
        changes.push(change(40, "main"));
        changes[2].branch = Some("other".into());
        let titles = |before, after| {
            let brought = brought(&place, &changes, &sha(before), &sha(after))?;
            let titles: Vec<String> = brought.commits.iter().filter_map(|one| one.title.clone()).collect();
            Some((brought.headline(), titles.join(", ")))
        };
        assert_eq!(titles(1, 4), Some(("2 commits come".into(), "Change 4, Change 2".into())));
        assert_eq!(titles(4, 1), Some(("2 commits go".into(), "Change 4, Change 2".into())));
        assert_eq!(titles(4, 5), Some(("1 commit comes".into(), "Change 5".into())));
        assert_eq!(titles(5, 5), Some(("0 commits come".into(), String::new())));
        assert_eq!(titles(1, 9), None, "nothing is known of it");
        let many: Vec<ChangeSummary> = (1..=30).map(|number| change(number, "main")).collect();
        let all = brought(&place, &many, &sha(1), &sha(30)).unwrap();
        assert_eq!((all.commits.len(), all.more, all.headline().as_str()), (20, 9, "29 commits come"));
    }
}
