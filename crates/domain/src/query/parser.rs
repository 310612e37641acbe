//! Recursive descent over the tokens of a query; bounded in length and depth, and never panics.

use std::ops::Range;

use super::error::{QueryError, nearest};
use super::key::{Facet, Field, KEYS, Key, ValueSet};
use super::lexer::{Glyph, GlyphKind, Token, TokenKind, pattern_of, text_of, tokens};
use super::{AgeTest, AgeUnit, Comparison, Expr, HopTest, MAX_DEPTH, MAX_TEXTS, Pattern, Term, Than};
use crate::change::HOP_LIMITS;

/// The largest number in an age.
const MAX_AMOUNT: u32 = 99_999;

/// Conditions that all have to hold, and where each stands.
pub(super) type Conjuncts = Vec<(Expr, Range<usize>)>;

/// A query as it stands in the text.
pub(super) struct Parsed {
    pub(super) alternatives: Vec<Conjuncts>,
}

impl Parsed {
    pub(super) fn into_expr(self) -> Expr {
        let all = |members: Conjuncts| Expr::All(members.into_iter().map(|(expr, _)| expr).collect());
        let mut alternatives: Vec<Expr> = self.alternatives.into_iter().map(all).collect();
        match alternatives.pop() {
            None => Expr::All(Vec::new()),
            Some(only) if alternatives.is_empty() => only,
            Some(last) => {
                alternatives.push(last);
                Expr::Any(alternatives)
            }
        }
    }
}

pub(super) fn parse(text: &str) -> Result<Parsed, QueryError> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, next: 0, depth: 0, texts: 0 };
    if tokens.is_empty() {
        return Ok(Parsed { alternatives: Vec::new() });
    }
    let alternatives = parser.alternatives()?;
    match parser.peek() {
        None => Ok(Parsed { alternatives }),
        Some(token) => Err(QueryError::new(
            token.span.clone(),
            "This parenthesis closes nothing. To search for a parenthesis, put it in quotes.",
        )),
    }
}

