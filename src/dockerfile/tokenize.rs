//! Splits a logical line into the instruction's name, its flags and its arguments.
//!
//! The rules are those of BuildKit's `parser/split_command.go` and `parser/line_parsers.go`. The meaning of
//! instructions does not matter here.

use std::ops::Range;

use super::text::{LogicalLine, SourceRange, SourceToken};

/// A logical line, split; ranges are bytes of the line.
pub(super) struct SplitLine {
    pub name: Range<usize>,
    pub flags: Vec<Flag>,
    /// The text behind the flags, trimmed.
    pub rest: Range<usize>,
}

/// A word in front of the arguments that begins with `--`.
pub(super) struct Flag {
    raw: Range<usize>,
    /// The word with its quotes and escapes removed.
    pub text: String,
}

/// Splits a line. Flags end at the first word that does not begin with `--`, or at the word `--`.
pub(super) fn split(line: &str) -> SplitLine {
    let start = line.len() - line.trim_start().len();
    let end = line.trim_end().len().max(start);
    let command = line.get(start..end).unwrap_or_default();
    let name_end = start + command.find(is_separator).unwrap_or(command.len());
    let behind_name = line.get(name_end..end).unwrap_or_default();
    let mut at = end - behind_name.trim_start_matches(is_separator).len();
    let mut flags = Vec::new();
    while let Some(raw) = next_flag(line, at, end) {
        at = raw.end;
        let text: String = unquoted(line, raw.clone()).map(|(c, _)| c).collect();
        if text == "--" {
            break;
        }
        flags.push(Flag { raw, text });
    }
    SplitLine {
        name: start..name_end,
        flags,
        rest: trimmed(line, at..end),
    }
}

/// The blanks between the words of a line, in BuildKit's regular expression `[\t\v\f\r ]+`.
pub(super) fn is_separator(c: char) -> bool {
    matches!(c, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ')
}

/// BuildKit reads flags byte by byte and so takes bytes 0x85 and 0xA0 of longer characters for the blanks U+0085 and
/// U+00A0.
fn is_blank_byte(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ' | 0x85 | 0xa0)
}

fn next_flag(line: &str, at: usize, end: usize) -> Option<Range<usize>> {
    let bytes = line.as_bytes().get(at..end)?;
    let start = bytes.iter().position(|b| !is_blank_byte(*b))?;
    if !bytes.get(start..)?.starts_with(b"--") {
        return None;
    }
    let mut quote = None;
    let mut here = start;
    while let Some(byte) = bytes.get(here) {
        match (byte, quote) {
            (b'\\', _) => here += 1,
            (byte, Some(open)) if *byte == open => quote = None,
            (b'\'' | b'"', None) => quote = Some(*byte),
            (byte, None) if is_blank_byte(*byte) => break,
            _ => {}
        }
        here += 1;
    }
    Some(at + start..at + here.min(bytes.len()))
}

/// The characters of a flag without its quotes and escapes, and the bytes of the line that each stands for.
fn unquoted(line: &str, raw: Range<usize>) -> impl Iterator<Item = (char, Range<usize>)> {
    let bytes = line.as_bytes();
    let mut quote = None;
    let mut at = raw.start;
    std::iter::from_fn(move || {
        loop {
            let start = at;
            let byte = *bytes.get(at..raw.end)?.first()?;
            at += 1;
            match (byte, quote) {
                (byte, Some(open)) if byte == open => quote = None,
                (b'\'' | b'"', None) => quote = Some(byte),
                (b'\\', _) => {
                    let escaped = *bytes.get(at..raw.end)?.first()?;
                    at += 1;
                    return Some((char::from(escaped), start..at));
                }
                _ => return Some((char::from(byte), start..at)),
            }
        }
    })
}

impl Flag {
    /// Returns the name behind `--`, and the value behind `=`.
    pub fn parts(&self) -> (&str, Option<&str>) {
        let text = self.text.get(2..).unwrap_or_default();
        match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        }
    }

    /// Returns where the flag begins in the file.
    pub fn offset(&self, line: &LogicalLine<'_>) -> usize {
        line.offset(self.raw.start)
    }

    /// Returns `part`, a byte range of the flag's text, with its place in the file, which leaves out the quotes around
    /// it and line continuations within it.
    pub fn token(&self, line: &LogicalLine<'_>, part: Range<usize>) -> SourceToken {
        let mut place: Option<SourceRange> = None;
        let mut at = 0;
        for (c, bytes) in unquoted(line.as_str(), self.raw.clone()) {
            if part.contains(&at) {
                match &mut place {
                    Some(place) => line.extend(place, bytes),
                    None => place = Some(line.place(bytes)),
                }
            }
            at += c.len_utf8();
        }
        SourceToken {
            text: self.text.get(part).unwrap_or_default().to_owned(),
            place: place.unwrap_or_else(|| line.place(self.raw.clone())),
        }
    }

    /// Returns the value behind `=`, with its place.
    pub fn value(&self, line: &LogicalLine<'_>) -> Option<SourceToken> {
        let (_, value) = self.parts();
        let start = self.text.len() - value?.len();
        Some(self.token(line, start..self.text.len()))
    }
}

