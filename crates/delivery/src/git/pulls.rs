//! Pull requests on GitHub that change a tag.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use domain::delivery::{BumpPullRequest, Checks, PullRequestState, Review, Seen, Sighting, fitting};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::effective::Effective;
use super::github::Github;
use super::history::{self, of_place};
use super::places::Layout;
use crate::github::{GithubError, with_query};
use crate::reader::ReadError;

/// For how long one that is closed is still told.
const CLOSED_FOR: SignedDuration = SignedDuration::from_hours(24);
/// Of how many open ones reviews and checks are asked for.
const MOST_ASKED: usize = 30;

/// The pull requests against one branch.
pub(super) struct Pulls {
    repository: Arc<Github>,
    branch: String,
    /// What each changes, by its number and its head: that does not change.
    bumps: HashMap<(u32, String), Arc<[Bump]>>,
    /// Whether it was said already that they must not be read.
    warned: bool,
}

/// A tag that a pull request sets.
struct Bump {
    /// The number of the place in the layout.
    place: usize,
    tag: String,
}

impl Pulls {
    pub(super) fn new(repository: Arc<Github>, branch: String) -> Pulls {
        Pulls { repository, branch, bumps: HashMap::new(), warned: false }
    }

    /// What is open, and what was closed lately. Without the permission to read pull requests there are none: tags are told all the
    /// same.
    pub(super) async fn read(&mut self, layout: &Layout, now: Timestamp) -> Result<Vec<Sighting>, ReadError> {
        let pulls = match self.list(now).await {
            Ok(pulls) => pulls,
            Err(error) if matches!(error.status(), Some(403 | 404)) => {
                if !self.warned {
                    tracing::warn!(%error, "pull requests are left out");
                }
                self.warned = true;
                return Ok(Vec::new());
            }
            Err(error) => return Err(error.into()),
        };
        self.warned = false;
        let mut sightings = Vec::new();
        let mut asked = 0;
        let mut current = HashMap::new();
        for pull in pulls {
            let key = (pull.number, pull.head.sha.clone());
            let bumps = match self.bumps.get(&key) {
                Some(bumps) => bumps.clone(),
                None => self.bumps_of(layout, &pull).await?.into(),
            };
            // At once, so that what was learned is not asked for again where a later one fails.
            self.bumps.insert(key.clone(), bumps.clone());
            current.insert(key, bumps.clone());
            if bumps.is_empty() {
                continue;
            }
            let state = pull.state();
            let (review, checks) = match state {
                PullRequestState::Open if asked < MOST_ASKED => {
                    asked += 1;
                    let repository = self.repository.as_ref();
                    (review_of(repository, &pull).await?, checks_of(repository, &pull).await?)
                }
                PullRequestState::Open | PullRequestState::Merged | PullRequestState::Closed => {
                    (Review::Unknown, Checks::Unknown)
                }
            };
            for bump in bumps.iter() {
                let place = &layout.tracked[bump.place].place;
                let seen = BumpPullRequest {
                    number: pull.number,
                    link: pull.html_url.clone(),
                    tag: Some(bump.tag.clone()),
                    state,
                    review,
                    checks: checks.clone(),
                };
                sightings.push(Sighting {
                    subject: format!("pull/{}#{}/{}", pull.number, place.service, place.environment),
                    place: Some(place.clone()),
                    seen: Seen::Bump(seen),
                });
            }
        }
        self.bumps = current;
        Ok(sightings)
    }

    /// How many are open, for whoever checks whether they can be read.
    pub(super) async fn check(&self, now: Timestamp) -> Result<usize, GithubError> {
        let pulls = self.list(now).await?;
        Ok(pulls.iter().filter(|pull| pull.state() == PullRequestState::Open).count())
    }

    async fn list(&self, now: Timestamp) -> Result<Vec<Pull>, GithubError> {
        let mut all: Vec<Pull> = self.page("open", "100").await?;
        let closed: Vec<Pull> = self.page("closed", "30").await?;
        let since = now.saturating_sub(CLOSED_FOR).unwrap_or(Timestamp::MIN);
        all.extend(closed.into_iter().filter(|pull| pull.closed_at.is_some_and(|closed| closed >= since)));
        // One that is closed between the two questions is in both.
        let mut numbers = BTreeSet::new();
        all.reverse();
        all.retain(|pull| numbers.insert(pull.number));
        all.sort_by_key(|pull| std::cmp::Reverse(pull.number));
        Ok(all)
    }

    async fn page(&self, state: &str, size: &str) -> Result<Vec<Pull>, GithubError> {
        let pairs = [
            ("state", state),
            ("base", self.branch.as_str()),
            ("sort", "updated"),
            ("direction", "desc"),
            ("per_page", size),
        ];
        self.get(&with_query("/pulls", &pairs)).await
    }

    async fn get<T: DeserializeOwned>(&self, question: &str) -> Result<T, GithubError> {
        Ok(self.repository.client().get(self.repository.name(), question).await?.body)
    }

