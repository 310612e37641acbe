//! A repository on GitHub, by its REST API.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::delivery::fitting;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;
use url::Url;

use super::repository::{CommitInfo, End, Entry, Line, MOST_BYTES, Repository};
use crate::github::{Answer, GithubClient, GithubError, with_query};
use crate::reader::ReadError;

/// How many pages of a hundred commits are read; those of merged branches are among them.
const MOST_PAGES: usize = 10;
/// How many questions are under way at once.
const AT_ONCE: usize = 4;
/// From how many files on one question for the whole tree costs less than one for each of them.
const WORTH_A_TREE: usize = 8;
/// Of how many files the history is asked for, be they there or not; of more, that of those that are there. A file that came and went
/// is then not known to have been.
const MOST_PATHS: usize = 300;
/// GitHub lists so many files of a comparison, and no more (REST, "Compare two commits").
const MOST_COMPARED: usize = 300;

/// A repository on GitHub.
pub(crate) struct Github {
    client: GithubClient,
    /// `owner/name`
    name: String,
    /// The parents of the commits that were listed last.
    parents: Mutex<HashMap<String, Vec<String>>>,
}

impl Github {
    pub(crate) fn new(client: GithubClient, name: String) -> Github {
        Github { client, name, parents: Mutex::default() }
    }

