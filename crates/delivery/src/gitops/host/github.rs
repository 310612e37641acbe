//! Pull requests on GitHub. Every step looks first at what is there, so that one that was broken off is taken up where it ended, and
//! what was put on a branch by others is never written over.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::delivery::PullRequestState;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::{Entry, Host, HostError, Merged, Opened, Proposal, RequestSeen};
use crate::git::github::Github;
use crate::git::pulls::{self, Pull};
use crate::git::repository::Repository;
use crate::github::{GithubClient, GithubError, with_query};

/// How often what others do at the same moment is looked at anew.
const MOST_ATTEMPTS: usize = 5;
/// By GraphQL, a branch that is not there.
const NOTHING: &str = "0000000000000000000000000000000000000000";

/// A repository on GitHub. It needs the permissions contents: write and pull requests: write.
pub struct GithubHost {
    repository: Github,
    /// The base branch.
    branch: String,
}

impl GithubHost {
    /// `name` is `owner/name`.
    pub fn new(client: GithubClient, name: String, branch: String) -> GithubHost {
        GithubHost { repository: Github::new(client, name), branch }
    }
}

#[async_trait]
impl Host for GithubHost {
    async fn head(&self) -> Result<String, HostError> {
        self.tip(&self.branch).await?.ok_or_else(|| {
            HostError::Refused(format!(
                "{} on GitHub has no branch {}, or the token must not see it (it needs contents: read): correct one or the other.",
                self.name(),
                self.branch
            ))
        })
    }

    async fn files(
        &self,
        revision: &str,
        paths: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, Entry>, HostError> {
        Ok(self.repository.files(revision, paths).await?)
    }

    async fn propose(&self, proposal: &Proposal) -> Result<Opened, HostError> {
        proposal.check()?;
        let found = self.find(&proposal.branch).await?;
        if let Some(ended) = found.as_ref().filter(|found| found.pull.state() != PullRequestState::Open) {
            return Ok(ended.opened(proposal, ended.pull.head.sha.clone(), Vec::new()));
        }
        self.request(proposal, found).await
    }

    async fn replan(&self, opened: &Opened, proposal: &Proposal) -> Result<Opened, HostError> {
        proposal.check()?;
        let found = self.pull(opened).await?;
        match found.pull.state() {
            PullRequestState::Open => self.request(proposal, Some(found)).await,
            PullRequestState::Merged => Err(HostError::Refused(format!(
                "Pull request #{} of {} is merged already: what is still to be changed needs another.",
                found.pull.number,
                self.name()
            ))),
            PullRequestState::Closed => Err(HostError::Refused(format!(
                "Pull request #{} of {} is closed: open it again, or make another.",
                found.pull.number,
                self.name()
            ))),
        }
    }

    async fn look(&self, opened: &Opened) -> Result<RequestSeen, HostError> {
        let found = self.pull(opened).await?;
        Ok(match (found.merged(), found.pull.state()) {
            (Some(merged), _) => RequestSeen::Merged(merged),
            (None, PullRequestState::Open) => RequestSeen::Open {
                head: found.pull.head.sha.clone(),
                mergeable: found.mergeable,
                review: pulls::review_of(&self.repository, &found.pull).await?,
                checks: pulls::checks_of(&self.repository, &found.pull).await?,
            },
            (None, PullRequestState::Merged | PullRequestState::Closed) => RequestSeen::Closed,
        })
    }

    async fn merge(&self, opened: &Opened) -> Result<Merged, HostError> {
        let before = self.pull(opened).await?;
        let merged = match before.merged() {
            Some(merged) => merged,
            None => self.merge_open(opened, &before).await?,
        };
        self.clear(opened).await;
        Ok(merged)
    }

    async fn close(&self, opened: &Opened, why: &str) -> Result<(), HostError> {
        let found = self.pull(opened).await?;
        let number = found.pull.number;
        match found.pull.state() {
            PullRequestState::Merged => {
                return Err(HostError::Refused(format!(
                    "Pull request #{number} of {} cannot be closed: it is merged already. Revert it instead.",
                    self.name()
                )));
            }
            PullRequestState::Closed => {}
            PullRequestState::Open => {
                self.comment(&found.pull, &opened.branch, why).await?;
                let path = format!("/pulls/{number}");
                let closed = json!({"state": "closed"});
                let closed = self.client().patch::<IgnoredAny>(self.name(), &path, &closed).await;
                closed.map_err(|error| self.failed(&format!("close pull request #{number}"), error))?;
            }
        }
        self.clear(opened).await;
        Ok(())
    }
}

impl GithubHost {
    fn client(&self) -> &GithubClient {
        self.repository.client()
    }

