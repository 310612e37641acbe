//! What was typed into the search field, and the changes that it means.

use serde::{Deserialize, Serialize};

use crate::delivery::{ChangeState, ChangeSummary};
use crate::query::fold;

/// The longest text that is searched for, in bytes; what is typed beyond it is left out.
const MAX_TEXT: usize = 200;

/// What changes are searched by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Search {
    /// `#12`, or the link of a pull request.
    PullRequest(u32),
    /// `sha256:` and the first digits of an image's digest.
    Digest(String),
    /// What may be the first digits of a commit, and a tag, an author or a part of a title all the same.
    Commit(String),
    /// A tag, or a part of an author's name, of a title, or of the branch. In lower case.
    Text(String),
}

impl Search {
    /// Reads what was typed; `None` where nothing was.
    pub fn parse(typed: &str) -> Option<Search> {
        let typed = typed.trim();
        let end = (0..=MAX_TEXT.min(typed.len())).rev().find(|end| typed.is_char_boundary(*end)).unwrap_or(0);
        let typed = typed.get(..end)?;
        if typed.is_empty() {
            return None;
        }
        let number = typed.strip_prefix('#').or_else(|| pull_request_of_link(typed));
        if let Some(number) = number.and_then(|digits| digits.parse().ok()) {
            return Some(Search::PullRequest(number));
        }
        let text = fold(typed);
        let hexadecimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if let Some(digits) = text.strip_prefix("sha256:").filter(|digits| hexadecimal(digits)) {
            return Some(Search::Digest(format!("sha256:{digits}")));
        }
        if (4..=40).contains(&text.len()) && hexadecimal(&text) {
            return Some(Search::Commit(text));
        }
        Some(Search::Text(text))
    }

    /// Whether a change is meant, from its whole state; over many changes ask their summaries.
    pub fn matches_state(&self, state: &ChangeState) -> bool {
        self.matches(&ChangeSummary::of(state))
    }

    /// Whether a change is meant.
    pub fn matches(&self, change: &ChangeSummary) -> bool {
        match self {
            Search::PullRequest(number) => change.pull_request == Some(*number),
            Search::Digest(prefix) => change.digest.as_ref().is_some_and(|digest| digest.starts_with(prefix)),
            Search::Commit(prefix) => change.commit.as_str().starts_with(prefix) || mentions(change, prefix),
            Search::Text(text) => mentions(change, text),
        }
    }
}

/// `12` of `https://github.com/acme/users/pull/12`, with or without what follows.
fn pull_request_of_link(typed: &str) -> Option<&str> {
    let (_, rest) = typed.strip_prefix("https://")?.split_once("/pull/")?;
    rest.split(['/', '?', '#']).next()
}

fn mentions(change: &ChangeSummary, text: &str) -> bool {
    let holds = |field: &Option<String>| field.as_ref().is_some_and(|field| fold(field).contains(text));
    // A part of a tag would find 1.12 by 1.1, so that only its beginning up to a separator counts.
    let tagged = |tag: &str| {
        fold(tag)
            .strip_prefix(text)
            .is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric()))
    };
    let versions =
        change.environments.iter().flat_map(|one| &one.lives).filter_map(|live| live.version.as_ref());
    change.tag.iter().chain(versions).any(|tag| tagged(tag))
        || holds(&change.author)
        || holds(&change.title)
        || holds(&change.branch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::tests::facts::{commit, fact, live};
    use crate::delivery::{Detail, Fact, ImageDetail, Stage, Status};

    fn change() -> ChangeSummary {
        let image = ImageDetail {
            tag: Some("v1.12.3-Main".into()),
            digest: Some(format!("sha256:{}", "ab".repeat(32))),
            ..ImageDetail::default()
        };
        let image = Fact { detail: Some(Detail::Image(image)), ..fact(Stage::Image, Status::Succeeded) };
        ChangeSummary::of(&ChangeState::of(&[commit(1, 0), image, live(1, "prod", 9)]).unwrap())
    }

    #[test]
    fn what_is_typed_is_told_apart() {
        let commit = |text: &str| Some(Search::Commit(text.into()));
        let text = |text: &str| Some(Search::Text(text.into()));
        let cases = [
            ("", None),
            ("  ", None),
            ("#12", Some(Search::PullRequest(12))),
            ("https://github.com/acme/users/pull/12/files", Some(Search::PullRequest(12))),
            ("#12a", text("#12a")),
            (" ABCDEF0 ", commit("abcdef0")),
            ("1234", commit("1234")),
            ("abc", text("abc")),
            ("sha256:AB12", Some(Search::Digest("sha256:ab12".into()))),
            ("sha256:xyz", text("sha256:xyz")),
            ("1.2.3", text("1.2.3")),
            ("Ada L", text("ada l")),
        ];
        for (typed, expected) in cases {
            assert_eq!(Search::parse(typed), expected, "{typed:?}");
        }
        assert_eq!(Search::parse(&"é".repeat(300)), text(&"é".repeat(100)));
    }

    #[test]
    fn changes_are_found_by_what_they_are_known_by() {
        let change = change();
        for typed in [
            "#101",
            "0000001",
            "00000010000",
            "sha256:abab",
            "v1.12",
            "V1.12.3-main",
            "1.0.1",
            "lovelace",
            "change 1",
            "main",
        ] {
            assert!(Search::parse(typed).unwrap().matches(&change), "{typed}");
        }
        for typed in ["#1", "#1010", "0000002", "sha256:b", "v1.1", "1.12.3", "v1.12.3-ma", "babbage"] {
            assert!(!Search::parse(typed).unwrap().matches(&change), "{typed}");
        }
    }
}
