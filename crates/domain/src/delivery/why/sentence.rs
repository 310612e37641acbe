//! Reasons in plain words.

use std::fmt;

use crate::delivery::{Answer, CommitSha, DeadlineKind, PodTrouble, Reason, UpdaterMode};
use crate::time::Timestamp;

/// The longest message of a source that is quoted in a sentence, in characters.
const MAX_QUOTE: usize = 200;

/// A reason with the time it is read at, which times of the same day are told shorter by.
struct InWords<'a>(&'a Reason, Option<Timestamp>);

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        InWords(self, None).fmt(f)
    }
}

/// One sentence with its countdown, and another where something has to be added.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.before_countdown())?;
        match &self.deadline {
            Some(deadline) if deadline.kind == DeadlineKind::In => {
                f.write_str(&duration(deadline.at.as_second() - self.asked.as_second()))?;
            }
            Some(deadline) => write!(f, " until {}", clock(deadline.at, Some(self.asked)))?,
            None => {}
        }
        f.write_str(self.after_countdown())
    }
}

impl Answer {
    /// What the sentence says before the countdown and after it, for a reader who counts on; `None` where nothing is counted.
    pub fn around_countdown(&self) -> Option<[String; 2]> {
        let counts = self.deadline.is_some_and(|deadline| deadline.kind == DeadlineKind::In);
        counts.then(|| [self.before_countdown(), self.after_countdown().to_owned()])
    }

    fn before_countdown(&self) -> String {
        let reason = InWords(&self.reason, Some(self.asked));
        match &self.deadline {
            Some(deadline) if deadline.kind == DeadlineKind::In => format!("{reason} in "),
            Some(_) | None => reason.to_string(),
        }
    }

    fn after_countdown(&self) -> &'static str {
        match &self.reason {
            Reason::PodStuck { old_serves: true, .. } | Reason::DeadlineExceeded { old_serves: true, .. } => {
                ". The old version still serves."
            }
            Reason::BumpClosed { reopens: true, .. } => ". The image updater opens another at its next poll.",
            _ => ".",
        }
    }
}

