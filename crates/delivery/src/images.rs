//! Images of a registry: which commit each was built from, and the fact that follows.

#[cfg(test)]
mod tests;

use domain::delivery::{
    CommitSha, Detail, Fact, ImageDetail, ImageState, ScanCounts, Source, Stage, Status, Version,
};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::reader::RegistryImage;

/// What stands before a commit where a tag says that it is one.
const MARKERS: [&str; 5] = ["sha", "sha1", "git", "commit", "rev"];
/// After these even digits alone are a commit: `git-20261121` is as likely a date.
const SURE_MARKERS: [&str; 3] = ["sha", "sha1", "commit"];
const FULL_COMMIT: usize = 40;
const SHORTEST_COMMIT: usize = 7;

/// The commit that a tag names: `abc1234`, `sha-abc1234`, `main-abc1234-1700000000`, `1.4.2-abc1234`, `v1.4.2-3-gabc1234`.
///
/// Digits alone are no commit unless there are 40 of them, or a marker says so: dates and the numbers of builds look alike, and
/// what is missed is read from the image's annotations. Of several that a tag may mean none is taken.
pub fn commit_in_tag(tag: &str) -> Option<CommitSha> {
    if is_uuid(tag) {
        return None;
    }
    let words: Vec<&str> = tag.split(['-', '_', '.']).collect();
    let marked = words.windows(2).find_map(|pair| {
        let (marker, word) = (pair[0], pair[1]);
        let sure = SURE_MARKERS.contains(&marker) || !is_digits(word);
        (MARKERS.contains(&marker) && is_commit(word) && sure).then_some(word)
    });
    if let Some(word) = marked {
        return CommitSha::parse(word).ok();
    }
    let named: Vec<&str> = words.iter().filter_map(|word| unmarked(word)).collect();
    let full: Vec<&str> = named.iter().copied().filter(|word| word.len() == FULL_COMMIT).collect();
    match (&full[..], &named[..]) {
        ([word], _) | (_, [word]) => CommitSha::parse(word).ok(),
        _ => None,
    }
}

/// A word that is a commit by itself, without the `g` that `git describe` puts before it.
fn unmarked(word: &str) -> Option<&str> {
    let commit = word.strip_prefix('g').unwrap_or(word);
    (is_commit(commit) && (commit.len() == FULL_COMMIT || !is_digits(commit))).then_some(commit)
}

fn is_commit(word: &str) -> bool {
    (SHORTEST_COMMIT..=FULL_COMMIT).contains(&word.len())
        && word.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn is_digits(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_uuid(tag: &str) -> bool {
    let groups =
        tag.split('-').map(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(group.len()));
    groups.eq([8, 4, 4, 4, 12].map(Some))
}

/// The commits that an image was built from, as far as it names them: by its tags, else by its annotations. There are several
/// where two commits gave the same image.
pub fn commits(image: &RegistryImage) -> Vec<CommitSha> {
    let annotated =
        image.revision.as_deref().and_then(|text| CommitSha::parse(&text.to_ascii_lowercase()).ok());
    let mut commits: Vec<CommitSha> = Vec::new();
    for named in image.tags.iter().filter_map(|tag| commit_in_tag(tag)) {
        match commits.iter_mut().find(|known| known.matches(&named)) {
            Some(known) if known.as_str().len() < named.as_str().len() => *known = named,
            Some(_) => {}
            None => commits.push(named),
        }
    }
    match annotated {
        Some(annotated) if commits.is_empty() => commits.push(annotated),
        // A tag has seven digits of what the annotation has in full.
        Some(annotated) => {
            if let Some(known) =
                commits.iter_mut().find(|known| annotated.as_str().starts_with(known.as_str()))
            {
                *known = annotated;
            }
        }
        None => {}
    }
    commits
}

/// What an image tells of a commit that it was built from. It is another fact once the image's tag, scan or state is another.
pub fn fact(image: &RegistryImage, commit: &CommitSha, now: Timestamp) -> Fact {
    let tag = shown_tag(&image.tags).map(str::to_owned);
    let detail = ImageDetail { tag, ..image.detail.clone() };
    let id = fact_id(image, &detail, commit);
    Fact {
        status: Status::Succeeded,
        finished: image.pushed,
        link: image.link.clone(),
        detail: Some(Detail::Image(detail)),
        ..Fact::about((Source::Ecr, id), &image.service, commit.clone(), Stage::Image, now)
    }
}

/// Names of repositories and tags together are longer than an id may be. A commit counts by its first digits: it may be known in
/// full only later.
fn fact_id(image: &RegistryImage, detail: &ImageDetail, commit: &CommitSha) -> String {
    let scan = detail.scan.map(|ScanCounts { critical, high, medium, low, other }| {
        format!("{critical}/{high}/{medium}/{low}/{other}")
    });
    let state = detail.state.map(|state| match state {
        ImageState::Active => "active",
        ImageState::Archived => "archived",
        ImageState::Activating => "activating",
    });
    let said = [
        Some(image.service.as_str()),
        detail.repository.as_deref(),
        detail.digest.as_deref(),
        detail.tag.as_deref(),
        scan.as_deref(),
        state,
        Some(commit.short()),
    ];
    let mut text = said.map(Option::unwrap_or_default).join("\n");
    if let Some(since) = image.since {
        text.push_str(&format!("\n{since}"));
    }
    hex::encode(Sha256::digest(text))
}

/// The tag that people know an image by: a version, else one that names the commit, else whichever comes first by the alphabet,
/// which may be one that moves, such as `latest`.
pub fn shown_tag(tags: &[String]) -> Option<&str> {
    let rank = |tag: &str| match (version(tag), commit_in_tag(tag)) {
        (Some(_), None) => 0,
        (Some(_), Some(_)) => 1,
        (None, Some(_)) => 2,
        (None, None) => 3,
    };
    let order = |tag: &str| {
        let parts = tag.split('.').count();
        (rank(tag), std::cmp::Reverse(parts), std::cmp::Reverse(version(tag)))
    };
    tags.iter()
        .map(String::as_str)
        .min_by(|left, right| order(left).cmp(&order(right)).then_with(|| left.cmp(right)))
}

/// Digits alone are the number of a build or a date, as far as anybody can tell.
fn version(tag: &str) -> Option<Version> {
    Version::parse(tag).filter(|_| tag.contains('.'))
}
