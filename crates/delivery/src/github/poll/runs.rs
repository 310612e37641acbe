//! Runs of workflows and their jobs: those of each branch, and those that go on after others have pushed them off the first page.

use jiff::Timestamp;

use super::{GithubReader, MOST_REMEMBERED, PAGE};
use crate::github::client::with_query;
use crate::github::error::GithubError;
use crate::github::facts::{About, is_of_fork};
use crate::github::payload::{Jobs, Listed, PendingDeployment, Runs, WorkflowJob, WorkflowRun, readable};
use crate::reader::Told;

/// How far back a round looks that does not meet what is known. Each run costs a request for its jobs.
const MOST_RUN_PAGES: usize = 2;
const MOST_JOB_PAGES: usize = 5;
/// Of how many runs one round reads the jobs at most.
const MOST_RUNS_A_ROUND: usize = 40;
/// How often the jobs of a run that has ended are read, where some of them have not.
const MOST_LOOKS: u32 = 3;

/// How a run was when it was last seen.
pub(super) type Mark = (Option<u32>, String, Option<String>, Option<Timestamp>);

pub(super) struct Open {
    run: WorkflowRun,
    /// Whether it was in the list of its branch in this round.
    listed: bool,
    /// How often its jobs were read since it ended.
    looks: u32,
}

impl Open {
    fn has_ended(&self) -> bool {
        self.run.status == "completed"
    }
}

impl GithubReader {
    /// The runs of a branch, newest first.
    pub(super) async fn runs(
        &mut self,
        about: &About<'_>,
        branch: &str,
        told: &mut Told,
    ) -> Result<(), GithubError> {
        let path = with_query(
            "/actions/runs",
            &[("branch", branch), ("exclude_pull_requests", "true"), ("per_page", PAGE)],
        );
        let first = self.client.get::<Runs>(&self.repository, &path).await?;
        let mut page = self.took(first);
        for open in self.seen.open.values_mut() {
            open.listed = open.run.head_branch.as_deref() != Some(branch) && open.listed;
        }
        let version = page.version;
        let before = self.seen.complete.remove(&path);
        let (was_complete, is_news) = (before.is_some(), before != Some(version));
        for number in 1.. {
            let runs = readable(page.body.workflow_runs, "workflow runs");
            // What came before one that is known is known too, unless the round before ended early.
            let known = was_complete && runs.iter().any(|run| self.seen.runs.contains_key(&run.id));
            for run in runs {
                if let Some(open) = self.seen.open.get_mut(&run.id) {
                    open.listed = true;
                }
                if is_news {
                    self.take_run(about, run, true, told);
                }
            }
            let further = is_news && !known && number < MOST_RUN_PAGES;
            let Some(next) = page.next.filter(|_| further) else { break };
            if self.is_low(about.now) {
                return Ok(());
            }
            let answer = self.client.next_once(&self.repository, &next).await?;
            page = self.took(answer);
        }
        self.seen.complete.insert(path, version);
        Ok(())
    }

    fn take_run(&mut self, about: &About<'_>, run: WorkflowRun, listed: bool, told: &mut Told) {
        // The repository may have been renamed since it was configured.
        let base = run.repository.as_ref().map_or(&self.repository, |repository| &repository.full_name);
        if is_of_fork(&run, base) {
            return;
        }
        let mark = (run.run_attempt, run.status.clone(), run.conclusion.clone(), run.updated_at);
        if self.seen.runs.get(&run.id) == Some(&mark) {
            return;
        }
        if self.seen.runs.len() > MOST_REMEMBERED {
            let open = &self.seen.open;
            self.seen.runs.retain(|id, _| open.contains_key(id));
        }
        self.seen.runs.insert(run.id, mark);
        let facts = about.run(&self.repository, &run);
        // A run of a workflow that is no service's has jobs that are no service's.
        if !facts.is_empty() {
            self.seen.complete.remove(&jobs_path(run.id));
            self.seen.open.insert(run.id, Open { run, listed, looks: 0 });
        }
        told.facts.extend(facts);
    }

