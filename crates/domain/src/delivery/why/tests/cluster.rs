//! Reasons in the cluster: the sync, the rollout.

use super::*;

#[test]
fn argo_cd() {
    let bumped = || with(built("1.2.3"), [span(Stage::Bump, Status::Succeeded, 1_150, 1_160)]);
    let seen = || ArgoFacts { sees_commit: Some(true), ..argo() };
    let condition = |kind: &str, message: &str| Condition { kind: kind.into(), message: message.into() };
    let comparison = condition("ComparisonError", "helm template failed:\nexit status 1");
    let sync = |status: Status, hook: Option<&str>, message: Option<&str>| {
        let detail = SyncDetail {
            hook: hook.map(Into::into),
            message: message.map(Into::into),
            ..SyncDetail::default()
        };
        with(bumped(), [Fact { detail: Some(Detail::Sync(detail)), ..fact(Stage::Sync, status) }])
    };
    let merged = BumpPullRequest {
        number: 7,
        link: None,
        tag: Some("1.2.3".into()),
        state: PullRequestState::Merged,
        review: Review::Approved,
        checks: Checks::Passing,
    };
    let window = |until: Option<i64>| SyncWindow::Closed { until: until.map(at) };
    hold_all(vec![
        until(
            1_320,
            case(
                built("1.2.3"),
                EnvironmentFacts { bump: Some(merged), ..synced_by(argo()) },
                "argo-polls",
                "The tag is in Git; Argo CD polls the repository in 2 m.",
            ),
        ),
        // Within the jitter.
        case(
            bumped(),
            synced_by(ArgoFacts { last_reconciled: Some(at(1_020)), ..argo() }),
            "argo-polls",
            "The tag is in Git; Argo CD polls the repository.",
        ),
        case(
            bumped(),
            synced_by(ArgoFacts { last_reconciled: Some(at(1_019)), ..argo() }),
            "argo-overdue",
            "The tag is in Git, but Argo CD has not seen that commit; it last compared at 10:16 UTC.",
        ),
        case(
            bumped(),
            nothing(),
            "argo-unknown",
            "The tag is in Git; whether Argo CD has seen it is not known.",
        ),
        case(
            bumped(),
            synced_by(ArgoFacts { conditions: vec![comparison], ..argo() }),
            "comparison-error",
            "Argo CD cannot render the application: ComparisonError, helm template failed:.",
        ),
        until(
            28_800,
            case(
                bumped(),
                synced_by(ArgoFacts { window: window(Some(28_800)), ..seen() }),
                "sync-window-closed",
                "The sync window is closed until 18:00 UTC.",
            ),
        ),
        case(
            bumped(),
            synced_by(ArgoFacts { window: window(None), auto_sync: false, ..seen() }),
            "sync-window-closed",
            "The sync window is closed.",
        ),
        case(
            bumped(),
            synced_by(ArgoFacts { auto_sync: false, ..seen() }),
            "manual-sync",
            "Auto-sync is off: somebody has to sync the application.",
        ),
        case(
            bumped(),
            synced_by(ArgoFacts { conditions: vec![condition("SyncError", "too many retries.")], ..seen() }),
            "sync-failed",
            "The sync failed: too many retries.",
        ),
        case(bumped(), synced_by(seen()), "sync-pending", "Argo CD has seen the tag and is about to sync."),
        // A fact of the sync says that the commit is seen.
        case(
            sync(Status::Waiting, None, None),
            synced_by(ArgoFacts { auto_sync: false, ..argo() }),
            "manual-sync",
            "Auto-sync is off: somebody has to sync the application.",
        ),
        case(sync(Status::Running, None, None), synced_by(argo()), "sync-running", "Argo CD is syncing."),
        case(
            sync(Status::Running, Some("Job/migrate"), None),
            nothing(),
            "sync-running",
            "Argo CD is syncing and waits for hook Job/migrate.",
        ),
        case(
            sync(Status::Failed, None, Some("one or more objects failed to apply.")),
            synced_by(argo()),
            "sync-failed",
            "The sync failed: one or more objects failed to apply.",
        ),
        case(
            sync(Status::Failed, Some("Job/migrate"), Some("Job has reached the specified backoff limit")),
            nothing(),
            "hook-failed",
            "The sync failed at hook Job/migrate: Job has reached the specified backoff limit.",
        ),
        case(
            bumped(),
            EnvironmentFacts {
                sources: vec![source(Source::ArgoCd, Some(300), Some("401"))],
                ..synced_by(argo())
            },
            "source-down",
            "Unknown: Argo CD has not answered since 10:05 UTC (401).",
        ),
    ]);
}

