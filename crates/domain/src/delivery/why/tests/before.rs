//! Reasons before any environment, and those that are over: what is live, CI, the image, the static bundle.

use super::*;
use crate::delivery::tests::facts::{job, live};

fn tag(tag: &str) -> ImageDetail {
    ImageDetail { tag: Some(tag.into()), ..ImageDetail::default() }
}

fn ci_detail(step: Option<&str>, needs_approval: bool) -> Option<Detail> {
    Some(Detail::Ci(CiDetail { step: step.map(Into::into), needs_approval, workflow: None }))
}

#[test]
fn what_is_live_or_was() {
    let newer = |second| [commit(2, 50), live(2, "prod", second)];
    let older = |second| [commit(3, -50), live(3, "prod", second)];
    let held = Hold {
        kind: HoldKind::Held,
        by: "ada".into(),
        reason: "users cannot sign in".into(),
        since: at(900),
        until: None,
        pull_request: Some(14),
    };
    let returns = Fact { observed: at(1_000), ..fact(Stage::Sync, Status::Running) };
    hold_all(vec![
        case(
            with(built("1.0.1"), [live(1, "prod", 600)]),
            nothing(),
            "already-live",
            "It is live since 10:10 UTC.",
        ),
        case(
            with(built("1.0.1"), newer(700)),
            nothing(),
            "superseded",
            "It is contained in 1.0.2 (0000002), which is newer and live.",
        ),
        case(
            with(with(built("1.0.1"), [live(1, "prod", 600)]), newer(700)),
            nothing(),
            "superseded",
            "It is contained in 1.0.2 (0000002), which is newer and live.",
        ),
        case(
            with(with(built("1.0.1"), [live(1, "prod", 600)]), older(900)),
            nothing(),
            "rolled-back",
            "It was live, and was rolled back to 1.0.3 (0000003) at 10:15 UTC.",
        ),
        case(
            with(with(with(built("1.0.1"), [live(1, "prod", 600)]), older(900)), [returns]),
            nothing(),
            "sync-running",
            "Argo CD is syncing.",
        ),
        case(
            with(with(built("1.0.1"), [live(1, "prod", 600)]), older(900)),
            EnvironmentFacts { holds: vec![held], ..nothing() },
            "rolled-back",
            "It was live, and was rolled back to 1.0.3 (0000003) at 10:15 UTC, where ada holds it.",
        ),
        // Told of late, and over all the same.
        case(
            with(with(built("1.0.1"), [Fact { observed: at(1_100), ..live(1, "prod", 600) }]), older(900)),
            nothing(),
            "rolled-back",
            "It was live, and was rolled back to 1.0.3 (0000003) at 10:15 UTC.",
        ),
        // Something older is live, which says nothing.
        case(
            with(vec![committed()], older(900)),
            nothing(),
            "ci-unknown",
            "No CI run is known for this commit.",
        ),
        case(newer(700).to_vec(), nothing(), "unknown-commit", "No source has told of this commit."),
    ]);
}

#[test]
fn continuous_integration() {
    let job = |name, status| job(name, ci(status));
    let at_step = Fact { detail: ci_detail(Some("cargo test"), false), ..job("test", Status::Failed) };
    let approved = Fact { detail: ci_detail(None, true), ..job("release", Status::Succeeded) };
    let approval = Fact { detail: ci_detail(None, true), ..job("release", Status::Waiting) };
    let branch = |delivered: &str| EnvironmentFacts { branch: Some(delivered.into()), ..nothing() };
    let mut topic = committed();
    if let Some(Detail::Commit(detail)) = &mut topic.detail {
        detail.branch = Some("topic".into());
    }
    let mut unproposed = topic.clone();
    if let Some(Detail::Commit(detail)) = &mut unproposed.detail {
        detail.pull_request = None;
    }
    hold_all(vec![
        case(
            vec![topic, ci(Status::Succeeded)],
            branch("main"),
            "not-on-branch",
            "It is on topic and not on main yet: pull request #101 is not merged.",
        ),
        case(
            vec![unproposed],
            branch("main"),
            "not-on-branch",
            "It is on topic, and only main is delivered.",
        ),
        case(vec![committed()], branch("main"), "ci-unknown", "No CI run is known for this commit."),
        case(
            vec![committed(), job("lint", Status::Succeeded), job("test", Status::Running)],
            nothing(),
            "ci-running",
            "Waiting for CI job test, which is running.",
        ),
        case(
            vec![
                committed(),
                job("build", Status::Running),
                job("lint", Status::Running),
                job("test", Status::Running),
            ],
            nothing(),
            "ci-running",
            "Waiting for CI job build, which is running, and for 2 other jobs.",
        ),
        case(
            vec![committed(), job("build", Status::Waiting), job("lint", Status::Waiting)],
            nothing(),
            "ci-waiting",
            "Waiting for CI job build, which has not started, and for 1 other job.",
        ),
        case(
            vec![committed(), ci(Status::Running)],
            nothing(),
            "ci-running",
            "Waiting for CI, which is running.",
        ),
        case(
            vec![committed(), job("lint", Status::Running), at_step],
            nothing(),
            "ci-failed",
            "CI job test failed at step cargo test.",
        ),
        case(vec![committed(), ci(Status::Failed)], nothing(), "ci-failed", "CI failed."),
        case(
            vec![committed(), job("test", Status::Cancelled)],
            nothing(),
            "ci-cancelled",
            "CI job test was cancelled.",
        ),
        case(
            vec![committed(), job("test", Status::Succeeded), approval],
            nothing(),
            "ci-needs-approval",
            "CI job release waits for somebody to approve it.",
        ),
        case(
            vec![committed(), job("test", Status::Running), approved],
            nothing(),
            "ci-running",
            "Waiting for CI job test, which is running.",
        ),
    ]);
}