    /// The tags that differ between a pull request's head and where it branched off: what came onto the branch since is none of
    /// its doing.
    async fn bumps_of(&self, layout: &Layout, pull: &Pull) -> Result<Vec<Bump>, ReadError> {
        let compared = match self.repository.compare(&pull.base.sha, &pull.head.sha).await {
            Ok(compared) => compared,
            // Its fork is gone, and its commits with it.
            Err(error) if error.status() == Some(404) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let touched: BTreeSet<String> = compared.files.intersection(&layout.paths()).cloned().collect();
        let places: BTreeSet<usize> =
            touched.iter().flat_map(|path| &layout.by_path[path]).copied().collect();
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let files = places.iter().flat_map(|place| &layout.tracked[*place].files);
        let paths = files.map(|file| file.path.clone()).collect();
        let repository = self.repository.as_ref();
        let mut readings = history::nothing(layout);
        history::update(repository, layout, &compared.merge_base, &paths, &mut readings).await?;
        let before = readings.clone();
        history::update(repository, layout, &pull.head.sha, &touched, &mut readings).await?;
        let bump = |place: usize| match (of_place(layout, &before, place), of_place(layout, &readings, place))
        {
            (Effective::Set(before), Effective::Set(after)) if before.tag == after.tag => None,
            (_, Effective::Set(after)) => Some(Bump { place, tag: after.tag }),
            (_, Effective::Missing | Effective::Unset { .. } | Effective::Unreadable { .. }) => None,
        };
        Ok(places.into_iter().filter_map(bump).collect())
    }
}

/// What reviewers say; nothing is known without the permission to read it.
pub(crate) async fn review_of(repository: &Github, pull: &Pull) -> Result<Review, ReadError> {
    let question = format!("/pulls/{}/reviews?per_page=100", pull.number);
    match repository.client().pages::<Vec<PullReview>>(repository.name(), &question, 3).await {
        Ok(answer) => Ok(review(pull, &answer.body.into_iter().flatten().collect::<Vec<_>>())),
        Err(error) if matches!(error.status(), Some(403 | 404)) => Ok(Review::Unknown),
        Err(error) => Err(error.into()),
    }
}

/// What checks say; nothing is known without the permission to read it.
pub(crate) async fn checks_of(repository: &Github, pull: &Pull) -> Result<Checks, ReadError> {
    let question = format!("/commits/{}/check-runs?per_page=100", pull.head.sha);
    match repository.client().get::<CheckRuns>(repository.name(), &question).await {
        Ok(answer) => Ok(checks(&answer.body.check_runs)),
        Err(error) if matches!(error.status(), Some(403 | 404)) => Ok(Checks::Unknown),
        Err(error) => Err(error.into()),
    }
}

/// What reviewers say together: of each the last word counts, and one that is still asked for has not said it.
fn review(pull: &Pull, reviews: &[PullReview]) -> Review {
    let mut words: HashMap<&str, Review> = HashMap::new();
    for review in reviews {
        let who = review.user.as_ref().map_or("", |user| user.login.as_str());
        match review.state.as_str() {
            "APPROVED" => words.insert(who, Review::Approved),
            "CHANGES_REQUESTED" => words.insert(who, Review::ChangesRequested),
            "DISMISSED" => words.remove(who),
            // `COMMENTED` and `PENDING` leave what was said before as it is.
            _ => None,
        };
    }
    if words.values().any(|word| *word == Review::ChangesRequested) {
        Review::ChangesRequested
    } else if !pull.requested_reviewers.is_empty() || !pull.requested_teams.is_empty() {
        Review::Required
    } else if words.values().any(|word| *word == Review::Approved) {
        Review::Approved
    } else {
        Review::Unknown
    }
}

/// What checks say together. Without any there may be some to come, or none at all.
fn checks(runs: &[CheckRun]) -> Checks {
    let failed = |run: &&CheckRun| {
        matches!(
            run.conclusion.as_deref(),
            Some("failure" | "timed_out" | "cancelled" | "action_required" | "startup_failure" | "stale")
        )
    };
    let passed =
        |run: &CheckRun| matches!(run.conclusion.as_deref(), Some("success" | "neutral" | "skipped"));
    if let Some(run) = runs.iter().find(failed) {
        Checks::Failing(fitting(&run.name).unwrap_or_default())
    } else if runs.iter().any(|run| run.status != "completed") {
        Checks::Running
    } else if !runs.is_empty() && runs.iter().all(passed) {
        Checks::Passing
    } else {
        Checks::Unknown
    }
}

#[derive(Deserialize)]
pub(crate) struct Pull {
    pub number: u32,
    #[serde(default)]
    pub html_url: Option<String>,
    #[serde(default)]
    state: String,
    #[serde(default)]
    pub merged_at: Option<Timestamp>,
    #[serde(default)]
    closed_at: Option<Timestamp>,
    pub head: End,
    base: End,
    #[serde(default)]
    requested_reviewers: Vec<Requested>,
    #[serde(default)]
    requested_teams: Vec<Requested>,
}

/// An end of a pull request.
#[derive(Deserialize)]
pub(crate) struct End {
    pub sha: String,
}

/// Who is asked for a review.
#[derive(Deserialize)]
struct Requested {
    #[serde(default, alias = "slug")]
    login: String,
}

impl Pull {
    /// Whether a login or a team, as `organization/team`, is asked for a review and has not given it.
    pub(crate) fn is_asked(&self, who: &str) -> bool {
        let (among, name) = match who.split_once('/') {
            Some((_, team)) => (&self.requested_teams, team),
            None => (&self.requested_reviewers, who),
        };
        among.iter().any(|asked| asked.login.eq_ignore_ascii_case(name))
    }