/// Splits arguments at blanks; quotes mean nothing.
pub(super) fn by_blanks(line: &str, rest: Range<usize>) -> Vec<Range<usize>> {
    let text = line.get(rest.clone()).unwrap_or_default();
    let mut words = Vec::new();
    let mut at = 0;
    for word in text.split(is_separator) {
        if !word.is_empty() {
            words.push(rest.start + at..rest.start + at + word.len());
        }
        at += word.len() + 1;
    }
    words
}

/// Splits arguments into words that may hold quoted and escaped blanks; quotes and escapes stay.
pub(super) fn by_quotes(line: &str, rest: Range<usize>, escape: char) -> Vec<Range<usize>> {
    let text = line.get(rest.clone()).unwrap_or_default();
    let mut words = Vec::new();
    let mut word: Option<Range<usize>> = None;
    let mut quote = None;
    let mut chars = text.char_indices().map(|(at, c)| (rest.start + at, c));
    while let Some((at, c)) = chars.next() {
        if quote.is_none() && c.is_whitespace() {
            words.extend(word.take());
            continue;
        }
        let mut end = at + c.len_utf8();
        if c == escape && quote != Some('\'') {
            // An escape character at the very end is dropped.
            end = chars.next().map_or(at, |(at, c)| at + c.len_utf8());
        } else if quote == Some(c) {
            quote = None;
        } else if quote.is_none() && matches!(c, '\'' | '"') {
            quote = Some(c);
        }
        word = Some(word.map_or(at, |word| word.start)..end);
    }
    words.extend(word);
    words.retain(|word| !word.is_empty());
    words
}

fn trimmed(line: &str, range: Range<usize>) -> Range<usize> {
    // Flags are read byte by byte, so a range may end within a character.
    let start = (range.start..range.end)
        .find(|at| line.is_char_boundary(*at))
        .unwrap_or(range.end);
    let text = line.get(start..range.end).unwrap_or_default();
    let start = range.end - text.trim_start().len();
    start..(start + text.trim().len())
}