    fn name(&self) -> &str {
        self.repository.name()
    }

    /// Has the request's branch hold the proposal, and the request be as the proposal says.
    async fn request(&self, proposal: &Proposal, found: Option<Found>) -> Result<Opened, HostError> {
        let head = self.hold(proposal).await?;
        let found = match found {
            Some(found) => self.retell(found, proposal).await?,
            None => self.open(proposal).await?,
        };
        let warnings = self.dress(&found, proposal).await?;
        Ok(found.opened(proposal, head, warnings))
    }

    /// Has the proposal's branch hold it, and answers the commit.
    async fn hold(&self, proposal: &Proposal) -> Result<String, HostError> {
        let mut attempt = 1;
        loop {
            let tips = self.tips(&proposal.branch).await?;
            let outcome = self.hold_from(&tips, proposal).await;
            // Somebody else did the same at this moment, perhaps for the same operation.
            let again = matches!(outcome, Err(HostError::Refused(_))) && attempt < MOST_ATTEMPTS;
            if !(again && self.tips(&proposal.branch).await? != tips) {
                return outcome;
            }
            attempt += 1;
        }
    }

    async fn hold_from(&self, tips: &Tips, proposal: &Proposal) -> Result<String, HostError> {
        let branch = proposal.branch.as_str();
        let tip = tips.branch.as_deref();
        let Some(tip) = tip.filter(|tip| *tip != proposal.base) else {
            return self.write(branch, tip, proposal).await;
        };
        match self.standing(tip, proposal).await? {
            Standing::Held => {
                // Left by somebody who did the same, and was later.
                if let Some(left) = &tips.aside {
                    match self.move_branches(&[(&aside(branch), left, NOTHING)]).await {
                        Ok(()) | Err(HostError::Refused(_)) => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(tip.to_owned())
            }
            // GitHub closes a request whose branch has nothing more than the base branch, be it for a moment: the new commit is made
            // aside, and takes the place of the old one at once.
            Standing::Ours => {
                let aside = aside(branch);
                let commit = match &tips.aside {
                    Some(commit) if matches!(self.standing(commit, proposal).await?, Standing::Held) => {
                        commit.clone()
                    }
                    other => self.write(&aside, other.as_deref(), proposal).await?,
                };
                self.move_branches(&[(branch, tip, &commit), (&aside, &commit, NOTHING)]).await?;
                Ok(commit)
            }
            Standing::Foreign => Err(HostError::Refused(format!(
                "Branch {branch} of {} is at {tip}, which is not of this operation: take that commit away from it, or close the request.",
                self.name()
            ))),
        }
    }

    /// Makes the commit on a branch, which begins at the base anew.
    async fn write(&self, branch: &str, tip: Option<&str>, proposal: &Proposal) -> Result<String, HostError> {
        let base = proposal.base.as_str();
        match tip {
            None => {
                let reference = json!({"ref": format!("refs/heads/{branch}"), "sha": base});
                let made = self.client().post::<IgnoredAny>(self.name(), "/git/refs", &reference);
                made.await.map_err(|error| self.failed(&format!("make branch {branch}"), error))?;
            }
            Some(tip) if tip == base => {}
            Some(tip) => self.move_branches(&[(branch, tip, base)]).await?,
        }
        let additions: Vec<_> = proposal
            .files
            .iter()
            .map(|(path, content)| json!({"path": path, "contents": STANDARD.encode(content)}))
            .collect();
        let input = json!({
            "branch": {"repositoryNameWithOwner": self.settings().await?.full_name, "branchName": branch},
            "expectedHeadOid": base,
            "message": {"headline": proposal.headline(), "body": proposal.message_body(true)},
            "fileChanges": {"additions": additions},
        });
        let made =
            self.client().mutate::<Committed>(self.name(), "createCommitOnBranch", &input, "commit { oid }");
        let made = made.await.map_err(|error| self.failed(&format!("commit to branch {branch}"), error))?;
        Ok(made.commit.oid)
    }

    /// Moves all of the branches, each from where it is, or none.
    async fn move_branches(&self, moves: &[(&str, &str, &str)]) -> Result<(), HostError> {
        let repository = self.settings().await?.node_id;
        let updates: Vec<_> = moves
            .iter()
            .map(|(branch, from, to)| {
                json!({"name": format!("refs/heads/{branch}"), "beforeOid": from, "afterOid": to, "force": true})
            })
            .collect();
        let input = json!({"repositoryId": repository, "refUpdates": updates});
        let moved = self.client().mutate::<IgnoredAny>(self.name(), "updateRefs", &input, "clientMutationId");
        let branches: Vec<&str> = moves.iter().map(|(branch, ..)| *branch).collect();
        moved
            .await
            .map_err(|error| self.failed(&format!("move branch {}", branches.join(" and ")), error))?;
        Ok(())
    }

    async fn settings(&self) -> Result<Settings, HostError> {
        let settings = self.client().get::<Settings>(self.name(), "").await;
        Ok(settings.map_err(|error| self.failed("read the repository's settings", error))?.body)
    }

    async fn standing(&self, revision: &str, proposal: &Proposal) -> Result<Standing, HostError> {
        let path = format!("/git/commits/{revision}");
        let commit = self.client().get_once::<Commit>(self.name(), &path).await;
        let commit = commit.map_err(|error| self.failed(&format!("read commit {revision}"), error))?.body;
        if !proposal.is_named_by(&commit.message) {
            // Made on an older base, and broken off before there was a commit: what is on the base branch is nobody's work.
            let compared = self.repository.compare(&self.branch, revision).await;
            let compared = compared.map_err(|error| self.failed(&format!("compare {revision}"), error))?;
            return Ok(if compared.merge_base == revision { Standing::Ours } else { Standing::Foreign });
        }
        let parents: Vec<&str> = commit.parents.iter().map(|parent| parent.sha.as_str()).collect();
        if parents != [proposal.base.as_str()] {
            return Ok(Standing::Ours);
        }
        let files = self.repository.files(revision, &proposal.paths()).await?;
        Ok(if proposal.has_files(&files) { Standing::Held } else { Standing::Ours })
    }

    /// The newest commit of a branch, where there is such a branch.
    async fn tip(&self, branch: &str) -> Result<Option<String>, HostError> {
        let found = self.repository.tip(branch).await;
        found.map_err(|error| self.failed(&format!("read branch {branch}"), error))
    }

    async fn tips(&self, branch: &str) -> Result<Tips, HostError> {
        // In this order: where the commit made aside is gone, it is on the branch already.
        let aside = self.tip(&aside(branch)).await?;
        Ok(Tips { branch: self.tip(branch).await?, aside })
    }

    /// The request of a branch: the newest, where a person made more.
    async fn find(&self, branch: &str) -> Result<Option<Found>, HostError> {
        // GitHub finds a repository that was renamed, but not its branches by the owner that it had.
        let name = self.settings().await?.full_name;
        let owner = name.split('/').next().unwrap_or_default();
        let head = format!("{owner}:{branch}");
        let question = with_query(
            "/pulls",
            &[
                ("state", "all"),
                ("head", &head),
                ("base", &self.branch),
                ("sort", "created"),
                ("direction", "desc"),
            ],
        );
        let found = self.client().get_once::<Vec<Found>>(self.name(), &question).await;
        let found = found.map_err(|error| self.failed("list its pull requests", error))?;
        Ok(found.body.into_iter().next())
    }

    async fn open(&self, proposal: &Proposal) -> Result<Found, HostError> {
        let new = json!({
            "title": proposal.headline(), "body": proposal.body, "head": proposal.branch, "base": self.branch,
        });
        let error = match self.client().post::<Found>(self.name(), "/pulls", &new).await {
            Ok(opened) => return Ok(opened),
            Err(error) => error,
        };
        if error.status() == Some(422)
            && let Some(found) = self.find(&proposal.branch).await?
        {
            // Somebody else opened it at this moment.
            return Ok(found);
        }
        Err(self.failed(&format!("open a pull request for branch {}", proposal.branch), error))
    }

    /// Has the request say what the proposal says.
    async fn retell(&self, found: Found, proposal: &Proposal) -> Result<Found, HostError> {
        let body = found.body.as_deref().unwrap_or_default();
        if found.title == proposal.headline() && body.trim() == proposal.body.trim() {
            return Ok(found);
        }
        let path = format!("/pulls/{}", found.pull.number);
        let change = json!({"title": proposal.headline(), "body": proposal.body});
        let changed = self.client().patch::<Found>(self.name(), &path, &change).await;
        changed.map_err(|error| self.failed(&format!("change pull request #{}", found.pull.number), error))
    }

    /// Puts labels on the request and asks for reviews; what is refused of it is told, for the request stands without.
    async fn dress(&self, found: &Found, proposal: &Proposal) -> Result<Vec<String>, HostError> {
        let number = found.pull.number;
        let mut warnings = Vec::new();
        let has = |label: &String| found.labels.iter().any(|there| there.name.eq_ignore_ascii_case(label));
        let labels: Vec<&String> = proposal.labels.iter().filter(|label| !has(label)).collect();
        if !labels.is_empty() {
            let path = format!("/issues/{number}/labels");
            let put = self.client().post::<IgnoredAny>(self.name(), &path, &json!({"labels": labels})).await;
            self.warn(put, &format!("put labels on pull request #{number}"), &mut warnings)?;
        }
        for reviewer in proposal.reviewers.iter().filter(|reviewer| !found.pull.is_asked(reviewer)) {
            let who = match reviewer.split_once('/') {
                Some((_, team)) => json!({"team_reviewers": [team]}),
                None => json!({"reviewers": [reviewer]}),
            };
            let path = format!("/pulls/{number}/requested_reviewers");
            let asked = self.client().post::<IgnoredAny>(self.name(), &path, &who).await;
            self.warn(asked, &format!("ask {reviewer} to review pull request #{number}"), &mut warnings)?;
        }
        Ok(warnings)
    }

    fn warn(
        &self,
        outcome: Result<IgnoredAny, GithubError>,
        what: &str,
        warnings: &mut Vec<String>,
    ) -> Result<(), HostError> {
        match outcome.map_err(|error| self.failed(what, error)) {
            Err(HostError::Refused(message)) => {
                tracing::warn!(message, "a pull request is made without it");
                warnings.push(message);
                Ok(())
            }
            outcome => outcome.map(|_| ()),
        }
    }

    async fn pull(&self, opened: &Opened) -> Result<Found, HostError> {
        let Some(number) = opened.number else {
            return self.find(&opened.branch).await?.ok_or_else(|| {
                HostError::Refused(format!(
                    "There is no pull request for branch {} of {}.",
                    opened.branch,
                    self.name()
                ))
            });
        };
        let found = self.client().get_once::<Found>(self.name(), &format!("/pulls/{number}")).await;
        Ok(found.map_err(|error| self.failed(&format!("read pull request #{number}"), error))?.body)
    }

    async fn merge_open(&self, opened: &Opened, before: &Found) -> Result<Merged, HostError> {
        let number = before.pull.number;
        let pull = format!("Pull request #{number} of {}", self.name());
        let moved = |found: &Found| {
            HostError::Moved(format!(
                "{pull} is at {}, and not at {} any more: look at it, and plan anew.",
                found.pull.head.sha, opened.head
            ))
        };
        if before.pull.state() == PullRequestState::Closed {
            return Err(HostError::Refused(format!("{pull} is closed: open it again, or make another.")));
        }
        if before.pull.head.sha != opened.head {
            return Err(moved(before));
        }
        let settings = self.settings().await?;
        let merge = json!({"sha": opened.head, "merge_method": settings.merge_method()});
        let path = format!("/pulls/{number}/merge");
        let error = match self.client().put::<Parent>(self.name(), &path, &merge).await {
            Ok(merged) => return Ok(Merged { commit: merged.sha, at: Timestamp::now() }),
            Err(error) => error,
        };
        if !matches!(error.status(), Some(405 | 409)) {
            return Err(self.failed(&format!("merge pull request #{number}"), error));
        }
        let after = self.pull(opened).await?;
        if let Some(merged) = after.merged() {
            return Ok(merged);
        }
        if after.pull.head.sha != opened.head {
            return Err(moved(&after));
        }
        let base_moved = error.to_string().contains("Base branch was modified");
        Err(match after.mergeable_state.as_deref() {
            Some("dirty") => HostError::Moved(format!(
                "{pull} conflicts with what came onto {} since it was planned: plan anew.",
                self.branch
            )),
            Some("behind") => HostError::Moved(format!(
                "{pull} may only be merged on top of the newest commit of {}: plan anew.",
                self.branch
            )),
            _ if base_moved => {
                HostError::Moved(format!("{} moved while {pull} was to be merged: plan anew.", self.branch))
            }
            Some("unknown") => HostError::unreachable(format!(
                "GitHub does not know yet whether {pull} can be merged: ask again."
            )),
            _ => HostError::Refused(format!(
                "{pull} cannot be merged: {error}. Do what GitHub asks for on its page, or merge it there."
            )),
        })
    }

    /// Says why a request is closed, once.
    async fn comment(&self, pull: &Pull, branch: &str, why: &str) -> Result<(), HostError> {
        let path = format!("/issues/{}/comments", pull.number);
        let failed = |error| self.failed(&format!("comment on pull request #{}", pull.number), error);
        let marker = format!("<!-- closed by Tollgate: {branch} -->");
        let comments =
            self.client().pages::<Vec<Comment>>(self.name(), &format!("{path}?per_page=100"), 5).await;
        let mut comments = comments.map_err(failed)?.body.into_iter().flatten();
        if comments.any(|comment| comment.body.contains(&marker)) {
            return Ok(());
        }
        let body = json!({"body": format!("{why}\n\n{marker}")});
        self.client().post::<IgnoredAny>(self.name(), &path, &body).await.map_err(failed)?;
        Ok(())
    }

    /// Takes away the branches of a request that has ended, unless somebody put something on them. It has ended all the same where
    /// that fails.
    async fn clear(&self, opened: &Opened) {
        let outcome = async {
            let (aside, tips) = (aside(&opened.branch), self.tips(&opened.branch).await?);
            let mut moves = Vec::new();
            if tips.branch.as_ref() == Some(&opened.head) {
                moves.push((opened.branch.as_str(), opened.head.as_str(), NOTHING));
            }
            if let Some(tip) = &tips.aside {
                moves.push((&aside, tip, NOTHING));
            }
            if moves.is_empty() { Ok(()) } else { self.move_branches(&moves).await }
        };
        if let Err(error) = outcome.await {
            tracing::warn!(%error, branch = opened.branch, "the branch of a request that has ended stays");
        }
    }

    fn failed(&self, what: &str, error: GithubError) -> HostError {
        let problem = error.to_string();
        let message =
            format!("Cannot {what} ({} on GitHub): {}.", self.name(), problem.trim_end_matches('.'));
        match &error {
            GithubError::Limited { .. }
            | GithubError::Unreachable { .. }
            | GithubError::Unreadable { .. } => {
                HostError::Unreachable { message, retry_after: error.retry_after(Timestamp::now()) }
            }
            GithubError::Refused { status, .. } if *status >= 500 => HostError::unreachable(message),
            GithubError::Failed { kind, .. } if kind == "FORBIDDEN" => HostError::Refused(format!(
                "{message} The token needs the permission contents: write, and no rule of the branch may be against it."
            )),
            GithubError::Refused { .. }
            | GithubError::Failed { .. }
            | GithubError::Configuration(_)
            | GithubError::NotInstalled { .. }
            | GithubError::Elsewhere { .. } => HostError::Refused(message),
        }
    }
}

/// Where the branches of a request are.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Tips {
    branch: Option<String>,
    aside: Option<String>,
}

/// Where the commit of a request that is planned anew is made.
fn aside(branch: &str) -> String {
    format!("{branch}-next")
}

/// What a commit at the tip of a request's branch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// The proposal.
    Held,
    /// Of the operation, as it was planned before.
    Ours,
    Foreign,
}

#[derive(Deserialize)]
struct Committed {
    commit: CommitId,
}

#[derive(Deserialize)]
struct CommitId {
    oid: String,
}

#[derive(Deserialize)]
struct Commit {
    #[serde(default)]
    message: String,
    #[serde(default)]
    parents: Vec<Parent>,
}

#[derive(Deserialize)]
struct Parent {
    sha: String,
}

#[derive(Deserialize)]
struct Settings {
    node_id: String,
    full_name: String,
    #[serde(default)]
    allow_merge_commit: Option<bool>,
    #[serde(default)]
    allow_squash_merge: Option<bool>,
}

impl Settings {
    /// One that is allowed; a merge commit is the one that keeps the commit that was reviewed. Who may not push is not told.
    fn merge_method(&self) -> &'static str {
        match (self.allow_merge_commit, self.allow_squash_merge) {
            (Some(true) | None, _) => "merge",
            (Some(false), Some(true) | None) => "squash",
            (Some(false), Some(false)) => "rebase",
        }
    }
}

/// A pull request.
#[derive(Deserialize)]
struct Found {
    #[serde(flatten)]
    pull: Pull,
    #[serde(default)]
    title: String,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    labels: Vec<Label>,
    #[serde(default)]
    merge_commit_sha: Option<String>,
    #[serde(default)]
    mergeable: Option<bool>,
    #[serde(default)]
    mergeable_state: Option<String>,
}

impl Found {
    fn opened(&self, proposal: &Proposal, head: String, warnings: Vec<String>) -> Opened {
        Opened {
            number: Some(self.pull.number),
            branch: proposal.branch.clone(),
            head,
            base: proposal.base.clone(),
            link: self.pull.html_url.clone(),
            warnings,
        }
    }

    fn merged(&self) -> Option<Merged> {
        // Before it is merged, it names a commit that GitHub tried it with.
        Some(Merged { at: self.pull.merged_at?, commit: self.merge_commit_sha.clone()? })
    }
}

#[derive(Deserialize)]
struct Label {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Comment {
    #[serde(default)]
    body: String,
}
