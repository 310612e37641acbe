//! Reasons in the environment: the tag in Git, the sync, the rollout.

use super::*;
use crate::delivery::tests::facts::live;

fn hold(kind: HoldKind, until: Option<i64>, pull_request: Option<u32>) -> Hold {
    let (by, reason) = ("ada".into(), "winter sale".into());
    Hold { kind, by, reason, since: at(0), until: until.map(at), pull_request }
}

#[test]
fn tags_and_who_writes_them() {
    let strategy = |strategy, constraint: Option<&str>| {
        updated_by(UpdaterFacts { strategy, constraint: constraint.map(Into::into), ..updater() })
    };
    let looked = |second| updated_by(UpdaterFacts { last_checked: Some(at(second)), ..updater() });
    let ignoring = |pattern: &str, mode| {
        updated_by(UpdaterFacts { ignore_tags: vec![pattern.into()], mode, ..updater() })
    };
    let held = |holds| EnvironmentFacts { holds, ..ignoring("*", UpdaterMode::Resource) };
    let allowed =
        UpdaterFacts { tag_allowed: Some(false), allow_tags: Some("regexp:^2".into()), ..updater() };
    let promoted = EnvironmentFacts { automation: Automation::Promotion, ..nothing() };
    let pipeline = EnvironmentFacts { automation: Automation::Pipeline, ..nothing() };
    let stale = EnvironmentFacts { sources: vec![source(Source::ArgoCd, Some(600), None)], ..looked(1_160) };
    let built = || built("1.2.3");
    hold_all(vec![
        until(
            1_280,
            case(
                built(),
                looked(1_160),
                "updater-polls",
                "The image updater looks for new tags in 1 m 20 s.",
            ),
        ),
        case(
            super::built("a1b2c3d"),
            updated_by(updater()),
            "tag-not-a-version",
            "Tag a1b2c3d is no semantic version, so the image updater's semver strategy passes over it.",
        ),
        case(
            built(),
            strategy(Strategy::Semver, Some("0.x")),
            "tag-outside-constraint",
            "Tag 1.2.3 does not match the image updater's constraint 0.x.",
        ),
        case(
            super::built("1.2.3-rc.1"),
            strategy(Strategy::Semver, None),
            "tag-outside-constraint",
            "Tag 1.2.3-rc.1 is a pre-release, which the image updater takes only with a constraint that names one.",
        ),
        case(
            built(),
            strategy(Strategy::Semver, Some("stable")),
            "invalid-constraint",
            "The image updater cannot read its constraint stable, and so takes no tag.",
        ),
        case(
            built(),
            strategy(Strategy::Digest, Some("main")),
            "tag-not-followed",
            "The image updater follows the digest of tag main, and the image has tag 1.2.3.",
        ),
        case(
            built(),
            ignoring("1.2.*", UpdaterMode::Annotations),
            "tag-ignored",
            "Tag 1.2.3 is ignored by the pattern 1.2.* in the Application's annotations.",
        ),
        case(
            built(),
            ignoring("*", UpdaterMode::Resource),
            "tag-ignored",
            "Tag 1.2.3 is ignored by the pattern * in the ImageUpdater resource.",
        ),
        case(
            built(),
            updated_by(allowed),
            "tag-not-allowed",
            "Tag 1.2.3 does not match allow-tags regexp:^2.",
        ),
        until(
            28_800,
            case(
                built(),
                held(vec![hold(HoldKind::Frozen, Some(28_800), Some(12))]),
                "frozen",
                "Frozen by pull request #12 of ada (winter sale) until 18:00 UTC.",
            ),
        ),
        until(
            115_200,
            case(
                built(),
                held(vec![
                    hold(HoldKind::Frozen, Some(28_800), None),
                    hold(HoldKind::Frozen, Some(115_200), None),
                ]),
                "frozen",
                "Frozen by ada (winter sale) until 2026-11-22 18:00 UTC.",
            ),
        ),
        case(
            built(),
            held(vec![hold(HoldKind::Frozen, Some(28_800), None), hold(HoldKind::Held, None, Some(14))]),
            "held",
            "Held after a revert by pull request #14 of ada (winter sale).",
        ),
        // Over.
        until(
            1_280,
            case(
                built(),
                EnvironmentFacts { holds: vec![hold(HoldKind::Frozen, Some(1_200), None)], ..looked(1_160) },
                "updater-polls",
                "The image updater looks for new tags in 1 m 20 s.",
            ),
        ),
        case(
            built(),
            looked(839),
            "updater-stale",
            "The image updater has not looked for new tags since 10:13 UTC.",
        ),
        case(
            vec![Fact {
                finished: Some(at(1_030)),
                observed: at(1_030),
                ..fact(Stage::Image, Status::Succeeded)
            }],
            looked(1_160),
            "updater-passed-over",
            "The image updater looked at 10:19 UTC and did not take the image: see its log.",
        ),
        case(
            built(),
            updated_by(UpdaterFacts { last_checked: None, ..updater() }),
            "updater-unknown",
            "The image is there; when the image updater last looked is not known.",
        ),
        case(built(), stale, "source-down", "Unknown: Argo CD has not answered since 10:10 UTC."),
        case(
            with(built(), [live(1, "staging", 1_150)]),
            promoted.clone(),
            "promotion-needed",
            "It is live in staging and waits for somebody to promote it.",
        ),
        case(
            with(built(), [live(1, "dev", 1_150)]),
            promoted,
            "not-in-source-environment",
            "It is not live in staging yet, from where it is promoted.",
        ),
        case(
            built(),
            pipeline,
            "pipeline-writes",
            "The image is there; the pipeline has not written its tag to Git yet.",
        ),
        case(
            built(),
            nothing(),
            "no-automation",
            "The image is there; nothing is known to write its tag to Git.",
        ),
    ]);
}

