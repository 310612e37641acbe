//! What may follow at the cursor of the search field: keys, their closed values, and values that the fleet has.

use serde::{Deserialize, Serialize};

use super::display::{Place, quoted_where_needed};
use super::key::{Field, KEYS, Key};

/// The most completions offered at once.
const MAX_COMPLETIONS: usize = 12;
/// From how many characters on a word without a key is completed to a key with its value.
const MIN_WORD: usize = 2;

/// The values that occur in the fleet, the frequent ones first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vocabulary {
    pub regions: Vec<Known>,
    /// By alias, with the id as detail.
    pub accounts: Vec<Known>,
    pub instance_types: Vec<Known>,
    pub tags: Vec<KnownTag>,
    /// The policy rules that are broken somewhere.
    pub rules: Vec<Known>,
}

/// A value that occurs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    pub value: String,
    /// Another name of the same; empty where there is none.
    pub detail: String,
    pub instances: u32,
}

/// A tag key that occurs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownTag {
    pub key: String,
    pub instances: u32,
    /// Its values, where they are few.
    pub values: Vec<Known>,
}

/// Text to put in place of the characters from `start` to `end`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    pub start: u32,
    pub end: u32,
    pub text: String,
    /// A few words beside the text.
    pub detail: String,
}

/// Completes what stands before the cursor. `cursor` counts characters, as the spans do.
pub fn complete(text: &str, cursor: u32, vocabulary: &Vocabulary) -> Vec<Completion> {
    let characters: Vec<char> = text.chars().collect();
    let cursor = (cursor as usize).min(characters.len());
    let Some(word) = Word::at(&characters, cursor) else {
        return Vec::new();
    };
    let mut offers = Offers { start: word.value_start, end: word.end, list: Vec::new() };
    match word.key {
        Some(key) => offers.values(key, &word, vocabulary),
        None => offers.words(&word.typed, vocabulary),
    }
    offers.list
}

/// The word around the cursor.
struct Word {
    key: Option<Key>,
    /// What of the tag stands before the `=`.
    tag_key: Option<String>,
    /// What is typed of the value, or of the word where there is no key; without quotes.
    typed: String,
    value_start: usize,
    /// Where what is replaced ends: behind the value, or the word.
    end: usize,
}

impl Word {
    /// `None` where the word has a key that does not exist, so that nothing is known of its values.
    fn at(characters: &[char], cursor: usize) -> Option<Word> {
        let mut start = 0;
        let mut quoted = false;
        for (at, &character) in characters[..cursor].iter().enumerate() {
            match character {
                '"' => quoted = !quoted,
                '(' | ')' if !quoted => start = at + 1,
                '-' if !quoted && at == start => start = at + 1,
                _ if !quoted && character.is_whitespace() => start = at + 1,
                _ => {}
            }
        }
        let mut word =
            Word { key: None, tag_key: None, typed: String::new(), value_start: start, end: cursor };
        let mut quoted = false;
        for (at, &character) in characters.iter().enumerate().take(cursor).skip(start) {
            match (character, word.key) {
                ('"', _) => quoted = !quoted,
                (':', None) if !quoted => {
                    word.key = Some(Key::parse(&word.typed)?);
                    word.restart(at + 1);
                }
                ('=', Some(Key::Tag)) if !quoted && word.tag_key.is_none() => {
                    word.tag_key = Some(std::mem::take(&mut word.typed));
                    word.restart(at + 1);
                }
                (',', Some(_)) if !quoted => word.restart(at + 1),
                _ => word.typed.push(character),
            }
        }
        let ends = |character: char| match character {
            '"' => true,
            '(' | ')' | ',' => !quoted,
            // A key is completed together with the colon behind it, a tag's key with its equals sign.
            ':' => !quoted && word.key.is_none(),
            '=' => !quoted && word.key == Some(Key::Tag) && word.tag_key.is_none(),
            _ => !quoted && character.is_whitespace(),
        };
        word.end = match characters[cursor..].iter().position(|character| ends(*character)) {
            Some(behind) => {
                let at = cursor + behind;
                // A quote that opens behind the cursor begins something else; one that closes is replaced.
                let replaced = match characters[at] {
                    '"' => quoted,
                    ':' | '=' => true,
                    _ => false,
                };
                at + usize::from(replaced)
            }
            None => characters.len(),
        };
        Some(word)
    }

