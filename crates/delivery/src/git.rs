//! A GitOps repository as a source: which tag each environment is to run, what set it, and when.

pub(crate) mod effective;
pub(crate) mod github;
mod history;
pub(crate) mod local;
pub(crate) mod locate;
pub(crate) mod places;
pub(crate) mod pulls;
pub(crate) mod repository;
pub(crate) mod yaml;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::delivery::{Branch, DesiredTag, EnvironmentName, Seen, ServiceName, Sighting};
use jiff::Timestamp;

use crate::github::GithubClient;
use crate::reader::{Checked, ReadError, Reader, Told};
use effective::Effective;
use github::Github;
use history::PlaceHistory;
use local::Local;

use places::{Layout, Tracked};
use pulls::Pulls;
pub use repository::Entry;
use repository::{End, Repository};

/// How many commits of the branch are known.
const MOST_REVISIONS: usize = 500;

/// One branch of one GitOps repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitopsConfig {
    /// What it is called where it is shown: `acme/gitops`.
    pub name: String,
    pub at: RepositoryAt,
    pub branch: String,
    /// The files that set tags, from the root of the repository: `envs/{environment}/{service}/values.yaml`. Of two that are both
    /// values files the later outweighs the earlier, as for Helm.
    pub files: Vec<String>,
    /// The files that hold Applications and ImageUpdaters, from the root of the repository; by them the updater is kept from new tags.
    pub applications: Vec<String>,
    /// Labels that each pull request gets, and who is asked to review it, as GitHub names them.
    pub labels: Vec<String>,
    pub reviewers: Vec<String>,
    /// Where in Helm's values the tag is. It may name `{service}` and `{environment}` too.
    pub tag_key: String,
    /// How long to wait between two looks.
    pub poll: Duration,
}

impl GitopsConfig {
    /// Where charts have their tag, unless something else is said.
    pub const TAG_KEY: &str = "image.tag";
    /// How long to wait between two looks, unless something else is said.
    pub const POLL: Duration = Duration::from_secs(60);
}

/// Where a repository is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RepositoryAt {
    /// A clone on disk, bare or not. Its own branch is read (`refs/heads/…`), not the one that it remembers of where it was cloned from:
    /// one that is only fetched into has to be a mirror (`git clone --mirror`).
    Local(PathBuf),
    /// `owner/name`
    Github(String),
}

/// Reads one branch of one GitOps repository.
pub struct GitReader {
    config: GitopsConfig,
    layout: Layout,
    repository: Arc<dyn Repository>,
    /// Those of a repository on GitHub; of others nothing is known.
    pulls: Option<Pulls>,
    known: Option<Known>,
    /// A head before the known one that was seen once, of a repository whose answers may be older than the one before.
    gone_back: Option<String>,
}

/// What was read.
struct Known {
    /// Newest first.
    revisions: Vec<String>,
    /// In the order of the layout.
    places: Vec<PlaceHistory>,
}

impl Known {
    fn head(&self) -> Option<&str> {
        self.revisions.first().map(String::as_str)
    }
}

impl GitReader {
    /// A reader for these services and environments; `github` is asked where the repository is there.
    pub fn new(
        config: GitopsConfig,
        github: &GithubClient,
        services: &[ServiceName],
        environments: &[EnvironmentName],
    ) -> GitReader {
        let layout = Layout::new(&config.files, &config.tag_key, services, environments);
        let (repository, pulls): (Arc<dyn Repository>, _) = match &config.at {
            RepositoryAt::Local(path) => (Arc::new(Local::new(path.clone())), None),
            RepositoryAt::Github(name) => {
                let repository = Arc::new(Github::new(github.clone(), name.clone()));
                (repository.clone(), Some(Pulls::new(repository, config.branch.clone())))
            }
        };
        GitReader { config, layout, repository, pulls, known: None, gone_back: None }
    }

    /// Takes in what came onto the branch since the last time; all of it where the branch does not go on from there, such as after a
    /// force push.
    async fn follow(&mut self) -> Result<(), ReadError> {
        let head = self.repository.head(&self.config.branch).await?;
        if let Some(known) = &self.known {
            if known.head() == Some(head.as_str()) {
                self.gone_back = None;
                return Ok(());
            }
            let before = known.revisions.contains(&head);
            if before && self.repository.may_lag() && self.gone_back.as_ref() != Some(&head) {
                self.gone_back = Some(head);
                return Ok(());
            }
        }
        let until = self.known.as_ref().and_then(Known::head);
        let mut line = self.repository.first_parents(&head, until, MOST_REVISIONS).await?;
        let known = self.known.as_ref().filter(|_| line.end == End::Known);
        let places = known.map(|known| known.places.as_slice());
        let places = history::read(self.repository.as_ref(), &self.layout, &head, &line, places).await?;
        for (number, (tracked, place)) in self.layout.tracked.iter().zip(&places).enumerate() {
            let before = self.known.as_ref().map(|known| &known.places[number].effective);
            if before != Some(&place.effective) {
                warn_unreadable(&self.config.name, tracked, &place.effective);
            }
        }
        let mut revisions: Vec<String> = line.commits.drain(..).map(|commit| commit.revision).collect();
        revisions.extend(known.into_iter().flat_map(|known| known.revisions.iter().cloned()));
        revisions.truncate(MOST_REVISIONS);
        self.known = Some(Known { revisions, places });
        self.gone_back = None;
        Ok(())
    }

