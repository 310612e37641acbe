//! The closed sets that facts are made of: stages, how far one has come, and who says so.

use serde::{Deserialize, Serialize};

/// A stage on the way of a change. The first five are of the change; `Bump` to `Live` happen in each environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The commit was pushed.
    Commit,
    /// The jobs of continuous integration.
    Ci,
    /// The container image is in the registry.
    Image,
    /// The static bundle is in its bucket.
    Assets,
    /// The CDN was told to forget what it cached of the bundle before.
    Invalidation,
    /// The environment's desired tag was written to Git.
    Bump,
    /// Argo CD applied that revision.
    Sync,
    /// Kubernetes replaced the pods.
    Rollout,
    /// The environment serves the change.
    Live,
}

impl Stage {
    /// In the order that a change passes through them.
    pub const ALL: [Stage; 9] = [
        Stage::Commit,
        Stage::Ci,
        Stage::Image,
        Stage::Assets,
        Stage::Invalidation,
        Stage::Bump,
        Stage::Sync,
        Stage::Rollout,
        Stage::Live,
    ];

    /// The stages of a change itself.
    pub const OF_CHANGE: [Stage; 5] =
        [Stage::Commit, Stage::Ci, Stage::Image, Stage::Assets, Stage::Invalidation];

    /// The stages that happen in each environment.
    pub const OF_ENVIRONMENT: [Stage; 4] = [Stage::Bump, Stage::Sync, Stage::Rollout, Stage::Live];

    /// The name that is stored, reported and used in URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Commit => "commit",
            Stage::Ci => "ci",
            Stage::Image => "image",
            Stage::Assets => "assets",
            Stage::Invalidation => "invalidation",
            Stage::Bump => "bump",
            Stage::Sync => "sync",
            Stage::Rollout => "rollout",
            Stage::Live => "live",
        }
    }

    /// The inverse of [`Stage::as_str`].
    pub fn parse(text: &str) -> Option<Stage> {
        Stage::ALL.into_iter().find(|stage| stage.as_str() == text)
    }

    /// The name in words.
    pub fn label(self) -> &'static str {
        match self {
            Stage::Commit => "Commit",
            Stage::Ci => "CI",
            Stage::Image => "Image",
            Stage::Assets => "Static bundle",
            Stage::Invalidation => "CDN invalidation",
            Stage::Bump => "Tag in Git",
            Stage::Sync => "Argo CD sync",
            Stage::Rollout => "Rollout",
            Stage::Live => "Live",
        }
    }

    /// Whether the stage happens in each environment, rather than once for the change.
    pub fn is_of_environment(self) -> bool {
        match self {
            Stage::Commit | Stage::Ci | Stage::Image | Stage::Assets | Stage::Invalidation => false,
            Stage::Bump | Stage::Sync | Stage::Rollout | Stage::Live => true,
        }
    }

    /// The stage whose end this one waits for; `None` for the first.
    pub fn previous(self) -> Option<Stage> {
        match self {
            Stage::Commit => None,
            Stage::Ci => Some(Stage::Commit),
            Stage::Image | Stage::Assets => Some(Stage::Ci),
            Stage::Invalidation => Some(Stage::Assets),
            Stage::Bump => Some(Stage::Image),
            Stage::Sync => Some(Stage::Bump),
            Stage::Rollout => Some(Stage::Sync),
            Stage::Live => Some(Stage::Rollout),
        }
    }

    /// Whether this stage waits for `other`, directly or through stages between.
    pub fn comes_after(self, other: Stage) -> bool {
        let mut before = self.previous();
        while let Some(stage) = before {
            if stage == other {
                return true;
            }
            before = stage.previous();
        }
        false
    }
}

/// How far a stage has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// The source cannot tell, or tells in a word that is not known here.
    Unknown,
    /// Queued, or waiting for somebody.
    Waiting,
    Running,
    /// Left out on purpose, such as a job whose condition does not hold.
    Skipped,
    Cancelled,
    Failed,
    Succeeded,
}

impl Status {
    /// From knowing least to having gone well.
    pub const ALL: [Status; 7] = [
        Status::Unknown,
        Status::Waiting,
        Status::Running,
        Status::Skipped,
        Status::Cancelled,
        Status::Failed,
        Status::Succeeded,
    ];

