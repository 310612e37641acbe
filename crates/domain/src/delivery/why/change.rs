//! What a change waits for before any environment: CI, its image, its static bundle.

use super::{Finding, Known, Reason};
use crate::delivery::{Detail, ImageDetail, ImageState, Part, Source, Stage, Status, Step};

impl Known<'_> {
    /// The answer from what the change was built into.
    pub(super) fn built(&self) -> Finding {
        if let Some(finding) = self.unmerged() {
            return finding;
        }
        let detail = self.timeline.release().and_then(|release| release.image_detail());
        let link = self.change_step(Stage::Image).and_then(|step| step.link.as_ref());
        let finding = match (self.status(Stage::Image, false), detail.and_then(|detail| detail.state)) {
            (Some(Status::Succeeded), Some(ImageState::Archived)) => {
                Finding::of(Reason::ImageArchived { tag: tag_of(detail) }).rests_on(Source::Ecr)
            }
            (Some(Status::Succeeded), Some(ImageState::Activating)) => {
                Finding::of(Reason::ImageRestoring { tag: tag_of(detail) }).rests_on(Source::Ecr)
            }
            (Some(Status::Succeeded), Some(ImageState::Active) | None) => return self.tag(detail),
            (Some(Status::Failed), _) => Finding::of(image_failed(detail)),
            (Some(Status::Cancelled), _) => Finding::of(Reason::ImageFailed),
            (Some(Status::Running | Status::Waiting), _) => Finding::of(Reason::ImageBuilding),
            (Some(Status::Skipped), _) => self.assets().unwrap_or_else(|| Finding::of(Reason::ImageSkipped)),
            (Some(Status::Unknown) | None, _) => return self.ci(),
        };
        match finding.link {
            Some(_) => finding,
            None => finding.link(link),
        }
    }

    /// The answer from the static bundle, where it is what is waited for.
    pub(super) fn assets(&self) -> Option<Finding> {
        let step = |stage| self.change_step(stage);
        let finding =
            |stage, reason| Finding::of(reason).link(step(stage).and_then(|step| step.link.as_ref()));
        let id = match step(Stage::Invalidation).and_then(|step| step.detail.as_ref()) {
            Some(Detail::Invalidation(detail)) => detail.id.clone(),
            _ => None,
        };
        match self.status(Stage::Invalidation, false) {
            Some(Status::Running | Status::Waiting) => {
                let found = finding(Stage::Invalidation, Reason::InvalidationRunning { id });
                return Some(found.rests_on(Source::Assets));
            }
            Some(Status::Failed | Status::Cancelled) => {
                return Some(finding(Stage::Invalidation, Reason::InvalidationFailed));
            }
            Some(Status::Succeeded | Status::Skipped | Status::Unknown) | None => {}
        }
        match self.status(Stage::Assets, false)? {
            Status::Running | Status::Waiting => Some(finding(Stage::Assets, Reason::AssetsUploading)),
            Status::Failed | Status::Cancelled => Some(finding(Stage::Assets, Reason::AssetsFailed)),
            Status::Succeeded | Status::Skipped | Status::Unknown => None,
        }
    }

    fn unmerged(&self) -> Option<Finding> {
        let about = &self.timeline.about;
        let (branch, delivered) = (about.branch.as_ref()?, self.question.facts.branch.as_ref()?);
        (branch != delivered).then(|| {
            let link = self.change_step(Stage::Commit).and_then(|step| step.link.as_ref());
            let pull_request = about.pull_request;
            let reason =
                Reason::NotOnBranch { branch: branch.clone(), delivered: delivered.clone(), pull_request };
            Finding::of(reason).link(link)
        })
    }

    fn ci(&self) -> Finding {
        let step = self.change_step(Stage::Ci);
        let source = step.and_then(|step| step.source).unwrap_or(Source::Github);
        let link = step.and_then(|step| step.link.as_ref());
        let Some((step, status)) = step.and_then(|step| Some((step, step.status.known()?))) else {
            return Finding::of(Reason::CiUnknown).rests_on(source);
        };
        if let Some(part) = step.parts.iter().find(|part| needs_approval(part)) {
            let reason = Reason::CiNeedsApproval { job: part.job.clone() };
            return Finding::of(reason).link(part.link.as_ref().or(link)).rests_on(part.source);
        }
        let parts = |wanted: Status| step.own_parts().filter(move |part| part.status == wanted);
        let first = |wanted: Status| parts(wanted).next().or_else(|| step.parts.first());
        let job = first(status).and_then(|part| part.job.clone());
        let others = (parts(status).count().saturating_sub(1)) as u32;
        let link = first(status).and_then(|part| part.link.as_ref()).or(link);
        let found = match status {
            Status::Failed => {
                Finding::of(Reason::CiFailed { job, step: first(status).and_then(failed_step) })
            }
            Status::Cancelled => Finding::of(Reason::CiCancelled { job }),
            Status::Running => Finding::of(Reason::CiRunning { job, others }).rests_on(source),
            Status::Waiting => Finding::of(Reason::CiWaiting { job, others }).rests_on(source),
            Status::Unknown => Finding::of(Reason::CiUnknown).rests_on(source),
            Status::Succeeded | Status::Skipped => return self.without_image(step),
        };
        found.link(link)
    }

    /// CI has ended well, and no image is known.
    fn without_image(&self, ci: &Step) -> Finding {
        if let Some(finding) = self.assets() {
            return finding;
        }
        let asked = self.question.facts.sources.iter().any(|facts| facts.source == Source::Ecr);
        let reason = if asked { Reason::NotInRegistry { ended: ci.finished } } else { Reason::ImageUnknown };
        Finding::of(reason).link(ci.link.as_ref()).rests_on(Source::Ecr)
    }

    pub(super) fn change_step(&self, stage: Stage) -> Option<&Step> {
        self.timeline.step(stage, None)
    }
}

pub(super) fn tag_of(detail: Option<&ImageDetail>) -> Option<String> {
    detail.and_then(|detail| detail.tag.clone())
}

/// A scan blocks an image only where the image is said to have failed, and the scan found something grave.
fn image_failed(detail: Option<&ImageDetail>) -> Reason {
    match detail.and_then(|detail| detail.scan) {
        Some(scan) if scan.critical > 0 || scan.high > 0 => {
            Reason::ScanBlocked { critical: scan.critical, high: scan.high }
        }
        Some(_) | None => Reason::ImageFailed,
    }
}

fn needs_approval(part: &Part) -> bool {
    let asks = matches!(&part.detail, Some(Detail::Ci(detail)) if detail.needs_approval);
    asks && !matches!(part.status, Status::Succeeded | Status::Skipped)
}

fn failed_step(part: &Part) -> Option<String> {
    match &part.detail {
        Some(Detail::Ci(detail)) => detail.step.clone(),
        _ => None,
    }
}