    fn restart(&mut self, at: usize) {
        self.value_start = at;
        self.typed.clear();
    }
}

struct Offers {
    start: usize,
    end: usize,
    list: Vec<Completion>,
}

impl Offers {
    fn push(&mut self, text: String, detail: impl Into<String>) {
        let (start, end) = (self.start as u32, self.end as u32);
        if self.list.len() < MAX_COMPLETIONS && !self.list.iter().any(|offer| offer.text == text) {
            self.list.push(Completion { start, end, text, detail: detail.into() });
        }
    }

    /// Keys that begin as typed, then terms whose value does.
    fn words(&mut self, typed: &str, vocabulary: &Vocabulary) {
        for info in KEYS {
            if begins(info.name, typed) {
                self.push([info.name, ":"].concat(), info.summary);
            }
        }
        if typed.chars().count() < MIN_WORD {
            return;
        }
        for info in KEYS {
            match info.key {
                Key::Facet(facet) => {
                    for value in facet.words().filter(|value| begins(value, typed)) {
                        self.push([info.name, ":", value].concat(), info.summary);
                    }
                }
                Key::Field(field) => {
                    for known in known(field, vocabulary).iter().filter(|known| known.begins(typed)) {
                        let value = quoted_where_needed(&known.value, Place::Value);
                        self.push([info.name, ":", &value].concat(), known.describe());
                    }
                }
                Key::Tag => {
                    for tag in vocabulary.tags.iter().filter(|tag| begins(&tag.key, typed)) {
                        let key = quoted_where_needed(&tag.key, Place::TagKey);
                        self.push(["tag:", &key].concat(), instances(tag.instances));
                    }
                }
                Key::Hop | Key::Age => {}
            }
        }
    }

    fn values(&mut self, key: Key, word: &Word, vocabulary: &Vocabulary) {
        let typed = word.typed.as_str();
        match key {
            Key::Facet(facet) => {
                for value in facet.words().filter(|value| begins(value, typed)) {
                    self.push(value.to_owned(), "");
                }
            }
            Key::Field(field) => {
                for known in known(field, vocabulary).iter().filter(|known| known.begins(typed)) {
                    self.push(quoted_where_needed(&known.value, Place::Value), known.describe());
                }
            }
            Key::Tag => match &word.tag_key {
                None => {
                    for tag in vocabulary.tags.iter().filter(|tag| begins(&tag.key, typed)) {
                        let key = quoted_where_needed(&tag.key, Place::TagKey);
                        self.push([&key, "="].concat(), instances(tag.instances));
                    }
                }
                Some(key) => {
                    let tag = vocabulary.tags.iter().find(|tag| tag.key.eq_ignore_ascii_case(key));
                    let values = tag.map_or(&[][..], |tag| &tag.values);
                    for known in values.iter().filter(|known| known.begins(typed)) {
                        self.push(quoted_where_needed(&known.value, Place::Value), known.describe());
                    }
                }
            },
            Key::Hop => {
                self.examples(typed, &[(">1", "more than one hop"), ("1", "one hop"), ("2", "two hops")])
            }
            Key::Age => {
                self.examples(
                    typed,
                    &[
                        (">90d", "older than 90 days"),
                        (">1w", "older than a week"),
                        ("<1h", "younger than an hour"),
                    ],
                );
            }
        }
    }

    fn examples(&mut self, typed: &str, examples: &[(&str, &str)]) {
        for (value, detail) in examples {
            if begins(value, typed) {
                self.push((*value).to_owned(), *detail);
            }
        }
    }
}

impl Known {
    fn begins(&self, typed: &str) -> bool {
        begins(&self.value, typed) || (!typed.is_empty() && begins(&self.detail, typed))
    }

    fn describe(&self) -> String {
        let count = instances(self.instances);
        if self.detail.is_empty() { count } else { [&self.detail, " · ", &count].concat() }
    }
}

