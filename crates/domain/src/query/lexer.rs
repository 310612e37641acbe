//! Splits a query into words, parentheses and operators, remembering where each character stood.

use std::ops::Range;

use super::error::QueryError;
use super::{MAX_CHARS, Pattern};

/// One character of a word, or the mark of an opening quote, which tells `""` from nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Glyph {
    pub(super) character: char,
    pub(super) at: usize,
    pub(super) kind: GlyphKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GlyphKind {
    /// May have a meaning of its own, as `:`, `,`, `=` and `*` do.
    Bare,
    /// Stands for itself.
    Quoted,
    QuoteMark,
}

#[derive(Clone, Debug)]
pub(super) enum TokenKind {
    Open,
    Close,
    Minus,
    Or,
    And,
    Not,
    Word(Vec<Glyph>),
}

#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) span: Range<usize>,
}

impl Glyph {
    pub(super) fn is_bare(&self, character: char) -> bool {
        self.kind == GlyphKind::Bare && self.character == character
    }
}

/// The characters, without quote marks.
pub(super) fn text_of(glyphs: &[Glyph]) -> String {
    glyphs.iter().filter(|glyph| glyph.kind != GlyphKind::QuoteMark).map(|glyph| glyph.character).collect()
}

/// The pattern that `glyphs` spell; `None` when there is nothing, not even quotes.
pub(super) fn pattern_of(glyphs: &[Glyph]) -> Option<Pattern> {
    if glyphs.is_empty() {
        return None;
    }
    let mut parts = vec![String::new()];
    for glyph in glyphs {
        if glyph.is_bare('*') {
            parts.push(String::new());
        } else if glyph.kind != GlyphKind::QuoteMark
            && let Some(part) = parts.last_mut()
        {
            part.push(glyph.character);
        }
    }
    Some(Pattern::from_parts(parts))
}

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, QueryError> {
    // One more than allowed is enough to know that it is too long.
    let characters: Vec<char> = text.chars().take(MAX_CHARS + 1).collect();
    if characters.len() > MAX_CHARS {
        return Err(QueryError::new(
            MAX_CHARS..text.chars().count(),
            format!("A query has at most {MAX_CHARS} characters."),
        ));
    }
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&character) = characters.get(at) {
        let single = match character {
            '(' => Some(TokenKind::Open),
            ')' => Some(TokenKind::Close),
            '-' => Some(TokenKind::Minus),
            _ => None,
        };
        if let Some(kind) = single {
            tokens.push(Token { kind, span: at..at + 1 });
            at += 1;
        } else if character.is_whitespace() {
            at += 1;
        } else {
            let (glyphs, end) = word(&characters, at)?;
            tokens.push(Token { kind: keyword(&glyphs).unwrap_or(TokenKind::Word(glyphs)), span: at..end });
            at = end;
        }
    }
    Ok(tokens)
}

fn word(characters: &[char], start: usize) -> Result<(Vec<Glyph>, usize), QueryError> {
    let mut glyphs = Vec::new();
    let mut at = start;
    while let Some(&character) = characters.get(at) {
        match character {
            ')' => break,
            '(' => {
                return Err(QueryError::new(
                    at..at + 1,
                    "A parenthesis inside a word has to be in quotes; before a group, put a space.",
                ));
            }
            '"' => at = quoted(characters, at, &mut glyphs)?,
            _ if character.is_whitespace() => break,
            _ => {
                refuse_control(character, at)?;
                glyphs.push(Glyph { character, at, kind: GlyphKind::Bare });
                at += 1;
            }
        }
    }
    Ok((glyphs, at))
}

/// Reads from the quote at `start` to behind the one that closes it.
fn quoted(characters: &[char], start: usize, glyphs: &mut Vec<Glyph>) -> Result<usize, QueryError> {
    glyphs.push(Glyph { character: '"', at: start, kind: GlyphKind::QuoteMark });
    let mut at = start + 1;
    while let Some(&character) = characters.get(at) {
        let character = match (character, characters.get(at + 1)) {
            ('"', _) => return Ok(at + 1),
            ('\\', Some(&escaped @ ('"' | '\\'))) => {
                at += 1;
                escaped
            }
            _ => character,
        };
        refuse_control(character, at)?;
        glyphs.push(Glyph { character, at, kind: GlyphKind::Quoted });
        at += 1;
    }
    let mut closed: String = characters[start..].iter().collect();
    // A lone backslash at the end would escape the quote that closes.
    if closed.ends_with('\\') {
        closed.push('\\');
    }
    closed.push('"');
    Err(QueryError::new(start..characters.len(), "This quote is not closed.").suggest(Some(closed)))
}

fn refuse_control(character: char, at: usize) -> Result<(), QueryError> {
    if character.is_control() {
        return Err(QueryError::new(at..at + 1, "A control character cannot be searched for."));
    }
    Ok(())
}

fn keyword(glyphs: &[Glyph]) -> Option<TokenKind> {
    if glyphs.len() > 3 || glyphs.iter().any(|glyph| glyph.kind != GlyphKind::Bare) {
        return None;
    }
    match text_of(glyphs).as_str() {
        "OR" => Some(TokenKind::Or),
        "AND" => Some(TokenKind::And),
        "NOT" => Some(TokenKind::Not),
        _ => None,
    }
}
