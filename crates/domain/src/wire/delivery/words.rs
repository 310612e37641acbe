//! What a stage carries, in a few words.

use crate::delivery::{Detail, Evidence, FailureKind, ImageDetail, RolloutDetail, SyncDetail};

/// What a stage carries; `None` where that is nothing worth a word.
pub(super) fn of(detail: &Detail) -> Option<String> {
    let parts: Vec<String> = match detail {
        Detail::Commit(detail) => detail.title.iter().cloned().collect(),
        Detail::Ci(detail) => {
            let approval = detail.needs_approval.then(|| "needs approval".to_owned());
            detail.step.iter().cloned().chain(approval).collect()
        }
        Detail::Image(detail) => image(detail),
        Detail::Assets(detail) => detail.release.iter().map(|release| format!("release {release}")).collect(),
        Detail::Invalidation(detail) => detail.id.iter().cloned().collect(),
        Detail::Bump(detail) => {
            let number = detail.pull_request.map(|number| format!("#{number}"));
            let tags = match (&detail.tag_before, &detail.tag_after) {
                (Some(before), Some(after)) => Some(format!("{before} to {after}")),
                (None, Some(after)) => Some(after.clone()),
                (_, None) => None,
            };
            number.into_iter().chain(tags).collect()
        }
        Detail::Sync(detail) => sync(detail),
        Detail::Rollout(detail) => rollout(detail),
        Detail::Live(detail) => detail.version.iter().cloned().collect(),
    };
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// How a deployment failed.
pub(super) fn of_failure(why: FailureKind, by: &Evidence) -> String {
    match why {
        FailureKind::Degraded => "degraded".into(),
        FailureKind::RolledBack => format!("rolled back to {}", by.commit.short()),
        FailureKind::Reverted => format!("reverted by {}", by.commit.short()),
    }
}

fn image(detail: &ImageDetail) -> Vec<String> {
    let findings = detail.scan.into_iter().flat_map(|scan| {
        [(scan.critical, "critical"), (scan.high, "high")]
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, severity)| format!("{count} {severity}"))
    });
    detail.tag.iter().cloned().chain(findings).collect()
}

fn sync(detail: &SyncDetail) -> Vec<String> {
    let hook = detail.hook.iter().map(|hook| format!("hook {hook}"));
    let message = detail.message.iter().filter_map(|message| message.lines().next()).map(Into::into);
    detail.application.iter().cloned().chain(hook).chain(message).collect()
}

fn rollout(detail: &RolloutDetail) -> Vec<String> {
    let count =
        detail.updated.zip(detail.desired).map(|(updated, desired)| format!("{updated} of {desired}"));
    let pod = detail.waiting.iter().map(|waiting| format!("{} in {}", waiting.reason, waiting.pod));
    count.into_iter().chain(pod).collect()
}