impl fmt::Display for InWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |at: &Timestamp| clock(*at, self.1);
        match self.0 {
            Reason::AlreadyLive { since } => write!(f, "It is live since {}", at(since)),
            Reason::Superseded { version, commit } => {
                write!(f, "It is contained in {}, which is newer and live", named(version, commit))
            }
            Reason::RolledBack { version, commit, at: when, held_by } => {
                write!(f, "It was live, and was rolled back to {} at {}", named(version, commit), at(when))?;
                held_by.as_ref().map_or(Ok(()), |by| write!(f, ", where {by} holds it"))
            }
            Reason::UnknownCommit => f.write_str("No source has told of this commit"),
            Reason::NotOnBranch { branch, delivered, pull_request: Some(number) } => {
                write!(
                    f,
                    "It is on {branch} and not on {delivered} yet: pull request #{number} is not merged"
                )
            }
            Reason::NotOnBranch { branch, delivered, pull_request: None } => {
                write!(f, "It is on {branch}, and only {delivered} is delivered")
            }

            Reason::CiUnknown => f.write_str("No CI run is known for this commit"),
            Reason::CiRunning { job, others } => {
                write!(f, "Waiting for {}, which is running{}", job_name(job), and_others(*others))
            }
            Reason::CiWaiting { job, others } => {
                write!(f, "Waiting for {}, which has not started{}", job_name(job), and_others(*others))
            }
            Reason::CiNeedsApproval { job } => {
                write!(f, "{} waits for somebody to approve it", job_name(job))
            }
            Reason::CiFailed { job, step: Some(step) } => {
                write!(f, "{} failed at step {step}", job_name(job))
            }
            Reason::CiFailed { job, step: None } => write!(f, "{} failed", job_name(job)),
            Reason::CiCancelled { job } => write!(f, "{} was cancelled", job_name(job)),

            Reason::ImageBuilding => f.write_str("The image is being built"),
            Reason::ImageUnknown => f.write_str("No image is known for this commit"),
            Reason::NotInRegistry { ended: Some(ended) } => {
                write!(f, "CI succeeded at {}, but the registry has no image of this commit", at(ended))
            }
            Reason::NotInRegistry { ended: None } => {
                f.write_str("CI succeeded, but the registry has no image of this commit")
            }
            Reason::ImageFailed => f.write_str("The image could not be built or pushed"),
            Reason::ImageSkipped => f.write_str("CI left the image out for this commit"),
            Reason::ScanBlocked { critical, high } => {
                write!(f, "The image scan blocks it with {critical} critical and {high} high findings")
            }
            Reason::ImageArchived { tag } => {
                write!(
                    f,
                    "{} is archived in the registry and cannot be pulled until it is restored",
                    image(tag)
                )
            }
            Reason::ImageRestoring { tag } => {
                write!(f, "{} is being restored from the registry's archive", image(tag))
            }

            Reason::AssetsUploading => f.write_str("The static bundle is being uploaded"),
            Reason::AssetsFailed => f.write_str("The static bundle could not be uploaded"),
            Reason::InvalidationRunning { id: Some(id) } => {
                write!(f, "The static bundle is uploaded, and CloudFront invalidation {id} is in progress")
            }
            Reason::InvalidationRunning { id: None } => {
                f.write_str("The static bundle is uploaded, and the CloudFront invalidation is in progress")
            }
            Reason::InvalidationFailed => {
                f.write_str("The static bundle is uploaded, but the CloudFront invalidation failed")
            }

            Reason::TagNotAVersion { tag } => write!(
                f,
                "Tag {tag} is no semantic version, so the image updater's semver strategy passes over it"
            ),
            Reason::TagOutsideConstraint { tag, constraint: Some(constraint) } => {
                write!(f, "Tag {tag} does not match the image updater's constraint {constraint}")
            }
            Reason::TagOutsideConstraint { tag, constraint: None } => {
                write!(
                    f,
                    "Tag {tag} is a pre-release, which the image updater takes only with a constraint that names one"
                )
            }
            Reason::InvalidConstraint { constraint } => {
                write!(f, "The image updater cannot read its constraint {constraint}, and so takes no tag")
            }
            Reason::TagIgnored { tag, pattern, mode } => {
                let place = match mode {
                    UpdaterMode::Annotations => "the Application's annotations",
                    UpdaterMode::Resource => "the ImageUpdater resource",
                };
                write!(f, "Tag {tag} is ignored by the pattern {pattern} in {place}")
            }
            Reason::TagNotAllowed { tag, pattern: Some(pattern) } => {
                write!(f, "Tag {tag} does not match allow-tags {pattern}")
            }
            Reason::TagNotAllowed { tag, pattern: None } => write!(f, "Tag {tag} is not among allow-tags"),
            Reason::TagNotFollowed { tag, followed: Some(followed) } => {
                write!(
                    f,
                    "The image updater follows the digest of tag {followed}, and the image has tag {tag}"
                )
            }
            Reason::TagNotFollowed { tag, followed: None } => write!(
                f,
                "The image updater's digest strategy has no tag to follow, so it does not take tag {tag}"
            ),
            Reason::Frozen { by, reason, pull_request: Some(number) } => {
                write!(f, "Frozen by pull request #{number} of {by} ({})", quoted(reason))
            }
            Reason::Frozen { by, reason, pull_request: None } => {
                write!(f, "Frozen by {by} ({})", quoted(reason))
            }
            Reason::Held { by, reason, pull_request: Some(number) } => {
                write!(f, "Held after a revert by pull request #{number} of {by} ({})", quoted(reason))
            }
            Reason::Held { by, reason, pull_request: None } => {
                write!(f, "Held after a revert by {by} ({})", quoted(reason))
            }
            Reason::UpdaterPolls => f.write_str("The image updater looks for new tags"),
            Reason::UpdaterUnknown => {
                f.write_str("The image is there; when the image updater last looked is not known")
            }
            Reason::UpdaterStale { last_checked } => {
                write!(f, "The image updater has not looked for new tags since {}", at(last_checked))
            }
            Reason::UpdaterPassedOver { tag: Some(tag), checked } => {
                write!(
                    f,
                    "The image updater looked at {} and did not take tag {tag}: see its log",
                    at(checked)
                )
            }
            Reason::UpdaterPassedOver { tag: None, checked } => {
                write!(
                    f,
                    "The image updater looked at {} and did not take the image: see its log",
                    at(checked)
                )
            }
            Reason::PromotionNeeded { from } => {
                write!(f, "It is live in {from} and waits for somebody to promote it")
            }
            Reason::NotInSourceEnvironment { from } => {
                write!(f, "It is not live in {from} yet, from where it is promoted")
            }
            Reason::Promoted => f.write_str("It comes here by promotion from another environment"),
            Reason::PipelineWrites => {
                f.write_str("The image is there; the pipeline has not written its tag to Git yet")
            }
            Reason::NoAutomation => {
                f.write_str("The image is there; nothing is known to write its tag to Git")
            }

            Reason::BumpNeedsReview { pull_request } => {
                write!(f, "Pull request #{pull_request}, which sets the tag, waits for a review")
            }
            Reason::BumpChangesRequested { pull_request } => {
                write!(f, "A reviewer asked for changes to pull request #{pull_request}, which sets the tag")
            }
            Reason::BumpChecksFailing { pull_request, check } => {
                write!(f, "Check {check} fails on pull request #{pull_request}, which sets the tag")
            }
            Reason::BumpChecksRunning { pull_request } => {
                write!(f, "The checks of pull request #{pull_request}, which sets the tag, are running")
            }
            Reason::BumpReady { pull_request } => {
                write!(f, "Pull request #{pull_request}, which sets the tag, waits to be merged")
            }
            Reason::BumpClosed { pull_request: Some(number), .. } => {
                write!(f, "Pull request #{number}, which sets the tag, was closed without being merged")
            }
            Reason::BumpClosed { pull_request: None, .. } => {
                f.write_str("The pull request that sets the tag was closed without being merged")
            }
            Reason::BumpWaiting { pull_request: Some(number) } => {
                write!(f, "Pull request #{number}, which sets the tag, is open")
            }
            Reason::BumpWaiting { pull_request: None } => {
                f.write_str("The commit that sets the tag is waited for")
            }
            Reason::BumpRunning => f.write_str("The tag is being written to Git"),
            Reason::BumpFailed => f.write_str("The tag could not be written to Git"),

            Reason::ArgoPolls => f.write_str("The tag is in Git; Argo CD polls the repository"),
            Reason::ArgoOverdue { last_reconciled } => write!(
                f,
                "The tag is in Git, but Argo CD has not seen that commit; it last compared at {}",
                at(last_reconciled)
            ),
            Reason::ArgoUnknown => f.write_str("The tag is in Git; whether Argo CD has seen it is not known"),
            Reason::ComparisonError { condition, message } => {
                write!(f, "Argo CD cannot render the application: {condition}, {}", quoted(message))
            }
            Reason::SyncWindowClosed => f.write_str("The sync window is closed"),
            Reason::ManualSync => f.write_str("Auto-sync is off: somebody has to sync the application"),
            Reason::SyncPending => f.write_str("Argo CD has seen the tag and is about to sync"),
            Reason::SyncRunning { hook: Some(hook) } => {
                write!(f, "Argo CD is syncing and waits for hook {hook}")
            }
            Reason::SyncRunning { hook: None } => f.write_str("Argo CD is syncing"),
            Reason::SyncFailed { message: Some(message) } => {
                write!(f, "The sync failed: {}", quoted(message))
            }
            Reason::SyncFailed { message: None } => f.write_str("The sync failed"),
            Reason::HookFailed { hook, message: Some(message) } => {
                write!(f, "The sync failed at hook {hook}: {}", quoted(message))
            }
            Reason::HookFailed { hook, message: None } => write!(f, "The sync failed at hook {hook}"),

            Reason::RolloutNotSeen => {
                f.write_str("Argo CD has applied it; Kubernetes has not told of a rollout yet")
            }
            Reason::RollingOut { ready, desired } => {
                write!(f, "The rollout {}", progress(*ready, *desired, "is under way"))
            }
            Reason::PodStuck { trouble, pod, reason, ready, desired, .. } => {
                let problem = match trouble {
                    PodTrouble::ImagePull => "cannot pull its image",
                    PodTrouble::CrashLoop => "crashes over and over",
                    PodTrouble::OutOfMemory => "runs out of memory",
                    PodTrouble::Config => "cannot be configured",
                    PodTrouble::Unschedulable => "finds no node",
                    PodTrouble::NotMade => "may not make a pod",
                };
                let subject = if *trouble == PodTrouble::NotMade { "" } else { "pod " };
                let stands = progress(*ready, *desired, "is stuck");
                write!(f, "The rollout {stands}: {subject}{pod} {problem} ({reason})")
            }
            Reason::DeadlineExceeded { ready, desired, .. } => write!(
                f,
                "The rollout {} and made no progress in time (ProgressDeadlineExceeded)",
                progress(*ready, *desired, "is stuck")
            ),
            Reason::HealthDegraded { message: Some(message) } => {
                write!(f, "It is rolled out, but the application is degraded: {}", quoted(message))
            }
            Reason::HealthDegraded { message: None } => {
                f.write_str("It is rolled out, but the application is degraded")
            }
            Reason::HealthProgressing { message: Some(message) } => {
                write!(f, "It is rolled out, and the application is still progressing: {}", quoted(message))
            }
            Reason::HealthProgressing { message: None } => {
                f.write_str("It is rolled out, and the application is still progressing")
            }
            Reason::Suspended => f.write_str("The rollout is paused: somebody has to resume it"),
            Reason::AwaitingLive => {
                f.write_str("The rollout is complete; that it is live is not confirmed yet")
            }

            Reason::SourceDown { source, since, error } => {
                match since {
                    Some(since) => {
                        write!(f, "Unknown: {} has not answered since {}", source.label(), at(since))?
                    }
                    None => write!(f, "Unknown: {} has never answered", source.label())?,
                }
                error.as_ref().map_or(Ok(()), |error| write!(f, " ({})", quoted(error)))
            }
        }
    }
}