#[test]
fn images_and_the_static_bundle() {
    let done = || vec![committed(), ci(Status::Succeeded)];
    let asked = EnvironmentFacts { sources: vec![source(Source::Ecr, Some(1_190), None)], ..nothing() };
    let scan = |critical, high| ImageDetail {
        scan: Some(ScanCounts { critical, high, ..ScanCounts::default() }),
        ..tag("1.2.3")
    };
    let state = |state| ImageDetail { state: Some(state), ..tag("1.2.3") };
    let invalidation = |status| Fact {
        detail: Some(Detail::Invalidation(InvalidationDetail { id: Some("I2J0".into()) })),
        ..fact(Stage::Invalidation, status)
    };
    let uploaded = || with(done(), [span(Stage::Assets, Status::Succeeded, 300, 320)]);
    hold_all(vec![
        case(
            done(),
            asked,
            "not-in-registry",
            "CI succeeded at 10:05 UTC, but the registry has no image of this commit.",
        ),
        case(done(), nothing(), "image-unknown", "No image is known for this commit."),
        case(
            with(done(), [fact(Stage::Image, Status::Running)]),
            nothing(),
            "image-building",
            "The image is being built.",
        ),
        case(
            with(done(), [image(Status::Failed, scan(2, 5))]),
            nothing(),
            "scan-blocked",
            "The image scan blocks it with 2 critical and 5 high findings.",
        ),
        case(
            with(done(), [image(Status::Failed, scan(0, 0))]),
            nothing(),
            "image-failed",
            "The image could not be built or pushed.",
        ),
        // Findings alone block nothing.
        case(
            with(done(), [image(Status::Succeeded, scan(2, 5))]),
            nothing(),
            "no-automation",
            "The image is there; nothing is known to write its tag to Git.",
        ),
        case(
            with(done(), [image(Status::Succeeded, state(ImageState::Archived))]),
            nothing(),
            "image-archived",
            "Image 1.2.3 is archived in the registry and cannot be pulled until it is restored.",
        ),
        case(
            with(done(), [image(Status::Succeeded, state(ImageState::Activating))]),
            nothing(),
            "image-restoring",
            "Image 1.2.3 is being restored from the registry's archive.",
        ),
        case(
            with(done(), [image(Status::Skipped, ImageDetail::default())]),
            nothing(),
            "image-skipped",
            "CI left the image out for this commit.",
        ),
        case(
            with(uploaded(), [invalidation(Status::Running)]),
            nothing(),
            "invalidation-running",
            "The static bundle is uploaded, and CloudFront invalidation I2J0 is in progress.",
        ),
        case(
            with(uploaded(), [invalidation(Status::Failed)]),
            nothing(),
            "invalidation-failed",
            "The static bundle is uploaded, but the CloudFront invalidation failed.",
        ),
        case(
            with(done(), [fact(Stage::Assets, Status::Running)]),
            nothing(),
            "assets-uploading",
            "The static bundle is being uploaded.",
        ),
        case(
            with(done(), [fact(Stage::Assets, Status::Failed)]),
            nothing(),
            "assets-failed",
            "The static bundle could not be uploaded.",
        ),
    ]);
}

#[test]
fn sources_that_are_silent() {
    let silent = |sources: Vec<SourceFacts>| EnvironmentFacts { sources, ..nothing() };
    let running = || vec![committed(), ci(Status::Running)];
    hold_all(vec![
        case(
            running(),
            silent(vec![source(Source::Github, Some(899), Some("rate limited until 10:40."))]),
            "source-down",
            "Unknown: GitHub has not answered since 10:14 UTC (rate limited until 10:40).",
        ),
        case(
            running(),
            silent(vec![source(Source::Github, Some(900), Some("rate limited"))]),
            "ci-running",
            "Waiting for CI, which is running.",
        ),
        case(
            running(),
            silent(vec![source(Source::Ecr, None, Some("AccessDenied"))]),
            "ci-running",
            "Waiting for CI, which is running.",
        ),
        case(
            vec![committed(), ci(Status::Succeeded)],
            silent(vec![source(Source::Ecr, None, Some("AccessDeniedException"))]),
            "source-down",
            "Unknown: ECR has never answered (AccessDeniedException).",
        ),
        // What has failed has failed.
        case(
            vec![committed(), ci(Status::Failed)],
            silent(vec![source(Source::Github, None, None)]),
            "ci-failed",
            "CI failed.",
        ),
    ]);
}