fn known(field: Field, vocabulary: &Vocabulary) -> &[Known] {
    match field {
        Field::Region => &vocabulary.regions,
        Field::Account => &vocabulary.accounts,
        Field::InstanceType => &vocabulary.instance_types,
        Field::Rule => &vocabulary.rules,
        Field::Id
        | Field::Name
        | Field::AvailabilityZone
        | Field::Vpc
        | Field::Image
        | Field::AutoScalingGroup
        | Field::Profile => &[],
    }
}

fn instances(count: u32) -> String {
    [count.to_string().as_str(), if count == 1 { " instance" } else { " instances" }].concat()
}

fn begins(text: &str, typed: &str) -> bool {
    text.get(..typed.len()).is_some_and(|start| start.eq_ignore_ascii_case(typed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vocabulary() -> Vocabulary {
        let known = |value: &str, detail: &str, instances| Known {
            value: value.into(),
            detail: detail.into(),
            instances,
        };
        Vocabulary {
            regions: vec![known("eu-west-1", "", 7), known("us-east-1", "", 1)],
            accounts: vec![known("payments prod", "111111111111", 8)],
            instance_types: vec![known("m7g.large", "", 8)],
            tags: vec![KnownTag { key: "team".into(), instances: 8, values: vec![known("payments", "", 3)] }],
            rules: vec![known("imdsv2-required", "", 2)],
        }
    }

    /// The texts after each completion is applied. The bar marks the cursor.
    fn completed(marked: &str) -> Vec<String> {
        let cursor = marked.chars().position(|character| character == '|').expect("a cursor");
        let text: Vec<char> = marked.chars().filter(|character| *character != '|').collect();
        complete(&text.iter().collect::<String>(), cursor as u32, &vocabulary())
            .into_iter()
            .map(|completion| {
                let before: String = text[..completion.start as usize].iter().collect();
                let after: String = text[completion.end as usize..].iter().collect();
                [before, completion.text, after].concat()
            })
            .collect()
    }

    #[test]
    fn keys_come_first_then_terms_by_their_value() {
        assert_eq!(completed("sta|"), ["state:"]);
        assert_eq!(completed("web -reg|"), ["web -region:"]);
        assert_eq!(completed("opt|"), ["options:", "tokens:optional"]);
        assert_eq!(completed("eu|"), ["region:eu-west-1"]);
        assert_eq!(completed("(tea|) x"), ["(tag:team) x"]);
        assert_eq!(completed("sta|te:running"), ["state:running"], "the colon behind is not doubled");
    }

    #[test]
    fn nothing_typed_offers_the_first_keys() {
        let offers = completed("|");
        assert_eq!(offers.len(), MAX_COMPLETIONS);
        assert_eq!(offers[0], "verdict:");
    }

    #[test]
    fn values_complete_the_part_at_the_cursor() {
        assert_eq!(completed("state:run|"), ["state:running"]);
        assert_eq!(completed("state:running,sto|"), ["state:running,stopping", "state:running,stopped"]);
        assert_eq!(completed("state:ru|,stopped x"), ["state:running,stopped x"]);
        assert_eq!(completed("verdict:s|"), ["verdict:safe"]);
        assert_eq!(completed("region:|"), ["region:eu-west-1", "region:us-east-1"]);
        assert_eq!(completed("rule:im|"), ["rule:imdsv2-required"]);
    }

    #[test]
    fn values_are_quoted_where_they_have_to_be() {
        assert_eq!(completed("account:pay|"), ["account:\"payments prod\""]);
        assert_eq!(completed("account:\"payments p|"), ["account:\"payments prod\""]);
        assert_eq!(completed("account:\"payments p|\" x"), ["account:\"payments prod\" x"]);
        assert_eq!(completed("account:1111|"), ["account:\"payments prod\""], "an id leads to the alias");
    }

    #[test]
    fn tags_complete_key_then_value() {
        assert_eq!(completed("tag:t|"), ["tag:team="]);
        assert_eq!(completed("tag:team=|"), ["tag:team=payments"]);
        assert_eq!(completed("tag:t|eam=payments"), ["tag:team=payments"]);
    }

    #[test]
    fn an_unknown_key_and_a_far_cursor_are_harmless() {
        assert_eq!(completed("nonsense:x|"), Vec::<String>::new());
        assert!(!complete("st", 400, &Vocabulary::default()).is_empty());
    }
}