/// Tells whether arguments are a JSON array of texts.
pub(super) fn is_json(rest: &str) -> bool {
    rest.starts_with('[') && serde_json::from_str::<Vec<String>>(rest).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name, flags and rest of a line.
    fn parts(line: &str) -> (&str, Vec<String>, &str) {
        let command = split(line);
        (
            &line[command.name],
            command.flags.into_iter().map(|flag| flag.text).collect(),
            &line[command.rest],
        )
    }

    #[test]
    fn line_is_split_into_name_flags_and_rest() {
        assert_eq!(parts("FROM a AS b "), ("FROM", vec![], "a AS b"));
        assert_eq!(parts("FROM\u{c}a"), ("FROM", vec![], "a"));
        assert_eq!(parts("RUN"), ("RUN", vec![], ""));
        assert_eq!(parts(""), ("", vec![], ""));
        assert_eq!(
            parts("COPY --link --from=a  b c"),
            ("COPY", vec!["--link".into(), "--from=a".into()], "b c")
        );
        assert_eq!(parts("RUN a --mount=x"), ("RUN", vec![], "a --mount=x"));
        assert_eq!(parts("RUN -a --b"), ("RUN", vec![], "-a --b"));
    }

    #[test]
    fn two_dashes_end_the_flags() {
        assert_eq!(parts("RUN --a -- --b"), ("RUN", vec!["--a".into()], "--b"));
        assert_eq!(parts("RUN --"), ("RUN", vec![], ""));
    }

    #[test]
    fn flag_quotes_and_escapes_are_removed() {
        let flag = |line: &str| split(line).flags.swap_remove(0).text;
        assert_eq!(flag("COPY --from=\"a b\" c d"), "--from=a b");
        assert_eq!(flag("COPY --from='a b' c d"), "--from=a b");
        assert_eq!(flag("COPY --fr\"om=a\" c d"), "--from=a");
        assert_eq!(flag("COPY --from=a\\ b c d"), "--from=a b");
        assert_eq!(flag("COPY --from='a\\'b' c d"), "--from=a'b");
        assert_eq!(flag("COPY --from=\"open c d"), "--from=open c d");
        assert_eq!(flag("COPY --from=a\\"), "--from=a");
    }

    #[test]
    fn flag_with_an_escape_inside_a_character_is_read() {
        assert_eq!(
            parts("COPY --a\u{e0}b c"),
            ("COPY", vec!["--a\u{c3}".into()], "b c")
        );
        assert_eq!(
            parts("COPY --a\u{e141}b c"),
            ("COPY", vec!["--a\u{ee}".into()], "b c")
        );
    }

    fn value(line: &str) -> String {
        let text = LogicalLine::new(line, 0);
        let token = split(line).flags[0].value(&text).unwrap();
        format!("{} at {}", token.text, token.place)
    }

    #[test]
    fn flag_value_position_excludes_its_quotes() {
        assert_eq!(value("COPY --from=ab c d"), "ab at 12..14");
        assert_eq!(value("COPY --from=\"ab\" c d"), "ab at 13..15");
        assert_eq!(value("COPY --from=a\"b\" c d"), "ab at 12..13 14..15");
        assert_eq!(value("COPY --from=\\ab c d"), "ab at 12..15");
    }

    fn texts(line: &str, words: Vec<Range<usize>>) -> Vec<&str> {
        words.into_iter().map(|word| &line[word]).collect()
    }

    #[test]
    fn words_split_at_blanks_keep_their_quotes() {
        let line = "FROM \"a b\"\t\u{b}c";
        assert_eq!(
            texts(line, by_blanks(line, 5..line.len())),
            ["\"a", "b\"", "c"]
        );
        assert_eq!(by_blanks("FROM", 4..4), Vec::<Range<usize>>::new());
    }

    #[test]
    fn quoted_words_may_hold_blanks() {
        let split = |line: &'static str| texts(line, by_quotes(line, 0..line.len(), '\\'));
        assert_eq!(
            split("a=1 b='2 3'\tc=\"4 \\\" 5\""),
            ["a=1", "b='2 3'", "c=\"4 \\\" 5\""]
        );
        assert_eq!(split("a\\ b c"), ["a\\ b", "c"]);
        assert_eq!(split("'a\\' b"), ["'a\\'", "b"]);
        assert_eq!(split("\"open b"), ["\"open b"]);
        assert_eq!(split("a \\"), ["a"]);
        assert_eq!(split("a\\"), ["a"]);
        assert_eq!(split("\u{a0}a"), ["a"]);
        let backtick = "a` b \\ c";
        assert_eq!(
            texts(backtick, by_quotes(backtick, 0..8, '`')),
            ["a` b", "\\", "c"]
        );
    }

    #[test]
    fn json_array_of_strings_is_distinguished_from_other_arrays_and_text() {
        assert!(is_json("[\"a\", \"b\"]") && is_json("[]"));
        for text in [
            "[1]",
            "[\"a\", null]",
            "",
            "a",
            "[",
            "['a']",
            "[\"a\"] b",
            "{\"a\": 1}",
        ] {
            assert!(!is_json(text), "{text}");
        }
    }
}
