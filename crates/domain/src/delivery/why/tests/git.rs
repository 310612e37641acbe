//! Reasons on the way into Git: who writes the tag, and the pull request that does.

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
            strategy(UpdateStrategy::Semver, Some("0.x")),
            "tag-outside-constraint",
            "Tag 1.2.3 does not match the image updater's constraint 0.x.",
        ),
        case(
            super::built("1.2.3-rc.1"),
            strategy(UpdateStrategy::Semver, None),
            "tag-outside-constraint",
            "Tag 1.2.3-rc.1 is a pre-release, which the image updater takes only with a constraint that names one.",
        ),
        case(
            built(),
            strategy(UpdateStrategy::Semver, Some("stable")),
            "invalid-constraint",
            "The image updater cannot read its constraint stable, and so takes no tag.",
        ),
        case(
            built(),
            strategy(UpdateStrategy::Digest, Some("main")),
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
