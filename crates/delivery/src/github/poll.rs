//! A repository on GitHub that is looked at every few minutes: what webhooks tell, told again where one was missed.

mod check;
mod runs;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use self::runs::{Mark, Open};
use super::client::{Answer, Budget, GithubClient, with_query};
use super::error::GithubError;
use super::facts::{About, is_sound, pull_request_of};
use super::payload::{
    Deployment, DeploymentStatus, Listed, ListedCommit, PullRequest, PushedCommit, Tag, readable,
};
use crate::config::DeliveryConfig;
use crate::reader::{Checked, ReadError, Reader, Told};

/// How many commits and runs a page has. The same at each round, so that one in which nothing happened costs nothing.
const PAGE: &str = "30";
/// How far back the first round looks, and a later one that does not meet what is known.
const MOST_PAGES: usize = 4;
const MOST_TAG_PAGES: usize = 10;
/// What one round asks for at most, so that much that is new does not spend what others need.
const MOST_PULL_REQUESTS_A_ROUND: usize = 10;
/// How many commits wait for their pull request to be asked for.
const MOST_UNASKED: usize = 30;
/// After how many what is remembered is cut to what was seen last.
const MOST_REMEMBERED: usize = 5_000;

/// Reads one repository, for all services that are built from it.
pub struct GithubReader {
    client: GithubClient,
    config: Arc<DeliveryConfig>,
    repository: String,
    seen: Seen,
    /// What went wrong in a round that could tell something nevertheless: told at once after it.
    owed: Option<ReadError>,
}

/// What was told, so that it is not told again. All of it may be lost: what is told again is the same.
#[derive(Default)]
struct Seen {
    /// The answers that were taken in to their end, by their path, with their versions.
    complete: HashMap<String, u64>,
    commits: HashSet<(String, String)>,
    /// Commits whose title names no pull request, newest last.
    unasked: VecDeque<(String, String)>,
    runs: HashMap<u64, Mark>,
    /// The runs whose jobs are still to be read: those that go on, and those that ended since.
    open: BTreeMap<u64, Open>,
    tags: HashSet<(String, String)>,
    /// The deployments that have ended.
    deployments: BTreeSet<u64>,
    budget: Option<Budget>,
}

impl GithubReader {
    /// A reader of `repository` (`acme/shop`) for the services of the configuration that are built from it.
    pub fn new(client: GithubClient, config: Arc<DeliveryConfig>, repository: String) -> GithubReader {
        GithubReader { client, config, repository, seen: Seen::default(), owed: None }
    }

    fn branches(&self, about: &About<'_>) -> BTreeSet<String> {
        about.of_repository(&self.repository).map(|service| service.branch.clone()).collect()
    }

    /// Whether little is left of what may be asked, which is kept for the runs.
    fn is_low(&self, now: Timestamp) -> bool {
        self.seen.budget.is_some_and(|budget| budget.is_low() && budget.reset > now)
    }

    fn took<T>(&mut self, answer: Answer<T>) -> Answer<T> {
        self.seen.budget = answer.budget.or(self.seen.budget);
        answer
    }

    /// Reads everything that can be read, and answers what kept the rest from being read.
    async fn round(&mut self, about: &About<'_>, told: &mut Told) -> Result<(), GithubError> {
        let mut problem = None;
        let mut note = |outcome: Result<(), GithubError>| match outcome {
            Err(error) if error.is_of_all() => Err(error),
            Err(error) => {
                problem.get_or_insert(error);
                Ok(())
            }
            Ok(()) => Ok(()),
        };
        for branch in self.branches(about) {
            note(self.runs(about, &branch, told).await)?;
            if !self.is_low(about.now) {
                note(self.commits(about, &branch, told).await)?;
            }
        }
        if !self.is_low(about.now) {
            note(self.tags(about, told).await)?;
        }
        if self.config.github.deployments && !self.is_low(about.now) {
            note(self.deployments(about, told).await)?;
        }
        note(self.open_runs(about, told).await)?;
        note(self.pull_requests(about, told).await)?;
        problem.map_or(Ok(()), Err)
    }

    async fn commits(&mut self, about: &About<'_>, branch: &str, told: &mut Told) -> Result<(), GithubError> {
        let path = with_query("/commits", &[("sha", branch), ("per_page", PAGE)]);
        let first = match self.client.get::<Vec<Listed<ListedCommit>>>(&self.repository, &path).await {
            // A repository without a commit.
            Err(error) if error.status() == Some(409) => return Ok(()),
            outcome => outcome?,
        };
        let mut page = self.took(first);
        let version = page.version;
        if self.seen.complete.remove(&path) == Some(version) {
            self.seen.complete.insert(path, version);
            return Ok(());
        }
        let mut commits: Vec<PushedCommit> = Vec::new();
        for number in 1.. {
            let listed = readable(page.body, "commits").into_iter().map(PushedCommit::from);
            let before = commits.len();
            commits.extend(listed);
            let known = commits[before..]
                .iter()
                .any(|commit| self.seen.commits.contains(&(branch.to_owned(), commit.id.clone())));
            let Some(next) = page.next.filter(|_| !known && number < MOST_PAGES) else { break };
            let answer = self.client.next_once(&self.repository, &next).await?;
            page = self.took(answer);
        }
        if self.seen.commits.len() > MOST_REMEMBERED {
            self.seen.commits.clear();
        }
        // Oldest first: those that came last are asked for before older ones go.
        for commit in commits.iter().rev() {
            let key = (branch.to_owned(), commit.id.clone());
            if !self.seen.commits.insert(key.clone()) {
                continue;
            }
            told.facts.extend(about.commit(&self.repository, branch, commit));
            if pull_request_of(&commit.message).is_none() {
                self.seen.unasked.push_back(key);
            }
        }
        let excess = self.seen.unasked.len().saturating_sub(MOST_UNASKED);
        self.seen.unasked.drain(..excess);
        self.seen.complete.insert(path, version);
        Ok(())
    }

