//! The branch of a request on GitHub: it holds the proposal, and nothing of it is written over that others put there.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;
use serde_json::json;

use super::answers::{Commit, Committed};
use super::{GithubHost, HostError, Proposal};
use crate::git::repository::Repository;

/// How often what others do at the same moment is looked at anew.
const MOST_ATTEMPTS: usize = 5;
/// By GraphQL, a branch that is not there.
pub(super) const NOTHING: &str = "0000000000000000000000000000000000000000";

impl GithubHost {
    /// Has the proposal's branch hold it, and answers the commit.
    pub(super) async fn hold(&self, proposal: &Proposal) -> Result<String, HostError> {
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
    pub(super) async fn move_branches(&self, moves: &[(&str, &str, &str)]) -> Result<(), HostError> {
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
    pub(super) async fn tip(&self, branch: &str) -> Result<Option<String>, HostError> {
        let found = self.repository.tip(branch).await;
        found.map_err(|error| self.failed(&format!("read branch {branch}"), error))
    }

    pub(super) async fn tips(&self, branch: &str) -> Result<Tips, HostError> {
        // In this order: where the commit made aside is gone, it is on the branch already.
        let aside = self.tip(&aside(branch)).await?;
        Ok(Tips { branch: self.tip(branch).await?, aside })
    }
}

/// Where the branches of a request are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tips {
    pub(super) branch: Option<String>,
    pub(super) aside: Option<String>,
}

/// Where the commit of a request that is planned anew is made.
pub(super) fn aside(branch: &str) -> String {
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
