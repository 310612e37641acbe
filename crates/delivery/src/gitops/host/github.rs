//! Pull requests on GitHub. Every step looks first at what is there, so that one that was broken off is taken up where it ended, and
//! what was put on a branch by others is never written over.

mod answers;
mod branch;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use domain::delivery::PullRequestState;
use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde_json::json;

use self::answers::{Comment, Found, Parent, Settings};
use self::branch::{NOTHING, aside};
use super::{Entry, Host, HostError, Merged, Opened, Proposal, RequestSeen};
use crate::git::github::Github;
use crate::git::pulls::{self, Pull};
use crate::git::repository::Repository;
use crate::github::{GithubClient, GithubError, with_query};

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
            return Ok(ended.opened(
                &proposal.branch,
                &proposal.base,
                ended.pull.head.sha.clone(),
                Vec::new(),
            ));
        }
        self.request(proposal, found).await
    }

    async fn requested(
        &self,
        _operation: &str,
        branch: &str,
        base: &str,
    ) -> Result<Option<Opened>, HostError> {
        // The branch is named after the operation, and pull requests stay known by it.
        let found = self.find(branch).await?;
        Ok(found.map(|found| found.opened(branch, base, found.pull.head.sha.clone(), Vec::new())))
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
        Ok(found.opened(&proposal.branch, &proposal.base, head, warnings))
    }

    async fn settings(&self) -> Result<Settings, HostError> {
        let settings = self.client().get::<Settings>(self.name(), "").await;
        Ok(settings.map_err(|error| self.failed("read the repository's settings", error))?.body)
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