struct Parser<'a> {
    tokens: &'a [Token],
    next: usize,
    depth: usize,
    texts: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.next)
    }

    /// Where the token before the next one ends.
    fn end(&self) -> usize {
        self.next.checked_sub(1).and_then(|last| self.tokens.get(last)).map_or(0, |token| token.span.end)
    }

    fn alternatives(&mut self) -> Result<Vec<Conjuncts>, QueryError> {
        let mut alternatives = vec![self.conjuncts()?];
        while let Some(Token { kind: TokenKind::Or, .. }) = self.peek() {
            self.next += 1;
            alternatives.push(self.conjuncts()?);
        }
        Ok(alternatives)
    }

    fn conjuncts(&mut self) -> Result<Conjuncts, QueryError> {
        let mut members = Vec::new();
        loop {
            let start = self.peek().map_or(self.end(), |token| token.span.start);
            let expr = self.operand()?;
            members.push((expr, start..self.end()));
            match self.peek().map(|token| &token.kind) {
                None | Some(TokenKind::Or | TokenKind::Close) => return Ok(members),
                Some(TokenKind::And) => self.next += 1,
                Some(TokenKind::Open | TokenKind::Minus | TokenKind::Not | TokenKind::Word(_)) => {}
            }
        }
    }

    fn operand(&mut self) -> Result<Expr, QueryError> {
        let Some(token) = self.peek() else {
            let end = self.end();
            return Err(QueryError::new(end..end, "A term is missing here."));
        };
        match &token.kind {
            TokenKind::Or | TokenKind::And => Err(QueryError::new(
                token.span.clone(),
                "A term is missing before this operator. To search for the word, put it in quotes.",
            )),
            TokenKind::Close => Err(QueryError::new(
                token.span.clone(),
                "A term is missing before this parenthesis. To search for a parenthesis, put it in quotes.",
            )),
            TokenKind::Word(glyphs) => {
                self.next += 1;
                self.term(glyphs, token.span.clone()).map(Expr::Term)
            }
            TokenKind::Minus => {
                self.next += 1;
                if self.peek().is_none_or(|next| next.span.start != token.span.end) {
                    return Err(QueryError::new(
                        token.span.clone(),
                        "A minus negates the term right behind it, without a space. To search for a minus, put it in quotes.",
                    ));
                }
                self.nested(token.span.clone(), Self::operand).map(|inner| Expr::Not(Box::new(inner)))
            }
            TokenKind::Not => {
                self.next += 1;
                self.nested(token.span.clone(), Self::operand).map(|inner| Expr::Not(Box::new(inner)))
            }
            TokenKind::Open => {
                self.next += 1;
                let alternatives = self.nested(token.span.clone(), Self::alternatives)?;
                match self.peek() {
                    Some(Token { kind: TokenKind::Close, .. }) => self.next += 1,
                    _ => return Err(QueryError::new(token.span.clone(), "This parenthesis is not closed.")),
                }
                Ok(Parsed { alternatives }.into_expr())
            }
        }
    }

    fn nested<T>(
        &mut self,
        span: Range<usize>,
        inner: impl FnOnce(&mut Self) -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        if self.depth == MAX_DEPTH {
            return Err(QueryError::new(span, format!("A query nests at most {MAX_DEPTH} deep.")));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn term(&mut self, glyphs: &[Glyph], span: Range<usize>) -> Result<Term, QueryError> {
        let colon = glyphs
            .iter()
            .position(|glyph| glyph.is_bare(':'))
            // Behind a quote the word is text, and the colon a part of it.
            .filter(|colon| glyphs[..*colon].iter().all(|glyph| glyph.kind == GlyphKind::Bare));
        let Some(colon) = colon else {
            let values = alternatives(glyphs, span, "A word to search for is missing here.", pattern)?;
            self.texts += values.len();
            if self.texts > MAX_TEXTS {
                let message =
                    format!("A query has at most {MAX_TEXTS} words of free text; name a key, such as `id:`.");
                return Err(QueryError::new(glyphs[0].at..glyphs[0].at + 1, message));
            }
            return Ok(Term::Text(values));
        };
        let name = text_of(&glyphs[..colon]);
        let name_span = span.start..glyphs[colon].at;
        let key = Key::parse(&name).ok_or_else(|| unknown_key(&name, name_span))?;
        let values = &glyphs[colon + 1..];
        let span = glyphs[colon].at + 1..span.end;
        match key {
            Key::Facet(facet) => {
                let missing = format!("A value is missing. {}.", one_of(facet));
                let sets =
                    alternatives(values, span, &missing, |glyphs, span| facet_value(facet, glyphs, span))?;
                Ok(Term::Facet { facet, values: sets.into_iter().fold(ValueSet::default(), ValueSet::union) })
            }
            Key::Field(field) => field_term(field, values, span),
            Key::Tag => tag_term(values, span),
            Key::Hop => {
                alternatives(values, span, "A number is missing, as in `hop:>1`.", hop_test).map(Term::Hop)
            }
            Key::Age => {
                alternatives(values, span, "A time is missing, as in `age:>90d`.", age_test).map(Term::Age)
            }
        }
    }
}

/// Splits at bare commas, and reads each of the alternatives. `missing` is said where there is nothing.
fn alternatives<T>(
    glyphs: &[Glyph],
    span: Range<usize>,
    missing: &str,
    read: impl Fn(&[Glyph], Range<usize>) -> Result<T, QueryError>,
) -> Result<Vec<T>, QueryError> {
    let mut values = Vec::new();
    let mut start = span.start;
    let mut pieces = glyphs.split(|glyph| glyph.is_bare(',')).peekable();
    let mut consumed = 0;
    while let Some(piece) = pieces.next() {
        consumed += piece.len();
        let end = if pieces.peek().is_some() { glyphs[consumed].at } else { span.end };
        if piece.is_empty() {
            return Err(QueryError::new(start..end, missing));
        }
        values.push(read(piece, start..end)?);
        consumed += 1;
        start = end + 1;
    }
    Ok(values)
}

fn pattern(glyphs: &[Glyph], span: Range<usize>) -> Result<Pattern, QueryError> {
    pattern_of(glyphs)
        .filter(|pattern| pattern.as_literal() != Some(""))
        .ok_or_else(|| QueryError::new(span, "There is nothing between these quotes."))
}

fn field_term(field: Field, glyphs: &[Glyph], span: Range<usize>) -> Result<Term, QueryError> {
    let missing = format!("A value is missing behind `{}:`; `*` stands for any.", field.name());
    alternatives(glyphs, span, &missing, pattern).map(|values| Term::Field { field, values })
}

fn tag_term(glyphs: &[Glyph], span: Range<usize>) -> Result<Term, QueryError> {
    const MISSING_KEY: &str = "A tag's key is missing, as in `tag:team` or `tag:team=payments`.";
    let Some(equals) = glyphs.iter().position(|glyph| glyph.is_bare('=')) else {
        return alternatives(glyphs, span, MISSING_KEY, pattern).map(Term::TagExists);
    };
    let at = glyphs[equals].at;
    let key = &glyphs[..equals];
    if key.iter().any(|glyph| glyph.is_bare(',')) {
        return Err(QueryError::new(
            span.start..at,
            "One tag key goes with a value; use OR between two of them.",
        ));
    }
    if key.is_empty() {
        return Err(QueryError::new(span.start..at, MISSING_KEY));
    }
    let key = pattern(key, span.start..at)?;
    let missing = "A tag's value is missing; write \"\" for the empty one, and `*` or no `=` for any.";
    // A tag may have an empty value, so unlike elsewhere quotes around nothing are a value here.
    let value = |glyphs: &[Glyph], span: Range<usize>| {
        pattern_of(glyphs).ok_or_else(|| QueryError::new(span, missing))
    };
    let values = alternatives(&glyphs[equals + 1..], at + 1..span.end, missing, value)?;
    Ok(Term::TagIs { key, values })
}

fn facet_value(facet: Facet, glyphs: &[Glyph], span: Range<usize>) -> Result<ValueSet, QueryError> {
    let word = text_of(glyphs);
    facet.resolve(&word).ok_or_else(|| {
        let message = format!("`{word}` is no value of `{}:`. {}.", facet.name(), one_of(facet));
        QueryError::new(span, message).suggest(nearest(&word, facet.words()))
    })
}

fn one_of(facet: Facet) -> String {
    format!("It can be {}", facet.words().collect::<Vec<_>>().join(", "))
}

fn hop_test(glyphs: &[Glyph], span: Range<usize>) -> Result<HopTest, QueryError> {
    let text = text_of(glyphs);
    let (comparison, number) = comparison_of(&text);
    let hop_limit = number.parse::<u8>().ok().filter(|hop_limit| *hop_limit <= *HOP_LIMITS.end());
    match hop_limit.filter(|_| number.bytes().all(|byte| byte.is_ascii_digit())) {
        Some(hop_limit) => Ok(HopTest { comparison: comparison.unwrap_or(Comparison::Equal), hop_limit }),
        None => {
            let message =
                format!("`{number}` is not a hop limit: a number up to 64 is, as in `hop:2` or `hop:>1`.");
            Err(QueryError::new(span, message))
        }
    }
}

fn age_test(glyphs: &[Glyph], span: Range<usize>) -> Result<AgeTest, QueryError> {
    let text = text_of(glyphs);
    let (comparison, age) = comparison_of(&text);
    let parsed = age.char_indices().next_back().and_then(|(position, unit)| {
        let number = &age[..position];
        let amount = number.parse::<u32>().ok().filter(|amount| *amount <= MAX_AMOUNT)?;
        number.bytes().all(|byte| byte.is_ascii_digit()).then_some((amount, unit_of(unit)?))
    });
    let Some((amount, unit)) = parsed else {
        let message = format!(
            "`{age}` is not a time: a number up to {MAX_AMOUNT} with m, h, d or w (minutes to weeks) is, as in `age:>90d`."
        );
        return Err(QueryError::new(span, message));
    };
    let than = match comparison {
        Some(Comparison::Greater) => Than::Older,
        Some(Comparison::Less) => Than::Younger,
        Some(Comparison::GreaterOrEqual) | Some(Comparison::LessOrEqual) | Some(Comparison::Equal) | None => {
            let sign = if comparison == Some(Comparison::LessOrEqual) { '<' } else { '>' };
            let message = "An age is compared by `>` (older) or `<` (younger), as in `age:>90d`.";
            return Err(QueryError::new(span, message).suggest(Some(format!("{sign}{age}"))));
        }
    };
    Ok(AgeTest { than, amount, unit })
}

fn unit_of(unit: char) -> Option<AgeUnit> {
    match unit {
        'm' => Some(AgeUnit::Minutes),
        'h' => Some(AgeUnit::Hours),
        'd' => Some(AgeUnit::Days),
        'w' => Some(AgeUnit::Weeks),
        _ => None,
    }
}

/// The comparison that `text` begins with, and what follows.
fn comparison_of(text: &str) -> (Option<Comparison>, &str) {
    const SIGNS: [(&str, Comparison); 5] = [
        (">=", Comparison::GreaterOrEqual),
        ("<=", Comparison::LessOrEqual),
        (">", Comparison::Greater),
        ("<", Comparison::Less),
        ("=", Comparison::Equal),
    ];
    SIGNS
        .iter()
        .find_map(|(sign, comparison)| Some((Some(*comparison), text.strip_prefix(sign)?)))
        .unwrap_or((None, text))
}

fn unknown_key(name: &str, span: Range<usize>) -> QueryError {
    const QUOTE: &str = "To search for the text itself, put it in quotes.";
    if name.is_empty() {
        return QueryError::new(
            span.start..span.end + 1,
            format!("A key is missing before the colon. {QUOTE}"),
        );
    }
    let suggestion = Key::nearest(name);
    let message = match suggestion {
        Some(key) => format!("`{name}` is not a key; `{key}` is. {QUOTE}"),
        None => {
            let keys: Vec<&str> = KEYS.iter().map(|info| info.name).collect();
            format!("`{name}` is not a key. {QUOTE} Keys: {}.", keys.join(", "))
        }
    };
    QueryError::new(span, message).suggest(suggestion)
}
