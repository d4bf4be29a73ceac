//! What is wrong with a task file, and what is odd about it, with the line.

use std::fmt;

/// Why a task file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidTaskFile {
    /// The line, counted from 1; none where no single line is to blame.
    pub line: Option<usize>,
    /// What is wrong.
    pub text: String,
}

impl InvalidTaskFile {
    /// Says what is wrong with the file as a whole.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            line: None,
            text: text.into(),
        }
    }

    /// Says what is wrong in a line.
    pub fn at(line: Option<usize>, text: impl Into<String>) -> Self {
        Self {
            line,
            text: text.into(),
        }
    }
}

impl fmt::Display for InvalidTaskFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

impl std::error::Error for InvalidTaskFile {}

/// Something odd that keeps nothing from being run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The line, counted from 1, where one is known.
    pub line: Option<usize>,
    /// What is odd.
    pub text: String,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}
