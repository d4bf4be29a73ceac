//! Words as BuildKit's shell lexer reads them: quotes, escapes and `${…}`.
//!
//! The rules are those of BuildKit's `shell/lex.go`, which implements a part of a shell's syntax. `substitution` reads
//! what follows a `$`.

use std::{cell::Cell, collections::HashMap, iter::Peekable, str::Chars};

use super::{pattern::PatternError, text::BYTE_ORDER_MARK};

pub(super) type BuildVariables = HashMap<String, String>;

/// How deep `${a:-${b:-…}}` may nest. Real files nest no deeper than three.
pub(super) const DEEPEST: usize = 64;

/// Why a word cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidWord {
    #[error("the closing `{0}` is missing")]
    Quote(char),
    #[error("the closing `}}` of `${{` is missing")]
    Brace,
    #[error("`${{` must be followed by a name")]
    Name,
    #[error("`{0}` is no modifier in substitution")]
    Modifier(String),
    #[error("the `/` between pattern and replacement of `${{…/…/…}}` is missing")]
    Separator,
    #[error("variable `{name}`: {message}")]
    Unset { name: String, message: String },
    #[error(transparent)]
    Pattern(#[from] PatternError),
    #[error("substitutions are nested more than {DEEPEST} deep")]
    Deep,
    #[error("the substitutions of this file expand to too much text")]
    Large,
}

/// The limit for the cost of all substitutions of a file, so that variables that double each other end in an error.
pub(super) struct ExpansionBudget(Cell<usize>);

impl ExpansionBudget {
    /// Returns a budget of 32 MiB of text, or of as many steps of pattern matching.
    pub fn new() -> Self {
        Self(Cell::new(32 << 20))
    }

    /// Takes `cost` from the budget; fails if less is left.
    pub fn charge(&self, cost: usize) -> Result<(), InvalidWord> {
        let left = self.0.get().checked_sub(cost).ok_or(InvalidWord::Large)?;
        self.0.set(left);
        Ok(())
    }
}

/// The rules by which words are read.
#[derive(Clone, Copy)]
pub(super) struct Lexer {
    escape: char,
    /// Whether quotes and escape characters are kept.
    is_raw: bool,
    pub keep_unset: bool,
}

impl Lexer {
    /// Reads words as the arguments of an instruction: quotes and escapes are removed, an unset variable is empty.
    pub fn new(escape: char) -> Self {
        Self {
            escape,
            is_raw: false,
            keep_unset: false,
        }
    }

    /// Keeps quotes and escape characters.
    pub fn raw(self) -> Self {
        Self {
            is_raw: true,
            ..self
        }
    }

    /// Keeps substitutions of unset variables as written.
    pub fn keep_unset(self) -> Self {
        Self {
            keep_unset: true,
            ..self
        }
    }

    /// Tells whether a text holds nothing to replace or to remove.
    pub fn is_plain(self, text: &str) -> bool {
        !text.contains(['$', '\'', '"', self.escape]) && !text.starts_with(BYTE_ORDER_MARK)
    }

    /// Returns `text` with its variables replaced, as one word.
    ///
    /// # Errors
    ///
    /// Quotes or braces that are not closed, a modifier that does not exist, a variable that must be set and is not.
    pub fn word(
        self,
        text: &str,
        variables: &BuildVariables,
        budget: &ExpansionBudget,
    ) -> Result<String, InvalidWord> {
        let mut reader = WordReader {
            lexer: self,
            chars: chars(text),
            variables,
            budget,
            depth: 0,
        };
        reader.until(None, self.is_raw, &mut WordSplitter::default())
    }

    /// Returns the words of `text`, split at blanks outside quotes.
    pub fn words(self, text: &str) -> Result<Vec<String>, InvalidWord> {
        let (variables, budget) = (BuildVariables::new(), ExpansionBudget::new());
        let mut reader = WordReader {
            lexer: self,
            chars: chars(text),
            variables: &variables,
            budget: &budget,
            depth: 0,
        };
        let mut words = WordSplitter::default();
        reader.until(None, self.is_raw, &mut words)?;
        Ok(words.finish())
    }
}

/// Returns the characters of a word. BuildKit's scanner drops a leading byte order mark.
fn chars(text: &str) -> Peekable<Chars<'_>> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    text.chars().peekable()
}

/// The words read so far, and the current one.
#[derive(Default)]
pub(super) struct WordSplitter {
    words: Vec<String>,
    word: String,
}

impl WordSplitter {
    fn push(&mut self, c: char) {
        if !c.is_whitespace() {
            self.word.push(c);
        } else if !self.word.is_empty() {
            self.words.push(std::mem::take(&mut self.word));
        }
    }

    fn finish(mut self) -> Vec<String> {
        self.words
            .extend(Some(self.word).filter(|word| !word.is_empty()));
        self.words
    }
}

/// A reader of one text.
pub(super) struct WordReader<'t> {
    pub lexer: Lexer,
    pub chars: Peekable<Chars<'t>>,
    pub variables: &'t BuildVariables,
    pub budget: &'t ExpansionBudget,
    /// How many substitutions are open.
    pub depth: usize,
}