    /// What goes on in the runs that have not ended, and what came of those that have.
    pub(super) async fn open_runs(&mut self, about: &About<'_>, told: &mut Told) -> Result<(), GithubError> {
        let newest: Vec<u64> = self.seen.open.keys().rev().copied().take(MOST_RUNS_A_ROUND).collect();
        let mut problem = None;
        for id in newest {
            if self.is_low(about.now) {
                break;
            }
            match self.open_run(about, id, told).await {
                Err(error) if error.is_of_all() => return Err(error),
                // It was deleted.
                Err(error) if error.status() == Some(404) => self.close(id),
                Err(error) => drop(problem.get_or_insert(error)),
                Ok(()) => {}
            }
        }
        problem.map_or(Ok(()), Err)
    }

    async fn open_run(&mut self, about: &About<'_>, id: u64, told: &mut Told) -> Result<(), GithubError> {
        if self.seen.open.get(&id).is_some_and(|open| !open.listed && !open.has_ended()) {
            let path = format!("/actions/runs/{id}?exclude_pull_requests=true");
            let answer = self.client.get::<WorkflowRun>(&self.repository, &path).await?;
            let run = self.took(answer).body;
            self.take_run(about, run, false, told);
        }
        let Some(open) = self.seen.open.get(&id) else { return Ok(()) };
        let (ended, path) = (open.has_ended(), jobs_path(id));
        if open.run.status == "waiting" {
            let path = pending_path(id);
            let answer = self.client.get::<Vec<Listed<PendingDeployment>>>(&self.repository, &path).await?;
            let answer = self.took(answer);
            if self.is_new(path, answer.version) {
                let pending = readable(answer.body, "pending deployments");
                if let Some(open) = self.seen.open.get(&id) {
                    told.facts.extend(about.pending(&self.repository, &open.run, &pending));
                }
            }
        }
        let (jobs, version) = self.jobs(&path, ended).await?;
        if self.is_new(path, version) {
            for job in &jobs {
                told.facts.extend(about.job(&self.repository, job));
            }
        }
        let Some(open) = self.seen.open.get_mut(&id).filter(|_| ended) else { return Ok(()) };
        open.looks += 1;
        // Jobs may be told of a moment after their run.
        if jobs.iter().all(|job| job.status == "completed") || open.looks >= MOST_LOOKS {
            self.close(id);
        }
        Ok(())
    }

    /// Forgets a run of which there is nothing more to read.
    fn close(&mut self, id: u64) {
        self.seen.complete.remove(&jobs_path(id));
        self.seen.complete.remove(&pending_path(id));
        self.seen.open.remove(&id);
    }

    /// The jobs of a run's last attempt, and the version of the answer. Of one that ended they are not asked for again.
    async fn jobs(&mut self, path: &str, ended: bool) -> Result<(Vec<WorkflowJob>, u64), GithubError> {
        let mut page = match ended {
            true => self.client.get_once::<Jobs>(&self.repository, path).await?,
            false => self.client.get::<Jobs>(&self.repository, path).await?,
        };
        let (mut jobs, mut version) = (Vec::new(), 0);
        for number in 1.. {
            let answer = self.took(page);
            version = version.max(answer.version);
            jobs.extend(readable(answer.body.jobs, "jobs"));
            let Some(next) = answer.next.filter(|_| number < MOST_JOB_PAGES) else { break };
            page = match ended {
                true => self.client.next_once(&self.repository, &next).await?,
                false => self.client.next(&self.repository, &next).await?,
            };
        }
        Ok((jobs, version))
    }
}

/// Where the jobs of a run's last attempt are.
fn jobs_path(run: u64) -> String {
    format!("/actions/runs/{run}/jobs?filter=latest&per_page=100")
}

fn pending_path(run: u64) -> String {
    format!("/actions/runs/{run}/pending_deployments")
}