    pub(crate) fn state(&self) -> PullRequestState {
        match (self.merged_at, self.state.as_str()) {
            (Some(_), _) => PullRequestState::Merged,
            (None, "closed") => PullRequestState::Closed,
            (None, _) => PullRequestState::Open,
        }
    }
}

#[derive(Deserialize)]
struct PullReview {
    #[serde(default)]
    user: Option<User>,
    #[serde(default)]
    state: String,
}

#[derive(Deserialize)]
struct User {
    login: String,
}

#[derive(Deserialize)]
struct CheckRuns {
    #[serde(default)]
    check_runs: Vec<CheckRun>,
}

#[derive(Deserialize)]
struct CheckRun {
    #[serde(default)]
    name: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    conclusion: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pull(more: serde_json::Value) -> Pull {
        let mut pull = json!({"number": 1, "head": {"sha": "a"}, "base": {"sha": "b"}});
        pull.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(pull).unwrap()
    }

    #[test]
    fn the_last_word_of_each_reviewer_counts() {
        let said = |words: &[(&str, &str)], asked: usize| {
            let reviews: Vec<PullReview> = words
                .iter()
                .map(|(who, state)| {
                    serde_json::from_value(json!({"user": {"login": who}, "state": state})).unwrap()
                })
                .collect();
            review(&pull(json!({"requested_reviewers": vec![json!({"login": "x"}); asked]})), &reviews)
        };
        assert_eq!(said(&[], 0), Review::Unknown);
        assert_eq!(said(&[], 1), Review::Required);
        assert_eq!(said(&[("a", "APPROVED")], 0), Review::Approved);
        assert_eq!(said(&[("a", "APPROVED")], 1), Review::Required);
        assert_eq!(said(&[("a", "APPROVED"), ("b", "CHANGES_REQUESTED")], 1), Review::ChangesRequested);
        assert_eq!(said(&[("a", "CHANGES_REQUESTED"), ("a", "APPROVED")], 0), Review::Approved);
        assert_eq!(said(&[("a", "APPROVED"), ("a", "COMMENTED")], 0), Review::Approved);
        assert_eq!(said(&[("a", "CHANGES_REQUESTED"), ("a", "DISMISSED")], 0), Review::Unknown);
        assert_eq!(said(&[("a", "PENDING"), ("b", "SOMETHING_NEW")], 0), Review::Unknown);
        let of_nobody: PullReview =
            serde_json::from_value(json!({"user": null, "state": "APPROVED"})).unwrap();
        assert_eq!(review(&pull(json!({})), &[of_nobody]), Review::Approved);
    }

    #[test]
    fn the_worst_check_counts() {
        let said = |runs: &[(&str, Option<&str>)]| {
            let runs: Vec<CheckRun> = runs
                .iter()
                .map(|(status, conclusion)| {
                    serde_json::from_value(
                        json!({"name": "lint", "status": status, "conclusion": conclusion}),
                    )
                    .unwrap()
                })
                .collect();
            checks(&runs)
        };
        let done = |word| ("completed", Some(word));
        assert_eq!(said(&[]), Checks::Unknown);
        assert_eq!(said(&[done("success"), done("skipped"), done("neutral")]), Checks::Passing);
        assert_eq!(said(&[done("success"), ("in_progress", None)]), Checks::Running);
        assert_eq!(said(&[("queued", None)]), Checks::Running);
        for word in ["failure", "timed_out", "cancelled", "action_required", "startup_failure", "stale"] {
            assert_eq!(said(&[("queued", None), done(word)]), Checks::Failing("lint".into()), "{word}");
        }
        assert_eq!(said(&[done("success"), done("something_new")]), Checks::Unknown);
    }

    #[test]
    fn a_state_is_read_as_github_tells_it() {
        assert_eq!(pull(json!({"state": "open"})).state(), PullRequestState::Open);
        assert_eq!(pull(json!({"state": "closed"})).state(), PullRequestState::Closed);
        let merged = json!({"state": "closed", "merged_at": "2026-11-21T10:00:00Z"});
        assert_eq!(pull(merged).state(), PullRequestState::Merged);
    }
}