    /// Asks which pull request brought a commit that does not say it itself.
    async fn pull_requests(&mut self, about: &About<'_>, told: &mut Told) -> Result<(), GithubError> {
        for _ in 0..MOST_PULL_REQUESTS_A_ROUND {
            if self.is_low(about.now) {
                return Ok(());
            }
            let Some((branch, commit)) = self.seen.unasked.back().cloned() else { return Ok(()) };
            let path = format!("/commits/{commit}/pulls");
            let outcome = self.client.get_once::<Vec<Listed<PullRequest>>>(&self.repository, &path).await;
            // One that is refused by itself is not asked for at each round.
            if !outcome.as_ref().is_err_and(GithubError::is_of_all) {
                self.seen.unasked.pop_back();
            }
            let answer = self.took(outcome?);
            for pull_request in readable(answer.body, "pull requests") {
                // What brought it to another branch, or is still open, is another story.
                let is_its = pull_request.merge_commit_sha.as_deref() == Some(&commit)
                    && pull_request.base.reference == branch;
                if is_its {
                    told.facts.extend(about.pull_request(&self.repository, &pull_request));
                }
            }
        }
        Ok(())
    }

    async fn tags(&mut self, about: &About<'_>, told: &mut Told) -> Result<(), GithubError> {
        let path = "/tags?per_page=100";
        let answer = self.client.pages::<Vec<Listed<Tag>>>(&self.repository, path, MOST_TAG_PAGES).await?;
        let answer = self.took(answer);
        if !self.is_new(path.to_owned(), answer.version) {
            return Ok(());
        }
        let mut now = HashSet::new();
        for tag in answer.body.into_iter().flat_map(|page| readable(page, "tags")) {
            let key = (tag.name, tag.commit.sha);
            if !self.seen.tags.contains(&key) {
                told.images.extend(about.tag(&self.repository, &key.0, &key.1, None));
            }
            now.insert(key);
        }
        self.seen.tags = now;
        Ok(())
    }

    async fn deployments(&mut self, about: &About<'_>, told: &mut Told) -> Result<(), GithubError> {
        let path = with_query("/deployments", &[("per_page", PAGE)]);
        let answer = self.client.get::<Vec<Listed<Deployment>>>(&self.repository, &path).await?;
        let answer = self.took(answer);
        let deployments = readable(answer.body, "deployments");
        let listed: BTreeSet<u64> = deployments.iter().filter_map(|deployment| deployment.id).collect();
        self.seen.deployments.retain(|id| listed.contains(id));
        for deployment in deployments {
            let Some(id) = deployment.id.filter(|id| !self.seen.deployments.contains(id)) else { continue };
            if about.environment(&deployment).is_none() || self.is_low(about.now) {
                continue;
            }
            let path = format!("/deployments/{id}/statuses?per_page=30");
            let answer = self.client.get::<Vec<Listed<DeploymentStatus>>>(&self.repository, &path).await?;
            let answer = self.took(answer);
            let is_news = self.is_new(path.clone(), answer.version);
            for status in readable(answer.body, "deployment statuses") {
                if matches!(status.state.as_str(), "success" | "failure" | "error" | "inactive") {
                    self.seen.deployments.insert(id);
                }
                if is_news {
                    told.facts.extend(about.deployment_status(&self.repository, &deployment, &status));
                }
            }
            if self.seen.deployments.contains(&id) {
                self.seen.complete.remove(&path);
            }
        }
        Ok(())
    }

    /// Whether an answer has not been taken in yet.
    fn is_new(&mut self, path: String, version: u64) -> bool {
        self.seen.complete.insert(path, version) != Some(version)
    }
}

#[async_trait]
impl Reader for GithubReader {
    async fn read(&mut self, now: Timestamp) -> Result<Told, ReadError> {
        if let Some(error) = self.owed.take() {
            return Err(error);
        }
        let config = self.config.clone();
        let about = About { config: &config, now };
        let mut told = Told::default();
        let outcome = self.round(&about, &mut told).await;
        told.facts.retain(is_sound);
        match outcome {
            Err(error) if told.facts.is_empty() && told.images.is_empty() => {
                Err(ReadError { message: error.to_string(), retry_after: error.retry_after(now) })
            }
            Err(error) => {
                self.owed =
                    Some(ReadError { message: error.to_string(), retry_after: error.retry_after(now) });
                Ok(told)
            }
            Ok(()) => Ok(told),
        }
    }

    fn pause(&self) -> Duration {
        match self.owed {
            Some(_) => Duration::ZERO,
            None => self.config.github.poll_interval,
        }
    }

    async fn check(&mut self) -> Vec<Checked> {
        self.checks().await
    }
}
