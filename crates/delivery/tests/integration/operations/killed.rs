//! Processes that end in the middle of an operation, and others that take it up.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use delivery::gitops::Gitops;
use domain::audit::{AuditAction, AuditFilter};
use domain::gitops::{Ask, Operation, OperationStatus};
use jiff::{SignedDuration, Timestamp};
use store::DecisionKind;
use tokio_util::sync::CancellationToken;

use super::world::{World, files, place};

const BRANCH: &str = "gitops/acme/gitops@main";
const FILE: &str = "envs/dev/users/application.yaml";

/// Goes on until it was woken so often, and is gone then.
async fn dies_after(wakes: u32, work: impl Future<Output = ()>) {
    let mut work = pin!(work);
    let mut left = wakes;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        work.as_mut().poll(context)
    })
    .await;
}

struct Killed(World);

impl Killed {
    async fn new() -> Killed {
        Killed(World::of(&files(), |_| {}).await)
    }

    /// Asks for a freeze, or for its end where it is frozen, and wants it merged.
    async fn asked(&self) -> Operation {
        let places = [place("users", "dev")].into();
        let ask = if self.0.git(&["show", &format!("main:{FILE}")]).contains("ignore-tags") {
            Ask::Resume { places }
        } else {
            Ask::Freeze { places, until: None, bypass: None }
        };
        let operation = self.0.ask(ask, "ana").await.unwrap();
        self.0.decide(&operation.id, DecisionKind::Merge, "ana").await.unwrap();
        operation
    }

    /// A process that is killed after so many wakes; whether the operation was merged before.
    async fn process(&self, wakes: u32, operation: &Operation) -> bool {
        let gitops: Gitops = self.0.another();
        // In a task of its own, which nothing else wakes.
        let work = gitops.work_until(CancellationToken::new());
        let mut process = tokio::spawn(dies_after(wakes, work));
        tokio::select! {
            _ = &mut process => {}
            _ = self.0.until(&operation.id, |one| one.status.is_merged()) => {
                process.abort();
                // Until it has ended, it may take its branch to itself once more.
                drop((&mut process).await);
            }
        };
        // So long after its end that nothing is kept for it any more.
        let later = Timestamp::now() + SignedDuration::from_mins(2);
        let lease = self.0.store.acquire_lease(BRANCH, "time", later, SignedDuration::ZERO).await.unwrap();
        self.0.store.release_lease(&lease.unwrap()).await.unwrap();
        self.0.gitops.operation(&operation.id).await.unwrap().status.is_merged()
    }

    /// That it was done once, and nothing is left of it.
    async fn is_done_once(&self, operation: &Operation) {
        let done = self.0.gitops.operation(&operation.id).await.unwrap();
        assert_eq!(done.status, OperationStatus::Merged, "{:?}", done.problem);
        let named = format!("--grep=Tollgate-Operation: {}", operation.id);
        let commits = self.0.git(&["log", "--all", "--format=%H", &named]);
        assert_eq!(commits, done.merged.unwrap().commit, "one commit");
        assert_eq!(self.0.git(&["show", "--format=", "--name-only", &commits]), FILE);
        let entries = AuditFilter {
            text: operation.id.to_string(),
            action: Some(AuditAction::OperationMerged),
            limit: 100,
            ..AuditFilter::default()
        };
        assert_eq!(self.0.store.audit(&entries).await.unwrap().len(), 1, "it is written down once");
        super::world::until("its branch is gone", async || {
            self.0.git(&["for-each-ref", "--format=%(refname)"]) == "refs/heads/main"
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_killed_anywhere_leaves_nothing_half_done() {
    let killed = Killed::new().await;
    let mut survived = 0;
    let mut wakes = 0;
    while survived < 2 {
        wakes += 1 + wakes / 12;
        let operation = killed.asked().await;
        survived += u32::from(killed.process(wakes, &operation).await);
        killed.process(1_000_000, &operation).await;
        killed.is_done_once(&operation).await;
        assert!(wakes < 5_000, "it is never done");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_killed_while_others_commit_leaves_nothing_half_done() {
    let killed = Killed::new().await;
    let mut wakes = 0;
    let mut survived = 0;
    while survived < 1 {
        wakes += 1 + wakes / 4;
        let operation = killed.asked().await;
        let mut merged = killed.process(wakes, &operation).await;
        for _ in 0..2 {
            killed.0.commit("README.md", |text| format!("{text}{wakes}\n"));
            merged = killed.process(wakes, &operation).await;
        }
        survived += u32::from(merged);
        killed.process(1_000_000, &operation).await;
        killed.is_done_once(&operation).await;
        assert!(wakes < 5_000, "it is never done");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_merged_by_hand_before_anybody_wrote_down_its_request_is_merged() {
    let killed = Killed::new().await;
    let places = [place("users", "dev")].into();
    let operation = killed.0.ask(Ask::Freeze { places, until: None, bypass: None }, "ana").await.unwrap();
    let branch = format!("tollgate/freeze-{}", operation.id);
    let mut wakes = 0;
    while killed.0.git(&["branch", "--list", &branch]).is_empty() {
        wakes += 1;
        killed.process(wakes, &operation).await;
    }
    killed.0.git(&["update-ref", "refs/heads/main", &format!("refs/heads/{branch}")]);
    killed.0.git(&["branch", "-D", &branch]);
    assert!(killed.0.gitops.operation(&operation.id).await.unwrap().status.is_open());
    killed.process(1_000_000, &operation).await;
    killed.is_done_once(&operation).await;
}