#[test]
fn rollouts() {
    let applied = || with(built("1.2.3"), [span(Stage::Sync, Status::Succeeded, 1_160, 1_170)]);
    let detail = |waiting: Option<(&str, &str)>| RolloutDetail {
        desired: Some(5),
        updated: Some(2),
        available: Some(5),
        old_serves: true,
        waiting: waiting.map(|(pod, reason)| WaitingPod {
            pod: pod.into(),
            reason: reason.into(),
            message: None,
        }),
        ..RolloutDetail::default()
    };
    let rollout = |status, detail| {
        with(applied(), [Fact { detail: Some(Detail::Rollout(detail)), ..fact(Stage::Rollout, status) }])
    };
    let stuck = |pod, reason| rollout(Status::Running, detail(Some((pod, reason))));
    let complete = || with(applied(), [span(Stage::Rollout, Status::Succeeded, 1_170, 1_190)]);
    let health = |health, message: Option<&str>| {
        let health_message = message.map(Into::into);
        synced_by(ArgoFacts { health: Some(health), health_message, ..argo() })
    };
    let gone = RolloutDetail { old_serves: false, ..detail(None) };
    let invalidation = fact(Stage::Invalidation, Status::Running);
    hold_all(vec![
        case(rollout(Status::Running, detail(None)), nothing(), "rolling-out", "The rollout is at 2 of 5."),
        case(
            rollout(Status::Running, RolloutDetail { updated: Some(5), available: Some(3), ..detail(None) }),
            nothing(),
            "rolling-out",
            "The rollout is at 3 of 5.",
        ),
        case(
            stuck("users-6d-x2", "ImagePullBackOff"),
            nothing(),
            "pod-stuck",
            "The rollout is at 2 of 5: pod users-6d-x2 cannot pull its image (ImagePullBackOff). The old version still serves.",
        ),
        case(
            stuck("users-6d-x2", "CrashLoopBackOff"),
            nothing(),
            "pod-stuck",
            "The rollout is at 2 of 5: pod users-6d-x2 crashes over and over (CrashLoopBackOff). The old version still serves.",
        ),
        case(
            stuck("users-6d-x2", "Unschedulable"),
            nothing(),
            "pod-stuck",
            "The rollout is at 2 of 5: pod users-6d-x2 finds no node (Unschedulable). The old version still serves.",
        ),
        case(
            stuck("users-6d-x2", "CreateContainerConfigError"),
            nothing(),
            "pod-stuck",
            "The rollout is at 2 of 5: pod users-6d-x2 cannot be configured (CreateContainerConfigError). The old version still serves.",
        ),
        case(
            stuck("Deployment/users", "ReplicaFailure"),
            nothing(),
            "pod-stuck",
            "The rollout is at 2 of 5: Deployment/users may not make a pod (ReplicaFailure). The old version still serves.",
        ),
        case(
            stuck("users-6d-x2", "ContainerCreating"),
            nothing(),
            "rolling-out",
            "The rollout is at 2 of 5.",
        ),
        case(
            rollout(Status::Failed, detail(None)),
            nothing(),
            "deadline-exceeded",
            "The rollout is at 2 of 5 and made no progress in time (ProgressDeadlineExceeded). The old version still serves.",
        ),
        case(
            rollout(Status::Failed, gone),
            nothing(),
            "deadline-exceeded",
            "The rollout is at 2 of 5 and made no progress in time (ProgressDeadlineExceeded).",
        ),
        case(
            applied(),
            EnvironmentFacts { rollout: Some(detail(None)), ..nothing() },
            "rolling-out",
            "The rollout is at 2 of 5.",
        ),
        case(
            applied(),
            nothing(),
            "rollout-not-seen",
            "Argo CD has applied it; Kubernetes has not told of a rollout yet.",
        ),
        case(
            complete(),
            health(Health::Degraded, Some("2 of 3 canaries fail")),
            "health-degraded",
            "It is rolled out, but the application is degraded: 2 of 3 canaries fail.",
        ),
        case(
            complete(),
            health(Health::Progressing, None),
            "health-progressing",
            "It is rolled out, and the application is still progressing.",
        ),
        case(
            complete(),
            health(Health::Suspended, None),
            "suspended",
            "The rollout is paused: somebody has to resume it.",
        ),
        case(
            complete(),
            health(Health::Healthy, None),
            "awaiting-live",
            "The rollout is complete; that it is live is not confirmed yet.",
        ),
        case(
            with(complete(), [invalidation]),
            health(Health::Healthy, None),
            "invalidation-running",
            "The static bundle is uploaded, and the CloudFront invalidation is in progress.",
        ),
        case(
            rollout(Status::Running, detail(None)),
            EnvironmentFacts { sources: vec![source(Source::Kubernetes, Some(300), None)], ..nothing() },
            "source-down",
            "Unknown: Kubernetes has not answered since 10:05 UTC.",
        ),
    ]);
}