/// `1.2.3 (abcdef0)`, or the commit alone.
fn named(version: &Option<String>, commit: &CommitSha) -> String {
    match version {
        Some(version) => format!("{version} ({})", commit.short()),
        None => commit.short().to_owned(),
    }
}

fn job_name(job: &Option<String>) -> String {
    job.as_ref().map_or_else(|| "CI".to_owned(), |job| format!("CI job {job}"))
}

fn and_others(others: u32) -> String {
    match others {
        0 => String::new(),
        1 => ", and for 1 other job".into(),
        more => format!(", and for {more} other jobs"),
    }
}

fn image(tag: &Option<String>) -> String {
    tag.as_ref().map_or_else(|| "The image".to_owned(), |tag| format!("Image {tag}"))
}

fn progress(ready: Option<u32>, desired: Option<u32>, otherwise: &str) -> String {
    match (ready, desired) {
        (Some(ready), Some(desired)) => format!("is at {ready} of {desired}"),
        (None, _) | (_, None) => otherwise.into(),
    }
}

/// What a source said, as a part of a sentence: its first line, without a full stop, cut where it is long.
fn quoted(message: &str) -> String {
    let line = message.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let line = line.trim_end_matches('.');
    match line.char_indices().nth(MAX_QUOTE) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line.to_owned(),
    }
}