    pub(crate) fn client(&self) -> &GithubClient {
        &self.client
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The newest commit of a branch, where there is such a branch that may be seen.
    pub(crate) async fn tip(&self, branch: &str) -> Result<Option<String>, GithubError> {
        let question = format!("/git/ref/heads{}", escaped(branch));
        match self.client.get_once::<Reference>(&self.name, &question).await {
            Ok(answer) => Ok(Some(answer.body.object.sha)),
            // A repository without commits answers 409.
            Err(error) if matches!(error.status(), Some(404 | 409)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What differs between the common ancestor of two commits and the second of them.
    pub(crate) async fn compare(&self, base: &str, head: &str) -> Result<Comparison, GithubError> {
        let path = format!("/compare/{base}...{head}?per_page=1");
        let compared: Compared = self.client.get_once(&self.name, &path).await?.body;
        let complete = compared.files.len() < MOST_COMPARED;
        let files = compared.files.into_iter().flat_map(|file| [Some(file.filename), file.previous_filename]);
        Ok(Comparison {
            merge_base: compared.merge_base_commit.sha,
            files: files.flatten().collect(),
            complete,
        })
    }

    /// All files of a commit; `None` where they are too many to be told at once.
    async fn tree(&self, revision: &str) -> Result<Option<BTreeSet<String>>, GithubError> {
        let path = format!("/git/trees/{revision}?recursive=1");
        let tree: Tree = self.client.get_once(&self.name, &path).await?.body;
        Ok((!tree.truncated).then(|| tree.tree.into_iter().map(|entry| entry.path).collect()))
    }

    async fn file(&self, revision: &str, path: &str) -> Result<Option<Entry>, GithubError> {
        let question = with_query(&format!("/contents{}", escaped(path)), &[("ref", revision)]);
        let contents = match self.client.get_once::<Contents>(&self.name, &question).await {
            Ok(answer) => answer.body,
            Err(error) if error.status() == Some(404) => return Ok(None),
            Err(error) => return Err(error),
        };
        let file = match contents {
            Contents::Other(_) => return Ok(None),
            Contents::Entry(file) => file,
        };
        Ok(match file.kind.as_str() {
            "file" if file.size > MOST_BYTES => Some(Entry::too_large(file.size)),
            "file" => {
                let text: String = file.content.unwrap_or_default().split_whitespace().collect();
                let contents = STANDARD.decode(text).map_err(|error| GithubError::Unreadable {
                    request: format!("GET {question}"),
                    problem: format!("its content is not in base64 ({error})"),
                })?;
                Some(Entry::File(contents))
            }
            "symlink" => Some(Entry::link()),
            _ => None,
        })
    }

    /// The commits that changed a path, newest first, also such as came in by a merge.
    async fn commits_of(&self, head: &str, path: &str) -> Result<Vec<String>, GithubError> {
        let question = with_query("/commits", &[("sha", head), ("path", path), ("per_page", "100")]);
        let commits: Vec<Revision> = self.client.get_once(&self.name, &question).await?.body;
        Ok(commits.into_iter().map(|commit| commit.sha).collect())
    }
}

#[async_trait]
impl Repository for Github {
    async fn head(&self, branch: &str) -> Result<String, ReadError> {
        let question = format!("/git/ref/heads{}", escaped(branch));
        match self.client.get::<Reference>(&self.name, &question).await {
            Ok(answer) => Ok(answer.body.object.sha),
            Err(error) if matches!(error.status(), Some(404 | 409)) => Err(ReadError::new(format!(
                "{} on GitHub has no branch {branch}, or the token must not see it (it needs contents: read): {error}",
                self.name
            ))),
            Err(error) => Err(error.into()),
        }
    }

    async fn first_parents(&self, head: &str, until: Option<&str>, most: usize) -> Result<Line, ReadError> {
        let question = with_query("/commits", &[("sha", head), ("per_page", "100")]);
        let mut listed: HashMap<String, Listed> = HashMap::new();
        let mut page: Answer<Vec<Listed>> = self.client.get_once(&self.name, &question).await?;
        let mut pages = 1;
        let line = loop {
            let commits = std::mem::take(&mut page.body);
            listed.extend(commits.into_iter().map(|commit| (commit.sha.clone(), commit)));
            let (line, complete) = line(&listed, head, until, most);
            match &page.next {
                Some(next) if !complete && pages < MOST_PAGES => {
                    page = self.client.next(&self.name, next).await?;
                    pages += 1;
                }
                _ => break line,
            }
        };
        if line.commits.is_empty() && line.end == End::Cut {
            return Err(ReadError::new(format!(
                "GitHub lists the commits of {} without {head}, which its branch is at: it is asked again",
                self.name
            )));
        }
        let parents = listed
            .into_values()
            .map(|commit| (commit.sha, commit.parents.into_iter().map(|parent| parent.sha).collect()));
        *self.parents.lock().unwrap_or_else(PoisonError::into_inner) = parents.collect();
        Ok(line)
    }

    async fn touched(
        &self,
        line: &Line,
        paths: &BTreeSet<String>,
    ) -> Result<Vec<BTreeSet<String>>, ReadError> {
        let mut touched = vec![BTreeSet::new(); line.commits.len()];
        let (Some(newest), Some(oldest)) = (line.commits.first(), line.commits.last()) else {
            return Ok(touched);
        };
        let head = newest.revision.as_str();
        let some = match (&oldest.parent, line.end) {
            (Some(base), End::Known) => {
                let compared = self.compare(base, head).await?;
                let files = compared.files.intersection(paths).cloned().collect();
                match line.commits.len() {
                    1 if compared.complete => return Ok(vec![files]),
                    _ if compared.complete => files,
                    _ => paths.clone(),
                }
            }
            _ if paths.len() <= MOST_PATHS => paths.clone(),
            _ => match self.tree(head).await? {
                Some(tree) => tree.intersection(paths).cloned().collect(),
                None => paths.clone(),
            },
        };
        let commits = stream::iter(some)
            .map(|path| async move {
                let commits = self.commits_of(head, &path).await?;
                Ok::<_, ReadError>((path, commits))
            })
            .buffer_unordered(AT_ONCE)
            .try_collect::<Vec<_>>()
            .await?;
        let parents = self.parents.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (owners, merges) = (owners(line, &parents), merges(line, &parents));
        for (path, commits) in commits {
            let mut by: BTreeSet<usize> =
                commits.iter().filter_map(|commit| owners.get(commit.as_str()).copied()).collect();
            // A commit that is older than all that were listed came in by a merge, and any may be the one.
            if by.is_empty() && line.end == End::Known {
                by.clone_from(&merges);
            }
            for at in by {
                touched[at].insert(path.clone());
            }
        }
        Ok(touched)
    }

    async fn files(
        &self,
        revision: &str,
        paths: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, Entry>, ReadError> {
        let tree = match paths.len() >= WORTH_A_TREE {
            true => self.tree(revision).await?,
            false => None,
        };
        let there = paths.iter().filter(|path| tree.as_ref().is_none_or(|tree| tree.contains(*path)));
        let there: Vec<String> = there.cloned().collect();
        stream::iter(there)
            .map(|path| async move {
                let entry = self.file(revision, &path).await?;
                Ok::<_, ReadError>(entry.map(|entry| (path, entry)))
            })
            .buffer_unordered(AT_ONCE)
            .try_filter_map(|entry| async move { Ok(entry) })
            .try_collect()
            .await
    }

    fn may_lag(&self) -> bool {
        true
    }
}

/// The line of first parents as far as the listed commits tell, and whether they tell all of it.
fn line(listed: &HashMap<String, Listed>, head: &str, until: Option<&str>, most: usize) -> (Line, bool) {
    let mut commits = Vec::new();
    let mut revision = head;
    let (end, complete) = loop {
        if until == Some(revision) {
            break (End::Known, true);
        }
        if commits.len() == most {
            break (End::Cut, true);
        }
        let Some(commit) = listed.get(revision) else { break (End::Cut, false) };
        commits.push(commit.info());
        match commit.parents.first() {
            Some(parent) => revision = &parent.sha,
            None => break (End::Root, true),
        }
    };
    (Line { commits, end }, complete)
}

/// With which commit of the line each listed commit came onto the branch; those that were there before the line are left out.
fn owners<'a>(line: &'a Line, parents: &'a HashMap<String, Vec<String>>) -> HashMap<&'a str, usize> {
    let mut owners: HashMap<&str, Option<usize>> = HashMap::new();
    let mut mark = |from: &'a str, owner: Option<usize>| {
        let mut open = vec![from];
        while let Some(commit) = open.pop() {
            if !owners.contains_key(commit) {
                owners.insert(commit, owner);
                open.extend(parents.get(commit).into_iter().flatten().map(String::as_str));
            }
        }
    };
    if let Some(before) = line.commits.last().and_then(|oldest| oldest.parent.as_deref()) {
        mark(before, None);
    }
    for (at, commit) in line.commits.iter().enumerate().rev() {
        mark(&commit.revision, Some(at));
    }
    owners.into_iter().filter_map(|(commit, owner)| Some((commit, owner?))).collect()
}

/// The places of the commits in the line that have several parents.
fn merges(line: &Line, parents: &HashMap<String, Vec<String>>) -> BTreeSet<usize> {
    let is_merge =
        |commit: &CommitInfo| parents.get(&commit.revision).is_some_and(|parents| parents.len() > 1);
    line.commits.iter().enumerate().filter(|(_, commit)| is_merge(commit)).map(|(at, _)| at).collect()
}

/// A path with what has to be escaped in an address escaped, each part after a slash.
fn escaped(path: &str) -> String {
    let Ok(mut url) = Url::parse("https://github.com") else { return String::new() };
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.clear().extend(path.split('/'));
    }
    url.path().to_owned()
}

/// What differs between two commits.
pub(crate) struct Comparison {
    pub merge_base: String,
    /// Paths on either side.
    pub files: BTreeSet<String>,
    /// Whether they are all.
    pub complete: bool,
}

#[derive(Deserialize)]
struct Reference {
    object: Revision,
}

#[derive(Deserialize)]
struct Revision {
    sha: String,
}

/// A commit in a list of commits.
#[derive(Deserialize)]
struct Listed {
    sha: String,
    #[serde(default)]
    html_url: Option<String>,
    commit: ListedCommit,
    #[serde(default)]
    parents: Vec<Revision>,
}

#[derive(Deserialize)]
struct ListedCommit {
    #[serde(default)]
    message: String,
    #[serde(default)]
    author: Option<Signature>,
    #[serde(default)]
    committer: Option<Signature>,
}

#[derive(Deserialize)]
struct Signature {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    date: Option<Timestamp>,
}

impl Listed {
    fn info(&self) -> CommitInfo {
        let date = |signature: &Option<Signature>| signature.as_ref().and_then(|signature| signature.date);
        let author = self.commit.author.as_ref().and_then(|author| author.name.as_deref());
        CommitInfo {
            revision: self.sha.clone(),
            parent: self.parents.first().map(|parent| parent.sha.clone()),
            at: date(&self.commit.committer)
                .or_else(|| date(&self.commit.author))
                .unwrap_or(Timestamp::UNIX_EPOCH),
            author: author.and_then(fitting),
            message: self.commit.message.clone(),
            link: self.html_url.clone(),
        }
    }
}

#[derive(Deserialize)]
struct Compared {
    merge_base_commit: Revision,
    #[serde(default)]
    files: Vec<ComparedFile>,
}

#[derive(Deserialize)]
struct ComparedFile {
    filename: String,
    #[serde(default)]
    previous_filename: Option<String>,
}

#[derive(Deserialize)]
struct Tree {
    #[serde(default)]
    tree: Vec<TreeEntry>,
    #[serde(default)]
    truncated: bool,
}

#[derive(Deserialize)]
struct TreeEntry {
    path: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Contents {
    Entry(FileContents),
    /// A directory is answered as a list.
    Other(IgnoredAny),
}

#[derive(Deserialize)]
struct FileContents {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    content: Option<String>,
}
