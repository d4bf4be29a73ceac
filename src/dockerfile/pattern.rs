//! The patterns of `${name#pattern}`, `${name%pattern}` and `${name/pattern/replacement}`.
//!
//! As in BuildKit's `shell/lex.go` a pattern knows `*`, `?` and the backslash, no brackets, and becomes a regular
//! expression. The `regex` crate matches in time linear in the text, as Go's does, and prefers the same match.

use regex::{Regex, RegexBuilder};

use super::text::BYTE_ORDER_MARK;

/// Why a pattern cannot be matched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PatternError {
    #[error("pattern `{pattern}` escapes `{escaped}`, which is not special")]
    Escape { pattern: String, escaped: String },
    #[error("pattern `{0}` is too long")]
    Long(String),
}

/// Removes the shortest or the longest start of `value` that matches.
pub(super) fn trim_start(
    value: &str,
    pattern: &str,
    longest: bool,
) -> Result<String, PatternError> {
    let regex = compile(pattern, longest, true)?;
    let end = regex.find(value).map_or(0, |found| found.end());
    Ok(value[end..].to_owned())
}

/// Removes the shortest or the longest end of `value` that matches.
///
/// Regular expressions cannot find a shortest end, so value and pattern are both reversed.
pub(super) fn trim_end(value: &str, pattern: &str, longest: bool) -> Result<String, PatternError> {
    let value: String = value.chars().rev().collect();
    let trimmed = trim_start(&value, &reversed(pattern), longest)?;
    Ok(trimmed.chars().rev().collect())
}

/// Replaces the first match, or all of them.
pub(super) fn replace(
    value: &str,
    pattern: &str,
    replacement: &str,
    all: bool,
) -> Result<String, PatternError> {
    let regex = compile(pattern, true, false)?;
    Ok(if all {
        regex.replace_all(value, replacement).into_owned()
    } else {
        regex
            .replacen(value, 1, regex::NoExpand(replacement))
            .into_owned()
    })
}

fn compile(pattern: &str, longest: bool, at_start: bool) -> Result<Regex, PatternError> {
    let mut regex = String::with_capacity(pattern.len() + 8);
    if at_start {
        regex.push('^');
    }
    // BuildKit's scanner, which also reads words, drops a leading byte order mark.
    let pattern = pattern.strip_prefix(BYTE_ORDER_MARK).unwrap_or(pattern);
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' => regex.push_str(if longest { ".*" } else { ".*?" }),
            '?' => regex.push('.'),
            // `}` and `/` end a part of `${…}` and so need an escape that is no part of the pattern.
            '\\' => match chars.next() {
                Some(c @ ('}' | '/' | '*' | '?' | '\\')) => push_literal(&mut regex, c),
                escaped => {
                    return Err(PatternError::Escape {
                        pattern: pattern.to_owned(),
                        escaped: escaped.map(String::from).unwrap_or_default(),
                    });
                }
            },
            c => push_literal(&mut regex, c),
        }
    }
    RegexBuilder::new(&regex)
        .build()
        .map_err(|_| PatternError::Long(pattern.chars().take(40).collect()))
}

fn push_literal(regex: &mut String, c: char) {
    let mut buffer = [0; 4];
    regex.push_str(&regex::escape(c.encode_utf8(&mut buffer)));
}

/// Reverses a pattern; every backslash stays in front of the character that it escapes.
fn reversed(pattern: &str) -> String {
    let mut pieces = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match (c, chars.clone().next()) {
            ('\\', Some(escaped)) => {
                chars.next();
                pieces.push(escaped);
                pieces.push('\\');
            }
            _ => pieces.push(c),
        }
    }
    pieces.into_iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_trims_the_shortest_or_longest_start() {
        assert_eq!(trim_start("a.b.c", "*.", false), Ok("b.c".into()));
        assert_eq!(trim_start("a.b.c", "*.", true), Ok("c".into()));
        assert_eq!(trim_start("abc", "b", false), Ok("abc".into()));
        assert_eq!(trim_start("", "*", true), Ok(String::new()));
    }

    #[test]
    fn pattern_trims_the_shortest_or_longest_end() {
        assert_eq!(trim_end("3.19.1", ".*", false), Ok("3.19".into()));
        assert_eq!(trim_end("3.19.1", ".*", true), Ok("3".into()));
        assert_eq!(trim_end("éé!", "?", false), Ok("éé".into()));
        assert_eq!(trim_end("xx**", "\\**", true), Ok("xx".into()));
    }

    #[test]
    fn pattern_replaces_the_first_or_every_match() {
        assert_eq!(replace("a_b_c", "_", ".", false), Ok("a.b_c".into()));
        assert_eq!(replace("a_b_c", "_", ".", true), Ok("a.b.c".into()));
        assert_eq!(replace("abc", "", "-", false), Ok("-abc".into()));
        assert_eq!(replace("abc", "", "-", true), Ok("-a-b-c-".into()));
        assert_eq!(replace("abc", "*", "-", true), Ok("-".into()));
        assert_eq!(replace("abc", "b", "$0", false), Ok("a$0c".into()));
    }

    #[test]
    fn pattern_treats_regular_expression_characters_literally() {
        assert_eq!(trim_start("a.b", "?.", false), Ok("b".into()));
        assert_eq!(trim_start("[x]", "[", false), Ok("x]".into()));
        assert_eq!(replace("a/b", "\\/", "-", false), Ok("a-b".into()));
        assert_eq!(replace("a}b", "\\}", "-", false), Ok("a-b".into()));
        assert_eq!(replace("a\\b", "\\\\", "-", false), Ok("a-b".into()));
    }

    #[test]
    fn pattern_with_another_escape_is_refused() {
        let escape = |pattern: &str, escaped: &str| {
            Err(PatternError::Escape {
                pattern: pattern.into(),
                escaped: escaped.into(),
            })
        };
        assert_eq!(trim_start("a", "\\a", false), escape("\\a", "a"));
        assert_eq!(trim_start("a", "a\\", false), escape("a\\", ""));
    }

    #[test]
    fn reversed_pattern_keeps_its_escapes() {
        assert_eq!(reversed("a\\*c"), "c\\*a");
        assert_eq!(reversed("\\\\\\ab"), "b\\a\\\\");
        assert_eq!(reversed("ab\\"), "\\ba");
    }
}
