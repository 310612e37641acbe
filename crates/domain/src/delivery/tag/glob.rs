//! Globs as Go's `filepath.Match` reads them, which `ignore-tags` is a list of.

/// Whether a glob matches the whole of a tag: `*` is any characters, `?` one, `[a-z]` one of these, `[^a-z]` one that is none of
/// these, `\` takes the next as it stands. A glob that cannot be read matches nothing, as in the updater. Upper and lower case
/// differ; tags have no slash in them, which `*` would not match.
pub fn glob_matches(glob: &str, tag: &str) -> bool {
    let (glob, tag): (Vec<char>, Vec<char>) = (glob.chars().collect(), tag.chars().collect());
    let Some(tokens) = tokens(&glob) else { return false };
    // Where to go on when what follows the last star does not match: one character further.
    let (mut token, mut at) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        match tokens.get(token) {
            Some(Token::Star) => {
                retry = Some((token + 1, at));
                token += 1;
                continue;
            }
            Some(one) if tag.get(at).is_some_and(|character| one.matches(*character)) => {
                (token, at) = (token + 1, at + 1);
                continue;
            }
            None if at == tag.len() => return true,
            Some(_) | None => {}
        }
        match retry {
            Some((after, from)) if from < tag.len() => {
                (token, at) = (after, from + 1);
                retry = Some((after, from + 1));
            }
            Some(_) | None => return false,
        }
    }
}

enum Token {
    Star,
    Any,
    One(char),
    Class { ranges: Vec<(char, char)>, negated: bool },
}

impl Token {
    fn matches(&self, character: char) -> bool {
        match self {
            Token::Star => false,
            Token::Any => true,
            Token::One(one) => *one == character,
            Token::Class { ranges, negated } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&character)) != *negated
            }
        }
    }
}

fn tokens(glob: &[char]) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = glob.iter().copied().peekable();
    while let Some(character) = rest.next() {
        tokens.push(match character {
            '*' => Token::Star,
            '?' => Token::Any,
            '\\' => Token::One(rest.next()?),
            '[' => {
                let negated = rest.next_if_eq(&'^').is_some();
                let mut ranges = Vec::new();
                while rest.peek() != Some(&']') || ranges.is_empty() {
                    let low = class_member(&mut rest)?;
                    let high = if rest.next_if_eq(&'-').is_some() { class_member(&mut rest)? } else { low };
                    ranges.push((low, high));
                }
                rest.next();
                Token::Class { ranges, negated }
            }
            other => Token::One(other),
        });
    }
    Some(tokens)
}

fn class_member(rest: &mut impl Iterator<Item = char>) -> Option<char> {
    match rest.next()? {
        '\\' => rest.next(),
        '-' | ']' => None,
        other => Some(other),
    }
}