#[test]
fn pull_requests_that_set_the_tag() {
    let pull_request = |state, review, checks| {
        let bump = BumpPullRequest {
            number: 7,
            link: Some("https://github.com/acme/gitops/pull/7".into()),
            tag: Some("1.2.3".into()),
            state,
            review,
            checks,
        };
        EnvironmentFacts { bump: Some(bump), ..nothing() }
    };
    let open = |review, checks| pull_request(PullRequestState::Open, review, checks);
    let closed = || pull_request(PullRequestState::Closed, Review::Unknown, Checks::Unknown);
    let reopened = EnvironmentFacts { automation: Automation::Updater(updater()), ..closed() };
    let mut another = open(Review::Required, Checks::Passing);
    if let Some(bump) = &mut another.bump {
        bump.tag = Some("1.2.2".into());
    }
    let bump = |status| Fact {
        detail: Some(Detail::Bump(BumpDetail { pull_request: Some(9), ..BumpDetail::default() })),
        ..fact(Stage::Bump, status)
    };
    let built = || built("1.2.3");
    hold_all(vec![
        case(
            built(),
            open(Review::Required, Checks::Passing),
            "bump-needs-review",
            "Pull request #7, which sets the tag, waits for a review.",
        ),
        case(
            built(),
            open(Review::Required, Checks::Failing("kubeconform".into())),
            "bump-checks-failing",
            "Check kubeconform fails on pull request #7, which sets the tag.",
        ),
        case(
            built(),
            open(Review::ChangesRequested, Checks::Passing),
            "bump-changes-requested",
            "A reviewer asked for changes to pull request #7, which sets the tag.",
        ),
        case(
            built(),
            open(Review::Approved, Checks::Running),
            "bump-checks-running",
            "The checks of pull request #7, which sets the tag, are running.",
        ),
        case(
            built(),
            open(Review::Approved, Checks::Passing),
            "bump-ready",
            "Pull request #7, which sets the tag, waits to be merged.",
        ),
        case(
            built(),
            closed(),
            "bump-closed",
            "Pull request #7, which sets the tag, was closed without being merged.",
        ),
        case(
            built(),
            reopened,
            "bump-closed",
            "Pull request #7, which sets the tag, was closed without being merged. The image updater opens another at its next poll.",
        ),
        case(
            built(),
            another,
            "no-automation",
            "The image is there; nothing is known to write its tag to Git.",
        ),
        case(
            with(built(), [bump(Status::Waiting)]),
            nothing(),
            "bump-waiting",
            "Pull request #9, which sets the tag, is open.",
        ),
        case(
            with(built(), [bump(Status::Running)]),
            nothing(),
            "bump-running",
            "The tag is being written to Git.",
        ),
        case(
            with(built(), [bump(Status::Failed)]),
            nothing(),
            "bump-failed",
            "The tag could not be written to Git.",
        ),
    ]);
}

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