impl WordReader<'_> {
    /// Reads up to the character `stop`, which is consumed, or to the end.
    pub fn until(
        &mut self,
        stop: Option<char>,
        raw_escapes: bool,
        words: &mut WordSplitter,
    ) -> Result<String, InvalidWord> {
        let mut result = String::new();
        while let Some(c) = self.chars.next() {
            match c {
                c if Some(c) == stop => return Ok(result),
                '\'' | '"' => {
                    let start = result.len();
                    match c {
                        '\'' => self.single_quoted(&mut result)?,
                        _ => self.double_quoted(&mut result, raw_escapes)?,
                    }
                    words.word.push_str(&result[start..]);
                }
                '$' => {
                    let value = self.dollar()?;
                    self.budget.charge(value.len())?;
                    value.chars().for_each(|c| words.push(c));
                    result.push_str(&value);
                }
                '<' => {
                    let start = result.len();
                    result.push('<');
                    self.heredoc_blanks(&mut result);
                    words.word.push_str(&result[start..]);
                }
                c if c == self.lexer.escape => {
                    if raw_escapes {
                        words.word.push(c);
                        result.push(c);
                    }
                    if let Some(escaped) = self.chars.next() {
                        words.word.push(escaped);
                        result.push(escaped);
                    }
                }
                c => {
                    words.push(c);
                    result.push(c);
                }
            }
        }
        match stop {
            Some(stop) => Err(InvalidWord::Quote(stop)),
            None => Ok(result),
        }
    }

    fn single_quoted(&mut self, result: &mut String) -> Result<(), InvalidWord> {
        self.quote('\'', result);
        loop {
            match self.chars.next() {
                None => return Err(InvalidWord::Quote('\'')),
                Some('\'') => break,
                Some(c) => result.push(c),
            }
        }
        self.quote('\'', result);
        Ok(())
    }

    fn double_quoted(&mut self, result: &mut String, raw_escapes: bool) -> Result<(), InvalidWord> {
        self.quote('"', result);
        loop {
            match self.chars.next() {
                None => return Err(InvalidWord::Quote('"')),
                Some('"') => break,
                Some('$') => {
                    let value = self.dollar()?;
                    self.budget.charge(value.len())?;
                    result.push_str(&value);
                }
                Some(c) if c == self.lexer.escape => {
                    let escape = self.lexer.escape;
                    if raw_escapes {
                        result.push(c);
                    }
                    match self
                        .chars
                        .next_if(|c| matches!(c, '"' | '$') || *c == escape)
                    {
                        Some(escaped) => result.push(escaped),
                        // In front of any other character, an escape character is an ordinary one; at the end it is
                        // dropped.
                        None if self.chars.peek().is_some() => result.push(c),
                        None => {}
                    }
                }
                Some(c) => result.push(c),
            }
        }
        self.quote('"', result);
        Ok(())
    }

    fn quote(&self, quote: char, result: &mut String) {
        if self.lexer.is_raw {
            result.push(quote);
        }
    }

    /// Reads the blanks behind `<<`, which belong to the word: `<< EOF` is one.
    fn heredoc_blanks(&mut self, result: &mut String) {
        if let Some(c) = self.chars.next_if_eq(&'<') {
            result.push(c);
            while let Some(c) = self.chars.next_if(|c| matches!(c, ' ' | '\t' | '\r')) {
                result.push(c);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> BuildVariables {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn expand(text: &str) -> Result<String, InvalidWord> {
        let variables = variables(&[("A", "a.b.c"), ("E", ""), ("한", "x")]);
        Lexer::new('\\').word(text, &variables, &ExpansionBudget::new())
    }

    #[test]
    fn expansion_corpus_matches_buildkit() {
        #[derive(serde::Deserialize)]
        struct Case {
            input: String,
            env: BuildVariables,
            expect: Option<String>,
        }
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../../tests/data/shell-expansion.json")).unwrap();
        assert!(cases.len() >= 150);
        let wrong: Vec<String> = cases
            .into_iter()
            .filter_map(|case| {
                let found = Lexer::new('\\').word(&case.input, &case.env, &ExpansionBudget::new());
                (found.clone().ok() != case.expect)
                    .then(|| format!("{}: {found:?}, not {:?}", case.input, case.expect))
            })
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn expansion_removes_quotes_and_escapes() {
        assert_eq!(expand("a'$A'\"$A\""), Ok("a$Aa.b.c".into()));
        assert_eq!(
            expand("\\$A \"\\$A \\\" \\x\" \\x"),
            Ok("$A $A \" \\x x".into())
        );
        assert_eq!(expand("a\\"), Ok("a".into()));
        assert_eq!(expand("'a"), Err(InvalidWord::Quote('\'')));
        assert_eq!(expand("\"a\\"), Err(InvalidWord::Quote('"')));
    }

    #[test]
    fn expansion_drops_a_byte_order_mark() {
        assert!(!Lexer::new('\\').is_plain("\u{feff}a"));
        assert_eq!(expand("\u{feff}a$A"), Ok("aa.b.c".into()));
        assert_eq!(expand("\u{feff}\u{feff}a"), Ok("\u{feff}a".into()));
        assert_eq!(expand("a\u{feff}b"), Ok("a\u{feff}b".into()));
        assert_eq!(expand("${A#\u{feff}a.}"), Ok("b.c".into()));
    }

    #[test]
    fn expansion_uses_the_given_escape_character() {
        let variables = variables(&[("A", "a")]);
        let word = |text| Lexer::new('`').word(text, &variables, &ExpansionBudget::new());
        assert_eq!(word("`$A \\$A"), Ok("$A \\a".into()));
    }

    #[test]
    fn expansion_splits_words_outside_quotes() {
        let lexer = Lexer::new('\\').raw().keep_unset();
        let words = |text| lexer.words(text).unwrap();
        assert_eq!(words("a 'b c'  d\\ e"), ["a", "'b c'", "d\\ e"]);
        assert_eq!(words("$A ${B:-c d}"), ["$A", "${B:-c", "d}"]);
        assert_eq!(words("a<< \tE b"), ["a<< \tE", "b"]);
        assert_eq!(
            words("${A:=b}"),
            ["${A:=b}"],
            "kept, though it is no modifier"
        );
    }
}