/// `18:00 UTC`, with the date where it is another day's.
fn clock(at: Timestamp, now: Option<Timestamp>) -> String {
    const SECONDS_A_DAY: i64 = 86_400;
    let text = at.to_string();
    let (date, time) = (text.get(..10).unwrap_or_default(), text.get(11..16).unwrap_or_default());
    let day = |at: Timestamp| at.as_second().div_euclid(SECONDS_A_DAY);
    if now.is_some_and(|now| day(now) == day(at)) {
        format!("{time} UTC")
    } else {
        format!("{date} {time} UTC")
    }
}

/// The two greatest units of a duration in seconds: `1 m 20 s`, `2 m`, `3 d 4 h`.
pub(super) fn duration(seconds: i64) -> String {
    const UNITS: [(i64, char); 4] = [(86_400, 'd'), (3_600, 'h'), (60, 'm'), (1, 's')];
    let seconds = seconds.max(0);
    let first = UNITS.iter().position(|(size, _)| seconds >= *size).unwrap_or(UNITS.len() - 1);
    let (size, unit) = UNITS[first];
    let (count, rest) = (seconds / size, seconds % size);
    match UNITS.get(first + 1).map(|(size, unit)| (rest / size, unit)) {
        Some((further, unit_of_rest)) if further > 0 => format!("{count} {unit} {further} {unit_of_rest}"),
        Some(_) | None => format!("{count} {unit}"),
    }
}