    /// The name that is stored, reported and used in URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Unknown => "unknown",
            Status::Waiting => "waiting",
            Status::Running => "running",
            Status::Skipped => "skipped",
            Status::Cancelled => "cancelled",
            Status::Failed => "failed",
            Status::Succeeded => "succeeded",
        }
    }

    /// The inverse of [`Status::as_str`].
    pub fn parse(text: &str) -> Option<Status> {
        Status::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether an attempt that has come this far goes no further.
    pub fn is_final(self) -> bool {
        match self {
            Status::Unknown | Status::Waiting | Status::Running => false,
            Status::Skipped | Status::Cancelled | Status::Failed | Status::Succeeded => true,
        }
    }

    /// How much a status says of an attempt: each step of the way more than the one before, and all ends alike.
    pub(super) fn progress(self) -> u8 {
        match self {
            Status::Unknown => 0,
            Status::Waiting => 1,
            Status::Running => 2,
            Status::Skipped | Status::Cancelled | Status::Failed | Status::Succeeded => 3,
        }
    }
}

/// Who tells a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// GitHub's webhooks and REST API.
    Github,
    /// CDEvents over CloudEvents.
    #[serde(rename = "cdevents")]
    CdEvents,
    /// A step of a pipeline that reports by itself.
    Report,
    /// The container registry.
    Ecr,
    /// The bucket and the distribution of the static bundle.
    Assets,
    /// The repository that the desired tags live in.
    Git,
    /// Argo CD's Applications.
    ArgoCd,
    /// Deployments and pods.
    Kubernetes,
}

impl Source {
    /// Every source, in the order that the declaration gives, by which ties are broken.
    pub const ALL: [Source; 8] = [
        Source::Github,
        Source::CdEvents,
        Source::Report,
        Source::Ecr,
        Source::Assets,
        Source::Git,
        Source::ArgoCd,
        Source::Kubernetes,
    ];

    /// The name that is stored, reported and used in URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Github => "github",
            Source::CdEvents => "cdevents",
            Source::Report => "report",
            Source::Ecr => "ecr",
            Source::Assets => "assets",
            Source::Git => "git",
            Source::ArgoCd => "argo-cd",
            Source::Kubernetes => "kubernetes",
        }
    }

    /// The inverse of [`Source::as_str`].
    pub fn parse(text: &str) -> Option<Source> {
        Source::ALL.into_iter().find(|source| source.as_str() == text)
    }

    /// The name in words.
    pub fn label(self) -> &'static str {
        match self {
            Source::Github => "GitHub",
            Source::CdEvents => "CDEvents",
            Source::Report => "the pipeline's reports",
            Source::Ecr => "ECR",
            Source::Assets => "the static bundle's bucket",
            Source::Git => "the GitOps repository",
            Source::ArgoCd => "Argo CD",
            Source::Kubernetes => "Kubernetes",
        }
    }

    /// Whether the source is asked, so that its silence has an age; the others only speak when something happens.
    pub fn is_asked(self) -> bool {
        match self {
            Source::CdEvents | Source::Report => false,
            Source::Github
            | Source::Ecr
            | Source::Assets
            | Source::Git
            | Source::ArgoCd
            | Source::Kubernetes => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_are_serialized() {
        for stage in Stage::ALL {
            assert_eq!(Stage::parse(stage.as_str()), Some(stage));
            assert_eq!(serde_json::to_value(stage).unwrap(), stage.as_str());
        }
        for status in Status::ALL {
            assert_eq!(Status::parse(status.as_str()), Some(status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
        for source in Source::ALL {
            assert_eq!(Source::parse(source.as_str()), Some(source));
            assert_eq!(serde_json::to_value(source).unwrap(), source.as_str());
        }
    }

    #[test]
    fn stages_wait_for_what_they_are_made_of() {
        assert!(Stage::Live.comes_after(Stage::Commit) && Stage::Live.comes_after(Stage::Image));
        assert!(!Stage::Live.comes_after(Stage::Assets) && !Stage::Image.comes_after(Stage::Image));
        assert!(Stage::Invalidation.comes_after(Stage::Assets));
        let both: Vec<Stage> = Stage::OF_CHANGE.into_iter().chain(Stage::OF_ENVIRONMENT).collect();
        assert_eq!(both, Stage::ALL);
        assert!(
            Stage::ALL
                .into_iter()
                .all(|stage| stage.is_of_environment() == Stage::OF_ENVIRONMENT.contains(&stage))
        );
    }
}
