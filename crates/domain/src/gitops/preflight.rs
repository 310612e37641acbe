//! What is looked at before a promotion or a revert, so that it does not fail after it was merged.

use serde::{Deserialize, Serialize};

use crate::delivery::{CellHealth, EnvironmentName, Hold, HoldKind, ImageState, Place};
use crate::time::Timestamp;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    pub place: Place,
    pub what: String,
    pub verdict: Verdict,
    /// What was found, and what to do about it where that is not well.
    pub message: String,
}

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Passed,
    /// It goes on; somebody should know.
    Warned,
    /// It cannot be told, and what cannot be told is not let pass.
    Unknown,
    Refused,
}

impl Verdict {
    pub fn refuses(self) -> bool {
        matches!(self, Verdict::Unknown | Verdict::Refused)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Warned => "warned",
            Verdict::Unknown => "unknown",
            Verdict::Refused => "refused",
        }
    }
}

/// What is known of where a tag comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromotionSource {
    pub environment: EnvironmentName,
    pub health: CellHealth,
    /// The tag that the repository says there, and the tag that runs.
    pub desired: Option<String>,
    pub runs: Option<String>,
    /// Whether a change is on its way into it.
    pub in_progress: bool,
}

/// What was found of a tag that is to come to a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub place: Place,
    pub tag: String,
    /// `None` where the tag does not come from an environment.
    pub source: Option<PromotionSource>,
    /// The image in the registry: its state, with `None` where it is not there. `Err` says why no registry tells.
    pub image: Result<Option<ImageState>, String>,
    /// Whether the bundle of the commit was published; `None` where the service has none.
    pub bundle: Option<bool>,
    /// What keeps the place as it is.
    pub holds: Vec<Hold>,
    /// Until when a calendar keeps the environment from changes, and what it calls that.
    pub window: Option<(String, Option<Timestamp>)>,
    /// What the policy says; `None` where the environment has none.
    pub policy: Option<(Verdict, String)>,
}

/// Looks at everything that would make a tag's coming fail, or be regretted.
pub fn preflight(found: &Found) -> Vec<Check> {
    let check = |what: &str, verdict, message: String| Check {
        place: found.place.clone(),
        what: what.to_owned(),
        verdict,
        message,
    };
    let mut checks = Vec::new();
    if let Some(source) = &found.source {
        let (verdict, message) = source.verdict(&found.tag);
        checks.push(check("source environment", verdict, message));
    }
    let tag = &found.tag;
    checks.push(match &found.image {
        Err(why) => {
            check("image", Verdict::Warned, format!("It is not known whether {tag} is in the registry: {why}"))
        }
        Ok(None) => check(
            "image",
            Verdict::Refused,
            format!("{tag} is not in the registry: it expired or was never pushed. Build it again, or choose another."),
        ),
        Ok(Some(ImageState::Active)) => check("image", Verdict::Passed, format!("{tag} is in the registry.")),
        Ok(Some(ImageState::Archived)) => check(
            "image",
            Verdict::Refused,
            format!("{tag} is archived in the registry and cannot be pulled: restore it there first."),
        ),
        Ok(Some(ImageState::Activating)) => check(
            "image",
            Verdict::Refused,
            format!("{tag} is being restored in the registry: try again when that is done."),
        ),
    });
    match found.bundle {
        None => {}
        Some(true) => checks.push(check("bundle", Verdict::Passed, "Its bundle is published.".into())),
        Some(false) => checks.push(check(
            "bundle",
            Verdict::Refused,
            "Its bundle was not published: run `tollgate publish push` for its commit first.".into(),
        )),
    }
    for hold in &found.holds {
        let kind = match hold.kind {
            HoldKind::Frozen => "frozen",
            HoldKind::Held => "held",
        };
        checks.push(check(
            "hold",
            Verdict::Refused,
            format!("It is {kind} by {} because: {}. Resume it first.", hold.by, hold.reason),
        ));
    }
    if let Some((name, until)) = &found.window {
        let until = until.map_or_else(String::new, |until| format!(" until {until}"));
        checks.push(check(
            "calendar",
            Verdict::Refused,
            format!("{} is closed for changes{until}: {name}.", found.place.environment),
        ));
    }
    if let Some((verdict, message)) = &found.policy {
        checks.push(check("policy", *verdict, message.clone()));
    }
    checks
}

impl PromotionSource {
    /// Whether what the environment says is what it runs, and well.
    fn verdict(&self, tag: &str) -> (Verdict, String) {
        let environment = &self.environment;
        match (&self.runs, self.health) {
            (_, CellHealth::Degraded) => (
                Verdict::Refused,
                format!("{environment} is degraded: what does not work there is not taken on."),
            ),
            (_, CellHealth::Missing) => (Verdict::Refused, format!("Nothing of it runs in {environment}.")),
            (_, CellHealth::Progressing) => {
                (Verdict::Refused, format!("{environment} is in the middle of a rollout: wait for its end."))
            }
            (Some(runs), _) if runs != tag => (
                Verdict::Refused,
                format!("{environment} says {tag} and runs {runs}: wait until it runs what it says."),
            ),
            (_, CellHealth::Unknown { .. }) => (
                Verdict::Unknown,
                format!(
                    "Nobody tells, or nobody told lately, how {environment} is: see the sources of deliveries."
                ),
            ),
            (None, CellHealth::Healthy) => {
                (Verdict::Unknown, format!("It is not known what {environment} runs."))
            }
            (Some(_), CellHealth::Healthy) if self.in_progress => (
                Verdict::Warned,
                format!("{environment} runs {tag}, and a newer change is on its way there."),
            ),
            (Some(_), CellHealth::Healthy) => {
                (Verdict::Passed, format!("{environment} runs {tag} and is healthy."))
            }
        }
    }
}