    fn sightings(&self) -> Vec<Sighting> {
        let Some(known) = &self.known else { return Vec::new() };
        let branch = Branch {
            repository: self.config.name.clone(),
            name: self.config.branch.clone(),
            revisions: known.revisions.clone(),
        };
        let branch =
            Sighting { subject: format!("branch/{}", branch.name), place: None, seen: Seen::Branch(branch) };
        let tags = self.layout.tracked.iter().zip(&known.places);
        [branch].into_iter().chain(tags.filter_map(|(tracked, place)| self.desired(tracked, place))).collect()
    }

    /// Nothing for a place of which there is no file.
    fn desired(&self, tracked: &Tracked, place: &PlaceHistory) -> Option<Sighting> {
        let (path, key, tag) = match &place.effective {
            Effective::Missing => return None,
            Effective::Unset { path, key } | Effective::Unreadable { path, key, .. } => (path, key, None),
            Effective::Set(found) => (&found.path, &found.key, Some(found.tag.clone())),
        };
        let desired = DesiredTag {
            repository: self.config.name.clone(),
            branch: self.config.branch.clone(),
            path: path.clone(),
            key: key.clone(),
            tag,
            changes: place.changes.clone(),
        };
        Some(Sighting {
            subject: tracked.subject(path, key),
            place: Some(tracked.place.clone()),
            seen: Seen::DesiredTag(desired),
        })
    }
}

/// A tag that cannot be told is said once; a check says it again.
fn warn_unreadable(repository: &str, tracked: &Tracked, effective: &Effective) {
    if let Effective::Unreadable { path, problem, .. } = effective {
        let (service, environment) = (&tracked.place.service, &tracked.place.environment);
        tracing::warn!(repository, path, %service, %environment, problem, "a desired tag cannot be read");
    }
}

#[async_trait]
impl Reader for GitReader {
    async fn read(&mut self, now: Timestamp) -> Result<Told, ReadError> {
        self.follow().await?;
        let mut sightings = self.sightings();
        if let Some(pulls) = &mut self.pulls {
            sightings.extend(pulls.read(&self.layout, now).await?);
        }
        Ok(Told { sightings: Some(sightings), ..Told::default() })
    }

    fn pause(&self) -> Duration {
        self.config.poll
    }

    async fn check(&mut self) -> Vec<Checked> {
        let what = format!("branch {} of {}", self.config.branch, self.config.name);
        let head = match self.repository.head(&self.config.branch).await {
            Ok(head) => head,
            Err(error) => return vec![Checked { what, outcome: Err(error.message) }],
        };
        let mut checked = vec![Checked { what, outcome: Ok(format!("at {head}")) }];
        match self.check_files(&head).await {
            Ok(more) => checked.extend(more),
            Err(error) => {
                let what = format!("files of {} in {}", head, self.config.name);
                checked.push(Checked { what, outcome: Err(error.message) });
            }
        }
        if let Some(pulls) = &self.pulls {
            let what = format!("pull requests of {}", self.config.name);
            let outcome = match pulls.check(Timestamp::now()).await {
                Ok(open) => Ok(format!("{open} open against {}", self.config.branch)),
                Err(error) => Err(error.to_string()),
            };
            checked.push(Checked { what, outcome });
        }
        checked
    }
}

impl GitReader {
    /// One line for each pattern, and one for each place whose tag cannot be told or is set in vain.
    async fn check_files(&self, head: &str) -> Result<Vec<Checked>, ReadError> {
        let readings = history::readings(self.repository.as_ref(), &self.layout, head).await?;
        let mut checked = Vec::new();
        for (number, pattern) in self.config.files.iter().enumerate() {
            let mut all = 0;
            let mut there = Vec::new();
            for (tracked, readings) in self.layout.tracked.iter().zip(&readings) {
                for (file, reading) in tracked.files.iter().zip(readings) {
                    if file.pattern == number {
                        all += 1;
                        if reading.is_some() {
                            there.push(format!("{} in {}", tracked.place.service, tracked.place.environment));
                        }
                    }
                }
            }
            let outcome = match there.len() {
                0 => Err(format!(
                    "there is no such file for any of {all} services and environments: correct it, from the root of the \
                     repository"
                )),
                some => Ok(format!("{some} of {all}: {}", there.join(", "))),
            };
            checked.push(Checked { what: pattern.clone(), outcome });
        }
        for (place, tracked) in self.layout.tracked.iter().enumerate() {
            let what = format!("tag of {} in {}", tracked.place.service, tracked.place.environment);
            let outcome = match history::of_place(&self.layout, &readings, place) {
                Effective::Missing => continue,
                Effective::Set(found) if found.garbled => Err(format!(
                    "{}#{} is {} without quotes, which Helm takes for a number or a truth value and renders as something else: \
                     quote it",
                    found.path, found.key, found.tag
                )),
                Effective::Set(found) if found.shadowed.is_empty() => continue,
                Effective::Set(found) => Ok(format!(
                    "{} from {}#{}; what {} says does not count",
                    found.tag,
                    found.path,
                    found.key,
                    found.shadowed.join(", ")
                )),
                Effective::Unset { path, key } => Err(format!("{path} sets no {key}")),
                Effective::Unreadable { path, problem, .. } => {
                    Err(format!("{path} cannot be read: {problem}"))
                }
            };
            checked.push(Checked { what, outcome });
        }
        Ok(checked)
    }
}
