//! Errors in a Dockerfile, and their places.

use std::fmt;

use crate::error::cut;

use super::text;

/// The kind of an error: the file is invalid, or an image in it cannot be determined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DockerfileErrorKind {
    /// The text is no valid Dockerfile: a directive, a heredoc, an unknown instruction, a flag or an argument is wrong.
    Syntax,
    /// The text is a valid Dockerfile, but a dependency cannot be determined: a `FROM`, a stage's name, a reference, a
    /// platform, a variable, a stage that is copied from.
    Dependency,
}

/// Why a Dockerfile cannot be read or its images cannot be determined.
///
/// `Display` names line, column, text and problem; the caller adds the file's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct DockerfileError {
    pub kind: DockerfileErrorKind,
    /// The line, counted from 1; 0 if the problem is of the whole file.
    pub line: usize,
    /// The column in characters, counted from 1; 0 if the problem is of the whole file.
    pub column: usize,
    /// The text that the problem is about, as written; empty if there is none.
    pub text: String,
    /// The problem, in lower case and without a full stop.
    pub problem: String,
}

/// How many characters of the text an error shows.
const MOST_TEXT: usize = 120;

/// How many characters of the problem an error shows.
const MOST_PROBLEM: usize = 1000;

impl fmt::Display for DockerfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}, column {}: ", self.line, self.column)?;
        }
        // It quotes words of the file, too.
        let problem = cut(self.problem.clone(), MOST_PROBLEM);
        if self.text.is_empty() {
            return f.write_str(&problem);
        }
        write!(f, "`{}`: {problem}", cut(self.text.clone(), MOST_TEXT))
    }
}

/// A problem with a byte offset, until [`Problem::located`] computes line and column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub kind: DockerfileErrorKind,
    /// The byte in the file that the problem starts at; `None` if it is of the whole file.
    pub at: Option<usize>,
    pub text: String,
    pub message: String,
}

impl Problem {
    /// Returns a syntax problem without a place.
    pub fn syntax(text: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind: DockerfileErrorKind::Syntax,
            at: None,
            text: text.into(),
            message: message.into(),
        }
    }

    /// Returns a dependency problem without a place.
    pub fn dependency(text: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind: DockerfileErrorKind::Dependency,
            ..Self::syntax(text, message)
        }
    }

    /// Gives the problem a place unless it has one.
    pub fn at(mut self, offset: usize) -> Self {
        self.at.get_or_insert(offset);
        self
    }

    /// Turns the offset into a line and a column of `text`.
    pub fn located(self, text: &str) -> DockerfileError {
        let (line, column) = match self.at {
            Some(offset) => Cursor::new(text).position(offset),
            None => (0, 0),
        };
        DockerfileError {
            kind: self.kind,
            line,
            column,
            text: self.text,
            problem: self.message,
        }
    }
}

/// Converts increasing offsets to lines and columns in one pass over the text.
pub(super) struct Cursor<'t> {
    text: &'t str,
    offset: usize,
    line: usize,
    column: usize,
}

impl<'t> Cursor<'t> {
    /// Starts in front of the first character; a byte order mark is no column.
    pub fn new(text: &'t str) -> Self {
        Self {
            text,
            offset: text::start(text),
            line: 1,
            column: 1,
        }
    }

    /// Returns line and column of the byte at `offset`, both counted from 1.
    pub fn position(&mut self, offset: usize) -> (usize, usize) {
        if offset < self.offset {
            *self = Self::new(self.text);
        }
        let bytes = self.text.as_bytes();
        let end = offset.min(bytes.len());
        for byte in bytes.get(self.offset..end).unwrap_or_default() {
            match byte {
                b'\n' => {
                    self.line += 1;
                    self.column = 1;
                }
                // Continuation bytes of a UTF-8 character.
                0x80..=0xbf => {}
                _ => self.column += 1,
            }
        }
        self.offset = self.offset.max(end);
        (self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn position_counts_lines_and_characters() {
        let mut cursor = Cursor::new("ab\ncé!d\n");
        assert_eq!(cursor.position(0), (1, 1));
        assert_eq!(cursor.position(1), (1, 2));
        assert_eq!(cursor.position(3), (2, 1));
        assert_eq!(cursor.position(6), (2, 3));
        assert_eq!(cursor.position(2), (1, 3), "an offset may also lie behind");
        assert_eq!(cursor.position(99), (3, 1));
    }

    #[test]
    fn position_ignores_a_byte_order_mark() {
        assert_eq!(Cursor::new("\u{feff}FROM a").position(3), (1, 1));
        assert_eq!(Cursor::new("\u{feff}FROM a").position(8), (1, 6));
    }

    #[test]
    fn error_about_a_long_line_is_short() {
        let long = "a".repeat(300_000);
        let error = Problem::syntax(&long, format!("unknown flag: {long}"));
        let shown = error.at(0).located(&long).to_string();
        assert!(shown.len() < 1500, "{}", shown.len());
    }

    #[test]
    fn error_text_has_line_column_excerpt_and_problem() {
        let error = Problem::dependency("Alpine", "repository name must be lower-case")
            .at(12)
            .located("# comment\n\nFROM Alpine");
        assert_eq!(
            error.to_string(),
            "line 3, column 2: `Alpine`: repository name must be lower-case"
        );
        assert_eq!(
            Problem::syntax("", "the file is empty")
                .located("")
                .to_string(),
            "the file is empty"
        );
    }

    #[test]
    fn long_excerpt_is_cut_between_characters() {
        let error = Problem::syntax("é".repeat(500), "too long").located("");
        assert_eq!(
            error.to_string(),
            format!("`{}…`: too long", "é".repeat(120))
        );
    }
}
